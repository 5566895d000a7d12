//! How far the tables reached when this process was last told that something lasts.
//!
//! Tables only grow. Where they reach less far than that, older ones took their place under a running program: a server that failed over
//! to a replica that lagged, a copy that was put back to a point in time. Whatever numbers itself by them would do twice what was done
//! already, so nothing is entered any more.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicI64, Ordering};

use crate::books::Books;
use crate::error::BooksError;
use crate::store::Session;

/// The ends of the table of records and of what it knows of the log, as far as commits were acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Lasting {
    last_record: AtomicI64,
    log_end: AtomicI64,
}

impl Lasting {
    /// What lasts by now; to be asked before the session begins that is then looked at.
    pub(crate) fn reached(&self) -> (i64, i64) {
        (self.last_record.load(Ordering::Acquire), self.log_end.load(Ordering::Acquire))
    }

    pub(crate) fn raise(&self, last_record: i64, log_end: i64) {
        self.last_record.fetch_max(last_record, Ordering::AcqRel);
        self.log_end.fetch_max(log_end, Ordering::AcqRel);
    }
}

/// Refuses tables that end before what lasted.
pub(crate) fn still_there(reached: (i64, i64), found: (i64, i64)) -> Result<(), BooksError> {
    if found.0 >= reached.0 && found.1 >= reached.1 {
        return Ok(());
    }
    Err(BooksError::Log(
        format!(
            "the tables end with record {} and know {} entries of it, and they had {} and {} while this program ran: older tables took \
             their place\nhint: put the newest tables back; where there are none, restore a copy with `issuer restore`, which closes \
             its blocks",
            found.0, found.1, reached.0, reached.1
        )
        .into(),
    ))
}

/// The session in which acts that the log has taken take effect.
pub(crate) struct Effect<'b> {
    session: Session,
    lasting: &'b Lasting,
    log_end: i64,
}

impl Effect<'_> {
    /// Makes everything done in this session last.
    pub(crate) async fn commit(self) -> Result<(), BooksError> {
        self.session.commit().await?;
        self.lasting.raise(0, self.log_end);
        Ok(())
    }
}

impl Deref for Effect<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl DerefMut for Effect<'_> {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.session
    }
}

impl Books {
    /// The session in which entered acts take effect: their numbers, and their places in the log.
    pub(crate) async fn effect_of(&self, entered: &[(i64, i64)]) -> Result<Effect<'_>, BooksError> {
        let mut session = self.store.write().await?;
        for (record, log_index) in entered {
            session.put_logged(*record, *log_index).await?;
        }
        Ok(Effect { session, lasting: &self.lasting, log_end: end_of(entered) })
    }
}

/// Behind the last place in the log of some acts.
pub(crate) fn end_of(entered: &[(i64, i64)]) -> i64 {
    entered.iter().map(|(_, log_index)| log_index + 1).max().unwrap_or_default()
}

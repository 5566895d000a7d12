//! Licensees that went out of business, and what is said of that later.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

use crate::books::Books;
use crate::encode;
use crate::entries::not_in_the_future;
use crate::error::{BooksError, Refusal};
use crate::event::{Event, Recipient, Source};
use crate::firearm::Licensee;
use crate::ledger::Ledger;
use crate::names::{LicenceNumber, Person, Reason};
use crate::store::Session;

impl Books {
    /// Writes that a licensee went out of business and who keeps its records, so that chains can say so. From then on no hand-over by or
    /// to it is taken that lies after that day.
    ///
    /// # Errors
    /// [`Refusal::OutOfOrder`] when that is recorded already, when hand-overs after that day are in the book, and for a day in the
    /// future; [`Refusal::Request`] for the issuer itself.
    pub async fn close_licensee(
        &self,
        licence: &LicenceNumber,
        (closed_on, records_at): (Date, &str),
        by: &Person,
        now: Timestamp,
    ) -> Result<(), BooksError> {
        let mut ledger = self.writing().await?;
        let mut session = self.store.read().await?;
        if let Some((day, keeper)) = session.closure(licence.as_str()).await? {
            let day = encode::day(day)?;
            let what =
                format!("the closing of licence {licence} is recorded already: {day}, records at {keeper}");
            let hint = if (day, keeper.as_str()) == (closed_on, records_at) {
                "nothing has to be done"
            } else {
                "correct it, with the reason"
            };
            return Err(Refusal::OutOfOrder { what, hint }.into());
        }
        self.can_close(&mut session, licence, closed_on, now).await?;
        drop(session);
        let body = json!({"licence": licence, "closed_on": closed_on, "records_at": records_at, "by": by});
        self.enter_closing(&mut ledger, (licence, Some((closed_on, records_at))), &body, now).await
    }

    /// Corrects what was written of a licensee's closing, or withdraws it where `becomes` is `None`. What was written before stays in
    /// its record.
    ///
    /// # Errors
    /// As [`Books::close_licensee`]; [`Refusal::OutOfOrder`] when no closing is recorded, or the same.
    pub async fn correct_closing(
        &self,
        licence: &LicenceNumber,
        becomes: Option<(Date, &str)>,
        (reason, by): (&Reason, &Person),
        now: Timestamp,
    ) -> Result<(), BooksError> {
        let mut ledger = self.writing().await?;
        let mut session = self.store.read().await?;
        let Some((day, keeper)) = session.closure(licence.as_str()).await? else {
            let what = format!("no closing of licence {licence} is recorded");
            return Err(Refusal::OutOfOrder { what, hint: "check the licence" }.into());
        };
        if becomes == Some((encode::day(day)?, keeper.as_str())) {
            let what = format!("the closing of licence {licence} is recorded like this already");
            return Err(Refusal::OutOfOrder { what, hint: "nothing has to be done" }.into());
        }
        if let Some((closed_on, _)) = becomes {
            self.can_close(&mut session, licence, closed_on, now).await?;
        }
        drop(session);
        let (closed_on, records_at) = becomes.unzip();
        let body = json!({
            "licence": licence, "closed_on": closed_on, "records_at": records_at, "reason": reason, "by": by,
        });
        self.enter_closing(&mut ledger, (licence, becomes), &body, now).await
    }

    /// Whether a licence stands in the book at all, whatever its name is there.
    ///
    /// # Errors
    /// [`BooksError::Database`].
    pub async fn names_licence(&self, licence: &LicenceNumber) -> Result<bool, BooksError> {
        Ok(self.store.read().await?.names_of_licence(licence.as_str()).await? > 0)
    }

    async fn can_close(
        &self,
        session: &mut Session,
        licence: &LicenceNumber,
        closed_on: Date,
        now: Timestamp,
    ) -> Result<(), BooksError> {
        not_in_the_future(closed_on, now)?;
        if *licence == self.issuer.licence {
            let what = format!("licence {licence} is that of these books' issuer");
            let hint = "an issuer that closes hands its books over: `issuer hand-over`";
            return Err(Refusal::Request { what, hint }.into());
        }
        let day = encode::day_number(closed_on);
        if let Some((entry, on)) = session.dealt_after(licence.as_str(), day).await? {
            let what =
                format!("entry {entry} says of licence {licence} that it traded on {}", encode::day(on)?);
            let hint = "check licence and day, or correct that entry";
            return Err(Refusal::OutOfOrder { what, hint }.into());
        }
        Ok(())
    }

    async fn enter_closing(
        &self,
        ledger: &mut Ledger,
        (licence, becomes): (&LicenceNumber, Option<(Date, &str)>),
        body: &Value,
        now: Timestamp,
    ) -> Result<(), BooksError> {
        let entered = self.enter(ledger, "closure", body, now).await?;
        let mut session = self.effect(&entered).await?;
        match becomes {
            Some((closed_on, records_at)) => {
                let times = (encode::day_number(closed_on), now.as_microsecond());
                session.put_closure(licence.as_str(), times, records_at).await?;
            }
            None => session.drop_closure(licence.as_str()).await?,
        }
        session.commit().await
    }
}

/// The days on which licensees closed.
pub(crate) async fn closings(session: &mut Session) -> Result<HashMap<LicenceNumber, Date>, BooksError> {
    let days = session.closing_days().await?.into_iter();
    days.map(|(licence, day)| Ok((licence.parse()?, encode::day(day)?))).collect()
}

/// Refuses a hand-over by or to a licensee that had closed before.
///
/// # Errors
/// [`Refusal::OutOfOrder`].
pub(crate) fn was_open(
    closings: &HashMap<LicenceNumber, Date>,
    event: &Event,
    on: Date,
) -> Result<(), Refusal> {
    let (holder, other) = match event {
        Event::Acquired { holder, source: Source::Licensee(other) }
        | Event::Disposed { holder, to: Recipient::Licensee(other) } => (holder, Some(other)),
        Event::Acquired { holder, .. } | Event::Disposed { holder, .. } => (holder, None),
        _ => return Ok(()),
    };
    let closed = |party: &&Licensee| closings.get(&party.licence).is_some_and(|closed| *closed < on);
    let Some(party) = [Some(holder), other].into_iter().flatten().find(closed) else { return Ok(()) };
    let what = format!("{party} is out of business since {} by these books", closings[&party.licence]);
    let hint = "check licence and day, or correct the closing: `issuer close-licensee --reason`";
    Err(Refusal::OutOfOrder { what, hint })
}

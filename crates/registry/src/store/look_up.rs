//! One row by its primary key, read on the caller's own thread.
//!
//! The driver that does everything else hands each statement to a thread of its own and the row back again. Waking two threads
//! takes several times as long as the read, and how long depends on what else the machine does. So this one read has connections
//! of its own to the same SQLite, which is linked once. The statement stays prepared; with nothing begun around it each run sees
//! what was committed before it.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row};

use super::rows::StoredCode;
use super::sql;

/// Look-ups at the same time; more wait for each other, microseconds each.
const CONNECTIONS: usize = 4;

/// Connections for look-ups in one file, each opened when it is first needed.
#[derive(Debug)]
pub(crate) struct LookUps {
    file: PathBuf,
    connections: [Mutex<Option<Connection>>; CONNECTIONS],
}

impl LookUps {
    pub(super) fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), connections: Default::default() }
    }

    /// What the table says of a code.
    ///
    /// # Errors
    /// When the file cannot be read at once, because somebody holds it alone or the disk fails: ask through the driver then, which
    /// waits on its own thread and tells why.
    pub(super) fn code(&self, code: i64) -> rusqlite::Result<Option<StoredCode>> {
        let mut place = self.free(code as usize);
        let connection = match place.take() {
            Some(connection) => place.insert(connection),
            None => place.insert(self.connect()?),
        };
        let found = connection
            .prepare_cached(sql::CODE)
            .and_then(|mut statement| statement.query_row([code], stored).optional());
        if found.is_err() {
            // Whatever was wrong with it, the next look-up opens another.
            *place = None;
        }
        found
    }

    /// A connection that nobody uses, or the one of the code's turn.
    fn free(&self, turn: usize) -> MutexGuard<'_, Option<Connection>> {
        for connection in &self.connections {
            match connection.try_lock() {
                Ok(place) => return place,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.connections[turn % CONNECTIONS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It never waits: the caller's thread has other work.
    fn connect(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.file, flags)?;
        connection.busy_timeout(std::time::Duration::ZERO)?;
        connection.pragma_update(None, "query_only", "ON")?;
        connection.pragma_update(None, "cache_size", -16_384)?;
        Ok(connection)
    }

    /// Lets go of the file.
    pub(super) fn close(&self) {
        for connection in &self.connections {
            *connection.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredCode> {
    Ok(StoredCode {
        parts: row.get(0)?,
        firearm_id: row.get(1)?,
        record_id: row.get(2)?,
        issued_at: row.get(3)?,
    })
}

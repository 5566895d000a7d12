//! How long a PostgreSQL server has for what it is asked.
//!
//! Whoever writes holds the log's lock meanwhile, so nothing may wait without end: not for another transaction's row, and not for a server
//! that stands still or whose machine is gone. The server bounds the first by itself; the second only this side can see.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use sqlx::{Connection as _, Executor as _, PgConnection};

use super::sql;

/// What one statement has, as a rule.
const ANSWER: Duration = Duration::from_secs(20);

/// What one that writes or reads many rows has, and one that looks through whole tables.
const MANY_ROWS: Duration = Duration::from_mins(1);
const WHOLE_TABLES: Duration = Duration::from_mins(10);

/// Statements of many rows, by the names of their calls.
const OF_MANY_ROWS: [&str; 10] = [
    "add_entries",
    "code_page",
    "erase_records",
    "issue",
    "issued_as",
    "issued_units",
    "put_entries",
    "put_firearms",
    "read_rows",
    "write_rows",
];

/// Statements that look through whole tables.
const OF_WHOLE_TABLES: [&str; 12] = [
    "clock_acts",
    "count_codes",
    "count_entries",
    "count_units",
    "dealt_after",
    "invent",
    "last_issue",
    "migrate",
    "models",
    "orphans",
    "tallies",
    "wrong_fittings",
];

fn bound_of(call: &str) -> Duration {
    if OF_WHOLE_TABLES.contains(&call) {
        WHOLE_TABLES
    } else if OF_MANY_ROWS.contains(&call) {
        MANY_ROWS
    } else {
        ANSWER
    }
}

/// What a server was asked, if it answers in time. A connection on which it did not is given up. The question lies on the heap: it would
/// else lie twice in whatever asks it.
pub(super) async fn answered<T>(
    call: &str,
    asked: Pin<Box<impl Future<Output = Result<T, sqlx::Error>>>>,
) -> Result<T, sqlx::Error> {
    let bound = bound_of(call);
    tokio::time::timeout(bound, asked).await.unwrap_or_else(|_| {
        let what = format!("the server did not answer within {} s", bound.as_secs());
        Err(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, what)))
    })
}

/// Tells a server how long another transaction's lock is waited for, when it gives a statement up, and when it looks whether this side
/// still lives. Servers that only speak the protocol may know no such setting; then this side's bounds hold alone.
pub(super) async fn of_the_server(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    for setting in sql::SERVER_BOUNDS {
        match conn.execute(setting).await {
            Err(sqlx::Error::Database(_)) | Ok(_) => {}
            Err(error) => return Err(error),
        }
    }
    conn.ping().await
}

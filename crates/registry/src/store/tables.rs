//! The tables as plain rows, to carry books from one database into another.

use super::{Session, Store};
use crate::error::BooksError;

/// Rows carried at a time.
const PAGE: usize = 10_000;

/// What a column holds. Numbers and text may be missing.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Number,
    Text,
    Bytes,
}

/// What stands in one place of a row.
pub(crate) enum Value {
    Number(Option<i64>),
    Text(Option<String>),
    Bytes(Vec<u8>),
}

/// A table, its columns with `#` before numbers and `*` before bytes; the first column is the key.
pub(crate) struct Table {
    name: &'static str,
    columns: &'static [&'static str],
}

/// Every table but the versions, each after those that it refers to.
const TABLES: [Table; 15] = [
    Table { name: "counter", columns: &["name", "#next"] },
    Table { name: "block", columns: &["#prefix", "key_check", "#opened_at"] },
    Table { name: "record", columns: &["#record_id", "kind", "#recorded_at", "*salt", "body"] },
    Table { name: "logged", columns: &["#record_id", "#log_index"] },
    Table { name: "party", columns: &["#party_id", "licence", "name"] },
    Table { name: "closure", columns: &["licence", "#closed_on", "records_at", "#recorded_at"] },
    Table { name: "line", columns: &["#line_id", "licence", "model"] },
    Table { name: "description", columns: &["#description_id", "body"] },
    Table { name: "firearm", columns: &["#firearm_id", "#line_id", "serial", "#description_id"] },
    Table { name: "code", columns: &["#code", "#unit", "#parts", "#firearm_id", "#record_id", "#issued_at"] },
    Table {
        name: "entry",
        columns: &[
            "#entry_id",
            "#firearm_id",
            "kind",
            "#holder",
            "#other",
            "#happened_on",
            "#recorded_at",
            "recorded_by",
            "#description_id",
            "#code",
            "#corrects",
            "#void",
            "body",
        ],
    },
    Table { name: "fitting", columns: &["#entry_id", "#code"] },
    Table {
        name: "party_key",
        columns: &["verifier", "#party", "kind", "#valid_from", "#valid_until", "#registered_at"],
    },
    Table { name: "revocation", columns: &["verifier", "#revoked_at", "reason"] },
    Table { name: "statement", columns: &["#statement_id", "sha256", "note"] },
];

impl Table {
    /// The kinds of its columns.
    pub(super) fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.columns.iter().map(|column| match column.as_bytes()[0] {
            b'#' => Kind::Number,
            b'*' => Kind::Bytes,
            _ => Kind::Text,
        })
    }

    /// Whether it is read by pages: it can be long, and its key is a number.
    pub(super) fn is_long(&self) -> bool {
        matches!(self.kinds().next(), Some(Kind::Number))
    }

    fn names(&self) -> String {
        let names: Vec<_> = self.columns.iter().map(|column| column.trim_start_matches(['#', '*'])).collect();
        names.join(", ")
    }

    pub(super) fn select(&self) -> String {
        let (names, table, key) = (self.names(), self.name, self.columns[0].trim_start_matches('#'));
        if self.is_long() {
            format!("SELECT {names} FROM {table} WHERE {key} > $1 ORDER BY {key} LIMIT {PAGE}")
        } else {
            format!("SELECT {names} FROM {table} ORDER BY {key}")
        }
    }

    pub(super) fn insert(&self, rows: usize, numbered: bool) -> String {
        let width = self.columns.len();
        let place = |at: usize| if numbered { format!("${}", at + 1) } else { "?".to_owned() };
        let row = |row: usize| {
            let places: Vec<_> = (row * width..(row + 1) * width).map(place).collect();
            format!("({})", places.join(", "))
        };
        let rows: Vec<_> = (0..rows).map(row).collect();
        format!("INSERT INTO {} ({}) VALUES {}", self.name, self.names(), rows.join(", "))
    }
}

/// Carries every row of one database into another whose tables are made and empty.
pub(crate) async fn carry(from: &mut Session, to: &Store) -> Result<(), BooksError> {
    let mut into = to.write().await?;
    for table in &TABLES {
        let mut after = i64::MIN;
        loop {
            let rows = from.read_rows(table, after).await?;
            into.write_rows(table, &rows).await?;
            match rows.last().and_then(|row| row.first()) {
                Some(Value::Number(Some(last))) if rows.len() == PAGE => after = *last,
                _ => break,
            }
        }
    }
    into.commit().await
}

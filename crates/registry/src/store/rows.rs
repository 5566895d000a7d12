//! Rows as they lie in the tables: numbers for times and codes, text for names.

use std::sync::Arc;

/// A row of `entry` on its way in.
#[derive(Clone)]
pub(crate) struct EntryRow {
    pub(crate) entry_id: i64,
    pub(crate) firearm_id: i64,
    pub(crate) kind: &'static str,
    pub(crate) holder: i64,
    pub(crate) other: Option<i64>,
    pub(crate) happened_on: i64,
    pub(crate) recorded_at: i64,
    pub(crate) recorded_by: Arc<str>,
    pub(crate) description_id: Option<i64>,
    pub(crate) code: Option<i64>,
    pub(crate) corrects: Option<i64>,
    pub(crate) void: bool,
    pub(crate) body: Option<String>,
}

/// A row of `entry` on its way out, with the parties and the description it points to.
pub(crate) struct StoredEntry {
    pub(crate) entry_id: i64,
    pub(crate) firearm_id: i64,
    pub(crate) kind: String,
    pub(crate) holder: (String, String),
    pub(crate) other: Option<(String, String)>,
    pub(crate) happened_on: i64,
    pub(crate) recorded_at: i64,
    pub(crate) recorded_by: String,
    pub(crate) description: Option<String>,
    pub(crate) code: Option<i64>,
    pub(crate) corrects: Option<i64>,
    pub(crate) void: bool,
    pub(crate) body: Option<String>,
}

/// A page's entry with the key of its firearm: licence, model, serial.
pub(crate) struct BookRow {
    pub(crate) entry: StoredEntry,
    pub(crate) key: [String; 3],
}

/// A row of `firearm` on its way in.
pub(crate) struct FirearmRow {
    pub(crate) firearm_id: i64,
    pub(crate) line_id: i64,
    pub(crate) serial: Arc<str>,
    pub(crate) description_id: i64,
}

/// A firearm that the books have: its model's number, its serial number and its own, and the description as first recorded.
pub(crate) struct KnownFirearm {
    pub(crate) line_id: i64,
    pub(crate) serial: String,
    pub(crate) firearm_id: i64,
    pub(crate) description: String,
}

/// A firearm with its key and the description as first recorded.
pub(crate) struct StoredFirearm {
    pub(crate) key: [String; 3],
    pub(crate) description: String,
}

/// A row of `code`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CodeRow {
    pub(crate) code: i64,
    pub(crate) unit: i64,
    pub(crate) parts: i64,
    pub(crate) firearm_id: Option<i64>,
    pub(crate) record_id: i64,
    pub(crate) issued_at: i64,
}

/// A run of new firearms on its way in: what they share, and the serial number and code of each.
pub(crate) struct RunRows<'r> {
    pub(crate) line_id: i64,
    pub(crate) description_id: i64,
    pub(crate) parts: i64,
    pub(crate) record_id: i64,
    pub(crate) holder: i64,
    pub(crate) made_on: i64,
    pub(crate) issued_at: i64,
    pub(crate) recorded_by: &'r str,
    /// Prefix and unit number of the first code, as in the table `code`.
    pub(crate) first_unit: i64,
    pub(crate) first_firearm: i64,
    pub(crate) first_entry: i64,
    pub(crate) units: Vec<(&'r str, i64)>,
}

/// What a record says of a run of codes that it issued.
pub(crate) struct IssuedAs<'r> {
    /// First unit, and the one after the last.
    pub(crate) units: (i64, i64),
    /// Licence and name of the issuer.
    pub(crate) holder: (&'r str, &'r str),
    pub(crate) model: &'r str,
    pub(crate) description: &'r str,
    pub(crate) made_on: i64,
    pub(crate) recorded_by: &'r str,
    pub(crate) record_id: i64,
    pub(crate) parts: i64,
    pub(crate) issued_at: i64,
}

/// How a run of codes stands in the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunFound {
    /// Codes that stand as they were issued.
    pub(crate) count: i64,
    pub(crate) first_firearm: i64,
    pub(crate) first_entry: i64,
    /// Whether firearms and entries follow the units one by one.
    pub(crate) in_order: bool,
}

/// What the table `code` says of a code.
pub(crate) struct StoredCode {
    pub(crate) parts: i64,
    pub(crate) firearm_id: Option<i64>,
    pub(crate) record_id: i64,
    pub(crate) issued_at: i64,
}

/// A row of `closure`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClosureRow {
    pub(crate) licence: String,
    pub(crate) closed_on: i64,
    pub(crate) records_at: String,
    pub(crate) recorded_at: i64,
}

/// A registered key, whose it is, and its revocation.
pub(crate) struct KeyRow {
    pub(crate) verifier: String,
    pub(crate) licence: String,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) valid_from: i64,
    pub(crate) valid_until: i64,
    pub(crate) registered_at: i64,
    pub(crate) revoked_at: Option<i64>,
    pub(crate) reason: Option<String>,
}

/// A salted record of something asked, done or answered.
pub(crate) struct RecordRow {
    pub(crate) record_id: i64,
    pub(crate) kind: String,
    pub(crate) recorded_at: i64,
    pub(crate) salt: Vec<u8>,
    pub(crate) body: String,
    /// Place in the log; `None` when the record never took effect.
    pub(crate) log_index: Option<i64>,
}

/// One more entry for each of a run of entries, for load tests.
#[cfg(feature = "synthetic")]
pub(crate) struct Invented {
    /// The run: first number, and the one after the last.
    pub(crate) entries: (i64, i64),
    /// How much higher the new entries are numbered.
    pub(crate) ahead: i64,
    pub(crate) kind: &'static str,
    /// First party and how many take turns.
    pub(crate) holders: (i64, i64),
    pub(crate) others: Option<(i64, i64)>,
    /// Days after the old entry.
    pub(crate) days: i64,
    /// How the body begins; it ends with the firearm's number.
    pub(crate) body: Option<&'static str>,
}

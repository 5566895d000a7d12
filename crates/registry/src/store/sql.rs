//! Every statement of the books, one text for both databases.

use std::fmt::Write as _;
use std::sync::OnceLock;

/// Makes the tables; each text is one version, applied in order and never changed once released.
pub(super) const SCHEMA: [&str; 2] = [include_str!("schema_1.sql"), include_str!("schema_2.sql")];

/// In SQLite a whole number that is the primary key is the row's own number only when its type is spelled `INTEGER`;
/// spelled otherwise it costs a second tree. PostgreSQL's `INTEGER` is too short.
pub(super) fn schema_for_sqlite(text: &str) -> String {
    text.replace("_id BIGINT NOT NULL PRIMARY KEY", "_id INTEGER NOT NULL PRIMARY KEY")
        .replace("code BIGINT NOT NULL PRIMARY KEY", "code INTEGER NOT NULL PRIMARY KEY")
}

/// The table that says which versions were applied. Its row 0 is the lock that one migrating process holds:
/// databases that only speak PostgreSQL's protocol have no advisory locks.
pub(super) const SCHEMA_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL)";
pub(super) const SCHEMA_LOCK: &str = "INSERT INTO schema_version (version, applied_at) VALUES (0, $1)
    ON CONFLICT (version) DO UPDATE SET applied_at = $1";
pub(super) const SCHEMA_APPLIED: &str = "SELECT MAX(version) FROM schema_version";
pub(super) const SCHEMA_DONE: &str = "INSERT INTO schema_version (version, applied_at) VALUES ($1, $2)";

/// What a PostgreSQL server is told at the beginning of a connection.
pub(super) const SERVER_BOUNDS: [&str; 5] = [
    "SET lock_timeout = '2s'",
    "SET statement_timeout = '600s'",
    "SET tcp_keepalives_idle = 30",
    "SET tcp_keepalives_interval = 10",
    "SET tcp_keepalives_count = 3",
];

pub(super) const TAKE_NUMBERS: &str = "INSERT INTO counter (name, next) VALUES ($1, $2)
    ON CONFLICT (name) DO UPDATE SET next = counter.next + $2 RETURNING next";
pub(super) const NEXT_NUMBER: &str = "SELECT next FROM counter WHERE name = $1";

pub(super) const OPEN_BLOCK: &str =
    "INSERT INTO block (prefix, key_check, opened_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
pub(super) const BLOCKS: &str = "SELECT prefix, key_check FROM block ORDER BY opened_at, prefix";

pub(super) const PUT_RECORD: &str =
    "INSERT INTO record (record_id, kind, recorded_at, salt, body) VALUES ($1, $2, $3, $4, $5)";
pub(super) const LAST_RECORD: &str =
    "SELECT body FROM record WHERE kind = $1 ORDER BY record_id DESC LIMIT 1";
/// Times and texts of what was said of this machine's clock.
pub(super) const CLOCK_ACTS: &str =
    "SELECT recorded_at, body FROM record JOIN logged ON logged.record_id = record.record_id
  WHERE kind IN ('clock-was-ahead', 'clock-is-right')";
/// SQLite only: a copy of the whole database as one transaction sees it.
pub(super) const SNAPSHOT: &str = "VACUUM INTO $1";
pub(super) const COUNT_ENTRIES: &str = "SELECT COUNT(*), COALESCE(MAX(entry_id), 0) FROM entry";
pub(super) const COUNT_UNITS: &str = "SELECT COUNT(*) FROM code WHERE unit >= $1 AND unit < $2";
pub(super) const COUNT_CODES: &str = "SELECT COUNT(*) FROM code";
pub(super) const ISSUED_UNITS: &str = "SELECT c.code, f.serial FROM code c
    JOIN firearm f ON f.firearm_id = c.firearm_id WHERE c.unit >= $1 AND c.unit < $2 ORDER BY c.unit";
pub(super) const RECORDED_AT: &str = "SELECT recorded_at FROM record WHERE record_id = $1";
pub(super) const PUT_LOGGED: &str = "INSERT INTO logged (record_id, log_index) VALUES ($1, $2)";
/// The last record that took effect.
pub(super) const LAST_EFFECT: &str = "SELECT COALESCE(MAX(record_id), 0) FROM logged";
/// What the last record says that issued codes of a block, whether it took effect or not; `$1` is how its block stands in it.
pub(super) const LAST_ISSUE: &str =
    "SELECT body FROM record WHERE kind IN ('issue', 'issue-part') AND body LIKE $1
    ORDER BY record_id DESC LIMIT 1";
/// One more than the last entry of the log that the tables know.
pub(super) const LOG_END: &str = "SELECT COALESCE(MAX(log_index) + 1, 0) FROM logged";
pub(super) const LOG_INDEX: &str = "SELECT log_index FROM logged WHERE record_id = $1";
pub(super) const RECORDS: &str = "SELECT r.record_id, r.kind, r.recorded_at, r.salt, r.body, g.log_index
    FROM record r LEFT JOIN logged g ON g.record_id = r.record_id
    WHERE r.record_id > $1 ORDER BY r.record_id LIMIT $2";
pub(super) const RECORD_AT: &str = "SELECT r.record_id, r.kind, r.recorded_at, r.salt, r.body, g.log_index
    FROM logged g JOIN record r ON r.record_id = g.record_id WHERE g.log_index = $1";

/// SQLite only.
pub(super) const SETTLE: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
/// The one statement that takes words out of the books: questions and answers whose time is over.
pub(super) const ERASE_RECORDS: &str = "UPDATE record SET salt = $1, body = ''
    WHERE kind IN ('trace', 'answer') AND record_id >= $2 AND record_id <= $3 AND body <> ''";

pub(super) const FIND_PARTY: &str = "SELECT party_id FROM party WHERE licence = $1 AND name = $2";
pub(super) const PUT_PARTY: &str = "INSERT INTO party (party_id, licence, name) VALUES ($1, $2, $3)";
pub(super) const FIND_LINE: &str = "SELECT line_id FROM line WHERE licence = $1 AND model = $2";
/// The models of a licence that may be taken for one: in whatever case of ASCII letters, and any where one of the two has others.
pub(super) const SPELLINGS: &str = "SELECT model FROM line WHERE licence = $1
  AND (LOWER(model) = LOWER($2) OR OCTET_LENGTH(model) > LENGTH(model) OR OCTET_LENGTH($2) > LENGTH($2)) ORDER BY line_id";
pub(super) const MODELS: &str = "SELECT model FROM line WHERE licence = $1";
pub(super) const PUT_LINE: &str = "INSERT INTO line (line_id, licence, model) VALUES ($1, $2, $3)";
pub(super) const FIND_DESCRIPTION: &str = "SELECT description_id FROM description WHERE body = $1";
pub(super) const PUT_DESCRIPTION: &str = "INSERT INTO description (description_id, body) VALUES ($1, $2)";

pub(super) const PUT_CLOSURE: &str = "INSERT INTO closure (licence, closed_on, records_at, recorded_at)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (licence) DO UPDATE SET closed_on = $2, records_at = $3, recorded_at = $4";
/// What the last record of a closing says stands in the table; the records keep all that was said.
pub(super) const DROP_CLOSURE: &str = "DELETE FROM closure WHERE licence = $1";
pub(super) const CLOSING_DAYS: &str = "SELECT licence, closed_on FROM closure";
/// The first hand-over by or to a licensee after a day, among the entries that stand.
pub(super) const DEALT_AFTER: &str = "SELECT e.entry_id, e.happened_on FROM entry e
    WHERE (e.holder IN (SELECT party_id FROM party WHERE licence = $1)
    OR e.other IN (SELECT party_id FROM party WHERE licence = $1))
    AND e.kind IN ('acquired', 'disposed') AND e.happened_on > $2 AND e.void = 0
    AND NOT EXISTS (SELECT 1 FROM entry c WHERE c.corrects = e.entry_id) ORDER BY e.entry_id LIMIT 1";
pub(super) const NAMES_LICENCE: &str = "SELECT COUNT(*) FROM party WHERE licence = $1";
pub(super) const CLOSURE: &str = "SELECT closed_on, records_at FROM closure WHERE licence = $1";

pub(super) const PUT_PARTY_KEY: &str =
    "INSERT INTO party_key (verifier, party, kind, valid_from, valid_until, registered_at)
    VALUES ($1, $2, $3, $4, $5, $6)";
pub(super) const PUT_REVOCATION: &str =
    "INSERT INTO revocation (verifier, revoked_at, reason) VALUES ($1, $2, $3)";
pub(super) const PARTY_KEYS: &str =
    "SELECT k.verifier, p.licence, p.name, k.kind, k.valid_from, k.valid_until, k.registered_at,
    r.revoked_at, r.reason
    FROM party_key k JOIN party p ON p.party_id = k.party LEFT JOIN revocation r ON r.verifier = k.verifier
    ORDER BY k.registered_at, k.verifier";
pub(super) const PUT_STATEMENT: &str =
    "INSERT INTO statement (statement_id, sha256, note) VALUES ($1, $2, $3)";
pub(super) const STATEMENT: &str = "SELECT note FROM statement WHERE sha256 = $1";

pub(super) const FIND_FIREARM: &str = "SELECT firearm_id FROM firearm WHERE line_id = $1 AND serial = $2";
pub(super) const FIREARM: &str = "SELECT l.licence, l.model, f.serial, d.body
    FROM firearm f JOIN line l ON l.line_id = f.line_id JOIN description d ON d.description_id = f.description_id
    WHERE f.firearm_id = $1";
/// A page of firearms in the order in which they came into the book.
pub(super) const FIREARM_PAGE: &str = "SELECT f.firearm_id, l.licence, l.model, f.serial, d.body
    FROM firearm f JOIN line l ON l.line_id = f.line_id JOIN description d ON d.description_id = f.description_id
    WHERE f.firearm_id > $1 ORDER BY f.firearm_id LIMIT $2";
pub(super) const ISSUED_TO_SERIAL: &str = "SELECT e.code, e.recorded_at, c.parts
    FROM firearm f JOIN entry e ON e.firearm_id = f.firearm_id AND e.kind = 'manufactured'
    JOIN code c ON c.code = e.code
    WHERE f.line_id = $1 AND f.serial = $2 AND e.code IS NOT NULL";
/// Whether the entry with which a serial number got its code was withdrawn, with whatever corrected it meanwhile.
pub(super) const WITHDRAWN: &str = "SELECT COUNT(*) FROM firearm f JOIN entry v ON v.firearm_id = f.firearm_id AND v.void = 1
    WHERE f.line_id = $1 AND f.serial = $2 AND NOT EXISTS (SELECT 1 FROM entry b WHERE b.firearm_id = f.firearm_id
    AND b.kind IN ('manufactured', 'imported', 'acquired') AND b.void = 0
    AND NOT EXISTS (SELECT 1 FROM entry c WHERE c.corrects = b.entry_id))";
pub(super) const CODE: &str = "SELECT parts, firearm_id, record_id, issued_at FROM code WHERE code = $1";

pub(super) const ENTRIES_OF_FIREARM: &str =
    "SELECT e.entry_id, e.firearm_id, e.kind, h.licence, h.name, o.licence, o.name,
    e.happened_on, e.recorded_at, e.recorded_by, d.body, e.code, e.corrects, e.void, e.body
    FROM entry e JOIN party h ON h.party_id = e.holder LEFT JOIN party o ON o.party_id = e.other
    LEFT JOIN description d ON d.description_id = e.description_id
    WHERE e.firearm_id = $1 ORDER BY e.entry_id";
pub(super) static ENTRIES_OF_FIREARMS: ManyRows = ManyRows {
    head: "SELECT e.entry_id, e.firearm_id, e.kind, h.licence, h.name, o.licence, o.name,
    e.happened_on, e.recorded_at, e.recorded_by, d.body, e.code, e.corrects, e.void, e.body
    FROM entry e JOIN party h ON h.party_id = e.holder LEFT JOIN party o ON o.party_id = e.other
    LEFT JOIN description d ON d.description_id = e.description_id
    WHERE e.firearm_id IN (",
    before: 0,
    columns: 1,
    tail: ") ORDER BY e.entry_id",
    texts: [const { OnceLock::new() }; 2],
};
/// Only entries that stand: no void ones and none that was corrected.
pub(super) const ENTRIES_OF_CODE: &str =
    "SELECT e.entry_id, e.firearm_id, e.kind, h.licence, h.name, o.licence, o.name,
    e.happened_on, e.recorded_at, e.recorded_by, d.body, e.code, e.corrects, e.void, e.body
    FROM fitting t JOIN entry e ON e.entry_id = t.entry_id
    JOIN party h ON h.party_id = e.holder LEFT JOIN party o ON o.party_id = e.other
    LEFT JOIN description d ON d.description_id = e.description_id
    WHERE t.code = $1 AND e.void = 0 AND NOT EXISTS (SELECT 1 FROM entry c WHERE c.corrects = e.entry_id)
    ORDER BY e.entry_id";

pub(super) const ENTRY_RANGE: &str =
    "SELECT e.entry_id, e.firearm_id, e.kind, h.licence, h.name, o.licence, o.name,
    e.happened_on, e.recorded_at, e.recorded_by, d.body, e.code, e.corrects, e.void, e.body,
    l.licence, l.model, f.serial
    FROM entry e JOIN firearm f ON f.firearm_id = e.firearm_id JOIN line l ON l.line_id = f.line_id
    JOIN party h ON h.party_id = e.holder LEFT JOIN party o ON o.party_id = e.other
    LEFT JOIN description d ON d.description_id = e.description_id
    WHERE e.entry_id >= $1 AND e.entry_id < $2 ORDER BY e.entry_id";
/// How many codes of a run stand as they were issued, the first firearm and entry, and how far these are from following the units one
/// by one, which is 0.
pub(super) const ISSUED_AS: &str = "SELECT COUNT(*), COALESCE(MIN(f.firearm_id), 0), COALESCE(MIN(e.entry_id), 0),
    COALESCE(MAX(e.entry_id - f.firearm_id) - MIN(e.entry_id - f.firearm_id)
    + MAX(f.firearm_id - c.unit) - MIN(f.firearm_id - c.unit), 0)
    FROM code c
    JOIN firearm f ON f.firearm_id = c.firearm_id JOIN line l ON l.line_id = f.line_id
    JOIN description d ON d.description_id = f.description_id
    JOIN entry e ON e.firearm_id = f.firearm_id AND e.kind = 'manufactured' AND e.code = c.code
    JOIN party h ON h.party_id = e.holder
    WHERE c.unit >= $1 AND c.unit < $2 AND l.licence = $3 AND h.licence = $3 AND h.name = $4 AND l.model = $5
    AND d.body = $6 AND e.happened_on = $7 AND e.recorded_by = $8 AND c.record_id = $9
    AND c.parts = $10 AND c.issued_at = $11 AND e.recorded_at = $11
    AND e.corrects IS NULL AND e.void = 0 AND e.other IS NULL AND e.description_id IS NULL AND e.body IS NULL";

/// For the comparison of tables and records.
pub(super) const CODE_AT_UNIT: &str =
    "SELECT code, unit, parts, firearm_id, record_id, issued_at FROM code WHERE unit = $1";
/// Codes by their units, each with the firearm in which it was issued.
pub(super) const CODE_PAGE: &str =
    "SELECT c.code, c.unit, c.parts, c.firearm_id, c.record_id, c.issued_at, l.licence, l.model, f.serial
    FROM code c LEFT JOIN firearm f ON f.firearm_id = c.firearm_id LEFT JOIN line l ON l.line_id = f.line_id
    WHERE c.unit > $1 ORDER BY c.unit LIMIT $2";
pub(super) const COUNTERS: &str = "SELECT name, next FROM counter ORDER BY name";
pub(super) const BLOCK_ROWS: &str = "SELECT prefix, key_check, opened_at FROM block ORDER BY prefix";
/// Rows of each numbered table, and the highest number.
pub(super) const TALLIES: &str = "SELECT 'record', COUNT(*), COALESCE(MAX(record_id), 0) FROM record
    UNION ALL SELECT 'logged', COUNT(*), COALESCE(MAX(log_index) + 1, 0) FROM logged
    UNION ALL SELECT 'party', COUNT(*), COALESCE(MAX(party_id), 0) FROM party
    UNION ALL SELECT 'line', COUNT(*), COALESCE(MAX(line_id), 0) FROM line
    UNION ALL SELECT 'description', COUNT(*), COALESCE(MAX(description_id), 0) FROM description
    UNION ALL SELECT 'firearm', COUNT(*), COALESCE(MAX(firearm_id), 0) FROM firearm
    UNION ALL SELECT 'entry', COUNT(*), COALESCE(MAX(entry_id), 0) FROM entry
    UNION ALL SELECT 'statement', COUNT(*), COALESCE(MAX(statement_id), 0) FROM statement";
/// Names and descriptions that nothing in the book bears, and revocations of keys that are not registered.
pub(super) const ORPHANS: &str =
    "SELECT 'party', p.party_id FROM (SELECT party_id FROM party EXCEPT SELECT holder FROM entry
    EXCEPT SELECT other FROM entry WHERE other IS NOT NULL EXCEPT SELECT party FROM party_key) AS p
    UNION ALL SELECT 'line', l.line_id FROM (SELECT line_id FROM line EXCEPT SELECT line_id FROM firearm) AS l
    UNION ALL SELECT 'description', d.description_id FROM (SELECT description_id FROM description
    EXCEPT SELECT description_id FROM firearm
    EXCEPT SELECT description_id FROM entry WHERE description_id IS NOT NULL) AS d
    UNION ALL SELECT 'revocation', r.revoked_at FROM revocation r
    WHERE NOT EXISTS (SELECT 1 FROM party_key k WHERE k.verifier = r.verifier)";
/// Entries that change parts and are not in `fitting` with their code, and rows of `fitting` that are of no such entry.
pub(super) const WRONG_FITTINGS: &str =
    "SELECT e.entry_id FROM entry e LEFT JOIN fitting t ON t.entry_id = e.entry_id
    WHERE e.kind IN ('part-fitted', 'part-removed') AND (t.code IS NULL OR e.code IS NULL OR t.code <> e.code)
    UNION SELECT t.entry_id FROM fitting t LEFT JOIN entry e ON e.entry_id = t.entry_id
    WHERE e.entry_id IS NULL OR e.kind NOT IN ('part-fitted', 'part-removed') ORDER BY 1 LIMIT 100";
/// A page of the entries that change parts.
pub(super) const PART_ENTRIES: &str =
    "SELECT e.entry_id, e.firearm_id, e.kind, h.licence, h.name, o.licence, o.name,
    e.happened_on, e.recorded_at, e.recorded_by, d.body, e.code, e.corrects, e.void, e.body,
    l.licence, l.model, f.serial
    FROM fitting t JOIN entry e ON e.entry_id = t.entry_id
    JOIN firearm f ON f.firearm_id = e.firearm_id JOIN line l ON l.line_id = f.line_id
    JOIN party h ON h.party_id = e.holder LEFT JOIN party o ON o.party_id = e.other
    LEFT JOIN description d ON d.description_id = e.description_id
    WHERE t.entry_id > $1 ORDER BY t.entry_id LIMIT $2";
/// All closings.
pub(super) const CLOSURES: &str =
    "SELECT licence, closed_on, records_at, recorded_at FROM closure ORDER BY licence";

/// A page of the book. `$3` is the view: 0 original, 1 corrected, 2 both.
pub(super) const BOOK_PAGE: &str =
    "SELECT e.entry_id, e.firearm_id, e.kind, h.licence, h.name, o.licence, o.name,
    e.happened_on, e.recorded_at, e.recorded_by, d.body, e.code, e.corrects, e.void, e.body,
    l.licence, l.model, f.serial
    FROM entry e JOIN firearm f ON f.firearm_id = e.firearm_id JOIN line l ON l.line_id = f.line_id
    JOIN party h ON h.party_id = e.holder LEFT JOIN party o ON o.party_id = e.other
    JOIN description d ON d.description_id = COALESCE(
        CASE WHEN $3 = 1 THEN (
            SELECT x.description_id FROM entry x
            WHERE x.firearm_id = e.firearm_id AND x.description_id IS NOT NULL AND x.void = 0
            AND NOT EXISTS (SELECT 1 FROM entry y WHERE y.corrects = x.entry_id)
            ORDER BY x.entry_id DESC LIMIT 1)
        WHEN $3 = 2 THEN e.description_id END,
        f.description_id)
    WHERE e.entry_id > $1 AND ($3 <> 0 OR e.corrects IS NULL)
    AND ($3 <> 1 OR (e.void = 0 AND NOT EXISTS (SELECT 1 FROM entry c WHERE c.corrects = e.entry_id)))
    ORDER BY e.entry_id LIMIT $2";

pub(super) static PUT_FIREARMS: ManyRows = ManyRows {
    head: "INSERT INTO firearm (firearm_id, line_id, serial, description_id) VALUES ",
    before: 0,
    columns: 4,
    tail: "",
    texts: [const { OnceLock::new() }; 2],
};
pub(super) static PUT_FITTINGS: ManyRows = ManyRows {
    head: "INSERT INTO fitting (entry_id, code) VALUES ",
    before: 0,
    columns: 2,
    tail: "",
    texts: [const { OnceLock::new() }; 2],
};
pub(super) static PUT_ENTRIES: ManyRows = ManyRows {
    head: "INSERT INTO entry (entry_id, firearm_id, kind, holder, other, happened_on, recorded_at, recorded_by, \
           description_id, code, corrects, void, body) VALUES ",
    before: 0,
    columns: 13,
    tail: "",
    texts: [const { OnceLock::new() }; 2],
};
/// New entries that one person writes at one time, and that correct nothing.
pub(super) static ADD_ENTRIES: ManyRows = ManyRows {
    head: "INSERT INTO entry (entry_id, firearm_id, kind, holder, other, happened_on, recorded_at, recorded_by,
    description_id, code, corrects, void, body)
    SELECT v.column1, v.column2, v.column3, v.column4, v.column5, v.column6, $1, $2, NULL, v.column7, NULL, 0, v.column8
    FROM (VALUES ",
    before: 2,
    columns: 8,
    tail: ") AS v",
    texts: [const { OnceLock::new() }; 2],
};
pub(super) static KNOWN_FIREARMS: ManyRows = ManyRows {
    head: "SELECT f.line_id, f.serial, f.firearm_id, d.body FROM (VALUES ",
    before: 0,
    columns: 2,
    tail: ") AS v JOIN firearm f ON f.line_id = v.column1 AND f.serial = v.column2
    JOIN description d ON d.description_id = f.description_id",
    texts: [const { OnceLock::new() }; 2],
};

/// A run of new firearms: numbers count on, so that only serial numbers differ.
pub(super) static ISSUE_FIREARMS: ManyRows = ManyRows {
    head: "INSERT INTO firearm (firearm_id, line_id, serial, description_id)
        SELECT v.column1, $1, v.column2, $2 FROM (VALUES ",
    before: 2,
    columns: 2,
    tail: ") AS v",
    texts: [const { OnceLock::new() }; 2],
};
/// Codes of such a run: the firearm's number follows from the unit.
pub(super) static ISSUE_CODES: ManyRows = ManyRows {
    head: "INSERT INTO code (code, unit, parts, firearm_id, record_id, issued_at)
        SELECT v.column1, v.column2, $1, v.column2 + $2, $3, $4 FROM (VALUES ",
    before: 4,
    columns: 2,
    tail: ") AS v",
    texts: [const { OnceLock::new() }; 2],
};
/// The entries of such a run follow from its codes.
pub(super) const ISSUE_ENTRIES: &str =
    "INSERT INTO entry (entry_id, firearm_id, kind, holder, other, happened_on,
    recorded_at, recorded_by, description_id, code, corrects, void, body)
    SELECT c.firearm_id + $1, c.firearm_id, 'manufactured', $2, NULL, $3, $4, $5, NULL, c.code, NULL, 0, NULL
    FROM code c WHERE c.unit >= $6 AND c.unit < $7 ORDER BY c.unit";
/// Invented entries for load tests: one more for each of a run of entries, `$7` days after it. Holder and other party
/// count on with the firearm's number, so that many dealers appear; `$8` is the beginning of the body, which ends with
/// that number, or NULL for none.
#[cfg(feature = "synthetic")]
pub(super) const INVENT_ENTRIES: &str =
    "INSERT INTO entry (entry_id, firearm_id, kind, holder, other, happened_on,
    recorded_at, recorded_by, description_id, code, corrects, void, body)
    SELECT e.entry_id + $1, e.firearm_id, $2, $3 + e.firearm_id % $4, $5 + e.firearm_id % $6, e.happened_on + $7,
    e.recorded_at, e.recorded_by, NULL, NULL, NULL, 0, $8 || e.firearm_id || '\"}'
    FROM entry e WHERE e.entry_id >= $9 AND e.entry_id < $10 ORDER BY e.entry_id";
pub(super) const PUT_CODE: &str = "INSERT INTO code (code, unit, parts, firearm_id, record_id, issued_at)
    VALUES ($1, $2, $3, $4, $5, $6)";

/// A statement over many rows at once: a round trip for each row would cost more than the row.
///
/// The texts hold nothing but the fixed head and numbered places, and are made once.
pub(super) struct ManyRows {
    head: &'static str,
    /// Places that the head takes, before the first row's.
    before: usize,
    columns: usize,
    tail: &'static str,
    /// Texts for so many rows, from many down to one, made once; with bare places, and with numbered ones.
    texts: [OnceLock<Vec<(usize, String)>>; 2],
}

/// How a database's driver wants many places: how many in one statement, and how they are written.
pub(super) struct Places {
    pub(super) most: usize,
    pub(super) numbered: bool,
}

/// SQLite's driver looks numbered places up by name, in time that grows with the square of their number; bare ones
/// are taken in order. Each statement wakes the driver's thread, which costs most on a busy machine. It takes 32,766 places.
pub(super) const SQLITE_PLACES: Places = Places { most: 30_000, numbered: false };
/// PostgreSQL takes 65,535 places; past a few thousand nothing is gained.
pub(super) const POSTGRES_PLACES: Places = Places { most: 2_000, numbered: true };

impl ManyRows {
    /// Cuts rows into statements, the largest first.
    pub(super) fn split<'r, R>(
        &'static self,
        places: &Places,
        mut rows: &'r [R],
    ) -> Vec<(&'static str, &'r [R])> {
        let texts = &self.texts[usize::from(places.numbered)];
        let texts = texts.get_or_init(|| {
            // Each a quarter of the one before: no number of rows takes many statements, nor does the driver keep many.
            let smaller = |size: &usize| (*size > 1).then(|| (size / 4).max(1));
            let sizes = std::iter::successors(Some(places.most / self.columns), smaller);
            sizes.map(|size| (size, self.text(size, places.numbered))).collect()
        });
        let mut parts = Vec::with_capacity(rows.len() * self.columns / places.most + 16);
        for (size, text) in texts {
            while rows.len() >= *size {
                let (part, rest) = rows.split_at(*size);
                parts.push((text.as_str(), part));
                rows = rest;
            }
        }
        parts
    }

    fn text(&self, rows: usize, numbered: bool) -> String {
        let mut text = self.head.to_owned();
        if !numbered {
            // The head's places stand in the order of their numbers.
            for place in 1..=self.before {
                text = text.replace(&format!("${place}"), "?");
            }
        }
        for row in 0..rows {
            text.push_str(if row == 0 { "(" } else { ", (" });
            for column in 0..self.columns {
                let comma = if column == 0 { "" } else { ", " };
                if numbered {
                    let place = self.before + row * self.columns + column + 1;
                    write!(text, "{comma}${place}").expect("a string takes any text");
                } else {
                    write!(text, "{comma}?").expect("a string takes any text");
                }
            }
            text.push(')');
        }
        text.push_str(self.tail);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_statement() {
        for (many, columns) in
            [(&KNOWN_FIREARMS, 2), (&PUT_FIREARMS, 4), (&ADD_ENTRIES, 8), (&PUT_ENTRIES, 13)]
        {
            for places in [&SQLITE_PLACES, &POSTGRES_PLACES] {
                for count in (0..70).chain([places.most / columns, 7_500, 40_001]) {
                    let rows: Vec<usize> = (0..count).collect();
                    let parts = many.split(places, &rows);
                    let split: Vec<usize> = parts.iter().flat_map(|(_, part)| part.iter().copied()).collect();
                    assert_eq!(split, rows);
                    let fits = |(text, part): &(&str, &[usize])| {
                        let mark = if places.numbered { "$" } else { "?" };
                        text.matches(mark).count() == many.before + part.len() * columns
                    };
                    assert!(parts.iter().all(fits), "{count} rows of {columns}");
                    assert!(
                        parts.len() <= count * columns / places.most + 3 * 8,
                        "{count} rows of {columns}"
                    );
                }
            }
        }
    }
}

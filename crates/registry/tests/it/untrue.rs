//! What only the keeper of the log's key can do: records that are in the log as they should be, and tell what is not so.

use jiff::{SignedDuration, Timestamp};
use registry::parts::Work;
use registry::{Event, Part};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::SqlitePool;
use symbology::Code;
use transparency::{Commitment, FolderStore, Log, Salt, canonical_json};

use crate::place::{Place, bench, dealer, now, run, sold};

/// Whoever has the keys of the books and writes in their files.
struct Keeper<'p> {
    place: &'p Place,
    tables: SqlitePool,
}

impl<'p> Keeper<'p> {
    async fn of(place: &'p Place) -> Self {
        place.books.let_go().await;
        let file = place.folder.path().join("books.sqlite");
        Self { place, tables: SqlitePool::connect(&format!("sqlite:{}", file.display())).await.unwrap() }
    }

    async fn number(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.tables).await.unwrap()
    }

    async fn write(&self, text: String) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&self.tables).await.unwrap();
    }

    /// Enters a record in log and tables, as the books themselves do.
    async fn enter(&self, kind: &str, mut body: Value, at: Timestamp) -> i64 {
        let number = self.number("SELECT MAX(record_id) + 1 FROM record").await;
        let after = self.number("SELECT MAX(record_id) FROM logged").await;
        body["act"] = json!({"kind": kind, "at": at, "after": after});
        self.put(number, kind, &String::from_utf8(canonical_json(&body).unwrap()).unwrap(), at).await
    }

    async fn put(&self, number: i64, kind: &str, body: &str, at: Timestamp) -> i64 {
        let folder = self.place.folder.path();
        let key = std::fs::read_to_string(folder.join("keys/log.key")).unwrap();
        let store = FolderStore::open(&folder.join("log")).unwrap();
        let mut log = Log::open(store, key.trim().parse().unwrap()).unwrap();
        let salt = Salt::from_bytes([number as u8; 32]);
        let place = log.append_batch(&[Commitment::new(&salt, body.as_bytes())]).unwrap().start;
        let (salt, body) = (hex::encode(salt.as_bytes()), body.replace('\'', "''"));
        self.write(format!(
            "INSERT INTO record (record_id, kind, recorded_at, salt, body)
                VALUES ({number}, '{kind}', {}, X'{salt}', '{body}');
            INSERT INTO logged (record_id, log_index) VALUES ({number}, {place});
            UPDATE counter SET next = {number} WHERE name = 'record'",
            at.as_microsecond()
        ))
        .await;
        number
    }

    /// Writes an entry of the dealer's; what a record says of such rows.
    async fn row(&self, event: &Event, (on, at): (&str, Timestamp), (code, body): (&str, Value)) -> Value {
        let number = self.number("SELECT MAX(entry_id) + 1 FROM entry").await;
        let (at, kind) = (at.as_microsecond(), serde_json::to_value(event).unwrap()["kind"].clone());
        let line = format!(
            "{{\"number\":{number},\"firearm\":{},\"event\":{},\"on\":\"{on}\",\"recorded_at\":{at},\"recorded_by\":\"clerk\",\
             \"corrects\":null,\"void\":false}}\n",
            text(&self.place.key("AB0001")),
            text(event)
        );
        let day = on.parse::<jiff::civil::Date>().unwrap();
        let day = (day - jiff::civil::date(1970, 1, 1)).get_days();
        self.write(format!(
            "INSERT INTO entry SELECT {number}, 1, '{}', party_id, NULL, {day}, {at}, 'clerk', NULL, {code}, NULL, 0, '{}'
                FROM party WHERE licence = '{}';
            UPDATE counter SET next = {number} WHERE name = 'entry'",
            kind.as_str().unwrap(),
            body.to_string().replace('\'', "''"),
            dealer().licence
        ))
        .await;
        let none = hex::encode(Sha256::digest(b""));
        json!({
            "firearms": {"first": 0, "count": 0, "sha256": none},
            "entries": {"first": number, "count": 1, "sha256": hex::encode(Sha256::digest(line))},
        })
    }

    /// What is found, where anything is.
    async fn faults(&self) -> Vec<String> {
        self.place.books.reconcile().await.unwrap().faults
    }
}

fn text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

fn before(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

/// Books in which the dealer has two firearms.
async fn shipped() -> (Place, Code) {
    let place = Place::sqlite().await.unwrap();
    let code = place.issue(&run("AB0001", 2)).await[0].code;
    place.ship("AB0001").await;
    (place, code)
}

/// Records as the first programs wrote them, entered today, do not end the comparison: neither behind records that say their rows nor
/// before them.
#[tokio::test]
async fn a_record_that_says_nothing_of_its_rows_is_named() {
    for place in [Place::sqlite().await.unwrap(), shipped().await.0] {
        let keeper = Keeper::of(&place).await;
        let number = keeper.enter("import", json!({"by": "clerk"}), now()).await;
        assert_eq!(keeper.faults().await, [format!("record {number} does not say which rows it wrote")]);
        let said = keeper.put(number + 1, "import", r#"{"by":"clerk"}"#, now()).await;
        let expected = format!("record {said} does not say what it is, and records before it do");
        assert!(keeper.faults().await.contains(&expected));
    }
}

/// A sale that was entered after the fact: as such it agrees, and not as one of earlier, of another firearm, or by somebody else.
#[tokio::test]
async fn rows_are_compared_with_what_their_record_tells() {
    let of = |serial: &str, by: &str| (serial.to_owned(), by.to_owned());
    for (at, (serial, by), agrees) in [
        (now(), of("AB0001", "clerk"), true),
        (before(1), of("AB0001", "clerk"), false),
        (now(), of("AB0002", "clerk"), false),
        (now(), of("AB0001", "another"), false),
    ] {
        let (place, _) = shipped().await;
        let keeper = Keeper::of(&place).await;
        let rows = keeper.row(&sold(), ("2024-03-01", at), ("NULL", json!({"form_4473": "T-0815"}))).await;
        let entry =
            json!({"firearm": place.key(&serial), "event": sold(), "on": "2024-03-01", "description": null});
        let number = keeper.enter("entry", json!({"by": by, "entry": entry, "rows": rows}), now()).await;
        let expected = format!("the entry of record {number} is not in the book as it was recorded");
        let faults = keeper.faults().await;
        assert_eq!(faults, if agrees { vec![] } else { vec![expected] }, "{serial} by {by} at {at}");
    }
}

/// What is entered now says so: a record is not dated back by more than a clock is ever set back.
#[tokio::test]
async fn a_record_that_is_dated_back_is_named() {
    let (place, _) = shipped().await;
    let keeper = Keeper::of(&place).await;
    // Four minutes each, and an hour in all.
    for k in 1..=15 {
        keeper.enter("rest", json!({}), before(k * 240)).await;
    }
    assert_eq!(keeper.faults().await, [""; 0]);
    let number = keeper.enter("rest", json!({}), before(16 * 240)).await;
    let dated = |number| format!("record {number} is dated before those that were entered before it");
    assert_eq!(keeper.faults().await, [dated(number)]);
    keeper.enter("rest", json!({}), now()).await;
    let again = keeper.enter("rest", json!({}), before(301)).await;
    assert_eq!(keeper.faults().await, [dated(number), dated(again)]);
}

/// A change of parts whose signer's key is revoked by then, dated to a second before.
#[tokio::test]
async fn a_key_that_was_revoked_signs_nothing_of_before() {
    for revoked in [false, true] {
        let (place, code) = shipped().await;
        place.registered(&dealer()).await;
        let key = bench(&dealer());
        if revoked {
            let reason = "it was stolen".parse().unwrap();
            place.books.revoke_key(key.verifier(), &reason, &"clerk".parse().unwrap(), now()).await.unwrap();
        }
        let keeper = Keeper::of(&place).await;
        let part = Part::FiringPin;
        let change = place.change("AB0001", Work::Removed { part, code }, &dealer(), "2026-01-14");
        let signed = change.sign(&key).unwrap();
        let note = signed.to_string();
        let signer = key.verifier().to_string();
        let name = signer.splitn(3, '+').take(2).collect::<Vec<_>>().join("+");
        let statement = hex::encode(Sha256::digest(format!("{}\n", note.split("\n\n").next().unwrap())));
        let at = if revoked { before(1) } else { now() };
        let event = Event::PartRemoved { by: dealer(), part, code };
        let body = json!({"part": part, "signed": {"key": name, "kind": "dealer", "statement": statement}});
        let number = keeper.number("SELECT code FROM code WHERE firearm_id = 1").await;
        let rows = keeper.row(&event, ("2026-01-14", at), (&number.to_string(), body)).await;
        let entry = keeper.number("SELECT MAX(entry_id) FROM entry").await;
        let quoted = note.replace('\'', "''");
        keeper
            .write(format!(
                "INSERT INTO statement VALUES (1, '{statement}', '{quoted}'); INSERT INTO counter VALUES ('statement', 1);
                INSERT INTO fitting VALUES ({entry}, {number})"
            ))
            .await;
        let body = json!({"by": "clerk", "kind": "dealer", "rows": rows, "statement": note});
        let record = keeper.enter("part-change", body, at).await;
        let expected =
            format!("the signed change of record {record} is signed with a key that was revoked before");
        let faults = keeper.faults().await;
        assert_eq!(faults.contains(&expected), revoked, "{faults:?}");
        assert!(revoked || faults.is_empty(), "{faults:?}");
    }
}

//! What `reconcile` names: whatever stands in the tables and is not what the log vouches for.

use std::fmt::Write as _;
use std::io::Cursor;

use registry::{
    Books, Correction, Database, Event, ImportOptions, Recipient, Restore, Source, TraceOutcome, View,
    restore,
};
use sqlx::SqlitePool;

use crate::place::{self, Place, dealer, now, on_both, run, sold, wholesaler};

on_both! {
    books_of_every_kind_of_act_agree
    a_withdrawn_making_leads_nowhere
    what_was_asked_long_ago_is_erased_and_stays_in_the_log
    a_clock_that_is_ahead_erases_nothing
    erasing_goes_by_the_witnesses_time
    nothing_is_certified_or_sold_of_what_never_was
}

/// Books with something of everything that is written: a run, single entries, many at once, a table, corrections.
pub(crate) async fn fill(place: &Place, rows: usize) {
    let by = "clerk".parse().unwrap();
    let issued = place.issue(&run("AB0001", 30)).await;
    place.ship_and_sell("AB0001").await;
    let maker = place.books.issuer();
    let ship = |serial: &str| {
        let to = Recipient::Licensee(wholesaler());
        place.entry(serial, Event::Disposed { holder: maker.clone(), to }, "2024-02-01")
    };
    let entries: Vec<_> = (2..=20).map(|number| ship(&format!("AB{number:04}"))).collect();
    place.books.record_all(&entries, &by, now()).await.unwrap();
    let mut table =
        "model,serial,type,calibre,country,acquired_on,source_licence,source_name,disposed_on,form_4473\n"
            .to_owned();
    for row in 0..rows {
        writeln!(
            table,
            "Old One,X{row:04},pistol,9 mm,US,2020-01-31,1-23-456-01-9A-22222,Wholesale One (synthetic),2020-02-01,T-{row}"
        )
        .unwrap();
    }
    let options = ImportOptions::default();
    place.books.import(Cursor::new(table), &options, (&by, now()), |row| panic!("{row:?}")).await.unwrap();
    let correction = Correction {
        firearm: place.key("AB0001"),
        entry: 33,
        becomes: Some((sold(), "2024-04-11".parse().unwrap())),
        description: None,
        reason: "the dealer gave the wrong day".parse().unwrap(),
    };
    place.books.correct(&correction, &by, now()).await.unwrap();
    let pin = registry::Part::FiringPin;
    let worn = Event::PartRemoved { by: maker.clone(), part: pin, code: issued[29].code };
    place.record("AB0030", worn, "2024-06-01").await.unwrap();
    let fitted = (&place.key("AB0030"), "2024-06-01".parse().unwrap());
    place.books.issue_part(pin, Some(fitted), &by, now()).await.unwrap();
    let closed = "2024-12-31".parse().unwrap();
    place
        .books
        .close_licensee(
            &wholesaler().licence,
            (closed, "the tracing centre"),
            &"clerk example".parse().unwrap(),
            now(),
        )
        .await
        .unwrap();
}

async fn books_of_every_kind_of_act_agree(place: Place) {
    fill(&place, 2_100).await;
    let found = place.books.reconcile().await.unwrap();
    assert!(found.agrees(), "{found:?}");
    assert_eq!(found.agreed, found.log_entries);
}

#[tokio::test]
async fn every_alteration_of_a_table_shows() {
    let place = Place::sqlite().await.unwrap();
    fill(&place, 2_100).await;
    place.books.close().await;
    let file = place.folder.path().join("books.sqlite");
    let kept = std::fs::read(&file).unwrap();
    let cases = [
        // Rows of a table that was taken.
        ("UPDATE entry SET happened_on = happened_on - 900 WHERE entry_id = 3000", "the entries of record"),
        ("UPDATE entry SET recorded_by = 'somebody' WHERE entry_id = 3001", "the entries of record"),
        ("UPDATE entry SET body = replace(body, 'T-', 'S-') WHERE entry_id = 3000", "the entries of record"),
        ("UPDATE entry SET void = 1 WHERE entry_id = 3000", "the entries of record"),
        ("UPDATE firearm SET serial = 'Y1000' WHERE serial = 'X1000'", "the entries of record"),
        // Of many entries written at once.
        ("UPDATE entry SET other = 1 WHERE entry_id = 40", "the entries of record"),
        // Names and descriptions that many rows share.
        ("UPDATE party SET name = 'Nobody' WHERE licence = '1-23-456-01-9A-22222'", "record"),
        (
            "UPDATE party SET licence = '1-23-456-01-9A-99999' WHERE licence = '1-23-456-01-9A-22222'",
            "record",
        ),
        ("UPDATE description SET body = replace(body, '9 mm\"', '10 mm\"')", "the entries of record"),
        (
            "UPDATE description SET body = replace(body, '9 mm Luger', '.22 LR')",
            "the codes issued under record",
        ),
        ("UPDATE line SET model = 'M10' WHERE model = 'Old One'", "the entries of record"),
        // Of a run of codes.
        (
            "UPDATE entry SET happened_on = happened_on + 1 WHERE entry_id = 7",
            "the codes issued under record",
        ),
        ("UPDATE code SET firearm_id = 2 WHERE firearm_id = 9", "the codes issued under record"),
        ("DELETE FROM code", "the table has 0 codes; 31 were issued"),
        ("UPDATE entry SET firearm_id = 29 WHERE kind = 'part-fitted'", "the part of record"),
        (
            "UPDATE entry SET body = replace(body, 'firing-pin', 'breech-face') WHERE kind = 'part-fitted'",
            "the part of record",
        ),
        // The rest.
        (
            "UPDATE entry SET body = replace(body, 'wrong day', 'right day') WHERE corrects IS NOT NULL",
            "the correction of record",
        ),
        ("UPDATE entry SET corrects = 31 WHERE corrects IS NOT NULL", "the correction of record"),
        ("UPDATE closure SET records_at = 'the cellar'", "the closing of licence"),
        ("DELETE FROM closure", "the closing of licence"),
        ("INSERT INTO block SELECT 77, key_check, opened_at FROM block", "blocks ["),
        ("UPDATE counter SET next = next - 3 WHERE name = 'unit:K7'", "counts 28 codes as issued; 31 were"),
    ];
    for (statement, expected) in cases {
        let pool = SqlitePool::connect(&format!("sqlite:{}", file.display())).await.unwrap();
        let mut conn = pool.acquire().await.unwrap();
        sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut *conn).await.unwrap();
        let done = sqlx::query(statement).execute(&mut *conn).await.unwrap();
        assert!(done.rows_affected() > 0, "{statement} changes nothing");
        drop(conn);
        pool.close().await;
        let books = Books::open(place.folder.path(), now()).await.unwrap();
        let found = books.reconcile().await.unwrap();
        assert!(found.faults.iter().any(|fault| fault.contains(expected)), "{statement}: {:?}", found.faults);
        assert!(!found.agrees());
        books.close().await;
        for more in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{more}", file.display()));
        }
        std::fs::write(&file, &kept).unwrap();
    }
    let books = Books::open(place.folder.path(), now()).await.unwrap();
    assert!(books.reconcile().await.unwrap().agrees(), "everything was undone");
}

async fn a_withdrawn_making_leads_nowhere(place: Place) {
    let codes = place.issue(&run("AB0001", 2)).await;
    let (code, by) = (codes[0].code, "clerk".parse().unwrap());
    let void = Correction {
        firearm: place.key("AB0001"),
        entry: 1,
        becomes: None,
        description: None,
        reason: "that number was never engraved".parse().unwrap(),
    };
    place.books.correct(&void, &by, now()).await.unwrap();
    let question = crate::behaviour::question(&[(code, 1.0)]);
    let answer = place.books.trace(&question, now()).await.unwrap();
    assert!(matches!(answer.outcome, TraceOutcome::PartNotFitted { .. }), "{:?}", answer.outcome);
    assert!(answer.statement[0].contains("entered in error"), "{:?}", answer.statement);
    // The part is in another firearm: the issuer says so, and the code leads there.
    let pin = registry::Part::FiringPin;
    let worn = Event::PartRemoved { by: place.books.issuer(), part: pin, code: codes[1].code };
    place.record("AB0002", worn, "2024-01-03").await.unwrap();
    let fitted = Event::PartFitted { by: place.books.issuer(), part: pin, code };
    place.record("AB0002", fitted, "2024-01-03").await.unwrap();
    let answer = place.books.trace(&question, now()).await.unwrap();
    let TraceOutcome::ChainEnds(traced) = answer.outcome else { panic!("{:?}", answer.outcome) };
    assert_eq!(traced.firearm.key.serial.as_str(), "AB0002");
    assert!(place.books.reconcile().await.unwrap().agrees());
}

async fn nothing_is_certified_or_sold_of_what_never_was(place: Place) {
    place.issue(&run("AB0001", 3)).await;
    let by = "clerk".parse().unwrap();
    let correction = |becomes| Correction {
        firearm: place.key("AB0001"),
        entry: 1,
        becomes,
        description: None,
        reason: "entered for the wrong line".parse().unwrap(),
    };
    let sale = correction(Some((sold(), "2024-04-01".parse().unwrap())));
    let refused = place.books.correct(&sale, &by, now()).await.unwrap_err().to_string();
    assert!(refused.contains("says how it came into the books"), "{refused}");
    place.books.correct(&correction(None), &by, now()).await.unwrap();
    let refused = place.books.certificate(&place.key("AB0001"), &by, now()).await.unwrap_err().to_string();
    assert!(refused.contains("entered in error and withdrawn"), "{refused}");
    let refused = place.record("AB0001", sold(), "2024-04-01").await.unwrap_err();
    assert!(refused.contains("is not in the books"), "{refused}");
    let crushed =
        Event::Destroyed { holder: place.books.issuer(), reason: "crushed, two witnesses".parse().unwrap() };
    place.record("AB0002", crushed, "2024-04-01").await.unwrap();
    place.record("AB0003", crate::losses::theft(place.books.issuer()), "2024-04-01").await.unwrap();
    for (serial, expected) in [
        ("AB0002", "standing: destroyed on 2024-04-01"),
        ("AB0003", "standing: reported missing on 2024-04-01, incident I-77"),
    ] {
        let certificate = place.books.certificate(&place.key(serial), &by, now()).await.unwrap();
        assert!(certificate.note.to_string().contains(expected), "{}", certificate.note);
    }
}

fn day(number: i64) -> jiff::Timestamp {
    now() + jiff::SignedDuration::from_hours(24 * number)
}

/// Lets days pass in which something is done now and then.
async fn pass(place: &Place, days: std::ops::Range<i64>) {
    let (key, by) = (place.key("AB0001"), "clerk".parse().unwrap());
    for at in days.step_by(80).skip(1) {
        place.books.certificate(&key, &by, day(at)).await.unwrap();
    }
}

/// A clock that is set ahead makes nothing old: neither by affirming it, nor in steps that nobody must affirm.
async fn a_clock_that_is_ahead_erases_nothing(place: Place) {
    let code = place.issue(&run("AB0001", 1)).await[0].code;
    place.books.trace(&crate::outage::question(code), now()).await.unwrap();
    let (by, reason) = ("operator".parse().unwrap(), "nobody asked for a year".parse().unwrap());
    place.books.affirm_clock(&reason, &by, day(400)).await.unwrap();
    let refused = place.books.erase(day(1), &by, (day(400), None)).await.unwrap_err().to_string();
    assert!(
        refused.contains("kept for a year, 400 days not counted over which the clock was affirmed"),
        "{refused}"
    );
    // Set back, and forward again step by step.
    place.books.affirm_clock(&reason, &by, day(1)).await.unwrap();
    pass(&place, 1..402).await;
    assert_eq!(place.books.erase(day(1), &by, (day(402), None)).await.unwrap(), 2);
    assert!(place.books.reconcile().await.unwrap().agrees(), "nothing speaks against it yet");
    // Once the clock is right again, what went is missing.
    place.books.affirm_clock(&reason, &by, day(2)).await.unwrap();
    let found = place.books.reconcile().await.unwrap();
    assert_eq!((found.altered.as_slice(), found.erased), ([3, 4].as_slice(), 0), "{found:?}");
    assert!(found.faults.iter().any(|fault| fault.contains("is void: a later act shows")), "{found:?}");
}

/// Where witnesses know the time, theirs counts.
async fn erasing_goes_by_the_witnesses_time(place: Place) {
    let code = place.issue(&run("AB0001", 1)).await[0].code;
    place.books.trace(&crate::outage::question(code), now()).await.unwrap();
    let by = "operator".parse().unwrap();
    pass(&place, 0..402).await;
    for seen in [day(2), day(399), day(404)] {
        let refused = place.books.erase(day(1), &by, (day(402), Some(seen))).await.unwrap_err().to_string();
        assert!(refused.contains(&format!("witnesses cosigned the log last at {seen}")), "{refused}");
    }
    assert_eq!(place.books.erase(day(1), &by, (day(402), Some(day(402)))).await.unwrap(), 2);
    let found = place.books.reconcile().await.unwrap();
    assert_eq!((found.agrees(), found.erased, found.erased_unwitnessed), (true, 2, 0), "{found:?}");
}

async fn what_was_asked_long_ago_is_erased_and_stays_in_the_log(place: Place) {
    let code = place.issue(&run("AB0001", 1)).await[0].code;
    let question = crate::outage::question(code);
    place.books.trace(&question, now()).await.unwrap();
    let by = "operator".parse().unwrap();
    pass(&place, 0..366).await;
    place.books.trace(&question, day(366)).await.unwrap();
    let refused = place.books.erase(day(366), &by, (day(366), None)).await.unwrap_err().to_string();
    assert!(refused.contains("are kept for a year, so"), "{refused}");
    pass(&place, 366..732).await;
    assert_eq!(place.books.erase(day(366), &by, (day(732), None)).await.unwrap(), 2, "question and answer");
    let found = place.books.reconcile().await.unwrap();
    assert!(found.agrees(), "{found:?}");
    assert_eq!((found.log_entries, found.agreed, found.erased), (15, 13, 2));
    assert_eq!(found.erased_unwitnessed, 2, "nobody but this machine's clock said that it was time");
    // What was erased is not in the file either, nor beside it; what was asked later is.
    for name in ["books.sqlite", "books.sqlite-wal"] {
        let Ok(bytes) = std::fs::read(place.folder.path().join(name)) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        let asked = text.matches("\"case_number\"").count();
        assert_eq!(asked, usize::from(name == "books.sqlite"), "{name}");
    }
    assert!(place.books.issued(code).await.unwrap().is_some());
}

#[tokio::test]
async fn a_record_that_is_blanked_without_an_act_shows() {
    let place = Place::sqlite().await.unwrap();
    let code = place.issue(&run("AB0001", 1)).await[0].code;
    place.books.trace(&crate::outage::question(code), now()).await.unwrap();
    let file = place.folder.path().join("books.sqlite");
    let pool = SqlitePool::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    for (kind, number) in [("trace", 3), ("issue", 2)] {
        let blank = format!("UPDATE record SET salt = X'', body = '' WHERE kind = '{kind}'");
        sqlx::query(sqlx::AssertSqlSafe(blank)).execute(&pool).await.unwrap();
        let found = place.books.reconcile().await.unwrap();
        assert!(found.altered.contains(&number) && !found.agrees(), "{kind}: {found:?}");
    }
}

/// An act of erasure is no licence for whatever is emptied beside it: it names its records, and takes none that was dated back.
#[tokio::test]
async fn only_what_an_act_of_erasure_names_was_erased() {
    let place = Place::sqlite().await.unwrap();
    let code = place.issue(&run("AB0001", 1)).await[0].code;
    place.books.trace(&crate::outage::question(code), now()).await.unwrap();
    place.registered(&dealer()).await;
    let (by, reason) = ("operator".parse().unwrap(), "stolen with the van".parse().unwrap());
    let key = place::bench(&dealer());
    place.books.revoke_key(key.verifier(), &reason, &by, now()).await.unwrap();
    let file = place.folder.path().join("books.sqlite");
    let pool = SqlitePool::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    let run = async |text: &str| {
        sqlx::raw_sql(sqlx::AssertSqlSafe(text.to_owned())).execute(&pool).await.unwrap();
    };
    let early = "2020-01-01T00:00:00Z".parse().unwrap();
    // Dated back before the act, it is not what the log vouches for, and stays.
    run("UPDATE record SET recorded_at = 1500000000000000 WHERE record_id = 3").await;
    assert_eq!(place.books.erase(early, &by, (now(), None)).await.unwrap(), 0);
    let found = place.books.reconcile().await.unwrap();
    assert!(found.faults.iter().any(|fault| fault.contains("kind or time of record 3")), "{found:?}");
    // Emptied behind the act, with a time at which it would have been due.
    run("UPDATE record SET salt = X'', body = '' WHERE record_id IN (3, 4);
        UPDATE record SET recorded_at = 1500000000000000 WHERE record_id = 4")
    .await;
    let found = place.books.reconcile().await.unwrap();
    assert!(!found.agrees() && found.altered == [3, 4] && found.erased == 0, "{found:?}");
    // Whatever it was, as a question that went long ago.
    run("DELETE FROM revocation;
        UPDATE record SET kind = 'trace', salt = X'', body = '', recorded_at = 1500000000000000 WHERE record_id = 6")
    .await;
    let found = place.books.reconcile().await.unwrap();
    assert_eq!(found.altered, [3, 4, 6], "{found:?}");
}

#[tokio::test]
async fn a_copy_that_does_not_agree_cannot_be_used() {
    let place = Place::sqlite().await.unwrap();
    place.issue(&run("AB0001", 3)).await;
    let by = "operator".parse().unwrap();
    let (copy, target) = (place.folder.path().join("copy"), place.folder.path().join("again"));
    std::fs::create_dir_all(place.folder.path().join("node/log")).unwrap();
    std::fs::write(place.folder.path().join("node/accounts.json"), "{}").unwrap();
    place.books.backup(&copy, &by, now()).await.unwrap();
    assert_eq!(
        std::fs::read_to_string(copy.join("node/accounts.json")).unwrap(),
        "{}",
        "the node is in the copy"
    );
    // Somebody alters the copy and writes the list of hashes anew.
    let file = copy.join("books.sqlite");
    let old = sha256(&file);
    let pool = SqlitePool::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    sqlx::query("DELETE FROM code WHERE firearm_id = 2").execute(&pool).await.unwrap();
    pool.close().await;
    let list = std::fs::read_to_string(copy.join("SHA256SUMS")).unwrap();
    std::fs::write(copy.join("SHA256SUMS"), list.replace(&old, &sha256(&file))).unwrap();
    let options = Restore { database: &Database::Embedded, latest: false, by: &by };
    let refused = restore(&copy, &target, &options, now()).await.unwrap_err().to_string();
    assert!(refused.contains("do not agree"), "{refused}");
    let refused = Books::open(&target, now()).await.err().unwrap().to_string();
    assert!(refused.contains("were not put back whole"), "{refused}");
}

fn sha256(file: &std::path::Path) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(std::fs::read(file).unwrap()))
}

#[tokio::test]
async fn an_unclosed_quotation_mark_does_not_fill_the_memory() {
    let place = Place::sqlite().await.unwrap();
    let by = "clerk".parse().unwrap();
    let mut table = "model,serial,type,calibre,country,made_on\nM9,X1,pistol,9 mm,US,2024-01-02\n".to_owned();
    table += "M9,\"X2,";
    table += &"pistol,9 mm,US,2024-01-02\n".repeat(100_000);
    let done = place.books.import(Cursor::new(table), &ImportOptions::default(), (&by, now()), |_| ()).await;
    let refused = done.unwrap_err().to_string();
    assert!(refused.contains("a row is longer than 64 KiB"), "{refused}");
    // A long table of short rows is none.
    let mut table = "model,serial,type,calibre,country,made_on\n".to_owned();
    for row in 0..4_000 {
        writeln!(table, "M9,X{row},pistol,9 mm,US,2024-01-02").unwrap();
    }
    let done = place.books.import(Cursor::new(table), &ImportOptions::default(), (&by, now()), |_| ()).await;
    assert_eq!(done.unwrap().entries, 4_000);
    let place = place.reopened().await;
    let received = Event::Acquired { holder: dealer(), source: Source::Licensee(place.books.issuer()) };
    let mut entry = place.entry("X1", received, "2024-02-01");
    entry.firearm.model = "M9".parse().unwrap();
    place.books.record(&entry, &by, now()).await.unwrap();
    let history = place.books.history(&entry.firearm).await.unwrap().unwrap();
    assert_eq!(View::Corrected.of(&history.entries).len(), 2);
    let _ = place::MODEL;
}

/// PostgreSQL and what speaks its protocol may give a transaction up and ask for another attempt.
#[tokio::test]
async fn a_transaction_given_up_is_tried_again_within_bounds() {
    let Some(place) = Place::postgres().await else { return };
    place.issue(&run("AB0001", 2)).await;
    let url = place.server_address();
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    let trigger = "CREATE SEQUENCE hiccup; CREATE TABLE bound (most BIGINT); INSERT INTO bound VALUES (0);
        CREATE FUNCTION give_up() RETURNS trigger AS $$ BEGIN
            IF nextval('hiccup') <= (SELECT most FROM bound) THEN RAISE EXCEPTION 'given up' USING ERRCODE = '40001'; END IF;
            RETURN NULL; END $$ LANGUAGE plpgsql;
        CREATE CONSTRAINT TRIGGER give_up AFTER INSERT ON entry DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION give_up();";
    sqlx::raw_sql(trigger).execute(&pool).await.unwrap();
    let times = async |most: i64| {
        let text = format!("ALTER SEQUENCE hiccup RESTART; UPDATE bound SET most = {most}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&pool).await.unwrap();
    };
    times(3).await;
    let ship = Event::Disposed { holder: place.books.issuer(), to: Recipient::Licensee(wholesaler()) };
    place.record("AB0001", ship.clone(), "2024-02-01").await.unwrap();
    times(4).await;
    assert_eq!(place.issue(&run("AC0001", 1)).await.len(), 1);
    times(1_000).await;
    let refused = place.record("AB0002", ship.clone(), "2024-02-01").await.unwrap_err();
    assert!(refused.contains("the database stayed busy after 6 attempts"), "{refused}");
    times(0).await;
    place.record("AB0002", ship, "2024-02-01").await.unwrap();
    let found = place.books.reconcile().await.unwrap();
    assert!(found.agrees() && found.without_effect.len() == 1, "{found:?}");
}

#[tokio::test]
async fn the_record_of_a_block_or_a_closing_names_who_did_it() {
    let place = Place::sqlite().await.unwrap();
    let (by, closed) = ("inspector example".parse().unwrap(), "2024-12-31".parse().unwrap());
    place.books.open_block("K8".parse().unwrap(), &by, now()).await.unwrap();
    place.books.close_licensee(&wholesaler().licence, (closed, "the archive"), &by, now()).await.unwrap();
    let file = format!("sqlite:{}", place.folder.path().join("books.sqlite").display());
    let named: Vec<String> = sqlx::query_scalar(
        "SELECT kind FROM record WHERE body LIKE '%inspector example%' ORDER BY record_id",
    )
    .fetch_all(&SqlitePool::connect(&file).await.unwrap())
    .await
    .unwrap();
    assert_eq!(named, ["block", "closure"]);
}

/// Records that are altered together with what the log's files say of them, without any key.
#[tokio::test]
async fn a_record_altered_in_tables_and_tiles_shows() {
    let place = Place::sqlite().await.unwrap();
    let code = place.issue(&run("AB0001", 1)).await[0].code;
    place.books.trace(&crate::outage::question(code), now()).await.unwrap();
    let pool = SqlitePool::connect(&format!("sqlite:{}", place.folder.path().join("books.sqlite").display()))
        .await
        .unwrap();
    let (salt, body): (Vec<u8>, String) =
        sqlx::query_as("SELECT salt, body FROM record WHERE record_id = 3").fetch_one(&pool).await.unwrap();
    let altered = body.replace("det. ", "dot. ");
    assert_ne!(altered, body);
    sqlx::query("UPDATE record SET body = $1 WHERE record_id = 3")
        .bind(&altered)
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(place.books.reconcile().await.unwrap().altered, [3]);
    let salt = transparency::Salt::from_bytes(salt.try_into().unwrap());
    let of = |text: &str| transparency::Commitment::new(&salt, text.as_bytes());
    let entries = place.folder.path().join("log/tile/entries");
    for file in std::fs::read_dir(entries.join("000.p")).unwrap().map(|file| file.unwrap().path()) {
        let mut bytes = std::fs::read(&file).unwrap();
        // Files of when the log was shorter do not reach so far.
        if let Some(at) = bytes.windows(32).position(|part| part == of(&body).as_bytes()) {
            bytes[at..at + 32].copy_from_slice(of(&altered).as_bytes());
            std::fs::write(&file, bytes).unwrap();
        }
    }
    let found = place.books.reconcile().await.unwrap();
    assert!(!found.agrees() && found.altered.is_empty(), "{found:?}");
    assert!(
        found.faults.iter().any(|fault| fault.contains("not those that its checkpoint was signed for")),
        "{found:?}"
    );
}

/// A question that a crash cut off is erased with the others, and its place in the log is explained all the same.
#[tokio::test]
async fn a_question_that_was_cut_off_can_be_erased() {
    let place = Place::sqlite().await.unwrap();
    let code = place.issue(&run("AB0001", 1)).await[0].code;
    let question = crate::outage::question(code);
    place.books.trace(&question, now()).await.unwrap();
    let pool = SqlitePool::connect(&format!("sqlite:{}", place.folder.path().join("books.sqlite").display()))
        .await
        .unwrap();
    let place = place.crashed().await;
    sqlx::query("DELETE FROM logged WHERE record_id = 4").execute(&pool).await.unwrap();
    assert_eq!(place.books.reconcile().await.unwrap().without_effect, [4]);
    pass(&place, 0..732).await;
    let by = "operator".parse().unwrap();
    assert_eq!(place.books.erase(day(366), &by, (day(732), None)).await.unwrap(), 2);
    let found = place.books.reconcile().await.unwrap();
    assert!(found.agrees() && found.without_effect == [4], "{found:?}");
    let copy = place.folder.path().join("copy");
    place.books.backup(&copy, &by, day(732)).await.unwrap();
    let (target, database) = (place.folder.path().join("again"), Database::Embedded);
    let options = Restore { database: &database, latest: false, by: &by };
    restore(&copy, &target, &options, day(732)).await.unwrap();
}

//! Books of an older version of the tables: opened, they are brought up to date and lose nothing.
//!
//! `tests/data/version-1` was written by the program as it was when the tables had version 1: three pistols, a chain to a
//! retail sale, a part removed that nobody signed, a table of two rows, a correction, a question.

use std::path::Path;

use registry::{Books, Event, TraceOutcome, View};
use sqlx::{Connection as _, SqliteConnection};
use symbology::Code;

use crate::place::{MODEL, Place, bench, dealer, now, on_both};

const OLD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/version-1");

on_both! {
    old_books_are_brought_up_to_date
    two_migrate_at_once
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if entry.file_name() != "books.sql" {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The old books in a new folder, their tables where those of `place` are: in the folder, or on the server.
async fn old_books(place: &Place) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(Path::new(OLD), folder.path());
    let text = std::fs::read_to_string(Path::new(OLD).join("books.sql")).unwrap();
    let Some(url) = place.another_database() else {
        let file = format!("sqlite:{}?mode=rwc", folder.path().join("books.sqlite").display());
        let mut conn = SqliteConnection::connect(&file).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        return folder;
    };
    let tables = include_str!("../../src/store/schema_1.sql");
    let rows: Vec<String> = text
        .lines()
        .filter(|line| line.starts_with("INSERT"))
        .map(|line| line.replace(",X'", ",'\\x"))
        .collect();
    let all = format!(
        "CREATE TABLE schema_version (version BIGINT NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL);\n{tables}\n{}",
        rows.join("\n")
    );
    let mut conn = sqlx::PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(all)).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    let file = folder.path().join("issuer.toml");
    let issuer = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{issuer}postgres = \"{url}\"\n")).unwrap();
    folder
}

async fn old_books_are_brought_up_to_date(place: Place) {
    let folder = old_books(&place).await;
    let later = "2026-12-01T12:00:00Z".parse().unwrap();
    let books = Books::open(folder.path(), later).await.unwrap();
    let found = books.reconcile().await.unwrap();
    // The copy itself, entered before it was made, is the last of the ten.
    assert!(found.agrees() && (found.log_entries, found.agreed) == (10, 10), "{found:?}");
    let mut key = place.key("AB0001");
    key.model = "M9".parse().unwrap();
    assert_ne!(key.model.as_str(), MODEL);
    let history = books.history(&key).await.unwrap().unwrap();
    let kinds: Vec<_> = View::Corrected.of(&history.entries).iter().map(|entry| entry.event.kind()).collect();
    assert_eq!(kinds, ["manufactured", "disposed", "part-removed", "disposed"]);
    assert!(history.entries.iter().all(|entry| entry.signed.is_none()), "nobody signed in those days");
    let Event::PartRemoved { code, part, .. } = history.entries[3].event else { panic!("{history:?}") };
    let mut question = crate::behaviour::question(&[(code, 1.0)]);
    question.recovered_on = Some("2024-08-01".parse().unwrap());
    let TraceOutcome::Found(traced) = books.trace(&question, later).await.unwrap().outcome else { panic!() };
    assert_eq!(traced.time_to_crime, registry::TimeToCrime::Days(112));
    assert!(traced.parts.iter().any(|one| one.part == part && !one.fitted));
    // What came with the new version works: a key, and a change signed with it.
    let (dealer, by) = (dealer(), "clerk".parse().unwrap());
    let new = registry::parts::PartyKey {
        key: bench(&dealer).verifier().clone(),
        party: dealer.clone(),
        kind: registry::parts::PartyKind::Dealer,
        valid_from: now(),
        valid_until: "2030-01-01T00:00:00Z".parse().unwrap(),
    };
    books.register_key(&new, &by, later).await.unwrap();
    let work = registry::parts::Work::Fitted { part, code };
    let times = ("2026-11-01".parse().unwrap(), later);
    let signed = registry::parts::Change::new(books.log_name(), key, dealer.clone(), work, times);
    books.enter_change(&signed.sign(&bench(&dealer)).unwrap(), &by, later).await.unwrap();
    assert!(books.reconcile().await.unwrap().agrees());
    books.close().await;
    let again = Books::open(folder.path(), later).await.unwrap();
    assert_eq!(again.party_keys().await.unwrap().len(), 1);
    let first: Code = code;
    assert!(again.issued(first).await.unwrap().is_some());
}

async fn two_migrate_at_once(place: Place) {
    let folder = old_books(&place).await;
    let later = "2026-12-01T12:00:00Z".parse().unwrap();
    let open = || Books::open(folder.path(), later);
    let (one, other, third) = tokio::join!(open(), open(), open());
    for books in [one.unwrap(), other.unwrap(), third.unwrap()] {
        assert!(books.party_keys().await.unwrap().is_empty());
        books.close().await;
    }
}

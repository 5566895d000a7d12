//! What goes wrong on the way, and that it leaves books and log in agreement.

use registry::{Books, Database, Part, Restore, restore};

use crate::place::{self, Place, now, run};

#[tokio::test]
async fn without_a_log_nothing_is_issued_or_answered() {
    let place = Place::sqlite().await.unwrap();
    let code = place.issue(&run("AB0001", 1)).await[0].code;
    let place = place.reopened().await;
    let log = place.folder.path().join("log");
    let aside = place.folder.path().join("log-aside");
    std::fs::rename(&log, &aside).unwrap();
    std::fs::write(&log, "no folder").unwrap();
    let by = "line 1".parse().unwrap();
    let mut given = 0;
    let issued = place.books.issue(&run("AC0001", 5), &by, now(), |chunk| given += chunk.len()).await;
    assert!(issued.unwrap_err().to_string().contains("the log did not take the entry, so nothing was done"));
    assert_eq!((given, place.books.blocks().await.unwrap()[0].issued), (0, 1));
    std::fs::remove_file(&log).unwrap();
    std::fs::rename(&aside, &log).unwrap();
    assert_eq!(place.issue(&run("AC0001", 5)).await.len(), 5);
    let found = place.books.reconcile().await.unwrap();
    assert_eq!(found.without_effect.len(), 1, "the act that was cut off");
    assert!(found.altered.is_empty() && found.unexplained.is_empty());
    assert!(place.books.issued(code).await.unwrap().is_some());
}

#[tokio::test]
async fn a_folder_holds_one_issuer_and_private_keys() {
    let place = Place::sqlite().await.unwrap();
    let again = Books::create(place.folder.path(), &place::issuer(Database::Embedded), now()).await;
    assert!(again.err().unwrap().to_string().contains("cannot write"));
    #[cfg(unix)]
    for name in ["sealing.key", "signing.key", "log.key"] {
        use std::os::unix::fs::PermissionsExt as _;
        let metadata = std::fs::metadata(place.folder.path().join("keys").join(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn another_sealing_key_is_noticed() {
    let place = Place::sqlite().await.unwrap();
    let file = place.folder.path().join("keys/sealing.key");
    std::fs::write(&file, format!("{}\n", "ab".repeat(32))).unwrap();
    let opened = Books::open(place.folder.path(), now()).await;
    assert!(opened.err().unwrap().to_string().contains("not the key the blocks were opened with"));
    std::fs::write(&file, "short\n").unwrap();
    let opened = Books::open(place.folder.path(), now()).await;
    assert!(opened.err().unwrap().to_string().contains("not 64 hexadecimal digits"));
}

#[tokio::test]
async fn alterations_show_against_the_log() {
    let place = Place::sqlite().await.unwrap();
    place.issue(&run("AB0001", 3)).await;
    let file = place.folder.path().join("books.sqlite");
    let pool = sqlx::SqlitePool::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    sqlx::query("UPDATE record SET body = replace(body, 'line 1', 'line 2')").execute(&pool).await.unwrap();
    assert_eq!(place.books.reconcile().await.unwrap().altered, [2]);
    sqlx::query("DELETE FROM record WHERE record_id = 2").execute(&pool).await.unwrap();
    assert_eq!(place.books.reconcile().await.unwrap().unexplained, [1]);
}

#[tokio::test]
async fn two_writers_take_turns() {
    let place = Place::sqlite().await.unwrap();
    let other = Books::open(place.folder.path(), now()).await.unwrap();
    let by = "line 2".parse().unwrap();
    // The log's lock belongs to the first who wrote; the second gives up after a bounded wait and changes nothing.
    let refused = other.issue(&run("AC0001", 1), &by, now(), |_| ()).await.unwrap_err().to_string();
    assert!(refused.contains("the log did not take the entry"), "{refused}");
    let place = place.reopened().await;
    place.books.close().await;
    assert_eq!(other.issue(&run("AC0001", 1), &by, now(), |_| ()).await.unwrap(), 1);
}

#[tokio::test]
async fn rows_without_a_record_and_records_without_a_row_show() {
    let place = Place::sqlite().await.unwrap();
    let codes = place.issue(&run("AB0001", 3)).await;
    let by = "line 1".parse().unwrap();
    let spare = place.books.issue_part(Part::FiringPin, None, &by, now()).await.unwrap();
    place.ship_and_sell("AB0001").await;
    assert!(place.books.reconcile().await.unwrap().agrees());
    let file = place.folder.path().join("books.sqlite");
    let pool = sqlx::SqlitePool::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    let cases = [
        ("DELETE FROM entry WHERE entry_id = 5", "the entry of record 5 is not in the book"),
        (
            "INSERT INTO entry SELECT 99, firearm_id, kind, holder, other, happened_on, recorded_at, recorded_by, description_id, code, corrects, void, body FROM entry WHERE entry_id = 4",
            "the last numbered 99; 6 were written",
        ),
        (
            "UPDATE entry SET happened_on = happened_on + 1 WHERE entry_id = 4",
            "the entry of record 4 is not in the book",
        ),
        (
            "UPDATE firearm SET serial = 'ZZ9' WHERE serial = 'AB0002'",
            "the codes issued under record 2 are not those",
        ),
        ("DELETE FROM code WHERE firearm_id IS NULL", "the part of record"),
        (
            "INSERT INTO code SELECT 77, 77, parts, NULL, record_id, issued_at FROM code LIMIT 1",
            "4 were issued",
        ),
    ];
    for (statement, expected) in cases {
        let kept = place.folder.path().join("kept.sqlite");
        sqlx::query("VACUUM INTO ?").bind(kept.to_str().unwrap()).execute(&pool).await.unwrap();
        sqlx::query(statement).execute(&pool).await.unwrap();
        let found = place.books.reconcile().await.unwrap();
        assert!(!found.agrees(), "{statement}");
        assert!(found.faults.iter().any(|fault| fault.contains(expected)), "{statement}: {:?}", found.faults);
        // Put the table back as it was.
        let kept_at = format!("ATTACH '{}' AS kept", kept.display());
        let mut conn = pool.acquire().await.unwrap();
        sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut *conn).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(kept_at)).execute(&mut *conn).await.unwrap();
        for table in ["entry", "firearm", "code"] {
            for text in
                [format!("DELETE FROM {table}"), format!("INSERT INTO {table} SELECT * FROM kept.{table}")]
            {
                sqlx::query(sqlx::AssertSqlSafe(text)).execute(&mut *conn).await.unwrap();
            }
        }
        sqlx::query("DETACH kept").execute(&mut *conn).await.unwrap();
        drop(conn);
        std::fs::remove_file(&kept).unwrap();
        assert!(place.books.reconcile().await.unwrap().agrees(), "{statement} was undone");
    }
    assert!(place.books.issued(spare).await.unwrap().is_some() && codes.len() == 3);
}

/// Something that is done to a file of a copy.
type Spoil<'s> = &'s dyn Fn(&std::path::Path);

#[tokio::test]
async fn a_copy_is_whole_or_refused_and_never_issues_twice() {
    let place = Place::sqlite().await.unwrap();
    let code = place.issue(&run("AB0001", 3)).await[0].code;
    place.ship_and_sell("AB0001").await;
    let (copy, again) = (place.folder.path().join("copy"), place.folder.path().join("again"));
    let by = "operator".parse().unwrap();
    let files = place.books.backup(&copy, &by, now()).await.unwrap();
    let later = place.issue(&run("AC0001", 3)).await;
    assert!(place.books.backup(&copy, &by, now()).await.is_err(), "a copy is never written over");
    let here = Database::Embedded;
    let options = Restore { database: &here, latest: true, by: &by };
    assert_eq!(restore(&copy, &again, &options, now()).await.unwrap(), files);
    let restored = Books::open(&again, now()).await.unwrap();
    assert!(restored.issued(code).await.unwrap().is_some());
    assert_eq!(restored.issued(later[0].code).await.unwrap(), None, "it was issued after the copy");
    assert!(restored.reconcile().await.unwrap().agrees());
    restored.close().await;
    // Whatever becomes of an attempt, codes are not issued twice: unless the copy is said to be the latest, its blocks end.
    std::fs::remove_dir_all(&again).unwrap();
    restore(&copy, &again, &Restore { latest: false, ..options }, now()).await.unwrap();
    let restored = Books::open(&again, now()).await.unwrap();
    let refused = restored.issue(&run("AD0001", 1), &by, now(), |_| ()).await.unwrap_err().to_string();
    assert!(refused.contains("0 codes left"), "{refused}");
    restored.open_block("K8".parse().unwrap(), now()).await.unwrap();
    assert_eq!(restored.issue(&run("AD0001", 1), &by, now(), |_| ()).await.unwrap(), 1);
    restored.close().await;

    let target = place.folder.path().join("third");
    let cases: [(&str, Spoil<'_>); 3] = [
        ("was altered", &|file| {
            let mut bytes = std::fs::read(file).unwrap();
            bytes[0] ^= 1;
            std::fs::write(file, bytes).unwrap();
        }),
        ("is missing", &|file| std::fs::remove_file(file).unwrap()),
        ("is not in the copy's list", &|file| std::fs::write(file.with_file_name("more"), "x").unwrap()),
    ];
    for (expected, spoil) in cases {
        let file = copy.join("log/checkpoint");
        let bytes = std::fs::read(&file).unwrap();
        spoil(&file);
        let refused = restore(&copy, &target, &options, now()).await.unwrap_err().to_string();
        assert!(refused.contains(expected) && !target.exists(), "{refused}");
        std::fs::write(&file, bytes).unwrap();
    }
}

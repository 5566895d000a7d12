//! What goes wrong on the way, and that it leaves books and log in agreement.

use registry::{Books, Database, Part, Restore, restore};
use transparency::LogEnd;

use crate::place::{self, Place, dealer, now, run};

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
    assert!(found.without_effect.is_empty(), "nothing is written down before the log can be written");
    assert!(found.altered.is_empty() && found.unexplained.is_empty());
    assert!(place.books.issued(code).await.unwrap().is_some());
}

#[tokio::test]
async fn a_folder_holds_one_issuer_and_private_keys() {
    let place = Place::sqlite().await.unwrap();
    let again = Books::create(place.folder.path(), &place::issuer(Database::Embedded), now()).await;
    assert!(again.err().unwrap().to_string().contains("cannot write"));
    for name in ["sealing.key", "signing.key", "log.key"] {
        assert_eq!(mode(&place.folder.path().join("keys").join(name)), 0o600, "{name}");
    }
}

#[cfg(unix)]
fn mode(path: &std::path::Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_reads_books_or_copies() {
    use std::os::unix::fs::PermissionsExt as _;
    let outer = tempfile::tempdir().unwrap();
    let open = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(outer.path(), open(0o755)).unwrap();
    let root = outer.path().join("maker");
    let books = Books::create(&root, &place::issuer(Database::Embedded), now()).await.unwrap();
    let by = "operator".parse().unwrap();
    books.issue(&run("AB0001", 1), &by, now(), |_| ()).await.unwrap();
    let shut = |root: &std::path::Path| {
        assert_eq!(mode(root), 0o700, "{}", root.display());
        for name in ["books.sqlite", "books.sqlite-wal", "books.sqlite-shm", "issuer.toml", "keys/log.key"] {
            let file = root.join(name);
            assert!(!file.exists() || mode(&file) == 0o600, "{}", file.display());
        }
    };
    assert!(root.join("books.sqlite-wal").exists(), "what lies beside the tables is looked at, too");
    shut(&root);
    let (copy, again) = (outer.path().join("copy"), outer.path().join("again"));
    books.move_out(&copy, &by, now()).await.unwrap();
    shut(&copy);
    let options = Restore { database: &Database::Embedded, latest: true, by: &by };
    restore(&copy, &again, &options, now()).await.unwrap();
    shut(&again);
    books.close().await;
    // Books of before this rule are shut when they are opened; what was opened to a group stays.
    std::fs::set_permissions(&root, open(0o755)).unwrap();
    for name in ["books.sqlite", "issuer.toml", "keys/sealing.key"] {
        std::fs::set_permissions(root.join(name), open(0o644)).unwrap();
    }
    Books::open(&root, now()).await.unwrap().close().await;
    assert_eq!((mode(&root), mode(&root.join("books.sqlite"))), (0o750, 0o640));
    assert_eq!(mode(&root.join("keys/sealing.key")), 0o600);
}

#[tokio::test]
async fn a_copy_is_no_second_books() {
    let place = Place::sqlite().await.unwrap();
    let code = place.issue(&run("AB0001", 3)).await[0].code;
    let (copy, moved) = (place.folder.path().join("copy"), place.folder.path().join("moved"));
    let by = "operator".parse().unwrap();
    place.books.backup(&copy, &by, now()).await.unwrap();
    assert!(!place.folder.path().join("copy.part").exists());
    // The natural ways to restore without restoring: use it where it lies, or take it elsewhere.
    copy_all(&copy, &moved);
    std::fs::remove_file(moved.join("SHA256SUMS")).unwrap();
    for folder in [&copy, &moved] {
        let refused = Books::open(folder, now()).await.err().unwrap().to_string();
        assert!(refused.contains("is a copy of the books"), "{refused}");
    }
    // A copy of before the mark is known by its list.
    let text = std::fs::read_to_string(copy.join("issuer.toml")).unwrap();
    std::fs::write(copy.join("issuer.toml"), text.replace("copy = true\n", "")).unwrap();
    let refused = Books::open(&copy, now()).await.err().unwrap().to_string();
    assert!(refused.contains("is a copy of the books"), "{refused}");
    std::fs::write(copy.join("issuer.toml"), text).unwrap();
    // It is read where it lies, and stays what it was.
    let read = Books::open_to_read(&copy).await.unwrap();
    assert!(read.issued(code).await.unwrap().is_some() && read.reconcile().await.unwrap().agrees());
    read.close().await;
    let options = Restore { database: &Database::Embedded, latest: false, by: &by };
    let again = place.folder.path().join("again");
    restore(&copy, &again, &options, now()).await.unwrap();
    // Its block is closed, and that is not said to be codes.
    let block = Books::open_to_read(&again).await.unwrap().blocks().await.unwrap()[0];
    assert_eq!((block.issued, block.left, block.is_closed()), (3, 0, true));
    let block = place.books.blocks().await.unwrap()[0];
    assert_eq!((block.issued, block.left, block.is_closed()), (3, (1 << 20) - 3, false));
}

fn copy_all(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn books_are_read_without_writing_and_without_secrets() {
    let place = Place::sqlite().await.unwrap();
    let code = place.issue(&run("AB0001", 3)).await[0].code;
    let by = "auditor".parse().unwrap();
    let secrets = ["sealing.key", "signing.key", "log.key"];
    // Beside the issuer's own, which go on.
    let read = Books::open_to_read(place.folder.path()).await.unwrap();
    assert!(read.issued(code).await.unwrap().is_some());
    let refused = [
        read.issue(&run("AC0001", 1), &by, now(), |_| ()).await.map(drop),
        read.record(&place.entry("AB0001", place::sold(), "2024-04-01"), &by, now()).await.map(drop),
        read.open_block("K8".parse().unwrap(), &"clerk example".parse().unwrap(), now()).await,
        read.trace(&crate::outage::question(code), now()).await.map(drop),
        read.backup(&place.folder.path().join("copy"), &by, now()).await.map(drop),
    ];
    for refused in refused {
        assert!(refused.unwrap_err().to_string().contains("opened to be read"));
    }
    read.close().await;
    let place = place.reopened().await;
    let folder = place.folder.path().to_owned();
    place.books.close().await;
    for name in secrets {
        std::fs::remove_file(folder.join("keys").join(name)).unwrap();
    }
    let before = listed(&folder);
    let read = Books::open_to_read(&folder).await.unwrap();
    assert!(read.reconcile().await.unwrap().agrees());
    assert_eq!(read.blocks().await.unwrap()[0].issued, 3);
    assert!(read.history(&place_key(&read)).await.unwrap().is_some());
    read.close().await;
    assert_eq!(listed(&folder), before, "nothing is written, not even beside the tables");
}

fn place_key(books: &Books) -> registry::FirearmKey {
    let run = run("AB0001", 1);
    registry::FirearmKey {
        licence: books.issuer().licence,
        model: run.model.clone(),
        serial: run.serials[0].clone(),
    }
}

fn listed(folder: &std::path::Path) -> Vec<(String, u64)> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let mut files: Vec<_> = entries
        .map(|one| (one.file_name().to_string_lossy().into_owned(), one.metadata().unwrap().len()))
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn older_books_put_back_issue_nothing() {
    let place = Place::sqlite().await.unwrap();
    place.issue(&run("AB0001", 1)).await;
    let place = place.reopened().await;
    let folder = place.folder.path().to_owned();
    let aside = tempfile::tempdir().unwrap();
    place.books.close().await;
    copy_all(&folder, aside.path());
    let books = Books::open(&folder, now()).await.unwrap();
    let by = "line 1".parse().unwrap();
    books.issue(&run("AB0002", 1), &by, now(), |_| ()).await.unwrap();
    books.close().await;
    // The issuer's node has had its witnesses cosign the newest checkpoint, and keeps it.
    std::fs::create_dir_all(folder.join("node")).unwrap();
    std::fs::copy(folder.join("log/checkpoint"), folder.join("node/cosigned-books")).unwrap();
    let whole = Books::open(&folder, now()).await.unwrap();
    assert!(whole.reconcile().await.unwrap().agrees());
    whole.close().await;
    std::fs::remove_dir_all(folder.join("log")).unwrap();
    copy_all(aside.path(), &folder);
    let older = Books::open(&folder, now()).await.unwrap();
    let refused = older.issue(&run("AB0003", 1), &by, now(), |_| ()).await.unwrap_err().to_string();
    assert!(refused.contains("witnesses cosigned 5 entries of the books' log, and it holds 3"), "{refused}");
    let found = older.reconcile().await.unwrap();
    assert!(!found.agrees() && found.faults[0].contains("witnesses cosigned 5 entries"), "{found:?}");
    older.close().await;
    // Another history of the same length is none of theirs.
    std::fs::remove_dir_all(folder.join("node")).unwrap();
    let fork = Books::open(&folder, now()).await.unwrap();
    fork.issue(&run("AB0009", 2), &by, now(), |_| ()).await.unwrap();
    let signed = std::fs::read(folder.join("log/checkpoint")).unwrap();
    fork.close().await;
    std::fs::remove_dir_all(folder.join("log")).unwrap();
    copy_all(aside.path(), &folder);
    std::fs::create_dir_all(folder.join("node")).unwrap();
    std::fs::write(folder.join("node/cosigned-books"), signed).unwrap();
    let other = Books::open(&folder, now()).await.unwrap();
    assert!(other.issue(&run("AB0004", 1), &by, now(), |_| ()).await.is_err());
    other.close().await;
}

#[tokio::test]
async fn a_server_holds_one_issuer_and_serves_one_folder() {
    let Some(place) = Place::postgres().await else { return };
    place.issue(&run("AB0001", 1)).await;
    let occupied = Database::Postgres(place.server_address());
    let outer = tempfile::tempdir().unwrap();
    let target = outer.path().join("second");
    let refused = Books::create(&target, &place::issuer(occupied.clone()), now()).await.err().unwrap();
    assert!(refused.to_string().contains("holds an issuer's books already"), "{refused}");
    assert!(!target.exists(), "nothing is left behind");
    let (copy, by) = (outer.path().join("copy"), "operator".parse().unwrap());
    place.books.backup(&copy, &by, now()).await.unwrap();
    let options = Restore { database: &occupied, latest: false, by: &by };
    let refused = restore(&copy, &target, &options, now()).await.unwrap_err().to_string();
    assert!(refused.contains("holds an issuer's books already") && !target.exists(), "{refused}");
    let found = place.books.reconcile().await.unwrap();
    assert!(found.agrees() && found.without_effect.is_empty(), "nothing was written in another's tables");
    // The folder is taken to a second machine, and goes on there.
    let second = outer.path().join("machine-2");
    copy_all(place.folder.path(), &second);
    let elsewhere = Books::open(&second, now()).await.unwrap();
    elsewhere.issue(&run("AB0002", 1), &by, now(), |_| ()).await.unwrap();
    let refused = place.books.issue(&run("AB0003", 1), &by, now(), |_| ()).await.unwrap_err().to_string();
    assert!(refused.contains("another folder writes in the same tables"), "{refused}");
    assert_eq!(elsewhere.issue(&run("AB0004", 1), &by, now(), |_| ()).await.unwrap(), 1);
    elsewhere.close().await;
}

#[tokio::test]
async fn many_begin_at_once_on_an_empty_server_and_one_does() {
    let Some(place) = Place::postgres().await else { return };
    for _ in 0..3 {
        let address = place.another_database().unwrap();
        let outer = tempfile::tempdir().unwrap();
        let folders = [0, 1, 2, 3].map(|number: u8| outer.path().join(number.to_string()));
        let new = place::issuer(Database::Postgres(address));
        let begin = |at: usize| Books::create(&folders[at], &new, now());
        let done = tokio::join!(begin(0), begin(1), begin(2), begin(3));
        let done = [done.0, done.1, done.2, done.3];
        let begun = done.iter().filter(|one| one.is_ok()).count();
        let said: Vec<_> =
            done.iter().filter_map(|one| one.as_ref().err().map(ToString::to_string)).collect();
        assert_eq!(begun, 1, "{said:?}");
        assert!(said.iter().all(|one| one.contains("holds an issuer's books already")), "{said:?}");
        assert_eq!(folders.iter().filter(|folder| folder.exists()).count(), 1, "the others leave nothing");
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
async fn whoever_lets_go_leaves_the_books_to_others() {
    let place = Place::sqlite().await.unwrap();
    let other = Books::open(place.folder.path(), now()).await.unwrap();
    let by = "line 2".parse().unwrap();
    for (first, second) in [("AC0001", "AD0001"), ("AC0002", "AD0002")] {
        place.issue(&run(first, 1)).await;
        place.books.let_go().await;
        assert_eq!(other.issue(&run(second, 1), &by, now(), |_| ()).await.unwrap(), 1, "{second}");
        other.let_go().await;
    }
    let found = place.books.reconcile().await.unwrap();
    assert!(found.agrees() && found.without_effect.is_empty(), "{found:?}");
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
    let refused = restore(&copy, &again, &options, now()).await.unwrap_err().to_string();
    assert!(refused.contains("may go on, and would issue the same codes") && !again.exists(), "{refused}");
    // Unless the copy closed the books, its blocks end.
    let options = Restore { latest: false, ..options };
    assert_eq!(restore(&copy, &again, &options, now()).await.unwrap(), files);
    let restored = Books::open(&again, now()).await.unwrap();
    assert!(restored.issued(code).await.unwrap().is_some());
    assert_eq!(restored.issued(later[0].code).await.unwrap(), None, "it was issued after the copy");
    restored.close().await;
    // Witnesses may know more of the log than the copy does: another goes on from its entries.
    let key = |name: &str| std::fs::read_to_string(again.join("keys").join(name)).unwrap();
    let end = LogEnd::parse(&key("log.ended")).unwrap();
    assert_eq!(key("log.pub").trim(), end.new.to_string());
    assert_ne!(end.old.name(), end.new.name());
    let restored = Books::open(&again, now()).await.unwrap();
    assert!(restored.reconcile().await.unwrap().agrees());
    let refused = restored.issue(&run("AD0001", 1), &by, now(), |_| ()).await.unwrap_err().to_string();
    assert!(refused.contains("0 codes left"), "{refused}");
    restored.open_block("K8".parse().unwrap(), &"clerk example".parse().unwrap(), now()).await.unwrap();
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

/// Last night's tables beside the log of today: its codes are not issued a second time.
#[tokio::test]
async fn older_tables_beside_the_newer_log_issue_nothing() {
    let place = Place::sqlite().await.unwrap();
    place.issue(&run("AB0001", 1)).await;
    let place = place.reopened().await;
    let folder = place.folder.path().to_owned();
    let (file, aside) = (folder.join("books.sqlite"), folder.join("books.last-night"));
    place.books.close().await;
    std::fs::copy(&file, &aside).unwrap();
    let books = Books::open(&folder, now()).await.unwrap();
    let by = "line 1".parse().unwrap();
    books.issue(&run("AC0001", 2), &by, now(), |_| ()).await.unwrap();
    books.close().await;
    for name in ["books.sqlite-wal", "books.sqlite-shm"] {
        let _ = std::fs::remove_file(folder.join(name));
    }
    std::fs::rename(&aside, &file).unwrap();
    let older = Books::open(&folder, now()).await.unwrap();
    let refused = older.issue(&run("AD0001", 2), &by, now(), |_| ()).await.unwrap_err().to_string();
    assert!(refused.contains("older tables were put beside it"), "{refused}");
    assert!(older.issue_part(Part::FiringPin, None, &by, now()).await.is_err());
    assert_eq!(older.blocks().await.unwrap()[0].issued, 1);
}

/// A closing is weighed when nobody else writes: a sale that is entered meanwhile, and a second closing, are seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn a_closing_is_weighed_when_nobody_else_writes() {
    let place = Place::sqlite().await.unwrap();
    place.issue(&run("AB0001", 1)).await;
    let root = place.folder.path().to_owned();
    let closing = |day: &'static str, at: &'static str| {
        let root = root.clone();
        tokio::spawn(async move {
            let books = Books::open(&root, now()).await.unwrap();
            let done = books
                .close_licensee(
                    &dealer().licence,
                    (day.parse().unwrap(), at),
                    &"clerk example".parse().unwrap(),
                    now(),
                )
                .await;
            books.close().await;
            done.map_err(|error| error.to_string())
        })
    };
    // These books hold the log while the closing begins, and enter a sale after its day.
    place.ship("AB0001").await;
    let first = closing("2024-03-01", "ATF OBRC (synthetic)");
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    place.record("AB0001", place::sold(), "2024-06-01").await.unwrap();
    place.books.let_go().await;
    let refused = first.await.unwrap().unwrap_err();
    assert!(refused.contains("it traded on 2024-06-01"), "{refused}");
    // Of two at once one is entered; the other needs a reason.
    place.record("AB0001", crate::losses::theft(dealer()), "2024-06-02").await.unwrap_err();
    place
        .books
        .trace(&crate::outage::question(place.issue(&run("AC0001", 1)).await[0].code), now())
        .await
        .unwrap();
    let both = [closing("2024-07-01", "ATF OBRC (synthetic)"), closing("2024-08-01", "Somebody Else")];
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    place.books.let_go().await;
    let mut done = Vec::new();
    for one in both {
        done.push(one.await.unwrap());
    }
    assert_eq!(done.iter().filter(|one| one.is_ok()).count(), 1, "{done:?}");
    let refused = done.into_iter().find_map(Result::err).unwrap();
    assert!(refused.contains("is recorded already"), "{refused}");
    assert!(place.books.reconcile().await.unwrap().agrees());
}

//! What goes wrong on the way, and that it leaves books and log in agreement.

use registry::{Books, Database};

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

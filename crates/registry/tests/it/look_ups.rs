//! A code is looked up by itself: what was committed is seen, by many at once.

use registry::Books;

use crate::place::{self, Place, now, on_both};

on_both! {
    looks_up_what_was_just_committed
}

async fn looks_up_what_was_just_committed(place: Place) {
    let other = Books::open(place.folder.path(), now()).await.unwrap();
    for at in 0..20 {
        let code = place.issue(&place::run(&format!("AB{at:04}"), 1)).await[0].code;
        for books in [&place.books, &other] {
            assert_eq!(books.issued(code).await.unwrap(), Some(now()));
        }
    }
    assert_eq!(other.issued("K70000".parse().unwrap()).await.unwrap(), None);
    other.close().await;
    let Place { books, folder, server: _server } = place;
    books.close().await;
    // Whoever looked codes up has let go of the file: its journal went with the last connection.
    assert!(!folder.path().join("books.sqlite-wal").exists());
}

/// More at once than there are connections, while the books are written.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn many_look_up_at_once() {
    let place = Place::sqlite().await.unwrap();
    let issued = place.issue(&place::run("AC0001", 40)).await;
    let Place { books, folder: _folder, server: _ } = place;
    let books = std::sync::Arc::new(books);
    let mut looking = tokio::task::JoinSet::new();
    for one in issued {
        let books = books.clone();
        looking.spawn(async move {
            for _ in 0..200 {
                assert_eq!(books.issued(one.code).await.unwrap(), Some(now()));
            }
        });
    }
    let by = "line 2".parse().unwrap();
    for at in 0..10 {
        books.issue(&place::run(&format!("AD{at:04}"), 1), &by, now(), |_| ()).await.unwrap();
    }
    looking.join_all().await;
}

/// A file that cannot be opened is a typed error, and no look-up after it suffers.
#[tokio::test]
async fn a_look_up_outlives_a_file_that_was_away() {
    let place = Place::sqlite().await.unwrap();
    let code = place.issue(&place::run("AB0001", 1)).await[0].code;
    let Place { books, folder, server: _ } = place;
    books.close().await;
    let books = Books::open(folder.path(), now()).await.unwrap();
    let (file, away) = (folder.path().join("books.sqlite"), folder.path().join("away"));
    std::fs::rename(&file, &away).unwrap();
    let refused = books.issued(code).await.unwrap_err();
    assert!(matches!(refused, registry::BooksError::Database { .. }), "{refused}");
    std::fs::rename(&away, &file).unwrap();
    assert_eq!(books.issued(code).await.unwrap(), Some(now()));
}

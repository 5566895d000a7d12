//! Books that move to another folder or database: they end where they were, and go on in one place alone.

use registry::{Books, Database, Part, Restore, restore};

use crate::behaviour::question;
use crate::place::{Place, now, on_both, run, sold};

on_both! {
    books_that_moved_issue_in_one_place
    a_copy_that_closes_nothing_is_not_gone_on_with
    a_last_copy_that_was_lost_is_made_again
    whoever_goes_on_in_the_old_place_is_named
}

async fn issue(books: &Books, first: &str) -> Result<Vec<symbology::Code>, String> {
    let (mut codes, by, run) = (Vec::new(), "line 1".parse().unwrap(), run(first, 2));
    let done = books.issue(&run, &by, now(), |chunk| codes.extend(chunk.iter().map(|one| one.code))).await;
    done.map(|_| codes).map_err(|error| error.to_string())
}

async fn books_that_moved_issue_in_one_place(place: Place) {
    let first = issue(&place.books, "AB0001").await.unwrap();
    place.books.let_go().await;
    // Another process has them open meanwhile.
    let other = Books::open(place.folder.path(), now()).await.unwrap();
    let (copy, by) = (place.folder.path().join("copy"), "operator".parse().unwrap());
    place.books.move_out(&copy, &by, now()).await.unwrap();
    place.books.let_go().await;
    for books in [&place.books, &other] {
        let refused = issue(books, "AC0001").await.unwrap_err();
        assert!(refused.contains("ended here and go on where their last copy was put back"), "{refused}");
        assert!(books.issue_part(Part::FiringPin, None, &by, now()).await.is_err());
        assert!(books.trace(&question(&[(first[0], 1.0)]), now()).await.is_err(), "no log, no answer");
        assert!(books.is_closed());
        books.let_go().await;
    }
    other.close().await;
    assert!(place.record("AB0001", sold(), "2024-05-01").await.is_err());
    assert!(place.books.backup(&place.folder.path().join("more"), &by, now()).await.is_err());
    let place = place.reopened().await;
    assert!(issue(&place.books, "AC0001").await.is_err());
    let found = place.books.reconcile().await.unwrap();
    assert!(found.agrees() && found.without_effect.is_empty(), "{found:?}");

    let database = place.another_database().map_or(Database::Embedded, Database::Postgres);
    let (target, more) = (place.folder.path().join("new"), place.folder.path().join("twin"));
    let options = Restore { database: &database, latest: true, by: &by };
    restore(&copy, &target, &options, now()).await.unwrap();
    let moved = Books::open(&target, now()).await.unwrap();
    assert_eq!(moved.log_name(), place.books.log_name());
    let later = issue(&moved, "AC0001").await.unwrap();
    assert!(first.iter().all(|code| !later.contains(code)));
    assert!(moved.reconcile().await.unwrap().agrees());
    // The same copy serves once; then only without its blocks.
    let here = Database::Embedded;
    let options = Restore { database: &here, latest: true, by: &by };
    let refused = restore(&copy, &more, &options, now()).await.unwrap_err().to_string();
    assert!(refused.contains("with this copy the books go on elsewhere") && !more.exists(), "{refused}");
    restore(&copy, &more, &Restore { latest: false, ..options }, now()).await.unwrap();
    let twin = Books::open(&more, now()).await.unwrap();
    assert!(issue(&twin, "AC0001").await.unwrap_err().contains("0 codes left"));
    let found = twin.reconcile().await.unwrap();
    assert!(found.agrees(), "{found:?}");
    // And on they move.
    let (copy, third) = (place.folder.path().join("second"), place.folder.path().join("third"));
    moved.move_out(&copy, &by, now()).await.unwrap();
    moved.close().await;
    restore(&copy, &third, &options, now()).await.unwrap();
    let third = Books::open(&third, now()).await.unwrap();
    let last = issue(&third, "AE0001").await.unwrap();
    assert!(first.iter().chain(&later).all(|code| !last.contains(code)));
    assert!(third.reconcile().await.unwrap().agrees());
    assert!(issue(&Books::open(&target, now()).await.unwrap(), "AF0001").await.is_err());
}

async fn a_copy_that_closes_nothing_is_not_gone_on_with(place: Place) {
    issue(&place.books, "AB0001").await.unwrap();
    let (copy, target) = (place.folder.path().join("copy"), place.folder.path().join("new"));
    let by = "operator".parse().unwrap();
    place.books.backup(&copy, &by, now()).await.unwrap();
    let database = Database::Embedded;
    let options = Restore { database: &database, latest: true, by: &by };
    let refused = restore(&copy, &target, &options, now()).await.unwrap_err().to_string();
    assert!(refused.contains("may go on, and would issue the same codes"), "{refused}");
    assert!(refused.contains("--and-close") && !target.exists() && !copy.join("PUT-BACK").exists());
    assert!(issue(&place.books, "AC0001").await.is_ok());
}

async fn a_last_copy_that_was_lost_is_made_again(place: Place) {
    issue(&place.books, "AB0001").await.unwrap();
    let (copy, by) = (place.folder.path().join("copy"), "operator".parse().unwrap());
    std::fs::create_dir(&copy).unwrap();
    assert!(place.books.move_out(&copy, &by, now()).await.is_err(), "a folder that is there");
    assert!(!place.books.is_closed(), "nothing happened");
    std::fs::remove_dir(&copy).unwrap();
    place.books.move_out(&copy, &by, now()).await.unwrap();
    std::fs::remove_dir_all(&copy).unwrap();
    let place = place.reopened().await;
    place.books.move_out(&copy, &by, now()).await.unwrap();
    let (target, database) = (place.folder.path().join("new"), Database::Embedded);
    // What did not come to be leaves the copy as it was.
    std::fs::create_dir(&target).unwrap();
    let options = Restore { database: &database, latest: true, by: &by };
    assert!(restore(&copy, &target, &options, now()).await.is_err());
    std::fs::remove_dir(&target).unwrap();
    restore(&copy, &target, &options, now()).await.unwrap();
    let moved = Books::open(&target, now()).await.unwrap();
    assert!(issue(&moved, "AC0001").await.is_ok() && moved.reconcile().await.unwrap().agrees());
}

async fn whoever_goes_on_in_the_old_place_is_named(place: Place) {
    issue(&place.books, "AB0001").await.unwrap();
    let (copy, by) = (place.folder.path().join("copy"), "operator".parse().unwrap());
    place.books.move_out(&copy, &by, now()).await.unwrap();
    let Place { books, folder, server } = place;
    books.close().await;
    let file = folder.path().join("issuer.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}moves = 1\n")).unwrap();
    let books = Books::open(folder.path(), now()).await.unwrap();
    issue(&books, "AC0001").await.unwrap();
    let found = books.reconcile().await.unwrap();
    let expected = "was entered where these books had ended, and moved elsewhere";
    assert!(!found.agrees() && found.faults.iter().any(|fault| fault.contains(expected)), "{found:?}");
    drop(server);
}

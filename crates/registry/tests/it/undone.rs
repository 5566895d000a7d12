//! Acts that were acknowledged are taken out of the tables whole, counters and all: later records tell, and no code is issued again.

use registry::{Event, Recipient};
use sqlx::Connection as _;

use crate::place::{Place, now, on_both, run, wholesaler};

on_both! {
    a_theft_that_was_undone_is_named
    a_code_that_was_undone_is_not_issued_again
    a_tail_that_was_undone_is_no_crash
    tables_that_fall_back_under_a_running_program_issue_nothing
    the_last_act_of_closed_books_cannot_be_undone
}

/// Does something behind the back of the books.
async fn behind(place: &Place, text: &str) {
    let query = sqlx::raw_sql(sqlx::AssertSqlSafe(text.to_owned()));
    if place.server.is_some() {
        let mut conn = sqlx::PgConnection::connect(&place.server_address()).await.unwrap();
        query.execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        return;
    }
    let file = format!("sqlite:{}", place.folder.path().join("books.sqlite").display());
    let mut conn = sqlx::SqliteConnection::connect(&file).await.unwrap();
    query.execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

/// Records 3 and 4, with entries 3 and 4.
async fn steal_and_ship(place: &Place) {
    place.record("AB0001", crate::losses::theft(place.books.issuer()), "2024-04-01").await.unwrap();
    let ship = Event::Disposed { holder: place.books.issuer(), to: Recipient::Licensee(wholesaler()) };
    place.record("AB0002", ship, "2024-04-01").await.unwrap();
}

/// Takes them out of the tables, counters and all.
async fn undo_both(place: &Place) {
    behind(
        place,
        "DELETE FROM entry WHERE entry_id >= 3; UPDATE counter SET next = 2 WHERE name = 'entry';
        DELETE FROM party WHERE party_id = 2; UPDATE counter SET next = 1 WHERE name = 'party';
        DELETE FROM logged WHERE record_id IN (3, 4)",
    )
    .await;
}

async fn a_theft_that_was_undone_is_named(place: Place) {
    let codes = place.issue(&run("AB0001", 2)).await;
    steal_and_ship(&place).await;
    place.books.trace(&crate::outage::question(codes[0].code), now()).await.unwrap();
    assert!(place.books.reconcile().await.unwrap().agrees());
    undo_both(&place).await;
    let found = place.books.reconcile().await.unwrap();
    assert_eq!(found.without_effect, [3, 4]);
    let expected =
        "record 5 was entered when record 4 was the last that had taken effect, and now that is record 2";
    assert!(found.faults.iter().any(|fault| fault.contains(expected)), "{found:?}");
}

async fn a_code_that_was_undone_is_not_issued_again(place: Place) {
    let first = place.issue(&run("AB0001", 2)).await;
    let undone = place.issue(&run("AC0001", 2)).await;
    let place = place.crashed().await;
    behind(
        &place,
        "DELETE FROM code WHERE record_id = 3; DELETE FROM entry WHERE entry_id > 2; DELETE FROM firearm WHERE firearm_id > 2;
        DELETE FROM logged WHERE record_id = 3;
        UPDATE counter SET next = 2 WHERE name IN ('unit:K7', 'entry', 'firearm')",
    )
    .await;
    let again = place.issue(&run("AD0001", 2)).await;
    assert!(again.iter().all(|one| undone.iter().chain(&first).all(|before| before.code != one.code)));
    let block = place.books.blocks().await.unwrap()[0];
    assert_eq!((block.issued, block.left), (4, (1 << 20) - 6), "two units are passed over");
    let found = place.books.reconcile().await.unwrap();
    assert!(found.agrees() && found.without_effect == [3], "as after a crash: {found:?}");
    // A single part is no way round it.
    let by = "clerk".parse().unwrap();
    let spare = place.books.issue_part(registry::Part::FiringPin, None, &by, now()).await.unwrap();
    let place = place.crashed().await;
    behind(
        &place,
        "DELETE FROM code WHERE record_id = 5; DELETE FROM logged WHERE record_id = 5;
        UPDATE counter SET next = 6 WHERE name = 'unit:K7'",
    )
    .await;
    assert_ne!(place.books.issue_part(registry::Part::FiringPin, None, &by, now()).await.unwrap(), spare);
    assert!(place.books.reconcile().await.unwrap().agrees());
}

/// Several acts at the end are taken out, each of which names one before it that took effect.
async fn a_tail_that_was_undone_is_no_crash(place: Place) {
    place.issue(&run("AB0001", 2)).await;
    steal_and_ship(&place).await;
    undo_both(&place).await;
    let found = place.books.reconcile().await.unwrap();
    assert_eq!(found.without_effect, [3, 4]);
    let expected =
        "record 4 was entered when record 3 was the last that had taken effect, and now that is record 2";
    assert!(!found.agrees() && found.faults.iter().any(|fault| fault.contains(expected)), "{found:?}");
}

/// Books that were closed say of their last act that it took effect: out of the tables it is no crash.
async fn the_last_act_of_closed_books_cannot_be_undone(place: Place) {
    place.issue(&run("AB0001", 2)).await;
    place.record("AB0001", crate::losses::theft(place.books.issuer()), "2024-04-01").await.unwrap();
    let place = place.reopened().await;
    assert!(place.books.reconcile().await.unwrap().agrees());
    let theft = "DELETE FROM entry WHERE entry_id = 3; UPDATE counter SET next = 2 WHERE name = 'entry';
        DELETE FROM logged WHERE record_id = 3;";
    behind(&place, theft).await;
    let found = place.books.reconcile().await.unwrap();
    assert!(!found.agrees() && found.without_effect == [3], "{found:?}");
    // Nor with the act that says so, be it that it took no effect, or that it is gone.
    for (also, unexplained) in
        [("DELETE FROM logged WHERE record_id = 4", 0), ("DELETE FROM record WHERE record_id = 4", 1)]
    {
        behind(&place, also).await;
        let found = place.books.reconcile().await.unwrap();
        assert!(!found.agrees() && found.unexplained.len() == unexplained, "{found:?}");
    }
}

/// A server fails over to a replica that lagged, and the program goes on under the log's lock: what it was told that lasts is gone, with
/// the record of the act or without.
async fn tables_that_fall_back_under_a_running_program_issue_nothing(place: Place) {
    let first = place.issue(&run("AB0001", 2)).await;
    let fall_back = "DELETE FROM code WHERE record_id = 3; DELETE FROM entry WHERE entry_id > 2;
        DELETE FROM firearm WHERE firearm_id > 2; DELETE FROM logged WHERE record_id = 3;
        UPDATE counter SET next = 2 WHERE name IN ('unit:K7', 'entry', 'firearm');";
    let with_record =
        "DELETE FROM record WHERE record_id = 3; UPDATE counter SET next = 2 WHERE name = 'record';";
    let by = "line 1".parse().unwrap();
    place.issue(&run("AC0001", 2)).await;
    for lost in [fall_back.to_owned(), format!("{fall_back} {with_record}")] {
        behind(&place, &lost).await;
        let refused = place.books.issue(&run("AD0001", 2), &by, now(), |new| assert!(new.is_empty())).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("older tables took their place"), "{refused}");
        let refused = place.books.trace(&crate::outage::question(first[0].code), now()).await;
        assert!(refused.is_err(), "nothing is answered either");
    }
}

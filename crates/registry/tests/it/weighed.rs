//! What is weighed against the whole book before it is entered: corrections, new parts, destruction, runs that are gone on with.

use registry::{Correction, Event, Part, Recipient};
use symbology::Code;

use crate::place::{Place, dealer, now, on_both, run, sold, wholesaler};

on_both! {
    a_day_is_corrected_only_to_where_nothing_contradicts_it
    what_a_correction_leaves_behind_is_named
    a_corrected_fitting_needs_a_part_that_is_free
    a_new_part_needs_a_firearm_that_is_here
    nobody_destroys_what_was_sold
    a_withdrawn_making_hands_no_code_out
}

async fn correct(
    place: &Place,
    serial: &str,
    entry: u64,
    becomes: Option<(Event, &str)>,
) -> Result<u64, String> {
    let becomes = becomes.map(|(event, on)| (event, on.parse().unwrap()));
    let reason = "a slip of the pen".parse().unwrap();
    let correction = Correction { firearm: place.key(serial), entry, becomes, description: None, reason };
    let done = place.books.correct(&correction, &"clerk".parse().unwrap(), now()).await;
    done.map_err(|error| error.to_string())
}

fn made(place: &Place) -> Event {
    Event::Manufactured { by: place.books.issuer() }
}

/// Made on 2 January, to the wholesaler on 1 February, to the dealer on 1 March, sold on 1 April 2024.
async fn a_day_is_corrected_only_to_where_nothing_contradicts_it(place: Place) {
    let code = place.issue(&run("AB0001", 1)).await[0].code;
    place.ship_and_sell("AB0001").await;
    let refused = correct(&place, "AB0001", 4, Some((sold(), "2024-01-05"))).await.unwrap_err();
    assert!(refused.contains("with entry 4 on 2024-01-05 entry 2 contradicts the book"), "{refused}");
    let refused = correct(&place, "AB0001", 1, Some((made(&place), "2025-06-01"))).await.unwrap_err();
    assert!(refused.contains("lies before it was manufactured on 2025-06-01"), "{refused}");
    let question = crate::outage::question(code);
    let answer = place.books.trace(&question, now()).await.unwrap();
    assert!(answer.statement.iter().any(|line| line.contains("2024-04-01")), "{:?}", answer.statement);
    // Where nothing comes between, a day is put right.
    correct(&place, "AB0001", 4, Some((sold(), "2024-05-04"))).await.unwrap();
    assert!(place.books.contradictions(&place.key("AB0001")).await.unwrap().is_empty());
    assert!(place.books.reconcile().await.unwrap().agrees());
}

/// A hand-over to another house is corrected first, and what that house did after it.
async fn what_a_correction_leaves_behind_is_named(place: Place) {
    place.issue(&run("AB0001", 1)).await;
    place.ship_and_sell("AB0001").await;
    let to = |to| Event::Disposed { holder: place.books.issuer(), to: Recipient::Licensee(to) };
    let left = async || {
        let left = place.books.contradictions(&place.key("AB0001")).await.unwrap();
        left.into_iter().map(|(number, _)| number).collect::<Vec<_>>()
    };
    correct(&place, "AB0001", 2, Some((to(dealer()), "2024-02-01"))).await.unwrap();
    assert_eq!(left().await, [3], "the wholesaler let go what it never had");
    correct(&place, "AB0001", 3, None).await.unwrap();
    assert_eq!(left().await, [] as [u64; 0]);
    correct(&place, "AB0001", 5, None).await.unwrap();
    assert_eq!(left().await, [] as [u64; 0], "before the first hand-over anybody may turn out to have it");
}

async fn a_corrected_fitting_needs_a_part_that_is_free(place: Place) {
    let codes: Vec<Code> = place.issue(&run("AB0001", 2)).await.iter().map(|one| one.code).collect();
    let (by, maker, pin) = ("clerk".parse().unwrap(), place.books.issuer(), Part::FiringPin);
    let spare = place.books.issue_part(pin, None, &by, now()).await.unwrap();
    let removed = Event::PartRemoved { by: maker.clone(), part: pin, code: codes[0] };
    place.record("AB0001", removed, "2024-03-01").await.unwrap();
    let fitted = |code| Event::PartFitted { by: maker.clone(), part: pin, code };
    let entry = place.record("AB0001", fitted(spare), "2024-03-02").await.unwrap();
    let refused = correct(&place, "AB0001", entry, Some((fitted(codes[1]), "2024-03-02"))).await.unwrap_err();
    assert!(refused.contains("is in") && refused.contains("AB0002"), "{refused}");
    // Before the other one was taken out there is no room.
    let refused = correct(&place, "AB0001", entry, Some((fitted(spare), "2024-02-28"))).await.unwrap_err();
    assert!(refused.contains(&codes[0].to_string()), "{refused}");
    correct(&place, "AB0001", entry, Some((fitted(spare), "2024-03-03"))).await.unwrap();
}

async fn a_new_part_needs_a_firearm_that_is_here(place: Place) {
    let codes: Vec<Code> = place.issue(&run("AB0001", 4)).await.iter().map(|one| one.code).collect();
    let maker = place.books.issuer();
    let (pin, by) = (Part::FiringPin, "clerk".parse().unwrap());
    let crushed =
        Event::Destroyed { holder: maker.clone(), reason: "crushed, two witnesses".parse().unwrap() };
    place.record("AB0001", crushed, "2024-06-01").await.unwrap();
    place.ship("AB0002").await;
    let fit = async |serial: &str, on: &str| {
        let (key, on) = (place.key(serial), on.parse().unwrap());
        let code = place.books.issue_part(pin, Some((&key, on)), &by, now()).await;
        code.map_err(|error| error.to_string())
    };
    for (number, (serial, on, why)) in [
        ("AB0001", "2024-07-01", "it was destroyed on 2024-06-01"),
        ("AB0002", "2024-07-01", "the book has it with"),
        ("AB0003", "1700-03-01", "is before the year 1800"),
        ("AB0003", "2024-01-01", "lies before it was manufactured"),
        ("AB0003", "2024-07-01", "is in this firearm on"),
    ]
    .into_iter()
    .enumerate()
    {
        // Its own pin was taken out, so that there is room but in the last case.
        if number < 2 {
            let out = Event::PartRemoved { by: maker.clone(), part: pin, code: codes[number] };
            let _ = place.record(serial, out, "2024-01-02").await;
        }
        let refused = fit(serial, on).await.unwrap_err();
        assert!(refused.contains(why), "{serial} {on}: {refused}");
    }
    // A part that is to be taken out first makes room, and nothing is taken out before that is clear.
    let (key, on) = (place.key("AB0004"), "2024-07-01".parse().unwrap());
    place.books.may_replace((pin, codes[3]), (&key, on), now()).await.unwrap();
    assert!(place.books.may_replace((pin, codes[2]), (&key, on), now()).await.is_err());
    let out = Event::PartRemoved { by: maker, part: pin, code: codes[3] };
    place.record("AB0004", out, "2024-07-01").await.unwrap();
    fit("AB0004", "2024-07-01").await.unwrap();
    assert!(place.books.reconcile().await.unwrap().agrees());
}

/// Who never had it cannot say that it is gone, and that a later case was not fired by it.
async fn nobody_destroys_what_was_sold(place: Place) {
    place.issue(&run("AB0001", 1)).await;
    place.ship_and_sell("AB0001").await;
    let reason = "crushed, two witnesses".parse().unwrap();
    let crushed = Event::Destroyed { holder: wholesaler(), reason };
    let refused = place.record("AB0001", crushed, "2024-06-01").await.unwrap_err();
    assert!(
        refused.contains("cannot have destroyed it") && refused.contains("enter first how it came back"),
        "{refused}"
    );
}

async fn a_withdrawn_making_hands_no_code_out(place: Place) {
    place.issue(&run("AB0001", 3)).await;
    correct(&place, "AB0002", 2, None).await.unwrap();
    let again = registry::IssueRun { resume: true, ..run("AB0001", 3) };
    let mut given = Vec::new();
    let by = "line 1".parse().unwrap();
    let refused =
        place.books.issue(&again, &by, now(), |chunk| given.extend_from_slice(chunk)).await.unwrap_err();
    assert!(refused.to_string().contains("the making of serial number AB0002 was withdrawn"), "{refused}");
    assert!(given.is_empty());
}

/// One process looks which unit comes next while another still writes: no unit is taken twice, and neither is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_waits_for_the_log_looks_again() {
    let place = Place::sqlite().await.unwrap();
    place.issue(&run("AB0001", 2)).await;
    let root = place.folder.path().to_owned();
    // It has its answer to everything that is asked before the log is held, and then waits.
    let waits = tokio::spawn(async move {
        let books = registry::Books::open(&root, now()).await.unwrap();
        let by = "line 2".parse().unwrap();
        let done =
            books.issue(&run("AD0001", 2), &by, now(), |_| ()).await.map_err(|error| error.to_string());
        books.close().await;
        done
    });
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    place.issue(&run("AC0001", 2)).await;
    place.books.let_go().await;
    assert_eq!(waits.await.unwrap(), Ok(2));
    assert!(place.books.reconcile().await.unwrap().agrees());
}

//! Changes of marked parts that are entered late: weighed against all that is written of the part and of the firearm.

use registry::{Correction, Event, Part, TraceAnswer, TraceOutcome};
use symbology::Code;

use crate::behaviour::question;
use crate::place::{Place, now, on_both, run};

on_both! {
    a_late_change_must_leave_a_part_where_it_can_be
    a_table_puts_no_part_into_two_firearms
    a_corrected_change_is_weighed_against_what_follows
    what_a_withdrawn_change_leaves_behind_is_named_and_not_certified
    moves_of_one_day_are_taken_in_any_order
}

const PIN: Part = Part::FiringPin;

fn out(place: &Place, code: Code) -> Event {
    Event::PartRemoved { by: place.books.issuer(), part: PIN, code }
}

fn into(place: &Place, code: Code) -> Event {
    Event::PartFitted { by: place.books.issuer(), part: PIN, code }
}

async fn issued(place: &Place, count: u32) -> Vec<Code> {
    place.issue(&run("AB0001", count)).await.iter().map(|one| one.code).collect()
}

async fn spare(place: &Place) -> Code {
    place.books.issue_part(PIN, None, &"bench 2".parse().unwrap(), now()).await.unwrap()
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

async fn certificate(place: &Place, serial: &str) -> Result<String, String> {
    let given = place.books.certificate(&place.key(serial), &"clerk".parse().unwrap(), now()).await;
    given.map(|one| one.note.text).map_err(|error| error.to_string())
}

/// The firearm in which the pin with a code was on a day.
async fn found_in(place: &Place, code: Code, day: &str) -> String {
    let mut asked = question(&[(code, 1.0)]);
    (asked.recovered_on, asked.parts) = (Some(day.parse().unwrap()), vec![PIN]);
    let answer: TraceAnswer = place.books.trace(&asked, now()).await.unwrap();
    match answer.outcome {
        TraceOutcome::Found(traced) | TraceOutcome::ChainEnds(traced) => {
            traced.firearm.key.serial.to_string()
        }
        other => panic!("{other:?}"),
    }
}

async fn a_late_change_must_leave_a_part_where_it_can_be(place: Place) {
    let own = issued(&place, 3).await;
    let removed = place.record("AB0001", out(&place, own[0]), "2024-05-01").await.unwrap();
    for day in ["2024-04-01", "2024-03-01"] {
        let refused = place.record("AB0001", out(&place, own[0]), day).await.unwrap_err();
        let expected = format!(
            "with the firing-pin removed on {day} entry {removed} contradicts the book: the firing-pin with code {} is not in this \
             firearm on 2024-05-01",
            own[0]
        );
        assert!(refused.contains(&expected) && refused.contains("correct --void"), "{refused}");
    }
    place.record("AB0002", out(&place, own[1]), "2024-05-01").await.unwrap();
    let fitted = place.record("AB0002", into(&place, own[0]), "2024-06-01").await.unwrap();
    // From 1 June on it would be in two firearms.
    place.record("AB0003", out(&place, own[2]), "2024-05-01").await.unwrap();
    let refused = place.record("AB0003", into(&place, own[0]), "2024-05-20").await.unwrap_err();
    assert!(refused.contains(&format!("entry {fitted} contradicts the book")), "{refused}");
    assert!(refused.contains("AB0002") || refused.contains("is in this firearm on 2024-06-01"), "{refused}");
    // And two pins would be in one.
    let other = spare(&place).await;
    let refused = place.record("AB0002", into(&place, other), "2024-05-16").await.unwrap_err();
    let expected = format!(
        "entry {fitted} contradicts the book: a firing-pin with code {other} is in this firearm on 2024-06-01"
    );
    assert!(refused.contains(&expected), "{refused}");
    let by = "bench 2".parse().unwrap();
    let (key, on) = (place.key("AB0002"), "2024-05-16".parse().unwrap());
    let refused = place.books.issue_part(PIN, Some((&key, on)), &by, now()).await.unwrap_err().to_string();
    assert!(refused.contains(&format!("entry {fitted} contradicts the book")), "{refused}");
    assert_eq!(certificate(&place, "AB0002").await.unwrap().matches("firing-pin: ").count(), 1);
    // In the order of the days the same is entered.
    place.record("AB0003", into(&place, other), "2024-05-16").await.unwrap();
    assert_eq!(found_in(&place, own[0], "2024-05-25").await, "AB0001");
    assert_eq!(found_in(&place, own[0], "2024-06-02").await, "AB0002");
    for serial in ["AB0001", "AB0002", "AB0003"] {
        assert_eq!(place.books.contradictions(&place.key(serial)).await.unwrap(), [], "{serial}");
    }
    assert!(place.books.reconcile().await.unwrap().agrees());
}

async fn a_table_puts_no_part_into_two_firearms(place: Place) {
    let own = issued(&place, 2).await;
    let other = spare(&place).await;
    for (serial, code) in [("AB0001", own[0]), ("AB0002", own[1])] {
        place.record(serial, out(&place, code), "2024-03-01").await.unwrap();
    }
    let rows = [
        place.entry("AB0001", into(&place, other), "2024-04-01"),
        place.entry("AB0002", into(&place, other), "2024-05-01"),
    ];
    let by = "clerk".parse().unwrap();
    let refused = place.books.record_all(&rows, &by, now()).await.unwrap_err().to_string();
    assert!(
        refused.contains(&format!("the firing-pin with code {other} is in M9 (synthetic) serial AB0001")),
        "{refused}"
    );
    let between = place.entry("AB0001", out(&place, other), "2024-04-02");
    let rows = [rows[0].clone(), between, rows[1].clone()];
    assert_eq!(place.books.record_all(&rows, &by, now()).await.unwrap().len(), 3);
}

async fn a_corrected_change_is_weighed_against_what_follows(place: Place) {
    let own = issued(&place, 3).await;
    let removed = place.record("AB0001", out(&place, own[0]), "2024-03-01").await.unwrap();
    place.record("AB0002", out(&place, own[1]), "2024-03-01").await.unwrap();
    place.record("AB0003", out(&place, own[2]), "2024-03-01").await.unwrap();
    let fitted = place.record("AB0002", into(&place, own[0]), "2024-05-01").await.unwrap();
    // Moved behind the day on which it was fitted elsewhere.
    let refused =
        correct(&place, "AB0001", removed, Some((out(&place, own[0]), "2024-05-02"))).await.unwrap_err();
    assert!(refused.contains(&format!("entry {fitted} contradicts the book")), "{refused}");
    // Another part in its place, which is in another firearm later on and is never taken out here.
    let other = spare(&place).await;
    let entry = place.record("AB0003", into(&place, other), "2024-04-01").await.unwrap();
    let refused =
        correct(&place, "AB0003", entry, Some((into(&place, own[0]), "2024-04-01"))).await.unwrap_err();
    assert!(refused.contains(&format!("entry {fitted} contradicts the book")), "{refused}");
    // Later entries of the same firearm can be corrected after it, and are named.
    let later = place.record("AB0003", out(&place, other), "2024-06-01").await.unwrap();
    correct(&place, "AB0003", entry, Some((into(&place, own[2]), "2024-04-01"))).await.unwrap();
    let left = place.books.contradictions(&place.key("AB0003")).await.unwrap();
    let expected = format!("the firing-pin with code {other} is not in this firearm on 2024-06-01");
    assert_eq!(left, [(later, expected)]);
    correct(&place, "AB0003", later, Some((out(&place, own[2]), "2024-06-01"))).await.unwrap();
    assert_eq!(place.books.contradictions(&place.key("AB0003")).await.unwrap(), []);
    assert!(place.books.reconcile().await.unwrap().agrees());
}

async fn what_a_withdrawn_change_leaves_behind_is_named_and_not_certified(place: Place) {
    let own = issued(&place, 2).await;
    let removed = place.record("AB0001", out(&place, own[0]), "2024-03-01").await.unwrap();
    let emptied = place.record("AB0002", out(&place, own[1]), "2024-03-01").await.unwrap();
    let fitted = place.record("AB0002", into(&place, own[0]), "2024-05-01").await.unwrap();
    correct(&place, "AB0001", removed, None).await.unwrap();
    for (serial, expected) in [("AB0001", "is in this firearm on 2024-05-01"), ("AB0002", "serial AB0001")] {
        let left = place.books.contradictions(&place.key(serial)).await.unwrap();
        assert!(left.len() == 1 && left[0].0 == fitted && left[0].1.contains(expected), "{left:?}");
        let refused = certificate(&place, serial).await.unwrap_err();
        assert!(refused.contains("as well"), "{refused}");
    }
    // What puts it right is admitted, whatever else contradicts.
    place.record("AB0001", out(&place, own[0]), "2024-04-01").await.unwrap();
    assert_eq!(place.books.contradictions(&place.key("AB0001")).await.unwrap(), []);
    assert!(certificate(&place, "AB0001").await.is_ok());
    correct(&place, "AB0002", emptied, None).await.unwrap();
    let left = place.books.contradictions(&place.key("AB0002")).await.unwrap();
    let expected = format!("a firing-pin with code {} is in this firearm on 2024-05-01", own[1]);
    assert_eq!(left, [(fitted, expected)]);
    let refused = certificate(&place, "AB0002").await.unwrap_err();
    assert!(refused.contains("two of its firing-pins are in it"), "{refused}");
}

/// As hand-overs: the removal that was put right to the day of the fitting comes before it, wherever it was written.
async fn moves_of_one_day_are_taken_in_any_order(place: Place) {
    let own = issued(&place, 2).await;
    let removed = place.record("AB0001", out(&place, own[0]), "2024-03-01").await.unwrap();
    place.record("AB0001", into(&place, own[0]), "2024-04-01").await.unwrap();
    correct(&place, "AB0001", removed, Some((out(&place, own[0]), "2024-04-01"))).await.unwrap();
    assert_eq!(place.books.contradictions(&place.key("AB0001")).await.unwrap(), []);
    assert!(certificate(&place, "AB0001").await.unwrap().contains("firing-pin: "));
    let mut asked = question(&[(own[0], 1.0)]);
    asked.recovered_on = Some("2024-05-01".parse().unwrap());
    let answer = place.books.trace(&asked, now()).await.unwrap();
    let TraceOutcome::ChainEnds(traced) = answer.outcome else { panic!("{:?}", answer.outcome) };
    assert!(traced.parts.iter().all(|part| part.fitted), "{:?}", traced.parts);
    assert!(place.books.reconcile().await.unwrap().agrees());
}

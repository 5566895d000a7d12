//! Parts that carry codes: in which firearm each is, and who may say so. The same over SQLite and PostgreSQL.

use registry::{Event, Licensee, Part, PartState, Recipient, Source, TraceAnswer, TraceOutcome};
use symbology::Code;

use crate::behaviour::{ask, question};
use crate::place::{self, Place, dealer, now, on_both, wholesaler};

on_both! {
    follows_parts
    names_no_firearm_while_parts_are_apart
    refuses_parts_that_are_not_there
    keeps_a_part_in_one_firearm
    says_who_moved_a_part_without_having_had_the_firearm
}

async fn follows_parts(place: Place) {
    let codes = place.issue(&place::run("AB0001", 2)).await;
    let (first, by) = (codes[0].code, "bench 2".parse().unwrap());
    let maker = place.books.issuer();
    let removed = Event::PartRemoved { by: maker, part: Part::FiringPin, code: first };
    place.record("AB0001", removed, "2026-01-12").await.unwrap();
    let (part, on) = (Part::FiringPin, "2026-01-12".parse().unwrap());
    let key = place.key("AB0001");
    let new = place.books.issue_part(part, Some((&key, on)), &by, now()).await.unwrap();
    assert_ne!(new, first);
    let mut later = question(&[(first, 1.0)]);
    later.recovered_on = Some("2026-01-14".parse().unwrap());
    let state = |answer: TraceAnswer| match answer.outcome {
        TraceOutcome::ChainEnds(traced) => (traced.firearm.key.serial.to_string(), traced.parts),
        other => panic!("{other:?}"),
    };
    let (serial, parts) = state(place.books.trace(&later, now()).await.unwrap());
    let fitted = |parts: &[PartState]| parts.iter().map(|part| part.fitted).collect::<Vec<_>>();
    assert_eq!((serial.as_str(), fitted(&parts)), ("AB0001", vec![false, true]));
    // The old pin turns up in another firearm, whose own was taken out.
    place.ship("AB0002").await;
    let worn = Event::PartRemoved { by: dealer(), part: Part::FiringPin, code: codes[1].code };
    place.record("AB0002", worn, "2026-01-13").await.unwrap();
    let moved = Event::PartFitted { by: dealer(), part: Part::FiringPin, code: first };
    place.record("AB0002", moved, "2026-01-13").await.unwrap();
    later.codes[0].code = new;
    let (serial, parts) = state(place.books.trace(&later, now()).await.unwrap());
    assert_eq!((serial.as_str(), fitted(&parts)), ("AB0001", vec![true]));
    let spare = place.books.issue_part(Part::FiringPin, None, &by, now()).await.unwrap();
    let answer = ask(&place, &[(spare, 1.0)]).await;
    let TraceOutcome::PartNotFitted { parts, .. } = &answer.outcome else { panic!("{answer:?}") };
    assert_eq!((parts[0].fitted, parts[0].since), (false, None), "a spare part was nowhere, since no day");
}

async fn names_no_firearm_while_parts_are_apart(place: Place) {
    let codes = place.issue(&place::run("AB0001", 2)).await;
    let (code, pin) = (codes[0].code, Part::FiringPin);
    place.ship("AB0001").await;
    place.ship("AB0002").await;
    let worn = Event::PartRemoved { by: dealer(), part: pin, code: codes[1].code };
    place.record("AB0002", worn, "2024-06-01").await.unwrap();
    place.record("AB0001", Event::PartRemoved { by: dealer(), part: pin, code }, "2024-06-01").await.unwrap();
    place.record("AB0002", Event::PartFitted { by: dealer(), part: pin, code }, "2024-06-03").await.unwrap();
    let asked = async |day: &str, parts: &[Part]| {
        let mut request = question(&[(code, 1.0)]);
        (request.recovered_on, request.parts) = (Some(day.parse().unwrap()), parts.to_vec());
        place.books.trace(&request, now()).await.unwrap()
    };
    let named = |answer: &TraceAnswer| match &answer.outcome {
        TraceOutcome::Found(traced) | TraceOutcome::ChainEnds(traced) => {
            Some(traced.firearm.key.serial.to_string())
        }
        _ => None,
    };
    // Before the pin was fitted elsewhere, all that is known leads to the first; what came out is said with its day.
    let answer = asked("2024-06-02", &[]).await;
    assert_eq!(named(&answer).as_deref(), Some("AB0001"));
    assert!(answer.statement.iter().any(|line| line.contains("taken out or replaced on 2024-06-01")));
    // The pin is in one, the breech face in the other.
    let answer = asked("2024-07-01", &[]).await;
    let TraceOutcome::InSeveralFirearms { parts, .. } = &answer.outcome else { panic!("{answer:?}") };
    let since: Vec<_> =
        parts.iter().map(|one| (one.part, one.fitted, one.since.unwrap().to_string())).collect();
    assert_eq!(since[0], (pin, true, "2024-06-03".to_owned()));
    assert_eq!(since[1], (Part::BreechFace, true, "2024-01-02".to_owned()), "since it was made");
    assert!(answer.statement.iter().any(|line| line.contains("say which part's mark was read")));
    assert!(!answer.statement.concat().contains("AB000"), "{:?}", answer.statement);
    assert_eq!(named(&asked("2024-07-01", &Part::ALL).await), None, "one case has marks of one firearm");
    // Whose mark it is tells the firearm, and the day of removal is that of this firearm.
    for (part, serial) in [(pin, "AB0002"), (Part::BreechFace, "AB0001")] {
        assert_eq!(named(&asked("2024-07-01", &[part]).await).as_deref(), Some(serial), "{part}");
    }
    let answer = asked("2024-07-01", &[Part::BreechFace]).await;
    let expected = "the firing-pin with this code was in another firearm, not in this one";
    assert!(answer.statement.iter().any(|line| line == expected), "{:?}", answer.statement);
    let (TraceOutcome::Found(found) | TraceOutcome::ChainEnds(found)) = &answer.outcome else {
        panic!("{answer:?}")
    };
    let moved = found.parts.iter().find(|one| one.part == pin).unwrap();
    assert_eq!((moved.elsewhere, moved.since), (true, Some("2024-06-01".parse().unwrap())));
    // The other way round: the breech face never was in the firearm that got the pin, and nothing says since when it was not.
    let answer = asked("2024-07-01", &[pin]).await;
    let (TraceOutcome::Found(found) | TraceOutcome::ChainEnds(found)) = &answer.outcome else {
        panic!("{answer:?}")
    };
    let never = found.parts.iter().find(|one| one.part == Part::BreechFace).unwrap();
    assert_eq!((never.fitted, never.elsewhere, never.since), (false, true, None));
    assert!(serde_json::to_value(never).unwrap().get("since").is_none());
    let expected = "the breech-face with this code was in another firearm, not in this one";
    assert!(answer.statement.iter().any(|line| line == expected), "{:?}", answer.statement);
    let of_issue = now().strftime("%Y-%m-%d").to_string();
    assert!(!answer.statement.concat().contains(&of_issue), "{:?}", answer.statement);
    // Both taken out: the firearms in which they were last are two still.
    place
        .record("AB0001", Event::PartRemoved { by: dealer(), part: Part::BreechFace, code }, "2024-06-10")
        .await
        .unwrap();
    assert_eq!(named(&asked("2024-07-01", &[]).await), None);
    let answer = asked("2024-07-01", &[Part::Round]).await;
    assert!(answer.statement[0].contains("not for the part whose mark was read"), "{:?}", answer.statement);
}

async fn refuses_parts_that_are_not_there(place: Place) {
    let codes = place.issue(&place::run("AB0001", 2)).await;
    let (first, second) = (codes[0].code, codes[1].code);
    let pin = Part::FiringPin;
    let out = |code| Event::PartRemoved { by: place.books.issuer(), part: pin, code };
    let into = |code| Event::PartFitted { by: place.books.issuer(), part: pin, code };
    let spare = place.books.issue_part(pin, None, &"line 1".parse().unwrap(), now()).await.unwrap();
    let face = Event::PartFitted { by: place.books.issuer(), part: Part::BreechFace, code: spare };
    let steps = [
        (out(second), "2024-06-01", Some("is not in this firearm on 2024-06-01")),
        (into(first), "2024-06-01", Some("is in this firearm already on 2024-06-01")),
        (out(first), "2024-06-02", None),
        (out(first), "2024-06-03", Some("is not in this firearm")),
        (face, "2024-06-03", Some("was issued for firing-pin, not for breech-face")),
        (into(spare), "2024-06-03", None),
        (out(first), "2024-06-04", Some("is not in this firearm")),
        (into(first), "2024-06-01", Some("is in this firearm already")),
        (out(spare), "2024-06-04", None),
    ];
    for (event, on, expected) in steps {
        match (place.record("AB0001", event.clone(), on).await, expected) {
            (Ok(_), None) => {}
            (Err(refused), Some(expected)) if refused.contains(expected) => {}
            (done, expected) => panic!("{event:?} on {on}: {done:?}, expected {expected:?}"),
        }
    }
    // The public brings it back to whoever had it, never to a house that the book does not know.
    let ship = Event::Disposed { holder: place.books.issuer(), to: Recipient::Licensee(wholesaler()) };
    place.record("AB0002", ship, "2024-02-01").await.unwrap();
    let back = |holder| Event::Acquired { holder, source: Source::Public("R-1".parse().unwrap()) };
    let refused = place.record("AB0002", back(dealer()), "2024-06-01").await.unwrap_err();
    assert!(refused.contains("nobody can bring it to Corner Guns"), "{refused}");
    place.record("AB0002", back(place.books.issuer()), "2024-06-01").await.unwrap();
}

async fn keeps_a_part_in_one_firearm(place: Place) {
    let codes = place.issue(&place::run("AB0001", 3)).await;
    let by = "line 1".parse().unwrap();
    let pin = Part::FiringPin;
    let spare = place.books.issue_part(pin, None, &by, now()).await.unwrap();
    let out = |code| Event::PartRemoved { by: place.books.issuer(), part: pin, code };
    let into = |code| Event::PartFitted { by: place.books.issuer(), part: pin, code };
    let own: Vec<Code> = codes.iter().map(|one| one.code).collect();
    let steps = [
        (
            "AB0001",
            into(spare),
            "2024-06-01",
            Some(format!("a firing-pin with code {} is in this firearm", own[0])),
        ),
        ("AB0001", out(own[0]), "2024-06-01", None),
        ("AB0001", into(own[1]), "2024-06-02", Some("is in M9 (synthetic) serial AB0002".to_owned())),
        ("AB0001", into(spare), "2024-06-02", None),
        ("AB0002", out(own[1]), "2024-06-02", None),
        ("AB0002", into(spare), "2024-06-03", Some("is in M9 (synthetic) serial AB0001".to_owned())),
        (
            "AB0001",
            into(own[1]),
            "2024-06-03",
            Some(format!("a firing-pin with code {spare} is in this firearm")),
        ),
        ("AB0001", out(spare), "2024-06-04", None),
        ("AB0002", into(spare), "2024-06-03", Some("is in M9 (synthetic) serial AB0001".to_owned())),
        ("AB0002", into(spare), "2024-06-04", None),
    ];
    for (serial, event, on, expected) in steps {
        match (place.record(serial, event.clone(), on).await, expected) {
            (Ok(_), None) => {}
            (Err(refused), Some(expected)) if refused.contains(&expected) => {}
            (done, expected) => panic!("{serial}: {event:?} on {on}: {done:?}, expected {expected:?}"),
        }
    }
    let (key, on) = (place.key("AB0002"), "2024-06-05".parse().unwrap());
    let refused = place.books.issue_part(pin, Some((&key, on)), &by, now()).await.unwrap_err().to_string();
    assert!(refused.contains(&format!("a firing-pin with code {spare} is in this firearm")), "{refused}");
    // Whoever changes parts has the firearm, also one that by the book never left its maker.
    let by_dealer = || Event::PartRemoved { by: dealer(), part: pin, code: own[2] };
    let refused = place.record("AB0003", by_dealer(), "2024-06-01").await.unwrap_err();
    assert!(refused.contains("cannot change parts of it on 2024-06-01: the book has it with Example Arms"));
    let ship = Event::Disposed { holder: place.books.issuer(), to: Recipient::Licensee(wholesaler()) };
    place.record("AB0003", ship, "2024-02-01").await.unwrap();
    let refused = place.record("AB0003", by_dealer(), "2024-06-01").await.unwrap_err();
    assert!(refused.contains("cannot change parts of it on 2024-06-01: the book has it with Wholesale One"));
    let pass_on = Event::Disposed { holder: wholesaler(), to: Recipient::Licensee(dealer()) };
    place.record("AB0003", pass_on, "2024-05-01").await.unwrap();
    place.record("AB0003", by_dealer(), "2024-06-01").await.unwrap();
}

/// A firearm that was sold is in no licensee's book: whoever repairs it signs, and the answer says that nothing else vouches for
/// it, with both firearms.
async fn says_who_moved_a_part_without_having_had_the_firearm(place: Place) {
    let codes = place.issue(&place::run("AB0001", 3)).await;
    for serial in ["AB0001", "AB0002", "AB0003"] {
        place.ship_and_sell(serial).await;
    }
    let (pin, gunsmith) =
        (Part::FiringPin, Licensee::new("1-23-456-01-9A-44444", "Back Street Repairs").unwrap());
    let out = |by: &Licensee, code| Event::PartRemoved { by: by.clone(), part: pin, code };
    let into = |by: &Licensee, code| Event::PartFitted { by: by.clone(), part: pin, code };
    let [first, second, third] = [0, 1, 2].map(|at: usize| codes[at].code);
    for (serial, event) in [
        ("AB0001", out(&gunsmith, first)),
        ("AB0002", out(&gunsmith, second)),
        ("AB0002", into(&gunsmith, first)),
        // The dealer had it once.
        ("AB0003", out(&dealer(), third)),
    ] {
        place.record(serial, event, "2024-06-01").await.unwrap();
    }
    let asked = async |code: Code| {
        let mut request = question(&[(code, 1.0)]);
        request.parts = vec![pin];
        let answer = place.books.trace(&request, now()).await.unwrap();
        let TraceOutcome::Found(traced) = answer.outcome else { panic!("{:?}", answer.outcome) };
        (traced.firearm.key.serial.to_string(), answer.statement.join("\n"))
    };
    let (serial, said) = asked(first).await;
    assert_eq!(serial, "AB0002");
    let expected = "was last changed by Back Street Repairs, licence 1-23-456-01-9A-44444, who by these books never had the firearm; \
                    before, it was in M9 (synthetic) serial AB0001 of licence 1-23-456-78-9A-12345: look at both";
    assert!(said.contains(expected), "{said}");
    let (serial, said) = asked(second).await;
    assert!(serial == "AB0002" && said.contains("who by these books never had the firearm"), "{said}");
    let (serial, said) = asked(third).await;
    assert!(serial == "AB0003" && !said.contains("never had the firearm"), "{said}");
}

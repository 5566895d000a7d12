//! What dealers state of their own part of a chain, weighed like whatever else is in the books.

use registry::{
    ChainEnd, EntryNumber, Event, Licensee, Loss, LossKind, OwnWord, Recipient, Role, Says, Stated,
    TimeToCrime, TraceAnswer, TraceOutcome, View,
};

use sha2::{Digest as _, Sha256};

use crate::behaviour::{question, traced};
use crate::losses::theft;
use crate::place::{self, Place, dealer, now, on_both, sold, wholesaler};

on_both! {
    a_stated_sale_is_answered_like_one_that_was_recorded
    what_is_stated_must_fit_the_book
    a_later_word_corrects_the_earlier
    whatever_became_of_it_can_be_stated
    after_a_transfer_the_next_dealer_states_its_part
    a_dealer_that_closed_states_nothing_after_that
}

/// What a dealer signed; each text is another.
fn word(place: &Place, serial: &str, dealer: Licensee, says: Says) -> OwnWord {
    let sha256 = hex::encode(Sha256::digest(format!("{says:?}")));
    let stated = Stated { key: "dealer.example".to_owned(), sha256 };
    OwnWord { firearm: place.key(serial), dealer, says, by: "clerk 7".parse().unwrap(), stated }
}

fn happened(event: Event, on: &str) -> Says {
    Says::Happened(event, on.parse().unwrap())
}

fn in_stock(on: &str) -> Says {
    Says::InStock(on.parse().unwrap())
}

fn let_go(to: Recipient) -> Event {
    Event::Disposed { holder: dealer(), to }
}

async fn state(place: &Place, serial: &str, by: Licensee, says: Says) -> Result<Option<EntryNumber>, String> {
    let word = word(place, serial, by, says);
    let may = place.books.may_state(&word, now()).await.map_err(|error| error.to_string());
    let done = place.books.state(&word, now()).await.map_err(|error| error.to_string());
    assert_eq!(may, done.clone().map(|_| ()), "what is refused is refused before anything is entered");
    done
}

async fn ask_about(place: &Place, code: symbology::Code, recovered_on: &str) -> TraceAnswer {
    let mut request = question(&[(code, 1.0)]);
    request.recovered_on = Some(recovered_on.parse().unwrap());
    place.books.trace(&request, now()).await.unwrap()
}

async fn a_stated_sale_is_answered_like_one_that_was_recorded(place: Place) {
    let codes = place.issue(&place::run("AB0001", 2)).await;
    for serial in ["AB0001", "AB0002"] {
        place.ship(serial).await;
    }
    place.record("AB0001", sold(), "2024-04-01").await.unwrap();
    state(&place, "AB0002", dealer(), happened(sold(), "2024-04-01")).await.unwrap().unwrap();
    let whose = format!("that is what {} states, under its own signature", dealer());
    for (day, said) in
        [("2025-04-01", "time to crime: 365 days"), ("2024-03-15", "lies before the first retail sale")]
    {
        let sold_then = day == "2025-04-01";
        let recorded = ask_about(&place, codes[0].code, day).await;
        let stated = ask_about(&place, codes[1].code, day).await;
        let mut lines = stated.statement.clone();
        lines.retain(|line| *line != whose);
        assert_eq!(lines.len() + usize::from(sold_then), stated.statement.len(), "{:?}", stated.statement);
        assert_eq!(lines[1..], recorded.statement[1..]);
        for must in [said, "never to a person"] {
            assert!(lines.iter().any(|line| line.contains(must)), "{must}: {lines:?}");
        }
        let of_the_buyer =
            lines.iter().any(|line| line == "The first retail purchaser is not thereby a suspect.");
        assert_eq!(of_the_buyer, sold_then, "{lines:?}");
        let found = match stated.outcome {
            TraceOutcome::Found(found) if sold_then => found,
            TraceOutcome::ChainEnds(found) if !sold_then => {
                assert_eq!(found.chain.beyond.later, Some("2024-04-01".parse().unwrap()));
                continue;
            }
            other => panic!("{day}: {other:?}"),
        };
        let last = found.chain.links.last().unwrap();
        assert_eq!((last.role, &last.licensee), (Role::Retailer, &dealer()));
        assert_eq!((found.chain.stated_by, found.reference_withheld), (Some(dealer()), true));
    }
    // A theft that becomes known later is told with it, and the time is not.
    let loss = Loss {
        how: LossKind::Theft,
        incident: "I-77".parse().unwrap(),
        police_report: None,
        reported_by: Some("Example County Sheriff (synthetic)".parse().unwrap()),
    };
    place.record("AB0002", Event::Lost { holder: dealer(), loss }, "2024-06-01").await.unwrap();
    let found = traced(&place, codes[1].code).await;
    assert_eq!(found.time_to_crime, TimeToCrime::SuppressedByLoss("I-77".parse().unwrap()));
    assert_eq!(found.chain.stated_by, None, "the police said this end");
    assert!(place.books.reconcile().await.unwrap().agrees());
    let place = place.reopened().await;
    assert_eq!(traced(&place, codes[1].code).await, found);
}

async fn what_is_stated_must_fit_the_book(place: Place) {
    place.issue(&place::run("AB0001", 4)).await;
    for serial in ["AB0001", "AB0002", "AB0003"] {
        place.ship(serial).await;
    }
    place.record("AB0001", theft(dealer()), "2024-03-01").await.unwrap();
    let destroyed = Event::Destroyed { holder: dealer(), reason: "melted, two witnesses".parse().unwrap() };
    place.record("AB0002", destroyed, "2024-03-01").await.unwrap();
    let other = Event::Disposed { holder: wholesaler(), to: Recipient::Licensee(dealer()) };
    let cases = [
        ("AB0001", dealer(), happened(sold(), "2024-06-01"), "missing under incident I-77"),
        ("AB0001", dealer(), happened(sold(), "2024-02-15"), "cannot report it missing"),
        ("AB0001", dealer(), in_stock("2024-06-01"), "does not have it any more"),
        ("AB0002", dealer(), happened(sold(), "2024-06-01"), "it was destroyed on 2024-03-01"),
        ("AB0003", dealer(), happened(sold(), "2024-01-31"), "before 2024-02-01, the day on which"),
        ("AB0003", dealer(), happened(sold(), "2023-12-31"), "before 2024-02-01, the day on which"),
        ("AB0003", dealer(), happened(sold(), "2026-01-20"), "is in the future"),
        ("AB0003", dealer(), in_stock("2024-01-31"), "before 2024-02-01, the day on which"),
        ("AB0003", wholesaler(), happened(other, "2024-06-01"), "never had it"),
        ("AB0003", wholesaler(), Says::NoRecord, "never had it"),
        ("AB0004", dealer(), happened(sold(), "2024-06-01"), "never had it"),
        ("AB9999", dealer(), happened(sold(), "2024-06-01"), "is not in the books"),
    ];
    let before = place.books.reconcile().await.unwrap().log_entries;
    for (serial, by, says, expected) in cases {
        let refused = state(&place, serial, by, says.clone()).await.unwrap_err();
        assert!(refused.contains(expected), "{serial}, {says:?}: {refused}");
    }
    assert_eq!(place.books.reconcile().await.unwrap().log_entries, before, "nothing was entered");
}

async fn a_later_word_corrects_the_earlier(place: Place) {
    let codes = place.issue(&place::run("AB0001", 1)).await;
    place.ship("AB0001").await;
    assert_eq!(state(&place, "AB0001", dealer(), in_stock("2024-03-01")).await, Ok(None), "nothing to enter");
    let first = state(&place, "AB0001", dealer(), happened(sold(), "2024-04-01")).await.unwrap().unwrap();
    let again = state(&place, "AB0001", dealer(), happened(sold(), "2024-04-01")).await;
    assert_eq!(again, Ok(Some(first)), "the same text is the same entry");
    let mut same = word(&place, "AB0001", dealer(), happened(sold(), "2024-04-01"));
    same.stated.sha256 = "f".repeat(64);
    let refused = place.books.state(&same, now()).await.unwrap_err().to_string();
    assert!(refused.contains("says the same of 2024-04-01 already"), "{refused}");

    let second =
        state(&place, "AB0001", dealer(), happened(theft(dealer()), "2024-04-02")).await.unwrap().unwrap();
    let found = traced(&place, codes[0].code).await;
    assert!(matches!(&found.chain.end, ChainEnd::Lost { loss, .. } if loss.incident.as_str() == "I-77"));
    assert_eq!((found.chain.first_sale, found.chain.stated_by), (None, Some(dealer())));
    let text = ask_about(&place, codes[0].code, "2025-04-01").await.statement.join("\n");
    assert!(text.contains("it stated something else before, which this corrects"), "{text}");
    let third = state(&place, "AB0001", dealer(), in_stock("2024-05-01")).await.unwrap().unwrap();
    let found = traced(&place, codes[0].code).await;
    assert!(matches!(&found.chain.end, ChainEnd::WithLicensee { holder, .. } if holder.is(&dealer())));
    assert_eq!((found.chain.losses, found.chain.stated_by), (Vec::new(), None));
    // The very text that was withdrawn can be said again.
    let fourth = state(&place, "AB0001", dealer(), happened(sold(), "2024-04-01")).await.unwrap().unwrap();
    let fifth = state(&place, "AB0001", dealer(), happened(sold(), "2024-06-01")).await.unwrap().unwrap();

    let history = place.books.history(&place.key("AB0001")).await.unwrap().unwrap();
    let shown = |view: View| {
        let stated = view.of(&history.entries).into_iter().filter(|entry| entry.stated.is_some());
        stated.map(|entry| entry.number).collect::<Vec<_>>()
    };
    assert_eq!(shown(View::Original), [first, fourth]);
    assert_eq!(shown(View::Corrected), [fifth]);
    assert_eq!(shown(View::Both), [first, second, third, fourth, fifth]);
    let mut table = Vec::new();
    place.books.export(View::Both, &"clerk".parse().unwrap(), now(), &mut table).await.unwrap();
    let table = String::from_utf8(table).unwrap();
    assert_eq!(table.lines().filter(|line| line.contains(",dealer.example,")).count(), 5, "{table}");

    // Brought back and sold anew, it was sold twice; the first sale is not corrected by the second.
    let back = Event::Acquired { holder: dealer(), source: registry::Source::Public("R-1".parse().unwrap()) };
    place.record("AB0001", back, "2024-07-01").await.unwrap();
    state(&place, "AB0001", dealer(), happened(sold(), "2024-08-01")).await.unwrap().unwrap();
    let chain = traced(&place, codes[0].code).await.chain;
    assert_eq!(chain.first_sale.unwrap().on, "2024-06-01".parse().unwrap());
    assert!(place.books.reconcile().await.unwrap().agrees());
}

async fn whatever_became_of_it_can_be_stated(place: Place) {
    let codes = place.issue(&place::run("AB0001", 4)).await;
    let permit = "X-1".parse().unwrap();
    let ends = [
        (theft(dealer()), "theft reported by Corner Guns"),
        (let_go(Recipient::Government("Example PD (synthetic)".parse().unwrap())), "a sale to Example PD"),
        (let_go(Recipient::Export { country: "CA".parse().unwrap(), permit }), "an export to CA"),
        (
            Event::Destroyed { holder: dealer(), reason: "melted, two witnesses".parse().unwrap() },
            "was destroyed on 2024-04-01",
        ),
    ];
    for (at, (event, said)) in ends.into_iter().enumerate() {
        let serial = codes[at].serial.as_str();
        place.ship(serial).await;
        state(&place, serial, dealer(), happened(event, "2024-04-01")).await.unwrap().unwrap();
        let text = ask_about(&place, codes[at].code, "2025-04-01").await.statement.join("\n");
        assert!(text.contains(said) && text.contains("under its own signature"), "{text}");
        assert!(!text.contains("ask there"), "{text}");
    }
}

async fn after_a_transfer_the_next_dealer_states_its_part(place: Place) {
    let codes = place.issue(&place::run("AB0001", 1)).await;
    place.ship("AB0001").await;
    let to_next = let_go(Recipient::Licensee(wholesaler()));
    state(&place, "AB0001", dealer(), happened(to_next, "2024-04-01")).await.unwrap().unwrap();
    let chain = place.books.possession(&place.key("AB0001")).await.unwrap();
    assert!(matches!(&chain.end, ChainEnd::WithLicensee { holder, .. } if holder.is(&wholesaler())));
    let sale = Event::Disposed { holder: wholesaler(), to: Recipient::Form4473("W-1".parse().unwrap()) };
    state(&place, "AB0001", wholesaler(), happened(sale, "2024-05-01")).await.unwrap().unwrap();
    let chain = traced(&place, codes[0].code).await.chain;
    let roles: Vec<_> = chain.links.iter().map(|link| (link.role, link.licensee.licence.clone())).collect();
    assert_eq!(roles[1..], [(Role::Distributor, dealer().licence), (Role::Retailer, wholesaler().licence)]);
    // The first cannot take back what the second built on.
    for says in [happened(sold(), "2024-04-15"), in_stock("2024-06-01")] {
        assert!(state(&place, "AB0001", dealer(), says).await.is_err());
    }
}

async fn a_dealer_that_closed_states_nothing_after_that(place: Place) {
    place.issue(&place::run("AB0001", 1)).await;
    place.ship("AB0001").await;
    let closed = "2024-06-01".parse().unwrap();
    place
        .books
        .close_licensee(&dealer().licence, (closed, "the archive"), &"clerk example".parse().unwrap(), now())
        .await
        .unwrap();
    let refused = state(&place, "AB0001", dealer(), happened(sold(), "2024-06-02")).await.unwrap_err();
    assert!(refused.contains("is out of business since 2024-06-01"), "{refused}");
    state(&place, "AB0001", dealer(), happened(sold(), "2024-05-31")).await.unwrap().unwrap();
}

//! The chain is that of the day on which the case was recovered, in whatever order the entries arrived.

use proptest::prelude::*;
use registry::{
    ChainEnd, Entry, Event, Licensee, Recipient, Source, TimeToCrime, TraceAnswer, TraceOutcome, Traced,
    View, chain_on,
};
use symbology::Code;

use crate::behaviour::question;
use crate::place::{self, Place, dealer, now, on_both, wholesaler};
use crate::second_step::reference;

on_both! {
    the_chain_is_that_of_the_day
    a_government_body_that_had_it_is_named
    the_reference_is_that_of_the_sale_that_was_told
    hand_overs_of_one_day_are_taken_in_any_order
}

fn sale(number: &str) -> Event {
    Event::Disposed { holder: dealer(), to: Recipient::Form4473(number.parse().unwrap()) }
}

fn brought_back() -> Event {
    Event::Acquired { holder: dealer(), source: Source::Public("R-1".parse().unwrap()) }
}

async fn ask_on(place: &Place, code: Code, day: &str) -> TraceAnswer {
    let mut request = question(&[(code, 1.0)]);
    request.recovered_on = Some(day.parse().unwrap());
    place.books.trace(&request, now()).await.unwrap()
}

fn told(answer: &TraceAnswer) -> &Traced {
    match &answer.outcome {
        TraceOutcome::Found(traced) | TraceOutcome::ChainEnds(traced) => traced,
        other => panic!("{other:?}"),
    }
}

/// Sold, brought back, sold again, brought back and destroyed.
async fn sold_twice(place: &Place) -> Code {
    let code = place.issue(&place::run("AB0001", 1)).await[0].code;
    place.ship("AB0001").await;
    place.record("AB0001", sale("T-1"), "2024-04-01").await.unwrap();
    place.record("AB0001", brought_back(), "2024-05-01").await.unwrap();
    place.record("AB0001", sale("T-2"), "2024-06-01").await.unwrap();
    place.record("AB0001", brought_back(), "2024-07-01").await.unwrap();
    let destroyed = Event::Destroyed { holder: dealer(), reason: "unsafe to fire".parse().unwrap() };
    place.record("AB0001", destroyed, "2024-08-01").await.unwrap();
    code
}

async fn the_chain_is_that_of_the_day(place: Place) {
    let code = sold_twice(&place).await;
    for (day, end, time, later) in [
        ("2024-03-15", "with-licensee", TimeToCrime::BeforeSale, Some("2024-04-01")),
        ("2024-04-15", "retail-sale 2024-04-01", TimeToCrime::Days(14), Some("2024-05-01")),
        ("2024-05-15", "with-licensee", TimeToCrime::NotWithABuyer, Some("2024-06-01")),
        ("2024-06-15", "retail-sale 2024-06-01", TimeToCrime::Days(75), Some("2024-07-01")),
        ("2024-07-15", "with-licensee", TimeToCrime::NotWithABuyer, Some("2024-08-01")),
        ("2025-01-01", "destroyed", TimeToCrime::NotWithABuyer, None),
    ] {
        let answer = ask_on(&place, code, day).await;
        let traced = told(&answer);
        let is = match &traced.chain.end {
            ChainEnd::RetailSale(sale) => format!("retail-sale {}", sale.on),
            ChainEnd::WithLicensee { holder, .. } if holder.is(&dealer()) => "with-licensee".to_owned(),
            ChainEnd::Destroyed { .. } => "destroyed".to_owned(),
            other => panic!("{day}: {other:?}"),
        };
        assert_eq!((is.as_str(), &traced.time_to_crime), (end, &time), "{day}");
        assert_eq!(traced.chain.beyond.later, later.map(|day| day.parse().unwrap()), "{day}");
        assert!(!traced.chain.beyond.on_the_day, "{day}");
        let text = answer.statement.join("\n");
        assert_eq!(text.contains("the books have it go on from"), later.is_some(), "{text}");
        assert_eq!(
            text.contains("days from the first retail sale"),
            matches!(time, TimeToCrime::Days(_)),
            "{text}"
        );
        let named = end.starts_with("retail-sale");
        assert_eq!(matches!(answer.outcome, TraceOutcome::Found(_)), named, "{day}");
        assert_eq!(traced.reference_withheld, named, "{day}: only of a buyer who had it on that day");
    }
    // On the day of a hand-over it was with both.
    let answer = ask_on(&place, code, "2024-05-01").await;
    assert!(told(&answer).chain.beyond.on_the_day);
    assert!(
        answer.statement.iter().any(|line| line.contains("the day of recovery itself")),
        "{:?}",
        answer.statement
    );
}

async fn a_government_body_that_had_it_is_named(place: Place) {
    let code = place.issue(&place::run("AB0001", 1)).await[0].code;
    place.ship("AB0001").await;
    let sheriff = Recipient::Government("Example County Sheriff (synthetic)".parse().unwrap());
    place.record("AB0001", Event::Disposed { holder: dealer(), to: sheriff }, "2024-04-01").await.unwrap();
    place.record("AB0001", brought_back(), "2024-06-01").await.unwrap();
    place.record("AB0001", sale("T-1"), "2024-07-01").await.unwrap();
    let answer = ask_on(&place, code, "2024-05-01").await;
    assert!(matches!(told(&answer).chain.end, ChainEnd::Government { .. }), "{answer:?}");
    let text = answer.statement.join("\n");
    assert!(text.contains("a sale to Example County Sheriff (synthetic) on 2024-04-01"), "{text}");
    assert!(!text.contains("is wrong"), "nothing is: {text}");
}

async fn the_reference_is_that_of_the_sale_that_was_told(place: Place) {
    let code = sold_twice(&place).await;
    let mut request = question(&[(code, 1.0)]);
    for (day, mine, other) in [("2024-04-15", "T-1", "T-2"), ("2024-06-15", "T-2", "T-1")] {
        request.recovered_on = Some(day.parse().unwrap());
        let first = place.books.trace(&request, now()).await.unwrap();
        let second = reference(&place, &request, first.question).await.unwrap();
        let text = serde_json::to_string(&second).unwrap();
        assert!(text.contains(mine) && !text.contains(other), "{day}: {text}");
    }
    // Approved for the sale of June; then it turns out that it had been brought back and sold again before.
    let first = place.books.trace(&request, now()).await.unwrap();
    place.record("AB0001", brought_back(), "2024-06-05").await.unwrap();
    place.record("AB0001", sale("T-3"), "2024-06-10").await.unwrap();
    let refused = reference(&place, &request, first.question).await.unwrap_err().to_string();
    assert!(refused.contains("told the chain of this firearm"), "{refused}");
    let again = place.books.trace(&request, now()).await.unwrap();
    let text = serde_json::to_string(&reference(&place, &request, again.question).await.unwrap()).unwrap();
    assert!(text.contains("T-3"), "{text}");
}

/// Maker, wholesaler, dealer and buyer on one day, as with a drop shipment.
fn one_day(maker: Licensee) -> [Event; 3] {
    [
        Event::Disposed { holder: maker, to: Recipient::Licensee(wholesaler()) },
        Event::Disposed { holder: wholesaler(), to: Recipient::Licensee(dealer()) },
        sale("T-1"),
    ]
}

async fn hand_overs_of_one_day_are_taken_in_any_order(place: Place) {
    // Every order in which no report leaves a gap behind one that is there already.
    let orders = [[0, 1, 2], [1, 0, 2], [1, 2, 0], [2, 1, 0]];
    let codes = place.issue(&place::run("AB0001", 4)).await;
    for (order, issued) in orders.iter().zip(&codes) {
        for at in order {
            place
                .record(issued.serial.as_str(), one_day(place.books.issuer())[*at].clone(), "2024-02-01")
                .await
                .unwrap();
        }
        let answer = ask_on(&place, issued.code, "2024-03-01").await;
        let links: Vec<_> = told(&answer).chain.links.iter().map(|link| &link.licensee).collect();
        assert_eq!(links.len(), 3, "{order:?}: {links:?}");
        assert!(links[1].is(&wholesaler()) && links[2].is(&dealer()), "{order:?}");
        assert!(matches!(told(&answer).chain.end, ChainEnd::RetailSale(_)), "{order:?}");
    }
    // What cannot be in any order is refused as before.
    let again = place.record("AB0001", sale("T-9"), "2024-02-01").await.unwrap_err();
    assert!(again.contains("sold at retail"), "{again}");
}

/// One step of a firearm's way: where it goes from wherever it is.
fn step(at: u8, goes: u8) -> (Event, u8) {
    let who = |at: u8| if at == 1 { wholesaler() } else { dealer() };
    match (at, goes % 3) {
        // With a buyer: it comes back.
        (0, goes) => {
            let to = 1 + goes % 2;
            let source = Source::Public("R-1".parse().unwrap());
            (Event::Acquired { holder: who(to), source }, to)
        }
        (at, 0) => (Event::Disposed { holder: who(at), to: Recipient::Licensee(who(3 - at)) }, 3 - at),
        (at, _) => (Event::Disposed { holder: who(at), to: Recipient::Form4473("T-1".parse().unwrap()) }, 0),
    }
}

proptest! {
    /// Whoever has it at the end of a day by a plain replay is who the chain of that day ends with.
    #[test]
    fn the_holder_of_a_day_is_that_of_a_replay(goes in proptest::collection::vec((0_u8..3, 1_i32..20), 1..12), asked in 0_i32..200) {
        let mut day: jiff::civil::Date = "2024-01-02".parse().unwrap();
        let asked = day.saturating_add(jiff::Span::new().days(asked));
        let made = Event::Manufactured { by: dealer() };
        let (mut at, mut then, mut entries) = (2, 2, vec![entry(1, made, day)]);
        for (number, (goes, days)) in (2..).zip(goes) {
            let (event, to) = step(at, goes);
            day = day.saturating_add(jiff::Span::new().days(days));
            at = to;
            if day <= asked {
                then = at;
            }
            entries.push(entry(number, event, day));
        }
        entries.reverse();
        let chain = chain_on(&View::Corrected.of(&entries), asked).unwrap();
        let ends = match chain.end {
            ChainEnd::RetailSale(sale) => { prop_assert!(sale.on <= asked); 0 }
            ChainEnd::WithLicensee { holder, .. } if holder.is(&wholesaler()) => 1,
            ChainEnd::WithLicensee { .. } => 2,
            other => panic!("{other:?}"),
        };
        prop_assert_eq!(ends, then);
        prop_assert_eq!(chain.beyond.later.is_some(), entries.iter().any(|entry| entry.on > asked));
    }
}

fn entry(number: u64, event: Event, on: jiff::civil::Date) -> Entry {
    Entry {
        number,
        event,
        on,
        recorded_at: now(),
        recorded_by: "clerk".parse().unwrap(),
        description: None,
        corrects: None,
        signed: None,
        stated: None,
    }
}

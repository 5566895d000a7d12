//! Thefts and losses: who reports them, what they do to an answer, and how they end.

use registry::{ChainEnd, Event, Loss, LossKind, Recipient, Source, TimeToCrime, TraceOutcome};

use crate::behaviour::{ask, question, traced};
use crate::place::{self, Place, dealer, now, on_both, sold, wholesaler};

on_both! {
    words_a_theft_and_suppresses_the_time
    takes_a_loss_from_whom_it_concerns
}

pub(crate) fn theft(holder: registry::Licensee) -> Event {
    let incident = "I-77".parse().unwrap();
    Event::Lost {
        holder,
        loss: Loss { how: LossKind::Theft, incident, police_report: None, reported_by: None },
    }
}

async fn words_a_theft_and_suppresses_the_time(place: Place) {
    let codes = place.issue(&place::run("AB0001", 2)).await;
    place.ship_and_sell("AB0001").await;
    place.record("AB0001", stolen_from_its_buyer(), "2024-05-01").await.unwrap();
    let answer = ask(&place, &[(codes[0].code, 1.0)]).await;
    let text = answer.statement.join("\n");
    assert!(text.contains("lawful possession ends on 2024-05-01"), "{text}");
    assert!(text.contains("theft reported by Example County Sheriff (synthetic), incident I-77"), "{text}");
    assert!(text.contains("time to crime is not given"), "{text}");
    let TraceOutcome::ChainEnds(found) = answer.outcome else { panic!("{:?}", answer.outcome) };
    assert_eq!(found.time_to_crime, TimeToCrime::SuppressedByLoss("I-77".parse().unwrap()));
    let refused = place.record("AB0001", sold(), "2024-06-01").await.unwrap_err();
    assert!(refused.contains("missing under incident I-77"), "{refused}");
    let found_again = |incident: &str, reported_by| Event::Recovered {
        holder: dealer(),
        incident: incident.parse().unwrap(),
        reported_by,
    };
    assert!(place.record("AB0001", found_again("I-78", None), "2024-06-01").await.is_err());
    // The police give it back to its buyer: the chain ends where it ended before.
    place.record("AB0001", found_again("I-77", Some(sheriff())), "2024-06-01").await.unwrap();
    let found = traced(&place, codes[0].code).await;
    assert!(matches!(&found.chain.end, ChainEnd::RetailSale(sale) if sale.dealer.is(&dealer())));
    assert_eq!((found.chain.links.len(), found.chain.losses.len()), (3, 1));
    // While it was missing nobody knows who had it, though it was found again; before and after, the time is told.
    for (day, told) in [
        ("2024-04-30", TimeToCrime::Days(29)),
        ("2024-05-01", TimeToCrime::SuppressedByLoss("I-77".parse().unwrap())),
        ("2024-06-01", TimeToCrime::SuppressedByLoss("I-77".parse().unwrap())),
        ("2024-06-02", TimeToCrime::Days(62)),
    ] {
        let mut request = question(&[(codes[0].code, 1.0)]);
        request.recovered_on = Some(day.parse().unwrap());
        let answer = place.books.trace(&request, now()).await.unwrap();
        let missing = matches!(&answer.outcome, TraceOutcome::ChainEnds(found) if matches!(found.chain.end, ChainEnd::Lost { .. }));
        assert_eq!(missing, day == "2024-05-01", "{day}");
        let (TraceOutcome::Found(found) | TraceOutcome::ChainEnds(found)) = answer.outcome else {
            panic!("{answer:?}")
        };
        assert_eq!(found.time_to_crime, told, "{day}");
    }
    // Stolen again, and this time a dealer takes it in and sells it.
    place.record("AB0001", stolen_from_its_buyer(), "2024-06-10").await.unwrap();
    place.record("AB0001", found_again("I-77", None), "2024-06-20").await.unwrap();
    place.record("AB0001", sold(), "2024-07-01").await.unwrap();
    let found = traced(&place, codes[0].code).await;
    assert_eq!(found.time_to_crime, TimeToCrime::Days(365), "it counts from the first sale");
    assert_eq!(found.chain.losses.len(), 2);
}

fn sheriff() -> registry::names::PartyName {
    "Example County Sheriff (synthetic)".parse().unwrap()
}

/// What the police report and no licensee can: it was in nobody's inventory.
fn stolen_from_its_buyer() -> Event {
    let Event::Lost { holder, mut loss } = theft(dealer()) else { unreachable!() };
    loss.reported_by = Some(sheriff());
    Event::Lost { holder, loss }
}

/// 27 CFR 478.39a: the licensee from whose inventory it is missing reports, in transit the sender; the police report what
/// was in no inventory.
async fn takes_a_loss_from_whom_it_concerns(place: Place) {
    let codes = place.issue(&place::run("AB0001", 2)).await;
    let maker = place.books.issuer();
    let on_the_way = |holder| {
        let Event::Lost { holder, mut loss } = theft(holder) else { unreachable!() };
        loss.how = LossKind::InTransit;
        Event::Lost { holder, loss }
    };
    let ship = |from, to| Event::Disposed { holder: from, to: Recipient::Licensee(to) };
    let receive = |holder, from| Event::Acquired { holder, source: Source::Licensee(from) };
    let found = |holder| Event::Recovered { holder, incident: "I-77".parse().unwrap(), reported_by: None };
    let steps = [
        (
            theft(dealer()),
            "2024-01-10",
            Some("cannot report it missing on 2024-01-10: the book has it with Example"),
        ),
        (ship(maker.clone(), wholesaler()), "2024-02-01", None),
        (theft(maker.clone()), "2024-02-02", Some("the book has it with Wholesale One")),
        (
            on_the_way(wholesaler()),
            "2024-02-02",
            Some("Example Arms (synthetic), licence 1-23-456-78-9A-12345 sent it"),
        ),
        (on_the_way(dealer()), "2024-02-02", Some("sent it")),
        (on_the_way(maker.clone()), "2024-02-02", None),
        (on_the_way(maker.clone()), "2024-02-03", Some("reported missing already")),
        (found(wholesaler()), "2024-02-05", None),
        (on_the_way(maker.clone()), "2024-02-06", Some("the book has it with Wholesale One")),
        (ship(wholesaler(), dealer()), "2024-03-01", None),
        (receive(dealer(), wholesaler()), "2024-03-02", None),
        (on_the_way(wholesaler()), "2024-03-03", Some("the book has it with Corner Guns")),
        (theft(dealer()), "2024-03-03", None),
        (found(dealer()), "2024-03-04", None),
        (sold(), "2024-04-01", None),
        (theft(dealer()), "2024-05-01", Some("it was sold at retail on 2024-04-01")),
        (on_the_way(wholesaler()), "2024-05-01", Some("it was sold at retail")),
        (stolen_from_its_buyer(), "2024-05-01", None),
    ];
    for (event, on, expected) in steps {
        match (place.record("AB0001", event.clone(), on).await, expected) {
            (Ok(_), None) => {}
            (Err(refused), Some(expected)) if refused.contains(expected) => {}
            (done, expected) => panic!("{event:?} on {on}: {done:?}, expected {expected:?}"),
        }
    }
    assert_eq!(traced(&place, codes[0].code).await.chain.losses.len(), 3);
    // The recipient's entry may be written first: then the shipment is over before the sender's entry arrives.
    place.record("AB0002", receive(wholesaler(), maker.clone()), "2024-02-03").await.unwrap();
    place.record("AB0002", ship(maker.clone(), wholesaler()), "2024-02-01").await.unwrap();
    assert!(place.record("AB0002", on_the_way(maker), "2024-02-04").await.is_err());
}

//! Serialised ammunition: one code for a box.

use registry::{Event, Part, Recipient};

use crate::place::{self, Place, dealer, now, run};

#[tokio::test]
async fn a_box_of_ammunition_is_traced_to_its_sale() {
    let place = Place::sqlite().await.unwrap();
    let mut boxes = run("BOX0001", 2);
    boxes.description.kind = registry::FirearmKind::Ammunition;
    boxes.parts = vec![Part::Round];
    let issued = place.issue(&boxes).await;
    let to_dealer = Event::Disposed { holder: place.books.issuer(), to: Recipient::Licensee(dealer()) };
    place.record("BOX0001", to_dealer, "2024-02-01").await.unwrap();
    place.record("BOX0001", place::sold(), "2024-04-01").await.unwrap();
    let request = crate::outage::question(issued[0].code);
    let answer = place.books.trace(&request, now()).await.unwrap();
    let text = answer.statement.join("\n");
    assert!(text.contains("is that of box BOX0001 of M9 (synthetic)") && !text.contains("4473"), "{text}");
    assert!(text.contains("the sale record is withheld") && !text.contains("T-0815"), "{text}");
    let approved = registry::TraceRequest { approver: Some("sgt. example".parse().unwrap()), ..request };
    let first = place.books.trace(&approved, now()).await.unwrap();
    assert!(!first.statement.join("\n").contains("T-0815"), "{first:?}");
    let step = registry::SecondStep { after: first.question, approver: "lt. example".parse().unwrap() };
    let second = place.books.trace_reference(&approved, &step, now()).await.unwrap();
    let text = second.statement.join("\n");
    assert!(text.contains("sale record T-0815 of 2024-04-01"), "{text}");
    let registry::TraceOutcome::Found(traced) = second.outcome else { panic!() };
    assert_eq!(traced.parts[0].part, Part::Round);
}

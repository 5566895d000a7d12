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
    // What is told is the code that stands on the rounds, whose check characters are others than on a firearm.
    let word: Vec<u8> = issued[0].code.symbols().iter().map(|symbol| symbol.value()).collect();
    let on_rounds = symbology::Scheme::round_1().text(&word);
    assert!(text.contains(&on_rounds) && !text.contains(&issued[0].code.to_string()), "{text}");
    assert!(
        text.contains("lead to a box of cartridges") && !text.contains("parts can be replaced"),
        "{text}"
    );
    let approved = registry::TraceRequest { approver: Some("sgt. example".parse().unwrap()), ..request };
    let first = place.books.trace(&approved, now()).await.unwrap();
    assert!(!first.statement.join("\n").contains("T-0815"), "{first:?}");
    let step = registry::SecondStep { after: first.question, approver: "lt. example".parse().unwrap() };
    let second = place.books.trace_reference(&approved, &step, now()).await.unwrap();
    let text = second.statement.join("\n");
    assert!(text.contains("sale record T-0815 of 2024-04-01"), "{text}");
    let registry::TraceOutcome::Found(traced) = second.outcome else { panic!() };
    assert_eq!(traced.parts[0].part, Part::Round);
    // So is what is certified.
    let key = place.key("BOX0001");
    let note =
        place.books.certificate(&key, &"clerk".parse().unwrap(), now()).await.unwrap().note.to_string();
    assert!(
        note.contains("scheme: round-1") && note.contains(&format!("round: {on_rounds}, issued")),
        "{note}"
    );
}

#[tokio::test]
async fn nothing_of_a_box_is_a_part_of_a_firearm() {
    let place = Place::sqlite().await.unwrap();
    let mut boxes = run("BOX0001", 1);
    boxes.model = "Range lot 7".parse().unwrap();
    boxes.description.kind = registry::FirearmKind::Ammunition;
    boxes.parts = vec![Part::Round];
    let of_the_box = place.issue(&boxes).await[0].code;
    let of_the_pistol = place.issue(&run("AB0001", 1)).await[0].code;
    let maker = place.books.issuer();
    let key = |model: &registry::names::Model, serial: &str| registry::FirearmKey {
        licence: maker.licence.clone(),
        model: model.clone(),
        serial: serial.parse().unwrap(),
    };
    let (a_box, pistol) = (key(&boxes.model, "BOX0001"), key(&run("AB0001", 1).model, "AB0001"));
    let by: registry::names::Person = "clerk".parse().unwrap();
    let moves = [
        (&a_box, Event::PartRemoved { by: maker.clone(), part: Part::Round, code: of_the_box }),
        (&pistol, Event::PartFitted { by: maker.clone(), part: Part::Round, code: of_the_box }),
        (&pistol, Event::PartRemoved { by: maker.clone(), part: Part::FiringPin, code: of_the_pistol }),
        (&a_box, Event::PartFitted { by: maker.clone(), part: Part::FiringPin, code: of_the_pistol }),
    ];
    for (at, (firearm, event)) in moves.into_iter().enumerate() {
        let entry = registry::NewEntry {
            firearm: firearm.clone(),
            event,
            on: "2024-02-01".parse().unwrap(),
            description: None,
        };
        let done = place.books.record(&entry, &by, now()).await.map_err(|error| error.to_string());
        match (at, done) {
            (2, done) => drop(done.unwrap()),
            (_, done) => assert!(
                done.as_ref().is_err_and(|what| what.contains("boxes have no parts")),
                "{at}: {done:?}"
            ),
        }
    }
    for (part, into) in
        [(Part::Round, None), (Part::FiringPin, Some((&a_box, "2024-02-02".parse().unwrap())))]
    {
        let refused = place.books.issue_part(part, into, &by, now()).await.unwrap_err().to_string();
        assert!(refused.contains("boxes have no parts"), "{part}: {refused}");
    }
    let many = registry::serial_run(&"BOX000000001".parse().unwrap(), (1 << 21) + 1).unwrap_err().to_string();
    assert!(many.contains("a block has 1048576 codes"), "{many}");
}

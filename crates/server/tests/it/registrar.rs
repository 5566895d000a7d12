//! A registrar's entry stands once, also when the node was cut off between the books and its log.

use registry::{Books, Description, NewEntry};
use serde_json::{Value, json};
use server::access::Role;
use server::api::EntryDraft;
use server::federation::Message;
use server::{Act, Key, Ledger};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::people::Office;
use crate::world::{DEALER, MAKER};

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_was_cut_off_before_its_end_was_logged_is_not_made_twice() {
    let (mut house, operator) = Office::at("issuer").await;
    let mut clerk = house.join(&operator, "clerk example", &[Role::Registrar], 3).await;
    let maker = json!({"licence": MAKER, "name": "Maker K7 (synthetic)"});
    let dealer = json!({"licence": DEALER, "name": "Corner Guns (synthetic)"});
    let entry = json!({
        "firearm": {"licence": MAKER, "model": "M9", "serial": "AB10006"}, "on": "2024-02-01",
        "event": {"kind": "disposed", "holder": maker, "to": {"licensee": dealer}},
    });
    let content = entry.to_string().into_bytes();
    // What a node leaves behind that is killed after the books took the entry: its beginning in the log, and the entry.
    let listener = house.world.stop_for_a_while("issuer").await;
    let (node, now) = (house.world.node("issuer"), house.world.clock.now());
    {
        let ledger = Ledger::open(&node.folder, &node.log).unwrap();
        let number = Sha256::digest("a")[..16].try_into().map(Uuid::from_bytes).unwrap();
        let body = json!({"by": "clerk example", "sha256": hex::encode(Sha256::digest(&content))});
        let begun = Act::new("registrar-entry", body).found_by(Key::new("begun", number));
        ledger.enter(&[begun], now).await.unwrap();
    }
    let books = Books::open(&house.world.path("issuer"), now).await.unwrap();
    let EntryDraft { firearm, event, on, .. } = serde_json::from_value(entry).unwrap();
    let description: Option<Description> = None;
    let new = NewEntry { firearm: firearm.clone(), event, on, description };
    let made = books.record(&new, &"clerk example".parse().unwrap(), now).await.unwrap();
    books.close().await;
    house.world.serve("issuer", listener).await;

    assert_eq!(house.sign_in(&mut clerk, crate::people::PASSWORD).await, 200);
    for _ in 0..2 {
        let message = Message::request("POST", &format!("{}/registry/v1/entries", house.url))
            .with("authorization", &format!("Bearer {}", clerk.session))
            .with("idempotency-key", "a");
        let (status, answer) = house.send(&message, content.clone()).await;
        assert_eq!((status, &answer["entry"]), (201, &Value::from(made)), "{answer}");
    }
    house.world.stop("issuer").await;
    let books = Books::open(&house.world.path("issuer"), now).await.unwrap();
    let history = books.history(&firearm).await.unwrap().unwrap();
    assert_eq!(history.entries.len(), 2, "its making and one disposition");
    books.close().await;
}

//! An issuer that closed: its signed delegation sends the agency to the successor, who says so.

use server::api::{IssuerCard, OutcomeName};
use server::federation::{Directory, DirectoryContent, DirectoryError, Route, delegate};
use server::roles::{DirectoryKeeper, Enrolment};
use server::{Node, NodeRole, validity};

use crate::world::{World, listener, node, question};

/// The first issuer's card with a delegation in it.
fn closed(world: &World, delegation: String) -> IssuerCard {
    let (valid_from, valid_until) = validity(world.clock.now(), 30);
    let (card, prefixes) = (world.node("issuer").card(), vec!["K7".parse().unwrap()]);
    IssuerCard { node: card, prefixes, delegation: Some(delegation), valid_from, valid_until }
}

fn enrol_heir(world: &World, heir: &Node) {
    let (valid_from, valid_until) = validity(world.clock.now(), 30);
    let card = IssuerCard { node: heir.card(), prefixes: vec![], delegation: None, valid_from, valid_until };
    DirectoryKeeper::enrol(&world.path("directory"), Enrolment::Issuer(Box::new(card))).unwrap();
}

/// The successor's node over a copy of the closed issuer's books.
fn heir(world: &World, url: &str) -> Node {
    let (from, to) = (world.path("issuer"), world.path("heir"));
    std::fs::create_dir_all(&to).unwrap();
    let copied = std::process::Command::new("cp").arg("-r").arg(from.join(".")).arg(&to).status().unwrap();
    assert!(copied.success());
    std::fs::remove_dir_all(to.join("node")).unwrap();
    let directory = world.node("directory");
    let mut heir = node(&to, NodeRole::Issuer, "heir.example", url);
    let place = format!("{}/directory", directory.config.url);
    heir.trust(&place, &directory.statements.verifier().to_string()).unwrap();
    heir
}

#[tokio::test(flavor = "multi_thread")]
async fn the_successor_of_a_closed_issuer_answers_and_says_so() {
    let mut world = World::start().await;
    world.stop("issuer").await;
    let parts = listener();
    let heir = heir(&world, &parts.url);
    enrol_heir(&world, &heir);
    let until = world.clock.now() + jiff::SignedDuration::from_hours(24);
    let old = world.node("issuer");
    let note = delegate(&old.config.name, &heir.config.name, until, &old.statements).unwrap();
    let card = closed(&world, note);
    DirectoryKeeper::enrol(&world.path("directory"), Enrolment::Issuer(Box::new(card))).unwrap();
    published(&world).await;
    world.serve("heir", parts.listener).await;
    let agency = world.agency().await;
    let asked = question(&[(world.codes[0], 0.9999)]);
    let answer = agency.ask(&asked).await.unwrap().remove(0).unwrap().answer;
    assert_eq!((answer.outcome, answer.issuer.as_str()), (OutcomeName::Found, "heir.example"));
    assert_eq!(answer.delegated_by.unwrap().as_str(), "issuer.example");
    assert!(answer.statement.iter().any(|line| line.starts_with("delegated: issuer.example closed")));

    // The closed issuer's own node, should it still run, sends to the successor and tells nothing.
    world.serve("issuer", std::net::TcpListener::bind(address(&old)).unwrap()).await;
    let directory = agency.directory.current(world.clock.now()).unwrap();
    let card = directory.issuer(&old.config.name).unwrap();
    let answer = agency.ask_issuer(card, &question(&[(world.codes[0], 0.9999)])).await.unwrap().answer;
    assert_eq!((answer.outcome, answer.firearm), (OutcomeName::Delegated, None));
    assert_eq!(answer.delegated_to.unwrap().as_str(), "heir.example");
}

fn address(node: &Node) -> String {
    node.config.url.trim_start_matches("http://").to_owned()
}

/// Until the directory's node has published what was enrolled last.
async fn published(world: &World) {
    let (directory, heir) = (format!("{}/directory", world.node("directory").config.url), "heir.example");
    for _ in 0..40 {
        let (_, bytes) = world.client.get(&directory).await.unwrap();
        if String::from_utf8_lossy(&bytes).contains(heir) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the directory did not publish the successor");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_or_expired_delegation_is_nobodys() {
    let world = World::start().await;
    let (root, old, heir) = (world.node("directory").statements, world.node("issuer"), world.node("second"));
    let (from, to) = (old.config.name.clone(), heir.config.name.clone());
    let now = world.clock.now();
    let soon = now + jiff::SignedDuration::from_secs(60);
    let directory = |note: String| {
        let (issued_at, expires_at) = validity(now, 7);
        let mut content = DirectoryContent::new(1, issued_at, expires_at);
        let (valid_from, valid_until) = validity(now, 30);
        let (node, prefixes, delegation) = (heir.card(), vec![], None);
        content.issuers =
            vec![closed(&world, note), IssuerCard { node, prefixes, delegation, valid_from, valid_until }];
        Directory::parse(&content.sign(&root).unwrap(), root.verifier())
    };
    let good = delegate(&from, &to, soon, &old.statements).unwrap();
    let prefix = "K7".parse().unwrap();
    let held = directory(good.clone()).unwrap();
    assert!(matches!(held.route(prefix, now), Route::Delegated { .. }));
    let late = soon + jiff::SignedDuration::from_secs(1);
    assert_eq!(held.route(prefix, late), Route::Nobody, "an expired delegation is worth nothing");
    let forged = [
        delegate(&from, &to, soon, &heir.statements).unwrap(),
        good.replace(to.as_str(), "agency.example"),
        good.replace("until 2", "until 3"),
        delegate(&to, &from, soon, &old.statements).unwrap(),
        delegate(&from, &"nobody.example".parse().unwrap(), soon, &old.statements).unwrap(),
        delegate(&from, &from, soon, &old.statements).unwrap(),
        String::new(),
    ];
    for note in forged {
        assert!(matches!(directory(note.clone()), Err(DirectoryError::Contradiction(_))), "{note}");
    }
}

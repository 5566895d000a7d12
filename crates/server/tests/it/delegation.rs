//! An issuer that closed: its signed delegation sends the agency to the successor, who says so.

use jiff::SignedDuration;
use registry::{Books, SuccessorIdentity, take_over};
use server::api::{Answer, IssuerCard, OutcomeName};
use server::federation::{Directory, DirectoryContent, DirectoryError, Route, delegate};
use server::roles::{Agency, AskError, DirectoryHolder, Enrolment};
use server::{Node, validity};
use symbology::Code;

use crate::world::{World, question, until};

/// The first issuer's card with a delegation in it.
fn closed(world: &World, delegation: String) -> IssuerCard {
    let (valid_from, valid_until) = validity(world.clock.now(), 30);
    let (card, prefixes) = (world.node("issuer").card(), vec!["K7".parse().unwrap()]);
    let (delegation, books_log, books_log_ended) = (Some(delegation), None, None);
    IssuerCard { node: card, prefixes, delegation, books_log, books_log_ended, valid_from, valid_until }
}

/// The second issuer takes over the books of the first, which closes; its node is not told yet.
async fn take_over_first(world: &World) {
    let (old, new, now) = (world.path("issuer"), world.path("second"), world.clock.now());
    let key = std::fs::read_to_string(old.join("keys/log.pub")).unwrap().trim().parse().unwrap();
    let (identity, file) = (SuccessorIdentity::generate(), world.path("k7.succession"));
    let books = Books::open(&old, now).await.unwrap();
    books.hand_over(&identity.key(), &file, &"owner".parse().unwrap(), now).await.unwrap();
    books.close().await;
    take_over(&file, &identity, Some(&key), &new.join("taken-k7"), now).await.unwrap();
}

async fn ask(agency: &Agency, codes: &[(Code, f64)]) -> Answer {
    let mut answers = agency.ask(&question(codes)).await.unwrap();
    assert_eq!(answers.len(), 1, "one node answers for both");
    answers.remove(0).unwrap().answer
}

#[tokio::test(flavor = "multi_thread")]
async fn the_successors_node_answers_from_the_books_that_it_took_over() {
    let mut world = World::start().await;
    let (old, heir) = (world.node("issuer"), world.node("second"));
    world.stop("issuer").await;
    Box::pin(take_over_first(&world)).await;
    let until = world.clock.now() + SignedDuration::from_hours(24);
    let note = delegate(&old.config.name, &heir.config.name, until, &old.statements).unwrap();
    let card = closed(&world, note);
    world.enrol_as(&old, &Enrolment::Issuer(Box::new(card)));
    published(&world).await;
    world.restart("second").await;
    let agency = world.agency().await;
    let (closed_code, own_code) = (world.codes[0], world.others[0]);
    let answer = ask(&agency, &[(closed_code, 0.9999)]).await;
    assert_eq!((answer.outcome, answer.firearm), (OutcomeName::CannotSayNow, None), "not told of the books");
    assert!(answer.statement[0].contains("the books of issuer.example"), "{:?}", answer.statement);

    world.node("second").answer_for("taken-k7").unwrap();
    world.restart("second").await;
    let asked = question(&[(closed_code, 0.9999)]);
    let answer = agency.ask(&asked).await.unwrap().remove(0).unwrap().answer;
    assert_eq!((answer.outcome, answer.issuer.as_str()), (OutcomeName::Found, "second.example"));
    assert_eq!(answer.firearm.unwrap().licence.as_str(), crate::world::MAKER);
    assert_eq!(answer.delegated_by.unwrap().as_str(), "issuer.example");
    assert!(answer.statement.iter().any(|line| line.starts_with("delegated: issuer.example closed")));
    let answer = ask(&agency, &[(own_code, 0.9999)]).await;
    assert_eq!((answer.outcome, answer.delegated_by), (OutcomeName::Found, None), "its own books as before");
    let answer = ask(&agency, &[(closed_code, 0.5), (own_code, 0.5)]).await;
    assert_eq!((answer.outcome, answer.issued), (OutcomeName::Ambiguous, vec![closed_code, own_code]));
    assert_eq!((answer.firearm, answer.elsewhere), (None, vec![]));

    let report = crate::court::bundle_that_verifies(&world, &agency, asked.id).await;
    assert_eq!(report.answer.delegated_by.unwrap().as_str(), "issuer.example");

    // The closed issuer's own node, should it still run, sends to the successor and tells nothing.
    world.serve("issuer", std::net::TcpListener::bind(address(&old)).unwrap()).await;
    let directory = agency.directory.current(world.clock.now()).unwrap();
    let card = directory.issuer(&old.config.name).unwrap();
    let answer = agency.ask_issuer(card, &question(&[(closed_code, 0.9999)])).await.unwrap().answer;
    assert_eq!((answer.outcome, answer.firearm), (OutcomeName::Delegated, None));
    assert_eq!(answer.delegated_to.unwrap().as_str(), "second.example");

    // When the delegation is over the block is nobody's, also for whoever asks all the same.
    world.clock.set_offset(25 * 3_600);
    assert!(matches!(agency.ask(&question(&[(closed_code, 1.0)])).await, Err(AskError::Nobody)));
    let card = directory.issuer(&heir.config.name).unwrap();
    let answer = agency.ask_issuer(card, &question(&[(closed_code, 0.9999)])).await.unwrap().answer;
    assert_eq!((answer.outcome, answer.elsewhere), (OutcomeName::NotOurs, vec![closed_code]));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_for_the_block_of_another_is_not_believed() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let answer = ask(&agency, &[(world.codes[0], 0.9999)]).await;
    let directory = agency.directory.current(world.clock.now()).unwrap();
    let now = world.clock.now();
    assert_eq!(directory.check_authority(&answer, now), Ok(()));
    let mut by_another = answer.clone();
    by_another.issuer = "second.example".parse().unwrap();
    let mut delegated = answer.clone();
    delegated.delegated_by = Some("second.example".parse().unwrap());
    for wrong in [by_another, delegated] {
        assert!(directory.check_authority(&wrong, now).unwrap_err().contains("block K7"));
    }
}

fn address(node: &Node) -> String {
    node.config.url.trim_start_matches("http://").to_owned()
}

/// Until the directory's node has published the delegation and its log, cosigned, shows it: nodes take it from then on.
async fn published(world: &World) {
    let holder = DirectoryHolder::new(&world.node("agency")).unwrap();
    until("the directory has published the delegation", async || {
        holder.renew(world.clock.now()).await.unwrap();
        holder.newest().unwrap().content().issuers.iter().any(|card| card.delegation.is_some())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_or_expired_delegation_is_nobodys() {
    let world = World::start().await;
    let (root, old, heir) = (world.node("directory").statements, world.node("issuer"), world.node("second"));
    let (from, to) = (old.config.name.clone(), heir.config.name.clone());
    let now = world.clock.now();
    let soon = now + SignedDuration::from_secs(60);
    let directory = |note: String| {
        let (issued_at, expires_at) = validity(now, 7);
        let mut content = DirectoryContent::new(1, issued_at, expires_at);
        let (valid_from, valid_until) = validity(now, 30);
        let (node, prefixes, delegation) = (heir.card(), vec![], None);
        let (books_log, books_log_ended) = (None, None);
        content.issuers = vec![
            closed(&world, note),
            IssuerCard { node, prefixes, delegation, books_log, books_log_ended, valid_from, valid_until },
        ];
        Directory::parse(&content.sign(&root).unwrap(), root.verifier())
    };
    let good = delegate(&from, &to, soon, &old.statements).unwrap();
    let prefix = "K7".parse().unwrap();
    let held = directory(good.clone()).unwrap();
    assert!(matches!(held.route(prefix, now), Route::Delegated { .. }));
    let late = soon + SignedDuration::from_secs(1);
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

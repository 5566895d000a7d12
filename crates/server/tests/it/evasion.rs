//! Ways round the rules, each closed: hanging up, another spelling, one person for two, an older file.

use std::io::Write as _;
use std::net::TcpStream;

use serde_json::{Value, json};
use server::access::{Access, AccessError, Role};
use server::api::QuestionKind;
use server::federation::{Message, Start, Unauthorised, authorise};
use server::roles::DirectoryHolder;
use server::{Ledger, NodeRole, ServeOptions, Server};
use tokio::task::JoinSet;

use crate::access::draft;
use crate::people::{Office, PASSWORD, Someone, staffed};
use crate::world::{listener, node, question, until};

const WRONG: &str = "wrong but long enough";

async fn standing(office: &Office, operator: &Someone, name: &str) -> Value {
    let (_, list) = office.call("GET", "/access/v1/accounts", Some(&operator.session), &Value::Null).await;
    let accounts = list["accounts"].as_array().unwrap();
    accounts.iter().find(|one| one["name"] == name).unwrap()["standing"].clone()
}

/// Sends a request so many times at once; the statuses.
async fn at_once(office: &Office, times: usize, message: &Message, body: &Value) -> Vec<u16> {
    let mut all = JoinSet::new();
    for _ in 0..times {
        let (client, message, body) = (office.client.clone(), message.clone(), body.to_string());
        all.spawn(async move {
            let (answer, _) = client.send(&message, body.into_bytes()).await.unwrap();
            let Start::Answer(status) = answer.start else { panic!("no answer") };
            status
        });
    }
    all.join_all().await
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_count_also_when_the_guesser_hangs_up_or_the_log_is_away() {
    let (office, operator, [mut requester, mut approver, _]) = staffed().await;
    let address = office.url.trim_start_matches("http://").to_owned();
    let body = json!({"name": requester.name, "password": WRONG}).to_string();
    let head =
        format!("POST /access/v1/sign-in HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}", body.len());
    // Some hang up before all of it has arrived: those guessed nothing, however many they are.
    until("guesses lock, heard out or not", async || {
        let mut guesser = TcpStream::connect(&address).unwrap();
        guesser.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).unwrap();
        drop(guesser);
        standing(&office, &operator, "det. example").await == "locked"
    })
    .await;
    assert_eq!(office.sign_in(&mut requester, PASSWORD).await, 401);

    office.world.break_log("agency").await;
    for _ in 0..5 {
        assert_eq!(office.sign_in(&mut approver, WRONG).await, 503);
    }
    office.world.mend_log("agency");
    assert_eq!(office.sign_in(&mut approver, PASSWORD).await, 401, "they counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_looked_at_before_a_password_is_hashed() {
    let (office, _) = Office::open().await;
    // Too short a password is told only to whoever holds a token.
    let body = json!({"name": "op. example", "token": "none", "password": "short"});
    let (status, answer) = office.call("POST", "/access/v1/enrolment", None, &body).await;
    assert_eq!((status, &answer["title"]), (401, &json!("not signed in")), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_sign_ins_at_once_are_turned_away_and_shut_the_door_for_nobody() {
    let (office, _, [mut requester, ..]) = staffed().await;
    let body = json!({"name": "nobody at all", "password": WRONG});
    let message = Message::request("POST", &format!("{}/access/v1/sign-in", office.url));
    let mut counts = std::collections::BTreeMap::new();
    for status in at_once(&office, 300, &message, &body).await {
        *counts.entry(status).or_insert(0) += 1;
    }
    let (heard, away) = (counts.remove(&401).unwrap_or(0), counts.remove(&429).unwrap_or(0));
    assert!(counts.is_empty(), "neither a wrong password nor too many: {counts:?}");
    assert!(heard >= 1 && away >= 100, "{heard} were heard, {away} turned away");
    assert_eq!(office.sign_in(&mut requester, PASSWORD).await, 200, "the door is open again at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_question_is_asked_once_however_often_its_approver_clicks() {
    let (mut office, _, [requester, approver, _]) = staffed().await;
    let (_, filed) =
        office.call("POST", "/agency/v1/questions", Some(&requester.session), &draft(&office)).await;
    let place = format!("/agency/v1/questions/{}", filed["id"].as_str().unwrap());
    let seen = json!({"draft_sha256": filed["draft_sha256"]});
    let message = Message::request("POST", &format!("{}{place}/approval", office.url))
        .with("authorization", &format!("Bearer {}", approver.session));
    let mut statuses = at_once(&office, 4, &message, &seen).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409]);
    office.world.stop("issuer").await;
    let mut asked = 0;
    Ledger::records(&office.world.path("issuer").join("node"), |stored| {
        asked += usize::from(stored.kind == "question");
    })
    .unwrap();
    assert_eq!(asked, 1, "it reached the issuer once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_a_whole_token_does_not_start() {
    for role in [NodeRole::Agency, NodeRole::Witness] {
        for token in ["", "\n", "ab", &"g".repeat(64)] {
            let root = tempfile::tempdir().unwrap();
            let parts = listener();
            let mut made = node(root.path(), role, "police.example", &parts.url);
            made.trust("none", &made.statements.verifier().to_string()).unwrap();
            std::fs::write(made.folder.join("api.token"), token).unwrap();
            let started = Server::start(root.path(), parts.listener, ServeOptions::default()).await;
            let refused = started.map(|_| ()).unwrap_err().to_string();
            assert!(refused.contains("64 hexadecimal digits"), "{token:?}: {refused}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_of_nobody_and_looks_at_what_is_not_ones_own_are_in_the_log() {
    let (office, _, [requester, _, auditor]) = staffed().await;
    let body = json!({"name": "nobody at all", "password": WRONG});
    for _ in 0..3 {
        assert_eq!(office.call("POST", "/access/v1/sign-in", None, &body).await.0, 401);
    }
    let (_, filed) =
        office.call("POST", "/agency/v1/questions", Some(&requester.session), &draft(&office)).await;
    let place = format!("/agency/v1/questions/{}", filed["id"].as_str().unwrap());
    for session in [&requester.session, &auditor.session] {
        assert_eq!(office.call("GET", &place, Some(session), &Value::Null).await.0, 200);
    }
    let session = Some(auditor.session.as_str());
    let (_, seen) = office.call("GET", "/access/v1/records?limit=100", session, &Value::Null).await;
    let seen = seen["records"].as_array().unwrap().iter().map(|one| one["record"].as_str().unwrap());
    let records: String = seen.collect();
    assert!(records.contains(r#""change":"sign-ins refused""#), "{records}");
    assert!(!records.contains("nobody at all"), "what was typed as a name may be a password");
    let looked = |by: &str, what: &str| {
        records.split("{\"at\"").any(|one| {
            one.contains(r#""kind":"seen""#) && one.contains(by) && one.contains(&format!("\"{what}\""))
        })
    };
    assert!(looked("ombudsman example", "question") && looked("ombudsman example", "records"), "{records}");
    assert!(!looked("det. example", "question"), "its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_spelling_is_not_another_person() {
    let (office, operator, [requester, ..]) = staffed().await;
    for name in ["Det. Example", "det.\u{200b}example", "DET EXAMPLE"] {
        let body = json!({"name": name, "roles": ["approver"]});
        let (status, answer) =
            office.call("POST", "/access/v1/accounts", Some(&operator.session), &body).await;
        assert_eq!(status, 409, "{name}: {answer}");
    }
    let directory = DirectoryHolder::new(&office.world.node("agency")).unwrap();
    let card = directory.current(office.world.clock.now()).unwrap().content().agencies[0].clone();
    let mut asked = question(&[(office.world.codes[0], 1.0)]);
    asked.requester = requester.name.parse().unwrap();
    asked.approver = "Det\u{200b}. EXAMPLE".parse().unwrap();
    assert_eq!(authorise(&asked, &card), Err(Unauthorised::OnePerson));
    asked.approver = "sgt. example".parse().unwrap();
    assert_eq!(authorise(&asked, &card), Ok(()));
    let second_approver = "DET. EXAMPLE".parse().unwrap();
    asked.kind = QuestionKind::RetailReference { after: asked.id, second_approver };
    assert_eq!(authorise(&asked, &card), Err(Unauthorised::SecondApproval));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_attached_the_reading_or_saw_another_draft_does_not_approve() {
    let (office, operator, [requester, approver, _]) = staffed().await;
    let both = office.join(&operator, "lab example", &[Role::Examiner, Role::Approver], 9).await;
    let (_, filed) =
        office.call("POST", "/agency/v1/questions", Some(&requester.session), &draft(&office)).await;
    let place = format!("/agency/v1/questions/{}", filed["id"].as_str().unwrap());
    let (approval, session) = (format!("{place}/approval"), Some(approver.session.as_str()));
    let reading = json!({
        "codes": [{"code": office.world.codes[1], "posterior": 0.9999}], "reading_sha256": "cd".repeat(32),
    });
    let (status, attached) =
        office.call("PUT", &format!("{place}/reading"), Some(&both.session), &reading).await;
    assert_eq!(status, 200, "{attached}");
    assert_eq!(office.approve(&place, &both).await.0, 403, "the examiner chose what is asked");
    let before = json!({"draft_sha256": filed["draft_sha256"]});
    let (status, changed) = office.call("POST", &approval, session, &before).await;
    assert_eq!((status, &changed["title"]), (409, &json!("conflict")), "{changed}");
    assert_eq!(office.call("POST", &approval, session, &Value::Null).await.0, 400);
    let (status, answered) = office.approve(&place, &approver).await;
    assert_eq!((status, &answered["answers"][0]["answer"]["outcome"]), (200, &json!("found")), "{answered}");
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_ask_only_where_that_is_turned_on() {
    let (mut office, _) = Office::open().await;
    let content = serde_json::to_vec(&question(&[(office.world.codes[0], 1.0)])).unwrap();
    let token = office.world.node("agency").token().unwrap();
    let ask = Message::request("POST", &format!("{}/agency/v1/traces", office.url));
    assert_eq!(office.send(&ask, content.clone()).await.0, 401);
    let ask = ask.with("authorization", &format!("Bearer {token}"));
    assert_eq!(office.send(&ask, content.clone()).await.0, 200);
    let toml = office.world.path("agency").join("node/node.toml");
    let text = std::fs::read_to_string(&toml).unwrap();
    std::fs::write(&toml, text.replace("programs_ask = true\n", "")).unwrap();
    office.world.restart("agency").await;
    let (status, answer) = office.send(&ask, content).await;
    assert_eq!((status, &answer["title"]), (403, &json!("forbidden")), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_that_are_not_those_of_the_log_are_not_taken() {
    let (mut office, operator) = Office::open().await;
    let file = office.world.path("agency").join("node/accounts.json");
    office.join(&operator, "det. example", &[Role::Requester], 2).await;
    let older = std::fs::read(&file).unwrap();
    office.join(&operator, "sgt. example", &[Role::Approver], 3).await;
    let newer = std::fs::read(&file).unwrap();
    office.world.stop("agency").await;
    let (node, now) = (office.world.node("agency"), office.world.clock.now());
    let reconcile = || async {
        let ledger = Ledger::open(&node.folder, &node.log).unwrap();
        Access::open(&node).unwrap().reconcile(&ledger, now).await
    };
    reconcile().await.unwrap();
    for wrong in [older, b"[]".to_vec()] {
        std::fs::write(&file, wrong).unwrap();
        assert!(matches!(reconcile().await, Err(AccessError::File(_))));
    }
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(reconcile().await, Err(AccessError::File(_))));
    std::fs::write(&file, &newer).unwrap();
    reconcile().await.unwrap();
    // A change that was entered and not written, as a crash leaves it: it is entered as not completed, and that is all.
    {
        let ledger = Ledger::open(&node.folder, &node.log).unwrap();
        let whom = (&"this machine".parse().unwrap(), &"det. example".parse().unwrap());
        Access::open(&node).unwrap().close(whom, &ledger, now).await.unwrap();
    }
    std::fs::write(&file, newer).unwrap();
    for _ in 0..2 {
        reconcile().await.unwrap();
    }
    let mut changes = Vec::new();
    Ledger::records(&node.folder, |stored| changes.push(stored.body["change"].clone())).unwrap();
    assert_eq!(changes[changes.len() - 2..], [json!("closed"), json!("not completed")]);
}

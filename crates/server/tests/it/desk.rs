//! What lies on a desk: questions of which one issuer's answer is missing, others' questions, and files that were altered.

use serde_json::{Value, json};
use server::access::Role;
use server::{Act, Ledger};

use crate::access::draft;
use crate::people::{PASSWORD, staffed};
use crate::relay::{Trick, relayed};

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_was_away_is_asked_again_without_another_approval() {
    let (mut office, operator, [requester, approver, _]) = staffed().await;
    let mut draft = draft(&office);
    draft["codes"] = json!([
        {"code": office.world.codes[0], "posterior": 0.5}, {"code": office.world.others[0], "posterior": 0.4},
    ]);
    let (_, filed) = office.call("POST", "/agency/v1/questions", Some(&requester.session), &draft).await;
    let place = format!("/agency/v1/questions/{}", filed["id"].as_str().unwrap());
    let (_, second) = office.world.servers.iter().find(|(name, _)| *name == "second").unwrap();
    let address = second.address();
    office.world.stop("second").await;
    let (status, answered) = office.approve(&place, &approver).await;
    assert_eq!((status, &answered["state"]), (200, &json!("answered")), "{answered}");
    assert_eq!(answered["answers"][0]["answer"]["outcome"], "ambiguous", "{answered}");
    assert_eq!(answered["answers"][1]["issuer"], "second.example", "{answered}");

    // To others the question does not exist, also when it is closed.
    let other = office.join(&operator, "det. other", &[Role::Requester], 8).await;
    for (who, expected) in [(&other, 404), (&requester, 409)] {
        let withdrawal = format!("{place}/withdrawal");
        let (status, answer) = office.call("POST", &withdrawal, Some(&who.session), &Value::Null).await;
        assert_eq!(status, expected, "{}: {answer}", who.name);
    }

    // Somebody must still answer, and no further approval is needed to ask that issuer again.
    let session = Some(requester.session.as_str());
    let list = office.call("GET", "/agency/v1/reminders", session, &Value::Null).await.1;
    assert_eq!(list["waiting"][0]["waits_for"], "issuer", "{list}");
    let renewal = format!("{place}/renewal");
    let (status, away) = office.call("POST", &renewal, session, &Value::Null).await;
    assert_eq!((status, &away["title"]), (502, &json!("upstream")), "{away}");
    office.world.serve("second", std::net::TcpListener::bind(address).unwrap()).await;
    let (status, renewed) = office.call("POST", &renewal, session, &Value::Null).await;
    assert_eq!(status, 200, "{renewed}");
    assert_eq!(renewed["answers"][0], answered["answers"][0], "what was answered stands as it was");
    let answer = &renewed["answers"][1]["answer"];
    assert_eq!((&answer["issuer"], &answer["outcome"]), (&json!("second.example"), &json!("ambiguous")));
    let list = office.call("GET", "/agency/v1/reminders", session, &Value::Null).await.1;
    assert_eq!(list["waiting"], json!([]), "{list}");
    assert_eq!(office.call("POST", &renewal, session, &Value::Null).await.0, 409);
}

/// Whoever has the machine alters the record of what was filed while the node is stopped.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_altered_in_the_records_is_not_on_the_desk() {
    let (mut office, _, [requester, mut approver, _]) = staffed().await;
    let draft = draft(&office);
    let (_, filed) = office.call("POST", "/agency/v1/questions", Some(&requester.session), &draft).await;
    let place = format!("/agency/v1/questions/{}", filed["id"].as_str().unwrap());
    let listener = office.world.stop_for_a_while("agency").await;
    let again = listener.try_clone().unwrap();
    let records = office.world.path("agency").join("node/records");
    let file = std::fs::read_dir(&records).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&file).unwrap();
    let [asked, other] = [0, 1].map(|at| office.world.codes[at].to_string());
    assert!(text.contains(&asked), "{text}");
    std::fs::write(&file, text.replace(&asked, &other)).unwrap();
    office.world.serve("agency", listener).await;
    assert_eq!(office.sign_in(&mut approver, PASSWORD).await, 200);
    let (status, refused) = office.call("GET", &place, Some(&approver.session), &Value::Null).await;
    assert_eq!(status, 404, "{refused}");
    let (_, health) = office.client.get(&format!("{}/healthz", office.url)).await.unwrap();
    let health: Value = serde_json::from_slice(&health).unwrap();
    assert_eq!(health["impaired"], json!(["records"]), "{health}");
    // As it was, it is on the desk again.
    office.world.stop("agency").await;
    let now = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.clone() + &now[text.len()..]).unwrap();
    office.world.serve("agency", again).await;
    assert_eq!(office.sign_in(&mut approver, PASSWORD).await, 200);
    let (status, answered) = office.approve(&place, &approver).await;
    assert_eq!((status, &answered["state"]), (200, &json!("answered")), "{answered}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_is_had_by_another_approver() {
    let (mut office, operator, [requester, approver, _]) = staffed().await;
    let other = office.join(&operator, "lt. other", &[Role::Approver], 9).await;
    let (_, server) = relayed(&mut office.world, "issuer", Trick::FirstAnswerLost).await;
    let draft = draft(&office);
    let (_, filed) = office.call("POST", "/agency/v1/questions", Some(&requester.session), &draft).await;
    let place = format!("/agency/v1/questions/{}", filed["id"].as_str().unwrap());
    let (status, lost) = office.approve(&place, &approver).await;
    let detail = lost["detail"].as_str().unwrap_or_default();
    assert!(status == 502 && detail.contains("cannot say now"), "nobody is accused: {status}: {lost}");
    // Other words under this number the issuer would refuse for ever, and what it answered would reach nobody.
    let examiner = office.join(&operator, "examiner example", &[Role::Examiner], 10).await;
    let better = json!({
        "codes": [{"code": office.world.codes[0], "posterior": 0.999_99}], "reading_sha256": "cd".repeat(32),
    });
    let path = format!("{place}/reading");
    let (status, refused) = office.call("PUT", &path, Some(&examiner.session), &better).await;
    let detail = refused["detail"].as_str().unwrap_or_default();
    assert!(status == 409 && detail.contains("another approval fetches that answer"), "{status}: {refused}");
    let (status, answered) = office.approve(&place, &other).await;
    assert_eq!((status, &answered["state"]), (200, &json!("answered")), "{answered}");
    assert_eq!(
        answered["approver"],
        approver.name.as_str(),
        "whom the question names that was answered: {answered}"
    );
    server.abort();
}

/// The node was killed while an issuer was being asked: the approval is in the log, and nothing behind it.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_was_cut_off_after_its_approval_can_be_ended_by_others() {
    let (mut office, operator, [mut requester, approver, _]) = staffed().await;
    let mut other = office.join(&operator, "lt. other", &[Role::Approver], 9).await;
    let draft = draft(&office);
    let mut places = Vec::new();
    let mut steps = Vec::new();
    for _ in 0..3 {
        let (_, filed) = office.call("POST", "/agency/v1/questions", Some(&requester.session), &draft).await;
        let read: server::roles::Draft = serde_json::from_value(filed["draft"].clone()).unwrap();
        steps.push(Act::new(
            "desk",
            json!({
                "step": "approved", "id": filed["id"], "by": approver.name, "roles": ["approver"],
                "draft_sha256": filed["draft_sha256"], "draft": serde_json::to_string(&read).unwrap(),
            }),
        ));
        places.push(format!("/agency/v1/questions/{}", filed["id"].as_str().unwrap()));
    }
    let listener = office.world.stop_for_a_while("agency").await;
    let node = office.world.node("agency");
    let ledger = Ledger::open(&node.folder, &node.log).unwrap();
    ledger.enter(&steps, office.world.clock.now()).await.unwrap();
    drop(ledger);
    office.world.serve("agency", listener).await;
    for someone in [&mut requester, &mut other] {
        assert_eq!(office.sign_in(someone, PASSWORD).await, 200);
    }
    let (_, seen) = office.call("GET", &places[0], Some(&other.session), &Value::Null).await;
    assert_eq!((&seen["state"], &seen["approver"]), (&json!("approved"), &json!(approver.name)), "{seen}");
    let refusal = json!({"reason": "the approver has left"});
    let path = format!("{}/refusal", places[0]);
    let (status, refused) = office.call("POST", &path, Some(&other.session), &refusal).await;
    assert_eq!((status, &refused["state"]), (200, &json!("refused")), "{refused}");
    let path = format!("{}/withdrawal", places[1]);
    let (status, withdrawn) = office.call("POST", &path, Some(&requester.session), &Value::Null).await;
    assert_eq!((status, &withdrawn["state"]), (200, &json!("withdrawn")), "{withdrawn}");
    let (status, answered) = office.approve(&places[2], &other).await;
    assert_eq!((status, &answered["state"]), (200, &json!("answered")), "{answered}");
    assert_eq!(answered["approver"], "lt. other", "it was never sent: {answered}");
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_that_replace_each_other_leave_a_question_that_can_be_approved() {
    let (office, operator, [requester, approver, _]) = staffed().await;
    let examiners = [
        office.join(&operator, "examiner one", &[Role::Examiner], 7).await,
        office.join(&operator, "examiner two", &[Role::Examiner], 8).await,
    ];
    let (_, filed) =
        office.call("POST", "/agency/v1/questions", Some(&requester.session), &draft(&office)).await;
    let place = format!("/agency/v1/questions/{}", filed["id"].as_str().unwrap());
    let code = office.world.codes[0];
    let codes = json!([{"code": code, "posterior": 0.9999}]);
    let readings = [
        json!({"codes": codes, "reading_sha256": "cd".repeat(32), "parts": ["firing-pin"]}),
        json!({"codes": codes, "reading_sha256": "ce".repeat(32)}),
    ];
    for (examiner, reading) in examiners.iter().zip(&readings) {
        let reading = office.call("PUT", &format!("{place}/reading"), Some(&examiner.session), reading).await;
        assert_eq!(reading.0, 200, "{}", reading.1);
    }
    let (status, answered) = office.approve(&place, &approver).await;
    assert_eq!((status, &answered["state"]), (200, &json!("answered")), "{answered}");
    assert_eq!(answered["earlier_examiners"], json!(["examiner one"]), "{answered}");
}

//! Accounts, roles, sessions, lock-out, and the desk. `docs/access.md` names these tests.

use serde_json::{Value, json};
use server::access::{Action, Role, Roles, RolesError, permits};
use server::federation::Message;
use server::{Clock, Ledger};

use crate::people::{Office, PASSWORD, Someone, staffed};
use crate::world::until;

/// Every operation that is for those who are signed in, with the action that its role must permit.
const GUARDED: [(&str, &str, Action); 15] = [
    ("GET", "/access/v1/accounts", Action::SeeAccounts),
    ("POST", "/access/v1/accounts", Action::ManageAccounts),
    ("DELETE", "/access/v1/accounts/nobody", Action::ManageAccounts),
    ("PUT", "/access/v1/accounts/nobody/roles", Action::ManageAccounts),
    ("POST", "/access/v1/accounts/nobody/invitation", Action::ManageAccounts),
    ("POST", "/access/v1/accounts/nobody/confirmation", Action::ConfirmAccounts),
    ("GET", "/access/v1/records", Action::SeeRecords),
    ("POST", "/agency/v1/questions", Action::FileQuestion),
    ("GET", "/agency/v1/questions", Action::SeeQuestions),
    ("GET", "/agency/v1/reminders", Action::SeeQuestions),
    ("POST", "/agency/v1/questions/0198c0de-0000-7000-8000-000000000000/approval", Action::ApproveQuestion),
    ("POST", "/agency/v1/questions/0198c0de-0000-7000-8000-000000000000/refusal", Action::ApproveQuestion),
    ("POST", "/agency/v1/questions/0198c0de-0000-7000-8000-000000000000/withdrawal", Action::FileQuestion),
    ("PUT", "/agency/v1/questions/0198c0de-0000-7000-8000-000000000000/reading", Action::AttachReading),
    ("POST", "/agency/v1/questions/0198c0de-0000-7000-8000-000000000000/renewal", Action::FileQuestion),
];

/// The same at an issuer's node.
const AT_ISSUER: [(&str, &str, Action); 10] = [
    ("GET", "/access/v1/accounts", Action::SeeAccounts),
    ("POST", "/access/v1/accounts", Action::ManageAccounts),
    ("DELETE", "/access/v1/accounts/nobody", Action::ManageAccounts),
    ("PUT", "/access/v1/accounts/nobody/roles", Action::ManageAccounts),
    ("POST", "/access/v1/accounts/nobody/invitation", Action::ManageAccounts),
    ("POST", "/access/v1/accounts/nobody/confirmation", Action::ConfirmAccounts),
    ("GET", "/access/v1/records", Action::SeeRecords),
    ("GET", "/registry/v1/codes/nonsense", Action::SeeCodes),
    ("POST", "/registry/v1/entries", Action::RecordEntry),
    ("GET", "/registry/v1/reminders", Action::SeeReminders),
];

pub(crate) fn draft(office: &Office) -> Value {
    json!({
        "kind": {"for": "chain"}, "ori": "CA0194200", "case_number": "26-0001", "crime_code": "0999",
        "priority": "routine", "reason": "case recovered at a scene",
        "codes": [{"code": office.world.codes[0], "posterior": 0.9999}], "reading_sha256": "ab".repeat(32),
    })
}

#[test]
fn nobody_holds_two_of_requester_approver_and_auditor() {
    let apart = [Role::Requester, Role::Approver, Role::Auditor];
    for first in Role::ALL {
        for second in Role::ALL {
            let both = apart.contains(&first) && apart.contains(&second) && first != second;
            let roles = Roles::new([first, second]);
            assert_eq!(matches!(roles, Err(RolesError::Apart(..))), both, "{first} and {second}");
        }
    }
    assert_eq!(Roles::new([]), Err(RolesError::None));
    let read: Result<Roles, _> = serde_json::from_str(r#"["requester","approver"]"#);
    assert!(read.is_err(), "also a file cannot bring two together");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cell_of_the_matrix_holds() {
    let (office, operator) = Office::open().await;
    check_matrix(&office, &operator, &GUARDED).await;
    let (house, operator) = Office::at("issuer").await;
    check_matrix(&house, &operator, &AT_ISSUER).await;
    let tested = GUARDED.iter().chain(&AT_ISSUER).map(|(_, _, action)| action);
    let tested: std::collections::HashSet<_> = tested.collect();
    assert_eq!(tested.len(), Action::ALL.len(), "every action stands in the matrix");
}

async fn check_matrix(office: &Office, operator: &Someone, guarded: &[(&str, &str, Action)]) {
    for (method, path, _) in guarded {
        for session in [None, Some("nonsense")] {
            let (status, answer) = office.call(method, path, session, &Value::Null).await;
            assert_eq!((status, &answer["title"]), (401, &json!("not signed in")), "{method} {path}");
        }
    }
    for (role, seed) in Role::ALL.into_iter().zip(10..) {
        let someone = office.join(operator, &format!("{role} example"), &[role], seed).await;
        for (method, path, action) in guarded {
            let (status, answer) = office.call(method, path, Some(&someone.session), &Value::Null).await;
            assert_ne!(status, 401, "{role}: {method} {path}");
            assert_eq!(status != 403, permits(role, *action), "{role}: {method} {path}: {status} {answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registrar_asks_for_codes_and_records_entries_once() {
    let (house, operator) = Office::at("issuer").await;
    let registrar = house.join(&operator, "clerk example", &[Role::Registrar], 3).await;
    let session = Some(registrar.session.as_str());
    let [sold, kept] = [house.world.codes[0], house.world.codes[5]];
    let path = |code: symbology::Code| format!("/registry/v1/codes/{}", code.to_string().replace(' ', ""));
    for code in [sold, kept] {
        let (status, answer) = house.call("GET", &path(code), session, &Value::Null).await;
        assert_eq!((status, &answer["status"]), (200, &json!("issued")), "{answer}");
        assert_eq!(answer.as_object().unwrap().len(), 4, "a code's status tells no serial number: {answer}");
    }
    // Of another's block these books do not say that a code was never issued.
    for (code, expected) in
        [(crate::trace::unissued(&house.world), "not-issued"), (house.world.others[0], "not-ours")]
    {
        let (status, answer) = house.call("GET", &path(code), session, &Value::Null).await;
        assert_eq!((status, &answer["status"]), (200, &json!(expected)), "{answer}");
    }
    let maker = json!({"licence": crate::world::MAKER, "name": "Maker K7 (synthetic)"});
    let dealer = json!({"licence": crate::world::DEALER, "name": "Corner Guns (synthetic)"});
    let entry = json!({
        "firearm": {"licence": crate::world::MAKER, "model": "M9", "serial": "AB10006"}, "on": "2024-02-01",
        "event": {"kind": "disposed", "holder": maker, "to": {"licensee": dealer}},
    });
    let send = |entry: Value, key: &'static str| {
        let message = Message::request("POST", &format!("{}/registry/v1/entries", house.url))
            .with("authorization", &format!("Bearer {}", registrar.session))
            .with("idempotency-key", key);
        let house = &house;
        async move { house.send(&message, entry.to_string().into_bytes()).await }
    };
    let (status, first) = send(entry.clone(), "a").await;
    assert_eq!(status, 201, "{first}");
    assert_eq!(send(entry.clone(), "a").await, (201, first), "the same key, the same entry");
    let mut other = entry.clone();
    other["on"] = json!("2024-02-02");
    assert_eq!(send(other, "a").await.0, 409, "the same key, another entry");
    assert_eq!(send(entry.clone(), "b").await.0, 409, "the maker does not have it any more");
    let mut nobodys = entry;
    nobodys["firearm"]["serial"] = json!("ZZ99999");
    assert_eq!(send(nobodys, "c").await.0, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_examiner_attaches_a_reading_to_a_question_that_waits() {
    let (office, operator, [requester, approver, _]) = staffed().await;
    let examiner = office.join(&operator, "examiner example", &[Role::Examiner], 7).await;
    let mut filed = draft(&office);
    filed["codes"] = json!([{"code": office.world.codes[0], "posterior": 0.4}, {"code": office.world.codes[1], "posterior": 0.4}]);
    let (_, filed) = office.call("POST", "/agency/v1/questions", Some(&requester.session), &filed).await;
    let place = format!("/agency/v1/questions/{}", filed["id"].as_str().unwrap());
    let path = format!("{place}/reading");
    let reading = |posterior: f64| {
        json!({
            "codes": [{"code": office.world.codes[0], "posterior": posterior}], "reading_sha256": "cd".repeat(32),
        })
    };
    let session = Some(examiner.session.as_str());
    assert_eq!(office.call("PUT", &path, session, &reading(1.5)).await.0, 400);
    let (status, attached) = office.call("PUT", &path, session, &reading(0.9999)).await;
    assert_eq!((status, &attached["examiner"]), (200, &json!("examiner example")), "{attached}");
    assert_eq!(office.call("GET", &place, session, &Value::Null).await.1, attached);
    let (status, answered) = office.approve(&place, &approver).await;
    assert_eq!((status, &answered["answers"][0]["answer"]["outcome"]), (200, &json!("found")), "{answered}");
    assert_eq!(office.call("PUT", &path, session, &reading(0.9999)).await.0, 409, "it waits no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_waited_for_a_dealer_is_fetched_later() {
    let (office, _, [requester, approver, _]) = staffed().await;
    let mut waits = draft(&office);
    waits["codes"] = json!([{"code": office.world.codes[2], "posterior": 0.9999}]);
    let (_, filed) = office.call("POST", "/agency/v1/questions", Some(&requester.session), &waits).await;
    let id = filed["id"].as_str().unwrap().to_owned();
    let place = format!("/agency/v1/questions/{id}");
    let (_, answered) = office.approve(&place, &approver).await;
    assert_eq!(answered["answers"][0]["answer"]["outcome"], "chain-ends", "{answered}");
    let renewal = format!("{place}/renewal");
    let (status, same) = office.call("POST", &renewal, Some(&requester.session), &Value::Null).await;
    assert_eq!((status, &same["answers"][0]["answer"]["outcome"]), (200, &json!("chain-ends")), "{same}");
    let statement = server::api::DealerStatement {
        schema: "microstamp.dealer-statement/1".to_owned(),
        question: id.parse().unwrap(),
        by: "clerk 7".parse().unwrap(),
        disposition: server::api::DealerDisposition::RetailSale {
            on: "2024-05-05".parse().unwrap(),
            form_4473: "2024-0999".parse().unwrap(),
        },
    };
    let issuer = office.world.node("issuer").card();
    office.world.dealer().state(&issuer, &statement).await.unwrap();
    let (status, later) = office.call("POST", &renewal, Some(&requester.session), &Value::Null).await;
    assert_eq!((status, &later["answers"][0]["answer"]["outcome"]), (200, &json!("found")), "{later}");
    assert!(!later.to_string().contains("2024-0999"), "withheld until the second approval");
    assert_eq!(office.call("GET", &place, Some(&requester.session), &Value::Null).await.1, later);
    assert_eq!(office.call("POST", &renewal, Some(&requester.session), &Value::Null).await.0, 409);
}

/// What somebody is reminded of: whom it waits for.
async fn reminders(office: &Office, path: &str, session: &str) -> Vec<Value> {
    let (status, answer) = office.call("GET", path, Some(session), &Value::Null).await;
    assert_eq!((status, &answer["schema"]), (200, &json!("microstamp.reminders/1")), "{answer}");
    answer["waiting"].as_array().unwrap().iter().map(|one| one["waits_for"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_must_answer_is_reminded_until_it_is_done() {
    let (mut office, operator, [mut requester, mut approver, _]) = staffed().await;
    let other = office.join(&operator, "det. other", &[Role::Requester], 6).await;
    let mut waits = draft(&office);
    waits["codes"] = json!([{"code": office.world.codes[2], "posterior": 0.9999}]);
    let (_, filed) = office.call("POST", "/agency/v1/questions", Some(&requester.session), &waits).await;
    let path = "/agency/v1/reminders";
    assert_eq!(reminders(&office, path, &approver.session).await, ["approver"]);
    assert_eq!(reminders(&office, path, &requester.session).await, ["approver"]);
    assert_eq!(
        reminders(&office, path, &other.session).await,
        [json!(null); 0],
        "others' questions are not told"
    );

    let place = format!("/agency/v1/questions/{}", filed["id"].as_str().unwrap());
    assert_eq!(office.approve(&place, &approver).await.0, 200);
    assert_eq!(reminders(&office, path, &requester.session).await, ["dealer"]);

    // A day later the clock has run out; a restart forgets nothing.
    office.world.clock.set_offset(25 * 3_600);
    office.world.restart("agency").await;
    for line in ["microstamp_answers_awaited 1", "microstamp_answers_overdue 1", "microstamp_desk_open 0"] {
        let said = async || office.world.metrics("agency").await.lines().any(|told| told == line);
        until(line, said).await;
    }
    assert_eq!(office.sign_in(&mut approver, PASSWORD).await, 200);
    assert_eq!(reminders(&office, path, &approver.session).await, ["dealer"]);

    // The dealer answers; at the next reminder the desk fetches it by itself.
    let statement = server::api::DealerStatement {
        schema: "microstamp.dealer-statement/1".to_owned(),
        question: filed["id"].as_str().unwrap().parse().unwrap(),
        by: "clerk 7".parse().unwrap(),
        disposition: server::api::DealerDisposition::InStock { on: "2026-05-05".parse().unwrap() },
    };
    office.world.dealer().state(&office.world.node("issuer").card(), &statement).await.unwrap();
    office.world.restart("agency").await;
    assert_eq!(office.sign_in(&mut requester, PASSWORD).await, 200);
    let heard = async || reminders(&office, path, &requester.session).await.is_empty();
    until("the desk has what the dealer answered", heard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_reached_nobody_waits_for_another_approval() {
    let (mut office, _, [requester, approver, _]) = staffed().await;
    let draft = draft(&office);
    let (_, filed) = office.call("POST", "/agency/v1/questions", Some(&requester.session), &draft).await;
    let place = format!("/agency/v1/questions/{}", filed["id"].as_str().unwrap());
    let (_, issuer) = office.world.servers.iter().find(|(name, _)| *name == "issuer").unwrap();
    let address = issuer.address();
    office.world.stop("issuer").await;
    let (status, refused) = office.approve(&place, &approver).await;
    assert_eq!((status, &refused["title"]), (502, &json!("upstream")), "{refused}");
    let (_, waiting) = office.call("GET", &place, Some(&requester.session), &Value::Null).await;
    assert_eq!(waiting["state"], "waiting", "{waiting}");
    assert!(waiting["not_asked"].as_str().unwrap().contains("cannot say now"), "{waiting}");
    office.world.serve("issuer", std::net::TcpListener::bind(address).unwrap()).await;
    let (status, answered) = office.approve(&place, &approver).await;
    assert_eq!((status, &answered["state"]), (200, &json!("answered")), "{answered}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_changes_only_when_the_log_took_it() {
    let (office, operator) = Office::open().await;
    let someone = office.join(&operator, "det. example", &[Role::Requester], 2).await;
    let changes: [(&str, &str, Value); 4] = [
        ("PUT", "/access/v1/accounts/det. example/roles", json!({"roles": ["auditor"]})),
        ("DELETE", "/access/v1/accounts/det. example", Value::Null),
        ("POST", "/access/v1/accounts/det. example/invitation", Value::Null),
        ("POST", "/access/v1/accounts", json!({"name": "new example", "roles": ["requester"]})),
    ];
    let list = |session: String| {
        let office = &office;
        async move { office.call("GET", "/access/v1/accounts", Some(&session), &Value::Null).await.1 }
    };
    let before = list(operator.session.clone()).await;
    office.world.break_log("agency").await;
    for (method, path, body) in changes {
        let path = path.replace(' ', "%20");
        let (status, answer) = office.call(method, &path, Some(&operator.session), &body).await;
        assert_eq!((status, &answer["title"]), (503, &json!("no log")), "{method} {path}: {answer}");
    }
    let looked = list(operator.session.clone()).await;
    assert_eq!(looked["title"], "no log", "nobody looks at accounts unseen: {looked}");
    let mine = office.call("GET", "/access/v1/session", Some(&someone.session), &Value::Null).await;
    assert_eq!((mine.0, &mine.1["roles"]), (200, &json!(["requester"])));
    office.world.mend_log("agency");
    assert_eq!(list(operator.session.clone()).await, before, "nothing took effect");
    let gone = office
        .call("DELETE", "/access/v1/accounts/det.%20example", Some(&operator.session), &Value::Null)
        .await;
    assert_eq!(gone.0, 204, "once the log is well again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_asked_when_somebody_else_approves() {
    let (mut office, _, [mut requester, mut approver, auditor]) = staffed().await;
    let draft = draft(&office);
    let (status, filed) = office.call("POST", "/agency/v1/questions", Some(&requester.session), &draft).await;
    assert_eq!((status, &filed["state"]), (201, &json!("waiting")), "{filed}");
    let place = format!("/agency/v1/questions/{}", filed["id"].as_str().unwrap());
    assert_eq!(office.approve(&place, &requester).await.0, 403);

    office.world.restart("agency").await;
    assert_eq!(
        office.call("GET", &place, Some(&requester.session), &Value::Null).await.0,
        401,
        "sessions end"
    );
    assert_eq!(office.sign_in(&mut approver, PASSWORD).await, 200);
    assert_eq!(office.sign_in(&mut requester, PASSWORD).await, 200);
    let (status, answered) = office.approve(&place, &approver).await;
    assert_eq!((status, &answered["state"]), (200, &json!("answered")), "{answered}");
    assert_eq!(answered["answers"][0]["answer"]["outcome"], "found", "{answered}");
    assert_eq!(office.approve(&place, &approver).await.0, 409);
    assert_eq!(office.call("GET", &place, Some(&requester.session), &Value::Null).await.1, answered);

    let mut auditor = auditor;
    assert_eq!(office.sign_in(&mut auditor, PASSWORD).await, 200);
    let (_, seen) =
        office.call("GET", "/access/v1/records?limit=100", Some(&auditor.session), &Value::Null).await;
    let records: Vec<String> = seen["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["record"].as_str().unwrap().to_owned())
        .collect();
    for act in ["\"invited\"", "\"enrolled\"", "\"signed in\"", "\"filed\"", "\"approved\"", "\"closed\""] {
        assert!(records.iter().any(|record| record.contains(act)), "{act} is not in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retail_reference_takes_a_second_approval_after_the_chain() {
    let (office, operator, [requester, approver, _]) = staffed().await;
    let lieutenant = office.join(&operator, "lt. example", &[Role::Approver], 5).await;
    let mut after = draft(&office);
    let (_, chain) = office.call("POST", "/agency/v1/questions", Some(&requester.session), &after).await;
    after["kind"] = json!({"for": "retail-reference", "after": chain["id"]});
    let early = office.call("POST", "/agency/v1/questions", Some(&requester.session), &after).await;
    assert_eq!(early.0, 400, "the chain comes first: {}", early.1);
    let place = |filed: &Value| format!("/agency/v1/questions/{}", filed["id"].as_str().unwrap());
    assert_eq!(office.approve(&place(&chain), &approver).await.0, 200);
    let (_, second) = office.call("POST", "/agency/v1/questions", Some(&requester.session), &after).await;
    let (status, told) = office.approve(&place(&second), &lieutenant).await;
    assert_eq!(status, 200, "{told}");
    assert!(told.to_string().contains("2024-0810"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requester_sees_its_own_questions_only_page_by_page() {
    let (office, operator, [requester, approver, _]) = staffed().await;
    let other = office.join(&operator, "det. other", &[Role::Requester], 6).await;
    let draft = draft(&office);
    for _ in 0..3 {
        assert_eq!(
            office.call("POST", "/agency/v1/questions", Some(&requester.session), &draft).await.0,
            201
        );
    }
    let (_, foreign) = office.call("POST", "/agency/v1/questions", Some(&other.session), &draft).await;
    let foreign = format!("/agency/v1/questions/{}", foreign["id"].as_str().unwrap());
    assert_eq!(office.call("GET", &foreign, Some(&requester.session), &Value::Null).await.0, 404);
    let withdrawal = format!("{foreign}/withdrawal");
    assert_eq!(office.call("POST", &withdrawal, Some(&requester.session), &Value::Null).await.0, 404);
    assert_eq!(office.call("POST", &withdrawal, Some(&other.session), &Value::Null).await.0, 200);
    assert_eq!(office.approve(&foreign, &approver).await.0, 409);

    for (someone, count) in [(&requester, 3), (&approver, 4)] {
        let (mut seen, mut path) = (0, "/agency/v1/questions?limit=2".to_owned());
        loop {
            let (_, page) = office.call("GET", &path, Some(&someone.session), &Value::Null).await;
            seen += page["questions"].as_array().unwrap().len();
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/agency/v1/questions?limit=2&after={next}");
        }
        assert_eq!(seen, count, "{}", someone.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_idempotency_key_files_one_question() {
    let (mut office, _, [mut requester, ..]) = staffed().await;
    let draft = draft(&office);
    let url = format!("{}/agency/v1/questions", office.url);
    let with_key = |session: &str| {
        Message::request("POST", &url)
            .with("authorization", &format!("Bearer {session}"))
            .with("idempotency-key", "form-17")
    };
    let content = draft.to_string().into_bytes();
    let (_, first) = office.send(&with_key(&requester.session), content.clone()).await;
    office.world.restart("agency").await;
    assert_eq!(office.sign_in(&mut requester, PASSWORD).await, 200);
    let (status, again) = office.send(&with_key(&requester.session), content).await;
    assert_eq!((status, &again["id"]), (201, &first["id"]));
    let mut other = draft;
    other["case_number"] = json!("26-0002");
    let (status, refused) = office.send(&with_key(&requester.session), other.to_string().into_bytes()).await;
    assert_eq!((status, &refused["title"]), (409, &json!("conflict")));
}

#[tokio::test(flavor = "multi_thread")]
async fn five_failures_lock_until_an_operator_frees() {
    let (office, operator, [mut requester, ..]) = staffed().await;
    for _ in 0..4 {
        assert_eq!(office.sign_in(&mut requester, "wrong but long enough").await, 401);
    }
    // Fifteen minutes later the four are forgotten.
    office.world.clock.set_offset(16 * 60);
    assert_eq!(office.sign_in(&mut requester, "wrong but long enough").await, 401);
    assert_eq!(office.sign_in(&mut requester, PASSWORD).await, 200);
    for _ in 0..5 {
        assert_eq!(office.sign_in(&mut requester, "wrong but long enough").await, 401);
    }
    assert_eq!(office.sign_in(&mut requester, PASSWORD).await, 401, "locked");
    let mine = office.call("GET", "/access/v1/session", Some(&requester.session), &Value::Null).await;
    assert_eq!(mine.0, 200, "whoever guesses names ends no session that a password and a passkey opened");
    let free = "/access/v1/accounts/det. example/invitation".replace(' ', "%20");
    let (status, answer) = office.call("POST", &free, Some(&operator.session), &Value::Null).await;
    assert_eq!((status, answer["token"].is_string()), (200, true));
    assert_eq!(office.sign_in(&mut requester, PASSWORD).await, 401, "the old password is void");
    let mine = office.call("GET", "/access/v1/session", Some(&requester.session), &Value::Null).await;
    assert_eq!(mine.0, 401, "and what it opened ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_hangs_up_before_the_answer_is_counted_all_the_same() {
    let (office, _, [mut requester, ..]) = staffed().await;
    let body = json!({"name": requester.name, "password": "wrong but long enough"}).to_string();
    let place = office.url.trim_start_matches("http://");
    let request = format!(
        "POST /access/v1/sign-in HTTP/1.1\r\nhost: {place}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    for wait in [1, 5, 10, 20, 30] {
        let mut stream = std::net::TcpStream::connect(place).unwrap();
        std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(wait)).await;
    }
    let node = office.world.node("agency");
    until("five failures lock, heard out or not", async || {
        let mut locked = false;
        Ledger::records(&node.folder, |stored| locked |= stored.body["change"] == "locked").unwrap();
        locked
    })
    .await;
    assert_eq!(office.sign_in(&mut requester, PASSWORD).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_alone_or_a_foreign_passkey_signs_nobody_in() {
    let (office, _, [requester, approver, _]) = staffed().await;
    let begin = || async {
        let body = json!({"name": requester.name, "password": PASSWORD});
        office.call("POST", "/access/v1/sign-in", None, &body).await.1
    };
    let begun = begin().await;
    let half = begun["session"].as_str().unwrap().to_owned();
    assert_eq!(office.call("GET", "/access/v1/session", Some(&half), &Value::Null).await.0, 401);
    let foreign = approver.passkey.sign(&begun["sign"]);
    assert_eq!(office.call("POST", "/access/v1/passkey", Some(&half), &foreign).await.0, 401);
    let right = requester.passkey.sign(&begun["sign"]);
    assert_eq!(
        office.call("POST", "/access/v1/passkey", Some(&half), &right).await.0,
        401,
        "one challenge, one answer"
    );
    let old = right;
    let begun = begin().await;
    let session = begun["session"].as_str().unwrap();
    assert_eq!(office.call("POST", "/access/v1/passkey", Some(session), &old).await.0, 401, "replayed");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_when_idle_when_old_and_when_roles_change() {
    let (office, operator, [mut requester, mut approver, _]) = staffed().await;
    let alive = |session: String| async {
        let session = session;
        office.call("GET", "/access/v1/session", Some(&session), &Value::Null).await.0 == 200
    };
    let path = "/access/v1/accounts/det.%20example/roles";
    let roles = json!({"roles": ["examiner"]});
    assert_eq!(office.call("PUT", path, Some(&operator.session), &roles).await.0, 204);
    assert!(!alive(requester.session.clone()).await, "other roles, other session");
    let own = "/access/v1/accounts/op.%20example/roles";
    assert_eq!(
        office.call("PUT", own, Some(&operator.session), &roles).await.0,
        403,
        "nobody raises themselves"
    );
    assert_eq!(office.sign_in(&mut requester, PASSWORD).await, 200);
    for step in 1..=24 {
        office.world.clock.set_offset(29 * 60 * step);
        assert!(alive(requester.session.clone()).await, "step {step}");
    }
    office.world.clock.set_offset(12 * 3600 + 60);
    assert!(!alive(requester.session.clone()).await, "twelve hours are the most");
    assert_eq!(office.sign_in(&mut approver, PASSWORD).await, 200);
    office.world.clock.set_offset(12 * 3600 + 32 * 60);
    assert!(!alive(approver.session.clone()).await, "idle for more than half an hour");
    assert_eq!(office.sign_in(&mut approver, PASSWORD).await, 200);
    let out = office.call("DELETE", "/access/v1/session", Some(&approver.session), &Value::Null).await;
    assert_eq!((out.0, alive(approver.session.clone()).await), (204, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_nobody_uses_is_closed() {
    let (mut office, _, [mut requester, ..]) = staffed().await;
    office.world.clock.set_offset(91 * 24 * 3600);
    office.world.restart("agency").await;
    let node = office.world.node("agency");
    until("it is closed", async || {
        let mut closed = false;
        let change = "closed, unused for 90 days";
        let ends = |body: &Value| body["change"] == change && body["account"] == "det. example";
        Ledger::records(&node.folder, |stored| closed |= ends(&stored.body)).unwrap();
        closed
    })
    .await;
    assert_eq!(office.sign_in(&mut requester, PASSWORD).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_far_ahead_closes_nobodys_account() {
    let (mut office, _, [mut requester, ..]) = staffed().await;
    let (right, ahead) = (office.world.clock.clone(), Clock::default());
    ahead.set_offset(400 * 24 * 3600);
    let listener = office.world.stop_for_a_while("agency").await;
    office.world.clock = ahead;
    office.world.serve("agency", listener).await;
    let url = format!("{}/healthz", office.world.node("agency").config.url);
    // What it says of the directory is noted behind the look for accounts that nobody used.
    until("the node has looked", async || {
        let (_, health) = office.world.client.get(&url).await.unwrap();
        let health: Value = serde_json::from_slice(&health).unwrap();
        health["impaired"].as_array().unwrap().contains(&"directory".into())
    })
    .await;
    let listener = office.world.stop_for_a_while("agency").await;
    office.world.clock = right;
    office.world.serve("agency", listener).await;
    assert_eq!(office.sign_in(&mut requester, PASSWORD).await, 200);
}

//! Whoever guesses passwords waits, is found again in the log, and takes no memory; and nobody alone makes two people.

use std::ffi::OsStr;
use std::time::Duration;

use serde_json::{Value, json};
use server::access::Role;
use server::federation::{Message, Start};
use server::{Client, DoorRules};
use tokio::task::JoinSet;

use crate::access::draft;
use crate::kill::{issuer_apart, kill, start_with};
use crate::people::{Office, PASSWORD, staffed};
use crate::world::{World, until};

const WRONG: &str = "wrong but long enough";

/// The records that an auditor sees.
async fn records(office: &Office, session: &str) -> Vec<Value> {
    let (_, seen) = office.call("GET", "/access/v1/records?limit=100", Some(session), &Value::Null).await;
    let all = seen["records"].as_array().unwrap().iter();
    all.map(|one| serde_json::from_str(one["record"].as_str().unwrap()).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_alone_makes_no_two_people_of_itself() {
    let (office, operator) = Office::open().await;
    let auditor = office.join(&operator, "ombudsman example", &[Role::Auditor], 4).await;
    let invite = async |path: &str, body: Value| {
        let (status, answer) = office.call("POST", path, Some(&operator.session), &body).await;
        assert!(status < 300, "{answer}");
        answer["token"].as_str().unwrap().to_owned()
    };
    let token = invite("/access/v1/accounts", json!({"name": "det. a", "roles": ["requester"]})).await;
    let (mut made_up, waits) = office.set_up("det. a", &token, 7).await;
    let passkey = waits.expect("somebody else must confirm it");
    assert_eq!(office.sign_in(&mut made_up, PASSWORD).await, 401, "it waits");
    let (status, refused) = office.confirm(&operator.session, "det. a", &passkey).await;
    assert_eq!((status, &refused["title"]), (403, &json!("forbidden")), "{refused}");
    let other = passkey.replace(['0', '1', '2', '3'], "4");
    assert_eq!(
        office.confirm(&auditor.session, "det. a", &other).await.0,
        409,
        "not what its owner was shown"
    );
    assert_eq!(office.confirm(&auditor.session, "nobody", &passkey).await.0, 404);
    assert_eq!(office.confirm(&auditor.session, "det. a", &passkey).await.0, 204);
    assert_eq!(office.confirm(&auditor.session, "det. a", &passkey).await.0, 409, "once");
    assert_eq!(office.sign_in(&mut made_up, PASSWORD).await, 200);

    // Whoever frees an account could take it over: it waits again.
    let token = invite("/access/v1/accounts/det.%20a/invitation", Value::Null).await;
    let (_, waits) = office.set_up("det. a", &token, 8).await;
    let passkey = waits.expect("another passkey, another word");
    assert_eq!(office.confirm(&operator.session, "det. a", &passkey).await.0, 403);
    assert_eq!(office.confirm("0000", "det. a", &passkey).await.0, 401, "nor without the machine's secret");
    assert_eq!(office.confirm(&office.machine(), "det. a", &passkey).await.0, 204);
    let (status, _) = office
        .call(
            "POST",
            "/access/v1/accounts",
            Some(&operator.session),
            &json!({"name": "This Machine", "roles": ["auditor"]}),
        )
        .await;
    assert_eq!(status, 409, "nobody is called like the machine");
    let confirmed: Vec<Value> = records(&office, &auditor.session)
        .await
        .into_iter()
        .filter(|record| record["body"]["change"] == "confirmed" && record["body"]["account"] == "det. a")
        .map(|record| record["body"]["by"].clone())
        .collect();
    assert_eq!(confirmed, ["ombudsman example", "this machine"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_alone_gives_nobody_a_role_that_asks_approves_or_oversees() {
    let (office, operator) = Office::open().await;
    let auditor = office.join(&operator, "ombudsman example", &[Role::Auditor], 4).await;
    let clerk = office.join(&operator, "clerk example", &[Role::Examiner], 5).await;
    let path = |what: &str| format!("/access/v1/accounts/clerk%20example/{what}");
    let give = async |roles: Value| {
        let body = json!({"roles": roles});
        office.call("PUT", &path("roles"), Some(&operator.session), &body).await.0
    };
    let confirm = async |session: &str, roles: Value| {
        office.call("POST", &path("confirmation"), Some(session), &json!({"roles": roles})).await.0
    };
    for role in ["requester", "auditor", "operator", "approver"] {
        assert_eq!(give(json!(["examiner", role])).await, 202, "{role} waits");
    }
    let (status, mine) = office.call("GET", "/access/v1/session", Some(&clerk.session), &Value::Null).await;
    assert_eq!((status, &mine["roles"]), (200, &json!(["examiner"])), "as before");
    let wanted = json!(["approver", "examiner"]);
    assert_eq!(confirm(&operator.session, wanted.clone()).await, 403, "whoever gave them");
    assert_eq!(confirm(&clerk.session, wanted.clone()).await, 403, "nor whose account it is");
    assert_eq!(confirm(&auditor.session, json!(["auditor"])).await, 409, "others than wait");
    let (_, seen) = office.call("GET", "/access/v1/accounts", Some(&auditor.session), &Value::Null).await;
    let clerks = seen["accounts"].as_array().unwrap().iter().find(|one| one["name"] == "clerk example");
    assert_eq!(clerks.unwrap()["proposed"], json!({"roles": wanted, "by": "op. example"}), "{seen}");
    assert_eq!(confirm(&auditor.session, wanted.clone()).await, 204);
    assert_eq!(confirm(&auditor.session, wanted.clone()).await, 409, "once");
    assert_eq!(give(json!(["registrar"])).await, 204, "what neither asks nor oversees is given at once");
    let of = async |change: &str| {
        let records = records(&office, &auditor.session).await.into_iter();
        let mut of = records.filter(|one| one["body"]["change"] == change).map(|one| one["body"].clone());
        of.next_back().unwrap_or_default()
    };
    let confirmed = of("roles confirmed").await;
    assert_eq!((&confirmed["by"], &confirmed["roles"]), (&json!("ombudsman example"), &wanted));
    assert_eq!(of("confirmed").await["roles"], json!(["examiner"]), "the word on a passkey names the roles");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_what_is_not_theirs_is_found_in_the_log() {
    let (office, operator, [requester, approver, auditor]) = staffed().await;
    let other = office.join(&operator, "det. other", &[Role::Requester], 8).await;
    let (_, filed) =
        office.call("POST", "/agency/v1/questions", Some(&requester.session), &draft(&office)).await;
    let place = format!("/agency/v1/questions/{}", filed["id"].as_str().unwrap());
    assert_eq!(office.approve(&place, &requester).await.0, 403);
    for (session, path, refused) in [
        (&operator.session, "/access/v1/records", 403),
        (&operator.session, "/access/v1/records", 403),
        (&other.session, &*place, 404),
        (&"0000".to_owned(), "/access/v1/accounts", 401),
    ] {
        assert_eq!(office.call("GET", path, Some(session), &Value::Null).await.0, refused, "{path}");
    }
    let reminders = office.call("GET", "/agency/v1/reminders", Some(&approver.session), &Value::Null).await;
    assert_eq!(reminders.0, 200);
    let leaves = office.call("DELETE", "/access/v1/session", Some(&approver.session), &Value::Null).await;
    assert_eq!(leaves.0, 204);
    // Once a minute they are entered together.
    office.world.clock.set_offset(61);
    let expected = [
        ("det. example", "POST /agency/v1/questions/{id}/approval", 403, 1),
        ("op. example", "GET /access/v1/records", 403, 2),
        ("det. other", "GET /agency/v1/questions/{id}", 404, 1),
        ("", "GET /access/v1/accounts", 401, 1),
    ];
    let mut all = Vec::new();
    until("every refusal is entered", async || {
        all = records(&office, &auditor.session).await;
        let acts = all.iter().filter(|record| record["body"]["change"] == "acts refused");
        let lines: Vec<&Value> =
            acts.flat_map(|record| record["body"]["refused"].as_array().unwrap()).collect();
        expected.iter().all(|(by, asked, status, count)| {
            let line = |line: &&&Value| {
                line["by"].as_str().unwrap_or_default() == *by
                    && line["asked"] == *asked
                    && line["status"] == *status
            };
            let counted: u64 = lines.iter().filter(line).filter_map(|line| line["count"].as_u64()).sum();
            counted == *count
        })
    })
    .await;
    let of_approver = |what: &dyn Fn(&Value) -> bool| all.iter().any(|record| what(&record["body"]));
    assert!(of_approver(&|body| body["change"] == "signed out" && body["account"] == "sgt. example"));
    assert!(of_approver(&|body| body["by"] == "sgt. example" && body["what"]["reminders"].is_u64()));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_is_found_in_the_log_and_waits() {
    let (mut office, _, [mut requester, _, mut auditor]) = staffed().await;
    office.world.door = DoorRules::default();
    office.world.restart("agency").await;
    assert_eq!(office.sign_in(&mut auditor, PASSWORD).await, 200);
    for _ in 0..4 {
        assert_eq!(office.sign_in(&mut requester, WRONG).await, 401);
    }
    let nobody = json!({"name": "nobody at all", "password": WRONG});
    for _ in 0..6 {
        assert_eq!(office.call("POST", "/access/v1/sign-in", None, &nobody).await.0, 401);
    }
    // Ten failures from one address: it is not listened to, whomever it names, and nothing more is counted.
    let (status, answer) = office.call("POST", "/access/v1/sign-in", None, &nobody).await;
    assert_eq!((status, &answer["title"]), (429, &json!("busy")), "{answer}");
    for _ in 0..3 {
        assert_eq!(office.sign_in(&mut requester, WRONG).await, 429, "so it locks nobody else either");
    }
    office.world.clock.set_offset(16 * 60);
    assert_eq!(office.sign_in(&mut requester, PASSWORD).await, 200);
    let records = records(&office, &auditor.session).await;
    let of = |change: &str| {
        let bodies = records.iter().map(|record| &record["body"]);
        bodies.filter(|body| body["change"] == change).cloned().collect::<Vec<_>>()
    };
    let failed = of("sign-in failed");
    assert_eq!(failed.len(), 4);
    assert!(
        failed.iter().all(|one| one["account"] == "det. example" && one["from"] == "127.0.0.1"),
        "{failed:?}"
    );
    assert!(of("signed in").iter().all(|one| one["from"] == "127.0.0.1"));
    let refused = of("sign-ins refused");
    assert_eq!(refused[0]["refused"][0]["from"], "127.0.0.1", "{refused:?}");
    assert!(!format!("{refused:?}").contains("nobody at all"));
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_that_everybody_tries_first_are_not_taken() {
    let (office, operator) = Office::open().await;
    let body = json!({"name": "sgt. example", "roles": ["approver"]});
    let (_, invited) = office.call("POST", "/access/v1/accounts", Some(&operator.session), &body).await;
    let enrol = async |password: &str| {
        let body = json!({"name": "sgt. example", "token": invited["token"], "password": password});
        office.call("POST", "/access/v1/enrolment", None, &body).await
    };
    for common in ["000000000000", "            ", "sgt. example", "passwordpassword", "Sgt-Example-2026"] {
        let (status, refused) = enrol(common).await;
        assert_eq!((status, &refused["title"]), (400, &json!("malformed")), "{common}: {refused}");
    }
    assert_eq!(enrol(PASSWORD).await.0, 200);
}

/// Kibibytes of its own that a process holds.
fn held(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_sign_ins_leave_no_memory_behind() {
    if !std::path::Path::new("/proc/self/status").exists() {
        return;
    }
    let mut world = World::start().await;
    let address = issuer_apart(&mut world).await;
    let child = start_with(&world, address, &[("MICROSTAMP_TEST_PROXIED", OsStr::new("1"))]).await;
    let before = held(child.id());
    let message = Message::request("POST", &format!("http://{address}/access/v1/sign-in"));
    let body = json!({"name": "nobody", "password": WRONG}).to_string();
    let client = Client::new(Duration::from_mins(1));
    let mut all = JoinSet::new();
    for _ in 0..50 {
        let (client, message, body) = (client.clone(), message.clone(), body.clone());
        all.spawn(async move {
            let mut heard = 0;
            for _ in 0..2 {
                let (answer, _) = client.send(&message, body.clone().into_bytes()).await.unwrap();
                heard += usize::from(answer.start == Start::Answer(401));
            }
            heard
        });
    }
    let heard: usize = all.join_all().await.into_iter().sum();
    assert!(heard > 20, "{heard} passwords were looked at");
    let more = held(child.id()).saturating_sub(before);
    kill(child);
    // One password at a time takes 19 MiB, and the allocator keeps a few of them; on fifty threads it would be a gibibyte.
    assert!(more < 150 * 1_024, "{more} KiB more than before");
}

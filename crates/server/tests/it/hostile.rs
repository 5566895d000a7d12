//! Requests that no honest program sends: none may bring a node down, and none may tell one role what is another's.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use server::access::Role;
use server::federation::{Message, sign_request};
use server::{NodeRole, openapi};

use crate::people::Office;

/// Requests; `MICROSTAMP_HOSTILE=10000` sends more.
fn count() -> usize {
    std::env::var("MICROSTAMP_HOSTILE").ok().and_then(|text| text.parse().ok()).unwrap_or(1_500)
}

#[test]
fn the_published_document_is_the_one_that_nodes_serve() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let now = format!("{}\n", serde_json::to_string_pretty(&openapi::document()).unwrap());
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(path, &now).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == now, "docs/openapi.json is old; INSTA_UPDATE=always writes it anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_serves_its_part_of_the_document_and_says_so() {
    let (office, _) = Office::open().await;
    let (mut served, whole) = (std::collections::BTreeSet::new(), openapi::document());
    for name in ["directory", "makers", "issuer", "agency"] {
        let (_, server) = office.world.servers.iter().find(|(known, _)| *known == name).unwrap();
        let node = format!("http://{}", server.address());
        let get = Message::request("GET", &format!("{node}/openapi.json"));
        let (status, document) = office.send(&get, Vec::new()).await;
        assert_eq!(status, 200, "{name}");
        for (path, methods) in document["paths"].as_object().unwrap() {
            assert_eq!(whole["paths"][path], *methods, "{path}");
            served.insert(path.clone());
            let path = path
                .replace("{path}", "checkpoint")
                .replace("{id}", "x")
                .replace("{name}", "x")
                .replace("{log}", "x")
                .replace("{question}", "x")
                .replace("{code}", "x");
            for method in methods.as_object().unwrap().keys() {
                let message = Message::request(&method.to_uppercase(), &format!("{node}{path}"));
                let (status, answer) = office.send(&message, Vec::new()).await;
                assert_ne!(status, 405, "{name}: {method} {path}");
                assert_ne!(answer["detail"], "there is no such resource", "{name}: {method} {path}");
            }
            let (status, answer) =
                office.send(&Message::request("PATCH", &format!("{node}{path}")), Vec::new()).await;
            assert_eq!((status, &answer["title"]), (405, &json!("not allowed")), "{name}: {path}");
        }
    }
    assert!(whole["paths"].as_object().unwrap().keys().eq(served.iter()), "{served:?}");
}

/// A node under attack: its address, the sessions that the attacker has, and the operations that it is said to have.
struct Target {
    office: Office,
    sessions: Vec<Option<String>>,
    operations: Vec<(String, String)>,
}

impl Target {
    async fn at(name: &'static str, role: NodeRole, roles: &[Role]) -> Self {
        let (office, operator) = Office::at(name).await;
        let mut sessions = vec![None, Some("0".repeat(64)), Some(operator.session.clone())];
        for (role, seed) in roles.iter().zip(20..) {
            let someone = office.join(&operator, &format!("{role} example"), &[*role], seed).await;
            sessions.push(Some(someone.session));
        }
        let document = openapi::document_of(role);
        let paths = document["paths"].as_object().unwrap().iter();
        let operations = paths.flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |method| (path.clone(), method.clone()))
        });
        let operations = operations.collect();
        Self { office, sessions, operations }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_requests_neither_break_a_node_nor_loosen_its_tongue() {
    let targets = [
        Target::at("agency", NodeRole::Agency, &[Role::Requester, Role::Auditor, Role::Examiner]).await,
        Target::at("issuer", NodeRole::Issuer, &[Role::Registrar, Role::Auditor]).await,
    ];
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let (mut statuses, mut reached) = (std::collections::BTreeMap::<u16, usize>::new(), 0);
    for number in 0..count() {
        let target = &targets[number % targets.len()];
        let (path, method) = &target.operations[rng.random_range(0..target.operations.len())];
        // A password costs much time on purpose; the lock-out has a test of its own.
        if (path.ends_with("sign-in") || path.ends_with("enrolment")) && !number.is_multiple_of(50) {
            continue;
        }
        let office = &target.office;
        let mut message = hostile(&mut rng, &office.url, (path, method), &target.sessions);
        let content = content(&mut rng, office);
        if path.starts_with("/federation") && rng.random_bool(0.5) {
            // By an agency of the directory, so that the content is looked at.
            let agency = office.world.node("agency");
            let key = (&*agency.card().key_id(), &agency.signing);
            let url = format!("{}{path}", office.url);
            message = sign_request(&url, &content, key, office.world.clock.now()).unwrap();
        }
        let Ok((answer, body)) = office.client.send(&message, content.clone()).await else { continue };
        let server::federation::Start::Answer(status) = answer.start else { panic!("no answer") };
        let told = String::from_utf8_lossy(&body);
        assert!(status < 500, "{status} {message:?} {} {told}", String::from_utf8_lossy(&content));
        assert!(!told.contains("$argon2"), "a password's hash was told");
        assert!(!told.contains("AB1000"), "a serial number was told without approval");
        *statuses.entry(status).or_default() += 1;
        reached += 1;
    }
    assert!(reached > count() / 2 && statuses.len() > 6, "{reached} of {}: {statuses:?}", count());
    for target in &targets {
        assert_eq!(target.office.call("GET", "/healthz", None, &Value::Null).await.1["status"], "ok");
    }
}

fn hostile(
    rng: &mut ChaCha8Rng,
    url: &str,
    (path, method): (&str, &str),
    sessions: &[Option<String>],
) -> Message {
    const PARTS: [&str; 9] = [
        "x",
        "%00",
        "..%2f..%2fetc%2fpasswd",
        "%27%20OR%201=1--",
        "0198c0de-0000-7000-8000-000000000000",
        "%F0%9F%92%A3",
        "%ff%fe",
        "checkpoint",
        "op.%20example",
    ];
    const QUERIES: [&str; 6] =
        ["", "?limit=0", "?limit=99999999999999999999", "?after=%00", "?after=zzz&limit=-1", "?a[]=1&a[]=2"];
    const METHODS: [&str; 5] = ["GET", "POST", "PUT", "DELETE", "PATCH"];
    let mut path = path.to_owned();
    for name in ["{id}", "{name}", "{path}", "{code}", "{log}", "{question}"] {
        path = path.replace(name, PARTS[rng.random_range(0..PARTS.len())]);
    }
    let method =
        if rng.random_bool(0.2) { METHODS[rng.random_range(0..5)].to_owned() } else { method.to_uppercase() };
    let target = format!("{url}{path}{}", QUERIES[rng.random_range(0..QUERIES.len())]);
    let mut message = Message::request(&method, &target);
    if let Some(session) = &sessions[rng.random_range(0..sessions.len())] {
        message = message.with("authorization", &format!("Bearer {session}"));
    }
    for (name, value) in [
        ("idempotency-key", "k"),
        ("signature", "sig1=:AAAA:"),
        ("signature-input", "sig1=();created=1;keyid=\"x\""),
        (
            "signature-input",
            "sig1=(\"@method\" \"@target-uri\");created=99999999999999;nonce=\"\";keyid=\"\"",
        ),
        ("content-digest", "sha-256=:AAAA:"),
        ("content-type", "application/xml"),
        ("accept", "\u{1}"),
    ] {
        if rng.random_bool(0.15) {
            message = message.with(name, value);
        }
    }
    message
}

fn content(rng: &mut ChaCha8Rng, office: &Office) -> Vec<u8> {
    let code = office.world.codes[0];
    let mut draft = json!({
        "kind": {"for": "chain"}, "ori": "CA0194200", "case_number": "26-0001", "crime_code": "0999",
        "priority": "routine", "reason": "case recovered at a scene", "codes": [{"code": code, "posterior": 0.5}],
        "reading_sha256": "ab".repeat(32),
    });
    let odd = [
        json!(null),
        json!(-1),
        json!(1e308),
        json!(""),
        json!("\u{0}"),
        json!("a".repeat(5_000)),
        json!([]),
        json!({}),
        json!([[[[]]]]),
        json!(true),
        json!("CA0194200"),
        json!(["requester", "approver"]),
    ];
    match rng.random_range(0..6) {
        0 => Vec::new(),
        1 => (0..rng.random_range(1..200)).map(|_| rng.random()).collect(),
        2 => "[".repeat(50_000).into_bytes(),
        3 => {
            let names = ["name", "password", "token", "roles", "reason", "id", "schema"];
            let fields =
                names.iter().map(|name| ((*name).to_owned(), odd[rng.random_range(0..odd.len())].clone()));
            Value::Object(fields.collect()).to_string().into_bytes()
        }
        _ => {
            let names: Vec<String> = draft.as_object().unwrap().keys().cloned().collect();
            draft[&names[rng.random_range(0..names.len())]] = odd[rng.random_range(0..odd.len())].clone();
            draft.to_string().into_bytes()
        }
    }
}

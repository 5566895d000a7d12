//! Mutual TLS between nodes: the right certificate, a wrong one, an expired one, none.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use server::federation::{Message, Start};
use server::roles::AskError;
use server::{Client, Node, NodeRole};

use crate::world::{World, node, question, until};

/// Posts nothing to the issuer's door for nodes: status and problem, or why there was no connection.
async fn knock(client: &Client, url: &str) -> Result<(u16, String), String> {
    let message = Message::request("POST", &format!("{url}/federation/v1/trace"));
    let answer = client.send(&message, Vec::new()).await;
    let (answer, content) = answer.map_err(|error| error.to_string())?;
    let Start::Answer(status) = answer.start else { unreachable!() };
    let problem: serde_json::Value = serde_json::from_slice(&content).unwrap_or_default();
    let kind = problem["type"].as_str().unwrap_or_default();
    Ok((status, kind.trim_start_matches("urn:microstamp:problem:").to_owned()))
}

/// A stranger's node with a certificate for these days that trusts the issuer's key.
fn stranger(world: &World, name: &str, days: (Timestamp, Timestamp)) -> Node {
    let mut made =
        node(&world.path(name), NodeRole::Agency, &format!("{name}.example"), "https://127.0.0.1:1");
    made.make_certificate(days).unwrap();
    made.trust_peer(&world.node("issuer").card().tls.unwrap()).unwrap();
    made
}

fn days(from: i64, until: i64) -> (Timestamp, Timestamp) {
    let now = Timestamp::now();
    (now + SignedDuration::from_hours(24 * from), now + SignedDuration::from_hours(24 * until))
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_know_each_other_by_the_keys_of_their_certificates() {
    let mut world = World::start_secure().await;
    let issuer = world.node("issuer").config.url;
    let time = Duration::from_secs(5);

    // The right one: a trace goes through, and the metrics tell when the certificate ends.
    let agency = world.agency().await;
    let answer = agency.ask(&question(&[(world.codes[0], 1.0)])).await.unwrap().remove(0).unwrap();
    assert_eq!(answer.answer.issuer.as_str(), "issuer.example");
    let unsigned = Ok((401, "unsigned".to_owned()));
    assert_eq!(
        knock(&agency.node.client(time), &issuer).await,
        unsigned,
        "let in, and asked for a signature"
    );
    let mut left: Option<i64> = None;
    until("the metrics tell when the certificate ends", async || {
        let metrics = world.metrics("issuer").await;
        let mut lines = metrics.lines();
        let line = lines.find_map(|line| line.strip_prefix("microstamp_certificate_expires_in_seconds "));
        left = line.map(|left| left.parse().unwrap());
        left.is_some()
    })
    .await;
    let left = left.unwrap();
    assert!((28 * 86_400..31 * 86_400).contains(&left), "{left}");

    // A wrong one: within its time, and of nobody in the directory.
    let wrong = stranger(&world, "stranger", days(-1, 30));
    let refused = knock(&wrong.client(time), &issuer).await.unwrap_err();
    assert!(!refused.is_empty());

    // An expired one, and one that does not hold yet, under a key that the issuer was told to trust.
    for (name, days) in [("late", days(-30, -1)), ("early", days(2, 30))] {
        let node = stranger(&world, name, days);
        world.node("issuer").trust_peer(&node.card().tls.unwrap()).unwrap();
        world.restart("issuer").await;
        assert!(knock(&node.client(time), &issuer).await.is_err(), "{name}");
    }
    // The same days, but good ones: it was the time and nothing else.
    let good = stranger(&world, "good", days(-1, 1));
    world.node("issuer").trust_peer(&good.card().tls.unwrap()).unwrap();
    world.restart("issuer").await;
    assert_eq!(knock(&good.client(time), &issuer).await, unsigned);

    // None: the public's doors are open, those between nodes are not.
    let bare = agency.node.client(time);
    assert_eq!(bare.get(&format!("{issuer}/statistics")).await.unwrap().0, 200);
    assert_eq!(without_certificate(&issuer, &world, "/statistics"), 200);
    assert_eq!(without_certificate(&issuer, &world, "/federation/v1/trace"), 401);
    assert!(
        Client::new(time).get(&format!("{issuer}/healthz")).await.is_err(),
        "a node without TLS does not ask"
    );
    let plain = issuer.replace("https:", "http:");
    assert!(Client::new(time).get(&format!("{plain}/healthz")).await.is_err(), "no plain HTTP at this door");
}

/// A request by somebody who shows no certificate and takes the issuer's for what it is.
fn without_certificate(url: &str, world: &World, path: &str) -> u16 {
    let pem = std::fs::read(world.path("issuer").join("node/tls.crt")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("issuer.crt");
    std::fs::write(&file, pem).unwrap();
    let script = "import ssl, sys, http.client\n\
        context = ssl.create_default_context(cafile=sys.argv[1])\n\
        host, path, method = sys.argv[2], sys.argv[3], sys.argv[4]\n\
        c = http.client.HTTPSConnection(host, context=context)\n\
        c.request(method, path)\n\
        print(c.getresponse().status)\n";
    let host = url.trim_start_matches("https://");
    let method = if path.starts_with("/federation") { "POST" } else { "GET" };
    let mut python = std::process::Command::new("python3");
    let output = python.args(["-c", script]).arg(&file).args([host, path, method]).output().unwrap();
    let words = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    words.parse().unwrap_or_else(|_| panic!("{words} {}", String::from_utf8_lossy(&output.stderr)))
}

/// An authority that issues certificates.
struct Authority(rcgen::Issuer<'static, rcgen::KeyPair>, String);

impl Authority {
    fn new() -> Self {
        let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self(rcgen::Issuer::new(params, key), pem)
    }

    /// Gives a node a certificate of this authority in place of its own.
    fn issue(&self, node: &std::path::Path) {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        std::fs::write(node.join("node/tls.crt"), certificate.pem()).unwrap();
        std::fs::write(node.join("node/tls.key"), key.serialize_pem()).unwrap();
    }

    /// Lets a node take its certificates, as an operator does.
    fn trusted_by(&self, node: &std::path::Path) {
        std::fs::write(node.join("node/authority.crt"), &self.1).unwrap();
        let file = node.join("node/node.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, format!("{text}authority = \"authority.crt\"\n")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authoritys_certificates_are_taken_where_the_directory_names_no_key() {
    let mut world = World::start_secure().await;
    let (house, other, time) = (Authority::new(), Authority::new(), Duration::from_secs(5));
    let issuer = world.node("issuer").config.url;
    for (name, authority) in [("of-house", &house), ("of-another", &other)] {
        stranger(&world, name, days(-1, 30));
        authority.issue(&world.path(name));
    }
    let knocks = |name: &str| {
        let (node, issuer) = (world.node(name), issuer.clone());
        async move { knock(&node.client(time), &issuer).await }
    };
    assert!(knocks("of-house").await.is_err(), "the issuer has no authority yet");
    house.trusted_by(&world.path("issuer"));
    world.restart("issuer").await;
    let knocks = |name: &str| {
        let (node, issuer) = (world.node(name), issuer.clone());
        async move { knock(&node.client(time), &issuer).await }
    };
    assert_eq!(knocks("of-house").await, Ok((401, "unsigned".to_owned())));
    assert!(knocks("of-another").await.is_err(), "another authority's");

    // The issuer's own certificate is now the authority's: the directory still names the old key, and no other will do.
    house.issue(&world.path("issuer"));
    house.trusted_by(&world.path("agency"));
    for witness in ["makers", "oversight"] {
        house.trusted_by(&world.path(witness));
        world.restart(witness).await;
    }
    world.restart("issuer").await;
    let agency = world.agency().await;
    let mut answers = agency.ask(&question(&[(world.codes[0], 1.0)])).await.unwrap();
    assert!(
        matches!(answers.remove(0), Err(AskError::Unreachable { .. })),
        "the pin gave way to an authority"
    );
    let mut unpinned = world.node("issuer");
    unpinned.tls = None;
    world.enrol(&unpinned);
    until("without a pin the authority's certificate is good", async || {
        agency.directory.renew(world.clock.now()).await.unwrap();
        agency.ask(&question(&[(world.codes[0], 1.0)])).await.unwrap().remove(0).is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_another_key_than_the_directory_names_is_not_asked() {
    let mut world = World::start_secure().await;
    let agency = world.agency().await;
    // Somebody took the issuer's address with a certificate of its own.
    let mut issuer = world.node("issuer");
    issuer.make_certificate(days(-1, 30)).unwrap();
    issuer.trust_peer(&world.node("directory").card().tls.unwrap()).unwrap();
    world.restart("issuer").await;
    let mut answers = agency.ask(&question(&[(world.codes[0], 1.0)])).await.unwrap();
    assert!(matches!(answers.remove(0), Err(AskError::Unreachable { .. })));
    // Once the directory names the new key it is asked again.
    world.enrol(&world.node("issuer"));
    until("the new key is in the directory and the issuer is asked", async || {
        agency.directory.renew(world.clock.now()).await.unwrap();
        agency.ask(&question(&[(world.codes[0], 1.0)])).await.unwrap().remove(0).is_ok()
    })
    .await;
}

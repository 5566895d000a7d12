//! The court bundle verifies offline, and every single-byte change is caught.

use serde_json::json;
use server::access::Role;
use server::federation::{Message, Start};
use server::roles::{Agency, Enrolment};
use server::{CourtBundle, CourtReport};
use transparency::{Bundle, VerifierKey};

use crate::access::draft;
use crate::people::{Office, staffed};
use crate::world::{World, question, until};

#[tokio::test(flavor = "multi_thread")]
async fn the_court_bundle_verifies_and_every_changed_byte_is_caught() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let asked = question(&[(world.codes[0], 0.9999)]);
    agency.ask(&asked).await.unwrap().remove(0).unwrap();
    collected(&agency, asked.id).await;
    // Two minutes later a witness's second key is enrolled; the bundle holds the directory under which the question was asked, and
    // no signature that is unknown to it.
    world.clock.set_offset(120);
    let third = world.node("defence");
    world.enrol_as(&third, &Enrolment::Witness(third.witness_card()));
    let version = agency.directory.newest().unwrap().content().version;
    until("a newer directory is there", async || {
        agency.directory.renew(world.clock.now()).await.unwrap();
        agency.directory.newest().unwrap().content().version > version
    })
    .await;
    let bundle = collected(&agency, asked.id).await;
    let file = bundle.to_string().into_bytes();
    let root = world.node("directory").statements.verifier().clone();
    let report = CourtBundle::parse(&file).unwrap().verify(&root).unwrap();
    assert_eq!(report.question, asked);
    assert_eq!(report.approval, None, "a program asked with the node's token");
    assert_eq!((report.agency.as_str(), report.answer.issuer.as_str()), ("agency.example", "issuer.example"));
    assert!(report.issuer_log.witnesses.len() >= 2 && report.agency_log.witnesses.len() >= 2);
    assert!(!report.issuer_log.ml_dsa.is_empty() && !report.agency_log.ml_dsa.is_empty());

    let stranger = world.node("issuer").statements.verifier().clone();
    assert!(CourtBundle::parse(&file).unwrap().verify(&stranger).is_err());
    no_byte_can_be_changed(&file, &root, 1);
    assert!(CourtBundle::parse(&file[..file.len() - 1]).is_err());
    let mut given = 0;
    server::Ledger::records(&world.path("agency").join("node"), |stored| {
        given += usize::from(stored.kind == "court-bundle");
    })
    .unwrap();
    assert_eq!(given, 2, "each bundle that was given out is in the log");
    second_opinion(&file, &root.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_shows_who_filed_read_and_approved() {
    let (office, operator, [requester, approver, _]) = staffed().await;
    let examiner = office.join(&operator, "examiner example", &[Role::Examiner], 7).await;
    let (_, filed) =
        office.call("POST", "/agency/v1/questions", Some(&requester.session), &draft(&office)).await;
    let id = filed["id"].as_str().unwrap();
    let place = format!("/agency/v1/questions/{id}");
    let reading = json!({
        "codes": [{"code": office.world.codes[1], "posterior": 0.9999}], "reading_sha256": "cd".repeat(32),
    });
    // A first reading names the part, and the second, which names none, is of the same.
    let mut first = reading.clone();
    first["parts"] = json!(["firing-pin"]);
    let attach = format!("{place}/reading");
    assert_eq!(office.call("PUT", &attach, Some(&examiner.session), &first).await.0, 200);
    let (_, seen) = office.call("PUT", &attach, Some(&examiner.session), &reading).await;
    assert_eq!(seen["draft"]["parts"], json!(["firing-pin"]), "{seen}");
    assert_eq!(office.approve(&place, &approver).await.0, 200);
    let file = given_out(&office, id).await;
    let root = office.world.node("directory").statements.verifier().clone();
    let report = CourtBundle::parse(&file).unwrap().verify(&root).unwrap();
    let approval = report.approval.unwrap();
    let persons = [&approval.filed, approval.read.as_ref().unwrap(), &approval.approved];
    let expected = [
        ("det. example", Role::Requester),
        ("examiner example", Role::Examiner),
        ("sgt. example", Role::Approver),
    ];
    for (step, (name, role)) in persons.into_iter().zip(expected) {
        assert!(step.by.as_str() == name && step.roles.contains(role), "{step:?}");
    }
    assert!(approval.filed.at <= approval.approved.at && approval.approved.at <= report.answer.answered_at);
    assert_eq!(seen["draft_sha256"], approval.draft_sha256);
    // Where the desk's entries stand bytes count, too; every single one is changed above.
    no_byte_can_be_changed(&file, &root, 7);
    second_opinion(&file, &root.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_of_a_second_step_shows_who_approved_the_first() {
    let (office, operator, [requester, approver, _]) = staffed().await;
    let lieutenant = office.join(&operator, "lt. example", &[Role::Approver], 5).await;
    let mut draft = draft(&office);
    let (_, chain) = office.call("POST", "/agency/v1/questions", Some(&requester.session), &draft).await;
    let place = |filed: &serde_json::Value| format!("/agency/v1/questions/{}", filed["id"].as_str().unwrap());
    assert_eq!(office.approve(&place(&chain), &approver).await.0, 200);
    draft["kind"] = json!({"for": "retail-reference", "after": chain["id"]});
    let (_, second) = office.call("POST", "/agency/v1/questions", Some(&requester.session), &draft).await;
    assert_eq!(office.approve(&place(&second), &lieutenant).await.0, 200);
    let file = given_out(&office, second["id"].as_str().unwrap()).await;
    let root = office.world.node("directory").statements.verifier().clone();
    let report = CourtBundle::parse(&file).unwrap().verify(&root).unwrap();
    let first = report.first.unwrap();
    assert_eq!(first.question.id.to_string(), chain["id"].as_str().unwrap());
    assert_eq!(first.approval.unwrap().approved.by.as_str(), "sgt. example");
    assert_eq!(report.approval.unwrap().approved.by.as_str(), "lt. example");
    assert!(report.answer.firearm.unwrap().form_4473().is_some());
    no_byte_can_be_changed(&file, &root, 11);
    second_opinion(&file, &root.to_string());

    // One that leaves the first step out shows nobody who approved the chain.
    let text = String::from_utf8(file).unwrap();
    let (head, rest) = text.split_once("part agency-log ").unwrap();
    let (length, rest) = rest.split_once('\n').unwrap();
    let (log, tail) = rest.split_at(length.parse().unwrap());
    let log = Bundle::parse(log.as_bytes()).unwrap();
    assert_eq!(log.entries.len(), 7, "question, answer, two steps; and of the first the question and two");
    for left in [4, 5] {
        let shorter = Bundle { entries: log.entries[..left].to_vec() }.to_string();
        let bundle = format!("{head}part agency-log {}\n{shorter}{tail}", shorter.len());
        let refused = CourtBundle::parse(bundle.as_bytes()).unwrap().verify(&root).unwrap_err();
        assert_eq!(refused.part, "agency-log", "{refused}");
    }
}

/// The bundle that the office's node gives out.
async fn given_out(office: &Office, question: &str) -> Vec<u8> {
    let token = office.world.node("agency").token().unwrap();
    let ask = Message::request("GET", &format!("{}/agency/v1/court/{question}", office.url))
        .with("authorization", &format!("Bearer {token}"));
    let mut file = Vec::new();
    until("the bundle is given out", async || {
        let (answer, content) = office.client.send(&ask, Vec::new()).await.unwrap();
        file = content;
        answer.start == Start::Answer(200)
    })
    .await;
    file
}

fn no_byte_can_be_changed(file: &[u8], root: &VerifierKey, step: usize) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|threads| {
        for first in 0..cores {
            threads.spawn(move || {
                for at in (first * step..file.len()).step_by(cores * step) {
                    let mut altered = file.to_vec();
                    altered[at] ^= 1;
                    let verdict = CourtBundle::parse(&altered).and_then(|bundle| bundle.verify(root));
                    assert!(verdict.is_err(), "byte {at} of {} can be changed", file.len());
                }
            });
        }
    });
}

async fn collected(agency: &Agency, question: uuid::Uuid) -> CourtBundle {
    let mut bundle = None;
    until("the bundle is whole", async || {
        bundle = agency.court_bundle(question, None).await.ok();
        bundle.is_some()
    })
    .await;
    bundle.unwrap()
}

/// Collects it and has it verified, also by the second verifier.
pub(crate) async fn bundle_that_verifies(
    world: &World,
    agency: &Agency,
    question: uuid::Uuid,
) -> CourtReport {
    let file = collected(agency, question).await.to_string().into_bytes();
    let root = world.node("directory").statements.verifier().clone();
    second_opinion(&file, &root.to_string());
    CourtBundle::parse(&file).unwrap().verify(&root).unwrap()
}

/// A verifier in another language, from the specifications alone, agrees.
pub(crate) fn second_opinion(file: &[u8], key: &str) {
    let folder = tempfile::tempdir().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/independent/court.py");
    let verdict = |bytes: &[u8]| {
        let path = folder.path().join("court.bundle");
        std::fs::write(&path, bytes).unwrap();
        std::process::Command::new("python3").arg("-B").arg(script).arg(&path).arg(key).output().unwrap()
    };
    let good = verdict(file);
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    for at in (0..file.len()).step_by(file.len() / 12) {
        let mut altered = file.to_vec();
        altered[at] ^= 1;
        assert!(!verdict(&altered).status.success(), "byte {at} can be changed");
    }
}

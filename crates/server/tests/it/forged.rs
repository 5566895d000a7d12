//! Court bundles that a dishonest agency, issuer or keeper of a directory makes with keys of its own: everything in them is signed.

use std::fmt::Write as _;
use std::process::Command;

use jiff::Timestamp;
use serde_json::{Value, json};
use server::api::{AgencyCard, IssuerCard, Question};
use server::federation::{DirectoryContent, Message, sign_answer, sign_request};
use server::{CourtBundle, CourtError, Node, NodeRole, validity};
use sha2::{Digest as _, Sha256};
use symbology::Code;
use transparency::{
    Bundle, Commitment, Log, MemoryStore, Note, Salt, SigningKey, VerifierKey, canonical_json,
};

use crate::world::{node, question};

/// One house that has all keys.
struct Forger {
    keeper: Node,
    issuer: Node,
    agency: Node,
    witness: Node,
    now: Timestamp,
    _root: tempfile::TempDir,
}

/// What it files.
struct Story {
    question: Question,
    /// Members of the answer in the place of those that are true.
    answer: Value,
    /// Whether the directory's log is shown.
    shown: bool,
}

fn code(text: &str) -> Code {
    text.parse().unwrap()
}

impl Forger {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let made = |name: &str, role| {
            node(&root.path().join(name), role, &format!("{name}.example"), &format!("http://{name}.example"))
        };
        let keeper = made("keeper", NodeRole::Directory);
        let (issuer, agency) = (made("issuer", NodeRole::Issuer), made("agency", NodeRole::Agency));
        let witness = made("witness", NodeRole::Witness);
        Self { keeper, issuer, agency, witness, now: Timestamp::now(), _root: root }
    }

    fn root(&self) -> VerifierKey {
        self.keeper.statements.verifier().clone()
    }

    fn directory(&self) -> String {
        let (from, until) = validity(self.now, 7);
        let mut content = DirectoryContent::new(1, from, until);
        content.issuers.push(IssuerCard {
            node: self.issuer.card(),
            prefixes: vec!["K7".parse().unwrap()],
            delegation: None,
            books_log: None,
            books_log_ended: None,
            valid_from: from,
            valid_until: until,
        });
        content.agencies.push(AgencyCard {
            node: self.agency.card(),
            oris: vec!["CA0194200".parse().unwrap()],
            sealing: self.agency.sealing.clone(),
            valid_from: from,
            valid_until: until,
        });
        content.witnesses.push(self.witness.witness_card());
        content.quorum = 1;
        content.log = Some(self.keeper.log.verifier().to_string());
        String::from_utf8(content.sign(&self.keeper.statements).unwrap()).unwrap()
    }

    /// A log that holds these records, cosigned.
    fn log(&self, key: &SigningKey, records: &[Value]) -> String {
        let salt = Salt::from_bytes([7; 32]);
        let records: Vec<Vec<u8>> = records.iter().map(|record| canonical_json(record).unwrap()).collect();
        let mut log = Log::create(MemoryStore::default(), key.clone()).unwrap();
        let entries: Vec<_> = records.iter().map(|record| Commitment::new(&salt, record)).collect();
        log.append_batch(&entries).unwrap();
        let mut signed = log.checkpoint().clone();
        let time = u64::try_from(self.now.as_second()).unwrap();
        for key in [&self.witness.witness].into_iter().chain(&self.witness.witness_ml_dsa) {
            let line = signed.cosign(key, time).unwrap();
            signed.note.signatures.push(line);
        }
        let proof = |(at, record): (usize, &Vec<u8>)| {
            let mut proof = log.entry_proof(at as u64, &salt, record).unwrap();
            proof.signed = signed.clone();
            proof
        };
        Bundle { entries: records.iter().enumerate().map(proof).collect() }.to_string()
    }

    fn record(&self, kind: &str, body: &Value) -> Value {
        json!({"kind": kind, "at": self.now, "body": body})
    }

    fn bundle(&self, story: &Story) -> Vec<u8> {
        let directory = self.directory();
        let content = serde_json::to_string(&story.question).unwrap();
        let target = format!("{}/federation/v1/trace", self.issuer.config.url);
        let key_id = self.agency.card().key_id();
        let request =
            sign_request(&target, content.as_bytes(), (&key_id, &self.agency.signing), self.now).unwrap();
        let fields = json!({
            "target": target, "content_digest": request.field("content-digest"),
            "signature_input": request.field("signature-input"), "signature": request.field("signature"),
        });
        let mut answer = json!({
            "schema": "microstamp.answer/1", "question": story.question.id,
            "question_sha256": hex::encode(Sha256::digest(&content)),
            "case_number": story.question.case_number, "issuer": self.issuer.config.name,
            "answered_at": self.now, "outcome": "not-issued", "not_issued": ["K73M XPKA"],
            "statement": ["it was never issued"],
        });
        for (name, value) in story.answer.as_object().unwrap() {
            answer[name] = value.clone();
        }
        let line = String::from_utf8(canonical_json(&answer).unwrap()).unwrap();
        let statement = Note::sign(&format!("{line}\n"), &self.issuer.statements).unwrap().to_string();
        let key_id = self.issuer.card().key_id();
        let plain = Message::answer(200).with("content-type", "application/json");
        let response =
            sign_answer(plain, b"{}", &request, (&key_id, &self.issuer.signing), self.now).unwrap();
        let response = json!({
            "status": 200, "content_type": response.field("content-type"),
            "content_digest": response.field("content-digest"),
            "signature_input": response.field("signature-input"), "signature": response.field("signature"),
        });
        let asked = json!({"content": content, "request": fields, "approved": null});
        let told = json!({"content": "{}", "opened": {"statement": statement}});
        let issuer_log = self.log(
            &self.issuer.log,
            &[self.record("question", &asked), self.record("answer", &json!({"statement": statement}))],
        );
        let agency_log =
            self.log(&self.agency.log, &[self.record("question", &asked), self.record("answer", &told)]);
        let version = json!({"version": 1, "sha256": hex::encode(Sha256::digest(&directory))});
        let shown = if story.shown {
            self.log(&self.keeper.log, &[self.record("directory", &version)])
        } else {
            String::new()
        };
        let text = |value: &Value| String::from_utf8(canonical_json(value).unwrap()).unwrap();
        let parts = [
            ("directory", directory),
            ("question", content),
            ("request", text(&fields)),
            ("answer", "{}".to_owned()),
            ("response", text(&response)),
            ("statement", statement),
            ("issuer-log", issuer_log),
            ("agency-log", agency_log),
            ("directory-log", shown),
        ];
        let mut file = "microstamp.court/2\n".to_owned();
        for (name, part) in parts {
            write!(file, "part {name} {}\n{part}\n", part.len()).unwrap();
        }
        file.into_bytes()
    }

    /// What the program says, and whether the other verifier agrees that it holds.
    fn verdicts(&self, story: &Story) -> (Result<(), CourtError>, bool) {
        let file = self.bundle(story);
        let verdict = CourtBundle::parse(&file).and_then(|bundle| bundle.verify(&self.root()));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("court.bundle");
        std::fs::write(&path, &file).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/independent/court.py");
        let key = self.root().to_string();
        let other = Command::new("python3").arg("-B").arg(script).arg(path).arg(key).output().unwrap();
        (verdict.map(drop), other.status.success())
    }
}

fn story() -> Story {
    let asked = question(&[(code("K73M XPKA"), 0.9999)]);
    Story { question: asked, answer: json!({}), shown: true }
}

pub(crate) fn firearm(code: &str, reference: &Value) -> Value {
    json!({
        "outcome": "found", "not_issued": [], "firearm": {
            "code": code, "posterior": "0.999900000", "posterior_given_issued": "0.999900000",
            "licence": "1-23-456-78-9A-12345", "model": "M9", "serial": "AB10001", "kind": "pistol",
            "calibre": "9 mm Luger", "manufacturer": "Maker (synthetic)", "importer": null, "country": "US",
            "parts": [], "chain": [], "time_to_crime_days": null, "time_to_crime": "unknown",
            "reference_withheld": false,
            "end": {"end": "retail-sale", "dealer": "Corner Guns (synthetic)",
                    "licence": "1-23-456-01-9A-33333", "on": "2024-04-01", "form_4473": reference},
        },
    })
}

#[test]
fn what_an_agency_must_refuse_no_court_takes() {
    let forger = Forger::new();
    let (good, other) = forger.verdicts(&story());
    good.unwrap();
    assert!(other, "what is well made holds");
    let told = Story { answer: firearm("K73M XPKA", &Value::Null), ..story() };
    let (good, other) = forger.verdicts(&told);
    good.unwrap();
    assert!(other, "a chain too");

    let bad = [
        ("another case", json!({"case_number": "26-0002"})),
        ("a code that was not asked", json!({"not_issued": ["K75C CBNQ"]})),
        ("an older answer", json!({"answered_at": "2020-01-01T00:00:00Z"})),
        ("a typist", json!({"typed_by": "det. example"})),
        ("a reference to a chain question", firearm("K73M XPKA", &json!("2024-0815"))),
        ("a reference beside the end", {
            let mut answer = firearm("K73M XPKA", &Value::Null);
            answer["firearm"]["first_sale"] = json!({
                "dealer": "Corner Guns (synthetic)", "licence": "1-23-456-01-9A-33333", "on": "2024-04-01",
                "form_4473": "2024-0815",
            });
            answer
        }),
    ];
    for (what, answer) in bad {
        let (verdict, other) = forger.verdicts(&Story { answer, ..story() });
        assert_eq!(verdict.unwrap_err().part, "statement", "{what}");
        assert!(!other, "{what}");
    }
    let mut alone = Story { answer: firearm("K73M XPKA", &Value::Null), ..story() };
    alone.question.approver = alone.question.requester.clone();
    let mut foreign = Story { answer: firearm("K73M XPKA", &Value::Null), ..story() };
    foreign.question.ori = "CA0194299".parse().unwrap();
    for (what, story) in [("one person", alone), ("another agency's ORI", foreign)] {
        let (verdict, other) = forger.verdicts(&story);
        assert_eq!(verdict.unwrap_err().part, "question", "{what}");
        assert!(!other, "{what}");
    }
}

#[test]
fn a_keeper_who_names_sham_witnesses_is_caught_by_whoever_knows_an_honest_one() {
    let forger = Forger::new();
    let bundle = CourtBundle::parse(&forger.bundle(&story())).unwrap();
    let report = bundle.verify(&forger.root()).unwrap();
    assert_eq!(report.directory.0, 1);
    let honest = Forger::new().witness.witness.verifier().clone();
    let refused = bundle.verify_with(&forger.root(), std::slice::from_ref(&honest)).unwrap_err();
    assert!(refused.reason.contains("known to the reader"), "{refused}");
    let known = [honest, forger.witness.witness.verifier().clone()];
    bundle.verify_with(&forger.root(), &known).unwrap();
    // A directory that no log holds.
    let (verdict, other) = forger.verdicts(&Story { shown: false, ..story() });
    assert_eq!(verdict.unwrap_err().part, "directory-log");
    assert!(!other);
}

//! The conformance tester: plays the other side against any node and says, clause by clause of `docs/federation.md`,
//! whether it keeps to the protocol. Use it with a test agency: what it asks stands in real logs.

mod dealers;
mod directory;
mod false_issuer;
mod issuer;
mod rules;
mod witness;

use transparency::{SignedCheckpoint, VerifierKey};
use uuid::Uuid;

use crate::api::{AskedCode, NodeCard, Question, QuestionKind, Urgency};
use crate::client::{Client, status};
use crate::federation::Message;
use crate::roles::Dealer;

pub use directory::check_directory;
pub use false_issuer::play_issuer;
pub use issuer::check_issuer;
pub use witness::check_witness;

/// One clause and whether it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// Section of `docs/federation.md`.
    pub section: &'static str,
    /// What must hold.
    pub text: &'static str,
    /// `Err` says what was seen instead.
    pub result: Result<(), String>,
}

/// What a tester of an issuer has beside its agency. Without it the rules that need books are not tested.
#[derive(Default)]
pub struct Planted<'t> {
    /// Code of a firearm that was made up for tests, and that by the issuer's books was sold at retail.
    pub sold: Option<symbology::Code>,
    /// A dealer that the directory lists.
    pub dealer: Option<&'t Dealer>,
}

type Seen = Result<(), String>;

/// Checks what an agency's node shows to the outside. Whether it takes bad answers is what [`play_issuer`] asks.
pub async fn check_agency(client: &Client, node: &NodeCard) -> Vec<Clause> {
    let mut clauses = common(client, node).await;
    let message = Message::request("POST", &format!("{}/agency/v1/traces", node.url));
    let answer = client.send(&message, b"{}".to_vec()).await;
    let result = match answer {
        Ok((answer, _)) if status(&answer) == 401 => Ok(()),
        Ok((answer, _)) => Err(format!("status {}", status(&answer))),
        Err(error) => Err(error.to_string()),
    };
    clauses.push(Clause { section: "8", text: "nobody asks through it without its token", result });
    clauses
}

/// What every node with a log must do.
async fn common(client: &Client, node: &NodeCard) -> Vec<Clause> {
    let url = &node.url;
    let clause = |section, text, result| Clause { section, text, result };
    let checkpoint = get(client, &format!("{url}/log/checkpoint"), 200).await.and_then(|bytes| {
        let key: VerifierKey = node.log.parse().map_err(|error| format!("{error}"))?;
        let signed = SignedCheckpoint::parse(&bytes).map_err(|error| error.to_string())?;
        signed.verify(&key).map_err(|error| error.to_string())
    });
    let card = get(client, &format!("{url}/card"), 200).await.and_then(|bytes| {
        let card: NodeCard = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        if card == *node { Ok(()) } else { Err("its card is not the directory's".to_owned()) }
    });
    let metrics = get(client, &format!("{url}/metrics"), 401).await;
    vec![
        clause("8", "it says that it is well", get(client, &format!("{url}/healthz"), 200).await.map(drop)),
        clause("8", "its metrics are not for everybody", metrics.map(drop)),
        clause("3", "its keys are those of the directory", card),
        clause("6", "its log's checkpoint is signed by its key", checkpoint),
        clause(
            "8",
            "what is not there ends with 404",
            get(client, &format!("{url}/nothing"), 404).await.map(drop),
        ),
    ]
}

/// A question for a code of a block that is most likely not issued.
fn question(prefix: Option<symbology::Prefix>, ori: registry::names::Ori) -> Question {
    let code = prefix.map(last_of);
    let case: String = format!("conformance {}", Uuid::now_v7().simple()).chars().take(40).collect();
    Question {
        schema: Question::SCHEMA.to_owned(),
        id: Uuid::now_v7(),
        kind: QuestionKind::Chain {},
        ori,
        case_number: case.parse().expect("forty plain characters"),
        crime_code: "0999".parse().expect("four digits"),
        priority: Urgency::Routine,
        reason: "conformance test, no case".parse().expect("a plain sentence"),
        requester: "conformance".parse().expect("a plain word"),
        approver: "second person".parse().expect("two plain words"),
        codes: code.map(|code| AskedCode { code, on_round: false, posterior: 1.0 }).into_iter().collect(),
        reading_sha256: None,
        typed_by: Some("conformance".parse().expect("a plain word")),
        recovered_on: None,
        parts: Vec::new(),
    }
}

/// The last code of a block: most likely not issued.
fn last_of(prefix: symbology::Prefix) -> symbology::Code {
    code_of(prefix, "ZZZZ")
}

fn code_of(prefix: symbology::Prefix, unit: &str) -> symbology::Code {
    let symbols: Vec<_> =
        format!("{prefix}{unit}").chars().filter_map(symbology::Symbol::from_char).collect();
    let symbols = <[symbology::Symbol; 6]>::try_from(symbols).expect("two and four symbols");
    symbology::Code::new(symbols)
}

async fn get(client: &Client, url: &str, wanted: u16) -> Result<Vec<u8>, String> {
    match client.get(url).await {
        Ok((seen, bytes)) if seen == wanted => Ok(bytes),
        Ok((seen, _)) => Err(format!("status {seen}")),
        Err(error) => Err(error.to_string()),
    }
}

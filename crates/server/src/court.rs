//! The court bundle: one file that shows offline what was asked, by whom, on what authority, what was answered, and that
//! both logs hold it under checkpoints that a quorum of witnesses cosigned. The only thing to be trusted is the
//! directory's key.
//!
//! A bundle is the line `microstamp.court/2`, then for each part a line `part <name> <bytes>`, so many bytes, and a
//! newline. There is one spelling, and every byte is covered by a signature or a hash.

mod approval;
mod first;

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use transparency::{
    Approval, Bundle, InclusionProof, LogError, MemoryStore, Resource, SignedCheckpoint, Tree, VerifierKey,
    canonical_json,
};

pub use self::approval::{CourtApproval, CourtStep};
use self::approval::{Placed, approval};
pub use self::first::CourtFirst;
use self::first::first_step;
use crate::api::{Answer, IssuerCard, NodeCard, Question};
use crate::client::Client;
use crate::federation::{
    Directory, LABEL, Message, SignatureInput, authorise, check_answer, check_question, verify_request,
};
use crate::ledger::Entered;
use crate::roles::{check_told, read_statement, shows};

const HEADER: &str = "microstamp.court/2";
/// Largest bundle that is read, in bytes.
const LIMIT: usize = 64 << 20;
/// How far two clocks may be from each other.
const CLOCKS: SignedDuration = SignedDuration::from_mins(2);
/// Parts in their order.
const PARTS: [&str; 9] = [
    "directory",
    "question",
    "request",
    "answer",
    "response",
    "statement",
    "issuer-log",
    "agency-log",
    "directory-log",
];
/// Largest file of a log, in bytes; those of nodes' logs have 9 KiB at most.
const LARGEST: usize = 64 << 10;
/// Most files fetched of an issuer's log for the proofs of some entries: for all of them, and for each.
const FETCHES: usize = 64;
const FETCHES_EACH: usize = 4;

/// Why a court bundle does not stand, or cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{part}: {reason}")]
pub struct CourtError {
    /// Which part.
    pub part: &'static str,
    /// What does not hold.
    pub reason: String,
    /// What to do about it.
    pub fault: CourtFault,
}

/// What stands in the way of a court bundle: each calls for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CourtFault {
    /// There is no answered question of that number.
    Absent,
    /// A part cannot be had now; it may be in a moment.
    NotYet,
    /// This node's own records, or its log.
    Here,
    /// What is there does not hold: keep it, it may be evidence.
    Broken,
}

/// The parts of a bundle, each as its bytes stand in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CourtBundle {
    parts: [String; 9],
}

/// What a bundle shows when everything in it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct CourtReport {
    /// What was asked.
    pub question: Question,
    /// When the agency signed it.
    pub asked_at: Timestamp,
    /// The agency's node.
    pub agency: String,
    /// Who filed and who approved it; `None` where a local program asked with the node's token.
    pub approval: Option<CourtApproval>,
    /// Of a question for a retail reference: the question for the chain before it, and who approved that.
    pub first: Option<CourtFirst>,
    /// What was answered.
    pub answer: Answer,
    /// Whether the issuer gave it again: the statement is then that of an earlier sending of the same question.
    pub again: bool,
    /// The issuer's log and its witnesses.
    pub issuer_log: Approval,
    /// The agency's log and its witnesses.
    pub agency_log: Approval,
    /// The directory's own log and its witnesses; `None` where the directory names no log, so that its keeper alone vouches for it.
    pub directory_log: Option<Approval>,
    /// Version of the directory, and the SHA-256 of its file.
    pub directory: (u64, String),
}

/// Start line and signed fields of a request, canonical JSON in the bundle.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestPart {
    target: String,
    content_digest: String,
    signature_input: String,
    signature: String,
}

/// Status and signed fields of an answer.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResponsePart {
    status: u16,
    content_type: String,
    content_digest: String,
    signature_input: String,
    signature: String,
}

/// What an agency's records hold of one exchange.
pub(crate) struct Exchange {
    pub(crate) question: Entered,
    pub(crate) asked: Value,
    pub(crate) answer: Entered,
    pub(crate) answered: Value,
    /// Who filed, read and approved it, where it went over the desk.
    pub(crate) desk: Vec<Entered>,
    /// Of a second step: the question of the first, and the same of that.
    pub(crate) first: Vec<Entered>,
}

impl CourtBundle {
    /// Puts a bundle together from an agency's records and the two logs.
    pub(crate) fn new(
        (directory, shown): (&Directory, &str),
        exchange: &Exchange,
        issuer_log: &Bundle,
        agency_log: &Bundle,
    ) -> Result<Self, CourtError> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let fields = &exchange.answered["fields"];
        let response = json!({
            "status": exchange.answered["status"], "content_type": fields["content_type"],
            "content_digest": fields["content_digest"], "signature_input": fields["signature_input"],
            "signature": fields["signature"],
        });
        let parts = [
            String::from_utf8_lossy(directory.bytes()).into_owned(),
            text(&exchange.asked["content"]),
            canonical("request", &exchange.asked["request"])?,
            text(&exchange.answered["content"]),
            canonical("response", &response)?,
            text(&exchange.answered["opened"]["statement"]),
            issuer_log.to_string(),
            agency_log.to_string(),
            shown.to_owned(),
        ];
        Ok(Self { parts })
    }

    /// Reads a bundle. Nothing is verified yet.
    ///
    /// # Errors
    /// [`CourtError`] when it is not in its one spelling.
    pub fn parse(bytes: &[u8]) -> Result<Self, CourtError> {
        let malformed = |reason: &str| wrong("bundle", reason);
        if bytes.len() > LIMIT {
            return Err(malformed("it is larger than 64 MiB"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8"))?;
        let mut rest = text
            .strip_prefix(HEADER)
            .and_then(|rest| rest.strip_prefix('\n'))
            .ok_or_else(|| malformed("no header"))?;
        let mut parts: [String; 9] = Default::default();
        for (name, part) in PARTS.iter().zip(&mut parts) {
            let cut = || wrong(name, "it is cut off, or its length does not fit");
            let head = rest.strip_prefix(&format!("part {name} ")).and_then(|rest| rest.split_once('\n'));
            let (length, after) = head.ok_or_else(cut)?;
            let length: usize = length.parse().map_err(|_| cut())?;
            after.get(..length).ok_or_else(cut)?.clone_into(part);
            rest = after.get(length..).and_then(|rest| rest.strip_prefix('\n')).ok_or_else(cut)?;
        }
        let bundle = Self { parts };
        if bundle.to_string() == text { Ok(bundle) } else { Err(malformed("it is not in its one spelling")) }
    }

    /// Checks everything, trusting only the directory's key.
    ///
    /// # Errors
    /// The first part that does not hold, and why.
    pub fn verify(&self, directory_key: &VerifierKey) -> Result<CourtReport, CourtError> {
        self.verify_with(directory_key, &[])
    }

    /// The same, and that one of these witnesses at least, whose keys the reader knows, saw each of the three logs. Without any, whose
    /// cosignatures count is the word of the directory's keeper.
    ///
    /// # Errors
    /// As [`CourtBundle::verify`].
    pub fn verify_with(
        &self,
        directory_key: &VerifierKey,
        witnesses: &[VerifierKey],
    ) -> Result<CourtReport, CourtError> {
        // What takes no key comes first: nearly every change of a byte ends here.
        let (issuer_log, agency_log) = (self.issuer_log()?, self.agency_log()?);
        let [directory, question, ..] = &self.parts;
        let directory =
            Directory::parse(directory.as_bytes(), directory_key).map_err(|e| wrong("directory", e))?;
        if directory.content().quorum == 0 {
            return Err(wrong(
                "directory",
                "it asks for no witness, so nobody but its keeper vouches for a log",
            ));
        }
        let content = question.as_bytes();
        let request = self.request()?;
        let input = SignatureInput::of(&request, LABEL).map_err(|error| wrong("request", error))?;
        let created = input.number("created").map_err(|error| wrong("request", error))?;
        let asked_at = Timestamp::from_second(created).map_err(|error| wrong("request", error))?;
        directory.check_time(asked_at).map_err(|error| wrong("directory", error))?;
        let key_of = |key_id: &str| directory.agency(key_id, asked_at).map(|card| card.node.signing);
        let signed =
            verify_request(&request, content, asked_at, key_of).map_err(|error| wrong("request", error))?;
        let agency =
            directory.agency(&signed.key_id, asked_at).ok_or_else(|| wrong("request", "no agency"))?;
        let question = check_question(content).map_err(|error| wrong("question", error))?;
        let (issuer, answer) = self.answer(&directory, &request, &question)?;
        directory.check_authority(&answer, asked_at).map_err(|error| wrong("statement", error))?;
        if answer.firearm.is_some() {
            authorise(&question, agency).map_err(|error| wrong("question", error))?;
        }
        let approval = approval(&question, &agency_log.asked, &agency_log.desk)?;
        let first = first_step(&question, &agency_log.asked, &agency_log.first)?;
        let again = issuer_log.answered.record["body"]["again"] == true;
        in_order(asked_at, approval.as_ref(), (!again).then_some(answer.answered_at))?;
        let issuer_log = issuer_log.approved(&directory, &issuer.node)?;
        let agency_log = agency_log.approved(&directory, &agency.node)?;
        let directory_log = self.directory_log(&directory)?;
        if !witnesses.is_empty() {
            for (part, text) in PARTS.iter().zip(&self.parts).skip(6) {
                seen_by(witnesses, part, text)?;
            }
        }
        let agency = agency.node.name.to_string();
        let directory = (directory.content().version, directory.sha256().to_owned());
        Ok(CourtReport {
            question,
            asked_at,
            agency,
            approval,
            first,
            answer,
            again,
            issuer_log,
            agency_log,
            directory_log,
            directory,
        })
    }

    /// That the directory's own log holds this version: whoever has its key alone shows nobody another one.
    fn directory_log(&self, directory: &Directory) -> Result<Option<Approval>, CourtError> {
        let (part, text) = ("directory-log", &self.parts[8]);
        let Some(log) = &directory.content().log else {
            return if text.is_empty() { Ok(None) } else { Err(wrong(part, "the directory names no log")) };
        };
        let bundle = Bundle::parse(text.as_bytes()).map_err(|error| wrong(part, error))?;
        let policy = directory.policy(log).map_err(|error| wrong(part, error))?;
        let approval = bundle.verify(&policy).map_err(|error| wrong(part, error))?;
        let shown = shows(text.as_bytes(), (directory, directory), log);
        if shown.map_err(|error| wrong(part, error))? {
            return Ok(Some(approval));
        }
        Err(wrong(part, "it is of another version of the directory"))
    }

    fn request(&self) -> Result<Message, CourtError> {
        let part: RequestPart = one_spelling("request", &self.parts[2])?;
        Ok(Message::request("POST", &part.target)
            .with("content-type", "application/json")
            .with("content-digest", &part.content_digest)
            .with("signature-input", &part.signature_input)
            .with("signature", &part.signature))
    }

    /// The issuer's signature over the sealed answer, and its signed statement.
    fn answer<'d>(
        &self,
        directory: &'d Directory,
        request: &Message,
        question: &Question,
    ) -> Result<(&'d IssuerCard, Answer), CourtError> {
        let statement = &self.parts[5];
        let line = statement.split('\n').next().unwrap_or_default();
        let claimed: Answer = serde_json::from_str(line).map_err(|error| wrong("statement", error))?;
        let issuer =
            directory.issuer(&claimed.issuer).ok_or_else(|| wrong("statement", "an unknown issuer"))?;
        let answer =
            read_statement(statement, &issuer.node.statements).map_err(|error| wrong("statement", error))?;
        if answer.question != question.id
            || answer.question_sha256 != hex::encode(Sha256::digest(&self.parts[1]))
        {
            return Err(wrong("statement", "it answers another question"));
        }
        check_told(&answer, question).map_err(|error| wrong("statement", error))?;
        let part: ResponsePart = one_spelling("response", &self.parts[4])?;
        let response = Message::answer(part.status)
            .with("content-type", &part.content_type)
            .with("content-digest", &part.content_digest)
            .with("signature-input", &part.signature_input)
            .with("signature", &part.signature);
        let key = (&*issuer.node.key_id(), &issuer.node.signing);
        check_answer(&response, self.parts[3].as_bytes(), request, key)
            .map_err(|error| wrong("response", error))?;
        Ok((issuer, answer))
    }

    /// The issuer's entries of question and answer.
    fn issuer_log(&self) -> Result<Entries, CourtError> {
        let log = Entries::read("issuer-log", &self.parts[6])?;
        let (asked, answered) = (&log.asked.record, &log.answered.record);
        if !log.desk.is_empty() || !log.first.is_empty() {
            return Err(wrong("issuer-log", "it holds more than a question and an answer"));
        }
        let request: Value = one_spelling("request", &self.parts[2])?;
        let holds = asked["kind"] == "question"
            && asked["body"]["content"] == self.parts[1].as_str()
            && asked["body"]["request"] == request
            && answered["kind"] == "answer"
            && answered["body"]["statement"] == self.parts[5].as_str();
        if holds { Ok(log) } else { Err(wrong("issuer-log", "its entries are of another trace")) }
    }

    /// The agency's entries of question and answer, and those of its desk.
    fn agency_log(&self) -> Result<Entries, CourtError> {
        let log = Entries::read("agency-log", &self.parts[7])?;
        let request: Value = one_spelling("request", &self.parts[2])?;
        let (asked, answered) = (&log.asked.record, &log.answered.record);
        let holds = asked["kind"] == "question"
            && asked["body"]["content"] == self.parts[1].as_str()
            && asked["body"]["request"] == request
            && answered["kind"] == "answer"
            && answered["body"]["content"] == self.parts[3].as_str()
            && answered["body"]["opened"]["statement"] == self.parts[5].as_str();
        if holds { Ok(log) } else { Err(wrong("agency-log", "its entries are of another trace")) }
    }
}

/// Question and answer in a node's log and what stands beside them.
struct Entries {
    part: &'static str,
    bundle: Bundle,
    asked: Placed,
    answered: Placed,
    desk: Vec<Placed>,
    /// Of a second step, the question of the first and the desk's entries of that.
    first: Vec<Placed>,
}

impl Entries {
    /// Reads them and follows each to the root of the log's checkpoint; nothing is said of signatures.
    fn read(part: &'static str, text: &str) -> Result<Self, CourtError> {
        let bundle = Bundle::parse(text.as_bytes()).map_err(|error| wrong(part, error))?;
        bundle.hangs_together().map_err(|error| wrong(part, error))?;
        let mut placed = Vec::new();
        for entry in &bundle.entries {
            let record = serde_json::from_slice(&entry.record).map_err(|error| wrong(part, error))?;
            placed.push(Placed { index: entry.inclusion.index, record });
        }
        let mut desk = placed.split_off(placed.len().min(2));
        let of_first = desk.iter().position(|entry| entry.record["kind"] == "question");
        let first = desk.split_off(of_first.unwrap_or(desk.len()));
        match <[Placed; 2]>::try_from(placed) {
            Ok([asked, answered]) => Ok(Self { part, bundle, asked, answered, desk, first }),
            Err(_) => Err(wrong(part, "it does not hold a question and an answer")),
        }
    }

    /// Whether a quorum cosigned the checkpoint of this node's log.
    fn approved(&self, directory: &Directory, node: &NodeCard) -> Result<Approval, CourtError> {
        let policy = directory.policy(&node.log).map_err(|error| wrong(self.part, error))?;
        self.bundle.verify(&policy).map_err(|error| wrong(self.part, error))
    }
}

impl fmt::Display for CourtBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        PARTS
            .iter()
            .zip(&self.parts)
            .try_for_each(|(name, part)| writeln!(f, "part {name} {}\n{part}", part.len()))
    }
}

/// Filed, approved, asked and answered in this order, as far as two clocks agree. An answer that was given again is older than its last
/// asking.
fn in_order(
    asked: Timestamp,
    approval: Option<&CourtApproval>,
    answered: Option<Timestamp>,
) -> Result<(), CourtError> {
    let before = |earlier: Timestamp, later: Timestamp| earlier.duration_since(later) <= CLOCKS;
    let approved = approval.is_none_or(|one| {
        let read = one.read.as_ref().map_or(one.filed.at, |read| read.at);
        before(one.filed.at, read) && before(read, one.approved.at) && before(one.approved.at, asked)
    });
    if !approved {
        return Err(wrong("agency-log", "the question was asked before it was filed or approved"));
    }
    if answered.is_some_and(|answered| !before(asked, answered)) {
        return Err(wrong("statement", "it is older than the question"));
    }
    Ok(())
}

/// Checks that one of these witnesses cosigned the checkpoint of a part, under the key that the reader knows.
fn seen_by(witnesses: &[VerifierKey], part: &'static str, text: &str) -> Result<(), CourtError> {
    let bundle = Bundle::parse(text.as_bytes()).map_err(|error| wrong(part, error))?;
    if bundle.is_cosigned_by_one_of(witnesses) {
        return Ok(());
    }
    Err(wrong(part, "none of the witnesses that are known to the reader cosigned it"))
}

/// Proofs of entries of another node's log: the tiles are fetched, the arithmetic is done here, and not on the threads that answer.
pub(crate) async fn remote_proofs(
    client: &Client,
    url: &str,
    signed: &SignedCheckpoint,
    mut places: Vec<u64>,
) -> Result<Vec<InclusionProof>, CourtError> {
    let (mut store, size) = (MemoryStore::default(), signed.checkpoint.size);
    for _ in 0..FETCHES + FETCHES_EACH * places.len() {
        let work = move || {
            let proofs = Tree::new(&store, size).inclusion_proofs(&places);
            (store, places, proofs)
        };
        let done = tokio::task::spawn_blocking(work).await.map_err(|error| wrong("issuer-log", error))?;
        let proofs;
        (store, places, proofs) = done;
        let missing = match proofs {
            Err(LogError::Missing(path)) => path,
            done => return done.map_err(|error| wrong("issuer-log", error)),
        };
        let resource: Resource = missing.parse().map_err(|error| wrong("issuer-log", error))?;
        let (name, bytes) = fetch(client, url, resource).await?;
        store.files.insert(name, bytes);
    }
    Err(wrong("issuer-log", "the proof needs more files than any log of that size"))
}

/// A partial file, or the full one that replaced it.
async fn fetch(client: &Client, url: &str, partial: Resource) -> Result<(Resource, Vec<u8>), CourtError> {
    let full = match partial {
        Resource::Checkpoint => Resource::Checkpoint,
        Resource::Tile { level, index, .. } => Resource::Tile { level, index, width: 256 },
        Resource::Entries { index, .. } => Resource::Entries { index, width: 256 },
    };
    for resource in [partial, full] {
        let answer = client.get(&format!("{url}/log/{resource}")).await;
        let (status, bytes) = answer.map_err(|error| later("issuer-log", error))?;
        if status == 200 && bytes.len() <= LARGEST {
            return Ok((resource, bytes));
        }
    }
    Err(later("issuer-log", format!("{url}/log does not give `{partial}`")))
}

fn canonical(part: &'static str, value: &Value) -> Result<String, CourtError> {
    let bytes = canonical_json(value).map_err(|error| wrong(part, error))?;
    String::from_utf8(bytes).map_err(|error| wrong(part, error))
}

fn one_spelling<T: Serialize + for<'d> Deserialize<'d>>(
    part: &'static str,
    text: &str,
) -> Result<T, CourtError> {
    let value: T = serde_json::from_str(text).map_err(|error| wrong(part, error))?;
    let again = serde_json::to_value(&value).map_err(|error| wrong(part, error))?;
    if canonical(part, &again)? == text {
        Ok(value)
    } else {
        Err(wrong(part, "it is not in its one spelling"))
    }
}

pub(crate) fn wrong(part: &'static str, reason: impl fmt::Display) -> CourtError {
    CourtError { part, reason: reason.to_string(), fault: CourtFault::Broken }
}

/// What may be had in a moment.
pub(crate) fn later(part: &'static str, reason: impl fmt::Display) -> CourtError {
    CourtError { fault: CourtFault::NotYet, ..wrong(part, reason) }
}

/// What is in the way at this node itself.
pub(crate) fn here(part: &'static str, reason: impl fmt::Display) -> CourtError {
    CourtError { fault: CourtFault::Here, ..wrong(part, reason) }
}

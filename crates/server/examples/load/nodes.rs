//! A federation of processes: an issuer, an agency, three witnesses, and a signed directory.

use std::io::{Write as _, stdout};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use jiff::Timestamp;
use registry::Books;
use serde_json::Value;
use server::api::{AgencyCard, AskedCode, IssuerCard, Question, QuestionKind, Urgency};
use server::federation::{DirectoryContent, Message, Start};
use server::{Client, CourtBundle, Ledger, Node, NodeConfig, NodeRole, validity};
use symbology::Code;
use transparency::{FolderStore, Resource, SignedCheckpoint, TileStore as _, VerifierKey};
use uuid::Uuid;

use crate::Done;
use crate::look_ups::some_codes;

const NODES: [(&str, NodeRole); 5] = [
    ("makers", NodeRole::Witness),
    ("oversight", NodeRole::Witness),
    ("defence", NodeRole::Witness),
    ("issuer", NodeRole::Issuer),
    ("agency", NodeRole::Agency),
];

pub(crate) struct Federation {
    children: Vec<Child>,
    nodes: Vec<(Node, PathBuf)>,
    root: VerifierKey,
    token: String,
    agency: String,
    client: Client,
    codes: Vec<Code>,
}

impl Federation {
    /// Makes the nodes anew, starts them, and waits until they answer.
    pub(crate) async fn start(dir: &Path) -> Done<Self> {
        let issuer = dir.join("issuer");
        let books = Books::open(&issuer, Timestamp::now()).await?;
        let prefixes: Vec<_> = books.blocks().await?.iter().map(|block| block.prefix).collect();
        books.close().await;
        let codes = some_codes(&issuer)?;
        let _ = std::fs::remove_dir_all(issuer.join("node"));
        let _ = std::fs::remove_dir_all(dir.join("nodes"));
        let directory = create(&dir.join("nodes/directory"), NodeRole::Directory, "directory", "none")?;
        let root = directory.statements.verifier().clone();
        let file = dir.join("nodes/directory.signed");
        let (valid_from, valid_until) = validity(Timestamp::now(), 1);
        let mut content = DirectoryContent::new(1, valid_from, valid_until);
        content.quorum = 2;
        let (mut nodes, mut addresses) = (Vec::new(), Vec::new());
        for (name, role) in NODES {
            let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
            let folder = if name == "issuer" { issuer.clone() } else { dir.join("nodes").join(name) };
            let mut node = create(&folder, role, name, &format!("http://{address}"))?;
            node.trust(&file.display().to_string(), &root.to_string())?;
            enrol(&mut content, &node, &prefixes)?;
            nodes.push((node, folder));
            addresses.push(address);
        }
        std::fs::write(&file, content.sign(&directory.statements)?)?;
        let mut children = Vec::new();
        for ((_, folder), address) in nodes.iter().zip(&addresses) {
            let mut program = Command::new(std::env::current_exe()?);
            children.push(program.arg("serve").arg(folder).arg(address).spawn()?);
        }
        let client = Client::new(Duration::from_secs(15));
        for address in &addresses {
            answers(&client, address).await?;
        }
        let (agency, _) = nodes.last().ok_or("there is an agency")?;
        let (token, agency) = (agency.token()?, agency.config.url.clone());
        Ok(Self { children, nodes, root, token, agency, client, codes })
    }

    /// Asks for one of the codes through the agency's node.
    pub(crate) async fn ask(&self, at: usize) -> Done<Uuid> {
        let question = Question {
            schema: Question::SCHEMA.to_owned(),
            id: Uuid::now_v7(),
            kind: QuestionKind::Chain {},
            ori: "CA0194200".parse()?,
            case_number: format!("26-{at:06}").parse()?,
            crime_code: "0999".parse()?,
            priority: Urgency::Routine,
            reason: "case recovered at a scene".parse()?,
            requester: "det. example".parse()?,
            approver: "sgt. example".parse()?,
            codes: vec![AskedCode {
                code: self.codes[at % self.codes.len()],
                on_round: false,
                posterior: 0.9999,
            }],
            reading_sha256: Some("ab".repeat(32)),
            typed_by: None,
            recovered_on: Some("2025-04-01".parse()?),
            parts: Vec::new(),
        };
        let message = self.to_agency("POST", "traces").with("content-type", "application/json");
        let (answer, content) = self.client.send(&message, serde_json::to_vec(&question)?).await?;
        let told: Value = serde_json::from_slice(&content)?;
        let outcome = told["answers"][0]["answer"]["outcome"].as_str();
        if answer.start == Start::Answer(200) && outcome == Some("found") {
            return Ok(question.id);
        }
        Err(format!("the pistol was not found: {}", String::from_utf8_lossy(&content)).into())
    }

    /// What each process has used of the processors so far, in clock ticks (100 a second on Linux); nothing elsewhere.
    pub(crate) fn processor(&self) -> Vec<(String, u64)> {
        let children = self.nodes.iter().zip(&self.children);
        let all = children.map(|((node, _), child)| (node.config.name.to_string(), child.id()));
        all.chain([("load generator".to_owned(), std::process::id())])
            .filter_map(|(name, id)| Some((name, ticks(id)?)))
            .collect()
    }

    /// Verifies a court bundle of the last answer, stops the nodes, and compares their logs with their records.
    pub(crate) async fn end(mut self, last: Uuid) -> Done<Vec<Code>> {
        let message = self.to_agency("GET", &format!("court/{last}"));
        let mut bundle = Vec::new();
        for _ in 0..40 {
            let (answer, content) = self.client.send(&message, Vec::new()).await?;
            if answer.start == Start::Answer(200) {
                bundle = content;
                break;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        let report = CourtBundle::parse(&bundle)?.verify(&self.root)?;
        writeln!(
            stdout(),
            "court bundle of the last answer: verifies, {} and {} witnesses",
            report.issuer_log.witnesses.len(),
            report.agency_log.witnesses.len()
        )?;
        for child in &self.children {
            Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
        }
        for child in &mut self.children {
            child.wait()?;
        }
        for (node, _) in self.nodes.iter().filter(|(node, _)| node.config.role != NodeRole::Witness) {
            let store = FolderStore::read_only(&node.folder.join("log"));
            let bytes = store.read(&Resource::Checkpoint)?.ok_or("there is no checkpoint")?;
            let found = Ledger::check(&node.folder, &SignedCheckpoint::parse(&bytes)?, None)?;
            let (name, agreed) = (&node.config.name, found.agreed);
            let wrong = found.without_record.len() as u64 + found.not_in_log;
            writeln!(
                stdout(),
                "{name}: {} entries, {agreed} with their records, {wrong} without",
                found.entries
            )?;
        }
        Ok(std::mem::take(&mut self.codes))
    }

    fn to_agency(&self, method: &str, path: &str) -> Message {
        Message::request(method, &format!("{}/agency/v1/{path}", self.agency))
            .with("authorization", &format!("Bearer {}", self.token))
    }
}

impl Drop for Federation {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// User and system time of a process.
fn ticks(id: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}

fn create(folder: &Path, role: NodeRole, name: &str, url: &str) -> Done<Node> {
    let name = format!("{name}.example").parse().map_err(|error| format!("{error}"))?;
    let mut config = NodeConfig::new(role, name, url);
    config.programs_ask = role == NodeRole::Agency;
    Ok(Node::create(folder, config)?)
}

fn enrol(content: &mut DirectoryContent, node: &Node, prefixes: &[symbology::Prefix]) -> Done<()> {
    let (valid_from, valid_until) = (content.issued_at, content.expires_at);
    match node.config.role {
        NodeRole::Issuer => content.issuers.push(IssuerCard {
            node: node.card(),
            prefixes: prefixes.to_vec(),
            delegation: None,
            books_log: node.books_log(),
            books_log_ended: None,
            valid_from,
            valid_until,
        }),
        NodeRole::Agency => content.agencies.push(AgencyCard {
            node: node.card(),
            oris: vec!["CA0194200".parse()?],
            sealing: node.sealing.clone(),
            valid_from,
            valid_until,
        }),
        _ => content.witnesses.push(node.witness_card()),
    }
    Ok(())
}

async fn answers(client: &Client, address: &str) -> Done<()> {
    for _ in 0..200 {
        // Well, and not only there: nothing is answered before the witnesses were heard.
        if matches!(client.get(&format!("http://{address}/healthz")).await, Ok((200, _))) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(format!("nobody answers at {address}").into())
}

//! A node's log by itself: how many entries a second it takes, and what a node with a million answers costs.

use std::io::{Write as _, stdout};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;
use server::{Act, Client, Key, Ledger, Node, NodeConfig, NodeRole};
use uuid::Uuid;

use crate::{Done, since};

/// Acts that one caller enters at a time, and callers.
const ACTS: usize = 64;
const CALLERS: usize = 16;

/// Enters so many acts, durable each, and says how many a second.
pub(crate) async fn rate(dir: &Path, entries: usize) -> Done<()> {
    let node = Node::create(dir, config("http://none")?)?;
    let ledger = Arc::new(Ledger::open(&node.folder, &node.log)?);
    let begun = Instant::now();
    let callers = (0..CALLERS).map(|caller| {
        let (ledger, rounds) = (Arc::clone(&ledger), entries / (ACTS * CALLERS));
        tokio::spawn(async move {
            for round in 0..rounds {
                let act =
                    |at: usize| Act::new("measured", json!({"caller": caller, "round": round, "at": at}));
                let acts: Vec<Act> = (0..ACTS).map(act).collect();
                ledger.enter(&acts, Timestamp::now()).await?;
            }
            Ok::<usize, server::LedgerError>(rounds * ACTS)
        })
    });
    let mut entered = 0;
    for caller in callers.collect::<Vec<_>>() {
        entered += caller.await??;
    }
    let seconds = since(begun);
    writeln!(
        stdout(),
        "{entered} entries, durable in batches, in {seconds:.2} s: {:.0} a second",
        entered as f64 / seconds
    )?;
    Ok(())
}

/// Fills an issuer's records with questions and answers as a trace leaves them, then starts a node over them. The folder
/// must hold an issuer's books and no node.
pub(crate) async fn start(dir: &Path, answers: usize) -> Done<()> {
    let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let mut node = Node::create(dir, config(&format!("http://{address}"))?)?;
    node.trust("none", &node.statements.verifier().to_string())?;
    let begun = Instant::now();
    let ledger = Ledger::open(&node.folder, &node.log)?;
    let now = Timestamp::now();
    // Of the size that a trace leaves: 0.9 KB for the question and 2.6 KB for the answer.
    let (question, answer) = ("q".repeat(500), "a".repeat(2_000));
    let mut done = 0;
    while done < answers {
        let mut acts = Vec::new();
        for _ in 0..512.min(answers - done) {
            let id = Uuid::now_v7();
            acts.push(Act::new("question", json!({"question": id, "content": question})));
            let body = json!({"agency": "agency.example", "urgent": false, "microseconds": 1, "question": id,
                "outcome": "found", "statement": answer});
            acts.push(Act::new("answer", body).found_by(Key::new("answer", id)));
        }
        done += acts.len() / 2;
        ledger.enter(&acts, now).await?;
    }
    drop(ledger);
    writeln!(stdout(), "{answers} questions and answers entered in {:.0} s", since(begun))?;
    let client = Client::new(Duration::from_secs(5));
    // The first start keeps what the node remembers; the second is what every later one is.
    for round in ["first", "second"] {
        let begun = Instant::now();
        let mut child = Command::new(std::env::current_exe()?).arg("serve").arg(dir).arg(&address).spawn()?;
        while client.get(&format!("http://{address}/healthz")).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let seconds = since(begun);
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
        let memory = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or("VmRSS unknown");
        writeln!(stdout(), "{round} start: answers after {seconds:.2} s, {memory}")?;
        Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
        child.wait()?;
    }
    Ok(())
}

fn config(url: &str) -> Done<NodeConfig> {
    let name = "measured.example".parse().map_err(|error| format!("{error}"))?;
    Ok(NodeConfig::new(NodeRole::Issuer, name, url))
}

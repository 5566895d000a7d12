//! What the directory said, version by version, for whoever wants to know what changed when: every version is fetched with the proof that
//! the directory's cosigned log holds it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use transparency::{Bundle, SignedCheckpoint, VerifierKey};

use super::holder::shows;
use crate::client::Client;
use crate::federation::Directory;

/// What an auditor found in a directory's versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryHistory {
    /// Of each version, oldest first, what changed against the one before, a line each.
    pub versions: Vec<(u64, Vec<String>)>,
    /// What does not hold: versions that are not shown, entries of the log of which nothing is shown.
    pub findings: Vec<String>,
}

/// Walks the versions of the directory at an address. Whose cosignatures count is said by the version before each, as nodes demand it.
/// Of the witnesses `known` to the reader, where there are any, one must have cosigned every version.
///
/// # Errors
/// In words, when the newest version cannot be had.
pub async fn directory_history(
    client: &Client,
    source: &str,
    key: &VerifierKey,
    known: &[VerifierKey],
) -> Result<DirectoryHistory, String> {
    // Before the versions: what is entered after this was looked at is not missed.
    let cosigned = cosigned(client, source).await;
    let newest = directory(client, source, key).await?.content().version;
    let mut history = DirectoryHistory { versions: Vec::new(), findings: Vec::new() };
    let (mut before, mut held): (Option<Arc<Directory>>, Option<Arc<Directory>>) = Default::default();
    let (mut places, mut size) = (BTreeSet::new(), 0);
    for version in 1..=newest {
        let url = format!("{source}/{version}");
        let shown = match shown(client, (&url, version), key).await {
            Ok(shown) => shown,
            Err(reason) => {
                history.findings.push(format!("version {version}: {reason}"));
                before = None;
                continue;
            }
        };
        history.versions.push((version, changes(before.as_deref().or(held.as_deref()), &shown.directory)));
        places.insert(shown.place);
        size = size.max(shown.size);
        let gap = before.is_none();
        before = Some(Arc::clone(&shown.directory));
        match shown.is_taken(held.as_deref(), gap).and_then(|()| shown.seen_by(known)) {
            Ok(()) => held = Some(shown.directory),
            Err(reason) => history.findings.push(format!("version {version}: {reason}")),
        }
    }
    match held.as_deref().map(|held| entries(cosigned, held)) {
        Some(Ok(entries)) => size = size.max(entries),
        Some(Err(reason)) => history.findings.push(format!("the newest cosigned checkpoint: {reason}")),
        None => {}
    }
    let hidden = size.saturating_sub(places.len() as u64);
    if hidden > 0 {
        history
            .findings
            .push(format!("{hidden} entries of the directory's log are of versions that nobody shows"));
    }
    Ok(history)
}

async fn directory(client: &Client, url: &str, key: &VerifierKey) -> Result<Directory, String> {
    let (status, bytes) = client.get(url).await.map_err(|error| error.to_string())?;
    if status != 200 {
        return Err(format!("it is not shown: status {status}"));
    }
    Directory::parse(&bytes, key).map_err(|error| error.to_string())
}

/// The newest checkpoint of the directory's log that its witnesses cosigned.
async fn cosigned(client: &Client, source: &str) -> Result<SignedCheckpoint, String> {
    let node = source.strip_suffix("/directory").unwrap_or(source);
    let (status, bytes) =
        client.get(&format!("{node}/log/cosigned")).await.map_err(|error| error.to_string())?;
    if status != 200 {
        return Err(format!("it is not shown: status {status}"));
    }
    SignedCheckpoint::parse(&bytes).map_err(|error| error.to_string())
}

/// How many entries the log has under a checkpoint that the witnesses of a version cosigned; none where that names no witnesses.
fn entries(cosigned: Result<SignedCheckpoint, String>, held: &Directory) -> Result<u64, String> {
    let Some(log) = held.content().log.as_deref().filter(|_| held.content().quorum > 0) else { return Ok(0) };
    let mut signed = cosigned?;
    held.keep_known_lines(log, &mut signed).map_err(|error| error.to_string())?;
    let policy = held.policy(log).map_err(|error| error.to_string())?;
    policy.check(&signed).map_err(|error| error.to_string())?;
    Ok(signed.checkpoint.size)
}

/// A version with its proof.
struct Shown {
    directory: Arc<Directory>,
    proof: Vec<u8>,
    log: String,
    /// Where it stands in the log, and how many entries the checkpoint has that proves it.
    place: u64,
    size: u64,
}

impl Shown {
    /// Whether nodes take it that hold an earlier version: by the witnesses of that one. Where versions between are not shown, those may
    /// have named others, and its own must do.
    fn is_taken(&self, held: Option<&Directory>, gap: bool) -> Result<(), String> {
        let by = |deciding: &Directory| -> Result<(), String> {
            let demands = deciding.content().quorum > 0;
            if demands && deciding.content().log.as_deref().is_some_and(|log| log != self.log) {
                return Err("it names another log".to_owned());
            }
            match shows(&self.proof, (&self.directory, deciding), &self.log) {
                Ok(true) => Ok(()),
                Ok(false) => Err("the directory's log was not shown to hold it".to_owned()),
                Err(problem) => Err(problem.detail),
            }
        };
        let Some(held) = held else { return by(&self.directory) };
        by(held).or_else(|reason| {
            let version = held.content().version;
            let refused = format!("no node that holds version {version} takes it: {reason}");
            if gap { by(&self.directory).map_err(|_| refused) } else { Err(refused) }
        })
    }

    fn seen_by(&self, known: &[VerifierKey]) -> Result<(), String> {
        let bundle = Bundle::parse(&self.proof).map_err(|error| error.to_string())?;
        if known.is_empty() || bundle.is_cosigned_by_one_of(known) {
            return Ok(());
        }
        Err("none of the witnesses that are known to the reader cosigned it".to_owned())
    }
}

async fn shown(client: &Client, (url, version): (&str, u64), key: &VerifierKey) -> Result<Shown, String> {
    let directory = directory(client, url, key).await?;
    if directory.content().version != version {
        return Err(format!("version {} is shown in its place", directory.content().version));
    }
    let log = directory.content().log.clone().ok_or("the directory names no log")?;
    let (status, proof) = client.get(&format!("{url}/proof")).await.map_err(|error| error.to_string())?;
    if status != 200 {
        return Err(format!("its proof is not shown: status {status}"));
    }
    let bundle = Bundle::parse(&proof).map_err(|error| error.to_string())?;
    let entry = bundle.entries.first().ok_or("the proof is empty")?;
    let (place, size) = (entry.inclusion.index, entry.inclusion.size);
    Ok(Shown { directory: Arc::new(directory), proof, log, place, size })
}

/// What changed between two versions.
fn changes(before: Option<&Directory>, after: &Directory) -> Vec<String> {
    let value = |directory: &Directory| serde_json::to_value(directory.content()).unwrap_or_default();
    let (before, after) = (before.map(value).unwrap_or_default(), value(after));
    let mut lines = Vec::new();
    for (list, what) in
        [("issuers", "issuer"), ("agencies", "agency"), ("dealers", "dealer"), ("witnesses", "witness")]
    {
        let (old, new) = (by_name(&before[list]), by_name(&after[list]));
        let names: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
        for name in names {
            match (old.get(name), new.get(name)) {
                (None, Some(_)) => lines.push(format!("{what} {name} came")),
                (Some(_), None) => lines.push(format!("{what} {name} went")),
                (Some(old), Some(new)) if old != new => {
                    lines.push(format!("{what} {name}: {}", members(old, new).join(", ")));
                }
                _ => {}
            }
        }
    }
    for member in ["quorum", "log"] {
        if before[member] != after[member] {
            lines.push(format!("{member}: {} -> {}", before[member], after[member]));
        }
    }
    lines
}

fn by_name(list: &Value) -> BTreeMap<&str, &Value> {
    let entries = list.as_array().into_iter().flatten();
    entries
        .filter_map(|entry| Some((entry["node"]["name"].as_str().or_else(|| entry["name"].as_str())?, entry)))
        .collect()
}

/// The members in which two entries differ, those of their nodes too, with both values.
fn members(old: &Value, new: &Value) -> Vec<String> {
    let names = |value: &Value| -> BTreeSet<String> {
        value.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
    };
    let all: BTreeSet<String> = names(old).union(&names(new)).cloned().collect();
    let mut lines = Vec::new();
    for name in all.iter().filter(|name| old[*name] != new[*name]) {
        if name == "node" {
            lines.extend(members(&old[name], &new[name]));
        } else {
            lines.push(format!("{name} {} -> {}", old[name], new[name]));
        }
    }
    lines
}

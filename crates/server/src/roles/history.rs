//! What the directory said, version by version, for whoever wants to know what changed when: every version is fetched with the proof that
//! the directory's cosigned log holds it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use transparency::{Bundle, VerifierKey};

use super::holder::shows;
use crate::client::Client;
use crate::federation::Directory;
use crate::problem::Problem;

/// What an auditor found in a directory's versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryHistory {
    /// Of each version, oldest first, what changed against the one before, a line each.
    pub versions: Vec<(u64, Vec<String>)>,
    /// What does not hold: versions that are not shown, entries of the log of which nothing is shown.
    pub findings: Vec<String>,
}

/// Walks the versions of the directory at an address. Whose cosignatures count is said by the version before each, as nodes demand it.
///
/// # Errors
/// In words, when the newest version cannot be had.
pub async fn directory_history(
    client: &Client,
    source: &str,
    key: &VerifierKey,
) -> Result<DirectoryHistory, String> {
    let newest = directory(client, source, key).await?;
    let mut history = DirectoryHistory { versions: Vec::new(), findings: Vec::new() };
    let (mut before, mut places, mut size): (Option<Directory>, BTreeSet<u64>, u64) = Default::default();
    for version in 1..=newest.content().version {
        let url = format!("{source}/{version}");
        match shown(client, (&url, version), key, before.as_ref()).await {
            Ok((directory, place, entries)) => {
                history.versions.push((version, changes(before.as_ref(), &directory)));
                places.insert(place);
                size = size.max(entries);
                before = Some(directory);
            }
            Err(reason) => history.findings.push(format!("version {version}: {reason}")),
        }
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

/// A version, its place in the log, and how many entries the checkpoint has that proves it.
async fn shown(
    client: &Client,
    (url, version): (&str, u64),
    key: &VerifierKey,
    before: Option<&Directory>,
) -> Result<(Directory, u64, u64), String> {
    let directory = directory(client, url, key).await?;
    if directory.content().version != version {
        return Err(format!("version {} is shown in its place", directory.content().version));
    }
    let log = directory.content().log.as_deref().ok_or("the directory names no log")?;
    let (status, proof) = client.get(&format!("{url}/proof")).await.map_err(|error| error.to_string())?;
    if status != 200 {
        return Err(format!("its proof is not shown: status {status}"));
    }
    // Nodes demand the witnesses of the version before; where one of those is not shown, its own must do.
    let held = |deciding| shows(&proof, (&directory, deciding), log);
    let shown = before
        .and_then(|before| held(before).ok())
        .filter(|shown| *shown)
        .map_or_else(|| held(&directory), Ok);
    if !shown.map_err(|problem: Problem| problem.detail)? {
        return Err("the directory's log was not shown to hold it".to_owned());
    }
    let bundle = Bundle::parse(&proof).map_err(|error| error.to_string())?;
    let entry = bundle.entries.first().ok_or("the proof is empty")?;
    Ok((directory, entry.inclusion.index, entry.inclusion.size))
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

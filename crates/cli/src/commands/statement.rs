//! Checking what somebody signed outside a log: certificates, changes of parts, and how a log ended.

use registry::Certificate;
use serde_json::json;
use transparency::{EntryProof, LogEnd, Note, Policy};

use super::audit::{Verify, key_or_file};
use super::book::proof_beside;
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// How every text begins that is signed by itself.
const FIRST_WORDS: [&str; 3] = [Certificate::FIRST_LINE, registry::parts::FIRST_LINE, LOG_ENDED];
const LOG_ENDED: &str = "microstamp log ended v1";

/// Whether a file is such a text.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    FIRST_WORDS.iter().any(|words| bytes.starts_with(words.as_bytes()))
}

/// Checks the signature, and a certificate's place in the log where its key is given.
pub(super) fn verify(bytes: &[u8], arguments: &Verify) -> Result<Exit, Failure> {
    let key = arguments.trust.signer()?;
    let ends_a_log = bytes.starts_with(LOG_ENDED.as_bytes());
    let checked = Note::parse(bytes).map_err(|error| error.to_string()).and_then(|note| {
        note.verify(&key).map_err(|error| error.to_string())?;
        // The key of the log that goes on must have signed as well.
        if ends_a_log {
            LogEnd::parse(&note.to_string()).map_err(|error| error.to_string())?;
        }
        Ok(note)
    });
    let place = match &checked {
        Ok(note) => in_log(note, arguments)?,
        Err(_) => None,
    };
    let findings: Vec<&String> = checked
        .as_ref()
        .err()
        .into_iter()
        .chain(place.iter().filter_map(|place| place.as_ref().err()))
        .collect();
    let text = checked.as_ref().map(|note| note.text.as_str()).unwrap_or_default();
    if arguments.json {
        files::print_line(json!({
            "schema": "microstamp.statement-audit/1", "ok": findings.is_empty(), "signer": key.name(), "text": text,
            "log": place.as_ref().and_then(|place| place.as_ref().ok()), "findings": findings,
        }))?;
    } else if findings.is_empty() {
        files::print_line(format!("verified: signed by {}", key.name()))?;
        match &place {
            Some(Ok(log)) => files::print_line(format!("it stands in the log {log}"))?,
            _ if ends_a_log => {}
            _ => files::remark(
                "its place in a log was not checked\nhint: for a certificate give --log-key KEY",
            ),
        }
        files::print(text.as_bytes())?;
    } else {
        for finding in &findings {
            files::print_line(format!("does not verify: {finding}"))?;
        }
    }
    Ok(if findings.is_empty() { Exit::Done } else { Exit::Negative })
}

/// The log in which a certificate stands, or why it does not; nothing where that is not asked.
fn in_log(note: &Note, arguments: &Verify) -> Result<Option<Result<String, String>>, Failure> {
    let Some(log) = &arguments.log_key else { return Ok(None) };
    let policy = Policy::log_alone(key_or_file(log)?).or_exit(Exit::BadInput, "--log-key")?;
    let file = arguments.proof.clone().unwrap_or_else(|| proof_beside(&arguments.path));
    let proof = EntryProof::parse(&files::read(&file)?).or_exit(Exit::BadInput, file.display())?;
    let certificate = Certificate { note: note.clone(), proof };
    let checked = certificate.verify(&arguments.trust.signer()?, &policy);
    Ok(Some(checked.map(|approval| approval.log).map_err(|error| error.to_string())))
}

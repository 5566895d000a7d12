//! `audit directory`: what each version of a directory changed, and whether its log hides any.

use std::time::Duration;

use clap::Args;
use serde_json::json;
use server::Client;
use server::roles::directory_history;

use super::{key_or_file, pin};
use crate::commands::books::wait;
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// How long the directory may take for each file.
const TIME: Duration = Duration::from_secs(20);

/// Arguments of `audit directory`.
#[derive(Debug, Args)]
pub(super) struct Directory {
    /// Where the directory is served, such as `https://host/directory`.
    url: String,
    /// The directory's key, or a file that holds it.
    #[arg(long, value_name = "KEY")]
    key: String,
    /// For https: SHA-256 of the public key of the server's certificate.
    #[arg(long, value_name = "PIN", value_parser = pin)]
    pin: Option<String>,
    /// The key of a witness that you know, or a file that holds it; may be repeated. One of them must have cosigned every version.
    #[arg(long, value_name = "KEY")]
    witness: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Walks the versions. Exit code 1 when one of them, or an entry of the log, is not shown, or no node would take one of them.
pub(super) fn directory(arguments: &Directory) -> Result<Exit, Failure> {
    if arguments.url.starts_with("https://") != arguments.pin.is_some() {
        return Err(Exit::BadInput
            .because("--pin goes with https://, and https:// with --pin: `tls` in the directory's card"));
    }
    let key = key_or_file(&arguments.key)?;
    let known = arguments.witness.iter().map(|key| key_or_file(key)).collect::<Result<Vec<_>, _>>()?;
    let client = arguments.pin.as_ref().map_or_else(|| Client::new(TIME), |pin| Client::pinned(pin, TIME));
    let url = arguments.url.trim_end_matches('/');
    let history = wait(async {
        let history = directory_history(&client, url, &key, &known).await;
        history.or_exit(Exit::Environment, "cannot look at the directory")
    })?;
    if arguments.json {
        let versions: Vec<_> = history
            .versions
            .iter()
            .map(|(version, changes)| json!({"version": version, "changes": changes}))
            .collect();
        files::print_line(json!({
            "schema": "microstamp.directory-history/1", "ok": history.findings.is_empty(),
            "versions": versions, "findings": history.findings,
        }))?;
    } else {
        for (version, changes) in &history.versions {
            let unchanged = if changes.is_empty() { " renewed" } else { "" };
            files::print_line(format!("version {version}{unchanged}"))?;
            changes.iter().try_for_each(|line| files::print_line(format!("  {line}")))?;
        }
        history.findings.iter().try_for_each(files::print_line)?;
    }
    Ok(if history.findings.is_empty() { Exit::Done } else { Exit::Negative })
}

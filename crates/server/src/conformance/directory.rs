//! What a directory's node must serve: the directory, its log, and the proof without which no node takes a new version.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use transparency::{SignedCheckpoint, VerifierKey};

use super::{Clause, Seen, get};
use crate::api::NodeCard;
use crate::client::Client;
use crate::federation::Directory;
use crate::roles::shows;

/// How often the proof of a version is asked for that was published just now, half a second apart.
const TRIES: u32 = 20;

/// Checks a directory's node under the key that it claims; `pin` is the SHA-256 of the public key of its certificate, where it speaks TLS.
pub async fn check_directory(url: &str, key: &VerifierKey, pin: Option<&str>) -> Vec<Clause> {
    let patience = Duration::from_secs(10);
    let client = pin.map_or_else(|| Client::new(patience), |pin| Client::pinned(pin, patience));
    let parsed = directory(&client, url, key).await;
    let now = Timestamp::now();
    let time = |directory: &Directory| directory.check_time(now).map_err(|error| error.to_string());
    let soon = |directory: &Directory| {
        let left = directory.content().expires_at.duration_since(now);
        if left < SignedDuration::from_hours(24) { Err("it expires within a day".to_owned()) } else { Ok(()) }
    };
    let witnesses = |directory: &Directory| {
        let (quorum, count) = (directory.content().quorum, directory.content().witnesses.len());
        if (1..=count).contains(&quorum) {
            Ok(())
        } else {
            Err(format!("quorum {quorum} of {count} witnesses"))
        }
    };
    let of = |check: &dyn Fn(&Directory) -> Seen| parsed.as_ref().map_err(Clone::clone).and_then(check);
    let clause = |text, result| Clause { section: "3", text, result };
    let card = get(&client, &format!("{url}/card"), 200).await;
    let card = card.and_then(|bytes| {
        serde_json::from_slice::<NodeCard>(&bytes).map_err(|error| format!("it is no card: {error}"))
    });
    let same = |directory: &Directory| {
        let card = card.as_ref().map_err(Clone::clone)?;
        let same = directory.content().log.as_ref() == Some(&card.log) && card.statements == key.to_string();
        if same { Ok(()) } else { Err("it names other keys".to_owned()) }
    };
    let checkpoint = get(&client, &format!("{url}/log/checkpoint"), 200).await;
    let signed = |directory: &Directory| {
        let log = directory.content().log.as_ref().ok_or("the directory names no log")?;
        let log: VerifierKey = log.parse().map_err(|error| format!("{error}"))?;
        let signed = SignedCheckpoint::parse(checkpoint.as_ref().map_err(Clone::clone)?);
        signed.and_then(|signed| signed.verify(&log)).map_err(|error| error.to_string())
    };
    vec![
        clause("the directory is signed and contradicts itself nowhere", of(&|_| Ok(()))),
        clause("it holds now", of(&time)),
        clause("it holds for another day", of(&soon)),
        clause("a quorum of at least one is asked for, and can be met", of(&witnesses)),
        clause("its card names the directory's keys", of(&same)),
        clause("its log's checkpoint is signed by the key that it names", of(&signed)),
        clause(
            "its log shows this version, under a checkpoint that a quorum cosigned",
            proved(&client, url, key).await,
        ),
        clause("it says that it is well", get(&client, &format!("{url}/healthz"), 200).await.map(drop)),
        clause(
            "its metrics are not for everybody",
            get(&client, &format!("{url}/metrics"), 401).await.map(drop),
        ),
        clause(
            "what is not there ends with 404",
            get(&client, &format!("{url}/no-such-thing"), 404).await.map(drop),
        ),
    ]
}

async fn directory(client: &Client, url: &str, key: &VerifierKey) -> Result<Directory, String> {
    let bytes = get(client, &format!("{url}/directory"), 200).await?;
    Directory::parse(&bytes, key).map_err(|error| error.to_string())
}

/// Whether the proof is there, as a node demands it that holds this very version.
async fn proved(client: &Client, url: &str, key: &VerifierKey) -> Seen {
    let mut seen = Err(String::new());
    for _ in 0..TRIES {
        seen = async {
            let directory = directory(client, url, key).await?;
            let log = directory.content().log.as_deref().ok_or("the directory names no log")?;
            let proof = get(client, &format!("{url}/directory/proof"), 200).await?;
            match shows(&proof, (&directory, &directory), log) {
                Ok(true) => Ok(()),
                Ok(false) => Err("the proof is of another version".to_owned()),
                Err(problem) => Err(problem.detail),
            }
        }
        .await;
        if seen.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    seen
}

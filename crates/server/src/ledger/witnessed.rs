//! What time it was, by the witnesses' clocks: a machine's own clock erases nothing.
//!
//! A cosignature names its time and cannot be made by anybody else, nor before that time. So an act that holds a checkpoint with
//! the cosignatures of a quorum was made after their times, and an entry under an older such checkpoint was there by its times.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use transparency::{Policy, SignedCheckpoint, VerifierKey};

use super::records;
use crate::api::NodeName;
use crate::config::{ConfigError, NodeConfig, replace};
use crate::federation::Directory;

/// Where a node keeps what was cosigned last in one month and first in the next, so that it can be shown years later.
const KEPT: &str = "witnessed";

/// A checkpoint of a node's log with cosignatures, and the directory under which they count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seen {
    /// SHA-256 of the directory's file, hexadecimal; the node keeps each version that it took.
    directory: String,
    /// The signed note.
    checkpoint: String,
}

/// What a checkpoint with cosignatures of a quorum says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sight {
    /// Which log.
    pub(super) log: String,
    /// How many entries.
    pub(super) size: u64,
    /// A quorum had seen it by then.
    pub(super) by: Timestamp,
    /// A quorum signed it then or later.
    pub(super) from: Timestamp,
}

/// Whose cosignatures count.
pub(super) enum Judge {
    /// Those that an auditor's policy names.
    Policy(Box<Policy>),
    /// Those that the directory named, under the key and the name that `node.toml` says.
    Directories(Box<Trusted>),
    /// Nobody's: the folder names no directory.
    Nobody,
}

/// A node's own word on whom it trusts.
pub(super) struct Trusted {
    /// Every version of the directory that it took.
    directories: PathBuf,
    /// The directory's key.
    key: VerifierKey,
    /// What the directory calls the node.
    name: NodeName,
}

impl Seen {
    pub(crate) fn new(directory: &Directory, signed: &SignedCheckpoint) -> Self {
        Self { directory: directory.sha256().to_owned(), checkpoint: signed.to_string() }
    }
}

impl Judge {
    /// The auditor's policy where it asks for witnesses, else what the folder says of itself.
    pub(super) fn new(folder: &Path, policy: Option<&Policy>) -> Self {
        if let Some(policy) = policy.filter(|policy| !policy.witnesses().is_empty()) {
            return Self::Policy(Box::new(policy.clone()));
        }
        let config = fs::read_to_string(folder.join("node.toml")).unwrap_or_default();
        let config = toml::from_str::<NodeConfig>(&config).ok();
        let known = config.and_then(|config| Some((config.directory_key?.parse().ok()?, config.name)));
        known.map_or(Self::Nobody, |(key, name)| {
            let directories = folder.join("directories");
            Self::Directories(Box::new(Trusted { directories, key, name }))
        })
    }

    /// What a checkpoint says, if a quorum of the witnesses that count cosigned it.
    ///
    /// # Errors
    /// The reason in words.
    pub(super) fn look(&self, seen: &Seen) -> Result<Sight, String> {
        let signed =
            SignedCheckpoint::parse(seen.checkpoint.as_bytes()).map_err(|error| error.to_string())?;
        let policy = match self {
            Self::Policy(policy) => policy.as_ref().clone(),
            Self::Directories(trusted) => under(seen, trusted)?,
            Self::Nobody => return Err("no directory says whose cosignatures count".to_owned()),
        };
        let approval = policy.check(&signed).map_err(|error| error.to_string())?;
        let (by, from) = approval.span.ok_or("no witness is asked for")?;
        let time = |seconds: u64| {
            let seconds = i64::try_from(seconds).map_err(|error| error.to_string())?;
            Timestamp::from_second(seconds).map_err(|error| error.to_string())
        };
        let (log, size) = (approval.log, signed.checkpoint.size);
        Ok(Sight { log, size, by: time(by)?, from: time(from)? })
    }
}

/// The policy of the directory under which it was cosigned, for the log that the directory names for this node.
fn under(seen: &Seen, trusted: &Trusted) -> Result<Policy, String> {
    let (hash, name) = (&seen.directory, &trusted.name);
    if hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("a directory's hash has 64 hexadecimal digits".to_owned());
    }
    let missing = |error: &dyn std::fmt::Display| format!("the directory {hash} is not here: {error}");
    let bytes = fs::read(trusted.directories.join(hash)).map_err(|error| missing(&error))?;
    let directory = Directory::parse(&bytes, &trusted.key).map_err(|error| missing(&error))?;
    if directory.sha256() != hash {
        return Err(missing(&"another file has its name"));
    }
    let log = directory.node(name).map(|node| &node.log);
    let log = log.ok_or_else(|| format!("the directory {hash} names no log of {name}"))?;
    directory.policy(log).map_err(|error| error.to_string())
}

/// What was cosigned, and by when a quorum had done so, in seconds by the witnesses' clocks.
pub(crate) type Timed<'s> = (&'s SignedCheckpoint, Option<u64>);

/// Keeps what was cosigned last in a month, and first in the next one, when the next one begins by the witnesses' clocks.
///
/// # Errors
/// When the disk takes no file.
pub(crate) fn keep(
    folder: &Path,
    (before, now): (Option<Timed<'_>>, Timed<'_>),
    directory: &Directory,
) -> Result<(), ConfigError> {
    let time = |(_, by): Timed<'_>| Timestamp::from_second(i64::try_from(by?).ok()?).ok();
    let Some(at) = time(now) else { return Ok(()) };
    let earlier = before.and_then(|before| Some((time(before)?, before)));
    if earlier.is_some_and(|(earlier, _)| records::month_of(earlier) == records::month_of(at)) {
        return Ok(());
    }
    let folder = folder.join(KEPT);
    fs::create_dir_all(&folder).map_err(|source| ConfigError::Folder {
        what: "cannot make the folder",
        path: folder.clone(),
        source,
    })?;
    for (at, (signed, _)) in earlier.into_iter().chain([(at, now)]) {
        let path = folder.join(at.as_second().to_string());
        let bytes = serde_json::to_vec(&Seen::new(directory, signed))
            .map_err(|error| ConfigError::Damaged { path: path.clone(), reason: error.to_string() })?;
        replace(&path, &bytes)?;
    }
    Ok(())
}

/// Everything that was kept, as far as it can be read.
pub(super) fn kept(folder: &Path) -> io::Result<Vec<Seen>> {
    let files = match fs::read_dir(folder.join(KEPT)) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut kept = Vec::new();
    for file in files {
        kept.extend(
            fs::read(file?.path()).ok().and_then(|bytes| serde_json::from_slice::<Seen>(&bytes).ok()),
        );
    }
    Ok(kept)
}

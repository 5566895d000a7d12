//! A node's folder: who it is, its key, and which directory it trusts.
//!
//! | file below `node/` | holds |
//! | --- | --- |
//! | `node.toml` | role, name, public address, directory |
//! | `node.key` | 32 secret bytes, from which every key of the node is derived; mode 0600 |
//! | `api.token` | lets local programs ask through an agency's node; mode 0600 |
//! | `machine.token` | lets the machine's own commands keep accounts while the node runs; made at each start; mode 0600 |
//! | `tls.crt`, `tls.key` | certificate and its key, where the node speaks TLS itself; the key has mode 0600 |
//! | `log/`, `records/` | the node's log of questions and answers, and its records |
//! | `index/` | where records lie; made anew from them |
//! | `memory.json`, `desk.json`, `unproved.json` | what an issuer's node remembers of its answers, an agency's of its desk and of answers without a proof: a record in the log holds the SHA-256 of each, and a file of another hash is not believed; made anew from the records |
//! | `directory` | the newest directory seen |
//! | `accounts.json` | accounts of people; its hash stands in the log; mode 0600 |
//! | `unacknowledged.jsonl` | records that the log never took, or behind the end of an older log that was put back; mode 0600 |
//! | `cosigned` | the newest checkpoint of its log that a quorum cosigned |
//! | `witnessed/` | what was cosigned last in one month and first in the next |
//! | `directories/` | every version of the directory that the node took |
//! | `log-ended`, `ended/` | the note with which an earlier log ended, and of each such log its note and what was cosigned of it |
//!
//! An issuer's node lives in the folder of its books, beside them.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use rand::Rng as _;
use registry::names::{LicenceNumber, Ori};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use transparency::{KeyKind, LogEnd, NoteError, SigningKey, VerifierKey};

use crate::api::{NodeCard, NodeName, PublicKey, WitnessCard};
use crate::client::Client;
use crate::federation::{OpeningKey, SealingPublicKey};
use crate::tls::{Tls, TlsConfig, self_signed};

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeRole {
    /// Answers from the books of one issuer.
    Issuer,
    /// Asks.
    Agency,
    /// Cosigns logs that only grow.
    Witness,
    /// Signs and serves the directory of prefixes.
    Directory,
    /// A dealer that answers its own part of a chain; it has keys and no server.
    Dealer,
}

impl NodeRole {
    /// The word in files and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Issuer => "issuer",
            Self::Agency => "agency",
            Self::Witness => "witness",
            Self::Directory => "directory",
            Self::Dealer => "dealer",
        }
    }
}

impl std::str::FromStr for NodeRole {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let roles = [Self::Issuer, Self::Agency, Self::Witness, Self::Directory, Self::Dealer];
        let role = roles.into_iter().find(|role| role.as_str() == text);
        role.ok_or_else(|| "a role is issuer, agency, witness, directory or dealer".to_owned())
    }
}

/// Why a node's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The disk.
    #[error("{what} `{}`: {source}", path.display())]
    Folder {
        /// What was being done.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file in it is not what it must be.
    #[error("`{}` cannot be used: {reason}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// What `node.toml` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// What it does.
    pub role: NodeRole,
    /// Its name.
    pub name: NodeName,
    /// Where others reach it, without a trailing slash; requests must be signed for this address.
    pub url: String,
    /// Where the directory is fetched: an address, or a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// The directory's key, in C2SP `vkey` notation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory_key: Option<String>,
    /// ORI numbers of an agency.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub oris: Vec<Ori>,
    /// Licence of a dealer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<LicenceNumber>,
    /// Whether programs that hold an agency's `api.token` may ask through its node. Who holds the token then speaks for
    /// requester and approver alike; people use the desk, where an approval is another account's act.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub programs_ask: bool,
    /// Folders of books that an issuer took over from issuers that closed, relative to the folder of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken_over: Vec<String>,
    /// Which log it keeps, where an earlier one ended: part of the log's name, and its key is derived with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// Certificate and peers, for `https` between nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsConfig>,
}

impl NodeConfig {
    /// A node that trusts no directory yet.
    pub fn new(role: NodeRole, name: NodeName, url: &str) -> Self {
        Self {
            role,
            name,
            url: url.trim_end_matches('/').to_owned(),
            directory: None,
            directory_key: None,
            oris: Vec::new(),
            licence: None,
            programs_ask: false,
            taken_over: Vec::new(),
            log: None,
            tls: None,
        }
    }
}

/// A node: what it is, and its keys.
#[derive(Clone)]
pub struct Node {
    /// What `node.toml` says.
    pub config: NodeConfig,
    /// The folder `node/`.
    pub folder: PathBuf,
    /// Key of its HTTP signatures.
    pub signing: ed25519_dalek::SigningKey,
    /// Key of its signed statements; the directory signs with it.
    pub statements: SigningKey,
    /// Key of its log.
    pub log: SigningKey,
    /// The note with which the log before this one ended, where there was one.
    pub(crate) log_ended: Option<String>,
    /// Key of a witness's cosignatures.
    pub witness: SigningKey,
    /// A witness's other key, with which it signs beside the first: ML-DSA-44. Other nodes have none.
    pub witness_ml_dsa: Option<SigningKey>,
    /// Key that opens answers.
    pub opening: OpeningKey,
    /// Key to which answers are sealed.
    pub sealing: SealingPublicKey,
    /// Certificate and peers, where nodes speak TLS themselves.
    pub tls: Option<Arc<Tls>>,
}

impl Node {
    /// Makes the folder and a new key.
    ///
    /// # Errors
    /// [`ConfigError::Folder`] when there is a node already or the disk says no.
    pub fn create(data: &Path, config: NodeConfig) -> Result<Self, ConfigError> {
        let folder = data.join("node");
        fs::create_dir_all(&folder).map_err(|source| at("cannot make the folder", &folder, source))?;
        let mut secret = [0; 32];
        rand::rng().fill_bytes(&mut secret);
        let mut token = [0; 32];
        rand::rng().fill_bytes(&mut token);
        let text = toml::to_string(&config).map_err(|error| damaged(&folder.join("node.toml"), &error))?;
        write_new(&folder.join("node.key"), &format!("{}\n", hex::encode(secret)))?;
        write_new(&folder.join("api.token"), &format!("{}\n", hex::encode(token)))?;
        write_new(&folder.join("node.toml"), &text)?;
        Self::assemble(config, folder, &secret)
    }

    /// Opens a node's folder.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn open(data: &Path) -> Result<Self, ConfigError> {
        let folder = data.join("node");
        let path = folder.join("node.toml");
        let config = toml::from_str(&read(&path)?).map_err(|error| damaged(&path, &error.message()))?;
        let path = folder.join("node.key");
        let secret = secret(&path)?;
        own_alone(&path)?;
        Self::assemble(config, folder, &secret)
    }

    /// What the node says of itself.
    pub fn card(&self) -> NodeCard {
        NodeCard {
            name: self.config.name.clone(),
            url: self.config.url.clone(),
            signing: PublicKey::new(self.signing.verifying_key()),
            statements: self.statements.verifier().to_string(),
            log: self.log.verifier().to_string(),
            log_ended: self.log_ended.clone(),
            sealing: Some(self.sealing.clone()).filter(|_| self.config.role == NodeRole::Issuer),
            tls: self.tls.as_ref().map(|tls| tls.pin().to_owned()),
        }
    }

    /// What a witness says of itself.
    pub fn witness_card(&self) -> WitnessCard {
        let card = self.card();
        WitnessCard {
            name: card.name,
            url: card.url,
            key: self.witness.verifier().to_string(),
            key_ml_dsa_44: self.witness_ml_dsa.as_ref().map(|key| key.verifier().to_string()),
            statements: Some(card.statements),
            tls: card.tls,
        }
    }

    /// How an earlier log of this node ended, or is about to: what the note says, and the note.
    pub(crate) fn log_end(&self) -> Option<(LogEnd, String)> {
        ended(&self.folder.join("log-ended"))
    }

    /// The note with which an earlier log of an issuer's books ended.
    pub fn books_log_ended(&self) -> Option<String> {
        let (end, note) = ended(&self.folder.parent()?.join("keys/log.ended"))?;
        Some(note).filter(|_| self.books_log().is_some_and(|key| key == end.new.to_string()))
    }

    /// The key of this node's log of a certain number.
    pub(crate) fn log_key(&self, number: Option<&str>) -> Result<SigningKey, ConfigError> {
        let path = self.folder.join("node.key");
        log_key(&self.config.name, &secret(&path)?, number).map_err(|error| damaged(&path, &error))
    }

    /// Keeps another log from now on.
    pub(crate) fn keep_log(&mut self, number: &str) -> Result<(), ConfigError> {
        self.log = self.log_key(Some(number))?;
        self.log_ended = self.log_end().map(|(_, note)| note);
        self.config.log = Some(number.to_owned());
        self.write()
    }

    /// The key of the log of an issuer's books, which lie in the folder around the node's.
    pub fn books_log(&self) -> Option<String> {
        let key = fs::read_to_string(self.folder.parent()?.join("keys/log.pub")).ok()?;
        Some(key.trim().to_owned()).filter(|_| self.config.role == NodeRole::Issuer)
    }

    /// A client with which this node asks others.
    pub fn client(&self, timeout: Duration) -> Client {
        Client::with(self.tls.clone(), timeout)
    }

    /// Makes a key and a certificate that it signs itself, for the host of the node's address, and turns TLS on. What was
    /// there is replaced; the directory must be told the new key.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn make_certificate(&mut self, (from, until): (Timestamp, Timestamp)) -> Result<(), ConfigError> {
        let path = self.folder.join("node.toml");
        let host = self.config.url.strip_prefix("https://").ok_or_else(|| {
            damaged(&path, &"the node's `url` does not begin with https://\nhint: change it there first")
        })?;
        let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
        let made = self_signed((self.config.name.as_str(), host), (from, until));
        let (certificate, key) = made.map_err(|error| damaged(&path, &error))?;
        let _ = fs::remove_file(self.folder.join("tls.key"));
        write_new(&self.folder.join("tls.key"), &key)?;
        replace(&self.folder.join("tls.crt"), certificate.as_bytes())?;
        let before = self.config.tls.take();
        let (peers, authority) = before.map_or_else(Default::default, |tls| (tls.peers, tls.authority));
        let (certificate, key) = ("tls.crt".to_owned(), "tls.key".to_owned());
        self.set_tls(TlsConfig { certificate, key, peers, authority })
    }

    /// Takes the certificate of a peer that no directory names, such as the directory itself.
    ///
    /// # Errors
    /// [`ConfigError`] when the node has no certificate.
    pub fn trust_peer(&mut self, pin: &str) -> Result<(), ConfigError> {
        let path = self.folder.join("node.toml");
        let tls = self.config.tls.clone();
        let mut tls = tls.ok_or_else(|| damaged(&path, &"this node has no certificate of its own yet"))?;
        if pin.len() != 64 || !pin.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(damaged(&path, &"a peer is the SHA-256 of its public key, 64 hexadecimal digits"));
        }
        tls.peers.push(pin.to_ascii_lowercase());
        self.set_tls(tls)
    }

    /// Lets an issuer's node answer from books that it took over, besides its own; the folder is relative to that of its
    /// own books. They are asked while the directory holds the closed issuer's delegation to this node.
    ///
    /// # Errors
    /// [`ConfigError`] when this is no issuer's node or `node.toml` cannot be written.
    pub fn answer_for(&mut self, folder: &str) -> Result<(), ConfigError> {
        if self.config.role != NodeRole::Issuer {
            let path = self.folder.join("node.toml");
            return Err(damaged(&path, &"only an issuer's node answers from books"));
        }
        if !self.config.taken_over.iter().any(|known| known == folder) {
            self.config.taken_over.push(folder.to_owned());
        }
        self.write()
    }

    fn set_tls(&mut self, tls: TlsConfig) -> Result<(), ConfigError> {
        let path = self.folder.join("node.toml");
        let opened = Tls::open(&self.folder, &tls).map_err(|error| damaged(&path, &error))?;
        (self.config.tls, self.tls) = (Some(tls), Some(Arc::new(opened)));
        self.write()
    }

    /// The key of the directory that this node trusts.
    ///
    /// # Errors
    /// [`ConfigError::Damaged`] when `node.toml` names none.
    pub fn directory_key(&self) -> Result<VerifierKey, ConfigError> {
        let path = self.folder.join("node.toml");
        let key = self.config.directory_key.as_ref();
        let key = key.ok_or_else(|| damaged(&path, &"it names no `directory_key`"))?;
        key.parse().map_err(|error| damaged(&path, &error))
    }

    /// The token with which local programs ask.
    ///
    /// # Errors
    /// [`ConfigError`]; also when it is empty or cut short, which would open the node to everybody.
    pub fn token(&self) -> Result<String, ConfigError> {
        let path = self.folder.join("api.token");
        own_alone(&path)?;
        let token = read(&path)?.trim().to_owned();
        if token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(token);
        }
        let reason = "a token has 64 hexadecimal digits\nhint: put it back, or write 64 new ones";
        Err(ConfigError::Damaged { path, reason: reason.to_owned() })
    }

    /// A secret for commands on the node's own machine while it runs: `machine.token`, made anew at each start.
    pub(crate) fn new_machine_token(&self) -> Result<String, ConfigError> {
        let mut token = [0; 32];
        rand::rng().fill_bytes(&mut token);
        let token = hex::encode(token);
        replace(&self.folder.join("machine.token"), format!("{token}\n").as_bytes())?;
        Ok(token)
    }

    /// What commands on the machine show to the node that runs.
    ///
    /// # Errors
    /// [`ConfigError::Folder`] when the node has not been started, or the file is somebody else's.
    pub fn machine_token(&self) -> Result<String, ConfigError> {
        Ok(read(&self.folder.join("machine.token"))?.trim().to_owned())
    }

    /// Writes `node.toml` anew, for a directory that is known only later.
    ///
    /// # Errors
    /// [`ConfigError::Folder`].
    pub fn trust(&mut self, directory: &str, key: &str) -> Result<(), ConfigError> {
        let kept = self.folder.join("directory");
        // What another key signed is no directory under this one.
        if self.config.directory_key.as_ref().is_some_and(|before| before != key) && kept.exists() {
            fs::remove_file(&kept).map_err(|source| at("cannot remove", &kept, source))?;
        }
        self.config.directory = Some(directory.to_owned());
        self.config.directory_key = Some(key.to_owned());
        self.write()
    }

    fn write(&self) -> Result<(), ConfigError> {
        let path = self.folder.join("node.toml");
        let text = toml::to_string(&self.config).map_err(|error| damaged(&path, &error))?;
        replace(&path, text.as_bytes())
    }

    fn assemble(config: NodeConfig, folder: PathBuf, secret: &[u8; 32]) -> Result<Self, ConfigError> {
        let name = config.name.as_str();
        let key = |suffix: &str, kind, label: &str| {
            SigningKey::from_seed(&format!("{name}{suffix}"), kind, &derive(secret, label))
                .map_err(|error| damaged(&folder, &error))
        };
        let statements = key("/statements", KeyKind::Log, "statements")?;
        let log = log_key(&config.name, secret, config.log.as_deref());
        let log = log.map_err(|error| damaged(&folder, &error))?;
        let witness = key("", KeyKind::Witness, "witness")?;
        let witness_ml_dsa = (config.role == NodeRole::Witness)
            .then(|| key("", KeyKind::WitnessMlDsa44, "witness ml-dsa-44"))
            .transpose()?;
        let (opening, sealing) = OpeningKey::derive(&derive(secret, "sealing"));
        let signing = ed25519_dalek::SigningKey::from_bytes(&derive(secret, "signing"));
        let tls = config.tls.as_ref().map(|tls| Tls::open(&folder, tls).map(Arc::new)).transpose();
        let tls = tls.map_err(|error| damaged(&folder.join("node.toml"), &error))?;
        if let Some(tls) = &config.tls {
            own_alone(&folder.join(&tls.key))?;
        }
        let ended = ended(&folder.join("log-ended")).filter(|(end, _)| end.new == *log.verifier());
        let log_ended = ended.map(|(_, note)| note);
        Ok(Self {
            config,
            folder,
            signing,
            statements,
            log,
            log_ended,
            witness,
            witness_ml_dsa,
            opening,
            sealing,
            tls,
        })
    }
}

/// From when to when an entry of the directory holds that was made now.
pub fn validity(now: Timestamp, days: i64) -> (Timestamp, Timestamp) {
    let length = jiff::SignedDuration::from_hours(24 * days);
    // Signatures know whole seconds only.
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    (now, now.checked_add(length).unwrap_or(Timestamp::MAX))
}

/// Replaces a file, whole or not at all, also when the power fails; of those who replace it at once the last one stays.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), ConfigError> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let beside = path.with_extension(format!("{}-{number}.part", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let placed = written.and_then(|()| fs::rename(&beside, path));
    let kept = placed.and_then(|()| match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    });
    kept.map_err(|source| at("cannot write", path, source))
}

/// The key of a node's log: the first, or one that goes on from an earlier one.
fn log_key(name: &NodeName, secret: &[u8; 32], number: Option<&str>) -> Result<SigningKey, NoteError> {
    match number {
        None => SigningKey::log(&format!("{name}/log"), &derive(secret, "log")),
        Some(number) => {
            SigningKey::log(&format!("{name}/log/{number}"), &derive(secret, &format!("log {number}")))
        }
    }
}

/// The secret of which every key of a node is derived.
fn secret(path: &Path) -> Result<[u8; 32], ConfigError> {
    let secret = hex::decode(read(path)?.trim()).ok().and_then(|bytes| bytes.try_into().ok());
    secret.ok_or_else(|| damaged(path, &"it is not 64 hexadecimal digits"))
}

/// The rights of a file's group and of everybody.
#[cfg(unix)]
const OTHERS: u32 = 0o077;

/// Refuses a secret that others on this machine can read.
#[cfg(unix)]
fn own_alone(path: &Path) -> Result<(), ConfigError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = fs::metadata(path).map_err(|source| at("cannot read", path, source))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & OTHERS == 0 {
        return Ok(());
    }
    Err(damaged(
        path,
        &format_args!(
            "others can read this secret (mode {mode:04o})\nhint: chmod 600, and think about who has read it"
        ),
    ))
}

#[cfg(not(unix))]
fn own_alone(_: &Path) -> Result<(), ConfigError> {
    Ok(())
}

/// The end of a log, and the note that says so; none where there is no such file or it does not hold.
fn ended(path: &Path) -> Option<(LogEnd, String)> {
    let note = fs::read_to_string(path).ok()?;
    Some((LogEnd::parse(&note).ok()?, note))
}

/// One secret, one key for each purpose.
fn derive(secret: &[u8; 32], label: &str) -> [u8; 32] {
    let hash = Sha256::new().chain_update(b"microstamp node key v1\n").chain_update(label);
    hash.chain_update(b"\n").chain_update(secret).finalize().into()
}

fn read(path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|source| at("cannot read", path, source))
}

fn write_new(path: &Path, text: &str) -> Result<(), ConfigError> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|source| at("cannot write", path, source))
}

fn at(what: &'static str, path: &Path, source: std::io::Error) -> ConfigError {
    ConfigError::Folder { what, path: path.to_owned(), source }
}

fn damaged(path: &Path, reason: &dyn std::fmt::Display) -> ConfigError {
    ConfigError::Damaged { path: path.to_owned(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::replace;

    /// A node and a command on its folder, or two tasks of one node, may keep the same file at the same moment.
    #[test]
    fn whoever_replaces_a_file_at_once_leaves_one_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("directory.shown");
        std::thread::scope(|scope| {
            for byte in b'a'..b'e' {
                let path = &path;
                scope.spawn(move || (0..50).for_each(|_| replace(path, &[byte; 64]).unwrap()));
            }
        });
        let kept = std::fs::read(&path).unwrap();
        assert!(kept.len() == 64 && kept.iter().all(|byte| *byte == kept[0]));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}

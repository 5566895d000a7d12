//! The newest directory that a node has seen, kept on disk and renewed while the node runs.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use transparency::{Bundle, VerifierKey};

use crate::client::Client;
use crate::config::{ConfigError, Node, replace};
use crate::federation::{Directory, DirectoryError};
use crate::problem::{Problem, ProblemKind};
use crate::tls::Tls;

/// Largest directory file that is read from the disk.
const LIMIT: u64 = 16 << 20;

/// Versions that are walked at once from the one held to a newer one.
const WALK: usize = 256;
/// How long the first directory that a node sees is used before witnesses vouch for it. Later ones are not taken before.
const GRACE: Duration = Duration::from_mins(5);
/// Beside the directory that is held: the hash of the version that the directory's cosigned log was seen to hold.
const SHOWN: &str = "shown";
/// Beside the directory that is held: another of the same version, the proof against its key. Once it is gone, the one that is
/// held is used again.
const OTHER: &str = "split";

/// The directory of a node. An expired one is as good as none.
#[derive(Debug)]
pub struct DirectoryHolder {
    source: Option<String>,
    key: VerifierKey,
    kept: PathBuf,
    client: Client,
    tls: Option<Arc<Tls>>,
    held: RwLock<Option<Arc<Directory>>>,
    /// Whether two directories of one version were seen: its key signed two truths, and neither is to be trusted.
    split: AtomicBool,
    /// Since when one is used that the directory's own log was not seen to hold.
    unshown: Mutex<Option<Instant>>,
    /// Whether a newer version is offered that the log does not show yet.
    behind: AtomicBool,
    /// Since when a newer version is offered that cannot be taken.
    left: Mutex<Option<Instant>>,
    /// How often in a row it could not be fetched.
    misses: AtomicU32,
}

impl DirectoryHolder {
    /// Takes what the node's folder holds; nothing is fetched yet.
    ///
    /// # Errors
    /// [`ConfigError`] when the node names no directory key.
    pub fn new(node: &Node) -> Result<Self, ConfigError> {
        let kept = node.folder.join("directory");
        let key = node.directory_key()?;
        let held = held(&kept, &key)?;
        if let (Some(tls), Some(held)) = (&node.tls, &held) {
            tls.learn(held.content());
        }
        let shown = std::fs::read_to_string(kept.with_extension(SHOWN)).unwrap_or_default();
        let unshown =
            held.as_ref().is_some_and(|held| wants_proof(held).is_some() && held.sha256() != shown.trim());
        Ok(Self {
            behind: AtomicBool::new(false),
            left: Mutex::default(),
            misses: AtomicU32::new(0),
            unshown: Mutex::new(unshown.then(Instant::now)),
            tls: node.tls.clone(),
            source: node.config.directory.clone(),
            key,
            split: AtomicBool::new(kept.with_extension(OTHER).exists()),
            kept,
            client: node.client(Duration::from_secs(5)),
            held: RwLock::new(held.map(Arc::new)),
        })
    }

    /// The directory, if it holds at `now`.
    ///
    /// # Errors
    /// `no-directory`.
    pub fn current(&self, now: Timestamp) -> Result<Arc<Directory>, Problem> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner).clone();
        let held = held.ok_or_else(|| ProblemKind::NoDirectory.because("no directory has been seen yet"))?;
        if self.is_split() {
            return Err(ProblemKind::NoDirectory.because(
                "the directory's key signed two different directories of one version; both are kept as proof",
            ));
        }
        if self.is_overdue() {
            return Err(ProblemKind::NoDirectory.because(
                "no witnesses vouch that the directory's log holds this version: others may have been shown another",
            ));
        }
        held.check_time(now).map_err(|error| ProblemKind::NoDirectory.because(error))?;
        Ok(held)
    }

    /// Whether it may be used, but for its time, and will be followed by the next: a newer one that cannot be taken is told before the one
    /// held expires.
    pub(crate) fn is_sound(&self) -> bool {
        !self.is_split() && !self.is_overdue() && !self.left().is_some_and(|since| since.elapsed() > GRACE)
    }

    fn left(&self) -> MutexGuard<'_, Option<Instant>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is to be fetched at this tick of a clock: in every so many, and sooner where a newer version, the proof of this
    /// one, or the first of all is awaited. Where nobody answers, the pauses grow.
    pub(crate) fn is_due(&self, tick: u32, regularly: u32) -> bool {
        let awaited =
            self.behind.load(Ordering::Relaxed) || self.unshown().is_some() || self.newest().is_none();
        let pause = 1 << (self.misses.load(Ordering::Relaxed) / 4).min(4);
        tick.is_multiple_of(regularly) || (awaited && tick.is_multiple_of(pause))
    }

    fn is_overdue(&self) -> bool {
        self.unshown().is_some_and(|since| since.elapsed() > GRACE)
    }

    fn unshown(&self) -> MutexGuard<'_, Option<Instant>> {
        self.unshown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the directory's key signed two truths.
    pub fn is_split(&self) -> bool {
        self.split.load(Ordering::Relaxed)
    }

    /// The directory, expired or not; for those who must go on without one.
    pub fn newest(&self) -> Option<Arc<Directory>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The directory's key.
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// When the directory expires; `None` before the first.
    pub fn expires_at(&self) -> Option<Timestamp> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.as_ref().map(|held| held.content().expires_at)
    }

    /// Takes a directory file in place of the one held, if it is signed, not older and not expired.
    ///
    /// # Errors
    /// `no-directory` with the reason; the one held stays.
    pub fn take(&self, bytes: &[u8], now: Timestamp) -> Result<(), Problem> {
        let new =
            Directory::parse(bytes, &self.key).map_err(|error| ProblemKind::NoDirectory.because(error))?;
        self.take_at(new, Some(now))
    }

    /// The same of one that was parsed; without a time one that is over is taken too, on the way to a newer one.
    fn take_at(&self, new: Directory, now: Option<Timestamp>) -> Result<(), Problem> {
        let refused = |error: DirectoryError| ProblemKind::NoDirectory.because(error);
        if let Some(now) = now {
            new.check_time(now).map_err(refused)?;
        }
        let bytes = new.bytes();
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = held.as_ref()
            && let Err(error) = new.check_successor_of(held)
        {
            if matches!(error, DirectoryError::Split(_)) && !self.split.swap(true, Ordering::Relaxed) {
                tracing::error!(%error, "nothing is asked or answered under it any more");
                let kept = replace(&self.kept.with_extension(OTHER), bytes);
                kept.map_err(|error| ProblemKind::NoDirectory.because(error))?;
            }
            return Err(refused(error));
        }
        if held.as_ref().is_some_and(|held| held.bytes() == bytes) {
            return Ok(());
        }
        // One that was taken and is forgotten could be rolled back after a restart.
        let stored = self.keep(&new).and_then(|()| replace(&self.kept, bytes));
        stored.map_err(|error| ProblemKind::NoDirectory.because(error))?;
        if let Some(tls) = &self.tls {
            tls.learn(new.content());
        }
        *held = Some(Arc::new(new));
        Ok(())
    }

    /// A version that was taken once, by the SHA-256 of its file: the one under which a question was asked.
    ///
    /// # Errors
    /// `no-directory` when it is not there any more.
    pub fn version(&self, sha256: &str) -> Result<Directory, Problem> {
        let missing = |reason: &dyn std::fmt::Display| {
            ProblemKind::NoDirectory.because(format!("the directory {sha256} is not here: {reason}"))
        };
        if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(missing(&"this is no hash"));
        }
        let bytes = std::fs::read(self.versions().join(sha256)).map_err(|error| missing(&error))?;
        Directory::parse(&bytes, &self.key).map_err(|error| missing(&error))
    }

    /// The proof that the directory's own log holds a version, under a checkpoint that its witnesses cosigned; `None` where it names no
    /// log or asks for no witness. Kept beside the version once it was had.
    ///
    /// # Errors
    /// `no-directory` with the reason.
    pub(super) async fn proof_of(&self, directory: &Directory) -> Result<Option<String>, Problem> {
        let Some(log) = wants_proof(directory) else { return Ok(None) };
        let kept = self.versions().join(format!("{}.proof", directory.sha256()));
        if let Ok(proof) = std::fs::read_to_string(&kept) {
            return Ok(Some(proof));
        }
        let source = self.source.as_deref().filter(|source| source.contains("://"));
        let source = source.ok_or_else(|| not_shown(&"it is no address, and gives no proof"))?;
        for url in [format!("{source}/{}/proof", directory.content().version), format!("{source}/proof")] {
            let Ok((200, bytes)) = self.client.get(&url).await else { continue };
            let mut bundle = Bundle::parse(&bytes).map_err(|error| not_shown(&error))?;
            for entry in &mut bundle.entries {
                directory.keep_known_lines(log, &mut entry.signed).map_err(|error| not_shown(&error))?;
            }
            let proof = bundle.to_string();
            if shows(proof.as_bytes(), (directory, directory), log)? {
                replace(&kept, proof.as_bytes()).map_err(|error| ProblemKind::NoDirectory.because(error))?;
                return Ok(Some(proof));
            }
        }
        Err(not_shown(&"no proof of it can be had yet"))
    }

    fn keep(&self, directory: &Directory) -> Result<(), ConfigError> {
        let folder = self.versions();
        std::fs::create_dir_all(&folder).map_err(|source| ConfigError::Folder {
            what: "cannot make the folder",
            path: folder.clone(),
            source,
        })?;
        replace(&folder.join(directory.sha256()), directory.bytes())
    }

    fn versions(&self) -> PathBuf {
        self.kept.with_file_name("directories")
    }

    /// Fetches the directory from where `node.toml` says. From another machine a new version is taken only with the proof that
    /// the directory's own log holds it, under a checkpoint that the witnesses of the version held cosigned: whoever has the
    /// directory's key cannot show two nodes two directories without all seeing both. Until then the one held stays.
    ///
    /// # Errors
    /// `no-directory` with the reason; the one held stays.
    pub async fn renew(&self, now: Timestamp) -> Result<(), Problem> {
        let renewed = self.fetch(now).await;
        let misses = if renewed.is_ok() { 0 } else { self.misses.load(Ordering::Relaxed).saturating_add(1) };
        self.misses.store(misses, Ordering::Relaxed);
        renewed
    }

    async fn fetch(&self, now: Timestamp) -> Result<(), Problem> {
        let Some(source) = &self.source else { return Ok(()) };
        let missing = |reason: &dyn std::fmt::Display| {
            ProblemKind::NoDirectory.because(format!("cannot fetch the directory from {source}: {reason}"))
        };
        let bytes = if source.contains("://") {
            let held = self.newest();
            let got = match &held {
                Some(held) => self.client.get_other_than(source, held.sha256()).await,
                None => self.client.get(source).await.map(Some),
            };
            let bytes = match (got.map_err(|error| missing(&error))?, held) {
                (Some((200, bytes)), _) => bytes,
                (None, Some(held)) => held.bytes().to_vec(),
                (None, None) => return Err(missing(&"status 304")),
                (Some((status, _)), _) => return Err(missing(&format_args!("status {status}"))),
            };
            let taken = self.take_shown(source, &bytes, now).await;
            self.look_behind(&bytes).await;
            return taken;
        } else {
            let length = std::fs::metadata(source).map_err(|error| missing(&error))?.len();
            if length > LIMIT {
                return Err(missing(&"it is larger than 16 MiB"));
            }
            std::fs::read(source).map_err(|error| missing(&error))?
        };
        self.take(&bytes, now)
    }

    /// Notes since when what is offered is newer than what is held.
    async fn look_behind(&self, offered: &[u8]) {
        let held = self.newest().filter(|held| held.bytes() != offered);
        let newer = match &held {
            None => false,
            Some(held) => (self.parse(offered).await)
                .is_ok_and(|offered| held.content().version < offered.content().version),
        };
        let mut left = self.left();
        *left = newer.then(|| left.unwrap_or_else(Instant::now));
    }

    /// Reads a file of up to 16 MiB, and a key for each entry, beside the threads that answer.
    async fn parse(&self, bytes: &[u8]) -> Result<Directory, Problem> {
        let (bytes, key) = (bytes.to_vec(), self.key.clone());
        let parsed = tokio::task::spawn_blocking(move || Directory::parse(&bytes, &key)).await;
        let parsed = parsed.map_err(|error| ProblemKind::Fault.because(error))?;
        parsed.map_err(|error| ProblemKind::NoDirectory.because(error))
    }

    /// Takes a version that was fetched, if the directory's log shows it; the first one that a node sees also before.
    async fn take_shown(&self, source: &str, bytes: &[u8], now: Timestamp) -> Result<(), Problem> {
        let refused = |error: DirectoryError| ProblemKind::NoDirectory.because(error);
        let held = self.newest();
        let known = held.as_ref().filter(|held| held.bytes() == bytes);
        if let Some(held) = known.filter(|_| self.unshown().is_none()) {
            return held.check_time(now).map_err(refused);
        }
        let same = known.is_some();
        let new = self.parse(bytes).await?;
        let deciding = held.as_deref().unwrap_or(&new);
        let shown = match wants_proof(deciding) {
            Some(log) => self.is_shown(source, (&new, deciding), log).await,
            None => Ok(true),
        };
        // One that other witnesses cosigned than those known here: the versions between lead to it.
        let unknown = !matches!(shown, Ok(true)) && !same && held.is_some();
        if unknown && self.walk(source, &new).await {
            return Box::pin(self.take_shown(source, bytes, now)).await;
        }
        let shown = shown?;
        self.behind.store(!shown, Ordering::Relaxed);
        if !shown && held.is_some() && !same {
            tracing::debug!(version = new.content().version, "not seen in the directory's log yet");
            return Ok(());
        }
        self.take(bytes, now)?;
        let since = self.unshown().unwrap_or_else(Instant::now);
        *self.unshown() = (!shown).then_some(since);
        if shown {
            let noted = replace(&self.kept.with_extension(SHOWN), new.sha256().as_bytes());
            noted.map_err(|error| ProblemKind::NoDirectory.because(error))?;
        }
        Ok(())
    }

    /// Takes the versions between the one held and a newer one, each under the witnesses of the one before it; whether it came any
    /// further. They may have expired since: nothing is asked or answered under them.
    async fn walk(&self, source: &str, to: &Directory) -> bool {
        let mut came = false;
        for _ in 0..WALK {
            let Some(held) = self.newest().filter(|held| held.content().version + 1 < to.content().version)
            else {
                break;
            };
            let url = format!("{source}/{}", held.content().version + 1);
            let Ok((200, bytes)) = self.client.get(&url).await else { break };
            let Ok((200, proof)) = self.client.get(&format!("{url}/proof")).await else { break };
            let Ok(next) = Directory::parse(&bytes, &self.key) else { break };
            let follows = next.content().version == held.content().version + 1;
            let log = wants_proof(&held).filter(|log| follows && next.content().log.as_deref() == Some(log));
            let Some(log) = log else { break };
            if !shows(&proof, (&next, &held), log).unwrap_or(false) || self.take_at(next, None).is_err() {
                break;
            }
            came = true;
        }
        came
    }

    /// Whether the log holds a version; false while there is no proof of it yet.
    async fn is_shown(
        &self,
        source: &str,
        (new, deciding): (&Directory, &Directory),
        log: &str,
    ) -> Result<bool, Problem> {
        if new.content().log.as_deref() != Some(log) {
            return Err(not_shown(&"it names another log than the version before"));
        }
        let mut shown = Ok(false);
        // As it was cosigned when it was new, and as it is now.
        for url in [format!("{source}/{}/proof", new.content().version), format!("{source}/proof")] {
            let Ok((200, bytes)) = self.client.get(&url).await else { continue };
            shown = shows(&bytes, (new, deciding), log);
            if matches!(shown, Ok(true)) {
                break;
            }
        }
        shown
    }
}

/// Whether a proof that a directory serves is of this version: its log holds it, under a checkpoint that the witnesses of the deciding
/// version cosigned. Those that came since are unknown to that version, and count for nothing.
///
/// # Errors
/// `no-directory` when it does not hold, or proves another directory of the same version.
pub(crate) fn shows(
    proof: &[u8],
    (new, deciding): (&Directory, &Directory),
    log: &str,
) -> Result<bool, Problem> {
    let mut bundle = Bundle::parse(proof).map_err(|error| not_shown(&error))?;
    for entry in &mut bundle.entries {
        deciding.keep_known_lines(log, &mut entry.signed).map_err(|error| not_shown(&error))?;
    }
    let policy = deciding.policy(log).map_err(|error| not_shown(&error))?;
    bundle.verify(&policy).map_err(|error| not_shown(&error))?;
    let [entry] = bundle.entries.as_slice() else { return Err(not_shown(&"it is not of one entry")) };
    let record: serde_json::Value =
        serde_json::from_slice(&entry.record).map_err(|error| not_shown(&error))?;
    let version = new.content().version;
    if record["kind"] != "directory" || record["body"]["version"] != version {
        return Ok(false);
    }
    if record["body"]["sha256"] == new.sha256() {
        Ok(true)
    } else {
        Err(ProblemKind::NoDirectory.because(DirectoryError::Split(version)))
    }
}

fn not_shown(reason: &dyn std::fmt::Display) -> Problem {
    ProblemKind::NoDirectory.because(format!("the directory's log does not show this version: {reason}"))
}

/// The log that must hold a version before it is used; `None` where no witness is asked for.
fn wants_proof(directory: &Directory) -> Option<&str> {
    directory.content().log.as_deref().filter(|_| directory.content().quorum > 0)
}

/// The directory that was seen last. One that is there and cannot be used is not overlooked: an older one could take its place.
pub(super) fn held(path: &Path, key: &VerifierKey) -> Result<Option<Directory>, ConfigError> {
    match std::fs::read(path) {
        Ok(bytes) => Directory::parse(&bytes, key).map(Some).map_err(|error| ConfigError::Damaged {
            path: path.to_owned(),
            reason: format!("{error}\nhint: delete it if you trust the directory that is fetched next"),
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ConfigError::Folder { what: "cannot read", path: path.to_owned(), source }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;
    use crate::config::{NodeConfig, NodeRole};
    use crate::federation::DirectoryContent;

    #[tokio::test]
    async fn the_first_directory_is_fetched_again_soon_and_then_less_often() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = "http://127.0.0.1:1";
        let made = |name: &str, role| {
            Node::create(&folder.path().join(name), NodeConfig::new(role, name.parse().unwrap(), nowhere))
        };
        let keeper = made("keeper", NodeRole::Directory).unwrap();
        let mut node = made("node", NodeRole::Witness).unwrap();
        let key = keeper.statements.verifier().to_string();
        node.trust(&format!("{nowhere}/directory"), &key).unwrap();
        let holder = DirectoryHolder::new(&node).unwrap();
        let due = || (1..=40).filter(|tick| holder.is_due(*tick, 20)).collect::<Vec<u32>>();
        assert_eq!(due().len(), 40, "at once, and every half second");
        for (misses, expected) in [(4, 20), (8, 10), (12, 6), (100, 4)] {
            while holder.misses.load(Ordering::Relaxed) < misses {
                holder.renew(Timestamp::now()).await.unwrap_err();
            }
            assert_eq!(due().len(), expected, "after {misses} misses: {:?}", due());
        }
        let now = Timestamp::now();
        let later = now + jiff::SignedDuration::from_hours(1);
        let bytes = DirectoryContent::new(1, now, later).sign(&keeper.statements).unwrap();
        holder.take(&bytes, now).unwrap();
        assert_eq!(due(), [20, 40], "one that is held is looked at regularly");
    }

    /// A directory's server that gives out one file, and no proof of anything.
    fn serve(listener: std::net::TcpListener, file: Vec<u8>) {
        let routes = axum::Router::new()
            .route("/directory", axum::routing::get(move || std::future::ready(file.clone())));
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    }

    #[tokio::test]
    async fn a_node_that_cannot_take_what_is_offered_does_not_say_that_it_is_well() {
        let folder = tempfile::tempdir().unwrap();
        let made = |name: &str, role, url: &str| {
            Node::create(&folder.path().join(name), NodeConfig::new(role, name.parse().unwrap(), url))
                .unwrap()
        };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let keeper = made("keeper", NodeRole::Directory, &url);
        let witness = made("witness", NodeRole::Witness, "http://127.0.0.1:1");
        let mut node = made("node", NodeRole::Agency, "http://127.0.0.1:1");
        let key = keeper.statements.verifier().to_string();
        node.trust(&format!("{url}/directory"), &key).unwrap();
        let now = Timestamp::now();
        let version = |number| {
            let mut content = DirectoryContent::new(number, now, now + jiff::SignedDuration::from_hours(1));
            content.witnesses.push(witness.witness_card());
            (content.quorum, content.log) = (1, Some(keeper.log.verifier().to_string()));
            content.sign(&keeper.statements).unwrap()
        };
        let holder = DirectoryHolder::new(&node).unwrap();
        holder.take(&version(1), now).unwrap();
        serve(listener, version(2));
        let _ = holder.renew(now).await;
        assert_eq!(holder.newest().unwrap().content().version, 1, "nothing shows the second");
        assert!(holder.is_sound(), "it may be cosigned in a moment");
        let since = Instant::now().checked_sub(GRACE + Duration::from_secs(1)).unwrap();
        assert!(holder.left().replace(since).is_some(), "it is noted that one is offered");
        let _ = holder.renew(now).await;
        assert!(
            !holder.is_sound() && holder.current(now).is_ok(),
            "the one held is used as long as it holds"
        );
        holder.take(&version(2), now).unwrap();
        let _ = holder.renew(now).await;
        assert!(holder.is_sound());
    }
}

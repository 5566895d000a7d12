//! The books of an issuer that closes, sealed for its successor (age, X25519).
//!
//! A bundle holds the tables, the log and the key that continues the log; neither the sealing key nor the key that signs
//! certificates, so that nobody issues or certifies in the name of an issuer that is gone. Its hash stands in the
//! issuer's log before the file appears under its name. Inside the encryption: a line `microstamp.succession/1`, a line
//! with the manifest as canonical JSON, then the bytes of its files, one after the other.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read, Write};
use std::iter::once;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::Ordering;

use age::secrecy::ExposeSecret as _;
use age::{DecryptError, Decryptor, Encryptor};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use symbology::Prefix;
use transparency::{EntryProof, FolderStore, Policy, VerifierKey, canonical_json, fsck};

use crate::books::Books;
use crate::encode;
use crate::error::{BooksError, Refusal};
use crate::folder::{Folder, Issuer, make_private, private};
use crate::import::sha256;
use crate::ledger::{self, Ledger};
use crate::moving::moves_in;
use crate::names::Person;
use crate::renewal::{note_files, renew_log};
use crate::store::RecordRow;

const HEADER: &str = "microstamp.succession/1";
const OTHER_HEIR: &str = "these books were handed over to another key; two heirs would write in one log";
/// Longest manifest that is read, in bytes.
const MAX_MANIFEST: u64 = 64 << 20;
/// Kind of the record that vouches for a bundle.
pub(crate) const HAND_OVER: &str = "hand-over";
/// Counter of hand-overs; above zero the books are closed.
pub(crate) const HAND_OVERS: &str = "hand-over";

/// To whom a bundle is sealed: an age recipient, `age1…`.
///
/// ```
/// let successor = registry::SuccessorIdentity::generate();
/// let to: registry::SuccessorKey = successor.key().to_string().parse()?;
/// assert_eq!(to.to_string(), successor.key().to_string());
/// assert!("age1nonsense".parse::<registry::SuccessorKey>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone)]
pub struct SuccessorKey(age::x25519::Recipient);

/// The secret half of a [`SuccessorKey`], `AGE-SECRET-KEY-1…`, as `age-keygen` makes it.
#[derive(Clone)]
pub struct SuccessorIdentity(age::x25519::Identity);

/// What a bundle says of itself, JSON schema `microstamp.succession/1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuccessionManifest {
    schema: String,
    issuer: IssuerPart,
    /// Blocks whose codes these books answer for.
    pub prefixes: Vec<Prefix>,
    /// When the bundle was made.
    pub made_at: Timestamp,
    /// Firearms in the book.
    pub firearms: u64,
    /// Codes issued.
    pub codes: u64,
    /// Entries in the book.
    pub entries: u64,
    /// Entries in the log before the one that vouches for this bundle.
    pub log_entries: u64,
    files: Vec<Packed>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct IssuerPart {
    name: String,
    licence: String,
    scheme: String,
    origin: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Packed {
    path: String,
    bytes: u64,
    sha256: String,
}

/// A bundle that was handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandedOver {
    /// What is in it.
    pub manifest: SuccessionManifest,
    /// SHA-256 of the file, 64 hexadecimal digits.
    pub sha256: String,
    /// The log entry that vouches for it.
    pub log_entry: u64,
    /// The proof of that entry, which goes with the file.
    pub proof: PathBuf,
}

/// What the log vouches for.
#[derive(Debug, Serialize, Deserialize)]
struct HandOverRecord {
    to: String,
    bundle_sha256: String,
    bundle_bytes: u64,
    at: Timestamp,
    by: Person,
}

impl FromStr for SuccessorKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |error| format!("`{text}` is not an age recipient: {error}\nhint: it begins with age1");
        text.trim().parse().map(Self).map_err(wrong)
    }
}

impl std::fmt::Display for SuccessorKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for SuccessorIdentity {
    type Err = String;

    /// Takes the first line that is neither empty nor a remark, as `age-keygen` writes them.
    fn from_str(text: &str) -> Result<Self, String> {
        let lines = text.lines().map(str::trim);
        let mut lines = lines.filter(|line| !line.starts_with('#'));
        let key = lines.find(|line| !line.is_empty()).unwrap_or_default();
        let wrong = |_| "there is no age identity\nhint: it begins with AGE-SECRET-KEY-1".to_owned();
        key.parse().map(Self).map_err(wrong)
    }
}

impl SuccessorIdentity {
    /// A new identity.
    pub fn generate() -> Self {
        Self(age::x25519::Identity::generate())
    }

    /// The recipient to seal bundles to.
    pub fn key(&self) -> SuccessorKey {
        SuccessorKey(self.0.to_public())
    }

    /// The secret as text, for a file that only its owner may read.
    pub fn to_secret_text(&self) -> String {
        self.0.to_string().expose_secret().to_owned()
    }
}

impl Books {
    /// Seals the whole books for a successor, enters the file's hash in the log, and only then gives the file its name.
    /// From then on nothing is written in these books; handing over again to the same key, where the file was lost, is all that
    /// can be done. Beside the file, with
    /// `.proof` added to its name, lies the proof of that log entry.
    ///
    /// # Errors
    /// [`crate::Refusal::Closed`] in books that were taken over, or handed over to another key;
    /// [`BooksError::Folder`] when the file exists or cannot be written, in which case nothing happened.
    pub async fn hand_over(
        &self,
        to: &SuccessorKey,
        file: &Path,
        by: &Person,
        now: Timestamp,
    ) -> Result<HandedOver, BooksError> {
        self.keys.own()?;
        if self.handed_over.load(Ordering::Relaxed)
            && let Some(before) = self.store.read().await?.last_record(HAND_OVER).await?
        {
            let before: HandOverRecord = encode::from_json(&before)?;
            if before.to != to.to_string() {
                return Err(Refusal::Closed(OTHER_HEIR).into());
            }
        }
        for taken in [file, &beside(file, "proof")] {
            if taken.exists() {
                let error = io::Error::from(io::ErrorKind::AlreadyExists);
                return Err(BooksError::folder("cannot write", taken, error));
            }
        }
        // From before the copy until the hand-over is entered nobody else writes: what came between would be in no bundle.
        let mut ledger = self.writing().await?;
        let snapshot = Removed(self.root.join(".hand-over.sqlite"));
        let _ = fs::remove_file(&snapshot.0);
        self.store.snapshot(&snapshot.0, now.as_microsecond()).await?;
        let sources = self.sources(&snapshot.0)?;
        let manifest = self.manifest(&sources, ledger.folder(), now).await?;
        let part = Removed(beside(file, "part"));
        seal(&part.0, to, &manifest, &sources)?;
        let unreadable = |error| BooksError::folder("cannot read", &part.0, error);
        let sealed = File::open(&part.0).map_err(unreadable)?;
        let bundle_bytes = sealed.metadata().map_err(unreadable)?.len();
        let bundle_sha256 = sha256(sealed).map_err(unreadable)?;
        let record =
            HandOverRecord { to: to.to_string(), bundle_sha256, bundle_bytes, at: now, by: by.clone() };
        let (log_entry, proof) = self.vouch(&mut ledger, &record, now).await?;
        self.handed_over.store(true, Ordering::Relaxed);
        let beside_it = beside(file, "proof");
        fs::write(&beside_it, proof.to_string())
            .map_err(|error| BooksError::folder("cannot write", &beside_it, error))?;
        fs::rename(&part.0, file).map_err(|error| BooksError::folder("cannot write", file, error))?;
        Ok(HandedOver { manifest, sha256: record.bundle_sha256, log_entry, proof: beside_it })
    }

    /// Enters a hand-over in log and tables, and proves it.
    async fn vouch(
        &self,
        ledger: &mut Ledger,
        record: &HandOverRecord,
        now: Timestamp,
    ) -> Result<(u64, EntryProof), BooksError> {
        let body = serde_json::to_value(record).map_err(BooksError::damaged)?;
        let mut records = [ledger::new_record(HAND_OVER, &body, now)?];
        let entered = self.enter_all(ledger, &mut records, &[]).await?;
        let log_index = entered[0].1;
        let mut session = self.effect_of(&entered).await?;
        session.take_numbers(HAND_OVERS, 1).await?;
        session.commit().await?;
        Ok((log_index as u64, ledger.prove(&records[0], log_index as u64)?))
    }

    /// The files of a bundle: their names in it, and where they lie.
    fn sources(&self, snapshot: &Path) -> Result<Vec<(String, PathBuf)>, BooksError> {
        let mut sources = vec![("books.sqlite".to_owned(), snapshot.to_owned())];
        for name in ["keys/log.key", "keys/log.pub", "keys/signing.pub"] {
            sources.push((name.to_owned(), self.root.join(name)));
        }
        for name in note_files(&self.root) {
            sources.push((name.clone(), self.root.join(name)));
        }
        let mut folders = vec![PathBuf::from("log")];
        while let Some(folder) = folders.pop() {
            let here = self.root.join(&folder);
            let cannot = |error| BooksError::folder("cannot read", &here, error);
            for entry in fs::read_dir(&here).map_err(cannot)? {
                let entry = entry.map_err(cannot)?;
                let path = folder.join(entry.file_name());
                if entry.file_type().map_err(cannot)?.is_dir() {
                    folders.push(path);
                } else if !entry.file_name().to_string_lossy().starts_with('.') {
                    sources.push((path.to_string_lossy().into_owned(), entry.path()));
                }
            }
        }
        sources.sort();
        Ok(sources)
    }

    async fn manifest(
        &self,
        sources: &[(String, PathBuf)],
        log: &Path,
        now: Timestamp,
    ) -> Result<SuccessionManifest, BooksError> {
        let mut files = Vec::with_capacity(sources.len());
        for (path, source) in sources {
            let cannot = |error| BooksError::folder("cannot read", source, error);
            let file = File::open(source).map_err(cannot)?;
            let bytes = file.metadata().map_err(cannot)?.len();
            files.push(Packed { path: path.clone(), bytes, sha256: sha256(file).map_err(cannot)? });
        }
        let [firearms, codes, entries] = self.counts().await?;
        let Issuer { name, licence, scheme, origin, .. } = &self.issuer;
        Ok(SuccessionManifest {
            schema: HEADER.to_owned(),
            issuer: IssuerPart {
                name: name.to_string(),
                licence: licence.to_string(),
                scheme: scheme.clone(),
                origin: origin.clone(),
            },
            prefixes: self.blocks().await?.iter().map(|block| block.prefix).collect(),
            made_at: now,
            firearms,
            codes,
            entries,
            log_entries: ledger::checkpoint(&FolderStore::read_only(log))?.checkpoint.size,
            files,
        })
    }

    /// Firearms, codes and entries in the tables.
    async fn counts(&self) -> Result<[u64; 3], BooksError> {
        let mut session = self.store.read().await?;
        let firearms = session.numbers_taken("firearm").await?;
        let codes = session.count_codes().await?;
        let (entries, _) = session.count_entries().await?;
        Ok([firearms, codes, entries].map(|count| count as u64))
    }

    /// Adds the entry that vouches for the bundle to the successor's copy: what the issuer's log says, this says.
    async fn adopt(&self, proof: &EntryProof) -> Result<(), BooksError> {
        let record: HandOverRecord = hand_over_record(proof)?;
        let body = String::from_utf8(proof.record.clone()).map_err(BooksError::damaged)?;
        let mut ledger = self.ledger.lock().await;
        let mut session = self.store.write().await?;
        let record_id = session.take_numbers("record", 1).await?;
        let row = RecordRow {
            record_id,
            kind: HAND_OVER.to_owned(),
            recorded_at: record.at.as_microsecond(),
            salt: proof.salt.as_bytes().to_vec(),
            body,
            log_index: None,
        };
        session.put_record(&row).await?;
        let places = ledger.enter_all(&[ledger::commitment(&row)?])?;
        session.put_logged(record_id, places.start as i64).await?;
        session.commit().await?;
        let now = ledger::checkpoint(&FolderStore::read_only(ledger.folder()))?;
        if now.checkpoint != proof.signed.checkpoint {
            return Err(broken("its log is not the one in which its hash was entered"));
        }
        Ok(())
    }
}

/// Opens a bundle into a new folder: books that can be read and asked, and to which nothing is added.
///
/// Checked first, each with a sentence of its own: that the file is the one whose hash the issuer's log holds, that the
/// identity opens it, every file against the manifest, the log's signatures and tiles, every record against the log, the
/// counts, and that the log with the hand-over added is the log that vouched for it. Then that log ends, and one of another name goes
/// on from its entries: whoever else has the bundle writes in another. `log_key` is the issuer's log key as
/// the directory of prefixes has it; without it the bundle vouches for itself.
///
/// # Errors
/// [`BooksError::Bundle`] says what does not hold; [`BooksError::Folder`] when the folder exists or cannot be written.
/// Nothing is left behind.
pub async fn take_over(
    file: &Path,
    identity: &SuccessorIdentity,
    log_key: Option<&VerifierKey>,
    to: &Path,
    now: Timestamp,
) -> Result<SuccessionManifest, BooksError> {
    let path = beside(file, "proof");
    let bytes = fs::read(&path).map_err(|error| BooksError::folder("cannot read", &path, error))?;
    let proof = EntryProof::parse(&bytes);
    let proof = proof.map_err(|error| broken(format!("`{}` is no proof: {error}", path.display())))?;
    if to.exists() {
        let error = io::Error::from(io::ErrorKind::AlreadyExists);
        return Err(BooksError::folder("cannot make", to, error));
    }
    is_the_one_entered(file, &hand_over_record(&proof)?)?;
    let part = Removed(beside(to, "part"));
    let _ = fs::remove_dir_all(&part.0);
    make_private(&part.0, false)?;
    let manifest = unseal(file, identity, &part.0)?;
    let moves = moves_in(&part.0.join("books.sqlite")).await?;
    write_issuer(&manifest.issuer, moves, &part.0)?;
    check_log(&part.0, &proof, log_key)?;
    let books = Books::open(&part.0, now).await?;
    if books.counts().await? != [manifest.firearms, manifest.codes, manifest.entries] {
        return Err(broken("the tables do not hold what the manifest counts"));
    }
    if !books.reconcile().await?.agrees() {
        return Err(broken("its books and its log do not agree"));
    }
    books.adopt(&proof).await?;
    books.close().await;
    renew_log(&Folder::new(&part.0), "the books were taken over by a successor")?;
    fs::rename(&part.0, to).map_err(|error| BooksError::folder("cannot make", to, error))?;
    Ok(manifest)
}

fn broken(what: impl Into<String>) -> BooksError {
    BooksError::Bundle(what.into())
}

fn hand_over_record(proof: &EntryProof) -> Result<HandOverRecord, BooksError> {
    serde_json::from_slice(&proof.record).map_err(|_| broken("its proof is for another act than a hand-over"))
}

fn is_the_one_entered(file: &Path, record: &HandOverRecord) -> Result<(), BooksError> {
    let cannot = |error| BooksError::folder("cannot read", file, error);
    let sealed = File::open(file).map_err(cannot)?;
    let bytes = sealed.metadata().map_err(cannot)?.len();
    if bytes < record.bundle_bytes {
        let all = record.bundle_bytes;
        return Err(broken(format!("the file is cut off: {bytes} of {all} bytes")));
    }
    if bytes > record.bundle_bytes || sha256(sealed).map_err(cannot)? != record.bundle_sha256 {
        return Err(broken("the file is not the one whose hash is in the issuer's log: it was altered"));
    }
    Ok(())
}

/// Checks the log under the key that the directory gives, or its own, and the proof of the hand-over.
fn check_log(root: &Path, proof: &EntryProof, log_key: Option<&VerifierKey>) -> Result<(), BooksError> {
    let path = root.join("keys/log.pub");
    let text = fs::read_to_string(&path).map_err(|error| BooksError::folder("cannot read", &path, error))?;
    let own: VerifierKey = text.trim().parse().map_err(|_| broken("its log key is no key"))?;
    if let Some(expected) = log_key.filter(|expected| **expected != own) {
        return Err(broken(format!("it is of another issuer: its log is {own}, expected was {expected}")));
    }
    let policy = Policy::log_alone(own.clone()).map_err(|error| broken(error.to_string()))?;
    proof.verify(&policy).map_err(|error| broken(format!("its proof does not hold: {error}")))?;
    let store = FolderStore::read_only(&root.join("log"));
    let report = fsck(&store, &own, &[]).map_err(|error| BooksError::Log(Box::new(error)))?;
    match report.findings.first() {
        None => Ok(()),
        Some(finding) => Err(broken(format!("its log is not whole: {finding}"))),
    }
}

/// Writes the sealed file and makes sure that it is on disk.
fn seal(
    file: &Path,
    to: &SuccessorKey,
    manifest: &SuccessionManifest,
    sources: &[(String, PathBuf)],
) -> Result<(), BooksError> {
    let cannot = |error| BooksError::folder("cannot write", file, error);
    let out = BufWriter::new(File::create(file).map_err(cannot)?);
    let recipient: &dyn age::Recipient = &to.0;
    let encryptor = Encryptor::with_recipients(once(recipient)).expect("one recipient is enough");
    let mut sealed = encryptor.wrap_output(out).map_err(cannot)?;
    let manifest = serde_json::to_value(manifest).map_err(BooksError::damaged)?;
    let manifest = canonical_json(&manifest).map_err(BooksError::damaged)?;
    let head = [HEADER.as_bytes(), b"\n", &manifest, b"\n"].concat();
    sealed.write_all(&head).map_err(cannot)?;
    for (_, source) in sources {
        let mut from =
            File::open(source).map_err(|error| BooksError::folder("cannot read", source, error))?;
        io::copy(&mut from, &mut sealed).map_err(cannot)?;
    }
    let out = sealed.finish().and_then(|out| out.into_inner().map_err(io::IntoInnerError::into_error));
    out.and_then(|file| file.sync_all()).map_err(cannot)
}

/// Opens the sealed file into a folder, checking every file against the manifest.
fn unseal(file: &Path, identity: &SuccessorIdentity, to: &Path) -> Result<SuccessionManifest, BooksError> {
    let sealed = File::open(file).map_err(|error| BooksError::folder("cannot read", file, error))?;
    let unreadable = |error: DecryptError| match error {
        DecryptError::NoMatchingKeys => {
            broken(format!("the identity of {} does not open it: it is sealed to another", identity.key()))
        }
        error => broken(format!("it is no sealed bundle: {error}")),
    };
    let decryptor = Decryptor::new_buffered(BufReader::new(sealed)).map_err(unreadable)?;
    let key: &dyn age::Identity = &identity.0;
    let mut open = BufReader::new(decryptor.decrypt(once(key)).map_err(unreadable)?);
    let manifest = read_manifest(&mut open)?;
    for packed in &manifest.files {
        if !Path::new(&packed.path).components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(broken(format!("its manifest names a place outside the folder: `{}`", packed.path)));
        }
        let target = to.join(&packed.path);
        let cannot = |error| BooksError::folder("cannot write", &target, error);
        fs::create_dir_all(target.parent().unwrap_or(to)).map_err(cannot)?;
        let mut out = private().open(&target).map_err(cannot)?;
        let written = io::copy(&mut (&mut open).take(packed.bytes), &mut out);
        let written = written.map_err(|error| broken(format!("it cannot be opened to its end: {error}")))?;
        out.sync_all().map_err(cannot)?;
        let found = File::open(&target).and_then(sha256).map_err(cannot)?;
        if written != packed.bytes || found != packed.sha256 {
            return Err(broken(format!("`{}` in it is not what its manifest says", packed.path)));
        }
    }
    if open.read(&mut [0]).map_err(|error| broken(error.to_string()))? != 0 {
        return Err(broken("it holds more than its manifest says"));
    }
    Ok(manifest)
}

fn read_manifest(open: &mut impl io::BufRead) -> Result<SuccessionManifest, BooksError> {
    let mut line = || {
        let mut line = Vec::new();
        let read = open.by_ref().take(MAX_MANIFEST).read_until(b'\n', &mut line);
        read.map_err(|error| broken(format!("it cannot be opened: {error}")))?;
        if line.pop() == Some(b'\n') { Ok(line) } else { Err(broken("it has no manifest")) }
    };
    if line()? != HEADER.as_bytes() {
        return Err(broken(format!("it does not begin with `{HEADER}`")));
    }
    serde_json::from_slice(&line()?).map_err(|error| broken(format!("its manifest cannot be read: {error}")))
}

fn write_issuer(part: &IssuerPart, moves: i64, to: &Path) -> Result<(), BooksError> {
    let issuer = Issuer {
        name: part.name.parse()?,
        licence: part.licence.parse()?,
        scheme: part.scheme.clone(),
        origin: part.origin.clone(),
        postgres: None,
        taken_over: true,
        restoring: false,
        copy: false,
        moves,
    };
    let text = toml::to_string(&issuer).map_err(BooksError::damaged)?;
    let path = to.join("issuer.toml");
    let written = private().open(&path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| BooksError::folder("cannot write", &path, error))
}

/// `FILE.more`, beside the file.
fn beside(file: &Path, more: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(more);
    name.into()
}

/// A file or folder that goes when this does.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        if self.0.is_dir() {
            let _ = fs::remove_dir_all(&self.0);
        } else {
            let _ = fs::remove_file(&self.0);
        }
    }
}

//! An issuer's folder: who the issuer is, where the tables are, and the keys.
//!
//! | file | holds | whoever changes it gains |
//! | --- | --- | --- |
//! | `issuer.toml` | name, licence, scheme, database | nothing: the books name their blocks themselves |
//! | `books.sqlite` | the tables, unless PostgreSQL holds them | nothing that [`crate::Books::reconcile`] does not name |
//! | `keys/sealing.key` | 32 bytes, hexadecimal; turns units into codes | can tell which codes belong to which unit numbers |
//! | `keys/signing.key` | signs certificates | can sign certificates in the issuer's name |
//! | `keys/log.key` | signs the log's checkpoints | can fork the log, which whoever keeps an older checkpoint notices |
//! | `log/` | tiles and checkpoint, fit to be published | nothing: entries are hashes of salted records |
//!
//! The folder is its owner's alone (mode 0700), and so is every file that the books make in it outside `log/` (0600): the tables
//! hold references that are withheld, and the salts of the log. Key files are never written again. Where a folder is open to
//! everybody, it is shut when the books are opened; what its owner opened to a group stays so, but for the keys.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use rand::Rng as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use symbology::Prefix;
use transparency::{KeyKind, SigningKey, VerifierKey};

use crate::error::{BooksError, Refusal};
use crate::firearm::Licensee;
use crate::names::{LicenceNumber, PartyName};

/// The scheme under which codes are sealed; it is part of the tweak and never changes for a block.
pub(crate) const SCHEME: &str = "open-1";

/// The list of a copy's files and hashes, in the form that `sha256sum --check` reads.
pub(crate) const MANIFEST: &str = "SHA256SUMS";

pub(crate) const TAKEN_OVER: &str =
    "these books were taken over from another issuer; they answer, and nothing is added";
pub(crate) const RESTORING: &str =
    "these books were not put back whole\nhint: delete the folder and restore the copy again";
pub(crate) const COPY: &str = "this folder is a copy of the books; nothing is written in it, or codes could be issued \
     twice\nhint: put it back with `issuer restore`";
pub(crate) const MOVED_ON: &str = "these books ended here and go on where their last copy was put back\nhint: `issuer backup --and-close` makes \
     that copy again, should it be lost before";
pub(crate) const READ_ONLY: &str = "these books were opened to be read; nothing is written in them";
pub(crate) const HANDED_OVER: &str = "these books were handed over to a successor; they can only be read";

/// A new issuer, for [`crate::Books::create`].
#[derive(Debug, Clone)]
pub struct NewIssuer {
    /// Name as it stands on certificates.
    pub name: PartyName,
    /// Firearms licence; a maker of components may have none.
    pub licence: Option<LicenceNumber>,
    /// First block of 2^20 codes.
    pub prefix: Prefix,
    /// Where the tables live.
    pub database: Database,
}

/// Where the tables live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// In the file `books.sqlite` of the folder.
    Embedded,
    /// On a server; a `postgres://` address.
    Postgres(String),
}

/// What `issuer.toml` says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Issuer {
    pub(crate) name: PartyName,
    pub(crate) licence: LicenceNumber,
    pub(crate) scheme: String,
    /// Name of the log and of the signing key, in C2SP `signed-note` form.
    pub(crate) origin: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) postgres: Option<String>,
    /// Set in the folder of a successor: these books were another's, and no entry is added to them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) taken_over: bool,
    /// Set while a copy is put back: what is left of an attempt that failed cannot be opened.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) restoring: bool,
    /// Set in a copy: the books go on elsewhere, and the copy cannot be opened before it is put back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) copy: bool,
    /// How often the books had moved when they came into this folder; where their tables count more, they are elsewhere by now.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) moves: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

impl Issuer {
    pub(crate) fn licensee(&self) -> Licensee {
        Licensee { licence: self.licence.clone(), name: self.name.clone() }
    }
}

/// The secret files of a folder.
pub(crate) struct Keys {
    /// What only the issuer itself has; a successor that took the books over has neither.
    pub(crate) own: Option<OwnKeys>,
    /// Absent where the books are only read.
    pub(crate) log: Option<SigningKey>,
    pub(crate) log_verifier: VerifierKey,
}

/// The keys with which codes are issued and certificates signed.
pub(crate) struct OwnKeys {
    pub(crate) sealing: [u8; 32],
    pub(crate) signing: SigningKey,
}

impl Keys {
    /// The issuer's own keys.
    ///
    /// # Errors
    /// [`Refusal::Closed`] in books that were taken over.
    pub(crate) fn own(&self) -> Result<&OwnKeys, Refusal> {
        self.own.as_ref().ok_or(Refusal::Closed(self.closed()))
    }

    /// Why the issuer's own keys are not there.
    pub(crate) fn closed(&self) -> &'static str {
        if self.log.is_none() { READ_ONLY } else { TAKEN_OVER }
    }
}

impl OwnKeys {
    /// Tells whether a sealing key is the one a block was opened with, without telling the key.
    pub(crate) fn sealing_check(&self) -> String {
        let hash =
            Sha256::new().chain_update(b"microstamp sealing key check v1\n").chain_update(self.sealing);
        hex::encode(&hash.finalize()[..8])
    }
}

/// Paths inside an issuer's folder.
#[derive(Debug, Clone)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(root: &Path) -> Self {
        Self(root.to_owned())
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.0.clone()
    }

    pub(crate) fn sqlite(&self) -> PathBuf {
        self.0.join("books.sqlite")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    /// Makes the folder, `issuer.toml` and the keys. Refuses a folder that holds an issuer already.
    pub(crate) fn create(&self, new: &NewIssuer) -> Result<(Issuer, Keys), BooksError> {
        let keys = self.0.join("keys");
        make_private(&keys, true)?;
        if self.0.join("issuer.toml").exists() {
            let error = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
            return Err(BooksError::folder("cannot write", self.0.join("issuer.toml"), error));
        }
        shut(&self.0, 0o077)?;
        let issuer = Issuer {
            name: new.name.clone(),
            licence: new.licence.clone().map_or_else(|| format!("ZZ:{}", new.prefix).parse(), Ok)?,
            scheme: SCHEME.to_owned(),
            origin: format!("microstamp/issuer/{}", new.prefix),
            postgres: match &new.database {
                Database::Embedded => None,
                Database::Postgres(url) => Some(url.clone()),
            },
            taken_over: false,
            restoring: false,
            copy: false,
            moves: 0,
        };
        let text = toml::to_string(&issuer).map_err(BooksError::damaged)?;
        self.write_new("issuer.toml", &text)?;
        let keys = new_keys(&issuer.origin)?;
        let own = keys.own()?;
        self.write_new("keys/sealing.key", &format!("{}\n", hex::encode(own.sealing)))?;
        self.write_new("keys/signing.key", &format!("{}\n", own.signing.to_secret_text()))?;
        self.write_new("keys/signing.pub", &format!("{}\n", own.signing.verifier()))?;
        let secret = keys.log.as_ref().map(SigningKey::to_secret_text).unwrap_or_default();
        self.write_new("keys/log.key", &format!("{secret}\n"))?;
        self.write_new("keys/log.pub", &format!("{}\n", keys.log_verifier))?;
        Ok((issuer, keys))
    }

    /// Takes away what was made of an issuer that could not be begun, and the folder, if nothing else is in it.
    pub(crate) fn remove_new(&self) {
        for folder in ["keys", "log"] {
            let _ = fs::remove_dir_all(self.0.join(folder));
        }
        for file in ["issuer.toml", "books.sqlite", "books.sqlite-wal", "books.sqlite-shm"] {
            let _ = fs::remove_file(self.0.join(file));
        }
        let _ = fs::remove_dir(&self.0);
    }

    /// Writes the `issuer.toml` of a copy that is being put back, with where its tables lie from now on.
    pub(crate) fn begin_restoring(
        &self,
        copied: &Path,
        database: &Database,
        moves: i64,
    ) -> Result<(), BooksError> {
        let text =
            fs::read_to_string(copied).map_err(|error| BooksError::folder("cannot read", copied, error))?;
        let mut issuer = parsed(&text)?;
        (issuer.restoring, issuer.copy, issuer.moves) = (true, false, moves);
        issuer.postgres = match database {
            Database::Embedded => None,
            Database::Postgres(url) => Some(url.clone()),
        };
        self.write_issuer(&issuer)
    }

    /// Whether the books of this folder ended in it, of which its tables count so many moves.
    pub(crate) fn ended_after(&self, moves: i64) -> Result<bool, BooksError> {
        Ok(parsed(&self.read("issuer.toml")?)?.moves < moves)
    }

    /// Takes the mark away: from now on the books can be opened.
    pub(crate) fn end_restoring(&self) -> Result<(), BooksError> {
        let mut issuer = parsed(&self.read("issuer.toml")?)?;
        issuer.restoring = false;
        self.write_issuer(&issuer)
    }

    /// Writes the `issuer.toml` of a copy of other books, with its mark.
    pub(crate) fn mark_copy(&self, copied: &Path) -> Result<(), BooksError> {
        let text =
            fs::read_to_string(copied).map_err(|error| BooksError::folder("cannot read", copied, error))?;
        let mut issuer = parsed(&text)?;
        issuer.copy = true;
        self.write_issuer(&issuer)
    }

    /// Whether this is a copy: it bears the mark, or the list of hashes that copies without the mark have.
    pub(crate) fn is_copy(&self, issuer: &Issuer) -> bool {
        issuer.copy || self.0.join(MANIFEST).exists()
    }

    /// Takes from everybody else what should never have been open to them.
    pub(crate) fn shut_out(&self) -> Result<(), BooksError> {
        shut(&self.0, 0o007)?;
        for name in ["issuer.toml", "books.sqlite", "books.sqlite-wal", "books.sqlite-shm"] {
            shut(&self.0.join(name), 0o007)?;
        }
        for name in ["sealing.key", "signing.key", "log.key"] {
            shut(&self.0.join("keys").join(name), 0o077)?;
        }
        Ok(())
    }

    /// Writes `issuer.toml`, whole or not at all.
    fn write_issuer(&self, issuer: &Issuer) -> Result<(), BooksError> {
        let (path, part) = (self.0.join("issuer.toml"), self.0.join("issuer.toml.part"));
        let text = toml::to_string(issuer).map_err(BooksError::damaged)?;
        let _ = fs::remove_file(&part);
        let written = private().open(&part).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        let named = written.and_then(|()| fs::rename(&part, &path));
        named.map_err(|error| BooksError::folder("cannot write", path, error))
    }

    /// Reads `issuer.toml` and the keys.
    pub(crate) fn open(&self) -> Result<(Issuer, Keys), BooksError> {
        let issuer = parsed(&self.read("issuer.toml")?)?;
        if issuer.scheme != SCHEME {
            return Err(BooksError::damaged(format!(
                "issuer.toml names the unknown scheme `{}`",
                issuer.scheme
            )));
        }
        let own = if issuer.taken_over {
            None
        } else {
            let sealing = sealing_key(self.read("keys/sealing.key")?.trim())?;
            Some(OwnKeys { sealing, signing: self.signing_key("keys/signing.key")? })
        };
        let log = self.signing_key("keys/log.key")?;
        let log_verifier = log.verifier().clone();
        Ok((issuer, Keys { own, log: Some(log), log_verifier }))
    }

    /// Reads `issuer.toml` and the log's public key.
    pub(crate) fn open_to_read(&self) -> Result<(Issuer, Keys), BooksError> {
        let issuer = parsed(&self.read("issuer.toml")?)?;
        let text = self.read("keys/log.pub")?;
        let log_verifier =
            text.trim().parse().map_err(|_| BooksError::damaged("keys/log.pub is no public key"))?;
        Ok((issuer, Keys { own: None, log: None, log_verifier }))
    }

    fn signing_key(&self, name: &str) -> Result<SigningKey, BooksError> {
        let text = self.read(name)?;
        text.trim().parse().map_err(|error| BooksError::damaged(format!("{name}: {error}")))
    }

    fn read(&self, name: &str) -> Result<String, BooksError> {
        let path = self.0.join(name);
        fs::read_to_string(&path).map_err(|error| BooksError::folder("cannot read", path, error))
    }

    fn write_new(&self, name: &str, text: &str) -> Result<(), BooksError> {
        let path = self.0.join(name);
        let written = private().open(&path).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|error| BooksError::folder("cannot write", path, error))
    }
}

/// How a new file is opened that nobody else may read.
pub(crate) fn private() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes a folder that nobody else can enter.
pub(crate) fn make_private(path: &Path, with_parents: bool) -> Result<(), BooksError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(with_parents);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| BooksError::folder("cannot make", path, error))
}

/// Takes these rights at a file or folder away, where it is there and grants them.
#[cfg(unix)]
fn shut(path: &Path, rights: u32) -> Result<(), BooksError> {
    use std::os::unix::fs::PermissionsExt as _;
    let Ok(metadata) = fs::metadata(path) else { return Ok(()) };
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & rights == 0 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode & !rights))
        .map_err(|error| BooksError::folder("cannot shut others out of", path, error))
}

#[cfg(not(unix))]
fn shut(_: &Path, _: u32) -> Result<(), BooksError> {
    Ok(())
}

fn parsed(text: &str) -> Result<Issuer, BooksError> {
    toml::from_str(text).map_err(|error| BooksError::damaged(format!("issuer.toml: {}", error.message())))
}

fn new_keys(origin: &str) -> Result<Keys, BooksError> {
    let mut rng = rand::rng();
    let mut sealing = [0; 32];
    rng.fill_bytes(&mut sealing);
    let signing = SigningKey::generate(&format!("{origin}/certificates"), KeyKind::Log, &mut rng);
    let log = SigningKey::generate(origin, KeyKind::Log, &mut rng);
    let own = OwnKeys { sealing, signing: signing.map_err(BooksError::damaged)? };
    let log = log.map_err(BooksError::damaged)?;
    let log_verifier = log.verifier().clone();
    Ok(Keys { own: Some(own), log: Some(log), log_verifier })
}

fn sealing_key(text: &str) -> Result<[u8; 32], BooksError> {
    let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| BooksError::damaged("keys/sealing.key is not 64 hexadecimal digits"))
}

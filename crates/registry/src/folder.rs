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
//! Key files are made with mode 0600 and never written again.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use rand::Rng as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use symbology::Prefix;
use transparency::{KeyKind, SigningKey};

use crate::error::{BooksError, Refusal};
use crate::firearm::Licensee;
use crate::names::{LicenceNumber, PartyName};

/// The scheme under which codes are sealed; it is part of the tweak and never changes for a block.
pub(crate) const SCHEME: &str = "open-1";

pub(crate) const TAKEN_OVER: &str =
    "these books were taken over from another issuer; they answer, and nothing is added";
pub(crate) const RESTORING: &str =
    "these books were not put back whole\nhint: delete the folder and restore the copy again";
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
    pub(crate) log: SigningKey,
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
        self.own.as_ref().ok_or(Refusal::Closed(TAKEN_OVER))
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
        fs::create_dir_all(&keys)
            .map_err(|error| BooksError::folder("cannot make the folder", &keys, error))?;
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
        };
        let text = toml::to_string(&issuer).map_err(BooksError::damaged)?;
        self.write_new("issuer.toml", &text)?;
        let keys = new_keys(&issuer.origin)?;
        let own = keys.own()?;
        self.write_new("keys/sealing.key", &format!("{}\n", hex::encode(own.sealing)))?;
        self.write_new("keys/signing.key", &format!("{}\n", own.signing.to_secret_text()))?;
        self.write_new("keys/signing.pub", &format!("{}\n", own.signing.verifier()))?;
        self.write_new("keys/log.key", &format!("{}\n", keys.log.to_secret_text()))?;
        self.write_new("keys/log.pub", &format!("{}\n", keys.log.verifier()))?;
        Ok((issuer, keys))
    }

    /// Writes the `issuer.toml` of a copy that is being put back, with where its tables lie from now on.
    pub(crate) fn begin_restoring(&self, copied: &Path, database: &Database) -> Result<(), BooksError> {
        let text =
            fs::read_to_string(copied).map_err(|error| BooksError::folder("cannot read", copied, error))?;
        let mut issuer = parsed(&text)?;
        issuer.restoring = true;
        issuer.postgres = match database {
            Database::Embedded => None,
            Database::Postgres(url) => Some(url.clone()),
        };
        self.write_issuer(&issuer)
    }

    /// Takes the mark away: from now on the books can be opened.
    pub(crate) fn end_restoring(&self) -> Result<(), BooksError> {
        let mut issuer = parsed(&self.read("issuer.toml")?)?;
        issuer.restoring = false;
        self.write_issuer(&issuer)
    }

    /// Writes `issuer.toml`, whole or not at all.
    fn write_issuer(&self, issuer: &Issuer) -> Result<(), BooksError> {
        let (path, part) = (self.0.join("issuer.toml"), self.0.join("issuer.toml.part"));
        let text = toml::to_string(issuer).map_err(BooksError::damaged)?;
        let written = fs::File::create(&part).and_then(|mut file| {
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
        Ok((issuer, Keys { own, log: self.signing_key("keys/log.key")? }))
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
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        if path.extension().is_some_and(|extension| extension == "key") {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        let written = options.open(&path).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|error| BooksError::folder("cannot write", path, error))
    }
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
    Ok(Keys { own: Some(own), log: log.map_err(BooksError::damaged)? })
}

fn sealing_key(text: &str) -> Result<[u8; 32], BooksError> {
    let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| BooksError::damaged("keys/sealing.key is not 64 hexadecimal digits"))
}

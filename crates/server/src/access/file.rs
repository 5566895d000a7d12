//! The file of accounts, and its hash, which the log holds too: a file that was put back, or written by somebody else, is
//! not taken.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::account::Account;
use crate::config::{ConfigError, Node, replace};
use crate::ledger::Key;

/// `node/accounts.json`, for the owner's eyes only.
pub(super) struct AccountsFile {
    path: PathBuf,
    /// SHA-256 of what lies there, hexadecimal; `none` where there is no file.
    hash: String,
}

/// What the log says of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Agreement {
    /// It is the file of the newest change.
    Holds,
    /// It is the one before: the last change was entered, and the node ended before it took effect.
    OneBehind,
    /// It is another file.
    Broken,
}

impl AccountsFile {
    pub(super) fn open(node: &Node) -> Result<(Self, Vec<Account>), ConfigError> {
        let path = node.folder.join("accounts.json");
        let (hash, accounts) = match fs::read(&path) {
            Ok(bytes) => {
                let accounts = serde_json::from_slice(&bytes).map_err(|error| ConfigError::Damaged {
                    path: path.clone(),
                    reason: error.to_string(),
                })?;
                (hash_of(&bytes), accounts)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => ("none".to_owned(), Vec::new()),
            Err(source) => return Err(ConfigError::Folder { what: "cannot read", path, source }),
        };
        Ok((Self { path, hash }, accounts))
    }

    /// The file that these accounts make.
    pub(super) fn bytes_of<'a>(
        &self,
        accounts: impl Iterator<Item = &'a Account>,
    ) -> Result<Vec<u8>, ConfigError> {
        let accounts: Vec<&Account> = accounts.collect();
        serde_json::to_vec_pretty(&accounts).map_err(|error| self.damaged(error.to_string()))
    }

    /// An act that says from which file to which it leads.
    pub(super) fn leading_to(&self, bytes: &[u8], mut act: Value) -> Value {
        act["file_before"] = self.hash.clone().into();
        act["file_after"] = hash_of(bytes).into();
        act
    }

    /// Writes it, whole or not at all.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), ConfigError> {
        replace(&self.path, bytes)?;
        self.hash = hash_of(bytes);
        Ok(())
    }

    /// Compares the file with the newest act that changed it.
    pub(super) fn agrees_with(&self, newest: &Value) -> Agreement {
        let is = |name: &str| newest[name].as_str() == Some(self.hash.as_str());
        match (is("file_after"), is("file_before")) {
            (true, _) => Agreement::Holds,
            (false, true) => Agreement::OneBehind,
            _ => Agreement::Broken,
        }
    }

    /// Why it is not taken.
    pub(super) fn damaged(&self, reason: String) -> ConfigError {
        ConfigError::Damaged { path: self.path.clone(), reason }
    }
}

/// The newest act that changed the file is found under this key.
pub(super) fn newest() -> Key {
    Key::of_text("accounts", "newest")
}

fn hash_of(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

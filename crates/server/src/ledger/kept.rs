//! What a role remembers of its records, kept on disk so that a start does not read them all again.

use std::path::Path;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::index::Place;
use crate::config::{ConfigError, replace};

/// A memory and how far into the records it reaches.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Kept<T> {
    /// Every record before this is in the memory, and none behind it.
    pub(crate) through: Place,
    /// The memory.
    pub(crate) memory: T,
}

impl<T: Serialize + DeserializeOwned + Default> Kept<T> {
    /// Reads what was kept. Nothing there, or nothing that can be read, is an empty memory: the records have it all.
    pub(crate) fn load(path: &Path) -> Self {
        std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Keeps it, whole or not at all.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub(crate) fn store(&self, path: &Path) -> Result<(), ConfigError> {
        let bytes = serde_json::to_vec(self)
            .map_err(|error| ConfigError::Damaged { path: path.to_owned(), reason: error.to_string() })?;
        replace(path, &bytes)
    }
}

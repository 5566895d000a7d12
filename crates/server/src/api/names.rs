//! Words that nodes use of each other.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A name that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` cannot name a node\nhint: use 1 to 80 letters, digits, dots, hyphens and slashes, such as issuer.example; each part \
     between slashes begins and ends with a letter or digit"
)]
pub struct NodeNameError(String);

/// Name of a node, unique in its directory; also the beginning of its keys' and its log's names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName(String);

impl NodeName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeName {
    type Err = NodeNameError;

    fn from_str(text: &str) -> Result<Self, NodeNameError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '/' | '_');
        // `..` and the like would name a folder, and a dot at the end would not be seen.
        let letter = |c: char| c.is_ascii_alphanumeric();
        let whole = |part: &str| part.starts_with(letter) && part.ends_with(letter);
        if text.len() > 80 || !text.chars().all(fits) || !text.split('/').all(whole) {
            return Err(NodeNameError(text.chars().take(80).collect()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for NodeName {
    type Error = NodeNameError;

    fn try_from(text: String) -> Result<Self, NodeNameError> {
        text.parse()
    }
}

impl From<NodeName> for String {
    fn from(name: NodeName) -> Self {
        name.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

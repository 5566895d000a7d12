//! Words that nodes use of each other.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use symbology::{Code, CodeError, Scheme};

/// The scheme whose spelling of a code stands on rounds.
static ROUNDS: LazyLock<Scheme> = LazyLock::new(Scheme::round_1);

/// A code as it stands on a mark: in the spelling of firearms (`open-1`), or in that of rounds (`round-1`), whose check characters are
/// others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WrittenCode {
    /// The code.
    pub code: Code,
    /// Whether it is spelled as on rounds.
    pub on_round: bool,
}

impl FromStr for WrittenCode {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<Self, CodeError> {
        let of_firearm = text.parse().map(|code| Self { code, on_round: false });
        of_firearm.or_else(|error| match ROUNDS.code(text) {
            Ok(code) => Ok(Self { code, on_round: true }),
            Err(_) => Err(error),
        })
    }
}

impl TryFrom<String> for WrittenCode {
    type Error = CodeError;

    fn try_from(text: String) -> Result<Self, CodeError> {
        text.parse()
    }
}

impl From<WrittenCode> for String {
    fn from(code: WrittenCode) -> Self {
        code.to_string()
    }
}

impl fmt::Display for WrittenCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.on_round {
            let word: Vec<u8> = self.code.symbols().iter().map(|symbol| symbol.value()).collect();
            return f.write_str(&ROUNDS.text(&word));
        }
        self.code.fmt(f)
    }
}

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

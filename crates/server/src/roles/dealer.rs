//! A dealer answers its own part of a chain: it has keys, and asks and states through a small client.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::api::{DealerStatement, NodeCard, PendingQuery};
use crate::client::{Client, status};
use crate::clock::Clock;
use crate::config::{ConfigError, Node};
use crate::federation::{Sealed, check_answer, content_key, enclose, open_refusal, sign_request};

/// A dealer's keys and client.
pub struct Dealer {
    /// Who it is.
    pub node: Node,
    client: Client,
    clock: Clock,
}

impl Dealer {
    /// Opens a dealer's folder.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn open(data: &Path, clock: Clock) -> Result<Self, ConfigError> {
        let node = Node::open(data)?;
        Ok(Self { client: node.client(Duration::from_secs(10)), node, clock })
    }

    /// What this dealer has to answer at an issuer, schema `microstamp.pending/1`.
    ///
    /// # Errors
    /// The reason in words.
    pub async fn open_questions(&self, issuer: &NodeCard) -> Result<Value, String> {
        let query = PendingQuery { schema: "microstamp.pending-query/1".to_owned() };
        let content = serde_json::to_vec(&query).map_err(|error| error.to_string())?;
        self.send(issuer, "pending", content).await
    }

    /// States what this dealer's book says; the receipt names the entry in the issuer's log.
    ///
    /// # Errors
    /// The reason in words.
    pub async fn state(&self, issuer: &NodeCard, statement: &DealerStatement) -> Result<Value, String> {
        let content = serde_json::to_vec(statement).map_err(|error| error.to_string())?;
        self.send(issuer, "statements", content).await
    }

    async fn send(&self, issuer: &NodeCard, path: &str, content: Vec<u8>) -> Result<Value, String> {
        let target = format!("{}/federation/v1/{path}", issuer.url);
        let key = (&*self.node.card().key_id(), &self.node.signing);
        let words = |error: &dyn std::fmt::Display| error.to_string();
        let request =
            sign_request(&target, &content, key, self.clock.now()).map_err(|error| words(&error))?;
        let (sent, body) = enclose(&request, content, issuer).map_err(|error| words(&error))?;
        let (answer, content) = self.client.send(&sent, body).await.map_err(|error| words(&error))?;
        let key = (&*issuer.key_id(), &issuer.signing);
        check_answer(&answer, &content, &request, key).map_err(|error| words(&error))?;
        if status(&answer) != 200 {
            let content = open_refusal(content, &self.node.opening, &content_key(&request));
            return Err(String::from_utf8_lossy(&content).into_owned());
        }
        let sealed: Sealed = serde_json::from_slice(&content).map_err(|error| words(&error))?;
        let opened =
            sealed.open(&self.node.opening, &content_key(&request)).map_err(|error| words(&error))?;
        serde_json::from_slice(&opened).map_err(|error| words(&error))
    }
}

//! The small HTTP client with which nodes reach each other: one pool of connections, a time limit, a size limit.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Request, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioExecutor;

use crate::federation::{Message, Start};
use crate::tls::{Connector, Speaker, Tls, connector};

/// Largest answer that is read, in bytes.
const LIMIT: usize = 16 << 20;

/// Why another node could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// It cannot be reached, or takes too long.
    #[error("cannot reach {url}: {reason}")]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        reason: String,
    },
    /// The address is no HTTP address.
    #[error("`{0}` is no address that can be asked\nhint: it must begin with http:// or https://")]
    Address(String),
}

/// A client. Cloned, it shares its connections.
#[derive(Debug, Clone)]
pub struct Client {
    inner: hyper_util::client::legacy::Client<Connector, Full<Bytes>>,
    timeout: Duration,
}

impl Client {
    /// A client that waits at most so long for an answer, and asks over plain HTTP only.
    pub fn new(timeout: Duration) -> Self {
        Self::with(None, timeout)
    }

    /// The same for somebody who is no node and knows the key of one server: the SHA-256 of the public key of its certificate,
    /// hexadecimal, as the node's card and the directory say it.
    pub fn pinned(pin: &str, timeout: Duration) -> Self {
        Self::through(Some(Speaker::outsider(pin)), timeout)
    }

    /// The same for a node that has a certificate.
    pub(crate) fn with(tls: Option<Arc<Tls>>, timeout: Duration) -> Self {
        Self::through(tls.map(Speaker::Node), timeout)
    }

    fn through(tls: Option<Speaker>, timeout: Duration) -> Self {
        let inner = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build(connector(tls, timeout));
        Self { inner, timeout }
    }

    /// Gets a file: status and content.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get(&self, url: &str) -> Result<(u16, Vec<u8>), ClientError> {
        let (answer, content) = self.send(&Message::request("GET", url), Vec::new()).await?;
        Ok((status(&answer), content))
    }

    /// Gets a file, unless it is the one of this SHA-256 still: `None`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) async fn get_other_than(
        &self,
        url: &str,
        sha256: &str,
    ) -> Result<Option<(u16, Vec<u8>)>, ClientError> {
        let request = Message::request("GET", url).with("if-none-match", &entity_tag(sha256));
        let (answer, content) = self.send(&request, Vec::new()).await?;
        Ok(Some((status(&answer), content)).filter(|(status, _)| *status != 304))
    }

    /// Sends a message and its content.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn send(&self, message: &Message, content: Vec<u8>) -> Result<(Message, Vec<u8>), ClientError> {
        let Start::Request { method, target } = &message.start else {
            return Err(ClientError::Address("an answer".to_owned()));
        };
        let mut request = Request::builder().method(method.as_str()).uri(target.as_str());
        for (name, value) in &message.fields {
            request = request.header(name, value);
        }
        let request = request.header(header::USER_AGENT, "microstamp").body(Full::new(Bytes::from(content)));
        let request = request.map_err(|_| ClientError::Address(target.clone()))?;
        let unreachable = |reason: String| ClientError::Unreachable { url: target.clone(), reason };
        let exchange = async {
            let answer = self.inner.request(request).await.map_err(|error| unreachable(chain(&error)))?;
            let (parts, body) = answer.into_parts();
            let content = Limited::new(body, LIMIT).collect().await;
            let content = content.map_err(|error| unreachable(error.to_string()))?.to_bytes();
            let mut message = Message::answer(parts.status.as_u16());
            for (name, value) in &parts.headers {
                message = message.with(name.as_str(), value.to_str().unwrap_or_default());
            }
            Ok((message, content.to_vec()))
        };
        let late = |_| unreachable(format!("no answer within {} seconds", self.timeout.as_secs()));
        tokio::time::timeout(self.timeout, exchange).await.map_err(late)?
    }
}

/// The entity tag of a file.
pub(crate) fn entity_tag(sha256: &str) -> String {
    format!("\"{sha256}\"")
}

/// The status of an answer.
pub(crate) fn status(message: &Message) -> u16 {
    match message.start {
        Start::Answer(status) => status,
        Start::Request { .. } => 0,
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

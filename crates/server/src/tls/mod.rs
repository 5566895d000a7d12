//! Mutual TLS between nodes: each has a certificate of its own, and knows the others' by the keys that the signed directory
//! names.
//!
//! Nobody has to be trusted to issue certificates: a peer's certificate is taken when the SHA-256 of its public key stands in
//! the directory (or in this node's own `node.toml`) and the certificate is within its time. Houses that have a certification
//! authority name its file instead.

mod certificate;
mod listener;
mod stream;
mod verifier;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use rustls::client::WantsClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, ServerConfig};
use serde::{Deserialize, Serialize};

pub(crate) use self::certificate::{Certificate, self_signed};
pub(crate) use self::listener::{Peer, TlsListener};
pub(crate) use self::stream::{Connector, connector};
use self::verifier::{FromNodes, OfServer};
use crate::federation::DirectoryContent;

/// What `node.toml` says under `[tls]`. Paths are relative to the folder `node/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The node's certificate, and those above it, in PEM.
    pub certificate: String,
    /// Its private key, in PEM; mode 0600.
    pub key: String,
    /// Peers beside those of the directory, such as the directory itself: SHA-256 of a public key, hexadecimal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<String>,
    /// Certificates of authorities, in PEM, whose certificates are taken too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
}

/// A node's certificate, and the peers that it knows. Cloned with its node, it stays one.
#[derive(Debug)]
pub struct Tls {
    own: Certificate,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: Arc<CryptoProvider>,
    trust: Arc<Trust>,
}

/// Whose certificates are taken.
#[derive(Debug)]
pub(crate) struct Trust {
    /// By `node.toml`, and this node's own.
    fixed: HashSet<String>,
    roots: Option<Arc<RootCertStore>>,
    directory: RwLock<Pins>,
}

#[derive(Debug, Default)]
struct Pins {
    all: HashSet<String>,
    /// By the host and port under which the directory has a node.
    of_authority: HashMap<String, HashSet<String>>,
}

impl Tls {
    /// Reads certificate, key and authorities.
    ///
    /// # Errors
    /// The file and the reason in words.
    pub(crate) fn open(folder: &Path, config: &TlsConfig) -> Result<Self, String> {
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|error| format!("`{}`: {error}", path.display()))
        };
        let chain = certificates(&read(&config.certificate)?)?;
        let first = chain.first().ok_or_else(|| format!("`{}` holds no certificate", config.certificate))?;
        let own = Certificate::parse(first)?;
        let key = PrivateKeyDer::from_pem_slice(&read(&config.key)?)
            .map_err(|error| format!("`{}`: {error}", config.key))?;
        let roots = match &config.authority {
            Some(name) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(&read(name)?)? {
                    roots.add(authority).map_err(|error| format!("`{name}`: {error}"))?;
                }
                Some(Arc::new(roots))
            }
            None => None,
        };
        let fixed =
            config.peers.iter().map(|pin| pin.to_ascii_lowercase()).chain([own.pin.clone()]).collect();
        let trust = Arc::new(Trust { fixed, roots, directory: RwLock::default() });
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        Ok(Self { own, chain, key, provider, trust })
    }

    /// SHA-256 of the public key, hexadecimal: what the directory says of this node.
    pub fn pin(&self) -> &str {
        &self.own.pin
    }

    /// When the certificate ends.
    pub fn expires_at(&self) -> Timestamp {
        self.own.not_after
    }

    /// Takes the peers of a directory in place of those of the one before.
    pub(crate) fn learn(&self, directory: &DirectoryContent) {
        let mut pins = Pins::default();
        let nodes = directory.issuers.iter().map(|card| &card.node);
        let nodes = nodes.chain(directory.agencies.iter().map(|card| &card.node));
        let nodes = nodes.chain(directory.dealers.iter().map(|card| &card.node));
        let nodes = nodes.map(|node| (&node.url, &node.tls));
        for (url, pin) in nodes.chain(directory.witnesses.iter().map(|card| (&card.url, &card.tls))) {
            let Some(pin) = pin else { continue };
            pins.all.insert(pin.clone());
            pins.of_authority.entry(authority(url).to_owned()).or_default().insert(pin.clone());
        }
        *self.trust.directory.write().unwrap_or_else(PoisonError::into_inner) = pins;
    }

    /// How this node's server speaks. A peer without a certificate is let in as the public; one with a certificate that
    /// nobody vouches for is not.
    pub(crate) fn server(&self) -> Result<Arc<ServerConfig>, rustls::Error> {
        let verifier = FromNodes::new(&self.trust, &self.provider)?;
        let config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_single_cert(self.chain.clone(), self.key.clone_key())?;
        Ok(Arc::new(config))
    }

    /// How this node speaks to the server at a host and port.
    pub(crate) fn client(&self, authority: &str) -> Result<Arc<ClientConfig>, rustls::Error> {
        let speaking = speaking(&self.trust, &self.provider, authority)?;
        Ok(Arc::new(speaking.with_client_auth_cert(self.chain.clone(), self.key.clone_key())?))
    }
}

/// Who speaks to a server: a node, or somebody who has no certificate and knows one server's key.
#[derive(Debug, Clone)]
pub(crate) enum Speaker {
    Node(Arc<Tls>),
    Outsider(Arc<Trust>),
}

impl Speaker {
    /// Whoever knows the SHA-256 of one server's public key, hexadecimal.
    pub(crate) fn outsider(pin: &str) -> Self {
        let fixed = HashSet::from([pin.to_ascii_lowercase()]);
        Self::Outsider(Arc::new(Trust { fixed, roots: None, directory: RwLock::default() }))
    }

    fn client(&self, authority: &str) -> Result<Arc<ClientConfig>, rustls::Error> {
        match self {
            Self::Node(tls) => tls.client(authority),
            Self::Outsider(trust) => {
                let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
                Ok(Arc::new(speaking(trust, &provider, authority)?.with_no_client_auth()))
            }
        }
    }
}

/// What every client asks of the server at a host and port.
fn speaking(
    trust: &Arc<Trust>,
    provider: &Arc<CryptoProvider>,
    authority: &str,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, rustls::Error> {
    let verifier = OfServer::new(trust, provider, authority)?;
    let config = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?;
    Ok(config.dangerous().with_custom_certificate_verifier(Arc::new(verifier)))
}

impl Trust {
    fn knows(&self, pin: &str) -> bool {
        let directory = self.directory.read().unwrap_or_else(PoisonError::into_inner);
        self.fixed.contains(pin) || directory.all.contains(pin)
    }

    /// Whether the directory names a key for the server at `authority`.
    fn pins(&self, authority: &str) -> bool {
        let directory = self.directory.read().unwrap_or_else(PoisonError::into_inner);
        directory.of_authority.contains_key(authority)
    }

    /// Whether a server at `authority` may have this key. Where the directory names a key for it, no other will do.
    fn knows_at(&self, authority: &str, pin: &str) -> bool {
        let directory = self.directory.read().unwrap_or_else(PoisonError::into_inner);
        match directory.of_authority.get(authority) {
            Some(pins) => pins.contains(pin),
            None => self.fixed.contains(pin),
        }
    }
}

/// Host and port of an address, in small letters as addresses are written.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or(rest)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|error| error.to_string())
}

//! Which certificates are taken: those whose keys are known and that are within their time, or those of an authority.

use std::sync::Arc;

use jiff::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::{Certificate, Trust};

/// What a server asks of whoever connects.
#[derive(Debug)]
pub(super) struct FromNodes {
    trust: Arc<Trust>,
    algorithms: WebPkiSupportedAlgorithms,
    authority: Option<Arc<dyn ClientCertVerifier>>,
}

/// What a client asks of the server at one address.
#[derive(Debug)]
pub(super) struct OfServer {
    trust: Arc<Trust>,
    algorithms: WebPkiSupportedAlgorithms,
    at: String,
    authority: Option<Arc<WebPkiServerVerifier>>,
}

impl FromNodes {
    pub(super) fn new(trust: &Arc<Trust>, provider: &Arc<CryptoProvider>) -> Result<Self, Error> {
        let authority = trust.roots.as_ref().map(|roots| {
            WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider))
                .build()
                .map_err(|error| Error::General(error.to_string()))
        });
        let algorithms = provider.signature_verification_algorithms;
        Ok(Self { trust: Arc::clone(trust), algorithms, authority: authority.transpose()? })
    }
}

impl OfServer {
    pub(super) fn new(trust: &Arc<Trust>, provider: &Arc<CryptoProvider>, at: &str) -> Result<Self, Error> {
        // At an address for which the directory names a pin no other certificate will do, whoever issued it.
        let roots = trust.roots.as_ref().filter(|_| !trust.pins(at));
        let authority = roots.map(|roots| {
            WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider))
                .build()
                .map_err(|error| Error::General(error.to_string()))
        });
        let (algorithms, at) = (provider.signature_verification_algorithms, at.to_owned());
        Ok(Self { trust: Arc::clone(trust), algorithms, at, authority: authority.transpose()? })
    }
}

/// What both sides answer alike: TLS 1.3 alone, and signatures by the provider's algorithms.
macro_rules! signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            _message: &[u8],
            _certificate: &CertificateDer<'_>,
            _signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Err(Error::General("nodes speak TLS 1.3 only".to_owned()))
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(message, certificate, signature, &self.algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.algorithms.supported_schemes()
        }
    };
}

impl ClientCertVerifier for FromNodes {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match (known(end_entity, |pin| self.trust.knows(pin), now), &self.authority) {
            (Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)), Some(authority)) => {
                authority.verify_client_cert(end_entity, intermediates, now)
            }
            (done, _) => done.map(|()| ClientCertVerified::assertion()),
        }
    }

    signatures!();
}

impl ServerCertVerifier for OfServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match (known(end_entity, |pin| self.trust.knows_at(&self.at, pin), now), &self.authority) {
            (Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)), Some(authority)) => {
                authority.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            (done, _) => done.map(|()| ServerCertVerified::assertion()),
        }
    }

    signatures!();
}

/// A certificate whose key is known, within its time. `UnknownIssuer` when the key is not known.
fn known(der: &CertificateDer<'_>, is_known: impl Fn(&str) -> bool, now: UnixTime) -> Result<(), Error> {
    let certificate =
        Certificate::parse(der).map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
    let now = i64::try_from(now.as_secs()).ok().and_then(|now| Timestamp::from_second(now).ok());
    let now = now.ok_or(Error::FailedToGetCurrentTime)?;
    let wrong = if !is_known(&certificate.pin) {
        CertificateError::UnknownIssuer
    } else if now < certificate.not_before {
        CertificateError::NotValidYet
    } else if now >= certificate.not_after {
        CertificateError::Expired
    } else {
        return Ok(());
    };
    Err(Error::InvalidCertificate(wrong))
}

//! A passkey in software (`WebAuthn` level 3, ES256, no attestation), so that tests sign in as a browser would.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const PRESENT_AND_VERIFIED: u8 = 0x05;
const WITH_CREDENTIAL: u8 = 0x40;

pub(crate) struct Authenticator {
    key: SigningKey,
    id: [u8; 16],
    origin: String,
}

impl Authenticator {
    pub(crate) fn new(seed: u8, origin: &str) -> Self {
        Self {
            key: SigningKey::from_slice(&[seed.max(1); 32]).unwrap(),
            id: [seed; 16],
            origin: origin.to_owned(),
        }
    }

    /// Answers the dialogue in which a passkey is made.
    pub(crate) fn register(&self, options: &Value) -> Value {
        let client = self.client("webauthn.create", &options["publicKey"]["challenge"]);
        let mut data = head(PRESENT_AND_VERIFIED | WITH_CREDENTIAL);
        data.extend([0; 16]);
        data.extend([0, 16]);
        data.extend(self.id);
        let point = self.key.verifying_key().to_sec1_point(false);
        data.extend([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]);
        data.extend(point.x().unwrap().iter());
        data.extend([0x22, 0x58, 0x20]);
        data.extend(point.y().unwrap().iter());
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        object.push(u8::try_from(data.len()).unwrap());
        object.extend(data);
        self.credential(&json!({
            "attestationObject": BASE64URL.encode(object), "clientDataJSON": BASE64URL.encode(client),
        }))
    }

    /// Answers the dialogue in which a passkey signs.
    pub(crate) fn sign(&self, options: &Value) -> Value {
        let client = self.client("webauthn.get", &options["publicKey"]["challenge"]);
        let data = head(PRESENT_AND_VERIFIED);
        let signed = [&data[..], &Sha256::digest(&client)].concat();
        let signature: Signature = self.key.sign(&signed);
        self.credential(&json!({
            "authenticatorData": BASE64URL.encode(data), "clientDataJSON": BASE64URL.encode(client),
            "signature": BASE64URL.encode(signature.to_der()), "userHandle": null,
        }))
    }

    fn client(&self, kind: &str, challenge: &Value) -> Vec<u8> {
        json!({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false})
            .to_string()
            .into_bytes()
    }

    fn credential(&self, response: &Value) -> Value {
        let id = BASE64URL.encode(self.id);
        json!({"id": id, "rawId": id, "type": "public-key", "response": response, "extensions": {}})
    }
}

/// Relying party, flags and counter of authenticator data.
fn head(flags: u8) -> Vec<u8> {
    let mut data = Sha256::digest(b"localhost").to_vec();
    data.push(flags);
    data.extend([0; 4]);
    data
}

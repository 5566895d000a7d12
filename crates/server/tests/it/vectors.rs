//! Vectors of the RFCs.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use server::federation::{Message, SignatureInput, content_digest};

/// RFC 9421, appendix B.1.4 and B.2.6.
const PRIVATE: &str = "n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU";
const PUBLIC: &str = "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs";
const INPUT: &str = "sig-b26=(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\");created=1618884473;keyid=\"test-key-ed25519\"";
const SIGNATURE: &str =
    "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:";

fn request() -> Message {
    Message::request("POST", "https://example.com/foo?param=Value&Pet=dog")
        .with("Date", "Tue, 20 Apr 2021 02:07:55 GMT")
        .with("Content-Type", "application/json")
        .with("Content-Length", "18")
}

fn bytes(text: &str) -> [u8; 32] {
    URL_SAFE_NO_PAD.decode(text).unwrap().try_into().unwrap()
}

#[test]
fn the_signature_of_rfc_9421_b_2_6_is_verified_and_made() {
    let signed = request().with("Signature-Input", INPUT).with("Signature", SIGNATURE);
    let input = SignatureInput::of(&signed, "sig-b26").unwrap();
    let public = ed25519_dalek::VerifyingKey::from_bytes(&bytes(PUBLIC)).unwrap();
    signed.verify("sig-b26", &input, None, &public).unwrap();

    let key = ed25519_dalek::SigningKey::from_bytes(&bytes(PRIVATE));
    let ours = request().sign("sig-b26", &input, None, &key).unwrap();
    assert_eq!(ours.field("signature").as_deref(), Some(SIGNATURE));
    assert_eq!(ours.field("signature-input").as_deref(), Some(INPUT));
}

#[test]
fn the_signature_base_is_that_of_the_rfc() {
    let signed = request().with("Signature-Input", INPUT);
    let input = SignatureInput::of(&signed, "sig-b26").unwrap();
    let expected = "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\"@method\": POST\n\"@path\": /foo\n\
        \"@authority\": example.com\n\"content-type\": application/json\n\"content-length\": 18\n\
        \"@signature-params\": (\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\")\
        ;created=1618884473;keyid=\"test-key-ed25519\"";
    assert_eq!(signed.signature_base(&input, None).unwrap(), expected);
}

#[test]
fn any_change_of_a_covered_part_breaks_the_signature() {
    let public = ed25519_dalek::VerifyingKey::from_bytes(&bytes(PUBLIC)).unwrap();
    let altered = [
        Message::request("GET", "https://example.com/foo"),
        Message::request("POST", "https://example.com/fooo"),
        Message::request("POST", "https://example.org/foo"),
    ];
    for message in altered {
        let message = message
            .with("date", "Tue, 20 Apr 2021 02:07:55 GMT")
            .with("content-type", "application/json")
            .with("content-length", "18")
            .with("signature-input", INPUT)
            .with("signature", SIGNATURE);
        let input = SignatureInput::of(&message, "sig-b26").unwrap();
        assert!(message.verify("sig-b26", &input, None, &public).is_err(), "{:?}", message.start);
    }
}

#[test]
fn fields_that_break_their_format_are_refused() {
    let bad = [
        "trace",
        "trace=(",
        "trace=(\"date\" \"date\");created=1",
        "trace=(\"date\"\"@method\")",
        "trace=(\"date\");created=1;created=2",
        "trace=(\"d\u{e9}\")",
        "trace=(\"a\";created=1",
        "trace=(), trace=()",
        "trace=(1)",
        "Trace=()",
    ];
    for input in bad {
        let message = Message::request("GET", "https://example.com/").with("signature-input", input);
        assert!(SignatureInput::of(&message, "trace").is_err(), "{input}");
    }
}

/// RFC 9530, appendix D.1 (`{"hello": "world"}` and a newline).
#[test]
fn the_digest_of_rfc_9530() {
    assert_eq!(
        content_digest(b"{\"hello\": \"world\"}\n"),
        "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
    );
}

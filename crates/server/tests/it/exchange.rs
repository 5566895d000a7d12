//! An answer is good for one request, one key and one content.

use proptest::prelude::*;
use serde_json::json;
use server::api::{AskedCode, PublicKey, WrittenCode};
use server::federation::{
    Message, OpeningKey, Sealed, Start, check_answer, content_key, sign_answer, sign_request, verify_request,
};

const CONTENT: &[u8] = b"no content";
const TARGET: &str = "http://issuer.example/federation/v1/trace";

struct Exchange {
    request: Message,
    answer: Message,
    content: Vec<u8>,
    key: PublicKey,
    opening: OpeningKey,
}

fn exchange() -> Exchange {
    let [agency, issuer] = [[1; 32], [2; 32]].map(|seed| ed25519_dalek::SigningKey::from_bytes(&seed));
    let (opening, sealing) = OpeningKey::derive(&[3; 32]);
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let request = sign_request(TARGET, b"{}", ("agency.example#1", &agency), now).unwrap();
    let sealed = Sealed::seal(b"found", &sealing, &content_key(&request)).unwrap();
    let content = serde_json::to_vec(&sealed).unwrap();
    let answer = Message::answer(200).with("content-type", "application/json");
    let answer = sign_answer(answer, &content, &request, ("issuer.example#2", &issuer), now).unwrap();
    Exchange { request, answer, content, key: PublicKey::new(issuer.verifying_key()), opening }
}

#[test]
fn codes_are_taken_and_written_as_they_stand_on_the_mark() {
    let unit = symbology::UnitNumber::new(815).unwrap();
    let code = symbology::SealingKey::new(&[1; 32], "maker").seal("K7".parse().unwrap(), unit);
    let word: Vec<u8> = code.symbols().iter().map(|symbol| symbol.value()).collect();
    let (on_firearm, on_round) = (code.to_string(), symbology::Scheme::round_1().text(&word));
    assert_ne!(on_firearm, on_round);
    for (text, round) in [(&on_firearm, false), (&on_round, true)] {
        let asked: AskedCode = serde_json::from_value(json!({"code": text, "posterior": 0.5})).unwrap();
        assert_eq!((asked.code, asked.on_round), (code, round));
        assert_eq!(serde_json::to_value(asked).unwrap()["code"], **text);
    }
    // What fits neither is told as for firearms, and a six-character code as one of those.
    let mut neither = on_firearm.clone();
    neither.replace_range(8..9, if neither.ends_with('0') { "1" } else { "0" });
    let fits = neither.parse::<WrittenCode>();
    assert!(fits.is_err() || fits.is_ok_and(|code| code.on_round));
    let short: WrittenCode = on_firearm.replace(' ', "")[..6].parse().unwrap();
    assert_eq!((short.code, short.on_round), (code, false));
    let more = json!({"code": on_round, "posterior": 0.5, "scheme": "round-1"});
    assert!(serde_json::from_value::<AskedCode>(more).is_err(), "members that are not known are refused");
}

#[test]
fn the_number_of_a_question_is_of_version_7() {
    let mut asked = crate::world::question(&[("K73M XPKA".parse().unwrap(), 0.9999)]);
    let check = |asked: &server::api::Question| {
        server::federation::check_question(&serde_json::to_vec(asked).unwrap())
    };
    assert_eq!(check(&asked).unwrap(), asked);
    // Easy numbers, that anybody could use up before others: none, one, and a random one.
    for id in [
        "00000000-0000-0000-0000-000000000000",
        "00000000-0000-0000-0000-000000000001",
        "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d",
    ] {
        asked.id = id.parse().unwrap();
        assert_eq!(check(&asked).unwrap_err().kind, server::ProblemKind::Malformed, "{id}");
    }
}

#[test]
fn an_answer_fits_its_own_request_only() {
    let (one, other) = (exchange(), exchange());
    let key = ("issuer.example#2", &one.key);
    check_answer(&one.answer, &one.content, &one.request, key).unwrap();
    assert!(check_answer(&one.answer, &one.content, &other.request, key).is_err());
    assert!(check_answer(&one.answer, b"{}", &one.request, key).is_err());
    assert!(check_answer(&one.answer, &one.content, &one.request, ("issuer.example#3", &one.key)).is_err());
    let mut refused = one.answer.clone();
    refused.start = Start::Answer(404);
    assert!(check_answer(&refused, &one.content, &one.request, key).is_err());

    let sealed: Sealed = serde_json::from_slice(&one.content).unwrap();
    assert_eq!(sealed.open(&one.opening, &content_key(&one.request)).unwrap(), b"found");
    assert!(sealed.open(&one.opening, &content_key(&other.request)).is_err(), "bound to another request");
    let (stranger, _) = OpeningKey::derive(&[4; 32]);
    assert!(sealed.open(&stranger, &content_key(&one.request)).is_err(), "sealed to another key");
}

proptest! {
    /// Whatever bytes come, the answer is an error and never a panic.
    #[test]
    fn any_signature_fields_are_taken_without_panic(input in ".{0,200}", signature in ".{0,120}", digest in ".{0,80}") {
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        let message = Message::request("POST", TARGET)
            .with("content-type", "application/json")
            .with("content-digest", &digest)
            .with("signature-input", &input)
            .with("signature", &signature);
        let seen = verify_request(&message, CONTENT, now, |_| None);
        prop_assert!(seen.is_err());
    }

    /// Every single change of a sealed content keeps it shut.
    #[test]
    fn a_changed_sealed_content_does_not_open(at in 0_usize..200, flip in 1_u8..=255) {
        let one = exchange();
        let mut altered = one.content.clone();
        let at = at % altered.len();
        altered[at] ^= flip;
        let opened = serde_json::from_slice::<Sealed>(&altered)
            .ok()
            .and_then(|sealed| sealed.open(&one.opening, &content_key(&one.request)).ok());
        prop_assert_eq!(opened, None);
        prop_assert!(check_answer(&one.answer, &altered, &one.request, ("issuer.example#2", &one.key)).is_err());
    }
}

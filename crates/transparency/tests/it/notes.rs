//! Notes, checkpoints, cosignatures and policies against the specification's own examples and our own abuse.

use transparency::{
    Checkpoint, Hash, KeyKind, Note, NoteError, Policy, PolicyError, SignedCheckpoint, SigningKey,
    VerifierKey,
};

/// Example of C2SP `signed-note`.
const NOTE: &str = "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
const NOTE_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

fn checkpoint() -> (SigningKey, SignedCheckpoint) {
    let key = SigningKey::log("log.example/a", &[1; 32]).unwrap();
    let signed = Checkpoint::new("log.example/a", 5, Hash::leaf(b"root")).sign(&key).unwrap();
    (key, signed)
}

fn witness(name: &str, seed: u8) -> SigningKey {
    SigningKey::witness(name, &[seed; 32]).unwrap()
}

fn ml_dsa(name: &str, seed: u8) -> SigningKey {
    SigningKey::from_seed(name, KeyKind::WitnessMlDsa44, &[seed; 32]).unwrap()
}

#[test]
fn the_example_of_the_specification_verifies() {
    let note = Note::parse(NOTE.as_bytes()).unwrap();
    let key: VerifierKey = NOTE_KEY.parse().unwrap();
    note.verify(&key).unwrap();
    assert_eq!(note.to_string(), NOTE);
    assert_eq!(note.text, "This is an example message.\n");
}

#[test]
fn every_changed_byte_of_a_note_is_refused() {
    let key: VerifierKey = NOTE_KEY.parse().unwrap();
    for place in 0..NOTE.len() {
        for change in [1, 0x20, 0x80] {
            let mut bytes = NOTE.as_bytes().to_vec();
            bytes[place] ^= change;
            let accepted = Note::parse(&bytes).and_then(|note| note.verify(&key));
            assert!(accepted.is_err(), "byte {place} xor {change:#x} passed");
        }
    }
}

#[test]
fn what_is_no_note() {
    let line = NOTE.split("\n\n").nth(1).unwrap();
    for (bytes, reason) in [
        ("", "no empty line"),
        ("text\n", "no empty line"),
        ("text\n\n", "newline"),
        ("text\n\n— name\n", "signature line"),
        ("text\n\n— name AAAA\n", "signature line"),
        ("text\n\n— na+me AAAAAAAA\n", "signature line"),
        ("text\n\n- name AAAAAAAA\n", "signature line"),
        ("te\txt\n\n— name AAAAAAAA\n", "control character"),
        ("text\n\n— name AAAAAAAB\n— name AAAAAAAA", "newline"),
        ("text\n\n— name AAAAAAAB \n", "signature line"),
    ] {
        let error = Note::parse(bytes.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(reason), "{bytes:?} gave {error}");
    }
    let many = format!("text\n\n{}", line.repeat(65));
    assert!(matches!(Note::parse(many.as_bytes()), Err(NoteError::Limit { limit: 64, .. })));
    let sixteen = format!("text\n\n{}", line.repeat(16));
    assert_eq!(Note::parse(sixteen.as_bytes()).unwrap().signatures.len(), 16);
}

#[test]
fn keys_survive_their_text_forms() {
    for kind in [KeyKind::Log, KeyKind::Witness, KeyKind::WitnessMlDsa44] {
        let key = SigningKey::from_seed("example.com/k", kind, &[8; 32]).unwrap();
        let again: SigningKey = key.to_secret_text().parse().unwrap();
        assert_eq!(again.verifier(), key.verifier());
        assert_eq!(key.clone().verifier().to_string().parse::<VerifierKey>().as_ref(), Ok(key.verifier()));
        assert!(!format!("{key:?}").contains(&key.to_secret_text()[30..]), "a secret in Debug");
    }
    for bad in ["", "name", "a+b+c", "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"]
    {
        assert!(bad.parse::<VerifierKey>().is_err(), "{bad}");
    }
    for name in ["", "with space", "plus+plus", "nb\u{a0}sp", "line\nfeed"] {
        assert!(matches!(SigningKey::log(name, &[1; 32]), Err(NoteError::BadName(_))), "{name:?}");
    }
}

#[test]
fn what_is_no_checkpoint() {
    let root = Hash::leaf(b"");
    for text in [
        "origin\n1\n".to_owned(),
        format!("\n1\n{root}\n"),
        format!("origin\n01\n{root}\n"),
        format!("origin\n+1\n{root}\n"),
        format!("origin\n-1\n{root}\n"),
        format!("origin\n18446744073709551616\n{root}\n"),
        format!("origin\n1\n{}\n", &root.to_string()[1..]),
        format!("origin\n1\n{root}"),
        format!("origin\n1\n{root}\n\nextension\n"),
    ] {
        assert!(Checkpoint::parse(&text).is_err(), "{text:?}");
    }
    let extended = Checkpoint::parse(&format!("origin\n0\n{root}\nextension\n")).unwrap();
    assert_eq!(extended.extensions, ["extension"]);
}

#[test]
fn cosignatures_of_both_kinds_verify_and_bind_time_and_tree() {
    let (_, signed) = checkpoint();
    for kind in [KeyKind::Witness, KeyKind::WitnessMlDsa44] {
        let key = SigningKey::from_seed("witness.example/w", kind, &[2; 32]).unwrap();
        let line = signed.cosign(&key, 1_700_000_000).unwrap();
        let with = |line: &transparency::Signature| {
            let mut with = signed.clone();
            with.note.signatures.push(line.clone());
            SignedCheckpoint::parse(with.to_string().as_bytes()).unwrap()
        };
        assert_eq!(with(&line).cosigned_at(key.verifier()), Ok(Some(1_700_000_000)));
        assert_eq!(signed.cosigned_at(key.verifier()), Ok(None));
        for place in [0, 7, 8, 40, line.bytes.len() - 1] {
            let mut bad = line.clone();
            bad.bytes[place] ^= 1;
            assert!(with(&bad).cosigned_at(key.verifier()).is_err(), "{kind:?} byte {place}");
        }
        let mut other = signed.clone();
        other.checkpoint.size += 1;
        other.note.text = other.checkpoint.to_string();
        other.note.signatures.push(line);
        assert!(other.cosigned_at(key.verifier()).is_err());
        assert!(signed.cosign(&key, 0).is_err());
        assert!(signed.cosign(&key, 1 << 63).is_err());
    }
}

#[test]
fn the_ed25519_cosignature_signs_the_message_of_the_specification() {
    use ed25519_dalek::{Signer as _, SigningKey as Raw};
    let (_, signed) = checkpoint();
    let line = signed.cosign(&witness("w.example", 2), 1_679_315_147).unwrap();
    let message = format!("cosignature/v1\ntime 1679315147\nlog.example/a\n5\n{}\n", Hash::leaf(b"root"));
    let expected = Raw::from_bytes(&[2; 32]).sign(message.as_bytes());
    assert_eq!(line.bytes[..8], 1_679_315_147_u64.to_be_bytes());
    assert_eq!(line.bytes[8..], expected.to_bytes());
}

#[test]
fn the_ml_dsa_cosignature_signs_the_message_of_the_specification() {
    use ml_dsa::{MlDsa44, signature::Verifier as _};
    let (_, signed) = checkpoint();
    let key = SigningKey::from_seed("w.example", KeyKind::WitnessMlDsa44, &[2; 32]).unwrap();
    let line = signed.cosign(&key, 7).unwrap();
    assert_eq!(line.bytes.len(), 8 + 2420);
    let mut message = b"subtree/v1\n\0\x09w.example\0\0\0\0\0\0\0\x07\x0dlog.example/a".to_vec();
    message.extend(0_u64.to_be_bytes());
    message.extend(5_u64.to_be_bytes());
    message.extend(Hash::leaf(b"root").as_bytes());
    let public = key.verifier().public_bytes();
    let public = ml_dsa::VerifyingKey::<MlDsa44>::decode(public.as_slice().try_into().unwrap());
    let signature = ml_dsa::Signature::<MlDsa44>::try_from(&line.bytes[8..]).unwrap();
    public.verify(&message, &signature).unwrap();
}

#[test]
fn a_policy_counts_witnesses_by_groups() {
    let (log, signed) = checkpoint();
    let [x1, x2, x3, y1] =
        [("x1", 2), ("x2", 3), ("x3", 4), ("y1", 5)].map(|(name, seed)| witness(name, seed));
    let text = format!(
        "# who must have seen it\nlog {} https://log.example\n\n\twitness X1 {}\nwitness X2 {} https://x2\nwitness X3 {}\ngroup X 2 X1 X2 X3\nwitness Y {}\ngroup both all X Y\nquorum both\n",
        log.verifier(),
        x1.verifier(),
        x2.verifier(),
        x3.verifier(),
        y1.verifier()
    );
    let policy: Policy = text.parse().unwrap();
    let cosigned = |keys: &[&SigningKey]| {
        let mut signed = signed.clone();
        let lines: Vec<_> = keys.iter().map(|key| signed.cosign(key, 9).unwrap()).collect();
        signed.note.signatures.extend(lines);
        signed
    };
    for (keys, accepted) in [
        (vec![], false),
        (vec![&x1, &x2], false),
        (vec![&x1, &y1], false),
        (vec![&x1, &x1, &y1], false),
        (vec![&x1, &x3, &y1], true),
        (vec![&x1, &x2, &x3, &y1], true),
    ] {
        assert_eq!(policy.check(&cosigned(&keys)).is_ok(), accepted, "{keys:?}");
    }
    let stranger = witness("z", 9);
    let with_stranger = cosigned(&[&x1, &x2, &y1, &stranger]);
    assert_eq!(policy.check(&with_stranger).unwrap().witnesses.len(), 3);
    assert!(matches!(policy.check_strictly(&with_stranger), Err(PolicyError::Stray(_))));
    assert!(matches!(policy.check_strictly(&cosigned(&[&x1, &x1, &x2, &y1])), Err(PolicyError::Stray(_))));
    let mut bad = cosigned(&[&x1, &x2, &x3, &y1]);
    bad.note.signatures[3].bytes[20] ^= 1;
    assert!(matches!(policy.check(&bad), Err(PolicyError::Note(NoteError::BadSignature(_)))));
}

#[test]
fn a_witness_with_two_keys_counts_once_and_with_both() {
    let (log, signed) = checkpoint();
    let (a, b, c) = (witness("a.example", 2), ml_dsa("a.example", 3), witness("c.example", 4));
    let lines =
        format!("witness a {}\nwitness a2 {}\nwitness c {}\n", a.verifier(), b.verifier(), c.verifier());
    let lines = format!("log {}\n{lines}", log.verifier());
    let check = |groups: &str, signers: &[(&SigningKey, u64)]| {
        let mut signed = signed.clone();
        for (key, time) in signers {
            let line = signed.cosign(key, *time).unwrap();
            signed.note.signatures.push(line);
        }
        format!("{lines}{groups}").parse::<Policy>().unwrap().check_strictly(&signed)
    };
    let (both, any) = ("group one all a a2\n", "group one any a a2\n");
    let (two, alone) = ("group g 2 one c\nquorum g\n", "group g any one c\nquorum g\n");
    for (one, quorum, signers, met) in [
        (both, two, vec![(&a, 9), (&b, 9), (&c, 9)], true),
        (both, two, vec![(&a, 9), (&c, 9)], false),
        (both, two, vec![(&b, 9), (&c, 9)], false),
        (both, two, vec![(&a, 9), (&b, 9)], false),
        (both, alone, vec![(&a, 9), (&b, 9)], true),
        (both, alone, vec![(&b, 9)], false),
        (any, two, vec![(&b, 9), (&c, 9)], true),
        (any, two, vec![(&a, 9), (&b, 9)], false),
    ] {
        let found = check(&format!("{one}{quorum}"), &signers);
        assert_eq!(found.is_ok(), met, "{one}{quorum}{signers:?}: {found:?}");
    }
    let found = check(&format!("{both}{two}"), &[(&a, 9), (&b, 7), (&c, 8)]).unwrap();
    assert_eq!(found.witnesses, [("a".to_owned(), 7), ("c".to_owned(), 8)]);
    assert_eq!((found.ml_dsa, found.span), (vec!["a".to_owned()], Some((9, 7))));
}

#[test]
fn what_is_no_policy() {
    let log = checkpoint().0.verifier().to_string();
    let w = witness("w.example", 2).verifier().to_string();
    let v = witness("v.example", 3).verifier().to_string();
    let two_keys = format!("witness a {w}\nwitness b {}\nwitness c {v}\n", ml_dsa("w.example", 4).verifier());
    for (text, reason) in [
        (String::new(), "no quorum"),
        (format!("log {log}\n"), "no quorum"),
        ("quorum nobody\n".to_owned(), "not defined"),
        ("quorum none\nquorum none\n".to_owned(), "second quorum"),
        (format!("log {w}\nquorum none\n"), "log's key"),
        (format!("log {log}\nlog {log}\nquorum none\n"), "already"),
        (format!("witness a {log}\nquorum none\n"), "witness's key"),
        (format!("witness a {w}\nwitness b {w}\nquorum none\n"), "already"),
        (format!("witness a {w}\nwitness a {v}\nquorum none\n"), "taken"),
        (format!("witness none {w}\nquorum none\n"), "taken"),
        (format!("witness a {w}\ngroup g 2 a\nquorum g\n"), "between 1"),
        (format!("witness a {w}\ngroup g 0 a\nquorum g\n"), "between 1"),
        (format!("witness a {w}\ngroup g all\nquorum g\n"), "between 1"),
        (format!("witness a {w}\ngroup g some a\nquorum g\n"), "all, any or a number"),
        (format!("witness a {w}\ngroup g any a a\nquorum g\n"), "in a group already"),
        (format!("witness a {w}\ngroup g any a\ngroup h any a g\nquorum h\n"), "in a group already"),
        (format!("group g any a\nwitness a {w}\nquorum g\n"), "not defined above"),
        (format!("{two_keys}group g 2 a b c\nquorum g\n"), "count twice"),
        (format!("{two_keys}group x any a c\ngroup g all x b\nquorum g\n"), "count twice"),
        ("sometimes\nquorum none\n".to_owned(), "expected log"),
        ("quorum none\r\n".to_owned(), "control character"),
    ] {
        let error = text.parse::<Policy>().unwrap_err().to_string();
        assert!(error.contains(reason), "{text:?} gave {error}");
    }
    let alone: Policy = format!("log {log}\nquorum none\n").parse().unwrap();
    alone.check(&checkpoint().1).unwrap();
}

#[test]
fn too_few_liars_move_no_time() {
    let (key, signed) = checkpoint();
    let witnesses = [witness("a.example", 2), witness("b.example", 3), witness("c.example", 4)];
    let mut policy = format!("log {}\n", key.verifier());
    for (name, witness) in ["a", "b", "c"].iter().zip(&witnesses) {
        policy.extend(["witness ", name, " ", &witness.verifier().to_string(), "\n"]);
    }
    let span = |quorum: &str, times: [u64; 3]| {
        let mut signed = signed.clone();
        for (witness, time) in witnesses.iter().zip(times).filter(|(_, time)| *time > 0) {
            let line = signed.cosign(witness, time).unwrap();
            signed.note.signatures.push(line);
        }
        let policy: Policy = format!("{policy}{quorum}\n").parse().unwrap();
        policy.check(&signed).unwrap().span
    };
    let two = "group g 2 a b c\nquorum g";
    for (quorum, times, expected) in [
        (two, [100, 200, 300], Some((200, 200))),
        (two, [100, 300, 0], Some((300, 100))),
        (two, [1, 200, 201], Some((200, 200))),
        (two, [200, 201, 9_000], Some((201, 201))),
        ("group g all a b c\nquorum g", [100, 200, 300], Some((300, 100))),
        ("group g any a b c\nquorum g", [100, 200, 300], Some((100, 300))),
        ("group g all a b\ngroup h any g c\nquorum h", [100, 200, 150], Some((150, 150))),
        ("quorum none", [100, 200, 300], None),
    ] {
        assert_eq!(span(quorum, times), expected, "{quorum} {times:?}");
    }
}

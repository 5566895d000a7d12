//! Changes of marked parts: who signed them, and what does not get into the books.

use jiff::{SignedDuration, Timestamp};
use registry::parts::{Change, PartyKey, PartyKind, SignedChange, Work};
use registry::{Correction, Event, Licensee, Part, TraceOutcome, View};
use symbology::Code;
use transparency::{KeyKind, SigningKey};

use crate::place::{self, Place, bench, dealer, now, on_both, wholesaler};

on_both! {
    signed_changes_are_entered_and_shown
    changes_that_do_not_hold_are_refused
    a_change_holds_once_and_while_its_key_does
    keys_are_registered_once_and_revoked_for_good
    nobody_puts_words_into_another_mouth
}

const PIN: Part = Part::FiringPin;

fn removed(code: Code) -> Work {
    Work::Removed { part: PIN, code }
}

fn later(hours: i64) -> Timestamp {
    now() + SignedDuration::from_hours(hours)
}

async fn signed_changes_are_entered_and_shown(place: Place) {
    let old = place.issue(&place::run("AB0001", 1)).await[0].code;
    let new = place.books.issue_part(PIN, None, &"line 1".parse().unwrap(), now()).await.unwrap();
    place.registered(&dealer()).await;
    place.ship("AB0001").await;
    let work = Work::Replaced { part: PIN, removed: old, fitted: new };
    let signed = place.change("AB0001", work, &dealer(), "2026-01-10").sign(&bench(&dealer())).unwrap();
    // As a file, to the issuer and back.
    let signed = SignedChange::parse(signed.to_string().as_bytes()).unwrap();
    let by = "clerk".parse().unwrap();
    assert_eq!(place.books.enter_change(&signed, &by, now()).await.unwrap(), [3, 4]);
    let place = place.reopened().await;
    let history = place.books.history(&place.key("AB0001")).await.unwrap().unwrap();
    let kinds: Vec<_> = history.entries.iter().map(|entry| entry.event.kind()).collect();
    assert_eq!(kinds, ["manufactured", "disposed", "part-removed", "part-fitted"]);
    for entry in &history.entries[2..] {
        let signer = entry.signed.as_ref().unwrap();
        assert!(signer.key.starts_with("1-23-456-01-9A-33333/bench+"), "{signer:?}");
        assert_eq!(signer.kind, PartyKind::Dealer);
        assert_eq!(place.books.signed_change(signer).await.unwrap(), signed);
    }
    let mut later = crate::outage::question(new);
    later.recovered_on = Some("2026-01-12".parse().unwrap());
    let answer = place.books.trace(&later, now()).await.unwrap();
    let TraceOutcome::ChainEnds(traced) = answer.outcome else { panic!("{:?}", answer.outcome) };
    assert_eq!(traced.firearm.key.serial.as_str(), "AB0001");
    assert!(place.books.reconcile().await.unwrap().agrees());
    let mut table = Vec::new();
    place.books.export(View::Corrected, &by, now(), &mut table).await.unwrap();
    let row = String::from_utf8(table).unwrap().lines().last().unwrap().to_owned();
    assert!(row.contains(&history.entries[3].signed.as_ref().unwrap().statement), "{row}");
}

/// Lets a valid change be altered in its text while its signature stays.
fn altered(signed: &SignedChange) -> SignedChange {
    SignedChange::parse(signed.to_string().replace("AB0001", "AB0002").as_bytes()).unwrap()
}

async fn changes_that_do_not_hold_are_refused(place: Place) {
    let codes = place.issue(&place::run("AB0001", 2)).await;
    let (first, second) = (codes[0].code, codes[1].code);
    place.ship("AB0001").await;
    place.registered(&dealer()).await;
    place.registered(&wholesaler()).await;
    let change = |work| place.change("AB0001", work, &dealer(), "2026-01-10");
    let good = change(removed(first)).sign(&bench(&dealer())).unwrap();
    let by_dealer = |change: Change| change.sign(&bench(&dealer())).unwrap();
    let stranger = SigningKey::log("stranger.example/bench", &[9; 32]).unwrap();
    let twin = SigningKey::log(bench(&dealer()).verifier().name(), &[9; 32]).unwrap();
    let unknown: Code = "K70000".parse().unwrap();
    let cases = [
        ("wrong key", change(removed(first)).sign(&stranger).unwrap(), "no key stranger.example/bench+"),
        (
            "a key of the same name",
            change(removed(first)).sign(&twin).unwrap(),
            "is registered for Corner Guns",
        ),
        (
            "another house's key",
            change(removed(first)).sign(&bench(&wholesaler())).unwrap(),
            "is that of Wholesale One (synthetic), licence 1-23-456-01-9A-22222, and the change is by Corner Guns",
        ),
        ("altered", altered(&good), "does not hold: the statement was altered"),
        ("wrong component", by_dealer(change(removed(second))), "is not in this firearm on 2026-01-10"),
        (
            "wrong part",
            by_dealer(change(Work::Fitted { part: Part::Round, code: first })),
            "was issued for firing-pin and breech-face, not for round",
        ),
        ("no such code", by_dealer(change(removed(unknown))), "was never issued"),
        (
            "no such firearm",
            by_dealer(place.change("ZZ0001", removed(first), &dealer(), "2026-01-10")),
            "ZZ0001 of licence 1-23-456-78-9A-12345 is not in the books",
        ),
        (
            "other books",
            by_dealer(Change { books: "microstamp/issuer/M3".to_owned(), ..change(removed(first)) }),
            "it was signed for the books microstamp/issuer/M3; these are microstamp/issuer/K7",
        ),
        (
            "signed ahead",
            by_dealer(Change { signed_at: later(1), ..change(removed(first)) }),
            "now is 2026-01-15T12:00:00Z",
        ),
        (
            "work after signing",
            by_dealer(place.change("AB0001", removed(first), &dealer(), "2026-01-17")),
            "for work on 2026-01-17",
        ),
        (
            "signed before the key was valid",
            by_dealer(Change {
                signed_at: "2023-12-31T23:59:59Z".parse().unwrap(),
                ..change(removed(first))
            }),
            "is valid from 2024-01-01T00:00:00Z until 2030-01-01T00:00:00Z, not at 2023-12-31T23:59:59Z",
        ),
    ];
    let before = place.books.reconcile().await.unwrap().log_entries;
    for (what, signed, expected) in cases {
        let refused = place.enter(&signed).await.unwrap_err();
        assert!(refused.contains(expected), "{what}: {refused}");
    }
    assert_eq!(place.books.reconcile().await.unwrap().log_entries, before, "nothing was entered");
}

async fn a_change_holds_once_and_while_its_key_does(place: Place) {
    let first = place.issue(&place::run("AB0001", 2)).await[0].code;
    place.ship("AB0001").await;
    place.registered(&dealer()).await;
    let change = |work| place.change("AB0001", work, &dealer(), "2026-01-10");
    let by_dealer = |change: Change| change.sign(&bench(&dealer())).unwrap();
    let good = by_dealer(change(removed(first)));
    let before = place.books.reconcile().await.unwrap().log_entries;
    // Signed in time and entered too late.
    let by = "clerk".parse().unwrap();
    let late = place.books.enter_change(&good, &by, "2030-01-01T00:00:00Z".parse().unwrap()).await;
    let refused = late.unwrap_err().to_string();
    assert!(refused.contains("not at 2030-01-01T00:00:00Z"), "{refused}");
    // It holds once, and then never again, not even after the part came back.
    place.enter(&good).await.unwrap();
    assert!(place.enter(&good).await.unwrap_err().contains("this statement was entered before"));
    let back = change(Work::Fitted { part: PIN, code: first });
    place.enter(&by_dealer(Change { on: "2026-01-11".parse().unwrap(), ..back })).await.unwrap();
    assert!(place.enter(&good).await.unwrap_err().contains("this statement was entered before"));
    // After the key is revoked nothing is taken, however long ago it says that it was signed.
    let reason = "the bench was burgled".parse().unwrap();
    place.books.revoke_key(bench(&dealer()).verifier(), &reason, &by, now()).await.unwrap();
    let again = Change { on: "2026-01-12".parse().unwrap(), signed_at: later(-48), ..change(removed(first)) };
    let refused = place.enter(&by_dealer(again)).await.unwrap_err();
    assert!(refused.contains("was revoked at 2026-01-15T12:00:00Z: the bench was burgled"), "{refused}");
    let found = place.books.reconcile().await.unwrap();
    assert!(found.agrees() && found.log_entries == before + 3, "{found:?}");
}

async fn keys_are_registered_once_and_revoked_for_good(place: Place) {
    let by = "clerk".parse().unwrap();
    let good = PartyKey {
        key: bench(&dealer()).verifier().clone(),
        party: dealer(),
        kind: PartyKind::Gunsmith,
        valid_from: now(),
        valid_until: later(24),
    };
    let reason = "lost with the laptop".parse().unwrap();
    let refused = place.books.revoke_key(&good.key, &reason, &by, now()).await.unwrap_err().to_string();
    assert!(refused.contains("is not registered"), "{refused}");
    place.books.register_key(&good, &by, now()).await.unwrap();
    let renamed = SigningKey::from_seed("other.example/bench", KeyKind::Log, &seed_of(&dealer())).unwrap();
    let witness = SigningKey::witness("corner-guns.example", &[3; 32]).unwrap();
    let fresh = SigningKey::log("fresh.example", &[4; 32]).unwrap();
    let own = std::fs::read_to_string(place.folder.path().join("keys/log.pub")).unwrap();
    let key = |key: &SigningKey| PartyKey { key: key.verifier().clone(), ..good.clone() };
    let cases = [
        (good.clone(), "is registered already, for Corner Guns"),
        (key(&renamed), "is registered already, for Corner Guns"),
        (key(&witness), "signs cosignatures"),
        (PartyKey { valid_until: now(), ..key(&fresh) }, "is no time in which a key can sign"),
        (PartyKey { valid_from: later(30), ..key(&fresh) }, "is no time in which a key can sign"),
        (PartyKey { key: own.trim().parse().unwrap(), ..good.clone() }, "a key of this issuer"),
    ];
    for (new, expected) in cases {
        let refused = place.books.register_key(&new, &by, now()).await.unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
    place.books.revoke_key(&good.key, &reason, &by, now()).await.unwrap();
    let refused = place.books.revoke_key(&good.key, &reason, &by, now()).await.unwrap_err().to_string();
    assert!(refused.contains("was revoked at"), "{refused}");
    let refused = place.books.register_key(&good, &by, now()).await.unwrap_err().to_string();
    assert!(refused.contains("a house makes a new key"), "{refused}");
    let place = place.reopened().await;
    let keys = place.books.party_keys().await.unwrap();
    assert_eq!((keys.len(), &keys[0].key, &keys[0].revoked), (1, &good, &Some((now(), reason))));
    assert!(place.books.reconcile().await.unwrap().agrees());
}

fn seed_of(party: &Licensee) -> [u8; 32] {
    let mut seed = [0; 32];
    seed[..20].copy_from_slice(party.licence.as_str().as_bytes());
    seed
}

async fn nobody_puts_words_into_another_mouth(place: Place) {
    let codes = place.issue(&place::run("AB0001", 1)).await;
    let code = codes[0].code;
    let by = "clerk".parse().unwrap();
    let forged = Event::PartRemoved { by: dealer(), part: PIN, code };
    let entry = place.entry("AB0001", forged.clone(), "2026-01-10");
    let must_sign =
        "made this change of parts, so Corner Guns (synthetic), licence 1-23-456-01-9A-33333 must sign it";
    let refused = place.books.record(&entry, &by, now()).await.unwrap_err().to_string();
    assert!(refused.contains(must_sign), "{refused}");
    let refused = place.books.record_all(&[entry], &by, now()).await.unwrap_err().to_string();
    assert!(refused.contains(must_sign), "{refused}");
    let table = format!(
        "model,serial,event,on,holder_licence,holder_name,part,code\n{},AB0001,part-removed,2026-01-10,{},{},firing-pin,{code}\n",
        place::MODEL,
        dealer().licence,
        dealer().name
    );
    let (options, mut rows) = (registry::ImportOptions { dry_run: true, ..Default::default() }, Vec::new());
    let table = std::io::Cursor::new(table);
    place.books.import(table, &options, (&by, now()), |row| rows.push(row.reason)).await.unwrap();
    assert!(rows.len() == 1 && rows[0].contains(must_sign), "{rows:?}");
    // The issuer's own change is signed with the key of its certificates.
    let own = Event::PartRemoved { by: place.books.issuer(), part: PIN, code };
    let number = place.record("AB0001", own, "2026-01-10").await.unwrap();
    let signed = async |number: u64| {
        let history = place.books.history(&place.key("AB0001")).await.unwrap().unwrap();
        history.entries.into_iter().find(|entry| entry.number == number).unwrap().signed
    };
    let signer = signed(number).await.unwrap();
    let public = std::fs::read_to_string(place.folder.path().join("keys/signing.pub")).unwrap();
    assert!(public.starts_with(&signer.key) && signer.kind == PartyKind::Maker, "{signer:?}");
    let text = place.books.signed_change(&signer).await.unwrap().to_string();
    let note = transparency::Note::parse(text.as_bytes()).unwrap();
    note.verify(&public.trim().parse().unwrap()).unwrap();
    // A correction cannot say what somebody else did; it can say that nothing was done.
    let correction = Correction {
        firearm: place.key("AB0001"),
        entry: number,
        becomes: Some((forged, "2026-01-10".parse().unwrap())),
        description: None,
        reason: "it was the dealer".parse().unwrap(),
    };
    let refused = place.books.correct(&correction, &by, now()).await.unwrap_err().to_string();
    assert!(refused.contains(must_sign), "{refused}");
    let void = Correction { becomes: None, ..correction };
    let number = place.books.correct(&void, &by, now()).await.unwrap();
    assert_eq!(signed(number).await, None);
    assert!(place.books.reconcile().await.unwrap().agrees());
}

#[tokio::test]
async fn every_byte_of_a_signed_change_counts() {
    let place = Place::sqlite().await.unwrap();
    let code = place.issue(&place::run("AB0001", 1)).await[0].code;
    place.registered(&dealer()).await;
    place.ship("AB0001").await;
    let change = place.change("AB0001", removed(code), &dealer(), "2026-01-10");
    let bytes = change.sign(&bench(&dealer())).unwrap().to_string().into_bytes();
    let mut read = 0;
    for at in 0..bytes.len() {
        for bit in [0, 5] {
            let mut wrong = bytes.clone();
            wrong[at] ^= 1 << bit;
            let Ok(signed) = SignedChange::parse(&wrong) else { continue };
            read += 1;
            let refused = place.enter(&signed).await.expect_err("a byte was changed");
            let named = ["altered", "no key", "for the books", "is that of"]
                .iter()
                .any(|reason| refused.contains(reason));
            assert!(named, "byte {at}: {refused}");
        }
    }
    assert!(read > 50, "{read} changed statements came as far as the check of the signature");
    place.enter(&SignedChange::parse(&bytes).unwrap()).await.unwrap();
}

#[tokio::test]
async fn what_was_done_to_keys_and_statements_behind_the_log_shows() {
    let place = Place::sqlite().await.unwrap();
    let code = place.issue(&place::run("AB0001", 1)).await[0].code;
    place.ship("AB0001").await;
    let gone = Event::PartRemoved { by: dealer(), part: PIN, code };
    place.record("AB0001", gone, "2026-01-10").await.unwrap();
    assert!(place.books.reconcile().await.unwrap().agrees());
    let file = place.folder.path().join("books.sqlite");
    let pool = sqlx::SqlitePool::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    let stranger = SigningKey::log("stranger.example", &[9; 32]).unwrap();
    let key = stranger.verifier().to_string();
    let cases = [
        (
            format!("INSERT INTO party_key SELECT '{key}', party, kind, 0, valid_until, 0 FROM party_key"),
            format!("DELETE FROM party_key WHERE verifier = '{key}'"),
            "is not registered as it was recorded",
        ),
        (
            "UPDATE party_key SET valid_until = valid_until + 1".to_owned(),
            "UPDATE party_key SET valid_until = valid_until - 1".to_owned(),
            "is not registered as it was recorded",
        ),
        (
            "UPDATE statement SET note = replace(note, 'AB0001', 'AB0009')".to_owned(),
            "UPDATE statement SET note = replace(note, 'AB0009', 'AB0001')".to_owned(),
            "is not in the book as it was signed",
        ),
        (
            "UPDATE entry SET happened_on = happened_on - 1 WHERE kind = 'part-removed'".to_owned(),
            "UPDATE entry SET happened_on = happened_on + 1 WHERE kind = 'part-removed'".to_owned(),
            "is not in the book as it was signed",
        ),
    ];
    for (wrong, right, expected) in cases {
        sqlx::query(sqlx::AssertSqlSafe(wrong.clone())).execute(&pool).await.unwrap();
        let found = place.books.reconcile().await.unwrap();
        let named = found.faults.iter().any(|fault| fault.contains(expected));
        assert!(!found.agrees() && named, "{wrong}: {:?}", found.faults);
        sqlx::query(sqlx::AssertSqlSafe(right)).execute(&pool).await.unwrap();
        assert!(place.books.reconcile().await.unwrap().agrees(), "{wrong} was undone");
    }
}

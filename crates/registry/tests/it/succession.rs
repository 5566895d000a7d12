//! The books of an issuer that closes, and the successor that opens them.

use std::path::{Path, PathBuf};

use registry::{
    Books, BooksError, ChainEnd, Database, Event, OwnWord, Recipient, Says, Stated, SuccessionManifest,
    SuccessorIdentity, TraceOutcome, take_over,
};
use transparency::VerifierKey;

use crate::place::{self, Place, dealer, now};

/// Books with a pistol sold at retail, handed over to a successor.
struct HandedOver {
    place: Place,
    successor: SuccessorIdentity,
    file: PathBuf,
    code: symbology::Code,
}

async fn handed_over() -> HandedOver {
    let place = Place::sqlite().await.unwrap();
    let code = place.issue(&place::run("AB0001", 3)).await[0].code;
    place.ship_and_sell("AB0001").await;
    place.ship("AB0003").await;
    let (successor, file) = (SuccessorIdentity::generate(), place.folder.path().join("k7.succession"));
    let done =
        place.books.hand_over(&successor.key(), &file, &"owner".parse().unwrap(), now()).await.unwrap();
    assert_eq!((done.manifest.firearms, done.manifest.codes, done.manifest.entries), (3, 3, 7));
    assert_eq!(done.log_entry, done.manifest.log_entries, "the next entry vouches for it");
    HandedOver { place, successor, file, code }
}

impl HandedOver {
    fn log_key(&self) -> VerifierKey {
        let text = std::fs::read_to_string(self.place.folder.path().join("keys/log.pub")).unwrap();
        text.trim().parse().unwrap()
    }

    fn target(&self) -> PathBuf {
        self.place.folder.path().join("taken")
    }

    async fn take(&self) -> Result<SuccessionManifest, BooksError> {
        take_over(&self.file, &self.successor, Some(&self.log_key()), &self.target(), now()).await
    }

    /// Takes over and expects a refusal that says this, and nothing left behind.
    async fn refused(&self, expected: &str) {
        let error = self.take().await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!self.target().exists() && !beside(&self.target(), "part").exists(), "{expected}");
    }
}

fn beside(file: &Path, more: &str) -> PathBuf {
    PathBuf::from(format!("{}.{more}", file.display()))
}

#[tokio::test]
async fn a_successor_answers_for_the_closed_issuer() {
    let old = handed_over().await;
    let manifest = old.take().await.unwrap();
    assert_eq!(manifest.prefixes, ["K7".parse().unwrap()]);
    let books = Books::open(&old.target(), now()).await.unwrap();
    assert!(books.reconcile().await.unwrap().agrees());
    let question = crate::behaviour::question(&[(old.code, 0.9999)]);
    let answer = books.trace(&question, now()).await.unwrap();
    let TraceOutcome::Found(traced) = answer.outcome else { panic!("{answer:?}") };
    assert_eq!(traced.firearm.key.serial.as_str(), "AB0001");
    assert!(
        answer.log.starts_with("microstamp/issuer/K7/"),
        "the log goes on under another name: {}",
        answer.log
    );
    assert!(books.reconcile().await.unwrap().agrees());
    assert!(
        !old.target().join("keys/sealing.key").exists() && !old.target().join("keys/signing.key").exists()
    );
}

#[tokio::test]
async fn two_heirs_write_in_two_logs() {
    let old = handed_over().await;
    old.take().await.unwrap();
    let second = beside(&old.target(), "again");
    take_over(&old.file, &old.successor, Some(&old.log_key()), &second, now()).await.unwrap();
    let ends = [old.target(), second].map(|folder| {
        let note = std::fs::read_to_string(folder.join("keys/log.ended")).unwrap();
        let own = std::fs::read_to_string(folder.join("keys/log.pub")).unwrap();
        let end = transparency::LogEnd::parse(&note).unwrap();
        assert_eq!(end.new.to_string(), own.trim());
        end
    });
    let [one, other] = &ends;
    assert_eq!((&one.old, &other.old), (&old.log_key(), &old.log_key()));
    assert_eq!((one.size, one.root), (other.size, other.root), "both go on from the same entries");
    assert_ne!(one.new.name(), other.new.name());
}

#[tokio::test]
async fn taken_over_books_that_are_put_back_write_in_a_log_of_their_own() {
    let old = handed_over().await;
    old.take().await.unwrap();
    let by = "heir".parse().unwrap();
    let question = crate::behaviour::question(&[(old.code, 0.9999)]);
    let taken = Books::open(&old.target(), now()).await.unwrap();
    let copy = beside(&old.target(), "copy");
    taken.backup(&copy, &by, now()).await.unwrap();
    let mut logs = vec![taken.trace(&question, now()).await.unwrap().log];
    for name in ["one", "other"] {
        let target = beside(&old.target(), name);
        let options = registry::Restore { database: &Database::Embedded, latest: false, by: &by };
        registry::restore(&copy, &target, &options, now()).await.unwrap();
        let books = Books::open(&target, now()).await.unwrap();
        logs.push(books.trace(&question, now()).await.unwrap().log);
        let checked = books.reconcile().await.unwrap();
        assert!(checked.agrees(), "{checked:?}");
        let refused = books
            .open_block("K8".parse().unwrap(), &"clerk example".parse().unwrap(), now())
            .await
            .unwrap_err()
            .to_string();
        assert!(refused.contains("taken over from another"), "they stay closed: {refused}");
        assert_eq!(books.blocks().await.unwrap(), taken.blocks().await.unwrap());
    }
    logs.sort();
    logs.dedup();
    assert_eq!(logs.len(), 3, "no two of them write in one log");
    // With the copy that closed them they go on as they were.
    let (copy, target) = (beside(&old.target(), "last"), beside(&old.target(), "latest"));
    taken.move_out(&copy, &by, now()).await.unwrap();
    assert!(taken.trace(&question, now()).await.is_err(), "they answer in one place");
    let options = registry::Restore { database: &Database::Embedded, latest: true, by: &by };
    registry::restore(&copy, &target, &options, now()).await.unwrap();
    let books = Books::open(&target, now()).await.unwrap();
    assert!(logs.contains(&books.trace(&question, now()).await.unwrap().log));
}

#[tokio::test]
async fn the_heir_of_a_bundle_that_was_made_again_answers() {
    let mut old = handed_over().await;
    std::fs::remove_file(&old.file).unwrap();
    old.file = beside(&old.file, "again");
    let by = "owner".parse().unwrap();
    old.place.books.hand_over(&old.successor.key(), &old.file, &by, now()).await.unwrap();
    old.take().await.unwrap();
    let books = Books::open(&old.target(), now()).await.unwrap();
    let question = crate::behaviour::question(&[(old.code, 0.9999)]);
    let answer = books.trace(&question, now()).await.unwrap();
    assert!(matches!(answer.outcome, TraceOutcome::Found(_)), "{answer:?}");
    assert!(books.reconcile().await.unwrap().agrees());
}

#[tokio::test]
async fn nothing_is_added_on_either_side() {
    let old = handed_over().await;
    old.take().await.unwrap();
    let taken = Books::open(&old.target(), now()).await.unwrap();
    let reopened = old.place.reopened().await;
    let by = "clerk".parse().unwrap();
    let ship = Event::Disposed { holder: taken.issuer(), to: Recipient::Licensee(dealer()) };
    let entry = reopened.entry("AB0002", ship, "2024-02-01");
    for (books, says) in
        [(&taken, "taken over from another"), (&reopened.books, "handed over to a successor")]
    {
        let key = reopened.key("AB0002");
        let refusals = [
            books.record(&entry, &by, now()).await.map(drop),
            books.issue(&place::run("ZZ0001", 1), &by, now(), |_| ()).await.map(drop),
            books.open_block("K8".parse().unwrap(), &"clerk example".parse().unwrap(), now()).await,
            books
                .close_licensee(
                    &dealer().licence,
                    ("2025-01-01".parse().unwrap(), "archive"),
                    &"clerk example".parse().unwrap(),
                    now(),
                )
                .await,
            books.certificate(&key, &by, now()).await.map(drop),
        ];
        for refused in refusals {
            let error = refused.unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        assert!(books.history(&key).await.unwrap().is_some(), "reading stays");
    }
    let question = crate::behaviour::question(&[(old.code, 0.9999)]);
    let error = reopened.books.trace(&question, now()).await.unwrap_err().to_string();
    assert!(error.contains("handed over"), "two houses must not write in one log: {error}");
}

#[tokio::test]
async fn taken_over_books_take_what_a_dealer_states_itself() {
    let old = handed_over().await;
    old.take().await.unwrap();
    let taken = Books::open(&old.target(), now()).await.unwrap();
    let says = Says::Happened(place::sold(), "2024-06-01".parse().unwrap());
    let stated = Stated { key: "dealer.example".to_owned(), sha256: "a".repeat(64) };
    let firearm = old.place.key("AB0003");
    let word = OwnWord { firearm, dealer: dealer(), says, by: "clerk 7".parse().unwrap(), stated };
    assert!(taken.state(&word, now()).await.unwrap().is_some());
    let chain = taken.possession(&word.firearm).await.unwrap();
    assert!(matches!(chain.end, ChainEnd::RetailSale(sale) if sale.dealer.is(&dealer())));
    assert!(taken.reconcile().await.unwrap().agrees());
    let error = old.place.books.state(&word, now()).await.unwrap_err().to_string();
    assert!(error.contains("handed over to a successor"), "{error}");
}

#[tokio::test]
async fn another_key_does_not_open_it() {
    let old = handed_over().await;
    let other = SuccessorIdentity::generate();
    let taken = take_over(&old.file, &other, Some(&old.log_key()), &old.target(), now()).await;
    let error = taken.unwrap_err().to_string();
    assert!(error.contains("it is sealed to another"), "{error}");
    assert!(!error.contains("AGE-SECRET"), "{error}");
}

#[tokio::test]
async fn every_flipped_byte_is_caught() {
    let old = handed_over().await;
    let bytes = std::fs::read(&old.file).unwrap();
    for at in [0, 30, 200, bytes.len() / 2, bytes.len() - 1] {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        std::fs::write(&old.file, &altered).unwrap();
        old.refused("it was altered").await;
    }
    std::fs::write(&old.file, [bytes.as_slice(), b"x"].concat()).unwrap();
    old.refused("it was altered").await;
    std::fs::write(&old.file, &bytes).unwrap();
    let proof = std::fs::read(beside(&old.file, "proof")).unwrap();
    for at in (0..proof.len()).step_by(13) {
        let mut altered = proof.clone();
        altered[at] ^= 1;
        std::fs::write(beside(&old.file, "proof"), &altered).unwrap();
        old.refused("the bundle cannot be taken over").await;
    }
    std::fs::write(beside(&old.file, "proof"), &proof).unwrap();
    old.take().await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_cut_off_is_said_to_be() {
    let old = handed_over().await;
    let bytes = std::fs::read(&old.file).unwrap();
    for length in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&old.file, &bytes[..length]).unwrap();
        old.refused(&format!("the file is cut off: {length} of {} bytes", bytes.len())).await;
    }
    std::fs::remove_file(beside(&old.file, "proof")).unwrap();
    std::fs::write(&old.file, &bytes).unwrap();
    old.refused("cannot read").await;
}

#[tokio::test]
async fn another_issuers_bundle_is_named() {
    let (old, other) = (handed_over().await, handed_over().await);
    let taken = take_over(&old.file, &old.successor, Some(&other.log_key()), &old.target(), now()).await;
    assert!(taken.unwrap_err().to_string().contains("it is of another issuer"));
    // The file of one with the proof of the other.
    std::fs::copy(&other.file, &old.file).unwrap();
    assert!(old.take().await.unwrap_err().to_string().contains("the bundle cannot be taken over"));
}

#[tokio::test]
async fn a_full_or_shut_place_closes_nothing() {
    let place = Place::sqlite().await.unwrap();
    place.issue(&place::run("AB0001", 1)).await;
    let by = "owner".parse().unwrap();
    let to = SuccessorIdentity::generate().key();
    let nowhere = place.folder.path().join("no/such/folder/file");
    assert!(place.books.hand_over(&to, &nowhere, &by, now()).await.is_err());
    place.issue(&place::run("AB0002", 1)).await;
    let file = place.folder.path().join("bundle");
    place.books.hand_over(&to, &file, &by, now()).await.unwrap();
    let again = place.books.hand_over(&to, &file, &by, now()).await.unwrap_err().to_string();
    assert!(again.contains("exists"), "{again}");
    // A file that was lost is made again, for the same heir and no other.
    let second = place.folder.path().join("second");
    let other = SuccessorIdentity::generate().key();
    let refused = place.books.hand_over(&other, &second, &by, now()).await.unwrap_err().to_string();
    assert!(refused.contains("handed over to another key") && !second.exists(), "{refused}");
    place.books.hand_over(&to, &second, &by, now()).await.unwrap();
}

#[tokio::test]
async fn books_on_a_server_are_copied_put_back_and_handed_over() {
    let Some(place) = Place::postgres().await else { return };
    let code = place.issue(&place::run("AB0001", 3)).await[0].code;
    place.ship_and_sell("AB0001").await;
    let folder = place.folder.path();
    let by = "operator".parse().unwrap();
    let copy = folder.join("copy");
    place.books.backup(&copy, &by, now()).await.unwrap();
    let Some(empty) = place.another_database() else { panic!("there was a server a moment ago") };
    let targets = [("here", Database::Embedded), ("there", Database::Postgres(empty))];
    let question = crate::behaviour::question(&[(code, 0.9999)]);
    for (name, database) in targets {
        let target = folder.join(name);
        let options = registry::Restore { database: &database, latest: false, by: &by };
        registry::restore(&copy, &target, &options, now()).await.unwrap();
        let books = Books::open(&target, now()).await.unwrap();
        assert!(books.reconcile().await.unwrap().agrees(), "{name}");
        assert!(
            matches!(books.trace(&question, now()).await.unwrap().outcome, TraceOutcome::Found(_)),
            "{name}"
        );
        books.close().await;
    }
    let (successor, file) = (SuccessorIdentity::generate(), folder.join("bundle"));
    place.books.hand_over(&successor.key(), &file, &by, now()).await.unwrap();
    let manifest = take_over(&file, &successor, None, &folder.join("taken"), now()).await.unwrap();
    assert_eq!((manifest.firearms, manifest.codes, manifest.entries), (3, 3, 6));
}

/// Whoever has had the books open since before the hand-over is told so as well, and what is entered meanwhile is in the bundle.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_entered_beside_a_hand_over() {
    let place = Place::sqlite().await.unwrap();
    place.issue(&place::run("AB0001", 3)).await;
    place.books.let_go().await;
    let (root, by) = (place.folder.path().to_owned(), "owner".parse().unwrap());
    let other = Books::open(&root, now()).await.unwrap();
    let (successor, file) = (SuccessorIdentity::generate(), root.join("k7.succession"));
    // While somebody writes nothing is handed over, for the bundle would lack what is written.
    place.record("AB0001", place::sold(), "2024-04-01").await.unwrap();
    let refused = other.hand_over(&successor.key(), &file, &by, now()).await.unwrap_err().to_string();
    assert!(refused.contains("the log did not take the entry") && !file.exists(), "{refused}");
    place.books.let_go().await;
    let done = other.hand_over(&successor.key(), &file, &by, now()).await.unwrap();
    assert_eq!(done.manifest.entries, 4);
    other.close().await;
    let refused = place.record("AB0002", place::sold(), "2024-04-01").await.unwrap_err();
    assert!(refused.contains("handed over"), "{refused}");
    assert!(place.books.issue_part(registry::Part::FiringPin, None, &by, now()).await.is_err());
    assert!(place.books.is_closed() && place.books.reconcile().await.unwrap().agrees());
}

/// Whoever opens the closed books again in the tables and goes on is named, with the first act.
#[tokio::test]
async fn acts_after_a_hand_over_are_named() {
    let HandedOver { place, .. } = handed_over().await;
    assert!(place.books.reconcile().await.unwrap().agrees());
    let Place { books, folder, .. } = place;
    books.close().await;
    let file = folder.path().join("books.sqlite");
    let pool = sqlx::SqlitePool::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    sqlx::query("UPDATE counter SET next = 0 WHERE name = 'hand-over'").execute(&pool).await.unwrap();
    pool.close().await;
    let books = Books::open(folder.path(), now()).await.unwrap();
    let by = "owner".parse().unwrap();
    books.issue(&place::run("AC0001", 1), &by, now(), |_| ()).await.unwrap();
    let found = books.reconcile().await.unwrap();
    let expected = "was entered after these books were handed over";
    assert!(!found.agrees() && found.faults.iter().any(|fault| fault.contains(expected)), "{found:?}");
}

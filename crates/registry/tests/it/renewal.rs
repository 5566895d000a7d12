//! Logs that end and go on as others: every note on it is kept, and the books are held against them.

use std::path::{Path, PathBuf};

use registry::{Books, Database, Restore, SuccessorIdentity, restore, take_over};
use transparency::{LogEnd, Policy, VerifierKey};

use crate::place::{self, Place, now};

/// Puts a copy of the books in a folder back beside it, and copies what came out.
async fn put_back(copy: &Path, to: &Path) -> PathBuf {
    let by = "operator".parse().unwrap();
    let options = Restore { database: &Database::Embedded, latest: false, by: &by };
    restore(copy, to, &options, now()).await.unwrap();
    let books = Books::open(to, now()).await.unwrap();
    let next = to.with_extension("copy");
    books.backup(&next, &by, now()).await.unwrap();
    books.close().await;
    next
}

fn log_key(folder: &Path) -> VerifierKey {
    let text = std::fs::read_to_string(folder.join("keys/log.pub")).unwrap();
    text.trim().parse().unwrap()
}

/// What a file holds, if it is there.
type Kept<'a> = Option<&'a [u8]>;

/// The notes of a folder, the oldest first.
fn endings(folder: &Path, names: &[&str]) -> Vec<LogEnd> {
    let read = |name: &&str| std::fs::read_to_string(folder.join("keys").join(name)).unwrap();
    names.iter().map(|name| LogEnd::parse(&read(name)).unwrap()).collect()
}

async fn faults(folder: &Path) -> Vec<String> {
    Books::open_to_read(folder).await.unwrap().reconcile().await.unwrap().faults
}

#[tokio::test]
async fn every_ending_is_kept() {
    let place = Place::sqlite().await.unwrap();
    place.issue(&place::run("AB0001", 2)).await;
    let (by, root) = ("operator".parse().unwrap(), place.folder.path());
    let certificate = place.books.certificate(&place.key("AB0001"), &by, now()).await.unwrap();
    let first = log_key(root);
    let mut copy = root.join("copy");
    place.books.backup(&copy, &by, now()).await.unwrap();
    for name in ["r1", "r2", "r3"] {
        copy = Box::pin(put_back(&copy, &root.join(name))).await;
    }
    let last = root.join("r3");
    let chain = endings(&last, &["log.ended.1", "log.ended.2", "log.ended"]);
    assert_eq!(chain[0].old, first);
    assert_eq!((&chain[0].new, &chain[1].new), (&chain[1].old, &chain[2].old));
    assert_eq!(chain[2].new, log_key(&last));
    assert!(!last.join("keys/log.ended.3").exists());
    // What was certified under the first key is among the entries that each of them hands on.
    let policy = Policy::log_alone(first).unwrap();
    certificate.proof.verify(&policy).unwrap();
    assert!(chain.iter().all(|end| end.size > certificate.proof.inclusion.index));
    assert_eq!(faults(&last).await, Vec::<String>::new());
    // And so for the heir of such books.
    let books = Books::open(&last, now()).await.unwrap();
    let (heir, file, taken) = (SuccessorIdentity::generate(), root.join("bundle"), root.join("taken"));
    books.hand_over(&heir.key(), &file, &by, now()).await.unwrap();
    take_over(&file, &heir, Some(&log_key(&last)), &taken, now()).await.unwrap();
    let inherited = endings(&taken, &["log.ended.1", "log.ended.2", "log.ended.3", "log.ended"]);
    assert_eq!(inherited[..3], chain);
    assert_eq!((&inherited[3].old, &inherited[3].new), (&chain[2].new, &log_key(&taken)));
    assert_eq!(faults(&taken).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_note_that_is_gone_or_another_is_named() {
    let place = Place::sqlite().await.unwrap();
    place.issue(&place::run("AB0001", 2)).await;
    let (by, root) = ("operator".parse().unwrap(), place.folder.path());
    let copy = root.join("copy");
    place.books.backup(&copy, &by, now()).await.unwrap();
    let second = Box::pin(put_back(&copy, &root.join("r1"))).await;
    Box::pin(put_back(&second, &root.join("r2"))).await;
    let (last, other) = (root.join("r2"), root.join("r3"));
    Box::pin(put_back(&second, &other)).await;
    let keys = last.join("keys");
    let (earlier, latest) = (keys.join("log.ended.1"), keys.join("log.ended"));
    let kept = [&earlier, &latest].map(|file| std::fs::read(file).unwrap());
    let altered = String::from_utf8(kept[0].clone()).unwrap().replace("because the", "because a");
    let of_the_other = std::fs::read(other.join("keys/log.ended")).unwrap();
    let cases: [(&str, Kept<'_>, Kept<'_>); 5] = [
        ("`keys/log.ended` tells how the log microstamp/issuer/K7/", None, Some(&kept[1])),
        (
            "`keys/log.ended.1` is no note on a log that ended, or was altered",
            Some(altered.as_bytes()),
            Some(&kept[1]),
        ),
        ("no note tells how the log microstamp/issuer/K7 ended", None, None),
        ("no note tells how the log microstamp/issuer/K7/", Some(&kept[0]), Some(&of_the_other)),
        ("`keys/log.ended.1` tells how the log microstamp/issuer/K7/", Some(&kept[1]), Some(&kept[1])),
    ];
    for (expected, first, second) in cases {
        for (file, bytes) in [(&earlier, first), (&latest, second)] {
            match bytes {
                Some(bytes) => std::fs::write(file, bytes).unwrap(),
                None => std::fs::remove_file(file).unwrap(),
            }
        }
        let found = faults(&last).await;
        assert!(found.iter().any(|fault| fault.contains(expected)), "{expected}: {found:?}");
        for (file, bytes) in [&earlier, &latest].iter().zip(&kept) {
            std::fs::write(file, bytes).unwrap();
        }
    }
    assert_eq!(faults(&last).await, Vec::<String>::new());
}

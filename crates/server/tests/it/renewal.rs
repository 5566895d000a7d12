//! A node that was put back from a copy goes on with another log, by the documented steps.

use std::path::Path;
use std::process::Command;

use registry::{Books, Database, Restore, restore};
use server::renew_log;
use server::roles::{Agency, AskError, Asked};
use symbology::Code;
use transparency::{LogEnd, SignedCheckpoint};

use crate::world::{World, question, until};

async fn ask(agency: &Agency, code: Code) -> Result<Asked, AskError> {
    agency.ask(&question(&[(code, 1.0)])).await.unwrap().remove(0)
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

/// Asks until it is answered; so long that it is then or never.
async fn until_answered(world: &World, agency: &Agency, code: Code) -> Asked {
    let mut answered = None;
    until("the issuer answers", async || {
        agency.directory.renew(world.clock.now()).await.unwrap();
        answered = ask(agency, code).await.ok();
        answered.is_some()
    })
    .await;
    answered.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_was_put_back_from_a_copy_answers_again() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let house = world.path("issuer");
    let old = question(&[(world.codes[0], 1.0)]);
    agency.ask(&old).await.unwrap().remove(0).unwrap();
    crate::court::bundle_that_verifies(&world, &agency, old.id).await;
    let listener = world.stop_for_a_while("issuer").await;
    let (now, by) = (world.clock.now(), "owner".parse().unwrap());
    let books = Books::open(&house, now).await.unwrap();
    books.backup(&world.path("copy"), &by, now).await.unwrap();
    books.close().await;
    world.serve("issuer", listener).await;
    // More is answered, and entered in the books, after the copy was made; the witnesses see both.
    until_answered(&world, &agency, world.codes[1]).await;
    let books = Books::open(&house, now).await.unwrap();
    books.open_block("K8".parse().unwrap(), &"clerk example".parse().unwrap(), now).await.unwrap();
    books.close().await;
    let cosigned = |log: &str, note: &str| {
        let size = |path: &str| {
            let bytes = std::fs::read(house.join(path)).ok()?;
            Some(SignedCheckpoint::parse(&bytes).unwrap().checkpoint.size)
        };
        size(note).is_some_and(|seen| Some(seen) == size(log))
    };
    until("the witnesses have seen all", async || {
        cosigned("node/log/checkpoint", "node/cosigned") && cosigned("log/checkpoint", "node/cosigned-books")
    })
    .await;

    // The disk is lost.
    let listener = world.stop_for_a_while("issuer").await;
    std::fs::remove_dir_all(&house).unwrap();
    let options = Restore { database: &Database::Embedded, latest: false, by: &by };
    restore(&world.path("copy"), &house, &options, now).await.unwrap();
    world.serve("issuer", listener).await;
    let refused = ask(&agency, world.codes[1]).await.unwrap_err();
    assert!(matches!(refused, AskError::Refused { status: 503, .. }), "its log is a fork: {refused}");
    let listener = world.stop_for_a_while("issuer").await;

    let reason = "the disk was lost".parse().unwrap();
    let end = renew_log(&house, (&by, &reason), now).await.unwrap();
    let node = world.node("issuer");
    assert_eq!((end.old.name(), end.new.to_string()), ("issuer.example/log", node.card().log));
    assert_eq!(LogEnd::parse(&node.card().log_ended.unwrap()).unwrap(), end);
    assert!(node.books_log_ended().is_some(), "the books' log goes on under another name, too");
    world.enrol(&node);
    world.serve("issuer", listener).await;
    let asked = until_answered(&world, &agency, world.codes[1]).await;
    assert_eq!(asked.sealed.evidence.log, end.new.name());
    let bundled = crate::court::bundle_that_verifies(&world, &agency, asked.answer.question).await;
    assert_eq!(bundled.answer, asked.answer);
    // What was answered before the copy was made can still be brought to court, under the log that ended.
    crate::court::bundle_that_verifies(&world, &agency, old.id).await;
    let metrics = world.metrics("issuer").await;
    for line in ["microstamp_impaired{part=\"log\"} 0", "microstamp_impaired{part=\"books\"} 0"] {
        assert!(metrics.lines().any(|told| told == line), "{line}: {metrics}");
    }
    until("the log of the books is cosigned again", async || {
        world.metrics("issuer").await.lines().any(|line| line == "microstamp_witnesses_cosigned_books 3")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_was_cut_short_is_ended_by_the_next() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("police");
    let node = crate::world::node(&path, server::NodeRole::Agency, "police.example", "http://127.0.0.1:1");
    let now = jiff::Timestamp::now();
    {
        let ledger = server::Ledger::open(&node.folder, &node.log).unwrap();
        ledger.enter(&[server::Act::new("account", serde_json::json!({}))], now).await.unwrap();
    }
    let before = root.path().join("before");
    copy(&path, &before);
    let (by, reason) = ("op. example".parse().unwrap(), "the disk was lost".parse().unwrap());
    let end = renew_log(&path, (&by, &reason), now).await.unwrap();
    // As it lies on the disk when the power fails: the note is there, the checkpoint is signed or not, node.toml is the old one.
    for parts in [vec!["log-ended"], vec!["log-ended", "log"]] {
        let half = root.path().join("half");
        let _ = std::fs::remove_dir_all(&half);
        copy(&before, &half);
        for part in parts {
            let (from, to) = (path.join("node").join(part), half.join("node").join(part));
            let _ = std::fs::remove_dir_all(&to);
            copy(&from, &to);
        }
        // The act that the first one entered is not there yet.
        if let Ok(ended) = renew_log(&half, (&by, &reason), now).await {
            assert_eq!(ended, end, "the same log goes on");
            assert_eq!(server::Node::open(&half).unwrap().card().log, end.new.to_string());
        } else {
            panic!("it cannot be ended");
        }
    }
    // A second end does not take the place of the first.
    let again = "lost once more".parse().unwrap();
    let second = renew_log(&path, (&by, &again), now).await.unwrap();
    assert_eq!(second.old, end.new);
    for end in [end, second] {
        let note = path.join("node/ended").join(format!("{}.note", hex::encode(end.old.id())));
        assert_eq!(LogEnd::parse(&std::fs::read_to_string(note).unwrap()).unwrap(), end);
    }
    let witness = root.path().join("w");
    crate::world::node(&witness, server::NodeRole::Witness, "w.example", "http://127.0.0.1:2");
    assert!(renew_log(&witness, (&by, &reason), now).await.is_err(), "a witness keeps no log");
}

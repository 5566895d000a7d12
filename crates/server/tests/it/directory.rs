//! The directory, the one thing that all nodes trust: versions, damaged files, split views, its log.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use server::federation::{DirectoryContent, DirectoryError};
use server::roles::{DirectoryHolder, DirectoryKeeper, StartError};
use server::{Clock, ConfigError, Node, NodeRole, ProblemKind, validity};
use transparency::SignedCheckpoint;

use crate::world::{World, node};

fn keeper(folder: &Path) -> Result<DirectoryKeeper, StartError> {
    DirectoryKeeper::open(folder, Clock::default())
}

fn is_damaged(opened: &Result<DirectoryKeeper, StartError>) -> bool {
    matches!(opened, Err(StartError::Config(ConfigError::Damaged { .. })))
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_go_on_from_the_log_and_damaged_files_are_not_taken() {
    let root = tempfile::tempdir().unwrap();
    let signer = node(root.path(), NodeRole::Directory, "directory.example", "http://127.0.0.1:1");
    let file = root.path().join("node/directory");
    let open = keeper(root.path()).unwrap();
    assert_eq!(open.publish().await.unwrap(), 1);
    assert_eq!(open.publish().await.unwrap(), 1, "nothing changed");
    let first = std::fs::read(&file).unwrap();
    DirectoryKeeper::set_quorum(root.path(), 1).unwrap();
    assert_eq!(open.publish().await.unwrap(), 2);
    let second = std::fs::read(&file).unwrap();
    drop(open);

    std::fs::write(&file, "").unwrap();
    assert!(is_damaged(&keeper(root.path())), "an emptied file");
    let (from, until) = validity(Timestamp::now(), 7);
    let other = DirectoryContent::new(2, from, until).sign(&signer.statements).unwrap();
    std::fs::write(&file, other).unwrap();
    assert!(is_damaged(&keeper(root.path())), "well signed, and not what is in the log");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(keeper(root.path()).unwrap().publish().await.unwrap(), 3, "no number is given twice");
    std::fs::write(&file, first).unwrap();
    assert_eq!(
        keeper(root.path()).unwrap().publish().await.unwrap(),
        4,
        "an older one is not taken up again"
    );
    std::fs::write(&file, second).unwrap();
    assert_eq!(keeper(root.path()).unwrap().publish().await.unwrap(), 5);
    assert_eq!(keeper(root.path()).unwrap().publish().await.unwrap(), 5);
}

/// A node that trusts a directory's key.
fn holder(folder: &Path, directory: &Node) -> Node {
    let mut made = node(folder, NodeRole::Witness, "witness.example", "http://127.0.0.1:2");
    made.trust("none", &directory.statements.verifier().to_string()).unwrap();
    made
}

#[test]
fn another_directory_of_the_same_version_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let directory =
        node(&root.path().join("directory"), NodeRole::Directory, "directory.example", "http://127.0.0.1:1");
    let mut node = holder(&root.path().join("witness"), &directory);
    let now = Timestamp::now();
    let version = |number: u64, quorum: usize| {
        let (from, until) = validity(now, 7);
        let mut content = DirectoryContent::new(number, from, until);
        content.quorum = quorum;
        content.sign(&directory.statements).unwrap()
    };
    let held = DirectoryHolder::new(&node).unwrap();
    for _ in 0..2 {
        held.take(&version(2, 0), now).unwrap();
    }
    let split = held.take(&version(2, 1), now).unwrap_err();
    assert_eq!(split, ProblemKind::NoDirectory.because(DirectoryError::Split(2)));
    let older = held.take(&version(1, 0), now).unwrap_err();
    assert_eq!(older.detail, DirectoryError::RolledBack { seen: 1, held: 2 }.to_string());
    held.take(&version(3, 1), now).unwrap();

    // After a restart too; and a damaged file is not passed over in silence.
    let held = DirectoryHolder::new(&node).unwrap();
    assert!(held.take(&version(3, 0), now).is_err());
    std::fs::write(node.folder.join("directory"), "").unwrap();
    assert!(matches!(DirectoryHolder::new(&node), Err(ConfigError::Damaged { .. })));
    // Whoever turns to another directory begins anew.
    let other = crate::world::node(
        &root.path().join("other"),
        NodeRole::Directory,
        "other.example",
        "http://127.0.0.1:3",
    );
    node.trust("none", &other.statements.verifier().to_string()).unwrap();
    DirectoryHolder::new(&node).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_directory_s_log_is_cosigned_like_any_other() {
    let world = World::start().await;
    let directory = world.node("directory");
    let mut cosigned = None;
    for _ in 0..80 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let url = format!("{}/log/cosigned", directory.config.url);
        let (status, bytes) = world.client.get(&url).await.unwrap();
        if status == 200 {
            cosigned = Some(SignedCheckpoint::parse(&bytes).unwrap());
            break;
        }
    }
    let cosigned = cosigned.expect("a quorum cosigns within twenty seconds");
    cosigned.verify(directory.log.verifier()).unwrap();
    let held = DirectoryHolder::new(&world.node("agency")).unwrap().newest().unwrap();
    let policy = held.policy(held.content().log.as_ref().unwrap()).unwrap();
    assert!(policy.check(&cosigned).unwrap().witnesses.len() >= 2);
}

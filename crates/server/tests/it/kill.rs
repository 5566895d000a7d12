//! `kill -9` of an issuer's node at random moments during traces under load: what was acknowledged is in the log, no question
//! was answered twice, log and records agree. And a disk that is full: no log, no answer, and all is well again afterwards.
//!
//! Ten kills in a plain run; `MICROSTAMP_KILLS=200 cargo test -p server --test it kill` for the whole campaign.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::ChaCha8Rng};
use server::roles::{Agency, AskError, Asked};
use server::{DoorRules, Ledger, ServeOptions, Server};
use transparency::{Commitment, FolderStore, Salt, SignedCheckpoint, TileStore as _, Tree, fsck};

use crate::world::{World, question, until};

/// Where the child finds its folder and its address.
const FOLDER: &str = "MICROSTAMP_TEST_NODE";
const ADDRESS: &str = "MICROSTAMP_TEST_ADDRESS";

/// Not a test of anything: the process that the tests below start and kill. Without its folder it has nothing to do.
#[test]
fn child() {
    let (Ok(folder), Ok(address)) = (std::env::var(FOLDER), std::env::var(ADDRESS)) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind(address).unwrap();
        let mut options = ServeOptions::default();
        if std::env::var_os("MICROSTAMP_TEST_PROXIED").is_some() {
            options.door.per_address = DoorRules::PROXIED;
        }
        let _server = Server::start(Path::new(&folder), listener, options).await.unwrap();
        std::future::pending::<()>().await;
    });
}

/// Starts the issuer's node as a process of its own.
async fn start(world: &World, address: SocketAddr) -> Child {
    start_with(world, address, &[]).await
}

/// The same in a changed environment.
pub(crate) async fn start_with(world: &World, address: SocketAddr, more: &[(&str, &OsStr)]) -> Child {
    let program = std::env::current_exe().unwrap();
    // A file that may grow no further is to be an error, not a signal.
    let command = format!("trap '' XFSZ; exec '{}' --exact kill::child --nocapture", program.display());
    let mut child = Command::new("sh")
        .args(["-c", &command])
        .env(FOLDER, world.path("issuer"))
        .env(ADDRESS, address.to_string())
        .envs(more.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the child answers", async || {
        assert_eq!(child.try_wait().unwrap(), None, "the child has ended");
        world.client.get(&format!("http://{address}/healthz")).await.is_ok()
    })
    .await;
    child
}

pub(crate) fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

pub(crate) async fn issuer_apart(world: &mut World) -> SocketAddr {
    world.stop_for_a_while("issuer").await.local_addr().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_during_traces_nothing_acknowledged_is_lost() {
    let kills: usize = std::env::var("MICROSTAMP_KILLS").map_or(10, |text| text.parse().unwrap());
    let mut world = World::start().await;
    let address = issuer_apart(&mut world).await;
    let agency = Arc::new(world.agency().await);
    let mut random = ChaCha8Rng::seed_from_u64(kills as u64);
    let (mut acknowledged, mut cut_off) = (Vec::new(), 0);
    for round in 0..kills {
        let child = start(&world, address).await;
        let over = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicUsize::new(0));
        let askers: Vec<_> = (0..6)
            .map(|asker| {
                let signs = (Arc::clone(&over), Arc::clone(&answered));
                tokio::spawn(ask_on(Arc::clone(&agency), signs, world.codes[asker % 2]))
            })
            .collect();
        // Every other time not before something was answered, however slow the machine is.
        if round % 2 == 0 {
            until("it answers", async || answered.load(Ordering::Relaxed) > 0).await;
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(0..250))).await;
        kill(child);
        over.store(true, Ordering::Relaxed);
        for asker in askers {
            let (mut done, cut) = asker.await.unwrap();
            acknowledged.append(&mut done);
            cut_off += cut;
        }
        if round % 10 == 9 || round + 1 == kills {
            check(&world.path("issuer"), &acknowledged);
        }
    }
    assert!(
        cut_off > kills / 2 && acknowledged.len() >= kills.div_ceil(2),
        "{cut_off} cut off, {} answered",
        acknowledged.len()
    );
}

/// Asks until it is over, and counts what is answered; what was, and how many questions were cut off.
async fn ask_on(
    agency: Arc<Agency>,
    (over, answered): (Arc<AtomicBool>, Arc<AtomicUsize>),
    code: symbology::Code,
) -> (Vec<Asked>, usize) {
    let (mut done, mut cut_off) = (Vec::new(), 0);
    while !over.load(Ordering::Relaxed) {
        match agency.ask(&question(&[(code, 1.0)])).await.unwrap().remove(0) {
            Ok(asked) => {
                answered.fetch_add(1, Ordering::Relaxed);
                done.push(asked);
            }
            Err(AskError::Unreachable { .. }) => {
                cut_off += 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(other) => panic!("{other}"),
        }
    }
    (done, cut_off)
}

/// Everything that was acknowledged is in the log, and records and log agree, after the node has opened them once more.
pub(crate) fn check(issuer: &Path, acknowledged: &[Asked]) {
    let node = server::Node::open(issuer).unwrap();
    drop(Ledger::open(&node.folder, &node.log).unwrap());
    let store = FolderStore::read_only(&node.folder.join("log"));
    let report = fsck(&store, node.log.verifier(), &[]).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    let bytes = store.read(&transparency::Resource::Checkpoint).unwrap().unwrap();
    let signed = SignedCheckpoint::parse(&bytes).unwrap();
    let tree = Tree::new(&store, signed.checkpoint.size);
    for asked in acknowledged {
        for entered in [&asked.sealed.evidence.question, &asked.sealed.evidence.answer] {
            let salt = Salt::from_bytes(hex(&entered.salt));
            let commitment = Commitment::new(&salt, entered.record.as_bytes());
            let bundle = tree.bundle(entered.index / 256).unwrap();
            assert_eq!(
                bundle[(entered.index % 256) as usize],
                commitment.as_bytes(),
                "entry {}",
                entered.index
            );
        }
    }
    let found = Ledger::check(&node.folder, &signed, None).unwrap();
    assert_eq!(found.not_in_log + found.behind, 0, "a record that the log does not vouch for");
    let mut answers: HashMap<String, usize> = HashMap::new();
    Ledger::records(&node.folder, |stored| {
        if stored.kind == "answer" {
            *answers.entry(stored.body["question"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    })
    .unwrap();
    assert!(answers.values().all(|count| *count == 1), "a question was answered twice");
    for asked in acknowledged {
        assert!(answers.contains_key(&asked.answer.question.to_string()), "an answer's record is lost");
    }
}

fn hex(text: &str) -> [u8; 32] {
    let byte = |at: usize| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
    std::array::from_fn(byte)
}

/// A disk of its own for the node's ledger that can be filled up: a small file system where this process may mount one, and
/// else a limit on the length of files.
enum Disk {
    Mounted(std::path::PathBuf),
    Limited(u32),
}

impl Disk {
    fn fill(&self) {
        match self {
            Self::Mounted(folder) => {
                let mut filler = std::fs::File::create(folder.join("filler")).unwrap();
                while std::io::Write::write_all(&mut filler, &[0; 4096]).is_ok() {}
            }
            Self::Limited(child) => limit(*child, "4096"),
        }
    }

    fn empty(&self) {
        match self {
            Self::Mounted(folder) => std::fs::remove_file(folder.join("filler")).unwrap(),
            Self::Limited(child) => limit(*child, "unlimited"),
        }
    }
}

fn limit(child: u32, bytes: &str) {
    let limit = format!("--fsize={bytes}:unlimited");
    let done = Command::new("prlimit").args(["--pid", &child.to_string(), &limit]).status().unwrap();
    assert!(done.success());
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Self::Mounted(folder) = self {
            let _ = Command::new("umount").arg("-l").arg(folder).status();
        }
    }
}

/// Moves the node's folder to a small file system, if this process may.
fn mounted(folder: &Path) -> Option<std::path::PathBuf> {
    let aside = folder.with_extension("aside");
    std::fs::rename(folder, &aside).unwrap();
    std::fs::create_dir(folder).unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(folder).output();
    let done = mount.is_ok_and(|mount| mount.status.success());
    if !done {
        std::fs::remove_dir(folder).unwrap();
        std::fs::rename(&aside, folder).unwrap();
        return None;
    }
    let copied = Command::new("cp").arg("-a").arg(aside.join(".")).arg(folder).status().unwrap();
    assert!(copied.success());
    Some(folder.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_answers_nothing_and_all_is_well_when_there_is_room_again() {
    let mut world = World::start().await;
    let address = issuer_apart(&mut world).await;
    let agency = world.agency().await;
    let folder = world.path("issuer").join("node");
    let mounted = mounted(&folder);
    let child = start(&world, address).await;
    let disk = mounted.map_or_else(|| Disk::Limited(child.id()), Disk::Mounted);
    let mut acknowledged = vec![ask(&agency, &world).await.unwrap()];
    for _ in 0..2 {
        disk.fill();
        let mut refused = 0;
        for _ in 0..40 {
            match ask(&agency, &world).await {
                Ok(asked) => acknowledged.push(asked),
                Err(AskError::Refused { status: 503, detail, .. }) => {
                    assert!(detail.contains("nothing is answered"), "{detail}");
                    refused += 1;
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert!(refused >= 20, "the disk was full for {refused} of 40 questions");
        disk.empty();
        acknowledged.push(ask(&agency, &world).await.unwrap());
    }
    kill(child);
    check(&world.path("issuer"), &acknowledged);
    drop(disk);
}

async fn ask(agency: &Agency, world: &World) -> Result<Asked, AskError> {
    agency.ask(&question(&[(world.codes[0], 1.0)])).await.unwrap().remove(0)
}

//! What stands around a node falls away while it runs: the directory's server, the books, their database, the disk. Each ends
//! as `docs/federation.md`, section 11, says.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use server::api::OutcomeName;
use server::roles::{Agency, AskError, Asked};
use transparency::{FolderStore, SignedCheckpoint, fsck, watch};

use crate::kill::{check, issuer_apart, kill, start_with};
use crate::place::Place;
use crate::world::{World, question, until};

/// The longest that anybody may wait for an answer, whatever is down.
const BOUND: Duration = Duration::from_secs(12);

async fn ask(agency: &Agency, code: symbology::Code) -> Result<Asked, AskError> {
    let begun = Instant::now();
    let answer = agency.ask(&question(&[(code, 1.0)])).await.unwrap().remove(0);
    assert!(begun.elapsed() < BOUND, "an answer took {:?}", begun.elapsed());
    answer
}

async fn health(world: &World, url: &str) -> serde_json::Value {
    let (_, health) = world.client.get(&format!("{url}/healthz")).await.unwrap();
    serde_json::from_slice(&health).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_directory_is_down_the_version_held_is_used() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    world.stop("directory").await;
    assert_eq!(ask(&agency, world.codes[0]).await.unwrap().answer.outcome, OutcomeName::Found);
    world.restart("issuer").await;
    assert!(agency.directory.renew(world.clock.now()).await.is_err());
    assert_eq!(ask(&agency, world.codes[0]).await.unwrap().answer.outcome, OutcomeName::Found);

    // A version that is there and cannot be read any more is not overlooked.
    let held = world.path("issuer").join("node/directory");
    let whole = std::fs::read(&held).unwrap();
    let address = issuer_apart(&mut world).await;
    std::fs::write(&held, &whole[..whole.len() / 2]).unwrap();
    let listener = std::net::TcpListener::bind(address).unwrap();
    let refused =
        server::Server::start(&world.path("issuer"), listener, server::ServeOptions::default()).await;
    assert!(refused.unwrap_err().to_string().contains("node/directory"));
}

#[tokio::test(flavor = "multi_thread")]
async fn books_that_cannot_be_read_end_in_a_signed_cannot_say_now() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    world.restart("issuer").await;
    let file = world.path("issuer").join("books.sqlite");
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, vec![0x5a; whole.len()]).unwrap();
    let answer = ask(&agency, world.codes[0]).await.unwrap().answer;
    assert_eq!((answer.outcome, answer.firearm), (OutcomeName::CannotSayNow, None));
    let issuer = world.node("issuer").config.url;
    let told = health(&world, &issuer).await;
    assert_eq!((&told["status"], &told["impaired"][0]), (&"impaired".into(), &"books".into()), "{told}");
    // The question was answered; it is asked again under a new number when the books are well.
    std::fs::write(&file, whole).unwrap();
    world.restart("issuer").await;
    assert_eq!(ask(&agency, world.codes[0]).await.unwrap().answer.outcome, OutcomeName::Found);
    assert_eq!(health(&world, &issuer).await["status"], "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_server_that_stops_under_load_is_said_and_nothing_is_lost() {
    let Some(place) = Place::own_postgres().await else { return };
    let (url, server) = (place.another_database().unwrap(), place.server.clone().unwrap());
    let mut world = World::start_on(registry::Database::Postgres(url)).await;
    let agency = Arc::new(world.agency().await);
    let (over, missed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut askers = tokio::task::JoinSet::new();
    for asker in 0..4 {
        let (agency, code) = (Arc::clone(&agency), world.codes[asker % 2]);
        let (over, missed) = (Arc::clone(&over), Arc::clone(&missed));
        askers.spawn(async move {
            let mut found = Vec::new();
            while !over.load(Ordering::Relaxed) || found.len() < 3 {
                let asked = ask(&agency, code).await.unwrap();
                match asked.answer.outcome {
                    OutcomeName::Found => found.push(asked),
                    OutcomeName::CannotSayNow => drop(missed.fetch_add(1, Ordering::Relaxed)),
                    other => panic!("{other:?}"),
                }
            }
            found
        });
    }
    for _ in 0..2 {
        let (stopping, before) = (server.clone(), missed.load(Ordering::Relaxed));
        tokio::task::spawn_blocking(move || stopping.stop()).await.unwrap();
        until("the outage is noticed", async || missed.load(Ordering::Relaxed) > before).await;
        let beginning = server.clone();
        tokio::task::spawn_blocking(move || beginning.begin()).await.unwrap();
    }
    over.store(true, Ordering::Relaxed);
    let mut found = Vec::new();
    while let Some(asker) = askers.join_next().await {
        found.extend(asker.unwrap());
    }
    assert_eq!(ask(&agency, world.codes[0]).await.unwrap().answer.outcome, OutcomeName::Found, "by itself");
    drop(world.stop_for_a_while("issuer").await);
    check(&world.path("issuer"), &found);
}

/// Makes a library that lets nothing be written on a disk while a file is there, as a disk that the system has set to read-only.
#[allow(clippy::print_stderr, reason = "a test that tests less says so")]
fn read_only_disk(folder: &Path) -> Option<std::path::PathBuf> {
    let (source, library) = (folder.join("read_only.c"), folder.join("read_only.so"));
    std::fs::write(&source, READ_ONLY).unwrap();
    let made =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl").status();
    let made = made.is_ok_and(|status| status.success());
    if !made {
        eprintln!("there is no C compiler: no disk becomes read-only here");
    }
    made.then_some(library)
}

const READ_ONLY: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int blocked(void) { const char *flag = getenv("READ_ONLY_WHILE"); return flag && access(flag, F_OK) == 0; }
static int on_disk(int fd) { struct stat of; return fstat(fd, &of) == 0 && S_ISREG(of.st_mode); }
#define REFUSE do { errno = EROFS; return -1; } while (0)

ssize_t write(int fd, const void *from, size_t count) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "write");
    if (on_disk(fd) && blocked()) REFUSE;
    return real(fd, from, count);
}
ssize_t pwrite64(int fd, const void *from, size_t count, off64_t at) {
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (!real) real = dlsym(RTLD_NEXT, "pwrite64");
    if (on_disk(fd) && blocked()) REFUSE;
    return real(fd, from, count, at);
}
int ftruncate64(int fd, off64_t length) {
    static int (*real)(int, off64_t);
    if (!real) real = dlsym(RTLD_NEXT, "ftruncate64");
    if (blocked()) REFUSE;
    return real(fd, length);
}
int open64(const char *path, int flags, ...) {
    static int (*real)(const char *, int, ...);
    if (!real) real = dlsym(RTLD_NEXT, "open64");
    va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more);
    if ((flags & (O_WRONLY | O_RDWR | O_CREAT)) && blocked()) REFUSE;
    return real(path, flags, mode);
}
int rename(const char *from, const char *to) {
    static int (*real)(const char *, const char *);
    if (!real) real = dlsym(RTLD_NEXT, "rename");
    if (blocked()) REFUSE;
    return real(from, to);
}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_becomes_read_only_answers_nothing_until_it_can_be_written_again() {
    let mut world = World::start().await;
    let Some(library) = read_only_disk(world.root.path()) else { return };
    let address = issuer_apart(&mut world).await;
    let agency = world.agency().await;
    let flag = world.path("read-only");
    let child = start_with(
        &world,
        address,
        &[("LD_PRELOAD", library.as_os_str()), ("READ_ONLY_WHILE", flag.as_os_str())],
    )
    .await;
    let mut acknowledged = vec![ask(&agency, world.codes[0]).await.unwrap()];
    let url = world.node("issuer").config.url;
    for _ in 0..2 {
        std::fs::write(&flag, "").unwrap();
        for _ in 0..10 {
            match ask(&agency, world.codes[0]).await {
                Err(AskError::Refused { status: 503, detail, .. }) => {
                    assert!(detail.contains("nothing is answered"), "{detail}");
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(health(&world, &url).await["impaired"][0], "log");
        std::fs::remove_file(&flag).unwrap();
        acknowledged.push(ask(&agency, world.codes[0]).await.unwrap());
    }
    kill(child);
    check(&world.path("issuer"), &acknowledged);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_of_a_running_node_finds_a_whole_log_that_only_grows() {
    let mut world = World::start().await;
    let agency = Arc::new(world.agency().await);
    let node = world.node("issuer");
    let (store, key) = (FolderStore::read_only(&node.folder.join("log")), node.log.verifier().clone());
    let look = move |remembered: Option<&SignedCheckpoint>| {
        let seen = watch(&store, &key, remembered).unwrap().unwrap();
        let report = fsck(&store, &key, std::slice::from_ref(&seen)).unwrap();
        assert!(report.findings.is_empty(), "{:?}", report.findings);
        seen
    };
    let first = look(None);
    let mut askers = tokio::task::JoinSet::new();
    for asker in 0..4 {
        let (agency, code) = (Arc::clone(&agency), world.codes[asker % 2]);
        askers.spawn(async move {
            for _ in 0..60 {
                ask(&agency, code).await.unwrap();
            }
        });
    }
    let over = Arc::new(AtomicBool::new(false));
    let audited = tokio::task::spawn_blocking({
        let over = Arc::clone(&over);
        move || {
            let (mut newest, mut looks) = (first, 0);
            while !over.load(Ordering::Relaxed) || looks < 2 {
                newest = look(Some(&newest));
                looks += 1;
            }
            (look, newest)
        }
    });
    while let Some(asker) = askers.join_next().await {
        over.store(askers.is_empty() || asker.is_err(), Ordering::Relaxed);
        asker.unwrap();
    }
    let (look, mut newest) = audited.await.unwrap();
    until("all is shown", async || {
        newest = look(Some(&newest));
        newest.checkpoint.size == 480
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_put_back_is_not_gone_on_with() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    ask(&agency, world.codes[0]).await.unwrap();
    let (folder, older) = (world.path("issuer").join("node"), world.path("older"));
    let listener = world.stop_for_a_while("issuer").await;
    copy(&folder.join("log"), &older);
    let cosigned = folder.join("cosigned");
    world.serve("issuer", listener).await;
    for _ in 0..3 {
        ask(&agency, world.codes[0]).await.unwrap();
    }
    let cosigned_size = || {
        let bytes = std::fs::read(&cosigned).ok()?;
        Some(SignedCheckpoint::parse(&bytes).unwrap().checkpoint.size)
    };
    until("four questions and answers are cosigned", async || cosigned_size() == Some(8)).await;
    let address = issuer_apart(&mut world).await;
    std::fs::remove_dir_all(folder.join("log")).unwrap();
    copy(&older, &folder.join("log"));
    // Its own memory of the witnesses says so at the start.
    let listener = std::net::TcpListener::bind(address).unwrap();
    let refused =
        server::Server::start(&world.path("issuer"), listener, server::ServeOptions::default()).await;
    assert!(refused.unwrap_err().to_string().contains("an older copy was put back"));
    // Where that is put back too, a witness shows it the longer log under its own key.
    std::fs::remove_file(&cosigned).unwrap();
    let records = folder.join("records");
    std::fs::remove_dir_all(&records).unwrap();
    std::fs::create_dir(&records).unwrap();
    world.serve("issuer", std::net::TcpListener::bind(address).unwrap()).await;
    until("the node does not go on with a log that was put back", async || {
        matches!(ask(&agency, world.codes[0]).await, Err(AskError::Refused { status: 503, .. }))
    })
    .await;
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

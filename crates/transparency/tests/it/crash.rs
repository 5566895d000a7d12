//! One trusted write: a crash at any step leaves the old log or the new one, and never loses what was acknowledged.

use std::{
    cell::RefCell,
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    rc::Rc,
    thread,
    time::Duration,
};

use transparency::{FolderStore, Log, LogError, MemoryStore, Piece, Resource, StoreError, TileStore, fsck};

use super::merkle::key;

/// What is left behind by the step at which the machine stops.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stop {
    /// The step had not begun.
    Before,
    /// Half a file was written. A rename of a flushed file rules this out; a worse disk might not.
    Torn,
    /// The step was done, but nobody was told.
    After,
}

/// A store that survives its writer and stops at a chosen step.
#[derive(Debug, Clone)]
struct Fragile {
    disk: Rc<RefCell<MemoryStore>>,
    steps_left: Rc<RefCell<usize>>,
    stop: Stop,
}

impl Fragile {
    fn new(disk: MemoryStore, steps: usize, stop: Stop) -> Self {
        Self { disk: Rc::new(RefCell::new(disk)), steps_left: Rc::new(RefCell::new(steps)), stop }
    }

    /// Counts one step; `Err` when the machine stops at it.
    fn step(&self) -> Result<(), StoreError> {
        let mut left = self.steps_left.borrow_mut();
        if *left == 0 {
            let source = std::io::Error::other("the machine stopped");
            return Err(StoreError::Environment { action: "write", path: String::new(), source });
        }
        *left -= 1;
        Ok(())
    }
}

impl TileStore for Fragile {
    fn read(&self, resource: &Resource) -> Result<Option<Vec<u8>>, StoreError> {
        self.disk.borrow().read(resource)
    }

    fn write(&mut self, files: &[(Resource, Vec<u8>)]) -> Result<(), StoreError> {
        for (name, bytes) in files {
            let stopped = self.step();
            let kept = match (&stopped, self.stop) {
                (Ok(()), _) | (Err(_), Stop::After) => bytes.as_slice(),
                (Err(_), Stop::Torn) => &bytes[..bytes.len() / 2],
                (Err(_), Stop::Before) => return stopped,
            };
            self.disk.borrow_mut().files.insert(*name, kept.to_vec());
            stopped?;
        }
        Ok(())
    }

    fn swap_checkpoint(&mut self, expected: Option<&[u8]>, new: &[u8]) -> Result<(), StoreError> {
        let stopped = self.step();
        if stopped.is_ok() || self.stop == Stop::After {
            self.disk.borrow_mut().swap_checkpoint(expected, new)?;
        }
        stopped
    }

    fn remove_partials(&mut self, full: &[Resource]) -> Result<(), StoreError> {
        for one in full {
            self.step()?;
            self.disk.borrow_mut().remove_partials(&[*one])?;
        }
        Ok(())
    }
}

fn entries(range: std::ops::Range<u64>, mark: u8) -> Vec<Vec<u8>> {
    range.map(|n| [&n.to_be_bytes()[..], &[mark]].concat()).collect()
}

/// A log of `size` acknowledged entries on a disk.
fn disk_with(size: u64) -> MemoryStore {
    let mut log = Log::create(MemoryStore::default(), key()).unwrap();
    log.append_batch(&entries(0..size, 0)).unwrap();
    log.store().clone()
}

/// Stops the append of `batch` entries to `size` at every step in turn. Returns the number of steps.
fn crash_at_every_step(size: u64, batch: u64, stop: Stop) -> usize {
    let acknowledged = disk_with(size);
    let old = Log::open(acknowledged.clone(), key()).unwrap().checkpoint().clone();
    for steps in 0.. {
        let fragile = Fragile::new(acknowledged.clone(), steps, stop);
        let mut log = Log::open(fragile.clone(), key()).unwrap();
        let outcome = log.append_batch(&entries(size..size + batch, 1));
        let unfinished = *fragile.steps_left.borrow() == 0;
        drop(log);

        let disk = fragile.disk.borrow().clone();
        let mut log = Log::open(disk, key()).unwrap_or_else(|error| panic!("{steps} {stop:?}: {error}"));
        let found = log.size();
        assert!(found == size || found == size + batch, "{found} entries after step {steps}, {stop:?}");
        assert!(outcome.is_err() || found == size + batch, "an acknowledged batch was lost at step {steps}");
        let whole =
            |log: &Log<MemoryStore>| fsck(log.store(), key().verifier(), std::slice::from_ref(&old)).unwrap();
        assert_eq!(whole(&log).findings, [], "step {steps}, {stop:?}");
        for n in found.saturating_sub(600)..found {
            let mark = u8::from(n >= size);
            assert_eq!(log.tree().entry(n).unwrap(), entries(n..n + 1, mark)[0]);
        }
        // Life goes on, with other entries than those that were lost.
        log.append_batch(&entries(found..found + 300, 2)).unwrap();
        assert_eq!(whole(&log).findings, [], "after step {steps}, {stop:?}");
        if outcome.is_ok() && !unfinished {
            return steps;
        }
    }
    unreachable!("the append ends some time")
}

#[test]
fn a_crash_at_any_step_leaves_the_old_log_or_the_new_one() {
    for stop in [Stop::Before, Stop::Torn, Stop::After] {
        for (size, batch) in [(0, 1), (5, 3), (200, 100), (255, 1), (256, 1), (65_530, 300)] {
            let steps = crash_at_every_step(size, batch, stop);
            assert!(steps > 2, "only {steps} steps for {size} + {batch}");
        }
    }
}

#[test]
fn a_failed_write_can_be_tried_again_but_a_failed_swap_needs_a_new_start() {
    let batch = entries(10..12, 1);
    let (bundle_tile, swap) = (1, 2);
    for (steps, reopen) in [(0, false), (bundle_tile, false), (swap, true)] {
        let fragile = Fragile::new(disk_with(10), steps, Stop::Before);
        let mut log = Log::open(fragile.clone(), key()).unwrap();
        assert!(matches!(log.append_batch(&batch), Err(LogError::Store(_))));
        *fragile.steps_left.borrow_mut() = usize::MAX;
        match log.append_batch(&batch) {
            Ok(places) => assert!(!reopen && places == (10..12)),
            Err(error) => assert!(reopen && matches!(error, LogError::MustReopen), "{error}"),
        }
    }
}

#[test]
fn a_checkpoint_that_moved_under_the_writer_is_left_alone() {
    let disk = Fragile::new(disk_with(10), usize::MAX, Stop::Before);
    let mut slow = Log::open(disk.clone(), key()).unwrap();
    let mut fast = Log::open(disk, key()).unwrap();
    fast.append_batch(&entries(10..20, 0)).unwrap();
    let lost = slow.append_batch(&entries(10..11, 1));
    assert!(matches!(lost, Err(LogError::Store(StoreError::Conflict))));
    assert_eq!(fast.checkpoint().checkpoint.size, 20);
}

#[test]
fn one_folder_has_one_writer_and_any_number_of_readers() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::create(FolderStore::create(folder.path()).unwrap(), key()).unwrap();
    log.append_batch(&entries(0..700, 0)).unwrap();
    assert!(matches!(FolderStore::open(folder.path()), Err(StoreError::Locked(_))));
    let reader = FolderStore::read_only(folder.path());
    assert_eq!(fsck(&reader, key().verifier(), &[]).unwrap().findings, []);
    let mut writes = Log::open(reader, key()).unwrap();
    let refused = writes.append_batch(&entries(0..1, 0));
    assert!(matches!(refused, Err(LogError::Store(StoreError::ReadOnly))));
    assert!(matches!(
        Log::create(FolderStore::read_only(folder.path()), key()),
        Err(LogError::Exists { size: 700 })
    ));
    drop(log);
    let mut log = Log::open(FolderStore::open(folder.path()).unwrap(), key()).unwrap();
    assert_eq!(log.append_batch(&entries(700..701, 0)).unwrap(), 700..701);
}

#[test]
fn a_folder_keeps_no_partial_file_that_a_full_one_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::create(FolderStore::create(folder.path()).unwrap(), key()).unwrap();
    for n in 0..257 {
        log.append_batch(&entries(n..n + 1, 0)).unwrap();
    }
    assert!(!folder.path().join("tile/0/000.p").exists());
    assert!(!folder.path().join("tile/entries/000.p").exists());
    assert_eq!(folder.path().join("tile/0/000").metadata().unwrap().len(), 8192);
    assert!(folder.path().join("tile/entries/001.p/1").exists());
}

#[test]
fn a_tile_that_was_filled_when_its_writer_was_killed_leaves_no_partial_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::create(FolderStore::create(folder.path()).unwrap().lagging(), key()).unwrap();
    for size in [200, 250] {
        log.append_batch(&entries(log.size()..size, 0)).unwrap();
        log.store_mut().publish().unwrap();
    }
    log.append_batch(&entries(250..260, 0)).unwrap();
    let killed = files_of(folder.path());
    let there =
        |files: &[(PathBuf, Vec<u8>)], name: &str| files.iter().any(|(path, _)| path == Path::new(name));
    assert!(there(&killed, "tile/0/000.p/250") && !there(&killed, "tile/0/000"), "it fills the tile later");
    let again = restore(&killed);
    drop(Log::open(FolderStore::open(again.path()).unwrap(), key()).unwrap());
    let after = files_of(again.path());
    for tile in ["tile/0/000", "tile/entries/000"] {
        let beside = after.iter().any(|(path, _)| path.starts_with(format!("{tile}.p")));
        assert!(
            there(&after, tile) && !beside,
            "{tile}: {:?}",
            after.iter().map(|(path, _)| path).collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_with_a_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tile"), "in the way").unwrap();
    let mut log = Log::create(FolderStore::create(folder.path()).unwrap(), key()).unwrap();
    let error = log.append_batch(&entries(0..1, 0)).unwrap_err().to_string();
    assert!(error.contains("make folder") && error.contains("tile/entries"), "{error}");
    assert!(matches!(Log::open(MemoryStore::default(), key()), Err(LogError::NoLog)));
}

/// Names the folder in which a copy of this program writes until it is killed.
const CHILD: &str = "MICROSTAMP_TEST_LOG_FOLDER";

#[test]
fn a_killed_process_loses_nothing_it_acknowledged() {
    if let Some(folder) = env::var_os(CHILD) {
        append_until_killed(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    drop(Log::create(FolderStore::create(folder.path()).unwrap(), key()).unwrap());
    let mut remembered = Vec::new();
    for round in 0..12 {
        let acknowledged = kill_after(folder.path(), Duration::from_micros(1 + 3_701 * round));
        let log = Log::open(FolderStore::open(folder.path()).unwrap(), key()).unwrap();
        assert!(log.size() >= acknowledged, "{} of {acknowledged} entries are left", log.size());
        remembered.push(log.checkpoint().clone());
        let report = fsck(log.store(), key().verifier(), &remembered).unwrap();
        assert_eq!((report.entries, report.findings), (log.size(), vec![]));
        for n in 0..log.size() {
            assert_eq!(log.tree().entry(n).unwrap(), n.to_be_bytes());
        }
    }
    assert!(remembered.last().unwrap().checkpoint.size >= 12, "the child hardly wrote");
}

/// Starts the child, kills it after it has been writing for a while, and returns the size it acknowledged last.
fn kill_after(folder: &Path, time: Duration) -> u64 {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "crash::a_killed_process_loses_nothing_it_acknowledged", "--nocapture"])
        .env(CHILD, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut sizes = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("size ")?.parse().ok());
    let first: u64 = sizes.next().expect("the child appends and says so");
    let reader = thread::spawn(move || sizes.last().unwrap_or(first));
    thread::sleep(time);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

fn append_until_killed(folder: &Path) -> ! {
    let mut log = Log::open(FolderStore::open(folder).unwrap(), key()).unwrap();
    for batch in (1..=90).cycle() {
        let size = log.size();
        let entries: Vec<_> = (size..size + batch).map(u64::to_be_bytes).collect();
        log.append_batch(&entries).unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nsize {}", log.size()).unwrap();
        out.flush().unwrap();
    }
    unreachable!("a cycle has no end")
}

/// Files below a folder, by their path within it.
fn files_of(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push((path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap()));
            }
        }
    }
    files
}

fn restore(files: &[(PathBuf, Vec<u8>)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

/// Opens a copy of a log, checks it, and returns its size.
fn recovered(files: &[(PathBuf, Vec<u8>)]) -> u64 {
    let folder = restore(files);
    let log = Log::open(FolderStore::open(folder.path()).unwrap(), key()).unwrap();
    let report = fsck(log.store(), key().verifier(), &[]).unwrap();
    assert_eq!((report.entries, report.findings), (log.size(), vec![]));
    for n in 0..log.size() {
        assert_eq!(log.tree().entry(n).unwrap(), entries(n..n + 1, 0)[0]);
    }
    log.size()
}

/// The worst power cut: of all that was written since the log was opened, only the journal reached the disk, and
/// perhaps not all of it.
#[test]
fn after_a_power_cut_the_journal_alone_brings_back_what_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::create(FolderStore::create(folder.path()).unwrap(), key()).unwrap();
    log.append_batch(&entries(0..200, 0)).unwrap();
    drop(log);
    let before = files_of(folder.path());
    assert!(before.iter().all(|(name, bytes)| !name.starts_with(".journal.0") || bytes.is_empty()));

    let mut log = Log::open(FolderStore::open(folder.path()).unwrap(), key()).unwrap();
    let mut ends = vec![(0, 200)];
    for batch in [1, 55, 1, 300, 7] {
        log.append_batch(&entries(log.size()..log.size() + batch, 0)).unwrap();
        let journal = fs::read(folder.path().join(".journal.0")).unwrap();
        ends.push((journal.len(), log.size()));
    }
    let journal = fs::read(folder.path().join(".journal.0")).unwrap();
    for cut in (0..journal.len()).step_by(997).chain(ends.iter().map(|(end, _)| *end)) {
        let mut after = before.clone();
        after.retain(|(name, _)| !name.starts_with(".journal.0"));
        after.push((".journal.0".into(), journal[..cut].to_vec()));
        let expected = ends.iter().rev().find(|(end, _)| *end <= cut).unwrap().1;
        assert_eq!(recovered(&after), expected, "journal cut at {cut}");
    }
    let mut flipped = journal.clone();
    flipped[ends[2].0 + 30] ^= 1;
    let mut after = before;
    after.retain(|(name, _)| !name.starts_with(".journal.0"));
    after.push((".journal.0".into(), flipped));
    assert_eq!(recovered(&after), ends[2].1, "a record that does not fit its hash ends the journal");
}

#[test]
fn the_journal_stays_small_and_whole_while_its_files_take_turns() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::create(FolderStore::create(folder.path()).unwrap(), key()).unwrap();
    let length = |name| fs::metadata(folder.path().join(name)).unwrap().len();
    for _ in 0..10 {
        log.append_batch(&entries(log.size()..log.size() + 9_999, 0)).unwrap();
        let both = length(".journal.0") + length(".journal.1");
        assert!(both < 40 << 20, "{both} bytes of journal");
    }
    let live = files_of(folder.path());
    let copy = restore(&live);
    let found = Log::open(FolderStore::open(copy.path()).unwrap(), key()).unwrap();
    assert_eq!(found.checkpoint(), log.checkpoint());
    drop(log);
    assert_eq!((length(".journal.0"), length(".journal.1")), (0, 0));
    let reader = FolderStore::read_only(folder.path());
    assert_eq!(fsck(&reader, key().verifier(), &[]).unwrap().findings, []);
}

/// A log whose journal is overwritten and whose appends carry lines of a file beside it.
struct Beside {
    root: tempfile::TempDir,
    log: Log<FolderStore>,
    lines: Vec<u8>,
}

impl Beside {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let store = FolderStore::create(&root.path().join("log")).unwrap().lagging();
        Self { log: Log::create(store, key()).unwrap(), root, lines: Vec::new() }
    }

    fn append(&mut self, length: usize) {
        let (size, offset) = (self.log.size(), self.lines.len() as u64);
        let line = vec![b'a' + (size % 26) as u8; length];
        self.lines.extend(&line);
        let piece = Piece::new("records", "2026-11.jsonl", offset, line).unwrap();
        self.log.store_mut().beside(piece).unwrap();
        self.log.append_batch(&entries(size..size + 1, 0)).unwrap();
    }
}

/// What is there once a copy was opened: entries of the log, and the file beside it.
fn recovered_beside(files: &[(PathBuf, Vec<u8>)]) -> (u64, Vec<u8>) {
    let copy = restore(files);
    let log = Log::open(FolderStore::open(&copy.path().join("log")).unwrap(), key()).unwrap();
    let report = fsck(log.store(), key().verifier(), &[]).unwrap();
    assert_eq!((report.entries, report.findings), (log.size(), vec![]));
    (log.size(), fs::read(copy.path().join("records/2026-11.jsonl")).unwrap_or_default())
}

#[test]
fn one_flush_makes_an_append_and_what_lies_beside_it_durable() {
    let mut beside = Beside::new();
    beside.log.store_mut().publish().unwrap();
    let before = files_of(beside.root.path());
    let mut ends = vec![0];
    for length in [10, 3_000, 1, 70_000, 400, 600_000] {
        beside.append(length);
        ends.push(beside.lines.len());
    }
    let journal = fs::read(beside.root.path().join("log/.journal.0")).unwrap();
    assert!(journal.len().is_multiple_of(1 << 19), "it grows in steps: {}", journal.len());
    let with = |journal: &[u8]| {
        let mut after = before.clone();
        after.retain(|(name, _)| !name.ends_with(".journal.0"));
        after.push(("log/.journal.0".into(), journal.to_vec()));
        recovered_beside(&after)
    };
    // The empty log's first checkpoint stands in the journal too.
    assert_eq!(with(&journal), (6, beside.lines.clone()));
    for cut in (0..journal.len()).step_by(9_973) {
        let (size, lines) = with(&journal[..cut]);
        assert_eq!(lines.len(), ends[size as usize], "both or neither, journal cut at {cut}");
        assert!(beside.lines.starts_with(&lines));
    }
}

#[test]
fn a_journal_that_is_overwritten_never_brings_an_older_state_back() {
    let mut beside = Beside::new();
    let mut turns = std::collections::HashSet::new();
    for round in 0..420 {
        beside.append(40_000);
        if round % 9 == 0 {
            beside.log.store_mut().publish().unwrap();
        }
        if round % 37 == 0 {
            // The process is killed here; the files are as they are now.
            let live = files_of(beside.root.path());
            let used = |name: &str| {
                let file = live.iter().find(|(path, _)| path.ends_with(name)).unwrap();
                file.1.iter().take(8).any(|byte| *byte > 0)
            };
            turns.insert((used(".journal.0"), used(".journal.1")));
            assert_eq!(recovered_beside(&live), (beside.log.size(), beside.lines.clone()), "round {round}");
        }
    }
    assert!(turns.len() > 1, "the files took turns: {turns:?}");
    let root = beside.root;
    drop(beside.log);
    for name in ["log/.journal.0", "log/.journal.1"] {
        assert_eq!(fs::metadata(root.path().join(name)).unwrap().len(), 0, "a clean end leaves nothing");
    }
}

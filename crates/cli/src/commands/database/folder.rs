//! The folder of a scan database: its catalogue and its feature file, opened, appended to, mapped.
//!
//! The catalogue is the authority: features are written and synced first, inside the catalogue's transaction, so that what
//! a crash leaves behind the last catalogued record is cut off by the next writer and never seen by a reader. A small file
//! says from which record on somebody writes: without it whole records behind the catalogue are no crash's, but those of a
//! catalogue that was lost or is older, and nothing is cut.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use comparison::search::{self, Features, RECORD_BYTES, Store};
use comparison::{MarkKind, Preset};
use memmap2::Mmap;
use sha2::{Digest as _, Sha256};

use super::catalogue::{Catalogue, Row, Scan, Sealed};
use super::seal;
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

const CATALOGUE: &str = "catalogue.sqlite";
const FEATURES: &str = "features.bin";
/// While records are written: the number of the first of them.
const WRITING: &str = "features.writing";

/// A scan ready to be taken in.
pub(crate) struct Entry {
    pub(crate) scan: Scan,
    pub(crate) features: Features,
    /// The prepared scan in bytes, for comparing in full later.
    pub(crate) prepared: Option<Vec<u8>>,
}

/// A database open for reading and appending.
pub(crate) struct Database {
    path: PathBuf,
    pub(crate) catalogue: Catalogue,
    pub(crate) preset: Preset,
}

impl Database {
    /// Opens a database, made where there is none: for the preset that is wanted, else for the one for breech faces. One that
    /// is there must have been made for the preset that is wanted.
    pub(crate) fn create(path: &Path, wanted: Option<Preset>) -> Result<Self, Failure> {
        files::create_folder(path)?;
        let file = path.join(FEATURES);
        if !file.exists() {
            let preset = wanted.clone().unwrap_or_else(|| Preset::default_for(MarkKind::BreechFace));
            files::write(&file, &search::header(&preset))?;
        }
        let preset = made_with(&file, wanted)?;
        let catalogue = Catalogue::open(&path.join(CATALOGUE), true)?;
        Ok(Self { path: path.to_owned(), catalogue, preset })
    }

    /// Opens a database that is there; made with the preset that is wanted, where one is.
    pub(crate) fn open(path: &Path, wanted: Option<Preset>) -> Result<Self, Failure> {
        let file = path.join(FEATURES);
        if !file.is_file() || !path.join(CATALOGUE).is_file() {
            return Err(Exit::BadInput.because(format!(
                "`{}` is no scan database\nhint: make one with `microstamp database index DIR --database {0}`",
                path.display()
            )));
        }
        let preset = made_with(&file, wanted)?;
        let catalogue = Catalogue::open(&path.join(CATALOGUE), false)?;
        Ok(Self { path: path.to_owned(), catalogue, preset })
    }

    /// The row of a record that the feature file holds.
    pub(crate) fn row(&mut self, record: usize) -> Result<Row, Failure> {
        self.catalogue.row(record as i64)?.ok_or_else(|| {
            Exit::Environment.because(format!("the catalogue of the database lacks record {record}"))
        })
    }

    fn cannot(&self, what: &str) -> String {
        format!("cannot {what} `{}`", self.path.join(FEATURES).display())
    }

    /// Appends entries, all or none of them.
    pub(crate) fn append(&mut self, entries: Vec<Entry>) -> Result<(), Failure> {
        if entries.is_empty() {
            return Ok(());
        }
        let cannot = self.cannot("write");
        let (file, marker) = (self.path.join(FEATURES), self.path.join(WRITING));
        let (mut scans, mut records) = (Vec::new(), Vec::new());
        for entry in entries {
            let Entry { scan, features, prepared } = entry;
            let prepared_sha256 = prepared.as_deref().map(seal::digest);
            let seal = seal::seal(&scan, features.content(), prepared_sha256.as_deref());
            records.extend_from_slice(features.sealed(&seal).bytes());
            scans.push(Sealed { scan, prepared, prepared_sha256, seal: hex::encode(seal) });
        }
        self.catalogue.append(&scans, |first| {
            let end = (first as u64 + 1) * RECORD_BYTES as u64;
            let length = std::fs::metadata(&file).or_exit(Exit::Environment, &cannot)?.len();
            if length < end {
                return Err(Exit::Environment.because(format!(
                    "{cannot}: it holds fewer records than the catalogue\nhint: restore the folder from a backup, or index again"
                )));
            }
            let begun = std::fs::read_to_string(&marker).ok().and_then(|text| text.trim().parse().ok());
            if length >= end + RECORD_BYTES as u64 && begun != Some(first) {
                return Err(Exit::Environment.because(format!(
                    "{cannot}: it holds {} scans and the catalogue {first}, and no writer was interrupted\n\
                     hint: restore `{CATALOGUE}` from a backup, or index into a new folder",
                    length / RECORD_BYTES as u64 - 1
                )));
            }
            written(&file, &marker, first, &records).or_exit(Exit::Environment, &cannot)
        })?;
        // What is left of it after a crash here tells of records that the catalogue has: the next writer knows better.
        let _ = std::fs::remove_file(self.path.join(WRITING));
        Ok(())
    }

    /// Maps the feature file, as far as the catalogue vouches for it, with the beginning of the seal that each record must bear.
    pub(crate) fn map(&mut self) -> Result<Mapped, Failure> {
        let seals = self.catalogue.seals()?;
        let records = seals.len();
        let file = File::open(self.path.join(FEATURES)).or_exit(Exit::Environment, self.cannot("read"))?;
        let map = map(&file).or_exit(Exit::Environment, self.cannot("read"))?;
        let end = (records + 1) * RECORD_BYTES;
        if map.len() < end {
            return Err(Exit::Environment.because(format!(
                "{}: it holds fewer records than the catalogue\nhint: restore the folder from a backup, or index again",
                self.cannot("use")
            )));
        }
        Ok(Mapped { map, end, seals })
    }
}

/// The preset of that name, where scans prepared with it can be searched.
pub(crate) fn searchable(name: &str) -> Result<Preset, Failure> {
    let preset = Preset::named(name).or_exit(Exit::BadInput, "cannot search")?;
    if preset.mark == MarkKind::FiringPin {
        return Err(Exit::BadInput.because(format!(
            "cannot search with `{name}`: codes and registration are made for breech faces\n\
             hint: compare firing-pin impressions two by two with `microstamp compare --mark firing-pin`"
        )));
    }
    let kept = 4.0 * preset.pitch.to_um();
    if (kept - 25.0).abs() > 1e-6 {
        return Err(Exit::BadInput.because(format!(
            "cannot search with `{name}`: an index keeps 25 um between samples, and this preset comes to {kept} um\n\
             hint: take `microstamp-1`"
        )));
    }
    Ok(preset)
}

/// The preset of a feature file; features made with another one than is wanted would be compared with what they are not.
fn made_with(file: &Path, wanted: Option<Preset>) -> Result<Preset, Failure> {
    let cannot = |what: &str| format!("cannot {what} `{}`", file.display());
    let mut header = vec![0; RECORD_BYTES];
    let read = |mut file: File| file.read_exact(&mut header);
    File::open(file).and_then(read).or_exit(Exit::BadInput, cannot("read"))?;
    let store = Store::open(&header).or_exit(Exit::BadInput, cannot("use"))?;
    let made = store.preset();
    if let Some(wanted) = wanted.filter(|wanted| wanted.name != made) {
        return Err(Exit::BadInput.because(format!(
            "{}: its features were made with `{made}`, not with `{}`\nhint: index the scans again into a new folder with `--preset {1}`",
            cannot("use"),
            wanted.name
        )));
    }
    searchable(made)
}

/// Writes records for good from the place of the first on; what lay there is cut off.
fn written(file: &Path, marker: &Path, first: i64, records: &[u8]) -> std::io::Result<()> {
    let mut writing = File::create(marker)?;
    writing.write_all(format!("{first}\n").as_bytes())?;
    writing.sync_all()?;
    let end = (first as u64 + 1) * RECORD_BYTES as u64;
    let mut file = OpenOptions::new().write(true).open(file)?;
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end))?;
    file.write_all(records)?;
    file.sync_data()
}

/// The feature file in memory.
pub(crate) struct Mapped {
    map: Mmap,
    end: usize,
    seals: Vec<u64>,
}

impl Mapped {
    pub(crate) fn store(&self) -> Result<Store<'_>, Failure> {
        Store::open(&self.map[..self.end]).or_exit(Exit::BadInput, "cannot use the feature file")
    }

    /// The first record that is whole and does not belong to its row in the catalogue.
    pub(crate) fn exchanged(&self, store: &Store<'_>) -> Option<usize> {
        let bears = |record: usize, seal: u64| store.seal(record)[..8] == seal.to_be_bytes();
        (0..)
            .zip(&self.seals)
            .find(|&(record, &seal)| !bears(record, seal) && store.is_sound(record))
            .map(|(record, _)| record)
    }

    /// SHA-256 over the header and the seals of all records: each seal binds what is known of its scan, its features and its
    /// prepared scan.
    pub(crate) fn digest(&self, store: &Store<'_>) -> String {
        let mut digest = Sha256::new_with_prefix(&self.map[..RECORD_BYTES]);
        (0..store.len()).for_each(|record| digest.update(store.seal(record)));
        hex::encode(digest.finalize())
    }

    /// Bytes behind the records that the catalogue knows.
    pub(crate) fn behind(&self) -> usize {
        self.map.len() - self.end
    }
}

#[expect(
    unsafe_code,
    reason = "a map is sound while nobody shortens the file; writers here only cut what no reader maps"
)]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the map is read-only, records behind the catalogued ones are never looked at, and a changed byte in one
    // that is looked at fails its checksum. Someone who shortens the file by other means ends the search with a signal.
    unsafe { Mmap::map(file) }
}

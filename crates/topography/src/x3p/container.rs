//! The zip file around an X3P: entries are found by name and read into memory, never extracted.

use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use crate::{FileError, Limits};

const MOST_ENTRIES: usize = 10_000;
/// Deflate cannot do better than about 1,030 to 1; a surface is never that empty where it is this large.
const BOMB_RATIO: u64 = 200;
const BOMB_BYTES: u64 = 64 << 20;

pub(super) struct Container<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    names: Vec<String>,
    limits: Limits,
}

impl<'a> Container<'a> {
    pub(super) fn open(bytes: &'a [u8], limits: &Limits) -> Result<Self, FileError> {
        limits.check_file(bytes)?;
        if !bytes.starts_with(b"PK") {
            return Err(FileError::damaged(describe_foreign(bytes)));
        }
        check_entry_count(bytes)?;
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|_| {
            FileError::damaged(
                "the zip file's table of contents is missing or damaged, as in a file cut short",
            )
        })?;
        if archive.len() > MOST_ENTRIES {
            return Err(too_many_entries(archive.len() as u64));
        }
        let names = archive.file_names_raw().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        Ok(Self { archive, names, limits: *limits })
    }

    /// The entries that may be the main document, the likeliest first.
    pub(super) fn documents(&self) -> Vec<usize> {
        let mut found: Vec<(bool, usize, usize)> = Vec::new();
        for (index, name) in self.names.iter().enumerate() {
            let path = tidy(name);
            if is_junk(&path) || !path.ends_with("main.xml") {
                continue;
            }
            let exact = path.rsplit('/').next() == Some("main.xml");
            found.push((!exact, path.matches('/').count(), index));
        }
        found.sort_unstable();
        found.into_iter().map(|(_, _, index)| index).collect()
    }

    pub(super) fn name(&self, index: usize) -> &str {
        &self.names[index]
    }

    /// Finds the entry that a document in the same folder links to.
    pub(super) fn find(&self, document: usize, link: &str) -> Option<usize> {
        let document = tidy(&self.names[document]);
        let folder = document.rfind('/').map_or("", |end| &document[..=end]);
        let link = tidy(link);
        let beside = format!("{folder}{link}");
        let tail = format!("/{link}");
        let by = |wanted: &dyn Fn(&str) -> bool| {
            self.names.iter().position(|name| {
                let path = tidy(name);
                !is_junk(&path) && wanted(&path)
            })
        };
        by(&|path| path == beside)
            .or_else(|| by(&|path| path == link))
            .or_else(|| by(&|path| path.ends_with(&tail)))
    }

    /// The size an entry claims to unpack to, checked against the limits and against zip bombs.
    pub(super) fn unpacked_bytes(&mut self, index: usize) -> Result<u64, FileError> {
        let name = self.names[index].clone();
        let entry = self.archive.by_index_raw(index).map_err(|error| unreadable(&name, &error))?;
        let (packed, unpacked) = (entry.compressed_size(), entry.size());
        self.limits.check_unpacked(unpacked)?;
        if unpacked > BOMB_BYTES && unpacked / packed.max(1) > BOMB_RATIO {
            return Err(FileError::damaged(format!(
                "`{name}` unpacks from {packed} to {unpacked} bytes, as only a zip bomb does"
            )));
        }
        Ok(unpacked)
    }

    /// Passes an entry's bytes to `take`, piece by piece.
    pub(super) fn stream(
        &mut self,
        index: usize,
        mut take: impl FnMut(&[u8]) -> Result<(), FileError>,
    ) -> Result<(), FileError> {
        let claimed = self.unpacked_bytes(index)?;
        let name = self.names[index].clone();
        let entry = self.archive.by_index(index).map_err(|error| unreadable(&name, &error))?;
        let mut entry = entry.take(claimed + 1);
        let mut piece = vec![0_u8; 1 << 16];
        let mut total = 0_u64;
        loop {
            let count = entry.read(&mut piece).map_err(|error| {
                FileError::damaged(format!("`{name}` in the zip file is damaged ({error})"))
            })?;
            if count == 0 {
                break;
            }
            total += count as u64;
            if total > claimed {
                return Err(FileError::damaged(format!(
                    "`{name}` unpacks to more bytes than the zip file states"
                )));
            }
            take(&piece[..count])?;
        }
        if total < claimed {
            return Err(FileError::damaged(format!("`{name}` is cut short: {total} of {claimed} bytes")));
        }
        Ok(())
    }

    /// An entry's bytes, at most `most`.
    pub(super) fn read(&mut self, index: usize, most: u64) -> Result<Vec<u8>, FileError> {
        let claimed = self.unpacked_bytes(index)?;
        if claimed > most {
            return Err(FileError::limit("a part of the file unpacks to too many bytes", claimed, most));
        }
        let mut bytes = Vec::with_capacity(claimed.min(1 << 20) as usize);
        self.stream(index, |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(bytes)
    }
}

fn describe_foreign(bytes: &[u8]) -> &'static str {
    if bytes.is_empty() {
        "the file is empty, so it is not an X3P scan"
    } else {
        "the file does not begin like a zip file, so it is not an X3P scan"
    }
}

/// Reads the number of entries from the end of the file, before a table of millions is built in memory.
fn check_entry_count(bytes: &[u8]) -> Result<(), FileError> {
    let tail = &bytes[bytes.len().saturating_sub(66_000)..];
    let Some(at) = tail.windows(4).rposition(|window| window == b"PK\x05\x06") else { return Ok(()) };
    let Some(count) = tail.get(at + 10..at + 12) else { return Ok(()) };
    let count = u16::from_le_bytes([count[0], count[1]]);
    if usize::from(count) > MOST_ENTRIES { Err(too_many_entries(u64::from(count))) } else { Ok(()) }
}

fn too_many_entries(count: u64) -> FileError {
    FileError::limit("the zip file has too many entries", count, MOST_ENTRIES as u64)
}

fn unreadable(name: &str, error: &ZipError) -> FileError {
    match error {
        ZipError::UnsupportedArchive(_) | ZipError::CompressionMethodNotSupported(_) => {
            FileError::unsupported(format!(
                "`{name}` is encrypted or packed with a method other than deflate"
            ))
        }
        _ => FileError::damaged(format!("`{name}` in the zip file is damaged")),
    }
}

fn tidy(name: &str) -> String {
    let path = name.trim().replace('\\', "/").to_lowercase();
    path.trim_start_matches("./").trim_start_matches('/').to_owned()
}

fn is_junk(path: &str) -> bool {
    path.split('/').any(|part| part == "__macosx" || part.starts_with("._"))
}

//! Where a result goes: into a file that appears whole or not at all, or straight into what is no file.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::exit::{Exit, Failure};

/// Who may read a new file. A file that is there already keeps its mode.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Whoever the machine's usual mode lets.
    Usual,
    /// Its owner alone: it holds what people told in confidence.
    Owner,
}

/// Writes a result to a file, or to standard output for `-`.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    whole(path, bytes, Readers::Usual)
}

/// The same for a result that only its owner may read.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    whole(path, bytes, Readers::Owner)
}

fn whole(path: &Path, bytes: &[u8], readers: Readers) -> Result<(), Failure> {
    let mut out = Output::new(path, readers)?;
    out.write_all(bytes).map_err(|error| cannot_write(path, &error))?;
    out.finish()
}

/// A result that is written piece by piece, because it may be larger than memory.
pub(crate) struct Output {
    out: io::BufWriter<Box<dyn io::Write>>,
    path: PathBuf,
    /// Where it is written, and the name that it gets in the end; nothing for what is no plain file.
    names: Option<(PathBuf, PathBuf)>,
}

impl Output {
    /// Standard output for `-`. A device or a pipe is written into, never replaced; a link is followed.
    pub(crate) fn new(path: &Path, readers: Readers) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Ok(Self::to(path, Box::new(io::stdout()), None));
        }
        let cannot = |error: io::Error| cannot_write(path, &error);
        let target = followed(path).map_err(cannot)?;
        let there = fs::metadata(&target).ok();
        if let Some(there) = &there
            && !there.is_file()
        {
            let file = OpenOptions::new().write(true).open(&target).map_err(cannot)?;
            return Ok(Self::to(path, Box::new(file), None));
        }
        let temporary = beside(&target);
        let file = create(&temporary, readers).map_err(cannot)?;
        let out = Self::to(path, Box::new(file), Some((temporary.clone(), target)));
        if let Some(there) = there {
            fs::set_permissions(&temporary, there.permissions()).map_err(cannot)?;
        }
        Ok(out)
    }

    fn to(path: &Path, out: Box<dyn io::Write>, names: Option<(PathBuf, PathBuf)>) -> Self {
        Self { out: io::BufWriter::new(out), path: path.to_owned(), names }
    }

    /// Writes what is left and gives the file its name.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        let written = self.out.flush().inspect_err(gone_away);
        let named = written.and_then(|()| match &self.names {
            Some((temporary, target)) => fs::rename(temporary, target),
            None => Ok(()),
        });
        named.map_err(|error| cannot_write(&self.path, &error))?;
        self.names = None;
        Ok(())
    }
}

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes).inspect_err(gone_away)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush().inspect_err(gone_away)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some((temporary, _)) = &self.names {
            // The result did not become whole: nothing of it stays.
            let _ = fs::remove_file(temporary);
        }
    }
}

/// A reader that has gone away ends the run quietly.
pub(super) fn gone_away(error: &io::Error) {
    if error.kind() == io::ErrorKind::BrokenPipe {
        std::process::exit(0);
    }
}

/// Where a path leads; a link to nothing yet leads where it says.
fn followed(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Ok(target) => Ok(target),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Err(_) => Ok(match fs::read_link(path) {
            Ok(target) => path.parent().unwrap_or(Path::new("")).join(target),
            Err(_) => path.to_owned(),
        }),
    }
}

/// The temporary file of an earlier run that was killed may be in the way, since process numbers come again.
fn create(temporary: &Path, readers: Readers) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if readers == Readers::Owner {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    match options.open(temporary) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(temporary)?;
            options.open(temporary)
        }
        opened => opened,
    }
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or(OsStr::new("output")).to_string_lossy();
    path.with_file_name(format!(".{name}.{}.part", std::process::id()))
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    let place =
        if path == Path::new("-") { "to standard output".into() } else { format!("`{}`", path.display()) };
    Exit::Environment.because(format!("cannot write {place}: {error}"))
}

//! Opening and writing files: the only place of this program that touches the disk for plain files.

mod output;
mod printable;

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

pub(crate) use output::{Output, Readers, write, write_private};
pub(crate) use printable::printable;

use crate::exit::{Exit, Failure};

/// No picture or scan of a cartridge case comes near this size.
const MAX_INPUT_BYTES: u64 = 512 << 20;

/// Reads a whole file, refusing absurd sizes before reading them.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let cannot = |error: io::Error| unreadable(path, &error);
    let file = File::open(path).map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    if metadata.is_dir() {
        return Err(
            Exit::BadInput.because(format!("`{}` is a folder\nhint: name the files in it", path.display()))
        );
    }
    let mut bytes = Vec::with_capacity(metadata.len().min(MAX_INPUT_BYTES) as usize);
    file.take(MAX_INPUT_BYTES + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > MAX_INPUT_BYTES {
        let limit = MAX_INPUT_BYTES >> 20;
        return Err(
            Exit::BadInput.because(format!("`{}` is larger than {limit} MiB, the limit", path.display()))
        );
    }
    Ok(bytes)
}

/// Opens a file that is read piece by piece, because it may be larger than memory.
pub(crate) fn open(path: &Path) -> Result<File, Failure> {
    let cannot = |error: io::Error| unreadable(path, &error);
    let file = File::open(path).map_err(cannot)?;
    if file.metadata().map_err(cannot)?.is_file() {
        Ok(file)
    } else {
        Err(Exit::BadInput.because(format!("`{}` is not a plain file", path.display())))
    }
}

/// The first bytes of a file, eight at most: enough to tell what it is.
pub(crate) fn head(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut head = Vec::with_capacity(8);
    let read = |file: File| file.take(8).read_to_end(&mut head);
    File::open(path).and_then(read).map_err(|error| unreadable(path, &error))?;
    Ok(head)
}

/// Reads a whole text file.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(read(path)?)
        .map_err(|_| Exit::BadInput.because(format!("`{}` is not UTF-8 text", path.display())))
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let exit = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::IsADirectory => {
            Exit::BadInput
        }
        _ => Exit::Environment,
    };
    exit.because(format!("cannot read `{}`: {error}", path.display()))
}

/// Writes a new file that only its owner may read.
pub(crate) fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Makes a folder and those above it.
pub(crate) fn create_folder(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).map_err(|error| {
        Exit::Environment.because(format!("cannot make the folder `{}`: {error}", path.display()))
    })
}

/// Prints bytes to standard output. A reader that has gone away ends the run quietly.
pub(crate) fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()).inspect_err(output::gone_away) {
        Err(error) => Err(Exit::Environment.because(format!("cannot write to standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Prints one line to standard output.
pub(crate) fn print_line(line: impl std::fmt::Display) -> Result<(), Failure> {
    print(format!("{line}\n").as_bytes())
}

/// Prints a remark to standard error; standard output stays clean for data.
pub(crate) fn remark(line: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// The extension of a file in lower case, or nothing.
pub(crate) fn extension(path: &Path) -> String {
    path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default()
}

//! The files that are meant: those named, and those in the folders named.

use std::fs;
use std::path::{Path, PathBuf};

use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// What a folder is searched for; a file that is named is tried whatever it is called.
const KINDS: [&str; 7] = ["x3p", "png", "tif", "tiff", "jpg", "jpeg", "bmp"];

/// Files in the order given; a folder stands for the scans and pictures in it and below it, by name.
pub(crate) fn expand(named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in named {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let before = found.len();
        walk(path, &mut found)?;
        if found.len() == before {
            return Err(Exit::BadInput.because(format!(
                "the folder `{}` holds no scans or pictures ({})",
                path.display(),
                KINDS.join(", ")
            )));
        }
    }
    Ok(found)
}

/// Links to folders are not followed: a link to a folder above would never end.
fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let cannot = || format!("cannot look into `{}`", folder.display());
    let mut entries = fs::read_dir(folder)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .or_exit(Exit::Environment, cannot())?;
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        let is_folder = entry.file_type().or_exit(Exit::Environment, cannot())?.is_dir();
        if is_folder {
            walk(&path, found)?;
        } else if KINDS.contains(&files::extension(&path).as_str()) {
            found.push(path);
        }
    }
    Ok(())
}

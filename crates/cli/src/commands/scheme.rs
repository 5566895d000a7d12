//! Schemes by name or from a file.

use std::path::Path;

use symbology::Scheme;

use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// A built-in scheme, or the scheme of a TOML file.
pub(crate) fn named(name: &str) -> Result<Scheme, Failure> {
    let path = Path::new(name);
    if files::extension(path) == "toml" {
        let text = files::read_text(path)?;
        Scheme::from_toml(&text).or_exit(Exit::BadInput, format!("cannot use `{name}`"))
    } else {
        Scheme::by_name(name).or_exit(Exit::BadInput, "no such scheme")
    }
}

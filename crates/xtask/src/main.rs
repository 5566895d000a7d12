//! Project chores; see the README beside this file.

mod architecture;
mod dist;
mod schemas;
mod tidy;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let chore = std::env::args().nth(1).unwrap_or_default();
    match chore.as_str() {
        "architecture" => report("architecture", &architecture::violations(&workspace_root())?),
        "tidy" => report("tidy", &tidy::violations(&workspace_root())?),
        "schemas" => report("schemas", &schemas::violations(&workspace_root())?),
        "dist" => dist::pack(&workspace_root()),
        _ => bail!("`{chore}` is no chore\nhint: `cargo xtask architecture`, `tidy`, `schemas` or `dist`"),
    }
}

/// The folder with the workspace's `Cargo.toml`.
fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("xtask lies two folders deep").to_owned()
}

fn report(chore: &str, violations: &[String]) -> Result<()> {
    if violations.is_empty() { Ok(()) } else { bail!("{chore}:\n  {}", violations.join("\n  ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_depend_only_on_the_rooms_they_may_use() {
        let violations = architecture::violations(&workspace_root()).unwrap();
        assert!(violations.is_empty(), "{violations:#?}");
    }

    #[test]
    fn every_schema_is_documented() {
        let violations = schemas::violations(&workspace_root()).unwrap();
        assert!(violations.is_empty(), "{violations:#?}");
    }

    #[test]
    fn the_house_is_tidy() {
        let violations = tidy::violations(&workspace_root()).unwrap();
        assert!(violations.is_empty(), "{violations:#?}");
    }
}

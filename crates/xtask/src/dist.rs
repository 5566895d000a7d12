//! Packing a release.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// Builds the release executable and packs it with its manual pages, completions and licences.
pub(crate) fn pack(root: &Path) -> Result<()> {
    let dist = root.join("target/dist");
    let house = dist.join("microstamp");
    if house.exists() {
        std::fs::remove_dir_all(&house).with_context(|| format!("cannot clear {}", house.display()))?;
    }
    std::fs::create_dir_all(house.join("completions")).context("cannot make target/dist")?;
    run(root, "cargo", &["build", "--profile", "packed", "--locked", "--package", "cli"])?;
    let executable = root.join("target/packed/microstamp");
    std::fs::copy(&executable, house.join("microstamp")).context("cannot copy the executable")?;
    for file in ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        std::fs::copy(root.join(file), house.join(file)).with_context(|| format!("cannot copy {file}"))?;
    }
    for shell in ["bash", "fish", "zsh"] {
        let script =
            Command::new(&executable).args(["completions", shell]).output().context("no completions")?;
        std::fs::write(house.join("completions").join(shell), script.stdout)
            .context("cannot write completions")?;
    }
    run(&house, "./microstamp", &["man", "--output", "man"])?;
    run(&dist, "tar", &["--sort=name", "--owner=0", "--group=0", "-czf", "microstamp.tar.gz", "microstamp"])?;
    run(&dist, "sh", &["-c", "sha256sum microstamp.tar.gz > microstamp.tar.gz.sha256"])
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> Result<()> {
    let status = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .status()
        .with_context(|| format!("cannot run {program}"))?;
    if status.success() { Ok(()) } else { bail!("{program} {} failed", arguments.join(" ")) }
}

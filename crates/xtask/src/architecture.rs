//! The allowed directions between the rooms, and what breaks them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// Which rooms a room may use in what it ships (see `ARCHITECTURE.md`).
const ALLOWED: &[(&str, &[&str])] = &[
    ("symbology", &[]),
    ("topography", &[]),
    ("transparency", &[]),
    ("report", &[]),
    ("marking", &["symbology", "topography"]),
    ("impression", &["marking", "topography"]),
    ("reader", &["symbology", "marking", "topography"]),
    ("comparison", &["topography"]),
    ("registry", &["symbology", "transparency"]),
    ("casework", &["symbology", "transparency"]),
    ("linkage", &["casework"]),
    ("study", &["impression", "reader", "comparison", "marking", "symbology", "topography", "report"]),
    (
        "server",
        &[
            "symbology",
            "topography",
            "marking",
            "reader",
            "comparison",
            "transparency",
            "registry",
            "casework",
            "linkage",
            "report",
        ],
    ),
    ("cluster", &["study", "comparison", "topography"]),
    (
        "cli",
        &[
            "symbology",
            "topography",
            "marking",
            "impression",
            "reader",
            "comparison",
            "transparency",
            "registry",
            "casework",
            "linkage",
            "report",
            "study",
            "server",
        ],
    ),
    ("xtask", &[]),
];

/// What a room may use besides in its tests and examples: the simulator makes test material, and never more.
const ALLOWED_IN_TESTS: &[(&str, &[&str])] = &[("reader", &["impression"]), ("impression", &["symbology"])];

/// Every dependency between rooms that the tables above do not allow.
pub(crate) fn violations(root: &Path) -> Result<Vec<String>> {
    let metadata = cargo_metadata(root)?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let mut violations = Vec::new();
    for package in packages {
        check_room(package, &mut violations);
    }
    Ok(violations)
}

fn check_room(package: &Value, violations: &mut Vec<String>) {
    let room = package["name"].as_str().unwrap_or_default();
    let allowed: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
    let in_tests: BTreeMap<_, _> = ALLOWED_IN_TESTS.iter().copied().collect();
    let Some(shipped) = allowed.get(room) else {
        violations.push(format!("`{room}` is no room of the table in crates/xtask/src/architecture.rs"));
        return;
    };
    for dependency in package["dependencies"].as_array().into_iter().flatten() {
        let used = dependency["name"].as_str().unwrap_or_default();
        let is_room = dependency["path"].is_string();
        let for_tests = dependency["kind"] == "dev";
        let extra = if for_tests { in_tests.get(room).copied().unwrap_or_default() } else { &[] };
        if is_room && !shipped.contains(&used) && !extra.contains(&used) {
            violations.push(format!("`{room}` must not use `{used}`"));
        }
    }
}

fn cargo_metadata(root: &Path) -> Result<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root)
        .output()
        .context("cannot run cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")
}

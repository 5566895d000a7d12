//! House rules that no compiler knows.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// A file with more lines of code than this must be cut.
const MAX_CODE_LINES: usize = 600;

/// What must not stand in the sources, in two halves so that this file does not find itself.
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("#[igno", "re", "no test is switched off"),
    ("todo", "!(", "no room is left unfinished"),
    ("unimplemented", "!(", "no room is left unfinished"),
    ("\"/wor", "k/", "no path of one machine"),
    ("\"/roo", "t/", "no path of one machine"),
];

/// Every breach of the house rules in the Rust sources.
pub(crate) fn violations(root: &Path) -> Result<Vec<String>> {
    let mut sources = Vec::new();
    collect_sources(&root.join("crates"), &mut sources)?;
    let mut violations = Vec::new();
    for source in sources {
        let text =
            fs::read_to_string(&source).with_context(|| format!("cannot read {}", source.display()))?;
        check_source(source.strip_prefix(root).unwrap_or(&source), &text, &mut violations);
    }
    violations.extend(tests_that_are_not_there(root)?);
    Ok(violations)
}

/// Tests that a document names, as `module::what_it_shows` in backquotes, and that no crate has: a table of controls must not
/// outlive its tests.
fn tests_that_are_not_there(root: &Path) -> Result<Vec<String>> {
    let mut sources = Vec::new();
    collect_sources(&root.join("crates"), &mut sources)?;
    let mut missing = Vec::new();
    for entry in fs::read_dir(root.join("docs")).context("cannot list docs")? {
        let document = entry?.path();
        if document.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = fs::read_to_string(&document)?;
        for (module, name) in text.split('`').filter_map(test_name) {
            let file = format!("{module}.rs");
            let of_module = sources.iter().filter(|source| source.ends_with(&file));
            let is_there = of_module.filter_map(|source| fs::read_to_string(source).ok());
            if !is_there.into_iter().any(|source| source.contains(&format!("fn {name}("))) {
                missing.push(format!(
                    "{} names the test `{module}::{name}`, which is not there",
                    document.display()
                ));
            }
        }
    }
    Ok(missing)
}

/// Module and name, where a word is a test's: its name is a sentence.
fn test_name(word: &str) -> Option<(&str, &str)> {
    let (module, name) = word.split_once("::")?;
    let plain = |text: &str| {
        text.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    (plain(module) && plain(name) && name.matches('_').count() >= 3).then_some((module, name))
}

fn check_source(source: &Path, text: &str, violations: &mut Vec<String>) {
    let code_lines =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count();
    let is_test = source.components().any(|part| part.as_os_str() == "tests");
    if code_lines > MAX_CODE_LINES && !is_test {
        violations.push(format!(
            "{} has {code_lines} lines of code; {MAX_CODE_LINES} is the limit",
            source.display()
        ));
    }
    for (head, tail, rule) in FORBIDDEN {
        if text.contains(&format!("{head}{tail}")) {
            violations.push(format!("{} contains `{head}{tail}`: {rule}", source.display()));
        }
    }
}

/// The Rust sources below a folder, in order.
pub(crate) fn collect_sources(folder: &Path, sources: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect_sources(&path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(path);
        }
    }
    sources.sort();
    Ok(())
}

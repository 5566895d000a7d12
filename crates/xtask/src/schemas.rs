//! Every schema that the sources name stands in `docs/json.md`, and none stands there that they do not name.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::tidy::collect_sources;

/// How every schema begins.
const START: &str = "microstamp.";

/// Schemas that only one side knows.
pub(crate) fn violations(root: &Path) -> Result<Vec<String>> {
    let mut sources = Vec::new();
    collect_sources(&root.join("crates"), &mut sources)?;
    let mut named = BTreeSet::new();
    let tested = |path: &Path| path.components().any(|part| part.as_os_str() == "tests");
    for source in sources.iter().filter(|source| !tested(source)) {
        named.extend(schemas(&read(source)?));
    }
    let listed = schemas(&read(&root.join("docs/json.md"))?);
    let missing = named.difference(&listed).map(|schema| format!("docs/json.md does not list `{schema}`"));
    let stale = listed.difference(&named).map(|schema| format!("no source names `{schema}` of docs/json.md"));
    Ok(missing.chain(stale).collect())
}

/// The schemas in a text, such as the one for readings with its number after a stroke.
fn schemas(text: &str) -> BTreeSet<String> {
    let name = |rest: &str| {
        let (name, after) = rest.split_once('/')?;
        let number: String = after.chars().take_while(char::is_ascii_digit).collect();
        let is_name = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || b"-0123456789".contains(&byte));
        (is_name && !number.is_empty()).then(|| format!("{START}{name}/{number}"))
    };
    text.split(START).skip(1).filter_map(name).collect()
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_with_their_numbers() {
        let text = format!(r#"{{"schema": "{START}two-words/12"}} {START}example/log {START}Other/1"#);
        assert_eq!(schemas(&text), BTreeSet::from([format!("{START}two-words/12")]));
    }
}

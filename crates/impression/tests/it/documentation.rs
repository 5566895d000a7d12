//! The written page of parameters is the one that the program knows.

use std::fmt::Write as _;

use impression::{Ammunition, Conditions, Firearm, Parameter};

const HEAD: &str = include_str!("parameters-head.md");

fn table(title: &str, presets: &[&str], parameters: &[Parameter]) -> String {
    let mut text = format!("\n## {title}\n\nPresets: {}.\n\n", presets.join(", "));
    text.push_str(
        "| name | unit | default | range | meaning | source |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for p in parameters {
        let row = (&p.name, p.unit, p.default, p.low, p.high, p.meaning, p.source);
        writeln!(
            text,
            "| `{}` | {} | {} | {} to {} | {} | {} |",
            row.0, row.1, row.2, row.3, row.4, row.5, row.6
        )
        .expect("text grows");
    }
    text
}

#[test]
fn the_page_of_parameters_is_up_to_date() {
    let mut page = HEAD.to_owned();
    page += &table("Conditions", &Conditions::presets(), &Conditions::describe());
    page += &table("Firearm", &Firearm::presets(), &Firearm::describe());
    page += &table("Ammunition", &Ammunition::presets(), &Ammunition::describe());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/impression.md");
    if std::env::var_os("MICROSTAMP_BLESS").is_some() {
        std::fs::write(path, &page).expect("the page can be written");
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == page, "docs/impression.md is out of date: run this test with MICROSTAMP_BLESS=1");
}

//! Compares a folder of scans under the published presets and prints how well every published rule tells sources apart.
//!
//! ```text
//! cargo run -p comparison --example published_rules -- ../shared/realdata/csafe-fadul [PRESET]…
//! ```
//!
//! The folder holds X3P files and a `ground_truth.csv` whose first two columns are the file and its firearm. Every unordered pair
//! is compared once; counts are the smaller of the two directions. `EVERY=5` takes every fifth pair of two firearms, for presets
//! that take long. Figures are of the scans in the folder.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;

use comparison::{Comparison, Preset, Surface, compare, prepare};
use rayon::prelude::*;
use topography::Topography;

type Anyhow = Box<dyn Error + Send + Sync>;

const PRESETS: [&str; 6] = ["chen2017", "song2014", "cmcr", "chen2018", "weller2012", "ott2017"];

fn main() -> Result<(), Anyhow> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(folder) = arguments.first() else { return Err("give a folder of scans".into()) };
    let scans = read_all(Path::new(folder))?;
    let every: usize = std::env::var("EVERY").map_or(Ok(1), |text| text.parse())?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "| preset | rule | same source | different sources | AUC | pairs |")?;
    writeln!(out, "| --- | --- | --- | --- | --- | --- |")?;
    let wanted = |name: &str| arguments.len() == 1 || arguments[1..].iter().any(|a| a == name);
    for name in PRESETS.into_iter().filter(|name| wanted(name)) {
        let results = compared(&scans, &Preset::named(name)?, every)?;
        for (rule, of) in RULES {
            writeln!(out, "{}", row(name, rule, &results, of))?;
        }
        out.flush()?;
    }
    Ok(())
}

fn read_all(folder: &Path) -> Result<Vec<(String, Topography)>, Anyhow> {
    let mut scans = Vec::new();
    for row in csv::Reader::from_path(folder.join("ground_truth.csv"))?.records() {
        let row = row?;
        let bytes = std::fs::read(folder.join(&row[0]))?;
        scans.push((
            row[1].to_owned(),
            topography::x3p::read(&bytes, &topography::Limits::default())?.topography,
        ));
    }
    Ok(scans)
}

/// Whether it is one firearm, and what the pair came to.
fn compared(
    scans: &[(String, Topography)],
    preset: &Preset,
    every: usize,
) -> Result<Vec<(bool, Comparison)>, Anyhow> {
    let surfaces: Vec<Surface> =
        scans.par_iter().map(|scan| prepare(&scan.1, preset)).collect::<Result<_, _>>()?;
    let all = (0..scans.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
    let (same, different): (Vec<_>, Vec<_>) = all.partition(|&(i, j)| scans[i].0 == scans[j].0);
    let places = [same, different.into_iter().step_by(every).collect()].concat();
    let one = |&(i, j): &(usize, usize)| Ok((scans[i].0 == scans[j].0, compare(&surfaces[i], &surfaces[j])?));
    places.par_iter().map(one).collect()
}

type Rule = fn(&Comparison) -> f64;

const RULES: [(&str, Rule); 5] = [
    ("original", |c| c.cmc.original[0].min(c.cmc.original[1]) as f64),
    ("High", |c| c.cmc.high as f64),
    ("total", |c| c.cmc.total[0].min(c.cmc.total[1]) as f64),
    ("convergence", |c| c.congruent() as f64),
    ("NCMA, %", |c| 100.0 * c.cmc.ncma),
];

fn row(preset: &str, rule: &str, results: &[(bool, Comparison)], of: Rule) -> String {
    let scores = |same: bool| {
        let mut scores: Vec<f64> = results.iter().filter(|r| r.0 == same).map(|r| of(&r.1)).collect();
        scores.sort_by(f64::total_cmp);
        scores
    };
    let (same, different) = (scores(true), scores(false));
    let mut right = 0.0;
    for s in &same {
        right += different
            .iter()
            .map(|d| if s > d { 1.0 } else { 0.5 * f64::from(u8::from(s == d)) })
            .sum::<f64>();
    }
    let range = |v: &[f64]| {
        let at = |i: usize| v.get(i).copied().unwrap_or(f64::NAN);
        format!("{:.0} to {:.0}, median {:.0}", at(0), at(v.len().saturating_sub(1)), at(v.len() / 2))
    };
    format!(
        "| {preset} | {rule} | {} | {} | {:.5} | {} + {} |",
        range(&same),
        range(&different),
        right / (same.len() * different.len()).max(1) as f64,
        same.len(),
        different.len()
    )
}

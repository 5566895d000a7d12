//! Compares the cases of made-up firearms of several styles, shot by shot, and prints how well they are told apart.
//!
//! ```text
//! cargo run -p comparison --example made_up_firearms -- [processed|raw] [PITCH_UM] [STYLE]…
//! ```
//!
//! Everything printed is simulation. The different firearms share feed lines, rings or part of their texture.

#[path = "../tests/it/machining.rs"]
mod machining;

use std::error::Error;
use std::io::Write as _;

use comparison::evidence::{self, Calibration};
use comparison::{ComparisonError, Preset, Surface, compare, prepare};
use machining::{STYLES, Scan, Style};
use rayon::prelude::*;

const FIREARMS: u64 = 5;
const SHOTS: u64 = 2;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let pitch: f64 = arguments.get(1).map_or(Ok(6.25), |text| text.parse())?;
    let scan = if arguments.first().is_some_and(|kind| kind == "raw") {
        Scan::Raw(pitch)
    } else {
        Scan::Processed(pitch)
    };
    let wanted = |style: &&Style| {
        arguments.len() < 3 || arguments[2..].iter().any(|a| *a == format!("{style:?}").to_lowercase())
    };
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "| style | same source, congruent of cells | different | Cllr | Cllr_min | no ratio | refused |"
    )?;
    writeln!(out, "| --- | --- | --- | --- | --- | --- | --- |")?;
    for style in STYLES.iter().filter(wanted) {
        writeln!(out, "{}", row(*style, scan)?)?;
        out.flush()?;
    }
    Ok(())
}

fn row(style: Style, scan: Scan) -> Result<String, ComparisonError> {
    let preset = Preset::named("microstamp-1")?;
    let ids: Vec<(u64, u64)> = (0..FIREARMS).flat_map(|f| (0..SHOTS).map(move |s| (f, s))).collect();
    let prepared: Vec<Result<Surface, ComparisonError>> =
        ids.par_iter().map(|&(f, s)| prepare(&machining::case(style, f, s, scan), &preset)).collect();
    let refused: Vec<String> =
        prepared.iter().filter_map(|p| p.as_ref().err()).map(ToString::to_string).collect();
    let calibration = Calibration::built_in();
    let (mut same, mut different) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    let mut silent = 0;
    for i in 0..ids.len() {
        for j in 0..i {
            let (Ok(a), Ok(b)) = (&prepared[i], &prepared[j]) else { continue };
            let result = compare(a, b)?;
            let kind = if ids[i].0 == ids[j].0 { &mut same } else { &mut different };
            kind.0.push((result.congruent(), result.joint_cells()));
            match calibration.weigh(&result) {
                Ok(ratio) => kind.1.push(ratio.log10),
                Err(_) => silent += 1,
            }
        }
    }
    same.0.sort_unstable();
    different.0.sort_unstable();
    let some: Vec<String> = same.0.iter().map(|(k, n)| format!("{k}/{n}")).collect();
    let most: Vec<String> = different.0.iter().rev().take(4).map(|(k, n)| format!("{k}/{n}")).collect();
    Ok(format!(
        "| {style:?} | {} | {} … | {:.4} | {:.4} | {silent} | {} {} |",
        some.join(" "),
        most.join(" "),
        evidence::cllr(&same.1, &different.1),
        evidence::cllr_min(&same.1, &different.1),
        refused.len(),
        refused.first().map_or("", |r| r.lines().next().unwrap_or_default())
    ))
}

//! `compare --all`: the table of all pairs of a folder.

use std::path::Path;

use comparison::evidence::{Calibration, Reference};
use comparison::{ComparisonError, Preset, Surface};
use rayon::prelude::*;

use crate::commands::calibrate::Truth;
use crate::commands::compare::{file_name, scans_in, surface, weighed};
use crate::exit::{Exit, Failure, OrExit as _};
use crate::{files, progress};

const HEADER: &str =
    "a,b,score,cmc_convergence,cmc_original,cmc_high,ncma,cells,accf_max,log10_lr,cpu_seconds\n";

/// A pair as it stands in the table, and as a reference; none where both scans show one measurement.
struct Row {
    text: String,
    reference: Option<Reference>,
}

/// Compares every pair of scans of a folder, writes the table, and returns the pairs, files in the place of firearms.
pub(crate) fn all(
    folder: &Path,
    output: &Path,
    preset: &Preset,
    calibration: Option<&Calibration>,
    truth: Option<&Truth>,
) -> Result<Vec<Reference>, Failure> {
    let paths = scans_in(folder)?;
    if let Some(truth) = truth {
        let names: Vec<String> = paths.iter().map(|path| file_name(path)).collect();
        truth.check(&names)?;
    }
    let scans = prepared(&paths, preset);
    if scans.len() < 2 {
        return Err(Exit::BadInput.because(format!("`{}` holds fewer than two scans", folder.display())));
    }
    let pairs: Vec<_> = (0..scans.len()).flat_map(|i| (i + 1..scans.len()).map(move |j| (i, j))).collect();
    let bar = progress::bar(pairs.len() as u64, "comparing");
    let rows: Result<Vec<Row>, ComparisonError> = pairs
        .par_iter()
        .map(|&(i, j)| {
            let row = row(&scans[i], &scans[j], calibration);
            bar.inc(1);
            row
        })
        .collect();
    bar.finish_and_clear();
    let mut table = HEADER.to_owned();
    let mut counted = Vec::with_capacity(pairs.len());
    for (row, &(i, j)) in rows.or_exit(Exit::BadInput, "cannot compare")?.into_iter().zip(&pairs) {
        table.push_str(&row.text);
        if row.reference.is_none() {
            let (a, b) = (&scans[i].0, &scans[j].0);
            files::remark(format!(
                "note: `{a}` and `{b}` are one measurement, which says nothing about firearms"
            ));
        }
        counted.extend(row.reference);
    }
    files::write(output, table.as_bytes())?;
    Ok(counted)
}

/// The scans that can be compared, by name; what is left out and what was assumed is said.
fn prepared(paths: &[std::path::PathBuf], preset: &Preset) -> Vec<(String, Surface)> {
    let bar = progress::bar(paths.len() as u64, "preparing");
    let prepared: Vec<_> = paths
        .par_iter()
        .map(|path| {
            let prepared = surface(path, preset);
            bar.inc(1);
            prepared
        })
        .collect();
    bar.finish_and_clear();
    let mut scans = Vec::new();
    for (path, surface) in paths.iter().zip(prepared) {
        match surface {
            Ok((surface, _)) => {
                surface.notes().iter().for_each(|note| files::remark(format!("note: {note}")));
                scans.push((file_name(path), surface));
            }
            Err(failure) => files::remark(format!("left out: {failure}")),
        }
    }
    scans
}

fn row(
    (one, a): &(String, Surface),
    (other, b): &(String, Surface),
    calibration: Option<&Calibration>,
) -> Result<Row, ComparisonError> {
    let start = cpu_seconds();
    let result = comparison::compare(a, b)?;
    let ratio = weighed(&result, calibration).ok().flatten();
    let ratio = ratio.map(|r| format!("{:.4}", r.log10)).unwrap_or_default();
    let cmc = &result.cmc;
    let text = format!(
        "{},{},{:.4},{},{},{},{:.4},{},{:.4},{ratio},{:.4}\n",
        quoted(one),
        quoted(other),
        result.score,
        result.congruent(),
        cmc.original[0].min(cmc.original[1]),
        cmc.high,
        cmc.ncma,
        result.joint_cells(),
        result.accf_max,
        cpu_seconds() - start,
    );
    let reference = (!result.is_same_scan()).then(|| Reference::new([one.clone(), other.clone()], &result));
    Ok(Row { text, reference })
}

fn quoted(name: &str) -> String {
    if name.contains([',', '"', '\n']) {
        format!("\"{}\"", name.replace('"', "\"\""))
    } else {
        name.to_owned()
    }
}

/// Processor seconds of this thread where the system tells them, else seconds on the clock.
fn cpu_seconds() -> f64 {
    thread_local! {
        static START: std::time::Instant = std::time::Instant::now();
    }
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok());
    nanoseconds.map_or_else(|| START.with(|start| start.elapsed().as_secs_f64()), |ns| ns * 1e-9)
}

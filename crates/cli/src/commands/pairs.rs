//! `compare --all`: the table of all pairs of a folder.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use comparison::evidence::{Calibration, Reference};
use comparison::{ComparisonError, Preset, Surface};
use rayon::prelude::*;

use crate::commands::calibrate::Truth;
use crate::commands::compare::{file_name, scans_in, surface, weighed};
use crate::exit::{Exit, Failure, OrExit as _};
use crate::{files, progress};

const HEADER: &str =
    "a,b,score,cmc_convergence,cmc_original,cmc_high,ncma,cells,accf_max,log10_lr,cpu_seconds\n";

/// Surfaces of a block; two blocks, at some 10 MB a surface, stay below 1 GiB.
const BLOCK: usize = 40;

/// Where the table goes, and whether it tells how long each pair took: then no two runs write the same bytes.
pub(crate) struct Table<'a> {
    pub(crate) output: &'a Path,
    pub(crate) with_timings: bool,
}

/// A pair as it stands in the table but for its time, and as a reference; none where nothing follows from it.
struct Row {
    text: String,
    /// Processor time of both directions.
    seconds: f64,
    is_same_scan: bool,
    reference: Option<Reference>,
}

/// Compares every pair of scans of a folder, writes the table, and returns the pairs, files in the place of firearms.
pub(crate) fn all(
    folder: &Path,
    to: &Table<'_>,
    preset: &Preset,
    calibration: Option<&Calibration>,
    truth: Option<&Truth>,
) -> Result<Vec<Reference>, Failure> {
    let paths = scans_in(folder)?;
    if let Some(truth) = truth {
        let names: Vec<String> = paths.iter().map(|path| file_name(path)).collect();
        truth.check(&names)?;
    }
    let rows = compared(&paths, preset, calibration).or_exit(Exit::BadInput, "cannot compare")?;
    if rows.is_empty() {
        return Err(Exit::BadInput.because(format!("`{}` holds fewer than two scans", folder.display())));
    }
    let mut table = HEADER.to_owned();
    let mut counted = Vec::with_capacity(rows.len());
    let (pairs, mut seconds) = (rows.len(), 0.0);
    for ((i, j), row) in rows {
        seconds += row.seconds;
        let told = if to.with_timings { format!("{:.4}", row.seconds) } else { String::new() };
        let _ = writeln!(table, "{},{told}", row.text);
        if row.is_same_scan {
            let (a, b) = (file_name(&paths[i]), file_name(&paths[j]));
            files::remark(format!(
                "note: `{a}` and `{b}` are one measurement, which says nothing about firearms"
            ));
        }
        counted.extend(row.reference);
    }
    files::write(to.output, table.as_bytes())?;
    files::remark(format!(
        "{pairs} pairs compared both ways in {seconds:.2} s of processor time, {:.4} s a direction",
        0.5 * seconds / pairs as f64
    ));
    Ok(counted)
}

/// A scan that can be compared: its place in the folder, its name, its surface.
struct Scan {
    place: usize,
    name: String,
    surface: Surface,
}

/// A pair by the places of its scans in the folder, and its row.
type Compared = ((usize, usize), Row);

/// The rows of all pairs in the order of the folder. No more than two blocks of surfaces are held at once; where there are more
/// than two, those of later blocks are prepared again for every block before them.
fn compared(
    paths: &[PathBuf],
    preset: &Preset,
    calibration: Option<&Calibration>,
) -> Result<Vec<Compared>, ComparisonError> {
    let count = paths.len();
    let bar = progress::bar((count * count.saturating_sub(1) / 2) as u64, "comparing");
    let blocks = count.div_ceil(BLOCK);
    let load = |block: usize, say: bool| {
        let from = block * BLOCK;
        prepared(from, &paths[from..count.min(from + BLOCK)], preset, say)
    };
    let rows = |pairs: Vec<(&Scan, &Scan)>| -> Result<Vec<_>, ComparisonError> {
        let one = |(a, b): (&Scan, &Scan)| {
            let row = row(a, b, calibration)?;
            bar.inc(1);
            Ok(((a.place, b.place), row))
        };
        pairs.into_par_iter().map(one).collect()
    };
    let mut all = Vec::new();
    let mut next = None;
    for block in 0..blocks {
        let own = next.take().unwrap_or_else(|| load(block, block == 0));
        all.extend(rows(within(&own))?);
        // The neighbour comes last and is held on for the next round.
        for after in (block + 1..blocks).rev() {
            let other = load(after, block == 0);
            all.extend(rows(between(&own, &other))?);
            if after == block + 1 {
                next = Some(other);
            }
        }
    }
    bar.finish_and_clear();
    all.sort_by_key(|(places, _)| *places);
    Ok(all)
}

fn within(scans: &[Scan]) -> Vec<(&Scan, &Scan)> {
    scans.iter().enumerate().flat_map(|(i, a)| scans[i + 1..].iter().map(move |b| (a, b))).collect()
}

fn between<'a>(one: &'a [Scan], other: &'a [Scan]) -> Vec<(&'a Scan, &'a Scan)> {
    one.iter().flat_map(|a| other.iter().map(move |b| (a, b))).collect()
}

/// The scans of a block that can be compared; what is left out and what was assumed is said where `say` asks for it.
fn prepared(from: usize, paths: &[PathBuf], preset: &Preset, say: bool) -> Vec<Scan> {
    let prepared: Vec<_> = paths.par_iter().map(|path| surface(path, preset)).collect();
    let mut scans = Vec::new();
    for ((place, path), prepared) in (from..).zip(paths).zip(prepared) {
        match prepared {
            Ok((surface, _)) => {
                if say {
                    surface.notes().iter().for_each(|note| files::remark(format!("note: {note}")));
                }
                scans.push(Scan { place, name: file_name(path), surface });
            }
            Err(failure) if say => files::remark(format!("left out: {failure}")),
            Err(_) => {}
        }
    }
    scans
}

fn row(
    Scan { name: one, surface: a, .. }: &Scan,
    Scan { name: other, surface: b, .. }: &Scan,
    calibration: Option<&Calibration>,
) -> Result<Row, ComparisonError> {
    let start = cpu_seconds();
    let result = comparison::compare(a, b)?;
    let ratio = weighed(&result, calibration).ok().flatten();
    let ratio = ratio.map(|r| format!("{:.4}", r.log10)).unwrap_or_default();
    let cmc = &result.cmc;
    let text = format!(
        "{},{},{:.4},{},{},{},{:.4},{},{:.4},{ratio}",
        quoted(one),
        quoted(other),
        result.score,
        result.congruent(),
        cmc.original[0].min(cmc.original[1]),
        cmc.high,
        cmc.ncma,
        result.joint_cells(),
        result.accf_max,
    );
    let seconds = cpu_seconds() - start;
    let is_same_scan = result.is_same_scan();
    let teaches = !is_same_scan && result.unweighable().is_none();
    let names = || [one.clone(), other.clone()];
    let reference = teaches.then(|| Reference::new(names(), names(), &result));
    Ok(Row { text, seconds, is_same_scan, reference })
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

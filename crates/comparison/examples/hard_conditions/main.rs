//! Repeats the comparison of a folder of scans under hard conditions and prints how well sources are told apart.
//!
//! ```text
//! cargo run -p comparison --example hard_conditions -- ../shared/realdata/csafe-fadul [CONDITION]…
//! ```
//!
//! The folder holds X3P files and a `ground_truth.csv` whose first two columns are the file and its firearm. Every pair is
//! compared once, the first scan from one folder of degraded scans and the second from another; every scan has its own seed.
//! Conditions with nothing said touch the second scan only. Figures are measured on real scans with simulated damage.
//! Beside the ratios of the calibration stand those of the same pairs by a model that never saw either firearm. Pairs from which nothing
//! follows are counted and left out of both. `CALIBRATION=FILE` weighs by another calibration than the built-in one; `PAIRS=FILE` keeps what every pair came to.

mod conditions;

use std::error::Error;
use std::io::Write as _;
use std::path::Path;

use std::collections::BTreeMap;

use comparison::evidence::{self, Calibration, Reference};
use comparison::{Preset, Surface, compare, prepare};
use conditions::{ALL, Condition};
use rand::SeedableRng as _;
use rand::rngs::ChaCha8Rng;
use rayon::prelude::*;
use topography::Topography;

type Anyhow = Box<dyn Error + Send + Sync>;

/// By two firearms in order, the calibration that never saw a pair of either.
type LeftOut = BTreeMap<[String; 2], Calibration>;

/// What one pair came to.
struct Pair {
    names: [String; 2],
    same: bool,
    congruent: usize,
    searched: usize,
    joint: Vec<usize>,
    score: f64,
    /// Nothing where nothing follows from the pair.
    log10: Option<f64>,
    /// The same by a model that never saw either firearm.
    disjoint: Option<f64>,
}

fn main() -> Result<(), Anyhow> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(folder) = arguments.first() else { return Err("give a folder of scans".into()) };
    let scans = read_all(Path::new(folder))?;
    let calibration = match std::env::var_os("CALIBRATION") {
        Some(path) => Calibration::from_json(&std::fs::read_to_string(path)?)?,
        None => Calibration::built_in(),
    };
    let apart = left_out(&scans, &calibration)?;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "| condition | pairs | same, least | 5 % | different, most | AUC | Cllr | both firearms left out | Cllr_min | same, mean log10 LR | different | no ratio |"
    )?;
    writeln!(out, "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")?;
    let wanted = |c: &&Condition| arguments.len() == 1 || arguments[1..].iter().any(|a| a == c.name);
    for condition in ALL.iter().filter(wanted) {
        let pairs = pairs(&scans, condition, (&calibration, &apart))?;
        writeln!(out, "{}", row(condition.name, &pairs))?;
        out.flush()?;
        tell_the_worst(&pairs)?;
        if let Some(path) = std::env::var_os("PAIRS") {
            let file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
            keep(condition.name, &pairs, csv::Writer::from_writer(file))?;
        }
    }
    Ok(())
}

/// A row for each pair: condition, both scans, one source, congruent, searched and jointly measured cells, score, log ratio.
fn keep(condition: &str, pairs: &[Pair], mut table: csv::Writer<std::fs::File>) -> Result<(), Anyhow> {
    for p in pairs {
        let joint: Vec<String> = p.joint.iter().map(ToString::to_string).collect();
        table.write_record([
            condition,
            &p.names[0],
            &p.names[1],
            if p.same { "1" } else { "0" },
            &p.congruent.to_string(),
            &p.searched.to_string(),
            &joint.join(" "),
            &p.score.to_string(),
            &p.log10.map(|ratio| ratio.to_string()).unwrap_or_default(),
        ])?;
    }
    Ok(table.flush()?)
}

fn read_all(folder: &Path) -> Result<Vec<(String, String, Topography)>, Anyhow> {
    let mut scans = Vec::new();
    for row in csv::Reader::from_path(folder.join("ground_truth.csv"))?.records() {
        let row = row?;
        let bytes = std::fs::read(folder.join(&row[0]))?;
        let scan = topography::x3p::read(&bytes, &topography::Limits::default())?;
        scans.push((row[0].to_owned(), row[1].to_owned(), scan.topography));
    }
    Ok(scans)
}

fn pairs(
    scans: &[(String, String, Topography)],
    condition: &Condition,
    (calibration, apart): (&Calibration, &LeftOut),
) -> Result<Vec<Pair>, Anyhow> {
    let preset = Preset::named(&std::env::var("PRESET").unwrap_or_else(|_| "microstamp-1".to_owned()))?;
    let made = |second: bool| -> Result<Vec<Surface>, comparison::ComparisonError> {
        let one = |(i, scan): (usize, &(String, String, Topography))| {
            let mut rng = ChaCha8Rng::seed_from_u64(1000 * u64::from(second) + i as u64);
            prepare(&condition.applied(&scan.2, second, &mut rng), &preset)
        };
        scans.par_iter().enumerate().map(one).collect()
    };
    let (first, second) = (made(false)?, made(true)?);
    let places: Vec<_> = (0..scans.len()).flat_map(|i| (0..i).map(move |j| (i, j))).collect();
    let pair = |&(i, j): &(usize, usize)| {
        let result = compare(&first[i], &second[j])?;
        let log10 = calibration.weigh(&result).ok().map(|ratio| ratio.log10);
        let firearms = couple(&scans[i].1, &scans[j].1);
        let pair = Reference::new(Default::default(), Default::default(), &result);
        let disjoint =
            log10.and_then(|_| apart.get(&firearms)?.weigh_pair(&pair).ok()).map(|ratio| ratio.log10);
        Ok(Pair {
            names: [scans[i].0.clone(), scans[j].0.clone()],
            same: scans[i].1 == scans[j].1,
            congruent: result.congruent(),
            searched: result.cells_of_each[0].min(result.cells_of_each[1]),
            joint: result.joint.clone(),
            score: result.score,
            log10,
            disjoint,
        })
    };
    places.par_iter().map(pair).collect()
}

/// Two firearms in order.
fn couple(one: &str, other: &str) -> [String; 2] {
    let [low, high] = if one <= other { [one, other] } else { [other, one] };
    [low.to_owned(), high.to_owned()]
}

/// For any two firearms, the calibration that never saw a pair of either.
fn left_out(scans: &[(String, String, Topography)], calibration: &Calibration) -> Result<LeftOut, Anyhow> {
    let mut names: Vec<&str> = scans.iter().map(|scan| scan.1.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let couples: Vec<[&str; 2]> =
        names.iter().enumerate().flat_map(|(i, a)| names[..=i].iter().map(move |b| [*b, *a])).collect();
    let learnt = |[a, b]: &[&str; 2]| Ok((couple(a, b), calibration.without(&[*a, *b])?));
    couples.par_iter().map(learnt).collect()
}

fn row(name: &str, pairs: &[Pair]) -> String {
    let of = |same: bool| pairs.iter().filter(move |p| p.same == same);
    let mut counts: Vec<usize> = of(true).map(|p| p.congruent).collect();
    counts.sort_unstable();
    let most = of(false).map(|p| p.congruent).max().unwrap_or(0);
    let ratios = |same: bool| of(same).filter_map(|p| p.log10).collect::<Vec<_>>();
    let (same, different) = (ratios(true), ratios(false));
    let disjoint = |same: bool| of(same).filter_map(|p| p.disjoint).collect::<Vec<_>>();
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len().max(1) as f64;
    format!(
        "| {name} | {} | {} | {} | {most} | {:.5} | {:.4} | {:.4} | {:.4} | {:.2} | {:.2} | {} |",
        pairs.len(),
        counts.first().copied().unwrap_or(0),
        counts.get(counts.len() / 20).copied().unwrap_or(0),
        auc(pairs),
        evidence::cllr(&same, &different),
        evidence::cllr(&disjoint(true), &disjoint(false)),
        evidence::cllr_min(&same, &different),
        mean(&same),
        mean(&different),
        pairs.iter().filter(|p| p.log10.is_none()).count()
    )
}

/// The share of couples of pairs in which the same-source one has the higher score; half for ties.
fn auc(pairs: &[Pair]) -> f64 {
    let scores = |same: bool| pairs.iter().filter(move |p| p.same == same).map(|p| p.score);
    let (mut right, mut all) = (0.0, 0.0);
    for s in scores(true) {
        for d in scores(false) {
            all += 1.0;
            right += f64::from(u8::from(s > d)) + 0.5 * f64::from(u8::from(s == d));
        }
    }
    right / f64::max(all, 1.0)
}

/// The pairs that came out worst, on standard error.
fn tell_the_worst(pairs: &[Pair]) -> std::io::Result<()> {
    let mut order: Vec<&Pair> =
        pairs.iter().filter(|p| if p.same { p.congruent < 8 } else { p.congruent > 1 }).collect();
    order.sort_by(|p, q| p.same.cmp(&q.same).then(p.score.total_cmp(&q.score)));
    for p in order.into_iter().take(30) {
        writeln!(
            std::io::stderr(),
            "  {} {} / {}: {} of {}, log10 LR {:.2}",
            if p.same { "same     " } else { "different" },
            p.names[0],
            p.names[1],
            p.congruent,
            p.searched,
            p.log10.unwrap_or(f64::NAN)
        )?;
    }
    Ok(())
}

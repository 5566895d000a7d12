//! What a table of reads shows: rates, wrong accepts with their bound, calibration, sets, temperature.

use std::collections::BTreeMap;

use crate::POWERS;

/// One line of the table.
#[derive(Clone)]
struct Row {
    cell: String,
    condition: String,
    outcome: String,
    right: bool,
    wrong: bool,
    posterior: f64,
    bits: f64,
    inside: f64,
    symbols: f64,
    seconds: f64,
    scores: Vec<f64>,
    /// Symbols whose true value lies in a set of exactly 95 %, in tables that have it.
    exactly: Option<f64>,
}

pub(crate) fn tell(files: &[String]) {
    let mut cells: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    let mut all = Vec::new();
    for file in files {
        for row in std::fs::read_to_string(file).unwrap().lines().filter_map(Row::of) {
            cells.entry(row.cell.clone()).or_default().push(row.clone());
            all.push(row);
        }
    }
    println!("{:36}     n accepted wrong first unreadable no_mark  bits   ece  sets seconds", "cell");
    for (cell, rows) in &cells {
        print(cell, rows);
    }
    print("all", &all);
    let wrong = all.iter().filter(|row| row.wrong).count();
    println!(
        "wrong accepts: {wrong} of {}, at most {:.5} of all reads (95 %, Clopper and Pearson, one-sided)",
        all.len(),
        upper(wrong, all.len())
    );
    sets(&all);
    reliability(&all);
    temperature(&all);
    println!(
        "what the best code of this length could do with the same likelihoods; a mark that was not found tells nothing:"
    );
    println!("{:36}     n found  bits spread normal could at_most first accepted", "cell");
    for (cell, rows) in &cells {
        bound(cell, rows);
    }
}

impl Row {
    fn of(line: &str) -> Option<Self> {
        let parts: Vec<&str> = line.split(',').collect();
        let number = |k: usize| parts.get(k)?.parse::<f64>().ok();
        Some(Self {
            cell: parts.get(..3)?.join(" "),
            condition: (*parts.get(2)?).to_owned(),
            outcome: (*parts.get(4)?).to_owned(),
            right: number(5)? > 0.0,
            wrong: number(6)? > 0.0,
            posterior: number(7)?,
            bits: number(8)?,
            inside: number(10)?,
            symbols: number(11)?,
            seconds: number(12)?,
            exactly: number(16),
            scores: parts.get(13)?.split(' ').filter_map(|score| score.parse().ok()).collect(),
        })
    }
}

fn print(cell: &str, rows: &[Row]) {
    let count = |of: &dyn Fn(&Row) -> bool| rows.iter().filter(|row| of(row)).count();
    let mean = |of: &dyn Fn(&Row) -> f64| rows.iter().map(of).sum::<f64>() / rows.len() as f64;
    let total = |of: &dyn Fn(&Row) -> f64| rows.iter().map(of).sum::<f64>();
    println!(
        "{cell:36} {:5} {:8} {:5} {:5} {:10} {:7} {:5.1} {:5.3} {:5.3} {:7.3}",
        rows.len(),
        count(&|row| row.outcome == "accepted"),
        count(&|row| row.wrong),
        count(&|row| row.right),
        count(&|row| row.outcome == "unreadable"),
        count(&|row| row.outcome == "no_mark"),
        mean(&|row| row.bits),
        error(rows),
        total(&|row| row.inside) / total(&|row| row.symbols).max(1.0),
        mean(&|row| row.seconds),
    );
}

/// Expected calibration error of the first candidate's posterior, in tenths; reads that list none count as sure of nothing.
fn error(rows: &[Row]) -> f64 {
    tenths(rows).iter().map(|(_, sum, right)| (sum - right).abs()).sum::<f64>() / rows.len().max(1) as f64
}

fn tenths(rows: &[Row]) -> [(usize, f64, f64); 10] {
    let mut tenths = [(0, 0.0, 0.0); 10];
    for row in rows {
        let tenth = &mut tenths[((row.posterior * 10.0) as usize).min(9)];
        *tenth = (tenth.0 + 1, tenth.1 + row.posterior, tenth.2 + f64::from(u8::from(row.right)));
    }
    tenths
}

/// How often sets with 95 % of a symbol's posterior held the true value, for every condition: the smallest sets, and sets
/// of exactly 95 %, which leave out the last value as often as it takes.
fn sets(rows: &[Row]) {
    println!("sets of 95 %: smallest, exact (where the table tells), symbols");
    let mut conditions: Vec<&str> = rows.iter().map(|row| row.condition.as_str()).collect();
    conditions.sort_unstable();
    conditions.dedup();
    for condition in conditions {
        let of: Vec<&Row> = rows.iter().filter(|row| row.condition == condition).collect();
        let symbols: f64 = of.iter().map(|row| row.symbols).sum();
        let inside: f64 = of.iter().map(|row| row.inside).sum();
        let told: Vec<(f64, f64)> = of.iter().filter_map(|row| Some((row.exactly?, row.symbols))).collect();
        let exact = told.iter().map(|told| told.0).sum::<f64>() / told.iter().map(|told| told.1).sum::<f64>();
        println!("  {condition:10} {:.4}  {exact:.4}  {symbols}", inside / symbols.max(1.0));
    }
}

fn reliability(rows: &[Row]) {
    println!("posterior of the first candidate: mean, share right, n");
    for (count, sum, right) in tenths(rows).into_iter().filter(|tenth| tenth.0 > 0) {
        println!("  {:.4}  {:.4}  {count}", sum / count as f64, right / count as f64);
    }
}

/// The power of the likelihoods with the best log score: over all rows, and for every condition over all others.
fn temperature(rows: &[Row]) {
    let best = |rows: &[&Row]| {
        let score = |k: usize| rows.iter().map(|row| row.scores.get(k).copied().unwrap_or(0.0)).sum::<f64>();
        let best = (0..POWERS.len()).max_by(|&a, &b| score(a).total_cmp(&score(b))).unwrap_or(0);
        (POWERS[best], best)
    };
    let decodable: Vec<&Row> = rows.iter().filter(|row| row.outcome != "no_mark").collect();
    println!(
        "power of the likelihoods with the best log score (1 is what the reader takes): {}",
        best(&decodable).0
    );
    let mut conditions: Vec<&str> = decodable.iter().map(|row| row.condition.as_str()).collect();
    conditions.sort_unstable();
    conditions.dedup();
    for condition in conditions {
        let (held, others): (Vec<&Row>, Vec<&Row>) =
            decodable.iter().copied().partition(|row| row.condition == condition);
        let (learnt, at) = best(&others);
        let mean = |k: usize| {
            let symbols = held.iter().map(|row| row.symbols).sum::<f64>().max(1.0);
            held.iter().filter_map(|row| row.scores.get(k)).sum::<f64>() / symbols
        };
        println!(
            "  {condition:10} held out: learnt {learnt}, its own best {}; bits lost a symbol {:.4} (at 1: {:.4})",
            best(&held).0,
            -mean(at),
            -mean(4)
        );
    }
}

/// Bits that choosing a code costs.
const NEEDED: f64 = 30.0;

/// What the likelihoods that the reader formed would let the best code of this length and size do, against what the
/// reader does. With `i` the information density between the true word and its likelihoods, some code fails no more often
/// than the mean of `2^-(i - log2((2^30 - 1) / 2))+` (dependence testing: Y. Polyanskiy, H. V. Poor and S. Verdú, IEEE
/// Trans. IT-56, 2010, theorem 17), and no code fails less often than `P[i <= 30 - g] - 2^-g` for any `g` (S. Verdú and
/// T. S. Han, IEEE Trans. IT-40, 1994). Both are taken over the reads themselves, at the power with the best log score.
fn bound(cell: &str, rows: &[Row]) {
    let found: Vec<&Row> = rows.iter().filter(|row| row.symbols > 0.0).collect();
    if found.is_empty() {
        return;
    }
    let score = |k: usize| found.iter().filter_map(|row| row.scores.get(k)).sum::<f64>();
    let best = (0..POWERS.len()).max_by(|&a, &b| score(a).total_cmp(&score(b))).unwrap_or(4);
    let density = |row: &Row| {
        if row.symbols > 0.0 { 5.0 * row.symbols + row.scores.get(best).copied().unwrap_or(0.0) } else { 0.0 }
    };
    let densities: Vec<f64> = rows.iter().map(density).collect();
    let n = densities.len() as f64;
    let mean = densities.iter().sum::<f64>() / n;
    let spread = (densities.iter().map(|i| (i - mean).powi(2)).sum::<f64>() / n).sqrt();
    let fails = densities.iter().map(|i| (-(i - NEEDED + 1.0).max(0.0)).exp2()).sum::<f64>() / n;
    let below =
        |gap: f64| densities.iter().filter(|&&i| i <= NEEDED - gap).count() as f64 / n - (-gap).exp2();
    let least = (1..=20).map(|gap| below(f64::from(gap))).fold(0.0, f64::max);
    let share = |of: &dyn Fn(&Row) -> bool| rows.iter().filter(|row| of(row)).count() as f64 / n;
    println!(
        "{cell:36} {n:5} {:5} {mean:5.1} {spread:6.1} {:6.3} {:5.3}   {:5.3} {:5.3}    {:5.3}",
        found.len(),
        normal((mean - NEEDED) / spread.max(1e-9)),
        1.0 - fails,
        1.0 - least,
        share(&|row| row.right),
        share(&|row| row.outcome == "accepted"),
    );
}

/// The share of the normal distribution below a value: what the normal approximation lets a block carry whose density has
/// that many deviations to spare (Polyanskiy, Poor and Verdú, section IV; the logistic form errs by less than 0.01).
fn normal(z: f64) -> f64 {
    1.0 / (1.0 + (-1.5976 * z - 0.070_565 * z.powi(3)).exp())
}

/// The upper 95 % bound (one-sided) of a share, by bisection of the binomial distribution (Clopper and Pearson 1934).
fn upper(events: usize, reads: usize) -> f64 {
    let (mut low, mut high) = (0.0f64, 1.0f64);
    for _ in 0..60 {
        let p = 0.5 * (low + high);
        let mut term = (reads as f64 * (-p).ln_1p()).exp();
        let mut sum = term;
        for k in 0..events {
            term *= (reads - k) as f64 / (k + 1) as f64 * p / (1.0 - p);
            sum += term;
        }
        if sum > 0.05 { low = p } else { high = p }
    }
    high
}

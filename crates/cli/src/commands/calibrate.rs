//! `compare --all … --truth`: what pairs of known origin teach, as a calibration file and as figures.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use comparison::ComparisonError;
use comparison::evidence::{self, Calibration, ModelKind, Provenance, Reference};
use rand::SeedableRng as _;
use report::{Page, Plot, Series, Shape, Table};

use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// Which firearm fired which case: the first two columns of a CSV file with a header.
pub(crate) struct Truth {
    file: PathBuf,
    firearms: BTreeMap<String, String>,
}

impl Truth {
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = files::read_text(path)?;
        let cannot = || format!("cannot use `{}`", path.display());
        let mut firearms = BTreeMap::new();
        for row in csv::Reader::from_reader(text.as_bytes()).records() {
            let row = row.or_exit(Exit::BadInput, cannot())?;
            let (Some(file), Some(firearm)) = (row.get(0), row.get(1)) else {
                return Err(
                    Exit::BadInput.because(format!("{}: it needs the columns file and firearm", cannot()))
                );
            };
            let known = firearms.insert(file.to_owned(), firearm.to_owned());
            if known.is_some_and(|known| known != firearm) {
                return Err(
                    Exit::BadInput.because(format!("{}: it names two firearms for `{file}`", cannot()))
                );
            }
        }
        Ok(Self { file: path.to_owned(), firearms })
    }

    /// Refuses where too little of a folder's scans is told for a pair of either kind, and says what is not told.
    pub(crate) fn check(&self, scans: &[String]) -> Result<(), Failure> {
        let (known, unknown): (Vec<&String>, Vec<&String>) =
            scans.iter().partition(|scan| self.firearms.contains_key(*scan));
        let firearms: Vec<&String> = known.iter().map(|scan| &self.firearms[*scan]).collect();
        let different: BTreeSet<&String> = firearms.iter().copied().collect();
        if different.len() < 2 || different.len() == firearms.len() {
            let names = |mut names: Vec<&String>| {
                names.truncate(2);
                let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
                if names.is_empty() { "none".to_owned() } else { names.join(", ") }
            };
            return Err(Exit::BadInput.because(format!(
                "cannot use `{}`: it tells the firearm of {} of {} scans, and of no two of one firearm and two of two\n\
                 hint: its first columns must be the name of the file and the firearm; it names {}, the folder holds {}",
                self.file.display(),
                known.len(),
                scans.len(),
                names(self.firearms.keys().collect()),
                names(scans.iter().collect()),
            )));
        }
        if !unknown.is_empty() {
            let mut names: Vec<&str> = unknown.iter().take(5).map(|name| name.as_str()).collect();
            if unknown.len() > names.len() {
                names.push("...");
            }
            files::remark(format!(
                "note: `{}` does not tell the firearm of {} of {} scans ({}); their pairs teach nothing",
                self.file.display(),
                unknown.len(),
                scans.len(),
                names.join(", ")
            ));
        }
        Ok(())
    }

    /// The pairs of which both firearms are known; `pairs` name files in the place of firearms.
    pub(crate) fn references(&self, pairs: &[Reference]) -> Vec<Reference> {
        let known = |pair: &Reference| {
            let [a, b] = [0, 1].map(|k| self.firearms.get(&pair.firearms[k]).cloned());
            Some(Reference { firearms: [a?, b?], ..pair.clone() })
        };
        pairs.iter().filter_map(known).collect()
    }
}

/// Learns a calibration and writes it.
pub(crate) fn learn(
    references: &[Reference],
    model: ModelKind,
    provenance: Provenance,
    output: &Path,
) -> Result<(), Failure> {
    let mut rng = rand::rngs::ChaCha8Rng::seed_from_u64(1);
    let calibration = Calibration::learn(references, model, provenance, &mut rng)
        .or_exit(Exit::BadInput, "cannot calibrate")?;
    if let Some(parameters) = calibration.parameters() {
        files::remark(format!("learnt: {parameters}"));
    }
    files::write(output, calibration.to_json().as_bytes())
}

/// What the ratios of every model cost on firearms that were left out of the learning, line by line.
pub(crate) fn costs(references: &[Reference], measured_on: &str) -> String {
    let mut text = String::new();
    for model in ModelKind::ALL {
        let name = model.name();
        match left_out(references, model) {
            Ok([same, different]) => {
                let (cost, least) =
                    (evidence::cllr(&same, &different), evidence::cllr_min(&same, &different));
                let pairs = [same.len(), different.len()];
                let _ = writeln!(
                    text,
                    "{name}: Cllr {cost:.4}, at best {least:.4}, {} same-source and {} different-source pairs ({measured_on}), both firearms left out",
                    pairs[0], pairs[1]
                );
            }
            Err(error) => {
                let _ = writeln!(text, "{name}: {error}");
            }
        }
    }
    text
}

/// The log ratios of pairs of one firearm and of two, by models that never saw either.
fn left_out(references: &[Reference], model: ModelKind) -> Result<[Vec<f64>; 2], ComparisonError> {
    let ratios = evidence::leave_sources_out(references, model)?;
    let of = |same: bool| -> Vec<f64> {
        references.iter().zip(&ratios).filter(|(r, _)| r.is_same_source() == same).map(|(_, x)| *x).collect()
    };
    Ok([of(true), of(false)])
}

/// Writes the figures that show how good the ratios are for firearms that were left out of the learning.
pub(crate) fn figures(
    references: &[Reference],
    model: ModelKind,
    (set, measured_on): (&str, &str),
    output: &Path,
) -> Result<(), Failure> {
    let cannot = "cannot draw the figures";
    let [same, different] = left_out(references, model).or_exit(Exit::BadInput, cannot)?;
    let words = format!(
        "{} pairs of one firearm and {} of two ({measured_on}), each weighed by a model that never saw either firearm. The \
         figures are those of the model {}.",
        same.len(),
        different.len(),
        model.name()
    );
    let mut table = Table::new(&["model", "Cllr / bit", "at best (Cllr_min) / bit"]);
    for kind in ModelKind::ALL {
        let [same, different] = left_out(references, kind).or_exit(Exit::BadInput, cannot)?;
        let costs = [evidence::cllr(&same, &different), evidence::cllr_min(&same, &different)];
        let [cost, least] = costs.map(|cost| format!("{cost:.4}").into());
        table.push(vec![kind.name().into(), cost, least]);
    }
    let figure = |page: Page, plot: &Plot, says: &str| {
        page.svg(&plot.to_svg(640, 320), &format!("{says} Measured on {measured_on} ({set})."))
    };
    let page = Page::new(format!("Likelihood ratios on {set}")).paragraph(&words).table(&table);
    let page = figure(
        page,
        &histogram(references),
        "Congruent cells of the reference pairs, in percent of each kind.",
    );
    let page =
        figure(page, &tippett(&same, &different), "Tippett plot: the share of pairs with a larger ratio.");
    let page = figure(
        page,
        &ece(&same, &different),
        "Empirical cross-entropy: below the neutral line a ratio helps.",
    );
    let page = figure(
        page,
        &reliability(&same, &different),
        "Reliability at even priors: on the diagonal is right; steps with no pair are left out.",
    );
    files::write(output, page.to_html().as_bytes())
}

fn histogram(references: &[Reference]) -> Plot {
    let bars = |same: bool| {
        let counts: Vec<usize> =
            references.iter().filter(|r| r.is_same_source() == same).map(|r| r.congruent).collect();
        let most = references.iter().map(|r| r.congruent).max().unwrap_or(0);
        let share =
            |k: usize| 100.0 * counts.iter().filter(|&&c| c == k).count() as f64 / counts.len().max(1) as f64;
        // A step begins half a cell before its number, so that it stands where the bar does.
        let from = if same { 0.0 } else { -0.5 };
        // No axis begins below no cell.
        (0..=most + 1).map(|k| ((k as f64 + from).max(0.0), share(k))).collect::<Vec<_>>()
    };
    Plot::new("Congruent matching cells", "congruent cells", "pairs / %")
        .with(Series::new("one firearm", Shape::Bars, bars(true)))
        .with(Series::new("two firearms", Shape::Step, bars(false)))
}

fn tippett(same: &[f64], different: &[f64]) -> Plot {
    let at: Vec<f64> = (-60..=60).map(|i| f64::from(i) / 15.0).collect();
    let shares = evidence::tippett(same, different, &at);
    let line = |k: usize| at.iter().zip(&shares).map(|(&x, share)| (x, 100.0 * share[k])).collect::<Vec<_>>();
    Plot::new("Tippett plot", "log10 LR greater than", "pairs / %")
        .with(Series::new("one firearm", Shape::Line, line(0)))
        .with(Series::new("two firearms", Shape::Line, line(1)))
}

fn ece(same: &[f64], different: &[f64]) -> Plot {
    let odds: Vec<f64> = (-30..=30).map(|i| f64::from(i) / 10.0).collect();
    let costs = evidence::ece(same, different, &odds);
    let line = |k: usize| odds.iter().zip(&costs).map(|(&x, cost)| (x, cost[k])).collect::<Vec<_>>();
    Plot::new("Empirical cross-entropy", "prior log10 odds", "cost / bit")
        .with(Series::new("these ratios", Shape::Line, line(0)))
        .with(Series::new("best calibration", Shape::Line, line(1)))
        .with(Series::new("no ratio", Shape::Line, line(2)))
}

fn reliability(same: &[f64], different: &[f64]) -> Plot {
    let steps = evidence::reliability(same, different, 10);
    let points = steps.iter().map(|step| (step.stated, step.observed)).collect();
    Plot::new("Reliability", "stated probability of one firearm", "observed share")
        .with(Series::new("pairs", Shape::Points, points))
        .with(Series::new("right", Shape::Line, vec![(0.0, 0.0), (1.0, 1.0)]))
}

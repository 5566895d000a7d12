//! `database generate`: made-up breech faces, for trying a database at size.

use std::path::{Path, PathBuf};

use clap::Args;
use comparison::search::{Firearm, Model, Origin};
use comparison::{MarkKind, Preset};
use rand::{SeedableRng as _, rngs::ChaCha8Rng};
use rayon::prelude::*;
use topography::{Length, x3p};

use super::catalogue::{Particulars, Scan};
use super::folder::{Database, Entry};
use crate::exit::{Exit, Failure, OrExit as _};
use crate::{files, progress};

/// Arguments of `database generate`.
#[derive(Debug, Args)]
pub(crate) struct Generate {
    /// Write the scans into this folder as X3P (about 0.7 MB each), with the truth in `ground_truth.csv`.
    #[arg(value_name = "DIR", required_unless_present = "index")]
    folder: Option<PathBuf>,
    /// Write features straight into this database instead, made at 25 um; no scan is ever written, so there is nothing
    /// finer to compare in full.
    #[arg(long, value_name = "DB", conflicts_with = "folder")]
    index: Option<PathBuf>,
    /// How many scans.
    #[arg(long, value_name = "N")]
    count: usize,
    /// Production runs of slides; firearms of one run share the marks of its tool.
    #[arg(long, value_name = "N", default_value_t = 100)]
    models: usize,
    /// Cases of each firearm.
    #[arg(long, value_name = "N", default_value_t = 1)]
    cases: usize,
    /// The distance between samples of the scans.
    #[arg(long, default_value = "6.25um")]
    pitch: Length,
    /// The same seed makes the same faces.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// How many are made before they are written together.
const BATCH: usize = 512;

pub(crate) fn generate(arguments: &Generate) -> Result<Exit, Failure> {
    if arguments.count == 0 || arguments.models == 0 || arguments.cases == 0 {
        return Err(
            Exit::BadInput.because("nothing is to be made: `--count`, `--models` and `--cases` begin at 1")
        );
    }
    let um = arguments.pitch.to_um();
    if !(2.0..=12.5).contains(&um) && arguments.index.is_none() {
        return Err(Exit::BadInput
            .because("`--pitch` must lie between 2um and 12.5um for scans that can be compared"));
    }
    match (&arguments.index, &arguments.folder) {
        (Some(database), _) => into_index(arguments, database)?,
        (None, Some(folder)) => into_folder(arguments, folder)?,
        (None, None) => return Err(Exit::BadInput.because("say where to: a folder, or `--index DB`")),
    }
    Ok(Exit::Done)
}

/// The models, firearm by firearm; every stream of random numbers follows from the seed and a place.
struct Maker {
    seed: u64,
    cases: usize,
    models: Vec<Model>,
}

impl Maker {
    fn new(arguments: &Generate) -> Self {
        let seed = arguments.seed;
        let models = (0..arguments.models).map(|m| Model::draw(&mut stream(seed, 0, m))).collect();
        Self { seed, cases: arguments.cases, models }
    }

    fn firearm(&self, scan: usize) -> (usize, Firearm) {
        let number = scan / self.cases;
        let model = number % self.models.len();
        (number, Firearm::draw(&self.models[model], &mut stream(self.seed, 1, number)))
    }

    fn shot(&self, scan: usize) -> ChaCha8Rng {
        stream(self.seed, 2, scan)
    }

    fn class(&self, firearm: usize) -> String {
        format!("simulated run {}", firearm % self.models.len())
    }
}

fn stream(seed: u64, kind: u64, place: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(kind << 56 | place as u64);
    rng
}

fn into_index(arguments: &Generate, path: &Path) -> Result<(), Failure> {
    let mut database = Database::create(path, Some(Preset::default_for(MarkKind::BreechFace)))?;
    let maker = Maker::new(arguments);
    let bar = progress::bar(arguments.count as u64, "making faces");
    let mut places = Vec::new();
    for place in 0..arguments.count {
        if !database.catalogue.is_generated(&name(arguments.seed, place))? {
            places.push(place);
        }
    }
    let known = arguments.count - places.len();
    bar.inc(known as u64);
    for batch in places.chunks(BATCH) {
        let entries = batch.par_iter().map(|&place| {
            let (number, firearm) = maker.firearm(place);
            let scan = Scan {
                name: name(arguments.seed, place),
                path: None,
                sha256: None,
                origin: Origin::Simulated,
                particulars: Particulars {
                    exhibit: Some(format!("simulated firearm {number}")),
                    class: Some(maker.class(number)),
                    ..Particulars::default()
                },
            };
            Entry { scan, features: firearm.features(&mut maker.shot(place)), prepared: None }
        });
        database.append(entries.collect())?;
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    let total = database.catalogue.count()?;
    files::print_line(format!(
        "{} made at 25 um and taken in, {known} there already; the database holds {total}",
        places.len()
    ))
}

fn name(seed: u64, place: usize) -> String {
    format!("simulated-{seed}-{place:06}")
}

fn into_folder(arguments: &Generate, folder: &Path) -> Result<(), Failure> {
    files::create_folder(folder)?;
    let maker = Maker::new(arguments);
    let bar = progress::bar(arguments.count as u64, "making scans");
    let rows: Result<Vec<String>, Failure> = (0..arguments.count)
        .into_par_iter()
        .map(|place| {
            let (number, firearm) = maker.firearm(place);
            let file = format!("{}.x3p", name(arguments.seed, place));
            let mut scan = x3p::X3p::new(firearm.fire(arguments.pitch, &mut maker.shot(place)));
            scan.z_type = x3p::ZType::Float32;
            scan.comment = Some("simulated: no case was fired".to_owned());
            let bytes = x3p::write(&scan).or_exit(Exit::Environment, format!("cannot write `{file}`"))?;
            files::write(&folder.join(&file), &bytes)?;
            bar.inc(1);
            Ok(format!("{file},{number},{}\n", maker.class(number)))
        })
        .collect();
    bar.finish_and_clear();
    let mut table = String::from("file,firearm,class\n");
    rows?.iter().for_each(|row| table.push_str(row));
    files::write(&folder.join("ground_truth.csv"), table.as_bytes())?;
    files::print_line(format!("{} simulated scans in `{}`", arguments.count, folder.display()))
}

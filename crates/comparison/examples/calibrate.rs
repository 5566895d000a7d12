//! Learns a calibration from a folder of scans of known origin and says how good it is on firearms it has not seen.
//!
//! ```text
//! cargo run -p comparison --example calibrate -- ../shared/realdata/csafe-fadul calibration.json
//! ```
//!
//! The folder holds X3P files and a `ground_truth.csv` whose first two columns are the file and its firearm.

use std::error::Error;
use std::path::Path;

use comparison::evidence::{self, Calibration, Provenance, Reference};
use comparison::{Comparison, Preset, Surface, compare, prepare};
use rand::SeedableRng as _;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, output, ..] = &arguments[..] else { return Err("give a folder and an output file".into()) };
    let preset = Preset::named(arguments.get(2).map_or("microstamp-1", String::as_str))?;
    let scans = scans(Path::new(folder), &preset)?;
    let mut references = Vec::new();
    for (i, (one, a)) in scans.iter().enumerate() {
        for (other, b) in &scans[..i] {
            references.push(reference([one, other], &compare(a, b)?));
        }
    }
    let set = arguments.get(3).cloned().unwrap_or_else(|| folder.clone());
    let provenance = Provenance {
        set,
        measured_on: "real cases".to_owned(),
        mark: preset.mark,
        preset: preset.name.to_owned(),
        firearms: 0,
        same_source: 0,
        different_source: 0,
    };
    let mut rng = rand::rngs::ChaCha8Rng::seed_from_u64(1);
    let calibration = Calibration::learn(&references, provenance, &mut rng)?;
    std::fs::write(output, calibration.to_json())?;
    report(&references)
}

fn scans(folder: &Path, preset: &Preset) -> Result<Vec<(String, Surface)>, Box<dyn Error>> {
    let mut scans = Vec::new();
    for row in csv::Reader::from_path(folder.join("ground_truth.csv"))?.records() {
        let row = row?;
        let bytes = std::fs::read(folder.join(&row[0]))?;
        let scan = topography::x3p::read(&bytes, &topography::Limits::default())?;
        scans.push((row[1].to_owned(), prepare(&scan.topography, preset)?));
    }
    Ok(scans)
}

fn reference(firearms: [&String; 2], comparison: &Comparison) -> Reference {
    Reference {
        firearms: firearms.map(Clone::clone),
        congruent: comparison.congruent(),
        cells: comparison.smaller_cells(),
    }
}

fn report(references: &[Reference]) -> Result<(), Box<dyn Error>> {
    let ratios = evidence::leave_sources_out(references)?;
    let of = |same: bool| -> Vec<f64> {
        references.iter().zip(&ratios).filter(|(r, _)| r.is_same_source() == same).map(|(_, x)| *x).collect()
    };
    let counts =
        |same: bool| references.iter().filter(move |r| r.is_same_source() == same).map(|r| r.congruent);
    let (same, different) = (of(true), of(false));
    let text = format!(
        "same source: {} pairs, {} or more congruent cells\ndifferent sources: {} pairs, {} or fewer\nCllr {:.4}, Cllr_min {:.4}\n",
        same.len(),
        counts(true).min().unwrap_or(0),
        different.len(),
        counts(false).max().unwrap_or(0),
        evidence::cllr(&same, &different),
        evidence::cllr_min(&same, &different)
    );
    std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes())?;
    Ok(())
}

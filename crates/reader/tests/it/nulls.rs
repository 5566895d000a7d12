//! Things that carry no mark must not read.

use std::path::PathBuf;

use rand::RngExt;
use reader::{Outcome, ReadOptions, read_micrograph, read_topography};
use symbology::Scheme;

use crate::generator::{Damage, View, photograph, seeded, strike};

fn check_blank(condition: &str, seed: u64, pictured: bool) {
    let options = ReadOptions::new(Scheme::open_1());
    let mut rng = seeded(seed);
    let damage = Damage::named(condition);
    let view = View { rim_um: rng.random_range(380.0..480.0), ..View::upright(&mut rng) };
    let surface = strike(&[], &damage, &view, &mut rng);
    let reading = if pictured {
        read_micrograph(&photograph(&surface, &damage, false, &mut rng), &options)
    } else {
        read_topography(&surface, &options)
    }
    .expect("a surface of this size is read");
    assert_ne!(reading.outcome, Outcome::Accepted, "{condition} {seed}");
    assert_eq!(reading.code, None);
}

#[test]
fn blank_impressions_are_never_accepted() {
    for (seed, condition) in ["level-1", "level-3", "rough"].into_iter().enumerate() {
        check_blank(condition, 40 + seed as u64, false);
    }
    check_blank("level-2", 43, true);
}

#[test]
fn real_unmarked_scans_have_no_mark() {
    let root = std::env::var_os("MICROSTAMP_REALDATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/realdata"),
        PathBuf::from,
    );
    let mut files: Vec<PathBuf> = ["csafe-fadul", "cmcr-fadul-raw"]
        .iter()
        .filter_map(|folder| std::fs::read_dir(root.join(folder)).ok())
        .flat_map(|folder| folder.filter_map(Result::ok).map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "x3p"))
        .collect();
    files.sort();
    if files.is_empty() {
        eprintln!("no real scans at {}: set MICROSTAMP_REALDATA to test with them", root.display());
        return;
    }
    let every = std::env::var("MICROSTAMP_EVERY").ok().and_then(|k| k.parse().ok()).unwrap_or(14);
    let options = ReadOptions::new(Scheme::open_1());
    let (mut seen, mut most, mut ahead) = (Vec::new(), 0.0f64, f64::NEG_INFINITY);
    let mut hidden = Vec::new();
    for file in files.iter().step_by(every) {
        let bytes = std::fs::read(file).expect("the file was just listed");
        let scan = topography::x3p::read(&bytes, &topography::Limits::default())
            .expect("real scans are well formed");
        let reading = read_topography(&scan.topography, &options).expect("a scan of this size is read");
        let evidence =
            reading.marks.iter().map(|mark| mark.evidence[0] + mark.evidence[1]).fold(0.0, f64::max);
        most = most.max(evidence);
        let foiled = reading.marks.iter().find_map(|mark| mark.foiled);
        if reading.firearms == 0 && reading.sensitivity.is_some_and(|seen| seen < 0.5) {
            assert_eq!(reading.outcome, Outcome::Unreadable);
            hidden.push(file.display().to_string());
            continue;
        }
        ahead = ahead.max(foiled.map_or(ahead, |[mark, one, other]| mark - one.max(other)));
        if reading.outcome != Outcome::NoMark {
            let (name, outcome) = (file.display(), reading.outcome);
            let shown = reading.sensitivity;
            seen.push(format!(
                "{name} {outcome:?}, {:.1} spare bits, foils {foiled:?}, shown {shown:?}",
                reading.bits_spare
            ));
        }
    }
    let count = files.iter().step_by(every).count();
    println!("{count} unmarked scans: at most {most:.0} nats for a mark, {ahead:.0} more than for foils");
    println!("of these {hidden:?} would have shown fewer than half of the marks laid on them");
    assert!(hidden.len() <= 1, "a mark could lie hidden in {hidden:?}");
    assert!(seen.is_empty(), "unmarked scans that were not told so: {seen:#?}");
}

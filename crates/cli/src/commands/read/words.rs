//! A reading in words.

use std::fmt::Write as _;
use std::path::Path;

use reader::{Outcome, Reading};

use crate::surfaces::Loaded;

/// A reading in words: the headline, the candidates, the evidence, the remarks.
pub(crate) fn describe(question: &[Loaded], reading: &Reading) -> String {
    let names: Vec<_> = question.iter().map(|input| name(&input.file)).collect();
    let mut text = format!("{}: {}\n", names.join(" + "), headline(reading));
    if reading.outcome != Outcome::Accepted {
        for candidate in reading.candidates.iter().take(5) {
            let _ = writeln!(text, "  {}  {:.6}", candidate.code, candidate.posterior);
        }
    }
    let legible = reading.symbols.iter().filter(|symbol| !symbol.erased).count();
    if reading.outcome != Outcome::NoMark {
        let _ = writeln!(
            text,
            "  {legible} of {} symbols legible, {:.0} bits carried of {:.0} needed, margin {}",
            reading.symbols.len(),
            reading.bits_carried,
            reading.bits_needed,
            reading.margin
        );
    }
    for warning in question.iter().flat_map(|input| &input.warnings).chain(&reading.warnings) {
        let _ = writeln!(text, "  note: {warning}");
    }
    text
}

fn headline(reading: &Reading) -> String {
    match (&reading.outcome, &reading.code, reading.posterior) {
        (Outcome::Accepted, Some(code), Some(posterior)) => {
            format!(
                "{code}  accepted, posterior {posterior:.6} (bound {:e}, checked on simulation only)",
                reading.bound
            )
        }
        (Outcome::NoMark, ..) => "no mark".to_owned(),
        (Outcome::Candidates, ..) => "candidates only; none is sure".to_owned(),
        _ => "a mark that cannot be read".to_owned(),
    }
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

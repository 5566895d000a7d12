//! A reading in words.

use std::fmt::Write as _;
use std::path::Path;

use reader::{GroupReading, Outcome, Reading};

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
    if reading.firearms > 0 {
        let _ = writeln!(
            text,
            "  {legible} of {} symbols legible, {:.0} bits carried of {:.0} needed and {:.0} more to be as sure as asked, \
             margin {}",
            reading.symbols.len(),
            reading.bits_carried,
            reading.bits_needed,
            reading.bits_asked,
            reading.margin
        );
    }
    if reading.groups.len() > 1 {
        for (number, group) in reading.groups.iter().enumerate() {
            let _ = writeln!(text, "  group {}: {}", number + 1, of_group(question, group));
        }
    }
    for warning in question.iter().flat_map(|input| &input.warnings).chain(&reading.warnings) {
        let _ = writeln!(text, "  note: {warning}");
    }
    text
}

fn of_group(question: &[Loaded], group: &GroupReading) -> String {
    let names: Vec<_> =
        group.inputs.iter().filter_map(|&k| question.get(k)).map(|input| name(&input.file)).collect();
    let best = group
        .candidates
        .first()
        .map_or_else(|| "no code".to_owned(), |best| format!("{} {:.6}", best.code, best.posterior));
    let sure = if group.outcome == Outcome::Accepted { ", accepted by itself" } else { "" };
    format!("{}: {best}{sure}", names.join(" + "))
}

fn headline(reading: &Reading) -> String {
    match (&reading.outcome, &reading.code, reading.posterior) {
        (Outcome::Accepted, Some(code), Some(posterior)) => {
            format!(
                "{code}  accepted, posterior {posterior:.6} (bound {:e}; verified on simulation alone, and not below 6e-3)",
                reading.bound
            )
        }
        (Outcome::NoMark, ..) => "no mark found".to_owned(),
        (Outcome::Unreadable, ..) if reading.firearms == 0 => {
            "no mark seen, but one may lie hidden".to_owned()
        }
        (Outcome::Candidates, ..) => "candidates only; none is sure".to_owned(),
        _ => "a mark that cannot be read".to_owned(),
    }
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

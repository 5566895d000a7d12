//! From evidence to an answer.

use symbology::decode::{DecodeOptions, Decoding, SymbolEvidence};
use symbology::{CheckRule, Mark, Scheme, geometry};

use crate::observation::{Observation, PartSeen, SymbolSeen};
use crate::poses::{Settled, settled};
use crate::reading::{
    CodeCandidate, Grade, MarkReading, Outcome, Quality, ReadError, ReadOptions, Reading, SymbolReading,
};

/// Prior probability that legible symbols are not a word of the code.
const FOREIGN: f64 = 1e-3;
/// Prior probability that a symbol did not come over; what is lost within a symbol is in its evidence already.
const ERASURE: f64 = 0.02;
/// The share of readings whose evidence may be nonsense, however sure of itself: other marks, another font, a wrong pose.
/// Nonsense agrees with some code by `s` bits more than a code needs with a chance of 2^-s.
const NONSENSE: f64 = 0.1;
/// The same where it is not plain that there is a mark at all.
const DOUBTFUL: f64 = 1.0;
/// Spare bits that make a mark of what likely, or possibly, is one.
const LIKELY_BITS: f64 = 5.0;
const POSSIBLE_BITS: f64 = 10.0;
/// Characters that speak against the code of the other marks by this much are not of our font.
const MISFIT_BITS: f64 = 12.0;
/// Codes listed only when they are this probable.
const LISTED: f64 = 1e-6;

/// Answers from observations that are taken to show one code.
pub(crate) fn answer(observations: &[&Observation], options: &ReadOptions) -> Result<Reading, ReadError> {
    let scheme = &options.scheme;
    let Settled { observations, decoding, tried, .. } =
        settled(observations, options, &decode_options(options))?;
    let observations: &[&Observation] = &observations.iter().collect::<Vec<_>>();
    let symbols = symbols_of(scheme, observations, &decoding);
    let bits_carried: f64 = symbols.iter().map(|symbol| symbol.information).sum();
    let best = decoding.candidates.first().map_or(0.0, |candidate| candidate.posterior);
    let bits_needed = 5.0 * 6.0_f64.min(scheme.length() as f64);
    let spare: f64 = decoding.bits.iter().sum::<f64>() - bits_needed;
    let parts = || observations.iter().flat_map(|seen| &seen.parts);
    // Each pose that was tried is another chance for nonsense.
    let tried = tried as f64;
    let agrees = |bits: f64| scheme.check() == CheckRule::Mother && spare >= bits + tried.log2();
    let found = parts().any(|part| part.found)
        || (agrees(LIKELY_BITS) && parts().any(|part| part.likely))
        || (agrees(POSSIBLE_BITS) && parts().any(|part| part.possible));
    let nonsense = if found { NONSENSE } else { DOUBTFUL } * tried;
    let trusted = scheme.check() == CheckRule::Mother && spare >= (nonsense / options.bound).log2();
    let against = spoken_against(&symbols);
    let accepted = best > 1.0 - options.bound && trusted && against < MISFIT_BITS;
    let found = found || accepted;
    let outcome = if accepted {
        Outcome::Accepted
    } else if !found {
        Outcome::NoMark
    } else if best > 1e-3 {
        Outcome::Candidates
    } else {
        Outcome::Unreadable
    };
    let beyond = symbols.len().saturating_sub(bits_needed as usize / 5);
    let unused = (decoding.margin as f64 / beyond.max(1) as f64).min(1.0);
    let listed = if found { candidates_of(scheme, &decoding, options.list) } else { Vec::new() };
    Ok(Reading {
        scheme: scheme.name().to_owned(),
        outcome,
        code: listed.first().filter(|_| accepted).map(|candidate| candidate.code.clone()),
        posterior: accepted.then_some(best),
        bound: options.bound,
        other: 1.0 - listed.iter().map(|candidate| candidate.posterior).sum::<f64>(),
        candidates: listed,
        symbols,
        marks: observations
            .iter()
            .enumerate()
            .flat_map(|(input, seen)| marks_of(scheme, (seen, input), (found, unused)))
            .collect(),
        margin: decoding.margin,
        bits_carried,
        bits_needed,
        bits_spare: spare,
        left_out: Vec::new(),
        firearms: usize::from(found),
        warnings: observations
            .iter()
            .flat_map(|seen| seen.warnings.clone())
            .chain((found && against >= MISFIT_BITS / 2.0).then(|| misfit(against)))
            .chain((!accepted).then(|| advice(observations, found)).flatten())
            .collect(),
    })
}

/// Bits by which the characters, taken together, speak against the code that the other marks carry.
fn spoken_against(symbols: &[SymbolReading]) -> f64 {
    let of = |characters: bool| {
        let chosen = symbols.iter().filter(|symbol| (symbol.mark == Mark::Characters) == characters);
        chosen.map(|symbol| symbol.bits).sum::<f64>()
    };
    if of(false) > 0.0 { (-of(true)).max(0.0) } else { 0.0 }
}

fn misfit(bits: f64) -> String {
    format!(
        "the characters speak by {bits:.0} bits against the code that the other marks carry: another font, or \
         another mark"
    )
}

/// What to do where a mark is not read: another light where the light is at fault, else more cases.
fn advice(observations: &[&Observation], found: bool) -> Option<String> {
    let light = observations.iter().find_map(|seen| seen.advice.clone());
    let more = "more cases of the same firearm, read together with --fuse, add what these lack";
    light.or(found.then(|| more.to_owned()))
}

fn decode_options(options: &ReadOptions) -> DecodeOptions {
    DecodeOptions { erasure: ERASURE, foreign: FOREIGN, list: options.list, ..DecodeOptions::default() }
}

/// The evidence of all parts that were found.
pub(crate) fn evidence_of(observations: &[&Observation]) -> Vec<SymbolEvidence> {
    observations
        .iter()
        .flat_map(|seen| &seen.parts)
        .filter(|part| part.possible)
        .flat_map(|part| part.symbols.iter().map(|symbol| symbol.evidence.clone()))
        .collect()
}

fn candidates_of(scheme: &Scheme, decoding: &Decoding, list: usize) -> Vec<CodeCandidate> {
    decoding
        .candidates
        .iter()
        .filter(|candidate| candidate.posterior > LISTED)
        .take(list.min(20))
        .map(|candidate| CodeCandidate { code: scheme.text(&candidate.word), posterior: candidate.posterior })
        .collect()
}

fn symbols_of(scheme: &Scheme, observations: &[&Observation], decoding: &Decoding) -> Vec<SymbolReading> {
    let seen: Vec<&SymbolSeen> = observations
        .iter()
        .flat_map(|seen| &seen.parts)
        .filter(|part| part.possible)
        .flat_map(|part| &part.symbols)
        .collect();
    let mut indices: Vec<usize> = seen.iter().map(|symbol| symbol.evidence.index).collect();
    indices.sort_unstable();
    indices.dedup();
    indices
        .into_iter()
        .map(|index| {
            let of: Vec<&&SymbolSeen> = seen.iter().filter(|symbol| symbol.evidence.index == index).collect();
            symbol_of(scheme, &of, decoding.bits.get(index).copied().unwrap_or(0.0))
        })
        .collect()
}

fn symbol_of(scheme: &Scheme, seen: &[&&SymbolSeen], bits: f64) -> SymbolReading {
    let first = seen[0];
    let mut logs = vec![0.0f32; scheme.alphabet().len()];
    for one in seen {
        for (sum, log) in logs.iter_mut().zip(&one.evidence.log_likelihoods) {
            *sum += log;
        }
    }
    let mut values: Vec<(usize, f64)> =
        crate::vectors::softmax(&logs).into_iter().map(f64::from).enumerate().collect();
    let entropy: f64 = values.iter().filter(|(_, p)| *p > 0.0).map(|(_, p)| -p * p.log2()).sum();
    let information = (values.len() as f64).log2() - entropy;
    values.sort_by(|a, b| b.1.total_cmp(&a.1));
    let shown = |value: usize| scheme.alphabet()[value];
    let presence = seen.iter().map(|one| one.presence).fold(0.0, f32::max);
    SymbolReading {
        index: first.evidence.index,
        mark: first.mark,
        value: shown(values[0].0),
        posterior: values[0].1,
        erased: presence < 0.15 && values[0].1 < 0.5,
        alternatives: values[1..4].iter().filter(|(_, p)| *p > 1e-4).map(|&(v, p)| (shown(v), p)).collect(),
        centre_um: (seen.len() == 1).then_some(first.centre_um),
        log_likelihoods: logs,
        bits,
        information,
        grade: grade(f64::from(presence), values[0].1),
    }
}

/// Relief that came over (as modulation is graded in ISO/IEC 15415), one grade less where the value is not sure.
fn grade(presence: f64, posterior: f64) -> Grade {
    let sure = if posterior > 0.99 { 0.0 } else { 0.2 };
    match presence - sure {
        p if p > 0.8 => Grade::A,
        p if p > 0.65 => Grade::B,
        p if p > 0.45 => Grade::C,
        p if p > 0.25 => Grade::D,
        _ => Grade::F,
    }
}

/// The marks of one input; those that helped to read a code are there, however little of them is seen.
fn marks_of(
    scheme: &Scheme,
    (seen, input): (&Observation, usize),
    (read, unused): (bool, f64),
) -> Vec<MarkReading> {
    let of = |part: &PartSeen, mark: Mark| {
        let found = part.found || (read && part.possible);
        MarkReading { input, found, ..mark_of(scheme, part, mark, (found, unused)) }
    };
    seen.parts.iter().flat_map(|part| part.marks.iter().map(move |&mark| of(part, mark))).collect()
}

fn mark_of(scheme: &Scheme, part: &PartSeen, mark: Mark, (found, unused): (bool, f64)) -> MarkReading {
    let quality = quality_of(part, mark, unused);
    let worst = quality.grades().into_iter().max().unwrap_or(Grade::F);
    MarkReading {
        mark,
        input: 0,
        found,
        rotation_deg: f64::from(part.pose_um.rotation()).to_degrees(),
        mirrored: part.pose_um.mirrored(),
        scale: f64::from(part.pose_um.module() / part.module_um),
        corners_um: corners_of(scheme, part, mark),
        evidence: [f64::from(part.fit), f64::from(part.support)],
        foiled: part.foiled.map(|foiled| [foiled.mark, foiled.foils[0], foiled.foils[1]].map(f64::from)),
        explained: f64::from(part.explained),
        quality,
        grade: if found { worst } else { Grade::F },
    }
}

fn corners_of(scheme: &Scheme, part: &PartSeen, mark: Mark) -> [[f64; 2]; 4] {
    let (mut half_width, mut half_height) = (0.0f64, 0.0f64);
    if let Some(layout) = geometry::layout(scheme, mark) {
        for place in layout.places() {
            half_width = half_width.max(place.centre.x.abs() + place.half_width);
            half_height = half_height.max(place.centre.y.abs() + place.half_height);
        }
    }
    [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)].map(|(u, v): (f64, f64)| {
        let (x, y) = part.pose_um.place((u * half_width) as f32, (v * half_height) as f32);
        [f64::from(x), f64::from(y)]
    })
}

fn quality_of(part: &PartSeen, mark: Mark, unused: f64) -> Quality {
    let of: Vec<f64> =
        part.symbols.iter().filter(|s| s.mark == mark).map(|symbol| f64::from(symbol.presence)).collect();
    Quality {
        contrast: f64::from(part.explained.max(0.0)),
        modulation: of.iter().sum::<f64>() / of.len().max(1) as f64,
        damage: f64::from(1.0 - part.fixed),
        unused,
        distortion: f64::from(part.pose_um.distortion()),
    }
}

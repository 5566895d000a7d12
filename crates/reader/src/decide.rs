//! From evidence to an answer.

use symbology::decode::Decoding;
use symbology::{CheckRule, Mark, Scheme, geometry};

use crate::evidence::{Case, Votes, information, words_log2};
use crate::evident::Evident;
use crate::observation::{PartSeen, SymbolSeen};
use crate::overlaid::Overlaid;
use crate::poses::{Settled, settled};
use crate::reading::{
    CodeCandidate, Grade, Hypotheses, MarkReading, Outcome, Quality, ReadError, ReadOptions, Reading,
    SymbolReading,
};
use crate::sets::set_of;
use crate::stands::stands;
use crate::vectors::softmax;

/// What may lie in front of the reader, before it is looked at. All but a code agree with some code by chance alone:
/// by `s` bits more than choosing a code costs with a chance of 2^-s, however sure of itself the evidence is.
struct Prior {
    /// Legible symbols that are no code of the scheme: another scheme, free text.
    text: f64,
    /// Another mark, another font, a wrong pose.
    nonsense: f64,
    /// No mark at all.
    none: f64,
}

/// Where a mark is plain and more than characters were looked for: no other scheme has our rings and dots.
const PLAIN: Prior = Prior { text: 0.05, nonsense: 0.10, none: 0.0 };
/// Where a mark is plain and only characters were looked for: anybody may engrave eight characters.
const CHARACTERS: Prior = Prior { text: 0.30, nonsense: 0.10, none: 0.0 };
/// Where it is not plain that there is a mark.
const DOUBTFUL: Prior = Prior { text: 0.10, nonsense: 0.10, none: 0.30 };

/// Poses beyond which the odds are no more than all but infinite.
const MOST_TRIED: f64 = 1e12;
/// Spare bits that make a mark of what likely, or possibly, is one.
const LIKELY_BITS: f64 = 5.0;
const POSSIBLE_BITS: f64 = 10.0;
/// Characters that speak against the code of the other marks by this much are not of our font.
const MISFIT_BITS: f64 = 12.0;
/// Symbols that determine a code.
const SYMBOLS_OF_A_CODE: usize = 6;
/// Codes listed only when they are this probable.
const LISTED: f64 = 1e-6;

impl Prior {
    fn of(options: &ReadOptions, found: bool) -> &'static Self {
        match (found, options.marks.iter().all(|mark| *mark == Mark::Characters)) {
            (false, _) => &DOUBTFUL,
            (true, true) => &CHARACTERS,
            (true, false) => &PLAIN,
        }
    }

    /// The same where several poses were tried: each is another chance for what is no code.
    fn among(&self, poses: f64) -> Self {
        let more = poses / (1.0 + self.other() * (poses - 1.0));
        Self { text: more * self.text, nonsense: more * self.nonsense, none: more * self.none }
    }

    /// Everything but a code of the scheme.
    fn other(&self) -> f64 {
        self.text + self.nonsense + self.none
    }

    fn odds(&self) -> f64 {
        self.other() / (1.0 - self.other())
    }
}

/// Answers from cases that are taken to show one code.
pub(crate) fn answer(cases: &[&Case], options: &ReadOptions) -> Result<Reading, ReadError> {
    let scheme = &options.scheme;
    let free = scheme.check() == CheckRule::None;
    let neutral = if free { 0.0 } else { DOUBTFUL.other() };
    let Settled { cases: chosen, votes, decoding, log_evidence, tried } = settled(cases, options, neutral)?;
    let among: f64 = cases.iter().map(|case| case.among()).product();
    // What is no code need not be one nonsense for all cases: where they contradict each other that is likelier by so much.
    let tried = (tried as f64 * among * votes.apart(&chosen, scheme).exp()).min(MOST_TRIED);
    let plain = is_plain(cases, spare_of(scheme, &decoding) - tried.log2(), !free);
    let prior = Prior::of(options, plain).among(tried);
    let decoding = if free { decoding } else { reweighed(decoding, neutral, prior.other()) };
    let hypotheses = hypotheses(&prior, decoding.foreign);
    let symbols = symbols_of(scheme, &chosen, (&votes, hypotheses.code + hypotheses.text), &decoding);
    let best = decoding.candidates.first().map_or(0.0, |candidate| candidate.posterior);
    let against = spoken_against(&symbols);
    let overlaid = Overlaid::of(&symbols, &chosen);
    let sure = !free && best > 1.0 - options.bound;
    let accepted =
        sure && against < MISFIT_BITS && !overlaid.withholds() && stands(scheme, &chosen, &decoding);
    let found = plain || sure;
    let outcome = match (accepted, found, best > 1e-3) {
        (true, ..) => Outcome::Accepted,
        (false, false, _) => Outcome::NoMark,
        (false, true, true) => Outcome::Candidates,
        (false, true, false) => Outcome::Unreadable,
    };
    let beyond = symbols.len().saturating_sub(SYMBOLS_OF_A_CODE).max(1);
    let unused = (decoding.margin as f64 / beyond as f64).min(1.0);
    let listed = if found { candidates_of(scheme, &decoding, options.list) } else { Vec::new() };
    Ok(Reading {
        scheme: scheme.name().to_owned(),
        outcome,
        code: listed.first().filter(|_| accepted).map(|candidate| candidate.code.clone()),
        posterior: accepted.then_some(best),
        bound: options.bound,
        other: 1.0 - listed.iter().map(|candidate| candidate.posterior).sum::<f64>(),
        candidates: listed,
        bits_carried: hypotheses.code * decoding.bits.iter().sum::<f64>().max(0.0),
        bits_needed: words_log2(scheme),
        bits_asked: (prior.odds() / options.bound).log2().max(0.0),
        bits_spare: spare_of(scheme, &decoding),
        hypotheses,
        log_evidence,
        symbols,
        marks: marks_of(scheme, &chosen, (found, unused)),
        margin: decoding.margin,
        left_out: Vec::new(),
        groups: Vec::new(),
        firearms: usize::from(found),
        sensitivity: None,
        warnings: if found { warnings(against, overlaid) } else { Vec::new() },
    })
}

/// The same posterior with another prior probability that there is no code.
fn reweighed(mut decoding: Decoding, from: f64, to: f64) -> Decoding {
    let (code, none) = ((1.0 - to) / (1.0 - from), to / from);
    let total = code * (1.0 - decoding.foreign) + none * decoding.foreign;
    for candidate in &mut decoding.candidates {
        candidate.posterior *= code / total;
    }
    decoding.unlisted *= code / total;
    decoding.foreign *= none / total;
    decoding
}

/// Bits by which the best code agrees with the evidence beyond what choosing it costs.
fn spare_of(scheme: &Scheme, decoding: &Decoding) -> f64 {
    decoding.bits.iter().sum::<f64>() - words_log2(scheme)
}

/// Whether a mark is there: by itself, or because its symbols agree with a code.
fn is_plain(cases: &[&Case], spare: f64, coded: bool) -> bool {
    let parts = || cases.iter().flat_map(|case| &case.sights).flat_map(|sight| &sight.parts);
    let agrees = |bits: f64| coded && spare >= bits;
    parts().any(|part| part.found)
        || (agrees(LIKELY_BITS) && parts().any(|part| part.likely || Evident::is_ahead(part.foiled)))
        || (agrees(POSSIBLE_BITS) && parts().any(|part| part.possible))
}

fn warnings(against: f64, overlaid: Overlaid) -> Vec<String> {
    let misfit = (against >= MISFIT_BITS / 2.0).then(|| misfit(against));
    misfit.into_iter().chain(overlaid.warning()).collect()
}

/// The posterior of every hypothesis. All but the code make every value of every symbol as likely, so they share what the
/// code leaves over as their priors say.
fn hypotheses(prior: &Prior, other: f64) -> Hypotheses {
    let share = |of: f64| if prior.other() > 0.0 { other * of / prior.other() } else { 0.0 };
    Hypotheses {
        code: 1.0 - other,
        text: share(prior.text),
        nonsense: share(prior.nonsense),
        none: share(prior.none),
    }
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

fn candidates_of(scheme: &Scheme, decoding: &Decoding, list: usize) -> Vec<CodeCandidate> {
    decoding
        .candidates
        .iter()
        .filter(|candidate| candidate.posterior > LISTED)
        .take(list.min(20))
        .map(|candidate| CodeCandidate { code: scheme.text(&candidate.word), posterior: candidate.posterior })
        .collect()
}

/// `legible` is the probability that there are symbols where they were looked at.
fn symbols_of(
    scheme: &Scheme,
    cases: &[Case],
    (votes, legible): (&Votes, f64),
    decoding: &Decoding,
) -> Vec<SymbolReading> {
    let parts = cases.iter().flat_map(|case| &case.sights).flat_map(|sight| &sight.parts);
    let seen: Vec<&SymbolSeen> = parts.filter(|part| part.possible).flat_map(|part| &part.symbols).collect();
    (0..scheme.length())
        .filter_map(|index| {
            let of: Vec<&SymbolSeen> =
                seen.iter().copied().filter(|symbol| symbol.evidence.index == index).collect();
            let bits = decoding.bits.get(index).copied().unwrap_or(0.0);
            Some(symbol_of(scheme, &of, (votes.of(index)?, legible), bits))
        })
        .collect()
}

fn symbol_of(
    scheme: &Scheme,
    seen: &[&SymbolSeen],
    (logs, legible): (Vec<f32>, f64),
    bits: f64,
) -> SymbolReading {
    let first = seen[0];
    let mut values: Vec<(usize, f64)> = softmax(&logs).into_iter().map(f64::from).enumerate().collect();
    values.sort_by(|a, b| b.1.total_cmp(&a.1));
    let shown = |value: usize| scheme.alphabet()[value];
    let presence = seen.iter().map(|one| one.presence).fold(0.0, f32::max);
    let likely = values.iter().skip(1).take(3).filter(|(_, p)| *p > 1e-4);
    SymbolReading {
        index: first.evidence.index,
        mark: first.mark,
        value: shown(values[0].0),
        posterior: values[0].1,
        erased: presence < 0.15 && values[0].1 < 0.5,
        alternatives: likely.map(|&(value, p)| (shown(value), p)).collect(),
        set: set_of(&values, legible, &logs).into_iter().map(shown).collect(),
        centre_um: (seen.len() == 1).then_some(first.centre_um),
        information: f64::from(information(&logs)),
        log_likelihoods: logs,
        bits,
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

/// The marks of all inputs; those that helped to read a code are there, however little of them is seen.
fn marks_of(scheme: &Scheme, cases: &[Case], (read, unused): (bool, f64)) -> Vec<MarkReading> {
    let of = |(input, part): (usize, &PartSeen), mark: Mark| {
        let found = part.found || (read && part.possible);
        MarkReading { input, found, ..mark_of(scheme, part, mark, (found, unused)) }
    };
    let sights = cases.iter().flat_map(|case| &case.sights);
    let parts = sights.flat_map(|sight| sight.parts.iter().map(|&part| (sight.input, part)));
    let mut marks: Vec<MarkReading> =
        parts.flat_map(|seen| seen.1.marks.iter().map(move |&mark| of(seen, mark))).collect();
    marks.sort_by_key(|mark| mark.input);
    marks
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

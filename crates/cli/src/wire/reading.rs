//! Schema `microstamp.reading/1`.

use reader::{CodeCandidate, GroupReading, MarkReading, Outcome, Reading, SymbolReading};
use serde::Serialize;

use crate::surfaces::{Loaded, PitchSource};

/// One reading.
#[derive(Debug, Serialize)]
pub(crate) struct ReadingJson {
    schema: &'static str,
    inputs: Vec<InputJson>,
    scheme: String,
    outcome: Outcome,
    code: Option<String>,
    posterior: Option<f64>,
    wrong_accept_bound: f64,
    candidates: Vec<CandidateJson>,
    other: f64,
    symbols: Vec<SymbolJson>,
    marks: Vec<MarkJson>,
    margin: usize,
    bits: BitsJson,
    hypotheses: HypothesesJson,
    firearms: usize,
    /// Where no mark was found, the share of badly struck ones that would have been seen.
    sensitivity: Option<f64>,
    groups: Vec<GroupJson>,
    left_out: Vec<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<String>,
    calibration: CalibrationJson,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct InputJson {
    file: String,
    kind: &'static str,
    pitch_um: Option<[f64; 2]>,
    pitch_source: PitchSource,
    sha256: String,
}

#[derive(Debug, Serialize)]
struct CandidateJson {
    code: String,
    posterior: f64,
}

#[derive(Debug, Serialize)]
struct SymbolJson {
    index: usize,
    mark: String,
    value: char,
    posterior: f64,
    erased: bool,
    alternatives: Vec<(char, f64)>,
    /// Values among which the true one is 95 % of the time; may be empty.
    set: Vec<char>,
    centre_um: Option<[f64; 2]>,
    bits: f64,
    grade: reader::Grade,
}

#[derive(Debug, Serialize)]
struct MarkJson {
    mark: String,
    input: usize,
    found: bool,
    rotation_deg: Option<f64>,
    mirrored: Option<bool>,
    scale: Option<f64>,
    corners_um: Option<[[f64; 2]; 4]>,
    grade: Option<reader::Grade>,
    quality: Option<reader::Quality>,
}

#[derive(Debug, Serialize)]
struct BitsJson {
    carried: f64,
    needed: f64,
    /// Bits beyond those needed that the bound asks for.
    asked: f64,
}

/// What may lie there, with the probability of each; they sum to 1.
#[derive(Debug, Serialize)]
struct HypothesesJson {
    code: f64,
    text: f64,
    nonsense: f64,
    none: f64,
}

/// Inputs that speak for one firearm, and their answer by themselves.
#[derive(Debug, Serialize)]
struct GroupJson {
    inputs: Vec<usize>,
    outcome: Outcome,
    code: Option<String>,
    posterior: Option<f64>,
    candidates: Vec<CandidateJson>,
    log10_ratio: f64,
}

#[derive(Debug, Serialize)]
struct CalibrationJson {
    measured_on: &'static str,
    version: &'static str,
}

impl ReadingJson {
    /// The reading of one question with the inputs that it was asked about.
    pub(crate) fn of(question: &[&Loaded], reading: &Reading) -> Self {
        let assumed = question.iter().flat_map(|input| &input.warnings);
        Self {
            schema: "microstamp.reading/1",
            inputs: question.iter().copied().map(input).collect(),
            scheme: reading.scheme.clone(),
            outcome: reading.outcome,
            code: reading.code.clone(),
            posterior: reading.posterior,
            wrong_accept_bound: reading.bound,
            candidates: candidates(&reading.candidates),
            other: reading.other,
            symbols: reading.symbols.iter().map(symbol).collect(),
            marks: reading.marks.iter().map(mark).collect(),
            margin: reading.margin,
            bits: BitsJson {
                carried: reading.bits_carried,
                needed: reading.bits_needed,
                asked: reading.bits_asked,
            },
            hypotheses: HypothesesJson {
                code: reading.hypotheses.code,
                text: reading.hypotheses.text,
                nonsense: reading.hypotheses.nonsense,
                none: reading.hypotheses.none,
            },
            firearms: reading.firearms,
            sensitivity: reading.sensitivity,
            groups: reading.groups.iter().map(group).collect(),
            left_out: reading.left_out.clone(),
            settings: None,
            calibration: CalibrationJson { measured_on: "simulation", version: env!("CARGO_PKG_VERSION") },
            warnings: assumed.chain(&reading.warnings).cloned().collect(),
        }
    }

    /// Adds what the reading was asked for with.
    pub(crate) fn under(self, settings: &str) -> Self {
        Self { settings: Some(settings.to_owned()), ..self }
    }
}

fn candidates(candidates: &[CodeCandidate]) -> Vec<CandidateJson> {
    let of = |candidate: &CodeCandidate| CandidateJson {
        code: candidate.code.clone(),
        posterior: candidate.posterior,
    };
    candidates.iter().map(of).collect()
}

fn group(group: &GroupReading) -> GroupJson {
    GroupJson {
        inputs: group.inputs.clone(),
        outcome: group.outcome,
        code: group.code.clone(),
        posterior: group.posterior,
        candidates: candidates(&group.candidates),
        log10_ratio: group.log10_ratio,
    }
}

fn input(input: &Loaded) -> InputJson {
    InputJson {
        file: input.file.display().to_string(),
        kind: input.surface.kind(),
        pitch_um: input.surface.pitch().map(|pitch| [pitch.x.to_um(), pitch.y.to_um()]),
        pitch_source: input.pitch_source,
        sha256: input.sha256.clone(),
    }
}

fn symbol(symbol: &SymbolReading) -> SymbolJson {
    SymbolJson {
        index: symbol.index,
        mark: symbol.mark.to_string(),
        value: symbol.value,
        posterior: symbol.posterior,
        erased: symbol.erased,
        alternatives: symbol.alternatives.clone(),
        set: symbol.set.clone(),
        centre_um: symbol.centre_um,
        bits: symbol.bits,
        grade: symbol.grade,
    }
}

fn mark(mark: &MarkReading) -> MarkJson {
    MarkJson {
        mark: mark.mark.to_string(),
        input: mark.input,
        found: mark.found,
        rotation_deg: mark.found.then_some(mark.rotation_deg),
        mirrored: mark.found.then_some(mark.mirrored),
        scale: mark.found.then_some(mark.scale),
        corners_um: mark.found.then_some(mark.corners_um),
        grade: mark.found.then_some(mark.grade),
        quality: mark.found.then_some(mark.quality),
    }
}

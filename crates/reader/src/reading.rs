//! What a reading says.

use symbology::{Mark, Scheme};
use topography::Length;

/// What to look for, and how sure to be.
///
/// ```
/// use reader::ReadOptions;
/// use symbology::Scheme;
/// let options = ReadOptions { bound: 1e-6, ..ReadOptions::new(Scheme::open_1()) };
/// assert_eq!(options.marks.len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ReadOptions {
    /// The scheme whose marks are looked for.
    pub scheme: Scheme,
    /// The marks that may be there; those of one part of the firearm are looked for together.
    pub marks: Vec<Mark>,
    /// The share of accepted codes that may be wrong in the long run.
    pub bound: f64,
    /// How many candidates a reading lists at most.
    pub list: usize,
    /// How large a module is, where the mark was not engraved at its nominal size; sizes within 15 % are looked for.
    pub module: Option<Length>,
}

impl ReadOptions {
    /// The marks on the firing pin (characters and gear ring, as far as the scheme has them), bound 1e-4, 20 candidates.
    pub fn new(scheme: Scheme) -> Self {
        let pin = [Mark::Characters, Mark::Gear];
        let marks = scheme.marks().into_iter().filter(|mark| pin.contains(mark)).collect();
        Self { scheme, marks, bound: 1e-4, list: 20, module: None }
    }
}

/// How a reading ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The posterior of the best code is above what the bound asks for, and nothing speaks against the model.
    Accepted,
    /// Some codes are more probable than chance, none is sure.
    Candidates,
    /// A mark is there but does not carry enough, or none was found where one could lie hidden
    /// ([`Reading::firearms`] is then 0, and [`Reading::sensitivity`] says how many would have been seen).
    Unreadable,
    /// No mark of the scheme was found where one would have been seen, as far as the input tells.
    NoMark,
}

/// A grade in the spirit of ISO/IEC TR 29158, from the share of relief that came over and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub enum Grade {
    /// As engraved.
    A,
    /// Good.
    B,
    /// Usable.
    C,
    /// Poor.
    D,
    /// Lost.
    F,
}

/// The answer to one question: one input, or several that were fused.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The name of the scheme.
    pub scheme: String,
    /// How it ends.
    pub outcome: Outcome,
    /// The code as written, only when accepted.
    pub code: Option<String>,
    /// Its posterior probability, only when accepted.
    pub posterior: Option<f64>,
    /// The bound that was asked for.
    pub bound: f64,
    /// The most probable codes, best first.
    pub candidates: Vec<CodeCandidate>,
    /// The probability left over; with the candidates it sums to 1.
    pub other: f64,
    /// Every symbol that was looked at.
    pub symbols: Vec<SymbolReading>,
    /// Every mark that was looked for.
    pub marks: Vec<MarkReading>,
    /// How many further legible symbols could be lost before another code fits as well.
    pub margin: usize,
    /// The probability of everything that may be there.
    pub hypotheses: Hypotheses,
    /// The natural logarithm of the likelihood of what was seen with some code of the scheme there over nothing there.
    pub log_evidence: f64,
    /// Bits that the observations carry for a code: those by which they agree with the best one, times the probability
    /// that there is one at all. Nonsense carries next to none, however sure of itself it is.
    pub bits_carried: f64,
    /// Bits that choosing a code costs: the logarithm to base 2 of how many there are.
    pub bits_needed: f64,
    /// Bits beyond those needed that the bound asks for.
    pub bits_asked: f64,
    /// Bits that speak for the best code beyond those that some code gets from noise; negative when none fits.
    pub bits_spare: f64,
    /// Inputs (by their order) that were left out of a fusion: they speak for another code, or for none.
    pub left_out: Vec<usize>,
    /// The inputs by the firearm that they speak for, each with its own answer, the one that was read first. What speaks
    /// for none is in no group.
    pub groups: Vec<GroupReading>,
    /// How many firearms there are at least: as many as codes are accepted, one where a mark was found.
    pub firearms: usize,
    /// Where no mark was found, the share of badly struck ones that would have been seen, laid on the input itself: on
    /// photographs ruined ones (3.5 µm relief, blurred by 7 µm, dragged by 15 µm, struck twice 20 µm apart, a fifth lost), on height
    /// maps heavily damaged ones (4 µm, 6 µm, 10 µm, struck once, an eighth lost); of several inputs the least. Nothing where
    /// a mark was found, and where a photograph has no scale or no lit bowl.
    pub sensitivity: Option<f64>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// What may lie in front of the reader, with the probability of each; they sum to 1. The priors: where a mark is plain,
/// 0.85 a code, 0.05 text or another scheme, 0.10 nonsense; with characters alone looked for 0.6, 0.3, 0.1; where it is not
/// plain that there is a mark 0.5, 0.1, 0.1, and 0.3 none. A scheme without check symbols has no words to tell from text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hypotheses {
    /// A code of the scheme.
    pub code: f64,
    /// Legible symbols that are no code: text, or another scheme.
    pub text: f64,
    /// Another mark, another font, a wrong pose.
    pub nonsense: f64,
    /// No mark.
    pub none: f64,
}

/// Inputs that speak for one firearm, and what they say by themselves.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupReading {
    /// The inputs, by their order.
    pub inputs: Vec<usize>,
    /// How their reading by themselves ends.
    pub outcome: Outcome,
    /// Their code, if it is accepted.
    pub code: Option<String>,
    /// Its posterior probability, if it is accepted.
    pub posterior: Option<f64>,
    /// Their most probable codes.
    pub candidates: Vec<CodeCandidate>,
    /// The logarithm to base 10 of the likelihood ratio of one code for all of them over no code for any.
    pub log10_ratio: f64,
}

/// A code and how probable it is.
#[derive(Clone, Debug, PartialEq)]
pub struct CodeCandidate {
    /// The code as written.
    pub code: String,
    /// Its posterior probability.
    pub posterior: f64,
}

/// One symbol, judged by its own evidence alone (the code is not used).
#[derive(Clone, Debug, PartialEq)]
pub struct SymbolReading {
    /// Its place in the word.
    pub index: usize,
    /// The mark that carries it.
    pub mark: Mark,
    /// Its most probable value.
    pub value: char,
    /// The probability of that value.
    pub posterior: f64,
    /// Whether next to nothing of it came over.
    pub erased: bool,
    /// The next values and their probabilities, best first.
    pub alternatives: Vec<(char, f64)>,
    /// Values, the likeliest first, among which the true one is 95 % of the time: no more often where posteriors mean what
    /// they say, so that it is empty about once in twenty where one value is sure (drawn by the evidence itself).
    pub set: Vec<char>,
    /// Where its middle lies, in micrometres right and down from the first sample; nothing after fusion.
    pub centre_um: Option<[f64; 2]>,
    /// For every value, in the order of the alphabet, the natural logarithm of the likelihood of what was observed.
    pub log_likelihoods: Vec<f32>,
    /// Bits by which it speaks for the best code; negative where it speaks against it.
    pub bits: f64,
    /// Bits that it tells about its own value: the five of a symbol less the entropy of its posterior.
    pub information: f64,
    /// How well it came over.
    pub grade: Grade,
}

/// One mark, found or not.
#[derive(Clone, Debug, PartialEq)]
pub struct MarkReading {
    /// Which mark.
    pub mark: Mark,
    /// Which input (by order) it was looked for in.
    pub input: usize,
    /// Whether it was found.
    pub found: bool,
    /// How it is turned, degrees clockwise as seen.
    pub rotation_deg: f64,
    /// Whether it is seen from behind, as on a replica.
    pub mirrored: bool,
    /// Its size against the nominal one.
    pub scale: f64,
    /// The corners of the box around it (top left, top right, bottom right, bottom left of the mark) in micrometres.
    pub corners_um: [[f64; 2]; 4],
    /// Evidence for a mark over none, natural log: of a first look at the whole and of the closer look.
    pub evidence: [f64; 2],
    /// Where a mark is not plain, the most evidence at any pose, natural log: for the mark, and for two foils of it that
    /// nobody makes, which fit by chance alone.
    pub foiled: Option<[f64; 3]>,
    /// The share of the surface inside it (slow waves left out) that the mark explains.
    pub explained: f64,
    /// What its grade rests on.
    pub quality: Quality,
    /// The worst of the grades of its qualities; [`Grade::F`] where it was not found.
    pub grade: Grade,
}

/// What a mark is graded by, in the spirit of ISO/IEC TR 29158 (contrast and modulation of cells) and ISO/IEC 15415 (the
/// rest); all are shares. As the maker's check of a fresh pin: strike it once and read the case.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Quality {
    /// Of the variation of the surface inside the mark, what the mark makes.
    pub contrast: f64,
    /// Of the relief of its symbols, what came over, on average.
    pub modulation: f64,
    /// Of what is always drawn (start mark, finders), what is lost.
    pub damage: f64,
    /// Of the symbols beyond the six that a code needs, those that could still be lost; of the whole reading.
    pub unused: f64,
    /// How much longer it is along one axis than along the other.
    pub distortion: f64,
}

impl Quality {
    /// The grades in the order of the qualities.
    pub fn grades(&self) -> [Grade; 5] {
        [
            graded(self.contrast, [0.30, 0.25, 0.20, 0.15]),
            graded(self.modulation, [0.50, 0.40, 0.30, 0.20]),
            graded(1.0 - self.damage, [0.80, 0.65, 0.50, 0.25]),
            graded(self.unused, [0.62, 0.50, 0.37, 0.25]),
            graded(-self.distortion, [-0.06, -0.08, -0.10, -0.12]),
        ]
    }
}

/// The first grade whose least value is reached.
fn graded(value: f64, least: [f64; 4]) -> Grade {
    let grades = [Grade::A, Grade::B, Grade::C, Grade::D];
    grades.into_iter().zip(least).find(|(_, least)| value >= *least).map_or(Grade::F, |(grade, _)| grade)
}

/// Why nothing could be read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ReadError {
    /// The caller asked for marks that the scheme does not have.
    #[error("the scheme has no such marks: {0}\nhint: leave the marks out to look for all that it has")]
    Marks(String),
    /// The bound is not a probability.
    #[error("the bound {0} is not between 0 and 1\nhint: 1e-4 accepts one wrong code in ten thousand")]
    Bound(f64),
    /// The surface is too small to hold a mark.
    #[error("a surface of {width_um:.0} x {height_um:.0} µm cannot hold a mark\nhint: check the pitch")]
    TooSmall {
        /// Its width.
        width_um: f64,
        /// Its height.
        height_um: f64,
    },
    /// The surface is larger than the reader looks through.
    #[error(
        "a surface of {width_um:.0} x {height_um:.0} µm is too large\nhint: check the pitch, or cut out the primer"
    )]
    TooLarge {
        /// Its width.
        width_um: f64,
        /// Its height.
        height_um: f64,
    },
    /// No inputs were given.
    #[error("there is nothing to fuse\nhint: give at least one observation")]
    Nothing,
    /// The decoder refused the evidence: an error of this program.
    #[error("the evidence cannot be decoded: {0}")]
    Evidence(#[from] symbology::decode::DecodeError),
}

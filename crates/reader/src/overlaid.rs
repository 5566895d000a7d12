//! Legible symbols that contradict the code which the rest carries: another mark over this one, or light.

use crate::evidence::Case;
use crate::reading::SymbolReading;
use crate::search::Rendering;

/// A legible symbol that speaks against the code by this many bits contradicts it.
const CONTRADICTS: f64 = 5.0;
/// So many contradictions beside each other are perhaps another mark over this one.
const PERHAPS: usize = 2;
/// So many are taken to be one in a photograph. A highlight or a shadow makes two of them: in five of 71 readings of one
/// photograph at levels 0 and 1 (*simulation*), each of them right.
const IN_PICTURES: usize = 3;

/// What contradicts the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overlaid {
    /// How many legible symbols beside each other, at most.
    symbols: usize,
    pictured: bool,
}

impl Overlaid {
    pub(crate) fn of(symbols: &[SymbolReading], cases: &[Case]) -> Self {
        let parts = || cases.iter().flat_map(|case| &case.sights).flat_map(|sight| &sight.parts);
        Self {
            symbols: contradictions(symbols),
            pictured: parts().all(|part| part.rendering != Rendering::Height),
        }
    }

    /// Whether nothing may be accepted.
    pub(crate) fn withholds(self) -> bool {
        self.symbols >= if self.pictured { IN_PICTURES } else { PERHAPS }
    }

    pub(crate) fn warning(self) -> Option<String> {
        let Self { symbols, .. } = self;
        let what = if self.withholds() {
            "perhaps two marks, one over the other; nothing is accepted"
        } else {
            "a highlight or a shadow, or two marks, one over the other"
        };
        (symbols >= PERHAPS).then(|| {
            format!("{symbols} legible symbols beside each other contradict the code that the rest carries: {what}")
        })
    }
}

/// How many legible symbols beside each other contradict the best code, at most.
fn contradictions(symbols: &[SymbolReading]) -> usize {
    let contradicts = |symbol: &SymbolReading| symbol.bits < -CONTRADICTS && symbol.posterior > 0.5;
    let beside = |a: &SymbolReading, b: &SymbolReading| {
        a.mark == b.mark && a.index + 1 == b.index && contradicts(a) == contradicts(b)
    };
    let runs = symbols.chunk_by(beside).filter(|run| contradicts(&run[0]));
    runs.map(<[SymbolReading]>::len).max().unwrap_or(0)
}

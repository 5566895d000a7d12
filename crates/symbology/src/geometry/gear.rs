//! The gear ring: a bit is a tooth that points outward (1) or inward (0) of the pitch line.
//!
//! Every bit leaves relief on one of the two tracks, so a cell without relief is lost metal and never evidence.

use std::f64::consts::{FRAC_PI_2, TAU};

use super::{Element, MarkLayout, place_of_bits};
use crate::scheme_file::GearRing;
use crate::{Mark, Scheme};

/// Cells of the start mark, centred on the top: two filled on both tracks, then (clockwise) two left empty.
const START_CELLS: usize = 4;
const FILLED_CELLS: usize = 2;

/// The part of a cell's angle that a tooth takes.
const TOOTH: f64 = 0.8;

const BITS: usize = 5;

/// Cells run clockwise as seen on the case; the four cells of the start mark come first and are centred on the top,
/// the data cells follow, symbol after symbol, the most significant bit of each first.
pub(super) fn layout(scheme: &Scheme, ring: &GearRing) -> MarkLayout {
    let cell = TAU / (START_CELLS + BITS * ring.symbols) as f64;
    let middle = |number: usize| -FRAC_PI_2 + (number as f64 + 0.5 - START_CELLS as f64 / 2.0) * cell;
    let tooth = |number: usize, outward: bool| {
        let (inner, outer) = if outward { (ring.pitch, ring.outer) } else { (ring.inner, ring.pitch) };
        let half = TOOTH * cell / 2.0;
        Element::Sector { inner, outer, from: middle(number) - half, to: middle(number) + half }
    };
    let places = (0..ring.symbols)
        .map(|symbol| {
            let index = ring.first + symbol;
            let first = START_CELLS + BITS * symbol;
            let drawn =
                (first..first + BITS).map(|n| [vec![tooth(n, false)], vec![tooth(n, true)]]).collect();
            place_of_bits(index, drawn, scheme.whitening(index))
        })
        .collect();
    // One block over both filled cells: it is larger than anything that data can make.
    let fixed = vec![Element::Sector {
        inner: ring.inner,
        outer: ring.outer,
        from: middle(0) - TOOTH * cell / 2.0,
        to: middle(FILLED_CELLS - 1) + TOOTH * cell / 2.0,
    }];
    MarkLayout { mark: Mark::Gear, places, fixed, checks: Vec::new(), extent: ring.outer }
}

//! A ring of radial bars: a bit is a bar in the first (0) or second (1) half of its cell, going clockwise.
//!
//! Bars run along the radius, so drag along them and wear from the rim inwards shorten them but leave them in place.

use std::f64::consts::{FRAC_PI_2, TAU};

use super::{Element, MarkLayout, place_of_bits};
use crate::scheme_file::RadialRing;
use crate::{Mark, Scheme};

/// Cells of the start mark, centred on the top: three cells filled without a gap, then (clockwise) two left empty.
const START_CELLS: usize = 5;
const FILLED_CELLS: usize = 3;

/// The part of half a cell that a bar takes.
const BAR: f64 = 0.8;

const BITS: usize = 5;

pub(super) fn layout(scheme: &Scheme, ring: &RadialRing) -> MarkLayout {
    let cell = TAU / (START_CELLS + BITS * ring.symbols) as f64;
    let start = |number: usize| -FRAC_PI_2 + (number as f64 - START_CELLS as f64 / 2.0) * cell;
    let bar = |number: usize, half: usize| {
        let middle = start(number) + (0.25 + 0.5 * half as f64) * cell;
        let reach = BAR * cell / 4.0;
        Element::Sector { inner: ring.inner, outer: ring.outer, from: middle - reach, to: middle + reach }
    };
    let places = (0..ring.symbols)
        .map(|symbol| {
            let index = ring.first + symbol;
            let first = START_CELLS + BITS * symbol;
            let drawn = (first..first + BITS).map(|n| [0, 1].map(|half| vec![bar(n, half)])).collect();
            place_of_bits(index, drawn, scheme.whitening(index))
        })
        .collect();
    let fixed = vec![Element::Sector {
        inner: ring.inner,
        outer: ring.outer,
        from: start(0),
        to: start(FILLED_CELLS),
    }];
    MarkLayout { mark: Mark::Radial, places, fixed, checks: Vec::new(), extent: ring.outer }
}

//! Rings of dots around the aperture of the firing pin, for the breech face.
//!
//! The circle is cut into one sector for each symbol and one for the start mark. A sector has five rings, one for
//! each bit, the most significant innermost; a bit is a dot in the first (0) or second (1) half of its ring's piece of the sector, going
//! clockwise. Damage to one side of the primer thus costs whole symbols, which is what the mother code repairs best.

use std::f64::consts::{FRAC_PI_2, TAU};

use super::{Element, MarkLayout, Point, place_of_bits};
use crate::scheme_file::DotRings;
use crate::{Mark, Scheme};

const BITS: usize = 5;

/// The start sector is centred on the top; the data sectors follow clockwise.
pub(super) fn layout(scheme: &Scheme, rings: &DotRings) -> MarkLayout {
    let sector = TAU / (rings.symbols + 1) as f64;
    let radius = |ring: usize| rings.inner + ring as f64 * rings.ring_pitch;
    let angle = |number: usize, half: usize| {
        -FRAC_PI_2 + number as f64 * sector + if half == 0 { -0.25 } else { 0.25 } * sector
    };
    let dot = |number, ring, half| Element::Dot {
        centre: Point::polar(radius(ring), angle(number, half)),
        diameter: rings.diameter,
    };
    let places = (0..rings.symbols)
        .map(|symbol| {
            let index = rings.first + symbol;
            let drawn = (0..BITS).map(|ring| [0, 1].map(|half| vec![dot(symbol + 1, ring, half)])).collect();
            place_of_bits(index, drawn, scheme.whitening(index))
        })
        .collect();
    // The start mark: a bar across all rings in the first half of its sector, and one dot on the outermost ring in
    // the second: no turn and no mirror image of the mark has the same.
    let bar = Element::Stroke {
        points: vec![Point::polar(radius(0), angle(0, 0)), Point::polar(radius(BITS - 1), angle(0, 0))],
        width: rings.diameter,
    };
    let fixed = vec![bar, dot(0, BITS - 1, 1)];
    let extent = radius(BITS - 1) + rings.diameter / 2.0;
    MarkLayout { mark: Mark::Dots, places, fixed, checks: Vec::new(), extent }
}

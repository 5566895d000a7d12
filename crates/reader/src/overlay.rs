//! A picture of what was found and read, and of what it rests on.

use symbology::{Mark, Scheme, geometry};
use topography::Grid;

use crate::banks::Banks;
use crate::field::Surface;
use crate::observation::{Observation, PartSeen};
use crate::raster::Canvas;
use crate::reading::{Reading, SymbolReading};
use crate::synthesis::Synthesis;

/// Samples along a side of the two panels.
const SIDE: usize = 384;
/// Samples of the tiles of a symbol, and of a card of four of them with its bar.
const TILE: [usize; 2] = [44, 60];
const CARD: [usize; 2] = [192, 80];
/// Samples of each band of the unrolled ring, and of a bar.
const BAND: usize = 40;
const BAR: usize = 8;
/// Bits of a bar that is as long as the picture is wide.
const WIDEST: f64 = 80.0;

const GROUND: [u8; 3] = [24, 24, 28];
const GREEN: [u8; 3] = [60, 170, 90];
const RED: [u8; 3] = [220, 40, 40];

/// A picture that shows why a mark reads as it does, upright as the mark is read; red, green and blue in 0..=255.
///
/// From above: the surface in the frame of the mark (slow form left out), and beside it the same with the outline of the
/// code that was read, or of the first candidate, in red. Then a card for each character: what was seen, its two likeliest
/// values as this surface would show them, and what the model leaves unexplained; the bar below is as long as the symbol
/// has bits for the code (green) or against it (red), five the whole card. Then the ring unrolled clockwise from the top:
/// seen, as the model shows it, and the rest, with such a bar for each symbol. Last the bits that all symbols carry (green)
/// with a red mark at those that a code needs.
///
/// Nothing where no mark was found.
pub fn overlay(
    topography: &topography::Topography,
    observation: &Observation,
    scheme: &Scheme,
    reading: &Reading,
) -> Option<Grid<[u8; 3]>> {
    let first = observation.parts.iter().find(|part| part.possible)?;
    let part = settled_on(first, reading);
    let code = reading.code.as_ref().or(reading.candidates.first().map(|first| &first.code));
    let cards = cards(part, scheme, reading);
    let strips = if part.marks.contains(&Mark::Gear) { ring(part, scheme, reading) } else { Vec::new() };
    let rows = cards.len().div_ceil(2 * SIDE / CARD[0]);
    let height = SIDE + rows * CARD[1] + strips.len() + 3 * BAR;
    let mut picture = Grid::from_fn(2 * SIDE, height, |_, _| GROUND);
    panels(&mut picture, topography, (part, scheme), code.map(String::as_str));
    for (place, card) in cards.iter().enumerate() {
        let across = 2 * SIDE / CARD[0];
        paste(&mut picture, card, [place % across * CARD[0], SIDE + place / across * CARD[1]]);
    }
    let below = SIDE + rows * CARD[1];
    for (y, row) in strips.iter().enumerate() {
        row.iter().enumerate().for_each(|(x, &colour)| picture[(x, below + y)] = colour);
    }
    let long = |bits: f64| ((bits / WIDEST).clamp(0.0, 1.0) * (2 * SIDE - 1) as f64) as usize;
    for y in height - 2 * BAR..height - BAR {
        (0..long(reading.bits_carried)).for_each(|x| picture[(x, y)] = GREEN);
        picture[(long(reading.bits_needed), y)] = RED;
    }
    Some(picture)
}

/// The pose that the reading settled on.
fn settled_on<'a>(first: &'a PartSeen, reading: &Reading) -> &'a PartSeen {
    let read = reading.marks.iter().find(|mark| first.marks.contains(&mark.mark));
    let is_it = |part: &&PartSeen| {
        read.is_some_and(|mark| {
            mark.mirrored == part.pose_um.mirrored()
                && mark.rotation_deg.to_bits() == f64::from(part.pose_um.rotation()).to_degrees().to_bits()
        })
    };
    first.rivals.iter().find(is_it).unwrap_or(first)
}

/// The surface in the frame of the mark, and the same with the outline of a code.
fn panels(
    picture: &mut Grid<[u8; 3]>,
    topography: &topography::Topography,
    (part, scheme): (&PartSeen, &Scheme),
    code: Option<&str>,
) {
    let surface = Surface::Heights(topography);
    let [width, height] = surface.extent_um();
    let pitch = (part.module_um * 0.21).max(width.max(height) / 2000.0);
    let mut field = surface.sampled([0.0, 0.0, width, height], topography::Length::um(f64::from(pitch)));
    field.take_quadric();
    field.take_slow_waves(2.5 * part.module_um / pitch);
    let field = field.evened(5.0 * part.module_um / pitch, 2.5);
    let canvas = Canvas { size: SIDE, per_module: SIDE as f32 / 48.0 };
    let pose = part.pose_um.moved(1.0 / pitch, [-field.origin_um / pitch; 2]);
    let (seen, _) = pose.rectify(&field, canvas);
    let mut drawn = vec![0.0; SIDE * SIDE];
    if let Some(word) = code.and_then(|code| scheme.word(code).ok()) {
        for &mark in &part.marks {
            canvas.draw(&geometry::draw(scheme, mark, &word), &mut drawn);
        }
    }
    for y in 0..SIDE {
        for x in 0..SIDE {
            let (value, edge) = (seen[y * SIDE + x], drawn[y * SIDE + x]);
            picture[(x, y)] = grey(value);
            picture[(SIDE + x, y)] = if edge > 0.25 && edge < 0.75 { RED } else { grey(value) };
        }
    }
}

fn grey(value: f32) -> [u8; 3] {
    [(128.0 + 48.0 * value).clamp(0.0, 255.0) as u8; 3]
}

fn paste(picture: &mut Grid<[u8; 3]>, piece: &Grid<[u8; 3]>, at: [usize; 2]) {
    for y in 0..piece.height() {
        for x in 0..piece.width() {
            picture[(at[0] + x, at[1] + y)] = piece[(x, y)];
        }
    }
}

/// A card for every character.
fn cards(part: &PartSeen, scheme: &Scheme, reading: &Reading) -> Vec<Grid<[u8; 3]>> {
    let Some(synthesis) = &part.synthesis else { return Vec::new() };
    let banks = Banks::draw(scheme, &part.marks, topography::Length::um(f64::from(part.module_um)));
    let lit = synthesis.lit.map(|lit| banks.flanks().lit(lit).0);
    let bank = lit.as_ref().or(part.bank.as_deref()).unwrap_or(&banks.fine);
    let parts = bank.parts.iter().filter(|piece| piece.bit.is_none());
    parts
        .filter_map(|piece| {
            let symbol = reading.symbols.iter().find(|symbol| Some(symbol.index) == piece.symbol)?;
            let card = synthesis.card(bank, piece, likeliest(symbol));
            let mut drawn = Grid::from_fn(CARD[0], CARD[1], |_, _| GROUND);
            for (place, tile) in card.tiles.iter().enumerate() {
                let shown = Grid::from_fn(TILE[0], TILE[1], |x, y| {
                    let column = x * card.window.width / TILE[0];
                    grey(tile[y * card.window.height / TILE[1] * card.window.width + column])
                });
                paste(&mut drawn, &shown, [6 + place * (TILE[0] + 1), 4]);
            }
            bar(&mut drawn, symbol.bits, ([6, 8 + TILE[1]], 4 * TILE[0]));
            Some(drawn)
        })
        .collect()
}

/// The two likeliest values of a symbol.
fn likeliest(symbol: &SymbolReading) -> [usize; 2] {
    let mut order: Vec<usize> = (0..symbol.log_likelihoods.len()).collect();
    order.sort_by(|&a, &b| symbol.log_likelihoods[b].total_cmp(&symbol.log_likelihoods[a]));
    [order[0], order[1.min(order.len() - 1)]]
}

/// A bar as long as bits are many, five the whole width.
fn bar(onto: &mut Grid<[u8; 3]>, bits: f64, (at, width): ([usize; 2], usize)) {
    let long = ((bits.abs() / 5.0).min(1.0) * width as f64) as usize;
    for y in at[1]..at[1] + BAR {
        for x in at[0]..(at[0] + long.max(1)).min(onto.width()) {
            onto[(x, y)] = if bits < 0.0 { RED } else { GREEN };
        }
    }
}

/// The ring unrolled clockwise from the top: seen, shown, the rest, and the bits of its symbols; row by row.
fn ring(part: &PartSeen, scheme: &Scheme, reading: &Reading) -> Vec<Vec<[u8; 3]>> {
    let Some(synthesis) = &part.synthesis else { return Vec::new() };
    let Some(layout) = geometry::layout(scheme, Mark::Gear) else { return Vec::new() };
    let banks = Banks::draw(scheme, &part.marks, topography::Length::um(f64::from(part.module_um)));
    let canvas = banks.fine.canvas;
    let Synthesis { seen, shown, .. } = &**synthesis;
    let rest: Vec<f32> = seen.iter().zip(shown).map(|(seen, shown)| seen - shown).collect();
    let outer = layout.extent() as f32 + 0.8;
    let inner = layout.places().iter().map(|place| radius(place.centre)).fold(outer, f32::min) - 3.2;
    let at = |plane: &[f32], x: usize, y: usize| {
        let angle = std::f32::consts::TAU * (x as f32 / (2 * SIDE) as f32 - 0.25);
        let from = outer - (outer - inner) * y as f32 / BAND as f32;
        let place = |k: f32| (canvas.sample_of(k).round().max(0.0) as usize).min(canvas.size - 1);
        grey(plane[place(from * angle.sin()) * canvas.size + place(from * angle.cos())])
    };
    let mut rows: Vec<Vec<[u8; 3]>> = Vec::new();
    for plane in [seen, shown, &rest] {
        rows.extend((0..BAND).map(|y| (0..2 * SIDE).map(|x| at(plane, x, y)).collect()));
        rows.push(vec![GROUND; 2 * SIDE]);
    }
    let mut bars = Grid::from_fn(2 * SIDE, BAR + 4, |_, _| GROUND);
    let cell = 2 * SIDE / (layout.places().len().max(1) + 1);
    for place in layout.places() {
        let angle = place.centre.y.atan2(place.centre.x) / std::f64::consts::TAU + 0.25;
        let middle = (angle.rem_euclid(1.0) * (2 * SIDE) as f64) as usize;
        if let Some(symbol) = reading.symbols.iter().find(|symbol| symbol.index == place.index) {
            bar(&mut bars, symbol.bits, ([middle.saturating_sub(cell / 2), 2], cell - 4));
        }
    }
    rows.extend((0..bars.height()).map(|y| bars.row(y).to_vec()));
    rows
}

fn radius(point: geometry::Point) -> f32 {
    point.x.hypot(point.y) as f32
}

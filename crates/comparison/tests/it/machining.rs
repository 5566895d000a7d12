//! Made-up firearms: breech faces machined in several ways, the cases they leave, and what instruments make of them.
//!
//! Everything here is simulation. The styles share what consecutively made slides share (feed lines, turning rings, part of
//! the texture), so that different firearms are harder to tell apart than chance would have it.

use topography::{Grid, Length, Pitch, Topography};

/// How a breech face was finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Blasted or cast: texture in all directions.
    Granular,
    /// The same, a sixth as high.
    Fine,
    /// Texture of which a fifth of the energy is the same on all firearms.
    Subclass,
    /// Parallel feed lines of one period, the same on all firearms, over a weak texture.
    Periodic,
    /// Parallel lines without a period, each firearm its own, over a weak texture.
    Striated,
    /// Rings about a centre beside the pin, the same on all firearms, over a weak texture.
    Turned,
    /// Two crossing sets of feed lines, the same on all firearms, over a weak texture.
    Hatched,
    /// Arcs of a cutter whose centre lies beside the face, the same on all firearms, over a weak texture.
    Arched,
    /// A rim about the hole and a shoulder at the edge, alike on all firearms, over a weak texture.
    Rimmed,
    /// Smooth, but for a third of the area.
    Smooth,
    /// Straight lines without a period, the same on all firearms, over a weak texture.
    Broached,
    /// Three sets of straight lines without a period, nearly along one direction; lines and directions are each firearm's own.
    Filed,
    /// Arcs of a wide cutter whose centre lies far away, the same on all firearms, over a weak texture.
    Milled,
    /// A dozen deep scratches of each firearm's own on a smooth face.
    Scratched,
    /// Texture of long waves alone.
    Coarse,
    /// Straight lines without a period, each firearm's own, that change along their way; no texture of its own.
    Drawn,
    /// Arcs of a cutter whose centre lies beside the face, each firearm's own; no texture of its own.
    Swept,
    /// Straight lines without a period, the same on all firearms; no texture of their own.
    Alike,
    /// The same, but 70 % of the energy of the lines, with their changes, is the same on all firearms.
    Consecutive,
    /// A weak texture of the firearm's, and a sunken letter of the primer's maker, alike on all cases, that lies anyhow.
    Lettered,
}

pub(crate) const STYLES: [Style; 20] = [
    Style::Granular,
    Style::Fine,
    Style::Subclass,
    Style::Periodic,
    Style::Striated,
    Style::Turned,
    Style::Hatched,
    Style::Arched,
    Style::Rimmed,
    Style::Smooth,
    Style::Broached,
    Style::Filed,
    Style::Milled,
    Style::Scratched,
    Style::Coarse,
    Style::Drawn,
    Style::Swept,
    Style::Alike,
    Style::Consecutive,
    Style::Lettered,
];

/// How a case is scanned.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scan {
    /// Masked to a ring and levelled, at so many micrometres.
    Processed(f64),
    /// The whole primer with all that belongs to it, at so many micrometres.
    Raw(f64),
}

/// The case of shot `shot` of firearm `firearm`: lies anyhow, up to 150 µm off the middle.
pub(crate) fn case(style: Style, firearm: u64, shot: u64, scan: Scan) -> Topography {
    let id = 1 + 1000 * firearm + shot;
    let turn = std::f64::consts::TAU * lot(id, 1);
    let off = [300.0 * lot(id, 2) - 150.0, 300.0 * lot(id, 3) - 150.0];
    let gain = 0.8 + 0.4 * lot(id, 4);
    let (sin, cos) = turn.sin_cos();
    let place = move |u: f64, v: f64| {
        [cos * (u - off[0]) - sin * (v - off[1]), sin * (u - off[0]) + cos * (v - off[1])]
    };
    let mark = move |u: f64, v: f64| {
        let [p, q] = place(u, v);
        gain * (relief(style, firearm, p, q) + 0.45 * strength(style) * texture(id, p, q))
            + if style == Style::Lettered { letter(u, v) } else { 0.0 }
            + 0.03 * (speck(id, u, v) - 0.5)
    };
    match scan {
        Scan::Processed(pitch) => sampled(3600.0, pitch, |u, v| {
            let [p, q] = place(u, v);
            let hole = (p - 60.0).hypot(q) < 620.0 || (q > 0.0 && q < 1300.0 && (p - 60.0).abs() < 180.0);
            if hole || u.hypot(v) > 1700.0 || speck(id + 7, u, v) < 0.01 { f64::NAN } else { mark(u, v) }
        }),
        Scan::Raw(pitch) => sampled(5600.0, pitch, |u, v| raw(id, [u, v], place(u, v), mark(u, v))),
    }
}

fn strength(style: Style) -> f64 {
    match style {
        Style::Granular | Style::Subclass | Style::Coarse => 1.0,
        Style::Fine => 0.17,
        Style::Scratched => 0.1,
        _ => 0.45,
    }
}

/// The breech face of a firearm in micrometres.
fn relief(style: Style, firearm: u64, u: f64, v: f64) -> f64 {
    let own = strength(style) * texture(50_000 + firearm, u, v);
    let tau = std::f64::consts::TAU;
    let feed = |x: f64, period: f64| (tau * x / period).sin() + 0.35 * (2.0 * tau * x / period + 1.0).sin();
    match style {
        Style::Granular | Style::Fine | Style::Lettered => own,
        Style::Subclass => 0.894 * own + 0.447 * texture(99, u, v),
        Style::Periodic => own + feed(u + 0.02 * v, 117.0),
        Style::Striated => own + 1.6 * lines(firearm, u + 0.05 * v),
        Style::Turned => {
            own + feed((u - 300.0).hypot(v + 150.0), 105.0) + lines(7, (u - 300.0).hypot(v + 150.0))
        }
        Style::Hatched => own + 0.8 * feed(u + 0.4 * v, 120.0) + 0.8 * feed(0.4 * u - v, 135.0),
        Style::Arched => own + 1.6 * lines(7, u.hypot(v + 4000.0)),
        Style::Rimmed => {
            let ring = |radius: f64, wide: f64| {
                (-((u - 60.0).hypot(v) - radius).powi(2) / (2.0 * wide * wide)).exp()
            };
            own + 3.0 * ring(700.0, 40.0) - 2.0 * ring(820.0, 60.0) + 2.5 * ring(1560.0, 50.0)
        }
        Style::Broached => own + 1.6 * lines(7, u + 0.05 * v),
        Style::Filed => {
            let set = |k: u64| {
                let turn = 0.5 * (lot(500 + firearm, k) - 0.5);
                lines(10 * firearm + k, u * turn.cos() + v * turn.sin())
            };
            own + 0.8 * (set(1) + set(2) + set(3))
        }
        Style::Milled => own + 1.6 * lines(7, u.hypot(v + 15_000.0)),
        Style::Drawn => 1.6 * drawn(firearm, u, v),
        Style::Consecutive => 1.34 * drawn(99, u, v) + 0.876 * drawn(firearm, u, v),
        Style::Swept => 1.6 * lines(firearm, u.hypot(v + 4000.0)),
        Style::Alike => 1.6 * lines(7, u + 0.05 * v),
        Style::Scratched => own - (0..12).map(|k| scratch(firearm, k, u, v)).sum::<f64>(),
        Style::Coarse => 2.0 * value(50_000 + firearm, 230.0, u, v),
        Style::Smooth => own * if patch(firearm, u, v) > 0.33 { 0.04 } else { 1.0 },
    }
}

fn texture(seed: u64, u: f64, v: f64) -> f64 {
    [(40.0, 0.5), (80.0, 0.8), (160.0, 1.0)]
        .iter()
        .map(|&(size, height)| height * value(seed, size, u, v))
        .sum()
}

/// Lines that change along their way.
fn drawn(seed: u64, u: f64, v: f64) -> f64 {
    let along = ((v / 450.0).sin() + 1.0) * 0.785;
    along.cos() * lines(seed, u) + along.sin() * lines(200 + seed, u)
}

fn lines(seed: u64, x: f64) -> f64 {
    [(35.0, 0.5), (70.0, 0.7), (140.0, 0.7)]
        .iter()
        .map(|&(size, height)| height * value(seed + 77, size, x, 0.5))
        .sum()
}

/// A straight scratch up to 5 µm deep, 30 µm wide and 1.2 mm long.
fn scratch(firearm: u64, k: u64, u: f64, v: f64) -> f64 {
    let of = |which: u64| lot(900 + firearm, 10 * k + which);
    let turn = std::f64::consts::PI * of(1);
    let (x, y) = (u - 3000.0 * (of(2) - 0.5), v - 3000.0 * (of(3) - 0.5));
    let (along, across) = (x * turn.cos() + y * turn.sin(), y * turn.cos() - x * turn.sin());
    let depth = (2.0 + 3.0 * of(4)) * (-(across / 18.0).powi(2)).exp();
    if along.abs() < 600.0 { depth } else { 0.0 }
}

/// A letter H, 0.9 mm high, sunk by 8 µm beside the pin.
fn letter(u: f64, v: f64) -> f64 {
    let (x, y) = (u - 1100.0, v);
    let upright = (x.abs() - 250.0).abs() < 40.0 && y.abs() < 450.0;
    let bar = x.abs() < 250.0 && y.abs() < 40.0;
    if upright || bar { -8.0 } else { 0.0 }
}

/// 0 to 1, slowly varying.
fn patch(seed: u64, u: f64, v: f64) -> f64 {
    0.5 + 0.5 * value(seed + 31, 700.0, u, v)
}

/// A primer with its form, crater, shear, roll-off, groove, case head and dropouts.
fn raw(id: u64, [u, v]: [f64; 2], [p, q]: [f64; 2], mark: f64) -> f64 {
    let tau = std::f64::consts::TAU;
    let lean = tau * lot(id, 5);
    let tilt = (0.02 * lot(id, 6)) * (u * lean.cos() + v * lean.sin());
    let radius = u.hypot(v);
    let pin = (p - 60.0).hypot(q);
    let (edge, rim) = (2050.0, 2230.0);
    let dome = -40.0 * lot(id, 7) * (radius / edge).powi(2);
    let lost = |share: f64| speck(id + 7, u, v) < share;
    let outlier = if speck(id + 8, u, v) < 0.003 { 100.0 * (speck(id + 9, u, v) - 0.5) } else { 0.0 };
    if radius > rim + 120.0 {
        // The case head stands higher, with letters sunk into it.
        let letter = value(3, 260.0, u, v) > 0.45;
        return if lost(0.03) {
            f64::NAN
        } else {
            tilt + 30.0 - if letter { 60.0 } else { 0.0 } + 0.5 * mark + outlier
        };
    }
    if radius > rim {
        return if lost(0.7) { f64::NAN } else { tilt - 150.0 + outlier };
    }
    let roll = if radius > edge - 250.0 { -60.0 * ((radius - edge + 250.0) / 430.0).powi(2) } else { 0.0 };
    if pin < 560.0 {
        let depth = -130.0 * (1.0 - (pin / 560.0).powi(2)).sqrt().max(0.05);
        let steep = pin > 430.0 && lost(0.6);
        return if steep || lost(0.05) { f64::NAN } else { tilt + dome + depth + 0.3 * mark + outlier };
    }
    let flow = if pin < 660.0 { 25.0 * (1.0 - (pin - 560.0) / 100.0).powi(2) } else { 0.0 };
    // Metal sheared towards one side of the pin.
    let shear = if q > 0.0 && q < 1050.0 && (p - 60.0).abs() < 200.0 {
        18.0 * (1.0 - q / 1050.0) + 3.0 * value(id, 60.0, p, q)
    } else {
        0.0
    };
    if lost(0.02) { f64::NAN } else { tilt + dome + roll + flow + shear + mark + outlier }
}

fn sampled(size: f64, pitch: f64, height: impl Fn(f64, f64) -> f64) -> Topography {
    let n = (size / pitch).round() as usize;
    let middle = 0.5 * n as f64;
    let heights =
        Grid::from_fn(n, n, |x, y| height((x as f64 - middle) * pitch, (y as f64 - middle) * pitch));
    Topography { heights, pitch: Pitch::square(Length::um(pitch)) }
}

/// Smooth noise between -1 and 1 on a lattice of `size`.
pub(crate) fn value(seed: u64, size: f64, u: f64, v: f64) -> f64 {
    let (x, y) = (u / size + 4000.0, v / size + 4000.0);
    let (i, j) = (x as u64, y as u64);
    let ease = |t: f64| t * t * t * (t * (6.0 * t - 15.0) + 10.0);
    let (s, t) = (ease(x.fract()), ease(y.fract()));
    let at = |i: u64, j: u64| 2.0 * unit(seed ^ (size as u64) << 40, i << 20 | j) - 1.0;
    (1.0 - t) * ((1.0 - s) * at(i, j) + s * at(i + 1, j))
        + t * ((1.0 - s) * at(i, j + 1) + s * at(i + 1, j + 1))
}

/// White noise between 0 and 1 on a lattice of a micrometre.
fn speck(seed: u64, u: f64, v: f64) -> f64 {
    unit(seed ^ 0x5eed, ((u + 9000.0) as u64) << 20 | (v + 9000.0) as u64)
}

fn lot(seed: u64, which: u64) -> f64 {
    unit(seed.wrapping_mul(31) ^ 0xabcd, which)
}

fn unit(seed: u64, at: u64) -> f64 {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ at.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

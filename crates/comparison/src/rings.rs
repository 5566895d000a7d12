//! Concentric marks: rings and arcs left by turning and milling, by the rim of the firing-pin aperture, by the roll-off of the
//! primer.
//!
//! Rings are the same under every turn about their centre, so that they cannot say how one face lies on another, and
//! firearms of one make share them. What is the same all the way round is taken away; what changes along a ring stays.

use crate::raster::Raster;

/// Edge of the squares in which the direction of slopes is looked at, in samples of twice the base pitch.
const BLOCK: usize = 8;
/// The least share of a square's samples with a slope.
const LEAST_SLOPES: usize = BLOCK * BLOCK / 3;
/// Slopes pointing at one centre by less than this (-1 to 1, 0 for texture in all directions) make no rings.
const POINTING: f64 = 0.12;
/// Distances of the centre from the middle of the frame, in micrometres: the step near by, its growth, and the largest. Arcs
/// about a farther centre are too straight for their centre to be found.
const STEP: f64 = 125.0;
const GROWTH: f64 = 1.12;
const FARTHEST: f64 = 7000.0;
/// Directions of the centre that are looked at.
const DIRECTIONS: u32 = 48;
/// Half the width of a face, in micrometres: what moving a far centre does to its arcs depends on it.
const HALF_FACE: f64 = 1700.0;
/// Heights of places farther apart than this hardly depend on each other, in micrometres.
const PATCH: f64 = 60.0;
/// Rings hold at least this share of the energy...
const LEAST_SHARE: f64 = 0.05;
/// ...and so many times what the mean of as many patches of texture would.
const BEYOND_CHANCE: f64 = 2.5;
/// A ring of so few patches is believed by half.
const FEW: f64 = 4.0;
/// Sectors round the centre that may carry the rings more or less deeply.
const SECTORS: usize = 12;

/// Takes the rings away where there are any; also says which share of the energy they held.
pub(crate) fn without(fine: &Raster) -> Option<(Raster, f64)> {
    let coarse = fine.boxed().thinned();
    let blocks = blocks(&coarse);
    let middle = [fine.width, fine.height].map(|n| fine.offset + 0.5 * n as f64 * fine.pitch);
    let (centre, pointing) = pointed_at(&blocks, middle)?;
    if pointing < POINTING {
        return None;
    }
    let centre = refined(&coarse, centre, middle);
    let profile = Profile::about(fine, centre);
    (profile.share > LEAST_SHARE && profile.share > BEYOND_CHANCE * profile.by_chance)
        .then(|| (profile.taken_from(fine), profile.share))
}

/// Squares: their middles, and twice the angle of the slopes of each as a vector of length 0 (all directions) to 1 (one).
#[derive(Default)]
struct Blocks {
    /// Four together; the last of them may have none.
    fours: Vec<Four>,
    count: usize,
}

#[derive(Clone, Copy, Default)]
struct Four {
    at: [[f64; 4]; 2],
    direction: [[f64; 4]; 2],
}

impl Blocks {
    fn push(&mut self, at: [f64; 2], direction: [f64; 2]) {
        let lane = self.count % 4;
        if lane == 0 {
            self.fours.push(Four::default());
        }
        if let Some(four) = self.fours.last_mut() {
            for k in 0..2 {
                (four.at[k][lane], four.direction[k][lane]) = (at[k], direction[k]);
            }
        }
        self.count += 1;
    }
}

fn blocks(level: &Raster) -> Blocks {
    let mut out = Blocks::default();
    for y0 in (1..level.height.saturating_sub(1)).step_by(BLOCK) {
        for x0 in (1..level.width.saturating_sub(1)).step_by(BLOCK) {
            let (mut sums, mut slopes) = ([0.0_f64; 3], 0);
            for y in y0..(y0 + BLOCK).min(level.height - 1) {
                for x in x0..(x0 + BLOCK).min(level.width - 1) {
                    let at = y * level.width + x;
                    let beside = [at - 1, at + 1, at - level.width, at + level.width];
                    if beside.iter().any(|&i| level.w[i] == 0.0) {
                        continue;
                    }
                    let [u, v] =
                        [(1, 0), (3, 2)].map(|(p, q)| f64::from(level.z[beside[p]] - level.z[beside[q]]));
                    slopes += 1;
                    sums[0] += u * u - v * v;
                    sums[1] += 2.0 * u * v;
                    sums[2] += u * u + v * v;
                }
            }
            if slopes >= LEAST_SLOPES && sums[2] > 0.0 {
                let at = [x0, y0].map(|v| level.offset + (v as f64 + 0.5 * BLOCK as f64) * level.pitch);
                out.push(at, [sums[0] / sums[2], sums[1] / sums[2]]);
            }
        }
    }
    out
}

/// The centre at which slopes point best, and how well they do; nothing without slopes.
fn pointed_at(blocks: &Blocks, middle: [f64; 2]) -> Option<([f64; 2], f64)> {
    let mut best = (middle, pointing(blocks, middle));
    let mut look = |centre: [f64; 2]| {
        let value = pointing(blocks, centre);
        if value > best.1 {
            best = (centre, value);
        }
        best.0
    };
    let mut far = STEP;
    while far < FARTHEST {
        for step in 0..DIRECTIONS {
            let turn = std::f64::consts::TAU * f64::from(step) / f64::from(DIRECTIONS);
            look([middle[0] + far * libm::cos(turn), middle[1] + far * libm::sin(turn)]);
        }
        far = (far * GROWTH).max(far + STEP);
    }
    let mut from = look(middle);
    for finer in [0.5, 0.25, 0.125] {
        let steps = Steps::about(from, middle, finer * STEP);
        for place in steps.within(2) {
            from = look(place);
        }
    }
    (blocks.count > 0).then_some(best)
}

/// Steps of a centre that move its arcs by about as much, whichever way they go.
struct Steps {
    from: [f64; 2],
    /// Away from the middle of the face, and across.
    away: [f64; 2],
    across: [f64; 2],
}

impl Steps {
    /// Arcs turn as their centre goes sideways and change their bend, much less, as it goes away.
    fn about(from: [f64; 2], middle: [f64; 2], step: f64) -> Self {
        let way = [0, 1].map(|k| from[k] - middle[k]);
        let far = way[0].hypot(way[1]);
        let unit = if far > 1.0 { way.map(|v| v / far) } else { [1.0, 0.0] };
        let wider = (far / HALF_FACE).max(1.0);
        let away = step * if wider > 1.0 { 2.0 * wider * wider } else { 1.0 };
        let across = step * wider;
        Self { from, away: unit.map(|v| v * away), across: [-unit[1] * across, unit[0] * across] }
    }

    /// All places up to so many steps either way.
    fn within(&self, steps: i32) -> impl Iterator<Item = [f64; 2]> + '_ {
        (-steps..=steps).flat_map(move |row| {
            (-steps..=steps).map(move |column| {
                let at = |k: usize| f64::from(row) * self.away[k] + f64::from(column) * self.across[k];
                [self.from[0] + at(0), self.from[1] + at(1)]
            })
        })
    }
}

/// The mean over squares of the cosine of twice the angle between slope and radius.
fn pointing(blocks: &Blocks, centre: [f64; 2]) -> f64 {
    pointing_of(&blocks.fours, centre).iter().sum::<f64>() / blocks.count.max(1) as f64
}

topography::wide! {
    fn pointing_of(fours: &[Four], centre: [f64; 2]) -> [f64; 4] {
        let mut sums = [0.0; 4];
        for four in fours {
            for (lane, sum) in sums.iter_mut().enumerate() {
                let [u, v] = [four.at[0][lane] - centre[0], four.at[1][lane] - centre[1]];
                let (across, down) = (u * u, v * v);
                let along = four.direction[0][lane] * (across - down) + four.direction[1][lane] * 2.0 * u * v;
                let square = across + down;
                *sum += along / if square > 1.0 { square } else { 1.0 };
            }
        }
        sums
    }
}

/// The centre about which rings hold most of the energy, near one that slopes point at.
fn refined(level: &Raster, about: [f64; 2], middle: [f64; 2]) -> [f64; 2] {
    /// Step in micrometres and number of steps either way of each round.
    const ROUNDS: [(f64, i32); 3] = [(15.0, 7), (5.0, 2), (1.7, 2)];
    let points: Vec<[f64; 3]> = measured(level)
        .filter(|&(x, y, _)| x % 2 == 0 && y % 2 == 0)
        .map(|(x, y, z)| [level.offset + x as f64 * level.pitch, level.offset + y as f64 * level.pitch, z])
        .collect();
    let mut bins = Vec::new();
    let mut best = (about, f64::NEG_INFINITY);
    for (step, steps) in ROUNDS {
        for centre in Steps::about(best.0, middle, step).within(steps) {
            let energy = ring_energy(&points, centre, level.pitch, &mut bins);
            if energy > best.1 {
                best = (centre, energy);
            }
        }
    }
    best.0
}

/// What the means of rings `width` wide hold of the energy of the points.
fn ring_energy(points: &[[f64; 3]], centre: [f64; 2], width: f64, bins: &mut Vec<[f64; 2]>) -> f64 {
    bins.clear();
    for &[x, y, z] in points {
        let ring = (((x - centre[0]).powi(2) + (y - centre[1]).powi(2)).sqrt() / width) as usize;
        if ring >= bins.len() {
            bins.resize(ring + 1, [0.0; 2]);
        }
        bins[ring][0] += z;
        bins[ring][1] += 1.0;
    }
    bins.iter().map(|[sum, n]| sum * sum / n.max(1.0)).sum()
}

/// Column, row and height of every measured sample.
fn measured(level: &Raster) -> impl Iterator<Item = (usize, usize, f64)> + '_ {
    let width = level.width;
    let known = level.z.iter().zip(&level.w).enumerate().filter(|(_, (_, w))| **w > 0.0);
    known.map(move |(at, (&z, _))| (at % width, at / width, f64::from(z)))
}

/// The mean height of every ring, and how deep each sector carries them.
struct Profile {
    centre: [f64; 2],
    /// Rings as wide as a sample.
    heights: Vec<f64>,
    depths: [f64; SECTORS],
    /// Of the energy, in rings.
    share: f64,
    /// What texture alone would be expected to show.
    by_chance: f64,
}

impl Profile {
    fn about(level: &Raster, centre: [f64; 2]) -> Self {
        let mut rings: Vec<[f64; 2]> = Vec::new();
        let (mut energy, mut all) = (0.0, 0.0);
        for (x, y, z) in measured(level) {
            let (radius, _) = polar(level, centre, x, y);
            let ring = (radius + 0.5) as usize;
            if ring >= rings.len() {
                rings.resize(ring + 1, [0.0; 2]);
            }
            rings[ring][0] += z;
            rings[ring][1] += 1.0;
            energy += z * z;
            all += 1.0;
        }
        // A ring is as wide as a sample, so that it holds as many patches as its length does.
        let patches = |n: f64| n * level.pitch / PATCH;
        let heights: Vec<f64> =
            rings.iter().map(|[sum, n]| sum / n.max(1.0) * patches(*n) / (patches(*n) + FEW)).collect();
        let held: f64 = rings.iter().zip(&heights).map(|([_, n], h)| n * h * h).sum();
        let expected: f64 =
            rings.iter().map(|[_, n]| if *n > 0.0 { n / (patches(*n) + FEW) } else { 0.0 }).sum();
        let mut profile = Self {
            centre,
            heights,
            depths: [1.0; SECTORS],
            share: held / f64::max(energy, f64::MIN_POSITIVE),
            by_chance: expected / f64::max(all, 1.0),
        };
        profile.depths = profile.depths_on(level);
        profile
    }

    /// How much of the rings each sector shows, 0 to 2, by least squares.
    fn depths_on(&self, level: &Raster) -> [f64; SECTORS] {
        let mut sums = [[0.0_f64; 2]; SECTORS];
        for (x, y, z) in measured(level) {
            let (radius, turn) = polar(level, self.centre, x, y);
            let ring = self.height(radius);
            let sector = &mut sums[(turn * SECTORS as f64) as usize % SECTORS];
            sector[0] += z * ring;
            sector[1] += ring * ring;
        }
        let all = sums.iter().map(|s| s[1]).sum::<f64>() / SECTORS as f64;
        // Sectors that hardly show any ring go with the others.
        sums.map(|[product, square]| {
            let doubt = 0.1 * all;
            ((product + doubt) / (square + doubt).max(f64::MIN_POSITIVE)).clamp(0.0, 2.0)
        })
    }

    /// The mean height at a distance of so many samples from the centre.
    fn height(&self, radius: f64) -> f64 {
        let (ring, part) = (radius as usize, radius.fract());
        let at = |ring: usize| self.heights.get(ring).copied().unwrap_or(0.0);
        at(ring) * (1.0 - part) + at(ring + 1) * part
    }

    /// How deep the rings are in a direction, 0 to 1 round the circle.
    fn depth(&self, turn: f64) -> f64 {
        let at = turn * SECTORS as f64 - 0.5 + SECTORS as f64;
        let (sector, part) = (at as usize, at.fract());
        self.depths[sector % SECTORS] * (1.0 - part) + self.depths[(sector + 1) % SECTORS] * part
    }

    fn taken_from(&self, level: &Raster) -> Raster {
        let mut out = level.clone();
        for (x, y, z) in measured(level) {
            let (radius, turn) = polar(level, self.centre, x, y);
            out.z[y * level.width + x] = (z - self.depth(turn) * self.height(radius)) as f32;
        }
        out
    }
}

/// Distance from the centre in samples, and direction, 0 to 1 round the circle.
fn polar(level: &Raster, centre: [f64; 2], x: usize, y: usize) -> (f64, f64) {
    let [u, v] = [(x, centre[0]), (y, centre[1])]
        .map(|(at, centre)| (level.offset + at as f64 * level.pitch - centre) / level.pitch);
    (u.hypot(v), (libm::atan2(v, u) / std::f64::consts::TAU).rem_euclid(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ring-shaped area with rings about `centre` so many times as high as a texture that has none.
    fn face(centre: [f64; 2], rings: f32) -> Raster {
        let (n, pitch) = (480, 6.25);
        let mut face = Raster { width: n, height: n, pitch, ..Raster::default() };
        let wave = |x: f64, period: f64| (std::f64::consts::TAU * x / period).sin();
        for y in 0..n {
            for x in 0..n {
                let [u, v] = [x, y].map(|at| at as f64 * pitch);
                let radius = (u - 1500.0).hypot(v - 1500.0);
                let texture: f64 = (0..24)
                    .map(|k| {
                        let turn = 2.4 * f64::from(k);
                        wave(u * turn.cos() + v * turn.sin() + 37.0 * turn, 70.0 + 7.0 * f64::from(k))
                    })
                    .sum();
                let ring = wave((u - centre[0]).hypot(v - centre[1]), 105.0);
                let on = (600.0..1450.0).contains(&radius);
                face.z.push(if on { 0.3 * texture as f32 + rings * ring as f32 } else { 0.0 });
                face.w.push(f32::from(u8::from(on)));
            }
        }
        face
    }

    #[test]
    fn rings_go_and_texture_stays() {
        let (bare, ringed) = (face([1700.0, 1400.0], 0.0), face([1700.0, 1400.0], 2.0));
        let (rest, share) = without(&ringed).expect("rings are four fifths of the energy");
        assert!(share > 0.4, "{share}");
        let energy = |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>();
        let off = energy(&mut rest.z.iter().zip(&bare.z).map(|(r, b)| r - b));
        let of = energy(&mut bare.z.iter().copied());
        assert!(off < 0.15 * of, "{off} of {of} is left of the rings or gone with them");
    }

    #[test]
    fn texture_without_rings_is_left_alone() {
        assert!(without(&face([1700.0, 1400.0], 0.0)).is_none());
        assert!(without(&Raster::default()).is_none());
    }
}

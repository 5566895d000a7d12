//! How much area two surfaces can share, before anything is known of how they lie on each other.

use crate::direction::LEAST_JOINT;
use crate::raster::Raster;
use crate::surface::{Cell, Surface};

/// Turns looked at over the full circle.
const TURNS: usize = 24;
/// Every so manyth sample of level 2 along either axis is looked at.
const STRIDE: usize = 3;

/// For each of 24 turns: the cells of the poorer direction that would be measured on both sides, the circles about the
/// measured areas laid on each other; all cells of the smaller surface where it is half of the most or more.
///
/// Two halves of one face share all, some or none of their area as the turn will have it; their outlines do not tell which.
pub(crate) fn possible(a: &Surface, b: &Surface) -> Vec<usize> {
    let [of_a, of_b] = [a, b].map(points);
    let turn = |step: usize| std::f64::consts::TAU * step as f64 / TURNS as f64;
    let counts: Vec<usize> =
        (0..TURNS).map(|step| shared(&of_a, b, turn(step)).min(shared(&of_b, a, -turn(step)))).collect();
    // Circles laid on each other only nearly show how cells will fall: half of the most counts as all.
    let (most, cells) = (counts.iter().copied().max().unwrap_or(0), a.cells.len().min(b.cells.len()));
    counts.into_iter().map(|n| (2 * n * cells / most.max(1)).min(cells)).collect()
}

/// Of every cell some measured points, from the middle of the circle.
fn points(a: &Surface) -> Vec<Vec<[f64; 2]>> {
    let of = |cell: &Cell| {
        let patch = &cell.patch2;
        let along = || (0..patch.edge).step_by(STRIDE);
        let places = along().flat_map(|row| along().map(move |column| [column, row]));
        let here = places.map(|[column, row]| {
            [patch.x + column as isize, patch.y + row as isize]
                .map(|v| a.level2.offset + a.level2.pitch * v as f64)
        });
        let measured = here.filter(|&here| is_measured(&a.level2, here));
        measured.map(|here| [0, 1].map(|k| here[k] - a.circle[k])).collect()
    };
    a.cells.iter().map(of).collect()
}

/// Cells with these points that have enough of them measured on B, B turned by `turn` about the middle of its circle.
fn shared(cells: &[Vec<[f64; 2]>], b: &Surface, turn: f64) -> usize {
    let (sin, cos) = (libm::sin(turn), libm::cos(turn));
    let lies = |points: &&Vec<[f64; 2]>| {
        let there = points
            .iter()
            .map(|q| [b.circle[0] + cos * q[0] - sin * q[1], b.circle[1] + sin * q[0] + cos * q[1]]);
        let joint = there.filter(|&there| is_measured(&b.level2, there)).count();
        joint > 0 && joint as f64 >= LEAST_JOINT * points.len() as f64
    };
    cells.iter().filter(lies).count()
}

fn is_measured(level: &Raster, at: [f64; 2]) -> bool {
    let [x, y] = at.map(|v| (v - level.offset) / level.pitch + 0.5);
    // Neither is negative then: the whole part is the nearest sample.
    let inside = x > 0.0 && y > 0.0 && x < level.width as f64 && y < level.height as f64;
    inside && level.w[y as usize * level.width + x as usize] > 0.0
}

/// Whether points near the rim of that circle are measured nearly all the way round: a whole face and no part of one.
pub(crate) fn is_whole(level: &Raster, circle: [f64; 2], radius: f64) -> bool {
    const SECTORS: usize = 24;
    const LEAST: usize = 20;
    const NEAR_RIM: f64 = 0.8;
    let mut seen = [false; SECTORS];
    for (at, _) in level.w.iter().enumerate().filter(|(_, w)| **w > 0.0) {
        let [u, v] = [(at % level.width, circle[0]), (at / level.width, circle[1])]
            .map(|(n, middle)| level.offset + level.pitch * n as f64 - middle);
        if u.hypot(v) >= NEAR_RIM * radius {
            let turn = (libm::atan2(v, u) / std::f64::consts::TAU).rem_euclid(1.0);
            seen[(turn * SECTORS as f64) as usize % SECTORS] = true;
        }
    }
    seen.into_iter().filter(|&seen| seen).count() >= LEAST
}

/// Middle and radius of the smallest circle about the measured area (Bădoiu & Clarkson 2003), micrometres from the origin.
///
/// Half a disc has the circle of the whole.
pub(crate) fn circle(level: &Raster) -> ([f64; 2], f64) {
    const STEPS: usize = 400;
    let mut rim = Vec::new();
    for y in 0..level.height {
        let row = &level.w[y * level.width..(y + 1) * level.width];
        let ends = [row.iter().position(|&w| w > 0.0), row.iter().rposition(|&w| w > 0.0)];
        rim.extend(ends.into_iter().flatten().map(|x| [x as f64, y as f64]));
    }
    let Some(&first) = rim.first() else { return ([0.0; 2], 0.0) };
    let mut at: [f64; 2] = first;
    for step in 1..=STEPS {
        let apart = |p: &&[f64; 2]| (p[0] - at[0]).powi(2) + (p[1] - at[1]).powi(2);
        let Some(far) = rim.iter().max_by(|p, q| apart(p).total_cmp(&apart(q))) else { break };
        at = [0, 1].map(|k| at[k] + (far[k] - at[k]) / (step as f64 + 1.0));
    }
    let radius = rim.iter().map(|p| (p[0] - at[0]).hypot(p[1] - at[1])).fold(0.0, f64::max);
    (at.map(|v| level.offset + level.pitch * v), level.pitch * radius)
}

//! The bowl and rim of an impression: what depends on the distance from one centre, and turns slowly around it.

use crate::field::Field;

/// Terms around the circle: mean, one turn, two turns.
const TERMS: usize = 5;
/// Samples that move together because strokes and texture are wide.
const CORRELATED: f32 = 12.0;

/// Takes off the part of a field that is concentric about the best centre within `reach` samples of the middle.
pub(crate) fn take_bowl(field: &mut Field, reach: f32) {
    let middle = [field.values.width() as f32 / 2.0, field.values.height() as f32 / 2.0];
    let mut centre = middle;
    let mut best = explained(field, centre);
    let mut step = reach / 4.0;
    for y in -4..=4i32 {
        for x in -4..=4i32 {
            let next = [middle[0] + x as f32 * step, middle[1] + y as f32 * step];
            (best, centre) = better(field, next, (best, centre));
        }
    }
    while step > 0.4 {
        step *= 0.5;
        for (x, y) in [
            (-1.0, 0.0),
            (1.0, 0.0),
            (0.0, -1.0),
            (0.0, 1.0),
            (-1.0, -1.0),
            (1.0, 1.0),
            (-1.0, 1.0),
            (1.0, -1.0),
        ] {
            let next = [centre[0] + x * step, centre[1] + y * step];
            (best, centre) = better(field, next, (best, centre));
        }
    }
    subtract(field, centre);
}

fn better(field: &Field, next: [f32; 2], kept: (f32, [f32; 2])) -> (f32, [f32; 2]) {
    let score = explained(field, next);
    if score > kept.0 { (score, next) } else { kept }
}

/// How much of the square sum of every other sample is explained by its circle's mean and first turn.
fn explained(field: &Field, centre: [f32; 2]) -> f32 {
    let (width, height) = (field.values.width(), field.values.height());
    let bins = width.max(height);
    let mut sums = vec![[0.0f32; 4]; bins];
    for y in (0..height).step_by(2) {
        let dy = y as f32 - centre[1];
        let (values, known) = (field.values.row(y), field.known.row(y));
        for x in ((y / 2) % 2..width).step_by(2) {
            let dx = x as f32 - centre[0];
            let r = (dx * dx + dy * dy).sqrt().max(1e-3);
            let bin = &mut sums[(r as usize).min(bins - 1)];
            let value = known[x] * values[x];
            *bin = [bin[0] + known[x], bin[1] + value, bin[2] + value * dx / r, bin[3] + value * dy / r];
        }
    }
    sums.iter().filter(|bin| bin[0] > 8.0).map(|[n, a, c, s]| (a * a + 2.0 * c * c + 2.0 * s * s) / n).sum()
}

/// Fits each circle by least squares, shrinks what could be chance, and takes it off.
fn subtract(field: &mut Field, centre: [f32; 2]) {
    let (width, height) = (field.values.width(), field.values.height());
    let bins = width.max(height) + 2;
    let terms = |x: usize, y: usize| {
        let (dx, dy) = (x as f32 - centre[0], y as f32 - centre[1]);
        let r = (dx * dx + dy * dy).sqrt().max(1e-3);
        let (c, s) = (dx / r, dy / r);
        (r, [1.0, c, s, c * c - s * s, 2.0 * c * s])
    };
    let mut normal = vec![[0.0f32; TERMS * TERMS]; bins];
    let mut right = vec![[0.0f32; TERMS + 1]; bins];
    for y in 0..height {
        for x in 0..width {
            let known = field.known[(x, y)];
            let (r, row) = terms(x, y);
            if known == 0.0 || r as usize + 1 >= bins {
                continue;
            }
            let value = field.values[(x, y)];
            let low = r as usize;
            for (bin, share) in [(low, 1.0 - r.fract()), (low + 1, r.fract())] {
                let share = share * known;
                for i in 0..TERMS {
                    for j in 0..=i {
                        normal[bin][i * TERMS + j] += share * row[i] * row[j];
                    }
                    right[bin][i] += share * row[i] * value;
                }
                right[bin][TERMS] += share * value * value;
            }
        }
    }
    let profile: Vec<[f32; TERMS]> = normal.iter().zip(&right).map(|(n, r)| shrunk(n, r)).collect();
    for y in 0..height {
        for x in 0..width {
            let (r, row) = terms(x, y);
            let low = r as usize;
            if field.known[(x, y)] > 0.0 && low + 1 < bins {
                let form: f32 = (0..TERMS)
                    .map(|k| row[k] * (profile[low][k] * (1.0 - r.fract()) + profile[low + 1][k] * r.fract()))
                    .sum();
                field.values[(x, y)] -= form;
            }
        }
    }
}

fn shrunk(normal: &[f32; TERMS * TERMS], right: &[f32; TERMS + 1]) -> [f32; TERMS] {
    let count = normal[0];
    if count < 12.0 {
        return [0.0; TERMS];
    }
    let mut matrix: Vec<f64> = normal.iter().map(|&value| f64::from(value)).collect();
    for k in 0..TERMS {
        matrix[k * TERMS + k] += 0.02 * f64::from(count) + 1.0;
    }
    let side = right[..TERMS].iter().map(|&value| f64::from(value)).collect();
    let Some(solution) = crate::vectors::solve_symmetric(matrix, side) else { return [0.0; TERMS] };
    let explained: f32 = solution.iter().zip(right).map(|(s, r)| *s as f32 * r).sum();
    let rest = (right[TERMS] - explained).max(0.0) / count;
    let mut profile = [0.0; TERMS];
    for (k, value) in profile.iter_mut().enumerate() {
        let found = solution[k] as f32;
        let chance = rest * CORRELATED / count * if k == 0 { 1.0 } else { 2.0 };
        *value = found * (1.0 - 2.0 * chance / (found * found).max(1e-12)).max(0.0);
    }
    profile
}

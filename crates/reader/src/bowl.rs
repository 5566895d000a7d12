//! The bowl and rim of an impression: what depends on the distance from one centre, and turns slowly around it.

use crate::field::Field;

/// Terms around the circle: mean, one turn, two turns.
const TERMS: usize = 5;
/// Samples that move together because strokes and texture are wide.
const CORRELATED: f32 = 6.0;
/// Samples on a circle that is fitted.
const FULL: f32 = 30.0;

/// The best centre of circles within `reach` samples of the middle of a field; where light comes from one side
/// (`shaded`) circles also turn once from light to dark.
pub(crate) fn bowl_centre(field: &Field, reach: f32, shaded: bool) -> [f32; 2] {
    let harmonic = if shaded { 1.0 } else { 0.0 };
    let middle = [field.values.width() as f32 / 2.0, field.values.height() as f32 / 2.0];
    let mut step = reach / 5.0;
    let mut best = (0.0, middle);
    for y in -5..=5i32 {
        for x in -5..=5i32 {
            let next = [middle[0] + x as f32 * step, middle[1] + y as f32 * step];
            best = better(field, next, (step, harmonic), best);
        }
    }
    while step > 0.15 {
        step *= 0.5;
        best.0 = explained(field, best.1, (step, harmonic));
        for _ in 0..2 {
            let centre = best.1;
            for (x, y) in AROUND {
                best = better(field, [centre[0] + x * step, centre[1] + y * step], (step, harmonic), best);
            }
        }
    }
    best.1
}

const AROUND: [(f32, f32); 8] =
    [(-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0), (-1.0, -1.0), (1.0, 1.0), (-1.0, 1.0), (1.0, -1.0)];

fn better(field: &Field, next: [f32; 2], how: (f32, f32), kept: (f32, [f32; 2])) -> (f32, [f32; 2]) {
    let score = explained(field, next, how);
    if score > kept.0 { (score, next) } else { kept }
}

/// How much of the square sum of every other sample is explained by its circle's mean and first turn; circles are as
/// wide as the centre is uncertain.
fn explained(field: &Field, centre: [f32; 2], (step, harmonic): (f32, f32)) -> f32 {
    let (width, height) = (field.values.width(), field.values.height());
    let per_sample = 1.0 / step.max(1.0);
    let bins = width.max(height);
    let mut sums = vec![[0.0f32; 4]; bins];
    for y in (0..height).step_by(2) {
        let dy = y as f32 - centre[1];
        let (values, known) = (field.values.row(y), field.known.row(y));
        for x in ((y / 2) % 2..width).step_by(2) {
            let dx = x as f32 - centre[0];
            let r = (dx * dx + dy * dy).sqrt().max(1e-3);
            let bin = &mut sums[((r * per_sample) as usize).min(bins - 1)];
            let value = known[x] * values[x];
            *bin = [bin[0] + known[x], bin[1] + value, bin[2] + value * dx / r, bin[3] + value * dy / r];
        }
    }
    let of = |[n, a, c, s]: &[f32; 4]| (a * a + harmonic * (c * c + s * s)) / n;
    sums.iter().filter(|bin| bin[0] > 8.0).map(of).sum()
}

/// Fits each circle by least squares, shrinks what could be chance, and takes it off.
pub(crate) fn take_bowl(field: &mut Field, centre: [f32; 2]) {
    let (width, height) = (field.values.width(), field.values.height());
    let bins = 2 * width.max(height) + 2;
    let terms = |x: usize, y: usize| {
        let (dx, dy) = (x as f32 - centre[0], y as f32 - centre[1]);
        let r = (dx * dx + dy * dy).sqrt().max(1e-3);
        let (c, s) = (dx / r, dy / r);
        (2.0 * r, [1.0, c, s, c * c - s * s, 2.0 * c * s])
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
    let mut profile: Vec<[f32; TERMS]> = normal.iter().zip(&right).map(|(n, r)| shrunk(n, r)).collect();
    // Circles with too few samples get the mean of the one beside them.
    let full = normal.iter().position(|circle| circle[0] >= FULL).unwrap_or(0);
    for circle in (0..full).rev().chain(full + 1..bins) {
        if normal[circle][0] < FULL {
            let beside = if circle < full { circle + 1 } else { circle - 1 };
            profile[circle] = [profile[beside][0], 0.0, 0.0, 0.0, 0.0];
        }
    }
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
    if count < FULL {
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

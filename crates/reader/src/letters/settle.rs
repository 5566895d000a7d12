//! Which way up, in which size and in which style: the lattice that its characters fit best.

use super::cells::{Ground, Shifts, Shown, Templates, shown};
use super::lattice::Lattice;
use crate::vectors::solve_symmetric;

/// A lattice with its characters the right way up.
pub(crate) struct Settled {
    pub(crate) lattice: Lattice,
    /// Whether relief is upward (1) or downward (-1).
    pub(crate) sign: f32,
    /// The places of styles, the likeliest first, with their evidence.
    pub(crate) styles: Vec<(usize, f32)>,
    pub(crate) score: f32,
    /// The log-likelihood of every value of every character.
    pub(crate) values: Vec<Vec<f32>>,
}

/// Something that no style has is taken to fit the shapes this many nats less well than a middling character of the mark
/// does, and to be as likely before.
const STRANGE: (f32, f32) = (14.0, 0.05);

impl Settled {
    /// For every character the nats by which its likeliest value is likelier than something that no style has.
    pub(crate) fn gaps(&self) -> Vec<f32> {
        let most = |logs: &Vec<f32>| logs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let best: Vec<f32> = self.values.iter().map(most).collect();
        let mut sorted = best.clone();
        sorted.sort_by(f32::total_cmp);
        let strange = sorted[sorted.len() / 2] - STRANGE.0 + STRANGE.1.ln();
        best.iter().map(|best| (best - strange).max(0.0)).collect()
    }
}

/// Sizes of capitals that are tried about the one that was found.
const SIZES: [f32; 5] = [0.82, 0.91, 1.01, 1.12, 1.25];
/// Those of the looks after it.
const NEARER: [[f32; 3]; 3] = [[0.94, 1.0, 1.06], [0.96, 1.0, 1.04], [0.98, 1.0, 1.02]];
const COARSE: Shifts = Shifts { reach: 2, step: 1, off: 0.15 };
const FINE: Shifts = Shifts { reach: 2, step: 1, off: 0.07 };
const LAST: Shifts = Shifts { reach: 1, step: 1, off: 0.07 };
/// Odds, natural log, against letters that are seen from behind.
const BEHIND: f32 = 3.0;

/// The same places the other way up or from behind.
fn ways(lattice: &Lattice) -> [Lattice; 4] {
    let back = |along: [f32; 2]| along.map(|k| -k);
    let Lattice { right, down, .. } = *lattice;
    [(right, down), (back(right), back(down)), (back(right), down), (right, back(down))]
        .map(|(right, down)| Lattice { right, down, ..*lattice })
}

/// The likeliest lattices first roughly in a `few` styles, then the best of them finely in `all`.
pub(crate) fn settled(
    ground: &Ground,
    (lattices, shape): (Vec<Lattice>, [usize; 2]),
    [few, all]: [&Templates; 2],
) -> Vec<Settled> {
    let mut found: Vec<(Lattice, f32, Shown)> =
        lattices.iter().flat_map(|lattice| roughly(ground, (lattice, shape), few)).collect();
    found.sort_by(|a, b| rank(b).total_cmp(&rank(a)));
    let near = found.first().map_or(0.0, |best| NEAR * rank(best));
    found.retain(|one| rank(one) >= near);
    found.truncate(KEPT);
    let mut settled: Vec<Settled> = found
        .into_iter()
        .map(|(lattice, sign, first)| {
            let (mut lattice, mut first) = (lattice, first);
            for sizes in NEARER {
                lattice = moved(&lattice, shape, &first);
                (lattice, first) = sized(ground, (&lattice, shape), few, (sign, &sizes));
            }
            let lattice = moved(&lattice, shape, &first);
            let seen = ground.banded(lattice.cap);
            let last = shown(&seen, (&lattice, shape), all, (&[sign], LAST)).remove(0);
            let lattice = moved(&lattice, shape, &last);
            Settled { lattice, sign, styles: last.styles, score: last.score, values: last.values }
        })
        .collect();
    settled.sort_by(|a, b| b.score.total_cmp(&a.score));
    settled
}

/// Lattices that are looked at finely.
const KEPT: usize = 3;
/// What shows less than this share of what the best shows is not.
const NEAR: f32 = 0.85;

/// What speaks for a lattice the way up and round that it is.
fn rank((lattice, _, shown): &(Lattice, f32, Shown)) -> f32 {
    shown.score - if lattice.behind() { BEHIND } else { 0.0 }
}

/// A lattice every way up and round, each with the size and sign that fit best.
fn roughly(
    ground: &Ground,
    (lattice, shape): (&Lattice, [usize; 2]),
    few: &Templates,
) -> Vec<(Lattice, f32, Shown)> {
    let signs = [1.0, -1.0];
    let fields = SIZES.map(|size| (lattice.cap * size, ground.banded(lattice.cap * size)));
    let best = |way: Lattice| {
        let sized = fields.iter().flat_map(|(cap, seen)| {
            let way = Lattice { cap: *cap, ..way };
            let shown = shown(seen, (&way, shape), few, (&signs, COARSE));
            signs.into_iter().zip(shown).map(move |(sign, shown)| (way, sign, shown))
        });
        sized.max_by(|a, b| a.2.score.total_cmp(&b.2.score))
    };
    ways(lattice).into_iter().filter_map(best).collect()
}

/// The best of some sizes.
fn sized(
    ground: &Ground,
    (lattice, shape): (&Lattice, [usize; 2]),
    templates: &Templates,
    (sign, sizes): (f32, &[f32]),
) -> (Lattice, Shown) {
    let mut best: Option<(Lattice, Shown)> = None;
    for size in sizes {
        let next = Lattice { cap: lattice.cap * size, ..*lattice };
        let shown = shown(&ground.banded(next.cap), (&next, shape), templates, (&[sign], FINE)).remove(0);
        if best.as_ref().is_none_or(|(_, best)| shown.score > best.score) {
            best = Some((next, shown));
        }
    }
    best.expect("at least one size is tried")
}

/// The lattice moved to where its characters were found (least squares on the centre and both distances).
fn moved(lattice: &Lattice, [rows, columns]: [usize; 2], shown: &Shown) -> Lattice {
    let middle = |k: usize, count: usize| k as f64 - 0.5 * (count as f64 - 1.0);
    let unit = |along: [f32; 2]| {
        let length = along[0].hypot(along[1]).max(1e-6);
        along.map(|k| k / length)
    };
    let (right, down) = (unit(lattice.right), unit(lattice.down));
    let mut matrix = vec![0.0; 9];
    let mut sides = [vec![0.0; 3], vec![0.0; 3]];
    for (cell, (shift, weight)) in shown.moved.iter().enumerate() {
        let row = [1.0, middle(cell % columns, columns), middle(cell / columns, rows)];
        let by = [0, 1].map(|k| f64::from(shift[0] * right[k] + shift[1] * down[k]));
        for i in 0..3 {
            for j in 0..3 {
                matrix[i * 3 + j] += f64::from(*weight) * row[i] * row[j];
            }
            for k in 0..2 {
                sides[k][i] += f64::from(*weight) * row[i] * by[k];
            }
        }
    }
    for k in 0..3 {
        matrix[k * 4] += 10.0;
    }
    let [x, y] = sides.map(|side| solve_symmetric(matrix.clone(), side).unwrap_or_else(|| vec![0.0; 3]));
    let by = |from: [f32; 2], k: usize| [from[0] + x[k] as f32, from[1] + y[k] as f32];
    Lattice {
        centre: by(lattice.centre, 0),
        right: by(lattice.right, 1),
        down: by(lattice.down, 2),
        cap: lattice.cap,
    }
}

//! The published decision rules, each a function of a [`Table`], as their papers state them.
//!
//! | rule | paper | function |
//! | --- | --- | --- |
//! | original | Song 2013 (45:184-194 of the toolmark examiners' journal) | [`original`] |
//! | High | Tong et al. 2015, J. Res. NIST 120:102-112 | [`high`] |
//! | total | Chen et al. 2017, Forensic Sci. Int. 280:213-223 | [`total`] |
//! | convergence | the same, conditions I and II | [`convergence`] |
//! | by area | Chen et al. 2018, J. Res. NIST 123:123015 | [`by_area`] |

use super::table::{self, Find, Table};
use super::{CmcCounts, Decided, Seen, apart, median};
use crate::direction::{Close, Scratch};
use crate::pose::Pose;
use crate::preset::{Preset, Sweep};
use crate::surface::Surface;

/// The virtual reference: a turn in degrees and a place in micrometres.
#[derive(Clone, Copy, Debug)]
struct Reference {
    turn: f64,
    shift: [f64; 2],
}

/// Counts further than this within the largest are high (`tau` of Tong 2015).
const TAU: usize = 1;
/// Distances more than so many median absolute deviations off the median are dropped (Chen 2017).
const OUTLYING: f64 = 3.0;

/// All rules in both directions; `turn` is that of B on A by which the sweep begins, in degrees.
pub(super) fn decided(
    (a, b): (&Surface, &Surface),
    turn: f64,
    sweep: Sweep,
    scratch: &mut Scratch,
) -> Decided {
    let preset = &a.preset;
    let pairs = [(a, b), (b, a)];
    let tables = [Table::of(pairs[0], turn, sweep, scratch), Table::of(pairs[1], -turn, sweep, scratch)];
    let each = |k: usize| (pairs[k], &tables[k]);
    let count = |cells: &[Option<Find>]| cells.iter().flatten().count();
    let original = tables.each_ref().map(|table| original(table, preset));
    let total = [0, 1].map(|k| total(each(k), &medians(&tables[k]), preset));
    let (cells, references, converged) = convergence([each(0), each(1)], sweep, preset);
    let counts = CmcCounts {
        original: original.each_ref().map(|cells| count(cells)),
        high: high(&tables, original.each_ref().map(|cells| count(cells)), preset),
        total: total.each_ref().map(|cells| count(cells)),
        convergence: cells.each_ref().map(|cells| count(cells)),
        ncma: [0, 1].map(|k| by_area(pairs[k].0, &cells[k])).into_iter().fold(1.0, f64::min),
    };
    let support = cells.each_ref().map(|cells| {
        cells.iter().flatten().map(|find| find.accf * find.accf).sum::<f64>() / cells.len().max(1) as f64
    });
    let reference = references[0];
    let pose = Pose { turn: reference.turn.to_radians(), shift: reference.shift, ..Pose::default() };
    // Every cell of A is shown where it lies best near the reference, congruent or not.
    let near = total_places(each(0), &reference, preset);
    let close = near.iter().zip(&cells[0]).map(|(near, counted)| seen(counted.or(*near), &reference));
    Decided {
        alone: if converged { 0 } else { counts.convergence[0].min(counts.convergence[1]) },
        counts,
        converged,
        // Only A is shown.
        seen: [
            Seen { pose, close: close.collect(), congruent: cells[0].iter().map(Option::is_some).collect() },
            Seen::default(),
        ],
        evaluated: [0, 1].map(|k| count(&total_places(each(k), &references[k], preset))),
        support: support[0].min(support[1]),
    }
}

/// A cell as seen from the reference.
fn seen(find: Option<Find>, reference: &Reference) -> Close {
    find.map_or_else(Close::default, |find| Close {
        accf: find.accf,
        shift: [0, 1].map(|k| find.shift[k] - reference.shift[k]),
        turn: find.turn - reference.turn,
        joint: 1.0,
    })
}

/// Song 2013: the best place of every cell over all turns, about the medians over cells of turn and place.
fn original(table: &Table, preset: &Preset) -> Vec<Option<Find>> {
    about(table, &medians(table), preset)
}

/// The best place of every cell over all turns, where it reaches the threshold within the tolerances of a reference.
fn about(table: &Table, reference: &Reference, preset: &Preset) -> Vec<Option<Find>> {
    let near = |find: &Find| {
        find.accf >= preset.least_accf
            && apart(find.turn, reference.turn) <= preset.turn_tolerance
            && is_at(find, reference.shift, preset)
    };
    best_of(table).into_iter().map(|find| find.filter(near)).collect()
}

fn is_at(find: &Find, shift: [f64; 2], preset: &Preset) -> bool {
    (0..2).all(|k| (find.shift[k] - shift[k]).abs() <= preset.shift_tolerance.to_um())
}

fn best_of(table: &Table) -> Vec<Option<Find>> {
    let cells = table.rows.first().map_or(0, Vec::len);
    (0..cells).map(|cell| table.rows.iter().map(|row| row[cell]).fold(None, table::better)).collect()
}

/// The virtual reference of Song 2013: the medians over cells of the turns and places of their best finds.
fn medians(table: &Table) -> Reference {
    let best = best_of(table);
    let turn = median(best.iter().flatten().map(|find| find.turn).collect());
    Reference { turn, shift: middle(&best) }
}

fn middle(finds: &[Option<Find>]) -> [f64; 2] {
    [0, 1].map(|k| median(finds.iter().flatten().map(|find| find.shift[k]).collect()))
}

/// Total of Chen 2017: cells that reach the threshold somewhere within the tolerances of a reference.
fn total(at: ((&Surface, &Surface), &Table), reference: &Reference, preset: &Preset) -> Vec<Option<Find>> {
    let places = total_places(at, reference, preset);
    places.into_iter().map(|find| find.filter(|find| find.accf >= preset.least_accf)).collect()
}

fn total_places(
    (pair, table): ((&Surface, &Surface), &Table),
    reference: &Reference,
    preset: &Preset,
) -> Vec<Option<Find>> {
    let near = |turn: &f64| (turn - reference.turn).abs() <= preset.turn_tolerance + 1e-9;
    let turns = table.turns.iter().copied().filter(near);
    table::held(pair, turns, (reference.shift, preset.shift_tolerance.to_um()))
}

/// Tong 2015: in both directions, the turns whose count about their own median place is within one of the largest. Where all
/// of them lie within the tolerance of turns, the cells congruent under any turn of that range (the smaller of the two directions);
/// else the lower original count.
fn high(tables: &[Table; 2], original: [usize; 2], preset: &Preset) -> usize {
    let congruent = tables.each_ref().map(|table| -> Vec<Vec<bool>> {
        let at_turn = |row: &Vec<Option<Find>>| {
            let middle = middle(row);
            let counts = |find: &Find| find.accf >= preset.least_accf && is_at(find, middle, preset);
            row.iter().map(|find| find.as_ref().is_some_and(counts)).collect()
        };
        table.rows.iter().map(at_turn).collect()
    });
    let sign = [1.0, -1.0];
    let mut range = [f64::INFINITY, f64::NEG_INFINITY];
    for ((table, rows), sign) in tables.iter().zip(&congruent).zip(sign) {
        let counts: Vec<usize> = rows.iter().map(|row| row.iter().filter(|&&c| c).count()).collect();
        let largest = counts.iter().copied().max().unwrap_or(0);
        for (turn, _) in table.turns.iter().zip(counts).filter(|&(_, count)| count + TAU >= largest) {
            range = [range[0].min(sign * turn), range[1].max(sign * turn)];
        }
    }
    let tolerance = preset.turn_tolerance;
    if range[1] - range[0] > tolerance + 1e-9 {
        return original[0].min(original[1]);
    }
    // A narrower range is widened to the tolerance.
    let (middle, half) = (0.5 * (range[0] + range[1]), 0.5 * tolerance + 1e-9);
    let unions = [0, 1].map(|k| {
        let within = |turn: f64| (sign[k] * turn - middle).abs() <= half;
        let chosen: Vec<&Vec<bool>> = tables[k]
            .turns
            .iter()
            .zip(&congruent[k])
            .filter(|(t, _)| within(**t))
            .map(|(_, row)| row)
            .collect();
        let cells = congruent[k].first().map_or(0, Vec::len);
        (0..cells).filter(|&cell| chosen.iter().any(|row| row[cell])).count()
    });
    unions[0].min(unions[1])
}

/// Chen 2017: where (I) the median distance from the median place falls below the tolerance in both directions and (II) the turns
/// of its minima agree to one step, total counts about them; else original counts about them.
fn convergence(
    sides: [((&Surface, &Surface), &Table); 2],
    sweep: Sweep,
    preset: &Preset,
) -> ([Vec<Option<Find>>; 2], [Reference; 2], bool) {
    let minima = sides.map(|(_, table)| closest(table));
    let references = minima.map(|(reference, _)| reference);
    let close = minima.iter().all(|(_, distance)| *distance < preset.shift_tolerance.to_um());
    let together = apart(references[0].turn, -references[1].turn) <= sweep.step + 1e-9;
    let converged = close && together;
    let cells = [0, 1].map(|k| {
        if converged {
            total(sides[k], &references[k], preset)
        } else {
            about(sides[k].1, &references[k], preset)
        }
    });
    (cells, references, converged)
}

/// The turn under which places come together most closely, their median, and the median distance from it.
fn closest(table: &Table) -> (Reference, f64) {
    let at_turn = |(row, &turn): (&Vec<Option<Find>>, &f64)| {
        let shift = middle(row);
        let off = |find: &Find| (find.shift[0] - shift[0]).hypot(find.shift[1] - shift[1]);
        let distances: Vec<f64> = row.iter().flatten().map(off).collect();
        let typical = median(distances.clone());
        let spread = median(distances.iter().map(|d| (d - typical).abs()).collect());
        let kept = distances.into_iter().filter(|d| (d - typical).abs() <= OUTLYING * spread).collect();
        (Reference { turn, shift }, median(kept))
    };
    let none = (Reference { turn: 0.0, shift: [0.0; 2] }, f64::INFINITY);
    let all = table.rows.iter().zip(&table.turns).map(at_turn);
    all.fold(none, |best, one| if one.1 < best.1 { one } else { best })
}

/// Chen 2018: the measured area of the congruent cells over that of all cells.
fn by_area(surface: &Surface, congruent: &[Option<Find>]) -> f64 {
    super::by_area(surface, congruent.iter().map(Option::is_some))
}

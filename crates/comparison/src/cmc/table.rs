//! What the published rules read: for every cell and every turn of a sweep, the place where the cell lies best on the other
//! surface and its coefficient there.
//!
//! The other surface is turned about its middle and laid with its middle on that of the first; the cell scans all of it. The
//! scan is exhaustive at four times the pitch of the preset (all shifts by one transform, renormalised by the measured points); the
//! best few places are then followed down to the pitch of the preset, where the coefficient is exact on the jointly measured points.

use crate::areal::{self, Boxes, LANES, Patch};
use crate::direction::{self, Scratch};
use crate::fourier::{Planner, Spectrum};
use crate::pose::Pose;
use crate::preset::Sweep;
use crate::raster::{Frame, Raster};
use crate::surface::{Cell, Surface};

/// Where a cell lies best.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Find {
    pub(crate) accf: f64,
    /// Displacement in micrometres, along the axes of A.
    pub(crate) shift: [f64; 2],
    /// The turn of the sweep, in degrees.
    pub(crate) turn: f64,
}

/// Every cell under every turn.
pub(crate) struct Table {
    /// In degrees, ascending.
    pub(crate) turns: Vec<f64>,
    /// One row of cells for each turn; nothing where too little is measured on both sides.
    pub(crate) rows: Vec<Vec<Option<Find>>>,
}

/// Places followed down to the finest level.
const CANDIDATES: usize = 4;
/// A place is looked for again within so many samples of the next finer level.
const FINER: isize = 2;
/// The share of a cell by which it may stick out of the other surface.
const OVERHANG: f64 = 0.65;

impl Table {
    /// The sweep about `middle` degrees.
    pub(crate) fn of(pair: (&Surface, &Surface), middle: f64, sweep: Sweep, scratch: &mut Scratch) -> Self {
        let steps = (sweep.reach / sweep.step).round() as i32;
        let turns: Vec<f64> = (-steps..=steps).map(|k| middle + sweep.step * f64::from(k)).collect();
        let cells = Cut::of(pair.0);
        let n = Laid::size(pair);
        let spectra: Vec<Spectrum> =
            cells.iter().map(|cut| cut.levels[0].spectrum_of(n, &mut scratch.planner)).collect();
        let row = |&turn: &f64| {
            let laid = Laid::of(pair, turn);
            let mut search = Search::new(&laid, n, &mut scratch.planner);
            let one = |(cut, spectrum)| search.best(cut, spectrum, &mut scratch.planner);
            cells.iter().zip(&spectra).map(one).collect()
        };
        let rows = turns.iter().map(row).collect();
        Self { turns, rows }
    }
}

/// The same with every cell held within `tolerance` micrometres of `shift` along each axis, the best of these turns.
pub(crate) fn held(
    pair: (&Surface, &Surface),
    turns: impl Iterator<Item = f64>,
    (shift, tolerance): ([f64; 2], f64),
) -> Vec<Option<Find>> {
    let cells = Cut::of(pair.0);
    let mut best: Vec<Option<Find>> = vec![None; cells.len()];
    // No cell was found anywhere: there is no reference.
    if !shift.iter().all(|s| s.is_finite()) {
        return best;
    }
    for turn in turns {
        let laid = Laid::of(pair, turn);
        for (cut, best) in cells.iter().zip(&mut best) {
            *best = better(*best, laid.followed(cut, 0, shift, tolerance));
        }
    }
    best
}

/// The find with the higher coefficient, the first of equals.
pub(crate) fn better(one: Option<Find>, other: Option<Find>) -> Option<Find> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if other.accf > one.accf { other } else { one }),
        (one, other) => one.or(other),
    }
}

/// A cell cut out of the levels, coarsest first.
struct Cut {
    levels: [Patch; 3],
}

impl Cut {
    fn of(surface: &Surface) -> Vec<Self> {
        let fine = |cell: &Cell| {
            let level = surface.fine.as_ref().unwrap_or(&surface.source1);
            let [x, y] = cell.corner.map(|v| ((v - level.offset) / level.pitch).round() as isize);
            Patch::cut(level, x, y, (cell.side / level.pitch).round() as usize)
        };
        let cut = |cell: &Cell| Self { levels: [cell.patch2.clone(), cell.patch1.clone(), fine(cell)] };
        surface.cells.iter().map(cut).collect()
    }
}

/// B under one turn, at the samples of three levels of A, coarsest first.
struct Laid {
    levels: [Raster; 3],
    /// The sample of the level of A at which each begins.
    first: [[isize; 2]; 3],
    /// Degrees.
    turn: f64,
}

impl Laid {
    fn of((a, b): (&Surface, &Surface), turn: f64) -> Self {
        let pose = Pose { turn: turn.to_radians(), ..Pose::default() };
        let half = half((a, b));
        let own = [&a.level2, &a.level1, a.fine.as_ref().unwrap_or(&a.source1)];
        let from = [&b.source2, &b.source1, b.fine.as_ref().unwrap_or(&b.source1)];
        let mut first = [[0; 2]; 3];
        let levels = [0, 1, 2].map(|k| {
            let Raster { pitch, offset, .. } = *own[k];
            first[k] = a.centre.map(|c| ((c - half - offset) / pitch).floor() as isize);
            let corner = first[k].map(|at| offset + at as f64 * pitch);
            let size = (2.0 * half / pitch).ceil() as usize + 2;
            let origin = direction::place_on_b(a, b, &pose, corner);
            let mut out = Raster::default();
            let frame = Frame { width: size + LANES, height: size, pitch, origin, turn: pose.turn };
            from[k].sampled(&frame, &mut out);
            out
        });
        Self { levels, first, turn }
    }

    /// The edge of a transform that holds the coarsest level.
    fn size(pair: (&Surface, &Surface)) -> usize {
        let samples = (2.0 * half(pair) / pair.0.level2.pitch).ceil() as usize + 2 + LANES;
        let fast = [96, 108, 120, 128, 144, 160, 180, 192, 216, 240, 256, 288, 320, 360, 384, 432, 480, 512];
        fast.into_iter().find(|&n| n >= samples).unwrap_or_else(|| samples.next_power_of_two())
    }

    /// Follows the cell from a displacement at one level down to the finest, no farther from it than `tolerance`.
    fn followed(&self, cut: &Cut, from: usize, about: [f64; 2], tolerance: f64) -> Option<Find> {
        let mut found = Find { accf: 0.0, shift: about, turn: self.turn };
        for level in from..3 {
            let pitch = self.levels[level].pitch;
            // Coarser samples may lie half a sample beyond.
            let within = tolerance + if level < 2 { 0.5 * pitch } else { 0.0 };
            let near = |shift: [f64; 2]| (0..2).all(|k| (shift[k] - about[k]).abs() <= within);
            let reach = if level == 0 { (tolerance / pitch).ceil() as isize } else { FINER };
            found = self.best(cut, level, (found.shift, reach), &near)?;
        }
        Some(found)
    }

    /// The best whole-sample place about a displacement.
    fn best(
        &self,
        cut: &Cut,
        level: usize,
        (about, reach): ([f64; 2], isize),
        allowed: &dyn Fn([f64; 2]) -> bool,
    ) -> Option<Find> {
        let (patch, ground) = (&cut.levels[level], &self.levels[level]);
        let least = direction::least_joint(patch);
        let middle = about.map(|s| (s / ground.pitch).round() as isize);
        let at = [patch.x - self.first[level][0], patch.y - self.first[level][1]];
        let mut best: Option<Find> = None;
        for dy in -reach..=reach {
            for dx in -reach..=reach {
                let samples = [middle[0] + dx, middle[1] + dy];
                let shift = samples.map(|s| s as f64 * ground.pitch);
                if !allowed(shift) {
                    continue;
                }
                let accf = patch.accf(ground, at[0] + samples[0], at[1] + samples[1], least);
                let find = accf.map(|accf| Find { accf: accf.value, shift, turn: self.turn });
                best = better(best, find);
            }
        }
        best
    }
}

/// Half the edge of the square about the middle of B that its cells and those of A may reach under any turn, in micrometres.
fn half((a, b): (&Surface, &Surface)) -> f64 {
    let off = (b.circle[0] - b.centre[0]).hypot(b.circle[1] - b.centre[1]);
    let side = a.cells.iter().map(|cell| cell.side).fold(0.0, f64::max);
    b.radius + off + OVERHANG * side
}

/// The exhaustive scan at the coarsest level.
struct Search<'a> {
    laid: &'a Laid,
    n: usize,
    spectrum: Spectrum,
    boxes: Boxes,
    products: Vec<f32>,
}

impl<'a> Search<'a> {
    fn new(laid: &'a Laid, n: usize, planner: &mut Planner) -> Self {
        let ground = &laid.levels[0];
        let mut grid = vec![0.0; n * n];
        for (line, row) in grid.chunks_exact_mut(n).zip(ground.z.chunks_exact(ground.width)) {
            line[..ground.width].copy_from_slice(row);
        }
        let spectrum = planner.size(n).spectrum(&mut grid);
        Self { laid, n, spectrum, boxes: Boxes::new(ground), products: vec![0.0; n * n] }
    }

    /// The best place of a cell on all of B.
    fn best(&mut self, cut: &Cut, own: &Spectrum, planner: &mut Planner) -> Option<Find> {
        let n = self.n;
        planner.size(n).correlate([own, &self.spectrum], false, 0..n as isize, &mut self.products);
        let patch = &cut.levels[0];
        let least = direction::least_joint(patch);
        let ground = &self.laid.levels[0];
        let (right, bottom) =
            (ground.width.saturating_sub(patch.stride()), ground.height.saturating_sub(patch.edge));
        let mut best = [(0.0_f64, [0.0_f64; 2]); CANDIDATES];
        for y in 1..bottom {
            for x in 1..right {
                let value = f64::from(self.products[y * n + x]);
                if value <= 0.0 || !areal::is_top(&self.products, n, x, y) {
                    continue;
                }
                let (energy, points) = self.boxes.at(x, y, patch.edge);
                let score = value / energy.max(1e-12).sqrt();
                if points < least || score <= best[CANDIDATES - 1].0 {
                    continue;
                }
                let slot = best.iter().position(|b| score > b.0).unwrap_or(CANDIDATES - 1);
                best[slot..].rotate_right(1);
                let first = self.laid.first[0];
                let shift = [x as isize + first[0] - patch.x, y as isize + first[1] - patch.y];
                best[slot] = (score, shift.map(|s| s as f64 * ground.pitch));
            }
        }
        let candidates = best.iter().filter(|candidate| candidate.0 > 0.0);
        let middle = candidates
            .filter_map(|&(_, shift)| self.laid.best(cut, 1, (shift, FINER), &|_| true))
            .reduce(|best, find| if find.accf > best.accf { find } else { best })?;
        self.laid.best(cut, 2, (middle.shift, FINER), &|_| true)
    }
}

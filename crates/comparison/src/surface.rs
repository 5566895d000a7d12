//! A prepared surface: the levels of detail, the grid of cells, and the spectra that comparisons reuse.

use std::sync::OnceLock;

use crate::areal::Patch;
use crate::deep;
use crate::fourier::{Planner, Spectrum};
use crate::joint;
use crate::otherwise::Flip;
use crate::pose::Pose;
use crate::preset::Preset;
use crate::raster::{Frame, Raster};
use crate::regular;
use crate::rings;

/// Turns of the coarse search per half circle: 3 degrees each.
pub(crate) const HALF_TURNS: usize = 60;
/// Heights beyond this many standard deviations are limited before the coarse search.
const LIMIT: f32 = 3.0;
/// With a larger share of its energy in regular structure a surface counts as regularly machined.
const REGULAR: f64 = 0.12;
const SUPPRESSED: &str = "the surface carries regular machining marks, which firearms finished with one tool share: they were weakened";
/// Half the square over which roughness is half evened before the coarse search, in samples of level 2.
const EVENED: usize = 8;

/// A breech face or firing pin made ready for comparison: band-passed, cut into cells, its spectra kept.
///
/// Made by [`prepare`](crate::prepare); a few megabytes each.
#[derive(Clone, Debug)]
pub struct Surface {
    pub(crate) preset: Preset,
    /// Sample pitch of the finest level in micrometres; levels 1, 2, 3 have 2, 4, 8 times as much.
    pub(crate) base: f64,
    /// The finest level, which only the published rules look at.
    pub(crate) fine: Option<Raster>,
    /// What turned copies of level 1 and 2 are sampled from: the next finer level smoothed over two samples.
    pub(crate) source1: Raster,
    pub(crate) source2: Raster,
    source3: Raster,
    pub(crate) level1: Raster,
    pub(crate) level2: Raster,
    /// The middle of the measured area, micrometres from the origin.
    pub(crate) centre: [f64; 2],
    /// The middle of the smallest circle about it.
    pub(crate) circle: [f64; 2],
    pub(crate) radius: f64,
    /// Whether it is measured nearly all the way round.
    pub(crate) is_whole: bool,
    pub(crate) cells: Vec<Cell>,
    turned: OnceLock<Turned>,
    pub(crate) warnings: Vec<String>,
    /// Whether regular machining marks were weakened.
    pub(crate) is_regular: bool,
    /// The same face with its lines and rings as they are, where they were weakened and it is known.
    plain: Option<Box<Self>>,
    /// The same face without what stands far above or below it, once somebody asked, and of how many pieces that was.
    shallow: OnceLock<Option<(Box<Self>, usize)>>,
    /// Whether deep and high pieces hold much of the energy.
    pub(crate) is_deep: bool,
    /// The content, so that the order of two surfaces does not depend on who asks.
    pub(crate) key: u64,
    /// The motions under which the surface agrees with itself, once somebody asked.
    pub(crate) own_motions: OnceLock<Vec<Pose>>,
}

/// A square piece of the surface.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    /// Left and top edge, micrometres from the origin.
    pub(crate) corner: [f64; 2],
    /// Edge length in micrometres.
    pub(crate) side: f64,
    /// The share of its points that are measured.
    pub(crate) valid: f64,
    pub(crate) patch1: Patch,
    pub(crate) patch2: Patch,
    pub(crate) spectrum: Spectrum,
}

/// Spectra of the coarsest level, turned in equal steps over half a circle; the other half are their conjugates.
#[derive(Clone, Debug)]
pub(crate) struct Turned {
    pub(crate) heights: Vec<Spectrum>,
    pub(crate) masks: Vec<Spectrum>,
}

impl Cell {
    pub(crate) fn middle(&self) -> [f64; 2] {
        self.corner.map(|v| v + 0.5 * self.side)
    }
}

impl Surface {
    /// Builds levels, cells and spectra from a band-passed raster at the base pitch; nothing where nothing is measured.
    pub(crate) fn build(fine: &Raster, preset: &Preset, planner: &mut Planner) -> Option<Self> {
        let mut fine = fine.cropped(fine.bounds()?).centred(5.0);
        let edge = preset.cell.to_um() / fine.pitch;
        let mut is_regular = false;
        // The published rules take marks as they are.
        if preset.sweep.is_some() {
            let source1 = fine.boxed();
            let level1 = source1.thinned();
            let surface = Self::from_levels([source1, level1], false, preset, planner)?;
            return Some(Self { fine: Some(fine), ..surface });
        }
        let whole = fine.clone();
        if let Some((rest, share)) = rings::without(&fine) {
            is_regular |= share > REGULAR;
            fine = rest;
        }
        if regular::share(&fine.boxed().thinned(), window(0.5 * edge), planner) > REGULAR {
            is_regular = true;
            fine = regular::suppressed(&fine, window(edge), planner);
        }
        let levels = |fine: &Raster| {
            let source1 = fine.boxed();
            let level1 = source1.thinned();
            [source1, level1]
        };
        let surface = Self::from_levels(levels(&fine), is_regular, preset, planner)?;
        surface.turned(planner);
        if !is_regular {
            return Some(surface);
        }
        let plain = Self::from_levels(levels(&whole.centred(LIMIT)), false, preset, planner)?;
        Some(Self { plain: Some(Box::new(plain)), ..surface })
    }

    /// The face with its lines and rings as they are; nothing where they were weakened and only that is known.
    pub(crate) fn plain(&self) -> Option<&Self> {
        if self.is_regular { self.plain.as_deref() } else { Some(self) }
    }

    /// The same from level 1 (and what it is thinned from), as a feature store keeps it one level coarser; `is_regular` says
    /// whether regular machining marks were weakened before.
    pub(crate) fn from_levels(
        [source1, level1]: [Raster; 2],
        is_regular: bool,
        preset: &Preset,
        planner: &mut Planner,
    ) -> Option<Self> {
        let base = 0.5 * level1.pitch;
        let source2 = level1.boxed();
        let level2 = source2.thinned();
        let source3 = level2.clone().centred(LIMIT).half_evened(EVENED).centred(LIMIT).boxed();
        let centre = middle(&level2)?;
        let (circle, radius) = joint::circle(&level2);
        let is_whole = joint::is_whole(&level2, circle, radius);
        let cells = cells(&level1, &level2, preset, planner);
        let preset = preset.clone();
        let key = key(&level2);
        let is_deep = deep::is_deep(&source1);
        let warnings = if is_regular { vec![SUPPRESSED.to_owned()] } else { Vec::new() };
        Some(Self {
            preset,
            base,
            fine: None,
            source1,
            source2,
            source3,
            level1,
            level2,
            centre,
            circle,
            radius,
            is_whole,
            cells,
            turned: OnceLock::new(),
            warnings,
            is_regular,
            plain: None,
            shallow: OnceLock::new(),
            is_deep,
            key,
            own_motions: OnceLock::new(),
        })
    }

    /// The face without what stands far above or below it, and of how many pieces that was; nothing where nothing does.
    pub(crate) fn shallow(&self, planner: &mut Planner) -> Option<(&Self, usize)> {
        let made = self.shallow.get_or_init(|| {
            let (source1, pieces) = deep::without(&self.source1)?;
            let level1 = source1.thinned();
            let surface = Self::from_levels([source1, level1], self.is_regular, &self.preset, planner)?;
            Some((Box::new(surface), pieces))
        });
        made.as_ref().map(|(surface, pieces)| (&**surface, *pieces))
    }

    /// The same face scanned wrongly.
    pub(crate) fn flipped(&self, flip: Flip, planner: &mut Planner) -> Option<Self> {
        let source1 = self.source1.flipped(flip.mirrored, flip.negated);
        let level1 = source1.thinned();
        Self::from_levels([source1, level1], self.is_regular, &self.preset, planner)
    }

    /// The same face as if its samples lay so many times as far apart.
    pub(crate) fn scaled(&self, factor: f64, planner: &mut Planner) -> Option<Self> {
        let from = &self.source1;
        let size = |n: usize| (n as f64 * factor).floor() as usize;
        let (width, height) = (size(from.width), size(from.height));
        let mut source1 = Raster::default();
        let pitch = from.pitch / factor;
        let origin = [from.offset; 2];
        from.sampled(&Frame { width, height, pitch, origin, turn: 0.0 }, &mut source1);
        (source1.pitch, source1.offset) = (from.pitch, from.offset);
        source1.bounds()?;
        let level1 = source1.thinned();
        Self::from_levels([source1, level1], self.is_regular, &self.preset, planner)
    }

    /// Puts the name of the scan before everything noted of it, and before what is to be noted beside.
    pub fn noted(&mut self, scan: &str, notes: &[String]) {
        self.warnings.splice(0..0, notes.iter().cloned());
        self.warnings.iter_mut().for_each(|note| *note = format!("`{scan}`: {note}"));
    }

    /// What had to be assumed of the scan, and what the reader of a result should know of it.
    pub fn notes(&self) -> &[String] {
        &self.warnings
    }

    /// The coarsest level in all turns: worked out when it is first asked for.
    pub(crate) fn turned(&self, planner: &mut Planner) -> &Turned {
        self.turned.get_or_init(|| Turned::new(&self.source3, self.centre, planner))
    }

    /// What that is sampled from, at half its pitch.
    pub(crate) fn coarsest(&self) -> &Raster {
        &self.source3
    }

    /// The edge of its transforms.
    pub(crate) fn turned_edge(&self) -> usize {
        Turned::edge(&self.source3)
    }

    /// How many points of level 2 are measured.
    pub(crate) fn measured(&self) -> usize {
        self.level2.valid()
    }

    /// Spectra of the coarsest level as it lies, at a larger size than its own.
    pub(crate) fn unturned(&self, n: usize, planner: &mut Planner) -> (Spectrum, Spectrum) {
        turned_spectra(&self.source3, n, self.centre, 0.0, planner)
    }
}

/// An even size near `samples` that transforms fast.
fn window(samples: f64) -> usize {
    [16, 20, 24, 32, 40, 48, 64, 80, 96].into_iter().find(|&n| n as f64 >= samples).unwrap_or(128)
}

/// A number that depends on every height (FNV-1a, Fowler, Noll & Vo).
fn key(level: &Raster) -> u64 {
    let bits = level.z.iter().zip(&level.w).map(|(z, w)| u64::from(z.to_bits()) << 1 | u64::from(*w > 0.0));
    [level.width as u64, level.height as u64]
        .into_iter()
        .chain(bits)
        .fold(0xcbf2_9ce4_8422_2325, |key, bits| (key ^ bits).wrapping_mul(0x0100_0000_01b3))
}

fn middle(raster: &Raster) -> Option<[f64; 2]> {
    let (mut sum, mut at) = (0.0, [0.0, 0.0]);
    for y in 0..raster.height {
        for x in 0..raster.width {
            let w = f64::from(raster.w[y * raster.width + x]);
            sum += w;
            at[0] += w * x as f64;
            at[1] += w * y as f64;
        }
    }
    (sum > 0.0).then(|| at.map(|total| raster.offset + raster.pitch * (total / sum).round()))
}

/// The grid of cells, laid so that its cells hold as much of the measured area as possible; only those with enough of it.
fn cells(level1: &Raster, level2: &Raster, preset: &Preset, planner: &mut Planner) -> Vec<Cell> {
    const OFFSETS: usize = 4;
    let side = preset.cell.to_um();
    let mut best: (f64, Vec<[f64; 2]>) = (-1.0, Vec::new());
    for offset in 0..OFFSETS * OFFSETS {
        let start = [offset % OFFSETS, offset / OFFSETS]
            .map(|k| level2.offset - side * (k as f64 + 0.5) / OFFSETS as f64);
        let (covered, corners) = laid(level2, start, preset);
        if covered > best.0 {
            best = (covered, corners);
        }
    }
    let of = |corner: [f64; 2]| {
        let patch1 = patch(level1, corner, side);
        let patch2 = patch(level2, corner, side);
        let valid = f64::from(patch1.measured) / (patch1.edge * patch1.edge) as f64;
        let spectrum = patch2.spectrum(planner);
        Cell { corner, side, valid, patch1, patch2, spectrum }
    };
    best.1.into_iter().map(of).collect()
}

/// The corners of usable cells of a grid that begins at `start`, and how well they are filled.
fn laid(level: &Raster, start: [f64; 2], preset: &Preset) -> (f64, Vec<[f64; 2]>) {
    let side = preset.cell.to_um();
    let count = [level.width, level.height].map(|n| (n as f64 * level.pitch / side).ceil() as usize + 1);
    let mut points = vec![0.0_f64; count[0] * count[1]];
    for y in 0..level.height {
        let row = ((level.offset + y as f64 * level.pitch - start[1]) / side) as usize;
        for x in 0..level.width {
            let column = ((level.offset + x as f64 * level.pitch - start[0]) / side) as usize;
            points[row * count[0] + column] += f64::from(level.w[y * level.width + x]);
        }
    }
    let full = (side / level.pitch).powi(2);
    let (mut covered, mut corners) = (0.0, Vec::new());
    for (at, points) in points.into_iter().enumerate() {
        let valid = points / full;
        if valid >= preset.least_valid {
            // A cell half full tells nearly as much as a full one; slivers tell little.
            covered += valid.min(0.5);
            corners
                .push([start[0] + (at % count[0]) as f64 * side, start[1] + (at / count[0]) as f64 * side]);
        }
    }
    (covered, corners)
}

fn patch(level: &Raster, corner: [f64; 2], side: f64) -> Patch {
    let [x, y] = corner.map(|v| ((v - level.offset) / level.pitch).round() as isize);
    Patch::cut(level, x, y, (side / level.pitch).round() as usize)
}

impl Turned {
    fn edge(source: &Raster) -> usize {
        room(source.width.max(source.height).div_ceil(2))
    }

    fn new(source: &Raster, centre: [f64; 2], planner: &mut Planner) -> Self {
        let n = Self::edge(source);
        let turn = |step: usize| std::f64::consts::PI * step as f64 / HALF_TURNS as f64;
        let (heights, masks) =
            (0..HALF_TURNS).map(|step| turned_spectra(source, n, centre, turn(step), planner)).unzip();
        Self { heights, masks }
    }
}

/// The edge of a transform with room for so many samples and for shifts of a fifth of them without wrapping round.
pub(crate) fn room(extent: usize) -> usize {
    [64, 96, 128, 192, 256].into_iter().find(|n| extent * 6 <= n * 5).unwrap_or(384)
}

/// Spectra of heights and mask on a grid of `n x n` samples turned about its middle sample, which lies at `centre`.
pub(crate) fn turned_spectra(
    source: &Raster,
    n: usize,
    centre: [f64; 2],
    turn: f64,
    planner: &mut Planner,
) -> (Spectrum, Spectrum) {
    let pitch = 2.0 * source.pitch;
    let (sin, cos) = (libm::sin(turn), libm::cos(turn));
    let half = 0.5 * n as f64 * pitch;
    let origin = [centre[0] - (cos - sin) * half, centre[1] - (sin + cos) * half];
    let mut grid = Raster::default();
    source.sampled(&Frame { width: n, height: n, pitch, origin, turn }, &mut grid);
    let mask = planner.size(n / 4).spectrum(&mut pooled(&grid.w, n));
    (planner.size(n).spectrum(&mut grid.z), mask)
}

/// Sums of the mask over four by four samples, placed so that the middle sample stays in the middle.
fn pooled(mask: &[f32], n: usize) -> Vec<f32> {
    let m = n / 4;
    let mut out = vec![0.0; m * m];
    for y in 0..n {
        for x in 0..n {
            out[((y + 2) / 4 % m) * m + (x + 2) / 4 % m] += mask[y * n + x];
        }
    }
    out
}

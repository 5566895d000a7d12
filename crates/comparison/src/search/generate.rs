//! Made-up breech faces for trying a database: no real firearm, no real case.
//!
//! Heights follow what forty real scans show after the band-pass of 16 to 250 µm (csafe-fadul, *real cases*): a spectrum that
//! is highest at 150 to 250 µm and falls tenfold by 75 µm, rough and smooth patches (kurtosis 4 to 20), root mean square 0.6 to
//! 1.7 µm, an anisotropy of 1.2 to 3, a firing-pin hole of 0.6 to 0.9 mm radius, and contact on a third to three quarters of the ring.

use rand::{Rng, RngExt as _};
use rand_distr::{Distribution as _, StandardNormal};
use topography::{Grid, Length, Pitch, Topography};

use super::store::{Features, Origin};
use crate::fourier::Planner;
use crate::raster::Raster;

/// Samples along an edge of the slide that is kept, and micrometres between them.
const EDGE: usize = 160;
const PITCH: f64 = 25.0;
/// Samples along an edge of what varies slowly, eight times coarser.
const SLOW: usize = EDGE / 8;
/// Edge of a scan in micrometres.
const SCAN: f64 = 3800.0;
/// Samples of a machining profile.
const PROFILE: usize = 512;

/// What one production run of slides shares: the tool's path and the profile it leaves, which is the same on every slide.
#[derive(Clone, Debug)]
pub struct Model {
    path: Path,
    profile: Vec<f32>,
    depth: f64,
    /// Sine and cosine of the direction the tool went.
    turn: [f64; 2],
    hole: f64,
    outer: f64,
}

/// How the tool went over the breech face.
#[derive(Clone, Copy, Debug)]
enum Path {
    Straight,
    Arched(f64),
    Round([f64; 2]),
    Crossed,
    Cast,
}

/// One made-up firearm: its run's marks and those of its own.
#[derive(Clone, Debug)]
pub struct Firearm {
    heights: Vec<f32>,
    contact: Vec<f32>,
    tilt: [f64; 2],
    hole: f64,
    outer: f64,
}

impl Model {
    /// Draws a production run: straight, arched, round, crossed or no machining marks, shallow to deep.
    pub fn draw(rng: &mut impl Rng) -> Self {
        let path = match rng.random_range(0..5) {
            0 => Path::Straight,
            1 => Path::Arched(between(rng, 3000.0, 12_000.0)),
            2 => Path::Round([between(rng, -1500.0, 1500.0), between(rng, -1500.0, 1500.0)]),
            3 => Path::Crossed,
            _ => Path::Cast,
        };
        let turn = between(rng, 0.0, std::f64::consts::TAU);
        let profile: Vec<f32> = (0..PROFILE).map(|_| StandardNormal.sample(rng)).collect();
        Self {
            path,
            profile: banded_line(&profile),
            depth: between(rng, 0.2, 0.7),
            turn: [libm::sin(turn), libm::cos(turn)],
            hole: between(rng, 620.0, 850.0),
            outer: between(rng, 1550.0, 1750.0),
        }
    }

    /// The shared height at a place in micrometres from the middle, unit variance.
    fn height(&self, x: f64, y: f64) -> f64 {
        let [sin, cos] = self.turn;
        let (u, v) = (cos * x + sin * y, cos * y - sin * x);
        match self.path {
            Path::Straight => self.along(v),
            Path::Arched(radius) => self.along(distance(u, v - radius) - radius),
            Path::Round([cx, cy]) => self.along(distance(u - cx, v - cy)),
            Path::Crossed => (self.along(v) + self.along(u + 3000.0)) * std::f64::consts::FRAC_1_SQRT_2,
            Path::Cast => 0.0,
        }
    }

    fn along(&self, distance: f64) -> f64 {
        let at = (distance / PITCH).rem_euclid(PROFILE as f64);
        let (i, u) = (at as usize % PROFILE, at - at.floor());
        f64::from(self.profile[i]) * (1.0 - u) + f64::from(self.profile[(i + 1) % PROFILE]) * u
    }
}

impl Firearm {
    /// Draws a firearm of a production run.
    pub fn draw(model: &Model, rng: &mut impl Rng) -> Self {
        let mut heights = banded(rng);
        let patches = smoothed(&noise(rng, SLOW), SLOW, 1.0);
        let rough: Vec<f32> = patches.iter().map(|p| libm::expf(0.55 * p)).collect();
        let share = libm::sqrt(1.0 - model.depth * model.depth);
        let contact = smoothed(&noise(rng, SLOW), SLOW, 1.2);
        let roughness = 0.75 + 0.45 * rng.random::<f64>();
        let middle = 0.5 * (EDGE - 1) as f64;
        for y in 0..EDGE {
            for x in 0..EDGE {
                let (u, v) = ((x as f64 - middle) * PITCH, (y as f64 - middle) * PITCH);
                let z = &mut heights[y * EDGE + x];
                // What no case ever shows need not be worked out.
                if !(model.hole - 100.0..model.outer + 50.0).contains(&distance(u, v)) {
                    continue;
                }
                let own = f64::from(*z) * f64::from(slow(&rough, x, y)) * share;
                *z = (roughness * (own + model.depth * model.height(u, v))) as f32;
            }
        }
        let tilt = [between(rng, -0.8, 0.8), between(rng, -0.8, 0.8)];
        let hole = model.hole + between(rng, -40.0, 40.0);
        Self { heights, contact, tilt, hole, outer: model.outer }
    }

    /// A case fired in it, as a scan of about 3.8 mm edge at `pitch`: turned by any angle and shifted, touched in part by
    /// the breech face, with 0.25 to 0.6 times as much relief that is not the firearm's.
    ///
    /// What is finer than 50 µm is smooth: the slide is kept at 25 µm. Heights lie in the band already.
    pub fn fire(&self, pitch: Length, rng: &mut impl Rng) -> Topography {
        let shot = Shot::draw(self, rng);
        let (n, step) = ((SCAN / pitch.to_um()) as usize, pitch.to_um());
        let height = |x: usize, y: usize| {
            let at = [x, y].map(|i| (i as f64 - 0.5 * n as f64) * step);
            shot.height(self, at).map_or(f64::NAN, f64::from)
        };
        Topography { heights: Grid::from_fn(n, n, height), pitch: Pitch::square(pitch) }
    }

    /// The features of such a case, made at the 25 µm that a store keeps and never finer.
    pub fn features(&self, rng: &mut impl Rng) -> Features {
        thread_local! {
            static PLANNER: std::cell::RefCell<Planner> = std::cell::RefCell::default();
        }
        let scan = Raster::from_topography(&self.fire(Length::um(PITCH), rng));
        let bounds = scan.bounds().unwrap_or([0, 0, scan.width, scan.height]);
        let level = scan.cropped(bounds).centred(5.0);
        PLANNER.with_borrow_mut(|planner| Features::of_level(&level, Origin::Simulated, false, planner))
    }
}

/// What differs from case to case.
struct Shot {
    turn: [f64; 2],
    shift: [f64; 2],
    foreign: Vec<f32>,
    share: f32,
    contact: Vec<f32>,
    tilt: [f64; 2],
    threshold: f64,
}

impl Shot {
    fn draw(firearm: &Firearm, rng: &mut impl Rng) -> Self {
        let turn = between(rng, 0.0, std::f64::consts::TAU);
        let fresh = smoothed(&noise(rng, SLOW), SLOW, 1.2);
        let contact: Vec<f32> =
            firearm.contact.iter().zip(&fresh).map(|(own, fresh)| 0.8 * own + 0.6 * fresh).collect();
        let tilt = firearm.tilt.map(|t| t + between(rng, -0.4, 0.4));
        Self {
            turn: [libm::sin(turn), libm::cos(turn)],
            shift: [between(rng, -120.0, 120.0), between(rng, -120.0, 120.0)],
            foreign: banded(rng),
            share: between(rng, 0.25, 0.6) as f32,
            contact,
            tilt,
            threshold: between(rng, -0.8, 0.5),
        }
    }

    /// The height at a place in micrometres from the middle of the scan; nothing where the breech face did not touch.
    fn height(&self, firearm: &Firearm, [x, y]: [f64; 2]) -> Option<f32> {
        let [sin, cos] = self.turn;
        let (x, y) = (x - self.shift[0], y - self.shift[1]);
        let (u, v) = (cos * x + sin * y, cos * y - sin * x);
        let radius = distance(u, v);
        if !(firearm.hole..firearm.outer).contains(&radius) {
            return None;
        }
        let middle = 0.5 * (EDGE - 1) as f64;
        let (px, py) = (u / PITCH + middle, v / PITCH + middle);
        let lean = (self.tilt[0] * u + self.tilt[1] * v) / 1000.0;
        let touched = f64::from(slow(&self.contact, px as usize, py as usize)) + lean > self.threshold;
        if !touched {
            return None;
        }
        let own = sampled(&firearm.heights, [px, py])?;
        Some(own + self.share * sampled(&self.foreign, [px, py])?)
    }
}

fn distance(u: f64, v: f64) -> f64 {
    (u * u + v * v).sqrt()
}

fn between(rng: &mut impl Rng, low: f64, high: f64) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

fn noise(rng: &mut impl Rng, edge: usize) -> Vec<f32> {
    (0..edge * edge).map(|_| StandardNormal.sample(rng)).collect()
}

/// Noise in the band of prepared scans, unit variance.
fn banded(rng: &mut impl Rng) -> Vec<f32> {
    let fine = smoothed(&noise(rng, EDGE), EDGE, SHORT);
    let long = smoothed(&fine, EDGE, LONG);
    scaled(fine.iter().zip(&long).map(|(f, l)| f - 0.8 * l).collect())
}

/// Standard deviations, in samples, of the smoothing that takes short waves away and of that which takes long ones.
const SHORT: f64 = 0.75;
const LONG: f64 = 1.9;

fn banded_line(profile: &[f32]) -> Vec<f32> {
    let circular = |samples: &[f32], sigma: f64| -> Vec<f32> {
        let kernel = kernel(sigma);
        let reach = kernel.len() / 2;
        let at = |i: usize, k: usize| samples[(i + k + PROFILE - reach) % PROFILE];
        (0..PROFILE).map(|i| kernel.iter().enumerate().map(|(k, w)| w * at(i, k)).sum()).collect()
    };
    let fine = circular(profile, SHORT);
    let long = circular(&fine, LONG);
    scaled(fine.iter().zip(&long).map(|(f, l)| f - 0.8 * l).collect())
}

fn scaled(mut samples: Vec<f32>) -> Vec<f32> {
    let energy: f32 = samples.iter().map(|v| v * v).sum::<f32>() / samples.len() as f32;
    let scale = 1.0 / energy.sqrt().max(1e-9);
    for v in &mut samples {
        *v *= scale;
    }
    samples
}

fn kernel(sigma: f64) -> Vec<f32> {
    let reach = (2.8 * sigma).ceil() as isize;
    let weights: Vec<f64> =
        (-reach..=reach).map(|i| libm::exp(-0.5 * (i as f64 / sigma) * (i as f64 / sigma))).collect();
    let total: f64 = weights.iter().sum();
    weights.iter().map(|w| (w / total) as f32).collect()
}

/// Smoothed by a Gaussian, the edges held.
fn smoothed(samples: &[f32], edge: usize, sigma: f64) -> Vec<f32> {
    let kernel = kernel(sigma);
    let reach = kernel.len() / 2;
    let mut wide = vec![0.0; edge + 2 * reach];
    let mut across = vec![0.0_f32; samples.len()];
    for (line, out) in samples.chunks_exact(edge).zip(across.chunks_exact_mut(edge)) {
        wide[reach..reach + edge].copy_from_slice(line);
        wide[..reach].fill(line[0]);
        wide[reach + edge..].fill(line[edge - 1]);
        for (k, &weight) in kernel.iter().enumerate() {
            out.iter_mut().zip(&wide[k..]).for_each(|(o, w)| *o += weight * w);
        }
    }
    let mut out = vec![0.0_f32; samples.len()];
    for (y, out) in out.chunks_exact_mut(edge).enumerate() {
        for (k, &weight) in kernel.iter().enumerate() {
            let from = (y + k).saturating_sub(reach).min(edge - 1) * edge;
            out.iter_mut().zip(&across[from..]).for_each(|(o, a)| *o += weight * a);
        }
    }
    if edge == SLOW { scaled(out) } else { out }
}

/// A slow field at a place of the slide.
fn slow(field: &[f32], x: usize, y: usize) -> f32 {
    let at = |i: usize| ((i as f32 - 3.5) / 8.0).clamp(0.0, (SLOW - 1) as f32 - 0.001);
    let (x, y) = (at(x), at(y));
    bilinear(field, SLOW, x, y)
}

fn sampled(field: &[f32], [x, y]: [f64; 2]) -> Option<f32> {
    let inside = |v: f64| (0.0..(EDGE - 1) as f64).contains(&v);
    (inside(x) && inside(y)).then(|| bilinear(field, EDGE, x as f32, y as f32))
}

fn bilinear(field: &[f32], edge: usize, x: f32, y: f32) -> f32 {
    let at = y as usize * edge + x as usize;
    let (u, v) = (x - x.trunc(), y - y.trunc());
    (1.0 - v) * ((1.0 - u) * field[at] + u * field[at + 1])
        + v * ((1.0 - u) * field[at + edge] + u * field[at + edge + 1])
}

//! The coarse code of a scan: which directions and wavelengths are stronger in its relief than their neighbours.
//!
//! A shift leaves the power spectrum of a surface alone and a turn turns it, so one cyclic comparison of two spectra answers
//! for all shifts and all turns. The spectrum is that of the autocorrelation normalised by the measured points at each lag,
//! which keeps the shape of the measured area out of it. Lags up to 3 mm are kept: the long ones hold most of what tells
//! one face from another. One bit a place is enough: is the power here above the mean of its surroundings?

use crate::fourier::Planner;
use crate::raster::Raster;

/// Directions over half a circle, 1.5 degrees apart; the other half is the same.
pub(crate) const DIRECTIONS: usize = 120;
/// Spatial frequencies per direction: the bits of one word.
const RINGS: usize = 64;
/// Bits of a code.
const BITS: f64 = (DIRECTIONS * RINGS) as f64;
/// The lowest and the highest frequency in waves per micrometre: waves of 320 and 75 micrometres.
const BAND: [f64; 2] = [1.0 / 320.0, 1.0 / 75.3];
/// The longest lag of the autocorrelation that is kept, in samples; a cone falls to zero there.
const LONGEST: usize = 120;
/// Lags with a smaller share of the measured points in joint are not raised further.
const LEAST_JOINT: f32 = 0.15;
/// Half the square over which roughness is evened, in samples.
const EVENED: usize = 4;
/// Heights beyond this many standard deviations are limited.
const LIMIT: f32 = 3.0;
/// Surroundings that a place is held against: rings and directions either way.
const AROUND: [usize; 2] = [4, 15];

/// One word for each direction; bit `r` belongs to ring `r`.
pub(crate) type Code = [u64; DIRECTIONS];

/// The code of a surface at 25 micrometres.
pub(crate) fn code(level: &Raster, planner: &mut Planner) -> Code {
    let extent = level.width.max(level.height);
    // Lags that wrap round have next to no points in joint up to this extent.
    let n = if extent <= 160 { 256 } else { 384 };
    let power = power(level, n, planner);
    let power = polar(&power, n, level.pitch);
    let means = local_means(&power);
    let mut code = [0; DIRECTIONS];
    for (at, (value, mean)) in power.iter().zip(&means).enumerate() {
        code[at / RINGS] |= u64::from(value > mean) << (at % RINGS);
    }
    code
}

/// The power spectrum, transposed as all spectra here: `n / 2 + 1` columns of `n` values.
fn power(level: &Raster, n: usize, planner: &mut Planner) -> Vec<f32> {
    let even = level.clone().centred(LIMIT).evened(EVENED).centred(LIMIT);
    let (width, height) = (even.width.min(n), even.height.min(n));
    // Opposite lags are equal, so half of them are enough.
    let reach = LONGEST as isize;
    let rows = LONGEST + 1;
    let mut lags = [vec![0.0_f32; rows * n], vec![0.0_f32; rows * n]];
    let plan = planner.size(n);
    let mut grid = vec![0.0; n * n];
    for (samples, lags) in [&even.z, &even.w].into_iter().zip(&mut lags) {
        grid.fill(0.0);
        for y in 0..height {
            grid[y * n..y * n + width].copy_from_slice(&samples[y * even.width..y * even.width + width]);
        }
        let spectrum = plan.spectrum(&mut grid);
        plan.correlate([&spectrum, &spectrum], false, 0..reach + 1, lags);
    }
    let [products, joint] = &lags;
    let least = LEAST_JOINT * joint[0].max(f32::MIN_POSITIVE);
    grid.fill(0.0);
    for row in 0..rows {
        for dx in -reach..=reach {
            let at = row * n + dx.rem_euclid(n as isize) as usize;
            let cone = 1.0 - ((dx * dx) as f32 + (row * row) as f32).sqrt() / LONGEST as f32;
            if cone > 0.0 {
                let lag = cone * products[at] / joint[at].max(least);
                grid[at] = lag;
                grid[(n - row) % n * n + (-dx).rem_euclid(n as isize) as usize] = lag;
            }
        }
    }
    plan.spectrum(&mut grid).iter().map(|value| value.re).collect()
}

/// Power by direction and ring, `RINGS` values for each direction.
fn polar(power: &[f32], n: usize, pitch: f64) -> Vec<f32> {
    let bins = n as f64 * pitch;
    let mut out = Vec::with_capacity(DIRECTIONS * RINGS);
    for direction in 0..DIRECTIONS {
        let turn = std::f64::consts::PI * direction as f64 / DIRECTIONS as f64;
        let (sin, cos) = (libm::sin(turn), libm::cos(turn));
        for ring in 0..RINGS {
            let frequency = BAND[0] + (BAND[1] - BAND[0]) * ring as f64 / (RINGS - 1) as f64;
            let (x, y) = (frequency * bins * cos, frequency * bins * sin);
            // Opposite frequencies have the same power; columns hold only those to the right.
            out.push(if x < 0.0 { between(power, n, -x, -y) } else { between(power, n, x, y) });
        }
    }
    out
}

fn between(power: &[f32], n: usize, x: f64, y: f64) -> f32 {
    let (u, v) = ((x - x.floor()) as f32, (y - y.floor()) as f32);
    let column = (x as usize).min(n / 2 - 1);
    let row = (y.floor() as isize).rem_euclid(n as isize) as usize;
    let at = |column: usize, row: usize| power[column * n + row % n];
    (1.0 - u) * ((1.0 - v) * at(column, row) + v * at(column, row + 1))
        + u * ((1.0 - v) * at(column + 1, row) + v * at(column + 1, row + 1))
}

/// The mean about every place: round the circle in direction, within the band in ring.
fn local_means(power: &[f32]) -> Vec<f32> {
    let [rings, directions] = AROUND;
    let mut along = vec![0.0_f32; power.len()];
    for (line, out) in power.chunks_exact(RINGS).zip(along.chunks_exact_mut(RINGS)) {
        for (r, out) in out.iter_mut().enumerate() {
            let near = &line[r.saturating_sub(rings)..(r + rings + 1).min(RINGS)];
            *out = near.iter().sum::<f32>() / near.len() as f32;
        }
    }
    let mut out = vec![0.0_f32; power.len()];
    for (d, out) in out.chunks_exact_mut(RINGS).enumerate() {
        for near in 0..=2 * directions {
            let from = (d + near + DIRECTIONS - directions) % DIRECTIONS * RINGS;
            out.iter_mut().zip(&along[from..]).for_each(|(o, a)| *o += a);
        }
        for o in out {
            *o /= (2 * directions + 1) as f32;
        }
    }
    out
}

/// A code twice in a row, so that a turn is an offset.
#[derive(Clone, Debug)]
pub(crate) struct Doubled([u64; 2 * DIRECTIONS]);

impl Doubled {
    pub(crate) fn new(code: &Code) -> Self {
        let mut words = [0; 2 * DIRECTIONS];
        words[..DIRECTIONS].copy_from_slice(code);
        words[DIRECTIONS..].copy_from_slice(code);
        Self(words)
    }

    /// How much better than on average over all turns `code` agrees at the best of them, 0 to 2, and that turn: direction `d`
    /// of `code` is `d + turn` here.
    ///
    /// What all faces of a model share at every turn, and what two spectra of one shape share by that alone, is in the
    /// average.
    pub(crate) fn best_turn(&self, code: &Code) -> (f32, usize) {
        let Counted { fewest, turn, all } = fewest_unlike(&self.0, code);
        let average = f64::from(all) / DIRECTIONS as f64;
        ((2.0 * (average - f64::from(fewest)) / BITS) as f32, turn)
    }
}

/// Unlike bits at the best turn, that turn, and unlike bits of all turns together.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Counted {
    fewest: u32,
    turn: usize,
    all: u32,
}

type Kernel = fn(&[u64; 2 * DIRECTIONS], &Code) -> Counted;

/// The unlike bits over all turns, by whichever kernel this processor runs fastest.
fn fewest_unlike(doubled: &[u64; 2 * DIRECTIONS], code: &Code) -> Counted {
    static KERNEL: std::sync::OnceLock<Kernel> = std::sync::OnceLock::new();
    KERNEL.get_or_init(kernel)(doubled, code)
}

#[expect(
    clippy::inline_always,
    reason = "it must take on the instructions of the kernel that it is built into"
)]
#[inline(always)]
fn counted(doubled: &[u64; 2 * DIRECTIONS], code: &Code) -> Counted {
    let mut best = Counted { fewest: u32::MAX, turn: 0, all: 0 };
    for turn in 0..DIRECTIONS {
        let own = &doubled[turn..turn + DIRECTIONS];
        // Without the check for overflow of development builds the loop runs eight words abreast.
        let add = |sum: u64, (a, b): (&u64, &u64)| sum.wrapping_add(u64::from((a ^ b).count_ones()));
        let unlike = own.iter().zip(code).fold(0_u64, add);
        best.all += unlike as u32;
        if (unlike as u32) < best.fewest {
            (best.fewest, best.turn) = (unlike as u32, turn);
        }
    }
    best
}

#[cfg(not(target_arch = "x86_64"))]
fn kernel() -> Kernel {
    counted
}

#[cfg(target_arch = "x86_64")]
#[expect(
    unsafe_code,
    reason = "the compiler cannot see that the processor was asked for the instructions just before"
)]
fn kernel() -> Kernel {
    #[target_feature(enable = "avx512f,avx512vl,avx512vpopcntdq,popcnt")]
    fn with_avx512(doubled: &[u64; 2 * DIRECTIONS], code: &Code) -> Counted {
        counted(doubled, code)
    }
    #[target_feature(enable = "avx2,popcnt")]
    fn with_avx2(doubled: &[u64; 2 * DIRECTIONS], code: &Code) -> Counted {
        counted(doubled, code)
    }
    let has_avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vpopcntdq")
        && is_x86_feature_detected!("popcnt");
    if has_avx512 {
        // SAFETY: the processor has every feature the function was built for.
        |doubled, code| unsafe { with_avx512(doubled, code) }
    } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt") {
        // SAFETY: as above.
        |doubled, code| unsafe { with_avx2(doubled, code) }
    } else {
        counted
    }
}

//! Random numbers that are the same on every machine, one independent stream per factor.

use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

/// What a random stream decides; a new factor goes to the end, so that old seeds keep their meaning.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Factor {
    Pose,
    Double,
    Drag,
    Tilt,
    Missing,
    Roughness,
    Machining,
    Striae,
    Debris,
    Region,
}

const FACTORS: usize = 10;

/// One seed per factor, so that changing one condition leaves the chances of the others as they were.
pub(crate) struct Streams([u64; FACTORS]);

impl Streams {
    pub(crate) fn new(rng: &mut impl Rng) -> Self {
        Self(std::array::from_fn(|_| rng.next_u64()))
    }

    pub(crate) fn of(&self, factor: Factor) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(self.0[factor as usize])
    }
}

/// Uniform in 0..1, from 53 bits.
pub(crate) fn unit(rng: &mut impl Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// Uniform in -1..1.
pub(crate) fn sign(rng: &mut impl Rng) -> f64 {
    2.0 * unit(rng) - 1.0
}

/// Uniform between two values.
pub(crate) fn between(rng: &mut impl Rng, low: f64, high: f64) -> f64 {
    low + (high - low) * unit(rng)
}

/// Any direction, in radians.
pub(crate) fn direction(rng: &mut impl Rng) -> f64 {
    between(rng, 0.0, std::f64::consts::TAU)
}

/// Nearly normal with mean 0 and standard deviation 1: the sum of four uniform numbers, so no tail beyond 3.46.
pub(crate) fn normal(rng: &mut impl Rng) -> f32 {
    let bits = rng.next_u64();
    let sum = (bits & 0xffff) + ((bits >> 16) & 0xffff) + ((bits >> 32) & 0xffff) + (bits >> 48);
    // Mean 2 * 65535; variance of one term (65536^2 - 1) / 12, of four a third of 65536^2.
    (sum as f32 - 131_070.0) * (1.732_050_8 / 65_536.0)
}

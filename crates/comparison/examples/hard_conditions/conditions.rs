//! The conditions: what is done to a scan before it is prepared.

use rand::{Rng, RngExt as _};
use rand_distr::{Distribution as _, StandardNormal};
use topography::{Angle, Length, Pitch, Topography, resample};

/// A named condition.
pub(crate) struct Condition {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What is done, in this order; whether to both scans of a pair.
    steps: &'static [(Step, bool)],
}

/// One kind of damage.
#[derive(Clone, Copy)]
enum Step {
    /// Half of the measured area is masked on one side of a line in a random direction.
    Half,
    /// White noise of so many micrometres.
    Noise(f64),
    /// Resampled to so many micrometres.
    Pitch(f64),
    /// Turned by any angle.
    Turn,
    /// Heights times something between these.
    Scale(f64, f64),
    /// This share of the points is missing.
    Dropped(f64),
    /// This share of the points is so many micrometres too high or too low.
    Spikes(f64, f64),
    /// A tilt of two degrees and a dome of so many micrometres.
    Form(f64),
}

pub(crate) const ALL: [Condition; 15] = [
    Condition { name: "plain", steps: &[] },
    Condition { name: "half", steps: &[(Step::Half, false)] },
    Condition { name: "noise", steps: &[(Step::Noise(0.5), true)] },
    Condition { name: "coarse", steps: &[(Step::Pitch(9.4), false)] },
    Condition { name: "both-coarse", steps: &[(Step::Pitch(9.4), true)] },
    Condition { name: "turned", steps: &[(Step::Turn, false)] },
    Condition { name: "scaled", steps: &[(Step::Scale(0.7, 1.4), true)] },
    Condition { name: "dropped", steps: &[(Step::Dropped(0.1), true)] },
    Condition { name: "spikes-0.5%", steps: &[(Step::Spikes(0.005, 30.0), true)] },
    Condition { name: "spikes-2%", steps: &[(Step::Spikes(0.02, 30.0), true)] },
    Condition { name: "spikes-5%", steps: &[(Step::Spikes(0.05, 30.0), true)] },
    Condition { name: "formed", steps: &[(Step::Form(60.0), true)] },
    Condition { name: "half+noise", steps: &[(Step::Half, false), (Step::Noise(0.5), true)] },
    Condition { name: "both-half", steps: &[(Step::Half, true)] },
    Condition {
        name: "everything",
        steps: &[
            (Step::Half, false),
            (Step::Noise(0.5), true),
            (Step::Turn, false),
            (Step::Pitch(9.4), false),
            (Step::Scale(0.7, 1.4), true),
            (Step::Dropped(0.1), true),
            (Step::Spikes(0.005, 30.0), true),
        ],
    },
];

impl Condition {
    /// The scan under this condition, as the first or the second of a pair.
    pub(crate) fn applied(&self, scan: &Topography, second: bool, rng: &mut impl Rng) -> Topography {
        let mut scan = scan.clone();
        for (step, both) in self.steps {
            if second || *both {
                scan = step.applied(scan, rng);
            }
        }
        scan
    }
}

impl Step {
    fn applied(self, scan: Topography, rng: &mut impl Rng) -> Topography {
        match self {
            Self::Half => halved(scan, std::f64::consts::TAU * rng.random::<f64>()),
            Self::Noise(um) => changed(scan, |z| {
                let noise: f64 = StandardNormal.sample(rng);
                z + um * noise
            }),
            Self::Pitch(um) => resample::to_pitch(&scan, Pitch::square(Length::um(um))),
            Self::Turn => resample::rotate(&scan, Angle::degrees(360.0 * rng.random::<f64>())),
            Self::Scale(low, high) => {
                let factor = low + (high - low) * rng.random::<f64>();
                changed(scan, |z| factor * z)
            }
            Self::Dropped(share) => changed(scan, |z| if rng.random::<f64>() < share { f64::NAN } else { z }),
            Self::Spikes(share, um) => changed(scan, |z| {
                let chance = rng.random::<f64>();
                if chance < 0.5 * share {
                    z + um
                } else if chance < share {
                    z - um
                } else {
                    z
                }
            }),
            Self::Form(um) => formed(scan, um, rng),
        }
    }
}

fn changed(mut scan: Topography, mut with: impl FnMut(f64) -> f64) -> Topography {
    for z in scan.heights.samples_mut() {
        *z = with(*z);
    }
    scan
}

fn halved(mut scan: Topography, direction: f64) -> Topography {
    let (sin, cos) = direction.sin_cos();
    let width = scan.heights.width();
    let along = |i: usize| (i % width) as f64 * cos + (i / width) as f64 * sin;
    let samples = scan.heights.samples_mut();
    let mut places: Vec<f64> = (0..samples.len()).filter(|&i| samples[i].is_finite()).map(along).collect();
    places.sort_by(f64::total_cmp);
    let middle = places[places.len() / 2];
    for (i, z) in samples.iter_mut().enumerate() {
        if along(i) > middle {
            *z = f64::NAN;
        }
    }
    scan
}

fn formed(mut scan: Topography, um: f64, rng: &mut impl Rng) -> Topography {
    let (width, height) = (scan.heights.width() as f64, scan.heights.height() as f64);
    let direction = std::f64::consts::TAU * rng.random::<f64>();
    let slope = 2.0_f64.to_radians().tan() * scan.pitch.x.to_um();
    let columns = scan.heights.width();
    for (i, z) in scan.heights.samples_mut().iter_mut().enumerate() {
        let (x, y) = ((i % columns) as f64 - 0.5 * width, (i / columns) as f64 - 0.5 * height);
        let radius = 2.0 * x.hypot(y) / width.max(height);
        *z += slope * (x * direction.cos() + y * direction.sin()) - um * radius * radius;
    }
    scan
}

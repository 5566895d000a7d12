//! Two faces that do not agree as they were scanned: whether they would, had one scan been taken in another way.
//!
//! A scan may lie in a mirror, have its heights exchanged with its depths as a cast has, or state a wrong pitch. Then nothing
//! agrees, and nothing follows.

use crate::direction::Scratch;
use crate::pose::{self, Pose};
use crate::surface::Surface;

/// Seen in another way, faces must agree by so much more than as they were scanned to be worth a closer look.
const OUTSTANDING: f64 = 1.5;
/// Whole faces whose diameters differ by more than this are also laid on each other as if they were of one size; what differs
/// less than that agrees as it is.
const OTHER_SIZE: f64 = 1.06;
/// Sizes about the one at which the diameters are equal.
const SIZES: [f64; 3] = [1.0, 0.96, 1.04];

/// How a scan may show a face wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flip {
    /// Left and right exchanged.
    pub(crate) mirrored: bool,
    /// Heights and depths exchanged.
    pub(crate) negated: bool,
}

impl Flip {
    pub(crate) const ALL: [Self; 3] = [
        Self { mirrored: false, negated: true },
        Self { mirrored: true, negated: false },
        Self { mirrored: true, negated: true },
    ];
}

/// How one of two scans must have been taken for them to agree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Otherwise {
    Flipped(Flip),
    /// With samples so many times as far apart as its file says.
    Scaled(f64),
}

impl Otherwise {
    pub(crate) fn told(self) -> String {
        let how = match self {
            Self::Flipped(Flip { mirrored: true, negated: false }) => {
                "if one of them is seen in a mirror: look at how the scans were taken".to_owned()
            }
            Self::Flipped(Flip { mirrored: false, .. }) => {
                "if heights and depths of one of them are exchanged: look at how the scans were taken".to_owned()
            }
            Self::Flipped(Flip { mirrored: true, negated: true }) => {
                "if one of them is seen in a mirror with heights and depths exchanged, as on a cast: look at how the scans were taken"
                    .to_owned()
            }
            Self::Scaled(factor) => {
                let percent = 100.0 * (factor.max(1.0 / factor) - 1.0);
                format!("if one of them is about {percent:.0} % larger: look at the pitch in the files")
            }
        };
        format!("the faces agree {how}; nothing follows about firearms")
    }
}

/// The first way in which B would agree with A, given how strongly they agree as they are and with heights and depths of one
/// exchanged; `agrees` says of two surfaces and poses whether they do.
pub(crate) fn found(
    (a, b): (&Surface, &Surface),
    [strength, negated]: [f64; 2],
    scratch: &mut Scratch,
    agrees: &mut dyn FnMut(&Surface, &[Pose], &mut Scratch) -> bool,
) -> Option<Otherwise> {
    let [mirrored, both] = pose::mirrored(a, b, &mut scratch.planner);
    let strengths = [negated, mirrored, both];
    let mut order = [0, 1, 2];
    order.sort_by(|&i, &j| strengths[j].total_cmp(&strengths[i]));
    let flips = order.into_iter().filter(|&k| strengths[k] > OUTSTANDING * strength);
    let ways = flips.map(|k| Otherwise::Flipped(Flip::ALL[k])).chain(scales(a, b).map(Otherwise::Scaled));
    ways.into_iter().find(|&way| {
        let planner = &mut scratch.planner;
        let other = match way {
            Otherwise::Flipped(flip) => b.flipped(flip, planner),
            Otherwise::Scaled(factor) => b.scaled(factor, planner),
        };
        let Some(other) = other else { return false };
        let poses = pose::search(a, &other, &mut scratch.planner);
        let strongest = poses.first().map_or(0.0, |pose| pose.strength);
        strongest > OUTSTANDING * strength && agrees(&other, &poses, scratch)
    })
}

/// Factors by which B may have to be enlarged, where both faces are whole and differ in size.
fn scales(a: &Surface, b: &Surface) -> impl Iterator<Item = f64> {
    let ratio = a.radius / b.radius.max(1e-9);
    let differ = a.is_whole && b.is_whole && ratio.max(1.0 / ratio) > OTHER_SIZE;
    SIZES.into_iter().filter(move |_| differ).map(move |size| ratio * size)
}

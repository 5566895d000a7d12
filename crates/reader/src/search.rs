//! The coarse search: where, how turned, how large and which side up could a mark lie?
//!
//! First the part of the mean mark that is the same all around finds centres and scales, then the rest of it, in polar
//! form, finds turn and side for each.

use crate::field::Field;
use crate::master::Master;
use crate::pose::Pose;

/// How relief becomes what the instrument shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rendering {
    /// The values are heights.
    Height,
    /// Light from one side: the slope towards the light.
    Slope,
    /// Light from all sides, or electrons: how steep a flank is, whichever way it faces.
    Flanks,
    /// The values are heights, made of pictures by what their bowl shows.
    Relief,
}

/// One place worth a closer look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    /// How well the mean mark fits (larger is better).
    pub(crate) score: f32,
    pub(crate) pose: Pose,
    /// Slopes: the direction of the slope in the field, radians. Flanks: the angle between the share of those that face
    /// outward and the share of all. Else 0 or pi for the sign.
    pub(crate) azimuth: f32,
}

/// What the search goes through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SearchRange {
    /// Samples of the field to a module at scale 1.
    pub(crate) module: f32,
    /// The smallest and largest scale.
    pub(crate) scales: [f32; 2],
    /// How many centres are looked at closely beside the middle of the bowl.
    pub(crate) centres: usize,
    /// The middle of the bowl, in samples.
    pub(crate) bowl: [f32; 2],
}

impl SearchRange {
    /// What a look at a mark of this size (samples of the field to a module) is worth against one of the middle size. Looks
    /// count samples of the mark; what is independent are those of the field, which a small mark has fewer of, so that chance
    /// fits small marks best.
    pub(crate) fn worth(self, module: f32) -> f32 {
        (module / self.module).powi(2)
    }
}

pub(crate) const SCALE_STEP: f32 = 1.03;
/// Poses that are worth a climb.
pub(crate) const KEPT: usize = 32;

/// Finds the poses where the mean mark fits best, over all turns, scales, places and both sides.
pub(crate) fn search(field: &Field, master: &Master, range: SearchRange) -> Vec<Candidate> {
    let mut found = Vec::new();
    let steps = (range.scales[1] / range.scales[0]).ln() / SCALE_STEP.ln();
    let middle = (range.scales[0] * range.scales[1]).sqrt();
    let around = Around {
        centre: range.bowl,
        step: 1.0,
        reach: 3,
        scale: middle,
        scales: (steps / 2.0).ceil() as i32,
    };
    master.look_around(field, range, around, &mut found);
    for (centre, scale) in master.centres(field, range) {
        let around = Around { centre, step: 0.8, reach: 1, scale, scales: 1 };
        master.look_around(field, range, around, &mut found);
    }
    distinct(found, range.module, KEPT)
}

/// Centres where the circular mean of the marks fits best, at any scale.
pub(crate) fn ring_centres(field: &Field, master: &Master, range: SearchRange) -> Vec<[f32; 2]> {
    master.centres(field, range).into_iter().map(|(centre, _)| centre).collect()
}

/// A neighbourhood of centres and scales.
#[derive(Clone, Copy)]
pub(crate) struct Around {
    pub(crate) centre: [f32; 2],
    /// Modules between centres.
    pub(crate) step: f32,
    /// Steps to each side.
    pub(crate) reach: i32,
    pub(crate) scale: f32,
    /// Steps of scale to each side.
    pub(crate) scales: i32,
}

/// The best candidates, so many at the most, no two of them alike.
pub(crate) fn distinct(mut found: Vec<Candidate>, module: f32, most: usize) -> Vec<Candidate> {
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<Candidate> = Vec::new();
    for candidate in found {
        if kept.iter().all(|other| !alike(&candidate.pose, &other.pose, module)) {
            kept.push(candidate);
            if kept.len() == most {
                break;
            }
        }
    }
    kept
}

fn alike(a: &Pose, b: &Pose, module: f32) -> bool {
    let near = (a.centre[0] - b.centre[0]).hypot(a.centre[1] - b.centre[1]) < 2.0 * module;
    let turn = (a.rotation() - b.rotation()).rem_euclid(std::f32::consts::TAU);
    let turn = turn.min(std::f32::consts::TAU - turn);
    near && a.mirrored() == b.mirrored() && turn < 0.1 && (a.module() / b.module()).ln().abs() < 0.07
}

//! From a surface to marks seen part by part: search, climb, observe.

use symbology::{Mark, Scheme};
use topography::Length;

use crate::align::{Fit, Matcher, prepared};
use crate::bank::Bank;
use crate::bowl::take_bowl;
use crate::field::{Field, Region, Surface};
use crate::observe::{Observer, Start, TEMPER};
use crate::pose::Pose;
use crate::search::{Rendering, SLOW_MODULES, SearchRange, ring_centres, search};

/// The banks of the marks of one part of a firearm, coarse and fine.
pub(crate) struct Banks {
    pub(crate) coarse: Bank,
    pub(crate) fine: Bank,
    /// Micrometres to a module at scale 1.
    pub(crate) module_um: f32,
}

impl Banks {
    pub(crate) fn draw(scheme: &Scheme, marks: &[Mark], module: Length) -> Self {
        Self {
            coarse: Bank::draw(scheme, marks, 2.0),
            fine: Bank::draw(scheme, marks, 4.0),
            module_um: module.to_um() as f32,
        }
    }
}

/// A mark as it was seen.
pub(crate) struct Sighting {
    /// From modules to micrometres from the first sample of the input.
    pub(crate) pose_um: Pose,
    pub(crate) rendering: Rendering,
    /// Evidence of the coarse fit, natural log.
    pub(crate) fit: f32,
    /// Evidence for a mark over none, natural log.
    pub(crate) support: f32,
    /// The share of the surface inside the mark that the model explains.
    pub(crate) explained: f32,
    /// The share of each part that came over.
    pub(crate) presence: Vec<f32>,
    pub(crate) evidence: Vec<Vec<f32>>,
}

/// Where to look closely: all of a small surface, or squares about the likeliest centres of a large one.
pub(crate) fn regions(surface: &Surface, banks: &Banks, rendering: Rendering) -> Vec<Region> {
    let [width, height] = surface.extent_um();
    let half = 1.35 * banks.coarse.extent * banks.module_um;
    if width.max(height) <= 3.2 * half {
        return vec![[0.0, 0.0, width, height]];
    }
    let pitch = (banks.module_um * 0.8).max(width.max(height) / 640.0);
    let field = surface.sampled([0.0, 0.0, width, height], Length::um(f64::from(pitch)));
    let module = banks.module_um / pitch;
    let mut flat = field.clone();
    flat.take_quadric();
    flat.take_slow_waves(SLOW_MODULES * module);
    let flat = flat.evened(2.0 * SLOW_MODULES * module, 2.5);
    let range = SearchRange { module, scales: [0.85, 1.15], centres: 8, bowl: [0.0, 0.0] };
    let mut centres: Vec<[f32; 2]> = Vec::new();
    for centre in ring_centres(&flat, &banks.coarse, rendering, range) {
        let centre = centre.map(|k| k * pitch + field.origin_um);
        if centres.iter().all(|other| (other[0] - centre[0]).hypot(other[1] - centre[1]) > 0.4 * half) {
            centres.push(centre);
        }
    }
    centres.truncate(3);
    centres
        .into_iter()
        .map(|[x, y]| {
            let low = |k: f32, size: f32| (k - half).min(size - 2.0 * half).max(0.0);
            let (x, y) = (low(x, width), low(y, height));
            [x, y, (x + 2.0 * half).min(width), (y + 2.0 * half).min(height)]
        })
        .collect()
}

/// Poses this many nats behind the best fit are not looked at closely.
const RIVAL: f32 = 20.0;

/// Looks for the marks in a region and reads the best few places part by part.
pub(crate) fn sight(
    surface: &Surface,
    region: Region,
    banks: &Banks,
    rendering: Rendering,
    keep: usize,
) -> Vec<Sighting> {
    let coarse_pitch = banks.module_um * 0.42;
    let field = surface.sampled(region, Length::um(f64::from(coarse_pitch)));
    let module = banks.module_um / coarse_pitch;
    let (field, bowl) = prepared(&field, module, rendering == Rendering::Slope);
    let range = SearchRange { module, scales: [0.85, 1.15], centres: 4, bowl };
    let candidates = search(&field, &banks.coarse, rendering, range);
    let matcher = Matcher::of(&banks.coarse, rendering);
    let mut fits: Vec<Fit> =
        candidates.into_iter().map(|candidate| matcher.climb(&field, candidate, 1)).collect();
    fits.sort_by(|a, b| b.score.total_cmp(&a.score));
    fits.truncate(4);
    let mut fits: Vec<Fit> = fits.into_iter().map(|fit| matcher.climb(&field, fit.candidate, 5)).collect();
    fits.sort_by(|a, b| b.score.total_cmp(&a.score));
    let near = fits.first().map_or(0.0, |best| best.score - RIVAL);
    fits.retain(|fit| fit.score >= near);
    fits.truncate(keep);
    let fine_pitch = banks.module_um * 0.21;
    let fine = surface.sampled(region, Length::um(f64::from(fine_pitch)));
    let module = banks.module_um / fine_pitch;
    let mut fine = fine;
    fine.take_quadric();
    let ratio = field.pitch_um / fine.pitch_um;
    let bowl = bowl.map(|k| k * ratio + (field.origin_um - fine.origin_um) / fine.pitch_um);
    take_bowl(&mut fine, bowl);
    fine.take_slow_waves(2.5 * module);
    fits.into_iter().map(|fit| watch(&fine, &field, banks, rendering, fit, region)).collect()
}

fn watch(
    fine: &Field,
    coarse: &Field,
    banks: &Banks,
    rendering: Rendering,
    fit: Fit,
    region: Region,
) -> Sighting {
    let um = |pose: Pose, field: &Field| {
        pose.moved(field.pitch_um, [region[0] + field.origin_um, region[1] + field.origin_um])
    };
    let pose_um = um(fit.candidate.pose, coarse);
    let back = [-(region[0] + fine.origin_um) / fine.pitch_um, -(region[1] + fine.origin_um) / fine.pitch_um];
    let pose = pose_um.moved(1.0 / fine.pitch_um, back);
    let direction = Matcher::direction(rendering, &fit.candidate);
    let score = fit.score;
    let mut observer =
        Observer::new(&banks.fine, fine, Start { pose, weights: fit.weights, rendering, direction });
    for round in 0..4 {
        observer.round(round == 0);
        if round < 3 {
            observer.nudge();
        }
    }
    Sighting {
        pose_um: um(observer.pose, fine),
        rendering,
        fit: score,
        support: observer.support(),
        explained: observer.explained(),
        presence: observer.presences(),
        evidence: observer
            .evidence
            .iter()
            .map(|part| part.iter().map(|log| TEMPER * log).collect())
            .collect(),
    }
}

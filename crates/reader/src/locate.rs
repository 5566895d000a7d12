//! From a surface to marks seen part by part: search, climb, observe.

use symbology::{Mark, Scheme};
use topography::Length;

use std::sync::{Arc, Mutex, OnceLock};

use crate::align::{Fit, Matcher, prepared};
use crate::bank::Bank;
use crate::bowl::{bowl_centre, take_bowl};
use crate::field::{Field, Region, Surface};
use crate::light::{directions, lifted};
use crate::observe::{Observer, Start, TEMPER, shape_spectra};
use crate::pose::Pose;
use crate::ring::{Ring, Thorough};
use crate::search::{Candidate, Master, Rendering, SLOW_MODULES, SearchRange, ring_centres, search};
use crate::shading::{Disc, relief};

/// The banks of the marks of one part of a firearm, coarse and fine, and what is made of them.
pub(crate) struct Banks {
    pub(crate) coarse: Bank,
    pub(crate) fine: Bank,
    /// Micrometres to a module at scale 1.
    pub(crate) module_um: f32,
    ring: Option<Ring>,
    low: [OnceLock<Matcher>; 2],
    matchers: [OnceLock<Matcher>; 2],
    masters: [OnceLock<Master>; 2],
    pub(crate) spectra: OnceLock<Vec<Vec<rustfft::num_complex::Complex32>>>,
    scheme: Scheme,
}

/// Samples to a module of the banks.
const LOW: f32 = 1.25;
const COARSE: f32 = 2.0;
const FINE: f32 = 3.0;
/// Modules between samples of the fields of the search and of the closer look.
const COARSE_PITCH: f32 = 0.42;
const FINE_PITCH: f32 = 0.28;
/// How far beyond the marks a bowl is charted, against their extent.
const BOWL: f32 = 1.13;

/// Banks drawn before, for the schemes read last.
static DRAWN: Mutex<Vec<Arc<Banks>>> = Mutex::new(Vec::new());
const REMEMBERED: usize = 6;

impl Banks {
    /// Draws the marks, or remembers them.
    pub(crate) fn draw(scheme: &Scheme, marks: &[Mark], module: Length) -> Arc<Self> {
        let module_um = module.to_um() as f32;
        let mut drawn = DRAWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let same = |banks: &Arc<Self>| {
            banks.coarse.marks == marks && banks.module_um == module_um && banks.scheme == *scheme
        };
        if let Some(banks) = drawn.iter().find(|banks| same(banks)) {
            return Arc::clone(banks);
        }
        let banks = Arc::new(Self {
            coarse: Bank::draw(scheme, marks, COARSE),
            fine: Bank::draw(scheme, marks, FINE),
            module_um,
            ring: Ring::of(scheme, marks),
            low: [const { OnceLock::new() }; 2],
            matchers: [const { OnceLock::new() }; 2],
            masters: [const { OnceLock::new() }; 2],
            spectra: OnceLock::new(),
            scheme: scheme.clone(),
        });
        drawn.insert(0, Arc::clone(&banks));
        drawn.truncate(REMEMBERED);
        banks
    }

    fn matcher(&self, rendering: Rendering) -> &Matcher {
        let slope = usize::from(rendering == Rendering::Slope);
        self.matchers[slope].get_or_init(|| Matcher::of(&self.coarse, rendering))
    }

    fn master(&self, rendering: Rendering) -> &Master {
        let slope = usize::from(rendering == Rendering::Slope);
        self.masters[slope].get_or_init(|| Master::of(&self.coarse, rendering))
    }

    fn low(&self, rendering: Rendering) -> &Matcher {
        let slope = usize::from(rendering == Rendering::Slope);
        let draw = || Matcher::of(&Bank::draw(&self.scheme, &self.coarse.marks, LOW), rendering);
        self.low[slope].get_or_init(draw)
    }

    /// The spectra of all shapes of the fine bank.
    pub(crate) fn spectra(&self) -> &[Vec<rustfft::num_complex::Complex32>] {
        self.spectra.get_or_init(|| shape_spectra(&self.fine))
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
    for centre in ring_centres(&flat, banks.master(rendering), range) {
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

/// Poses this many nats behind the best first look are not climbed from.
const BEHIND: f32 = 50.0;
/// Poses this many nats behind the best fit are not looked at closely.
const RIVAL: f32 = 20.0;

/// How hard to look.
#[derive(Clone, Copy)]
struct Effort {
    search: Thorough,
    /// Poses that are climbed from, fits that are climbed to the end, and fits that are looked at closely.
    kept: [usize; 3],
    /// Fits this many nats behind the best are not looked at closely.
    rival: f32,
}

/// What is enough for most marks, and what finds those that the first leaves out.
const EFFORTS: [Effort; 2] = [
    Effort { search: Thorough::Likely, kept: [10, 3, 2], rival: RIVAL },
    Effort { search: Thorough::All, kept: [16, 8, 6], rival: 2.0 * RIVAL },
];

/// Looks for the marks in a region and reads the likeliest places part by part, harder where that is not `enough`;
/// several surfaces are pictures of one view.
pub(crate) fn sight(
    surfaces: &[Surface],
    region: Region,
    banks: &Banks,
    rendering: Rendering,
    enough: impl Fn(&Sighting) -> bool,
) -> Option<Sighting> {
    let (raw, mut fine) = fields(surfaces, region, banks, rendering)?;
    let module = banks.module_um / raw.pitch_um;
    let (field, bowl) = prepared(&raw, module, rendering == Rendering::Slope);
    fine.take_quadric();
    let ratio = field.pitch_um / fine.pitch_um;
    let origin = (field.origin_um - fine.origin_um) / fine.pitch_um;
    take_bowl(&mut fine, bowl.map(|k| k * ratio + origin));
    fine.take_slow_waves(SLOW_MODULES * banks.module_um / fine.pitch_um);
    let range = SearchRange { module, scales: [0.85, 1.15], centres: 4, bowl };
    let view = View { fine: &fine, coarse: &field, banks, rendering, region };
    let mut best: Option<Sighting> = None;
    // Slopes of unknown direction are searched once for each direction: harder looks are for relief and edges.
    let efforts = if rendering == Rendering::Slope { &EFFORTS[..1] } else { &EFFORTS[..] };
    for effort in efforts {
        let found = candidates(&view, &raw, effort.search, range);
        let fits = climbed(&field, banks.matcher(rendering), found, effort);
        let seen = view.likeliest(fits);
        best = best.into_iter().chain(seen).max_by(|a, b| a.explained.total_cmp(&b.explained));
        if best.as_ref().is_some_and(&enough) {
            break;
        }
    }
    best
}

/// A region made ready for the search and for the closer look.
struct View<'a> {
    fine: &'a Field,
    coarse: &'a Field,
    banks: &'a Banks,
    rendering: Rendering,
    region: Region,
}

impl View<'_> {
    /// The fit whose mark explains most of the surface: glances at all, then a closer look at the best two.
    fn likeliest(&self, mut fits: Vec<Fit>) -> Option<Sighting> {
        if fits.len() > 2 {
            let mut glances: Vec<(f32, Fit)> =
                fits.into_iter().map(|fit| (self.watch(fit.clone(), 0).support, fit)).collect();
            glances.sort_by(|a, b| b.0.total_cmp(&a.0));
            fits = glances.into_iter().take(2).map(|(_, fit)| fit).collect();
        }
        let seen = fits.into_iter().map(|fit| self.watch(fit, NUDGES));
        seen.max_by(|a, b| a.explained.total_cmp(&b.explained))
    }

    /// Looks closely at a fit, moving the pose some times.
    fn watch(&self, fit: Fit, nudges: usize) -> Sighting {
        let (fine, coarse, region) = (self.fine, self.coarse, self.region);
        let um = |pose: Pose, field: &Field| {
            pose.moved(field.pitch_um, [region[0] + field.origin_um, region[1] + field.origin_um])
        };
        let back = [0, 1].map(|k| -(region[k] + fine.origin_um) / fine.pitch_um);
        let start = Start {
            pose: um(fit.candidate.pose, coarse).moved(1.0 / fine.pitch_um, back),
            weights: fit.weights,
            rendering: self.rendering,
            direction: Matcher::direction(self.rendering, &fit.candidate),
        };
        let mut observer = Observer::new(self.banks, fine, start);
        for round in 0..=nudges {
            observer.round(round == 0);
            if round < nudges {
                observer.nudge();
            }
        }
        let tempered = |part: &Vec<f32>| part.iter().map(|log| TEMPER * log).collect();
        Sighting {
            pose_um: um(observer.pose, fine),
            rendering: self.rendering,
            fit: fit.score,
            support: observer.support(),
            explained: if nudges == 0 { 0.0 } else { observer.explained() },
            presence: observer.presences(),
            evidence: observer.evidence.iter().map(tempered).collect(),
        }
    }
}

/// A region as the search and as the closer look see it; nothing where pictures do not show relief.
fn fields(
    surfaces: &[Surface],
    region: Region,
    banks: &Banks,
    rendering: Rendering,
) -> Option<(Field, Field)> {
    let (coarse, fine) = (banks.module_um * COARSE_PITCH, banks.module_um * FINE_PITCH);
    let sampled = |surface: &Surface, pitch: f32| surface.sampled(region, Length::um(f64::from(pitch)));
    if rendering != Rendering::Relief {
        let surface = surfaces.first()?;
        return Some((sampled(surface, coarse), sampled(surface, fine)));
    }
    let pictures: Vec<Field> = surfaces.iter().map(|surface| sampled(surface, fine)).collect();
    let relief = relief(&pictures, bowl_of(&pictures, banks), banks.module_um / fine)?;
    Some((relief.coarser(coarse), relief))
}

/// The disc in which pictures are taken to show a bowl with the marks in it.
pub(crate) fn bowl_of(pictures: &[Field], banks: &Banks) -> Disc {
    let field = pictures[0].coarser(banks.module_um * COARSE_PITCH);
    let module = banks.module_um / field.pitch_um;
    let mut flat = field;
    flat.take_quadric();
    flat.take_slow_waves(SLOW_MODULES * module);
    let middle = bowl_centre(&flat, 8.0 * module, true);
    let ratio = flat.pitch_um / pictures[0].pitch_um;
    let radius = BOWL * banks.coarse.extent * banks.module_um / pictures[0].pitch_um;
    Disc { centre: middle.map(|k| (k + 0.5) * ratio - 0.5), radius }
}

/// The best fits near candidates, first roughly for many, then finely for few.
fn climbed(field: &Field, matcher: &Matcher, candidates: Vec<Candidate>, effort: &Effort) -> Vec<Fit> {
    let likeliest = candidates.first().map_or(0.0, |best| best.score);
    let [many, few, closely] = effort.kept;
    let mut fits: Vec<Fit> = candidates
        .into_iter()
        .take(many)
        .filter(|candidate| candidate.score > likeliest - BEHIND)
        .map(|candidate| matcher.climb(field, candidate, (2, 1.0)))
        .collect();
    best_of(&mut fits, 2.0 * effort.rival, few);
    fits = fits.into_iter().map(|fit| matcher.climb(field, fit.candidate, (4, 0.4))).collect();
    best_of(&mut fits, effort.rival, closely);
    fits
}

/// Keeps what is within some nats of the best, the best first.
fn best_of(fits: &mut Vec<Fit>, behind: f32, keep: usize) {
    fits.sort_by(|a, b| b.score.total_cmp(&a.score));
    let near = fits.first().map_or(0.0, |best| best.score - behind);
    fits.retain(|fit| fit.score >= near);
    fits.truncate(keep);
}

/// Poses worth a climb: by the ring where the marks have one, by the mean mark else.
fn candidates(view: &View, raw: &Field, thorough: Thorough, range: SearchRange) -> Vec<Candidate> {
    let (field, banks, rendering) = (view.coarse, view.banks, view.rendering);
    let Some(ring) = &banks.ring else { return search(field, banks.master(rendering), range) };
    let low = banks.low(rendering);
    if rendering != Rendering::Slope {
        return ring.candidates(field, (field, 0.0), (low, thorough), range);
    }
    let mut found: Vec<Candidate> = Vec::new();
    for direction in directions(raw) {
        let relief = lifted(field, direction, range.module);
        found.extend(ring.candidates(&relief, (field, direction), (low, thorough), range));
    }
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    found
}

/// Rounds of the closer look after which the pose is moved.
const NUDGES: usize = 3;

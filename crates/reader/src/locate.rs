//! From a surface to marks seen part by part: search, climb, observe.

use std::f32::consts::{FRAC_PI_2, PI};
use std::sync::Arc;

use crate::align::{Extent, Fit, Matcher, prepared};
use crate::bands::SLOW_MODULES;
use crate::banks::Banks;
use crate::bowl::take_bowl;
use crate::field::{Field, Region, Surface};
use crate::flanks::{self, Lit};
use crate::light::{directions, lifted};
use crate::observe::{Observer, Start, TEMPER, shape_spectra};
use crate::pose::Pose;
use crate::region::fields;
use crate::ring::{Ring, Thorough};
use crate::search::{Candidate, Rendering, SearchRange, search};
use crate::synthesis::Synthesis;

/// A mark as it was seen.
pub(crate) struct Sighting {
    /// From modules to micrometres from the first sample of the input.
    pub(crate) pose_um: Pose,
    pub(crate) rendering: Rendering,
    /// Where the closer look began.
    candidate: Candidate,
    /// Evidence of the coarse fit, natural log.
    pub(crate) fit: f32,
    /// The most evidence for the mark and for its foils at any pose, where those were looked for.
    pub(crate) foiled: Option<Foiled>,
    /// Evidence for a mark over none, natural log.
    pub(crate) support: f32,
    /// The share of the surface inside the mark that the model explains.
    pub(crate) explained: f32,
    /// The share of each part that came over, and of what is always drawn.
    pub(crate) presence: Vec<f32>,
    pub(crate) fixed: f32,
    pub(crate) evidence: Vec<Vec<f32>>,
    /// What was seen beside what is believed to be there.
    pub(crate) synthesis: Option<Arc<Synthesis>>,
}

/// What the mark and its foils reach on one surface, natural log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Foiled {
    pub(crate) mark: f32,
    pub(crate) foils: [f32; 2],
}

impl Foiled {
    /// Nats by which the mark fits better than the better of its foils.
    pub(crate) fn ahead(&self) -> f32 {
        self.mark - self.foils[0].max(self.foils[1])
    }
}

/// Poses this many nats behind the best first look are not climbed from.
const BEHIND: f32 = 50.0;
/// Poses this many nats behind the best fit are not looked at closely.
const RIVAL: f32 = 20.0;

/// The share of a region that must be measured for foils to tell a mark from chance: a pattern of missing points may fit the
/// mark's cells better than theirs.
const FOILED: f32 = 0.5;

/// How hard to look.
#[derive(Clone, Copy)]
struct Effort {
    search: Thorough,
    /// Poses that are climbed from, fits that are climbed to the end, and fits that are glanced at.
    kept: [usize; 3],
    /// Fits this many nats behind the best are not glanced at.
    rival: f32,
    /// Fits that are looked at closely at the most.
    watched: usize,
}

/// What is enough for most marks, and what finds those that the first leaves out.
const EFFORTS: [Effort; 2] = [
    Effort { search: Thorough::Likely, kept: [10, 3, 2], rival: RIVAL, watched: 2 },
    Effort { search: Thorough::All, kept: [16, 8, 6], rival: 2.0 * RIVAL, watched: 3 },
];

/// Looks for the marks in a region and reads the likeliest places part by part, harder where the best is not `enough`:
/// poses that could be, the one that explains most of the surface first. Several surfaces are pictures of one view.
pub(crate) fn sight(
    surfaces: &[Surface],
    region: Region,
    banks: &Banks,
    rendering: Rendering,
    enough: impl Fn(&Sighting) -> bool,
) -> Vec<Sighting> {
    let Some((raw, mut fine)) = fields(surfaces, region, banks, rendering) else { return Vec::new() };
    let module = banks.module_um / raw.pitch_um;
    let (field, bowl) = prepared(&raw, module, rendering == Rendering::Slope);
    fine.take_quadric();
    let ratio = field.pitch_um / fine.pitch_um;
    let origin = (field.origin_um - fine.origin_um) / fine.pitch_um;
    let middle = bowl.map(|k| k * ratio + origin);
    take_bowl(&mut fine, middle);
    fine.take_slow_waves(SLOW_MODULES * banks.module_um / fine.pitch_um);
    let range = SearchRange { module, scales: [0.85, 1.15], centres: 4, bowl };
    let view = View { fine: &fine, coarse: &field, raw: &raw, rendering, region, range, middle };
    let mut seen: Vec<Sighting> = Vec::new();
    let mut most = 0.0f32;
    let mut add = |seen: &mut Vec<Sighting>, fits: Vec<Fit>, watched: usize| {
        let glances = view.glances(banks, fits);
        most = glances.first().map_or(most, |best| most.max(best.0));
        seen.extend(glances.into_iter().take(watched).map(|(_, fit)| view.watch(banks, fit, NUDGES)));
        seen.sort_by(|a, b| b.explained.total_cmp(&a.explained));
        seen.first().is_some_and(&enough)
    };
    // Slopes of unknown direction are searched once for each direction: harder looks are for relief and edges.
    let efforts = if rendering == Rendering::Slope { &EFFORTS[..1] } else { &EFFORTS[..] };
    for effort in efforts {
        if add(&mut seen, view.fits(banks, effort), effort.watched) {
            return seen;
        }
    }
    if let (Some(ring), Some(best)) =
        (&banks.ring, seen.iter().max_by(|a, b| a.support.total_cmp(&b.support)))
    {
        let turned = view.turned(banks, ring, best);
        if add(&mut seen, turned, 2) {
            return seen;
        }
    }
    // Pictures without relief are looked through in several ways already.
    if matches!(rendering, Rendering::Height | Rendering::Relief)
        && measured(&raw) >= FOILED
        && let [one, other] = banks.foils()
    {
        let foil = |foil: &Banks| {
            let fits = view.fits(foil, &EFFORTS[0]);
            view.glances(foil, fits).first().map_or(0.0, |best| best.0)
        };
        let foiled = Foiled { mark: most, foils: [foil(one), foil(other)] };
        for sighting in &mut seen {
            sighting.foiled = Some(foiled);
        }
    }
    seen
}

/// The share of a field that was measured.
fn measured(field: &Field) -> f32 {
    let known = field.known.samples();
    known.iter().sum::<f32>() / known.len().max(1) as f32
}

/// A region made ready for the search and for the closer look.
struct View<'a> {
    fine: &'a Field,
    coarse: &'a Field,
    raw: &'a Field,
    rendering: Rendering,
    region: Region,
    range: SearchRange,
    /// The middle of the bowl in the fine field.
    middle: [f32; 2],
}

impl View<'_> {
    /// The evidence of a glance at each fit, the most first.
    fn glances(&self, banks: &Banks, fits: Vec<Fit>) -> Vec<(f32, Fit)> {
        let glance = |fit: Fit| (fit.score + self.watch(banks, fit.clone(), 0).support, fit);
        let mut glances: Vec<(f32, Fit)> = fits.into_iter().map(glance).collect();
        glances.sort_by(|a, b| b.0.total_cmp(&a.0));
        glances
    }

    /// Looks closely at a fit, moving the pose some times.
    fn watch(&self, banks: &Banks, fit: Fit, nudges: usize) -> Sighting {
        let (fine, coarse, region) = (self.fine, self.coarse, self.region);
        let um = |pose: Pose, field: &Field| {
            pose.moved(field.pitch_um, [region[0] + field.origin_um, region[1] + field.origin_um])
        };
        let back = [0, 1].map(|k| -(region[k] + fine.origin_um) / fine.pitch_um);
        let pose = um(fit.candidate.pose, coarse).moved(1.0 / fine.pitch_um, back);
        let direction = Matcher::direction(self.rendering, &fit.candidate);
        let lit_by = (self.rendering == Rendering::Flanks)
            .then(|| Lit { about: pose.within(self.middle[0], self.middle[1]), shares: direction });
        let lit = lit_by.map(|lit| {
            let bank = flanks::bank(&banks.fine, lit);
            let spectra = shape_spectra(&bank);
            (bank, spectra)
        });
        let bank = lit.as_ref().map_or((&banks.fine, banks.spectra()), |(bank, spectra)| (bank, spectra));
        let slope = (self.rendering == Rendering::Slope).then_some(direction);
        let mut observer = Observer::new(bank, fine, Start { pose, weights: fit.weights, slope });
        for round in 0..=nudges {
            observer.round(round == 0);
            if round < nudges {
                observer.nudge();
            }
        }
        let tempered = |part: &Vec<f32>| part.iter().map(|log| TEMPER * log).collect();
        let (presence, fixed) = observer.presences();
        Sighting {
            pose_um: um(observer.pose, fine),
            rendering: self.rendering,
            candidate: fit.candidate,
            fit: fit.score,
            foiled: None,
            support: observer.support(),
            explained: if nudges == 0 { 0.0 } else { observer.explained() },
            presence,
            fixed,
            evidence: observer.evidence.iter().map(tempered).collect(),
            synthesis: (nudges > 0).then(|| Arc::new(Synthesis { lit: lit_by, ..observer.synthesis() })),
        }
    }

    /// The best fits of the marks, however the light shows them.
    fn fits(&self, banks: &Banks, effort: &Effort) -> Vec<Fit> {
        let mut fits = self.climbed(banks, effort, (self.coarse, self.candidates(banks, effort.search)));
        if let (Rendering::Flanks, Some(ring)) = (self.rendering, &banks.ring) {
            let fine = self.range.module * self.coarse.pitch_um / self.fine.pitch_um;
            let edges = flanks::edges(self.fine, fine).coarser(self.coarse.pitch_um);
            let low = (banks.low(self.rendering), effort.search);
            let found = ring.candidates(&edges, (&edges, FRAC_PI_2), low, self.range);
            // Lines are the same whichever way flanks face: what faces outward is brighter or darker than they are.
            for fit in self.climbed(banks, effort, (&edges, found)).into_iter().take(LINED) {
                for azimuth in [0.25, 0.5, 0.75].map(|turn| turn * PI) {
                    let candidate = Candidate { azimuth, ..fit.candidate };
                    fits.push(Fit { candidate, ..fit.clone() });
                }
            }
        }
        fits
    }

    /// The best fits with the ring where it was seen, turned by whole cells: a start mark that is lost tells no turn.
    fn turned(&self, banks: &Banks, ring: &Ring, seen: &Sighting) -> Vec<Fit> {
        let (matcher, coarse) = (banks.matcher(self.rendering), self.coarse);
        let back = [0, 1].map(|k| -(self.region[k] + coarse.origin_um) / coarse.pitch_um);
        let pose = seen.pose_um.moved(1.0 / coarse.pitch_um, back);
        let turns = ring.turned(&pose).into_iter().map(|pose| {
            let candidate = Candidate { pose, ..seen.candidate };
            let [score, opposite] = matcher.both(coarse, &candidate, Extent::All);
            if score >= opposite {
                return Candidate { score, ..candidate };
            }
            Candidate { score: opposite, azimuth: candidate.azimuth + PI, ..candidate }
        });
        let mut turns: Vec<Candidate> = turns.collect();
        turns.sort_by(|a, b| b.score.total_cmp(&a.score));
        turns.truncate(TURNS);
        turns.into_iter().map(|candidate| matcher.climb(coarse, candidate, (2, 0.4))).collect()
    }

    /// The best fits near candidates, first roughly for many, then finely for few.
    fn climbed(
        &self,
        banks: &Banks,
        effort: &Effort,
        (field, candidates): (&Field, Vec<Candidate>),
    ) -> Vec<Fit> {
        let matcher = banks.matcher(self.rendering);
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

    /// Poses worth a climb: by the ring where the marks have one, by the mean mark else.
    fn candidates(&self, banks: &Banks, thorough: Thorough) -> Vec<Candidate> {
        let (field, range) = (self.coarse, self.range);
        let Some(ring) = &banks.ring else { return search(field, banks.master(self.rendering), range) };
        let low = (banks.low(self.rendering), thorough);
        let mut found: Vec<Candidate> = Vec::new();
        match self.rendering {
            Rendering::Height | Rendering::Relief => return ring.candidates(field, (field, 0.0), low, range),
            Rendering::Slope => {
                for direction in directions(self.raw) {
                    let relief = lifted(field, direction, range.module);
                    found.extend(ring.candidates(&relief, (field, direction), low, range));
                }
            }
            Rendering::Flanks => {
                let relief = flanks::lifted(field, range.bowl, range.module);
                return ring.candidates(&relief, (field, 0.0), low, range);
            }
        }
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found
    }
}

/// Keeps what is within some nats of the best, the best first.
fn best_of(fits: &mut Vec<Fit>, behind: f32, keep: usize) {
    fits.sort_by(|a, b| b.score.total_cmp(&a.score));
    let near = fits.first().map_or(0.0, |best| best.score - behind);
    fits.retain(|fit| fit.score >= near);
    fits.truncate(keep);
}

/// Fits of lines that are looked at, however flanks face.
const LINED: usize = 2;
/// Turns of a ring that was seen that are looked at closely.
const TURNS: usize = 3;
/// Rounds of the closer look after which the pose is moved.
const NUDGES: usize = 3;

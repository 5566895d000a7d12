//! A region made ready, and the ways to look at it: search, climb, glance, watch.

use std::f32::consts::{FRAC_PI_2, PI};
use std::sync::Arc;

use crate::align::{Extent, Fit, Matcher, prepared};
use crate::bands::SLOW_MODULES;
use crate::banks::Banks;
use crate::bowl::take_bowl;
use crate::field::{Field, Region, Surface};
use crate::flanks::{self, Lit};
use crate::light::{directions, lifted};
use crate::locate::{Foiled, Sighting};
use crate::observe::{Observer, Start, TEMPER};
use crate::pose::Pose;
use crate::region::fields;
use crate::ring::{Thorough, turned};
use crate::search::{Candidate, Rendering, SearchRange, distinct, search};
use crate::synthesis::Synthesis;

/// Poses this many nats behind the best first look are not climbed from.
const BEHIND: f32 = 50.0;
/// Poses this many nats behind the best fit are not looked at closely.
const RIVAL: f32 = 20.0;

/// How hard to look.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    search: Thorough,
    /// Poses that are climbed from, fits that are climbed to the end, and fits that are glanced at.
    kept: [usize; 3],
    /// Fits this many nats behind the best are not glanced at.
    rival: f32,
    /// Fits that are looked at closely at the most.
    pub(crate) watched: usize,
}

/// What is enough for most marks, and what finds those that the first leaves out.
pub(crate) const EFFORTS: [Effort; 2] = [
    Effort { search: Thorough::Likely, kept: [10, 3, 2], rival: RIVAL, watched: 2 },
    Effort { search: Thorough::All, kept: [16, 8, 6], rival: 2.0 * RIVAL, watched: 3 },
];

/// A fit that was looked at once.
pub(crate) struct Glance<'a> {
    /// Evidence of the fit and of the look at its parts, natural log.
    pub(crate) evidence: f32,
    fit: Fit,
    lit: Option<Lit>,
    observer: Observer<'a>,
}

/// A region made ready for the search and for the closer look.
pub(crate) struct View {
    fine: Field,
    coarse: Field,
    raw: Field,
    pub(crate) rendering: Rendering,
    pub(crate) region: Region,
    range: SearchRange,
    /// The middle of the bowl in the fine field.
    middle: [f32; 2],
}

/// A region without form.
pub(crate) struct Levelled {
    /// With form, as wide as the search samples it.
    raw: Field,
    /// Without form and slow waves.
    coarse: Field,
    /// Without form.
    pub(crate) fine: Field,
    /// The middle of the bowl in the coarse field and in the fine one.
    bowl: [f32; 2],
    pub(crate) middle: [f32; 2],
}

impl Levelled {
    /// Nothing where pictures do not show relief.
    pub(crate) fn of(
        surfaces: &[Surface],
        region: Region,
        banks: &Banks,
        rendering: Rendering,
    ) -> Option<Self> {
        let (raw, mut fine) = fields(surfaces, region, banks, rendering)?;
        let module = banks.module_um / raw.pitch_um;
        let (coarse, bowl) = prepared(&raw, module, rendering == Rendering::Slope);
        fine.take_quadric();
        let ratio = coarse.pitch_um / fine.pitch_um;
        let origin = (coarse.origin_um - fine.origin_um) / fine.pitch_um;
        let middle = bowl.map(|k| k * ratio + origin);
        take_bowl(&mut fine, middle);
        Some(Self { raw, coarse, fine, bowl, middle })
    }

    /// From samples of the fine field to micrometres from the first sample of the input.
    pub(crate) fn um(&self, pose: Pose, region: Region) -> Pose {
        um(pose, &self.fine, region)
    }
}

/// From samples of a field of a region to micrometres from the first sample of the input.
fn um(pose: Pose, field: &Field, region: Region) -> Pose {
    pose.moved(field.pitch_um, [region[0] + field.origin_um, region[1] + field.origin_um])
}

impl View {
    /// Nothing where pictures do not show relief.
    pub(crate) fn of(
        surfaces: &[Surface],
        region: Region,
        banks: &Banks,
        rendering: Rendering,
    ) -> Option<Self> {
        let Levelled { raw, coarse, mut fine, bowl, middle } =
            Levelled::of(surfaces, region, banks, rendering)?;
        let module = banks.module_um / raw.pitch_um;
        fine.take_slow_waves(SLOW_MODULES * banks.module_um / fine.pitch_um);
        let range = SearchRange { module, scales: [0.85, 1.15], centres: 4, bowl };
        Some(Self { fine, coarse, raw, rendering, region, range, middle })
    }

    /// Looks closely where a candidate lies, in micrometres from the first sample of the input.
    pub(crate) fn closely(&self, banks: &Banks, candidate: Candidate) -> Sighting {
        let (coarse, region) = (&self.coarse, self.region);
        let back = [0, 1].map(|k| -(region[k] + coarse.origin_um) / coarse.pitch_um);
        let pose = candidate.pose.moved(1.0 / coarse.pitch_um, back);
        let fit = banks.matcher(self.rendering).climb(coarse, Candidate { pose, ..candidate }, (4, 0.4));
        self.watch(self.glance(banks, fit))
    }

    /// The share that was measured.
    pub(crate) fn measured(&self) -> f32 {
        let known = self.raw.known.samples();
        known.iter().sum::<f32>() / known.len().max(1) as f32
    }

    /// A glance at each fit, the most evidence first.
    fn glances(&self, banks: &Banks, fits: Vec<Fit>) -> Vec<Glance<'_>> {
        let mut glances: Vec<Glance> = fits.into_iter().map(|fit| self.glance(banks, fit)).collect();
        glances.sort_by(|a, b| b.evidence.total_cmp(&a.evidence));
        glances
    }

    /// From modules to micrometres from the first sample of the input.
    fn um(&self, pose: Pose, field: &Field) -> Pose {
        um(pose, field, self.region)
    }

    /// Looks once at the parts of a fit.
    fn glance(&self, banks: &Banks, fit: Fit) -> Glance<'_> {
        let (fine, region) = (&self.fine, self.region);
        let back = [0, 1].map(|k| -(region[k] + fine.origin_um) / fine.pitch_um);
        let pose = self.um(fit.candidate.pose, &self.coarse).moved(1.0 / fine.pitch_um, back);
        let direction = Matcher::direction(self.rendering, &fit.candidate);
        let lit = (self.rendering == Rendering::Flanks)
            .then(|| Lit { about: pose.within(self.middle[0], self.middle[1]), shares: direction });
        let bank = match lit {
            Some(lit) => {
                let (bank, spectra) = banks.flanks().lit(lit);
                (Arc::new(bank), Arc::new(spectra))
            }
            None => (Arc::clone(&banks.fine), banks.spectra()),
        };
        let slope = (self.rendering == Rendering::Slope).then_some(direction);
        let mut observer = Observer::new(bank, fine, Start { pose, weights: fit.weights.clone(), slope });
        observer.round(true);
        Glance { evidence: fit.score + observer.support(), fit, lit, observer }
    }

    /// Looks closely where a glance fell, moving the pose some times.
    pub(crate) fn watch(&self, glance: Glance) -> Sighting {
        let Glance { fit, lit, mut observer, .. } = glance;
        for _ in 0..NUDGES {
            observer.nudge();
            observer.round(false);
        }
        let tempered = |part: &Vec<f32>| part.iter().map(|log| TEMPER * log).collect();
        let (presence, fixed) = observer.presences();
        Sighting {
            pose_um: self.um(observer.pose, &self.fine),
            rendering: self.rendering,
            candidate: fit.candidate,
            fit: fit.score,
            foiled: None,
            shown: None,
            support: observer.support(),
            base: observer.base(),
            explained: observer.explained(),
            presence,
            fixed,
            evidence: observer.evidence.iter().map(tempered).collect(),
            synthesis: Some(Arc::new(Synthesis { lit, ..observer.synthesis() })),
        }
    }

    /// The mark and its foils looked for with the same effort; `mark` is what the mark showed.
    pub(crate) fn foiled(&self, banks: &Banks, mark: f32) -> Option<Foiled> {
        let [one, other] = banks.foils() else { return None };
        let foil = |foil: &Banks| self.fits(foil, &EFFORTS[0]).first().map_or(0.0, |best| best.evidence);
        Some(Foiled { mark, foils: [foil(one), foil(other)] })
    }

    /// The best fits of the marks, however the light shows them.
    pub(crate) fn fits(&self, banks: &Banks, effort: &Effort) -> Vec<Glance<'_>> {
        let mut fits = self.climbed(banks, effort, (&self.coarse, self.candidates(banks, effort.search)));
        if let (Rendering::Flanks, Some(ring)) = (self.rendering, &banks.ring) {
            let fine = self.range.module * self.coarse.pitch_um / self.fine.pitch_um;
            let edges = flanks::edges(&self.fine, fine).coarser(self.coarse.pitch_um);
            let how = (banks, self.rendering, effort.search);
            let found = ring.candidates(&edges, (&edges, FRAC_PI_2), how, self.range);
            // Lines are the same whichever way flanks face: what faces outward is brighter or darker than they are.
            for fit in self.climbed(banks, effort, (&edges, found)).into_iter().take(LINED) {
                for azimuth in [0.25, 0.5, 0.75].map(|turn| turn * PI) {
                    let candidate = Candidate { azimuth, ..fit.candidate };
                    fits.push(Fit { candidate, ..fit.clone() });
                }
            }
        }
        self.glances(banks, fits)
    }

    /// The best fits with the mark where it was seen, turned by whole cells: a start mark that is lost tells no turn.
    pub(crate) fn turned(&self, banks: &Banks, turns: usize, seen: &Sighting) -> Vec<Glance<'_>> {
        let (matcher, coarse) = (banks.matcher(self.rendering), &self.coarse);
        let back = [0, 1].map(|k| -(self.region[k] + coarse.origin_um) / coarse.pitch_um);
        let pose = seen.pose_um.moved(1.0 / coarse.pitch_um, back);
        let turns = turned(&pose, turns).into_iter().map(|pose| {
            let candidate = Candidate { pose, ..seen.candidate };
            let [score, opposite] = matcher.both(coarse, &candidate, Extent::All);
            if score >= opposite {
                return Candidate { score, ..candidate };
            }
            Candidate { score: opposite, azimuth: candidate.azimuth + PI, ..candidate }
        });
        let mut turns: Vec<Candidate> = turns.collect();
        turns.sort_by(|a, b| b.score.total_cmp(&a.score));
        let climb = |candidate: Candidate| matcher.climb(coarse, candidate, (2, 0.4));
        if banks.ring.is_some() {
            turns.truncate(TURNS);
            return self.glances(banks, turns.into_iter().map(climb).collect());
        }
        // Without a ring turns differ by little but the start mark, and by whether symbols agree with a code.
        turns.truncate(TURNS_ALIKE);
        let agreeing = |candidate: Candidate| {
            let fit = matcher.fit(coarse, candidate);
            let logs: Vec<Vec<f32>> = fit
                .weights
                .iter()
                .map(|part| part.iter().map(|weight| weight.max(1e-9).ln()).collect())
                .collect();
            (fit.score + std::f32::consts::LN_2 * banks.agreement(&logs) as f32, candidate)
        };
        let mut turns: Vec<(f32, Candidate)> = turns.into_iter().map(agreeing).collect();
        turns.sort_by(|a, b| b.0.total_cmp(&a.0));
        turns.into_iter().take(TURNED).map(|(_, candidate)| self.glance(banks, climb(candidate))).collect()
    }

    /// Fits of marks that hardly show, the likeliest first: the first look, which knows nothing of blur, drag and second
    /// strikes, tells them from chance less well than a glance, so many are glanced at.
    pub(crate) fn faint(&self, banks: &Banks) -> Vec<Glance<'_>> {
        let (matcher, coarse) = (banks.matcher(self.rendering), &self.coarse);
        let climbed = |candidate: Candidate| {
            let fit = matcher.climb(coarse, candidate, (2, 1.0));
            Candidate { score: self.worth(&fit), ..fit.candidate }
        };
        let climbed: Vec<Candidate> =
            self.candidates(banks, Thorough::Faint).into_iter().map(climbed).collect();
        let fits = distinct(climbed, self.range.module, GLANCED).into_iter();
        let mut glances = self.glances(banks, fits.map(|one| matcher.fit(coarse, one)).collect());
        glances.truncate(FAINT);
        let again = |glance: Glance| matcher.climb(coarse, glance.fit.candidate, (3, 0.4));
        self.glances(banks, glances.into_iter().map(again).collect())
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
        // Without a ring the first look is a rough one.
        let rough = if banks.ring.is_some() { 1 } else { 2 };
        let mut fits: Vec<Fit> = candidates
            .into_iter()
            .take(rough * many)
            .filter(|candidate| candidate.score > likeliest - BEHIND)
            .map(|candidate| matcher.climb(field, candidate, (2, 1.0)))
            .collect();
        self.best_of(&mut fits, 2.0 * effort.rival, rough * few);
        fits = fits.into_iter().map(|fit| matcher.climb(field, fit.candidate, (4, 0.4))).collect();
        self.best_of(&mut fits, effort.rival, closely);
        fits
    }

    /// What a fit is worth, whatever its size.
    fn worth(&self, fit: &Fit) -> f32 {
        fit.score * self.range.worth(fit.candidate.pose.module())
    }

    /// Keeps what is within some nats of the best, the best first.
    fn best_of(&self, fits: &mut Vec<Fit>, behind: f32, keep: usize) {
        fits.sort_by(|a, b| self.worth(b).total_cmp(&self.worth(a)));
        let near = fits.first().map_or(0.0, |best| self.worth(best) - behind);
        fits.retain(|fit| self.worth(fit) >= near);
        fits.truncate(keep);
    }

    /// Poses worth a climb: by the ring where the marks have one, by the mean mark else.
    fn candidates(&self, banks: &Banks, thorough: Thorough) -> Vec<Candidate> {
        let (field, range) = (&self.coarse, self.range);
        let Some(ring) = &banks.ring else { return search(field, banks.master(self.rendering), range) };
        let low = (banks, self.rendering, thorough);
        let mut found: Vec<Candidate> = Vec::new();
        match self.rendering {
            Rendering::Height | Rendering::Relief => return ring.candidates(field, (field, 0.0), low, range),
            Rendering::Slope => {
                for direction in directions(&self.raw) {
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

/// Fits of lines that are looked at, however flanks face.
const LINED: usize = 2;
/// Fits of marks that hardly show that are glanced at, and that are looked at closely.
const GLANCED: usize = 16;
pub(crate) const FAINT: usize = 5;
/// Turns of a ring that was seen that are looked at closely.
const TURNS: usize = 3;
/// Turns of marks that look much the same at every one that are compared, and that are looked at closely.
const TURNS_ALIKE: usize = 48;
const TURNED: usize = 4;
/// Rounds of the closer look after which the pose is moved.
const NUDGES: usize = 3;

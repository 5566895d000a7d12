//! From a surface to marks seen part by part: look, look harder where that is not enough, look for what nobody makes.

use std::sync::Arc;

use crate::banks::Banks;
use crate::evident::Evident;
use crate::field::{Region, Surface};
use crate::pose::Pose;
use crate::search::{Candidate, Rendering};
use crate::synthesis::Synthesis;
use crate::view::{EFFORTS, Glance, View};

/// A mark as it was seen.
pub(crate) struct Sighting {
    /// From modules to micrometres from the first sample of the input.
    pub(crate) pose_um: Pose,
    pub(crate) rendering: Rendering,
    /// Where the closer look began.
    pub(crate) candidate: Candidate,
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

/// The share of a region that must be measured for foils to tell a mark from chance: a pattern of missing points may fit the
/// mark's cells better than theirs.
const FOILED: f32 = 0.5;

/// A region that was looked at.
pub(crate) struct Looked {
    view: View,
    /// What was looked at closely, what explains most of the surface first.
    pub(crate) sightings: Vec<Sighting>,
    /// The most evidence of a glance, and the most of the first look.
    pub(crate) most: f32,
    first: f32,
}

impl Looked {
    /// Looks for the marks in a region and reads the likeliest places part by part. Several surfaces are pictures of one
    /// view.
    pub(crate) fn easily(
        surfaces: &[Surface],
        region: Region,
        (banks, rendering): (&Banks, Rendering),
        enough: &impl Fn(&Sighting) -> bool,
    ) -> Option<Self> {
        let view = View::of(surfaces, region, banks, rendering)?;
        let fits = view.fits(banks, &EFFORTS[0]);
        let (mut sightings, mut most) = (Vec::new(), 0.0);
        add((&mut sightings, &mut most), &view, (fits, EFFORTS[0].watched), enough);
        Some(Self { view, sightings, most, first: most })
    }

    /// Looks harder, until something is `enough`; then for marks that nobody makes.
    pub(crate) fn harder(&mut self, banks: &Banks, enough: &impl Fn(&Sighting) -> bool) {
        let Self { view, sightings, most, first } = self;
        let view = &*view;
        // Slopes of unknown direction are searched once for each direction: harder looks are for relief and edges.
        if view.rendering != Rendering::Slope {
            let fits = view.fits(banks, &EFFORTS[1]);
            if add((sightings, most), view, (fits, EFFORTS[1].watched), enough) {
                return;
            }
        }
        let best = sightings.iter().max_by(|a, b| a.support.total_cmp(&b.support));
        if let (Some(turns), Some(best)) = (banks.turns, best) {
            let turned = view.turned(banks, turns, best);
            if add((sightings, most), view, (turned, 2), enough) {
                return;
            }
        }
        // Pictures without relief are looked through in several ways already.
        if matches!(view.rendering, Rendering::Height | Rendering::Relief) && view.measured() >= FOILED {
            let foiled = view.foiled(banks, *first);
            for sighting in sightings {
                sighting.foiled = foiled;
            }
        }
    }
}

/// Looks closely at the best of some fits, and says whether what is best of all is `enough`.
fn add<'a>(
    (sightings, most): (&mut Vec<Sighting>, &mut f32),
    view: &'a View,
    (fits, watched): (Vec<Glance<'a>>, usize),
    enough: &impl Fn(&Sighting) -> bool,
) -> bool {
    *most = fits.first().map_or(*most, |best| most.max(best.evidence));
    let hopeless = HOPELESS * Evident::of(view.rendering).likely.0;
    for glance in fits.into_iter().take(watched) {
        if !sightings.is_empty() && glance.evidence < hopeless {
            break;
        }
        sightings.push(view.watch(glance));
        sightings.sort_by(|a, b| b.explained.total_cmp(&a.explained));
        if sightings.first().is_some_and(enough) {
            return true;
        }
    }
    false
}

/// What shows less than this share of what a mark shows that agrees with a code is not looked at more closely.
const HOPELESS: f32 = 0.5;

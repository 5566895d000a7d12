//! From a surface to marks seen part by part: look, look harder where that is not enough, look for what nobody makes.

use std::sync::Arc;

use crate::banks::Banks;
use crate::evident::Evident;
use crate::field::{Region, Surface};
use crate::hidden;
use crate::pose::Pose;
use crate::search::{Candidate, Rendering};
use crate::synthesis::Synthesis;
use crate::view::{EFFORTS, FAINT, Glance, View};

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
    /// The share of badly struck marks that would have been seen here, where none was found.
    pub(crate) shown: Option<f32>,
    /// Evidence for a mark over none, natural log.
    pub(crate) support: f32,
    /// Evidence for what is always drawn, natural log, where that alone tells poses apart.
    pub(crate) base: f32,
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

    /// Looks harder, until something is `enough`; then for marks that nobody makes, and for what a mark would have shown.
    pub(crate) fn harder(
        &mut self,
        surfaces: &[Surface],
        banks: &Banks,
        enough: &impl Fn(&Sighting) -> bool,
    ) {
        let Self { view, sightings, most, first } = self;
        let view = &*view;
        // A ring is turned below, where the best look at it is known.
        if banks.ring.is_none() && turned((sightings, most), view, banks, enough) {
            return;
        }
        let before = most_supported(sightings).map(|best| best.support);
        // Without a scale nobody knows how large and how deep a mark would be.
        let scaled = surfaces.iter().all(Surface::is_scaled);
        // Slopes of unknown direction are searched once for each direction: harder looks are for relief and edges.
        let (fits, watched) = match view.rendering {
            Rendering::Slope => (Vec::new(), 0),
            Rendering::Relief if scaled && banks.ring.is_some() => (view.faint(banks), FAINT),
            _ => (view.fits(banks, &EFFORTS[1]), EFFORTS[1].watched),
        };
        if add((sightings, most), view, (fits, watched), enough) {
            return;
        }
        let anew = banks.ring.is_some() || most_supported(sightings).map(|best| best.support) != before;
        if anew && turned((sightings, most), view, banks, enough) {
            return;
        }
        // Pictures without relief are looked through in several ways already.
        if matches!(view.rendering, Rendering::Height | Rendering::Relief) && view.measured() >= FOILED {
            let foiled = view.foiled(banks, *first);
            for sighting in &mut *sightings {
                sighting.foiled = foiled;
            }
        }
        let found = |sighting: &Sighting| Evident::of(sighting.rendering).found(sighting);
        let relief = matches!(view.rendering, Rendering::Height | Rendering::Relief);
        if relief && scaled && !sightings.iter().any(found) {
            let chance = sightings.iter().map(|sighting| sighting.fit).fold(0.0, f32::max);
            let shown = hidden::shown(surfaces, view.region, (banks, view.rendering), chance);
            for sighting in sightings {
                sighting.shown = shown;
            }
        }
    }
}

fn most_supported(sightings: &[Sighting]) -> Option<&Sighting> {
    sightings.iter().max_by(|a, b| a.support.total_cmp(&b.support))
}

/// Looks at what was seen most plainly turned by all that only a start mark tells apart, from both sides and with relief
/// either way; says whether what is best of all is `enough`.
fn turned(
    (sightings, most): (&mut Vec<Sighting>, &mut f32),
    view: &View,
    banks: &Banks,
    enough: &impl Fn(&Sighting) -> bool,
) -> bool {
    let (Some(turns), Some(best)) = (banks.turns, most_supported(sightings)) else { return false };
    let glances = view.turned(banks, turns, best);
    let watched = if banks.ring.is_some() { 2 } else { glances.len() };
    add((sightings, most), view, (glances, watched), enough)
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
        let sighting = view.watch(glance);
        // Looks that began a step apart and end at one pose are one look.
        if let Some(same) = sightings.iter().position(|seen| seen.pose_um.is_like(&sighting.pose_um)) {
            if sightings[same].support >= sighting.support {
                continue;
            }
            sightings.remove(same);
        }
        // What is always drawn, and a code, tell turns that explain as much of the surface.
        let at = if sighting.base > 0.0 && enough(&sighting) {
            0
        } else {
            sightings.iter().position(|other| other.explained < sighting.explained).unwrap_or(sightings.len())
        };
        sightings.insert(at, sighting);
        if sightings.first().is_some_and(enough) {
            return true;
        }
    }
    false
}

/// What shows less than this share of what a mark shows that agrees with a code is not looked at more closely.
const HOPELESS: f32 = 0.5;

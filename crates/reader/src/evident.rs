//! How much evidence makes a mark.

use crate::locate::{Foiled, Sighting};
use crate::search::Rendering;

/// What the evidence must be to be decoded, and to be a mark whatever the decoder says.
pub(crate) struct Evident {
    /// Worth decoding: support in nats.
    pub(crate) possible: f32,
    /// A mark if its symbols agree with a code: fit and support together in nats, and the share explained.
    pub(crate) likely: (f32, f32),
    /// A mark.
    pub(crate) sure: (f32, f32),
    /// No reason to look harder.
    pub(crate) plain: (f32, f32),
    /// The coarse fit, in nats, without which nothing is sure: on a surface that is all but flat, a closer look finds its
    /// model in rounding errors.
    fit: f32,
    /// How much more a mark must score than its foils to be there whatever the surface.
    pub(crate) ahead: f32,
}

/// Unmarked *real* breech faces reach 454 nats but agree with no code, blank *simulated* impressions 359; marks at
/// level 4 (*simulation*) 428 and more. They are at most 40 ahead of their foils; of eight marks at level 4 (*simulation*) that
/// were not found five are 50 to 74 ahead.
const HEIGHTS: Evident = Evident {
    possible: 120.0,
    likely: (370.0, 0.0),
    sure: (600.0, 0.0),
    plain: (460.0, 0.0),
    fit: 100.0,
    ahead: 50.0,
};
/// Blank *simulated* photographs reach 470 nats, but no more than 16 % explained.
const PICTURES: Evident = Evident {
    possible: 100.0,
    likely: (400.0, 0.15),
    sure: (600.0, 0.19),
    plain: (600.0, 0.19),
    fit: 0.0,
    ahead: 75.0,
};
/// Blank *simulated* photographs as relief reach 258 nats and 14 % explained; four lights at level 4 begin at 345 and 19 %.
const RELIEFS: Evident = Evident {
    possible: 100.0,
    likely: (330.0, 0.16),
    sure: (450.0, 0.19),
    plain: (600.0, 0.25),
    fit: 0.0,
    ahead: 75.0,
};

impl Evident {
    pub(crate) fn of(rendering: Rendering) -> &'static Self {
        match rendering {
            Rendering::Height => &HEIGHTS,
            Rendering::Relief => &RELIEFS,
            Rendering::Slope | Rendering::Flanks => &PICTURES,
        }
    }

    pub(crate) fn found(&self, sighting: &Sighting) -> bool {
        sighting.fit >= self.fit
            && !by_chance(sighting)
            && (Self::above(self.sure, sighting) || self.beyond_chance(sighting))
    }

    /// Whether a mark is there if its symbols agree with a code, however little there is of it.
    pub(crate) fn is_ahead(foiled: Option<Foiled>) -> bool {
        foiled.is_some_and(|foiled| foiled.ahead() > RATHER)
    }

    /// Whether the mark fits the surface better than chance lets it: better than both foils by far.
    fn beyond_chance(&self, sighting: &Sighting) -> bool {
        sighting.foiled.is_some_and(|foiled| foiled.ahead() > self.ahead)
    }

    pub(crate) fn above((nats, share): (f32, f32), sighting: &Sighting) -> bool {
        sighting.fit + sighting.support >= nats && sighting.explained >= share
    }
}

/// Nats by which a mark must score more than its foils to be there if its symbols agree with a code.
const RATHER: f32 = 25.0;

/// A mark that scores no more than this share above what nobody makes is not there however much it scores: on a smooth
/// surface the rim of a bowl fits anything (bare *simulated* ones score up to 2500 nats, and their foils as much).
const NO_MORE: f32 = 0.12;

/// Whether marks that nobody makes fit the surface as well.
fn by_chance(sighting: &Sighting) -> bool {
    sighting.foiled.is_some_and(|foiled| foiled.ahead() < NO_MORE * foiled.mark)
}

//! Why a mark cannot be laid out.

use std::fmt;

use symbology::{CodeError, Mark};
use topography::Length;

use crate::{Finding, Tip};

/// Why a mark cannot be laid out or drawn. All of these are for the person who asked: change the parameter named.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MarkingError {
    /// A tip that is misspelt, or of a size that no firing pin has.
    #[error(
        "{0}\nhint: hemispherical:1.7mm, flat:1.5mm, elliptical:1x2mm, chisel:0.8x1.6mm or breech-face, each side from 0.2 mm to 10 mm"
    )]
    Tip(String),
    /// A word for relief, view or form that is none of its choices.
    #[error("`{seen}` is no {what}\nhint: {choices}")]
    Choice {
        /// What was to be chosen.
        what: &'static str,
        /// What was written.
        seen: String,
        /// What may be written.
        choices: &'static str,
    },
    /// The text is not a code of the scheme.
    #[error(transparent)]
    Text(#[from] CodeError),
    /// No mark was asked for, or one twice, or one that the scheme lacks.
    #[error("{0}")]
    Marks(String),
    /// A pitch outside 0.5 µm to 5 µm.
    #[error(
        "a pitch of {0} is outside 0.5 µm to 5 µm\nhint: 1um draws walls well, 2um is what readers are judged at"
    )]
    Pitch(Length),
    /// A field of more samples than a height map may have.
    #[error(
        "a field {side} across has {samples} samples at this pitch, the limit is {limit}\nhint: use a coarser pitch"
    )]
    Field {
        /// The side of the field.
        side: Length,
        /// How many samples it would have.
        samples: usize,
        /// How many it may have.
        limit: usize,
    },
    /// A module, relief or rounding that is not a sensible positive length.
    #[error("a {what} of {seen} is outside {low} to {high}")]
    Range {
        /// Which length.
        what: &'static str,
        /// What was asked for.
        seen: Length,
        /// The least allowed.
        low: Length,
        /// The most allowed.
        high: Length,
    },
    /// The marks do not fit on the tip inside its guards.
    #[error("{wanted} does not fit on {tip}\nhint: {}", hint(largest.as_ref()))]
    TooLarge {
        /// What was asked for.
        wanted: Fit,
        /// Where it was to go.
        tip: Tip,
        /// The largest that fits, if any does.
        largest: Option<Fit>,
    },
    /// Two marks would lie on one another.
    #[error("the marks {0} and {1} lie on one another\nhint: put them on different parts")]
    Overlap(Mark, Mark),
    /// The mark fits but breaks another guard.
    #[error("{0}\nhint: change the module, the relief or the guard")]
    Guard(Finding),
}

impl MarkingError {
    pub(crate) fn choice(what: &'static str, seen: &str, choices: &'static str) -> Self {
        Self::Choice { what, seen: seen.to_owned(), choices }
    }
}

/// A set of marks at a module: how large it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// The marks.
    pub marks: Vec<Mark>,
    /// The length of one module.
    pub module: Length,
    /// The diameter of the circle about its middle that holds everything.
    pub diameter: Length,
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let marks: Vec<&str> = self.marks.iter().map(|mark| mark.name()).collect();
        let (module, diameter) = (self.module.to_um(), self.diameter.to_um());
        write!(f, "{} at a module of {module:.1} µm ({diameter:.0} µm across)", marks.join(" and "))
    }
}

fn hint(largest: Option<&Fit>) -> String {
    match largest {
        Some(fit) => format!("the largest that fits is {fit}"),
        None => "none of these marks fits there, however small".to_owned(),
    }
}

//! Which scans a search looks at.

use jiff::civil::Date;
use serde::Serialize;

use super::calibre;
use super::characteristics::{self, Characteristics};
use crate::exit::{Exit, Failure};

/// What was asked for; a scan that does not say is never left out.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Filter {
    pub(crate) calibre: Option<String>,
    pub(crate) class: Option<String>,
    #[serde(flatten)]
    pub(crate) characteristics: Characteristics,
    pub(crate) from: Option<Date>,
    pub(crate) to: Option<Date>,
    pub(crate) real_only: bool,
}

/// Columns of the catalogue that are filtered by what their values mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    Calibre,
    Class,
    FiringPin,
    BreechFace,
    Aperture,
    Extractor,
    Ejector,
}

impl Column {
    pub(crate) const ALL: [Self; 7] = [
        Self::Calibre,
        Self::Class,
        Self::FiringPin,
        Self::BreechFace,
        Self::Aperture,
        Self::Extractor,
        Self::Ejector,
    ];

    /// Whether what a scan says may be what is wanted.
    pub(crate) fn agrees(self, wanted: &str, told: &str) -> bool {
        match self {
            Self::Calibre => calibre::is_same(wanted, told),
            Self::Class => bare(wanted) == bare(told),
            Self::FiringPin | Self::BreechFace | Self::Aperture => wanted == told,
            Self::Extractor | Self::Ejector => characteristics::near(wanted, told),
        }
    }
}

impl Filter {
    /// Refuses days that lie the wrong way round: nothing would ever be found.
    pub(crate) fn checked(self) -> Result<Self, Failure> {
        match (self.from, self.to) {
            (Some(from), Some(to)) if from > to => Err(Exit::BadInput.because(format!(
                "`--from {from}` lies after `--to {to}`, so that no day is left\nhint: exchange the two"
            ))),
            _ => Ok(self),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        let Self { from, to, real_only, .. } = self;
        Column::ALL.into_iter().all(|column| self.wanted(column).is_none())
            && from.is_none()
            && to.is_none()
            && !real_only
    }

    /// What is wanted of a column.
    pub(crate) fn wanted(&self, column: Column) -> Option<&str> {
        let class = &self.characteristics;
        let wanted = match column {
            Column::Calibre => &self.calibre,
            Column::Class => &self.class,
            Column::FiringPin => &class.firing_pin,
            Column::BreechFace => &class.breech_face,
            Column::Aperture => &class.aperture,
            Column::Extractor => &class.extractor,
            Column::Ejector => &class.ejector,
        };
        wanted.as_deref()
    }
}

/// A text without case, blanks and punctuation.
fn bare(text: &str) -> String {
    text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect()
}

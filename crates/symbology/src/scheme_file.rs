//! What a scheme file holds, and whether its values make sense.

use serde::Deserialize;

use crate::{CheckRule, SchemeError, mother};

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SchemeFile {
    format: String,
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) alphabet: String,
    pub(crate) check: CheckRule,
    #[serde(default)]
    pub(crate) whitening: Vec<u8>,
    pub(crate) characters: Option<CharacterBlock>,
    pub(crate) gear: Option<GearRing>,
    pub(crate) dots: Option<DotRings>,
    pub(crate) radial: Option<RadialRing>,
    pub(crate) matrix: Option<MatrixGrid>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CharacterBlock {
    pub(crate) rows: Vec<usize>,
    pub(crate) cap_height: f64,
    pub(crate) glyph_width: f64,
    pub(crate) column_pitch: f64,
    pub(crate) row_pitch: f64,
    pub(crate) pen: f64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GearRing {
    pub(crate) first: usize,
    pub(crate) symbols: usize,
    pub(crate) inner: f64,
    pub(crate) pitch: f64,
    pub(crate) outer: f64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DotRings {
    pub(crate) first: usize,
    pub(crate) symbols: usize,
    pub(crate) inner: f64,
    pub(crate) ring_pitch: f64,
    pub(crate) diameter: f64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RadialRing {
    pub(crate) first: usize,
    pub(crate) symbols: usize,
    pub(crate) inner: f64,
    pub(crate) outer: f64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MatrixGrid {
    pub(crate) first: usize,
    pub(crate) symbols: usize,
}

impl CharacterBlock {
    pub(crate) fn count(&self) -> usize {
        self.rows.iter().sum()
    }
}

const FORMAT: &str = "microstamp.scheme/1";

/// More characters, or modules from the middle, than any part of a firearm could carry.
const MOST_CHARACTERS: usize = 64;
const MOST_MODULES: f64 = 1000.0;

impl SchemeFile {
    /// Refuses values that make no sense, in one sentence.
    pub(crate) fn validate(&self) -> Result<(), SchemeError> {
        if self.format != FORMAT {
            return Err(value("format", format!("is `{}`, this program reads `{FORMAT}`", self.format)));
        }
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.name.is_empty() || self.name.len() > 32 || !self.name.chars().all(plain) {
            return Err(value("name", "must be 1 to 32 small letters, digits and dashes".to_owned()));
        }
        self.validate_alphabet()?;
        self.validate_word()?;
        self.validate_rings()
    }

    fn validate_alphabet(&self) -> Result<(), SchemeError> {
        let characters: Vec<char> = self.alphabet.chars().collect();
        if let Some(c) = characters.iter().find(|&&c| !crate::geometry::has_glyph(c)) {
            return Err(value(
                "alphabet",
                format!("has `{c}`, for which there is no glyph (0-9 and A-Z have one)"),
            ));
        }
        let twice = (1..characters.len()).find(|&i| characters[..i].contains(&characters[i]));
        if let Some(i) = twice {
            return Err(value("alphabet", format!("has `{}` twice", characters[i])));
        }
        match self.check {
            CheckRule::Mother if self.alphabet != crate::symbol::ALPHABET => {
                Err(value("alphabet", format!("must be {} for the mother code", crate::symbol::ALPHABET)))
            }
            _ if characters.len() < 2 => Err(value("alphabet", "needs at least two characters".to_owned())),
            _ => Ok(()),
        }
    }

    fn validate_word(&self) -> Result<(), SchemeError> {
        let mother = self.check == CheckRule::Mother;
        let lengths = if mother { [0, mother::LENGTH] } else { [0, 0] };
        if !lengths.contains(&self.whitening.len()) {
            return Err(value(
                "whitening",
                format!("has {} numbers, not {}", self.whitening.len(), lengths[1]),
            ));
        }
        if self.whitening.iter().any(|&w| w > 31) || self.whitening.iter().take(6).any(|&w| w != 0) {
            return Err(value("whitening", "must be numbers up to 31, the first six of them 0".to_owned()));
        }
        let Some(block) = &self.characters else {
            return if mother { Ok(()) } else { Err(value("characters", "are missing".to_owned())) };
        };
        let count =
            block.rows.iter().try_fold(0_usize, |sum, &row| sum.checked_add(row)).unwrap_or(usize::MAX);
        if block.rows.contains(&0) || count == 0 || count > MOST_CHARACTERS || (mother && count > 31) {
            return Err(value(
                "rows",
                "must be lengths of rows, of 1 to 64 characters (31) together".to_owned(),
            ));
        }
        let sizes = [block.cap_height, block.glyph_width, block.column_pitch, block.row_pitch, block.pen];
        if !sizes.iter().all(|&size| size > 0.0 && size <= MOST_MODULES) {
            return Err(value("characters", "must have positive sizes in modules".to_owned()));
        }
        if block.pen >= block.glyph_width.min(block.cap_height) {
            return Err(value("pen", "must be thinner than a glyph is wide and high".to_owned()));
        }
        Ok(())
    }

    fn validate_rings(&self) -> Result<(), SchemeError> {
        let slices = [
            ("gear", self.gear.as_ref().map(|r| (r.first, r.symbols, vec![0.0, r.inner, r.pitch, r.outer]))),
            ("dots", self.dots.as_ref().map(|r| (r.first, r.symbols, vec![0.0, r.diameter, r.inner]))),
            ("radial", self.radial.as_ref().map(|r| (r.first, r.symbols, vec![0.0, r.inner, r.outer]))),
            ("matrix", self.matrix.as_ref().map(|r| (r.first, r.symbols, vec![]))),
        ];
        for (key, slice) in slices {
            let Some((first, symbols, sizes)) = slice else { continue };
            if self.check != CheckRule::Mother {
                return Err(value(key, "needs `check = \"mother-31-6\"`".to_owned()));
            }
            let end = first.checked_add(symbols);
            if symbols == 0 || end.is_none_or(|end| end > mother::LENGTH) {
                return Err(value(key, "must carry symbols between 0 and 30".to_owned()));
            }
            if !sizes.windows(2).all(|pair| pair[0] < pair[1]) || sizes.iter().any(|&s| s > MOST_MODULES) {
                return Err(value(key, "must have radii in modules that grow outwards".to_owned()));
            }
        }
        match &self.dots {
            Some(dots) if !(dots.ring_pitch > 0.0 && dots.ring_pitch <= MOST_MODULES) => {
                Err(value("ring_pitch", "must be a positive number of modules".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

fn value(key: &'static str, reason: String) -> SchemeError {
    SchemeError::Value { key, reason }
}

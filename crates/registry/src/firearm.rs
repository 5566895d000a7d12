//! What a bound book says a firearm is, and who holds it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::names::{Calibre, Country, LicenceNumber, Model, NameError, PartyName, Serial};

/// A licensee as a bound book names it: licence number and name (27 CFR 478.125(e)).
///
/// Two entries mean the same licensee when the licence numbers agree, whatever the spelling of the name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Licensee {
    /// Licence number, in its one accepted spelling.
    pub licence: LicenceNumber,
    /// Name as recorded.
    pub name: PartyName,
}

impl Licensee {
    /// Parses both parts.
    ///
    /// # Errors
    /// [`NameError`] names the part that does not have its form.
    ///
    /// ```
    /// let maker = registry::Licensee::new("1-23-456-78-9A-12345", "Example Arms (synthetic)")?;
    /// assert_eq!(maker.to_string(), "Example Arms (synthetic), licence 1-23-456-78-9A-12345");
    /// # Ok::<(), registry::names::NameError>(())
    /// ```
    pub fn new(licence: &str, name: &str) -> Result<Self, NameError> {
        Ok(Self { licence: licence.parse()?, name: name.parse()? })
    }

    /// Whether both are the same licence.
    pub fn is(&self, other: &Licensee) -> bool {
        self.licence == other.licence
    }
}

impl fmt::Display for Licensee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, licence {}", self.name, self.licence)
    }
}

/// What makes a firearm one firearm: licensee, model and serial number, never the serial number alone.
///
/// Serial numbers are unique for one licensee and old ones repeat across models (27 CFR 478.92).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FirearmKey {
    /// Licence of the maker or importer who marked the serial number.
    pub licence: LicenceNumber,
    /// Model as marked.
    pub model: Model,
    /// Serial number as marked.
    pub serial: Serial,
}

impl fmt::Display for FirearmKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} serial {} of licence {}", self.model, self.serial, self.licence)
    }
}

/// The rest of what the acquisition side of a bound book says (27 CFR 478.125(e)).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Description {
    /// Maker of the firearm.
    pub manufacturer: PartyName,
    /// Importer, where there is one.
    pub importer: Option<PartyName>,
    /// Type of firearm.
    pub kind: FirearmKind,
    /// Calibre or gauge.
    pub calibre: Calibre,
    /// Country of manufacture.
    pub country: Country,
}

/// A firearm: its key and its description.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Firearm {
    /// Licensee, model and serial number.
    #[serde(flatten)]
    pub key: FirearmKey,
    /// Maker, importer, type, calibre, country.
    #[serde(flatten)]
    pub description: Description,
}

/// Type of firearm, as bound books and trace forms list it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FirearmKind {
    /// A handgun with the chamber in the barrel.
    Pistol,
    /// A handgun with a cylinder.
    Revolver,
    /// A rifled long gun.
    Rifle,
    /// A smooth-bored long gun.
    Shotgun,
    /// A frame or receiver sold as such.
    Receiver,
    /// A box of serialised ammunition: the model is the product and its lot, the serial number is the box's.
    Ammunition,
    /// Anything else a licensee must record.
    Other,
}

impl FirearmKind {
    /// The word used in files and on screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pistol => "pistol",
            Self::Revolver => "revolver",
            Self::Rifle => "rifle",
            Self::Shotgun => "shotgun",
            Self::Receiver => "receiver",
            Self::Ammunition => "ammunition",
            Self::Other => "other",
        }
    }
}

impl FromStr for FirearmKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (guns, others) = (
            [Self::Pistol, Self::Revolver, Self::Rifle, Self::Shotgun, Self::Receiver],
            [Self::Ammunition, Self::Other],
        );
        let all = guns.into_iter().chain(others);
        let text = text.trim();
        all.into_iter().find(|kind| text.eq_ignore_ascii_case(kind.as_str())).ok_or_else(|| {
            format!(
                "type `{text}` is not known\nhint: use pistol, revolver, rifle, shotgun, receiver, ammunition or other"
            )
        })
    }
}

/// A part that carries a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The firing pin (striker); its tip marks the primer.
    FiringPin,
    /// The breech face of the slide or bolt; it marks the case head around the pin.
    BreechFace,
    /// The rounds of a box of serialised ammunition, which all carry the box's code (`round-1`).
    Round,
}

impl Part {
    /// Every marked part of a firearm, in the order in which they are listed on screen.
    pub const ALL: [Part; 2] = [Part::FiringPin, Part::BreechFace];

    /// The word used in files and on screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FiringPin => "firing-pin",
            Self::BreechFace => "breech-face",
            Self::Round => "round",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        [Self::FiringPin, Self::BreechFace, Self::Round]
            .into_iter()
            .find(|part| text.eq_ignore_ascii_case(part.as_str()))
            .ok_or_else(|| {
                format!("component `{text}` is not known\nhint: use firing-pin, breech-face or round")
            })
    }
}

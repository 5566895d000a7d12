//! Which columns a table may have, and what they are called.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::BooksError;

/// What a column can be. A row is one acquisition, one disposition, or both, as a bound book prints them; or, from
/// `entry` on, one event of any kind, as [`Books::export`](crate::Books::export) writes it.
pub(super) const FIELDS: [&str; 35] = [
    "licence",
    "model",
    "serial",
    "manufacturer",
    "importer",
    "type",
    "calibre",
    "country",
    "holder_licence",
    "holder_name",
    "made_on",
    "acquired_on",
    "source_licence",
    "source_name",
    "source_reference",
    "disposed_on",
    "to_licence",
    "to_name",
    "form_4473",
    "government",
    "export_country",
    "permit",
    "entry",
    "event",
    "on",
    "other_licence",
    "other_name",
    "loss",
    "incident",
    "police_report",
    "reported_by",
    "reference",
    "part",
    "code",
    "corrects",
];

/// A field, by its place in [`FIELDS`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Field(pub(super) usize);

impl Field {
    /// The field of this name; in a constant, so that a name that is none does not compile.
    pub(super) const fn named(name: &str) -> Self {
        let mut place = 0;
        while !are_equal(FIELDS[place].as_bytes(), name.as_bytes()) {
            place += 1;
        }
        Self(place)
    }

    pub(super) fn name(self) -> &'static str {
        FIELDS[self.0]
    }
}

const fn are_equal(one: &[u8], other: &[u8]) -> bool {
    let mut same = 0;
    while same < one.len() && same < other.len() && one[same] == other[same] {
        same += 1;
    }
    same == one.len() && same == other.len()
}

/// Columns that [`Books::export`](crate::Books::export) writes and that no entry is made of: who wrote it when, and who signed.
pub(super) const WRITTEN_ONLY: [&str; 5] =
    ["recorded_at", "recorded_by", "correction", "signed_key", "signed_sha256"];

/// Which column of a table is what, from a TOML file.
///
/// Every column is a field, or `ignore` lists it; a table with any other column is refused, and so is a row with a filled cell
/// that no entry takes up: a sale without its day, or two recipients.
///
/// `columns` names the table's heading for a field, `defaults` gives a value where the table has none, and `dates` is
/// the form of its days (`strptime`, such as `%m/%d/%Y`; without it, `2024-01-31`). Fields that are not named are
/// looked for under their own names: `licence`, `model`, `serial`, `manufacturer`, `importer`, `type`, `calibre`,
/// `country`, `holder_licence`, `holder_name`, `made_on`, `acquired_on`, `source_licence`, `source_name`,
/// `source_reference`, `disposed_on`, `to_licence`, `to_name`, `form_4473`, `government`, `export_country`, `permit`.
///
/// A row whose `event` is not empty is one entry, with the columns that [`Books::export`](crate::Books::export) writes: such a table is taken
/// without a mapping. A row that corrects another row of the same table is rejected, because the other stands beside
/// it: take the corrected view.
///
/// ```
/// let mapping = registry::Mapping::from_toml(r#"
///     dates = "%m/%d/%Y"
///     ignore = ["Shelf"]
///     [columns]
///     serial = "Serial No."
///     [defaults]
///     country = "US"
/// "#)?;
/// assert!(registry::Mapping::from_toml("[columns]\nowner = 'Name'").is_err(), "there is no field for a purchaser");
/// # Ok::<(), registry::BooksError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mapping {
    pub(super) columns: BTreeMap<String, String>,
    pub(super) defaults: BTreeMap<String, String>,
    pub(super) ignore: Vec<String>,
    pub(super) dates: Option<String>,
}

impl Mapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// [`BooksError::Table`] names what is not TOML or not a field.
    pub fn from_toml(text: &str) -> Result<Self, BooksError> {
        let mapping: Self =
            toml::from_str(text).map_err(|error| BooksError::Table(error.message().to_owned()))?;
        let mut named = mapping.columns.keys().chain(mapping.defaults.keys());
        match named.find(|field| !FIELDS.contains(&field.as_str())) {
            None => Ok(mapping),
            Some(field) => {
                let fields = FIELDS.join(", ");
                Err(BooksError::Table(format!(
                    "`{field}` is not a field of the bound book\nhint: fields are {fields}"
                )))
            }
        }
    }

    /// Whether a column is to be ignored, be it that it bears the name of a field.
    pub(super) fn ignores(&self, column: &str) -> bool {
        self.ignore.iter().any(|name| name == column)
    }
}

//! The presets that are built in, and how a preset file is read.

use super::ParameterError;

macro_rules! built_in {
    ($($name:literal),* $(,)?; $folder:literal) => {
        &[$( ($name, include_str!(concat!("../presets/", $folder, "/", $name, ".toml"))), )*]
    };
}

/// Name and text of a preset.
type Preset = (&'static str, &'static str);

pub(crate) const CONDITIONS: &[Preset] = built_in!(
    "level-0", "level-1", "level-2", "level-3", "level-4", "blur", "missing", "drag", "double", "worn", "rough";
    "conditions"
);

pub(crate) const FIREARMS: &[Preset] =
    built_in!("reference", "striker-9mm", "hammer-45", "hammer-22", "breech-face"; "firearms");

pub(crate) const AMMUNITION: &[Preset] =
    built_in!("reference", "brass-bare", "nickel-plated", "nickel-hard", "lacquered"; "ammunition");

/// The settings of a preset file, by name.
pub(crate) fn settings(text: &str) -> Result<Vec<(String, String)>, ParameterError> {
    let file: File =
        toml::from_str(text).map_err(|error| ParameterError::File(error.message().to_owned()))?;
    if file.about.trim().is_empty() || file.source.trim().is_empty() {
        return Err(ParameterError::File("`about` or `source` is empty".to_owned()));
    }
    file.values.into_iter().map(|(name, value)| written(&value).map(|value| (name, value))).collect()
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    about: String,
    source: String,
    #[serde(default)]
    values: toml::Table,
}

fn written(value: &toml::Value) -> Result<String, ParameterError> {
    match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Float(number) => Ok(number.to_string()),
        other => Err(ParameterError::File(format!("`{other}` is neither a number nor a quantity"))),
    }
}

//! Named numbers with a unit, a range, a meaning and a source.

use topography::{Angle, Length};

/// One named number of a model, as documentation shows it.
///
/// ```
/// let drag = impression::Conditions::describe().into_iter().find(|p| p.name == "drag").expect("it is listed");
/// assert_eq!((drag.unit, drag.default), ("µm", 0.0));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// What it is called on the command line and in preset files.
    pub name: String,
    /// The unit that `default`, `low` and `high` are given in; `1` for a plain ratio.
    pub unit: &'static str,
    /// Its value where nothing else is said.
    pub default: f64,
    /// The least value that is accepted.
    pub low: f64,
    /// The greatest value that is accepted.
    pub high: f64,
    /// What it means.
    pub meaning: &'static str,
    /// Where the number comes from; `assumed` where no measurement is known.
    pub source: &'static str,
}

/// A setting that was not understood.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ParameterError {
    /// No parameter has this name.
    #[error("there is no {group} parameter `{name}`\nhint: {group} knows {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// Which model was asked.
        group: &'static str,
        /// The names that exist.
        known: String,
    },
    /// The value is not a number with the right unit.
    #[error("`{value}` is no value for `{name}`\nhint: write it like `{example}`")]
    Value {
        /// Which parameter.
        name: String,
        /// What was given.
        value: String,
        /// How it is written.
        example: String,
    },
    /// The value lies outside the accepted range.
    #[error("`{name}` cannot be {value}\nhint: it runs from {low} to {high} {unit}")]
    Range {
        /// Which parameter.
        name: String,
        /// What was given.
        value: f64,
        /// The least accepted value.
        low: f64,
        /// The greatest accepted value.
        high: f64,
        /// The unit of all three.
        unit: &'static str,
    },
    /// No preset has this name.
    #[error("there is no {group} preset `{name}`\nhint: choose one of {known}")]
    Preset {
        /// What was asked for.
        name: String,
        /// Which model was asked.
        group: &'static str,
        /// The names that exist.
        known: String,
    },
    /// A preset's text is not what a preset file looks like.
    #[error("this is no preset file: {0}\nhint: it has `about`, `source` and a table `[values]`")]
    File(String),
}

/// What the models' numbers have in common: a unit, and a way to be read.
pub(crate) trait Quantity: Copy {
    /// From the number in the unit of the documentation.
    fn from_number(number: f64) -> Self;
    /// The number in the unit of the documentation.
    fn number(self) -> f64;
    /// From text as a person writes it.
    fn read(text: &str) -> Option<Self>;
    /// How a person writes it.
    fn write(number: f64) -> String;
}

impl Quantity for Length {
    fn from_number(number: f64) -> Self {
        Self::um(number)
    }

    fn number(self) -> f64 {
        self.to_um()
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn write(number: f64) -> String {
        format!("{number}um")
    }
}

impl Quantity for Angle {
    fn from_number(number: f64) -> Self {
        Self::degrees(number)
    }

    fn number(self) -> f64 {
        self.to_degrees()
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn write(number: f64) -> String {
        format!("{number}deg")
    }
}

impl Quantity for f64 {
    fn from_number(number: f64) -> Self {
        number
    }

    fn number(self) -> f64 {
        self
    }

    fn read(text: &str) -> Option<Self> {
        let (digits, factor) =
            text.trim().strip_suffix('%').map_or((text.trim(), 1.0), |digits| (digits, 0.01));
        digits.trim().parse::<f64>().ok().map(|value| value * factor)
    }

    fn write(number: f64) -> String {
        number.to_string()
    }
}

/// Reads and checks one value.
pub(crate) fn read_value<Q: Quantity>(parameter: &Parameter, text: &str) -> Result<Q, ParameterError> {
    let value =
        Q::read(text).filter(|value| value.number().is_finite()).ok_or_else(|| ParameterError::Value {
            name: parameter.name.clone(),
            value: text.to_owned(),
            example: Q::write(if parameter.default > 0.0 {
                parameter.default
            } else {
                parameter.high / 10.0
            }),
        })?;
    check_range(parameter, value.number())?;
    Ok(value)
}

/// Refuses a number outside the documented range.
pub(crate) fn check_range(parameter: &Parameter, value: f64) -> Result<(), ParameterError> {
    if value >= parameter.low && value <= parameter.high {
        return Ok(());
    }
    Err(ParameterError::Range {
        name: parameter.name.clone(),
        value,
        low: parameter.low,
        high: parameter.high,
        unit: parameter.unit,
    })
}

/// Declares a model: a struct of quantities, its defaults, its documentation and its settings by name, in one table.
macro_rules! model {
    (
        $(#[$meta:meta])*
        $model:ident ($group:literal, $presets:expr) {
            $( $field:ident: $kind:ty = $default:literal $unit:literal in $low:literal .. $high:literal,
               $meaning:literal, $source:literal; )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $model {
            $(
                #[doc = $meaning]
                #[doc = concat!("\n\nIn ", $unit, "; from ", $low, " to ", $high, ", by default ", $default, ". Source: ", $source, ".")]
                pub $field: $kind,
            )*
        }

        impl Default for $model {
            fn default() -> Self {
                Self { $( $field: <$kind as $crate::model::parameters::Quantity>::from_number($default), )* }
            }
        }

        impl $model {
            /// Every parameter: name, unit, default, range, meaning and source.
            pub fn describe() -> Vec<$crate::Parameter> {
                vec![ $( $crate::Parameter {
                    name: stringify!($field).replace('_', "-"),
                    unit: $unit,
                    default: $default,
                    low: $low,
                    high: $high,
                    meaning: $meaning,
                    source: $source,
                }, )* ]
            }

            /// The names of the built-in presets.
            pub fn presets() -> Vec<&'static str> {
                $presets.iter().map(|(name, _)| *name).collect()
            }

            /// A built-in preset by its name.
            ///
            /// # Errors
            ///
            /// [`ParameterError::Preset`]($crate::ParameterError::Preset) names the presets that exist.
            pub fn preset(name: &str) -> Result<Self, $crate::ParameterError> {
                let (_, text) = $presets.iter().find(|(known, _)| *known == name).ok_or_else(|| {
                    $crate::ParameterError::Preset {
                        name: name.to_owned(),
                        group: $group,
                        known: Self::presets().join(", "),
                    }
                })?;
                Self::from_toml(text)
            }

            /// A preset from its own file: `about`, `source` and a table `[values]` of settings.
            ///
            /// # Errors
            ///
            /// [`ParameterError`]($crate::ParameterError) says which line of the table was not understood.
            pub fn from_toml(text: &str) -> Result<Self, $crate::ParameterError> {
                let mut model = Self::default();
                for (name, value) in $crate::model::presets::settings(text)? {
                    model.set(&name, &value)?;
                }
                Ok(model)
            }

            /// Sets one parameter by its name; lengths and angles need a unit, as in `34um` or `12deg`.
            ///
            /// # Errors
            ///
            /// [`ParameterError`]($crate::ParameterError) lists the known names, shows how a value is written, or
            /// says which range it must lie in.
            pub fn set(&mut self, name: &str, value: &str) -> Result<(), $crate::ParameterError> {
                let known = Self::describe();
                let wanted = name.trim().replace('_', "-");
                let Some(parameter) = known.iter().find(|parameter| parameter.name == wanted) else {
                    let names: Vec<&str> = known.iter().map(|parameter| parameter.name.as_str()).collect();
                    return Err($crate::ParameterError::Unknown {
                        name: name.to_owned(),
                        group: $group,
                        known: names.join(", "),
                    });
                };
                $(
                    if wanted == stringify!($field).replace('_', "-") {
                        self.$field = $crate::model::parameters::read_value(parameter, value)?;
                    }
                )*
                Ok(())
            }

            /// Every value by its name, in the unit that [`describe`](Self::describe) gives.
            pub fn values(&self) -> Vec<(String, f64)> {
                vec![ $( (
                    stringify!($field).replace('_', "-"),
                    $crate::model::parameters::Quantity::number(self.$field),
                ), )* ]
            }

            /// Refuses values outside the documented ranges.
            ///
            /// # Errors
            ///
            /// [`ParameterError::Range`]($crate::ParameterError::Range) names the first such parameter.
            pub fn check(&self) -> Result<(), $crate::ParameterError> {
                for (parameter, (_, value)) in Self::describe().iter().zip(self.values()) {
                    $crate::model::parameters::check_range(parameter, value)?;
                }
                Ok(())
            }
        }
    };
}

pub(crate) use model;

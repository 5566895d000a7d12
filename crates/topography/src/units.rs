//! Lengths and angles, so that no bare number crosses a crate border.

use std::fmt;
use std::ops::{Add, Div, Mul, Neg, Sub};
use std::str::FromStr;

/// A length, kept in micrometres.
///
/// ```
/// use topography::Length;
/// let pitch: Length = "2um".parse()?;
/// assert_eq!(pitch, Length::um(2.0));
/// assert_eq!(Length::mm(1.7).to_um(), 1700.0);
/// # Ok::<(), topography::QuantityError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Length(f64);

impl Length {
    /// No length at all.
    pub const ZERO: Self = Self(0.0);

    /// A length in nanometres.
    pub const fn nm(value: f64) -> Self {
        Self(value * 1e-3)
    }

    /// A length in micrometres.
    pub const fn um(value: f64) -> Self {
        Self(value)
    }

    /// A length in millimetres.
    pub const fn mm(value: f64) -> Self {
        Self(value * 1e3)
    }

    /// A length in metres, the unit of X3P files.
    pub const fn metres(value: f64) -> Self {
        Self(value * 1e6)
    }

    /// This length in micrometres.
    pub const fn to_um(self) -> f64 {
        self.0
    }

    /// This length in millimetres.
    pub const fn to_mm(self) -> f64 {
        self.0 * 1e-3
    }

    /// This length in metres.
    pub const fn to_metres(self) -> f64 {
        self.0 * 1e-6
    }
}

/// An angle, kept in radians; counter-clockwise in a frame whose y axis points down the picture is negative.
///
/// ```
/// use topography::Angle;
/// assert!((Angle::degrees(180.0).to_radians() - std::f64::consts::PI).abs() < 1e-12);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Angle(f64);

impl Angle {
    /// No turn.
    pub const ZERO: Self = Self(0.0);

    /// An angle in degrees.
    pub const fn degrees(value: f64) -> Self {
        Self(value.to_radians())
    }

    /// An angle in radians.
    pub const fn radians(value: f64) -> Self {
        Self(value)
    }

    /// This angle in degrees.
    pub const fn to_degrees(self) -> f64 {
        self.0.to_degrees()
    }

    /// This angle in radians.
    pub const fn to_radians(self) -> f64 {
        self.0
    }
}

macro_rules! quantity_arithmetic {
    ($quantity:ident) => {
        impl Add for $quantity {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }
        impl Sub for $quantity {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                Self(self.0 - other.0)
            }
        }
        impl Neg for $quantity {
            type Output = Self;
            fn neg(self) -> Self {
                Self(-self.0)
            }
        }
        impl Mul<f64> for $quantity {
            type Output = Self;
            fn mul(self, factor: f64) -> Self {
                Self(self.0 * factor)
            }
        }
        impl Div<f64> for $quantity {
            type Output = Self;
            fn div(self, divisor: f64) -> Self {
                Self(self.0 / divisor)
            }
        }
        impl Div for $quantity {
            type Output = f64;
            fn div(self, other: Self) -> f64 {
                self.0 / other.0
            }
        }
    };
}

quantity_arithmetic!(Length);
quantity_arithmetic!(Angle);

/// A written quantity that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// The number in front of the unit is missing or not finite.
    #[error("`{0}` is not a number with a unit\nhint: write it like {1}")]
    Number(String, &'static str),
    /// The unit is missing or unknown.
    #[error("`{0}` has no known unit\nhint: write it like {1}")]
    Unit(String, &'static str),
}

const LENGTH_EXAMPLES: &str = "`2um`, `1.7mm` or `500nm`";
const ANGLE_EXAMPLES: &str = "`12.5deg` or `0.2rad`";

fn split_quantity<'a>(text: &'a str, examples: &'static str) -> Result<(f64, &'a str), QuantityError> {
    let text = text.trim();
    let unit_at = text.find(|c: char| c.is_alphabetic() && c != 'e' && c != 'E').unwrap_or(text.len());
    let number = text[..unit_at].trim();
    let value: f64 = number.parse().map_err(|_| QuantityError::Number(text.to_owned(), examples))?;
    if value.is_finite() {
        Ok((value, &text[unit_at..]))
    } else {
        Err(QuantityError::Number(text.to_owned(), examples))
    }
}

impl FromStr for Length {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let (value, unit) = split_quantity(text, LENGTH_EXAMPLES)?;
        match unit {
            "nm" => Ok(Self::nm(value)),
            "um" | "µm" | "μm" => Ok(Self::um(value)),
            "mm" => Ok(Self::mm(value)),
            "m" => Ok(Self::metres(value)),
            _ => Err(QuantityError::Unit(text.to_owned(), LENGTH_EXAMPLES)),
        }
    }
}

impl FromStr for Angle {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let (value, unit) = split_quantity(text, ANGLE_EXAMPLES)?;
        match unit {
            "deg" | "°" => Ok(Self::degrees(value)),
            "rad" => Ok(Self::radians(value)),
            _ => Err(QuantityError::Unit(text.to_owned(), ANGLE_EXAMPLES)),
        }
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.abs() >= 1000.0 { write!(f, "{} mm", self.to_mm()) } else { write!(f, "{} µm", self.0) }
    }
}

impl fmt::Display for Angle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}°", self.to_degrees())
    }
}

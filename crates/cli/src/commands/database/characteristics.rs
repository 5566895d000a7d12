//! Class characteristics: what every firearm of a model leaves alike, in the terms of the field.

use clap::Args;
use serde::Serialize;

/// What was seen on a case beside its toolmarks, each in its canonical term; what is empty is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Args)]
pub(crate) struct Characteristics {
    /// Shape of the firing-pin impression: circular, elliptical, rectangular, square, triangular, semicircular or chisel.
    #[arg(long, value_name = "SHAPE", value_parser = firing_pin)]
    pub(crate) firing_pin: Option<String>,
    /// Class of the breech-face marks: parallel, arched, circular, crosshatched, granular or smooth.
    #[arg(long, value_name = "CLASS", value_parser = breech_face)]
    pub(crate) breech_face: Option<String>,
    /// Shape of the firing-pin aperture: circular, elliptical, rectangular, square, semicircular or u-shaped.
    #[arg(long, value_name = "SHAPE", value_parser = aperture)]
    pub(crate) aperture: Option<String>,
    /// Position of the extractor mark on the clock, such as 3 or 3:30.
    #[arg(long, value_name = "CLOCK", value_parser = clock)]
    pub(crate) extractor: Option<String>,
    /// Position of the ejector mark on the clock.
    #[arg(long, value_name = "CLOCK", value_parser = clock)]
    pub(crate) ejector: Option<String>,
}

impl Characteristics {
    /// From texts in the order of the fields, each as it would be given on the command line.
    pub(crate) fn parsed(texts: [Option<String>; 5]) -> Result<Self, String> {
        let [firing_pin_text, breech_face_text, aperture_text, extractor, ejector] = texts;
        let term = |name: &str, text: Option<String>, parse: fn(&str) -> Result<String, String>| {
            text.map(|text| parse(&text).map_err(|known| format!("{name} `{text}`: {known}"))).transpose()
        };
        Ok(Self {
            firing_pin: term("firing_pin", firing_pin_text, firing_pin)?,
            breech_face: term("breech_face", breech_face_text, breech_face)?,
            aperture: term("aperture", aperture_text, aperture)?,
            extractor: term("extractor", extractor, clock)?,
            ejector: term("ejector", ejector, clock)?,
        })
    }
}

/// Terms of one characteristic, each with the other words that stand for it.
type Vocabulary = &'static [&'static [&'static str]];

const FIRING_PIN: Vocabulary = &[
    &["circular", "round", "hemispherical"],
    &["elliptical", "oval"],
    &["rectangular", "rectangle"],
    &["square"],
    &["triangular", "triangle"],
    &["semicircular", "semicircle", "half-circle"],
    &["chisel", "wedge"],
];
const BREECH_FACE: Vocabulary = &[
    &["parallel", "linear", "straight", "striated"],
    &["arched", "arcs"],
    &["circular", "concentric", "round"],
    &["crosshatched", "crosshatch", "crossed"],
    &["granular", "cast", "blasted"],
    &["smooth", "polished"],
];
const APERTURE: Vocabulary = &[
    &["circular", "round"],
    &["elliptical", "oval"],
    &["rectangular", "rectangle"],
    &["square"],
    &["semicircular", "semicircle", "half-circle"],
    &["u-shaped"],
];

fn firing_pin(text: &str) -> Result<String, String> {
    term(FIRING_PIN, text)
}

fn breech_face(text: &str) -> Result<String, String> {
    term(BREECH_FACE, text)
}

fn aperture(text: &str) -> Result<String, String> {
    term(APERTURE, text)
}

fn term(known: Vocabulary, text: &str) -> Result<String, String> {
    let bare = |word: &str| word.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    let wanted = bare(text);
    let found = known.iter().find(|words| words.iter().any(|word| bare(word) == wanted));
    found.map(|words| words[0].to_owned()).ok_or_else(|| {
        let terms: Vec<&str> = known.iter().map(|words| words[0]).collect();
        format!("known are {}", terms.join(", "))
    })
}

/// Half hours on the clock, 12 o'clock as 0.
fn half_hours(text: &str) -> Option<u32> {
    let text = text.trim().trim_end_matches("o'clock").trim_end_matches('h').trim();
    let (hour, minutes) = text.split_once(':').unwrap_or((text, "0"));
    let (hour, minutes): (u32, u32) = (hour.parse().ok()?, minutes.parse().ok()?);
    let is_there = (1..=12).contains(&hour) && (minutes == 0 || minutes == 30);
    is_there.then_some(hour % 12 * 2 + minutes / 30)
}

fn clock(text: &str) -> Result<String, String> {
    let half =
        half_hours(text).ok_or("a position is an hour of the clock from 1 to 12, such as 3 or 3:30")?;
    let hour = if half < 2 { 12 } else { half / 2 };
    Ok(if half % 2 == 0 { hour.to_string() } else { format!("{hour}:30") })
}

/// Whether two positions may be one: examiners read the clock to an hour.
pub(crate) fn near(one: &str, other: &str) -> bool {
    const ROUND: u32 = 24;
    let [Some(one), Some(other)] = [one, other].map(half_hours) else { return false };
    let apart = one.abs_diff(other);
    apart.min(ROUND - apart) <= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_one_meaning_come_to_one_term() {
        assert_eq!(firing_pin("Hemispherical"), Ok("circular".to_owned()));
        assert_eq!(breech_face("cross-hatch"), Ok("crosshatched".to_owned()));
        assert_eq!(aperture("U shaped"), Ok("u-shaped".to_owned()));
        assert_eq!(breech_face("spiral").unwrap_err().matches(", ").count(), 5);
    }

    #[test]
    fn positions_are_read_to_half_an_hour_and_held_against_each_other_to_an_hour() {
        for (text, told) in [
            ("3", "3"),
            ("3:00", "3"),
            ("08:30", "8:30"),
            ("12", "12"),
            ("12:30", "12:30"),
            ("8 o'clock", "8"),
        ] {
            assert_eq!(clock(text).as_deref(), Ok(told));
        }
        for text in ["0", "13", "3:15", "three", "", "-3", "3:"] {
            assert!(clock(text).is_err(), "{text}");
        }
        assert!(near("12", "1") && near("11:30", "12:30") && near("8", "7"));
        assert!(!near("8", "9:30") && !near("3", "9") && !near("12", "6"));
    }
}

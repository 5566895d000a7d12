//! Surfaces that no microscope brings: an answer with a name, and no panic.

use reader::{Outcome, ReadError, ReadOptions, read_micrograph, read_topography};
use symbology::Scheme;
use topography::{Grid, Length, Micrograph, Pitch, Topography};

fn surface(size: (usize, usize), pitch_um: f64, height: impl Fn(usize, usize) -> f64) -> Topography {
    Topography { heights: Grid::from_fn(size.0, size.1, height), pitch: Pitch::square(Length::um(pitch_um)) }
}

fn check(surface: &Topography, expected: &str) {
    let options = ReadOptions::new(Scheme::open_1());
    let answer = match read_topography(surface, &options) {
        Ok(reading) => {
            assert_eq!(reading.code, None, "{expected}");
            match (reading.outcome, reading.firearms) {
                (Outcome::NoMark, 0) => "no mark",
                // Nothing is seen, and nothing could be.
                (Outcome::Unreadable, 0) => "hidden",
                _ => "something",
            }
        }
        Err(ReadError::TooSmall { .. }) => "too small",
        Err(ReadError::TooLarge { .. }) => "too large",
        Err(_) => "another error",
    };
    assert_eq!(answer, expected);
}

fn ripple(x: usize, y: usize) -> f64 {
    ((x * 7 + y * 13) % 11) as f64 * 0.05
}

#[test]
fn absurd_heights_have_no_mark_or_could_hide_one() {
    let size = (300, 300);
    check(&surface(size, 3.0, |x, y| 1e300 * ripple(x, y)), "hidden");
    check(&surface(size, 3.0, |x, y| 1e-300 * ripple(x, y)), "no mark");
    check(&surface(size, 3.0, |x, y| if (x, y) == (150, 140) { 1e9 } else { ripple(x, y) }), "hidden");
    check(&surface(size, 3.0, |x, y| if (x, y) == (150, 140) { 1e300 } else { ripple(x, y) }), "no mark");
    check(&surface(size, 3.0, |x, _| if x < 150 { -1e30 } else { 1e30 }), "hidden");
    check(&surface(size, 3.0, |_, _| f64::INFINITY), "hidden");
    check(&surface(size, 3.0, |_, _| 0.0), "no mark");
}

#[test]
fn oceans_of_missing_points_may_hide_a_mark() {
    let size = (300, 300);
    let island = |x: usize, y: usize| x.abs_diff(150) < 6 && y.abs_diff(150) < 6;
    check(&surface(size, 3.0, |_, _| f64::NAN), "hidden");
    check(&surface(size, 3.0, |x, y| if island(x, y) { ripple(x, y) } else { f64::NAN }), "hidden");
    check(&surface(size, 3.0, |x, y| if (x + y) % 3 == 0 { ripple(x, y) } else { f64::NAN }), "no mark");
}

#[test]
fn absurd_shapes_are_refused_or_have_no_mark() {
    check(&surface((3, 3), 2.0, ripple), "too small");
    check(&surface((3, 3), 200.0, ripple), "no mark");
    check(&surface((1, 20_000), 2.0, ripple), "too small");
    check(&surface((20_000, 1), 2.0, ripple), "too small");
    check(&surface((200, 20_000), 2.0, ripple), "no mark");
    check(&surface((3000, 3000), 30.0, ripple), "too large");
    check(&surface((0, 0), 2.0, ripple), "too small");
}

#[test]
fn pictures_of_nothing_have_no_mark() {
    let options = ReadOptions::new(Scheme::open_1());
    for grey in [f32::NAN, 0.0, 1.0, f32::INFINITY, 1e30] {
        let picture = Micrograph { intensity: Grid::from_fn(256, 256, |_, _| grey), pitch: None };
        let reading = read_micrograph(&picture, &options).expect("a picture of this size is read");
        assert_eq!(reading.outcome, Outcome::NoMark, "{grey}");
    }
}

#[test]
fn a_scheme_with_large_characters_is_looked_for() {
    let file = |height: &str, alphabet: &str| {
        format!(
            "format = \"microstamp.scheme/1\"\nname = \"large\"\ntitle = \"t\"\nalphabet = \"{alphabet}\"\ncheck = \"none\"\n\
             [characters]\nrows = [2, 2]\ncap_height = {height}\nglyph_width = 12.0\ncolumn_pitch = 14.0\nrow_pitch = 20.0\npen = 1.5\n"
        )
    };
    let scheme = Scheme::from_toml(&file("17.0", "ACEHKLPTX")).expect("the scheme is whole");
    let blank = surface((400, 400), 3.0, ripple);
    let reading = read_topography(&blank, &ReadOptions::new(scheme)).expect("the surface is large enough");
    assert_eq!(reading.code, None);
}

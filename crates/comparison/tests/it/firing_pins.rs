//! Firing-pin impressions of made-up pins (simulation): one pin is told from others, at any turn.

use comparison::{MarkKind, Preset, Surface, compare, prepare};
use topography::{Grid, Length, Pitch, Topography};

use crate::machining::value;

/// The bowl that pin `pin` leaves in shot `shot`, turned by so many degrees, at three micrometres.
///
/// The tip of the pin carries texture of its own and the rings of its turning, which all pins share; every shot adds a
/// third as much relief that is not the pin's, and lies up to 20 µm off the middle.
fn bowl(pin: u64, shot: u64, degrees: f64, is_raw: bool) -> Topography {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let off =
        [20.0 * value(900 + shot, 50.0, 3.0, pin as f64), 20.0 * value(901 + shot, 50.0, pin as f64, 9.0)];
    let texture = |seed: u64, u: f64, v: f64| {
        [(9.0, 0.5), (18.0, 0.8), (36.0, 1.0)]
            .iter()
            .map(|&(size, h)| h * value(seed, size, u, v))
            .sum::<f64>()
    };
    let (size, pitch) = (if is_raw { 2000.0 } else { 1200.0 }, 3.0);
    let n = (size / pitch) as usize;
    let height = |x: usize, y: usize| {
        let (u, v) =
            ((x as f64 - 0.5 * n as f64) * pitch - off[0], (y as f64 - 0.5 * n as f64) * pitch - off[1]);
        let (p, q) = (cos * u + sin * v, cos * v - sin * u);
        let radius = u.hypot(v);
        let rings = 0.3 * (radius / 30.0 * std::f64::consts::TAU).sin();
        let mark = texture(4000 + pin, p, q) + rings + 0.35 * texture(70_000 + 10 * pin + shot, u, v);
        // A sphere of 800 µm radius pressed 200 µm deep.
        let depth = -200.0 + 800.0 - (800.0_f64.powi(2) - radius.min(799.0).powi(2)).sqrt();
        if radius < 520.0 {
            depth + mark
        } else if is_raw {
            if radius < 545.0 { f64::NAN } else { 0.002 * u + 0.3 * value(5, 60.0, u, v) }
        } else {
            f64::NAN
        }
    };
    Topography { heights: Grid::from_fn(n, n, height), pitch: Pitch::square(Length::um(pitch)) }
}

fn prepared(scan: &Topography) -> Surface {
    prepare(scan, &Preset::default_for(MarkKind::FiringPin)).unwrap()
}

#[test]
fn one_pin_is_told_from_others_at_any_turn() {
    let first = prepared(&bowl(1, 0, 0.0, false));
    for (shot, degrees) in [(1, 8.0), (2, 100.0), (3, -158.0)] {
        let result = compare(&first, &prepared(&bowl(1, shot, degrees, false))).unwrap();
        assert!(result.congruent() >= 9, "{degrees}: {:?}", result.cmc);
        let off = (result.rotation.unwrap().to_degrees() - degrees).rem_euclid(360.0);
        assert!(off.min(360.0 - off) < 1.0, "{degrees}: {:?}", result.rotation);
    }
    for pin in 2..6 {
        let result = compare(&first, &prepared(&bowl(pin, 0, 40.0, false))).unwrap();
        assert!(result.congruent() <= 2 && !result.converged, "{pin}: {:?}", result.cmc);
    }
}

/// Scratched flat tips: cells fit along their lines at many places, and none of them counts by any rule that joins turns.
#[test]
fn lines_of_two_pins_are_high_nowhere() {
    let tip = |pin: u64, shot: u64| {
        let (sin, cos) = (40.0 * shot as f64).to_radians().sin_cos();
        let n = 380;
        let heights = Grid::from_fn(n, n, |x, y| {
            let [u, v] = [x, y].map(|at| (at as f64 - 0.5 * n as f64) * 3.0);
            let across = cos * u + sin * v + 2000.0;
            let lines: f64 = [9.0, 16.0, 30.0].iter().map(|&size| value(pin, size, across, 0.5)).sum();
            let own = value(9000 + 10 * pin + shot, 14.0, u + 900.0, v + 900.0);
            if u.hypot(v) < 520.0 { 1.4 * lines + 0.5 * own } else { f64::NAN }
        });
        prepared(&Topography { heights, pitch: Pitch::square(Length::um(3.0)) })
    };
    let tips: Vec<Surface> = (1..5).map(|pin| tip(pin, pin)).collect();
    for (i, one) in tips.iter().enumerate() {
        for other in &tips[i + 1..] {
            let result = compare(one, other).unwrap();
            assert!(!result.converged && result.cmc.high == 0, "{:?}", result.cmc);
        }
    }
}

#[test]
fn the_bowl_is_found_in_a_raw_primer() {
    let [one, again, other] = [(1, 0, 0.0), (1, 1, 70.0), (2, 0, 0.0)]
        .map(|(pin, shot, degrees)| prepared(&bowl(pin, shot, degrees, true)));
    let same = compare(&one, &again).unwrap();
    assert!(same.congruent() >= 9, "{:?}", same.cmc);
    let two = compare(&one, &other).unwrap();
    assert!(two.congruent() <= 2, "{:?}", two.cmc);
}

#[test]
fn a_breech_face_is_not_compared_with_a_firing_pin() {
    let pin = bowl(1, 0, 0.0, false);
    let face = prepare(&pin, &Preset::default_for(MarkKind::BreechFace));
    if let Ok(face) = face {
        assert!(compare(&face, &prepared(&pin)).unwrap_err().to_string().contains("firing pin"));
    }
}

//! Mirror, sign, pose and repeatability of a struck mark.

use impression::instrument::{Confocal, Light, Sem, confocal, oblique, ring, sem};
use impression::{Ammunition, Conditions, Firearm, Strike, strike};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use topography::{Grid, Length, Pitch, Topography};

/// Strikes with the neutral bench.
pub(crate) fn bench(tool: &Topography, conditions: &Conditions, seed: u64) -> Strike {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    strike(tool, &Firearm::default(), &Ammunition::default(), conditions, None, &mut rng).expect("it strikes")
}

/// A preset with some of its settings changed.
pub(crate) fn with(preset: &str, settings: &[(&str, &str)]) -> Conditions {
    let mut shot = Conditions::preset(preset).expect("it is built in");
    for (name, value) in settings {
        shot.set(name, value).expect("it is a parameter");
    }
    shot
}

/// Settings with which a mark lies as nominal.
pub(crate) const UPRIGHT: [(&str, &str); 3] = [("shift", "0um"), ("turn", "0deg"), ("stretch", "0")];

/// A tool with one block of some height, `right` and `down` micrometres from its middle.
pub(crate) fn block(height: f64, (right, down): (f64, f64), half: f64) -> Topography {
    let place = |index: usize| (index as f64 - 250.0) * 2.0;
    let heights = Grid::from_fn(501, 501, |x, y| {
        let inside = (place(x) - right).abs() <= half && (place(y) - down).abs() <= half;
        if inside { height } else { 0.0 }
    });
    Topography { heights, pitch: Pitch::square(Length::um(2.0)) }
}

/// The middle of what differs from 0, in micrometres from the middle of the map.
pub(crate) fn centroid(map: &Topography) -> (f64, f64) {
    let (mut weight, mut right, mut down) = (0.0, 0.0, 0.0);
    let middle = 0.5 * (map.heights.width() as f64 - 1.0);
    for y in 0..map.heights.height() {
        for (x, height) in map.heights.row(y).iter().enumerate() {
            weight += height.abs();
            right += height.abs() * (x as f64 - middle);
            down += height.abs() * (y as f64 - middle);
        }
    }
    let pitch = map.pitch.x.to_um();
    (pitch * right / weight, pitch * down / weight)
}

#[test]
fn raised_on_the_tool_is_sunk_on_the_case_and_mirrored() {
    for (height, expected) in [(25.0, -10.0), (-25.0, 10.0), (4.0, -4.0)] {
        let struck = bench(&block(height, (100.0, -100.0), 40.0), &with("level-0", &UPRIGHT), 1);
        let mark = &struck.truth.mark.heights;
        let (left, right) = (mark[(206, 206)], mark[(306, 206)]);
        assert!((left - expected).abs() < 0.2, "{left} where {expected} was due for {height}");
        assert!(right.abs() < 0.01, "{right} where nothing was due");
    }
}

#[test]
fn a_mark_lies_where_its_pose_says() {
    for seed in 0..6 {
        let shot = with("level-0", &[("shift", "40um"), ("turn", "180deg"), ("stretch", "0.1")]);
        let struck = bench(&block(25.0, (150.0, 60.0), 30.0), &shot, seed);
        let pose = struck.truth.pose;
        assert!(pose.x.to_um().abs() <= 40.0 && pose.y.to_um().abs() <= 40.0);
        // On the case the block is on the left; the pose turns it clockwise as seen with y down.
        let (sin, cos) = pose.turn.to_radians().sin_cos();
        let (u, v) = (-150.0 * pose.scale, 60.0 * pose.scale);
        let expected = (cos * u - sin * v + pose.x.to_um(), sin * u + cos * v + pose.y.to_um());
        let found = centroid(&struck.truth.mark);
        let off = (found.0 - expected.0).hypot(found.1 - expected.1);
        assert!(off < 1.0, "{found:?} instead of {expected:?} for {pose:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_does_not() {
    let tool = super::tool::pin();
    let shot = with("level-4", &[("debris", "50"), ("lacquer", "2um")]);
    let bits = |seed| -> Vec<u64> {
        bench(tool, &shot, seed).surface.heights.samples().iter().map(|z| z.to_bits()).collect()
    };
    assert_eq!(bits(3), bits(3));
    assert_ne!(bits(3), bits(4));
}

fn hash(values: impl Iterator<Item = i64>) -> u64 {
    values.fold(0xcbf2_9ce4_8422_2325, |hash, value| (hash ^ value as u64).wrapping_mul(0x0100_0000_01b3))
}

/// These numbers change when the physics changes, and then on purpose; they must not change with the machine.
#[test]
fn heights_and_pictures_are_the_same_on_every_machine() {
    let shot =
        with("level-4", &[("debris", "50"), ("lacquer", "1um"), ("field", "512um"), ("rounds", "600")]);
    let (firearm, ammunition) = (Firearm::preset("striker-9mm"), Ammunition::preset("nickel-plated"));
    let (firearm, ammunition) = (firearm.expect("built in"), ammunition.expect("built in"));
    let mut rng = ChaCha8Rng::seed_from_u64(20_261_122);
    let tool = block(25.0, (80.0, 60.0), 30.0);
    let struck = strike(&tool, &firearm, &ammunition, &shot, None, &mut rng).expect("it strikes");
    let nanometres = |map: &Topography| hash(map.heights.samples().iter().map(|z| (z * 1e3).round() as i64));
    let grey = |picture: topography::Micrograph| {
        hash(picture.intensity.samples().iter().map(|value| (value * 255.0).round() as i64))
    };
    let light = Light { shadows: true, ..Light::under(&shot) };
    let found = [
        nanometres(&struck.surface),
        nanometres(&confocal(&struck.surface, &Confocal::under(&shot), &mut rng)),
        grey(oblique(&struck.surface, &light, &mut rng)),
        grey(ring(&struck.surface, &light, &mut rng)),
        grey(sem(&struck.surface, &Sem::under(&shot), &mut rng)),
    ];
    let expected = [
        0x6f84_f752_6a49_9330,
        0x0646_6625_fecd_3f8f,
        0x0433_3490_9a11_0b4b,
        0x0ebd_b84a_01a0_9baf,
        0x4a0e_9ab8_1cbd_6a4c,
    ];
    assert_eq!(found, expected, "in hexadecimal: {found:x?}");
}

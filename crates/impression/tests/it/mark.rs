//! Mirror, sign, depth and repeatability of a struck mark.

use impression::{Ammunition, Conditions, Firearm, Strike, strike};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use topography::{Grid, Length, Pitch, Topography};

/// Strikes with the neutral bench.
pub(crate) fn bench(tool: &Topography, conditions: &Conditions, seed: u64) -> Strike {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    strike(tool, &Firearm::default(), &Ammunition::default(), conditions, None, &mut rng).expect("it strikes")
}

/// A pristine shot that lies as nominal.
pub(crate) fn straight() -> Conditions {
    let mut shot = Conditions::preset("level-0").expect("it is built in");
    for (name, value) in [("shift", "0um"), ("turn", "0deg"), ("stretch", "0")] {
        shot.set(name, value).expect("it is a parameter");
    }
    shot
}

fn bar(height: f64) -> Topography {
    let heights =
        Grid::from_fn(
            301,
            301,
            |x, y| if x.abs_diff(200) < 20 && y.abs_diff(100) < 30 { height } else { 0.0 },
        );
    Topography { heights, pitch: Pitch::square(Length::um(2.0)) }
}

#[test]
fn raised_on_the_tool_is_sunk_on_the_case_and_mirrored() {
    // 50 points right of the middle on the tool, 50 above.
    for (height, expected) in [(25.0, -10.0), (-25.0, 10.0), (4.0, -4.0)] {
        let struck = bench(&bar(height), &straight(), 1);
        let mark = &struck.truth.mark.heights;
        let (left, right) = (mark[(205, 205)], mark[(305, 205)]);
        assert!((left - expected).abs() < 0.2, "{left} where {expected} was due for {height}");
        assert!(right.abs() < 0.01, "{right} where nothing was due");
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_does_not() {
    let tool = super::tool::pin("K73MXP");
    let shot = Conditions::preset("level-4").expect("it is built in");
    let bits = |seed| -> Vec<u64> {
        bench(&tool, &shot, seed).surface.heights.samples().iter().map(|z| z.to_bits()).collect()
    };
    assert_eq!(bits(3), bits(3));
    assert_ne!(bits(3), bits(4));
}

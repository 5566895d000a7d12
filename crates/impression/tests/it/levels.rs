//! The ladder of levels really goes down.

use impression::Conditions;

use crate::mark::{bench, with};

/// Root mean square of the mark over that of everything else but the bowl, inside the mark's circle.
fn signal_to_texture(preset: &str, seed: u64) -> f64 {
    let tool = super::tool::pin();
    let marked = bench(tool, &with(preset, &[]), seed);
    let blank = bench(tool, &with(preset, &[("depth", "0um")]), seed);
    let bowl = [("depth", "0um"), ("roughness", "0um"), ("machining", "0um"), ("drag-striae", "0um")];
    let bowl = bench(tool, &with(preset, &bowl), seed);
    let (mut signal, mut texture) = (0.0, 0.0);
    for y in 56..456 {
        for x in 56..456 {
            signal += marked.truth.mark.heights[(x, y)].powi(2);
            texture += (blank.surface.heights[(x, y)] - bowl.surface.heights[(x, y)]).powi(2);
        }
    }
    (signal / texture).sqrt()
}

#[test]
fn levels_fall_in_signal_to_texture() {
    let mean = |preset: &str| (1..=2).map(|seed| signal_to_texture(preset, seed)).sum::<f64>() / 2.0;
    let ladder: Vec<f64> = (0..5).map(|level| mean(&format!("level-{level}"))).collect();
    eprintln!("signal to texture by level (simulation): {ladder:.2?}");
    assert!(ladder.windows(2).all(|pair| pair[1] < 0.85 * pair[0]), "{ladder:?}");
    assert!(ladder[0] > 15.0 && ladder[4] < 2.0, "{ladder:?}");
}

#[test]
fn every_single_factor_is_harder_than_level_1_in_its_own_way() {
    let base = Conditions::preset("level-1").expect("it is built in");
    for name in ["blur", "missing", "drag", "double", "worn", "rough"] {
        let factor = Conditions::preset(name).expect("it is built in");
        let changed: Vec<String> = base
            .values()
            .into_iter()
            .zip(factor.values())
            .filter(|(a, b)| a.1 != b.1)
            .map(|(a, _)| a.0)
            .collect();
        let expected: &[&str] = match name {
            "blur" => &["depth", "flow-blur"],
            "missing" => &["missing"],
            "drag" => &["drag", "drag-striae"],
            "double" => &["double"],
            "worn" => &["wear"],
            _ => &["roughness", "machining"],
        };
        assert_eq!(changed, expected, "{name}");
    }
}

//! The published decision rules on made-up faces (simulation): every count is what its paper defines.

use comparison::{Comparison, Preset, compare, prepare};
use topography::Topography;

use crate::faces;

fn compared(preset: &str, a: &Topography, b: &Topography) -> Comparison {
    let preset = Preset::named(preset).unwrap();
    compare(&prepare(a, &preset).unwrap(), &prepare(b, &preset).unwrap()).unwrap()
}

#[test]
fn one_face_is_found_by_every_published_rule() {
    let result = compared("chen2017", &faces::face(1), &faces::turned(1, 40.0));
    let cmc = result.cmc;
    assert_eq!(result.preset.rules(), "published");
    assert!(result.converged, "{cmc:?}");
    let cells = result.cells_of_each[0].min(result.cells_of_each[1]);
    for count in [cmc.original[0], cmc.original[1], cmc.high, cmc.total[0], cmc.convergence[1]] {
        assert!(2 * count >= cells && count <= cells.max(result.cells_of_each[0]), "{cmc:?} of {cells}");
    }
    let off = (result.rotation.unwrap().to_degrees() - 40.0).abs();
    assert!(off <= 3.0, "the sweep has steps of three degrees: {:?}", result.rotation);
    assert!(cmc.ncma > 0.5 && cmc.ncma <= 1.0, "{cmc:?}");
    // Without the freedom to lie anywhere a cell finds at least as good a place near the reference as it found there freely.
    assert!(cmc.total[0] >= cmc.original[0] && cmc.total[1] >= cmc.original[1], "{cmc:?}");
    assert_eq!(result.cells.iter().filter(|cell| cell.congruent).count(), cmc.convergence[0]);
}

#[test]
fn two_faces_do_not_converge() {
    let result = compared("chen2017", &faces::face(1), &faces::face(2));
    let cmc = result.cmc;
    assert!(!result.converged && result.rotation.is_none(), "{cmc:?}");
    // Neither condition holds, so convergence counts no cell that its best place does not count.
    assert!(cmc.convergence.iter().all(|&count| count <= 4), "{cmc:?}");
    assert!(cmc.high <= 4, "{cmc:?}");
}

#[test]
fn results_say_whose_rules_counted_and_at_which_pitch() {
    for (name, rules, pitch) in [
        ("microstamp-1", "microstamp", 12.5),
        ("chen2017", "published", 6.25),
        ("ott2017", "published", 3.125),
        ("zhang2021", "zhang2021", 3.125),
    ] {
        let parameters = Preset::named(name).unwrap().parameters();
        assert_eq!(parameters.rules, rules);
        assert_eq!(parameters.compared_pitch_um, pitch, "{name}");
        // No preset asks for waves that its pitch cannot show, but the default: its documentation says so.
        let shows = 2.0 * parameters.compared_pitch_um;
        assert!(name == "microstamp-1" || shows <= parameters.band_um[0], "{name}: {shows}");
    }
}

//! Named parameters: every name can be set, every mistake is explained, every preset loads.

use impression::{Ammunition, Conditions, Firearm, Parameter, ParameterError};
use proptest::prelude::*;

fn written(parameter: &Parameter, number: f64) -> String {
    match parameter.unit {
        "µm" => format!("{number}um"),
        "deg" => format!("{number}deg"),
        _ => number.to_string(),
    }
}

#[test]
fn every_preset_loads_and_lies_within_its_ranges() {
    for name in Conditions::presets() {
        Conditions::preset(name).expect(name).check().expect(name);
    }
    for name in Firearm::presets() {
        Firearm::preset(name).expect(name).check().expect(name);
    }
    for name in Ammunition::presets() {
        Ammunition::preset(name).expect(name).check().expect(name);
    }
}

#[test]
fn mistakes_are_explained() {
    let check = |name: &str, value: &str, expected: &str| {
        let error = Conditions::default().set(name, value).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check("drga", "34um", "hint: conditions knows depth, energy, turn");
    check("drag", "34", "hint: write it like `30um`");
    check("drag", "-1um", "hint: it runs from 0 to 300 µm");
    check("drag", "infum", "is no value for `drag`");
    check("missing", "1.5", "hint: it runs from 0 to 0.95 1");
    check("turn", "12um", "hint: write it like `4deg`");
    let error = Firearm::preset("glock").unwrap_err();
    assert!(
        matches!(&error, ParameterError::Preset { known, .. } if known.contains("striker-9mm")),
        "{error}"
    );
    for (text, expected) in [
        ("about = 'x'\nsource = 'y'\n[values]\ndrga = '3um'", "there is no conditions parameter `drga`"),
        ("about = 'x'\n[values]", "missing field `source`"),
        ("about = ''\nsource = 'y'", "is empty"),
        ("about = 'x'\nsource = 'y'\n[values]\ndrag = [1]", "neither a number nor a quantity"),
    ] {
        let error = Conditions::from_toml(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn names_take_either_dash_and_ratios_take_per_cent() {
    let mut shot = Conditions::default();
    shot.set("flow_blur", "3um").expect("an underscore will do");
    shot.set("missing", "30%").expect("per cent will do");
    assert_eq!((shot.flow_blur.to_um(), shot.missing), (3.0, 0.3));
}

proptest! {
    #[test]
    fn every_parameter_takes_every_value_of_its_range(share in 0.0..=1.0f64) {
        for parameter in Conditions::describe() {
            let number = parameter.low + share * (parameter.high - parameter.low);
            let mut shot = Conditions::default();
            shot.set(&parameter.name, &written(&parameter, number)).expect("it lies in the range");
            let values = shot.values();
            let (_, found) = values.iter().find(|(name, _)| *name == parameter.name).expect("it is listed");
            prop_assert!((found - number).abs() <= 1e-9 * number.abs().max(1.0));
            let beyond = written(&parameter, parameter.high * 1.01 + 1.0);
            prop_assert!(shot.set(&parameter.name, &beyond).is_err());
        }
    }
}

//! Writing and reading codes, prefixes and unit numbers.

use proptest::prelude::*;
use symbology::{Code, Mark, Prefix, Scheme, SealingKey, UnitNumber, geometry};

#[test]
fn layouts_exist() {
    let scheme = Scheme::open_1();
    for mark in Mark::ALL {
        let layout = geometry::layout(&scheme, mark).unwrap();
        println!("{mark} {} places, extent {:.2}", layout.places().len(), layout.extent());
        assert_eq!(layout.places().len(), mark.symbol_range().len());
    }
    for scheme in [Scheme::plain_8(), Scheme::round_1()] {
        for mark in scheme.marks() {
            println!("{} {mark} {:.2}", scheme.name(), geometry::layout(&scheme, mark).unwrap().extent());
        }
    }
    let code: Code = "K73MXP".parse().unwrap();
    println!("{code}");
    println!("{}", "K73M XPR4".parse::<Code>().unwrap_err());
}

proptest! {
    #[test]
    fn units_are_sealed_and_opened(unit in 0..1_u32 << 20, prefix in 0..1024_u16, key in any::<[u8; 32]>()) {
        let key = SealingKey::new(&key, "open-1");
        let prefix = Prefix::from_index(prefix).unwrap();
        let unit = UnitNumber::new(unit).unwrap();
        let code = key.seal(prefix, unit);
        prop_assert_eq!(code.prefix(), prefix);
        prop_assert_eq!(key.unseal(&code), unit);
    }
}

//! What is written comes back.

use proptest::prelude::*;
use topography::x3p::{self, Mask, X3p, ZType};
use topography::{FileError, Grid, Length, Limits, Pitch, Topography};

const TYPES: [ZType; 5] = [ZType::Int16, ZType::Int32, ZType::Float32, ZType::Float64, ZType::Text];

fn again(scan: &X3p) -> X3p {
    x3p::read(&x3p::write(scan).unwrap(), &Limits::default()).unwrap()
}

fn same(one: &Topography, other: &Topography) -> bool {
    let pairs = one.heights.samples().iter().zip(other.heights.samples());
    one.pitch == other.pitch
        && one.heights.width() == other.heights.width()
        && pairs.into_iter().all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()))
}

fn farthest(one: &Topography, other: &Topography) -> f64 {
    let pairs = one.heights.samples().iter().zip(other.heights.samples());
    pairs.map(|(a, b)| (a - b).abs()).filter(|distance| distance.is_finite()).fold(0.0, f64::max)
}

fn surface() -> impl Strategy<Value = Topography> {
    (2_usize..20, 2_usize..20, 0.05_f64..50.0).prop_flat_map(|(width, height, pitch)| {
        let metres = prop_oneof![9 => -2e-4_f64..2e-4, 1 => Just(f64::NAN), 1 => Just(0.0)];
        prop::collection::vec(metres, width * height).prop_map(move |metres| Topography {
            heights: Grid::from_vec(width, height, metres.iter().map(|metres| metres * 1e6).collect()),
            pitch: Pitch { x: Length::um(pitch), y: Length::um(pitch * 1.01) },
        })
    })
}

proptest! {
    #[test]
    fn every_type_settles_at_once(topography in surface()) {
        for z_type in TYPES {
            let mut scan = X3p::new(topography.clone());
            scan.z_type = z_type;
            let first = again(&scan);
            let second = again(&first);
            prop_assert_eq!(first.z_type, z_type);
            prop_assert_eq!(first.topography.valid_points(), topography.valid_points());
            prop_assert!(same(&first.topography, &second.topography), "{}", z_type.name());
        }
    }

    #[test]
    fn metres_of_64_bits_come_back_bit_for_bit(topography in surface()) {
        for z_type in [ZType::Float64, ZType::Text] {
            let mut scan = X3p::new(topography.clone());
            scan.z_type = z_type;
            let back = again(&scan);
            let heights = |topography: &Topography| topography.heights.map(|height| height.to_bits());
            prop_assert_eq!(heights(&back.topography), heights(&topography));
        }
    }

    #[test]
    fn coarser_types_stay_within_their_step(topography in surface()) {
        for (z_type, step_um) in [(ZType::Int16, 400.0 / 65_000.0), (ZType::Int32, 1e-6), (ZType::Float32, 2e-5)] {
            let mut scan = X3p::new(topography.clone());
            scan.z_type = z_type;
            prop_assert!(farthest(&again(&scan).topography, &topography) <= step_um);
        }
    }

    #[test]
    fn any_bytes_end_in_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..2000), at in 0_usize..2000) {
        let _ = x3p::read(&bytes, &Limits::default());
        let mut spoilt = x3p::write(&X3p::new(ramp(9, 9))).unwrap();
        for (place, byte) in bytes.iter().take(8).enumerate() {
            let length = spoilt.len();
            spoilt[(at + place * 97) % length] = *byte;
        }
        let _ = x3p::read(&spoilt, &Limits::default());
    }
}

fn ramp(width: usize, height: usize) -> Topography {
    let heights = Grid::from_fn(width, height, |x, y| x as f64 + 0.25 * y as f64);
    Topography { heights, pitch: Pitch::square(Length::um(3.125)) }
}

#[test]
fn what_is_known_about_a_scan_comes_back() {
    let mut scan = X3p::new(ramp(5, 4));
    scan.creator = Some("Smith & Jones <lab>".to_owned());
    scan.instrument = Some("Confocal 3".to_owned());
    scan.comment = Some("second lift".to_owned());
    let marked = Grid::from_fn(5, 4, |x, y| x > y);
    scan.mask = Some(Mask { background: [0xcd, 0x7f, 0x32], marked });
    let back = again(&scan);
    assert_eq!(back.creator, scan.creator);
    assert_eq!(back.instrument, scan.instrument);
    assert_eq!(back.comment, scan.comment);
    assert_eq!(back.date, None);
    assert_eq!(back.mask, scan.mask);
    assert_eq!(back.warnings, Vec::<String>::new());
    scan.date = Some("2026-03-01T10:00:00Z".to_owned());
    assert_eq!(again(&scan).date, scan.date);
}

#[test]
fn equal_scans_give_equal_bytes() {
    let scan = X3p::new(ramp(50, 40));
    assert_eq!(x3p::write(&scan).unwrap(), x3p::write(&scan.clone()).unwrap());
}

#[test]
fn surfaces_that_no_file_can_hold_are_refused() {
    let mut narrow = X3p::new(ramp(1, 9));
    assert!(matches!(x3p::write(&narrow), Err(FileError::Parameter(_))));
    narrow.topography = ramp(3, 3);
    narrow.topography.pitch.y = Length::ZERO;
    assert!(matches!(x3p::write(&narrow), Err(FileError::Parameter(_))));
    let mut masked = X3p::new(ramp(3, 3));
    masked.mask = Some(Mask { background: [0; 3], marked: Grid::filled(2, 2, false) });
    assert!(matches!(x3p::write(&masked), Err(FileError::Parameter(_))));
}

#[test]
fn a_surface_without_any_point_survives() {
    for z_type in TYPES {
        let mut scan = X3p::new(Topography {
            heights: Grid::filled(3, 2, f64::NAN),
            pitch: Pitch::square(Length::um(1.0)),
        });
        scan.z_type = z_type;
        assert_eq!(again(&scan).topography.valid_points(), 0);
    }
}

//! Instruments: pitch, noise, lost points, and lights that stand where they are said to stand.

use impression::instrument::{Confocal, Light, Sem, confocal, oblique, ring, sem};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use topography::{Angle, Grid, Length, Micrograph, Pitch, Topography};

use crate::mark::{bench, with};

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(11)
}

fn map(side: usize, pitch: f64, height: impl Fn(f64, f64) -> f64) -> Topography {
    let place = |index: usize| (index as f64 - 0.5 * (side as f64 - 1.0)) * pitch;
    let heights = Grid::from_fn(side, side, |x, y| height(place(x), place(y)));
    Topography { heights, pitch: Pitch::square(Length::um(pitch)) }
}

/// A shallow dome of 200 µm radius.
fn dome() -> Topography {
    map(256, 2.0, |x, y| 60.0 * (1.0 - (x * x + y * y) / 40_000.0).max(0.0))
}

/// A light without camera noise or stains.
fn pure() -> Light {
    Light { noise: 0.0, mottle: 0.0, soot: 0.0, ..Light::default() }
}

fn mean(picture: &Micrograph, inside: impl Fn(f64, f64) -> bool) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    let middle = 0.5 * (picture.intensity.width() as f64 - 1.0);
    for y in 0..picture.intensity.height() {
        for x in 0..picture.intensity.width() {
            if inside(x as f64 - middle, y as f64 - middle) {
                sum += f64::from(picture.intensity[(x, y)]);
                count += 1.0;
            }
        }
    }
    sum / count
}

#[test]
fn confocal_noise_is_what_it_says_and_steep_walls_are_lost() {
    let plate = map(300, 2.0, |_, _| 5.0);
    let settings = Confocal { noise: Length::um(0.3), dropout: 0.0, ..Confocal::default() };
    let scan = confocal(&plate, &settings, &mut rng());
    let heights = scan.heights.samples();
    let deviation = (heights.iter().map(|z| (z - 5.0).powi(2)).sum::<f64>() / heights.len() as f64).sqrt();
    assert!((deviation / 0.3 - 1.0).abs() < 0.01, "{deviation}");

    for (slope, expected) in [(0.5, 1.0..=1.0), (2.0, 0.6..=0.72), (6.0, 0.0..=0.0)] {
        let ramp = map(200, 2.0, |x, _| slope * x);
        let kept = confocal(&ramp, &settings, &mut rng()).valid_points() as f64 / 40_000.0;
        assert!(expected.contains(&kept), "a slope of {slope} kept {kept}");
    }
}

#[test]
fn missing_points_stay_missing_and_pitch_is_honoured() {
    let mut plate = map(200, 3.0, |x, _| 0.01 * x);
    for y in 80..120 {
        plate.heights.row_mut(y)[40..60].fill(f64::NAN);
    }
    let settings = Confocal { pitch: Length::um(2.0), dropout: 0.0, ..Confocal::default() };
    let scan = confocal(&plate, &settings, &mut rng());
    assert_eq!((scan.heights.width(), scan.pitch.x), (300, Length::um(2.0)));
    assert!(scan.heights[(75, 150)].is_nan() && scan.heights[(150, 150)].is_finite());
    let lost = scan.heights.samples().iter().filter(|z| z.is_nan()).count();
    assert!((1700..=1900).contains(&lost), "{lost} lost of 20 x 40 points at 3 µm");
}

#[test]
fn an_oblique_light_stands_at_its_azimuth() {
    for degrees in [0.0, 90.0, 200.0, -45.0] {
        let light = pure().from(Angle::degrees(degrees), Angle::degrees(35.0));
        let picture = oblique(&dome(), &light, &mut rng());
        let (sin, cos) = f64::to_radians(degrees).sin_cos();
        let near = mean(&picture, |x, y| x.hypot(y) < 80.0 && x * cos + y * sin > 30.0);
        let far = mean(&picture, |x, y| x.hypot(y) < 80.0 && x * cos + y * sin < -30.0);
        assert!(near > far + 0.15, "{near} towards {degrees}°, {far} away from it");
    }
}

#[test]
fn a_ring_light_has_no_side_and_flats_are_brightest() {
    let picture = ring(&dome(), &Light { elevation: Angle::degrees(38.0), ..pure() }, &mut rng());
    let (left, right) = (
        mean(&picture, |x, y| y.abs() < 20.0 && (-80.0..-50.0).contains(&x)),
        mean(&picture, |x, y| y.abs() < 20.0 && (50.0..80.0).contains(&x)),
    );
    let top = mean(&picture, |x, y| x.hypot(y) < 15.0);
    assert!((left - right).abs() < 0.01 && top > left + 0.1, "{left} {right} {top}");
}

#[test]
fn a_wall_casts_a_shadow_of_the_right_length() {
    // 40 µm high, lit from the left at 45°: 40 µm of shadow to its right.
    let wall = map(256, 2.0, |x, _| if (-20.0..0.0).contains(&x) { 40.0 } else { 0.0 });
    for (azimuth, dark, lit) in [(180.0, 10.0..30.0, 60.0..90.0), (0.0, -50.0..-30.0, -110.0..-80.0)] {
        let light = Light { shadows: true, blur: Length::ZERO, ..pure() };
        let picture = oblique(&wall, &light.from(Angle::degrees(azimuth), Angle::degrees(45.0)), &mut rng());
        let dark = mean(&picture, |x, _| dark.contains(&(2.0 * x)));
        let lit = mean(&picture, |x, _| lit.contains(&(2.0 * x)));
        assert!(dark < 0.4 * lit, "{dark} in the shadow, {lit} beyond");
    }
}

#[test]
fn several_lights_of_one_case_show_the_same_stains() {
    let plate = map(256, 2.0, |_, _| 1.0);
    let light = Light { mottle: 0.2, ..pure() };
    let one = oblique(&plate, &light.clone().from(Angle::degrees(0.0), Angle::degrees(30.0)), &mut rng());
    let two = oblique(&plate, &light.from(Angle::degrees(120.0), Angle::degrees(40.0)), &mut rng());
    let most = one.intensity.samples().iter().zip(two.intensity.samples()).map(|(a, b)| (a - b).abs());
    assert!(most.fold(0.0f32, f32::max) < 1e-3);
}

#[test]
fn an_electron_microscope_sees_rims_bright_and_feet_dark() {
    let step = map(256, 2.0, |x, _| if x > 0.0 { 15.0 } else { 0.0 });
    let settings = Sem { noise: 0.0, charging: 0.0, drift: Length::ZERO, ..Sem::default() };
    let picture = sem(&step, &settings, &mut rng());
    let at = |from: f64| mean(&picture, |x, y| y.abs() < 50.0 && (from..from + 2.0).contains(&(2.0 * x)));
    let (foot, rim, flat) = (at(-5.0), at(2.0), at(60.0));
    assert!(rim > flat + 0.2 && foot < flat, "foot {foot}, rim {rim}, flat {flat}");
}

#[test]
fn pictures_of_marks_stay_in_range_and_carry_their_pitch() {
    let shot = with("level-3", &[("debris", "40")]);
    let case = bench(super::tool::pin(), &shot, 1).surface;
    let light = Light::under(&shot);
    for picture in [
        oblique(&case, &light, &mut rng()),
        oblique(&case, &Light { shadows: true, pitch: Length::um(3.0), ..light.clone() }, &mut rng()),
        ring(&case, &light, &mut rng()),
        sem(&case, &Sem::under(&shot), &mut rng()),
    ] {
        assert!(picture.intensity.samples().iter().all(|value| (0.0..=1.0).contains(value)));
        assert!(picture.pitch.is_some_and(|pitch| pitch.x == pitch.y));
    }
}

//! Lights and false colours.

use topography::render::{self, FalseColour, Light};
use topography::{Angle, Grid, Length, Pitch, Topography};

/// A dome on a flat ground, one point missing.
fn dome() -> Topography {
    let height = |x: usize, y: usize| {
        let away = (x as f64 - 50.0).hypot(y as f64 - 40.0);
        if (x, y) == (5, 5) { f64::NAN } else { (400.0 - away * away).max(0.0).sqrt() }
    };
    Topography { heights: Grid::from_fn(100, 80, height), pitch: Pitch::square(Length::um(1.0)) }
}

fn lamp(azimuth: f64) -> (Angle, Angle) {
    (Angle::degrees(azimuth), Angle::degrees(40.0))
}

#[test]
fn the_flank_towards_the_lamp_is_the_bright_one() {
    let flanks = [(0.0, (50, 30)), (90.0, (60, 40)), (180.0, (50, 50)), (270.0, (40, 40))];
    for (at, (azimuth, bright)) in flanks.into_iter().enumerate() {
        let dark = flanks[(at + 2) % 4].1;
        let (azimuth, elevation) = lamp(azimuth);
        for light in [Light::Hill { azimuth, elevation }, Light::Oblique { azimuth, elevation }] {
            let picture = render::shade(&dome(), light).intensity;
            assert!(
                picture[bright] > picture[dark] + 0.2,
                "{light:?}: {} and {}",
                picture[bright],
                picture[dark]
            );
        }
    }
}

#[test]
fn a_ring_lights_all_flanks_alike() {
    let picture = render::shade(&dome(), Light::Ring { elevation: Angle::degrees(70.0) }).intensity;
    let flanks = [(50, 28), (62, 40), (50, 52), (38, 40)];
    for flank in flanks {
        assert!((picture[flank] - picture[flanks[0]]).abs() < 0.02);
        assert!(picture[(10, 60)] > picture[flank], "flat ground is brighter than a slope");
    }
}

#[test]
fn an_electron_microscope_shows_slopes_and_edges() {
    let picture = render::shade(&dome(), Light::Sem).intensity;
    assert!(picture[(66, 40)] > picture[(10, 60)] + 0.1);
    let step = Topography {
        heights: Grid::from_fn(20, 9, |x, _| if x < 10 { 0.0 } else { 3.0 }),
        pitch: Pitch::square(Length::um(1.0)),
    };
    let picture = render::shade(&step, Light::Sem).intensity;
    assert!(picture[(10, 4)] > picture[(9, 4)] + 0.2, "the upper edge shines, the lower does not");
}

#[test]
fn grey_values_stay_in_range_and_missing_points_are_black() {
    let (azimuth, elevation) = lamp(300.0);
    let lights = [
        Light::Hill { azimuth, elevation },
        Light::Ring { elevation },
        Light::Oblique { azimuth, elevation },
        Light::Sem,
    ];
    for light in lights {
        let picture = render::shade(&dome(), light);
        assert!(picture.intensity.samples().iter().all(|grey| (0.0..=1.0).contains(grey)));
        assert_eq!(picture.intensity[(5, 5)], 0.0);
        assert_eq!(picture.pitch, Some(dome().pitch));
    }
}

#[test]
fn colours_order_by_lightness_and_missing_points_stand_out() {
    let ramp = Topography {
        heights: Grid::from_fn(400, 300, |x, y| if y < 30 { f64::NAN } else { x as f64 }),
        pitch: Pitch::square(Length::um(1.0)),
    };
    let picture = render::false_colour(
        &ramp,
        &FalseColour { range: Some((Length::um(0.0), Length::um(399.0))), shaded: false },
    );
    let luminance = |x: usize, y: usize| {
        let [red, green, blue] = picture[(x, y)].map(f64::from);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    };
    let row: Vec<f64> = (20..400).step_by(20).map(|x| luminance(x, 200)).collect();
    assert!(row.windows(2).all(|pair| pair[1] > pair[0]), "{row:?}");
    let [red, green, blue] = picture[(200, 25)];
    assert!(red == green && green == blue, "missing points are grey");
}

#[test]
fn legend_and_scale_bar_are_drawn() {
    for (width, height, pitch) in [(30, 20, 0.01), (500, 400, 3.125), (2500, 1200, 2.0)] {
        let surface = Topography {
            heights: Grid::from_fn(width, height, |x, y| (x + y) as f64 * 0.01),
            pitch: Pitch { x: Length::um(pitch), y: Length::um(pitch * 1.5) },
        };
        let picture = render::false_colour(&surface, &FalseColour { range: None, shaded: true });
        let ink = |from_x: usize, from_y: usize| {
            let dark = |x: usize, y: usize| picture[(x, y)] == [20; 3];
            (from_y..picture.height()).any(|y| (from_x..picture.width()).any(|x| dark(x, y)))
        };
        assert!(ink(picture.width() - 150, 0), "legend");
        assert!(ink(0, picture.height() - 40), "scale bar");
        assert!(picture.width() < 2000 && picture.height() < 2000);
    }
    let nothing =
        Topography { heights: Grid::filled(10, 10, f64::NAN), pitch: Pitch::square(Length::um(1.0)) };
    assert!(render::false_colour(&nothing, &FalseColour::default()).width() > 100);
}

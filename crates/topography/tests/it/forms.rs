//! Levelling, form removal, spikes, and the parameters of what remains.

use topography::filter::{FilterError, Fit, Form, Spikes, remove_form, remove_spikes};
use topography::{Grid, Length, Pitch, Topography};

fn surface(z: impl Fn(f64, f64) -> f64) -> Topography {
    let heights =
        Grid::from_fn(120, 90, |x, y| if x + y < 20 { f64::NAN } else { z(x as f64 * 2.0, y as f64 * 3.0) });
    Topography { heights, pitch: Pitch { x: Length::um(2.0), y: Length::um(3.0) } }
}

fn worst(topography: &Topography) -> f64 {
    topography.heights.samples().iter().filter(|z| z.is_finite()).fold(0.0, |worst, z| z.abs().max(worst))
}

#[test]
fn a_form_leaves_nothing_of_itself() {
    let plane = surface(|x, y| 100.0 + 0.4 * x - 0.7 * y);
    let bowl = surface(|x, y| 3.0 + 0.1 * x + 2e-3 * x * x - 1e-3 * x * y + 4e-3 * y * y);
    let quartic = surface(|x, y| 1e-7 * (x - 90.0).powi(4) + 2e-7 * x * x * y * y);
    let dome = surface(|x, y| 500.0 + (600.0_f64.powi(2) - (x - 130.0).powi(2) - (y - 110.0).powi(2)).sqrt());
    let pit = surface(|x, y| 50.0 - (900.0_f64.powi(2) - (x - 30.0).powi(2) - (y - 170.0).powi(2)).sqrt());
    let cases = [
        (&plane, Form::Plane),
        (&plane, Form::Polynomial(1)),
        (&bowl, Form::Polynomial(2)),
        (&bowl, Form::Polynomial(8)),
        (&quartic, Form::Polynomial(4)),
        (&dome, Form::Sphere),
        (&pit, Form::Sphere),
    ];
    for (topography, form) in cases {
        for fit in [Fit::LeastSquares, Fit::Robust] {
            let rest = remove_form(topography, form, fit).unwrap();
            assert!(worst(&rest) < 1e-5, "{form:?} {fit:?}: {}", worst(&rest));
            assert_eq!(rest.valid_points(), topography.valid_points());
        }
    }
}

#[test]
fn a_robust_fit_passes_over_a_deep_pit() {
    let in_pit = |x: f64, y: f64| (x - 60.0).hypot(y - 130.0) < 60.0;
    let topography = surface(|x, y| 0.05 * x + 0.2 * (x * 0.7).sin() - if in_pit(x, y) { 80.0 } else { 0.0 });
    let ground = |fit: Fit, form: Form| remove_form(&topography, form, fit).unwrap().heights[(100, 20)].abs();
    assert!(ground(Fit::Robust, Form::Plane) < 0.3);
    assert!(ground(Fit::LeastSquares, Form::Plane) > 1.0);
    assert!(ground(Fit::Robust, Form::Polynomial(2)) < 0.3);
}

#[test]
fn forms_that_the_points_do_not_determine_are_refused() {
    let mut line = surface(|_, _| f64::NAN);
    for x in 0..120 {
        line.heights[(x, 50)] = 1.0;
    }
    for form in [Form::Plane, Form::Polynomial(3), Form::Sphere] {
        for fit in [Fit::LeastSquares, Fit::Robust] {
            assert!(matches!(
                remove_form(&line, form, fit),
                Err(FilterError::TooFewPoints { points: 120, .. })
            ));
        }
    }
    assert_eq!(remove_form(&line, Form::Polynomial(9), Fit::Robust), Err(FilterError::Degree(9)));
    let flat = surface(|_, _| 1.0);
    assert!(matches!(remove_form(&flat, Form::Sphere, Fit::Robust), Err(FilterError::TooFewPoints { .. })));
}

#[test]
fn spikes_go_and_edges_stay() {
    let mut topography =
        surface(|x, y| 0.2 * (x * 0.9).sin() + 0.2 * (y * 0.4).cos() + if x > 120.0 { 25.0 } else { 0.0 });
    let before = topography.valid_points();
    for (x, y, z) in [(30, 30, 90.0), (80, 60, -40.0), (81, 60, -40.0), (110, 5, 1e6)] {
        topography.heights[(x, y)] = z;
    }
    let cleaned = remove_spikes(&topography, &Spikes::default());
    assert_eq!(cleaned.valid_points(), before - 4);
    assert!(
        cleaned.heights[(60, 40)].is_finite() && cleaned.heights[(61, 40)].is_finite(),
        "the step was eaten"
    );
    let smooth = surface(|x, _| x * 1e-3);
    assert_eq!(remove_spikes(&smooth, &Spikes::default()).valid_points(), before);
}

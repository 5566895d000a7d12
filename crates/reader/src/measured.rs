//! Where on an input a whole mark would have been measured.

use topography::Length;

use crate::banks::Banks;
use crate::field::{Field, Region, Surface};

/// Samples to the radius of a mark on the map of what was measured.
const STEPS: usize = 4;
/// Places are as good as the best of them where this much less of a mark would have been measured.
const AS_GOOD: f32 = 0.1;

/// Regions about places where a mark would have been measured as well as anywhere on the input, so many at the most, spread
/// over all there are; one about the middle of an input that has room for no more.
pub(crate) fn places(surface: &Surface, banks: &Banks, most: usize) -> Vec<Region> {
    let [width, height] = surface.extent_um();
    let radius = banks.coarse.extent * banks.module_um;
    let pitch = radius / STEPS as f32;
    let map = surface.sampled([0.0, 0.0, width, height], Length::um(f64::from(pitch)));
    let shares = shares(&map);
    let best = shares.iter().map(|(_, share)| *share).fold(0.0, f32::max);
    let good: Vec<[f32; 2]> =
        shares.into_iter().filter(|(_, share)| *share >= best - AS_GOOD).map(|(middle, _)| middle).collect();
    let count = most.min(good.len());
    let spread = (0..count).map(|k| good[(2 * k + 1) * good.len() / (2 * count)]);
    let middles: Vec<[f32; 2]> = if count == 0 {
        vec![[0.5 * width, 0.5 * height]]
    } else {
        spread.map(|middle| middle.map(|k| (k + 0.5) * pitch)).collect()
    };
    middles.into_iter().map(|middle| about(middle, [width, height], crate::region::HALF * radius)).collect()
}

/// A square about a place, as far as the input goes.
fn about([x, y]: [f32; 2], [width, height]: [f32; 2], half: f32) -> Region {
    [(x - half).max(0.0), (y - half).max(0.0), (x + half).min(width), (y + half).min(height)]
}

/// Middles of marks that lie wholly on a map, in its samples, with the share of each that was measured.
fn shares(map: &Field) -> Vec<([f32; 2], f32)> {
    let reach = STEPS as isize;
    let disc: Vec<(isize, isize)> = (-reach..=reach)
        .flat_map(|y| (-reach..=reach).map(move |x| (x, y)))
        .filter(|(x, y)| x * x + y * y <= reach * reach)
        .collect();
    let (width, height) = (map.known.width(), map.known.height());
    let mut shares = Vec::new();
    for y in STEPS..height.saturating_sub(STEPS) {
        for x in STEPS..width.saturating_sub(STEPS) {
            let known = |(dx, dy): &(isize, isize)| {
                map.known[(x.saturating_add_signed(*dx), y.saturating_add_signed(*dy))]
            };
            let share = disc.iter().map(known).sum::<f32>() / disc.len() as f32;
            shares.push(([x as f32, y as f32], share));
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use symbology::{Mark, Scheme};
    use topography::{Grid, Pitch, Topography};

    use super::*;

    fn places_on(size: usize, measured: impl Fn(usize) -> bool) -> Vec<Region> {
        let height = |x: usize, y: usize| if measured(x) { ((x + 3 * y) % 7) as f64 } else { f64::NAN };
        let heights = Grid::from_fn(size, size, height);
        let surface = Topography { heights, pitch: Pitch::square(Length::um(4.0)) };
        let banks = Banks::draw(&Scheme::open_1(), &[Mark::Characters, Mark::Gear], Length::um(19.0));
        places(&Surface::Heights(&surface), &banks, 4)
    }

    #[test]
    fn marks_are_laid_where_the_surface_was_measured() {
        let places = places_on(800, |x| x >= 400);
        assert_eq!(places.len(), 4);
        for [left, _, right, _] in places {
            assert!(0.5 * (left + right) > 1_600.0 + 250.0, "{left} to {right} µm");
        }
    }

    #[test]
    fn an_input_that_has_room_for_one_mark_is_asked_about_its_middle() {
        for [left, top, right, bottom] in places_on(150, |_| true) {
            assert_eq!([left, top, right, bottom], [0.0, 0.0, 600.0, 600.0]);
        }
    }
}

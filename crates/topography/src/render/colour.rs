//! Heights as colours, with a legend and a scale bar.

use super::lettering::{LETTER_HEIGHT, fill, text_width, write};
use super::{FalseColour, Light, shade};
use crate::{Angle, Grid, Length, Topography, resample};

const PAPER: [u8; 3] = [255; 3];
const INK: [u8; 3] = [20; 3];
/// Missing points: a chequered grey that no height has.
const MISSING: [[u8; 3]; 2] = [[200; 3], [170; 3]];
const CHEQUER: usize = 4;
/// Maps are drawn between these sizes, by repeating or averaging samples.
const LEAST_SIDE: usize = 400;
const MOST_SIDE: usize = 1600;

/// Draws heights as colours: the map, a scale bar below it, a legend in micrometres beside it.
///
/// The colours run from dark blue to light yellow in equal steps of lightness as the eye judges it (Oklab, Ottosson 2020),
/// so that they also order rightly in grey. Missing points are chequered grey. Unequal pitches are made square first.
///
/// ```
/// use topography::render::{self, FalseColour};
/// use topography::{Grid, Length, Pitch, Topography};
///
/// let heights = Grid::from_fn(200, 150, |x, y| ((x as f64) * 0.1).sin() + y as f64 * 0.02);
/// let topography = Topography { heights, pitch: Pitch::square(Length::um(2.0)) };
/// let picture = render::false_colour(&topography, &FalseColour::default());
/// assert!(picture.width() > 400 && picture.height() > 300);
/// ```
pub fn false_colour(topography: &Topography, how: &FalseColour) -> Grid<[u8; 3]> {
    let map = fit_size(&resample::to_square(topography));
    let range = how.range.map_or_else(|| middle_range(&map), |(low, high)| (low.to_um(), high.to_um()));
    let range = if range.1 > range.0 { range } else { (range.0 - 0.5, range.0 + 0.5) };
    let zoom = LEAST_SIDE.div_ceil(map.heights.width().max(1)).max(1);
    let frame = Frame::around(&map, zoom);
    let mut picture = Grid::filled(frame.size.0, frame.size.1, PAPER);
    draw_map(&mut picture, &map, range, how.shaded, &frame);
    draw_legend(&mut picture, range, &frame);
    draw_bar(&mut picture, map.pitch.x / zoom as f64, &frame);
    picture
}

/// The places of map, legend and bar in the picture.
struct Frame {
    size: (usize, usize),
    margin: usize,
    map: (usize, usize),
    zoom: usize,
    dots: usize,
}

impl Frame {
    fn around(topography: &Topography, zoom: usize) -> Self {
        let map = (topography.heights.width() * zoom, topography.heights.height() * zoom);
        let dots = if map.0 >= 900 { 3 } else { 2 };
        let margin = 8 * dots;
        let legend = margin + 10 * dots + text_width("-000.00 µm") * dots;
        let below = 2 * margin + (LETTER_HEIGHT + 6) * dots;
        let least = 14 * LETTER_HEIGHT * dots;
        Self {
            size: (map.0 + legend + 2 * margin, (map.1 + margin + below).max(least)),
            margin,
            map,
            zoom,
            dots,
        }
    }
}

fn fit_size(topography: &Topography) -> Topography {
    let side = topography.heights.width().max(topography.heights.height());
    if side <= MOST_SIDE {
        return topography.clone();
    }
    let factor = side as f64 / MOST_SIDE as f64;
    resample::to_pitch(topography, crate::Pitch::square(topography.pitch.x * factor))
}

/// The lowest and highest of the middle 99 % of the measured heights.
fn middle_range(topography: &Topography) -> (f64, f64) {
    let mut heights: Vec<f64> =
        topography.heights.samples().iter().copied().filter(|height| height.is_finite()).collect();
    if heights.is_empty() {
        return (0.0, 1.0);
    }
    heights.sort_unstable_by(f64::total_cmp);
    let cut = heights.len() / 200;
    (heights[cut], heights[heights.len() - 1 - cut])
}

fn draw_map(picture: &mut Grid<[u8; 3]>, map: &Topography, range: (f64, f64), shaded: bool, frame: &Frame) {
    let light = Light::Hill { azimuth: Angle::degrees(315.0), elevation: Angle::degrees(55.0) };
    let shading = shaded.then(|| shade(map, light).intensity);
    for y in 0..frame.map.1 {
        for x in 0..frame.map.0 {
            let place = (x / frame.zoom, y / frame.zoom);
            let height = map.heights[place];
            let brightness = shading.as_ref().map_or(1.0, |shading| 0.35 + 0.8 * f64::from(shading[place]));
            picture[(x + frame.margin, y + frame.margin)] = if height.is_finite() {
                colour((height - range.0) / (range.1 - range.0), brightness)
            } else {
                MISSING[(x / CHEQUER + y / CHEQUER) % 2]
            };
        }
    }
}

fn draw_legend(picture: &mut Grid<[u8; 3]>, range: (f64, f64), frame: &Frame) {
    let (left, dots) = (2 * frame.margin + frame.map.0, frame.dots);
    let tall = (picture.height() - 2 * frame.margin).min(frame.map.1.max(12 * LETTER_HEIGHT * dots));
    for y in 0..tall {
        let share = 1.0 - y as f64 / (tall - 1) as f64;
        fill(picture, (left, frame.margin + y), (8 * dots, 1), colour(share, 1.0));
    }
    let step = nice_step((range.1 - range.0) / 5.0);
    let digits = (-step.log10().floor()).max(0.0) as usize;
    let mut tick = (range.0 / step).ceil();
    while tick * step <= range.1 + 1e-9 * step {
        let height = tick * step;
        let share = (height - range.0) / (range.1 - range.0);
        let y = frame.margin + ((1.0 - share) * (tall - 1) as f64).round() as usize;
        fill(picture, (left + 8 * dots, y), (2 * dots, dots.div_ceil(2)), INK);
        let top = y.saturating_sub(LETTER_HEIGHT * dots / 2);
        // Adding zero turns a minus zero into a plain one.
        write(picture, (left + 12 * dots, top), &format!("{:.digits$} µm", height + 0.0), dots, INK);
        tick += 1.0;
    }
}

fn draw_bar(picture: &mut Grid<[u8; 3]>, per_sample: Length, frame: &Frame) {
    let length = nice_step(frame.map.0 as f64 * per_sample.to_um() / 4.0);
    let wide = (length / per_sample.to_um()).round() as usize;
    let top = frame.margin * 2 + frame.map.1;
    let label = if length >= 1000.0 {
        format!("{} mm", length / 1000.0)
    } else if length >= 1.0 {
        format!("{length} µm")
    } else {
        format!("{} nm", (length * 1000.0).round())
    };
    fill(picture, (frame.margin, top), (wide, 2 * frame.dots), INK);
    write(picture, (frame.margin, top + 4 * frame.dots), &label, frame.dots, INK);
}

/// The largest of 1, 2 and 5 times a power of ten that is not larger.
fn nice_step(wanted: f64) -> f64 {
    let power = 10_f64.powf(wanted.max(1e-12).log10().floor());
    let share = wanted / power;
    power
        * if share >= 5.0 {
            5.0
        } else if share >= 2.0 {
            2.0
        } else {
            1.0
        }
}

/// A colour for a share of 0..=1: lightness 0.22 to 0.95 and hue 285° to 100° in equal steps of Oklab.
fn colour(share: f64, brightness: f64) -> [u8; 3] {
    let share = share.clamp(0.0, 1.0);
    let lightness = (0.22 + 0.73 * share) * brightness.cbrt();
    let hue = (285.0 - 185.0 * share).to_radians();
    let chroma = 0.13 - 0.05 * (2.0 * share - 1.0).powi(2);
    let (a, b) = (chroma * hue.cos(), chroma * hue.sin());
    let cube = |value: f64| value * value * value;
    let l = cube(lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b);
    let m = cube(lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b);
    let s = cube(lightness - 0.089_484_177_5 * a - 1.291_485_548 * b);
    [
        4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s,
        -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s,
        -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701 * s,
    ]
    .map(encode)
}

/// The transfer function of sRGB (IEC 61966-2-1).
fn encode(linear: f64) -> u8 {
    let linear = linear.clamp(0.0, 1.0);
    let value = if linear <= 0.003_130_8 { 12.92 * linear } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 };
    (value * 255.0).round() as u8
}

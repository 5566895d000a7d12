//! A rough simulator of struck marks, for tests alone: flow blur, wear, missing metal, drag, double strike, texture, bowl,
//! and a camera under oblique or ring light. Everything here is invented statistics, not measured primers.

// Two programs use different parts of this file; plain loops over planes say what they do.
#![allow(dead_code, unreachable_pub, clippy::pedantic, clippy::let_and_return, clippy::needless_range_loop)]

use rand::{Rng, RngExt, SeedableRng, rngs::ChaCha8Rng};
use symbology::geometry::Element;
use topography::{Grid, Length, Micrograph, Pitch, Topography};

/// What befalls a mark; lengths in micrometres.
#[derive(Clone, Copy, Debug)]
pub struct Damage {
    pub depth: f64,
    pub flow: f64,
    pub missing: f64,
    pub tilt: f64,
    pub drag: f64,
    pub striae: f64,
    pub double: f64,
    pub wear: f64,
    pub rough: f64,
    pub machining: f64,
    pub psf: f64,
    pub noise: f64,
}

pub const CONDITIONS: [&str; 11] = [
    "level-0", "level-1", "level-2", "level-3", "level-4", "blur", "missing", "drag", "double", "worn",
    "rough",
];

impl Damage {
    #[rustfmt::skip]
    pub fn named(name: &str) -> Self {
        let row = |v: [f64; 12]| Self {
            depth: v[0], flow: v[1], missing: v[2], tilt: v[3], drag: v[4], striae: v[5], double: v[6], wear: v[7],
            rough: v[8], machining: v[9], psf: v[10], noise: v[11],
        };
        let level_1 = row([9.0, 2.0, 0.0, 0.10, 0.0, 0.10, 0.0, 0.15, 0.40, 0.30, 1.0, 0.015]);
        match name {
            "level-0" => row([10.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.12, 0.05, 0.8, 0.01]),
            "level-1" => level_1,
            "level-2" => row([6.5, 3.5, 0.05, 0.25, 6.0, 0.25, 0.0, 0.30, 0.50, 0.40, 1.2, 0.02]),
            "level-3" => row([5.5, 4.0, 0.12, 0.35, 10.0, 0.40, 0.0, 0.40, 0.65, 0.55, 1.3, 0.025]),
            "level-4" => row([5.0, 5.0, 0.20, 0.40, 15.0, 0.50, 20.0, 0.50, 0.80, 0.70, 1.4, 0.03]),
            "blur" => Self { flow: 9.0, depth: 5.0, ..level_1 },
            "missing" => Self { missing: 0.30, ..level_1 },
            "drag" => Self { drag: 34.0, striae: 0.8, ..level_1 },
            "double" => Self { double: 30.0, ..level_1 },
            "worn" => Self { wear: 0.85, ..level_1 },
            "rough" => Self { rough: 1.5, machining: 1.5, ..level_1 },
            _ => panic!("no condition is called {name}"),
        }
    }
}

/// Where the mark lies and how it is looked at.
#[derive(Clone, Copy, Debug)]
pub struct View {
    pub size: usize,
    pub pitch_um: f64,
    pub module_um: f64,
    pub offset_um: [f64; 2],
    pub rotation: f64,
    pub scale: f64,
    pub mirrored: bool,
    pub sunk: bool,
    pub rim_um: f64,
}

impl Default for View {
    fn default() -> Self {
        Self {
            size: 512,
            pitch_um: 2.0,
            module_um: 19.0,
            offset_um: [0.0; 2],
            rotation: 0.0,
            scale: 1.0,
            mirrored: false,
            sunk: false,
            rim_um: 430.0,
        }
    }
}

impl View {
    /// Slightly turned, shifted and scaled, as a person would place a case.
    pub fn upright(rng: &mut impl Rng) -> Self {
        Self {
            offset_um: [rng.random_range(-16.0..16.0), rng.random_range(-16.0..16.0)],
            rotation: rng.random_range(-4.0f64..4.0).to_radians(),
            scale: rng.random_range(0.95..1.05),
            ..Self::default()
        }
    }

    /// Any turn, either side, any scale in 15 %, off-centre.
    pub fn anyhow(rng: &mut impl Rng) -> Self {
        Self {
            offset_um: [rng.random_range(-50.0..50.0), rng.random_range(-50.0..50.0)],
            rotation: rng.random_range(0.0..std::f64::consts::TAU),
            scale: rng.random_range(0.86..1.14),
            mirrored: rng.random_bool(0.5),
            sunk: rng.random_bool(0.5),
            rim_um: 470.0,
            ..Self::default()
        }
    }
}

type Plane = Vec<f32>;

/// A struck case as a height map; no elements means an unmarked one.
pub fn strike(elements: &[Element], damage: &Damage, view: &View, rng: &mut ChaCha8Rng) -> Topography {
    let n = view.size;
    let mark = transferred(elements, damage, view, rng);
    let sign = if view.sunk { -1.0 } else { 1.0 };
    let texture = texture(damage, view, rng);
    let heights = (0..n * n)
        .map(|i| f64::from(sign * mark[i] + texture[i]) + bowl(view, i % n, i / n) + 0.08 * gauss(rng))
        .collect();
    Topography { heights: Grid::from_vec(n, n, heights), pitch: Pitch::square(Length::um(view.pitch_um)) }
}

fn transferred(elements: &[Element], damage: &Damage, view: &View, rng: &mut ChaCha8Rng) -> Plane {
    let n = view.size;
    let px = |um: f64| um / view.pitch_um;
    let mut mark = worn(draw(elements, view, 0.0, [0.0; 2]), damage, view, rng);
    if damage.double > 0.0 {
        let reach = damage.double * rng.random_range(0.8..1.2);
        let turn = rng.random_range(0.0..std::f64::consts::TAU);
        let lean = rng.random_range(-3.0f64..3.0).to_radians();
        let weight = rng.random_range(0.45..0.75) as f32;
        let first = draw(elements, view, lean, [reach * turn.cos(), reach * turn.sin()]);
        let first = worn(first, damage, view, rng);
        mark.iter_mut().zip(first).for_each(|(second, first)| *second = second.max(weight * first));
    }
    mark.iter_mut().for_each(|value| *value *= damage.depth as f32);
    if damage.drag > 0.0 {
        mark = smeared(&mark, n, px(damage.drag), rng.random_range(0.0..std::f64::consts::TAU));
    }
    let mark = blurred(&mark, n, n, px(damage.flow), px(damage.flow));
    let transfer = transfer_map(damage, view, rng);
    mark.iter().zip(transfer).map(|(a, b)| a * b).collect()
}

fn worn(mark: Plane, damage: &Damage, view: &View, rng: &mut ChaCha8Rng) -> Plane {
    let (n, wear) = (view.size, damage.wear);
    let sigma = (1.5 + 7.0 * wear) / view.pitch_um;
    let uneven = random_field(n, 40.0 / view.pitch_um, 40.0 / view.pitch_um, rng);
    blurred(&mark, n, n, sigma, sigma)
        .iter()
        .zip(uneven)
        .map(|(&value, field)| {
            let height = f64::from(value) * (1.0 - 0.35 * wear) * (1.0 + 0.25 * wear * f64::from(field));
            (height - 0.10 * wear).max(0.0) as f32
        })
        .collect()
}

fn transfer_map(damage: &Damage, view: &View, rng: &mut ChaCha8Rng) -> Plane {
    let n = view.size;
    let towards = rng.random_range(0.0..std::f64::consts::TAU);
    let um = |i: usize| (i as f64 - n as f64 / 2.0) * view.pitch_um;
    let along = |i: usize, angle: f64| um(i % n) * angle.cos() + um(i / n) * angle.sin();
    let sigma = 35.0 / view.pitch_um;
    let noise = random_field(n, sigma, sigma, rng);
    let gradient = rng.random_range(0.0..std::f64::consts::TAU);
    let lost: Vec<f64> = (0..n * n).map(|i| f64::from(noise[i]) + along(i, gradient) / 360.0).collect();
    let radius = 400.0 * view.scale;
    let mut inside: Vec<f64> = (0..n * n)
        .filter(|&i| (um(i % n) - view.offset_um[0]).hypot(um(i / n) - view.offset_um[1]) < radius)
        .map(|i| lost[i])
        .collect();
    inside.sort_by(f64::total_cmp);
    let threshold = inside[((1.0 - damage.missing) * (inside.len() - 1) as f64) as usize];
    let gone: Plane = lost.iter().map(|&v| f32::from(damage.missing > 0.0 && v > threshold)).collect();
    let gone = blurred(&gone, n, n, 5.0 / view.pitch_um, 5.0 / view.pitch_um);
    (0..n * n)
        .map(|i| {
            let loss = damage.tilt * ((along(i, towards) / 360.0 + 1.0) / 2.0).clamp(0.0, 1.0);
            (1.0 - loss as f32) * (1.0 - gone[i])
        })
        .collect()
}

fn texture(damage: &Damage, view: &View, rng: &mut ChaCha8Rng) -> Plane {
    let n = view.size;
    let px = |um: f64| um / view.pitch_um;
    let fine = random_field(n, px(3.0), px(3.0), rng);
    let coarse = random_field(n, px(9.0), px(9.0), rng);
    let mut texture: Plane =
        (0..n * n).map(|i| damage.rough as f32 * (0.75 * fine[i] + 0.65 * coarse[i])).collect();
    let lines = turned(&random_field(n, px(150.0), px(4.0), rng), n, rng.random_range(0.0..3.2));
    let concentric = rng.random_bool(0.5);
    let (cx, cy) = (rng.random_range(-1.5..1.5), rng.random_range(-1.5..1.5));
    let rings: Vec<f32> = {
        let field = random_field(n, px(4.0), 0.1, rng);
        field
    };
    for i in 0..n * n {
        let line = if concentric {
            let (x, y) = ((i % n) as f64 - n as f64 * (0.5 + cx), (i / n) as f64 - n as f64 * (0.5 + cy));
            rings[(x.hypot(y) as usize) % (n * 4)]
        } else {
            lines[i]
        };
        texture[i] += damage.machining as f32 * line;
    }
    if damage.striae > 0.0 {
        let striae = turned(&random_field(n, px(120.0), px(3.0), rng), n, rng.random_range(0.0..3.2));
        texture.iter_mut().zip(striae).for_each(|(t, s)| *t += damage.striae as f32 * s);
    }
    texture
}

fn bowl(view: &View, x: usize, y: usize) -> f64 {
    let um = |i: usize| (i as f64 - view.size as f64 / 2.0) * view.pitch_um;
    let r = um(x).hypot(um(y));
    let cap = |r: f64| 700.0 - (700.0f64.powi(2) - r * r).sqrt();
    let ridge = 6.0 * (-(r - view.rim_um).powi(2) / (2.0 * 12.0f64.powi(2))).exp();
    cap(r.min(view.rim_um)) - cap(view.rim_um) + ridge
}

/// A picture of a height map under light from one side, or from sixteen.
pub fn photograph(surface: &Topography, damage: &Damage, ring: bool, rng: &mut ChaCha8Rng) -> Micrograph {
    let lamps: Vec<[f64; 3]> = if ring {
        (0..16).map(|k| light(f64::from(k) * std::f64::consts::TAU / 16.0, 38.0)).collect()
    } else {
        vec![light(rng.random_range(0.0..std::f64::consts::TAU), rng.random_range(25.0..42.0))]
    };
    photographs(surface, damage, &[lamps], rng).remove(0)
}

/// Four pictures of one view, lit from four sides.
pub fn four_lights(surface: &Topography, damage: &Damage, rng: &mut ChaCha8Rng) -> Vec<Micrograph> {
    let first = rng.random_range(0.0..std::f64::consts::TAU);
    let up = rng.random_range(25.0..42.0);
    let lamp = |k: i32| vec![light(first + f64::from(k) * std::f64::consts::FRAC_PI_2, up)];
    photographs(surface, damage, &(0..4).map(lamp).collect::<Vec<_>>(), rng)
}

/// Pictures of one surface with its stains, each under some lamps.
pub fn photographs(
    surface: &Topography,
    damage: &Damage,
    shots: &[Vec<[f64; 3]>],
    rng: &mut ChaCha8Rng,
) -> Vec<Micrograph> {
    let n = surface.heights.width();
    let step = 2.0 * surface.pitch.x.to_um();
    let z = |x: usize, y: usize| surface.heights[(x.min(n - 1), y.min(n - 1))];
    let mut stains: Plane = random_field(n, 6.0, 6.0, rng)
        .iter()
        .map(|&mottle| (1.0 + 0.08 * f64::from(mottle)) as f32)
        .collect();
    for _ in 0..rng.random_range(0..12) {
        soot(&mut stains, n, rng);
    }
    let mut pictures = Vec::new();
    for lamps in shots {
        let mut picture = vec![0.0f32; n * n];
        for y in 0..n {
            for x in 0..n {
                let p = (z(x + 1, y) - z(x.saturating_sub(1), y)) / step;
                let q = (z(x, y + 1) - z(x, y.saturating_sub(1))) / step;
                let norm = (1.0 + p * p + q * q).sqrt();
                let normal = [-p / norm, -q / norm, 1.0 / norm];
                let shade: f64 = lamps.iter().map(|l| reflect(normal, *l)).sum::<f64>() / lamps.len() as f64;
                picture[y * n + x] = shade as f32 * stains[y * n + x];
            }
        }
        pictures.push(developed(picture, n, damage, surface, rng));
    }
    pictures
}

fn soot(picture: &mut [f32], n: usize, rng: &mut ChaCha8Rng) {
    let (cx, cy, r) =
        (rng.random_range(0.0..n as f64), rng.random_range(0.0..n as f64), rng.random_range(3.0..10.0f64));
    for (i, value) in picture.iter_mut().enumerate() {
        let d = ((i % n) as f64 - cx).hypot((i / n) as f64 - cy) / r;
        *value *= 1.0 - 0.6 * (-d * d).exp() as f32;
    }
}

fn developed(
    picture: Plane,
    n: usize,
    damage: &Damage,
    surface: &Topography,
    rng: &mut ChaCha8Rng,
) -> Micrograph {
    let mut picture = blurred(&picture, n, n, damage.psf, damage.psf);
    let mut sorted = picture.clone();
    sorted.sort_by(f32::total_cmp);
    let (low, high) = (sorted[sorted.len() / 200], sorted[sorted.len() - sorted.len() / 200 - 1]);
    for value in &mut picture {
        let stretched = (*value - low) / (high - low) + (damage.noise * gauss(rng)) as f32;
        *value = (stretched.clamp(0.0, 1.0) * 255.0).round() / 255.0;
    }
    Micrograph { intensity: Grid::from_vec(n, n, picture), pitch: Some(surface.pitch) }
}

fn light(azimuth: f64, elevation: f64) -> [f64; 3] {
    let up = elevation.to_radians();
    [azimuth.cos() * up.cos(), azimuth.sin() * up.cos(), up.sin()]
}

fn reflect(normal: [f64; 3], light: [f64; 3]) -> f64 {
    let dot = |a: [f64; 3], b: [f64; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    let half = [light[0], light[1], light[2] + 1.0];
    let length = dot(half, half).sqrt();
    dot(normal, light).max(0.0) + 0.35 * (dot(normal, half) / length).max(0.0).powi(14)
}

fn draw(elements: &[Element], view: &View, lean: f64, shift: [f64; 2]) -> Plane {
    let n = view.size;
    let module = view.module_um * view.scale;
    let (sin, cos) = (view.rotation + lean).sin_cos();
    let circles: Vec<[f64; 3]> = elements.iter().map(circle).collect();
    let extent = circles.iter().map(|c| c[0].hypot(c[1]) + c[2]).fold(0.0, f64::max);
    let mut plane = vec![0.0f32; n * n];
    for y in 0..n {
        for x in 0..n {
            let at = |i: usize, k: usize| {
                (i as f64 - n as f64 / 2.0) * view.pitch_um - view.offset_um[k] - shift[k]
            };
            let (dx, dy) = (at(x, 0), at(y, 1));
            let (u, v) = ((cos * dx + sin * dy) / module, (-sin * dx + cos * dy) / module);
            let u = if view.mirrored { -u } else { u };
            if u.hypot(v) > extent {
                continue;
            }
            let depth = elements
                .iter()
                .zip(&circles)
                .filter(|(_, c)| (u - c[0]).hypot(v - c[1]) < c[2])
                .map(|(e, _)| inside(e, u, v))
                .fold(f64::NEG_INFINITY, f64::max);
            plane[y * n + x] = (0.5 + depth * module / view.pitch_um).clamp(0.0, 1.0) as f32;
        }
    }
    plane
}

/// A circle that holds an element with a little room: middle and radius.
fn circle(element: &Element) -> [f64; 3] {
    let around = |points: &[[f64; 2]], margin: f64| {
        let n = points.len() as f64;
        let (cx, cy) =
            (points.iter().map(|p| p[0]).sum::<f64>() / n, points.iter().map(|p| p[1]).sum::<f64>() / n);
        let reach = points.iter().map(|p| (p[0] - cx).hypot(p[1] - cy)).fold(0.0, f64::max);
        [cx, cy, reach + margin + 0.5]
    };
    match element {
        Element::Stroke { points, width } => {
            around(&points.iter().map(|p| [p.x, p.y]).collect::<Vec<_>>(), *width)
        }
        Element::Sector { inner, outer, from, to } => {
            let corners = [*from, (from + to) / 2.0, *to];
            around(
                &corners
                    .iter()
                    .flat_map(|a| [[inner * a.cos(), inner * a.sin()], [outer * a.cos(), outer * a.sin()]])
                    .collect::<Vec<_>>(),
                0.5,
            )
        }
        Element::Dot { centre, diameter } => [centre.x, centre.y, diameter + 0.5],
        Element::Square { centre, side } => [centre.x, centre.y, side + 0.5],
    }
}

/// How far inside an element, in modules; negative outside.
fn inside(element: &Element, u: f64, v: f64) -> f64 {
    match element {
        Element::Stroke { points, width } => {
            let to = |a: &symbology::geometry::Point, b: &symbology::geometry::Point| {
                let (ex, ey) = (b.x - a.x, b.y - a.y);
                let t = ((u - a.x) * ex + (v - a.y) * ey) / (ex * ex + ey * ey).max(1e-12);
                let t = t.clamp(0.0, 1.0);
                (u - a.x - t * ex).hypot(v - a.y - t * ey)
            };
            width / 2.0 - points.windows(2).map(|s| to(&s[0], &s[1])).fold(f64::INFINITY, f64::min)
        }
        Element::Sector { inner, outer, from, to } => {
            let r = u.hypot(v);
            let mut angle = v.atan2(u);
            while angle < (from + to) / 2.0 - std::f64::consts::PI {
                angle += std::f64::consts::TAU;
            }
            while angle > (from + to) / 2.0 + std::f64::consts::PI {
                angle -= std::f64::consts::TAU;
            }
            (r - inner).min(outer - r).min((angle - from) * r).min((to - angle) * r)
        }
        Element::Dot { centre, diameter } => diameter / 2.0 - (u - centre.x).hypot(v - centre.y),
        Element::Square { centre, side } => side / 2.0 - (u - centre.x).abs().max((v - centre.y).abs()),
    }
}

pub fn gauss(rng: &mut impl Rng) -> f64 {
    let u: f64 = rng.random_range(f64::MIN_POSITIVE..1.0);
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

/// Unit-variance noise with Gaussian correlation lengths along x and y, in samples.
pub fn random_field(n: usize, sx: f64, sy: f64, rng: &mut ChaCha8Rng) -> Plane {
    let white: Plane = (0..n * n).map(|_| gauss(rng) as f32).collect();
    let mut field = blurred(&white, n, n, sx / 1.414, sy / 1.414);
    let mean = field.iter().sum::<f32>() / field.len() as f32;
    let power = field.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / field.len() as f32;
    field.iter_mut().for_each(|v| *v = (*v - mean) / power.sqrt());
    field
}

fn turned(plane: &[f32], n: usize, angle: f64) -> Plane {
    let (sin, cos) = angle.sin_cos();
    let half = n as f64 / 2.0;
    (0..n * n)
        .map(|i| {
            let (x, y) = ((i % n) as f64 - half, (i / n) as f64 - half);
            let fold = |v: f64| (v + 10.0 * n as f64) as usize % n;
            plane[fold(-sin * x + cos * y + half) * n + fold(cos * x + sin * y + half)]
        })
        .collect()
}

fn smeared(plane: &[f32], n: usize, length: f64, direction: f64) -> Plane {
    let steps = (4.0 * length).ceil() as usize;
    let (dy, dx) = direction.sin_cos();
    let mut out = vec![0.0f32; n * n];
    let total: f64 = (0..steps).map(|k| (-(k as f64) / length).exp()).sum();
    for k in 0..steps {
        let weight = ((-(k as f64) / length).exp() / total) as f32;
        let (sx, sy) = ((k as f64 * dx).round() as isize, (k as f64 * dy).round() as isize);
        for y in 0..n as isize {
            let from = y - sy;
            if from < 0 || from >= n as isize {
                continue;
            }
            for x in 0.max(sx)..(n as isize).min(n as isize + sx) {
                out[(y * n as isize + x) as usize] += weight * plane[(from * n as isize + x - sx) as usize];
            }
        }
    }
    out
}

pub fn blurred(plane: &[f32], width: usize, height: usize, sx: f64, sy: f64) -> Plane {
    let rows = blur_rows(plane, width, height, sx);
    let columns = blur_rows(&flipped(&rows, width, height), height, width, sy);
    flipped(&columns, height, width)
}

fn flipped(plane: &[f32], width: usize, height: usize) -> Plane {
    let mut out = vec![0.0; plane.len()];
    for y in 0..height {
        for x in 0..width {
            out[x * height + y] = plane[y * width + x];
        }
    }
    out
}

fn blur_rows(plane: &[f32], width: usize, height: usize, sigma: f64) -> Plane {
    if sigma < 0.3 {
        return plane.to_vec();
    }
    let mut out = plane.to_vec();
    if sigma < 3.0 {
        let reach = (4.0 * sigma).ceil() as isize;
        let kernel: Vec<f32> =
            (-reach..=reach).map(|k| (-(k * k) as f64 / (2.0 * sigma * sigma)).exp() as f32).collect();
        let total: f32 = kernel.iter().sum();
        for y in 0..height {
            let row = &plane[y * width..(y + 1) * width];
            for x in 0..width {
                let at = |k: isize| row[(x as isize + k).clamp(0, width as isize - 1) as usize];
                out[y * width + x] =
                    (-reach..=reach).zip(&kernel).map(|(k, w)| w * at(k)).sum::<f32>() / total;
            }
        }
        return out;
    }
    let reach = (((4.0 * sigma * sigma + 1.0).sqrt() - 1.0) / 2.0).round() as isize;
    for _ in 0..3 {
        for y in 0..height {
            let row = out[y * width..(y + 1) * width].to_vec();
            let at = |x: isize| row[x.clamp(0, width as isize - 1) as usize];
            let mut sum: f32 = (-reach..=reach).map(at).sum();
            for x in 0..width as isize {
                out[y * width + x as usize] = sum / (2 * reach + 1) as f32;
                sum += at(x + reach + 1) - at(x - reach);
            }
        }
    }
    out
}

pub fn seeded(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// A word of the mother code, drawn at random.
pub fn random_word(rng: &mut impl Rng) -> Vec<u8> {
    let payload: [symbology::Symbol; 6] = std::array::from_fn(|_| {
        symbology::Symbol::new(rng.random_range(0..32)).expect("32 values are symbols")
    });
    symbology::mother::encode(&payload).iter().map(|symbol| symbol.value()).collect()
}

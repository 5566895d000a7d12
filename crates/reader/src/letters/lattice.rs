//! Where two rows of characters could lie: boxes full of strokes with bare ground between and around them.

use topography::Grid;

use crate::blur::blur;
use crate::field::Field;

/// Rows and columns of characters on a field, in its samples.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lattice {
    pub(crate) centre: [f32; 2],
    /// From one character to the next, and from one row to the next.
    pub(crate) right: [f32; 2],
    pub(crate) down: [f32; 2],
    /// The height of capitals.
    pub(crate) cap: f32,
}

impl Lattice {
    /// Whether it is seen from behind.
    pub(crate) fn behind(&self) -> bool {
        self.right[0] * self.down[1] < self.right[1] * self.down[0]
    }

    pub(crate) fn at(&self, column: f32, row: f32) -> [f32; 2] {
        [0, 1].map(|k| self.centre[k] + column * self.right[k] + row * self.down[k])
    }
}

/// Micrometres between samples of the map of strokes.
const PITCH_UM: f32 = 10.0;
/// Heights of capitals in micrometres: the smallest, how many, and each against the one before.
const CAPS_UM: (f32, i32, f32) = (78.0, 10, 1.11);
/// Distances of columns and of rows against the height of capitals.
const COLUMNS: [f32; 5] = [0.70, 0.78, 0.87, 0.97, 1.08];
const ROWS: [f32; 4] = [1.2, 1.33, 1.48, 1.65];
/// Turns that are tried.
const TURNS: usize = 30;
/// How far from the middle of the bowl the middle of the characters is looked for, and how far it may well lie, samples.
const REACH: i32 = 16;
const NEAR: f32 = 9.0;
/// Lattices that are kept.
const KEPT: usize = 8;

/// A sum over all rectangles that begin in a corner of a square map.
struct Sums {
    side: usize,
    sums: Vec<f64>,
}

impl Sums {
    fn of(side: usize, values: impl Fn(usize) -> f32) -> Self {
        let mut sums = vec![0.0; (side + 1) * (side + 1)];
        for y in 0..side {
            let mut row = 0.0;
            for x in 0..side {
                row += f64::from(values(y * side + x));
                sums[(y + 1) * (side + 1) + x + 1] = sums[y * (side + 1) + x + 1] + row;
            }
        }
        Self { side, sums }
    }

    /// Over a rectangle about a place.
    fn within(&self, [x, y]: [f32; 2], [width, height]: [i32; 2]) -> f32 {
        let limit = self.side as i32;
        let low = |k: f32, size: i32| (k - 0.5 * size as f32).round() as i32;
        let (x0, y0) = (low(x, width), low(y, height));
        let [x0, x1] = [x0, x0 + width].map(|k| k.clamp(0, limit) as usize);
        let [y0, y1] = [y0, y0 + height].map(|k| k.clamp(0, limit) as usize);
        let at = |x: usize, y: usize| self.sums[y * (self.side + 1) + x];
        (at(x1, y1) - at(x0, y1) - at(x1, y0) + at(x0, y0)) as f32
    }
}

/// A lattice of boxes as it was found: all in samples of the map of strokes, the centre from the middle, unturned.
#[derive(Clone, Copy)]
struct Found {
    score: f32,
    turn: usize,
    centre: [f32; 2],
    cap: f32,
    columns: f32,
    rows: f32,
}

/// The likeliest lattices of `[rows, columns]` characters on a field without form, about the middle of its bowl.
pub(crate) fn lattices(field: &Field, middle: [f32; 2], shape: [usize; 2]) -> Vec<Lattice> {
    let strokes = strokes(field);
    let ratio = strokes.pitch_um / field.pitch_um;
    let middle = middle.map(|k| (k + 0.5) / ratio - 0.5);
    let mut found: Vec<Found> = (0..TURNS).flat_map(|turn| turned(&strokes, middle, turn, shape)).collect();
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<Found> = Vec::new();
    for next in found {
        if kept.iter().all(|other| !alike(other, &next)) {
            kept.push(next);
            if kept.len() == KEPT {
                break;
            }
        }
    }
    kept.iter().map(|found| found.lattice(middle, ratio)).collect()
}

/// How much relief finer than a stroke is wide there is about each place.
fn strokes(field: &Field) -> Field {
    let (width, height) = (field.values.width(), field.values.height());
    let soft = |um: f32| blur(field.values.samples(), width, height, um / field.pitch_um);
    let fine = soft(8.0).iter().zip(soft(30.0)).map(|(fine, slow)| (fine - slow).abs()).collect();
    let mut strokes =
        Field { values: Grid::from_vec(width, height, fine), ..field.clone() }.coarser(PITCH_UM);
    let (width, height) = (strokes.values.width(), strokes.values.height());
    let mut soft = blur(strokes.values.samples(), width, height, 1.2);
    let mut sorted = soft.clone();
    sorted.sort_by(f32::total_cmp);
    let (low, high) = (sorted[sorted.len() / 20], 1.3 * sorted[sorted.len() * 9 / 10]);
    for value in &mut soft {
        *value = value.clamp(low, high.max(low));
    }
    strokes.values = Grid::from_vec(width, height, soft);
    strokes
}

fn direction(turn: usize) -> (f32, f32) {
    (std::f32::consts::PI * turn as f32 / TURNS as f32).sin_cos()
}

/// The best place of every lattice at one turn.
fn turned(strokes: &Field, middle: [f32; 2], turn: usize, [rows, columns]: [usize; 2]) -> Vec<Found> {
    const HALF: usize = 62;
    let side = 2 * HALF + 1;
    let (sin, cos) = direction(turn);
    let mean = strokes.values.samples().iter().sum::<f32>() / strokes.values.samples().len() as f32;
    let sampled = |place: usize| {
        let (u, v) = ((place % side) as f32 - HALF as f32, (place / side) as f32 - HALF as f32);
        let (value, known) = strokes.at(middle[0] + cos * u - sin * v, middle[1] + sin * u + cos * v);
        if known > 0.0 { value } else { mean }
    };
    let map: Vec<f32> = (0..side * side).map(sampled).collect();
    let spread = map.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / map.len() as f32;
    let sums = Sums::of(side, |place| map[place]);
    let squares = Sums::of(side, |place| map[place] * map[place]);
    let mut found = Vec::new();
    for step in 0..CAPS_UM.1 {
        let cap = CAPS_UM.0 * CAPS_UM.2.powi(step) / PITCH_UM;
        for (row, column) in ROWS.iter().flat_map(|row| COLUMNS.map(|column| (row, column))) {
            let boxes = Boxes::of(cap, [*row, column], [rows, columns]);
            let mut best: Option<Found> = None;
            for place in 0..(REACH + 1) * (REACH + 1) {
                let at = [place % (REACH + 1), place / (REACH + 1)].map(|k| (2 * k - REACH) as f32);
                let centre = at.map(|k| k + HALF as f32);
                let fit = boxes.fit((&sums, &squares), centre, spread);
                let far = (at[0] * at[0] + at[1] * at[1]) / (2.0 * NEAR * NEAR);
                let score = fit - 4.0 * far;
                if best.is_none_or(|best| score > best.score) {
                    best =
                        Some(Found { score, turn, centre: at, cap, columns: column * cap, rows: row * cap });
                }
            }
            found.extend(best);
        }
    }
    found
}

/// Boxes that are full, in a frame that is empty else.
struct Boxes {
    letter: [i32; 2],
    frame: [i32; 2],
    places: Vec<[f32; 2]>,
}

impl Boxes {
    fn of(cap: f32, [row, column]: [f32; 2], [rows, columns]: [usize; 2]) -> Self {
        let round = |size: f32| size.round().max(1.0) as i32;
        let width = (0.8 * column).min(0.64) * cap;
        let middle = |k: usize, count: usize| k as f32 - 0.5 * (count as f32 - 1.0);
        let place =
            |k: usize| [middle(k % columns, columns) * column * cap, middle(k / columns, rows) * row * cap];
        let reach = |pitch: f32, count: usize, own: f32| (pitch * (count as f32 - 1.0)) * cap + own;
        Self {
            letter: [round(width), round(cap)],
            frame: [round(reach(column, columns, width + 0.5 * cap)), round(reach(row, rows, 1.5 * cap))],
            places: (0..rows * columns).map(place).collect(),
        }
    }

    /// How far what is in the boxes stands out, as the evidence of a correlation.
    fn fit(&self, (sums, squares): (&Sums, &Sums), centre: [f32; 2], spread: f32) -> f32 {
        let area = |[width, height]: [i32; 2]| (width * height) as f32;
        let all = area(self.frame);
        let share = self.places.len() as f32 * area(self.letter) / all;
        if share >= 0.95 {
            return 0.0;
        }
        let inside: f32 = self
            .places
            .iter()
            .map(|place| sums.within([centre[0] + place[0], centre[1] + place[1]], self.letter))
            .sum();
        let mean = sums.within(centre, self.frame) / all;
        let variance = squares.within(centre, self.frame) / all - mean * mean;
        let above = inside / all - share * mean;
        let rho = above / (share * (1.0 - share) * variance.max(0.1 * spread).max(1e-12)).sqrt();
        let rho = rho.clamp(0.0, 0.99);
        -0.5 * all * (1.0 - rho * rho).ln()
    }
}

fn alike(a: &Found, b: &Found) -> bool {
    let turn = a.turn.abs_diff(b.turn);
    let apart = |k: usize| {
        let of = |found: &Found| {
            let (sin, cos) = direction(found.turn);
            let [u, v] = found.centre;
            [cos * u - sin * v, sin * u + cos * v][k]
        };
        of(a) - of(b)
    };
    turn.min(TURNS - turn) <= 1 && apart(0).hypot(apart(1)) < 4.0 && (a.cap / b.cap).ln().abs() < 0.15
}

impl Found {
    /// In samples of a field `ratio` times as fine.
    fn lattice(&self, middle: [f32; 2], ratio: f32) -> Lattice {
        let (sin, cos) = direction(self.turn);
        let [u, v] = self.centre;
        let centre = [middle[0] + cos * u - sin * v, middle[1] + sin * u + cos * v];
        Lattice {
            centre: centre.map(|k| (k + 0.5) * ratio - 0.5),
            right: [self.columns * cos, self.columns * sin].map(|k| k * ratio),
            down: [-self.rows * sin, self.rows * cos].map(|k| k * ratio),
            cap: self.cap * ratio,
        }
    }
}

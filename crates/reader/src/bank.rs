//! Every shape that a symbol of a mark can take, drawn once.

use symbology::geometry::{self, Element, MarkLayout, Place, Point};
use symbology::{Mark, Scheme};

use crate::foil::Foil;
use crate::letters::{CAP, Style};
use crate::raster::{Canvas, bounds};

/// A rectangle of canvas samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) x: usize,
    pub(crate) y: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// Something that takes one of several shapes: a glyph (32), or one bit of a ring or dot symbol (2).
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) mark: Mark,
    /// The place of its symbol in the mother code; nothing where it hangs on all symbols together.
    pub(crate) symbol: Option<usize>,
    /// The bit of the symbol that it shows, or nothing where it shows the whole symbol.
    pub(crate) bit: Option<u32>,
    /// The middle of its symbol, in modules.
    pub(crate) centre: [f32; 2],
    /// The samples that its shapes can touch, with room for blur.
    pub(crate) window: Window,
    /// Coverage of each shape over the window, row by row.
    pub(crate) shapes: Vec<Vec<f32>>,
    /// The value that each shape shows: several may show one.
    pub(crate) values: Vec<usize>,
}

/// Where characters lie in a mark of an unknown layout, in modules; capitals are [`CAP`] modules high.
#[derive(Clone, Debug)]
pub(crate) struct Lettering {
    pub(crate) places: Vec<[f32; 2]>,
}

/// All parts of the marks that are looked for, on one canvas.
#[derive(Clone, Debug)]
pub(crate) struct Bank {
    pub(crate) canvas: Canvas,
    pub(crate) parts: Vec<Part>,
    /// What is drawn whatever the code.
    pub(crate) fixed: Vec<f32>,
    /// The same element by element, each over its window.
    pub(crate) fixtures: Vec<(Window, Vec<f32>)>,
    /// How far the marks reach, in modules.
    pub(crate) extent: f32,
    pub(crate) marks: Vec<Mark>,
}

impl Bank {
    /// Draws the shapes of some marks of a scheme, or of a foil of them, `per_module` samples to a module.
    pub(crate) fn draw(scheme: &Scheme, marks: &[Mark], per_module: f32, foil: Option<Foil>) -> Self {
        let layouts: Vec<MarkLayout> =
            marks.iter().filter_map(|&mark| geometry::layout(scheme, mark)).collect();
        let extent = layouts.iter().map(|layout| layout.extent() as f32).fold(0.0, f32::max);
        let canvas = canvas_of(extent, per_module);
        let mut fixed = vec![0.0; canvas.size * canvas.size];
        let mut parts = Vec::new();
        let mut fixtures = Vec::new();
        for layout in &layouts {
            let mark = layout.mark();
            let always = redrawn(layout.fixed(), None, foil);
            canvas.draw(&always, &mut fixed);
            fixtures.extend(always.iter().map(|element| fixture(element, canvas)));
            parts.extend(layout.places().iter().flat_map(|place| parts_of(place, mark, (canvas, foil))));
            parts.extend(
                redrawn(layout.checks(), None, foil).iter().map(|element| check(mark, element, canvas)),
            );
        }
        Self { canvas, parts, fixed, fixtures, extent, marks: layouts.iter().map(MarkLayout::mark).collect() }
    }

    /// Draws the characters of a scheme in some styles, at places that the scheme does not tell.
    pub(crate) fn lettered(
        scheme: &Scheme,
        lettering: &Lettering,
        styles: &[Style],
        per_module: f32,
    ) -> Self {
        let reach = |place: &[f32; 2]| (place[0].abs() + 0.45 * CAP).hypot(place[1].abs() + 0.5 * CAP);
        let extent = lettering.places.iter().map(reach).fold(0.0, f32::max);
        let canvas = canvas_of(extent, per_module);
        let shapes: Vec<(usize, Vec<Element>)> =
            styles.iter().flat_map(|style| style.shapes(scheme.alphabet())).collect();
        let part = |(symbol, &[x, y]): (usize, &[f32; 2])| {
            let by = Point { x: f64::from(x), y: f64::from(y) };
            let moved = |(_, drawn): &(usize, Vec<Element>)| drawn.iter().map(|e| moved(e, by)).collect();
            let shapes: (Window, Vec<Vec<f32>>) =
                drawn(&shapes.iter().map(moved).collect::<Vec<_>>(), canvas);
            Part {
                mark: Mark::Characters,
                symbol: Some(symbol),
                bit: None,
                centre: [x, y],
                window: shapes.0,
                shapes: shapes.1,
                values: Vec::new(),
            }
        };
        let values: Vec<usize> = shapes.iter().map(|(value, _)| *value).collect();
        let parts = lettering.places.iter().enumerate().map(part);
        let parts = parts.map(|part| Part { values: values.clone(), ..part }).collect();
        let fixed = vec![0.0; canvas.size * canvas.size];
        Self { canvas, parts, fixed, fixtures: Vec::new(), extent, marks: vec![Mark::Characters] }
    }

    /// The mark drawn with a weight for every shape of every part.
    pub(crate) fn expected(&self, weights: &[Vec<f32>]) -> Vec<f32> {
        let mut drawn = self.fixed.clone();
        for (part, weights) in self.parts.iter().zip(weights) {
            for (shape, &weight) in part.shapes.iter().zip(weights) {
                if weight > 1e-4 {
                    add(&mut drawn, self.canvas.size, part.window, shape, weight);
                }
            }
        }
        drawn
    }

    /// Equal weights for all shapes.
    pub(crate) fn ignorance(&self) -> Vec<Vec<f32>> {
        self.parts.iter().map(|part| vec![1.0 / part.shapes.len() as f32; part.shapes.len()]).collect()
    }
}

/// A canvas with room about a mark. Fine canvases are cut into blocks; coarse ones need only suit the transform.
fn canvas_of(extent: f32, per_module: f32) -> Canvas {
    let unit = if per_module < 3.0 { 16 } else { 48 };
    let size = (2.0 * (extent + 3.0) * per_module / unit as f32).ceil() as usize * unit;
    Canvas { size, per_module }
}

fn moved(element: &Element, by: Point) -> Element {
    let at = |point: &Point| Point { x: point.x + by.x, y: point.y + by.y };
    match element {
        Element::Stroke { points, width } => {
            Element::Stroke { points: points.iter().map(at).collect(), width: *width }
        }
        Element::Dot { centre, diameter } => Element::Dot { centre: at(centre), diameter: *diameter },
        Element::Square { centre, side } => Element::Square { centre: at(centre), side: *side },
        // Letters have no sectors.
        Element::Sector { .. } => element.clone(),
    }
}

/// Adds a shape to a canvas.
pub(crate) fn add(canvas: &mut [f32], size: usize, window: Window, shape: &[f32], weight: f32) {
    for (y, row) in shape.chunks_exact(window.width).enumerate() {
        let from = (window.y + y) * size + window.x;
        for (sample, value) in canvas[from..from + window.width].iter_mut().zip(row) {
            *sample += weight * value;
        }
    }
}

/// Room left about a shape for blur, drag and double strikes, in modules.
const ROOM: f32 = 1.75;
/// The same about a module of a Data Matrix, whose neighbours are drawn or not as they please.
const NARROW: f32 = 0.6;

/// Elements as a foil has them, or as they are.
fn redrawn(elements: &[Element], place: Option<&Place>, foil: Option<Foil>) -> Vec<Element> {
    let Some(foil) = foil else { return elements.to_vec() };
    elements.iter().filter_map(|element| foil.redrawn(element, place)).collect()
}

fn parts_of(place: &Place, mark: Mark, (canvas, foil): (Canvas, Option<Foil>)) -> Vec<Part> {
    let drawn = |shapes: &[Vec<Element>]| -> Vec<Vec<Element>> {
        shapes.iter().map(|elements| redrawn(elements, Some(place), foil)).collect()
    };
    if place.bits.is_empty() {
        return vec![part(mark, place, None, &drawn(&place.values), canvas)];
    }
    let last = place.bits.len() as u32 - 1;
    (0..)
        .zip(&place.bits)
        .map(|(order, shapes)| (order, drawn(shapes)))
        // A foil may have no room for a bit; a module of a Data Matrix may be bare.
        .filter(|(_, shapes)| shapes.iter().any(|elements| !elements.is_empty()))
        .filter(|(_, shapes)| foil.is_none() || shapes.iter().all(|elements| !elements.is_empty()))
        .map(|(order, shapes)| part(mark, place, Some(last - order), &shapes, canvas))
        .collect()
}

/// A module that is drawn or not, and belongs to no symbol.
fn check(mark: Mark, element: &Element, canvas: Canvas) -> Part {
    let (window, shapes) = drawn(&[Vec::new(), vec![element.clone()]], canvas);
    let (low, high) = bounds(element);
    let centre = [0.5 * (low.x + high.x) as f32, 0.5 * (low.y + high.y) as f32];
    Part { mark, symbol: None, bit: Some(0), centre, window, shapes, values: vec![0, 1] }
}

fn part(mark: Mark, place: &Place, bit: Option<u32>, shapes: &[Vec<Element>], canvas: Canvas) -> Part {
    let (window, shapes) = drawn(shapes, canvas);
    let centre = [place.centre.x as f32, place.centre.y as f32];
    let values = (0..shapes.len()).collect();
    Part { mark, symbol: Some(place.index), bit, centre, window, shapes, values }
}

/// Shapes over the window that holds all of them.
fn drawn(shapes: &[Vec<Element>], canvas: Canvas) -> (Window, Vec<Vec<f32>>) {
    let mut box_of = [f32::INFINITY, f32::INFINITY, f32::NEG_INFINITY, f32::NEG_INFINITY];
    for element in shapes.iter().flatten() {
        let (low, high) = bounds(element);
        box_of = [
            box_of[0].min(low.x as f32),
            box_of[1].min(low.y as f32),
            box_of[2].max(high.x as f32),
            box_of[3].max(high.y as f32),
        ];
    }
    let window = around(box_of, room_about(shapes.iter().flatten()), canvas);
    let mut plane = vec![0.0; canvas.size * canvas.size];
    let shapes = shapes.iter().map(|elements| {
        canvas.draw(elements, &mut plane);
        let shape = cut(&plane, canvas.size, window);
        clear(&mut plane, canvas.size, window);
        shape
    });
    let shapes = shapes.collect();
    (window, shapes)
}

fn fixture(element: &Element, canvas: Canvas) -> (Window, Vec<f32>) {
    let (low, high) = bounds(element);
    let box_of = [low.x as f32, low.y as f32, high.x as f32, high.y as f32];
    let window = around(box_of, room_about(std::iter::once(element)), canvas);
    let mut drawn = vec![0.0; canvas.size * canvas.size];
    canvas.draw(std::slice::from_ref(element), &mut drawn);
    let shape = cut(&drawn, canvas.size, window);
    (window, shape)
}

fn room_about<'a>(mut elements: impl Iterator<Item = &'a Element>) -> f32 {
    if elements.any(|element| matches!(element, Element::Square { .. })) { NARROW } else { ROOM }
}

/// The samples of a box (left, top, right, bottom in modules) with some room about it.
fn around([left, top, right, bottom]: [f32; 4], room: f32, canvas: Canvas) -> Window {
    let clamp = |sample: f32| (sample.max(0.0) as usize).min(canvas.size - 1);
    let (x, y) = (clamp(canvas.sample_of(left - room)), clamp(canvas.sample_of(top - room)));
    let (right, bottom) =
        (clamp(canvas.sample_of(right + room).ceil()), clamp(canvas.sample_of(bottom + room).ceil()));
    Window { x, y, width: right - x + 1, height: bottom - y + 1 }
}

fn clear(canvas: &mut [f32], size: usize, window: Window) {
    for y in window.y..window.y + window.height {
        canvas[y * size + window.x..y * size + window.x + window.width].fill(0.0);
    }
}

/// The samples of a canvas inside a window.
pub(crate) fn cut(canvas: &[f32], size: usize, window: Window) -> Vec<f32> {
    let mut samples = Vec::with_capacity(window.width * window.height);
    for y in window.y..window.y + window.height {
        samples.extend_from_slice(&canvas[y * size + window.x..][..window.width]);
    }
    samples
}

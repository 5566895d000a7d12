//! Where the strokes, teeth and dots of a mark lie, in modules.
//!
//! One frame for all marks of a part: the origin is the middle of the mark, `x` runs to the right and `y` runs down
//! as a reader sees the mark **on the case**. Angles run from `+x` towards `+y`. One module is the X-dimension of
//! the mark: `marking` says how many micrometres that is.

mod characters;
mod dots;
mod gear;
mod glyphs;
mod matrix;
mod radial;

use crate::{Mark, Scheme};

/// The places of a mark of a scheme, with all that may be drawn there; `None` when the scheme has no such mark.
///
/// Values are those of the **code**: whitening is already done, so that whoever matches `elements(index, value)` with
/// what is on a case has evidence for code symbol `index` having that value.
///
/// ```
/// use symbology::{Mark, Scheme, geometry};
/// let gear = geometry::layout(&Scheme::open_1(), Mark::Gear).expect("open-1 has a gear ring");
/// assert_eq!(gear.places().len(), 8);
/// assert_eq!(gear.elements(8, 31).len(), 5);
/// assert_eq!(gear.extent(), 21.0);
/// ```
pub fn layout(scheme: &Scheme, mark: Mark) -> Option<MarkLayout> {
    let file = scheme.file();
    match mark {
        Mark::Characters => file.characters.as_ref().map(|block| characters::layout(scheme, block)),
        Mark::Gear => file.gear.as_ref().map(|ring| gear::layout(scheme, ring)),
        Mark::Dots => file.dots.as_ref().map(|rings| dots::layout(scheme, rings)),
        Mark::Radial => file.radial.as_ref().map(|ring| radial::layout(scheme, ring)),
        Mark::Matrix => file.matrix.as_ref().map(|grid| matrix::layout(scheme, grid)),
    }
}

/// A whole mark: everything that is drawn for a word of the scheme ([`Scheme::word`]), fixed elements first.
///
/// Nothing when the scheme has no such mark; places beyond the end of the word stay empty.
///
/// ```
/// use symbology::{Mark, Scheme, geometry};
/// let scheme = Scheme::open_1();
/// let word = scheme.word("K73MXP")?;
/// let strokes = geometry::draw(&scheme, Mark::Characters, &word);
/// assert!(strokes.iter().all(|element| matches!(element, geometry::Element::Stroke { .. })));
/// # Ok::<(), symbology::CodeError>(())
/// ```
pub fn draw(scheme: &Scheme, mark: Mark, word: &[u8]) -> Vec<Element> {
    let Some(layout) = layout(scheme, mark) else { return Vec::new() };
    let mut elements = layout.fixed().to_vec();
    for place in layout.places() {
        if let Some(&value) = word.get(place.index) {
            elements.extend_from_slice(layout.elements(place.index, value));
        }
    }
    if let (Mark::Matrix, Some(grid)) = (mark, &scheme.file().matrix) {
        elements.extend(matrix::corrections(scheme, grid, word));
    }
    elements
}

/// The strokes of one character in a box of `width` by `height` modules about the origin (outlines, pen included).
///
/// Digits and all 26 letters have a glyph, so that foreign schemes can be drawn too; `None` for anything else.
///
/// ```
/// use symbology::geometry::{GlyphSize, glyph};
/// let size = GlyphSize { width: 5.0, height: 8.0, pen: 1.2 };
/// assert!(glyph('K', size).is_some());
/// assert!(glyph('*', size).is_none());
/// ```
pub fn glyph(character: char, size: GlyphSize) -> Option<Vec<Element>> {
    glyphs::strokes(character, size)
}

pub(crate) fn has_glyph(character: char) -> bool {
    glyphs::has(character)
}

/// How large a glyph is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GlyphSize {
    /// Width of the outline, in modules.
    pub width: f64,
    /// Height of the outline, in modules.
    pub height: f64,
    /// Diameter of the pen, in modules.
    pub pen: f64,
}

/// Where the symbols of a mark lie and what is drawn there.
#[derive(Clone, Debug, PartialEq)]
pub struct MarkLayout {
    pub(crate) mark: Mark,
    pub(crate) places: Vec<Place>,
    pub(crate) fixed: Vec<Element>,
    pub(crate) checks: Vec<Element>,
    pub(crate) extent: f64,
}

/// The place of one symbol.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Which symbol of the word, 0 to 30.
    pub index: usize,
    /// The middle of the place, in modules.
    pub centre: Point,
    /// Half the width of the upright box that holds everything that may be drawn here, in modules.
    pub half_width: f64,
    /// Half the height of that box, in modules.
    pub half_height: f64,
    /// What is drawn for each value of the code symbol.
    pub values: Vec<Vec<Element>>,
    /// For marks that are drawn bit by bit: what is drawn when a bit of the code symbol is 0 and when it is 1, the most
    /// significant bit first. Empty for characters.
    pub bits: Vec<[Vec<Element>; 2]>,
}

impl MarkLayout {
    /// Which mark this is.
    pub fn mark(&self) -> Mark {
        self.mark
    }

    /// The places of all symbols of the mark, in the order of the word.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The place of symbol `index` of the word, if this mark carries it.
    pub fn place(&self, index: usize) -> Option<&Place> {
        self.places.iter().find(|place| place.index == index)
    }

    /// What is drawn when symbol `index` of the word has the given value; nothing when the mark does not carry it.
    pub fn elements(&self, index: usize, value: u8) -> &[Element] {
        self.place(index).and_then(|place| place.values.get(usize::from(value))).map_or(&[], Vec::as_slice)
    }

    /// What is always drawn: start marks and finders.
    pub fn fixed(&self) -> &[Element] {
        &self.fixed
    }

    /// What is drawn or not as all symbols together say: the modules of a Data Matrix's own error correction. Marks
    /// without one have none.
    pub fn checks(&self) -> &[Element] {
        &self.checks
    }

    /// The radius of the circle about the origin that holds the whole mark, in modules.
    pub fn extent(&self) -> f64 {
        self.extent
    }
}

/// A place in the frame of a mark, in modules.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// To the right, in modules.
    pub x: f64,
    /// Down, in modules.
    pub y: f64,
}

/// One thing that an engraver makes: raised (or sunk) inside its outline, nothing outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Element {
    /// A pen of a round tip of `width` modules drawn along the polyline.
    Stroke {
        /// The centre line.
        points: Vec<Point>,
        /// The diameter of the pen, in modules.
        width: f64,
    },
    /// A piece of a ring about the origin, between two radii and two angles (radians, `from < to`).
    Sector {
        /// The inner radius, in modules.
        inner: f64,
        /// The outer radius, in modules.
        outer: f64,
        /// The angle where it begins, in radians.
        from: f64,
        /// The angle where it ends, in radians.
        to: f64,
    },
    /// A round dot.
    Dot {
        /// Its middle.
        centre: Point,
        /// Its diameter, in modules.
        diameter: f64,
    },
    /// An upright square module (Data Matrix), by its middle.
    Square {
        /// Its middle.
        centre: Point,
        /// The length of a side, in modules.
        side: f64,
    },
}

impl Point {
    fn polar(radius: f64, angle: f64) -> Self {
        Self { x: radius * angle.cos(), y: radius * angle.sin() }
    }

    fn length(self) -> f64 {
        self.x.hypot(self.y)
    }
}

/// The place of a symbol whose five bits are drawn one by one: `bits[k][b]` is what is drawn when bit `k` (most
/// significant first) **as drawn** is `b`; whitening turns that into bits of the code.
fn place_of_bits(index: usize, drawn: Vec<[Vec<Element>; 2]>, whitening: u8) -> Place {
    let bits: Vec<[Vec<Element>; 2]> = drawn
        .into_iter()
        .enumerate()
        .map(|(k, [zero, one])| if whitening >> (4 - k) & 1 == 1 { [one, zero] } else { [zero, one] })
        .collect();
    let values = (0..32_usize)
        .map(|value| bits.iter().enumerate().flat_map(|(k, bit)| bit[value >> (4 - k) & 1].clone()).collect())
        .collect();
    let corners = bits.iter().flatten().flatten().map(bounds);
    let (low, high) = corners.fold(
        (Point { x: f64::MAX, y: f64::MAX }, Point { x: f64::MIN, y: f64::MIN }),
        |(low, high), (a, b)| {
            (Point { x: low.x.min(a.x), y: low.y.min(a.y) }, Point { x: high.x.max(b.x), y: high.y.max(b.y) })
        },
    );
    Place {
        index,
        centre: Point { x: f64::midpoint(low.x, high.x), y: f64::midpoint(low.y, high.y) },
        half_width: (high.x - low.x) / 2.0,
        half_height: (high.y - low.y) / 2.0,
        values,
        bits,
    }
}

/// The corners (least and greatest coordinates) of the upright box of an element; of a sector, of its corners and
/// middle.
fn bounds(element: &Element) -> (Point, Point) {
    let (points, reach) = match element {
        Element::Stroke { points, width } => (points.clone(), width / 2.0),
        Element::Dot { centre, diameter } => (vec![*centre], diameter / 2.0),
        Element::Square { centre, side } => (vec![*centre], side / 2.0),
        Element::Sector { inner, outer, from, to } => {
            let angles = [*from, (from + to) / 2.0, *to];
            (angles.iter().flat_map(|&a| [Point::polar(*inner, a), Point::polar(*outer, a)]).collect(), 0.0)
        }
    };
    let fold = |pick: fn(&Point) -> f64, better: fn(f64, f64) -> f64, start: f64| {
        points.iter().map(pick).fold(start, better)
    };
    let low =
        Point { x: fold(|p| p.x, f64::min, f64::MAX) - reach, y: fold(|p| p.y, f64::min, f64::MAX) - reach };
    let high =
        Point { x: fold(|p| p.x, f64::max, f64::MIN) + reach, y: fold(|p| p.y, f64::max, f64::MIN) + reach };
    (low, high)
}

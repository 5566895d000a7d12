//! Marks in foreign fonts: rows of characters whose sizes, distances and shapes nobody told.
//!
//! Letters differ from font to font less than from each other: in weight, width, slant, serifs, how round they are, and in a
//! few shapes (a closed or an open 4, a plain, dotted or slashed 0). The shapes are written down once, as lines in a box
//! (`letters.txt`, drawn by hand for this purpose), and styles vary them. A mark is in one font, so all its characters have
//! one style, which is found together with its size and distances.

mod cells;
mod lattice;
mod settle;
mod sight;

pub(crate) use self::sight::sighted;

use std::sync::OnceLock;

use symbology::geometry::{self, Element, GlyphSize, Point};

/// Modules from the top of a capital to its foot.
pub(crate) const CAP: f32 = 8.0;

/// How a font draws all its letters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Style {
    widths: Widths,
    /// Widths against those written down.
    width: f64,
    /// Of strokes, against the height of capitals.
    weight: f64,
    /// How far letters lean to the right, against their height.
    slant: f64,
    /// How far serifs reach to each side, against the height.
    serif: f64,
    /// The exponent of what is round: 2 for ellipses, more for rounded boxes.
    square: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Widths {
    /// All letters are about as wide, as a typewriter has them.
    Even,
    /// Every letter has its own width.
    Own,
    /// Not these letters but those of the schemes of this project.
    Ours,
}

/// One shape of a character.
struct Letter {
    character: char,
    /// The only fonts that have it, where not all may.
    only: Option<Widths>,
    own: f64,
    even: f64,
    lines: Vec<Vec<Step>>,
}

enum Step {
    To(Point),
    Arc { centre: Point, radii: Point, from: f64, to: f64 },
}

const PLAIN: Style =
    Style { widths: Widths::Even, width: 1.0, weight: 0.14, slant: 0.0, serif: 0.0, square: 2.0 };
const OURS: Style = Style { widths: Widths::Ours, ..PLAIN };

/// A few styles, for the first look.
pub(crate) fn few() -> Vec<Style> {
    vec![PLAIN, Style { widths: Widths::Own, ..PLAIN }, OURS]
}

/// All styles.
pub(crate) fn all() -> Vec<Style> {
    let mut styles = vec![OURS];
    for widths in [Widths::Even, Widths::Own] {
        for width in [0.86, 1.0, 1.16] {
            for weight in [0.10, 0.15, 0.21] {
                let plain = Style { widths, width, weight, ..PLAIN };
                styles.push(plain);
                styles.push(Style { square: 3.4, ..plain });
                styles.push(Style { serif: 0.11, ..plain });
                styles.push(Style { slant: 0.2, ..plain });
            }
        }
    }
    styles
}

impl Style {
    /// All shapes of the characters of an alphabet about the origin, each with the place of its character in it.
    pub(crate) fn shapes(&self, alphabet: &[char]) -> Vec<(usize, Vec<Element>)> {
        let mut shapes = Vec::new();
        for (value, &character) in alphabet.iter().enumerate() {
            if self.widths == Widths::Ours {
                let size = GlyphSize { width: 5.0, height: f64::from(CAP), pen: 1.2 };
                shapes.extend(geometry::glyph(character, size).map(|drawn| (value, drawn)));
                continue;
            }
            let fits = |letter: &&Letter| {
                letter.character == character && letter.only.is_none_or(|only| only == self.widths)
            };
            let own = letters().iter().filter(fits);
            shapes.extend(own.map(|letter| (value, self.drawn(letter))));
        }
        shapes
    }

    fn drawn(&self, letter: &Letter) -> Vec<Element> {
        let cap = f64::from(CAP);
        let width = if self.widths == Widths::Own { letter.own } else { letter.even };
        // Widths written down are those of letters of a middling weight, strokes included.
        let width = (width * self.width + self.weight - 0.12).max(self.weight);
        let size = Point { x: cap * (width - self.weight), y: cap * (1.0 - self.weight) };
        let placed = |point: &Point| {
            let y = (point.y - 0.5) * size.y;
            Point { x: (point.x - 0.5) * size.x - self.slant * y, y }
        };
        let width = cap * self.weight;
        let mut drawn = Vec::new();
        for line in &letter.lines {
            let points: Vec<Point> = line.iter().flat_map(|step| step.points(self.square)).collect();
            if self.serif > 0.0 {
                let reach = cap * self.serif;
                drawn.extend(feet(line, &points).map(|foot| {
                    let Point { x, y } = placed(&foot);
                    Element::Stroke {
                        points: vec![Point { x: x - reach, y }, Point { x: x + reach, y }],
                        width,
                    }
                }));
            }
            drawn.push(Element::Stroke { points: points.iter().map(placed).collect(), width });
        }
        drawn
    }
}

/// Where a line ends at the top or at the foot and stands rather than lies.
fn feet(line: &[Step], points: &[Point]) -> impl Iterator<Item = Point> {
    let last = points.len() - 1;
    let straight = |step: Option<&Step>| matches!(step, Some(Step::To(_)));
    let ends = [(straight(line.first()), 0, 1), (straight(line.last()), last, last.saturating_sub(1))];
    let standing = ends.map(|(straight, end, before)| {
        let (end, before) = (points[end], points[before.min(last)]);
        let (dx, dy) = ((before.x - end.x).abs(), (before.y - end.y).abs());
        (straight && (end.y - 0.5).abs() > 0.48 && dy > 0.35 * dx).then_some(end)
    });
    standing.into_iter().flatten()
}

impl Step {
    fn points(&self, square: f64) -> Vec<Point> {
        match self {
            Self::To(point) => vec![*point],
            Self::Arc { centre, radii, from, to } => {
                let pieces = ((to - from).abs() / 15.0).ceil().max(2.0) as usize;
                let at = |k: usize| {
                    let angle = (from + (to - from) * k as f64 / pieces as f64).to_radians();
                    let (sin, cos) = angle.sin_cos();
                    let stretch = (cos.abs().powf(square) + sin.abs().powf(square)).powf(-1.0 / square);
                    Point { x: centre.x + radii.x * stretch * cos, y: centre.y + radii.y * stretch * sin }
                };
                (0..=pieces).map(at).collect()
            }
        }
    }
}

fn letters() -> &'static [Letter] {
    static LETTERS: OnceLock<Vec<Letter>> = OnceLock::new();
    LETTERS.get_or_init(|| {
        let lines = include_str!("letters.txt").lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| letter(line).expect("the letters are written as their first lines say")).collect()
    })
}

fn letter(line: &str) -> Option<Letter> {
    let (head, lines) = line.split_once(" : ")?;
    let mut head = head.split(' ');
    let character = head.next()?.chars().next()?;
    let only = match head.next()? {
        "own" => Some(Widths::Own),
        "even" => Some(Widths::Even),
        _ => None,
    };
    let mut width = || head.next()?.parse().ok();
    let (own, even) = (width()?, width()?);
    let lines = lines.split(';').map(steps).collect::<Option<_>>()?;
    Some(Letter { character, only, own, even, lines })
}

fn steps(line: &str) -> Option<Vec<Step>> {
    let mut words = line.split_whitespace();
    let mut steps = Vec::new();
    while let Some(kind) = words.next() {
        let mut number = || words.next()?.parse::<f64>().ok();
        let mut point = || Some(Point { x: number()?, y: number()? });
        steps.push(match kind {
            "M" | "L" => Step::To(point()?),
            "A" => {
                let (centre, radii, angles) = (point()?, point()?, point()?);
                Step::Arc { centre, radii, from: angles.x, to: angles.y }
            }
            _ => return None,
        });
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use super::{all, letters};

    #[test]
    fn every_figure_and_letter_has_shapes_in_every_style() {
        let alphabet: Vec<char> = ('0'..='9').chain('A'..='Z').collect();
        assert!(letters().len() > alphabet.len());
        for style in all() {
            let shapes = style.shapes(&alphabet);
            assert!(shapes.len() < 128);
            for value in 0..alphabet.len() {
                assert!(shapes.iter().any(|(other, drawn)| *other == value && !drawn.is_empty()));
            }
        }
    }
}

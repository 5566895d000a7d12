//! Laying a code out on a part.

use symbology::geometry::{self, Element};
use symbology::{Mark, Scheme};
use topography::Length;

use crate::fit::Silhouette;
use crate::nominal::{BREECH_FACE_MODULE, PIN_MODULE};
use crate::quality::{self, Rule};
use crate::shape::Shape;
use crate::{Guards, MarkingError, Tip};

/// How a mark is laid out.
///
/// ```
/// use marking::LayoutOptions;
/// use topography::Length;
///
/// let options = LayoutOptions { module: Some(Length::um(16.0)), ..LayoutOptions::default() };
/// assert_eq!(options.relief, Length::um(25.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayoutOptions {
    /// The length of one module; by default 19 µm on pins and 60 µm on the breech face.
    pub module: Option<Length>,
    /// The height (or depth) of the relief.
    pub relief: Length,
    /// The standard deviation of the Gaussian that rounds the edges: a wall rises from 10 % to 90 % of the relief over
    /// 2.56 times this.
    pub edge_rounding: Length,
    /// What the mark must keep to.
    pub guards: Guards,
}

impl Default for LayoutOptions {
    fn default() -> Self {
        Self {
            module: None,
            relief: Length::um(25.0),
            edge_rounding: Length::um(3.0),
            guards: Guards::default(),
        }
    }
}

/// Lays the marks of a code out about the middle of a part.
///
/// `text` is a code of the scheme as a person writes it (`Code` prints itself that way). The module is the one asked for
/// or the default of the part; it is never made smaller in silence, because the reader expects the default.
///
/// # Errors
///
/// [`MarkingError::Text`] when the text is not of the scheme, [`MarkingError::Marks`] when the scheme lacks a mark,
/// [`MarkingError::TooLarge`] (naming the largest that fits) when the marks reach past the usable part of the tip,
/// [`MarkingError::Overlap`] when two of them lie on one another, [`MarkingError::Guard`] when another guard is broken,
/// [`MarkingError::Range`] when an option makes no sense.
///
/// ```
/// use marking::{LayoutOptions, lay_out};
/// use symbology::{Mark, Scheme};
///
/// let (scheme, marks) = (Scheme::open_1(), [Mark::Characters, Mark::Gear]);
/// let pin = lay_out(&scheme, "K73MXP", &marks, &"hemispherical:1.7mm".parse()?, &LayoutOptions::default())?;
/// assert_eq!(pin.module().to_um(), 19.0);
/// assert!(pin.extent().to_um() <= 400.0);
///
/// let refusal = lay_out(&scheme, "K73MXP", &marks, &"hemispherical:1.4mm".parse()?, &LayoutOptions::default());
/// assert!(refusal.unwrap_err().to_string().contains("the largest that fits is characters and gear at a module of"));
/// # Ok::<(), marking::MarkingError>(())
/// ```
pub fn lay_out(
    scheme: &Scheme,
    text: &str,
    marks: &[Mark],
    tip: &Tip,
    options: &LayoutOptions,
) -> Result<PlacedMark, MarkingError> {
    let word = scheme.word(text)?;
    check_marks(scheme, marks)?;
    let tip = tip.validated()?;
    check_lengths(options)?;
    let module = options.module.unwrap_or(if matches!(tip, Tip::BreechFace { .. }) {
        BREECH_FACE_MODULE
    } else {
        PIN_MODULE
    });
    let mut sorted = marks.to_vec();
    sorted.sort_unstable();
    let parts = sorted.iter().map(|&mark| Part::new(scheme, mark, &word, module)).collect();
    let placed = PlacedMark {
        scheme: scheme.name().to_owned(),
        text: scheme.text(&word),
        tip,
        module,
        options: *options,
        parts,
    };
    placed.keep_guards()?;
    Ok(placed)
}

/// A mark in its place on a part, in micrometres: what artwork is drawn from.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacedMark {
    scheme: String,
    text: String,
    tip: Tip,
    module: Length,
    options: LayoutOptions,
    parts: Vec<Part>,
}

impl PlacedMark {
    /// The ground that artwork shows around the mark.
    pub const FIELD_MARGIN: Length = Length::um(100.0);

    /// The name of the scheme.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The code as a person reads it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The part.
    pub fn tip(&self) -> &Tip {
        &self.tip
    }

    /// The length of one module.
    pub fn module(&self) -> Length {
        self.module
    }

    /// The height of the relief, as engraved.
    pub fn relief_height(&self) -> Length {
        self.options.relief
    }

    /// The standard deviation of the Gaussian that rounds the edges.
    pub fn edge_rounding(&self) -> Length {
        self.options.edge_rounding
    }

    /// The guards that it keeps.
    pub fn guards(&self) -> &Guards {
        &self.options.guards
    }

    /// The radius of the circle about its middle that holds everything.
    pub fn extent(&self) -> Length {
        Length::um(self.shapes().map(Shape::reach).fold(0.0, f64::max))
    }

    /// Everything that is engraved, in modules, in the frame of the mark as seen on the case.
    pub fn elements(&self) -> impl Iterator<Item = (Mark, &Element)> {
        self.parts.iter().flat_map(|part| part.elements.iter().map(|element| (part.mark, element)))
    }

    pub(crate) fn parts(&self) -> impl Iterator<Item = (&'static str, &[Shape])> {
        self.parts.iter().map(|part| (part.mark.name(), part.shapes.as_slice()))
    }

    pub(crate) fn shapes(&self) -> impl Iterator<Item = &Shape> + Clone {
        self.parts.iter().flat_map(|part| &part.shapes)
    }

    fn keep_guards(&self) -> Result<(), MarkingError> {
        for (i, part) in self.parts.iter().enumerate() {
            if let Some(other) = self.parts[..i].iter().find(|other| other.lies_on(part)) {
                return Err(MarkingError::Overlap(other.mark, part.mark));
            }
        }
        match quality::check(self).into_iter().find(|finding| !finding.passed()) {
            None => Ok(()),
            Some(finding) if finding.rule == Rule::Edge => Err(self.too_large()),
            Some(finding) => Err(MarkingError::Guard(finding)),
        }
    }

    fn too_large(&self) -> MarkingError {
        let all = silhouette(&self.parts);
        let sets = (1..=self.parts.len()).rev().flat_map(|count| self.parts.windows(count));
        let largest = sets
            .map(silhouette)
            .find_map(|silhouette| silhouette.largest(&self.tip, self.guards(), self.module));
        MarkingError::TooLarge { wanted: all.at(self.module), tip: self.tip, largest }
    }
}

/// One mark of the part.
#[derive(Clone, Debug, PartialEq)]
struct Part {
    mark: Mark,
    elements: Vec<Element>,
    shapes: Vec<Shape>,
}

impl Part {
    fn new(scheme: &Scheme, mark: Mark, word: &[u8], module: Length) -> Self {
        let elements = geometry::draw(scheme, mark, word);
        let shapes = elements.iter().map(|element| Shape::new(element, module)).collect();
        Self { mark, elements, shapes }
    }

    fn lies_on(&self, other: &Self) -> bool {
        let close = |a: &Shape, b: &Shape| a.bounds().touches(&b.bounds()) && a.gap(b, 1.0) <= 0.0;
        self.shapes.iter().any(|a| other.shapes.iter().any(|b| close(a, b)))
    }
}

fn silhouette(parts: &[Part]) -> Silhouette {
    let marks = parts.iter().map(|part| part.mark).collect();
    Silhouette::new(marks, parts.iter().flat_map(|part| &part.elements))
}

fn check_marks(scheme: &Scheme, marks: &[Mark]) -> Result<(), MarkingError> {
    if marks.is_empty() {
        return Err(MarkingError::Marks("no mark was asked for".to_owned()));
    }
    let offered = scheme.marks();
    for (i, mark) in marks.iter().enumerate() {
        if !offered.contains(mark) {
            let names: Vec<&str> = offered.iter().map(|mark| mark.name()).collect();
            let (name, names) = (scheme.name(), names.join(", "));
            return Err(MarkingError::Marks(format!(
                "the scheme {name} has no {mark}\nhint: it has {names}"
            )));
        }
        if marks[..i].contains(mark) {
            return Err(MarkingError::Marks(format!("{mark} is asked for twice")));
        }
    }
    Ok(())
}

fn check_lengths(options: &LayoutOptions) -> Result<(), MarkingError> {
    let within = |what, seen: Length, low, high| {
        let (low, high) = (Length::um(low), Length::um(high));
        if seen >= low && seen <= high { Ok(()) } else { Err(MarkingError::Range { what, seen, low, high }) }
    };
    options.module.map_or(Ok(()), |module| within("module", module, 1.0, 1000.0))?;
    within("relief", options.relief, 1.0, 1000.0)?;
    within("edge rounding", options.edge_rounding, 0.0, 20.0)
}

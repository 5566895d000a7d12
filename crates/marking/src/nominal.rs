//! What a reader expects of a mark before it has seen one.

use symbology::geometry::{self, Element, MarkLayout};
use symbology::{Mark, Scheme};
use topography::Length;

use crate::MarkingError;

/// The default module of marks on a firing pin: characters and gear then fit a radius of 400 µm.
pub(crate) const PIN_MODULE: Length = Length::um(19.0);
/// The default module of marks on a breech face: dots and radial bars then lie on the flat of a small pistol primer.
pub(crate) const BREECH_FACE_MODULE: Length = Length::um(60.0);

/// The nominal geometry of a scheme's marks: the size of a module, and where everything lies.
///
/// A mark that was laid out with another module is this one at another scale.
///
/// ```
/// use marking::NominalGeometry;
/// use symbology::{Mark, Scheme};
///
/// let nominal = NominalGeometry::new(&Scheme::open_1(), &[Mark::Characters, Mark::Gear])?;
/// let gear = nominal.mark(Mark::Gear).expect("it was asked for");
/// assert_eq!(gear.module.to_um(), 19.0);
/// assert_eq!(gear.extent().to_um(), 399.0);
/// assert!(!gear.start_mark().is_empty());
/// # Ok::<(), marking::MarkingError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct NominalGeometry {
    /// One entry for each mark asked for, in the same order.
    pub marks: Vec<NominalMark>,
}

/// The nominal geometry of one mark.
#[derive(Clone, Debug, PartialEq)]
pub struct NominalMark {
    /// The length of one module.
    pub module: Length,
    /// Where its symbols lie and what is drawn there, in modules, in the frame as seen on the case.
    pub layout: MarkLayout,
}

impl NominalGeometry {
    /// The geometry of some marks of a scheme at their default modules: 19 µm for characters, gear and Data Matrix (firing
    /// pin), 60 µm for dots and radial bars (breech face).
    ///
    /// # Errors
    ///
    /// [`MarkingError::Marks`] when the scheme lacks one of them.
    pub fn new(scheme: &Scheme, marks: &[Mark]) -> Result<Self, MarkingError> {
        let nominal = |&mark: &Mark| {
            let lacking = || MarkingError::Marks(format!("the scheme {} has no {mark}", scheme.name()));
            let layout = geometry::layout(scheme, mark).ok_or_else(lacking)?;
            let module = match mark {
                Mark::Characters | Mark::Gear | Mark::Matrix => PIN_MODULE,
                Mark::Dots | Mark::Radial => BREECH_FACE_MODULE,
            };
            Ok(NominalMark { module, layout })
        };
        Ok(Self { marks: marks.iter().map(nominal).collect::<Result<_, MarkingError>>()? })
    }

    /// The geometry of one mark, if it was asked for.
    pub fn mark(&self, mark: Mark) -> Option<&NominalMark> {
        self.marks.iter().find(|nominal| nominal.layout.mark() == mark)
    }
}

impl NominalMark {
    /// The radius of the circle about the origin that holds the whole mark.
    pub fn extent(&self) -> Length {
        self.module * self.layout.extent()
    }

    /// The fixed elements by which the mark is found and turned, in modules; none for characters.
    pub fn start_mark(&self) -> &[Element] {
        self.layout.fixed()
    }

    /// The width of its thinnest stroke, bar or dot.
    pub fn stroke(&self) -> Length {
        let drawn = self.layout.places().iter().flat_map(|place| place.values.iter().flatten());
        let widths =
            drawn.chain(self.layout.fixed()).map(|e| crate::shape::Shape::new(e, self.module).stroke_width());
        Length::um(widths.fold(f64::INFINITY, f64::min))
    }
}

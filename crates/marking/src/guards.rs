//! The limits that a mark keeps so that it can be made, can be struck, and does not pierce a primer.

use topography::{Angle, Length};

/// What a mark must keep to. The defaults and where they come from are listed in the README; every one is a setting,
/// because no public standard gives numbers for microstamps.
///
/// ```
/// use marking::Guards;
/// use topography::Length;
///
/// let careful = Guards { relief: Length::um(20.0), ..Guards::default() };
/// assert_eq!(careful.edge, Length::um(25.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guards {
    /// Nothing is engraved nearer than this to the border of the usable part of the tip: no raised edge where the
    /// cup is bent over the rim of the pin.
    pub edge: Length,
    /// A domed tip is used only where it enters the primer when it stands this deep in it.
    pub contact_depth: Length,
    /// A domed tip is used only where its surface is less steep than this against the plane across the strike.
    pub slope: Angle,
    /// The greatest relief: a tall raised mark is a punch.
    pub relief: Length,
    /// The smallest radius of curvature on a shoulder of the relief: a sharp one cuts the cup.
    pub edge_radius: Length,
    /// The thinnest stroke or smallest dot that the engraving laser makes cleanly.
    pub stroke: Length,
    /// The narrowest ground between two elements that the laser clears to full depth.
    pub gap: Length,
}

impl Default for Guards {
    fn default() -> Self {
        Self {
            edge: Length::um(25.0),
            contact_depth: Length::um(300.0),
            slope: Angle::degrees(30.0),
            relief: Length::um(30.0),
            edge_radius: Length::um(2.0),
            stroke: Length::um(15.0),
            gap: Length::um(5.0),
        }
    }
}

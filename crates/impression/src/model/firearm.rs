//! What one kind of firearm does to every case.

use topography::{Angle, Length};

use super::parameters::model;

model! {
    /// The part that strikes, and the action around it.
    ///
    /// The defaults are a neutral bench: they add nothing to [`Conditions`](crate::Conditions).
    ///
    /// ```
    /// use impression::Firearm;
    /// let bench = Firearm::default();
    /// assert_eq!(bench, Firearm::preset("reference")?);
    /// assert!(Firearm::presets().contains(&"striker-9mm"));
    /// # Ok::<(), impression::ParameterError>(())
    /// ```
    Firearm ("firearm", super::presets::FIREARMS) {
        energy: f64 = 1.0 "1" in 0.1 .. 5.0,
            "Energy of the strike relative to the bench; depth follows its square root.",
            "square root from plastic work of a spherical indenter, E = pi R H d^2 (Tabor 1951); values assumed";
        protrusion: Length = 700.0 "µm" in 0.0 .. 3000.0,
            "How far the pin can stand out: no impression is deeper.",
            "0.71 to 0.81 mm stated for one rifle by a shop; otherwise assumed";
        crater_depth: Length = 250.0 "µm" in 0.0 .. 1500.0,
            "Depth of the impression in the reference ammunition; 0 for a part that only presses flat.",
            "assumed; 0.3 to 0.6 mm is background knowledge";
        tip_radius: Length = 850.0 "µm" in 0.0 .. 10000.0,
            "Radius of the sphere at the tip; 0 for a flat tip. A tool map that has its own form replaces it.",
            "assumed";
        tip_width: Length = 1700.0 "µm" in 50.0 .. 10000.0,
            "Diameter of the tip across its narrow side, beyond which the flank begins.",
            "assumed; tips of 1.5 to 2.3 mm are background knowledge";
        tip_aspect: f64 = 1.0 "1" in 1.0 .. 4.0,
            "Length of the tip over its width: 1 round, 2 elliptical, 4 chisel; the long side lies along y.",
            "assumed";
        ridge: Length = 6.0 "µm" in 0.0 .. 100.0,
            "Height of the metal that flows back around the rim of the impression.",
            "assumed; a raised ring is seen on a picture of an ordinary case";
        ridge_width: Length = 60.0 "µm" in 5.0 .. 1000.0,
            "Distance from the rim to the crest of that ridge.",
            "assumed";
        pin_life: f64 = 5000.0 "rounds" in 100.0 .. 1000000.0,
            "Rounds after which wear has reached 63 %.",
            "assumed";
        drag: Length = 0.0 "µm" in 0.0 .. 300.0,
            "Drag that this action adds to every shot.",
            "assumed; drag is described for tilting-barrel actions";
        drag_direction: Angle = 0.0 "deg" in -180.0 .. 180.0,
            "Direction of the drag as seen on the case at rotation 0, clockwise from the right.",
            "assumed";
        drag_spread: Angle = 180.0 "deg" in 0.0 .. 180.0,
            "The drag's direction varies by up to this angle either way.",
            "assumed";
        tilt: f64 = 0.0 "1" in 0.0 .. 1.0,
            "Tilt that this action adds to every shot.",
            "assumed";
        off_centre: Length = 0.0 "µm" in 0.0 .. 1500.0,
            "Eccentricity that this action adds to every shot.",
            "assumed";
        double_chance: f64 = 1.0 "1" in 0.0 .. 1.0,
            "Chance that the conditions' double strike happens.",
            "assumed";
        finish: Length = 0.0 "µm" in 0.0 .. 10.0,
            "Standard deviation of the part's own machining marks, printed into the case.",
            "assumed";
    }
}

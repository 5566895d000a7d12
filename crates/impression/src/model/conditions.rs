//! One shot: how well the mark was transferred, and how the case was looked at.

use topography::{Angle, Length};

use super::parameters::model;

model! {
    /// What happened in one shot, and how the case is looked at afterwards.
    ///
    /// Every value is a size, not a draw: where chance decides (a direction, a place), the generator passed to
    /// [`strike`](crate::strike()) decides. No value is a measured property of a real firearm.
    ///
    /// ```
    /// use impression::Conditions;
    /// use topography::Length;
    /// let mut shot = Conditions::preset("level-2")?;
    /// shot.set("drag", "34um")?;
    /// assert_eq!(shot.drag, Length::um(34.0));
    /// assert!(shot.set("drga", "34um").unwrap_err().to_string().contains("flow-blur"));
    /// # Ok::<(), impression::ParameterError>(())
    /// ```
    Conditions ("conditions", super::presets::CONDITIONS) {
        depth: Length = 9.0 "µm" in 0.0 .. 60.0,
            "Height or depth of the mark on the case where contact is full; never more than on the tool.",
            "assumed; engraving itself is quoted as 25 µm deep (trade press)";
        energy: f64 = 1.0 "1" in 0.05 .. 3.0,
            "Energy of this strike relative to the firearm's usual one: below 1 a light strike.",
            "assumed";
        turn: Angle = 4.0 "deg" in 0.0 .. 180.0,
            "The case lies turned by up to this angle either way.",
            "assumed; 180° for a case that nobody has oriented";
        shift: Length = 16.0 "µm" in 0.0 .. 500.0,
            "The mark lies off the middle of the field by up to this much along each axis.",
            "assumed";
        stretch: f64 = 0.05 "1" in 0.0 .. 0.2,
            "The mark is larger or smaller than nominal by up to this share.",
            "assumed";
        rounds: f64 = 0.0 "rounds" in 0.0 .. 100000.0,
            "Rounds that the pin has fired before; wear grows as 1 - exp(-rounds / pin life).",
            "assumed law; face characters were reported legible with some wear after about 2,500 rounds";
        wear: f64 = 0.0 "1" in 0.0 .. 1.0,
            "Wear from other causes, 0 new to 1 worn out; rounds edges by 1.5 + 7 w µm, lowers relief by 35 % w.",
            "assumed";
        flow_blur: Length = 0.0 "µm" in 0.0 .. 30.0,
            "Standard deviation of the Gaussian by which the metal fails to follow the tool.",
            "assumed";
        missing: f64 = 0.0 "1" in 0.0 .. 0.95,
            "Share of the mark's area where the metal never met the tool.",
            "assumed";
        missing_scale: Length = 35.0 "µm" in 5.0 .. 500.0,
            "Correlation length (standard deviation of the kernel) of the places without contact.",
            "assumed";
        tilt: f64 = 0.0 "1" in 0.0 .. 1.0,
            "Share of depth lost, linearly, from one edge of the mark to the other.",
            "assumed";
        off_centre: Length = 0.0 "µm" in 0.0 .. 1500.0,
            "Distance of the strike from the middle of the primer; costs 0.2 of depth per mm across the mark.",
            "0.38 to 0.40 mm measured on one picture of an ordinary case; the cost is assumed";
        drag: Length = 0.0 "µm" in 0.0 .. 300.0,
            "Length constant of the exponential smear by which the pin drags in the metal.",
            "assumed";
        drag_striae: Length = 0.0 "µm" in 0.0 .. 10.0,
            "Standard deviation of the scratches along the drag (120 µm by 3 µm).",
            "assumed";
        double: Length = 0.0 "µm" in 0.0 .. 300.0,
            "Distance of a first, flatter copy of the mark from the second; 0 for a single strike.",
            "assumed; pin bounce is described as not uncommon";
        double_turn: Angle = 3.0 "deg" in 0.0 .. 30.0,
            "The first copy is turned by up to this angle either way.",
            "assumed";
        roughness: Length = 0.12 "µm" in 0.0 .. 10.0,
            "Standard deviation of the cup's fine texture, mixed from 3 µm and 9 µm correlation.",
            "assumed; breech-face marks of ordinary cases measure Sq 1.6 µm between 16 and 500 µm";
        machining: Length = 0.05 "µm" in 0.0 .. 10.0,
            "Standard deviation of turning or milling marks, 4 µm across and 150 µm along.",
            "assumed";
        concentric: f64 = 0.5 "1" in 0.0 .. 1.0,
            "Chance that machining marks are circles instead of parallel lines.",
            "assumed; turning rings are seen on the floor of real impressions";
        debris: f64 = 0.0 "per mm²" in 0.0 .. 2000.0,
            "Particles of residue that lie on the surface, 4 to 25 µm in radius.",
            "assumed";
        lacquer: Length = 0.0 "µm" in 0.0 .. 50.0,
            "Thickness of a film that fills hollows up to twice that depth and smooths over 12 µm.",
            "assumed; sealant films of a few to tens of µm are background knowledge";
        field: Length = 1024.0 "µm" in 50.0 .. 10000.0,
            "Side of the square surface that is made.",
            "chosen";
        pitch: Length = 2.0 "µm" in 0.2 .. 25.0,
            "Distance between points of the surface that is made.",
            "chosen";
        optical_blur: Length = 2.0 "µm" in 0.0 .. 50.0,
            "Standard deviation of the instrument's lateral blur.",
            "assumed";
        optical_noise: f64 = 0.015 "1" in 0.0 .. 0.5,
            "Standard deviation of a picture's noise, with 1 for white.",
            "assumed";
        light_azimuth: Angle = -135.0 "deg" in -360.0 .. 360.0,
            "Where an oblique light stands, clockwise from the right of the picture.",
            "chosen";
        light_elevation: Angle = 34.0 "deg" in 5.0 .. 85.0,
            "Height of the light above the plane of the case.",
            "chosen";
        shadows: f64 = 0.0 "1" in 0.0 .. 1.0,
            "From 0.5 on an oblique light casts shadows.",
            "chosen";
        height_noise: Length = 0.08 "µm" in 0.0 .. 10.0,
            "Standard deviation of a topography's noise.",
            "assumed; commercial instruments quote 0.3 µm and less";
    }
}

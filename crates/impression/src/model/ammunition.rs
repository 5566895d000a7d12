//! What one kind of ammunition does to every mark.

use topography::Length;

use super::parameters::model;

model! {
    /// The primer that is struck.
    ///
    /// The defaults are a neutral cup: they add nothing to [`Conditions`](crate::Conditions).
    ///
    /// ```
    /// use impression::Ammunition;
    /// assert_eq!(Ammunition::default(), Ammunition::preset("reference")?);
    /// # Ok::<(), impression::ParameterError>(())
    /// ```
    Ammunition ("ammunition", super::presets::AMMUNITION) {
        hardness: f64 = 120.0 "HV" in 60.0 .. 300.0,
            "Hardness of the cup; depth follows the inverse square root, 120 HV being neutral.",
            "90 to 160 HV is background knowledge; the law as for the energy of a strike";
        plating: Length = 0.0 "µm" in 0.0 .. 20.0,
            "Thickness of a nickel plating; hardens the face by 3 % per µm and halves fine texture every 10 µm.",
            "most commercial cups are nickel-plated; both effects are assumed";
        lacquer: Length = 0.0 "µm" in 0.0 .. 50.0,
            "Lacquer or sealant over the face, added to that of the conditions.",
            "assumed";
        finish: Length = 0.0 "µm" in 0.0 .. 10.0,
            "Roughness of this cup, added in quadrature to that of the conditions.",
            "assumed";
        grooves: Length = 0.0 "µm" in 0.0 .. 10.0,
            "Drawing and rolling marks of this cup, added in quadrature to machining.",
            "assumed";
        flow_back: f64 = 1.0 "1" in 0.0 .. 5.0,
            "How much metal flows back around the rim, relative to the firearm's ridge.",
            "assumed";
    }
}

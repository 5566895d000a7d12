//! Where the ticks of an axis stand and how they are written.

/// The values along one axis, with round ticks.
pub(crate) struct Axis {
    /// The value at the beginning of the axis.
    pub(crate) low: f64,
    /// The value at its end.
    pub(crate) high: f64,
    /// The distance between ticks.
    step: f64,
}

impl Axis {
    /// An axis that shows all `values`, widened to whole ticks. Values that are not finite are left out.
    pub(crate) fn showing(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values
            .filter(|value| value.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = match (low.is_finite(), low < high) {
            (false, _) => (0.0, 1.0),
            (true, false) => (low - 0.5, low + 0.5),
            (true, true) => (low, high),
        };
        let step = round_step((high - low) / 5.0);
        Self { low: (low / step).floor() * step, high: (high / step).ceil() * step, step }
    }

    /// How far along the axis a value stands, from 0 to 1.
    pub(crate) fn share(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    /// The ticks, low to high, with their labels.
    pub(crate) fn ticks(&self) -> Vec<(f64, String)> {
        let count = ((self.high - self.low) / self.step).round() as usize;
        let decimals = (-self.step.log10().floor()).max(0.0) as usize;
        (0..=count)
            .map(|index| {
                let value = self.low + index as f64 * self.step;
                let value = if value.abs() < self.step * 1e-9 { 0.0 } else { value };
                (value, format!("{value:.decimals$}"))
            })
            .collect()
    }
}

/// The nearest step of 1, 2 or 5 times a power of ten that is not smaller.
fn round_step(raw: f64) -> f64 {
    let power = 10f64.powf(raw.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= raw * 0.999_999).unwrap_or(10.0);
    factor * power
}

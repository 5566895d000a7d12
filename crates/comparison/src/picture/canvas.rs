//! A picture in colour that is drawn on.

use topography::Grid;

/// Red, green and blue.
pub(super) type Colour = [u8; 3];

/// What is drawn beside it is lost.
pub(super) struct Canvas(pub(super) Grid<Colour>);

impl Canvas {
    pub(super) fn filled(width: usize, height: usize, colour: Colour) -> Self {
        Self(Grid::filled(width, height, colour))
    }

    /// A rectangle.
    pub(super) fn fill(&mut self, [left, top]: [isize; 2], [width, height]: [isize; 2], colour: Colour) {
        let [right, bottom] = [(left + width, self.0.width()), (top + height, self.0.height())]
            .map(|(end, most)| end.clamp(0, most as isize) as usize);
        for y in top.max(0) as usize..bottom {
            for x in left.max(0) as usize..right {
                self.0[(x, y)] = colour;
            }
        }
    }

    /// A line two samples wide; of a dashed one every other stretch of six samples.
    pub(super) fn line(&mut self, from: [f64; 2], to: [f64; 2], colour: Colour, is_dashed: bool) {
        let [across, down] = [to[0] - from[0], to[1] - from[1]];
        let steps = across.abs().max(down.abs()).ceil().max(1.0) as usize;
        for step in (0..=steps).filter(|step| !is_dashed || step / 6 % 2 == 0) {
            let share = step as f64 / steps as f64;
            let at = [from[0] + share * across, from[1] + share * down].map(|v| v.round() as isize);
            self.fill(at, if is_dashed { [1, 1] } else { [2, 2] }, colour);
        }
    }

    /// Lays another picture on this one.
    pub(super) fn lay(&mut self, picture: &Grid<Colour>, [left, top]: [usize; 2]) {
        for y in 0..picture.height().min(self.0.height().saturating_sub(top)) {
            for x in 0..picture.width().min(self.0.width().saturating_sub(left)) {
                self.0[(left + x, top + y)] = picture[(x, y)];
            }
        }
    }
}

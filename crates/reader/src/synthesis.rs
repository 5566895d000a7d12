//! What was seen of a mark beside what the model makes of it, for a person to compare.

use rustfft::num_complex::Complex32;

use crate::bank::{Bank, Part, Window, add, cut};
use crate::flanks::Lit;
use crate::fourier::Transform;

/// One look at a mark, in its own frame, in units of the root mean square of what was seen.
#[derive(Debug)]
pub(crate) struct Synthesis {
    /// What was seen.
    pub(crate) seen: Vec<f32>,
    /// What is believed to be there, as the surface shows it.
    pub(crate) shown: Vec<f32>,
    /// How the surface shows a shape: a (transposed) spectrum.
    pub(crate) kernel: Vec<Complex32>,
    /// How the light shows flanks, where it comes from all sides.
    pub(crate) lit: Option<Lit>,
}

/// One symbol: what was seen of it, its two likeliest values as the surface would show them, and what the model leaves.
pub(crate) struct Card {
    pub(crate) window: Window,
    pub(crate) tiles: [Vec<f32>; 4],
}

impl Synthesis {
    /// The card of a part with the values that are likeliest; `bank` is the one that was compared.
    pub(crate) fn card(&self, bank: &Bank, part: &Part, values: [usize; 2]) -> Card {
        let size = bank.canvas.size;
        let window = part.window;
        let of = |plane: &[f32]| cut(plane, size, window);
        let (seen, shown) = (of(&self.seen), of(&self.shown));
        let rest = seen.iter().zip(&shown).map(|(seen, shown)| seen - shown).collect();
        let [best, second] = values.map(|value| of(&self.rendered(bank, part, value)));
        Card { window, tiles: [seen, best, second, rest] }
    }

    /// The first shape of a value as the surface would show it.
    fn rendered(&self, bank: &Bank, part: &Part, value: usize) -> Vec<f32> {
        let size = bank.canvas.size;
        let mut plane = vec![0.0; size * size];
        let place = part.values.iter().position(|shown| *shown == value);
        if let Some(shape) = place.and_then(|place| part.shapes.get(place)) {
            add(&mut plane, size, part.window, shape, 1.0);
        }
        let transform = Transform::of(size, size);
        let mut spectrum = transform.spectrum(&plane);
        spectrum.iter_mut().zip(&self.kernel).for_each(|(value, kernel)| *value *= kernel);
        transform.real(spectrum)
    }
}

//! Which pictures show one view under several lights.

use topography::{Length, Micrograph};

use crate::banks::Banks;
use crate::field::{Field, Surface};
use crate::observation::{grouped, pitch_of};
use crate::reading::{ReadError, ReadOptions};
use crate::region::bowl_of;
use crate::shading::{likeness, relief};

/// Reliefs this much alike in what is finer than a mark show one view. Pictures of different cases are alike by chance
/// alone, a few hundredths.
const ONE_VIEW: f32 = 0.15;

/// Pictures by the view that they show: same size, same pitch, same texture in the same places.
pub(crate) fn views(pictures: &[&Micrograph], options: &ReadOptions) -> Result<Vec<Vec<usize>>, ReadError> {
    let Some((marks, module)) = grouped(options)?.into_iter().next() else { return Ok(Vec::new()) };
    let banks = Banks::draw(&options.scheme, &marks, module);
    let reliefs: Vec<Option<Field>> = if pictures.len() > 1 {
        pictures.iter().map(|picture| fine_relief(picture, &banks)).collect()
    } else {
        vec![None; pictures.len()]
    };
    let same_frame = |a: &Micrograph, b: &Micrograph| {
        let size = |picture: &Micrograph| (picture.intensity.width(), picture.intensity.height());
        size(a) == size(b) && a.pitch == b.pitch
    };
    let mut views: Vec<Vec<usize>> = Vec::new();
    for one in 0..pictures.len() {
        let joins = |view: &&mut Vec<usize>| {
            view.iter().any(|&other| match (&reliefs[one], &reliefs[other]) {
                (Some(a), Some(b)) => {
                    same_frame(pictures[one], pictures[other])
                        && likeness(a, b, banks.module_um / a.pitch_um) > ONE_VIEW
                }
                _ => false,
            })
        };
        match views.iter_mut().find(joins) {
            Some(view) => view.push(one),
            None => views.push(vec![one]),
        }
    }
    Ok(views)
}

/// The relief that one picture shows by itself, if it holds little more than a mark.
fn fine_relief(picture: &Micrograph, banks: &Banks) -> Option<Field> {
    let surface = Surface::Picture(picture, pitch_of(picture));
    let [width, height] = surface.extent_um();
    if width.max(height) > 200.0 * banks.module_um {
        return None;
    }
    let pitch = banks.module_um * 0.2;
    let field = [surface.sampled([0.0, 0.0, width, height], Length::um(f64::from(pitch)))];
    relief(&field, bowl_of(&field, banks), banks.module_um / pitch)
}

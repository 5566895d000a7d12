//! Photographs of one case under several lights, taken through one microscope that did not move.
//!
//! That two pictures show one case is for the person to say who took them. Nothing in the pictures proves it: in a fixture
//! the marks of all cases lie in one place, and what the model leaves unexplained of a deep mark is as alike between two
//! cases of one pin as the texture of one primer is under two lamps.

use std::sync::Arc;

use topography::{Grid, Length, Micrograph};

use crate::banks::Banks;
use crate::blur::blur;
use crate::field::{Field, Surface};
use crate::fuse::{fuse, shared_code};
use crate::observation::{Look, Observation, grouped, observe_view, pitch_of};
use crate::reading::{Outcome, ReadError, ReadOptions};
use crate::region::bowl_of;
use crate::shading::relief;
use crate::vectors::dot;

/// Reliefs of one case this much alike in what is finer than a mark show one view.
const ALIKE: f32 = 0.15;
/// Two codes this much likelier than one, natural log, are two.
const TWO_CODES: f64 = 6.9;

/// Looks at several photographs that are known to show **one** case. Those that look like one view under different lights
/// make one relief and one observation; every other makes its own. Each observation comes with the places of its pictures
/// in the slice. Where a picture by itself carries another code than all together do, somebody was mistaken: then each
/// makes an observation of its own, and a warning says so.
///
/// # Errors
///
/// [`ReadError`] when the options make no sense or a picture cannot hold a mark.
pub fn observe_lights(
    pictures: &[&Micrograph],
    options: &ReadOptions,
) -> Result<Vec<(Vec<usize>, Observation)>, ReadError> {
    let mut seen = Vec::new();
    for places in alike(pictures, options)? {
        let view: Vec<&Micrograph> = places.iter().map(|&k| pictures[k]).collect();
        let together = observe_view(&view, Look::Hard, options)?;
        match parted(&view, &together, options)? {
            None => seen.push((places, together)),
            Some(alone) => seen.extend(places.into_iter().map(|place| vec![place]).zip(alone)),
        }
    }
    seen.sort_by_key(|(places, _)| places[0]);
    Ok(seen)
}

/// Pictures by themselves, where one of them plainly carries another code than all together.
fn parted(
    view: &[&Micrograph],
    together: &Observation,
    options: &ReadOptions,
) -> Result<Option<Vec<Observation>>, ReadError> {
    // Where there is no mark for all, there is no code to be wrong about.
    if view.len() < 2 || !together.parts.iter().any(|part| part.possible) {
        return Ok(None);
    }
    // A code that is plainly another is seen without looking hard, and accepted: pictures that show too little by
    // themselves agree with codes by chance.
    let alone = |picture: &&Micrograph| observe_view(&[*picture], Look::Plain, options);
    let mut alone: Vec<Observation> = view.iter().map(alone).collect::<Result<_, _>>()?;
    let mut differ = false;
    for seen in &alone {
        let sure = fuse(std::slice::from_ref(seen), options)?.outcome == Outcome::Accepted;
        differ |= sure && shared_code(seen, together, options)? < -TWO_CODES;
    }
    if differ {
        let told = "pictures that were said to show one case under several lights carry different codes";
        alone[0].warnings.push(told.to_owned());
    }
    Ok(differ.then_some(alone))
}

/// Pictures of one frame whose fine reliefs are alike, each with at least one other of its group.
fn alike(pictures: &[&Micrograph], options: &ReadOptions) -> Result<Vec<Vec<usize>>, ReadError> {
    let parts = grouped(options)?;
    let (marks, module) = parts.first().ok_or_else(|| ReadError::Marks("none".to_owned()))?;
    let banks = Banks::draw(&options.scheme, marks, *module);
    let fine: Vec<Option<Field>> = match pictures {
        [_] => vec![None],
        _ => pictures.iter().map(|picture| fine_relief(picture, &banks)).collect(),
    };
    let same_frame = |a: &Micrograph, b: &Micrograph| {
        let size = |picture: &Micrograph| (picture.intensity.width(), picture.intensity.height());
        size(a) == size(b) && a.pitch == b.pitch
    };
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for one in 0..pictures.len() {
        let alike = |&other: &usize| {
            let (Some(a), Some(b)) = (&fine[one], &fine[other]) else { return false };
            same_frame(pictures[one], pictures[other]) && likeness(a, b) > ALIKE
        };
        let (joined, others): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|group: &Vec<usize>| group.iter().any(alike));
        let mut group: Vec<usize> = joined.into_iter().flatten().chain([one]).collect();
        group.sort_unstable();
        groups = others;
        groups.push(group);
    }
    Ok(groups)
}

/// What is finer than a mark in the relief that one picture shows by itself, if it holds little more than a mark.
fn fine_relief(picture: &Micrograph, banks: &Arc<Banks>) -> Option<Field> {
    let surface = Surface::Picture(picture, pitch_of(picture));
    let [width, height] = surface.extent_um();
    if width.max(height) > 200.0 * banks.module_um {
        return None;
    }
    let pitch = banks.module_um * 0.2;
    let field = [surface.sampled([0.0, 0.0, width, height], Length::um(f64::from(pitch)))];
    let mut relief = relief(&field, bowl_of(&field, banks), banks.module_um / pitch)?;
    let (width, height) = (relief.values.width(), relief.values.height());
    let soft = blur(relief.values.samples(), width, height, 0.6 * banks.module_um / pitch);
    let fine = relief.values.samples().iter().zip(soft).map(|(value, soft)| value - soft).collect();
    relief.values = Grid::from_vec(width, height, fine);
    Some(relief)
}

/// How far two fine reliefs of one frame are the same, -1 to 1.
fn likeness(a: &Field, b: &Field) -> f32 {
    let (a, b) = (a.values.samples(), b.values.samples());
    dot(a, b) / (dot(a, a) * dot(b, b)).max(1e-20).sqrt()
}

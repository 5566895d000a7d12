//! What stands far above or below its own face: letters stamped on the primer, gouges, dirt.
//!
//! A stamp is on every cartridge of a make. Deep as it is, it carries the coefficient of its cells, whatever the rest of them
//! shows; so a count is asked again without it.

use crate::raster::Raster;

/// Heights beyond so many robust standard deviations of the rougher parts of the face are deep or high.
const FAR: f32 = 2.2;
/// Edge of the squares whose roughness is looked at, in micrometres, and the share of them that is smoother than what is called rough.
const SQUARE_UM: f64 = 200.0;
const SMOOTHER: f64 = 0.85;
/// What is taken away round them, in micrometres.
const MARGIN_UM: f64 = 25.0;
/// Pieces smaller than this are specks of texture, in square micrometres, and are not counted.
const SPECK_UM2: f64 = 2500.0;
/// A face that is deep or high in less than this share of its area has no such pieces; one that is in more has nothing else.
const SHARES: (f64, f64) = (0.002, 0.35);

/// A rest whose heights are this much lower than those of the whole says nothing by what it shows.
const SMOOTH: f64 = 0.12;
/// The share of the energy from which deep and high pieces decide what whole faces look like.
const MOST: f64 = 0.45;

/// Whether they do.
pub(crate) fn is_deep(level: &Raster) -> bool {
    let Some(deviation) = deviation(level) else { return false };
    let energy = |least: f32| -> f64 {
        let far = level.z.iter().filter(|z| z.abs() > least);
        far.map(|&z| f64::from(z) * f64::from(z)).sum()
    };
    energy(FAR * deviation) > MOST * energy(0.0)
}

/// The surface with deep and high pieces missing, and how many there were; nothing where there are none.
pub(crate) fn without(level: &Raster) -> Option<(Raster, usize)> {
    let bound = FAR * deviation(level)?;
    let is_far: Vec<bool> = level.z.iter().map(|z| z.abs() > bound).collect();
    let measured = level.valid() as f64;
    let far = is_far.iter().filter(|&&far| far).count() as f64;
    let reach = (MARGIN_UM / level.pitch).round() as usize;
    let near = grown(&is_far, level.width, reach);
    let mut out = level.clone();
    let mut gone = 0.0;
    for ((z, w), near) in out.z.iter_mut().zip(&mut out.w).zip(near) {
        if near {
            gone += f64::from(*w);
            (*z, *w) = (0.0, 0.0);
        }
    }
    let some = far > SHARES.0 * measured && gone < SHARES.1 * measured;
    (some && roughness(&out) > SMOOTH * roughness(level)).then(|| (out, pieces(is_far, level)))
}

/// The root mean square height.
fn roughness(level: &Raster) -> f64 {
    let energy: f64 = level.z.iter().map(|&z| f64::from(z) * f64::from(z)).sum();
    (energy / level.valid().max(1) as f64).sqrt()
}

/// The robust standard deviation of heights in the rougher squares of the face; nothing where nothing is measured.
///
/// Of the whole face it would make deep what is rough in one part, where the rest is smooth.
fn deviation(level: &Raster) -> Option<f32> {
    if level.z.is_empty() {
        return None;
    }
    let edge = ((SQUARE_UM / level.pitch).round() as usize).max(1);
    let mut squares = Vec::new();
    let mut heights = Vec::with_capacity(edge * edge);
    for y0 in (0..level.height).step_by(edge) {
        for x0 in (0..level.width).step_by(edge) {
            heights.clear();
            for y in y0..(y0 + edge).min(level.height) {
                let row = y * level.width;
                let samples = row + x0..row + (x0 + edge).min(level.width);
                let measured =
                    level.z[samples.clone()].iter().zip(&level.w[samples]).filter(|(_, w)| **w > 0.0);
                heights.extend(measured.map(|(z, _)| z.abs()));
            }
            if 2 * heights.len() > edge * edge {
                squares.push(middle(&mut heights, 0.5));
            }
        }
    }
    (!squares.is_empty()).then(|| 1.4826 * middle(&mut squares, SMOOTHER))
}

/// The value that so large a share of the others is below.
fn middle(values: &mut [f32], share: f64) -> f32 {
    let at = ((share * values.len() as f64) as usize).min(values.len() - 1);
    *values.select_nth_unstable_by(at, f32::total_cmp).1
}

/// With everything within `reach` samples along rows and columns.
fn grown(mask: &[bool], width: usize, reach: usize) -> Vec<bool> {
    let height = mask.len() / width.max(1);
    let mut across = vec![false; mask.len()];
    for (at, _) in mask.iter().enumerate().filter(|(_, far)| **far) {
        let (x, row) = (at % width, at - at % width);
        across[row + x.saturating_sub(reach)..=row + (x + reach).min(width - 1)].fill(true);
    }
    let mut out = across.clone();
    for y in 0..height {
        for other in y.saturating_sub(reach)..(y + reach + 1).min(height) {
            for x in 0..width {
                out[y * width + x] |= across[other * width + x];
            }
        }
    }
    out
}

/// How many pieces are no specks; those that touch along rows and columns are one.
fn pieces(mut open: Vec<bool>, level: &Raster) -> usize {
    let speck = (SPECK_UM2 / level.pitch.powi(2)) as usize;
    let mut count = 0;
    let mut next = Vec::new();
    for start in 0..open.len() {
        let mut size = 0;
        next.push(start);
        while let Some(at) = next.pop() {
            if !std::mem::take(&mut open[at]) {
                continue;
            }
            size += 1;
            let (x, width) = (at % level.width, level.width);
            next.extend((x > 0).then(|| at - 1));
            next.extend((x + 1 < width).then_some(at + 1));
            next.extend(at.checked_sub(width));
            next.extend(Some(at + width).filter(|&below| below < open.len()));
        }
        count += usize::from(size > speck);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waves of a micrometre, and so many square stamps.
    fn face(stamps: usize) -> Raster {
        let n = 200;
        let mut face = Raster { width: n, height: n, pitch: 6.25, ..Raster::default() };
        for y in 0..n {
            for x in 0..n {
                let wave = (x as f32 * 0.4).sin() + (y as f32 * 0.37).cos();
                let stamped =
                    (0..stamps).any(|k| (20 + 60 * k..35 + 60 * k).contains(&x) && (50..70).contains(&y));
                face.z.push(if stamped { -9.0 } else { wave });
                face.w.push(1.0);
            }
        }
        face
    }

    #[test]
    fn stamps_go_with_their_margin_and_waves_stay() {
        let (rest, pieces) = without(&face(2)).expect("two stamps");
        assert_eq!(pieces, 2);
        let gone = rest.w.iter().filter(|w| **w == 0.0).count();
        assert_eq!(gone, 2 * (15 + 8) * (20 + 8));
        assert!(rest.z.iter().all(|z| z.abs() < 3.0));
        assert!(without(&face(0)).is_none() && without(&Raster::default()).is_none());
    }
}

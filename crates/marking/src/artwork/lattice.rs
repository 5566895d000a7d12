//! The outline of square modules that share sides.

use std::collections::BTreeMap;

use symbology::geometry::{Element, Point};

use crate::shape::Shape;

/// A corner of the lattice of squares.
type Corner = (i64, i64);

/// The borders of the union of the squares among `shapes`, corners only: sides that two squares share are left out.
/// Squares that meet in a corner alone keep borders of their own. Outer borders run clockwise to the eye.
///
/// All squares of a mark are of one size and lie on one lattice.
pub(super) fn outlines(shapes: &[Shape]) -> Vec<Vec<Point>> {
    let squares: Vec<(Point, f64)> = shapes
        .iter()
        .filter_map(|shape| match shape.element() {
            Element::Square { centre, side } => Some((*centre, *side)),
            _ => None,
        })
        .collect();
    let Some(&(origin, side)) = squares.first() else { return Vec::new() };
    let cell =
        |at: Point| (((at.x - origin.x) / side).round() as i64, ((at.y - origin.y) / side).round() as i64);
    let mut leaving = boundary(squares.iter().map(|&(centre, _)| cell(centre)));
    let place = |(column, row): Corner| Point {
        x: origin.x + (column as f64 - 0.5) * side,
        y: origin.y + (row as f64 - 0.5) * side,
    };
    let mut outlines = Vec::new();
    while let Some(corners) = take_loop(&mut leaving) {
        outlines.push(corners.into_iter().map(place).collect());
    }
    outlines
}

/// For every corner the corners that the border goes to from there; the inside lies to the right.
fn boundary(cells: impl Iterator<Item = Corner>) -> BTreeMap<Corner, Vec<Corner>> {
    let mut leaving: BTreeMap<Corner, Vec<Corner>> = BTreeMap::new();
    for (x, y) in cells {
        let corners = [(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)];
        for i in 0..4 {
            let (from, to) = (corners[i], corners[(i + 1) % 4]);
            let back = leaving.get_mut(&to).and_then(|ends| {
                let at = ends.iter().position(|&end| end == from)?;
                Some(ends.swap_remove(at))
            });
            if back.is_none() {
                leaving.entry(from).or_default().push(to);
            }
        }
    }
    leaving
}

/// Follows one border from its first corner, turning right where two borders meet, and drops corners that lie straight.
fn take_loop(leaving: &mut BTreeMap<Corner, Vec<Corner>>) -> Option<Vec<Corner>> {
    leaving.retain(|_, ends| !ends.is_empty());
    let start = *leaving.keys().next()?;
    let mut corners = vec![start];
    let mut before: Option<Corner> = None;
    let mut at = start;
    loop {
        let ends = leaving.get_mut(&at)?;
        let right = before.and_then(|(dx, dy)| ends.iter().position(|&end| end == (at.0 - dy, at.1 + dx)));
        let next = ends.swap_remove(right.unwrap_or(0));
        before = Some((next.0 - at.0, next.1 - at.1));
        if next == start {
            break;
        }
        corners.push(next);
        at = next;
    }
    let count = corners.len();
    let bends = |i: usize| {
        let (a, b, c) = (corners[(i + count - 1) % count], corners[i], corners[(i + 1) % count]);
        (b.0 - a.0, b.1 - a.1) != (c.0 - b.0, c.1 - b.1)
    };
    Some((0..count).filter(|&i| bends(i)).map(|i| corners[i]).collect())
}

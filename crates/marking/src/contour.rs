//! The outline of overlapping strokes as closed polygons.

use std::collections::HashMap;

use symbology::geometry::Point;

use crate::shape::{Bounds, Shape};

/// The spacing of the samples that the outline is followed through, in micrometres.
const STEP_UM: f64 = 1.0;
/// Outlines leave out points that lie closer than this to the line through their neighbours, in micrometres.
const TOLERANCE_UM: f64 = 0.05;

/// The borders of the union of `shapes`: closed polygons in micrometres, the first point not repeated. Seen with `y`
/// down, outer borders run clockwise and the borders of holes run the other way.
///
/// The signed distance is sampled every micrometre and the zero level followed through the squares between samples
/// (marching squares with linear interpolation); the result lies within 0.3 µm of the true border everywhere, and
/// within 0.05 µm except at sharp inner corners.
pub(crate) fn outlines(shapes: &[&Shape]) -> Vec<Vec<Point>> {
    let Some(field) = Field::sample(shapes) else { return Vec::new() };
    let mut next = field.segments();
    let mut starts: Vec<Edge> = next.keys().copied().collect();
    starts.sort_unstable();
    let mut outlines = Vec::new();
    for start in starts {
        let mut polygon = Vec::new();
        let mut at = start;
        while let Some(following) = next.remove(&at) {
            polygon.push(field.crossing(at));
            at = following;
        }
        if polygon.len() >= 3 {
            outlines.push(simplified(&polygon));
        }
    }
    outlines
}

/// An edge between two neighbouring samples: the sample and whether the edge runs down from it (or to the right).
type Edge = (usize, usize, bool);

struct Field {
    left: f64,
    top: f64,
    width: usize,
    inside: Vec<f64>,
}

impl Field {
    fn sample(shapes: &[&Shape]) -> Option<Self> {
        let bounds = shapes.iter().map(|shape| shape.bounds()).reduce(joined)?.grown(2.0 * STEP_UM);
        let width = ((bounds.right - bounds.left) / STEP_UM).ceil() as usize + 1;
        let height = ((bounds.bottom - bounds.top) / STEP_UM).ceil() as usize + 1;
        let mut inside = Vec::with_capacity(width * height);
        for row in 0..height {
            for column in 0..width {
                let x = bounds.left + column as f64 * STEP_UM;
                let y = bounds.top + row as f64 * STEP_UM;
                let distance = shapes.iter().map(|shape| shape.distance_inside(Point { x, y }));
                let distance = distance.fold(f64::NEG_INFINITY, f64::max);
                // A sample exactly on the border would make a corner of length zero.
                inside.push(if distance.abs() < 1e-6 { 1e-6 } else { distance });
            }
        }
        Some(Self { left: bounds.left, top: bounds.top, width, inside })
    }

    fn at(&self, column: usize, row: usize) -> f64 {
        self.inside[row * self.width + column]
    }

    fn crossing(&self, (column, row, down): Edge) -> Point {
        let (to_column, to_row) = if down { (column, row + 1) } else { (column + 1, row) };
        let (from, to) = (self.at(column, row), self.at(to_column, to_row));
        let share = from / (from - to);
        let x = self.left + STEP_UM * (column as f64 + if down { 0.0 } else { share });
        let y = self.top + STEP_UM * (row as f64 + if down { share } else { 0.0 });
        Point { x, y }
    }

    /// For every crossed edge the edge that the border goes to next, the inside to its right.
    fn segments(&self) -> HashMap<Edge, Edge> {
        let mut next = HashMap::new();
        let height = self.inside.len() / self.width;
        for row in 0..height - 1 {
            for column in 0..self.width - 1 {
                let corners = [
                    self.at(column, row),
                    self.at(column + 1, row),
                    self.at(column + 1, row + 1),
                    self.at(column, row + 1),
                ];
                let edges = [
                    (column, row, false),
                    (column + 1, row, true),
                    (column, row + 1, false),
                    (column, row, true),
                ];
                for (from, to) in square_segments(corners) {
                    next.insert(edges[from], edges[to]);
                }
            }
        }
        next
    }
}

/// The pieces of border in one square of samples (clockwise from the top left), as pairs of its edges (top, right,
/// bottom, left), the inside to the right of the way they run.
fn square_segments(corners: [f64; 4]) -> Vec<(usize, usize)> {
    let inside: Vec<bool> = corners.iter().map(|&corner| corner > 0.0).collect();
    // Going round clockwise, the border enters the square where the outline passes from inside to outside.
    let enters: Vec<usize> = (0..4).filter(|&i| !inside[i] && inside[(i + 1) % 4]).collect();
    let leaves: Vec<usize> = (0..4).filter(|&i| inside[i] && !inside[(i + 1) % 4]).collect();
    match (enters.as_slice(), leaves.as_slice()) {
        (&[enter], &[leave]) => vec![(leave, enter)],
        (&[first, second], &[leave_first, leave_second]) => {
            let joined = corners.iter().sum::<f64>() > 0.0;
            let [after_first, after_second] =
                if leave_first > first { [leave_first, leave_second] } else { [leave_second, leave_first] };
            if joined {
                vec![(after_first, second), (after_second, first)]
            } else {
                vec![(after_first, first), (after_second, second)]
            }
        }
        _ => Vec::new(),
    }
}

fn joined(a: Bounds, b: Bounds) -> Bounds {
    Bounds {
        left: a.left.min(b.left),
        top: a.top.min(b.top),
        right: a.right.max(b.right),
        bottom: a.bottom.max(b.bottom),
    }
}

/// Ramer, Douglas and Peucker, on a closed polygon cut at its first point and the point furthest from that.
fn simplified(polygon: &[Point]) -> Vec<Point> {
    let first = polygon[0];
    let far = |point: &Point| (point.x - first.x).hypot(point.y - first.y);
    let split =
        (0..polygon.len()).max_by(|&a, &b| far(&polygon[a]).total_cmp(&far(&polygon[b]))).unwrap_or(0);
    let mut closed = polygon.to_vec();
    closed.push(first);
    let mut kept = vec![first];
    keep(&closed[..=split], &mut kept);
    keep(&closed[split..], &mut kept);
    kept.pop();
    kept
}

/// Appends what must be kept of an open line, without its first point.
fn keep(points: &[Point], kept: &mut Vec<Point>) {
    let (Some(&first), Some(&last)) = (points.first(), points.last()) else { return };
    let off = |point: &Point| crate::shape::distance_to_line(*point, &[first, last]);
    let worst =
        (1..points.len().saturating_sub(1)).max_by(|&a, &b| off(&points[a]).total_cmp(&off(&points[b])));
    match worst {
        Some(worst) if off(&points[worst]) > TOLERANCE_UM => {
            keep(&points[..=worst], kept);
            keep(&points[worst..], kept);
        }
        _ => kept.push(last),
    }
}

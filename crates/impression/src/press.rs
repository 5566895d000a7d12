//! The mark as the metal takes it over under full contact: pose, first strike, drag, flow.

use topography::{Angle, Grid, Length};

use crate::filter;
use crate::frame::{Affine, Frame, warp};
use crate::tool::Tool;
use crate::truth::{FirstStrike, Pose};

/// How a tool is pressed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Press {
    pub(crate) pose: Pose,
    pub(crate) drag: (Length, Angle),
    pub(crate) first_strike: Option<FirstStrike>,
    /// Standard deviation of the metal's flow.
    pub(crate) flow: Length,
    /// Height on the case over height on the tool.
    pub(crate) transfer: f64,
}

/// The mark on the case, negative where the tool is raised.
pub(crate) fn press(tool: &Tool, frame: Frame, press: &Press) -> Grid<f32> {
    let (drag, direction) = press.drag;
    let dragged = drag > Length::ZERO;
    // A drag runs along the rows of its own grid, which is turned back in the end.
    let (work, angle) =
        if dragged { (dragged_frame(tool, frame, press), direction.to_radians()) } else { (frame, 0.0) };
    let on_case = places(work).then(Affine::turn(angle));
    let mut mark = warp(&tool.relief, work.side, on_case.then(case_to_tool(tool, press.pose)));
    if let Some(first) = press.first_strike {
        let pose = press.pose;
        let earlier = Pose { x: pose.x + first.x, y: pose.y + first.y, turn: pose.turn + first.turn, ..pose };
        let copy = warp(&tool.relief, work.side, on_case.then(case_to_tool(tool, earlier)));
        keep_deeper(&mut mark, &copy, first.depth as f32);
    }
    filter::smear_rows(&mut mark, drag.to_um() / frame.pitch);
    let flow = press.flow.to_um() / frame.pitch;
    // Sampling once more between the points blurs by a sixth of a squared pitch on average.
    let flow = if dragged { (flow * flow - 1.0 / 6.0).max(0.0).sqrt() } else { flow };
    filter::gaussian(&mut mark, flow);
    if dragged {
        let back = places(frame).then(Affine::turn(-angle)).then(indices(work));
        mark = warp(&mark, frame.side, back);
    }
    let sunk = -(press.transfer as f32);
    mark.samples_mut().iter_mut().for_each(|sample| *sample *= sunk);
    mark
}

/// A grid that holds the mark and the tail of its drag, however it is turned.
fn dragged_frame(tool: &Tool, frame: Frame, press: &Press) -> Frame {
    let bounce = press.first_strike.map_or(0.0, |first| libm::hypot(first.x.to_um(), first.y.to_um()));
    let tail = 5.0 * press.drag.0.to_um() + 4.0 * press.flow.to_um() + bounce;
    let off = libm::hypot(press.pose.x.to_um(), press.pose.y.to_um());
    let reach = 1.1 * tool.radius * press.pose.scale + off + tail + 20.0;
    Frame::covering((2.0 * reach).min(frame.extent() * std::f64::consts::SQRT_2), frame.pitch)
}

/// From indices to places.
fn places(frame: Frame) -> Affine {
    Affine::stretch(frame.pitch, frame.pitch).then(Affine::shift(frame.first(), frame.first()))
}

/// From places to indices.
fn indices(frame: Frame) -> Affine {
    Affine::shift(-frame.first(), -frame.first()).then(Affine::stretch(1.0 / frame.pitch, 1.0 / frame.pitch))
}

/// From a place on the case to one in the frame of the mark, as seen on the case.
pub(crate) fn case_to_mark(pose: Pose) -> Affine {
    Affine::shift(-pose.x.to_um(), -pose.y.to_um())
        .then(Affine::turn(-pose.turn.to_radians()))
        .then(Affine::stretch(1.0 / pose.scale, 1.0 / pose.scale))
}

/// From a place on the case to an index of the tool's map, which is the mirror image.
fn case_to_tool(tool: &Tool, pose: Pose) -> Affine {
    let centre = (0.5 * (tool.relief.width() as f64 - 1.0), 0.5 * (tool.relief.height() as f64 - 1.0));
    case_to_mark(pose)
        .then(Affine::stretch(-1.0 / tool.pitch.0, 1.0 / tool.pitch.1))
        .then(Affine::shift(centre.0, centre.1))
}

/// Keeps the deeper of two impressions, the second flattened.
fn keep_deeper(mark: &mut Grid<f32>, other: &Grid<f32>, flattened: f32) {
    for (sample, other) in mark.samples_mut().iter_mut().zip(other.samples()) {
        let other = flattened * other;
        if other.abs() > sample.abs() {
            *sample = other;
        }
    }
}

//! Leads of leads: the store is asked again with the surest leads, for scans that share too little area with the query itself.
//!
//! Two cases of one firearm touched the breech face in different places, and a fragment shows a part of one of them. Each may
//! share enough with a third case and next to nothing with each other.

use super::code::DIRECTIONS;
use super::{Candidate, Found, Lead, Link, NOTABLE, Query, Stages, Store, listed, stored};
use crate::compare::{Comparison, compare_at};
use crate::error::ComparisonError;
use crate::fourier::Planner;
use crate::pose::Pose;

/// Leads that the store is asked with.
const ASKED: usize = 2;
/// Cells at the detail of the store from which a lead is sure enough to ask with (Song 2013).
const CELLS: usize = 6;
/// A registration that no unrelated face comes near, where cells are too few; they reached 6.1 (40 halves of real cases among
/// 23,552 generated faces).
const STRENGTH: f64 = 8.0;
/// Whole faces agree far better than parts, so that few need a look.
const STAGES: Stages = Stages { registered: 100, compared: 6 };

/// The sure leads that were asked with, and the scans that they lead to and the query does not, compared with the query where
/// the lead says that they lie.
pub(super) fn linked(
    query: &Query,
    store: &Store<'_>,
    admitted: &(dyn Fn(usize) -> bool + Sync),
    leads: &[Lead],
) -> Result<(Vec<usize>, Vec<Lead>), ComparisonError> {
    let mut planner = Planner::default();
    let (mut asked_with, mut found) = (Vec::new(), Vec::<Lead>::new());
    for lead in leads.iter().filter(|lead| is_sure(lead)).take(ASKED) {
        let Some(asked) = Query::stored(store, lead.record, &query.coarse.preset, &mut planner) else {
            continue;
        };
        asked_with.push(lead.record);
        let others = |record: usize| record != lead.record && admitted(record);
        let is_known = |record: usize| leads.iter().any(|l| l.record == record && l.comparison.converged);
        let worth = |_: usize, record: usize, strength: f32| strength >= NOTABLE && !is_known(record);
        let Found { leads: near, .. } = listed(&asked, store, &others, (STAGES, &worth))?;
        for next in near.iter().filter(|next| agrees(&next.comparison)) {
            let link = Link { record: lead.record, congruent: next.comparison.congruent() };
            if found.iter().any(|l| l.record == next.record) {
                continue;
            }
            let pose = pose(&lead.comparison).followed_by(&pose(&next.comparison));
            let candidate = laid(query, store, next.record, &pose);
            let (Some(level), Some(surface)) =
                (store.level(next.record), stored(query, store, next.record, &mut planner))
            else {
                continue;
            };
            let at = query.turned.register(&level, candidate.turn, &mut planner);
            let [one, other] = at.poses(query.coarse.centre, surface.centre);
            let comparison = compare_at(&query.coarse, &surface, &[pose, one, other])?;
            let (code, strength) = (f64::from(candidate.code), f64::from(at.strength));
            found.push(Lead { record: next.record, code, strength, comparison, by_way_of: Some(link) });
        }
    }
    Ok((asked_with, found))
}

/// The candidate that a record is where it lies in this pose.
fn laid(query: &Query, store: &Store<'_>, record: usize, pose: &Pose) -> Candidate {
    let (code, _) = query.code.best_turn(&store.code(record));
    let steps = -pose.turn / std::f64::consts::PI * DIRECTIONS as f64;
    Candidate { record, code, turn: steps.round().rem_euclid(DIRECTIONS as f64) as usize % DIRECTIONS }
}

fn is_sure(lead: &Lead) -> bool {
    agrees(&lead.comparison) || lead.strength >= STRENGTH
}

fn agrees(comparison: &Comparison) -> bool {
    comparison.converged && comparison.congruent() >= CELLS
}

/// The pose of A on B that a comparison found.
fn pose(comparison: &Comparison) -> Pose {
    Pose { strength: 1.0, ..comparison.lies }
}

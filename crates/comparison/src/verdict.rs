//! What two surfaces come to in one order: by the rules, by their lines where the rules find nothing, and without what is stamped.

use crate::cmc::{self, Decided, Direction};
use crate::compare::{CmcCounts, Lines};
use crate::direction::{self, Scratch};
use crate::lines;
use crate::pose::{self, Pose};
use crate::profile;
use crate::surface::Surface;

/// Cells whose common coefficient falls below this share of itself without deep and high pieces agree in these alone.
const KEPT: f64 = 0.5;

/// A decision, with what it rests on.
pub(crate) struct Verdict<'a> {
    pub(crate) decided: Decided,
    /// The surfaces whose cells were counted.
    pub(crate) grids: [&'a Surface; 2],
    /// The largest coefficient of the whole surfaces.
    pub(crate) accf_max: f64,
    /// Where lines alone agree: how they run.
    pub(crate) lines: Option<Lines>,
    pub(crate) stamped: Option<Stamped>,
}

/// What became of deep and high pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamped {
    /// Of both surfaces.
    pub(crate) pieces: usize,
    /// Whether nothing agrees without them.
    pub(crate) alone: bool,
}

/// By the rules of the preset, with what the rules of this crate look at beside.
pub(crate) fn of<'a>(
    (a, b): (&'a Surface, &'a Surface),
    poses: &[Pose],
    scratch: &mut Scratch,
) -> Verdict<'a> {
    if a.preset.rules() != "microstamp" {
        return plainly((a, b), poses, scratch).0;
    }
    if a.is_regular || b.is_regular {
        return of_regular((a, b), poses, scratch);
    }
    let (first, unlikely) = plainly((a, b), poses, scratch);
    let converged = first.decided.converged;
    let deep = a.is_deep && b.is_deep;
    if !unlikely && !deep || converged && stands(&first, scratch) {
        return first;
    }
    match without_stamps((a, b), scratch) {
        Some(rest) if rest.decided.converged || deep && !converged => rest,
        Some(Verdict { stamped, .. }) if converged => nothing(first, stamped),
        _ => first,
    }
}

/// Where lines or rings were weakened: what is left decides, where the lines as they are do not say that it is shared; else these. What
/// the lines of both say is not what is stamped.
fn of_regular<'a>((a, b): (&'a Surface, &'a Surface), poses: &[Pose], scratch: &mut Scratch) -> Verdict<'a> {
    let (first, _) = plainly((a, b), poses, scratch);
    let plain = a.plain().zip(b.plain());
    let found =
        plain.and_then(|(one, other)| lines::found((one, other), scratch).map(|found| (found, [one, other])));
    if !first.decided.converged {
        return match found {
            Some((found, faces)) => by_lines(&first, found, faces, scratch),
            None => first,
        };
    }
    let left = [(a, 0), (b, 1)].into_iter().all(|(s, k)| profile::are_most(s, &first.decided.seen[k]));
    match found {
        Some((found, faces)) if found.lines == Lines::InPart && found.is_known => {
            by_lines(&first, found, faces, scratch)
        }
        None if is_shared(plain, left, &first, scratch) => nothing(first, None),
        _ if left || a.is_regular && b.is_regular => Verdict { lines: Some(Lines::Weakened), ..first },
        _ => first,
    }
}

/// Whether what agrees once lines were weakened, where the lines as they are do not, may be a rest of lines that firearms share.
fn is_shared(
    plain: Option<(&Surface, &Surface)>,
    left: bool,
    first: &Verdict,
    scratch: &mut Scratch,
) -> bool {
    let [one, other] = first.decided.counts.original;
    one.min(other) < cmc::LEAST_FOUND
        || plain.map_or(left, |pair| lines::are_in_part(pair, &first.decided.seen, scratch))
}

/// What the lines of both faces, as they are, say; nothing where that is only of what may be stamped.
fn by_lines<'a>(
    first: &Verdict<'a>,
    found: lines::Found,
    faces: [&'a Surface; 2],
    scratch: &mut Scratch,
) -> Verdict<'a> {
    let verdict = Verdict {
        decided: found.decided,
        grids: faces,
        accf_max: first.accf_max.max(found.whole),
        lines: Some(found.lines),
        stamped: first.stamped,
    };
    if stands(&verdict, scratch) {
        return verdict;
    }
    let pieces = faces.map(|s| s.shallow(&mut scratch.planner).map_or(0, |(_, pieces)| pieces));
    nothing(verdict, Some(Stamped { pieces: pieces[0] + pieces[1], alone: true }))
}

/// The same without any agreement: what agreed was stamped, and nothing else does.
fn nothing(verdict: Verdict, stamped: Option<Stamped>) -> Verdict {
    let counts = CmcCounts { convergence: [0, 0], ncma: 0.0, ..verdict.decided.counts };
    let mut decided = Decided { counts, converged: false, alone: 0, ..verdict.decided };
    decided.seen.iter_mut().for_each(|seen| seen.congruent.fill(false));
    let stamped = stamped.map(|stamped| Stamped { alone: true, ..stamped });
    Verdict { decided, lines: None, stamped, ..verdict }
}

/// Also says whether more cells came together than chance would have, wherever else they might fit.
fn plainly<'a>(
    (a, b): (&'a Surface, &'a Surface),
    poses: &[Pose],
    scratch: &mut Scratch,
) -> (Verdict<'a>, bool) {
    let back: Vec<_> = poses.iter().map(Pose::inverse).collect();
    let [of_a, of_b] = [a.cells.len(), b.cells.len()];
    let forward = cmc::direction(a, b, poses, scratch).unwrap_or_else(|| Direction::nowhere(of_a));
    let backward = cmc::direction(b, a, &back, scratch).unwrap_or_else(|| Direction::nowhere(of_b));
    let decided = cmc::decided((a, b), [&forward, &backward], scratch);
    let accf_max = cmc::whole(&forward, &backward);
    let unlikely = cmc::is_unlikely(&forward, &backward);
    (Verdict { decided, grids: [a, b], accf_max, lines: None, stamped: None }, unlikely)
}

/// Whether agreement stays, where it was found, once deep and high pieces are left out.
fn stands(verdict: &Verdict, scratch: &mut Scratch) -> bool {
    let [one, other] = verdict.grids;
    let [rest, rest_of_other] = [one, other].map(|s| s.shallow(&mut scratch.planner).map(|(s, _)| s));
    if rest.is_none() && rest_of_other.is_none() {
        return true;
    }
    let (rest, rest_of_other) = (rest.unwrap_or(one), rest_of_other.unwrap_or(other));
    let seen = &verdict.decided.seen[0];
    let cells = one.cells.iter().zip(&seen.congruent).filter(|(_, congruent)| **congruent);
    let mut squares: Vec<_> = cells.map(|(cell, _)| (cell.corner, cell.side)).collect();
    if squares.is_empty() {
        squares = one.cells.iter().map(|cell| (cell.corner, cell.side)).collect();
    }
    let whole = direction::whole_of((one, &one.level2.within(&squares)), other, &seen.pose, scratch);
    let pose = direction::restated((one, other), (rest, rest_of_other), &seen.pose);
    let level = rest.level2.within(&squares);
    direction::whole_of((rest, &level), rest_of_other, &pose, scratch) >= KEPT * whole
}

/// By the rules, deep and high pieces left out; nothing where there are none.
fn without_stamps<'a>((a, b): (&'a Surface, &'a Surface), scratch: &mut Scratch) -> Option<Verdict<'a>> {
    let [one, other] = [a, b].map(|s| s.shallow(&mut scratch.planner));
    if one.is_none() && other.is_none() {
        return None;
    }
    let pieces = [one, other].into_iter().flatten().map(|(_, pieces)| pieces).sum();
    let (one, other) = (one.map_or(a, |(s, _)| s), other.map_or(b, |(s, _)| s));
    let poses = pose::search(one, other, &mut scratch.planner);
    let (mut rest, _) = plainly((one, other), &poses, scratch);
    for (seen, pair) in rest.decided.seen.iter_mut().zip([[one, other, a, b], [other, one, b, a]]) {
        let [from, to, own, others] = pair;
        seen.pose = direction::restated((from, to), (own, others), &seen.pose);
    }
    Some(Verdict { stamped: Some(Stamped { pieces, alone: false }), ..rest })
}

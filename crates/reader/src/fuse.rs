//! Several observations as one question: how many firearms do they speak for, and for which codes?

use rayon::prelude::*;
use symbology::Scheme;

use crate::decide::answer;
use crate::evidence::{Case, Sight, Votes, cases};
use crate::jointly::posed;
use crate::observation::Observation;
use crate::poses::settled;
use crate::reading::{GroupReading, Outcome, ReadError, ReadOptions, Reading};

/// What to do where a mark is not read and the light is not at fault.
const MORE: &str = "more cases of the same firearm, read together with --fuse, add what these lack";
/// Images that were said to show one case but are this much likelier to show two codes, natural log, are two cases.
const TWO_CASES: f64 = 6.9;

/// Puts the evidence of several observations together (lights of one case, marks, cases) and answers once.
///
/// Images of one case count as one witness, cases of one firearm are added. A case joins the firearm with which it most
/// probably shares a code, begins one of its own, or is left out as saying nothing (no mark, another mark, nonsense),
/// whichever is likeliest. The firearm for which most speaks is the one that is read; where a second one is accepted
/// too, nothing says which was asked about, so no code is, and [`Reading::groups`] has the answer of each.
///
/// # Errors
///
/// [`ReadError::Nothing`] without observations, and what the decoder refuses.
pub fn fuse(observations: &[Observation], options: &ReadOptions) -> Result<Reading, ReadError> {
    if observations.is_empty() {
        return Err(ReadError::Nothing);
    }
    let (cases, parted) = parted(observations, &options.scheme)?;
    let cases = posed(cases, options)?;
    let mut groups = groups_of(&cases, options)?;
    let answered =
        |group: &Group| answer(&group.members.iter().map(|&k| &cases[k]).collect::<Vec<_>>(), options);
    let readings: Vec<Reading> = groups.par_iter().map(answered).collect::<Result<_, _>>()?;
    if let ([only], [group]) = (&cases[..], &mut groups[..]) {
        group.evidence = readings[0].log_evidence - without_a_word(only, &options.scheme);
    }
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by(|&a, &b| {
        let rank = |k: usize| (readings[k].outcome == Outcome::Accepted, groups[k].evidence);
        let ((sure_a, a), (sure_b, b)) = (rank(a), rank(b));
        sure_b.cmp(&sure_a).then(b.total_cmp(&a))
    });
    let inputs = |group: &Group| {
        let mut inputs: Vec<usize> =
            group.members.iter().flat_map(|&k| &cases[k].sights).map(|sight| sight.input).collect();
        inputs.sort_unstable();
        inputs.dedup();
        inputs
    };
    let mut reading = readings[order[0]].clone();
    let own = inputs(&groups[order[0]]);
    reading.groups =
        order.iter().map(|&k| group_reading(&readings[k], inputs(&groups[k]), groups[k].evidence)).collect();
    reading.left_out = (0..observations.len()).filter(|input| !own.contains(input)).collect();
    let heard = own.iter().flat_map(|&input| &observations[input].warnings);
    let light = own.iter().find_map(|&input| observations[input].advice.clone());
    let advice = match reading.outcome {
        Outcome::Accepted => None,
        Outcome::NoMark => light,
        _ => light.or_else(|| Some(MORE.to_owned())),
    };
    reading.warnings = heard.cloned().chain(parted).chain(reading.warnings).chain(advice).collect();
    tell_of_others(&mut reading, observations);
    if reading.outcome == Outcome::NoMark {
        reading.symbols.clear();
        tell_what_could_hide(&mut reading, observations);
    }
    Ok(reading)
}

/// Where this share of badly struck marks would have been seen, none is there.
const SHOWN: f32 = 0.5;

/// Tells "there is none" from "none would have been seen": what is hidden in one input may be hidden.
fn tell_what_could_hide(reading: &mut Reading, observations: &[Observation]) {
    let of = |seen: &Observation| seen.parts.iter().filter_map(|part| part.shown).reduce(f32::max);
    let Some(shown) = observations.iter().filter_map(of).reduce(f32::min) else { return };
    reading.sensitivity = Some(f64::from(shown));
    if shown >= SHOWN {
        return;
    }
    reading.outcome = Outcome::Unreadable;
    if let Some(first) = reading.groups.first_mut() {
        first.outcome = Outcome::Unreadable;
    }
    reading.warnings.push(format!(
        "no mark was seen, but one may lie hidden: of badly struck marks laid on this very surface {:.0} % would have been \
         seen",
        100.0 * shown
    ));
}

/// Counts the firearms that are sure, withholds the code where they are several, and says what was left out.
fn tell_of_others(reading: &mut Reading, observations: &[Observation]) {
    let mut codes: Vec<&str> = reading.groups.iter().filter_map(|group| group.code.as_deref()).collect();
    codes.sort_unstable();
    codes.dedup();
    let sure = codes.len();
    reading.firearms = sure.max(usize::from(reading.outcome != Outcome::NoMark));
    for (input, seen) in observations.iter().enumerate() {
        if !seen.further.is_empty() {
            let told = format!(
                "{} marks lie in the frame of {}",
                1 + seen.further.len(),
                name_of(observations, input)
            );
            reading.warnings.push(told);
        }
    }
    if sure > 1 {
        reading.outcome = Outcome::Candidates;
        (reading.code, reading.posterior) = (None, None);
        reading.warnings.push(format!(
            "the inputs speak for at least {sure} firearms, each with a code that is accepted by itself: none is \
             preferred; ask about each group by itself"
        ));
    } else if !reading.left_out.is_empty() {
        let left: Vec<String> = reading.left_out.iter().map(|&k| name_of(observations, k)).collect();
        reading.warnings.push(format!(
            "left out {}: no mark, another code, or nothing that can be told from chance",
            left.join(", ")
        ));
    }
}

fn name_of(observations: &[Observation], input: usize) -> String {
    observations[input]
        .name
        .as_ref()
        .map_or_else(|| format!("input {}", input + 1), |name| format!("`{name}`"))
}

fn group_reading(reading: &Reading, inputs: Vec<usize>, evidence: f64) -> GroupReading {
    GroupReading {
        inputs,
        outcome: reading.outcome,
        code: reading.code.clone(),
        posterior: reading.posterior,
        candidates: reading.candidates.clone(),
        log10_ratio: evidence / std::f64::consts::LN_10,
    }
}

/// Cases that are taken to be of one firearm.
struct Group {
    members: Vec<usize>,
    votes: Votes,
    /// The log of the likelihood of what was seen with one code for all members.
    with: f64,
    /// The log of the likelihood ratio of one code for all members against none for any.
    evidence: f64,
}

/// What a case says by itself.
struct Alone {
    votes: Votes,
    with: f64,
    without: f64,
}

/// Cases by the firearm that they speak for; what speaks for none is in no group. There is always one group.
fn groups_of(cases: &[Case], options: &ReadOptions) -> Result<Vec<Group>, ReadError> {
    let scheme = &options.scheme;
    if let [only] = cases {
        let votes = only.votes().clone();
        return Ok(vec![Group { members: vec![0], votes, with: 0.0, evidence: 0.0 }]);
    }
    let settled: Vec<Case> =
        cases.par_iter().map(|case| at_best_pose(case, options)).collect::<Result<_, _>>()?;
    let cases = &settled[..];
    let alone: Vec<Alone> = cases.par_iter().map(|case| alone(case, scheme)).collect::<Result<_, _>>()?;
    let mut order: Vec<usize> = (0..cases.len()).collect();
    let by_itself = |k: usize| alone[k].with - alone[k].without;
    order.sort_by(|&a, &b| by_itself(b).total_cmp(&by_itself(a)).then(a.cmp(&b)));
    let mut groups: Vec<Group> = Vec::new();
    let mut loose = Vec::new();
    for one in order {
        if join(&mut groups, (cases, &alone), one, scheme)? {
            continue;
        }
        let evidence = by_itself(one);
        if groups.is_empty() || evidence > 0.0 {
            let (votes, with) = (alone[one].votes.clone(), alone[one].with);
            groups.push(Group { members: vec![one], votes, with, evidence });
        } else {
            loose.push(one);
        }
    }
    // A case that said nothing beside few may say something beside many.
    for one in loose {
        join(&mut groups, (cases, &alone), one, scheme)?;
    }
    for group in &mut groups {
        group.members.sort_unstable();
    }
    Ok(groups)
}

/// A case at the poses that its own symbols make likeliest.
fn at_best_pose<'a>(case: &Case<'a>, options: &ReadOptions) -> Result<Case<'a>, ReadError> {
    Ok(settled(&[case], options, 0.0)?.cases.swap_remove(0))
}

fn without_a_word(case: &Case, scheme: &Scheme) -> f64 {
    let mut votes = Votes::none(scheme);
    votes.add(case.votes());
    votes.without_a_word()
}

fn alone(case: &Case, scheme: &Scheme) -> Result<Alone, ReadError> {
    let mut votes = Votes::none(scheme);
    votes.add(case.votes());
    let (with, without) = (votes.with_a_word(scheme)?, votes.without_a_word());
    Ok(Alone { votes, with, without })
}

/// Adds a case to the group with which one code is likeliest, if that is likelier than a code of its own and than none.
fn join(
    groups: &mut [Group],
    (cases, alone): (&[Case], &[Alone]),
    one: usize,
    scheme: &Scheme,
) -> Result<bool, ReadError> {
    let own = (alone[one].with - alone[one].without).max(0.0);
    let mut best: Option<(f64, f64, usize)> = None;
    for (at, group) in groups.iter().enumerate() {
        let mut votes = group.votes.clone();
        votes.add(cases[one].votes());
        let with = votes.with_a_word(scheme)?;
        let gain = with - group.with - alone[one].without;
        if gain >= own && best.is_none_or(|(most, ..)| gain > most) {
            best = Some((gain, with, at));
        }
    }
    let Some((gain, with, at)) = best else { return Ok(false) };
    let group = &mut groups[at];
    group.members.push(one);
    group.votes.add(cases[one].votes());
    group.with = with;
    group.evidence += gain;
    Ok(true)
}

/// Takes images out of a case that they were said to show, where their codes are plainly different ones.
fn parted<'a>(
    observations: &'a [Observation],
    scheme: &Scheme,
) -> Result<(Vec<Case<'a>>, Vec<String>), ReadError> {
    let (mut kept, mut told) = (Vec::new(), Vec::new());
    for case in cases(scheme, observations) {
        let mut rest: Vec<Sight> = Vec::new();
        for sight in case.sights.iter().cloned() {
            let differs = match rest.first() {
                Some(first) => -gain(first, &sight, scheme)? > TWO_CASES,
                None => false,
            };
            if differs {
                told.push(format!(
                    "{} was said to show the case of {} but carries another code",
                    name_of(observations, sight.input),
                    name_of(observations, rest[0].input)
                ));
                kept.push(Case::of(scheme, vec![sight]));
            } else {
                rest.push(sight);
            }
        }
        kept.push(if rest.len() == case.sights.len() { case } else { Case::of(scheme, rest) });
    }
    Ok((kept, told))
}

/// How much likelier one code for two cases is than a code for each, natural log.
fn gain(a: &Sight, b: &Sight, scheme: &Scheme) -> Result<f64, ReadError> {
    let (a, b) = (Case::of(scheme, vec![a.clone()]), Case::of(scheme, vec![b.clone()]));
    let (first, second) = (alone(&a, scheme)?, alone(&b, scheme)?);
    let mut both = first.votes;
    both.add(b.votes());
    Ok(both.with_a_word(scheme)? - first.with - second.with)
}

/// How much likelier one code for two observations is than a code for each, natural log.
pub(crate) fn shared_code(a: &Observation, b: &Observation, options: &ReadOptions) -> Result<f64, ReadError> {
    let [a, b] = [a, b].map(|seen| Sight { input: 0, parts: seen.parts.iter().collect() });
    gain(&a, &b, &options.scheme)
}

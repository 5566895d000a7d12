//! Searching many scans: stages that each leave the next one less to do, down to congruent matching cells on a short list.
//!
//! 1. *Code.* One bit for each of 64 wavelengths in each of 120 directions says whether the power spectrum is stronger there
//!    than around. Spectra do not change with a shift and turn with a turn, so 120 counts of unlike bits answer for every
//!    pose. Every scan of the store is looked at.
//! 2. *Registration.* The best two thousand are correlated with the query at 50 µm, at the turn found.
//! 3. *Cells.* The best few are compared cell by cell ([`compare`](crate::compare())) at the 25 µm that the store keeps.
//! 4. *Leads of leads.* The store is asked once more with the surest leads: a scan that shares next to no area with the query
//!    may share much with another case of the same firearm.
//!
//! What comes out are *leads* to be compared in full ([`unpack`] restores a scan that was kept in detail). Nothing here is
//! called a match.

mod chain;
mod code;
mod generate;
#[cfg(test)]
mod hostile;
mod packed;
mod register;
mod store;

use std::cmp::Ordering;

use rayon::prelude::*;

use self::register::Registration;

use crate::compare::{Comparison, compare_at};
use crate::error::ComparisonError;
use crate::fourier::Planner;
use crate::preset::Preset;
use crate::surface::Surface;

pub use generate::{Firearm, Model};
pub use store::{Features, Origin, RECORD_BYTES, SEAL_BYTES, Store, header};

/// How many scans pass from one stage to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stages {
    /// From codes to registration.
    pub registered: usize,
    /// From registration to cells: this many at most. Behind the first half of them (and behind the eighth) only those are compared
    /// that registered as hardly any unrelated surface does.
    pub compared: usize,
}

impl Default for Stages {
    fn default() -> Self {
        Self { registered: 2000, compared: 16 }
    }
}

/// A scan of the store that deserves a look.
#[derive(Clone, Debug)]
pub struct Lead {
    /// Its place in the store.
    pub record: usize,
    /// How much better the codes agree at the best turn than on average over all turns, 0 to 2.
    pub code: f64,
    /// Strength of the registration in standard deviations of unrelated surfaces' products.
    pub strength: f64,
    /// The comparison at the detail that the store keeps, query first.
    pub comparison: Comparison,
    /// The surer lead through which it was found, where the query itself did not lead to it.
    pub by_way_of: Option<Link>,
}

/// Another lead with which a lead agrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The place of that lead in the store.
    pub record: usize,
    /// The cells in which the two agree, at the detail that the store keeps.
    pub congruent: usize,
}

impl Lead {
    /// The order of leads, best first: those whose cells came together in one place by their cells; then those found by way of
    /// another lead, by the cells in which they agree with it; then the others by their registration. Cells and standard
    /// deviations are never added up.
    ///
    /// Half a face may be too little for cells and still lie on another as no unrelated one does: it comes behind the leads
    /// with cells, and before all that neither shows.
    pub fn order(&self, other: &Self) -> Ordering {
        let key = |lead: &Self| match lead.by_way_of {
            _ if lead.comparison.converged => (2, lead.comparison.score),
            Some(link) => (1, link.congruent as f64),
            None => (0, lead.strength),
        };
        let ((tier, value), (own_tier, own_value)) = (key(other), key(self));
        let tied = other.strength.total_cmp(&self.strength).then(self.record.cmp(&other.record));
        tier.cmp(&own_tier).then(value.total_cmp(&own_value)).then(tied)
    }
}

/// What a search found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Best first, by [`Lead::order`].
    pub leads: Vec<Lead>,
    /// How many scans were looked at.
    pub searched: usize,
    /// How many of them were laid on the query, and how many of those compared cell by cell.
    pub narrowed: Stages,
    /// The sure leads with which the store was asked once more, in the order in which it was.
    pub asked_with: Vec<usize>,
    /// Records on the short list that turned out damaged.
    pub damaged: Vec<usize>,
}

/// A scan made ready for asking many stores.
pub struct Query {
    code: code::Doubled,
    turned: register::TurnedQuery,
    coarse: Surface,
}

impl Query {
    /// Codes and transforms of a prepared surface, about 5 MB.
    ///
    /// # Errors
    ///
    /// [`ComparisonError::Flat`] where nothing is left at the detail that stores keep.
    pub fn new(surface: &Surface) -> Result<Self, ComparisonError> {
        let mut planner = Planner::default();
        let level = &surface.level2;
        let code = code::Doubled::new(&code::code(level, &mut planner));
        let turned = register::TurnedQuery::new(level);
        let levels = [surface.source2.clone(), level.clone()];
        let coarse = Surface::from_levels(levels, surface.is_regular, &surface.preset, &mut planner)
            .ok_or(ComparisonError::Flat)?;
        Ok(Self { code, turned, coarse })
    }

    /// The query at the detail that stores keep: what the comparisons of leads are counted on.
    pub fn surface(&self) -> &Surface {
        &self.coarse
    }

    /// A record of a store as a query; nothing where it is damaged.
    fn stored(store: &Store<'_>, record: usize, preset: &Preset, planner: &mut Planner) -> Option<Self> {
        let level = store.level(record)?;
        let code = code::Doubled::new(&store.code(record));
        let turned = register::TurnedQuery::new(&level);
        let levels = [level.clone(), level];
        let coarse = Surface::from_levels(levels, store.is_regular(record), preset, planner)?;
        Some(Self { code, turned, coarse })
    }
}

/// Searches a store; only records for which `admitted` says yes. The same leads come out on any number of threads.
///
/// # Errors
///
/// [`ComparisonError::Mismatch`] where the store was made with another preset than the query.
///
/// ```
/// use comparison::search::{self, Features, Firearm, Model, Origin, Query, Stages, Store};
/// use comparison::{MarkKind, Preset, prepare};
/// use rand::SeedableRng as _;
/// use topography::Length;
///
/// // Two cases each of three made-up firearms of one model.
/// let mut rng = rand::rngs::ChaCha8Rng::seed_from_u64(1);
/// let model = Model::draw(&mut rng);
/// let preset = Preset::default_for(MarkKind::BreechFace);
/// let mut file = search::header(&preset);
/// let mut first = None;
/// for _ in 0..3 {
///     let firearm = Firearm::draw(&model, &mut rng);
///     for _ in 0..2 {
///         let scan = prepare(&firearm.fire(Length::um(12.5), &mut rng), &preset)?;
///         file.extend(Features::of(&scan, Origin::Simulated).bytes());
///         first.get_or_insert(scan);
///     }
/// }
/// let query = Query::new(&first.expect("six were made"))?;
/// let found = search::search(&query, &Store::open(&file)?, &|record| record != 0, Stages::default())?;
/// assert_eq!(found.leads[0].record, 1);
/// # Ok::<(), comparison::ComparisonError>(())
/// ```
pub fn search(
    query: &Query,
    store: &Store<'_>,
    admitted: &(dyn Fn(usize) -> bool + Sync),
    stages: Stages,
) -> Result<Found, ComparisonError> {
    let own = query.coarse.preset.name;
    if own != store.preset() {
        return Err(ComparisonError::Mismatch(format!("the store `{}`, the query `{own}`", store.preset())));
    }
    let always = stages.compared.div_ceil(2).max(ALWAYS);
    let worth = |place: usize, _: usize, strength: f32| place < always || strength >= NOTABLE;
    let mut found = listed(query, store, admitted, (stages, &worth))?;
    let (asked_with, linked) = chain::linked(query, store, admitted, &found.leads)?;
    found.asked_with = asked_with;
    found.leads.retain(|lead| linked.iter().all(|other| other.record != lead.record));
    found.leads.extend(linked);
    found.leads.sort_by(Lead::order);
    Ok(found)
}

/// A registration from which on cells are worth a look, however far down the list it stands: unrelated surfaces reach 3 to 5 and the
/// strongest of a hundred thousand 6; pairs that agree in six cells and more 7 and above, halves included.
const NOTABLE: f32 = 5.0;

/// So many registrations are compared in any case.
const ALWAYS: usize = 8;

/// Whether a record is compared, by its place in the order of registrations, its number and the strength of its registration.
type Worth<'a> = &'a (dyn Fn(usize, usize, f32) -> bool + Sync);

/// The leads of the first three stages.
fn listed(
    query: &Query,
    store: &Store<'_>,
    admitted: &(dyn Fn(usize) -> bool + Sync),
    (stages, worth): (Stages, Worth<'_>),
) -> Result<Found, ComparisonError> {
    let mut coded = coded(query, store, admitted);
    let searched = coded.len();
    best(&mut coded, stages.registered, |c| c.code);
    let register = |planner: &mut Planner, candidate: &Candidate| {
        let level = store.level(candidate.record)?;
        Some((*candidate, query.turned.register(&level, candidate.turn, planner)))
    };
    let all: Vec<_> = coded.par_iter().map_init(Planner::default, register).collect();
    let damaged = coded.iter().zip(&all).filter(|(_, r)| r.is_none()).map(|(c, _)| c.record).collect();
    let mut registered: Vec<_> = all.into_iter().flatten().collect();
    best(&mut registered, stages.compared, |(_, registration)| registration.strength);
    let mut place = 0..;
    registered.retain(|(candidate, registration)| {
        place.next().is_some_and(|place| worth(place, candidate.record, registration.strength))
    });
    let narrowed = Stages { registered: coded.len(), compared: registered.len() };
    let compared: Result<Vec<Option<Lead>>, ComparisonError> = registered
        .par_iter()
        .map_init(Planner::default, |planner, (candidate, at)| lead(query, store, candidate, at, planner))
        .collect();
    let mut leads: Vec<Lead> = compared?.into_iter().flatten().collect();
    leads.sort_by(Lead::order);
    Ok(Found { leads, searched, narrowed, damaged, asked_with: Vec::new() })
}

#[derive(Clone, Copy)]
struct Candidate {
    record: usize,
    code: f32,
    turn: usize,
}

fn coded(query: &Query, store: &Store<'_>, admitted: &(dyn Fn(usize) -> bool + Sync)) -> Vec<Candidate> {
    let one = |record: usize| {
        let (code, turn) = query.code.best_turn(&store.code(record));
        Candidate { record, code, turn }
    };
    (0..store.len()).into_par_iter().with_min_len(256).filter(|&record| admitted(record)).map(one).collect()
}

/// Keeps the best `count`, in order; ties keep the order they came in.
fn best<T>(candidates: &mut Vec<T>, count: usize, score: impl Fn(&T) -> f32) {
    if count > 0 && count < candidates.len() {
        // Only what is at least as good as the last to stay need be put in order.
        let mut scores: Vec<f32> = candidates.iter().map(&score).collect();
        let (_, &mut least, _) = scores.select_nth_unstable_by(count - 1, |a, b| b.total_cmp(a));
        candidates.retain(|candidate| score(candidate).total_cmp(&least).is_ge());
    }
    candidates.sort_by(|a, b| score(b).total_cmp(&score(a)));
    candidates.truncate(count);
}

/// The comparison at the stored detail; nothing where too little of the stored scan is left to compare.
fn lead(
    query: &Query,
    store: &Store<'_>,
    candidate: &Candidate,
    at: &Registration,
    planner: &mut Planner,
) -> Result<Option<Lead>, ComparisonError> {
    let Some(stored) = stored(query, store, candidate.record, planner) else { return Ok(None) };
    let poses = at.poses(query.coarse.centre, stored.centre);
    let comparison = compare_at(&query.coarse, &stored, &poses)?;
    let (code, strength) = (f64::from(candidate.code), f64::from(at.strength));
    Ok(Some(Lead { record: candidate.record, code, strength, comparison, by_way_of: None }))
}

/// The surface of a record; nothing where it is damaged or too little of it is left.
fn stored(query: &Query, store: &Store<'_>, record: usize, planner: &mut Planner) -> Option<Surface> {
    let level = store.level(record)?;
    Surface::from_levels([level.clone(), level], store.is_regular(record), &query.coarse.preset, planner)
}

const DETAIL: &[u8; 8] = b"MSPREP\0\x03";
const DETAIL_HEAD: usize = 40;
const DETAIL_SUM: std::ops::Range<usize> = 32..40;

/// A prepared surface in bytes, for comparing in full without the scan: 12.5 µm (for breech faces) at eight bits.
///
/// ```text
/// "MSPREP\0\x03", u32 width, u32 height, f64 pitch in um, f32 sigma in um, u8 regular marks weakened (0 no, 1 yes), 3 zeros,
/// u64 checksum of all else, heights (see `packed`); all numbers little-endian
/// ```
pub fn pack(surface: &Surface) -> Vec<u8> {
    let packed = packed::pack(&surface.level1, 8);
    let mut bytes = DETAIL.to_vec();
    bytes.extend((packed.width as u32).to_le_bytes());
    bytes.extend((packed.height as u32).to_le_bytes());
    bytes.extend(packed.pitch.to_le_bytes());
    bytes.extend(packed.sigma.to_le_bytes());
    bytes.extend([u8::from(surface.is_regular), 0, 0, 0]);
    bytes.extend([0; 8]);
    bytes.extend(packed.bytes);
    let sum = store::checksum_around(&bytes, DETAIL_SUM);
    bytes[DETAIL_SUM].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// The surface in bytes written by [`pack`], for the preset it was prepared with.
///
/// # Errors
///
/// [`ComparisonError::Malformed`] for any other bytes, and where one of them has changed.
pub fn unpack(bytes: &[u8], preset: &Preset) -> Result<Surface, ComparisonError> {
    /// No prepared surface is larger along an axis.
    const LARGEST: usize = 2048;
    let read = || {
        let head = bytes.get(..DETAIL_HEAD)?;
        let told = u64::from_le_bytes(head[DETAIL_SUM].try_into().ok()?);
        let four = |at: usize| [head[at], head[at + 1], head[at + 2], head[at + 3]];
        let size = [8, 12].map(|at| u32::from_le_bytes(four(at)) as usize);
        let pitch = f64::from_le_bytes(head[16..24].try_into().ok()?);
        let (sigma, regular) = (f32::from_le_bytes(four(24)), head[28] != 0);
        let sound = head.starts_with(DETAIL)
            && told == store::checksum_around(bytes, DETAIL_SUM)
            && size.iter().all(|s| (4..=LARGEST).contains(s))
            && (pitch / (2.0 * preset.pitch.to_um()) - 1.0).abs() < 0.05
            && (0.0..1e6).contains(&sigma);
        let level = sound.then(|| packed::unpacked(size, pitch, 8, sigma, &bytes[DETAIL_HEAD..]))??;
        Surface::from_levels([level.clone(), level], regular, preset, &mut Planner::default())
    };
    read().ok_or_else(|| ComparisonError::Malformed {
        what: "prepared scan",
        reason: "it is damaged, or was prepared by another version or with another preset".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_best_stay_in_order_and_ties_as_they_came() {
        let all: Vec<(usize, f32)> = (0..50).map(|k| (k, (k * 7 % 5) as f32)).collect();
        for count in [0, 1, 9, 10, 11, 49, 50, 60] {
            let mut sorted = all.clone();
            sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
            sorted.truncate(count);
            let mut kept = all.clone();
            super::best(&mut kept, count, |candidate| candidate.1);
            assert_eq!(kept, sorted, "{count}");
        }
    }
}

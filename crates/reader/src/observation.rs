//! One input as evidence: which marks lie where, and what each of their symbols may be.

use std::sync::Arc;

use marking::NominalGeometry;
use symbology::decode::SymbolEvidence;
use symbology::{CheckRule, Mark, Scheme};
use topography::{Length, Micrograph, Pitch, Topography};

use crate::bank::{Bank, Part};
use crate::banks::Banks;
use crate::evident::Evident;
use crate::field::Surface;
use crate::letters;
use crate::light::one_sided;
use crate::locate::{Foiled, Looked, Sighting};
use crate::reading::{ReadError, ReadOptions};
use crate::region::regions;
use crate::search::Rendering;
use crate::symbols::{agreement, evidence_of};
use crate::synthesis::Synthesis;

/// What one height map or picture says about the symbols of a code; [`crate::fuse`] adds several.
#[derive(Clone, Debug)]
pub struct Observation {
    pub(crate) parts: Vec<PartSeen>,
    /// Marks of the same kind elsewhere in the frame.
    pub(crate) further: Vec<PartSeen>,
    pub(crate) warnings: Vec<String>,
    pub(crate) name: Option<String>,
    pub(crate) case: Option<usize>,
    /// What would show more, should this not be enough.
    pub(crate) advice: Option<String>,
}

impl Observation {
    /// Says which case it shows. Observations of one case count as one witness; without a number it is a case of its own.
    #[must_use]
    pub fn of_case(self, case: Option<usize>) -> Self {
        Self { case, ..self }
    }

    /// Says what warnings are to call it; without a name they count the inputs from 1.
    #[must_use]
    pub fn named(self, name: String) -> Self {
        Self { name: Some(name), ..self }
    }
}

/// The marks of one part of the firearm in one input.
#[derive(Clone, Debug)]
pub(crate) struct PartSeen {
    pub(crate) marks: Vec<Mark>,
    pub(crate) pose_um: crate::pose::Pose,
    /// In what it was seen.
    pub(crate) rendering: Rendering,
    pub(crate) module_um: f32,
    /// Evidence for a mark over none, natural log, before any code is thought of.
    pub(crate) support: f32,
    /// Evidence for what is always drawn, natural log, where that alone tells poses apart.
    pub(crate) base: f32,
    /// The coarse fit, natural log.
    pub(crate) fit: f32,
    /// The best coarse fits of the mark and of its foils, where those were looked for.
    pub(crate) foiled: Option<Foiled>,
    /// The share of badly struck marks that would have been seen here, where none was found and that could be told.
    pub(crate) shown: Option<f32>,
    /// The share of the surface that the mark explains.
    pub(crate) explained: f32,
    /// The share that came over of what is always drawn.
    pub(crate) fixed: f32,
    /// Whether it is worth decoding.
    pub(crate) possible: bool,
    /// Whether a mark is there if its symbols agree with a code.
    pub(crate) likely: bool,
    /// Whether a mark is there even if it cannot be decoded.
    pub(crate) found: bool,
    pub(crate) symbols: Vec<SymbolSeen>,
    /// What was seen beside what is believed to be there.
    pub(crate) synthesis: Option<Arc<Synthesis>>,
    /// What was compared, where that is not what the scheme draws.
    pub(crate) bank: Option<Arc<Bank>>,
    /// The same marks at other poses that could be the right ones.
    pub(crate) rivals: Vec<PartSeen>,
    /// The same at poses that only other cases of the firearm could make likely.
    pub(crate) faint: Vec<PartSeen>,
}

#[derive(Clone, Debug)]
pub(crate) struct SymbolSeen {
    pub(crate) mark: Mark,
    pub(crate) evidence: SymbolEvidence,
    pub(crate) centre_um: [f64; 2],
    /// The share of its relief that came over, 0 to 1.
    pub(crate) presence: f32,
}

/// Looks at a height map.
///
/// # Errors
///
/// [`ReadError`] when the options make no sense or the surface cannot hold a mark.
pub fn observe_topography(topography: &Topography, options: &ReadOptions) -> Result<Observation, ReadError> {
    observe(&[Surface::Heights(topography)], &[Rendering::Height], Look::Hard, options)
}

/// Looks at a photograph. Without a pitch, one is derived by taking the picture to be 1 mm across, and a warning says so.
///
/// # Errors
///
/// [`ReadError`] when the options make no sense or the picture cannot hold a mark.
pub fn observe_micrograph(picture: &Micrograph, options: &ReadOptions) -> Result<Observation, ReadError> {
    observe_view(&[picture], Look::Hard, options)
}

/// Pictures of one view and size.
pub(crate) fn observe_view(
    pictures: &[&Micrograph],
    look: Look,
    options: &ReadOptions,
) -> Result<Observation, ReadError> {
    let surfaces: Vec<Surface> =
        pictures.iter().map(|picture| Surface::Picture(picture, pitch_of(picture))).collect();
    let order = if surfaces.len() > 1 || one_sided(&surfaces[0]) {
        &[Rendering::Relief, Rendering::Slope][..]
    } else {
        &[Rendering::Flanks, Rendering::Relief, Rendering::Slope][..]
    };
    let mut observation = observe(&surfaces, order, look, options)?;
    observation.advice = advice(pictures.len(), order[0] == Rendering::Relief);
    if pictures[0].pitch.is_none() {
        let told = format!(
            "no scale was given: took the picture to be 1.02 mm across, {:.2} µm per pixel",
            pitch_of(pictures[0]).x.to_um()
        );
        observation.warnings.push(told);
    }
    Ok(observation)
}

/// Which light to add where a mark does not show.
fn advice(pictures: usize, one_sided: bool) -> Option<String> {
    let seen = if one_sided { "one lamp" } else { "light from all sides" };
    (pictures == 1).then(|| {
        format!(
            "{seen} shows little of a shallow mark: photograph it with one lamp 25 to 40 degrees above the surface, \
             from four sides in turn, moving neither case nor microscope, and read the four with --case"
        )
    })
}

pub(crate) fn pitch_of(picture: &Micrograph) -> Pitch {
    let across = picture.intensity.width().min(picture.intensity.height());
    picture.pitch.unwrap_or(Pitch::square(Length::um(1024.0 / across.max(1) as f64)))
}

/// Looks at surfaces of one size: one, or several pictures of one view.
fn observe(
    surfaces: &[Surface],
    renderings: &[Rendering],
    look: Look,
    options: &ReadOptions,
) -> Result<Observation, ReadError> {
    check(&surfaces[0], options)?;
    let mut parts = Vec::new();
    let mut further = Vec::new();
    for (marks, module) in grouped(options)? {
        let banks = Banks::draw(&options.scheme, &marks, module);
        let lettered = lettered(surfaces, renderings, (&banks, &marks), options);
        if lettered.first().is_some_and(|first| first.found) {
            parts.extend(with_rivals(lettered.into_iter()));
            continue;
        }
        let mut best: Vec<Sighting> = Vec::new();
        let mut foiled: Option<Foiled> = None;
        let mut shown: Option<f32> = None;
        let mut others: Vec<Sighting> = Vec::new();
        for &rendering in renderings {
            let enough = |sighting: &Sighting| {
                Evident::above(Evident::of(sighting.rendering).plain, sighting)
                    && reads(&seen(&options.scheme, &banks, sighting), options)
            };
            let mut poses = poses_in(surfaces, (&banks, rendering), look, &enough);
            poses.sort_by(|a, b| b[0].explained.total_cmp(&a[0].explained));
            others.extend(
                poses.split_off(1.min(poses.len())).into_iter().filter_map(|poses| poses.into_iter().next()),
            );
            let poses = poses.pop().unwrap_or_default();
            let found = poses.first().and_then(|first| first.foiled);
            shown = shown.into_iter().chain(poses.first().and_then(|first| first.shown)).reduce(f32::max);
            foiled = foiled.into_iter().chain(found).max_by(|a, b| a.ahead().total_cmp(&b.ahead()));
            if plainness(&poses) >= plainness(&best) {
                best = poses;
            }
            if best.first().is_some_and(enough) {
                break;
            }
        }
        if let Some(best) = best.first() {
            let apart = apart_from(best, others, 2.0 * banks.coarse.extent);
            further.extend(apart.iter().map(|other| seen(&options.scheme, &banks, other)));
        }
        for sighting in &mut best {
            sighting.foiled = foiled;
            sighting.shown = shown;
        }
        parts.extend(with_rivals(best.iter().map(|sighting| seen(&options.scheme, &banks, sighting))));
    }
    Ok(Observation { parts, further, warnings: Vec::new(), name: None, case: None, advice: None })
}

/// Characters that nothing but their scheme's rows and alphabet tells of, in whatever font and size they are: the likeliest
/// first. None of a scheme with checks, which has a font of its own.
fn lettered(
    surfaces: &[Surface],
    renderings: &[Rendering],
    (banks, marks): (&Banks, &[Mark]),
    options: &ReadOptions,
) -> Vec<PartSeen> {
    let scheme = &options.scheme;
    if scheme.check() != CheckRule::None || marks != [Mark::Characters] {
        return Vec::new();
    }
    let shown = |rendering: &&Rendering| matches!(rendering, Rendering::Height | Rendering::Relief);
    let mut seen_there: Vec<(Sighting, Arc<Banks>)> = Vec::new();
    for &rendering in renderings.iter().filter(shown) {
        for region in regions(&surfaces[0], banks, rendering) {
            seen_there.extend(letters::sighted(surfaces, region, scheme, rendering));
        }
    }
    seen_there.sort_by(|a, b| b.0.candidate.score.total_cmp(&a.0.candidate.score));
    let part = |(sighting, own): &(Sighting, Arc<Banks>)| PartSeen {
        module_um: banks.module_um,
        bank: Some(Arc::clone(&own.fine)),
        ..seen(scheme, own, sighting)
    };
    seen_there.iter().map(part).collect()
}

/// How hard to look where no mark is plain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// No harder.
    Plain,
    /// As hard as there are ways to.
    Hard,
}

/// The poses seen in every region, each region's best first; the likeliest region is looked at harder where none shows
/// `enough`.
fn poses_in(
    surfaces: &[Surface],
    (banks, rendering): (&Banks, Rendering),
    look: Look,
    enough: &impl Fn(&Sighting) -> bool,
) -> Vec<Vec<Sighting>> {
    let regions = regions(&surfaces[0], banks, rendering).into_iter();
    let mut looked: Vec<Looked> =
        regions.filter_map(|region| Looked::easily(surfaces, region, (banks, rendering), enough)).collect();
    let plain = |looked: &Looked| looked.sightings.first().is_some_and(enough);
    if look == Look::Hard && !looked.iter().any(plain) {
        let likeliest = looked.iter_mut().max_by(|a, b| a.most.total_cmp(&b.most));
        if let Some(likeliest) = likeliest {
            likeliest.harder(surfaces, banks, enough);
        }
    }
    looked.into_iter().map(|looked| looked.sightings).filter(|poses| !poses.is_empty()).collect()
}

/// Plain marks that do not overlap the best one nor each other; `across` modules is the size of a mark.
fn apart_from(best: &Sighting, others: Vec<Sighting>, across: f32) -> Vec<Sighting> {
    let mut kept: Vec<Sighting> = Vec::new();
    for other in others {
        let clear = |seen: &Sighting| {
            let (a, b) = (seen.pose_um.centre, other.pose_um.centre);
            (a[0] - b[0]).hypot(a[1] - b[1]) > 0.8 * across * seen.pose_um.module()
        };
        if Evident::of(other.rendering).found(&other) && clear(best) && kept.iter().all(clear) {
            kept.push(other);
        }
    }
    kept
}

/// Spare bits of a code beyond which there is no reason to look for another pose.
const SETTLED: f64 = 12.0;

/// Whether the symbols of a part agree with a code; those of schemes without one cannot say.
fn reads(part: &PartSeen, options: &ReadOptions) -> bool {
    let evidence: Vec<SymbolEvidence> = part.symbols.iter().map(|symbol| symbol.evidence.clone()).collect();
    agreement(&options.scheme, &evidence).is_none_or(|spare| spare > SETTLED)
}

/// Evidence for a mark against what makes one sure, which is comparable between ways to look.
fn plainness(seen: &[Sighting]) -> f32 {
    let of = |seen: &Sighting| (seen.fit + seen.support) / Evident::of(seen.rendering).sure.0;
    seen.first().map_or(f32::NEG_INFINITY, of)
}

/// Poses this many nats behind the first are no rivals.
const OUT_OF_REACH: f32 = 80.0;
/// The same of marks without a ring, as a share of the evidence of the first.
const ALIKE: f32 = 0.15;

/// The first pose, with the others that could be the right one.
fn with_rivals(mut poses: impl Iterator<Item = PartSeen>) -> Option<PartSeen> {
    let mut first = poses.next()?;
    // Without a ring poses differ by little but what is always drawn.
    let reach = if first.base > 0.0 { OUT_OF_REACH.max(ALIKE * first.support) } else { OUT_OF_REACH };
    let within = |other: &PartSeen| other.support > first.support - reach;
    let (rivals, faint): (Vec<PartSeen>, Vec<PartSeen>) =
        poses.filter(|other| other.possible).partition(within);
    let found = first.found || rivals.iter().any(|rival| rival.found);
    first.found = found;
    (first.rivals, first.faint) = (rivals, faint);
    Some(first)
}

fn check(surface: &Surface, options: &ReadOptions) -> Result<(), ReadError> {
    if !(options.bound > 0.0 && options.bound < 1.0) {
        return Err(ReadError::Bound(options.bound));
    }
    let [width, height] = surface.extent_um();
    let (width_um, height_um) = (f64::from(width), f64::from(height));
    if width.min(height) < 250.0 {
        return Err(ReadError::TooSmall { width_um, height_um });
    }
    if width.max(height) > 60_000.0 {
        return Err(ReadError::TooLarge { width_um, height_um });
    }
    Ok(())
}

/// Marks whose nominal modules are the same lie on one part and in one frame, also where the mark was engraved in another
/// size: then every part is taken to be larger or smaller by as much as the first.
pub(crate) fn grouped(options: &ReadOptions) -> Result<Vec<(Vec<Mark>, Length)>, ReadError> {
    let nominal = NominalGeometry::new(&options.scheme, &options.marks)
        .map_err(|error| ReadError::Marks(error.to_string()))?;
    let mut groups: Vec<(Vec<Mark>, Length)> = Vec::new();
    for mark in &nominal.marks {
        match groups.iter_mut().find(|(_, module)| *module == mark.module) {
            Some((marks, _)) => marks.push(mark.layout.mark()),
            None => groups.push((vec![mark.layout.mark()], mark.module)),
        }
    }
    if let (Some(given), Some((_, first))) = (options.module, groups.first()) {
        let larger = given.to_um() / first.to_um();
        for (_, module) in &mut groups {
            *module = Length::um(module.to_um() * larger);
        }
    }
    Ok(groups)
}

fn seen(scheme: &Scheme, banks: &Banks, sighting: &Sighting) -> PartSeen {
    let seen = |evidence: SymbolEvidence| {
        let of: Vec<(usize, &Part)> = banks
            .fine
            .parts
            .iter()
            .enumerate()
            .filter(|(_, part)| part.symbol == Some(evidence.index))
            .collect();
        let (_, first) = of[0];
        let (x, y) = sighting.pose_um.place(first.centre[0], first.centre[1]);
        let share = |(index, part): &(usize, &Part)| {
            sighting.presence[*index] * if part.bit.is_some() { 0.2 } else { 1.0 }
        };
        SymbolSeen {
            mark: first.mark,
            centre_um: [f64::from(x), f64::from(y)],
            presence: of.iter().map(share).sum(),
            evidence,
        }
    };
    let symbols = evidence_of(scheme, &banks.fine, &sighting.evidence).into_iter().map(seen).collect();
    let evident = Evident::of(sighting.rendering);
    PartSeen {
        marks: banks.fine.marks.clone(),
        pose_um: sighting.pose_um,
        rendering: sighting.rendering,
        module_um: banks.module_um,
        possible: sighting.support >= evident.possible,
        likely: Evident::above(evident.likely, sighting),
        found: evident.found(sighting),
        support: sighting.support,
        base: sighting.base,
        fit: sighting.fit,
        foiled: sighting.foiled,
        shown: sighting.shown,
        explained: sighting.explained,
        fixed: sighting.fixed,
        symbols,
        synthesis: sighting.synthesis.clone(),
        bank: None,
        rivals: Vec::new(),
        faint: Vec::new(),
    }
}

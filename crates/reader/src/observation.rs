//! One input as evidence: which marks lie where, and what each of their symbols may be.

use marking::NominalGeometry;
use symbology::decode::SymbolEvidence;
use symbology::{Mark, Scheme};
use topography::{Length, Micrograph, Pitch, Topography};

use crate::field::Surface;
use crate::light::one_sided;
use crate::locate::{Banks, Sighting, regions, sight};
use crate::reading::{ReadError, ReadOptions};
use crate::search::Rendering;

/// What one height map or picture says about the symbols of a code; [`crate::fuse`] adds several.
#[derive(Clone, Debug)]
pub struct Observation {
    pub(crate) parts: Vec<PartSeen>,
    pub(crate) warnings: Vec<String>,
}

/// The marks of one part of the firearm in one input.
#[derive(Clone, Debug)]
pub(crate) struct PartSeen {
    pub(crate) marks: Vec<Mark>,
    pub(crate) pose_um: crate::pose::Pose,
    pub(crate) module_um: f32,
    /// Evidence for a mark over none, natural log, before any code is thought of.
    pub(crate) support: f32,
    /// The coarse fit, natural log.
    pub(crate) fit: f32,
    /// The share of the surface that the mark explains.
    pub(crate) explained: f32,
    /// Whether it is worth decoding.
    pub(crate) possible: bool,
    /// Whether a mark is there if its symbols agree with a code.
    pub(crate) likely: bool,
    /// Whether a mark is there even if it cannot be decoded.
    pub(crate) found: bool,
    pub(crate) symbols: Vec<SymbolSeen>,
}

#[derive(Clone, Debug)]
pub(crate) struct SymbolSeen {
    pub(crate) mark: Mark,
    pub(crate) evidence: SymbolEvidence,
    pub(crate) centre_um: [f64; 2],
    /// The share of its relief that came over, 0 to 1.
    pub(crate) presence: f32,
}

/// What the evidence must be to be decoded, and to be a mark whatever the decoder says.
struct Evident {
    /// Worth decoding: support in nats.
    possible: f32,
    /// A mark if its symbols agree with a code: fit and support together in nats, and the share explained.
    likely: (f32, f32),
    /// A mark.
    sure: (f32, f32),
}

/// Unmarked *real* breech faces reach 454 nats but agree with no code, blank *simulated* impressions 359; marks at
/// level 4 (*simulation*) 428 and more.
const HEIGHTS: Evident = Evident { possible: 120.0, likely: (370.0, 0.0), sure: (600.0, 0.0) };
/// Blank *simulated* photographs reach 470 nats, but no more than 16 % explained.
const PICTURES: Evident = Evident { possible: 100.0, likely: (400.0, 0.15), sure: (600.0, 0.19) };

impl Evident {
    fn of(rendering: Rendering) -> &'static Self {
        if rendering == Rendering::Height { &HEIGHTS } else { &PICTURES }
    }

    fn found(&self, sighting: &Sighting) -> bool {
        Self::above(self.sure, sighting)
    }

    fn above((nats, share): (f32, f32), sighting: &Sighting) -> bool {
        sighting.fit + sighting.support >= nats && sighting.explained >= share
    }
}

/// Looks at a height map.
///
/// # Errors
///
/// [`ReadError`] when the options make no sense or the surface cannot hold a mark.
pub fn observe_topography(topography: &Topography, options: &ReadOptions) -> Result<Observation, ReadError> {
    observe(&Surface::Heights(topography), &[Rendering::Height], options)
}

/// Looks at a photograph. Without a pitch, one is derived by taking the picture to be 1 mm across, and a warning says so.
///
/// # Errors
///
/// [`ReadError`] when the options make no sense or the picture cannot hold a mark.
pub fn observe_micrograph(picture: &Micrograph, options: &ReadOptions) -> Result<Observation, ReadError> {
    let across = picture.intensity.width().min(picture.intensity.height());
    let derived = Pitch::square(Length::um(1024.0 / across.max(1) as f64));
    let surface = Surface::Picture(picture, picture.pitch.unwrap_or(derived));
    let order = if one_sided(&surface) {
        [Rendering::Slope, Rendering::Edge]
    } else {
        [Rendering::Edge, Rendering::Slope]
    };
    let mut observation = observe(&surface, &order, options)?;
    if picture.pitch.is_none() {
        let told = format!(
            "no scale was given: took the picture to be 1.02 mm across, {:.2} µm per pixel",
            derived.x.to_um()
        );
        observation.warnings.push(told);
    }
    Ok(observation)
}

fn observe(
    surface: &Surface,
    renderings: &[Rendering],
    options: &ReadOptions,
) -> Result<Observation, ReadError> {
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
    let mut parts = Vec::new();
    for (marks, module) in grouped(options)? {
        let banks = Banks::draw(&options.scheme, &marks, module);
        let mut best: Option<Sighting> = None;
        for &rendering in renderings {
            let seen = regions(surface, &banks, rendering)
                .into_iter()
                .flat_map(|region| sight(surface, region, &banks, rendering, 3))
                .max_by(|a, b| a.explained.total_cmp(&b.explained));
            best = best.into_iter().chain(seen).max_by(|a, b| a.explained.total_cmp(&b.explained));
            if best.as_ref().is_some_and(|best| Evident::of(best.rendering).found(best)) {
                break;
            }
        }
        parts.extend(best.map(|sighting| seen(&options.scheme, &banks, &sighting)));
    }
    Ok(Observation { parts, warnings: Vec::new() })
}

/// Marks that share a module lie on one part and in one frame.
fn grouped(options: &ReadOptions) -> Result<Vec<(Vec<Mark>, Length)>, ReadError> {
    let nominal = NominalGeometry::new(&options.scheme, &options.marks)
        .map_err(|error| ReadError::Marks(error.to_string()))?;
    let mut groups: Vec<(Vec<Mark>, Length)> = Vec::new();
    for mark in &nominal.marks {
        let own = options.module.unwrap_or(mark.module);
        match groups.iter_mut().find(|(_, module)| *module == own) {
            Some((marks, _)) => marks.push(mark.layout.mark()),
            None => groups.push((vec![mark.layout.mark()], own)),
        }
    }
    Ok(groups)
}

fn seen(scheme: &Scheme, banks: &Banks, sighting: &Sighting) -> PartSeen {
    let alphabet = scheme.alphabet().len();
    let mut symbols: Vec<SymbolSeen> = Vec::new();
    for (index, part) in banks.fine.parts.iter().enumerate() {
        let at = symbols.iter().position(|seen| seen.evidence.index == part.symbol).unwrap_or_else(|| {
            let (x, y) = sighting.pose_um.place(part.centre[0], part.centre[1]);
            symbols.push(SymbolSeen {
                mark: part.mark,
                evidence: SymbolEvidence {
                    index: part.symbol,
                    log_likelihoods: vec![0.0; alphabet],
                    erased: 0.0,
                },
                centre_um: [f64::from(x), f64::from(y)],
                presence: 0.0,
            });
            symbols.len() - 1
        });
        let symbol = &mut symbols[at];
        for (value, log) in symbol.evidence.log_likelihoods.iter_mut().enumerate() {
            let shape = part.bit.map_or(value, |bit| value >> bit & 1);
            *log += sighting.evidence[index].get(shape).copied().unwrap_or(f32::NEG_INFINITY);
        }
        symbol.presence += sighting.presence[index] * if part.bit.is_some() { 0.2 } else { 1.0 };
    }
    let evident = Evident::of(sighting.rendering);
    PartSeen {
        marks: banks.fine.marks.clone(),
        pose_um: sighting.pose_um,
        module_um: banks.module_um,
        possible: sighting.support >= evident.possible,
        likely: Evident::above(evident.likely, sighting),
        found: evident.found(sighting),
        support: sighting.support,
        fit: sighting.fit,
        explained: sighting.explained,
        symbols,
    }
}

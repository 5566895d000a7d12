//! One input as evidence: which marks lie where, and what each of their symbols may be.

use marking::NominalGeometry;
use symbology::decode::SymbolEvidence;
use symbology::{Mark, Scheme};
use topography::{Length, Micrograph, Pitch, Topography};

use crate::field::Surface;
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
    /// Whether it is worth decoding.
    pub(crate) possible: bool,
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

/// What a fit (nats) must be to be decoded, and to be a mark whatever the decoder says.
struct Evident {
    /// Worth decoding.
    possible: f32,
    /// A mark, if at least `share` of the surface is explained by it.
    likely: f32,
    share: f32,
    /// A mark.
    sure: f32,
}

/// Blank *simulated* impressions fit with up to 80 nats, unmarked *real* breech faces with up to 150, but little is
/// explained by it.
const HEIGHTS: Evident = Evident { possible: 85.0, likely: 90.0, share: 0.25, sure: 300.0 };
/// Blank *simulated* photographs fit with up to 68 nats and 8 % explained.
const PICTURES: Evident = Evident { possible: 65.0, likely: 72.0, share: 0.12, sure: 100.0 };

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
    let mut observation = observe(&surface, &[Rendering::Slope, Rendering::Edge], options)?;
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
    for (marks, module) in grouped(&options.scheme, &options.marks)? {
        let banks = Banks::draw(&options.scheme, &marks, module);
        let best = renderings
            .iter()
            .flat_map(|&rendering| {
                let regions = regions(surface, &banks, rendering);
                regions.into_iter().map(move |region| (region, rendering))
            })
            .flat_map(|(region, rendering)| sight(surface, region, &banks, rendering, 3))
            .max_by(|a, b| a.explained.total_cmp(&b.explained));
        parts.extend(best.map(|sighting| seen(&options.scheme, &banks, &sighting)));
    }
    Ok(Observation { parts, warnings: Vec::new() })
}

/// Marks that share a module lie on one part and in one frame.
fn grouped(scheme: &Scheme, marks: &[Mark]) -> Result<Vec<(Vec<Mark>, Length)>, ReadError> {
    let nominal = NominalGeometry::new(scheme, marks).map_err(|error| ReadError::Marks(error.to_string()))?;
    let mut groups: Vec<(Vec<Mark>, Length)> = Vec::new();
    for mark in &nominal.marks {
        match groups.iter_mut().find(|(_, module)| *module == mark.module) {
            Some((marks, _)) => marks.push(mark.layout.mark()),
            None => groups.push((vec![mark.layout.mark()], mark.module)),
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
    let evident = if sighting.rendering == Rendering::Height { HEIGHTS } else { PICTURES };
    PartSeen {
        marks: banks.fine.marks.clone(),
        pose_um: sighting.pose_um,
        module_um: banks.module_um,
        possible: sighting.fit >= evident.possible,
        found: sighting.fit >= evident.sure
            || (sighting.fit >= evident.likely && sighting.explained >= evident.share),
        support: sighting.support,
        symbols,
    }
}

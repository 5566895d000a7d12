//! One input as evidence: which marks lie where, and what each of their symbols may be.

use marking::NominalGeometry;
use symbology::decode::SymbolEvidence;
use symbology::{Mark, Scheme};
use topography::{Length, Micrograph, Pitch, Topography};

use crate::field::{Field, Surface};
use crate::light::one_sided;
use crate::locate::{Banks, Sighting, bowl_of, regions, sight};
use crate::reading::{ReadError, ReadOptions};
use crate::search::Rendering;
use crate::shading::{likeness, relief};

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
    /// No reason to look harder.
    plain: (f32, f32),
}

/// Unmarked *real* breech faces reach 454 nats but agree with no code, blank *simulated* impressions 359; marks at
/// level 4 (*simulation*) 428 and more.
const HEIGHTS: Evident =
    Evident { possible: 120.0, likely: (370.0, 0.0), sure: (600.0, 0.0), plain: (460.0, 0.0) };
/// Blank *simulated* photographs reach 470 nats, but no more than 16 % explained.
const PICTURES: Evident =
    Evident { possible: 100.0, likely: (400.0, 0.15), sure: (600.0, 0.19), plain: (600.0, 0.19) };
/// Blank *simulated* photographs as relief reach 258 nats and 14 % explained; four lights at level 4 begin at 345 and 19 %.
const RELIEFS: Evident =
    Evident { possible: 100.0, likely: (330.0, 0.16), sure: (450.0, 0.19), plain: (600.0, 0.25) };

impl Evident {
    fn of(rendering: Rendering) -> &'static Self {
        match rendering {
            Rendering::Height => &HEIGHTS,
            Rendering::Relief => &RELIEFS,
            Rendering::Slope | Rendering::Edge => &PICTURES,
        }
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
    observe(&[Surface::Heights(topography)], &[Rendering::Height], options)
}

/// Looks at a photograph. Without a pitch, one is derived by taking the picture to be 1 mm across, and a warning says so.
///
/// # Errors
///
/// [`ReadError`] when the options make no sense or the picture cannot hold a mark.
pub fn observe_micrograph(picture: &Micrograph, options: &ReadOptions) -> Result<Observation, ReadError> {
    observe_view(&[picture], options)
}

/// Looks at several photographs. Those that show one case through one microscope that did not move, under different
/// lights, make one relief and one observation; every other makes its own. Each observation comes with the places of
/// its pictures in the slice.
///
/// # Errors
///
/// [`ReadError`] when the options make no sense or a picture cannot hold a mark.
pub fn observe_pictures(
    pictures: &[&Micrograph],
    options: &ReadOptions,
) -> Result<Vec<(Vec<usize>, Observation)>, ReadError> {
    let views = views(pictures, options)?;
    let observed = |view: Vec<usize>| {
        let of: Vec<&Micrograph> = view.iter().map(|&k| pictures[k]).collect();
        Ok((view, observe_view(&of, options)?))
    };
    views.into_iter().map(observed).collect()
}

/// Pictures of one view and size.
fn observe_view(pictures: &[&Micrograph], options: &ReadOptions) -> Result<Observation, ReadError> {
    let surfaces: Vec<Surface> =
        pictures.iter().map(|picture| Surface::Picture(picture, pitch_of(picture))).collect();
    let order = if surfaces.len() > 1 || one_sided(&surfaces[0]) {
        &[Rendering::Relief, Rendering::Slope][..]
    } else {
        &[Rendering::Edge, Rendering::Slope, Rendering::Relief][..]
    };
    let mut observation = observe(&surfaces, order, options)?;
    if !observation.parts.iter().all(|part| part.found) {
        observation.warnings.extend(advice(pictures.len(), order[0] == Rendering::Relief));
    }
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
             from four sides in turn, moving neither case nor microscope, and read the four with --fuse"
        )
    })
}

fn pitch_of(picture: &Micrograph) -> Pitch {
    let across = picture.intensity.width().min(picture.intensity.height());
    picture.pitch.unwrap_or(Pitch::square(Length::um(1024.0 / across.max(1) as f64)))
}

/// Looks at surfaces of one size: one, or several pictures of one view.
fn observe(
    surfaces: &[Surface],
    renderings: &[Rendering],
    options: &ReadOptions,
) -> Result<Observation, ReadError> {
    check(&surfaces[0], options)?;
    let mut parts = Vec::new();
    for (marks, module) in grouped(options)? {
        let banks = Banks::draw(&options.scheme, &marks, module);
        let mut best: Option<Sighting> = None;
        for &rendering in renderings {
            let enough = |seen: &Sighting| Evident::above(Evident::of(seen.rendering).plain, seen);
            let seen = regions(&surfaces[0], &banks, rendering)
                .into_iter()
                .filter_map(|region| sight(surfaces, region, &banks, rendering, enough))
                .max_by(|a, b| a.explained.total_cmp(&b.explained));
            best = best.into_iter().chain(seen).max_by(|a, b| plainness(a).total_cmp(&plainness(b)));
            if best.as_ref().is_some_and(enough) {
                break;
            }
        }
        parts.extend(best.map(|sighting| seen(&options.scheme, &banks, &sighting)));
    }
    Ok(Observation { parts, warnings: Vec::new() })
}

/// Evidence for a mark against what makes one sure, which is comparable between ways to look.
fn plainness(seen: &Sighting) -> f32 {
    (seen.fit + seen.support) / Evident::of(seen.rendering).sure.0
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

/// Reliefs this much alike in what is finer than a mark show one view. Pictures of different cases are alike by chance
/// alone, a few hundredths.
const ONE_VIEW: f32 = 0.15;

/// Pictures by the view that they show: same size, same pitch, same texture in the same places.
fn views(pictures: &[&Micrograph], options: &ReadOptions) -> Result<Vec<Vec<usize>>, ReadError> {
    let Some((marks, module)) = grouped(options)?.into_iter().next() else { return Ok(Vec::new()) };
    let banks = Banks::draw(&options.scheme, &marks, module);
    let reliefs: Vec<Option<Field>> = if pictures.len() > 1 {
        pictures.iter().map(|picture| fine_relief(picture, &banks)).collect()
    } else {
        vec![None; pictures.len()]
    };
    let same_frame = |a: &Micrograph, b: &Micrograph| {
        let size = |picture: &Micrograph| (picture.intensity.width(), picture.intensity.height());
        size(a) == size(b) && a.pitch == b.pitch
    };
    let mut views: Vec<Vec<usize>> = Vec::new();
    for one in 0..pictures.len() {
        let joins = |view: &&mut Vec<usize>| {
            view.iter().any(|&other| match (&reliefs[one], &reliefs[other]) {
                (Some(a), Some(b)) => {
                    same_frame(pictures[one], pictures[other])
                        && likeness(a, b, banks.module_um / a.pitch_um) > ONE_VIEW
                }
                _ => false,
            })
        };
        match views.iter_mut().find(joins) {
            Some(view) => view.push(one),
            None => views.push(vec![one]),
        }
    }
    Ok(views)
}

/// The relief that one picture shows by itself, if it holds little more than a mark.
fn fine_relief(picture: &Micrograph, banks: &Banks) -> Option<Field> {
    let surface = Surface::Picture(picture, pitch_of(picture));
    let [width, height] = surface.extent_um();
    if width.max(height) > 200.0 * banks.module_um {
        return None;
    }
    let pitch = banks.module_um * 0.2;
    let field = [surface.sampled([0.0, 0.0, width, height], Length::um(f64::from(pitch)))];
    relief(&field, bowl_of(&field, banks), banks.module_um / pitch)
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
        let shapes = doubted(&sighting.evidence[index]);
        for (value, log) in symbol.evidence.log_likelihoods.iter_mut().enumerate() {
            let shape = part.bit.map_or(value, |bit| value >> bit & 1);
            *log += shapes.get(shape).copied().unwrap_or(f32::NEG_INFINITY);
        }
        symbol.presence += sighting.presence[index] * if part.bit.is_some() { 0.2 } else { 1.0 };
    }
    for symbol in &mut symbols {
        symbol.evidence.log_likelihoods = doubted(&symbol.evidence.log_likelihoods);
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

/// How often what was seen of a symbol, or of one of its bits, is something that the model does not know: a chip, a
/// highlight, a shadow. Then every value is as likely, however well one of them fits.
const UNKNOWN: f32 = 0.01;

/// Likelihoods that allow for what the model does not know.
fn doubted(logs: &[f32]) -> Vec<f32> {
    let most = logs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let least = most + (UNKNOWN / logs.len() as f32).ln();
    logs.iter().map(|&log| log.max(least) + (-(log - least).abs()).exp().ln_1p()).collect()
}

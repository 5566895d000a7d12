//! From a code to the files a laboratory has: the tool is engraved, the case is struck and looked at.

use std::path::{Path, PathBuf};

use impression::instrument::{Confocal, Light, Sem, confocal, oblique, sem};
use impression::{Ammunition, Conditions, Firearm};
use marking::{ArtworkOptions, Form, LayoutOptions, PlacedMark, Relief, View};
use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng as _};
use symbology::{Mark, Scheme};
use topography::{Angle, Length, Micrograph, Topography};

use crate::demo::scenes::{LAMP_HEIGHT, Look, Shot};
use crate::demo::world::{GUNS, Maker};
use crate::exit::{Exit, Failure, OrExit as _};
use crate::{files, surfaces};

/// The files of one case.
pub(crate) struct Exhibit {
    /// What was fired.
    pub(crate) shot: Shot,
    /// The code that is truly on the pin.
    pub(crate) truth: String,
    /// What a laboratory reads: scans and pictures.
    pub(crate) inputs: Vec<PathBuf>,
    /// A picture of each for the page.
    pub(crate) pictures: Vec<PathBuf>,
    /// What lies under the mark.
    pub(crate) background: &'static str,
}

/// Engraves the pin of a gun: artwork for the engraver, and the height map that strikes.
pub(crate) fn engrave(maker: &Maker, gun: usize, folder: &Path) -> Result<Topography, Failure> {
    let mark = lay_out(maker, GUNS[gun].1)?;
    let stem = folder.join(format!("pin-of-gun-{}", gun + 1));
    let options = ArtworkOptions { view: View::Tool, relief: Relief::Raised, ..ArtworkOptions::default() };
    files::write(&stem.with_extension("svg"), marking::svg(&mark, options).as_bytes())?;
    files::write(&stem.with_extension("dxf"), marking::dxf(&mark, options).as_bytes())?;
    let tool = marking::height_map(&mark, Length::um(2.0), Relief::Raised, View::Tool, Form::Without)
        .or_exit(Exit::Environment, "cannot draw the pin")?;
    surfaces::write_heights(&stem.with_extension("x3p"), &tool)?;
    Ok(tool)
}

/// Lays out the artwork of the pistol at a place of a maker's run.
pub(crate) fn lay_out(maker: &Maker, place: usize) -> Result<PlacedMark, Failure> {
    let tip = crate::demo::world::parsed(maker.tip)?;
    let text = maker.issued[place].code.to_string();
    marking::lay_out(
        &Scheme::open_1(),
        &text,
        &[Mark::Characters, Mark::Gear],
        &tip,
        &LayoutOptions::default(),
    )
    .or_exit(Exit::Environment, "cannot lay out the mark")
}

/// Fires one case and looks at it.
pub(crate) fn fire(
    shot: Shot,
    tool: &Topography,
    truth: String,
    folder: &Path,
    seed: u64,
) -> Result<Exhibit, Failure> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let conditions = conditions(shot)?;
    let real = if shot.on_real_primer { real_primer() } else { None };
    let (firearm, ammunition) = (Firearm::default(), Ammunition::default());
    let struck = impression::strike(tool, &firearm, &ammunition, &conditions, real.as_ref(), &mut rng)
        .or_exit(Exit::Environment, "cannot fire")?;
    let stem = folder.join(shot.exhibit);
    let (inputs, pictures) = look(shot.look, &struck.surface, &conditions, &stem, &mut rng)?;
    let background = if real.is_some() { "real primer scan, simulated mark" } else { "simulation" };
    Ok(Exhibit { shot, truth, inputs, pictures, background })
}

fn conditions(shot: Shot) -> Result<Conditions, Failure> {
    let mut conditions = Conditions::preset(shot.preset).or_exit(Exit::Environment, "the demonstration")?;
    for (name, value) in shot.settings {
        conditions.set(name, value).or_exit(Exit::Environment, "the demonstration")?;
    }
    Ok(conditions)
}

/// A real scan of an unmarked primer, where the folder of real data is at hand.
fn real_primer() -> Option<Topography> {
    let root = std::env::var_os("MICROSTAMP_REALDATA")
        .map_or_else(|| PathBuf::from("../shared/realdata"), PathBuf::from);
    let scan = root.join("cmcr-fadul-raw/fadul1.1_raw.x3p");
    if !scan.is_file() {
        files::remark(format!(
            "no real primer scan at {}: exhibit A-3 gets a procedural one",
            scan.display()
        ));
        return None;
    }
    surfaces::load_heights(&scan).ok()
}

type Seen = (Vec<PathBuf>, Vec<PathBuf>);

fn look(
    look: Look,
    surface: &Topography,
    conditions: &Conditions,
    stem: &Path,
    rng: &mut impl Rng,
) -> Result<Seen, Failure> {
    match look {
        Look::Confocal => {
            let heights = confocal(surface, &Confocal::under(conditions), rng);
            let (scan, picture) = (stem.with_extension("x3p"), stem.with_extension("png"));
            surfaces::write_heights(&scan, &heights)?;
            files::write(&picture, &surfaces::false_colour(&heights)?)?;
            Ok((vec![scan], vec![picture]))
        }
        Look::Electron => {
            let picture = stem.with_extension("png");
            write_picture(&picture, &sem(surface, &Sem::under(conditions), rng))?;
            Ok((vec![picture.clone()], vec![picture]))
        }
        Look::Oblique(lamps) => {
            let mut pictures = Vec::new();
            for (index, &lamp) in lamps.iter().enumerate() {
                let light = Light::under(conditions).from(Angle::degrees(lamp), LAMP_HEIGHT);
                let picture = if lamps.len() == 1 {
                    stem.with_extension("png")
                } else {
                    stem.with_extension(format!("lamp{}.png", index + 1))
                };
                write_picture(&picture, &oblique(surface, &light, rng))?;
                pictures.push(picture);
            }
            Ok((pictures.clone(), pictures))
        }
    }
}

fn write_picture(path: &Path, micrograph: &Micrograph) -> Result<(), Failure> {
    files::write(path, &surfaces::png(micrograph)?)
}

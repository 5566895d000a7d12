//! `strike`: a simulated case.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use impression::instrument::{Confocal, Light, Sem, confocal, oblique, ring, sem};
use impression::{Ammunition, Conditions, Firearm, Parameter, ParameterError, Strike as Struck};
use rand::SeedableRng as _;
use rand::rngs::ChaCha8Rng;
use serde::Serialize;
use topography::picture::{self, Depth};
use topography::{Limits, Topography, x3p};

use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// Arguments of `strike`.
#[derive(Debug, Args)]
#[command(after_long_help = parameters())]
pub(crate) struct Strike {
    /// The tool's height map, as `engrave` writes it with `--view tool`.
    #[arg(value_name = "TOOL.x3p")]
    tool: PathBuf,
    /// The firearm: a preset or a TOML file.
    #[arg(long, default_value = "reference", value_name = "NAME|FILE")]
    firearm: String,
    /// The ammunition: a preset or a TOML file.
    #[arg(long, default_value = "reference", value_name = "NAME|FILE")]
    ammunition: String,
    /// The conditions to start from: a preset (level-0 to level-4, blur, missing, drag, double, worn, rough) or a TOML
    /// file.
    #[arg(long, default_value = "level-1", value_name = "NAME|FILE")]
    preset: String,
    /// Rounds that the tool has fired before.
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
    /// One condition, such as `drag=34um`; may be repeated, later ones win. `--help` lists the names.
    #[arg(long = "condition", value_name = "NAME=VALUE")]
    conditions: Vec<String>,
    /// A real scan to strike into; a region is drawn from it.
    #[arg(long, value_name = "SCAN.x3p")]
    background: Option<PathBuf>,
    /// What looks at the case [default: confocal for X3P, oblique for pictures].
    #[arg(long)]
    instrument: Option<Instrument>,
    /// Makes every random choice repeatable.
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// Where to write what was done, as JSON, for tests and studies.
    #[arg(long, value_name = "FILE.json")]
    truth: Option<PathBuf>,
    /// Where to write; the ending says what: x3p or tiff for heights, png or tiff for a picture.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// What looks at the case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Instrument {
    /// Heights.
    Confocal,
    /// A picture under a closed ring of light.
    Ring,
    /// A picture under one light from the side.
    Oblique,
    /// A scanning electron microscope.
    Sem,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    X3p,
    Png,
    Tiff,
}

/// Strikes the tool and looks at the case.
pub(crate) fn strike(arguments: &Strike) -> Result<Exit, Failure> {
    let (instrument, kind) = instrument(arguments)?;
    let mut shot = conditions(arguments)?;
    let firearm = model(&arguments.firearm, Firearm::preset, Firearm::from_toml)?;
    let ammunition = model(&arguments.ammunition, Ammunition::preset, Ammunition::from_toml)?;
    let tool = scan(&arguments.tool)?;
    widen(&mut shot, &tool, &arguments.conditions)?;
    let background = arguments.background.as_deref().map(scan).transpose()?;
    let mut rng = ChaCha8Rng::seed_from_u64(arguments.seed);
    let struck = impression::strike(&tool, &firearm, &ammunition, &shot, background.as_ref(), &mut rng)
        .or_exit(Exit::BadInput, format!("cannot strike `{}`", arguments.tool.display()))?;
    let bytes = look(&struck.surface, (instrument, kind), &shot, &mut rng)?;
    files::write(&arguments.output, &bytes)?;
    if let Some(path) = &arguments.truth {
        files::write(path, &truth(&struck, arguments.seed)?)?;
    }
    let ground = if background.is_some() { "a real surface with a simulated mark" } else { "simulation" };
    files::remark(format!("{}: {ground}, seed {}", arguments.output.display(), arguments.seed));
    Ok(Exit::Done)
}

/// The instrument and the file that it writes.
fn instrument(arguments: &Strike) -> Result<(Instrument, Kind), Failure> {
    let kind = match files::extension(&arguments.output).as_str() {
        "x3p" => Kind::X3p,
        "png" => Kind::Png,
        "tif" | "tiff" => Kind::Tiff,
        _ if arguments.output == Path::new("-") => match arguments.instrument {
            None | Some(Instrument::Confocal) => Kind::X3p,
            Some(_) => Kind::Png,
        },
        _ => {
            return Err(Exit::BadInput.because(format!(
                "`{}` names no kind of result\nhint: end it in .x3p, .png or .tiff, or write `-` for standard output",
                arguments.output.display()
            )));
        }
    };
    let usual = if kind == Kind::X3p { Instrument::Confocal } else { Instrument::Oblique };
    match (arguments.instrument.unwrap_or(usual), kind) {
        (Instrument::Confocal, Kind::Png) => Err(Exit::BadInput
            .because("a confocal microscope measures heights\nhint: end the output in .x3p or .tiff")),
        (Instrument::Ring | Instrument::Oblique | Instrument::Sem, Kind::X3p) => Err(Exit::BadInput
            .because("only the confocal microscope measures heights\nhint: end the output in .png or .tiff")),
        (instrument, kind) => Ok((instrument, kind)),
    }
}

fn conditions(arguments: &Strike) -> Result<Conditions, Failure> {
    let mut shot = model(&arguments.preset, Conditions::preset, Conditions::from_toml)?;
    if let Some(rounds) = arguments.rounds {
        shot.set("rounds", &rounds.to_string()).or_exit(Exit::BadInput, "--rounds")?;
    }
    for setting in &arguments.conditions {
        let (name, value) = setting.split_once('=').ok_or_else(|| {
            Exit::BadInput.because(format!("`{setting}` sets nothing\nhint: write it like `drag=34um`"))
        })?;
        shot.set(name, value).or_exit(Exit::BadInput, "--condition")?;
    }
    Ok(shot)
}

/// A tool larger than the field, such as a breech face, would be cut: the field grows with it unless it was chosen, and
/// the pitch becomes the tool's.
fn widen(shot: &mut Conditions, tool: &Topography, chosen: &[String]) -> Result<(), Failure> {
    let across = (tool.heights.width().max(tool.heights.height())) as f64 * tool.pitch.x.to_um();
    let is_chosen = |name: &str| chosen.iter().any(|setting| setting.split('=').next() == Some(name));
    if is_chosen("field") || across <= shot.field.to_um() {
        return Ok(());
    }
    let field = (across * 1.1 / 100.0).ceil() * 100.0;
    shot.set("field", &format!("{field}um")).or_exit(Exit::BadInput, "--condition field")?;
    if !is_chosen("pitch") {
        let pitch = shot.pitch.to_um().max(tool.pitch.x.to_um());
        shot.set("pitch", &format!("{pitch}um")).or_exit(Exit::BadInput, "--condition pitch")?;
    }
    files::remark(format!(
        "the tool is {across:.0} µm across: took a field of {} at a pitch of {}",
        shot.field, shot.pitch
    ));
    Ok(())
}

/// A preset by its name, or one from a TOML file.
fn model<M>(
    name: &str,
    preset: fn(&str) -> Result<M, ParameterError>,
    from_toml: fn(&str) -> Result<M, ParameterError>,
) -> Result<M, Failure> {
    let path = Path::new(name);
    if files::extension(path) == "toml" {
        from_toml(&files::read_text(path)?).or_exit(Exit::BadInput, format!("cannot use `{name}`"))
    } else {
        preset(name).or_exit(Exit::BadInput, "cannot strike")
    }
}

fn scan(path: &Path) -> Result<Topography, Failure> {
    let bytes = files::read(path)?;
    let scan = x3p::read(&bytes, &Limits::default())
        .or_exit(Exit::BadInput, format!("cannot use `{}`", path.display()))?;
    for warning in &scan.warnings {
        files::remark(format!("warning: {}: {warning}", path.display()));
    }
    Ok(scan.topography)
}

fn look(
    case: &Topography,
    (instrument, kind): (Instrument, Kind),
    shot: &Conditions,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<u8>, Failure> {
    let light = Light::under(shot);
    let seen = match instrument {
        Instrument::Confocal => return heights(confocal(case, &Confocal::under(shot), rng), kind),
        Instrument::Ring => ring(case, &light, rng),
        Instrument::Oblique => oblique(case, &light, rng),
        Instrument::Sem => sem(case, &Sem::under(shot), rng),
    };
    let bytes =
        if kind == Kind::Tiff { picture::write_tiff(&seen) } else { picture::write_png(&seen, Depth::Eight) };
    bytes.or_exit(Exit::BadInput, "cannot write the picture")
}

fn heights(topography: Topography, kind: Kind) -> Result<Vec<u8>, Failure> {
    if kind == Kind::Tiff {
        return picture::write_heights(&topography).or_exit(Exit::BadInput, "cannot write the heights");
    }
    let mut scan = x3p::X3p::new(topography);
    scan.z_type = x3p::ZType::Float32;
    scan.instrument = Some("simulated confocal microscope".to_owned());
    scan.comment = Some("simulated: no case was fired".to_owned());
    x3p::write(&scan).or_exit(Exit::BadInput, "cannot write the heights")
}

#[derive(Serialize)]
struct Truth {
    schema: &'static str,
    seed: u64,
    x_um: f64,
    y_um: f64,
    turn_deg: f64,
    scale: f64,
    wear: f64,
    transfer: f64,
    crater_um: f64,
    drag_um: f64,
    drag_deg: f64,
    first_strike: Option<FirstStrike>,
    particles: usize,
    region_um: Option<[f64; 2]>,
}

#[derive(Serialize)]
struct FirstStrike {
    x_um: f64,
    y_um: f64,
    turn_deg: f64,
    depth: f64,
}

/// What was done, for tests and studies.
fn truth(struck: &Struck, seed: u64) -> Result<Vec<u8>, Failure> {
    let truth = &struck.truth;
    let wire = Truth {
        schema: "microstamp.truth/1",
        seed,
        x_um: truth.pose.x.to_um(),
        y_um: truth.pose.y.to_um(),
        turn_deg: truth.pose.turn.to_degrees(),
        scale: truth.pose.scale,
        wear: truth.wear,
        transfer: truth.transfer,
        crater_um: truth.crater.to_um(),
        drag_um: truth.drag.0.to_um(),
        drag_deg: truth.drag.1.to_degrees(),
        first_strike: truth.first_strike.map(|first| FirstStrike {
            x_um: first.x.to_um(),
            y_um: first.y.to_um(),
            turn_deg: first.turn.to_degrees(),
            depth: first.depth,
        }),
        particles: truth.particles,
        region_um: truth.region.map(|((x, y), _)| [x.to_um(), y.to_um()]),
    };
    let mut json = serde_json::to_vec(&wire).or_exit(Exit::BadInput, "cannot write the truth")?;
    json.push(b'\n');
    Ok(json)
}

/// The end of the long help: every name that can be set.
fn parameters() -> String {
    let mut text = "Conditions, with their defaults (presets change them; all are assumptions):\n".to_owned();
    for Parameter { name, unit, default, meaning, .. } in Conditions::describe() {
        let _ = write!(text, "  {name} = {default} {unit}\n      {meaning}\n");
    }
    let _ = write!(
        text,
        "\nFirearms: {}. Ammunition: {}.",
        Firearm::presets().join(", "),
        Ammunition::presets().join(", ")
    );
    text
}

//! `x3p`: what a scan holds, conversions, pictures.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use topography::filter::{self, Fit, Form, Gaussian, Order};
use topography::picture::{self, Depth, HeightScale};
use topography::render::{self, FalseColour, Light};
use topography::x3p::{self, X3p, ZType};
use topography::{Angle, Length, Limits, Pitch, Topography, resample};

use crate::exit::{Exit, Failure, OrExit as _};
use crate::{files, surfaces};

/// Arguments of `x3p`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say what scans hold: size, pitch, heights, instrument, and what is odd about them.
    Info(Info),
    /// Write a scan or a height picture in another format, type or pitch.
    Convert(Convert),
    /// Draw a scan: false colours with legend and scale bar, or under a light.
    Render(Render),
}

/// Arguments of `x3p info`.
#[derive(Debug, Args)]
pub(crate) struct Info {
    /// The scans.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print one JSON object for each scan.
    #[arg(long)]
    json: bool,
}

/// Arguments of `x3p convert`.
#[derive(Debug, Args)]
pub(crate) struct Convert {
    /// The scan: X3P, or TIFF or PNG whose numbers are heights.
    file: PathBuf,
    /// Where to write; the ending says what: x3p, or tif (floating point, micrometres).
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// How an X3P keeps its heights [default: as the scan does, or float64].
    #[arg(long = "type", value_name = "TYPE")]
    z_type: Option<HeightType>,
    /// The distance between samples of a TIFF or PNG.
    #[arg(long)]
    pitch: Option<Length>,
    /// The height of one level of a TIFF or PNG, or of 1 where it holds floating-point numbers.
    #[arg(long, default_value = "1um")]
    step: Length,
    /// Resample to this distance between samples.
    #[arg(long, value_name = "PITCH")]
    resample: Option<Length>,
}

/// Arguments of `x3p render`.
#[derive(Debug, Args)]
pub(crate) struct Render {
    /// The scan.
    file: PathBuf,
    /// Where to write the PNG.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// How it is drawn.
    #[arg(long, default_value = "colour")]
    light: Drawing,
    /// Where the light comes from, clockwise from the top.
    #[arg(long, default_value = "315deg")]
    azimuth: Angle,
    /// How high the light stands above the surface.
    #[arg(long, default_value = "40deg")]
    elevation: Angle,
    /// Take away tilt first.
    #[arg(long)]
    level: bool,
    /// Keep only what lies between two wavelengths, such as `16um,250um`.
    #[arg(long, value_delimiter = ',', value_name = "SHORT,LONG")]
    band: Vec<Length>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum HeightType {
    Int16,
    Int32,
    Float32,
    Float64,
    Text,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Drawing {
    /// Heights as colours, with legend and scale bar.
    Colour,
    /// One distant lamp on a dull surface.
    Hill,
    /// A ring of lamps.
    Ring,
    /// One lamp on metal.
    Oblique,
    /// Like a scanning electron microscope.
    Sem,
}

/// Runs `x3p`.
pub(crate) fn run(command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Info(arguments) => info(arguments),
        Command::Convert(arguments) => convert(arguments),
        Command::Render(arguments) => draw(arguments),
    }
}

/// `microstamp.x3p/1`.
#[derive(Debug, Serialize)]
struct Facts {
    schema: &'static str,
    file: String,
    width: usize,
    height: usize,
    pitch_um: [f64; 2],
    z_type: &'static str,
    valid_points: usize,
    z_min_um: Option<f64>,
    z_max_um: Option<f64>,
    sq_um: Option<f64>,
    instrument: Option<String>,
    creator: Option<String>,
    mask: bool,
    warnings: Vec<String>,
}

impl Facts {
    fn gather(path: &Path) -> Result<Self, Failure> {
        let scan = read_scan(path)?;
        let topography = &scan.topography;
        let range = topography.height_range();
        Ok(Self {
            schema: "microstamp.x3p/1",
            file: path.display().to_string(),
            width: topography.heights.width(),
            height: topography.heights.height(),
            pitch_um: [topography.pitch.x.to_um(), topography.pitch.y.to_um()],
            z_type: scan.z_type.name(),
            valid_points: topography.valid_points(),
            z_min_um: range.map(|(low, _)| low.to_um()),
            z_max_um: range.map(|(_, high)| high.to_um()),
            sq_um: topography.sq().map(Length::to_um),
            instrument: scan.instrument,
            creator: scan.creator,
            mask: scan.mask.is_some(),
            warnings: scan.warnings,
        })
    }

    fn for_people(&self) -> String {
        let points = self.width * self.height;
        let share = 100.0 * self.valid_points as f64 / points as f64;
        let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "not stated".to_owned());
        let heights = match (self.z_min_um, self.z_max_um, self.sq_um) {
            (Some(low), Some(high), Some(sq)) => format!("{low:.3} to {high:.3} µm, Sq {sq:.3} µm"),
            _ => "none measured".to_owned(),
        };
        format!(
            "{}\n  size        {} x {} points, {:.3} x {:.3} mm\n  pitch       {} x {} µm\n  heights     {heights} ({})\n  \
             measured    {} of {points} points ({share:.1} %)\n  instrument  {}\n  creator     {}\n  mask        {}",
            self.file,
            self.width,
            self.height,
            self.width as f64 * self.pitch_um[0] / 1000.0,
            self.height as f64 * self.pitch_um[1] / 1000.0,
            self.pitch_um[0],
            self.pitch_um[1],
            self.z_type,
            self.valid_points,
            known(&self.instrument),
            known(&self.creator),
            if self.mask { "yes" } else { "no" },
        )
    }
}

/// Every file is tried; one that cannot be read makes the run end with 2 after the others were told.
fn info(arguments: &Info) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    for path in &arguments.files {
        match Facts::gather(path) {
            Ok(facts) if arguments.json => {
                let line = serde_json::to_string(&facts).or_exit(Exit::Environment, "cannot write JSON")?;
                files::print_line(line)?;
            }
            Ok(facts) => {
                files::print_line(facts.for_people())?;
                facts.warnings.iter().for_each(|warning| files::remark(format!("warning: {warning}")));
            }
            Err(failure) if arguments.files.len() == 1 => return Err(failure),
            Err(failure) => {
                files::remark(format!("error: {failure}"));
                exit = Exit::BadInput;
            }
        }
    }
    Ok(exit)
}

fn convert(arguments: &Convert) -> Result<Exit, Failure> {
    let mut scan = match files::extension(&arguments.file).as_str() {
        "tif" | "tiff" | "png" => {
            let scale = HeightScale { step: arguments.step, pitch: arguments.pitch.map(Pitch::square) };
            let heights = picture::read_heights(
                &surfaces::read_recognised(&arguments.file)?,
                &Limits::default(),
                &scale,
            );
            X3p::new(heights.or_exit(Exit::BadInput, format!("cannot read `{}`", arguments.file.display()))?)
        }
        _ => read_scan(&arguments.file)?,
    };
    scan.warnings.iter().for_each(|warning| files::remark(format!("warning: {warning}")));
    if let Some(pitch) = arguments.resample {
        if !(pitch.to_um() > 0.01 && pitch.to_um() < 1000.0) {
            return Err(
                Exit::BadInput.because(format!("a pitch of {pitch} makes no sense: 0.01um to 1mm do"))
            );
        }
        scan.topography = resample::to_pitch(&scan.topography, Pitch::square(pitch));
        scan.mask = None;
    }
    if let Some(z_type) = arguments.z_type {
        scan.z_type = z_type.into();
    }
    let bytes = match files::extension(&arguments.output).as_str() {
        "x3p" => x3p::write(&scan),
        _ if arguments.output == Path::new("-") => x3p::write(&scan),
        "tif" | "tiff" => picture::write_heights(&scan.topography),
        _ => {
            return Err(Exit::BadInput.because(format!(
                "`{}` names no kind of scan\nhint: end it in .x3p or .tif, or write `-` for standard output",
                arguments.output.display()
            )));
        }
    };
    let bytes = bytes.or_exit(Exit::BadInput, format!("cannot convert `{}`", arguments.file.display()))?;
    files::write(&arguments.output, &bytes)?;
    Ok(Exit::Done)
}

impl From<HeightType> for ZType {
    fn from(height_type: HeightType) -> Self {
        match height_type {
            HeightType::Int16 => Self::Int16,
            HeightType::Int32 => Self::Int32,
            HeightType::Float32 => Self::Float32,
            HeightType::Float64 => Self::Float64,
            HeightType::Text => Self::Text,
        }
    }
}

fn draw(arguments: &Render) -> Result<Exit, Failure> {
    let scan = read_scan(&arguments.file)?;
    scan.warnings.iter().for_each(|warning| files::remark(format!("warning: {warning}")));
    let surface = prepare(scan.topography, arguments)?;
    let Render { azimuth, elevation, .. } = *arguments;
    let light = match arguments.light {
        Drawing::Colour => None,
        Drawing::Hill => Some(Light::Hill { azimuth, elevation }),
        Drawing::Ring => Some(Light::Ring { elevation }),
        Drawing::Oblique => Some(Light::Oblique { azimuth, elevation }),
        Drawing::Sem => Some(Light::Sem),
    };
    let png = if let Some(light) = light {
        picture::write_png(&render::shade(&surface, light), Depth::Eight)
    } else {
        let how = FalseColour { range: None, shaded: true };
        picture::write_colours(&render::false_colour(&surface, &how), None)
    };
    files::write(&arguments.output, &png.or_exit(Exit::BadInput, "cannot draw")?)?;
    Ok(Exit::Done)
}

fn prepare(mut surface: Topography, arguments: &Render) -> Result<Topography, Failure> {
    if arguments.level {
        surface = filter::remove_form(&surface, Form::Plane, Fit::Robust)
            .or_exit(Exit::BadInput, "cannot level")?;
    }
    if let [short, long] = arguments.band[..] {
        let at = |cut_off: Length| Gaussian { cut_off, order: Order::Two, robust: true };
        surface =
            filter::band_pass(&surface, &at(short), &at(long)).or_exit(Exit::BadInput, "cannot filter")?;
    } else if !arguments.band.is_empty() {
        return Err(
            Exit::BadInput.because("`--band` takes two wavelengths\nhint: write it like `--band 16um,250um`")
        );
    }
    Ok(surface)
}

fn read_scan(path: &Path) -> Result<X3p, Failure> {
    x3p::read(&surfaces::read_recognised(path)?, &Limits::default())
        .or_exit(Exit::BadInput, format!("cannot read `{}`", path.display()))
}

//! `engrave`: artwork for one code on one part.

use std::path::{Path, PathBuf};

use clap::Args;
use marking::{ArtworkOptions, Form, LayoutOptions, MarkingError, PlacedMark, Relief, Tip, View};
use symbology::{Mark, Scheme};
use topography::{Length, picture, x3p};

use crate::commands::scheme;
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// Arguments of `engrave`.
#[derive(Debug, Args)]
pub(crate) struct Engrave {
    /// The code, such as `K73M XPKA`; of open-1 the first six characters are enough.
    code: String,
    /// The scheme: open-1, plain-8, round-1, or a scheme file.
    #[arg(long, default_value = "open-1", value_name = "NAME|FILE")]
    scheme: String,
    /// The marks, with commas: characters, gear, dots, radial, matrix [default: characters,gear on pins, dots on the
    /// breech face].
    #[arg(long, value_delimiter = ',', value_name = "MARKS")]
    marks: Vec<Mark>,
    /// The part: hemispherical:1.7mm, flat:1.5mm, elliptical:1x2mm, chisel:0.8x1.6mm or breech-face.
    #[arg(long, default_value = "hemispherical:1.7mm")]
    tip: Tip,
    /// The relief of the surface that is drawn, as seen: raised or sunk. What is raised on the tool is sunk on the case.
    #[arg(long, default_value = "raised")]
    relief: Relief,
    /// The surface that is drawn: tool (mirrored, for the engraver) or case (as a reader sees it).
    #[arg(long, default_value = "tool")]
    view: View,
    /// X3P only: with or without the shape of the tip.
    #[arg(long, default_value = "with")]
    form: Form,
    /// X3P and PNG only: the distance between samples, 0.5um to 5um.
    #[arg(long, default_value = "1um")]
    pitch: Length,
    /// The length of one module [default: 19um on pins, 60um on the breech face].
    #[arg(long)]
    module: Option<Length>,
    /// The height of the relief.
    #[arg(long, default_value = "25um", allow_negative_numbers = true)]
    height: Length,
    /// Where to write; the ending says what: svg, dxf, x3p or png. `-` prints SVG.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Lays the code out and writes the artwork.
pub(crate) fn engrave(arguments: &Engrave) -> Result<Exit, Failure> {
    let scheme = scheme::named(&arguments.scheme)?;
    let marks = if arguments.marks.is_empty() {
        usual_marks(&scheme, &arguments.tip)
    } else {
        arguments.marks.clone()
    };
    let options =
        LayoutOptions { module: arguments.module, relief: arguments.height, ..LayoutOptions::default() };
    let mark = marking::lay_out(&scheme, &arguments.code, &marks, &arguments.tip, &options)
        .map_err(|error| exit_of(&error).because(format!("cannot engrave `{}`: {error}", arguments.code)))?;
    files::write(&arguments.output, &artwork(&mark, arguments)?)?;
    let (module, across) = (mark.module().to_um(), 2.0 * mark.extent().to_um());
    files::remark(format!(
        "{} on {}: module {module:.1} µm, {across:.0} µm across, {} {}",
        mark.text(),
        mark.tip(),
        arguments.view,
        arguments.relief
    ));
    Ok(Exit::Done)
}

/// What is put on such a part unless marks are named.
fn usual_marks(scheme: &Scheme, tip: &Tip) -> Vec<Mark> {
    let usual: &[Mark] =
        if matches!(tip, Tip::BreechFace { .. }) { &[Mark::Dots] } else { &[Mark::Characters, Mark::Gear] };
    let offered = scheme.marks();
    usual.iter().copied().filter(|mark| offered.contains(mark)).collect()
}

/// A guard that says no is a rule; anything else is a wrong argument.
fn exit_of(error: &MarkingError) -> Exit {
    match error {
        MarkingError::TooLarge { .. } | MarkingError::Overlap(..) | MarkingError::Guard(_) => Exit::Refused,
        _ => Exit::BadInput,
    }
}

fn artwork(mark: &PlacedMark, arguments: &Engrave) -> Result<Vec<u8>, Failure> {
    let options =
        ArtworkOptions { view: arguments.view, relief: arguments.relief, ..ArtworkOptions::default() };
    match files::extension(&arguments.output).as_str() {
        "svg" => Ok(marking::svg(mark, options).into_bytes()),
        "dxf" => Ok(marking::dxf(mark, options).into_bytes()),
        "x3p" => height_map(mark, arguments),
        "png" => {
            let drawn = marking::picture(mark, arguments.pitch, arguments.view)
                .or_exit(Exit::BadInput, "cannot draw")?;
            picture::write_png(&drawn, picture::Depth::Eight)
                .or_exit(Exit::BadInput, "cannot write the picture")
        }
        "" if arguments.output == Path::new("-") => Ok(marking::svg(mark, options).into_bytes()),
        _ => Err(Exit::BadInput.because(format!(
            "`{}` names no kind of artwork\nhint: end it in .svg, .dxf, .x3p or .png",
            arguments.output.display()
        ))),
    }
}

fn height_map(mark: &PlacedMark, arguments: &Engrave) -> Result<Vec<u8>, Failure> {
    let Engrave { pitch, relief, view, form, .. } = *arguments;
    let topography =
        marking::height_map(mark, pitch, relief, view, form).or_exit(Exit::BadInput, "cannot draw")?;
    let mut scan = x3p::X3p::new(topography);
    scan.z_type = x3p::ZType::Float32;
    scan.comment = Some(format!(
        "{} ({}) on {}, {relief} on the {view}, {form} form, module {}",
        mark.text(),
        mark.scheme(),
        mark.tip(),
        mark.module()
    ));
    x3p::write(&scan).or_exit(Exit::BadInput, "cannot write the height map")
}

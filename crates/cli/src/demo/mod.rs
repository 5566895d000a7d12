//! `demo`: a casing becomes a trace, on synthetic material, from two makers' books to the answer.

mod evidence;
mod findings;
mod page;
mod scenes;
mod world;

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use self::evidence::Exhibit;
use self::findings::Together;
use self::page::Story;
use self::scenes::SHOTS;
use self::world::{GUNS, Maker, PISTOLS_EACH};
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files::{self, remark};

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// The folder to fill; it must be new or empty, or hold an earlier demonstration, which is replaced.
    #[arg(default_value = "demo-out")]
    dir: PathBuf,
    /// Seed of the simulated shots.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// This file says that a folder holds a demonstration and may be replaced.
const MARKER: &str = ".microstamp-demo";

/// Runs the whole story and prints how it ended.
pub(crate) fn demo(arguments: &Demo) -> Result<Exit, Failure> {
    let folder = &arguments.dir;
    clear(folder)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .or_exit(Exit::Environment, "cannot start the books")?;
    let now = Timestamp::now();
    remark(format!(
        "1. Two synthetic makers issue, engrave, ship and sell {} pistols; one is stolen.",
        2 * PISTOLS_EACH
    ));
    let makers = runtime.block_on(world::build(folder, now))?;
    let artwork = engrave_all(&makers)?;
    remark(format!("   artwork of all {} pins: SHA-256 {artwork}", 2 * PISTOLS_EACH));
    remark("2. Five cases are fired at two scenes and looked at with different instruments.");
    let exhibits = fire_all(&makers, folder, arguments.seed)?;
    remark(
        "3. Each case is read by itself; then those that the reader finds to carry one code are read together.",
    );
    let alone = findings::read_alone(&exhibits, folder)?;
    remark("4. The issuers answer from their own books; question and answer go into their logs first.");
    let mut together = Vec::new();
    let mut unexplained: Vec<usize> = (0..exhibits.len()).collect();
    while !unexplained.is_empty() {
        let stem = folder.join(format!("group-{}", together.len() + 1));
        let members = findings::of_one_code(&unexplained, &alone)?;
        let reading = findings::read_together(&members, &alone, &stem.with_extension("reading.json"))?;
        let answer =
            runtime.block_on(findings::trace(&reading, &makers, now, &stem.with_extension("trace.json")))?;
        unexplained.retain(|exhibit| !members.contains(exhibit));
        together.push(Together { exhibits: members, reading, answer });
    }
    let story = Story { exhibits: &exhibits, alone: &alone, together: &together };
    let (table, wrong) = page::write(&story, folder)?;
    files::print(table.as_bytes())?;
    files::print_line(format!(
        "\nwrong accepts: {wrong} (simulation); open {}",
        folder.join("index.html").display()
    ))?;
    Ok(if wrong == 0 { Exit::Done } else { Exit::Negative })
}

/// Makes the folder, or empties the folder of an earlier demonstration; anything else is left alone.
fn clear(folder: &Path) -> Result<(), Failure> {
    let is_empty = folder.read_dir().map_or(true, |mut entries| entries.next().is_none());
    if !is_empty && !folder.join(MARKER).is_file() {
        return Err(Exit::Refused.because(format!(
            "`{}` holds something that is no demonstration\nhint: name a new folder",
            folder.display()
        )));
    }
    if !is_empty {
        std::fs::remove_dir_all(folder)
            .or_exit(Exit::Environment, format!("cannot clear `{}`", folder.display()))?;
    }
    files::create_folder(folder)?;
    files::write(&folder.join(MARKER), b"made by `microstamp demo`; everything here is synthetic\n")
}

/// Draws the artwork of every pin, as a maker's line would, and gives the hash of all of it.
fn engrave_all(makers: &[Maker]) -> Result<String, Failure> {
    let places: Vec<_> =
        makers.iter().flat_map(|maker| (0..maker.issued.len()).map(move |place| (maker, place))).collect();
    let drawn: Vec<Result<[u8; 32], Failure>> = places
        .par_iter()
        .map(|(maker, place)| {
            let artwork =
                marking::svg(&evidence::lay_out(maker, *place)?, marking::ArtworkOptions::default());
            Ok(Sha256::digest(artwork.as_bytes()).into())
        })
        .collect();
    let mut all = Sha256::new();
    for artwork in drawn {
        all.update(artwork?);
    }
    Ok(hex::encode(all.finalize()))
}

fn fire_all(makers: &[Maker], folder: &Path, seed: u64) -> Result<Vec<Exhibit>, Failure> {
    let mut tools = Vec::new();
    for (gun, &(maker, _)) in GUNS.iter().enumerate() {
        tools.push(evidence::engrave(&makers[maker], gun, folder)?);
    }
    let shots: Vec<_> = SHOTS.into_iter().enumerate().collect();
    let fired: Vec<Result<Exhibit, Failure>> = shots
        .into_par_iter()
        .map(|(index, shot)| {
            let (maker, place) = GUNS[shot.gun];
            let truth = makers[maker].issued[place].code.to_string();
            evidence::fire(shot, &tools[shot.gun], truth, folder, seed.wrapping_add(index as u64))
        })
        .collect();
    fired.into_iter().collect()
}

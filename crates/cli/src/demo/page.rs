//! The page and the table that end the demonstration.

use std::fmt::Write as _;
use std::path::Path;

use reader::{Outcome, Reading};
use report::{Cell, Page, Plot, Series, Shape, Table};

use crate::demo::evidence::Exhibit;
use crate::demo::findings::{self, Alone, Together};
use crate::exit::Failure;
use crate::files;

/// Everything that the page shows.
pub(crate) struct Story<'a> {
    /// The cases.
    pub(crate) exhibits: &'a [Exhibit],
    /// What each says by itself.
    pub(crate) alone: &'a [Alone],
    /// What those of one firearm say together.
    pub(crate) together: &'a [Together],
}

/// One row of the table.
struct Row {
    exhibit: String,
    truth: String,
    alone: String,
    fused: String,
    posterior: String,
    firearm: String,
    chain: String,
    time_to_crime: String,
    wrong: bool,
}

/// Writes `index.html` and gives the table as text, with the number of wrong accepts.
pub(crate) fn write(story: &Story<'_>, folder: &Path) -> Result<(String, usize), Failure> {
    let rows = rows(story);
    let wrong = rows.iter().filter(|row| row.wrong).count();
    let mut page = Page::new("microstamp: five cases, two scenes, two pistols")
        .notice("Everything on this page is synthetic: makers, dealers, scenes, reports. No firearm was fired and no real microstamped case exists here; marks are simulated, on procedural surfaces or (where said) on a real scan of an ordinary primer.")
        .heading("What was found out")
        .table(&table(&rows))
        .paragraph("A reading is a lead to a firearm, never to a person. The reader saw no list of issued codes; posteriors were checked on simulation only.")
        .heading("The pins")
        .picture("pin-of-gun-1.svg", "Artwork for the pin of gun 1, as the engraver sees it (mirrored).")
        .picture("pin-of-gun-2.svg", "Artwork for the pin of gun 2, as the engraver sees it (mirrored).");
    for (exhibit, alone) in story.exhibits.iter().zip(story.alone) {
        page = exhibit_on(page, exhibit, alone);
    }
    for (group, together) in story.together.iter().enumerate() {
        page = trace_on(page, group, together);
    }
    page = page.heading("Files").paragraph(
        "Beside this page: scans (.x3p) and pictures (.png) of every case, readings (.reading.json), traces (.trace.json), artwork (.svg, .dxf, .x3p), and both issuers' books with their logs.",
    );
    files::write(&folder.join("index.html"), page.to_html().as_bytes())?;
    Ok((text(&rows), wrong))
}

fn rows(story: &Story<'_>) -> Vec<Row> {
    let row = |(index, (exhibit, alone)): (usize, (&Exhibit, &Alone))| {
        let together = story.together.iter().find(|together| together.exhibits.contains(&index));
        let answer = together.and_then(|together| together.answer.as_ref());
        let fused = together.map(|together| &together.reading);
        Row {
            exhibit: exhibit.shot.exhibit.to_owned(),
            truth: exhibit.truth.clone(),
            alone: headline(&alone.reading),
            fused: fused.map_or_else(|| "–".to_owned(), headline),
            posterior: fused
                .and_then(|reading| reading.posterior)
                .map_or_else(|| "–".to_owned(), |p| format!("{p:.6}")),
            firearm: answer.map(findings::firearm).unwrap_or_default(),
            chain: answer.map(findings::chain).unwrap_or_default(),
            time_to_crime: answer.map(findings::time_to_crime).unwrap_or_default(),
            wrong: [Some(&alone.reading), fused]
                .into_iter()
                .flatten()
                .any(|reading| is_wrong(reading, &exhibit.truth)),
        }
    };
    story.exhibits.iter().zip(story.alone).enumerate().map(row).collect()
}

fn is_wrong(reading: &Reading, truth: &str) -> bool {
    reading.code.as_ref().is_some_and(|code| code != truth)
}

fn headline(reading: &Reading) -> String {
    match (&reading.code, reading.outcome) {
        (Some(code), _) => code.clone(),
        (None, Outcome::Candidates) => "candidates".to_owned(),
        (None, Outcome::NoMark) => "no mark".to_owned(),
        (None, _) => "unreadable".to_owned(),
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&[
        "exhibit",
        "true code",
        "read alone",
        "fused",
        "posterior",
        "firearm",
        "chain",
        "time to crime",
    ]);
    for row in rows {
        table.push(vec![
            row.exhibit.clone().into(),
            Cell::Code(row.truth.clone()),
            Cell::Code(row.alone.clone()),
            Cell::Code(row.fused.clone()),
            Cell::Code(row.posterior.clone()),
            row.firearm.clone().into(),
            row.chain.clone().into(),
            row.time_to_crime.clone().into(),
        ]);
    }
    table
}

fn text(rows: &[Row]) -> String {
    let mut text =
        String::from("case  true code  read alone  fused      posterior  firearm, chain, time to crime\n");
    for row in rows {
        let Row { exhibit, truth, alone, fused, posterior, firearm, chain, time_to_crime, .. } = row;
        let _ = writeln!(text, "{exhibit:<5} {truth:<10} {alone:<11} {fused:<10} {posterior:<10} {firearm}");
        let _ = writeln!(text, "      {chain}; time to crime: {time_to_crime}");
    }
    text
}

fn exhibit_on(page: Page, exhibit: &Exhibit, alone: &Alone) -> Page {
    let shot = &exhibit.shot;
    let settings: Vec<_> = shot.settings.iter().map(|(name, value)| format!(", {name} {value}")).collect();
    let mut page = page.heading(&format!("Exhibit {}: {}", shot.exhibit, shot.scene)).paragraph(&format!(
        "{}; conditions {}{}; measured on {}. Read alone: {}.",
        shot.look.describe(),
        shot.preset,
        settings.join(""),
        exhibit.background,
        headline(&alone.reading)
    ));
    for picture in &exhibit.pictures {
        let name = picture.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        page = page.picture(&name, &format!("{name}: {}", shot.look.describe()));
    }
    let overlay = format!("{}.overlay.png", shot.exhibit);
    if picture_exists(exhibit, &overlay) {
        page =
            page.picture(&overlay, "What was found, upright, and the same with the best code drawn over it");
    }
    let bits = alone.reading.symbols.iter().map(|symbol| (symbol.index as f64, symbol.bits)).collect();
    let plot =
        Plot::new(format!("Exhibit {}: bits per symbol", shot.exhibit), "symbol of the mother code", "bits")
            .with(Series::new("bits", Shape::Bars, bits));
    page.svg(
        &plot.to_svg(420, 230),
        &format!("{:.0} bits carried of {:.0} needed", alone.reading.bits_carried, alone.reading.bits_needed),
    )
}

fn picture_exists(exhibit: &Exhibit, name: &str) -> bool {
    exhibit.pictures.first().is_some_and(|picture| picture.with_file_name(name).is_file())
}

fn trace_on(page: Page, group: usize, together: &Together) -> Page {
    let mut page = page.heading(&format!(
        "Trace of group {}: {} case(s) of one code",
        group + 1,
        together.exhibits.len()
    ));
    match &together.answer {
        Some(answer) => {
            for line in &answer.statement {
                page = page.paragraph(line);
            }
            page.paragraph(&format!(
                "Question and answer are entries {} and {} of the issuer's log {}.",
                answer.log_entries[0], answer.log_entries[1], answer.log
            ))
        }
        None => page.paragraph("Nothing was read that could be asked about."),
    }
}

//! Leads as pages: the list with a picture in register, and a page for each lead.

use std::path::Path;

use ::report::{Cell, Page, Table};
use comparison::evidence;
use comparison::search::Origin;
use comparison::{Surface, picture};

use super::export::origin;
use super::leads::{Lead, NOTE, Report};
use super::pictures;
use crate::commands::compare::file_name;
use crate::exit::Failure;
use crate::files;

/// Writes `index.html` and, for each lead, a picture in register with the scan that asks and a page; `own` is that scan as it is
/// and at what the index keeps.
pub(super) fn write(folder: &Path, own: [&Surface; 2], report: &Report<'_>) -> Result<(), Failure> {
    files::create_folder(folder)?;
    let own_name = file_name(Path::new(&report.file));
    let mut table =
        Table::new(&["", "scan", "known of it", "cells", "log10 LR", "in words (ENFSI)", "origin", "notes"]);
    let mut list =
        Page::new(format!("Leads for {own_name}")).notice(&format!("These are {NOTE}.")).paragraph(&format!(
            "{} of {} scans searched, preset {}.",
            report.found.searched, report.scans, report.preset.name
        ));
    let mut drawn = Vec::new();
    for (rank, lead) in (1..).zip(report.leads) {
        let page = format!("lead-{rank}.html");
        if let Some(html) = lead_page((&own_name, own), lead, report) {
            files::write(&folder.join(&page), html.as_bytes())?;
        }
        if let Some(png) = pictures::of(own, rank, lead)? {
            let file = format!("lead-{rank}.png");
            files::write(&folder.join(&file), &png)?;
            drawn.push((file, caption(rank, lead)));
        }
        table.push(row(rank, lead, lead.surface.is_some().then_some(page)));
    }
    for note in report.remarks() {
        list = list.paragraph(&note);
    }
    list = list.table(&table);
    if let Some(weigher) = report.weigher {
        let of = &weigher.calibration.provenance;
        list = list.paragraph(&format!("Ratios are calibrated on {} ({}).", of.set, of.measured_on));
    }
    if !drawn.is_empty() {
        list = list.heading("Side by side").paragraph(
            "Left the scan that asks, right the lead turned to lie as it does. Congruent cells are numbered and outlined on both where \
             they were found; dashed are the other cells of the scan that asks.",
        );
    }
    for (file, caption) in drawn {
        list = list.wide_picture(&file, &caption);
    }
    files::write(&folder.join("index.html"), list.to_html().as_bytes())
}

/// What a picture shows, in words.
fn caption(rank: usize, lead: &Lead) -> String {
    let place = if lead.comparison.converged {
        format!("{} of {} cells congruent", lead.comparison.congruent(), lead.comparison.joint_cells())
    } else {
        "no common place found, so that it is drawn where it lies least badly".to_owned()
    };
    let detail = if lead.in_full { "" } else { "; at the 25 µm that the index keeps" };
    let simulated = if lead.row.scan.origin == Origin::Simulated { "; SIMULATED" } else { "" };
    format!("{rank}. {}: {place}{detail}{simulated}", lead.title())
}

/// The page of a lead; nothing where too little of it is left to draw.
fn lead_page((own_name, own): (&str, [&Surface; 2]), lead: &Lead, report: &Report<'_>) -> Option<String> {
    let surface = lead.surface.as_ref()?;
    let weight = report.weigher.map(|w| &w.calibration).zip(lead.ratio.as_ref());
    let mut comparison = lead.comparison.clone();
    let mut say = |note: String| {
        if !comparison.warnings.contains(&note) {
            comparison.warnings.push(note);
        }
    };
    lead.notes.iter().cloned().for_each(&mut say);
    if !lead.in_full {
        say("compared at the 25 µm that the index keeps: no likelihood ratio".to_owned());
    }
    if lead.row.scan.origin == Origin::Simulated {
        say("the lead is simulated: no case was fired".to_owned());
    }
    say(format!("a lead is one of {NOTE}"));
    let own = pictures::asking(own, lead);
    Some(picture::page([(own_name, own), (&lead.title(), surface)], &comparison, weight))
}

fn row(rank: usize, lead: &Lead, page: Option<String>) -> Vec<Cell> {
    let title = lead.title();
    let (ratio, words) = match &lead.ratio {
        Some(ratio) => (ratio.told(), evidence::verbal(ratio.log10)),
        None => ("none".to_owned(), lead.unweighed.clone().unwrap_or_default()),
    };
    vec![
        Cell::Code(rank.to_string()),
        page.map_or(Cell::Text(title.clone()), |target| Cell::Link { text: title.clone(), target }),
        lead.known().into(),
        format!("{} of {}", lead.comparison.congruent(), lead.comparison.joint_cells()).into(),
        ratio.into(),
        words.into(),
        origin(lead.row.scan.origin).into(),
        lead.notes.join("; ").into(),
    ]
}

//! Leads as pages: the list with a picture in register, and a page for each lead.

use std::path::Path;

use ::report::{Cell, Page, Table};
use comparison::evidence::{self, Calibration};
use comparison::{Surface, picture};

use super::export::origin;
use super::leads::{Lead, NOTE, Report};
use super::search::drawn;
use crate::commands::compare::file_name;
use crate::exit::Failure;
use crate::files;

/// Writes `index.html`, a picture of the leads beside the scan that asks, and a page for each that was compared in full.
pub(super) fn write(
    folder: &Path,
    own: &Surface,
    report: &Report<'_>,
    (surfaces, calibration): (&[Option<Surface>], Option<&Calibration>),
) -> Result<(), Failure> {
    files::create_folder(folder)?;
    let own_name = file_name(Path::new(&report.file));
    let mut table =
        Table::new(&["", "scan", "known of it", "cells", "log10 LR", "in words (ENFSI)", "origin", "notes"]);
    for ((rank, lead), surface) in (1..).zip(report.leads).zip(surfaces) {
        let page = format!("lead-{rank}.html");
        if let Some(surface) = surface {
            let weight = calibration.zip(lead.ratio.as_ref());
            let html = picture::page([(&own_name, own), (&lead.title(), surface)], &lead.comparison, weight);
            files::write(&folder.join(&page), html.as_bytes())?;
        }
        table.push(row(rank, lead, surface.is_some().then_some(page)));
    }
    let mut list =
        Page::new(format!("Leads for {own_name}")).notice(&format!("These are {NOTE}.")).paragraph(&format!(
            "{} of {} scans searched, preset {}.",
            report.searched, report.scans, report.preset
        ));
    for note in report.remarks() {
        list = list.paragraph(&note);
    }
    list = list.table(&table);
    if surfaces.iter().any(Option::is_some) {
        files::write(&folder.join("leads.png"), &drawn(own, report.leads, surfaces)?)?;
        list = list.picture(
            "leads.png",
            "Left the scan that asks, right each lead turned to lie as it does (where its cells found no common place, as it lies least badly), in the order of the list; leads kept at 25 µm alone are passed over.",
        );
    }
    if let Some(calibration) = calibration {
        let of = &calibration.provenance;
        list = list.paragraph(&format!("Ratios are calibrated on {} ({}).", of.set, of.measured_on));
    }
    files::write(&folder.join("index.html"), list.to_html().as_bytes())
}

fn row(rank: usize, lead: &Lead, page: Option<String>) -> Vec<Cell> {
    let told = &lead.scan.particulars;
    let known: Vec<&str> =
        [&told.calibre, &told.class, &told.date].into_iter().flatten().map(String::as_str).collect();
    let title = lead.title();
    let (ratio, words) = match &lead.ratio {
        Some(ratio) => (ratio.told(), evidence::verbal(ratio.log10)),
        None => ("none".to_owned(), lead.unweighed.clone().unwrap_or_default()),
    };
    vec![
        Cell::Code(rank.to_string()),
        page.map_or(Cell::Text(title.clone()), |target| Cell::Link { text: title.clone(), target }),
        known.join(", ").into(),
        format!("{} of {}", lead.comparison.congruent(), lead.comparison.joint_cells()).into(),
        ratio.into(),
        words.into(),
        origin(lead.scan.origin).into(),
        lead.notes.join("; ").into(),
    ]
}

//! `database export`: the catalogue as CSV.

use std::path::PathBuf;

use clap::Args;
use comparison::search::Origin;

use super::catalogue::Row;
use super::folder::Database;
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// Arguments of `database export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The folder of the database.
    #[arg(long, value_name = "DB")]
    database: PathBuf,
    /// Where to write.
    #[arg(short, long, value_name = "FILE.csv", default_value = "-")]
    output: PathBuf,
}

pub(crate) fn export(arguments: &Export) -> Result<Exit, Failure> {
    let mut catalogue = Database::open(&arguments.database, None)?.catalogue;
    let cannot = "cannot write the catalogue";
    let mut table = csv::Writer::from_writer(Vec::new());
    let header = [
        "record",
        "name",
        "path",
        "sha256",
        "origin",
        "exhibit",
        "calibre",
        "class",
        "date",
        "firing_pin",
        "breech_face",
        "aperture",
        "extractor",
        "ejector",
    ];
    table.write_record(header).or_exit(Exit::Environment, cannot)?;
    let mut after = -1;
    loop {
        let page = catalogue.page(after)?;
        let Some(last) = page.last() else { break };
        after = last.record;
        for Row { record, scan, .. } in &page {
            let known = |text: &Option<String>| text.clone().unwrap_or_default();
            let told = &scan.particulars;
            let class = &told.characteristics;
            let row = [
                record.to_string(),
                scan.name.clone(),
                known(&scan.path),
                known(&scan.sha256),
                origin(scan.origin).to_owned(),
                known(&told.exhibit),
                known(&told.calibre),
                known(&told.class),
                known(&told.date),
                known(&class.firing_pin),
                known(&class.breech_face),
                known(&class.aperture),
                known(&class.extractor),
                known(&class.ejector),
            ];
            table.write_record(row).or_exit(Exit::Environment, cannot)?;
        }
    }
    files::write(&arguments.output, &table.into_inner().or_exit(Exit::Environment, cannot)?)?;
    Ok(Exit::Done)
}

pub(crate) fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Real => "real",
        Origin::Simulated => "simulated",
    }
}

//! `import`: bound-book rows from a CSV table.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use registry::{ImportOptions, Mapping, Rejected};
use serde_json::json;

use super::books::{InBooks, failure, open, wait};
use crate::exit::{Exit, Failure};
use crate::files;
use crate::progress::bar;

/// Arguments of `import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(flatten)]
    books: InBooks,
    /// The CSV table, with a heading, or the EPCIS document.
    file: PathBuf,
    /// Form: csv, or epcis for a GS1 EPCIS 2.0 JSON document.
    #[arg(long, default_value = "csv", value_parser = ["csv", "epcis"])]
    format: String,
    /// A TOML file that says which column is what; without it columns bear the fields' own names.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Check every row and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Take the rows that can be taken and leave the others out.
    #[arg(long)]
    skip_rejected: bool,
}

/// Takes a table into the books. Rejected rows are printed, one a line.
pub(crate) fn import(arguments: &Import) -> Result<Exit, Failure> {
    let mapping = match &arguments.mapping {
        Some(file) => Mapping::from_toml(&files::read_text(file)?).map_err(failure)?,
        None => Mapping::default(),
    };
    let table = files::open(&arguments.file)?;
    let bar = bar(table.metadata().map_or(0, |metadata| metadata.len()), "import");
    let table = bar.wrap_read(table);
    let options =
        ImportOptions { mapping, dry_run: arguments.dry_run, skip_rejected: arguments.skip_rejected };
    wait(async {
        let books = open(&arguments.books.registry).await?;
        let mut printed = Ok(());
        let rejected = |row: Rejected| {
            if printed.is_ok() {
                printed = print(arguments, &row);
            }
        };
        let acts = (&arguments.books.by, Timestamp::now());
        let done = match arguments.format.as_str() {
            "epcis" => books.import_epcis(table, &options, acts, rejected).await,
            _ => books.import(table, &options, acts, rejected).await,
        };
        printed?;
        let done = done.map_err(failure)?;
        books.close().await;
        if arguments.books.json {
            files::print_line(json!({
                "schema": "microstamp.import/1", "rows": done.rows, "rejected": done.rejected,
                "entries": done.entries, "dry_run": arguments.dry_run,
            }))?;
        }
        let verb = if arguments.dry_run { "would be written" } else { "written" };
        files::remark(format!(
            "{} rows, {} rejected, {} entries {verb}",
            done.rows, done.rejected, done.entries
        ));
        if done.left_out > 0 {
            files::remark(format!("{} events declared wrong by their writer were left out", done.left_out));
        }
        if done.codes > 0 {
            files::remark(format!("{} events of issued codes became no entries", done.codes));
        }
        Ok(if done.rejected > 0 { Exit::Negative } else { Exit::Done })
    })
}

fn print(arguments: &Import, row: &Rejected) -> Result<(), Failure> {
    if arguments.books.json {
        files::print_line(
            json!({"schema": "microstamp.rejected-row/1", "line": row.line, "reason": row.reason}),
        )
    } else {
        files::print_line(format!("line {}: {}", row.line, row.reason))
    }
}

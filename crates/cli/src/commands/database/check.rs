//! `database check`: whether the files of a database are whole and belong together.

use std::path::PathBuf;

use clap::Args;
use comparison::search::{self, Store};
use rayon::prelude::*;
use serde::Serialize;

use super::catalogue::Row;
use super::folder::Database;
use super::seal::{self, Fault};
use crate::exit::{Exit, Failure, OrExit as _};
use crate::{files, progress};

/// Arguments of `database check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The folder of the database.
    #[arg(long, value_name = "DB")]
    database: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Faults that are printed one by one; all are counted, and in the JSON.
const PRINTED: usize = 20;

#[derive(Serialize)]
struct Json {
    schema: &'static str,
    scans: usize,
    /// Of the header and all seals, as searches tell it.
    database_sha256: String,
    faults: Vec<Found>,
    /// Bytes behind the last record that the catalogue knows: a write that did not come to its end.
    torn: usize,
}

#[derive(Serialize)]
struct Found {
    record: i64,
    name: String,
    fault: &'static str,
}

pub(crate) fn check(arguments: &Check) -> Result<Exit, Failure> {
    let mut database = Database::open(&arguments.database, None)?;
    let mapped = database.map()?;
    let store = mapped.store()?;
    let bar = progress::bar(store.len() as u64, "checking");
    let (mut faults, mut after) = (Vec::new(), -1);
    loop {
        // Rows behind the last record were taken in since.
        let mut rows = database.catalogue.page(after)?;
        rows.retain(|row| (row.record as usize) < store.len());
        let Some(last) = rows.last() else { break };
        after = last.record;
        faults.extend(of_features(&rows, &store));
        for row in &rows {
            faults.extend(of_prepared(&mut database, row)?.map(|fault| found(row, fault)));
        }
        bar.inc(rows.len() as u64);
    }
    bar.finish_and_clear();
    faults.sort_by_key(|fault| fault.record);
    let result = Json {
        schema: "microstamp.database-check/1",
        scans: store.len(),
        database_sha256: mapped.digest(&store),
        faults,
        torn: mapped.behind(),
    };
    if arguments.json {
        let json = serde_json::to_string(&result).or_exit(Exit::Environment, "cannot print the result")?;
        files::print_line(json)?;
    } else {
        print(&result)?;
    }
    Ok(if result.faults.is_empty() { Exit::Done } else { Exit::Negative })
}

fn of_features(rows: &[Row], store: &Store<'_>) -> Vec<Found> {
    rows.par_iter().filter_map(|row| Some(found(row, seal::fault(row, store)?))).collect()
}

fn of_prepared(database: &mut Database, row: &Row) -> Result<Option<Fault>, Failure> {
    if row.prepared_sha256.is_none() {
        return Ok(None);
    }
    Ok(match database.catalogue.prepared(row.record)? {
        Some(bytes) if seal::is_own(row, &bytes) => None,
        Some(bytes) if search::unpack(&bytes, &database.preset).is_ok() => Some(Fault::PreparedExchanged),
        _ => Some(Fault::PreparedDamaged),
    })
}

fn found(row: &Row, fault: Fault) -> Found {
    Found { record: row.record, name: row.scan.name.clone(), fault: fault.told() }
}

fn print(result: &Json) -> Result<(), Failure> {
    for Found { record, name, fault } in result.faults.iter().take(PRINTED) {
        files::print_line(format!("record {record} (`{name}`): {fault}"))?;
    }
    let more = result.faults.len().saturating_sub(PRINTED);
    if more > 0 {
        files::print_line(format!("and {more} more"))?;
    }
    if result.torn > 0 {
        let torn = result.torn;
        files::print_line(format!(
            "{torn} bytes behind the last record were left by a write that did not come to its end"
        ))?;
    }
    let told = if result.faults.is_empty() {
        "all are whole and belong to their rows".to_owned()
    } else {
        format!("{} are at fault", result.faults.len())
    };
    files::print_line(format!("{} scans checked: {told}", result.scans))
}

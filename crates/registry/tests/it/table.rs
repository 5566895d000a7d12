//! Tables of bound-book rows.

use std::io::Cursor;

use registry::{ImportOptions, Imported, Mapping, Rejected};

use crate::place::{Place, now};

const MAPPING: &str = r#"
dates = "%m/%d/%Y"
[columns]
serial = "Serial No."
model = "Model"
calibre = "Cal"
acquired_on = "Acq. date"
source_licence = "From FFL"
source_name = "From"
disposed_on = "Disp. date"
form_4473 = "4473"
[defaults]
type = "pistol"
country = "US"
manufacturer = "Old Works (synthetic)"
"#;

const TABLE: &str = "\
Serial No.,Model,Cal,Acq. date,From FFL,From,Disp. date,4473
X1,Old One,9 mm,01/31/2020,1-23-456-01-9A-22222,Wholesale One (synthetic),02/01/2020,T-1
X2,Old One,9 mm,01/31/2020,1-23-456-01-9A-22222,Wholesale One (synthetic),,
X1,Old One,9 mm,,,,12/31/2019,T-2
X3,Old One,9 mm,2020-01-31,1-23-456-01-9A-22222,Wholesale One (synthetic),,
X4,Old One,9 mm,01/31/2020,12,Wholesale One (synthetic),,
,Old One,9 mm,01/31/2020,1-23-456-01-9A-22222,Wholesale One (synthetic),,
X5,Old One,9 mm,,,,,
X6,Old One,,,,,02/01/2020,T-3
X7,Old One,9 mm,01/31/2020,1-23-456-01-9A-22222,Wholesale One (synthetic),02/01/2020,
X2,Old One,9 mm,,,,02/03/2020,T-4
";

async fn import(
    place: &Place,
    table: &str,
    options: &ImportOptions,
) -> (Result<Imported, String>, Vec<Rejected>) {
    let mut rejected = Vec::new();
    let by = "clerk".parse().unwrap();
    let done = place.books.import(Cursor::new(table), options, (&by, now()), |row| rejected.push(row)).await;
    rejected.sort_by_key(|row| row.line);
    (done.map_err(|error| error.to_string()), rejected)
}

fn options() -> ImportOptions {
    ImportOptions { mapping: Mapping::from_toml(MAPPING).unwrap(), ..ImportOptions::default() }
}

#[tokio::test]
async fn a_dry_run_lists_every_rejected_row() {
    let place = Place::sqlite().await.unwrap();
    let (done, rejected) = import(&place, TABLE, &ImportOptions { dry_run: true, ..options() }).await;
    assert_eq!(done, Ok(Imported { rows: 10, rejected: 6, entries: 5 }));
    let expected = [
        (5, "acquired_on `2020-01-31` is not a day"),
        (6, "licence number `12` is not a licence number"),
        (7, "serial is missing"),
        (8, "no day of making"),
        (9, "not in the books"),
        (10, "a disposition needs"),
    ];
    assert_eq!(rejected.len(), expected.len(), "{rejected:?}");
    for (row, (line, reason)) in rejected.iter().zip(expected) {
        assert_eq!(row.line, line, "{row:?}");
        assert!(row.reason.contains(reason), "{row:?}");
    }
    assert_eq!(place.books.reconcile().await.unwrap().log_entries, 1, "a dry run leaves no trace");
}

#[tokio::test]
async fn a_table_is_taken_whole_or_with_leave_in_part() {
    let place = Place::sqlite().await.unwrap();
    let (done, _) = import(&place, TABLE, &options()).await;
    assert!(done.unwrap_err().contains("6 of 10 rows cannot be taken, so none were"));
    let key = registry::FirearmKey { model: "Old One".parse().unwrap(), ..place.key("X1") };
    assert_eq!(place.books.history(&key).await.unwrap(), None);
    let (done, _) = import(&place, TABLE, &ImportOptions { skip_rejected: true, ..options() }).await;
    assert_eq!(done.unwrap().entries, 5);
    let history = place.books.history(&key).await.unwrap().unwrap();
    let kinds: Vec<_> = history.entries.iter().map(|entry| entry.event.kind()).collect();
    assert_eq!(kinds, ["acquired", "disposed", "disposed"]);
    assert_eq!(history.firearm.description.manufacturer.as_str(), "Old Works (synthetic)");
}

#[tokio::test]
async fn columns_that_are_not_there_are_named() {
    let place = Place::sqlite().await.unwrap();
    let (done, _) = import(&place, "a,b\n1,2\n", &options()).await;
    assert!(done.unwrap_err().contains("there is no column `Model`"));
    let (done, _) = import(&place, "a,b\n1,2\n", &ImportOptions::default()).await;
    assert!(done.unwrap_err().contains("there is no column `model`"));
    let error = Mapping::from_toml("[columns]\npurchaser = \"Buyer\"").unwrap_err().to_string();
    assert!(error.contains("`purchaser` is not a field"), "{error}");
}

//! Tables of bound-book rows.

use std::io::Cursor;

use registry::{
    Correction, Event, ImportOptions, Imported, Loss, LossKind, Mapping, Part, Recipient, Rejected, Source,
    View,
};
use sha2::{Digest as _, Sha256};

use crate::place::{self, MODEL, Place, dealer, now, run, sold};

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
X1,Old One,9 mm,,,,02/02/2020,T-2
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
    assert_eq!(done, Ok(Imported { rows: 10, rejected: 7, left_out: 0, entries: 4, codes: 0 }));
    let expected = [
        (4, "it was sold at retail on 2020-02-01"),
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
    assert!(done.unwrap_err().contains("7 of 10 rows cannot be taken, so none were"));
    let key = registry::FirearmKey { model: "Old One".parse().unwrap(), ..place.key("X1") };
    assert_eq!(place.books.history(&key).await.unwrap(), None);
    let (done, _) = import(&place, TABLE, &ImportOptions { skip_rejected: true, ..options() }).await;
    assert_eq!(done.unwrap().entries, 4);
    let history = place.books.history(&key).await.unwrap().unwrap();
    let kinds: Vec<_> = history.entries.iter().map(|entry| entry.event.kind()).collect();
    assert_eq!(kinds, ["acquired", "disposed"]);
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

#[tokio::test]
async fn an_exported_book_is_taken_without_a_mapping() {
    let place = Place::sqlite().await.unwrap();
    let by = "clerk".parse().unwrap();
    let codes = place.issue(&run("AB0001", 3)).await;
    place.ship_and_sell("AB0001").await;
    let maker = place.books.issuer();
    let loss = Loss {
        how: LossKind::Theft,
        incident: "I-77".parse().unwrap(),
        police_report: None,
        reported_by: None,
    };
    let export = Recipient::Export { country: "AT".parse().unwrap(), permit: "X-1".parse().unwrap() };
    let events = [
        Event::MultipleSale { holder: dealer(), reference: "3310-4 17".parse().unwrap() },
        Event::Acquired { holder: dealer(), source: Source::Public("R-1".parse().unwrap()) },
        Event::Lost { holder: dealer(), loss },
        Event::Recovered { holder: dealer(), incident: "I-77".parse().unwrap(), reported_by: None },
        Event::PartRemoved { by: dealer(), part: Part::FiringPin, code: codes[0].code },
        Event::Destroyed { holder: dealer(), reason: "crushed, two witnesses".parse().unwrap() },
    ];
    for event in events {
        place.record("AB0001", event, "2024-06-01").await.unwrap();
    }
    place.record("AB0002", Event::Disposed { holder: maker, to: export }, "2024-06-01").await.unwrap();
    let correction = Correction {
        firearm: place.key("AB0001"),
        entry: 6,
        becomes: Some((sold(), "2024-04-11".parse().unwrap())),
        description: None,
        reason: "the dealer gave the wrong day".parse().unwrap(),
    };
    place.books.correct(&correction, &by, now()).await.unwrap();
    for view in [View::Original, View::Corrected] {
        let mut table = Vec::new();
        let written = place.books.export(view, &by, now(), &mut table).await.unwrap();
        let table = String::from_utf8(table).unwrap();
        // A code is issued, never imported: the second books must know it to take what happened to its part.
        let table: Vec<&str> = table.lines().filter(|line| !line.contains("part-removed")).collect();
        let other = Place::sqlite().await.unwrap();
        let (done, rejected) = import(&other, &table.join("\n"), &ImportOptions::default()).await;
        assert_eq!(rejected, [], "{view:?}");
        assert_eq!(done.unwrap().entries, written - 1);
        let again = async |place: &Place, serial: &str| {
            let history = place.books.history(&place.key(serial)).await.unwrap().unwrap();
            let standing = view.of(&history.entries).into_iter();
            let mut standing: Vec<_> =
                standing.map(|entry| (entry.on, format!("{:?}", entry.event))).collect();
            standing.retain(|(_, event)| !event.starts_with("PartRemoved"));
            standing.sort();
            (history.firearm, standing)
        };
        for serial in ["AB0001", "AB0002", "AB0003"] {
            assert_eq!(again(&place, serial).await, again(&other, serial).await, "{view:?} {serial}");
        }
    }
    let mut table = Vec::new();
    place.books.export(View::Both, &by, now(), &mut table).await.unwrap();
    let options = ImportOptions { dry_run: true, ..ImportOptions::default() };
    let other = Place::sqlite().await.unwrap();
    let (_, rejected) = import(&other, &String::from_utf8(table).unwrap(), &options).await;
    assert!(rejected.iter().any(|row| row.reason.contains("export the corrected view")), "{rejected:?}");
}

/// A row of a table whose heading has every column of an acquisition and a disposition, given as `field=cell`.
fn row_of(cells: &[&str]) -> String {
    let heading = [
        "model",
        "serial",
        "type",
        "calibre",
        "country",
        "made_on",
        "acquired_on",
        "source_licence",
        "source_name",
        "source_reference",
        "disposed_on",
        "to_licence",
        "to_name",
        "form_4473",
        "government",
        "export_country",
        "permit",
    ];
    let cell = |field: &&str| {
        let given = cells.iter().find_map(|cell| cell.strip_prefix(*field)?.strip_prefix('='));
        given.unwrap_or_default().to_owned()
    };
    let row: Vec<String> = heading.iter().map(cell).collect();
    format!("{}\n{}\n", heading.join(","), row.join(","))
}

#[tokio::test]
async fn nothing_of_a_row_is_lost_without_a_word() {
    let place = Place::sqlite().await.unwrap();
    let made = ["model=M9", "serial=X1", "type=pistol", "calibre=9 mm", "country=US", "made_on=2024-01-02"];
    let dealer = ["to_licence=1-23-456-01-9A-33333", "to_name=Corner Guns"];
    let cases: [(&[&str], &str); 10] = [
        (&dealer, "to_licence is filled, but disposed_on is empty"),
        (&["form_4473=T-1"], "form_4473 is filled, but disposed_on is empty"),
        (&["disposed_on=2024-02-01", "form_4473=T-1", dealer[0], dealer[1]], "form_4473 is filled, but"),
        (&["disposed_on=2024-02-01", "form_4473=T-1", "government=Sheriff"], "government is filled, but"),
        (&["disposed_on=2024-02-01", "form_4473=T-1", "permit=P-1"], "permit is filled, but"),
        (&["source_reference=R-1"], "source_reference is filled, but acquired_on is empty"),
        (&["to_name=Corner Guns", "disposed_on=2024-02-01", "form_4473=T-1"], "to_name is filled, but"),
        (
            &["acquired_on=2024-01-03", "source_reference=R-1", "source_name=Who"],
            "source_name is filled, but",
        ),
        (&["disposed_on=0000-01-01", "form_4473=T-1"], "is before the year 1800"),
        (&["disposed_on=1799-12-31", "form_4473=T-1"], "is before the year 1800"),
    ];
    let dry = ImportOptions { dry_run: true, ..ImportOptions::default() };
    for (more, expected) in cases {
        let table = row_of(&[&made[..], more].concat());
        let (done, rejected) = import(&place, &table, &dry).await;
        assert_eq!(done.unwrap().rejected, 1, "{table}");
        assert!(rejected[0].reason.contains(expected), "{table}: {rejected:?}");
    }
    let whole = row_of(&[&made[..], &["disposed_on=2024-02-01", "form_4473=T-1"]].concat());
    assert_eq!(import(&place, &whole, &dry).await.0.unwrap().entries, 2);
    for (spoilt, expected) in [
        (whole.replace(",9 mm,", ",9 mm, short,"), "it has 18 cells, and the heading 17"),
        (whole.replace("T-1,,,", "T-1,,"), "it has 16 cells, and the heading 17"),
        (whole.replace(",9 mm,", ",,"), "type is filled, but calibre is empty"),
    ] {
        let (_, rejected) = import(&place, &spoilt, &dry).await;
        assert!(rejected[0].reason.contains(expected), "{spoilt}: {rejected:?}");
    }
    let (heading, row) = whole.trim().split_once('\n').unwrap();
    let no_name = format!("{heading},\n{row},shelf 3\n");
    let (_, rejected) = import(&place, &no_name, &dry).await;
    assert!(rejected.iter().any(|row| row.reason.contains("bears no name")), "{no_name}: {rejected:?}");
}

#[tokio::test]
async fn every_column_is_a_field_or_to_be_ignored() {
    let place = Place::sqlite().await.unwrap();
    let table = "model,serial,type,calibre,country,made_on,Disposed_On,shelf\n\
                 M9,X1,pistol,9 mm,US,2024-01-02,2024-02-01,3\n";
    let dry = ImportOptions { dry_run: true, ..ImportOptions::default() };
    let refused = import(&place, table, &dry).await.0.unwrap_err();
    assert!(refused.contains("no field of the bound book: `Disposed_On`, `shelf`"), "{refused}");
    let mapped = |text: &str| ImportOptions { mapping: Mapping::from_toml(text).unwrap(), ..dry.clone() };
    let refused = import(&place, table, &mapped("ignore = ['shelf']")).await.0.unwrap_err();
    assert!(refused.contains("no field of the bound book: `Disposed_On`\n"), "{refused}");
    let both = mapped("ignore = ['shelf', 'Disposed_On']");
    assert_eq!(import(&place, table, &both).await.0.unwrap().entries, 1);
    let refused = import(&place, table, &mapped("ignore = ['row']")).await.0.unwrap_err();
    assert!(refused.contains("there is no column `row`"), "{refused}");
    let twice = table.replace("Disposed_On,shelf", "serial,shelf");
    let refused = import(&place, &twice, &both).await.0.unwrap_err();
    assert!(refused.contains("`serial` stands twice") || refused.contains("no column"), "{refused}");
    let refused = import(&place, &twice, &mapped("ignore = ['shelf']")).await.0.unwrap_err();
    assert!(refused.contains("the heading `serial` stands twice"), "{refused}");
    // A column that bears the name of a field is ignored where the mapping says so, and is not named for a field besides.
    let own = table.replace("shelf", "disposed_on");
    let refused = import(&place, &own, &mapped("ignore = ['Disposed_On']")).await.1;
    assert!(refused[0].reason.starts_with("disposed_on `3` is not a day"), "{refused:?}");
    let ignored = mapped("ignore = ['disposed_on', 'Disposed_On']");
    assert_eq!(import(&place, &own, &ignored).await.0.unwrap().entries, 1);
    let named = mapped("ignore = ['shelf', 'Disposed_On']\n[columns]\ndisposed_on = 'Disposed_On'");
    let refused = import(&place, table, &named).await.0.unwrap_err();
    assert!(refused.contains("`Disposed_On` is named for disposed_on, and to be ignored"), "{refused}");
    let refused =
        import(&place, table, &mapped("ignore = ['shelf', 'Disposed_On', 'model']")).await.0.unwrap_err();
    assert!(refused.contains("there is no column `model`"), "{refused}");
}

#[tokio::test]
async fn the_same_table_is_not_taken_twice() {
    let place = Place::sqlite().await.unwrap();
    let acquired = ["model=M9", "serial=X1", "type=pistol", "calibre=9 mm", "country=US"];
    let more = ["acquired_on=2024-01-03", "source_licence=1-23-456-01-9A-33333", "source_name=Corner Guns"];
    let table = row_of(&[&acquired[..], &more].concat());
    let options = ImportOptions::default();
    assert_eq!(import(&place, &table, &options).await.0.unwrap().entries, 1);
    let respelled = table.replace("Corner Guns", "Corner Guns Inc.");
    for again in [&table, &respelled] {
        let (done, rejected) = import(&place, again, &options).await;
        assert!(done.is_err() && rejected[0].reason.contains("entry 1 says the same of 2024-01-03"));
    }
    // Capital letters make no second firearm, neither against the books nor inside a table.
    for (from, to) in [("M9,X1", "m9,X1"), ("M9,X1", "m9,X2")] {
        let (_, rejected) = import(&place, &table.replace(from, to), &options).await;
        assert!(rejected[0].reason.contains("`m9` is written `M9` in these books"), "{rejected:?}");
    }
    // Nor do letters of other scripts that look alike; what is plainly another model is taken.
    for (model, written) in [("М9", "M9"), ("Ｍ9", "M9")] {
        let (_, rejected) = import(&place, &table.replace("M9", model), &options).await;
        assert!(rejected[0].reason.contains(&format!("`{model}` is written `{written}`")), "{rejected:?}");
    }
    let cyrillic = table.replace("M9", "МР-9");
    assert_eq!(import(&place, &cyrillic, &options).await.0.unwrap().entries, 1);
    let (_, rejected) = import(&place, &table.replace("M9", "MP-9"), &options).await;
    assert!(rejected[0].reason.contains("`MP-9` is written `МР-9`"), "{rejected:?}");
    let (_, rejected) = import(&place, &cyrillic.replace("МР-9", "мр-9"), &options).await;
    assert!(rejected[0].reason.contains("`мр-9` is written `МР-9`"), "{rejected:?}");
    let both = table.replace("M9", "ТТ") + &table.lines().nth(1).unwrap().replace("M9", "TT") + "\n";
    let (_, rejected) = import(&place, &both, &options).await;
    assert!(rejected.len() == 1 && rejected[0].reason.contains("`TT` is written `ТТ`"), "{rejected:?}");
    let new = table.replace("M9", "Old One");
    let doubled = format!("{new}{}\n", new.lines().nth(1).unwrap());
    let (_, rejected) = import(&place, &doubled, &options).await;
    assert!(rejected[0].reason.contains("a row above says the same of 2024-01-03"), "{rejected:?}");
    let other = new.lines().nth(1).unwrap().replace("Old One,X1", "OLD ONE,X2");
    let (_, rejected) = import(&place, &format!("{new}{other}\n"), &options).await;
    assert_eq!(rejected.len(), 1);
    assert!(rejected[0].reason.contains("is written `Old One`"), "{rejected:?}");
}

#[tokio::test]
async fn another_firearms_description_is_no_row_of_this_one() {
    let place = Place::sqlite().await.unwrap();
    place.issue(&run("A1", 4)).await;
    let heading = "model,serial,type,calibre,manufacturer,importer,country,disposed_on,to_licence,to_name\n";
    let to = "2024-02-01,1-23-456-01-9A-33333,Corner Guns (synthetic)";
    let row = |serial: &str, what: &str| format!("{MODEL},{serial},{what},{to}\n");
    let cases = [
        ("rifle,9 mm Luger,,,US", "the books have it with type `pistol`, not `rifle`"),
        ("pistol,.308,,,US", "calibre `9 mm Luger`, not `.308`"),
        (
            "pistol,9 mm Luger,Totally Other,,US",
            "manufacturer `Example Arms (synthetic)`, not `Totally Other`",
        ),
        ("pistol,9 mm Luger,,,DE", "country `US`, not `DE`"),
        ("pistol,9 mm Luger,,Nobody,US", "importer `none`, not `Nobody`"),
    ];
    let options = ImportOptions { skip_rejected: true, ..ImportOptions::default() };
    for (what, reason) in cases {
        let (done, rejected) = import(&place, &format!("{heading}{}", row("A1", what)), &options).await;
        assert_eq!((done.unwrap().entries, rejected.len()), (0, 1), "{what}");
        assert!(rejected[0].reason.contains(reason), "{rejected:?}");
    }
    // Said of what the table itself brought in above, and of what was corrected.
    let made = "model,serial,type,calibre,country,made_on,disposed_on,to_licence,to_name\n";
    let table = format!(
        "{made}{MODEL},N1,rifle,.308,US,2024-01-02,,,\n{MODEL},N1,pistol,.308,US,,{to}\n{MODEL},N1,rifle,.308,US,,{to}\n"
    );
    let (done, rejected) = import(&place, &table, &options).await;
    assert_eq!(done.unwrap().entries, 2, "{rejected:?}");
    assert!(
        rejected[0].line == 3 && rejected[0].reason.contains("type `rifle`, not `pistol`"),
        "{rejected:?}"
    );
    let description =
        Some(registry::Description { calibre: ".45 ACP".parse().unwrap(), ..place::description() });
    let reason = "the calibre was mistyped".parse().unwrap();
    let entry = place.books.history(&place.key("A2")).await.unwrap().unwrap().entries[0].number;
    let correction = Correction { firearm: place.key("A2"), entry, becomes: None, description, reason };
    place.books.correct(&correction, &"clerk".parse().unwrap(), now()).await.unwrap();
    for (what, entries) in [("pistol,9 mm Luger,,,US", 0), ("pistol,45acp,EXAMPLE ARMS (Synthetic),,us", 1)] {
        let (done, rejected) = import(&place, &format!("{heading}{}", row("A2", what)), &options).await;
        assert_eq!(done.unwrap().entries, entries, "{what}: {rejected:?}");
    }
}

#[tokio::test]
async fn many_new_models_are_told_apart() {
    let place = Place::sqlite().await.unwrap();
    let options = ImportOptions { skip_rejected: true, ..ImportOptions::default() };
    let table = |models: &[String]| {
        let rows: Vec<String> =
            models.iter().map(|model| format!("{model},S1,pistol,9 mm,US,2024-01-02\n")).collect();
        format!("model,serial,type,calibre,country,made_on\n{}", rows.concat())
    };
    let before: Vec<String> = (0..50).map(|number| format!("Model {number}")).collect();
    let (done, rejected) = import(&place, &table(&before), &options).await;
    assert_eq!((done.unwrap().entries, rejected.len()), (50, 0));
    // So many that the tables are not asked for each, with some among them that are in the tables, or above them.
    let mut new: Vec<String> = (100..160).map(|number| format!("Model {number}")).collect();
    new.extend(["MODEL 7", "model 49", "mODEL 101", "Mоdel 159", "Model 160"].map(ToOwned::to_owned));
    let (done, rejected) = import(&place, &table(&new), &options).await;
    let reasons: Vec<&str> = rejected.iter().map(|row| row.reason.as_str()).collect();
    let expected = ["Model 7", "Model 49", "Model 101", "Model 159"];
    assert_eq!((done.unwrap().entries, reasons.len()), (61, expected.len()), "{reasons:?}");
    for (reason, written) in reasons.iter().zip(expected) {
        assert!(reason.contains(&format!("is written `{written}` in these books")), "{reason}");
    }
}

#[tokio::test]
async fn one_firearm_has_a_bounded_number_of_entries() {
    let place = Place::sqlite().await.unwrap();
    place.issue(&run("X1", 1)).await;
    let rows: Vec<String> =
        (0..1_001).map(|row| format!("{MODEL},X1,multiple-sale,2024-03-01,R{row}\n")).collect();
    let table = format!("model,serial,event,on,reference\n{}", rows.concat());
    let options = ImportOptions { skip_rejected: true, ..ImportOptions::default() };
    let (done, rejected) = import(&place, &table, &options).await;
    assert_eq!(done.unwrap().entries, 999, "and its making");
    assert!(rejected.len() == 2 && rejected[0].line == 1_001, "{rejected:?}");
    assert!(rejected[0].reason.contains("it has 1000 entries"), "{rejected:?}");
    // What is wrong among them can still be put right.
    let correction = Correction {
        firearm: place.key("X1"),
        entry: 2,
        becomes: None,
        description: None,
        reason: "that report was of another firearm".parse().unwrap(),
    };
    place.books.correct(&correction, &"clerk".parse().unwrap(), now()).await.unwrap();
}

/// Rows of many kinds, more than are checked at a time: sales of firearms far above, doubled rows, spellings, recipients.
fn long_table(rows: u32) -> String {
    let mut table =
        "licence,model,serial,manufacturer,type,calibre,country,holder_licence,holder_name,acquired_on,\
                     source_licence,source_name,disposed_on,form_4473,to_licence,to_name\n"
            .to_owned();
    let (dealer, from) =
        ("1-23-456-01-9A-33333,Corner Guns (synthetic)", "1-23-456-01-9A-22222,Wholesale One (synthetic)");
    let what = "Old Works (synthetic),pistol,9 mm Luger,US";
    for row in 0..rows {
        let (model, day) = (row % 40, 1 + row % 28);
        let licence = |model: u32| format!("1-23-456-01-9A-{:05}", 44_000 + model % 7);
        let maker = licence(model);
        let acquired = format!("2024-01-{day:02},{from}");
        let line = if row % 17 == 0 {
            let sold = row.saturating_sub(7_601);
            let key = format!("{},Model {},S{sold:08}", licence(sold % 40), sold % 40);
            format!("{key},,,,,{dealer},,,,2024-03-{day:02},U-{row},,")
        } else if row % 19 == 0 {
            format!("{maker},model {model},S{row:08},{what},{dealer},{acquired},,,,")
        } else if row % 23 == 0 {
            let key = format!("{},Mod\u{e8}le  {model},s{row:08}", maker.replace('-', ""));
            let to = "1-23-456-01-9A-55555,Next\u{a0} Guns (synthetic)";
            format!("{key},{what},{dealer},{acquired},2024-02-{day:02},,{to}")
        } else {
            let serial = if row % 13 == 0 { row.saturating_sub(13) } else { row };
            let key = format!("{maker},Model {model},S{serial:08}");
            format!("{key},{what},{dealer},{acquired},2024-02-{day:02},T-{row},,")
        };
        table.push_str(&line);
        table.push('\n');
    }
    table
}

#[tokio::test]
async fn a_long_table_is_written_as_it_always_was() {
    let place = Place::sqlite().await.unwrap();
    let options = ImportOptions { skip_rejected: true, ..ImportOptions::default() };
    let (done, rejected) = import(&place, &long_table(9_000), &options).await;
    assert_eq!(done, Ok(Imported { rows: 9_000, rejected: 1_518, left_out: 0, entries: 14_930, codes: 0 }));
    // What an earlier way of taking tables made of these rows.
    let reasons: Vec<String> = rejected.iter().map(|row| format!("{} {}\n", row.line, row.reason)).collect();
    let (_, record) = place.books.opening(1).await.unwrap().unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    let hash = |what: &str| record["rows"][what]["sha256"].as_str().unwrap().to_owned();
    assert_eq!(
        [hash("firearms"), hash("entries"), hex::encode(Sha256::digest(reasons.concat()))],
        [
            "d0461c49391bb6e1367af03cad9b39e722eab579ca5858b0a32376d6d354fa1b",
            "9e0bf7b984364c3b15daa4e30f5e3107fcadec7f4ac3dcf55859adc149faeb38",
            "7a19327b5e9dd1562af4b582589c97c269e94a92b3a6d15485a5a9f17bad0df3",
        ]
    );
    assert!(place.books.reconcile().await.unwrap().agrees());
}

/// Who marked a firearm is not who made it: of another licensee's the maker must be said (27 CFR 478.125(e)).
#[tokio::test]
async fn another_makers_firearm_names_its_manufacturer() {
    let place = Place::sqlite().await.unwrap();
    let other = "1-23-456-01-9A-44444";
    let heading =
        "licence,model,serial,type,calibre,country,acquired_on,source_licence,source_name,manufacturer";
    let row = |licence: &str, serial: &str, maker: &str| {
        format!(
            "{licence},G19,{serial},pistol,9 mm Luger,AT,2024-02-01,1-23-456-01-9A-22222,Wholesale One (synthetic),{maker}"
        )
    };
    let own = place.books.issuer().licence;
    let rows = [row(other, "XX1", ""), row(other, "XX2", "Glock (synthetic)"), row(own.as_str(), "XX3", "")];
    let table = format!("{heading}\n{}\n", rows.join("\n"));
    let (mut rejected, by) = (Vec::new(), "clerk".parse().unwrap());
    let options = ImportOptions { skip_rejected: true, ..ImportOptions::default() };
    let taking = |row: Rejected| rejected.push((row.line, row.reason));
    let done = place.books.import(Cursor::new(table), &options, (&by, now()), taking).await.unwrap();
    assert_eq!((done.rows, done.rejected), (3, 1));
    assert_eq!(rejected, [(2, "manufacturer is missing, and the licence is not this issuer's".to_owned())]);
    let mut written = Vec::new();
    place.books.export(View::Original, &by, now(), &mut written).await.unwrap();
    let written = String::from_utf8(written).unwrap();
    assert!(!written.contains("XX1") && written.contains("Glock (synthetic)"), "{written}");
}

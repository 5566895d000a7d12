//! The lines of the printed book.

use std::ops::ControlFlow;

use registry::{
    BookLine, BookPrint, BookSide, Correction, Event, FirearmKey, Loss, LossKind, Part, PrintOptions,
    Recipient, Source, View,
};
use transparency::{FolderStore, fsck};

use crate::place::{self, Place, bench, dealer, now};

fn whole(view: View) -> PrintOptions<'static> {
    PrintOptions { view, which: None, year: None, lines_at_a_time: 1_000 }
}

async fn try_print(
    place: &Place,
    options: PrintOptions<'_>,
) -> Result<(BookPrint, Vec<Vec<BookLine>>), String> {
    let (mut parts, by) = (Vec::new(), "clerk".parse().unwrap());
    let printed = place.books.print(&options, &by, now(), |_, lines| {
        parts.push(lines.to_vec());
        ControlFlow::Continue(())
    });
    let printed = printed.await.map_err(|error| error.to_string())?;
    Ok((printed, parts))
}

async fn print(place: &Place, view: View, which: Option<&FirearmKey>) -> (BookPrint, Vec<BookLine>) {
    let (printed, parts) = try_print(place, PrintOptions { which, ..whole(view) }).await.unwrap();
    let lines = parts.concat();
    assert_eq!(lines.len(), printed.lines);
    (printed, lines)
}

/// Lines as `acquired | disposed | remarks`, to be compared at one glance.
fn words(lines: &[BookLine]) -> Vec<String> {
    let side = |side: &Option<BookSide>| {
        side.as_ref().map_or("-".to_owned(), |side| format!("{} {} #{}", side.on, side.party, side.entry))
    };
    let line = |line: &BookLine| {
        let (came, went) = (side(&line.acquired), side(&line.disposed));
        format!("{}: {came} | {went} | {}", line.firearm.key.serial, line.remarks.join("; "))
    };
    lines.iter().map(line).collect()
}

const MAKER: &str = "Example Arms (synthetic), licence 1-23-456-78-9A-12345";
const TRADER: &str = "Wholesale One (synthetic), licence 1-23-456-01-9A-22222";
const DEALER: &str = "Corner Guns (synthetic), licence 1-23-456-01-9A-33333";

#[tokio::test]
async fn each_stay_is_a_line_with_both_sides() {
    let place = Place::sqlite().await.unwrap();
    let codes = place.issue(&place::run("AB0001", 2)).await;
    place.ship_and_sell("AB0001").await;
    let loss = Loss {
        how: LossKind::Theft,
        incident: "I-77".parse().unwrap(),
        police_report: Some("P-9".parse().unwrap()),
        reported_by: None,
    };
    let holder = dealer();
    let events = [
        Event::MultipleSale { holder: holder.clone(), reference: "3310-4 17".parse().unwrap() },
        Event::Acquired { holder: holder.clone(), source: Source::Public("R-1".parse().unwrap()) },
        Event::PartRemoved { by: holder.clone(), part: Part::FiringPin, code: codes[0].code },
        Event::Lost { holder: holder.clone(), loss },
        Event::Recovered { holder: holder.clone(), incident: "I-77".parse().unwrap(), reported_by: None },
        Event::Destroyed { holder, reason: "crushed, two witnesses".parse().unwrap() },
    ];
    for event in events {
        place.record("AB0001", event, "2024-06-01").await.unwrap();
    }
    let (_, lines) = print(&place, View::Corrected, None).await;
    let (code, key) = (codes[0].code, bench(&dealer()));
    let key = format!("{}+{}", key.verifier().name(), hex::encode(key.verifier().id()));
    let expected = [
        format!("AB0001: 2024-01-02 manufactured #1 | 2024-02-01 {TRADER} #3 | "),
        format!("AB0001: - | 2024-03-01 {DEALER} #4 | "),
        "AB0001: - | 2024-04-01 Form 4473 number T-0815 #5 | 2024-06-01 multiple sale report 3310-4 17".to_owned(),
        format!(
            "AB0001: 2024-06-01 public, reference R-1 #7 | 2024-06-01 theft, incident I-77, police report P-9 #9 | \
             2024-06-01 firing-pin {code} removed by {DEALER}, signed {key}"
        ),
        "AB0001: 2024-06-01 found again, incident I-77 #10 | 2024-06-01 destroyed: crushed, two witnesses #11 | "
            .to_owned(),
        "AB0002: 2024-01-02 manufactured #2 | - | ".to_owned(),
    ];
    assert_eq!(words(&lines), expected);
    assert_eq!(lines[0].holder.to_string(), MAKER);
}

#[tokio::test]
async fn the_three_views_differ_as_the_ruling_says() {
    let place = Place::sqlite().await.unwrap();
    place.issue(&place::run("AB0001", 1)).await;
    let ship = |to| Event::Disposed { holder: place.books.issuer(), to: Recipient::Licensee(to) };
    let wrong = place.record("AB0001", ship(place::wholesaler()), "2024-02-01").await.unwrap();
    let correct = async |entry, becomes| {
        let reason = "the wrong line of the list".parse().unwrap();
        let correction =
            Correction { firearm: place.key("AB0001"), entry, becomes, description: None, reason };
        place.books.correct(&correction, &"clerk".parse().unwrap(), now()).await.unwrap()
    };
    let right = correct(wrong, Some((ship(dealer()), "2024-02-03".parse().unwrap()))).await;
    let key = place.key("AB0001");
    let lines = async |view| words(&print(&place, view, Some(&key)).await.1);
    let made = "AB0001: 2024-01-02 manufactured #1";
    assert_eq!(lines(View::Original).await, [format!("{made} | 2024-02-01 {TRADER} #2 | ")]);
    assert_eq!(lines(View::Corrected).await, [format!("{made} | 2024-02-03 {DEALER} #3 | ")]);
    let both = [
        format!("{made} | 2024-02-01 {TRADER} #2 | entry 2 corrected by entry 3"),
        format!(
            "AB0001: - | 2024-02-03 {DEALER} #3 | entry 3: entry 2 is corrected by this line: the wrong line of the list"
        ),
    ];
    assert_eq!(lines(View::Both).await, both);
    correct(right, None).await;
    assert_eq!(lines(View::Corrected).await, [format!("{made} | - | ")]);
    let last = "AB0001: - | - | entry 4: entry 3 did not happen: the wrong line of the list".to_owned();
    assert_eq!(lines(View::Both).await.last(), Some(&last));
}

#[tokio::test]
async fn a_print_is_tied_to_the_log() {
    let place = Place::sqlite().await.unwrap();
    place.issue(&place::run("AB0001", 3)).await;
    let (first, lines) = print(&place, View::Both, None).await;
    let (again, same) = print(&place, View::Both, None).await;
    assert_eq!((&lines, &first.lines_sha256), (&same, &again.lines_sha256));
    assert_eq!(
        (again.log_entry, again.checkpoint.checkpoint.size),
        (first.log_entry + 1, first.log_entry + 2)
    );
    let folder = place.folder.path();
    let key = std::fs::read_to_string(folder.join("keys/log.pub")).unwrap().trim().parse().unwrap();
    let store = FolderStore::read_only(&folder.join("log"));
    let report = fsck(&store, &key, &[first.checkpoint, again.checkpoint]).unwrap();
    assert_eq!(report.findings, []);
    assert!(place.books.reconcile().await.unwrap().agrees());
    let unknown = place.key("ZZ1");
    let refused = try_print(&place, PrintOptions { which: Some(&unknown), ..whole(View::Both) }).await;
    assert!(refused.unwrap_err().contains("not in the books"));
}

#[tokio::test]
async fn a_long_book_is_handed_out_in_parts_and_by_years() {
    let place = Place::sqlite().await.unwrap();
    place.issue(&place::run("AB0001", 2_500)).await;
    place.ship_and_sell("AB1200").await;
    let (whole_book, all) = print(&place, View::Corrected, None).await;
    let parts = PrintOptions { lines_at_a_time: 1_000, ..whole(View::Corrected) };
    let (printed, parts) = try_print(&place, parts).await.unwrap();
    assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [1_000, 1_000, 502]);
    assert_eq!((parts.concat(), &printed.lines_sha256), (all.clone(), &whole_book.lines_sha256));
    let year = |year| PrintOptions { year: Some(year), ..whole(View::Corrected) };
    let counts = [2023, 2024, 2025];
    for (asked, expected) in counts.into_iter().zip([0_usize, 2_502, 0]) {
        let (printed, parts) = try_print(&place, year(asked)).await.unwrap();
        assert_eq!(
            (printed.lines, parts.len(), parts[0].len()),
            (expected, 1.max(expected.div_ceil(1_000)), expected.min(1_000))
        );
    }
    // Whoever has no room for more stops the print.
    let (mut seen, by) = (0, "clerk".parse().unwrap());
    let options = PrintOptions { lines_at_a_time: 100, ..whole(View::Corrected) };
    let printed = place.books.print(&options, &by, now(), |_, lines| {
        seen += lines.len();
        if seen < 300 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    assert_eq!((printed.await.unwrap().lines, seen), (2_502, 300));
}

#[tokio::test]
async fn a_late_report_ends_the_stay_that_it_is_of() {
    let place = Place::sqlite().await.unwrap();
    place.issue(&place::run("AB0001", 1)).await;
    place.ship("AB0001").await;
    let back = Event::Acquired { holder: dealer(), source: Source::Public("R-1".parse().unwrap()) };
    place.record("AB0001", back, "2024-06-01").await.unwrap();
    place.record("AB0001", place::sold(), "2024-03-01").await.unwrap();
    let received = Event::Acquired { holder: dealer(), source: Source::Licensee(place.books.issuer()) };
    place.record("AB0001", received, "2024-02-01").await.unwrap();
    for view in [View::Original, View::Corrected, View::Both] {
        let (_, lines) = print(&place, view, Some(&place.key("AB0001"))).await;
        let expected = [
            format!("AB0001: 2024-01-02 manufactured #1 | 2024-02-01 {DEALER} #2 | "),
            format!("AB0001: 2024-02-01 {MAKER} #5 | 2024-03-01 Form 4473 number T-0815 #4 | "),
            "AB0001: 2024-06-01 public, reference R-1 #3 | - | ".to_owned(),
        ];
        assert_eq!(words(&lines), expected, "{view:?}");
    }
}

/// A drop shipment: the sale is written before the shipment and its receipt, on one day.
#[tokio::test]
async fn hand_overs_of_one_day_are_one_line() {
    let place = Place::sqlite().await.unwrap();
    place.issue(&place::run("AB0001", 1)).await;
    let from = Source::Licensee(place.books.issuer());
    let sale = place.record("AB0001", place::sold(), "2024-03-01").await.unwrap();
    let sent = Event::Disposed { holder: place.books.issuer(), to: Recipient::Licensee(dealer()) };
    place.record("AB0001", sent, "2024-03-01").await.unwrap();
    let received = Event::Acquired { holder: dealer(), source: from };
    let receipt = place.record("AB0001", received, "2024-03-01").await.unwrap();
    let (_, lines) = print(&place, View::Corrected, None).await;
    let lines = words(&lines);
    let whole = |line: &&String| [receipt, sale].iter().all(|number| line.contains(&format!("#{number}")));
    assert_eq!((lines.len(), lines.iter().filter(whole).count()), (2, 1), "{lines:?}");
}

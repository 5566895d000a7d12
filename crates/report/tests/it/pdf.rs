//! Documents as PDF/A.

use report::{Cell, Document, MAX_CELLS, Moment, PdfError, Plot, Series, Shape, Table};

const PRINTED: Moment = Moment { year: 2026, month: 1, day: 2, hour: 3, minute: 4, second: 5 };

fn table(cell: &str, rows: usize) -> Table {
    let mut table = Table::new(&["a", cell, "c"]).widths(&[1, 2, 1]);
    for _ in 0..rows {
        table.push(vec![cell.into(), Cell::Code(cell.into()), cell.into()]);
    }
    table
}

/// A document with the same words in every place that takes words.
fn full_of(text: &str) -> Document {
    let svg = Plot::new(text, text, text)
        .with(Series::new(text, Shape::Line, vec![(0.0, 1.0), (1.0, 2.0)]))
        .to_svg(400, 240);
    Document::new(text, text, PRINTED)
        .header(text)
        .footer(&[text, text])
        .heading(text)
        .paragraph(text)
        .notice(text)
        .lines(text)
        .table(table(text, 2))
        .svg(&svg, text)
}

#[test]
fn the_same_document_gives_the_same_bytes() {
    let document = full_of("Kaliber 9 mm – „Größe“");
    let pdf = document.to_pdf().unwrap();
    assert_eq!(document.to_pdf().unwrap(), pdf);
    let other = full_of("another").to_pdf().unwrap();
    assert_ne!(other.bytes, pdf.bytes);
}

#[test]
fn it_says_that_it_is_archival_and_carries_its_fonts() {
    let pdf = full_of("plain").landscape().to_pdf().unwrap();
    let text = String::from_utf8_lossy(&pdf.bytes);
    assert!(text.starts_with("%PDF-1.7"));
    assert!(text.contains("<pdfaid:part>2</pdfaid:part>"), "no PDF/A identification");
    assert!(text.contains("<pdfaid:conformance>B</pdfaid:conformance>"));
    assert!(text.contains("/OutputIntents"), "no colour profile");
    assert!(text.contains("2026-01-02T03:04:05"), "the date given is the date in the file");
    assert!(!text.contains("/JavaScript") && !text.contains("/Launch") && !text.contains("/EmbeddedFile"));
}

#[test]
fn hostile_text_is_harmless() {
    let hostile = [
        "#panic() #read(\"/etc/passwd\") $x$ ] [ } { ) ( \\ ` *a* _b_ <label> @ref // /* -- ~ \" '",
        "#import \"@preview/x:0.1.0\": * \n= heading\n+ list\n/ term: x",
        "\u{202e}gnp.exe \u{200b}\u{feff}\u{0}\u{7}\u{1b}[31m\t\r\n\u{85}\u{2028}",
        "日本語 العربية हिन्दी 😀🏴󠁧󠁢󠁥󠁮󠁧󠁿 \u{e000}\u{10ffff}\u{fffd}",
        "a\u{301}\u{302}\u{303}\u{304}\u{35c}x Z\u{489}\u{1ab0} \u{301}",
        "",
        "   ",
    ];
    for text in hostile {
        let pdf = full_of(text).to_pdf().unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert!(pdf.pages >= 1, "{text:?}");
    }
}

#[test]
fn a_word_of_ten_thousand_letters_stays_on_its_pages() {
    let long = "W".repeat(10_000);
    let mut table = Table::new(&["a", "b"]);
    table.push(vec![long.as_str().into(), "b".into()]);
    let document = Document::new(&long, &long, PRINTED).header(&long).footer(&[&long]);
    let pdf = document.paragraph(&long).table(table).to_pdf().unwrap();
    assert!(pdf.pages > 3, "{} pages hold it only when it runs over the edge", pdf.pages);
}

#[test]
fn a_long_table_is_printed_in_parts() {
    let part = Document::new("Book", "part 1", PRINTED).table(table("cell", 400)).to_pdf().unwrap();
    let long = String::from_utf8_lossy(
        &Document::new("Book", "long", PRINTED).table(table("c", 700)).to_pdf().unwrap().bytes,
    )
    .into_owned();
    let short = String::from_utf8_lossy(&part.bytes);
    assert!(
        short.contains("/StructTreeRoot") && !long.contains("/StructTreeRoot"),
        "only a short one is tagged"
    );
    let again = Document::new("Book", "part 2", PRINTED).from_page(part.pages + 1).table(table("cell", 5));
    assert_eq!((part.pages > 5, again.to_pdf().unwrap().pages), (true, 1));
    let over = Document::new("Book", "all", PRINTED).table(table("cell", MAX_CELLS / 3 + 1));
    assert_eq!(over.to_pdf(), Err(PdfError::Limit { cells: 3 * (MAX_CELLS / 3 + 1) }));
}

#[test]
fn what_cannot_be_printed_is_said() {
    let never = Moment { day: 31, month: 2, ..PRINTED };
    assert_eq!(Document::new("x", "x", never).to_pdf(), Err(PdfError::Moment(never)));
    let broken = Document::new("x", "x", PRINTED).svg("<svg", "no picture").to_pdf().unwrap_err();
    assert!(matches!(broken, PdfError::Layout(_)), "{broken}");
}

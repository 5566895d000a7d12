//! What the pages and plots of `report` must hold.

mod pdf;

use proptest::prelude::*;
use report::{Cell, Page, Plot, Series, Shape, Table};

fn plot(points: Vec<(f64, f64)>) -> String {
    Plot::new("title", "x", "y").with(Series::new("a", Shape::Line, points)).to_svg(300, 200)
}

#[test]
fn hostile_text_never_becomes_markup() {
    let hostile = "<script>alert(\"1\")</script>&'";
    let mut table = Table::new(&[hostile]);
    table.push(vec![
        hostile.into(),
        Cell::Code(hostile.into()),
        Cell::Link { text: hostile.into(), target: hostile.into() },
    ]);
    let page = Page::new(hostile)
        .heading(hostile)
        .paragraph(hostile)
        .notice(hostile)
        .picture(hostile, hostile)
        .table(&table);
    let svg = Plot::new(hostile, hostile, hostile)
        .with(Series::new(hostile, Shape::Bars, vec![(0.0, 1.0)]))
        .with(Series::new(hostile, Shape::Step, vec![(0.0, 1.0)]))
        .to_svg(400, 300);
    let html = page.svg(&svg, hostile).to_html();
    assert!(!html.contains("<script"), "{html}");
    assert!(html.contains("&lt;script&gt;"));
}

#[test]
fn axes_carry_round_ticks() {
    let svg = plot(vec![(0.0, 0.13), (1000.0, 0.97)]);
    for tick in [">0<", ">200<", ">1000<", ">0.0<", ">0.2<", ">1.0<"] {
        assert!(svg.contains(tick), "{tick} is missing in {svg}");
    }
}

#[test]
fn bars_start_at_zero() {
    let svg = Plot::new("", "", "")
        .with(Series::new("", Shape::Bars, vec![(0.0, 5.0), (1.0, 7.0)]))
        .to_svg(300, 200);
    assert!(svg.contains(">0<"), "{svg}");
}

#[test]
fn an_empty_plot_is_a_picture_too() {
    assert!(plot(Vec::new()).ends_with("</svg>\n"));
}

proptest! {
    #[test]
    fn any_numbers_give_a_picture_without_nan(points in proptest::collection::vec((any::<f64>(), -1e9..1e9f64), 0..20)) {
        let points: Vec<_> = points.into_iter().filter(|(x, _)| !x.is_finite() || x.abs() < 1e12).collect();
        let svg = plot(points);
        prop_assert!(!svg.contains("NaN") && !svg.contains("inf"), "{}", svg);
    }
}

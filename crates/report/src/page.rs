//! Pages as one self-contained HTML file.

use std::fmt::Write as _;

/// One cell of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Plain text.
    Text(String),
    /// A number or code, set in a fixed-width face.
    Code(String),
    /// Text that leads to a file beside the page.
    Link {
        /// What is shown.
        text: String,
        /// The file, relative to the page.
        target: String,
    },
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// A table with one row of headings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    headings: Vec<String>,
    widths: Vec<u16>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows.
    pub fn new(headings: &[&str]) -> Self {
        let headings = headings.iter().map(|&heading| heading.to_owned()).collect();
        Self { headings, ..Self::default() }
    }

    /// This table with columns whose widths on paper stand to each other as these numbers; equal without them.
    #[must_use]
    pub fn widths(mut self, widths: &[u16]) -> Self {
        self.widths = widths.to_vec();
        self
    }

    /// Adds a row at the end.
    pub fn push(&mut self, row: Vec<Cell>) {
        self.rows.push(row);
    }

    /// Headings, relative widths and rows.
    pub(crate) fn parts(&self) -> (&[String], &[u16], &[Vec<Cell>]) {
        (&self.headings, &self.widths, &self.rows)
    }
}

/// A page that needs no other file but the pictures it names.
///
/// ```
/// let page = report::Page::new("Case 12 & more").paragraph("2 < 3");
/// assert!(page.to_html().contains("<h1>Case 12 &amp; more</h1>"));
/// assert!(page.to_html().contains("2 &lt; 3"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    title: String,
    body: String,
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}\
 table{border-collapse:collapse;margin:1rem 0;font-size:.92rem}th,td{border:1px solid #ccc;padding:.35rem .6rem;text-align:left;vertical-align:top}\
 th{background:#f2f2f2}code{font-family:ui-monospace,monospace;white-space:nowrap}figure{display:inline-block;margin:.5rem 1rem .5rem 0;vertical-align:top;max-width:100%}\
 figure img,figure svg{max-width:100%;height:auto;border:1px solid #ddd}figcaption{font-size:.85rem;color:#444;max-width:34rem}\
 .notice{border-left:4px solid #d55e00;background:#fff6ef;padding:.5rem 1rem}\
 @media(prefers-color-scheme:dark){body{background:#16181c;color:#e8e8e8}th{background:#26292f}th,td{border-color:#444}figcaption{color:#bbb}figure svg{background:#fff}.notice{background:#33241a}}";

impl Page {
    /// A page with its title as first heading.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), body: String::new() }
    }

    /// This page with a heading of the second level.
    #[must_use]
    pub fn heading(self, text: &str) -> Self {
        let markup = format!("<h2>{}</h2>\n", escape(text));
        self.with(&markup)
    }

    /// This page with a paragraph.
    #[must_use]
    pub fn paragraph(self, text: &str) -> Self {
        let markup = format!("<p>{}</p>\n", escape(text));
        self.with(&markup)
    }

    /// This page with a paragraph that nobody may overlook.
    #[must_use]
    pub fn notice(self, text: &str) -> Self {
        let markup = format!("<p class=\"notice\">{}</p>\n", escape(text));
        self.with(&markup)
    }

    /// This page with a picture from a file beside it.
    #[must_use]
    pub fn picture(self, file: &str, caption: &str) -> Self {
        self.figure(file, caption, 340)
    }

    /// The same across most of the page, for two pictures side by side in one file.
    #[must_use]
    pub fn wide_picture(self, file: &str, caption: &str) -> Self {
        self.figure(file, caption, 720)
    }

    fn figure(self, file: &str, caption: &str, width: u32) -> Self {
        let caption = escape(caption);
        let markup = format!(
            "<figure><a href=\"{0}\"><img src=\"{0}\" alt=\"{caption}\" loading=\"lazy\" width=\"{width}\"></a><figcaption>{caption}</figcaption></figure>\n",
            escape(file)
        );
        self.with(&markup)
    }

    /// This page with an SVG picture set into it. The SVG must come from this crate or another trusted drawing.
    #[must_use]
    pub fn svg(self, svg: &str, caption: &str) -> Self {
        let markup = format!("<figure>{svg}<figcaption>{}</figcaption></figure>\n", escape(caption));
        self.with(&markup)
    }

    /// This page with a table.
    #[must_use]
    pub fn table(self, table: &Table) -> Self {
        let mut markup = String::from("<table><thead><tr>");
        for heading in &table.headings {
            let _ = write!(markup, "<th scope=\"col\">{}</th>", escape(heading));
        }
        markup.push_str("</tr></thead><tbody>\n");
        for row in &table.rows {
            markup.push_str("<tr>");
            for cell in row {
                let _ = write!(markup, "<td>{}</td>", cell_markup(cell));
            }
            markup.push_str("</tr>\n");
        }
        markup.push_str("</tbody></table>\n");
        self.with(&markup)
    }

    /// The whole file.
    pub fn to_html(&self) -> String {
        let title = escape(&self.title);
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
             <title>{title}</title><style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n{}</body></html>\n",
            self.body
        )
    }

    fn with(mut self, markup: &str) -> Self {
        self.body.push_str(markup);
        self
    }
}

/// Text as it may stand in HTML and SVG.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // XML has no place for these, not even escaped.
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            letter if letter.is_control() && !matches!(letter, '\t' | '\n' | '\r') => {
                escaped.push('\u{fffd}');
            }
            letter => escaped.push(letter),
        }
    }
    escaped
}

fn cell_markup(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => escape(text),
        Cell::Code(text) => format!("<code>{}</code>", escape(text)),
        Cell::Link { text, target } => format!("<a href=\"{}\">{}</a>", escape(target), escape(text)),
    }
}

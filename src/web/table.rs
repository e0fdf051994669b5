//! Tables that sort, page and export by links in the address.

use askama::Template;

use super::format::{NONE, ShownTime, count};
use super::reply::{PageError, Reply};
use super::request::PageRequest;
use crate::escape::escape_hidden;

/// Number of rows on a page of a table.
const ROWS_PER_PAGE: usize = 25;

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct TableColumn {
    /// Name in addresses and in exports.
    pub(super) key: &'static str,
    /// Heading, with the unit.
    pub(super) title: &'static str,
    /// Whether values are right-aligned numbers.
    pub(super) is_number: bool,
    /// On which screens it is shown: 1 on all, 2 from tablets on, 3 on wide ones.
    pub(super) rank: u8,
}

impl TableColumn {
    /// A column of text.
    pub(super) const fn text(key: &'static str, title: &'static str, rank: u8) -> TableColumn {
        TableColumn { key, title, is_number: false, rank }
    }

    /// A column of numbers.
    pub(super) const fn number(key: &'static str, title: &'static str, rank: u8) -> TableColumn {
        TableColumn { key, title, is_number: true, rank }
    }
}

/// By what a cell is sorted.
#[derive(Clone, Debug, PartialEq)]
enum SortValue {
    Missing,
    Number(f64),
    Text(String),
}

/// A cell.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    text: String,
    href: Option<String>,
    hover: Option<String>,
    class: &'static str,
    /// Markup of this program that stands in place of the text.
    markup: Option<String>,
    order: SortValue,
    exported: String,
}

impl Cell {
    /// A text.
    pub(super) fn text(text: impl Into<String>) -> Cell {
        let text = text.into();
        Cell {
            order: SortValue::Text(text.to_lowercase()),
            exported: text.clone(),
            text,
            href: None,
            hover: None,
            class: "",
            markup: None,
        }
    }

    /// A count.
    #[expect(clippy::cast_precision_loss, reason = "a count by which rows are sorted")]
    pub(super) fn count(value: u64) -> Cell {
        Cell {
            order: SortValue::Number(value as f64),
            exported: value.to_string(),
            ..Cell::text(count(value))
        }
    }

    /// A number, with its text.
    pub(super) fn number(value: f64, text: impl Into<String>) -> Cell {
        Cell { order: SortValue::Number(value), exported: value.to_string(), ..Cell::text(text) }
    }

    /// No value; `why` is shown on hover.
    pub(super) fn none(why: &str) -> Cell {
        let hover = (!why.is_empty()).then(|| why.to_owned());
        Cell { order: SortValue::Missing, exported: String::new(), hover, class: "none", ..Cell::text(NONE) }
    }

    /// A day.
    pub(super) fn day(date: jiff::civil::Date) -> Cell {
        let iso = date.to_string();
        Cell { order: SortValue::Text(iso.clone()), exported: iso, ..Cell::text(super::format::day(date)) }
    }

    /// A moment in the zone of a sensor, with UTC on hover.
    pub(super) fn time(time: crate::packet::Timestamp, zone: &jiff::tz::TimeZone) -> Cell {
        let ShownTime { local, utc } = ShownTime::new(time, zone);
        Cell {
            order: SortValue::Text(time.to_string()),
            exported: time.to_string(),
            hover: Some(utc),
            ..Cell::text(local)
        }
    }

    /// Markup that this program wrote, such as a sparkline.
    pub(super) fn markup(markup: String, text: impl Into<String>) -> Cell {
        Cell { markup: Some(markup), ..Cell::text(text) }
    }

    /// The cell as a link.
    pub(super) fn link(self, href: impl Into<String>) -> Cell {
        Cell { href: Some(href.into()), ..self }
    }

    /// The cell with a text on hover.
    pub(super) fn hover(self, text: impl Into<String>) -> Cell {
        Cell { hover: Some(text.into()), ..self }
    }

    /// The cell with another text, such as a length of time in place of a moment.
    pub(super) fn with_text(self, text: impl Into<String>) -> Cell {
        let hover = match self.hover {
            Some(hover) => format!("{}, {hover}", self.text),
            None => self.text,
        };
        Cell { hover: Some(hover), text: text.into(), ..self }
    }

    /// The cell with a text added to the one on hover.
    pub(super) fn hover_more(mut self, text: &str) -> Cell {
        self.hover.get_or_insert_default().push_str(text);
        self
    }

    /// The cell with a class of the stylesheet.
    pub(super) fn class(self, class: &'static str) -> Cell {
        Cell { class, ..self }
    }
}

/// A row of cells; `class` marks it, such as one's own network.
#[derive(Clone, Debug, Default)]
pub(super) struct TableRow {
    /// Cells, one for each column.
    pub(super) cells: Vec<Cell>,
    /// Class of the stylesheet.
    pub(super) class: &'static str,
}

impl From<Vec<Cell>> for TableRow {
    fn from(cells: Vec<Cell>) -> TableRow {
        TableRow { cells, class: "" }
    }
}

/// A heading of a column, with the link that sorts by it.
struct Heading {
    title: &'static str,
    href: String,
    sorted: &'static str,
    class: String,
}

/// A table of a page: the rows of one page of it, sorted as the address asks.
#[derive(Template)]
#[template(path = "table.html", config = "src/web/templates/askama.toml")]
pub(super) struct Table {
    id: &'static str,
    caption: String,
    columns: &'static [TableColumn],
    headings: Vec<Heading>,
    rows: Vec<TableRow>,
    first: usize,
    last: usize,
    before: Option<String>,
    after: Option<String>,
    csv: String,
    json: Option<String>,
    empty: String,
}

impl Table {
    /// Creates a table. `caption` describes it for readers of a screen; `empty` stands in place of an empty one.
    pub(super) fn new(
        request: &PageRequest,
        id: &'static str,
        caption: &str,
        columns: &'static [TableColumn],
        mut rows: Vec<TableRow>,
        empty: &str,
    ) -> Table {
        let (sort_name, page_name) = (format!("{id}.sort"), format!("{id}.page"));
        let wanted = request.query.get(&sort_name).unwrap_or("");
        let (is_falling, key) = wanted.strip_prefix('-').map_or((false, wanted), |key| (true, key));
        let sorted = columns.iter().position(|column| column.key == key);
        if let Some(place) = sorted {
            rows.sort_by(|a, b| compare(a, b, place, is_falling));
        }
        let heading = |(place, column): (usize, &TableColumn)| {
            let is_sorted = sorted == Some(place);
            // Numbers are sorted from the largest down at first, texts from A.
            let next_falls = if is_sorted { !is_falling } else { column.is_number };
            let next = if next_falls { format!("-{}", column.key) } else { column.key.to_owned() };
            let pairs = request.query.with(&page_name, "").with(&sort_name, &next);
            Heading {
                title: column.title,
                href: format!("{}#{id}", pairs.address(&request.path)),
                sorted: if !is_sorted {
                    "none"
                } else if is_falling {
                    "descending"
                } else {
                    "ascending"
                },
                class: class(column),
            }
        };
        let headings = columns.iter().enumerate().map(heading).collect();
        let pages = rows.len().div_ceil(ROWS_PER_PAGE).max(1);
        let page =
            request.query.get(&page_name).and_then(|page| page.parse().ok()).unwrap_or(1).clamp(1, pages);
        let first = (page - 1) * ROWS_PER_PAGE;
        let address = |page: usize| format!("{}#{id}", request.address_with(&page_name, &page.to_string()));
        Table {
            id,
            caption: caption.to_owned(),
            columns,
            headings,
            first,
            last: rows.len().min(first + ROWS_PER_PAGE),
            before: (page > 1).then(|| address(page - 1)),
            after: (page < pages).then(|| address(page + 1)),
            csv: request.query.with("export", id).address(&request.path),
            json: None,
            empty: empty.to_owned(),
            rows,
        }
    }

    /// The table with the address of its JSON.
    pub(super) fn with_json(self, address: impl Into<String>) -> Table {
        Table { json: Some(address.into()), ..self }
    }

    /// Returns whether the table has no rows.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn shown(&self) -> &[TableRow] {
        &self.rows[self.first..self.last]
    }

    fn cells<'a>(&'a self, row: &'a TableRow) -> impl Iterator<Item = (String, &'static str, &'a Cell)> {
        self.columns.iter().zip(&row.cells).map(|(column, cell)| {
            let class = format!("{} {}", class(column), cell.class);
            (class.trim_end().to_owned(), column.title, cell)
        })
    }

    fn total(&self) -> String {
        count(self.rows.len() as u64)
    }

    /// Writes all rows as CSV (RFC 4180).
    fn to_csv(&self) -> std::io::Result<Vec<u8>> {
        let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
        csv.write_record(self.columns.iter().map(|column| column.key))?;
        for row in &self.rows {
            csv.write_record(row.cells.iter().map(|cell| match cell.order {
                SortValue::Text(_) => crate::escape::no_formula(escape_hidden(&cell.exported)),
                _ => cell.exported.clone(),
            }))?;
        }
        csv.into_inner().map_err(|error| error.into_error())
    }
}

fn class(column: &TableColumn) -> String {
    format!("{} r{}", if column.is_number { "num" } else { "txt" }, column.rank)
}

/// Compares rows by one column. Rows without a value come last, whatever the direction.
fn compare(a: &TableRow, b: &TableRow, place: usize, is_falling: bool) -> std::cmp::Ordering {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let of = |row: &TableRow| row.cells.get(place).map_or(SortValue::Missing, |cell| cell.order.clone());
    let order = match (of(a), of(b)) {
        (SortValue::Missing, SortValue::Missing) => return Equal,
        (SortValue::Missing, _) => return Greater,
        (_, SortValue::Missing) => return Less,
        (SortValue::Number(a), SortValue::Number(b)) => a.total_cmp(&b),
        (SortValue::Text(a), SortValue::Text(b)) => a.cmp(&b),
        (SortValue::Number(_), SortValue::Text(_)) => Less,
        (SortValue::Text(_), SortValue::Number(_)) => Greater,
    };
    if is_falling { order.reverse() } else { order }
}

/// Returns the export that the address asks for, if it asks for one.
pub(super) fn export(request: &PageRequest, tables: &[&Table]) -> Option<Result<Reply, PageError>> {
    let wanted = request.query.get("export")?;
    let Some(table) = tables.iter().find(|table| table.id == wanted) else {
        return Some(Err(PageError::Missing(format!("This page has no table `{}`.", escape_hidden(wanted)))));
    };
    let content = table.to_csv().map_err(PageError::from);
    let name = format!("inga-{wanted}.csv");
    Some(content.map(|content| Reply::Content("text/csv; charset=utf-8", Some(name), content)))
}

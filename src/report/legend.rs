//! The legend of a plot, in one or more rows.

use std::fmt::Write;

use super::series::{Line, dash};
use super::svg::{self, COLOURS, cut, text_width};

/// Height of a row.
const ROW: f64 = 18.0;
/// Length of the piece of a line before its name, and the width of piece and margins together.
const PIECE: f64 = 30.0;
const ROOM: f64 = PIECE + 22.0;

/// The names of lines with their places.
pub(super) struct Legend {
    entries: Vec<Entry>,
}

struct Entry {
    name: String,
    row: usize,
    x: f64,
}

impl Legend {
    /// Places the names of lines from left to right. A name that would pass `right` begins a new row at
    /// `left`.
    pub(super) fn of(lines: &[Line], left: f64, right: f64) -> Legend {
        let (mut x, mut row) = (left, 0);
        let mut entries = Vec::new();
        for line in lines {
            let side = if line.second_axis { " (right axis)" } else { "" };
            let name = format!("{}{side}", cut(&line.name, right - left - ROOM - text_width(side)));
            let width = ROOM + text_width(&name);
            if x > left && x + width > right {
                (x, row) = (left, row + 1);
            }
            entries.push(Entry { name, row, x });
            x += width;
        }
        Legend { entries }
    }

    /// Returns the height of all rows; a legend without entries has the height of one row.
    #[expect(clippy::cast_precision_loss, reason = "a handful of rows")]
    pub(super) fn height(&self) -> f64 {
        ROW * (1 + self.entries.last().map_or(0, |entry| entry.row)) as f64
    }

    pub(super) fn draw(&self, out: &mut String) {
        for (place, Entry { name, row, x }) in self.entries.iter().enumerate() {
            let colour = place % COLOURS;
            #[expect(clippy::cast_precision_loss, reason = "a handful of rows")]
            let y = 36.0 + ROW * *row as f64;
            let _ = writeln!(
                out,
                "<line class=\"line s{colour}\" stroke-dasharray=\"{}\" x1=\"{x:.1}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>",
                dash(place),
                x + PIECE
            );
            svg::text(out, x + PIECE + 6.0, y + 4.0, "start", "", name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_within_the_width() {
        let line = |number: u32| Line { name: format!("a rather long name {number}"), ..Line::default() };
        let lines: Vec<Line> = (0..9).map(line).collect();
        let legend = Legend::of(&lines, 76.0, 760.0);
        for entry in &legend.entries {
            assert!(
                entry.x + ROOM + text_width(&entry.name) - 16.0 <= 760.0,
                "{} at {}",
                entry.name,
                entry.x
            );
        }
        assert!(legend.entries.last().is_some_and(|entry| entry.row >= 2));
        let long = Line { name: "endless ".repeat(60), ..Line::default() };
        assert!(text_width(&Legend::of(&[long], 76.0, 680.0).entries[0].name) < 604.0);
    }
}

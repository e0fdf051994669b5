//! The legend of a plot, in one or more rows.

use std::fmt::Write;

use super::plot::PlotLine;
use super::svg::{self, COLOURS, cut, dash, text_width};

/// Height of a row.
const ROW: f64 = 18.0;
/// Length of the piece of a line before its name, and the width of piece and margins together.
const LINE_PIECE: f64 = 30.0;
const ENTRY_ROOM: f64 = LINE_PIECE + 22.0;

/// The names of lines with their places.
pub(super) struct Legend {
    entries: Vec<LegendEntry>,
}

struct LegendEntry {
    name: String,
    row: usize,
    x: f64,
}

impl Legend {
    /// Places the names of lines from left to right. A name that would pass `right` begins a new row at
    /// `left`.
    pub(super) fn for_lines(lines: &[PlotLine], left: f64, right: f64) -> Legend {
        let (mut x, mut row) = (left, 0);
        let mut entries = Vec::new();
        for line in lines {
            let side = if line.second_axis { " (right axis)" } else { "" };
            let name = format!("{}{side}", cut(&line.name, right - left - ENTRY_ROOM - text_width(side)));
            let width = ENTRY_ROOM + text_width(&name);
            if x > left && x + width > right {
                (x, row) = (left, row + 1);
            }
            entries.push(LegendEntry { name, row, x });
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
        for (place, LegendEntry { name, row, x }) in self.entries.iter().enumerate() {
            let colour = place % COLOURS;
            #[expect(clippy::cast_precision_loss, reason = "a handful of rows")]
            let y = 36.0 + ROW * *row as f64;
            let _ = writeln!(
                out,
                "<line class=\"line s{colour}\" stroke-dasharray=\"{}\" x1=\"{x:.1}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>",
                dash(place),
                x + LINE_PIECE
            );
            svg::text(out, x + LINE_PIECE + 6.0, y + 4.0, "start", "", name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_within_the_width() {
        let line =
            |number: u32| PlotLine { name: format!("a rather long name {number}"), ..PlotLine::default() };
        let lines: Vec<PlotLine> = (0..9).map(line).collect();
        let legend = Legend::for_lines(&lines, 76.0, 760.0);
        for entry in &legend.entries {
            assert!(
                entry.x + ENTRY_ROOM + text_width(&entry.name) - 16.0 <= 760.0,
                "{} at {}",
                entry.name,
                entry.x
            );
        }
        assert!(legend.entries.last().is_some_and(|entry| entry.row >= 2));
        let long = PlotLine { name: "endless ".repeat(60), ..PlotLine::default() };
        assert!(text_width(&Legend::for_lines(&[long], 76.0, 680.0).entries[0].name) < 604.0);
    }
}

//! The legend of a plot, in as many rows as it needs.

use std::fmt::Write;

use super::series::{Line, dash};
use super::svg::{self, COLOURS, LETTER};

/// Height of a row.
const ROW: f64 = 18.0;
/// Room for a line's colour before its name, and behind it.
const ROOM: f64 = 36.0;

/// Where each line's name goes.
pub(super) struct Legend {
    entries: Vec<Entry>,
}

struct Entry {
    name: String,
    row: usize,
    x: f64,
}

impl Legend {
    /// Places names from `left` on; one that would pass `right` begins a row.
    pub(super) fn of(lines: &[Line], left: f64, right: f64) -> Legend {
        let (mut x, mut row) = (left, 0);
        let mut entries = Vec::new();
        for line in lines {
            let side = if line.second_axis { " (right axis)" } else { "" };
            let name = format!("{}{side}", line.name);
            #[expect(clippy::cast_precision_loss, reason = "letters of a name")]
            let width = ROOM + name.chars().count() as f64 * LETTER;
            if x > left && x + width > right {
                (x, row) = (left, row + 1);
            }
            entries.push(Entry { name, row, x });
            x += width;
        }
        Legend { entries }
    }

    /// The height of all rows; one row's for none.
    #[expect(clippy::cast_precision_loss, reason = "a handful of rows")]
    pub(super) fn height(&self) -> f64 {
        ROW * (1 + self.entries.last().map_or(0, |entry| entry.row)) as f64
    }

    pub(super) fn draw(&self, out: &mut String) {
        for (place, Entry { name, row, x }) in self.entries.iter().enumerate() {
            let colour = place % COLOURS;
            #[expect(clippy::cast_precision_loss, reason = "a handful of rows")]
            let y = 31.0 + ROW * *row as f64;
            let _ = writeln!(
                out,
                "<path class=\"line\" style=\"stroke: var(--c{colour}); stroke-width: 2.5\" stroke-dasharray=\"{}\" d=\"M{x:.1} {:.1} h16\"/>",
                dash(place),
                y + 1.5
            );
            svg::text(out, x + 20.0, y + 6.0, "start", "", name);
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
            assert!(entry.x + 20.0 + 20.0 * LETTER <= 760.0, "{} at {}", entry.name, entry.x);
        }
        assert_eq!(legend.entries.last().map(|entry| entry.row), Some(2));
    }
}

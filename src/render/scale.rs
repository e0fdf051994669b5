//! The value axis of a plot: its ticks, and which of them get a label.

use super::plot::SeriesPlot;
use super::svg::ticks;

/// Minimum vertical distance of two labels of an axis.
const LABEL_ROOM: f64 = 15.0;

/// Upper and lower edge of the area in which a plot draws values.
pub(super) struct Frame {
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl Frame {
    pub(super) fn middle(&self) -> f64 {
        f64::midpoint(self.top, self.bottom)
    }
}

/// A linear or logarithmic scale of values, from 0 to the last of its ticks.
pub(super) struct ValueScale {
    ticks: Vec<f64>,
    log: bool,
}

impl ValueScale {
    /// Creates the scale of the lines on the left axis, or of those on the second axis, on the right.
    pub(super) fn for_axis(plot: &SeriesPlot, second: bool) -> ValueScale {
        let lines = plot.lines.iter().filter(|line| line.second_axis == second);
        let values = || lines.clone().flat_map(|line| line.values.iter().filter_map(|(_, value)| *value));
        let max = values().fold(0.0, f64::max);
        let mut ticks = if plot.log { powers(max) } else { ticks(max, 5) };
        // An axis of whole numbers, such as counts, has no fractional ticks.
        if values().all(|value| value.fract() == 0.0) {
            ticks.retain(|tick| tick.fract() == 0.0);
        }
        ValueScale { ticks, log: plot.log }
    }

    fn spaced(&self, value: f64) -> f64 {
        if self.log { value.max(0.0).ln_1p() } else { value.max(0.0) }
    }

    /// Returns the y coordinate of a value.
    pub(super) fn y(&self, frame: &Frame, value: f64) -> f64 {
        let top = self.spaced(self.ticks.last().copied().unwrap_or(1.0)).max(f64::MIN_POSITIVE);
        frame.bottom - self.spaced(value) / top * (frame.bottom - frame.top)
    }

    /// Returns y coordinate and value of the labeled ticks, from the top down. Ticks whose labels would touch
    /// another label are left out, but 0 always has a label.
    pub(super) fn labels(&self, frame: &Frame) -> Vec<(f64, f64)> {
        let mut labels: Vec<(f64, f64)> = Vec::new();
        for tick in self.ticks.iter().rev() {
            let y = self.y(frame, *tick);
            let has_room =
                |y: f64, last: Option<&(f64, f64)>| last.is_none_or(|(above, _)| above + LABEL_ROOM <= y);
            if *tick == 0.0 && !has_room(y, labels.last()) {
                labels.pop();
            }
            if has_room(y, labels.last()) {
                labels.push((y, *tick));
            }
        }
        labels
    }
}

/// Returns 0, 1, 10, 100 and so on, up to the first power of ten that is at least `max`.
fn powers(max: f64) -> Vec<f64> {
    let mut ticks = vec![0.0, 1.0];
    while ticks.last().is_some_and(|last| *last < max) && ticks.len() < 20 {
        ticks.push(ticks[ticks.len() - 1] * 10.0);
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::plot::{PlotLine, TimePosition};
    use crate::render::svg::{axis_number, text_width};

    #[test]
    fn labels_of_an_axis_do_not_touch() {
        let frame = Frame { top: 0.0, bottom: 210.0 };
        for max in [0.0, 1.0, 9.0, 1e3, 12_345.0, 3e9, 1e15] {
            for log in [false, true] {
                let values = vec![(TimePosition::day(jiff::civil::date(2009, 3, 1)), Some(max))];
                let lines = vec![PlotLine { values, ..PlotLine::default() }];
                let plot = SeriesPlot { lines, log, ..SeriesPlot::default() };
                let labels = ValueScale::for_axis(&plot, false).labels(&frame);
                assert!(labels.len() >= 2 && labels.last().unwrap().1 == 0.0, "{max} {labels:?}");
                assert!(labels.windows(2).all(|pair| pair[1].0 - pair[0].0 >= LABEL_ROOM), "{labels:?}");
                assert!(labels.iter().all(|(_, tick)| text_width(&axis_number(*tick)) < 50.0), "{labels:?}");
            }
        }
    }
}

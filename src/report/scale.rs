//! The scale of a plot's values: its ticks, and which of them get a label.

use super::series::SeriesPlot;
use super::svg::ticks;

/// Least height between two labels of an axis.
const LABEL_ROOM: f64 = 15.0;

/// Where a plot's values lie, from top to bottom.
pub(super) struct Frame {
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl Frame {
    pub(super) fn middle(&self) -> f64 {
        f64::midpoint(self.top, self.bottom)
    }
}

/// A scale of values: its top and how they are spaced.
pub(super) struct Scale {
    ticks: Vec<f64>,
    log: bool,
}

impl Scale {
    /// That of the lines on the left or on the right.
    pub(super) fn of(plot: &SeriesPlot, second: bool) -> Scale {
        let lines = plot.lines.iter().filter(|line| line.second_axis == second);
        let values = || lines.clone().flat_map(|line| line.values.iter().filter_map(|(_, value)| *value));
        let max = values().fold(0.0, f64::max);
        let mut ticks = if plot.log { powers(max) } else { ticks(max, 5) };
        // Of what is counted there is no half.
        if values().all(|value| value.fract() == 0.0) {
            ticks.retain(|tick| tick.fract() == 0.0);
        }
        Scale { ticks, log: plot.log }
    }

    fn spaced(&self, value: f64) -> f64 {
        if self.log { value.max(0.0).ln_1p() } else { value.max(0.0) }
    }

    /// The height of a value.
    pub(super) fn y(&self, frame: &Frame, value: f64) -> f64 {
        let top = self.spaced(self.ticks.last().copied().unwrap_or(1.0)).max(f64::MIN_POSITIVE);
        frame.bottom - self.spaced(value) / top * (frame.bottom - frame.top)
    }

    /// Ticks whose labels do not touch, from the top downwards, with their heights.
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

/// 0, 1, 10, 100 and so on, up to the first power that `max` does not pass.
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
    use crate::report::calendar::Place;
    use crate::report::series::Line;
    use crate::report::svg::{short, text_width};

    #[test]
    fn labels_of_an_axis_do_not_touch() {
        let frame = Frame { top: 0.0, bottom: 210.0 };
        for max in [0.0, 1.0, 9.0, 1e3, 12_345.0, 3e9, 1e15] {
            for log in [false, true] {
                let values = vec![(Place::day(jiff::civil::date(2009, 3, 1)), Some(max))];
                let lines = vec![Line { values, ..Line::default() }];
                let plot = SeriesPlot { lines, log, ..SeriesPlot::default() };
                let labels = Scale::of(&plot, false).labels(&frame);
                assert!(labels.len() >= 2 && labels.last().unwrap().1 == 0.0, "{max} {labels:?}");
                assert!(labels.windows(2).all(|pair| pair[1].0 - pair[0].0 >= LABEL_ROOM), "{labels:?}");
                assert!(labels.iter().all(|(_, tick)| text_width(&short(*tick)) < 50.0), "{labels:?}");
            }
        }
    }
}

//! An event: the host-days that a sensor counted from an onset on, and those that its past days let expect.

use crate::analysis::forecast::{Forecast, PAST_DAYS_MAX, Scatter};

use super::SeriesTable;

/// Maximum number of observed days for which an event lasts: a longer one is a new level, and other events begin
/// within it.
pub(super) const EVENT_DAYS_MAX: usize = 28;

/// The counts of one series in an event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SeriesCount {
    /// Host-days that came.
    pub came: f64,
    /// The distribution of the host-days that were expected.
    pub expected: Forecast,
}

impl SeriesCount {
    const NONE: SeriesCount =
        SeriesCount { came: 0.0, expected: Forecast { mean: 0.0, variance: 0.0, drift: 0.0 } };
}

/// The host-days that a sensor counted from a day on, by series of its table.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Numbers of observed days before the onset that are compared, and from it on.
    pub days: (usize, usize),
    /// By series of the table; those that were not asked for have nothing expected and nothing seen.
    pub counts: Vec<SeriesCount>,
}

impl Event {
    /// Returns the event that begins at a place of a table's days and lasts for at most `lasting` observed days,
    /// on some series.
    #[must_use]
    pub fn at(table: &SeriesTable, place: usize, lasting: usize, scatter: &Scatter, asked: &[bool]) -> Event {
        let place = place.min(table.days.len());
        let from = place.saturating_sub(PAST_DAYS_MAX);
        let to = table.days.len().min(place + lasting.clamp(1, EVENT_DAYS_MAX));
        // Days of the event, each as much as its dark addresses are more than the mean.
        let exposed = table.total_exposure(place..to);
        let count = |(number, asked): (usize, &bool)| {
            if !asked {
                return SeriesCount::NONE;
            }
            let hosts = &table.series[number].hosts;
            let past: Vec<f64> = (from..place).map(|at| hosts[at] / table.exposure_on(at)).collect();
            SeriesCount { came: hosts[place..to].iter().sum(), expected: scatter.forecast(&past, exposed) }
        };
        let counts = asked.iter().enumerate().map(count).collect();
        Event { days: (place - from, to - place), counts }
    }

    /// Returns the host-days that exceed the expectation, summed over some series. A series below its expectation
    /// counts as 0.
    #[must_use]
    pub fn excess(&self, asked: &[bool]) -> f64 {
        self.of(asked).map(|count| (count.came - count.expected.mean).max(0.0)).sum()
    }

    /// Returns by how many standard deviations of the forecast the sum of some series exceeds its expectation.
    #[must_use]
    pub fn deviations(&self, asked: &[bool]) -> f64 {
        let (mut excess, mut variance) = (0.0, 0.0);
        for count in self.of(asked) {
            excess += count.came - count.expected.mean;
            variance += count.expected.variance;
        }
        excess / f64::max(variance, 1.0).sqrt()
    }

    fn of(&self, asked: &[bool]) -> impl Iterator<Item = &SeriesCount> {
        self.counts.iter().zip(asked).filter(|(_, asked)| **asked).map(|(count, _)| count)
    }
}

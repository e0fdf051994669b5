//! The days on which the behaviors of a sample rose at its sensors, by the test that `inga surges` makes.

use jiff::civil::Date;

use crate::analysis::surge::{self, Surge, surges};
use crate::sample::PartialDate;

use super::SeriesTable;
use super::lag::{days_between, days_late, onset_probability};

/// Maximum p-value of a surge before it is compared with the number of days on which it might have begun.
const SURGE_P_MAX: f64 = 0.05;
/// Onsets that are closer than this number of days are one.
const SAME_ONSET_DAYS: i64 = 7;
/// Maximum p-value of an unusual rise.
const UNUSUAL_P_MAX: f64 = 0.01;
/// Maximum number of onsets of a sample that are weighed, the most unusual ones.
const ONSETS_MAX: usize = 3;

/// Minimum number of observed days before an onset.
pub(super) const BEFORE_DAYS_MIN: usize = surge::PAST_DAYS_MIN;

/// A rise of the behaviors of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rise {
    /// The first day.
    pub day: Date,
    /// The last day that stands out.
    pub last: Date,
    /// Days from the first day to the sample's date, negative where the date is before; `None` without a date.
    pub days_late: Option<i64>,
    /// The probability of a rise as strong, on any day, if nothing began. Days on which the sample's date lets
    /// an onset be expected count for more, so that a weak rise near the date may be unusual.
    pub p: f64,
}

/// Returns the most unusual rises of a sample over its sensors, the most unusual first. Each sensor has its
/// table and the hosts by day of the sample's behaviors; `None` where it never saw any.
pub(super) fn rises(sensors: &[(&SeriesTable, Option<&[f64]>)], date: Option<PartialDate>) -> Vec<Rise> {
    let seen = sensors.iter().filter_map(|(table, hosts)| Some((*table, (*hosts)?)));
    let count = seen.clone().count() as f64;
    let mut all: Vec<Rise> = Vec::new();
    for (table, hosts) in seen {
        let weights = day_weights(&table.days, date);
        for found in surges(&table.daily(hosts), SURGE_P_MAX) {
            let at = table.place_from(found.first);
            let weight = weights.get(at).copied().unwrap_or(0.0);
            all.push(rise(&found, weight / count, date));
        }
    }
    all.sort_by(|a, b| a.p.total_cmp(&b.p).then(a.day.cmp(&b.day)));
    let mut kept: Vec<Rise> = Vec::new();
    for one in all {
        let apart = |other: &Rise| days_between(one.day, other.day).abs();
        if kept.iter().all(|other| apart(other) >= SAME_ONSET_DAYS) {
            kept.push(one);
        }
    }
    // Where one rise is unusual, those that are not do not compete with it.
    let unusual = kept.iter().filter(|one| one.p <= UNUSUAL_P_MAX).count();
    kept.truncate(unusual.clamp(1, ONSETS_MAX));
    kept
}

fn rise(found: &Surge, weight: f64, date: Option<PartialDate>) -> Rise {
    Rise {
        day: found.first,
        last: found.last,
        days_late: date.map(|date| days_late(found.first, date)),
        p: (found.p / weight.max(f64::MIN_POSITIVE)).min(1.0),
    }
}

/// Returns the part of the test that each observed day has: p-values are divided by it (the Bonferroni method
/// with weights), and the parts sum to 1. Half is spread evenly, so that no day is left out.
fn day_weights(days: &[Date], date: Option<PartialDate>) -> Vec<f64> {
    let even = 1.0 / days.len().max(1) as f64;
    let Some(date) = date else { return vec![even; days.len()] };
    let near: Vec<f64> = days.iter().map(|day| onset_probability(*day, date)).collect();
    let all: f64 = near.iter().sum();
    if all <= 0.0 {
        return vec![even; days.len()];
    }
    near.into_iter().map(|near| f64::midpoint(near / all, even)).collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::sample::PerTargetPorts;

    fn table(days: usize) -> SeriesTable {
        let days = date(2009, 1, 1).series(jiff::Span::new().days(1)).take(days);
        SeriesTable::new(days, PerTargetPorts::default())
    }

    #[test]
    fn an_outbreak_is_found_near_its_day_whatever_the_date_of_the_sample() {
        let table = table(150);
        let hosts: Vec<f64> = (0..150).map(|at| if at < 80 { 2.0 } else { 9.0 }).collect();
        for caught in [None, Some(60), Some(80), Some(100), Some(140)] {
            let date = caught.map(|at| PartialDate { first: table.days[at], last: table.days[at] });
            let found = rises(&[(&table, Some(&hosts))], date);
            let at = table.place_from(found[0].day);
            assert!((78..=83).contains(&at), "{found:?}");
            assert!(found[0].p < 0.01, "{found:?}");
            assert_eq!(found[0].days_late.is_some(), caught.is_some());
        }
    }

    #[test]
    fn a_steady_series_has_no_rise() {
        let table = table(150);
        let steady: Vec<f64> = (0..150).map(|at| 5.0 + f64::from(at % 3)).collect();
        assert_eq!(rises(&[(&table, Some(&steady)), (&table, None)], None), []);
    }
}

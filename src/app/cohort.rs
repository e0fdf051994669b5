//! Use case: hosts that changed their behavior about a date.

use std::collections::HashSet;
use std::net::IpAddr;

use jiff::civil::Date;

use crate::history::{Cohort, Coverage, DayState, Periods};
use crate::rules::Rules;
use crate::store::HistoryStore;

use super::AppError;
use super::history::{chosen, coverage_of_sightings};
use super::series::{Of, each};

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// At these sensors; at all, if there is none.
    pub sensors: Vec<String>,
    /// The first behavior.
    pub from: Of,
    /// The second.
    pub to: Of,
    /// The first day of the time after.
    pub around: Date,
    /// How many days of the calendar belong to the time before, and to the time after.
    pub days: u16,
}

/// A sensor's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The sensor.
    pub sensor: String,
    /// Days on which it looked, before and after. Hosts of days without a look are not known to be gone.
    pub observed: (u64, u64),
    /// What became of the hosts.
    pub cohort: Cohort,
}

/// Answers a question.
///
/// # Errors
/// When there is no such sensor, or the history cannot be read.
pub fn cohort(store: &dyn HistoryStore, question: &Question, rules: &Rules) -> Result<Vec<Answer>, AppError> {
    let sensors = chosen(store, &question.sensors)?;
    sensors.iter().map(|sensor| answer(store, &sensor.name, question, rules)).collect()
}

fn answer(
    store: &dyn HistoryStore,
    sensor: &str,
    question: &Question,
    rules: &Rules,
) -> Result<Answer, AppError> {
    let coverage = coverage_of_sightings(store, sensor)?;
    let away = |days: i32| question.around.saturating_add(jiff::Span::new().days(days));
    let days = i32::from(question.days);
    let before = (away(-days), away(-1));
    let after = (question.around, away(days - 1));
    let hosts = |of: &Of, (first, last): (Date, Date)| -> Result<HashSet<IpAddr>, AppError> {
        let mut hosts = HashSet::new();
        each(store, sensor, of, rules, (Some(first), Some(last)), None, &mut |sighting| {
            if coverage.state(sighting.day) == DayState::Observed {
                hosts.insert(sighting.host);
            }
        })?;
        Ok(hosts)
    };
    let periods = Periods {
        from_before: hosts(&question.from, before)?,
        from_after: hosts(&question.from, after)?,
        to_after: hosts(&question.to, after)?,
        any_before: hosts(&Of::All, before)?,
        any_after: hosts(&Of::All, after)?,
    };
    let observed = (looked(&coverage, before), looked(&coverage, after));
    Ok(Answer { sensor: sensor.to_owned(), observed, cohort: periods.cohort() })
}

fn looked(coverage: &Coverage, (first, last): (Date, Date)) -> u64 {
    coverage.days().filter(|day| first <= *day && *day <= last).count() as u64
}

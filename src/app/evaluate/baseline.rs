//! Baselines: how samples were joined with darknets before, by one type's MD5 or by port, and a mean before and after.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::behavior::Parameters;
use crate::correlate::CaseAnswer;
use crate::history::{BehaviorFilter, DayCount, FacetInclusion, Filter, Granularity, TypeFilter};
use crate::sample::SampleProfile;
use crate::store::HistoryStore;

use super::super::AppError;
use super::Case;

/// Days of the calendar before and after a sample's date whose means are compared.
const SIDE_DAYS: i64 = 30;
/// A mean so many times the one before counts as a rise; the report shows a smaller one by eye.
const RISE_MIN: f64 = 1.5;

/// The exact join of the 2009 report: types of the run's windows that the sensor saw, with the mean of their hosts a day
/// before and after the sample's date.
pub(super) fn md5(case: &Case) -> Result<CaseAnswer, AppError> {
    ranked_answer(case, |profile, sensor| {
        let types: BTreeSet<_> =
            profile.scan_windows().map(|window| window.fingerprint.whole.names.behavior.id).collect();
        let selection = |id| BehaviorFilter { granularity: Granularity::Type, id, facets: true };
        let selections: Vec<BehaviorFilter> = types.into_iter().map(selection).collect();
        Ok(case.store.series(sensor, &selections)?.into_iter().flatten().collect())
    })
}

/// Ports alone: all windows to the ports of the run.
pub(super) fn port(case: &Case) -> Result<CaseAnswer, AppError> {
    ranked_answer(case, |profile, sensor| {
        let ports: BTreeSet<u16> = profile
            .scan_windows()
            .flat_map(|window| window.fingerprint.whole.parameters.ports.listed().to_vec())
            .collect();
        let meets =
            |parameters: &Parameters| parameters.ports.listed().iter().any(|port| ports.contains(port));
        let filter =
            Filter { types: TypeFilter::Predicate(&meets, FacetInclusion::Excluded), ..Filter::default() };
        let mut days = Vec::new();
        case.store.each_daily_count(sensor, &filter, &mut |one| {
            days.push(DayCount {
                day: one.day,
                windows: one.windows,
                packets: one.packets,
                hosts: one.hosts,
            });
        })?;
        Ok(days)
    })
}

/// Ranks samples by the rise at their dates, and answers with the first where it rose.
fn ranked_answer(
    case: &Case,
    series: impl Fn(&SampleProfile, &str) -> Result<Vec<DayCount>, AppError>,
) -> Result<CaseAnswer, AppError> {
    let mut ranked = Vec::new();
    for sample in &case.samples {
        let mut best = 0.0f64;
        for sensor in case.store.sensors()? {
            let counts = series(&sample.profile, &sensor.name)?;
            let date = sample.report.reference_date().map(|(span, _)| span.first);
            best = best.max(date.map_or(0.0, |date| rise(&counts, date)));
        }
        ranked.push((sample.report.family.clone().unwrap_or_else(|| sample.profile.id.clone()), best));
    }
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let answers = ranked.first().is_some_and(|(_, rise)| *rise >= RISE_MIN);
    // They state no probability: an answer is taken as sure.
    let stated = |(id, rise): (String, f64)| (id, f64::from(u8::from(rise >= RISE_MIN)));
    Ok(CaseAnswer { answers, would_answer: answers, ranked: ranked.into_iter().map(stated).collect() })
}

/// The mean of hosts a day after a date, as a multiple of that before; a host in two months is added to both.
fn rise(counts: &[DayCount], date: Date) -> f64 {
    let away = |days: i64| date.saturating_add(jiff::Span::new().days(days));
    let between = |first: Date, last: Date| -> f64 {
        counts
            .iter()
            .filter(|count| first <= count.day && count.day < last)
            .map(|count| count.hosts as f64)
            .sum()
    };
    (between(date, away(SIDE_DAYS)) + 0.5) / (between(away(-SIDE_DAYS), date) + 0.5)
}

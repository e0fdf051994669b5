//! The sensors of a history, as text and as JSON. The JSON field names are stable.

use std::io::{self, Write};

use ipnet::IpNet;
use jiff::civil::Date;
use serde::Serialize;

use crate::escape::escape_hidden;
use crate::history::{Coverage, DarkPeriod, DatedPrefix, Outage, Sensor, SensorContents, SensorKind};

use super::answer::Answer;
use super::text::table;

impl Answer for [(Sensor, Coverage)] {
    /// Writes sensors as a table. The number of addresses is that of the last period with any dark address, which
    /// is the present period unless all prefixes have ended.
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let head =
            ["sensor", "kind", "addresses", "zone", "days", "first", "last", "prefixes", "live", "outages"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        for (sensor, coverage) in self {
            let span = coverage.span();
            let day = |day: Option<Date>| day.map_or_else(|| "-".to_owned(), |day| day.to_string());
            let live = if sensor.live.is_empty() { "-".to_owned() } else { prefixes(&sensor.live) };
            let outages: Vec<String> = coverage.outages.iter().map(Outage::to_string).collect();
            rows.push(vec![
                escape_hidden(&sensor.name),
                sensor.kind.to_string(),
                addresses(sensor).to_string(),
                escape_hidden(&sensor.time_zone),
                coverage.observed_days().count().to_string(),
                day(span.map(|(first, _)| first)),
                day(span.map(|(_, last)| last)),
                prefixes(&sensor.prefixes),
                live,
                escape_hidden(&outages.join(", ")),
            ]);
        }
        table(out, &rows)
    }

    /// Writes one line of JSON per sensor.
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        for (sensor, coverage) in self {
            let span = coverage.span();
            let view = SensorJson {
                sensor: &sensor.name,
                kind: sensor.kind,
                time_zone: &sensor.time_zone,
                prefixes: sensor.prefixes.iter().map(DatedPrefixJson::from).collect(),
                live: sensor.live.iter().map(DatedPrefixJson::from).collect(),
                dark_periods: sensor.dark_periods().all().iter().map(DarkPeriodJson::from).collect(),
                days: coverage.observed_days().count(),
                first: span.map(|(first, _)| first),
                last: span.map(|(_, last)| last),
                outages: &coverage.outages,
            };
            crate::escape::json_line(out, &view)?;
        }
        Ok(())
    }
}

/// Writes the kind and the prefixes of a sensor that was edited.
///
/// # Errors
/// Fails if `out` cannot be written to.
pub fn edited(out: &mut dyn Write, sensor: &Sensor) -> io::Result<()> {
    let live = prefixes(&sensor.live);
    let without = if live.is_empty() { String::new() } else { format!(" without {live}") };
    let dark = prefixes(&sensor.prefixes);
    writeln!(out, "sensor {} ({}) watches {dark}{without}", escape_hidden(&sensor.name), sensor.kind)
}

/// Writes the removed outages of a sensor.
///
/// # Errors
/// Fails if `out` cannot be written to.
pub fn removed_outages(out: &mut dyn Write, sensor: &str, removed: &[Outage]) -> io::Result<()> {
    for outage in removed {
        let outage = outage.to_string();
        writeln!(out, "sensor {}: outage {} removed", escape_hidden(sensor), escape_hidden(&outage))?;
    }
    Ok(())
}

/// Describes a sensor and the recorded data that is removed with it.
#[must_use]
pub fn contents_in_words(SensorContents { sensor, coverage, captures }: &SensorContents) -> String {
    let days = coverage.recorded_days.len();
    let span = coverage.span().map(|(first, last)| format!(" from {first} to {last}")).unwrap_or_default();
    format!(
        "sensor {}, its {days} recorded days{span}, {captures} captures and {} outages",
        sensor.name,
        coverage.outages.len()
    )
}

/// Returns prefixes with their dates as text.
fn prefixes(prefixes: &[DatedPrefix]) -> String {
    prefixes.iter().map(DatedPrefix::to_string).collect::<Vec<_>>().join(", ")
}

fn addresses(sensor: &Sensor) -> u128 {
    let periods = sensor.dark_periods();
    let mut sizes = periods.all().iter().filter_map(|period| period.space.size());
    sizes.rfind(|size| *size > 0).unwrap_or(0)
}

#[derive(Serialize)]
struct SensorJson<'a> {
    sensor: &'a str,
    kind: SensorKind,
    time_zone: &'a str,
    prefixes: Vec<DatedPrefixJson>,
    live: Vec<DatedPrefixJson>,
    dark_periods: Vec<DarkPeriodJson>,
    /// Number of days that have a value.
    days: usize,
    first: Option<Date>,
    last: Option<Date>,
    outages: &'a [Outage],
}

/// A prefix with its first and last valid day; `from` or `to` is `None` if there is no such limit.
#[derive(Serialize)]
struct DatedPrefixJson {
    prefix: IpNet,
    from: Option<Date>,
    to: Option<Date>,
}

impl From<&DatedPrefix> for DatedPrefixJson {
    fn from(dated: &DatedPrefix) -> DatedPrefixJson {
        DatedPrefixJson { prefix: dated.prefix, from: dated.from, to: dated.to }
    }
}

/// A period of equal dark addresses; `from` and `to` have the same meaning as in [`DatedPrefixJson`].
#[derive(Serialize)]
struct DarkPeriodJson {
    from: Option<Date>,
    to: Option<Date>,
    dark_addresses: u128,
}

impl From<&DarkPeriod> for DarkPeriodJson {
    fn from(period: &DarkPeriod) -> DarkPeriodJson {
        DarkPeriodJson {
            from: (period.first != Date::MIN).then_some(period.first),
            to: (period.last != Date::MAX).then_some(period.last),
            dark_addresses: period.space.size().unwrap_or(0),
        }
    }
}

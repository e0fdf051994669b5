//! The projection of a sample onto sensors, as text and as JSON, and the tiles of expected windows. The JSON
//! field names are stable.

use std::io::{self, Write};

use jiff::civil::Date;
use serde::Serialize;

use crate::behavior::{BehaviorId, OpenWindow};
use crate::history::{ExamplePacket, Granularity, Scope, Sensor};
use crate::sample::{
    AnsweredContacts, Attempts, PredictedBehavior, Projection, Scan, SourcePorts, TargetOrder,
    TargetSelection,
};

use super::answer::Answer;
use super::text::table;
use super::tile::Tile;
use crate::escape::escape_hidden;

/// Maximum number of services, and of behaviors of each granularity, in the text; JSON has all of them.
const LISTED_MAX: usize = 8;

/// Describes how a sample scans, one property per line.
#[must_use]
pub fn scan_in_words(scan: &Scan) -> Vec<String> {
    let services: Vec<String> = scan
        .services
        .iter()
        .take(LISTED_MAX)
        .map(|(service, share)| format!("{service} ({:.0} %)", share * 100.0))
        .collect();
    let more = scan.services.len().saturating_sub(LISTED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let attempts: Vec<String> = scan
        .attempts
        .shares
        .iter()
        .map(|(packets, share)| format!("{packets} ({:.0} %)", share * 100.0))
        .collect();
    let mut lines = vec![
        format!("targets: {} seen, {}", scan.targets, targeting_in_words(&scan.targeting)),
        format!("services, by share of targets: {}{more}", services.join(", ")),
        format!("packets to a silent target: {}", attempts.join(", ")),
        match scan.source_ports {
            SourcePorts::One => "source ports: one for the whole scan".to_owned(),
            SourcePorts::PerTarget => "source ports: new ones for each target".to_owned(),
        },
        match scan.targets_per_second {
            Some(rate) => format!("rate: {rate:.2} new targets a second"),
            None => "rate: unknown".to_owned(),
        },
    ];
    lines.extend(scan.answered.map(|AnsweredContacts { share, packets }| {
        format!(
            "{:.0} % of the targets answered, after {packets:.1} packets on average; a darknet never does",
            share * 100.0
        )
    }));
    lines.extend(scan.assumptions().into_iter().map(|assumption| format!("assumed: {assumption}")));
    lines
}

fn targeting_in_words(targeting: &TargetSelection) -> String {
    let order = match &targeting.order {
        TargetOrder::Link => return "on the victim's own link only, which no darknet sees".to_owned(),
        TargetOrder::Random => "in no order".to_owned(),
        TargetOrder::Sequential { longest, spans, threads, .. } => {
            let whole = if spans.is_empty() { "none seen to its end" } else { "some seen to their ends" };
            let beside =
                if *threads > 1.5 { format!(", {threads:.0} beside each other") } else { String::new() };
            format!("in sweeps of up to {longest} addresses, {whole}{beside}")
        }
    };
    let reach = &targeting.reach;
    let parts = [(reach.own_24, "/24"), (reach.own_16, "/16"), (reach.own_8, "/8")];
    let near: Vec<String> = parts
        .iter()
        .filter(|(share, _)| *share > 0.0)
        .map(|(share, block)| format!("{:.0} % in the victim's own {block}", share * 100.0))
        .collect();
    let elsewhere = match (reach.confined_bits, reach.known) {
        (0, true) => "the rest anywhere".to_owned(),
        (0, false) => "where they lie is not seen".to_owned(),
        (bits, _) => format!("the rest within one /{bits}"),
    };
    let near = if near.is_empty() { elsewhere } else { format!("{}, {elsewhere}", near.join(", ")) };
    format!("{order}; {near}")
}

/// A projection of a sample onto sensors.
pub struct ProjectionAnswer<'a> {
    /// Identifier of the sample.
    pub sample: &'a str,
    /// Title of the sample.
    pub title: &'a str,
    /// How the sample scans.
    pub scan: &'a Scan,
    /// What each sensor is expected to observe.
    pub sensors: &'a [(Sensor, Projection)],
}

impl Answer for ProjectionAnswer<'_> {
    /// Writes how a sample scans and what each sensor is expected to observe, as text.
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", escape_hidden(self.title))?;
        for line in scan_in_words(self.scan) {
            writeln!(out, "  {}", escape_hidden(&line))?;
        }
        for (sensor, projection) in self.sensors {
            writeln!(
                out,
                "\nsensor {} ({} dark IPv4 addresses)",
                escape_hidden(&sensor.name),
                dark_in_words(projection)
            )?;
            if projection.windows == 0 {
                writeln!(out, "  would see nothing of it")?;
                continue;
            }
            writeln!(
                out,
                "  a host that scans all day: {} windows and {} dark addresses a day on average, seen at all on a day with {:.2} %",
                format_mean(projection.windows_per_host_day),
                format_mean(projection.contacts_per_host_day),
                projection.seen_per_host_day * 100.0
            )?;
            if projection.near_share > 0.0 {
                let share = projection.near_share * 100.0;
                writeln!(
                    out,
                    "  {share:.0} % of the windows come from hosts in the sensor's own /8, /16 or /24"
                )?;
            }
            for (granularity, scope, name) in GRANULARITIES {
                text_granularity(out, projection, granularity, scope, name)?;
            }
        }
        Ok(())
    }

    /// Writes one line of JSON per sensor.
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let ProjectionAnswer { sample, title, scan, sensors } = *self;
        for (sensor, projection) in sensors {
            let predicted = projection.predicted.iter().map(|one| PredictedJson {
                granularity: one.granularity,
                scope: if one.scope == Scope::Whole { "window" } else { "facet" },
                canonical: &one.behavior.canonical,
                id: one.behavior.id,
                share: one.share,
            });
            let view = ProjectionJson {
                sample,
                title,
                sensor: &sensor.name,
                dark_addresses: projection.periods.last().map_or(0, |(_, _, addresses)| *addresses),
                dark_periods: projection.periods.iter().map(ProjectionPeriodJson::from).collect(),
                scan: scan.into(),
                windows_per_host_day: projection.windows_per_host_day,
                contacts_per_host_day: projection.contacts_per_host_day,
                seen_per_host_day: projection.seen_per_host_day,
                near_share: projection.near_share,
                windows_simulated: projection.windows,
                predicted: predicted.collect(),
            };
            crate::escape::json_line(out, &view)?;
        }
        Ok(())
    }
}

/// Returns the number of dark addresses; if it changed over time, the number in each period with the first
/// day.
fn dark_in_words(projection: &Projection) -> String {
    let amounts: Vec<String> = projection
        .periods
        .iter()
        .map(|(first, _, addresses)| match *first == Date::MIN || projection.periods.len() == 1 {
            true => addresses.to_string(),
            false => format!("{addresses} from {first} on"),
        })
        .collect();
    if amounts.is_empty() { "0".to_owned() } else { amounts.join(", ") }
}

const GRANULARITIES: [(Granularity, Scope, &str); 4] = [
    (Granularity::Type, Scope::Whole, "types"),
    (Granularity::Shape, Scope::Whole, "shapes"),
    (Granularity::Pattern, Scope::Whole, "patterns"),
    (Granularity::Shape, Scope::Facet, "shapes of parts of windows"),
];

fn text_granularity(
    out: &mut dyn Write,
    projection: &Projection,
    granularity: Granularity,
    scope: Scope,
    name: &str,
) -> io::Result<()> {
    let all: Vec<&PredictedBehavior> = projection.of_scope(granularity, scope).collect();
    if all.is_empty() {
        return Ok(());
    }
    writeln!(out, "  {name}:")?;
    let row = |one: &&PredictedBehavior| {
        vec![
            format!("  {:5.1} %", one.share * 100.0),
            one.behavior.canonical.clone(),
            one.behavior.id.to_string(),
        ]
    };
    table(out, &all.iter().take(LISTED_MAX).map(row).collect::<Vec<_>>())?;
    let more = all.len().saturating_sub(LISTED_MAX);
    if more > 0 {
        let rest: f64 = all.iter().skip(LISTED_MAX).map(|one| one.share).sum();
        writeln!(out, "   {:5.1} %  {more} more", crate::escape::without_negative_zero(rest * 100.0, 1))?;
    }
    Ok(())
}

/// Formats a mean; values below 0.1 are in scientific notation.
fn format_mean(value: f64) -> String {
    if value >= 0.1 { format!("{value:.1}") } else { format!("{value:.2e}") }
}

#[derive(Serialize)]
struct PredictedJson<'a> {
    granularity: Granularity,
    scope: &'static str,
    canonical: &'a str,
    id: BehaviorId,
    share: f64,
}

/// A period of equal dark addresses; `from` is `None` for the first period and `to` for the last one.
#[derive(Serialize)]
struct ProjectionPeriodJson {
    from: Option<Date>,
    to: Option<Date>,
    dark_addresses: u64,
}

impl From<&(Date, Date, u64)> for ProjectionPeriodJson {
    fn from((first, last, dark_addresses): &(Date, Date, u64)) -> ProjectionPeriodJson {
        ProjectionPeriodJson {
            from: (*first != Date::MIN).then_some(*first),
            to: (*last != Date::MAX).then_some(*last),
            dark_addresses: *dark_addresses,
        }
    }
}

/// The scan of a sample, as all answers show it.
#[derive(Serialize)]
pub(super) struct ScanJson<'a> {
    targeting: &'a TargetSelection,
    services: Vec<(String, f64)>,
    attempts: &'a Attempts,
    source_ports: SourcePorts,
    targets_per_second: Option<f64>,
    answered: Option<AnsweredContacts>,
    assumptions: Vec<String>,
}

impl<'a> From<&'a Scan> for ScanJson<'a> {
    fn from(scan: &'a Scan) -> ScanJson<'a> {
        ScanJson {
            targeting: &scan.targeting,
            services: scan.services.iter().map(|(service, share)| (service.to_string(), *share)).collect(),
            attempts: &scan.attempts,
            source_ports: scan.source_ports,
            targets_per_second: scan.targets_per_second,
            answered: scan.answered,
            assumptions: scan.assumptions(),
        }
    }
}

#[derive(Serialize)]
struct ProjectionJson<'a> {
    sample: &'a str,
    title: &'a str,
    sensor: &'a str,
    /// Dark addresses in the last period.
    dark_addresses: u64,
    dark_periods: Vec<ProjectionPeriodJson>,
    #[serde(flatten)]
    scan: ScanJson<'a>,
    windows_per_host_day: f64,
    contacts_per_host_day: f64,
    seen_per_host_day: f64,
    near_share: f64,
    windows_simulated: u64,
    predicted: Vec<PredictedJson<'a>>,
}

/// Returns the tile of a window that a sensor is expected to observe. `share` is the share of windows (0 to
/// 1) that have its type.
#[must_use]
pub fn tile(sample: &str, sensor: &str, share: f64, window: &OpenWindow, window_seconds: u32) -> Tile {
    Tile {
        title: format!("Expected at sensor {sensor}"),
        packets: ExamplePacket::from_window(window),
        packets_total: window.packets,
        window_seconds,
        legend: vec![
            ("sample".to_owned(), sample.to_owned()),
            ("share".to_owned(), format!("{:.1} % of the windows have its type", share * 100.0)),
        ],
        ..Tile::default()
    }
}

//! Hypotheses for people and for machines, and their pictures. The JSON's field names are stable.

use std::io::{self, Write};

use serde::Serialize;

use crate::correlate::{Change, Gap, Hypothesis, Match, NearMiss};
use crate::event::Timestamp;
use crate::history::{Coverage, Example, Granularity, HostSummary};
use crate::sample::{Origin, SampleProfile};

use super::series::{Band, Line, Mark, SeriesPlot};
use super::text::shown;
use super::tile::{Tile, TilePacket};

/// A number in JSON with no more digits than it means.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[derive(Serialize)]
struct HostJson<'a> {
    address: String,
    days: u64,
    windows: u64,
    packets: u64,
    first: Timestamp,
    last: Timestamp,
    marks: &'a [String],
}

impl<'a> From<&'a HostSummary> for HostJson<'a> {
    fn from(host: &'a HostSummary) -> HostJson<'a> {
        HostJson {
            address: host.host.to_string(),
            days: host.days,
            windows: host.windows,
            packets: host.packets,
            first: host.first,
            last: host.last,
            marks: &host.marks,
        }
    }
}

#[derive(Serialize)]
struct MatchJson<'a> {
    canonical: &'a str,
    id: crate::behavior::BehaviorId,
    origin: Origin,
    share: f64,
    labels: &'a [String],
    backscatter: bool,
    windows: u64,
    packets: u64,
    host_count: u64,
    sensor_share: f64,
    hosts: Vec<HostJson<'a>>,
}

impl<'a> From<&'a Match> for MatchJson<'a> {
    fn from(matched: &'a Match) -> MatchJson<'a> {
        MatchJson {
            canonical: &matched.behavior.canonical,
            id: matched.behavior.id,
            origin: matched.origin,
            share: rounded(matched.share),
            labels: &matched.labels,
            backscatter: matched.is_backscatter,
            windows: matched.windows,
            packets: matched.packets,
            host_count: matched.hosts.total,
            sensor_share: rounded(matched.rarity),
            hosts: matched.hosts.hosts.iter().map(HostJson::from).collect(),
        }
    }
}

#[derive(Serialize)]
struct GapJson<'a> {
    parameter: &'a str,
    sample: &'a str,
    sensor: &'a str,
    explained_by: Option<&'a str>,
}

#[derive(Serialize)]
struct NearMissJson<'a> {
    canonical: &'a str,
    windows: u64,
    hosts: u64,
    gaps: Vec<GapJson<'a>>,
}

impl<'a> From<&'a NearMiss> for NearMissJson<'a> {
    fn from(near: &'a NearMiss) -> NearMissJson<'a> {
        let gap = |gap: &'a Gap| GapJson {
            parameter: gap.parameter,
            sample: &gap.sample,
            sensor: &gap.sensor,
            explained_by: gap.explained_by,
        };
        NearMissJson {
            canonical: &near.canonical,
            windows: near.windows,
            hosts: near.hosts,
            gaps: near.gaps.iter().map(gap).collect(),
        }
    }
}

#[derive(Serialize)]
struct OnsetJson {
    first: Timestamp,
    last: Timestamp,
    days: u64,
    change_point: Option<String>,
    lag_days: Option<i64>,
}

#[derive(Serialize)]
struct PivotJson {
    date: String,
    kind: &'static str,
}

#[derive(Serialize)]
struct BoundJson {
    fewer_than_hosts: Option<u64>,
    days: Option<u64>,
    reason: Option<String>,
}

#[derive(Serialize)]
struct DayJson {
    day: String,
    hosts: Option<u64>,
}

#[derive(Serialize)]
struct HypothesisJson<'a> {
    rank: usize,
    sample: &'a str,
    title: &'a str,
    sensor: &'a str,
    granularity: Option<Granularity>,
    verdict: &'static str,
    indistinguishable_from: &'a [String],
    score: f64,
    r#match: Option<MatchJson<'a>>,
    also: Vec<MatchJson<'a>>,
    change: Option<&'a Change>,
    no_change_test: Option<&'a str>,
    level_q: Option<f64>,
    volatility_q: Option<f64>,
    onset: Option<OnsetJson>,
    sample_date: Option<PivotJson>,
    tool_share: f64,
    bound: Option<BoundJson>,
    near_misses: Vec<NearMissJson<'a>>,
    reasons: &'a [String],
    daily_hosts: Vec<DayJson>,
}

fn view(hypothesis: &Hypothesis) -> HypothesisJson<'_> {
    let others: &[String] = match &hypothesis.verdict {
        crate::correlate::Verdict::Indistinguishable(others) => others,
        _ => &[],
    };
    HypothesisJson {
        rank: hypothesis.rank,
        sample: &hypothesis.sample,
        title: &hypothesis.title,
        sensor: &hypothesis.sensor,
        granularity: hypothesis.granularity,
        verdict: hypothesis.verdict.word(),
        indistinguishable_from: others,
        score: rounded(hypothesis.score),
        r#match: hypothesis.matched.as_ref().map(MatchJson::from),
        also: hypothesis.also.iter().map(MatchJson::from).collect(),
        change: hypothesis.change.as_ref().ok(),
        no_change_test: hypothesis.change.as_ref().err().map(String::as_str),
        level_q: hypothesis.level_q.map(rounded),
        volatility_q: hypothesis.volatility_q.map(rounded),
        onset: hypothesis.onset.as_ref().map(|onset| OnsetJson {
            first: onset.first,
            last: onset.last,
            days: onset.days,
            change_point: onset.change_point.map(|point| point.day.to_string()),
            lag_days: onset.lag.map(|(_, days)| days),
        }),
        sample_date: hypothesis.pivot.map(|(span, kind)| PivotJson { date: span.to_string(), kind }),
        tool_share: rounded(hypothesis.tool_share),
        bound: hypothesis.bound.as_ref().map(|bound| match bound {
            Ok(bound) => {
                BoundJson { fewer_than_hosts: Some(bound.hosts), days: Some(bound.days), reason: None }
            }
            Err(reason) => BoundJson { fewer_than_hosts: None, days: None, reason: Some(reason.clone()) },
        }),
        near_misses: hypothesis.near_misses.iter().map(NearMissJson::from).collect(),
        reasons: &hypothesis.reasons,
        daily_hosts: hypothesis
            .daily_hosts
            .iter()
            .map(|(day, hosts)| DayJson { day: day.to_string(), hosts: *hosts })
            .collect(),
    }
}

/// Writes a line of JSON a hypothesis, best first.
///
/// # Errors
/// When `out` cannot be written to.
pub fn json(out: &mut dyn Write, all: &[Hypothesis]) -> io::Result<()> {
    for hypothesis in all {
        serde_json::to_writer(&mut *out, &view(hypothesis))?;
        writeln!(out)?;
    }
    Ok(())
}

/// A headline: sample, verdict, sensor and behavior.
#[must_use]
pub fn headline(hypothesis: &Hypothesis) -> String {
    let what = match (&hypothesis.matched, hypothesis.granularity) {
        (Some(matched), Some(granularity)) => format!("{granularity} {}", matched.behavior.canonical),
        _ => "no behavior of the sample".to_owned(),
    };
    format!("{} at sensor {}: {} ({what})", hypothesis.title, hypothesis.sensor, hypothesis.verdict)
}

/// What an answer may be taken for, and what not.
pub const CAVEAT: &str =
    "A match of behavior makes a sample a candidate for the cause; it does not show that a host is infected.";

/// Writes hypotheses as text, best first.
///
/// # Errors
/// When `out` cannot be written to.
pub fn text(out: &mut dyn Write, all: &[Hypothesis]) -> io::Result<()> {
    for hypothesis in all {
        writeln!(out, "{}. {}", hypothesis.rank, shown(&headline(hypothesis)))?;
        for reason in &hypothesis.reasons {
            writeln!(out, "     {}", shown(reason))?;
        }
        if let Some(matched) = &hypothesis.matched {
            text_match(out, hypothesis, matched)?;
        }
        for near in &hypothesis.near_misses {
            writeln!(
                out,
                "     near: {} ({} windows of {} hosts), but",
                near.canonical, near.windows, near.hosts
            )?;
            for gap in &near.gaps {
                writeln!(out, "       {}", gap_in_words(gap))?;
            }
        }
        writeln!(out)?;
    }
    writeln!(out, "{CAVEAT}")
}

/// A parameter that differs, with what would explain it.
#[must_use]
pub fn gap_in_words(gap: &Gap) -> String {
    let why = gap.explained_by.map_or_else(String::new, |why| format!(" ({why})"));
    format!("{}: sample {}, sensor {}{why}", gap.parameter, gap.sample, gap.sensor)
}

fn text_match(out: &mut dyn Write, hypothesis: &Hypothesis, matched: &Match) -> io::Result<()> {
    if let Some(onset) = &hypothesis.onset {
        writeln!(out, "     seen {} to {}, on {} days", onset.first, onset.last, onset.days)?;
    }
    let suspects: Vec<String> = matched
        .hosts
        .hosts
        .iter()
        .take(5)
        .map(|host| {
            let marks =
                if host.marks.is_empty() { String::new() } else { format!(", {}", host.marks.join(" ")) };
            format!("{} ({} windows{marks})", host.host, host.windows)
        })
        .collect();
    let more = matched.hosts.total.saturating_sub(suspects.len() as u64);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    writeln!(out, "     hosts that behave so: {}{more}", shown(&suspects.join(", ")))?;
    for also in hypothesis.also.iter().take(5) {
        let windows = also.windows;
        writeln!(
            out,
            "     also: {} ({}, {windows} windows of {} hosts)",
            also.behavior.canonical, also.origin, also.hosts.total
        )?;
    }
    Ok(())
}

/// The series of a hypothesis' unique hosts a day, with the sample's date and the outages marked (figure 11).
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "hosts of a day, for a picture")]
pub fn plot(hypothesis: &Hypothesis, coverage: &Coverage) -> SeriesPlot {
    let values =
        hypothesis.daily_hosts.iter().map(|(day, hosts)| (*day, hosts.map(|hosts| hosts as f64))).collect();
    let bands = coverage
        .outages
        .iter()
        .map(|outage| Band { first: outage.first, last: outage.last, label: outage.reason.clone() })
        .collect();
    let mut marks = Vec::new();
    if let Some((span, what)) = hypothesis.pivot {
        marks.push(Mark { day: span.first, label: format!("sample {what} {span}") });
    }
    let granularity = hypothesis.granularity.map_or_else(String::new, |granularity| granularity.to_string());
    SeriesPlot {
        title: format!("Sensor {}: hosts of the matching {granularity}", hypothesis.sensor),
        unit: "unique hosts a day".to_owned(),
        second_unit: None,
        lines: vec![Line { name: granularity, second_axis: false, values }],
        bands,
        marks,
        log: false,
    }
}

/// The tiles of a hypothesis: the sample's window nearest to the match, and the sensor's example (figures 9 and 10).
#[must_use]
pub fn tiles(hypothesis: &Hypothesis, sample: &SampleProfile, window_seconds: u32) -> Option<(Tile, Tile)> {
    let matched = hypothesis.matched.as_ref()?;
    let example = matched.example.as_ref()?;
    let is_it = |window: &&crate::sample::ScanWindow| window.fingerprint.whole.behavior == matched.behavior;
    let window = sample.windows.iter().find(is_it).or(sample.windows.first())?;
    let parameters = &window.fingerprint.whole.parameters;
    let micro = Tile {
        title: "Sample (micro)".to_owned(),
        packets: Example::packets_of(&window.window).iter().map(tile_packet).collect(),
        packets_total: parameters.packets,
        window_seconds,
        synthetic_time: sample.synthetic_time,
        legend: vec![
            ("host".to_owned(), window.fingerprint.source.to_string()),
            ("type".to_owned(), window.fingerprint.whole.behavior.canonical.clone()),
        ],
    };
    let macro_ = Tile {
        title: format!("Sensor {} (macro)", hypothesis.sensor),
        packets: example.packets.iter().map(tile_packet).collect(),
        packets_total: example.packets.len() as u64,
        window_seconds,
        synthetic_time: false,
        legend: vec![
            ("host".to_owned(), example.host.to_string()),
            ("from".to_owned(), example.start.to_string()),
            ("labels".to_owned(), matched.labels.join(", ")),
        ],
    };
    Some((micro, macro_))
}

fn tile_packet(packet: &crate::history::ExamplePacket) -> TilePacket {
    TilePacket {
        offset_micros: packet.offset_micros,
        source_port: packet.source_port,
        destination: packet.destination,
        destination_port: packet.destination_port,
    }
}

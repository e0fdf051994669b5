//! Surges as text and JSON. The JSON field names are stable.

use std::io::{self, Write};
use std::net::IpAddr;

use jiff::civil::Date;
use serde::Serialize;

use crate::analysis::behavior_surges::{DescribedSurge, SurgeBehavior, SurgeKind};
use crate::analysis::surge::Outcome;
use crate::behavior::BehaviorId;
use crate::escape::{escape_hidden, without_negative_zero};

use super::answer::Answer;
use super::text::table;

fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Surges of behaviors, ascending by q-value.
pub struct SurgesAnswer<'a> {
    /// The surges.
    pub surges: &'a [DescribedSurge],
    /// Whether the text has also those that are part of a coarser surge.
    pub all: bool,
}

impl Answer for SurgesAnswer<'_> {
    /// Writes surges for people. Those that are part of a coarser surge are left out unless `all` is set.
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let head = [
            "rank", "sensor", "first", "last", "peak", "hosts", "expected", "q", "kind", "outcome",
            "behavior",
        ];
        let SurgesAnswer { surges: found, all } = *self;
        let is_shown = |(_, one): &(usize, &DescribedSurge)| all || one.part_of.is_none();
        for (at, one) in found.iter().enumerate().filter(is_shown) {
            let surge = &one.surge;
            let row = vec![
                (at + 1).to_string(),
                escape_hidden(&one.sensor),
                surge.first.to_string(),
                surge.last.to_string(),
                surge.peak.day.to_string(),
                surge.peak.count.to_string(),
                format!("{:.1}", without_negative_zero(surge.peak.expected, 1)),
                format!("{:.1e}", one.q),
                word(&one.kind),
                word(&surge.outcome),
                format!("{} {}", one.behavior.granularity(), one.behavior.notation()),
            ];
            table(out, &[head.map(str::to_owned).to_vec(), row])?;
            let pairs = |all: &[(String, u64)]| {
                all.iter()
                    .map(|(name, hosts)| format!("{} ({hosts})", escape_hidden(name)))
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            writeln!(out, "  {} hosts, {} types: {}", one.hosts, one.members.len(), pairs(&one.types))?;
            for (title, names) in [("labels", &one.labels), ("marks", &one.marks)] {
                if !names.is_empty() {
                    writeln!(out, "  {title}: {}", pairs(names))?;
                }
            }
            let hosts: Vec<String> =
                one.top_hosts.iter().map(|(host, packets)| format!("{host} ({packets} packets)")).collect();
            writeln!(out, "  hosts: {}", hosts.join(", "))?;
            let parts = found.iter().filter(|part| part.part_of == Some(at)).count();
            if parts > 0 && !all {
                writeln!(out, "  {parts} finer surges are parts of it")?;
            }
        }
        Ok(())
    }

    /// Writes one line of JSON per surge.
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        for (at, one) in self.surges.iter().enumerate() {
            let peak = &one.surge.peak;
            #[expect(clippy::cast_precision_loss, reason = "hosts of a day")]
            let ratio = (peak.expected > 0.0).then(|| peak.count as f64 / peak.expected);
            let line = JsonSurge {
                rank: at + 1,
                sensor: &one.sensor,
                granularity: one.behavior.granularity(),
                behavior: one.behavior.notation(),
                id: match &one.behavior {
                    SurgeBehavior::Service(..) => None,
                    SurgeBehavior::Named(_, id, _) => Some(*id),
                },
                kind: one.kind,
                first: one.surge.first,
                last: one.surge.last,
                peak: peak.day,
                peak_hosts: peak.count,
                expected: peak.expected,
                ratio,
                excess: one.surge.excess,
                outcome: one.surge.outcome,
                p: one.surge.p,
                q: one.q,
                part_of: one.part_of.map(|at| at + 1),
                hosts: one.hosts,
                types: one.members.len(),
                top_types: json_counts(&one.types),
                top_hosts: json_counts(&one.top_hosts),
                labels: json_counts(&one.labels),
                marks: json_counts(&one.marks),
            };
            crate::escape::json_line(out, &line)?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct JsonCount<'a, N: Serialize> {
    name: &'a N,
    count: u64,
}

#[derive(Serialize)]
struct JsonSurge<'a> {
    rank: usize,
    sensor: &'a str,
    granularity: String,
    behavior: String,
    id: Option<BehaviorId>,
    kind: SurgeKind,
    first: Date,
    last: Date,
    peak: Date,
    peak_hosts: u64,
    expected: f64,
    ratio: Option<f64>,
    excess: f64,
    outcome: Outcome,
    p: f64,
    q: f64,
    part_of: Option<usize>,
    hosts: u64,
    types: usize,
    top_types: Vec<JsonCount<'a, String>>,
    top_hosts: Vec<JsonCount<'a, IpAddr>>,
    labels: Vec<JsonCount<'a, String>>,
    marks: Vec<JsonCount<'a, String>>,
}

fn json_counts<N: Serialize>(all: &[(N, u64)]) -> Vec<JsonCount<'_, N>> {
    all.iter().map(|(name, count)| JsonCount { name, count: *count }).collect()
}

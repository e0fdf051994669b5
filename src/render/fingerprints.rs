//! Windows and daily summaries, as text and as JSON, one per line. The JSON field names are stable.

use std::fmt::Display;
use std::io::{self, Write};
use std::net::IpAddr;

use serde::{Serialize, Serializer};

use crate::behavior::{BehaviorId, Facet, Ports, ProtocolSet, Transition};
use crate::history::{DaySummary, ExamplePacket};
use crate::packet::{Clock, Timestamp};
use crate::rules::NamedWindow;

use super::answer::Answer;
use super::signature::SignatureJson;
use super::tile::Tile;

/// Ports as an array, or `"*"` if there are more than a window lists.
#[derive(Serialize)]
#[serde(untagged)]
enum PortsJson<'a> {
    Listed(&'a [u16]),
    Many(&'static str),
}

fn shown<S: Serializer>(what: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(what)
}

/// The JSON of a window or of a facet of a window.
#[derive(Serialize)]
struct FacetJson<'a> {
    source: IpAddr,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    time: &'static str,
    packets: u64,
    source_ports: u64,
    destination_ports: u64,
    destinations: u64,
    transition: Transition,
    #[serde(serialize_with = "shown")]
    protocol: &'a ProtocolSet,
    ports: PortsJson<'a>,
    canonical: &'a str,
    r#type: BehaviorId,
    shape: BehaviorId,
    shape_canonical: &'a str,
    pattern: BehaviorId,
    pattern_canonical: &'a str,
    labels: &'a [String],
    signature: Option<SignatureJson<'a>>,
    /// Whether counts are lower bounds. This field and the next are set only for whole windows.
    #[serde(skip_serializing_if = "Option::is_none")]
    saturated: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    facets: Option<Vec<FacetJson<'a>>>,
}

fn facet<'a>(window: &NamedWindow, facet: &'a Facet, labels: &'a [String], synthetic: bool) -> FacetJson<'a> {
    let fingerprint = &window.fingerprint;
    let dated = |time: Option<Timestamp>| time.filter(|_| window.clock == Clock::Absolute || synthetic);
    let parameters = &facet.parameters;
    FacetJson {
        source: fingerprint.source,
        start: dated(fingerprint.start),
        end: dated(fingerprint.end),
        time: if synthetic { "synthetic" } else { "captured" },
        packets: parameters.packets,
        source_ports: parameters.source_ports,
        destination_ports: parameters.destination_ports,
        destinations: parameters.destinations,
        transition: parameters.transition,
        protocol: &parameters.protocol,
        ports: match &parameters.ports {
            Ports::Many => PortsJson::Many("*"),
            listed => PortsJson::Listed(listed.listed()),
        },
        canonical: &facet.names.behavior.canonical,
        r#type: facet.names.behavior.id,
        shape: facet.names.shape.id,
        shape_canonical: &facet.names.shape.canonical,
        pattern: facet.names.pattern.id,
        pattern_canonical: &facet.names.pattern.canonical,
        labels,
        signature: facet.signature.as_ref().map(SignatureJson::from),
        saturated: None,
        facets: None,
    }
}

impl Answer for [DaySummary] {
    /// Writes daily summaries as a table.
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let head = ["day", "packets", "windows", "hosts", "types", "sightings"].map(str::to_owned).to_vec();
        let row = |day: &DaySummary| {
            let counts = [day.packets, day.windows, day.hosts, day.types, day.sightings];
            std::iter::once(day.day.to_string()).chain(counts.map(|count| count.to_string())).collect()
        };
        let rows: Vec<Vec<String>> = std::iter::once(head).chain(self.iter().map(row)).collect();
        super::text::table(out, &rows)
    }

    /// Writes daily summaries, one line of JSON per day.
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        for day in self {
            crate::escape::json_line(out, day)?;
        }
        Ok(())
    }
}

impl Answer for NamedWindow {
    /// Writes a window as one line of JSON.
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let synthetic = self.clock == Clock::None;
        let fingerprint = &self.fingerprint;
        let facets = fingerprint
            .facets
            .iter()
            .zip(&self.facet_labels)
            .map(|(part, labels)| facet(self, part, labels, synthetic))
            .collect();
        let view = FacetJson {
            saturated: Some(fingerprint.saturated),
            facets: Some(facets),
            ..facet(self, &fingerprint.whole, &self.labels, synthetic)
        };
        crate::escape::json_line(out, &view)
    }

    /// Writes a window as one line of text, followed by one line for each facet.
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let fingerprint = &self.fingerprint;
        let start = match (fingerprint.start, self.clock) {
            (_, Clock::None) | (None, _) => "synthetic".to_owned(),
            (Some(start), Clock::Relative) => format!("+{:.6}", start.seconds_since(Timestamp(0))),
            (Some(start), Clock::Absolute) => start.to_string(),
        };
        let line = |facet: &Facet, labels: &[String]| {
            let parameters = &facet.parameters;
            let labels =
                Some(crate::escape::escape_hidden(&labels.join(" "))).filter(|labels| !labels.is_empty());
            let signature = facet.signature.map(|signature| signature.to_string());
            let named: Vec<String> = labels.into_iter().chain(signature).collect();
            format!(
                "{} packets, {} source ports, {} destinations, {}, {} {}  {}  {}",
                parameters.packets,
                parameters.source_ports,
                parameters.destinations,
                format!("{:?}", parameters.transition).to_lowercase(),
                parameters.ports,
                parameters.protocol,
                facet.names.behavior.id,
                named.join("  ")
            )
        };
        let saturated = if fingerprint.saturated { "  (counts are lower bounds)" } else { "" };
        let whole = line(&fingerprint.whole, &self.labels);
        writeln!(out, "{} {start}  {}{saturated}", fingerprint.source, whole.trim_end())?;
        for (facet, labels) in fingerprint.facets.iter().zip(&self.facet_labels) {
            writeln!(out, "    {}", line(facet, labels).trim_end())?;
        }
        Ok(())
    }
}

/// Returns the tile of a window.
#[must_use]
pub fn tile(window: &NamedWindow, window_seconds: u32) -> Tile {
    let whole = &window.fingerprint.whole;
    let start = window.fingerprint.start.map_or_else(|| "no time".to_owned(), |start| start.to_string());
    Tile {
        title: format!("{}", window.fingerprint.source),
        packets: ExamplePacket::from_window(&window.window),
        packets_total: whole.parameters.packets,
        window_seconds,
        synthetic_time: window.clock == Clock::None,
        legend: vec![
            ("from".to_owned(), start),
            ("type".to_owned(), whole.names.behavior.canonical.clone()),
            ("labels".to_owned(), window.labels.join(", ")),
        ],
    }
}

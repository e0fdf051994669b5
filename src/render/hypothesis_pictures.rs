//! The pictures of a hypothesis: its paired tiles and the series of its hosts.

use crate::behavior::{BehaviorId, Parameters};
use crate::correlate::{Hypothesis, gaps};
use crate::history::{Coverage, Example, ExamplePacket};
use crate::sample::{SampleProfile, ScanWindow};

use super::hypotheses::{format_to_second, gaps_in_words};
use super::plot::{Band, DateMark, PlotLine, SeriesPlot, TimePosition};
use super::tile::Tile;

/// Returns the plot of a hypothesis' unique hosts per day, with the sample's date and the outages marked
/// (nicter report 2009, figure 11).
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "hosts of a day, for a picture")]
pub fn plot(hypothesis: &Hypothesis, coverage: &Coverage) -> SeriesPlot {
    let value = |(day, hosts): &(_, Option<u64>)| (TimePosition::day(*day), hosts.map(|hosts| hosts as f64));
    let values = hypothesis.daily_hosts.iter().map(value).collect();
    let bands = coverage
        .outages
        .iter()
        .map(|outage| Band { first: outage.first, last: outage.last, label: outage.reason.clone() })
        .collect();
    let mut marks = Vec::new();
    if let Some((span, what)) = hypothesis.sample_date {
        marks.push(DateMark { day: span.first, label: format!("sample {what} {span}") });
    }
    let granularity = hypothesis.granularity.map_or_else(String::new, |granularity| granularity.to_string());
    SeriesPlot {
        title: format!("Sensor {}: hosts of the matching {granularity}", hypothesis.sensor),
        unit: "unique hosts a day".to_owned(),
        second_unit: None,
        lines: vec![PlotLine { name: granularity, values, ..PlotLine::default() }],
        bands,
        marks,
        log: false,
    }
}

/// The paired tiles of a hypothesis (nicter report 2009, figures 9 and 10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TilePair {
    /// The sample's window of the matching type, or its first window if no window has that type.
    pub micro: Tile,
    /// The sensor's example window.
    pub sensor: Tile,
    /// The parameters that differ between the two windows, in words.
    pub differences: Vec<String>,
}

/// Returns the tiles of a hypothesis; `None` if nothing matched, the sensor has no example window, or the
/// sample has no window.
#[must_use]
pub fn tile_pair(hypothesis: &Hypothesis, sample: &SampleProfile, window_seconds: u32) -> Option<TilePair> {
    let matched = hypothesis.matched.as_ref()?;
    let example = matched.example.as_ref()?;
    let (micro, parameters) =
        sample_tile(&hypothesis.title, sample, Some(matched.behavior.id), window_seconds)?;
    let seen = matched.observed_type.as_ref();
    let type_ = seen.map_or("", |record| record.behavior.canonical.as_str());
    let sensor = example_tile(&hypothesis.sensor, example, type_, &matched.labels.join(", "), window_seconds);
    let differences =
        seen.map_or_else(Vec::new, |record| gaps_in_words(&gaps(&parameters, &record.parameters)));
    Some(TilePair { micro, sensor, differences })
}

/// Returns the tile of a sample's window of a type, or of its first window if none has that type, and the window's
/// parameters; `None` if the sample has no window.
#[must_use]
pub fn sample_tile(
    title: &str,
    sample: &SampleProfile,
    behavior: Option<BehaviorId>,
    window_seconds: u32,
) -> Option<(Tile, Parameters)> {
    let is_it = |window: &&ScanWindow| Some(window.fingerprint.whole.names.behavior.id) == behavior;
    let window = sample.windows.iter().find(is_it).or(sample.windows.first())?;
    let parameters = window.fingerprint.whole.parameters.clone();
    let micro = Tile {
        packets_total: parameters.packets,
        synthetic_time: sample.synthetic_time,
        legend: vec![
            ("host".to_owned(), window.fingerprint.source.to_string()),
            ("type".to_owned(), window.fingerprint.whole.names.behavior.canonical.clone()),
        ],
        ..tile(format!("Sample {title} (micro)"), &ExamplePacket::from_window(&window.window), window_seconds)
    };
    Some((micro, parameters))
}

/// Returns the tile of a sensor's example window of a type.
#[must_use]
pub fn example_tile(
    sensor: &str,
    example: &Example,
    canonical: &str,
    labels: &str,
    window_seconds: u32,
) -> Tile {
    Tile {
        legend: vec![
            ("host".to_owned(), example.host.to_string()),
            ("type".to_owned(), canonical.to_owned()),
            ("from".to_owned(), format!("{} UTC", format_to_second(example.start))),
            ("labels".to_owned(), labels.to_owned()),
        ],
        ..tile(format!("Sensor {sensor} (macro)"), &example.packets, window_seconds)
    }
}

fn tile(title: String, packets: &[ExamplePacket], window_seconds: u32) -> Tile {
    Tile {
        title,
        packets: packets.to_vec(),
        packets_total: packets.len() as u64,
        window_seconds,
        ..Tile::default()
    }
}

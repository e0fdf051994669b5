//! The captures of a history, as text and JSON. The JSON field names are stable.

use std::io::{self, Write};

use crate::escape::escape_hidden;
use crate::history::ListedCapture;
use crate::packet::Timestamp;

use super::answer::Answer;
use super::text::table;

/// Describes a capture in words.
#[must_use]
pub fn capture_in_words(ListedCapture { sensor, record, .. }: &ListedCapture) -> String {
    let dark = record.packets;
    format!(
        "{} of sensor {} ({dark} packets to dark addresses)",
        escape_hidden(&record.name),
        escape_hidden(&sensor.name)
    )
}

impl Answer for [ListedCapture] {
    /// Writes captures as a table.
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let header = [
            "sensor", "capture", "first", "last", "spans", "dark", "packets", "lost", "fed", "remove", "hash",
        ];
        let mut rows = vec![header.map(str::to_owned).to_vec()];
        let time = |time: Option<Timestamp>| time.map_or_else(|| "-".to_owned(), |time| time.to_string());
        for one in self {
            let ListedCapture { sensor, record, removable } = one;
            rows.push(vec![
                escape_hidden(&sensor.name),
                escape_hidden(&record.name),
                time(record.first()),
                time(record.last()),
                record.spans.len().to_string(),
                record.packets.to_string(),
                record.recorded.to_string(),
                record.dropped.map_or_else(|| "-".to_owned(), |lost| lost.to_string()),
                record.fed_at.to_string(),
                if *removable { "yes" } else { "no" }.to_owned(),
                one.hash(),
            ]);
        }
        table(out, &rows)
    }

    /// Writes one line of JSON per capture.
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        for one in self {
            let ListedCapture { sensor, record, removable } = one;
            let row = serde_json::json!({
                "sensor": sensor.name,
                "name": record.name,
                "hash": one.hash(),
                "spans": record.spans.iter().map(span_json).collect::<Vec<_>>(),
                "packets_dark": record.packets,
                "packets": record.recorded,
                "dropped": record.dropped,
                "fed_at": record.fed_at.to_string(),
                "removable": removable,
            });
            crate::escape::json_line(out, &row)?;
        }
        Ok(())
    }
}

fn span_json((first, last): &(Timestamp, Timestamp)) -> serde_json::Value {
    serde_json::json!({"first": first.to_string(), "last": last.to_string()})
}

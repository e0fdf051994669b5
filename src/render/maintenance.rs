//! The results of maintaining a history, as text and JSON. The JSON field names are stable.

use std::io::{self, Write};

use crate::escape::escape_hidden;
use crate::history::{
    CompactionSummary, ContentSize, DroppedDays, JoinSummary, RenumberedIncident, RetentionSummary, Seam,
    VerificationResult, VerificationSummary,
};

use super::answer::Answer;

/// Describes dropped sightings in a sentence that begins with `verb`.
#[must_use]
pub fn dropped_sightings(verb: &str, plan: &RetentionSummary) -> String {
    let RetentionSummary { kept_from: from, months, sightings, bytes } = plan;
    let sensors: Vec<String> = from.iter().map(|(sensor, from)| format!("{sensor} before {from}")).collect();
    let of = if sensors.is_empty() { String::new() } else { format!(" ({})", sensors.join(", ")) };
    format!("{verb} {sightings} sightings of {months} months of sensors, {bytes} bytes{of}")
}

/// Describes dropped days and captures in a sentence that begins with `verb`.
#[must_use]
pub fn dropped_days(
    verb: &str,
    DroppedDays { days, whole_captures: whole, cut_captures: cut }: &DroppedDays,
) -> String {
    format!("{verb} {days} recorded days and {} captures, and cut {} captures", whole.len(), cut.len())
}

impl Answer for JoinSummary {
    /// Writes the result of joining histories as text.
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let JoinSummary { sensors, captures, shared_captures: same, seams, incidents, renumbered_incidents } =
            self;
        for name in same {
            writeln!(out, "{}: several histories have it, taken once", escape_hidden(name))?;
        }
        for Seam { sensor, at, cut_windows: cut } in seams {
            writeln!(
                out,
                "sensor {}: histories meet at {at}, {cut} windows are cut there",
                escape_hidden(sensor)
            )?;
        }
        for RenumberedIncident { history, from, to } in renumbered_incidents {
            writeln!(out, "incident {from} of {history} is incident {to} now")?;
        }
        writeln!(out, "{sensors} sensors with {captures} captures and {incidents} incidents joined")
    }

    /// Writes the result of joining histories as one line of JSON.
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let JoinSummary { sensors, captures, shared_captures: same, seams, incidents, renumbered_incidents } =
            self;
        let seam = |Seam { sensor, at, cut_windows: cut }: &Seam| serde_json::json!({"sensor": sensor, "at": at.to_string(), "windows_cut": cut});
        let seams: Vec<_> = seams.iter().map(seam).collect();
        let renumbered = |RenumberedIncident { history, from, to }: &RenumberedIncident| serde_json::json!({"history": history, "from": from, "to": to});
        let renumbered: Vec<_> = renumbered_incidents.iter().map(renumbered).collect();
        let row = serde_json::json!({
            "sensors": sensors, "captures": captures, "taken_once": same, "seams": seams,
            "incidents": incidents, "renumbered": renumbered,
        });
        crate::escape::json_line(out, &row)
    }
}

impl Answer for [ContentSize] {
    /// Writes the sizes of a history's contents, separated by tabs.
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let text = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        writeln!(out, "what\trows\tfiles\tbytes")?;
        for ContentSize { name: what, rows, files, bytes } in self {
            writeln!(out, "{what}\t{rows}\t{}\t{}", text(*files), text(*bytes))?;
        }
        Ok(())
    }

    /// Writes the sizes of a history's contents, one line of JSON each.
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        for ContentSize { name: what, rows, files, bytes } in self {
            let row = serde_json::json!({"what": what, "rows": rows, "files": files, "bytes": bytes});
            crate::escape::json_line(out, &row)?;
        }
        Ok(())
    }
}

/// Describes the result of merging segments in a sentence.
#[must_use]
pub fn compacted(merged: &CompactionSummary) -> String {
    let CompactionSummary { days, months, bytes_before, bytes_after } = merged;
    format!(
        "{days} days and {months} months of sensors merged: segments had {bytes_before} bytes, now {bytes_after}"
    )
}

/// Writes the faults of a history, and how much was verified.
///
/// # Errors
/// Fails if `out` cannot be written to.
pub fn verified(out: &mut dyn Write, verified: &VerificationResult) -> io::Result<()> {
    let VerificationResult { checked, faults } = verified;
    for fault in faults {
        writeln!(out, "{}", escape_hidden(fault))?;
    }
    let verdict = if faults.is_empty() { "all as it was written" } else { "not as it was written" };
    let VerificationSummary { rows, segments, types, days } = checked;
    writeln!(
        out,
        "{rows} rows of the catalog, {segments} segments, {types} types, {days} days of sensors checked: {verdict}"
    )
}

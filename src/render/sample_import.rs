//! Samples that were imported from the output of sandboxes, as text and JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::escape::{escape_hidden, json_line, path};
use crate::sample::{
    FamilyDetection, Identity, ImportResult, ImportedRun, ImportedSample, RunConditions, SampleFamily,
    StaticFeatures,
};

use super::text::table;

/// Writes imported samples as a table, the problems of their runs, and numbers. `is_kept` says whether
/// they were written anywhere.
///
/// # Errors
/// Fails if `out` cannot be written to.
pub fn text(out: &mut dyn Write, result: &ImportResult, is_kept: bool) -> io::Result<()> {
    let heads = ["sample", "family", "runs", "packets", "victim", "first run", "file"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(result.samples.iter().map(row));
    if !result.samples.is_empty() {
        table(out, &rows)?;
        writeln!(out)?;
    }
    for run in result.samples.iter().flat_map(|sample| &sample.runs) {
        for problem in &run.problems {
            writeln!(out, "{}: {}", path(&run.source), escape_hidden(problem))?;
        }
    }
    for sample in &result.samples {
        let new = sample.draft.runs.len();
        if let Some(kept) = sample.runs_kept.filter(|kept| *kept > new) {
            writeln!(out, "{}: {new} runs added or replaced; the history has {kept}", sample.draft.id())?;
        }
    }
    let ImportCounts { samples, runs, without_capture, failed, passed_over } = ImportCounts::of(result);
    let of_these = match without_capture {
        0 => String::new(),
        count => format!(" ({count} without a usable capture)"),
    };
    let done = match is_kept {
        true => "imported",
        false => "read; give --to or --history to keep them",
    };
    writeln!(out, "{samples} samples with {runs} runs{of_these} {done}")?;
    writeln!(out, "{failed} could not be imported, {passed_over} other files were passed over")
}

fn row(sample: &ImportedSample) -> Vec<String> {
    let dash = || "-".to_owned();
    let draft = &sample.draft;
    let family = sample.family.as_ref().map_or_else(dash, |family| escape_hidden(&family.name));
    let packets = sample.runs.iter().filter_map(|run| run.packets).reduce(|sum, more| sum + more);
    let mut victims: Vec<String> =
        sample.runs.iter().flat_map(|run| &run.victims).map(ToString::to_string).collect();
    victims.sort();
    victims.dedup();
    vec![
        draft.id(),
        family,
        sample.runs.len().to_string(),
        packets.map_or_else(|| "none".to_owned(), |packets| packets.to_string()),
        if victims.is_empty() { dash() } else { victims.join(" ") },
        draft.first_run.map_or_else(dash, |date| date.to_string()),
        draft.features.file_name.as_deref().map_or_else(dash, escape_hidden),
    ]
}

/// Numbers of the summary.
#[derive(Serialize)]
struct ImportCounts {
    /// Samples that were imported.
    samples: usize,
    /// Runs of these samples.
    runs: usize,
    /// Runs without a usable capture.
    without_capture: usize,
    /// Paths and samples that could not be imported.
    failed: usize,
    /// Files that are neither reports nor captures.
    passed_over: u64,
}

impl ImportCounts {
    fn of(result: &ImportResult) -> ImportCounts {
        let imported = || result.samples.iter().filter(|sample| sample.failed.is_none());
        let runs = || imported().flat_map(|sample| &sample.runs);
        ImportCounts {
            samples: imported().count(),
            runs: runs().count(),
            without_capture: runs().filter(|run| run.packets.is_none()).count(),
            failed: result.failed.len() + result.samples.len() - imported().count(),
            passed_over: result.passed.len() as u64 + result.passed_more,
        }
    }
}

/// A line of JSON for a sample.
#[derive(Serialize)]
struct ImportedSampleJson<'a> {
    sample: String,
    identity: &'a Identity,
    features: &'a StaticFeatures,
    family: Option<FamilyJson<'a>>,
    detections: &'a [FamilyDetection],
    names: &'a BTreeMap<String, String>,
    first_run: Option<String>,
    has_capture: bool,
    runs: Vec<ImportedRunJson<'a>>,
    contacts: &'a [String],
    runs_in_history: Option<usize>,
    error: Option<&'a str>,
}

#[derive(Serialize)]
struct FamilyJson<'a> {
    name: &'a str,
    known_by: String,
    disagreeing: &'a [String],
}

fn family_json(family: &SampleFamily) -> FamilyJson<'_> {
    let SampleFamily { name, basis, disagreeing, .. } = family;
    FamilyJson { name, known_by: basis.to_string(), disagreeing }
}

#[derive(Serialize)]
struct ImportedRunJson<'a> {
    source: String,
    #[serde(flatten)]
    conditions: &'a RunConditions,
    packets: Option<u64>,
    victims: Vec<String>,
    problems: &'a [String],
}

/// A line of JSON for a path that was not imported.
#[derive(Serialize)]
struct ImportPathJson<'a> {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    passed_over: Option<&'a str>,
}

/// Writes a line of JSON for each sample, for each path that was not imported, and for the numbers.
///
/// # Errors
/// Fails if `out` cannot be written to.
pub fn json(out: &mut dyn Write, result: &ImportResult) -> io::Result<()> {
    for ImportedSample { draft, family, runs, runs_kept, failed } in &result.samples {
        let line = ImportedSampleJson {
            sample: draft.id(),
            identity: &draft.identity,
            features: &draft.features,
            family: family.as_ref().map(family_json),
            detections: &draft.detections,
            names: &draft.names,
            first_run: draft.first_run.map(|date| date.to_string()),
            has_capture: !draft.runs.is_empty(),
            runs: runs.iter().map(run_json).collect(),
            contacts: &draft.contacts,
            runs_in_history: *runs_kept,
            error: failed.as_deref(),
        };
        json_line(out, &line)?;
    }
    let line = |file: &Path, error, passed_over| ImportPathJson { path: path(file), error, passed_over };
    for (file, why) in &result.failed {
        json_line(out, &line(file, Some(why), None))?;
    }
    for (file, why) in &result.passed {
        json_line(out, &line(file, None, Some(why)))?;
    }
    json_line(out, &ImportCounts::of(result))
}

fn run_json(run: &ImportedRun) -> ImportedRunJson<'_> {
    ImportedRunJson {
        source: path(&run.source),
        conditions: &run.conditions,
        packets: run.packets,
        victims: run.victims.iter().map(ToString::to_string).collect(),
        problems: &run.problems,
    }
}

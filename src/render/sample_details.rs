//! Everything that a history knows of one sample, as text and as JSON.

use std::io::{self, Write};

use serde::Serialize;

use crate::escape::{escape_hidden, json_line};
use crate::sample::{
    FamilyDetection, Identity, PartialDate, PooledScan, RunConditions, RunDetails, RunObservation,
    SampleDetails, StaticFeatures, StaticNeighbour,
};

use super::answer::Answer;
use super::projection::{ScanJson, scan_in_words};
use super::sample_probes::{SampleProbesJson, probes_in_words, probes_json};

impl Answer for SampleDetails {
    /// Writes everything that is known of the sample, under headings.
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let SampleDetails { path, report, member, runs, scans, probes } = self;
        let mut line = |indent: usize, text: &str| writeln!(out, "{:indent$}{}", "", escape_hidden(text));
        line(0, &report.title())?;
        for (name, hash) in hashes(&report.identity) {
            line(2, &format!("{name}: {hash}"))?;
        }
        line(2, &format!("report: {path}"))?;
        line(2, &format!("family: {} ({})", member.family.name, member.family.basis))?;
        if !member.family.disagreeing.is_empty() {
            line(2, &format!("other families: {}", member.family.disagreeing.join(", ")))?;
        }
        if let Some(discovery) = &report.discovered {
            let by = discovery.source.as_ref().map(|source| format!(" by {source}")).unwrap_or_default();
            line(2, &format!("discovered: {}{by}", discovery.date))?;
        }
        if let Some(acquired) = report.acquired {
            line(2, &format!("acquired: {acquired}"))?;
        }
        if let Some(origin) = &report.origin {
            line(2, &format!("origin: {origin}"))?;
        }
        line(0, "static features")?;
        for (name, value) in features(&report.features) {
            line(2, &format!("{name}: {value}"))?;
        }
        for (vendor, name) in &report.names {
            line(2, &format!("named by {vendor}: {name}"))?;
        }
        for FamilyDetection { family, source } in &report.detections {
            line(2, &format!("detected by {source}: {family}"))?;
        }
        for StaticNeighbour { sample, family, reasons } in &member.neighbours {
            line(2, &format!("like {sample} of {family}: {}", reasons.join("; ")))?;
        }
        line(0, &format!("runs: {}", runs.len()))?;
        for run in runs {
            line(2, &run_in_words(run))?;
        }
        if scans.is_empty() {
            line(0, "scan: none of the runs shows one")?;
        }
        for (place, variant) in scans.iter().enumerate() {
            line(0, &scan_heading(place, variant, scans.len()))?;
            for difference in &variant.differences {
                line(2, &format!("differs: {difference}"))?;
            }
            for words in scan_in_words(&variant.scan) {
                line(2, &words)?;
            }
        }
        for probes in probes {
            probes_in_words(probes).iter().try_for_each(|(indent, words)| line(*indent, words))?;
        }
        Ok(())
    }

    /// Writes one line of JSON.
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let SampleDetails { path, report, member, runs, scans, probes } = self;
        let discovery = report.discovered.as_ref();
        json_line(
            out,
            &SampleDetailsJson {
                sample: &member.id,
                title: &member.title,
                path,
                identity: &report.identity,
                family: &member.family.name,
                is_named: member.family.is_named,
                known_by: member.family.basis.to_string(),
                disagreeing: &member.family.disagreeing,
                discovered: discovery.map(|discovery| discovery.date),
                discovered_by: discovery.and_then(|discovery| discovery.source.as_deref()),
                acquired: report.acquired,
                origin: report.origin.as_deref(),
                features: &report.features,
                names: &report.names,
                detections: &report.detections,
                neighbours: &member.neighbours,
                runs: runs.iter().map(run_json).collect(),
                scans: scans.iter().map(scan_json).collect(),
                probes: probes.iter().map(probes_json).collect(),
            },
        )
    }
}

/// Returns the hashes, dates and static features of a sample, each with its name, as far as they are known.
#[must_use]
pub fn facts(details: &SampleDetails) -> Vec<(String, String)> {
    let report = &details.report;
    let mut facts: Vec<(String, String)> =
        hashes(&report.identity).map(|(name, hash)| (name.to_owned(), hash.clone())).collect();
    if let Some(discovery) = &report.discovered {
        let by = discovery.source.as_ref().map(|source| format!(" by {source}")).unwrap_or_default();
        facts.push(("Discovered".to_owned(), format!("{}{by}", discovery.date)));
    }
    facts.extend(report.acquired.map(|date| ("Acquired".to_owned(), date.to_string())));
    facts.extend(report.origin.iter().map(|origin| ("Origin".to_owned(), origin.clone())));
    facts.extend(features(&report.features).into_iter().map(|(name, value)| (name.to_owned(), value)));
    for FamilyDetection { family, source } in &report.detections {
        facts.push((format!("Detected by {source}"), family.clone()));
    }
    facts
}

fn hashes(identity: &Identity) -> impl Iterator<Item = (&'static str, &String)> {
    let all = [("MD5", &identity.md5), ("SHA-1", &identity.sha1), ("SHA-256", &identity.sha256)];
    all.into_iter().filter_map(|(name, hash)| Some((name, hash.as_ref()?)))
}

fn features(features: &StaticFeatures) -> Vec<(&'static str, String)> {
    let StaticFeatures { file_name, file_type, size, ssdeep, tlsh, imphash, rich_hash, yara } = features;
    let size = size.map(|bytes| format!("{bytes} bytes"));
    let yara = (!yara.is_empty()).then(|| yara.join(", "));
    let all = [
        ("file", file_name),
        ("type", file_type),
        ("size", &size),
        ("imphash", imphash),
        ("rich header", rich_hash),
        ("TLSH", tlsh),
        ("ssdeep", ssdeep),
        ("YARA", &yara),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect()
}

/// Describes a run in a line: its capture, its conditions and what it shows.
#[must_use]
pub fn run_in_words(run: &RunDetails) -> String {
    let RunConditions { sandbox, machine, route, package, started, ended, seconds, timed_out } =
        &run.conditions;
    let mut words: Vec<String> = Vec::new();
    words.extend(sandbox.clone());
    words.extend(machine.as_ref().map(|machine| format!("machine {machine}")));
    words.extend(route.as_ref().map(|route| format!("route {route}")));
    words.extend(package.as_ref().map(|package| format!("package {package}")));
    words.extend(started.map(|time| format!("from {time}")));
    words.extend(ended.map(|time| format!("to {time}")));
    words.extend(seconds.map(|seconds| format!("{seconds} s")));
    words.extend(timed_out.and_then(|is_out| is_out.then(|| "ended by the sandbox".to_owned())));
    match run.observed {
        None if run.capture.is_none() => words.push("without a capture".to_owned()),
        None => words.push("shows nothing".to_owned()),
        Some(RunObservation { is_answered, windows, scan_seconds, accesses }) => {
            words.push(if is_answered { "answered" } else { "silent" }.to_owned());
            let time = scan_seconds.map(|seconds| format!(" in {seconds:.0} s")).unwrap_or_default();
            words.push(format!("{windows} windows of the scan{time}"));
            words.push(format!("{accesses} other packets"));
        }
    }
    format!("{}: {}", run.capture.as_deref().unwrap_or("-"), words.join(", "))
}

fn scan_heading(place: usize, variant: &PooledScan, variants: usize) -> String {
    let runs = variant.runs.len();
    match variants {
        1 => format!("scan (of {runs} runs)"),
        _ => format!("scan, variant {} (of {runs} runs)", place + 1),
    }
}

/// The line of JSON.
#[derive(Serialize)]
struct SampleDetailsJson<'a> {
    sample: &'a str,
    title: &'a str,
    path: &'a str,
    identity: &'a Identity,
    family: &'a str,
    is_named: bool,
    known_by: String,
    disagreeing: &'a [String],
    discovered: Option<PartialDate>,
    discovered_by: Option<&'a str>,
    acquired: Option<PartialDate>,
    origin: Option<&'a str>,
    features: &'a StaticFeatures,
    names: &'a std::collections::BTreeMap<String, String>,
    detections: &'a [FamilyDetection],
    neighbours: &'a [StaticNeighbour],
    runs: Vec<RunDetailsJson<'a>>,
    scans: Vec<PooledScanJson<'a>>,
    probes: Vec<SampleProbesJson<'a>>,
}

#[derive(Serialize)]
struct RunDetailsJson<'a> {
    capture: Option<&'a str>,
    #[serde(flatten)]
    conditions: &'a RunConditions,
    answered: Option<bool>,
    windows: Option<usize>,
    scan_seconds: Option<f64>,
    accesses: Option<u64>,
}

/// A scan; `runs` are indices of the list of runs that show a scan, from 0.
#[derive(Serialize)]
struct PooledScanJson<'a> {
    runs: &'a [usize],
    differences: &'a [String],
    targets: u64,
    #[serde(flatten)]
    scan: ScanJson<'a>,
}

fn run_json(run: &RunDetails) -> RunDetailsJson<'_> {
    RunDetailsJson {
        capture: run.capture.as_deref(),
        conditions: &run.conditions,
        answered: run.observed.map(|observed| observed.is_answered),
        windows: run.observed.map(|observed| observed.windows),
        scan_seconds: run.observed.and_then(|observed| observed.scan_seconds),
        accesses: run.observed.map(|observed| observed.accesses),
    }
}

fn scan_json(variant: &PooledScan) -> PooledScanJson<'_> {
    let scan = &variant.scan;
    PooledScanJson {
        runs: &variant.runs,
        differences: &variant.differences,
        targets: scan.targets,
        scan: scan.into(),
    }
}

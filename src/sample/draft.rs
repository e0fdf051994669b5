//! A sample report that inga writes: it is put together from the reports of sandboxes on one sample.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;

use jiff::civil::Date;

use super::{FamilyDetection, Identity, RunConditions, SandboxReport, StaticFeatures};

/// Maximum number of detections, of names and of YARA rules: a report must not exceed 1 MiB.
const LISTED_MAX: usize = 300;

/// A sample report that is put together from reports of sandboxes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DraftReport {
    /// Hashes of the sample.
    pub identity: Identity,
    /// Static features of the sample.
    pub features: StaticFeatures,
    /// Malware families that sandboxes name.
    pub detections: Vec<FamilyDetection>,
    /// Names that antivirus products give the sample, by vendor.
    pub names: BTreeMap<String, String>,
    /// The date of the first run.
    pub first_run: Option<Date>,
    /// The victims of the runs, if their captures alone do not show them.
    pub victims: Vec<IpAddr>,
    /// The runs that have a capture: the capture's file name, which inga chose, and the conditions.
    pub runs: Vec<(String, RunConditions)>,
    /// The conditions of the runs without a usable capture.
    pub runs_without_capture: Vec<RunConditions>,
    /// Services that the victim contacted in runs without a usable capture, such as `445/tcp on 20 hosts`.
    pub contacts: Vec<String>,
}

impl DraftReport {
    /// Adds what a sandbox's report states about the sample.
    pub fn add(&mut self, report: &SandboxReport) {
        self.add_identity(&report.identity);
        self.features.add(&report.features, LISTED_MAX);
        for detection in &report.detections {
            if self.detections.len() < LISTED_MAX && !self.detections.contains(detection) {
                self.detections.push(detection.clone());
            }
        }
        for (vendor, name) in &report.names {
            if self.names.len() < LISTED_MAX {
                self.names.entry(vendor.clone()).or_insert_with(|| name.clone());
            }
        }
        let date = report.run.started.map(|started| started.at.date());
        self.first_run = [self.first_run, date].into_iter().flatten().min();
    }

    /// Adds the hashes that are not known yet.
    pub fn add_identity(&mut self, identity: &Identity) {
        fill(&mut self.identity.md5, &identity.md5);
        fill(&mut self.identity.sha1, &identity.sha1);
        fill(&mut self.identity.sha256, &identity.sha256);
    }

    /// Returns the identifier of the sample, as [`SampleReport::id`](super::SampleReport::id).
    #[must_use]
    pub fn id(&self) -> String {
        self.identity.id()
    }

    /// Returns the report as YAML. All texts are quoted and escaped, because attackers may have chosen them.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _infallible = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let Identity { md5, sha1, sha256 } = &self.identity;
        entries(out, "identity", &[("md5", md5), ("sha1", sha1), ("sha256", sha256)])?;
        if !self.detections.is_empty() {
            writeln!(out, "detections:")?;
            for FamilyDetection { family, source } in &self.detections {
                writeln!(out, "  - {{family: {}, source: {}}}", quoted(family), quoted(source))?;
            }
        }
        if !self.names.is_empty() {
            writeln!(out, "names:")?;
            for (vendor, name) in &self.names {
                writeln!(out, "  {}: {}", quoted(vendor), quoted(name))?;
            }
        }
        if let Some(date) = self.first_run {
            writeln!(out, "acquired: {date}  # the date of the first run")?;
        }
        self.write_features(out)?;
        if !self.victims.is_empty() {
            let victims: Vec<String> =
                self.victims.iter().map(|victim| quoted(&victim.to_string())).collect();
            writeln!(out, "victims: [{}]", victims.join(", "))?;
        }
        self.write_runs(out)
    }

    fn write_features(&self, out: &mut String) -> std::fmt::Result {
        let StaticFeatures { file_name, file_type, size, ssdeep, tlsh, imphash, rich_hash, yara } =
            &self.features;
        let all = [
            ("file_name", file_name),
            ("file_type", file_type),
            ("ssdeep", ssdeep),
            ("tlsh", tlsh),
            ("imphash", imphash),
            ("rich_hash", rich_hash),
        ];
        if self.features == StaticFeatures::default() {
            return Ok(());
        }
        writeln!(out, "features:")?;
        for (name, value) in all {
            if let Some(value) = value {
                writeln!(out, "  {name}: {}", quoted(value))?;
            }
        }
        if let Some(size) = size {
            writeln!(out, "  size: {size}")?;
        }
        if !yara.is_empty() {
            let yara: Vec<String> = yara.iter().map(|rule| quoted(rule)).collect();
            writeln!(out, "  yara: [{}]", yara.join(", "))?;
        }
        Ok(())
    }

    fn write_runs(&self, out: &mut String) -> std::fmt::Result {
        if !self.runs.is_empty() {
            writeln!(out, "captures:")?;
            for (capture, conditions) in &self.runs {
                writeln!(out, "  - path: {}", quoted(capture))?;
                let conditions = flow_map(conditions);
                if !conditions.is_empty() {
                    writeln!(out, "    run: {{{conditions}}}")?;
                }
            }
            return Ok(());
        }
        writeln!(out, "without_capture:")?;
        for conditions in &self.runs_without_capture {
            writeln!(out, "  - {{{}}}", flow_map(conditions))?;
        }
        if !self.contacts.is_empty() {
            let contacts = format!("Contacts that the sandbox lists: {}", self.contacts.join(", "));
            writeln!(out, "notes: {}", quoted(&contacts))?;
        }
        Ok(())
    }
}

fn fill(known: &mut Option<String>, other: &Option<String>) {
    if known.is_none() {
        known.clone_from(other);
    }
}

fn quoted(text: &str) -> String {
    crate::escape::yaml(text)
}

/// Writes a block of those entries that have a value.
fn entries(out: &mut String, name: &str, all: &[(&str, &Option<String>)]) -> std::fmt::Result {
    writeln!(out, "{name}:")?;
    for (key, value) in all {
        if let Some(value) = value {
            writeln!(out, "  {key}: {}", quoted(value))?;
        }
    }
    Ok(())
}

/// Returns the entries of a run's conditions, without braces.
fn flow_map(conditions: &RunConditions) -> String {
    let RunConditions { sandbox, machine, route, package, started, ended, seconds, timed_out } = conditions;
    let mut all: Vec<String> = Vec::new();
    for (key, value) in [("sandbox", sandbox), ("machine", machine), ("route", route), ("package", package)] {
        all.extend(value.as_ref().map(|value| format!("{key}: {}", quoted(value))));
    }
    for (key, time) in [("started", started), ("ended", ended)] {
        all.extend(time.map(|time| format!("{key}: \"{time}\"")));
    }
    all.extend(seconds.map(|seconds| format!("seconds: {seconds}")));
    all.extend(timed_out.map(|timed_out| format!("timed_out: {timed_out}")));
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::SampleReport;

    fn draft() -> DraftReport {
        DraftReport {
            identity: Identity {
                md5: Some("a2eaf57c47a118e91a5edf694685eee7".to_owned()),
                ..Identity::default()
            },
            features: StaticFeatures {
                file_name: Some("x\"\u{202e}: [\n".to_owned()),
                file_type: Some("ELF 32-bit LSB executable, ARM".to_owned()),
                size: Some(61_440),
                yara: vec!["a: b".to_owned()],
                ..StaticFeatures::default()
            },
            detections: vec![FamilyDetection { family: "}{".to_owned(), source: "CAPE (Yara)".to_owned() }],
            names: [("# vendor".to_owned(), "- name".to_owned())].into(),
            first_run: Some(jiff::civil::date(2021, 3, 23)),
            victims: vec!["fe80::1".parse().unwrap(), "192.0.2.1".parse().unwrap()],
            ..DraftReport::default()
        }
    }

    #[test]
    fn a_draft_is_read_as_it_was_written_whatever_its_texts_are() {
        let conditions = RunConditions {
            sandbox: Some("CAPE 2.4".to_owned()),
            machine: Some("'\"\\".to_owned()),
            started: Some("2021-03-23 12:38:26".parse().unwrap()),
            ended: Some("2021-03-23T12:42:24Z".parse().unwrap()),
            seconds: Some(238),
            timed_out: Some(true),
            ..RunConditions::default()
        };
        let with_runs = DraftReport {
            runs: vec![
                ("run-1.pcap".to_owned(), conditions.clone()),
                ("run-2.pcap".to_owned(), RunConditions::default()),
            ],
            ..draft()
        };
        let report = SampleReport::parse(&with_runs.to_yaml()).unwrap();
        assert_eq!((&report.identity, &report.names), (&with_runs.identity, &with_runs.names));
        assert_eq!((&report.features, &report.detections), (&with_runs.features, &with_runs.detections));
        assert_eq!(
            (&report.victims, report.acquired.unwrap().first),
            (&with_runs.victims, with_runs.first_run.unwrap())
        );
        let runs: Vec<_> =
            report.captures.iter().map(|capture| (capture.path(), capture.run().cloned())).collect();
        assert_eq!(runs, [("run-1.pcap", Some(conditions.clone())), ("run-2.pcap", None)]);
        let without = DraftReport {
            runs_without_capture: vec![conditions.clone(), RunConditions::default()],
            contacts: vec!["445/tcp on 20 hosts".to_owned()],
            ..draft()
        };
        let report = SampleReport::parse(&without.to_yaml()).unwrap();
        assert!(report.captures.is_empty());
        assert_eq!(report.without_capture, [conditions, RunConditions::default()]);
    }
}

//! Puts the runs of one sample together.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use crate::rules::Rules;
use crate::sample::{DraftReport, ImportedRun, RunConditions};

use super::super::CaptureOptions;
use super::captured::{CheckedCapture, checked};
use super::run::SandboxRun;

/// Maximum number of captures of one sample. A report must not exceed 1 MiB.
const CAPTURES_MAX: usize = 500;
/// Maximum number of contacts that are named of runs without a capture.
const CONTACTS_MAX: usize = 20;

/// The runs of one sample.
#[derive(Default)]
pub(super) struct SampleRuns {
    pub(super) draft: DraftReport,
    pub(super) runs: Vec<ImportedRun>,
    /// The captures, in the order of the runs of the draft.
    pub(super) captures: Vec<CheckedCapture>,
}

/// All samples, by their hashes.
#[derive(Default)]
pub(super) struct SamplesByHash {
    groups: Vec<SampleRuns>,
    by_hash: HashMap<String, usize>,
}

impl SamplesByHash {
    /// Checks the captures of a run, and adds the run to its sample.
    pub(super) fn add(&mut self, run: SandboxRun, options: &CaptureOptions, rules: &Rules) {
        let identity = &run.identity;
        let hashes: Vec<String> =
            [&identity.sha256, &identity.sha1, &identity.md5].into_iter().flatten().cloned().collect();
        let known = hashes.iter().find_map(|hash| self.by_hash.get(hash).copied());
        let place = known.unwrap_or_else(|| {
            self.groups.push(SampleRuns::default());
            self.groups.len() - 1
        });
        for hash in hashes {
            self.by_hash.entry(hash).or_insert(place);
        }
        self.groups[place].add(run, options, rules);
    }

    /// Returns all samples. A sample that has neither a capture nor a report is moved to `failed`.
    pub(super) fn into_all(self, failed: &mut Vec<(PathBuf, String)>) -> Vec<SampleRuns> {
        let mut all = Vec::new();
        for mut group in self.groups {
            if group.draft.runs.is_empty() && group.draft.runs_without_capture.is_empty() {
                failed.extend(group.runs.into_iter().map(|run| (run.source, run.problems.join("; "))));
                continue;
            }
            group.finish();
            all.push(group);
        }
        all
    }
}

impl SampleRuns {
    fn add(&mut self, run: SandboxRun, options: &CaptureOptions, rules: &Rules) {
        let SandboxRun { source, report, identity, captures, mut problems } = run;
        let conditions = report.as_ref().map(|report| report.run.clone()).unwrap_or_default();
        match &report {
            Some(report) => self.draft.add(report),
            None => self.draft.add_identity(&identity),
        }
        let (mut packets, mut victims) = (None, BTreeSet::new());
        for input in captures {
            // The path of the capture is not repeated where it is that of the run.
            let prefix = format!("{input}: ");
            let is_source = input.file() == Some(&source);
            let message = |why: &String| match why.strip_prefix(&prefix) {
                Some(rest) if is_source => rest.to_owned(),
                _ => why.clone(),
            };
            match checked(input, &identity, report.as_ref(), options, rules) {
                Ok(capture) => {
                    packets = Some(packets.unwrap_or(0) + capture.packets);
                    victims.extend(capture.victims.iter().copied());
                    problems.extend(capture.problems.iter().map(message));
                    self.add_capture(capture, &conditions, &mut problems);
                }
                Err(why) => problems.push(message(&why)),
            }
        }
        if let Some(report) = report.filter(|_| packets.is_none()) {
            if self.draft.runs_without_capture.len() < CAPTURES_MAX {
                self.draft.runs_without_capture.push(conditions.clone());
            }
            victims.extend(report.victim);
            for contact in report.contacts.iter().take(CONTACTS_MAX) {
                let service = match contact.port {
                    Some(port) => format!("{port}/{}", contact.protocol),
                    None => contact.protocol.to_owned(),
                };
                self.draft.contacts.push(format!("{service} on {} hosts", contact.hosts));
            }
        }
        let victims = victims.into_iter().collect();
        self.runs.push(ImportedRun { source, conditions, packets, victims, problems });
    }

    fn add_capture(
        &mut self,
        capture: CheckedCapture,
        conditions: &RunConditions,
        problems: &mut Vec<String>,
    ) {
        if let Some(same) = self.captures.iter().find(|known| known.sha256 == capture.sha256) {
            return problems
                .push(format!("{}: the same capture as {}; it counts once", capture.input, same.input));
        }
        if self.captures.len() == CAPTURES_MAX {
            return problems.push(format!("{}: more than {CAPTURES_MAX} runs of one sample", capture.input));
        }
        let name = format!("run-{}.pcap", &capture.sha256[..16]);
        self.draft.runs.push((name, conditions.clone()));
        self.captures.push(capture);
    }

    /// Names the victims, if a capture alone does not show them. The list holds for all captures.
    fn finish(&mut self) {
        if self.captures.iter().any(|capture| !capture.shows_victims) {
            let all: BTreeSet<_> = self.captures.iter().flat_map(|capture| capture.victims.clone()).collect();
            self.draft.victims = all.into_iter().collect();
        }
        self.draft.contacts.truncate(CONTACTS_MAX);
    }
}

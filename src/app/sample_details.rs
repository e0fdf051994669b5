//! Use cases: everything that a history knows of one sample, and other names for malware families.

use std::path::Path;

use crate::rules::Rules;
use crate::sample::{
    FamilyRename, RunConditions, RunDetails, RunObservation, SampleDetails, SampleProfile, SampleReport,
    SampleRun, Scan, pool_scans,
};
use crate::store::{HistoryStore, LocalStore};

use super::AppError;
use super::family_members::members;
use super::history::kept_samples;
use super::sample_probes::sample_probes;
use super::sandbox::LoadedSample;

/// Minimum number of digits by which a sample may be given.
const DIGITS_MIN: usize = 6;

/// Returns everything that a history knows of a sample. `which` is one of its hashes, or the first digits of
/// its identifier.
///
/// # Errors
/// When there is no such sample, several have these first digits, or the history cannot be read.
pub fn details(store: &dyn HistoryStore, which: &str, rules: &Rules) -> Result<SampleDetails, AppError> {
    let samples = kept_samples(store)?;
    let place = find(&samples, which)?;
    let member = members(&samples, &store.family_renames()?, rules).swap_remove(place);
    let LoadedSample { path, report, profile, .. } = &samples[place];
    Ok(SampleDetails {
        path: path.to_string_lossy().into_owned(),
        report: report.clone(),
        member,
        runs: runs(report, profile),
        probes: sample_probes(profile, rules),
        scans: pool_scans(&profile.each_run().into_iter().filter_map(Scan::infer).collect::<Vec<_>>()),
    })
}

fn find(samples: &[LoadedSample], which: &str) -> Result<usize, AppError> {
    let digits = which.to_ascii_lowercase();
    let is_hash = |sample: &LoadedSample| {
        let identity = &sample.report.identity;
        [&identity.md5, &identity.sha1, &identity.sha256].into_iter().flatten().any(|hash| *hash == digits)
    };
    let begins = |sample: &LoadedSample| digits.len() >= DIGITS_MIN && sample.profile.id.starts_with(&digits);
    let wanted = |(at, sample): (usize, &LoadedSample)| (is_hash(sample) || begins(sample)).then_some(at);
    let found: Vec<usize> = samples.iter().enumerate().filter_map(wanted).collect();
    let which = which.escape_default();
    match found.as_slice() {
        [one] => Ok(*one),
        [] => Err(AppError::Usage(format!(
            "no sample `{which}` in this history; `inga sample list` shows those there are"
        ))),
        more => {
            Err(AppError::Usage(format!("{} samples begin with `{which}`; give more digits", more.len())))
        }
    }
}

fn runs(report: &SampleReport, profile: &SampleProfile) -> Vec<RunDetails> {
    let mut runs = Vec::new();
    for capture in &report.captures {
        // A capture that is an archive may have several parts.
        let parts: Vec<SampleRun> =
            profile.runs.iter().filter(|run| run.capture == capture.path()).cloned().collect();
        // The profile of a sample with one run is that of the run.
        let observed = match (parts.is_empty(), profile.runs.is_empty()) {
            (false, _) => Some(observation(&SampleProfile::of_runs(&profile.id, parts))),
            (true, true) => Some(observation(profile)),
            (true, false) => None,
        };
        let conditions = capture.run().cloned().unwrap_or_default();
        runs.push(RunDetails { capture: Some(capture.path().to_owned()), conditions, observed });
    }
    let without = |conditions: &RunConditions| RunDetails {
        capture: None,
        conditions: conditions.clone(),
        observed: None,
    };
    runs.extend(report.without_capture.iter().map(without));
    runs
}

fn observation(profile: &SampleProfile) -> RunObservation {
    RunObservation {
        is_answered: profile.accesses.keys().any(|access| access.reason.is_answered()),
        windows: profile.scan_windows().count(),
        scan_seconds: profile.scan_seconds().filter(|_| !profile.synthetic_time),
        accesses: profile.accesses.values().sum(),
    }
}

/// Gives a malware family of a history another name, for the samples that it has and for those that are kept
/// later. Families that have the same name then are one family.
///
/// # Errors
/// When no sample has this family, the new name is blank, or the history cannot be written to.
pub fn rename_family(history: &Path, old: &str, new: &str, rules: &Rules) -> Result<(), AppError> {
    /// Maximum number of characters of a name.
    const NAME_MAX: usize = 100;
    let new = new.trim();
    if new.is_empty() || new.chars().count() > NAME_MAX || crate::escape::has_hidden(new) {
        return Err(AppError::Usage(format!(
            "a family's name has 1 to {NAME_MAX} visible characters, and not `{}`",
            new.escape_default()
        )));
    }
    let mut store = LocalStore::open_to_write(history, &rules.profile)?;
    let mut renames = store.family_renames()?;
    let members = members(&kept_samples(&store)?, &renames, rules);
    let canonical = rules.families.canonical_name(old);
    let names = [Some(old), canonical.as_deref()];
    let found = names.into_iter().flatten().find_map(|name| {
        members.iter().map(|member| &member.family.name).find(|family| family.eq_ignore_ascii_case(name))
    });
    let Some(from) = found.cloned() else {
        let old = old.escape_default();
        return Err(AppError::Usage(format!(
            "no sample of a family `{old}` in this history; `inga sample families` shows those there are"
        )));
    };
    let by = super::account();
    let at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    renames.add(FamilyRename { from, to: new.to_owned(), at, by });
    Ok(store.put_family_renames(&renames)?)
}

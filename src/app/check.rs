//! Use case: checks samples against their expectations, as a gate in CI.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use walkdir::WalkDir;

use crate::behavior::Transition;
use crate::correlate::Hypothesis;
use crate::rules::{Namer, Rules};
use crate::sample::{DarknetExpectation, Expectation, SampleCheck, SampleReport};

use super::output::Output;
use super::sandbox::{LoadedSample, load_sample};
use super::{AppError, CaptureOptions, Notices, correlate, darknet, sample_import, yaml_file};

/// Returns the sample reports of a folder, which are all files named `report.yaml`.
///
/// # Errors
/// When the folder cannot be read.
fn reports(path: &Path) -> Result<Vec<PathBuf>, AppError> {
    let mut found = Vec::new();
    for entry in WalkDir::new(path).sort_by_file_name() {
        let entry = entry.map_err(|error| AppError::file(path, error.into()))?;
        if entry.file_type().is_file() && entry.file_name() == "report.yaml" {
            found.push(entry.into_path());
        }
    }
    Ok(found)
}

/// A sample to check: its path, the seconds that reading it took, and the sample.
type SampleToCheck = (PathBuf, f64, Result<LoadedSample, AppError>);

/// Reads the samples behind a path: a sample report, the output of sandboxes, or a folder with any of these.
///
/// # Errors
/// When there is none, or the folder cannot be read.
fn samples(
    path: &Path,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<Vec<SampleToCheck>, AppError> {
    let began = Instant::now();
    let found = sample_import::find_samples(path, options, rules, notices);
    let seconds = began.elapsed().as_secs_f64();
    let own = if path.is_dir() { reports(path)? } else { Vec::new() };
    let mut all: Vec<SampleToCheck> = Vec::new();
    let own = match found {
        None => vec![path.to_owned()],
        Some(found) if found.samples.is_empty() && own.is_empty() => return Err(found.nothing(path)),
        Some(found) => {
            let count = found.samples.len().max(1) as f64;
            all.extend(found.samples.into_iter().map(|one| (one.path.clone(), seconds / count, Ok(one))));
            found.failed.into_iter().for_each(|why| notices.add_failure(why));
            own
        }
    };
    for path in own {
        let began = Instant::now();
        let sample = load_sample(&path, options, rules, notices);
        all.push((path, began.elapsed().as_secs_f64(), sample));
    }
    Ok(all)
}

/// Checks the samples behind a path. If a darknet folder is given, all samples are correlated with it together.
///
/// # Errors
/// When there is no sample, or the darknet cannot be read. An error of a single sample is the outcome of that
/// sample.
pub fn check(
    path: &Path,
    darknet: Option<&Path>,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<Vec<SampleCheck>, AppError> {
    let mut loaded = samples(path, options, rules, notices)?;
    for (_, _, sample) in &mut loaded {
        // A run without packets neither confirms an expectation nor refutes it.
        if let Ok(LoadedSample { unread_reason: Some(why), .. }) = sample {
            *sample = Err(AppError::Usage(format!("the sample's run shows nothing: {why}")));
        }
    }
    let samples: Vec<LoadedSample> =
        loaded.iter().filter_map(|(_, _, sample)| sample.as_ref().ok()).cloned().collect();
    let hypotheses = match darknet {
        Some(folder) => {
            let store = darknet::load(folder, options, rules, notices)?;
            Some(correlate::correlate(&samples, &store, rules)?)
        }
        None => None,
    };
    Ok(loaded
        .into_iter()
        .map(|(path, seconds, sample)| match sample {
            Ok(sample) => {
                SampleCheck { seconds, ..check_sample(path, &sample, hypotheses.as_deref(), rules) }
            }
            Err(error) => {
                let id = crate::escape::path(&path);
                let title = String::new();
                SampleCheck {
                    path,
                    id,
                    title,
                    seconds,
                    outcome: Err(error.to_string()),
                    observed: None,
                    expected: None,
                }
            }
        })
        .collect())
}

fn check_sample(
    path: PathBuf,
    sample: &LoadedSample,
    hypotheses: Option<&[Hypothesis]>,
    rules: &Rules,
) -> SampleCheck {
    let mut seen = run_results(sample, rules);
    seen.darknet = hypotheses.and_then(|all| best_hypothesis(all, &sample.profile.id));
    let mut expected = sample.report.expect.clone().unwrap_or_default();
    if hypotheses.is_none() {
        expected.darknet = None;
    }
    SampleCheck {
        path,
        id: sample.profile.id.clone(),
        seconds: 0.0,
        outcome: Ok(expected.differences(&seen)),
        observed: Some(seen),
        title: sample.report.title(),
        expected: sample.report.expect.clone(),
    }
}

/// Returns a sample's best hypothesis, with its rank among the best hypotheses of all samples.
fn best_hypothesis(all: &[Hypothesis], id: &str) -> Option<DarknetExpectation> {
    let mut order: Vec<&str> = Vec::new();
    for hypothesis in all {
        if !order.contains(&hypothesis.sample.as_str()) {
            order.push(&hypothesis.sample);
        }
    }
    let rank = order.iter().position(|sample| *sample == id)? as u64 + 1;
    let found = all.iter().find(|hypothesis| hypothesis.sample == id)?;
    Some(DarknetExpectation {
        verdict: found.verdict.word().to_owned(),
        rank: Some(rank),
        sensor: Some(found.sensor.clone()),
    })
}

/// Returns everything that an expectation can state, as the sample's run shows it.
fn run_results(sample: &LoadedSample, rules: &Rules) -> Expectation {
    let space = crate::packet::AddressSpace::whole();
    let mut labels = BTreeSet::new();
    let mut types = BTreeSet::new();
    let mut shapes = BTreeSet::new();
    let mut ports = BTreeSet::new();
    let mut transitions: BTreeMap<Transition, u64> = BTreeMap::new();
    let mut windows = 0;
    let mut namer = Namer::new(rules, &space);
    for window in sample.profile.scan_windows() {
        let named = namer.name(window.window.clone(), crate::packet::Clock::Absolute);
        let whole = &named.fingerprint.whole;
        windows += 1;
        types.insert(whole.names.behavior.canonical.clone());
        shapes.insert(whole.names.shape.canonical.clone());
        ports.extend(whole.parameters.ports.listed());
        *transitions.entry(whole.parameters.transition).or_default() += 1;
        labels.extend(named.labels);
    }
    Expectation {
        windows: Some(windows),
        types: Some(types),
        shapes: Some(shapes),
        labels: Some(labels),
        transition: transitions.into_iter().max_by_key(|(_, count)| *count).map(|(transition, _)| transition),
        ports: Some(ports),
        accesses: Some(sample.profile.accesses.keys().map(|access| access.reason.to_string()).collect()),
        darknet: None,
    }
}

/// Rewrites the expectation of each report whose run differs from it, or which has none, to what the run
/// shows. A report that cannot be rewritten stays unchanged, and the others are rewritten.
///
/// # Errors
/// When reports could not be read, rewritten or written, with the reason of each.
pub fn accept(all: &[SampleCheck]) -> Result<(), AppError> {
    let failed: Vec<String> =
        all.iter().filter_map(|one| accept_one(one).err()).map(|error| error.to_string()).collect();
    if failed.is_empty() { Ok(()) } else { Err(AppError::Usage(failed.join("\n"))) }
}

fn accept_one(checked: &SampleCheck) -> Result<(), AppError> {
    let moved = checked.outcome.as_ref().is_ok_and(|moved| !moved.is_empty());
    let renewed = match (&checked.expected, &checked.observed) {
        (Some(expected), Some(seen)) if moved => expected.updated(seen),
        (None, Some(seen)) => seen.clone(),
        _ => return Ok(()),
    };
    let path = &checked.path;
    let before = yaml_file::read(path).ok().filter(|text| SampleReport::parse(text).is_ok());
    let Some(before) = before else {
        return Err(AppError::Usage(format!(
            "{}: an expectation is kept in a sample report; `inga sample import --to DIR` writes one",
            crate::escape::path(path)
        )));
    };
    let after = replace_expectation(&before, checked.expected.as_ref(), &renewed).map_err(|message| {
        let error = crate::yaml::error_at_node(&before, &["expect"], message);
        AppError::yaml(path, &error)
    })?;
    Output::File(path.clone()).write(|out| out.write_all(after.as_bytes()))
}

/// Rewrites the `expect` part of a report's text; everything else, including comments, stays as written.
///
/// # Errors
/// When no edit of the text does that and nothing else.
pub fn replace_expectation(
    text: &str,
    expected: Option<&Expectation>,
    renewed: &Expectation,
) -> Result<String, String> {
    let value = |of: &Expectation| serde_yaml::to_value(of).map_err(|error| error.to_string());
    let old = expected.map(value).transpose()?;
    let is_new =
        |text: &str| SampleReport::parse(text).is_ok_and(|report| report.expect.as_ref() == Some(renewed));
    crate::yaml::replace_key(text, "expect", old.as_ref(), &value(renewed)?, &is_new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepting_rewrites_the_expectation_and_nothing_else() {
        let text = "# mine\nidentity: {md5: a2eaf57c47a118e91a5edf694685eee7}\nexpect:\n  # why\n  windows: 3 # three\ncaptures: [x]\n# end";
        let seen = Expectation { windows: Some(5), ..Expectation::default() };
        let expected = SampleReport::parse(text).unwrap().expect;
        let rewritten = replace_expectation(text, expected.as_ref(), &seen).unwrap();
        assert_eq!(rewritten, text.replace("windows: 3", "windows: 5"));
        assert_eq!(replace_expectation(&rewritten, Some(&seen), &seen).unwrap(), rewritten);
        let none = text.replace("expect:\n  # why\n  windows: 3 # three\n", "");
        let added = replace_expectation(&none, None, &seen).unwrap();
        assert_eq!(added, none.replace("[x]\n", "[x]\nexpect:\n  windows: 5\n"));
    }
}

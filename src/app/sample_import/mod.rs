//! Use case: imports samples from the output of sandboxes into sample reports and into a history.
//!
//! Each folder or file is read on its own: one that cannot be read is reported by name, and the others are
//! imported. Everything in a report may have been chosen by an attacker. Names of files are therefore made of
//! hashes, and symbolic links in folders are not followed.

mod captured;
mod files;
mod find;
mod group;
mod kept;
mod run;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::capture::Input;
use crate::rules::Rules;
use crate::sample::{ImportResult, ImportedSample};
use crate::store::LocalStore;

use super::output::{Output, make_folder};
use super::sample_family::family_of_draft;
use super::sandbox::{LoadedSample, load_sample, load_with};
use super::{AppError, CaptureOptions, Notices};

use captured::CheckedCapture;
use find::DiscoveredPaths;
use group::SampleRuns;
use kept::SampleKeeper;

/// Where samples are imported to. Without either, they are only read.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImportTarget<'a> {
    /// A folder that gets a folder for each sample.
    pub folder: Option<&'a Path>,
    /// Whether reports that are in the folder with other content are replaced.
    pub replace: bool,
    /// A history that keeps the samples.
    pub history: Option<&'a Path>,
}

/// Imports samples. `progress` gets the number of analyses that are done, and of all.
///
/// # Errors
/// When the folder or history cannot be written to. Failures of single paths are part of the result.
pub fn import(
    paths: &[PathBuf],
    target: ImportTarget<'_>,
    options: &CaptureOptions,
    rules: &Rules,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<ImportResult, AppError> {
    let open = |history| SampleKeeper::new(LocalStore::open_to_write(history, &rules.profile)?);
    let mut keeper = target.history.map(open).transpose()?;
    if let Some(folder) = target.folder {
        make_folder(folder)?;
    }
    let mut found = DiscoveredPaths::default();
    paths.iter().for_each(|path| found.add(path, &options.read));
    let groups = groups(&mut found, options, rules, progress);
    for report in std::mem::take(&mut found.own_reports) {
        found.pass(report, "a sample report of inga's own".to_owned());
    }
    let mut result = ImportResult { failed: found.failed, passed: found.passed, ..ImportResult::default() };
    result.passed_more = found.passed_more;
    for group in groups {
        let (mut failed, mut runs_kept) = (None, None);
        if let Some(folder) = target.folder {
            failed = write(&group, folder, target.replace, options)?;
        }
        if let Some(keeper) = &mut keeper {
            match keep(&group, keeper, options, rules)? {
                Ok(runs) => runs_kept = Some(runs),
                Err(why) => failed = failed.or(Some(why)),
            }
        }
        let family = family_of_draft(&group.draft, rules);
        let SampleRuns { draft, runs, .. } = group;
        result.samples.push(ImportedSample { draft, family, runs, runs_kept, failed });
    }
    Ok(result)
}

/// Reads the samples of all candidates that a search found.
fn groups(
    found: &mut DiscoveredPaths,
    options: &CaptureOptions,
    rules: &Rules,
    progress: &mut dyn FnMut(usize, usize),
) -> Vec<SampleRuns> {
    let candidates = std::mem::take(&mut found.candidates);
    let count = candidates.len();
    let mut groups = group::SamplesByHash::default();
    let mut seen = HashSet::new();
    for (done, candidate) in candidates.into_iter().enumerate() {
        progress(done, count);
        let path = candidate.path().to_owned();
        // A path may have been given twice, or inside of another one.
        if !seen.insert(path.clone()) {
            continue;
        }
        match run::runs(candidate, options, found) {
            Ok(runs) => {
                for run in runs {
                    // A capture beside its report is not a sample of its own.
                    seen.extend(run.captures.iter().filter_map(Input::file).map(Path::to_owned));
                    groups.add(run, options, rules);
                }
            }
            Err(why) => found.failed.push((path, why)),
        }
    }
    progress(count, count);
    groups.into_all(&mut found.failed)
}

/// Writes the folder of a sample. Returns the reason why it is not written, if it could be.
///
/// # Errors
/// When the folder cannot be written to.
fn write(
    group: &SampleRuns,
    folder: &Path,
    replace: bool,
    options: &CaptureOptions,
) -> Result<Option<String>, AppError> {
    let place = folder.join(group.draft.id());
    let report = place.join("report.yaml");
    let text = group.draft.to_yaml();
    let is_there = std::fs::read_to_string(&report).is_ok_and(|old| old != text) || report.is_symlink();
    if is_there && !replace {
        let path = crate::escape::path(&report);
        return Ok(Some(format!("{path} exists with other content; give --replace to replace it")));
    }
    make_folder(&place)?;
    for (capture, (name, _)) in group.captures.iter().zip(&group.draft.runs) {
        // The capture is hashed again by whoever reads it; a failure here is one of the disk.
        Output::File(place.join(name)).write(|out| captured::copy(&capture.input, options, out))?;
    }
    Output::File(report).write(|out| out.write_all(text.as_bytes()))?;
    Ok(None)
}

/// Keeps a sample in a history. Returns the number of runs that the history has of it, or the reason why it is
/// not kept, if the history could be written to.
///
/// # Errors
/// When the history cannot be written to.
fn keep(
    group: &SampleRuns,
    keeper: &mut SampleKeeper,
    options: &CaptureOptions,
    rules: &Rules,
) -> Result<Result<usize, String>, AppError> {
    if group.captures.is_empty() {
        return Ok(Err("not kept in the history, because no run has a usable capture".to_owned()));
    }
    match loaded(group, options, rules) {
        Ok(sample) => keeper.keep(sample),
        Err(error) => Ok(Err(error.to_string())),
    }
}

/// Reads the captures of a sample. A sample without a usable capture is loaded without its run.
fn loaded(group: &SampleRuns, options: &CaptureOptions, rules: &Rules) -> Result<LoadedSample, AppError> {
    let path = group.runs.first().map(|run| run.source.clone()).unwrap_or_default();
    // What is wrong with the captures was noted when they were checked.
    let mut notices = Notices::default();
    let text = group.draft.to_yaml();
    load_with(&path, text, options, rules, &mut notices, &mut |(place, _), options, notices, take| {
        let Some(CheckedCapture { input, .. }) = group.captures.get(place) else { return Ok(()) };
        take(options.load_capture(input, rules)?, input.clone(), notices)
    })
}

/// The samples behind a path.
pub(super) struct FoundSamples {
    /// The samples that were read from the output of sandboxes.
    pub(super) samples: Vec<LoadedSample>,
    /// Sample reports of inga's own, which lie in a folder of such output and were not read.
    pub(super) own_reports: Vec<PathBuf>,
    /// Paths that could not be read, with the reasons, for messages.
    pub(super) failed: Vec<String>,
}

impl FoundSamples {
    /// Returns the error for a path that has no sample.
    pub(super) fn nothing(&self, path: &Path) -> AppError {
        let nothing =
            format!("{}: no analysis of a sandbox in it, and no report.yaml", crate::escape::path(path));
        AppError::Usage(if self.failed.is_empty() { nothing } else { self.failed.join("\n") })
    }
}

/// Returns the samples behind a path that [`import`] accepts: a folder, an archive, the report of a sandbox, or
/// a capture with the sample's hash in its name. Returns `None` for any other file, which may be a sample report
/// of inga's own. Problems of single runs are added to the notices.
pub(super) fn find_samples(
    path: &Path,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Option<FoundSamples> {
    let mut found = discover(path, options)?;
    let groups = groups(&mut found, options, rules, &mut |_, _| {});
    let (mut samples, mut failed) = (Vec::new(), Vec::new());
    for group in groups {
        for run in &group.runs {
            let source = crate::escape::path(&run.source);
            run.problems.iter().for_each(|problem| notices.add(format!("{source}: {problem}")));
        }
        match loaded(&group, options, rules) {
            Ok(sample) => samples.push(sample),
            Err(error) => failed.push(error.to_string()),
        }
    }
    let message = |(path, why): (PathBuf, String)| format!("{}: {why}", crate::escape::path(&path));
    failed.extend(found.failed.into_iter().map(message));
    Some(FoundSamples { samples, own_reports: found.own_reports, failed })
}

fn discover(path: &Path, options: &CaptureOptions) -> Option<DiscoveredPaths> {
    let mut found = DiscoveredPaths::default();
    let input = Input::Path(path.to_owned());
    if path.is_dir() {
        found.add(path, &options.read);
    } else if !path.is_file() {
        // A pipe can be read only once.
        return None;
    } else if files::is_json_object(&input, &options.read) {
        // A report of inga's own may be written like JSON.
        found.add_report(path.to_owned(), Some(Box::new(run::read(&input, options).ok()?)));
    } else if find::is_capture(path, &options.read) {
        found.add(path, &options.read);
    } else {
        return None;
    }
    Some(found)
}

/// Returns the samples behind a path that is not a sample report of inga's own, with those of the sample
/// reports in a folder. Returns `None` for any other file.
///
/// # Errors
/// When there is no sample. What else is wrong is added to the notices.
pub(super) fn load_samples(
    path: &Path,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<Option<Vec<LoadedSample>>, AppError> {
    let Some(found) = find_samples(path, options, rules, notices) else { return Ok(None) };
    let nothing = found.nothing(path);
    let FoundSamples { mut samples, own_reports, failed } = found;
    let has_own_reports = !own_reports.is_empty();
    for report in own_reports {
        match load_sample(&report, options, rules, notices) {
            Ok(sample) => samples.push(sample),
            Err(error) if error.concerns_capture() => {
                samples.push(LoadedSample::without_run(&report, error.to_string())?);
                notices.add_failure(error.to_string());
            }
            Err(error) => notices.add_failure(error.to_string()),
        }
    }
    if samples.is_empty() && !has_own_reports {
        return Err(nothing);
    }
    failed.into_iter().for_each(|why| notices.add_failure(why));
    Ok(Some(samples))
}

//! Use case: imports samples from the output of sandboxes into sample reports and into a history.
//!
//! Each folder or file is read on its own: one that cannot be read is reported by name, and the others are
//! imported. Everything in a report may have been chosen by an attacker. Names of files are therefore made of
//! hashes, and symbolic links in folders are not followed.

mod captured;
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
use super::sandbox::{LoadedSample, load_with};
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
    let groups = groups(paths, &mut found, options, rules, progress);
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

/// Reads all samples behind paths.
fn groups(
    paths: &[PathBuf],
    found: &mut DiscoveredPaths,
    options: &CaptureOptions,
    rules: &Rules,
    progress: &mut dyn FnMut(usize, usize),
) -> Vec<SampleRuns> {
    for path in paths {
        found.add(path, &options.read);
    }
    let candidates = std::mem::take(&mut found.candidates);
    let mut groups = group::SamplesByHash::default();
    let mut seen = HashSet::new();
    for (done, candidate) in candidates.iter().enumerate() {
        progress(done, candidates.len());
        // A path may have been given twice, or inside of another one.
        if !seen.insert(candidate.path().to_owned()) {
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
            Err(why) => found.failed.push((candidate.path().to_owned(), why)),
        }
    }
    progress(candidates.len(), candidates.len());
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

/// Returns the samples behind a path that is not a sample report of inga's own: a folder, or the report of a
/// sandbox. `None` for any other file. Reports of inga's own in the folder are not read.
///
/// # Errors
/// When nothing in the path can be imported. What else is wrong is added to the notices.
pub(super) fn load_samples(
    path: &Path,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<Option<Vec<LoadedSample>>, AppError> {
    // A report of inga's own may be written like JSON. A pipe can be read only once.
    let is_report =
        || path.is_file() && find::is_json_object(path, &options.read) && run::read(path, options).is_ok();
    if !path.is_dir() && !is_report() {
        return Ok(None);
    }
    let mut found = DiscoveredPaths::default();
    let groups = groups(&[path.to_owned()], &mut found, options, rules, &mut |_, _| {});
    let message = |(path, why): &(PathBuf, String)| format!("{}: {why}", crate::escape::path(path));
    let mut samples = Vec::new();
    for group in groups {
        for run in &group.runs {
            let source = crate::escape::path(&run.source);
            run.problems.iter().for_each(|problem| notices.add(format!("{source}: {problem}")));
        }
        samples.push(loaded(&group, options, rules)?);
    }
    if samples.is_empty() {
        let why: Vec<String> = found.failed.iter().map(message).collect();
        let nothing = format!("{}: no analysis of a sandbox in it", crate::escape::path(path));
        return Err(AppError::Usage(if why.is_empty() { nothing } else { why.join("\n") }));
    }
    found.failed.iter().for_each(|failed| notices.add_failure(message(failed)));
    Ok(Some(samples))
}

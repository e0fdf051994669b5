//! Reads the candidates that a search found: the report of each run, and the path of its capture.

use std::path::{Path, PathBuf};

use crate::capture::{Input, with_uncompressed};
use crate::sample::{Identity, ReportPart, SandboxError, SandboxReport, read_sandbox_report};

use super::super::CaptureOptions;
use super::files::{AnalysisFiles, ArchiveFiles, PACKED, is_file};
use super::find::{DiscoveredPaths, ImportCandidate};

/// One run of a sample, or several captures of one.
pub(super) struct SandboxRun {
    /// The folder or file, for messages.
    pub(super) source: PathBuf,
    /// What the sandbox states. A capture without a report has only an identity.
    pub(super) report: Option<SandboxReport>,
    /// Hashes of the sample.
    pub(super) identity: Identity,
    /// Captures of the run.
    pub(super) captures: Vec<Input>,
    /// The reason why the run has no capture, and problems of the report, for messages.
    pub(super) problems: Vec<String>,
}

/// Reads the runs of a candidate. A file that turns out to be of no interest is passed over.
///
/// # Errors
/// The reason why the candidate cannot be used, for messages.
pub(super) fn runs(
    candidate: ImportCandidate,
    options: &CaptureOptions,
    found: &mut DiscoveredPaths,
) -> Result<Vec<SandboxRun>, String> {
    let (path, is_certain, runs) = match candidate {
        ImportCandidate::Analysis(folder) => return analysis(&AnalysisFiles::Folder(folder), options),
        ImportCandidate::Report { path, is_certain, report } => {
            let report =
                report.map_or_else(|| read(&Input::Path(path.clone()), options), |report| Ok(*report));
            let runs = report.and_then(|report| lone_file(&path, report)).map(|run| vec![run]);
            (path, is_certain, runs)
        }
        ImportCandidate::Capture { path, is_certain } => {
            let runs = match ArchiveFiles::list(&path, &options.read) {
                Ok(Some(archive)) => archive_runs(&path, &archive, options, found),
                Ok(None) => capture(&path),
                Err(why) => Err(why),
            };
            (path, is_certain, runs)
        }
    };
    match runs {
        Err(why) if !is_certain => {
            found.pass(path, why);
            Ok(Vec::new())
        }
        runs => runs,
    }
}

/// Reads the report of a sandbox.
///
/// # Errors
/// The reason why it cannot be read, for messages.
pub(super) fn read(input: &Input, options: &CaptureOptions) -> Result<SandboxReport, String> {
    let report = with_uncompressed(input, &options.read, |bytes| read_sandbox_report(bytes));
    report.map_err(|error| error.to_string())?.map_err(|error: SandboxError| error.to_string())
}

/// Reads an analysis.
fn analysis(files: &AnalysisFiles<'_>, options: &CaptureOptions) -> Result<Vec<SandboxRun>, String> {
    let mut unread = Vec::new();
    let mut report = None;
    for (name, input) in files.reports() {
        match read(&input, options) {
            Ok(found) => {
                report = Some(found);
                break;
            }
            Err(why) => unread.push(format!("{}: {why}", crate::escape::escape_hidden(&name))),
        }
    }
    let Some(report) = report else { return Err(unread.join("; ")) };
    if !report.is_identified() {
        let problems = report.problems.into_iter().map(|problem| format!("; {problem}"));
        return Err(format!("the report has no hash of the sample{}", problems.collect::<String>()));
    }
    let tasks = if report.part == ReportPart::Analysis { files.tasks() } else { Default::default() };
    if tasks.is_empty() {
        return Ok(vec![run(files.source(), report, Some(files.capture()), unread)]);
    }
    let mut runs = Vec::new();
    for (name, task) in &tasks {
        let mut report = report.clone();
        report.run.add(report.tasks.get(name).cloned().unwrap_or_default());
        for name in ["task.json", "report.json", "report_triage.json"] {
            let Some(input) = task.file(name) else { continue };
            match read(&input, options) {
                Ok(task) => report.add_task(task),
                Err(why) => report.problems.push(format!("{name}: {why}")),
            }
        }
        runs.push(run(task.source(), report, Some(task.capture()), unread.clone()));
    }
    Ok(runs)
}

/// Returns a run. `capture` is its capture, or the reason why it has none.
fn run(
    source: PathBuf,
    report: SandboxReport,
    capture: Option<Result<Input, String>>,
    mut problems: Vec<String>,
) -> SandboxRun {
    let captures = match capture {
        Some(Ok(input)) => vec![input],
        Some(Err(why)) => {
            problems.push(why);
            Vec::new()
        }
        None => Vec::new(),
    };
    problems.extend(report.problems.iter().cloned());
    SandboxRun { source, identity: report.identity.clone(), report: Some(report), captures, problems }
}

/// Returns the run of a report outside an analysis folder.
fn lone_file(path: &Path, report: SandboxReport) -> Result<SandboxRun, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = |name: &str| Some(path.with_file_name(name)).filter(|path| is_file(path)).map(Input::Path);
    lone(path.to_owned(), &name, report, &beside)
}

/// Returns the run of a report outside of an analysis folder. The capture lies in the same folder as the report and has the
/// same name with another extension. `beside` takes a file name and returns the file in that folder, if it exists.
fn lone(
    source: PathBuf,
    name: &str,
    report: SandboxReport,
    beside: &dyn Fn(&str) -> Option<Input>,
) -> Result<SandboxRun, String> {
    if !report.is_identified() {
        return Err(match report.part {
            ReportPart::Task => {
                "the report of a task, without the sample's hash; name the folder of the analysis".to_owned()
            }
            _ => "the report has no hash of the sample".to_owned(),
        });
    }
    let stem = name.split(".json").next().unwrap_or_default();
    let names =
        ["pcap", "pcapng"].into_iter().flat_map(|kind| PACKED.map(|packed| format!("{stem}.{kind}{packed}")));
    let capture = names.into_iter().find_map(|name| beside(&name));
    Ok(run(source, report, Some(capture.ok_or("no capture: the report lies alone".to_owned())), Vec::new()))
}

/// Returns the run of a capture whose name has the sample's hash.
fn capture(path: &Path) -> Result<Vec<SandboxRun>, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let identity = hash_in(&name).ok_or(NO_HASH)?;
    Ok(vec![of_capture(path.to_owned(), identity, Input::Path(path.to_owned()))])
}

/// Why a capture is not one of a sample, for messages.
const NO_HASH: &str = "no hash of the sample in its name (MD5, SHA-1 or SHA-256), and no report beside it";

fn of_capture(source: PathBuf, identity: Identity, capture: Input) -> SandboxRun {
    SandboxRun { source, report: None, identity, captures: vec![capture], problems: Vec::new() }
}

/// Returns the runs in an archive: its analyses, reports that lie alone, and captures whose names have the
/// sample's hash.
///
/// # Errors
/// The reason why there is none, for messages.
fn archive_runs(
    path: &Path,
    archive: &ArchiveFiles,
    options: &CaptureOptions,
    found: &mut DiscoveredPaths,
) -> Result<Vec<SandboxRun>, String> {
    let analyses = archive.analyses();
    let mut runs: Vec<SandboxRun> = Vec::new();
    let mut refused: Vec<(PathBuf, String)> = Vec::new();
    for files in &analyses {
        match analysis(files, options) {
            Ok(more) => runs.extend(more),
            Err(why) => refused.push((files.source(), why)),
        }
    }
    let others = archive.others(&analyses);
    let (reports, captures): (Vec<_>, Vec<_>) =
        others.iter().partition(|(_, input)| super::files::is_json_object(input, &options.read));
    let mut beside_reports: Vec<String> = Vec::new();
    for (name, input) in reports {
        let sibling =
            |other: &str| captures.iter().find(|(name, _)| *name == other).map(|(_, input)| (*input).clone());
        let run =
            read(input, options).and_then(|report| lone(input.to_string().into(), name, report, &sibling));
        match run {
            Ok(run) => {
                beside_reports.extend(run.captures.iter().map(ToString::to_string));
                runs.push(run);
            }
            Err(why) => found.pass(input.to_string().into(), why),
        }
    }
    let archive_name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut by_hash: Vec<SandboxRun> = Vec::new();
    for (name, input) in captures {
        if beside_reports.contains(&input.to_string()) {
            continue;
        }
        // A member of an archive may have the hash in its own name.
        let Some(identity) = hash_in(name).or_else(|| hash_in(&archive_name)) else {
            refused.push((input.to_string().into(), NO_HASH.to_owned()));
            continue;
        };
        match by_hash.iter_mut().find(|run| run.identity == identity) {
            Some(run) => run.captures.push((*input).clone()),
            None => by_hash.push(of_capture(path.to_owned(), identity, (*input).clone())),
        }
    }
    runs.extend(by_hash);
    match runs.first_mut() {
        Some(first) => first.problems.extend(archive.failed.iter().cloned()),
        None => return Err(refused.into_iter().next().map_or(NO_HASH.to_owned(), |(_, why)| why)),
    }
    found.failed.extend(refused);
    Ok(runs)
}

/// Returns the longest hash that a name contains as a word.
fn hash_in(name: &str) -> Option<Identity> {
    let words = || name.split(|c: char| !c.is_ascii_hexdigit());
    let of = |digits| words().find(|word| word.len() == digits).map(str::to_ascii_lowercase);
    let identity = Identity { sha256: of(64), sha1: of(40), md5: of(32) };
    (!identity.id().is_empty()).then_some(identity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_words_of_a_name() {
        let md5 = "a2eaf57c47a118e91a5edf694685eee7";
        for name in [format!("{md5}.pcap"), format!("run_{md5}-1.pcap"), md5.to_uppercase()] {
            assert_eq!(hash_in(&name).map(|identity| identity.id()).as_deref(), Some(md5), "{name}");
        }
        for name in ["dump.pcap".to_owned(), format!("{md5}0.pcap"), format!("f{md5}.pcap"), String::new()] {
            assert_eq!(hash_in(&name), None, "{name}");
        }
    }
}

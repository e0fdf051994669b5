//! Reads the candidates that a search found: the report of each run, and the path of its capture.

use std::path::{Path, PathBuf};

use crate::capture::{Input, with_uncompressed};
use crate::sample::{Identity, ReportPart, SandboxError, SandboxReport, read_sandbox_report};

use super::super::{CaptureOptions, Notices};
use super::find::{DiscoveredPaths, ImportCandidate, PACKED, is_file};

/// Names of the capture of a run. `dump_sorted.pcap` and `dump_mixed.pcap` beside it are never used: the
/// first is ordered by flow, the second has packets in clear that were encrypted.
const CAPTURES: [&str; 2] = ["dump.pcap", "dump.pcapng"];
/// Maximum number of tasks of an analysis.
const TASKS_MAX: usize = 100;

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
    candidate: &ImportCandidate,
    options: &CaptureOptions,
    found: &mut DiscoveredPaths,
) -> Result<Vec<SandboxRun>, String> {
    match candidate {
        ImportCandidate::Analysis(folder, reports) => analysis(folder, reports, options),
        ImportCandidate::Report { path, is_certain } => match read(path, options) {
            Ok(report) => lone(path, report).map(|run| vec![run]),
            Err(why) if *is_certain => Err(why),
            Err(why) => {
                found.pass(path.clone(), why);
                Ok(Vec::new())
            }
        },
        ImportCandidate::Capture { path, is_certain } => match capture(path, options) {
            Ok(runs) => Ok(runs),
            Err(why) if *is_certain => Err(why),
            Err(why) => {
                found.pass(path.clone(), why);
                Ok(Vec::new())
            }
        },
    }
}

pub(super) fn read(path: &Path, options: &CaptureOptions) -> Result<SandboxReport, String> {
    let input = Input::Path(path.to_owned());
    let report = with_uncompressed(&input, &options.read, |bytes| read_sandbox_report(bytes));
    report.map_err(|error| error.to_string())?.map_err(|error: SandboxError| error.to_string())
}

/// Reads the folder of an analysis.
fn analysis(folder: &Path, reports: &[PathBuf], options: &CaptureOptions) -> Result<Vec<SandboxRun>, String> {
    let name = |path: &Path| crate::escape::path(path.strip_prefix(folder).unwrap_or(path));
    let mut unread = Vec::new();
    let mut report = None;
    for path in reports {
        match read(path, options) {
            Ok(found) => {
                report = Some(found);
                break;
            }
            Err(why) => unread.push(format!("{}: {why}", name(path))),
        }
    }
    let Some(report) = report else { return Err(unread.join("; ")) };
    if !report.is_identified() {
        let problems = report.problems.into_iter().map(|problem| format!("; {problem}"));
        return Err(format!("the report has no hash of the sample{}", problems.collect::<String>()));
    }
    if report.part != ReportPart::Analysis {
        return Ok(vec![run(folder, report, Some(folder), unread)]);
    }
    let tasks = tasks(folder);
    if tasks.is_empty() {
        return Ok(vec![run(folder, report, Some(folder), unread)]);
    }
    let of_task = |place: &PathBuf| {
        let mut report = report.clone();
        let known = place.file_name().and_then(|name| report.tasks.get(name.to_str()?).cloned());
        report.run.add(known.unwrap_or_default());
        for name in ["task.json", "report.json", "report_triage.json"] {
            let paths = PACKED.iter().map(|packed| place.join(format!("{name}{packed}")));
            let Some(path) = paths.into_iter().find(|path| is_file(path)) else { continue };
            match read(&path, options) {
                Ok(task) => report.add_task(task),
                Err(why) => report.problems.push(format!("{name}: {why}")),
            }
        }
        run(place, report, Some(place), unread.clone())
    };
    Ok(tasks.iter().map(of_task).collect())
}

/// Returns the folders of the tasks of an analysis, which have a capture or a report.
fn tasks(folder: &Path) -> Vec<PathBuf> {
    let mut tasks = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let place = entry.path();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let has_file = || {
            let names = CAPTURES.into_iter().chain(["report_triage.json", "task.json"]);
            names
                .flat_map(|name| PACKED.map(|packed| place.join(format!("{name}{packed}"))))
                .any(|path| is_file(&path))
        };
        if is_folder && has_file() {
            tasks.push(place);
        }
    }
    tasks.sort();
    tasks.truncate(TASKS_MAX);
    tasks
}

/// Returns a run whose capture is in a folder.
fn run(source: &Path, report: SandboxReport, folder: Option<&Path>, mut problems: Vec<String>) -> SandboxRun {
    let captures = match folder.map(capture_in) {
        Some(Ok(path)) => vec![Input::Path(path)],
        Some(Err(why)) => {
            problems.push(why);
            Vec::new()
        }
        None => Vec::new(),
    };
    problems.extend(report.problems.iter().cloned());
    SandboxRun {
        source: source.to_owned(),
        identity: report.identity.clone(),
        report: Some(report),
        captures,
        problems,
    }
}

/// Returns the capture in the folder of a run.
fn capture_in(folder: &Path) -> Result<PathBuf, String> {
    let mut link = None;
    for name in CAPTURES {
        for packed in PACKED {
            let path = folder.join(format!("{name}{packed}"));
            if is_file(&path) {
                return Ok(path);
            }
            if path.is_symlink() {
                link = Some(name);
            }
        }
    }
    let others = ["dump_sorted.pcap", "dump_mixed.pcap"];
    Err(match (link, others.into_iter().find(|name| folder.join(name).exists())) {
        (Some(name), _) => format!("{name} is a symbolic link, which is not followed"),
        (None, Some(other)) => format!("no dump.pcap; {other}, which is in another order, is not used"),
        (None, None) => "no capture (dump.pcap or dump.pcapng)".to_owned(),
    })
}

/// Returns the run of a report outside an analysis folder. Its capture may have the same name beside it.
fn lone(path: &Path, report: SandboxReport) -> Result<SandboxRun, String> {
    if !report.is_identified() {
        return Err(match report.part {
            ReportPart::Task => {
                "the report of a task, without the sample's hash; name the folder of the analysis".to_owned()
            }
            _ => "the report has no hash of the sample".to_owned(),
        });
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.split(".json").next().unwrap_or_default();
    let beside = ["pcap", "pcapng"]
        .iter()
        .flat_map(|kind| PACKED.map(|packed| path.with_file_name(format!("{stem}.{kind}{packed}"))))
        .find(|path| is_file(path));
    let mut run = run(path, report, None, Vec::new());
    match beside {
        Some(capture) => run.captures.push(Input::Path(capture)),
        None => run.problems.insert(0, "no capture: the report lies alone".to_owned()),
    }
    Ok(run)
}

/// Returns the runs of a capture, or of the captures in an archive, whose names have the sample's hash.
fn capture(path: &Path, options: &CaptureOptions) -> Result<Vec<SandboxRun>, String> {
    let mut notices = Notices::default();
    let inputs = options.expand_file(path, &mut notices).map_err(|error| error.to_string())?;
    let failed: Vec<String> = notices.failures().map(str::to_owned).collect();
    let mut runs: Vec<SandboxRun> = Vec::new();
    for input in inputs {
        // A member of an archive may have the hash in its own name.
        let name = input.to_string();
        let (archive, member) = name.split_once('!').unwrap_or((&name, ""));
        let file_name = archive.rsplit('/').next().unwrap_or_default();
        let Some(identity) = hash_in(member).or_else(|| hash_in(file_name)) else {
            let why = "no hash of the sample in its name (MD5, SHA-1 or SHA-256), and no report beside it";
            return Err(why.to_owned());
        };
        match runs.iter_mut().find(|run| run.identity == identity) {
            Some(run) => run.captures.push(input),
            None => runs.push(SandboxRun {
                source: path.to_owned(),
                report: None,
                identity,
                captures: vec![input],
                problems: failed.clone(),
            }),
        }
    }
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

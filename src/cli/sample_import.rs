//! `inga sample import`: samples from the output of sandboxes.

use std::path::PathBuf;

use crate::app::output::Output;
use crate::app::sample_import::{ImportTarget, import};
use crate::app::{AppError, Notices};
use crate::escape::path;
use crate::render::answer::Format;
use crate::render::sample_import as report;

use super::output::parser;
use super::progress::CountProgress;
use super::shared::{HISTORY_VARIABLE, LimitArgs, RuleArgs};
use super::{EXIT_DIFFERS, EXIT_FAILED, EXIT_OK};

/// Import samples from the output of sandboxes
///
/// Analyses of CAPE, Cuckoo 2 and 3, Triage and Joe Sandbox are read, and captures with a hash in their names.
/// A path is an analysis folder, a report (JSON), a capture or an archive with the sample's hash in its
/// name, an archive of analysis folders, or a folder of any of these. What it is follows from its content.
/// All runs of one hash become one sample with several captures. The command names what is missing, empty or
/// damaged, and imports everything else. Without --to and --history, the samples are only shown.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga sample import /opt/CAPEv2/storage/analyses --to samples
  inga sample import 200916-abc.triage/ --history history
  inga sample import downloads --format json

Exit codes: 0 everything was imported, 1 some paths could not be imported, 2 nothing was imported.")]
pub(super) struct SampleImportArgs {
    /// Analysis folders, reports, captures or folders of these
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Write a folder for each sample into this folder: report.yaml and the captures
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Replace reports in the folder of --to that have other content
    #[arg(long, requires = "to")]
    replace: bool,
    /// Keep the samples in this history [env: INGA_HISTORY, unless --to is given]
    #[arg(long, value_name = "DIR")]
    history: Option<PathBuf>,
    /// Output format
    #[arg(long, value_parser = parser(&[Format::Text, Format::Json]), default_value = "text")]
    format: Format,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

/// Maximum number of files that are named if nothing was imported.
const PASSED_SHOWN_MAX: usize = 10;

pub(super) fn run(args: &SampleImportArgs, notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    let from_environment = || std::env::var_os(HISTORY_VARIABLE).filter(|value| !value.is_empty());
    let history = match (&args.history, &args.to) {
        (Some(history), _) => Some(history.clone()),
        (None, Some(_)) => None,
        (None, None) => from_environment().map(PathBuf::from),
    };
    let target =
        ImportTarget { folder: args.to.as_deref(), replace: args.replace, history: history.as_deref() };
    let bar = CountProgress::new();
    let mut progress = |done, all| bar.show(done, all);
    let result = import(&args.paths, target, &args.limits.options(), &rules, &mut progress)?;
    drop(bar);
    for (file, why) in &result.failed {
        notices.add_failure(format!("{}: {why}", path(file)));
    }
    for sample in &result.samples {
        sample
            .failed
            .iter()
            .for_each(|why| notices.add_failure(format!("sample {}: {why}", sample.draft.id())));
    }
    Output::Stdout.write(|out| match args.format {
        Format::Json => report::json(out, &result),
        _ => report::text(out, &result, target.folder.is_some() || target.history.is_some()),
    })?;
    if result.samples.is_empty() && result.failed.is_empty() {
        for (file, why) in result.passed.iter().take(PASSED_SHOWN_MAX) {
            notices.add(format!("{}: passed over ({why})", path(file)));
        }
        let why =
            "nothing to import: no analysis of a sandbox, and no capture with a sample's hash in its name";
        notices.add_failure(why.to_owned());
    }
    let imported = result.samples.iter().filter(|sample| sample.failed.is_none()).count();
    Ok(match (imported, imported == result.samples.len() && result.failed.is_empty()) {
        (0, _) => EXIT_FAILED,
        (_, true) => EXIT_OK,
        _ => EXIT_DIFFERS,
    })
}

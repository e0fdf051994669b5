//! `inga sample`: the samples that are kept in a history.

use std::path::PathBuf;

use crate::app::history::{HistorySource, keep_samples, kept_samples};
use crate::app::output::Output;
use crate::app::removal::remove_sample;
use crate::app::{AppError, CaptureOptions, Notices};
use crate::render::samples as report;

use super::EXIT_OK;
use super::shared::{HistoryFolder, LimitArgs, ReportArgs};

/// Add, remove or list the samples of a history
#[derive(Debug, clap::Args)]
pub(super) struct SampleArgs {
    #[command(subcommand)]
    command: SampleCommand,
}

#[derive(Debug, clap::Subcommand)]
enum SampleCommand {
    /// Add samples to a history, with the scans of their runs
    ///
    /// `inga correlate` and `inga explain` use these samples if no report is given.
    #[command(after_help = "Examples:
  inga sample add report.yaml --history history
  inga sample add samples/*/report.yaml --history history")]
    Add {
        /// Sample reports (YAML)
        #[arg(required = true, value_name = "REPORT")]
        reports: Vec<PathBuf>,
        #[command(flatten)]
        limits: LimitArgs,
        #[command(flatten)]
        reading: ReportArgs,
        #[command(flatten)]
        history: HistoryFolder,
    },
    /// Remove a sample from a history
    #[command(after_help = "Examples:
  inga sample remove ping-sweep --history history")]
    Remove {
        /// Identifier of the sample, as `inga sample list` shows it
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        history: HistoryFolder,
    },
    /// List the samples of a history
    #[command(after_help = "Examples:
  inga sample list --history history")]
    List {
        #[command(flatten)]
        history: HistoryFolder,
    },
}

pub(super) fn run(args: &SampleArgs, notices: &mut Notices) -> Result<u8, AppError> {
    match &args.command {
        SampleCommand::Add { reports, limits, reading, history } => {
            let options = reading.options(limits.options());
            keep_samples(&history.folder, reports, &options, &history.rules.load()?, notices)?;
        }
        SampleCommand::Remove { id, history } => remove_sample(&history.folder, id, &history.rules.load()?)?,
        SampleCommand::List { history } => list(history, notices)?,
    }
    Ok(EXIT_OK)
}

fn list(history: &HistoryFolder, notices: &mut Notices) -> Result<(), AppError> {
    let source = HistorySource::Folder(history.folder.clone());
    let store = source.open(&CaptureOptions::default(), &history.rules.load()?, notices)?;
    let samples = kept_samples(store.as_ref())?;
    let samples: Vec<_> = samples.iter().map(|sample| (&sample.report, &sample.profile)).collect();
    Output::Stdout.write(|out| report::text(out, &samples))
}

//! `inga sample`: the samples that are kept in a history.

use std::path::PathBuf;

use crate::app::family_members::families;
use crate::app::history::keep_samples;
use crate::app::history_source::HistorySource;
use crate::app::output::Output;
use crate::app::removal::remove_sample;
use crate::app::sample_details::{details, rename_family};
use crate::app::{AppError, CaptureOptions, Notices};
use crate::render::samples as report;
use crate::rules::Rules;
use crate::sample::MalwareFamily;

use super::output::OutputArgs;
use super::shared::{HistoryFolder, LimitArgs, ReportArgs};
use super::{EXIT_OK, sample_import};

/// Import samples from sandboxes; add, remove and list samples
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
    Import(sample_import::SampleImportArgs),
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
    /// Show everything that a history knows of a sample
    ///
    /// The answer has the sample's hashes, family, dates and static features, the samples that are statically
    /// alike, each run with its conditions, and how the sample scans. Runs that do not differ significantly are
    /// one scan; if runs differ, each variant is shown with what distinguishes it.
    #[command(after_help = "Examples:
  inga sample show a2eaf57c47a1 --history history
  inga sample show a2eaf57c47a1 --history history --format json")]
    Show {
        /// A hash of the sample, or its first digits
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        history: HistoryFolder,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Give a malware family another name
    ///
    /// The name holds for all samples of the family, also for those that are added later. Families that get the
    /// same name are one family.
    #[command(after_help = "Examples:
  inga sample rename-family Mirai Satori --history history
  inga sample rename-family unnamed-a2eaf57c47a1 Knocker --history history")]
    RenameFamily {
        /// The family, as `inga sample families` shows it
        old: String,
        /// Its new name
        new: String,
        #[command(flatten)]
        history: HistoryFolder,
    },
    /// List the samples of a history, with their malware families
    #[command(after_help = "Examples:
  inga sample list --history history
  inga sample list --history history --family mirai")]
    List {
        /// Only samples of this malware family
        #[arg(long, value_name = "NAME")]
        family: Option<String>,
        #[command(flatten)]
        history: HistoryFolder,
    },
    /// List the malware families of a history's samples
    ///
    /// Each family is shown with its samples, how the name is known for each, and the sources that disagree. A
    /// sample that nothing names belongs to the family of a sample that is statically alike: equal imphash or
    /// rich header, similar TLSH or ssdeep, or rare YARA rules in common. Runs whose scans do not differ
    /// significantly are one scan; otherwise each variant is shown with what distinguishes it.
    #[command(after_help = "Examples:
  inga sample families --history history
  inga sample families --history history --format json")]
    Families {
        #[command(flatten)]
        history: HistoryFolder,
        #[command(flatten)]
        output: OutputArgs,
    },
}

pub(super) fn run(args: &SampleArgs, notices: &mut Notices) -> Result<u8, AppError> {
    match &args.command {
        SampleCommand::Add { reports, limits, reading, history } => {
            let options = reading.options(limits.options());
            keep_samples(&history.folder, reports, &options, &history.rules.load()?, notices)?;
        }
        SampleCommand::Import(args) => return sample_import::run(args, notices),
        SampleCommand::Remove { id, history } => remove_sample(&history.folder, id, &history.rules.load()?)?,
        SampleCommand::Show { id, history, output } => show(id, history, output, notices)?,
        SampleCommand::RenameFamily { old, new, history } => {
            rename_family(&history.folder, old, new, &history.rules.load()?)?;
        }
        SampleCommand::List { family, history } => list(family.as_deref(), history, notices)?,
        SampleCommand::Families { history, output } => list_families(history, output, notices)?,
    }
    Ok(EXIT_OK)
}

fn show(
    id: &str,
    history: &HistoryFolder,
    output: &OutputArgs,
    notices: &mut Notices,
) -> Result<(), AppError> {
    let rules = history.rules.load()?;
    let source = HistorySource::Folder(history.folder.clone());
    let store = source.open(&CaptureOptions::default(), &rules, notices)?;
    output.write(&details(store.as_ref(), id, &rules)?)
}

/// Returns the families of a history's samples, and the rules with the families' names.
fn read_families(
    history: &HistoryFolder,
    notices: &mut Notices,
) -> Result<(Vec<MalwareFamily>, Rules), AppError> {
    let rules = history.rules.load()?;
    let source = HistorySource::Folder(history.folder.clone());
    let store = source.open(&CaptureOptions::default(), &rules, notices)?;
    Ok((families(store.as_ref(), &rules)?, rules))
}

fn list(family: Option<&str>, history: &HistoryFolder, notices: &mut Notices) -> Result<(), AppError> {
    let (all, rules) = read_families(history, notices)?;
    let wanted = family.map(|name| rules.families.canonical_name(name).unwrap_or_else(|| name.to_owned()));
    let is_wanted =
        |family: &&MalwareFamily| wanted.as_ref().is_none_or(|name| name.eq_ignore_ascii_case(&family.name));
    let mut samples: Vec<_> = all.iter().filter(is_wanted).flat_map(|family| &family.members).collect();
    samples.sort_by_key(|member| &member.id);
    Output::Stdout.write(|out| report::text(out, &samples))
}

fn list_families(
    history: &HistoryFolder,
    output: &OutputArgs,
    notices: &mut Notices,
) -> Result<(), AppError> {
    let (all, _) = read_families(history, notices)?;
    output.write(all.as_slice())
}

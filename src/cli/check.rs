//! `inga check`: compares samples with the expectations in their reports.

use std::path::PathBuf;

use crate::app::check::{accept, check};
use crate::app::{AppError, Notices, now};
use crate::render::check_results::CheckAnswer;

use super::help::{INPUT, OUTPUT};
use super::output::{OutputArgs, formats_of};
use super::shared::{LimitArgs, ReportArgs, RuleArgs};
use super::{EXIT_DIFFERS, EXIT_FAILED, EXIT_OK};

/// Check every sample against the expectation in its report
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga check samples
  inga check samples --darknet samples/darknet -o inga.xml
  inga check samples/mine --accept
  inga check /opt/CAPEv2/storage/analyses/1

Exit codes:
  0  all expectations hold
  1  some results differ
  2  some samples could not be checked")]
#[command(mut_arg("format", formats_of::<CheckAnswer<'_>>))]
pub(super) struct CheckArgs {
    /// A sample report, what `inga sample import` reads (analyses of sandboxes, captures and archives), or a
    /// folder that is searched for any of these
    #[arg(value_name = "PATH", default_value = "samples")]
    path: PathBuf,
    /// Darknet folder (sensors.yaml and captures) against which verdicts and ranks are checked
    #[arg(long, value_name = "DIR", help_heading = INPUT)]
    darknet: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
    /// Show the differences, then rewrite the expectations to the observed results
    #[arg(long, help_heading = OUTPUT)]
    accept: bool,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    reading: ReportArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

pub(super) fn run(args: &CheckArgs, notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    let began = now();
    let all = check(
        &args.path,
        args.darknet.as_deref(),
        &args.reading.options(args.limits.options()),
        &rules,
        notices,
    )?;
    args.output.write(&CheckAnswer { samples: &all, began })?;
    if args.accept {
        accept(&all)?;
    }
    let failed = all.iter().any(|checked| checked.outcome.is_err());
    let differs = all.iter().any(|checked| checked.outcome.as_ref().is_ok_and(|moved| !moved.is_empty()));
    Ok(match (failed, differs && !args.accept) {
        (true, _) => EXIT_FAILED,
        (_, true) => EXIT_DIFFERS,
        _ => EXIT_OK,
    })
}

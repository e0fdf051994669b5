//! `inga check`: compares samples with the expectations in their reports.

use std::path::PathBuf;

use crate::app::check::{accept, check, now, reports};
use crate::app::output::Output;
use crate::app::{AppError, Notices};
use crate::render::{check_results, junit};

use super::help::{INPUT, OUTPUT};
use super::shared::{LimitArgs, ReportArgs, RuleArgs, extension};
use super::{EXIT_DIFFERS, EXIT_FAILED, EXIT_OK};

/// Check every sample against the expectation in its report
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga check samples
  inga check samples --darknet samples/darknet -o inga.xml
  inga check samples/mine --accept

Exit codes:
  0  all expectations hold
  1  some results differ
  2  some samples could not be checked")]
pub(super) struct CheckArgs {
    /// Folder that is searched for report.yaml files, or a single report
    #[arg(value_name = "DIR", default_value = "samples")]
    path: PathBuf,
    /// Darknet folder (sensors.yaml and captures) against which verdicts and ranks are checked
    #[arg(long, value_name = "DIR", help_heading = INPUT)]
    darknet: Option<PathBuf>,
    /// Output format [default: by the extension of the output file (junit for .xml), else text]
    #[arg(long, value_enum, help_heading = OUTPUT)]
    format: Option<CheckFormat>,
    /// Output file; `-` is standard output
    #[arg(short, long, value_name = "FILE", help_heading = OUTPUT)]
    output: Option<PathBuf>,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum CheckFormat {
    /// Text for people
    Text,
    /// One line of JSON per sample
    Json,
    /// JUnit XML for CI systems
    Junit,
}

impl CheckFormat {
    /// Returns the format that `--format` names, else the one of the output file's extension, else text.
    fn chosen(args: &CheckArgs) -> CheckFormat {
        args.format.unwrap_or(match extension(args.output.as_deref()) {
            Some("json" | "ndjson") => CheckFormat::Json,
            Some("xml") => CheckFormat::Junit,
            _ => CheckFormat::Text,
        })
    }
}

pub(super) fn run(args: &CheckArgs, notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    let began = now();
    let all = check(
        &reports(&args.path)?,
        args.darknet.as_deref(),
        &args.reading.options(args.limits.options()),
        &rules,
        notices,
    )?;
    Output::from_path(args.output.as_deref()).write(|out| match CheckFormat::chosen(args) {
        CheckFormat::Text => check_results::text(out, &all),
        CheckFormat::Json => check_results::json(out, &all),
        CheckFormat::Junit => junit::write(out, &all, began),
    })?;
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

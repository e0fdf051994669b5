//! `inga check`: samples against their expectations.

use std::io::{self, Write};
use std::path::PathBuf;

use serde_json::json;

use crate::app::check::{accepted, check, reports};
use crate::app::output::Output;
use crate::app::{AppError, CaptureOptions, Notices, darknet};
use crate::report::junit;
use crate::report::text::shown;
use crate::sample::Checked;
use crate::store::HistoryStore;

use super::shared::RuleArgs;
use super::{EXIT_DIFFERS, EXIT_FAILED, EXIT_OK};

/// Check every sample against its report's expectation
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 all hold, 1 some differ, 2 some could not be checked.

Examples:
  inga check samples --format junit > inga.xml
  inga check samples --darknet samples/darknet
  inga check samples/mine --accept")]
pub(super) struct Args {
    /// A folder with report.yaml files below it, or one report
    #[arg(value_name = "DIR", default_value = "samples")]
    path: PathBuf,
    /// A darknet folder (sensors.yaml and captures) to check verdicts and ranks against
    #[arg(long, value_name = "DIR")]
    darknet: Option<PathBuf>,
    /// For people, for machines, or for a CI system
    #[arg(long, value_enum, default_value = "text")]
    format: CheckFormat,
    /// Show what moved, then rewrite the expectations to what was seen
    #[arg(long)]
    accept: bool,
    #[command(flatten)]
    rules: RuleArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum CheckFormat {
    /// For people
    Text,
    /// A line of JSON a sample
    Json,
    /// JUnit XML
    Junit,
}

pub(super) fn run(args: &Args, notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    let store = match &args.darknet {
        Some(folder) => Some(darknet::load(folder, &CaptureOptions::default(), &rules, notices)?),
        None => None,
    };
    let store = store.as_ref().map(|store| store as &dyn HistoryStore);
    let all = check(&reports(&args.path)?, store, &rules, notices)?;
    Output::Stdout.write(|out| match args.format {
        CheckFormat::Text => text(out, &all),
        CheckFormat::Json => all.iter().try_for_each(|checked| json_line(out, checked)),
        CheckFormat::Junit => junit::write(out, &all),
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

fn accept(all: &[Checked]) -> Result<(), AppError> {
    for checked in all {
        let moved = checked.outcome.as_ref().is_ok_and(|moved| !moved.is_empty());
        let renewed = match (&checked.expected, &checked.seen) {
            (Some(expected), Some(seen)) if moved => Some(expected.renewed(seen)),
            (None, seen) => seen.clone(),
            _ => None,
        };
        if let Some(renewed) = renewed {
            let before = std::fs::read_to_string(&checked.path)
                .map_err(|error| AppError::file(&checked.path, error))?;
            let after = accepted(&before, &renewed)?;
            Output::File(checked.path.clone()).write(|out| out.write_all(after.as_bytes()))?;
        }
    }
    Ok(())
}

fn text(out: &mut dyn Write, all: &[Checked]) -> io::Result<()> {
    for checked in all {
        let id = match checked.title.is_empty() {
            true => shown(&checked.id),
            false => shown(&checked.title),
        };
        match &checked.outcome {
            Err(error) => writeln!(out, "failed   {id}: {}", shown(error))?,
            Ok(moved) if moved.is_empty() && checked.expected.is_none() => {
                writeln!(out, "nothing expected  {id}")?
            }
            Ok(moved) if moved.is_empty() => writeln!(out, "holds    {id}")?,
            Ok(moved) => {
                writeln!(out, "differs  {id}")?;
                for one in moved {
                    writeln!(
                        out,
                        "           {}: expected {}, seen {}",
                        one.what,
                        shown(&one.expected),
                        shown(&one.seen)
                    )?;
                }
            }
        }
    }
    let count = |outcome: fn(&Checked) -> bool| all.iter().filter(|checked| outcome(checked)).count();
    let failed = count(|checked| checked.outcome.is_err());
    let holds = count(|checked| checked.outcome.as_ref().is_ok_and(Vec::is_empty));
    writeln!(
        out,
        "{} samples: {holds} hold, {} differ, {failed} failed",
        all.len(),
        all.len() - holds - failed
    )
}

fn json_line(out: &mut dyn Write, checked: &Checked) -> io::Result<()> {
    let (outcome, differences, error) = match &checked.outcome {
        Ok(moved) if moved.is_empty() => ("holds", moved.as_slice(), None),
        Ok(moved) => ("differs", moved.as_slice(), None),
        Err(error) => ("failed", [].as_slice(), Some(error)),
    };
    let line = json!({
        "sample": checked.id,
        "report": crate::capture::shown(&checked.path),
        "outcome": outcome,
        "differences": differences,
        "error": error,
    });
    writeln!(out, "{line}")
}

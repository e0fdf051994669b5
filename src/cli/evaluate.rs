//! `inga evaluate`: how often the answers of `inga correlate` are right.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::app::evaluate::{EvaluationOptions, FamilySet, evaluate};
use crate::app::output::Output;
use crate::app::{AppError, Notices, thread_count};
use crate::render::evaluation as report;

use super::EXIT_OK;
use super::help::{INPUT, LIMITS, OUTPUT};
use super::shared::{RuleArgs, extension};

/// Measure on simulated outbreaks how often answers are right
///
/// The cause of each outbreak is known. Families, sensors, sizes, dates, capture loss, outages and other
/// traffic are drawn at random with fixed seeds. Each case (its samples and its
/// history) is answered by inga, by simple baseline methods, and by inga without one kind of evidence at a
/// time.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga evaluate
  inga evaluate --cases 1000 --format markdown")]
pub(super) struct EvaluateArgs {
    /// Number of outbreaks
    #[arg(
        long,
        value_name = "N",
        default_value_t = 300,
        value_parser = clap::value_parser!(u64).range(1..=100_000),
        help_heading = INPUT
    )]
    cases: u64,
    /// Use the malware families on which thresholds and priors were chosen, instead of those used for
    /// reported figures
    #[arg(long, help_heading = INPUT)]
    training: bool,
    /// Output format [default: by the extension of the output file, else text]
    #[arg(long, value_enum, help_heading = OUTPUT)]
    format: Option<EvaluationFormat>,
    /// Output file; `-` is standard output
    #[arg(short, long, value_name = "FILE", help_heading = OUTPUT)]
    output: Option<PathBuf>,
    /// Threads that may share the work [default: the number of processors]; the figures do not depend on it
    #[arg(long, value_name = "N", help_heading = LIMITS)]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    rules: RuleArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum EvaluationFormat {
    /// Table with explanations, for people
    Text,
    /// One line of JSON per way of answering
    Json,
    /// Table alone, in Markdown
    Markdown,
}

impl EvaluationFormat {
    /// Returns the format that `--format` names, else the one of the output file's extension, else text.
    fn chosen(args: &EvaluateArgs) -> EvaluationFormat {
        args.format.unwrap_or(match extension(args.output.as_deref()) {
            Some("json" | "ndjson") => EvaluationFormat::Json,
            Some("md" | "markdown") => EvaluationFormat::Markdown,
            _ => EvaluationFormat::Text,
        })
    }
}

pub(super) fn run(args: &EvaluateArgs, _notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    let threads = thread_count(args.threads);
    let half = if args.training { FamilySet::Training } else { FamilySet::Reporting };
    let evaluation = evaluate(&EvaluationOptions { family_set: half, cases: args.cases, threads }, &rules)?;
    Output::from_path(args.output.as_deref()).write(|out| match EvaluationFormat::chosen(args) {
        EvaluationFormat::Text => report::text(out, &evaluation),
        EvaluationFormat::Json => report::json(out, &evaluation),
        EvaluationFormat::Markdown => report::markdown(out, &evaluation),
    })?;
    Ok(EXIT_OK)
}

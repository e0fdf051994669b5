//! `inga evaluate`: how good the answers are.

use std::num::NonZeroUsize;

use crate::app::evaluate::{Half, Question, evaluate};
use crate::app::output::Output;
use crate::app::{AppError, Notices};
use crate::report::evaluation as report;

use super::EXIT_OK;
use super::shared::RuleArgs;

/// Measure how good the answers are, on outbreaks made by lot whose causes are known
///
/// Families, sensors, sizes, dates, loss, outages and what else comes are drawn with fixed seeds; the same samples and
/// histories are answered by inga, by what was done before, and by inga without one kind of evidence each.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga evaluate
  inga evaluate --cases 1000 --format markdown")]
pub(super) struct Args {
    /// Outbreaks
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    cases: u64,
    /// Take the families that thresholds and priors were chosen with, not those that figures are reported of
    #[arg(long)]
    training: bool,
    /// What to write
    #[arg(long, value_enum, default_value = "text")]
    format: EvaluationFormat,
    /// Threads that may share the work; figures do not depend on it
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    rules: RuleArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum EvaluationFormat {
    /// For people
    Text,
    /// A line of JSON a way of answering
    Json,
    /// The table alone
    Markdown,
}

pub(super) fn run(args: &Args, _notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    let threads = args.threads.or(std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let half = if args.training { Half::Training } else { Half::Reporting };
    let evaluation = evaluate(&Question { half, cases: args.cases, threads }, &rules)?;
    Output::Stdout.write(|out| match args.format {
        EvaluationFormat::Text => report::text(out, &evaluation),
        EvaluationFormat::Json => report::json(out, &evaluation),
        EvaluationFormat::Markdown => report::markdown(out, &evaluation),
    })?;
    Ok(EXIT_OK)
}

//! `inga evaluate`: how often the answers of `inga correlate` are right.

use std::num::NonZeroUsize;

use crate::app::evaluate::{EvaluationOptions, FamilySet, WorldKind, evaluate};
use crate::app::{AppError, Notices, thread_count};
use crate::correlate::Evaluation;

use super::EXIT_OK;
use super::help::{INPUT, LIMITS};
use super::output::{OutputArgs, formats_of};
use super::shared::RuleArgs;

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
#[command(mut_arg("format", formats_of::<Evaluation>))]
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
    /// Worlds in which answers are measured
    #[arg(long, value_enum, value_name = "KIND", default_value_t = Worlds::Mismatched, help_heading = INPUT)]
    worlds: Worlds,
    /// Use the malware families on which thresholds and priors were chosen, instead of those used for
    /// reported figures
    #[arg(long, help_heading = INPUT)]
    training: bool,
    #[command(flatten)]
    output: OutputArgs,
    /// Threads that may share the work [default: the number of processors]; the figures do not depend on it
    #[arg(long, value_name = "N", help_heading = LIMITS)]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    rules: RuleArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Worlds {
    /// Rates, retries, loss and dates as the model of attribution assumes them
    Matched,
    /// Drift, loss, rates, dates and sandbox runs that the model does not assume
    Mismatched,
}

impl Worlds {
    fn kind(self) -> WorldKind {
        match self {
            Worlds::Matched => WorldKind::Matched,
            Worlds::Mismatched => WorldKind::Mismatched,
        }
    }
}

pub(super) fn run(args: &EvaluateArgs, _notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    let threads = thread_count(args.threads);
    let half = if args.training { FamilySet::Training } else { FamilySet::Reporting };
    let options =
        EvaluationOptions { world_kind: args.worlds.kind(), family_set: half, cases: args.cases, threads };
    let evaluation = evaluate(&options, &rules)?;
    args.output.write(&evaluation)?;
    Ok(EXIT_OK)
}

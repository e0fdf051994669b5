//! `inga correlate`: samples as causes of scans that a darknet observed.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::app::correlate::correlate_reports;
use crate::app::output::Output;
use crate::app::{AppError, Notices};
use crate::escape::escape_hidden;
use crate::render::answer::Format;
use crate::render::hypotheses::{self, CorrelationAnswer};

use super::EXIT_OK;
use super::help::OUTPUT;
use super::output::{PictureArgs, formats_of};
use super::shared::{CaptureReadingArgs, HistorySourceArgs, ReportArgs, RuleArgs, note_unused};

/// Judge how far samples explain the scans that a darknet observed
///
/// The answer has one hypothesis per sample, sensor and granularity: verdict, rank, score, the evidence with
/// its numbers, the hosts that show the behavior, and the onset compared with the sample's dates. The HTML
/// page adds paired tiles and the series of hosts per day.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga correlate report.yaml --darknet samples/darknet -o report.html
  inga correlate samples/*/report.yaml --history history --format json
  inga correlate /opt/CAPEv2/storage/analyses/1 --history history
  inga correlate --history history

A match of behavior makes a sample a candidate for the cause; it does not show that a host is infected.")]
#[command(mut_arg("format", formats_of::<CorrelationAnswer<'_>>))]
pub(super) struct CorrelateArgs {
    /// Sample reports (YAML), what `inga sample import` reads (analyses of sandboxes, captures and archives with
    /// the sample's hash in their names), or folders of any of these
    /// [default: the samples kept in the history]
    #[arg(value_name = "REPORT")]
    reports: Vec<PathBuf>,
    #[command(flatten)]
    history: HistorySourceArgs,
    #[command(flatten)]
    picture: PictureArgs,
    /// Show also the shortest chain of evidence from this host to each sample; only in text
    #[arg(long, value_name = "ADDRESS", help_heading = OUTPUT)]
    host: Option<IpAddr>,
    #[command(flatten)]
    reports_as: ReportArgs,
    #[command(flatten)]
    reading: CaptureReadingArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

pub(super) fn run(args: &CorrelateArgs, notices: &mut Notices) -> Result<u8, AppError> {
    if args.picture.output.format::<CorrelationAnswer<'_>>() != Format::Text {
        note_unused(&[("--host", args.host.is_some())], "on other formats than text", notices);
    }
    args.picture.note_unused::<CorrelationAnswer<'_>>(&[], notices);
    args.reports_as.note_unused(&args.reports, notices);
    let rules = args.rules.load()?;
    let source = args.history.source()?;
    let answer = correlate_reports(
        &args.reports,
        &source,
        &args.reports_as.options(args.reading.options()),
        &rules,
        notices,
    )?;
    args.picture.write(&CorrelationAnswer {
        hypotheses: &answer.hypotheses,
        samples: answer.samples.iter().map(|sample| &sample.profile).collect(),
        coverage: &answer.coverage,
        window_seconds: rules.profile.window_seconds,
        graph: answer.graph(),
        host: args.host,
    })?;
    if args.picture.output.is_file() {
        // The answer is in the file; standard output gets the headline of the best hypothesis.
        if let Some(best) = answer.hypotheses.first() {
            Output::Stdout.write(|out| writeln!(out, "{}", escape_hidden(&hypotheses::headline(best))))?;
        }
    }
    Ok(EXIT_OK)
}

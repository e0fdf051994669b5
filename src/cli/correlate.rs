//! `inga correlate`: samples as causes of scans that a darknet observed.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::app::correlate::{CorrelationResult, correlate_reports};
use crate::app::output::Output;
use crate::app::{AppError, Notices};
use crate::escape::escape_hidden;
use crate::render::html::{CorrelationPage, page, picture};
use crate::render::{dot, hypotheses, hypotheses_json};

use super::EXIT_OK;
use super::help::OUTPUT;
use super::shared::{CaptureReadingArgs, HistorySourceArgs, ReportArgs, RuleArgs, extension, note_unused};

/// Judge how far samples explain the scans that a darknet observed
///
/// The answer has one hypothesis per sample, sensor and granularity: verdict, rank, score, the evidence with
/// its numbers, the hosts that show the behavior, and the onset compared with the sample's dates. The HTML
/// page adds paired tiles and the series of hosts per day.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga correlate report.yaml --darknet samples/darknet -o report.html
  inga correlate samples/*/report.yaml --history history --format json
  inga correlate --history history

A match of behavior makes a sample a candidate for the cause; it does not show that a host is infected.")]
pub(super) struct CorrelateArgs {
    /// Sample reports (YAML), or what `inga sample import` reads: reports of sandboxes, and folders of analyses
    /// [default: the samples kept in the history]
    #[arg(value_name = "REPORT")]
    reports: Vec<PathBuf>,
    #[command(flatten)]
    history: HistorySourceArgs,
    /// Output format [default: by the extension of the output file, else text]
    #[arg(long, value_enum, help_heading = OUTPUT)]
    format: Option<CorrelateFormat>,
    /// Show also the shortest chain of evidence from this host to each sample; only in text
    #[arg(long, value_name = "ADDRESS", help_heading = OUTPUT)]
    host: Option<IpAddr>,
    /// Output file; `-` is standard output
    #[arg(short, long, value_name = "FILE", help_heading = OUTPUT)]
    output: Option<PathBuf>,
    #[command(flatten)]
    reports_as: ReportArgs,
    #[command(flatten)]
    reading: CaptureReadingArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum CorrelateFormat {
    /// Text for people
    Text,
    /// One line of JSON per hypothesis
    Json,
    /// HTML page with tiles and series
    Html,
    /// SVG picture of the best hypothesis
    Svg,
    /// Evidence graph for Graphviz
    Dot,
    /// Evidence graph as GraphML
    Graphml,
}

impl CorrelateFormat {
    /// Returns the format that `--format` names, else the one of the output file's extension, else text.
    fn chosen(args: &CorrelateArgs) -> CorrelateFormat {
        args.format.unwrap_or(match extension(args.output.as_deref()) {
            Some("json" | "ndjson") => CorrelateFormat::Json,
            Some("html" | "htm") => CorrelateFormat::Html,
            Some("svg") => CorrelateFormat::Svg,
            Some("dot" | "gv") => CorrelateFormat::Dot,
            Some("graphml") => CorrelateFormat::Graphml,
            _ => CorrelateFormat::Text,
        })
    }
}

pub(super) fn run(args: &CorrelateArgs, notices: &mut Notices) -> Result<u8, AppError> {
    if CorrelateFormat::chosen(args) != CorrelateFormat::Text {
        note_unused(&[("--host", args.host.is_some())], "on other formats than text", notices);
    }
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
    write(args, &answer, rules.profile.window_seconds)?;
    if args.output.as_deref().is_some_and(|path| path.as_os_str() != "-") {
        // The answer is in the file; standard output gets the headline of the best hypothesis.
        if let Some(best) = answer.hypotheses.first() {
            Output::Stdout.write(|out| writeln!(out, "{}", escape_hidden(&hypotheses::headline(best))))?;
        }
    }
    Ok(EXIT_OK)
}

fn write(args: &CorrelateArgs, answer: &CorrelationResult, window_seconds: u32) -> Result<(), AppError> {
    let output = Output::from_path(args.output.as_deref());
    let format = CorrelateFormat::chosen(args);
    let failed = |error: askama::Error| AppError::Usage(error.to_string());
    let all = &answer.hypotheses;
    let correlation = CorrelationPage {
        hypotheses: all,
        samples: answer.samples.iter().map(|sample| &sample.profile).collect(),
        coverage: &answer.coverage,
        window_seconds,
    };
    match format {
        CorrelateFormat::Text => output.write(|out| {
            hypotheses::text(out, all)?;
            hypotheses::connections(out, &answer.graph(), args.host)
        }),
        CorrelateFormat::Json => output.write(|out| hypotheses_json::json(out, all)),
        CorrelateFormat::Html => {
            let page = page(&correlation).map_err(failed)?;
            output.write(|out| out.write_all(page.as_bytes()))
        }
        CorrelateFormat::Svg => {
            let nothing =
                || AppError::Usage("no sensor saw any behavior of the samples: nothing to draw".to_owned());
            let picture = picture(&correlation).ok_or_else(nothing)?;
            output.write(|out| out.write_all(picture.as_bytes()))
        }
        CorrelateFormat::Dot => output.write(|out| dot::dot(out, &answer.graph())),
        CorrelateFormat::Graphml => output.write(|out| dot::graphml(out, &answer.graph())),
    }
}

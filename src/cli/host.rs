//! `inga host`: everything that sensors observed of one host.

use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;

use serde::Serialize;

use crate::app::host::{HostBehavior, host};
use crate::app::output::Output;
use crate::app::{AppError, Notices};
use crate::behavior::BehaviorId;
use crate::escape::escape_hidden;
use crate::packet::Timestamp;
use crate::render::host::{HostRow, host_svg};
use crate::render::text::table;

use super::EXIT_OK;
use super::shared::{HistorySourceArgs, PictureArgs, PictureFormat, RuleArgs};

/// Show what sensors observed of a host
///
/// The answer has one row per sensor and type: the first and last packet, the number of days on which the
/// type was seen, and the longest gap between these days, in recorded days. Rows are ordered by sensor, then
/// by the time of the first packet.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga host 192.0.2.1 --history history
  inga host 192.0.2.1 --history history -o host.svg")]
pub(super) struct HostArgs {
    /// Address of the host
    #[arg(value_name = "ADDRESS")]
    host: IpAddr,
    #[command(flatten)]
    history: HistorySourceArgs,
    /// Only this sensor; may be given more than once [default: all sensors of the history]
    #[arg(long, value_name = "NAME")]
    sensor: Vec<String>,
    /// Output format [default: by the extension of the output file, else text]
    ///
    /// JSON has one line per sensor and type.
    #[arg(long, value_enum)]
    format: Option<PictureFormat>,
    /// Output file; `-` is standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    picture: PictureArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

#[derive(Serialize)]
struct JsonHostBehavior<'a> {
    host: IpAddr,
    sensor: &'a str,
    #[serde(rename = "type")]
    behavior: BehaviorId,
    canonical: &'a str,
    labels: &'a [String],
    first: Timestamp,
    last: Timestamp,
    days: u64,
    longest_gap_days: u64,
    windows: u64,
    packets: u64,
}

pub(super) fn run(args: &HostArgs, notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    let all = host(&args.history.source()?, args.host, &args.sensor, &rules, notices)?;
    if all.is_empty() {
        notices.add(format!("{} was not seen", args.host));
    }
    let output = Output::from_path(args.output.as_deref());
    match PictureFormat::chosen(args.format, args.output.as_deref()) {
        PictureFormat::Text => output.write(|out| text(out, &all)),
        PictureFormat::Json => output.write(|out| json(out, args.host, &all)),
        format => args.picture.write(&output, &picture(args.host, &all), format == PictureFormat::Png),
    }?;
    Ok(EXIT_OK)
}

fn text(out: &mut dyn Write, all: &[HostBehavior]) -> io::Result<()> {
    let head = ["sensor", "first", "last", "days", "gap", "windows", "packets", "labels", "type"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for HostBehavior { sensor, behavior, labels, counts: seen, days, gap, .. } in all {
        rows.push(vec![
            escape_hidden(sensor),
            seen.first.to_string(),
            seen.last.to_string(),
            days.len().to_string(),
            gap.to_string(),
            seen.windows.to_string(),
            seen.packets.to_string(),
            escape_hidden(&labels.join(" ")),
            behavior.canonical.clone(),
        ]);
    }
    table(out, &rows)
}

fn json(out: &mut dyn Write, host: IpAddr, all: &[HostBehavior]) -> io::Result<()> {
    for HostBehavior { sensor, behavior, labels, counts: seen, days, gap, .. } in all {
        let line = JsonHostBehavior {
            host,
            sensor,
            behavior: behavior.id,
            canonical: &behavior.canonical,
            labels,
            first: seen.first,
            last: seen.last,
            days: days.len() as u64,
            longest_gap_days: *gap,
            windows: seen.windows,
            packets: seen.packets,
        };
        crate::escape::json_line(out, &line)?;
    }
    Ok(())
}

fn picture(host: IpAddr, all: &[HostBehavior]) -> String {
    let row = |behaved: &'_ HostBehavior| -> String {
        let parts = [behaved.labels.join(", "), behaved.behavior.canonical.clone()];
        let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        format!("{}: {}", behaved.sensor, parts.join(", "))
    };
    let rows: Vec<HostRow<'_>> = all
        .iter()
        .map(|behaved| HostRow {
            label: row(behaved),
            days: behaved.days.clone(),
            coverage: &behaved.coverage,
        })
        .collect();
    host_svg(&host.to_string(), &rows)
}

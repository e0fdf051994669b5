//! `inga host`: everything that sensors observed of one host.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::app::host::host;
use crate::app::output::Output;
use crate::app::{AppError, Notices};
use crate::render::host as report;

use super::EXIT_OK;
use super::help::{FILTER, OUTPUT};
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
    #[arg(long, value_name = "NAME", help_heading = FILTER)]
    sensor: Vec<String>,
    /// Output format [default: by the extension of the output file, else text]
    ///
    /// JSON has one line per sensor and type.
    #[arg(long, value_enum, help_heading = OUTPUT)]
    format: Option<PictureFormat>,
    /// Output file; `-` is standard output
    #[arg(short, long, value_name = "FILE", help_heading = OUTPUT)]
    output: Option<PathBuf>,
    #[command(flatten)]
    picture: PictureArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

pub(super) fn run(args: &HostArgs, notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    args.picture.note_unused(PictureFormat::chosen(args.format, args.output.as_deref()), notices);
    let all = host(&args.history.source()?, args.host, &args.sensor, &rules, notices)?;
    if all.is_empty() {
        notices.add(format!("{} was not seen", args.host));
    }
    let output = Output::from_path(args.output.as_deref());
    match PictureFormat::chosen(args.format, args.output.as_deref()) {
        PictureFormat::Text => output.write(|out| report::text(out, &all)),
        PictureFormat::Json => output.write(|out| report::json(out, args.host, &all)),
        format => {
            args.picture.write(&output, &report::host_svg(args.host, &all), format == PictureFormat::Png)
        }
    }?;
    Ok(EXIT_OK)
}

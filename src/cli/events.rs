//! `inga events`: the packets of captures, one line each.

use std::path::PathBuf;

use crate::app::output::Output;
use crate::app::packets::all_packets;
use crate::app::{AppError, Notices};
use crate::render::packets as report;

use super::EXIT_OK;
use super::shared::{CaptureReadingArgs, OutputFormat, RuleArgs, VictimArgs};

/// Print the packets of captures and logs, one line each
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga events capture.pcap.gz
  tcpdump -nn -r capture.pcap | inga events - --date 2009-03-02 --format json
  inga events sandbox.pcap --victim 192.168.20.21 --format json

JSON fields: time (RFC 3339, or null), seconds (where times have no date), source, destination, protocol, source_port,
destination_port, flags (order FSRPAUEC), icmp_type, icmp_code; with --victim also class (scan or access) and reason.")]
pub(super) struct EventsArgs {
    /// Captures, logs, archives, and folders of them; `-` is standard input
    #[arg(required = true, value_name = "CAPTURE")]
    captures: Vec<PathBuf>,
    #[command(flatten)]
    victims: VictimArgs,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
    #[command(flatten)]
    reading: CaptureReadingArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

pub(super) fn run(args: &EventsArgs, notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    let victims = args.victims.victims()?;
    let options = args.reading.options();
    let inputs = options.expand(&args.captures, notices)?;
    Output::Stdout.write_pieces(|out| {
        all_packets(&inputs, &victims, &options, &rules, notices, &mut |event| {
            out.put(|out| match args.format {
                OutputFormat::Json => report::json(out, event.packet, event.clock, event.class),
                OutputFormat::Text => report::text(out, event.packet, event.clock, event.class.as_ref()),
            })
        })
    })?;
    Ok(EXIT_OK)
}

//! `inga events`: the packets of captures, one line each.

use std::path::PathBuf;

use crate::app::packets::{Victims, all_packets};
use crate::app::{AppError, Notices};
use crate::render::answer::Answer;
use crate::render::packets::PacketAnswer;
use crate::render::svg::Theme;

use super::EXIT_OK;
use super::output::OutputArgs;
use super::shared::{CaptureReadingArgs, RuleArgs, VictimArgs};

/// Print the packets of captures and logs, one line each
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga events capture.pcap.gz
  tcpdump -nn -r capture.pcap | inga events - --date 2009-03-02 --format json
  inga events sandbox.pcap --victim 192.168.20.21 -o events.json

JSON has one line per packet, with the fields time (RFC 3339, or null), seconds (if times have no date), \
source, destination, protocol, source_port, destination_port, flags (in the order FSRPAUEC), icmp_type and \
icmp_code. With --victim, it also has class (scan or access) and reason.")]
pub(super) struct EventsArgs {
    /// Captures, logs, archives, and folders of them; `-` is standard input
    #[arg(required = true, value_name = "CAPTURE")]
    captures: Vec<PathBuf>,
    #[command(flatten)]
    victims: VictimArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    reading: CaptureReadingArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

pub(super) fn run(args: &EventsArgs, notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    let victims = args.victims.victims()?;
    if victims == Victims::None {
        args.rules.note_unused("without --victim", notices);
    }
    let format = args.output.format::<PacketAnswer<'_>>();
    let options = args.reading.options();
    let inputs = options.expand(&args.captures, notices)?;
    args.output.target().write_pieces(|out| {
        all_packets(&inputs, &victims, &options, &rules, notices, &mut |event| {
            let answer = PacketAnswer { packet: event.packet, clock: event.clock, class: event.class };
            out.put(|out| answer.write(out, format, Theme::Auto))
        })
    })?;
    Ok(EXIT_OK)
}

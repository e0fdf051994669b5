//! `inga host`: everything that sensors observed of one host.

use std::net::IpAddr;

use crate::app::host::host;
use crate::app::{AppError, Notices};
use crate::render::host::HostAnswer;

use super::EXIT_OK;
use super::help::FILTER;
use super::output::{PictureArgs, formats_of};
use super::shared::{HistorySourceArgs, RuleArgs};

/// Show what sensors observed of a host
///
/// The answer has one row per sensor and type: the first and last packet, the number of days on which the
/// type was seen, and the longest gap between these days, in recorded days. Rows are ordered by sensor, then
/// by the time of the first packet.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga host 192.0.2.1 --history history
  inga host 192.0.2.1 --history history -o host.svg

JSON has one line per sensor and type.")]
#[command(mut_arg("format", formats_of::<HostAnswer<'_>>))]
pub(super) struct HostArgs {
    /// Address of the host
    #[arg(value_name = "ADDRESS")]
    host: IpAddr,
    #[command(flatten)]
    history: HistorySourceArgs,
    /// Only this sensor; may be given more than once [default: all sensors of the history]
    #[arg(long, value_name = "NAME", help_heading = FILTER)]
    sensor: Vec<String>,
    #[command(flatten)]
    picture: PictureArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

pub(super) fn run(args: &HostArgs, notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    args.picture.note_unused::<HostAnswer<'_>>(&[], notices);
    let all = host(&args.history.source()?, args.host, &args.sensor, &rules, notices)?;
    if all.is_empty() {
        notices.add(format!("{} was not seen", args.host));
    }
    args.picture.write(&HostAnswer { host: args.host, rows: &all })?;
    Ok(EXIT_OK)
}

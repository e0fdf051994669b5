//! `inga capture`: lists and removes the captures that were fed into a history.

use crate::app::output::Output;
use crate::app::removal::{captures, remove_capture};
use crate::app::{AppError, Notices};
use crate::history::ListedCapture;
use crate::render::captures::capture_in_words;

use super::EXIT_OK;
use super::confirm::ConfirmArgs;
use super::help::FILTER;
use super::output::OutputArgs;
use super::shared::HistoryFolder;

/// List or remove the captures of a history
#[derive(Debug, clap::Args)]
pub(super) struct CaptureArgs {
    #[command(subcommand)]
    command: CaptureCommand,
}

#[derive(Debug, clap::Subcommand)]
enum CaptureCommand {
    /// List the captures that were fed into a history
    ///
    /// For each capture, the list shows its sensor, its name, its first and last recorded time, the number of
    /// its capture spans, the packets to dark addresses, all packets, the packets that the recorder lost, the
    /// time when it was fed, whether `inga capture remove` can remove it, and the hash of its content.
    #[command(after_help = "Examples:
  inga capture list --sensor II --history history
  inga capture list --history history --format json")]
    List {
        #[command(flatten)]
        history: HistoryFolder,
        /// Only this sensor; may be given more than once [default: all sensors of the history]
        #[arg(long, value_name = "NAME", help_heading = FILTER)]
        sensor: Vec<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Remove a capture that was not merged with other captures
    ///
    /// If the capture is the one that was fed last, the history is afterwards as it was before that capture
    /// was fed. If other captures were fed after it, all windows that ended in the removed capture are
    /// removed, even if they began in an earlier capture; windows that ended in a later capture stay as they
    /// are. Days that no other capture recorded become days that were not recorded.
    ///
    /// A capture that was merged with others is refused (exit code 2). In this case, use `inga history drop`
    /// to make its days not recorded, then feed the right captures again.
    #[command(after_help = "Examples:
  inga capture remove 2009-03-02.pcap.gz --sensor II --history history
  inga capture remove 5f3a9c01 --sensor II --history history --yes")]
    Remove {
        /// Name under which the capture was fed, or the first digits (6 or more) of its content hash
        #[arg(value_name = "HASH|NAME")]
        capture: String,
        /// Sensor that recorded the capture
        #[arg(long, value_name = "NAME")]
        sensor: String,
        #[command(flatten)]
        history: HistoryFolder,
        #[command(flatten)]
        confirm: ConfirmArgs,
    },
}

pub(super) fn run(args: &CaptureArgs, notices: &mut Notices) -> Result<u8, AppError> {
    match &args.command {
        CaptureCommand::List { history, sensor, output } => {
            output.write(captures(&history.folder, sensor, &history.rules.load()?)?.as_slice())?;
        }
        CaptureCommand::Remove { capture, sensor, history, confirm } => {
            let mut agrees = |one: &ListedCapture| {
                confirm.confirm(&format!("This would remove {}", capture_in_words(one)))
            };
            let which = (sensor.as_str(), capture.as_str());
            let done = remove_capture(&history.folder, which, &history.rules.load()?, notices, &mut agrees)?;
            Output::Stdout.write(|out| writeln!(out, "removed {}", capture_in_words(&done)))?;
        }
    }
    Ok(EXIT_OK)
}

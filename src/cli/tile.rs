//! `inga tile`: a picture of one window, or of two windows side by side.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::app::tile::{TileWindow, example, window};
use crate::app::{AppError, CaptureOptions, Notices};
use crate::behavior::BehaviorId;
use crate::correlate::gaps;
use crate::packet::Timestamp;
use crate::render::hypotheses::{differences_in_words, gaps_in_words};
use crate::render::tile::{Tile, TilePicture};
use crate::render::{fingerprints, hypothesis_pictures};

use super::EXIT_OK;
use super::help::FILTER;
use super::output::{PictureArgs, formats_of};
use super::shared::{CaptureReadingArgs, HistorySourceArgs, RuleArgs};

/// Draw a window as a tile
///
/// The example window of a type is drawn from a history, without its capture. The window of a host is drawn
/// from captures. Two windows are drawn side by side, with the differences between their parameters below.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga tile --history history --sensor II -o tile.svg \\
      --type 95f82c624a74270852e9ce6958d1247e
  inga tile sensor.pcap --host 192.0.2.1 --at 2009-03-10T12:00:00Z -o tile.svg
  inga tile sandbox.pcap --host 192.168.20.21 --history history -o pair.svg \\
      --type 95f82c624a74270852e9ce6958d1247e")]
#[command(mut_arg("format", tile_format))]
pub(super) struct TileArgs {
    /// Captures or logs with the window of the host
    #[arg(value_name = "CAPTURE", requires = "host")]
    captures: Vec<PathBuf>,
    /// Host whose window in the captures is drawn
    #[arg(long, value_name = "ADDRESS", requires = "captures", help_heading = FILTER)]
    host: Option<IpAddr>,
    /// A time within the window to draw [default: the first window of the host]
    #[arg(long, value_name = "TIME", requires = "host", help_heading = FILTER)]
    at: Option<Timestamp>,
    /// Type whose example window is drawn; may be given twice
    #[arg(long = "type", value_name = "ID", help_heading = FILTER)]
    types: Vec<BehaviorId>,
    #[command(flatten)]
    history: HistorySourceArgs,
    /// Sensor whose example is drawn [default: the sensor with the earliest example]
    #[arg(long, value_name = "NAME", requires = "types", help_heading = FILTER)]
    sensor: Vec<String>,
    #[command(flatten)]
    picture: PictureArgs,
    #[command(flatten)]
    reading: CaptureReadingArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

/// Returns the option `--format` of tiles, which have no text.
fn tile_format(format: clap::Arg) -> clap::Arg {
    let help = "Output format [default: by the extension of the output file, else svg]";
    formats_of::<TilePicture>(format).help(help)
}

pub(super) fn run(args: &TileArgs, notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    let mut drawn = Vec::new();
    if let Some(host) = args.host {
        let options = args.reading.options();
        let inputs = options.expand(&args.captures, notices)?;
        drawn.push(window(&inputs, host, args.at, &options, &rules, notices)?);
    }
    if args.types.is_empty() {
        args.history.note_unused("without --type", notices);
    } else {
        let store = args.history.source()?.open(&CaptureOptions::default(), &rules, notices)?;
        for behavior in &args.types {
            drawn.push(example(store.as_ref(), *behavior, &args.sensor, &rules)?);
        }
    }
    let seconds = rules.profile.window_seconds;
    let picture = match drawn.as_slice() {
        [one] => TilePicture::One(tile(one, seconds)),
        [one, other] => {
            let gaps = gaps(one.parameters(), other.parameters());
            // Explanations from sandbox and darknet conditions apply only to a pair of a captured window and
            // an example, not to two examples of a darknet.
            let differences = match one {
                TileWindow::Window(_) => gaps_in_words(&gaps),
                TileWindow::Example { .. } => differences_in_words(&gaps).into_iter().collect(),
            };
            TilePicture::Pair(tile(one, seconds), tile(other, seconds), differences)
        }
        _ => {
            let message = "give one window or two: a CAPTURE with --host, or a --type, or two of these";
            return Err(AppError::Usage(message.to_owned()));
        }
    };
    args.picture.write(&picture)?;
    Ok(EXIT_OK)
}

fn tile(drawn: &TileWindow, seconds: u32) -> Tile {
    match drawn {
        TileWindow::Window(window) => fingerprints::tile(window, seconds),
        TileWindow::Example { sensor, example, record, labels } => hypothesis_pictures::example_tile(
            sensor,
            example,
            &record.behavior.canonical,
            &labels.join(", "),
            seconds,
        ),
    }
}

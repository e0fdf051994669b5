//! `inga fingerprint`: one line a window.

use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::app::fingerprint::{Selection, fingerprints};
use crate::app::output::Output;
use crate::app::summary::summary;
use crate::app::{AppError, Notices};
use crate::report::fingerprints as report;
use crate::report::tile::tile_svg;
use crate::rules::NamedWindow;

use super::EXIT_OK;
use super::progress::Progress;
use super::shared::{CaptureArgs, Format, RuleArgs, VictimArgs};

/// Fingerprint the windows of captures: parameters, behavior type, shape, family, labels
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga fingerprint samples/a2eaf57c47a118e91a5edf694685eee7/fig8.txt
  inga fingerprint sandbox.pcap --victim auto --format json
  inga fingerprint sensor.pcap.zst --dark 198.51.100.0/24 --tiles tiles/
  inga fingerprint sensor/ --dark 198.51.100.0/24 --summary")]
pub(super) struct Args {
    /// Captures, logs, folders of them, or `-` for standard input; read one after the other
    #[arg(required = true, value_name = "CAPTURE")]
    captures: Vec<PathBuf>,
    #[command(flatten)]
    victims: VictimArgs,
    /// Count only packets to this prefix, and rank destinations within all of these
    #[arg(long, value_name = "PREFIX")]
    dark: Vec<IpNet>,
    /// For people or for machines
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// One line a day (UTC) instead of one a window: packets, windows, hosts, types, pairs of host and type
    #[arg(long, conflicts_with_all = ["victim", "tiles"])]
    summary: bool,
    /// Draw a tile of each window into this folder
    #[arg(long, value_name = "DIR")]
    tiles: Option<PathBuf>,
    #[command(flatten)]
    reading: CaptureArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

pub(super) fn run(args: &Args, notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    let selection = Selection { victims: args.victims.victims()?, dark: args.dark.clone() };
    let mut options = args.reading.options();
    let inputs = options.expand(&args.captures, notices)?;
    if let Some(folder) = &args.tiles {
        std::fs::create_dir_all(folder).map_err(|error| AppError::file(folder, error))?;
    }
    let progress = Progress::watch(&inputs, &mut options);
    if args.summary {
        let days = summary(&inputs, &args.dark, &options, &rules, notices)?;
        drop(progress);
        Output::Stdout.write(|out| match args.format {
            Format::Json => report::summary_json(out, &days),
            Format::Text => report::summary_text(out, &days),
        })?;
        return Ok(EXIT_OK);
    }
    let mut failed = None;
    let mut number = 0;
    Output::Stdout.write(|out| {
        let mut written = Ok(());
        let done = fingerprints(&inputs, &selection, &options, &rules, notices, &mut |window| {
            number += 1;
            if let Some(folder) = &args.tiles {
                draw(folder, number, &window, rules.profile.window_seconds)?;
            }
            written = match args.format {
                Format::Json => report::json(out, &window),
                Format::Text => report::text(out, &window),
            };
            match &written {
                Ok(()) => Ok(()),
                Err(error) => Err(AppError::Usage(error.to_string())),
            }
        });
        written?;
        failed = done.err();
        Ok(())
    })?;
    drop(progress);
    failed.map_or(Ok(EXIT_OK), Err)
}

/// Draws a window's tile into a file named by number and host, both of which are ours to name.
fn draw(folder: &Path, number: u64, window: &NamedWindow, window_seconds: u32) -> Result<(), AppError> {
    let host = window.fingerprint.source.to_string().replace(':', "_");
    let path = folder.join(format!("{number:05}-{host}.svg"));
    let svg = tile_svg(&report::tile(window, window_seconds));
    Output::File(path).write(|out| out.write_all(svg.as_bytes()))
}

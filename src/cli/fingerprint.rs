//! `inga fingerprint`: the windows of captures, one line each.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ipnet::IpNet;

use crate::app::fingerprint::{PacketFilter, fingerprints};
use crate::app::output::{Output, make_folder};
use crate::app::summary::summary;
use crate::app::{AppError, CaptureOptions, Notices};
use crate::behavior::OpenWindow;
use crate::capture::Input;
use crate::render::answer::Answer;
use crate::render::fingerprints::tile;
use crate::render::svg::Theme;
use crate::render::tile::tile_svg;
use crate::rules::{NamedWindow, Namer, Rules};

use super::EXIT_OK;
use super::help::{FILTER, OUTPUT};
use super::output::OutputArgs;
use super::progress::Progress;
use super::shared::{CaptureReadingArgs, RuleArgs, VictimArgs};

/// Print the windows of captures with their types and labels
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga fingerprint samples/a2eaf57c47a118e91a5edf694685eee7/fig8.txt
  inga fingerprint sandbox.pcap --victim auto --format json
  inga fingerprint sensor.pcap.zst --prefix 198.51.100.0/24 --tiles tiles/
  inga fingerprint sensor/ --prefix 198.51.100.0/24 --summary")]
pub(super) struct FingerprintArgs {
    /// Captures, logs, archives, and folders of them; `-` is standard input. All are read as one sequence
    #[arg(required = true, value_name = "CAPTURE")]
    captures: Vec<PathBuf>,
    #[command(flatten)]
    victims: VictimArgs,
    /// Count only packets to this dark prefix; may be given more than once
    ///
    /// The transition of a window is computed from the ranks of its destinations among the addresses of all
    /// given prefixes.
    #[arg(long, alias = "dark", value_name = "PREFIX", value_delimiter = ',', help_heading = FILTER)]
    prefix: Vec<IpNet>,
    #[command(flatten)]
    output: OutputArgs,
    /// Print one line per day (UTC) instead of one per window
    ///
    /// The line has the numbers of packets, windows, hosts, types, and pairs of host and type.
    #[arg(long, conflicts_with_all = ["victim", "tiles"], help_heading = OUTPUT)]
    summary: bool,
    /// Draw a tile of each window into this folder
    #[arg(long, value_name = "DIR", help_heading = OUTPUT)]
    tiles: Option<PathBuf>,
    #[command(flatten)]
    reading: CaptureReadingArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

pub(super) fn run(args: &FingerprintArgs, notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    let mut options = args.reading.options();
    let inputs = options.expand(&args.captures, notices)?;
    if let Some(folder) = &args.tiles {
        make_folder(folder)?;
    }
    let progress = Progress::watch(&inputs, &mut options);
    if args.summary {
        let days = summary(&inputs, &args.prefix, &options, &rules, notices)?;
        drop(progress);
        args.output.write(days.as_slice())?;
        return Ok(EXIT_OK);
    }
    let result = windows(args, &inputs, &options, &rules, notices);
    drop(progress);
    result.map(|()| EXIT_OK)
}

/// Writes one line per window and, if `--tiles` was given, a tile per window.
fn windows(
    args: &FingerprintArgs,
    inputs: &[Input],
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<(), AppError> {
    let selection = PacketFilter { victims: args.victims.victims()?, dark: args.prefix.clone() };
    let mut number = 0;
    // Buffers of lines that were written are used again: allocating new ones would take a fifth of the run
    // time.
    let room: Mutex<Vec<Vec<u8>>> = Mutex::default();
    let room = || room.lock().unwrap_or_else(PoisonError::into_inner);
    let make = |namer: &mut Namer<'_>, windows: &mut [OpenWindow], clock| {
        let lines = room().pop().unwrap_or_default();
        let named = windows.iter_mut().map(|window| namer.name(std::mem::take(window), clock));
        RenderedWindows::render(named, lines, args, rules)
    };
    args.output.target().write_pieces(|out| {
        fingerprints(inputs, &selection, options, rules, notices, &make, &mut |rendered| {
            let RenderedWindows { mut lines, tiles } = out.put(|_| rendered)?;
            for (folder, (host, svg)) in args.tiles.iter().cycle().zip(&tiles) {
                number += 1;
                draw(folder, number, *host, svg)?;
            }
            out.put(|out| out.write_all(&lines))?;
            lines.clear();
            room().push(lines);
            Ok(())
        })
    })
}

/// The rendered lines and tiles of a batch of windows.
struct RenderedWindows {
    lines: Vec<u8>,
    /// Host and SVG picture of each window; empty unless `--tiles` was given.
    tiles: Vec<(IpAddr, String)>,
}

impl RenderedWindows {
    fn render(
        windows: impl Iterator<Item = NamedWindow>,
        mut lines: Vec<u8>,
        args: &FingerprintArgs,
        rules: &Rules,
    ) -> io::Result<RenderedWindows> {
        let mut tiles = Vec::new();
        for window in windows {
            window.write(&mut lines, args.output.format::<NamedWindow>(), Theme::Auto)?;
            if args.tiles.is_some() {
                let svg = tile_svg(&tile(&window, rules.profile.window_seconds), Theme::Auto);
                tiles.push((window.fingerprint.source, svg));
            }
        }
        Ok(RenderedWindows { lines, tiles })
    }
}

/// Writes a window's tile into a file that is named after the window's number and host. Both are safe in a
/// path: no name from a capture is part of it.
fn draw(folder: &Path, number: u64, host: IpAddr, svg: &str) -> Result<(), AppError> {
    let host = host.to_string().replace(':', "_");
    let path = folder.join(format!("{number:05}-{host}.svg"));
    Output::File(path).write(|out| out.write_all(svg.as_bytes()))
}

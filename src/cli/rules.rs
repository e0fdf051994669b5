//! `inga rules`: the rules themselves.

use std::path::PathBuf;

use crate::app::output::Output;
use crate::app::{AppError, rules};

use super::EXIT_OK;

/// Look after rules
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check all rules of a folder: file, line and remedy of everything that is wrong
    Check {
        /// Folder of rules; without it, those of this build
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
    },
}

pub(super) fn run(args: &Args) -> Result<u8, AppError> {
    let Command::Check { folder } = &args.command;
    let summary = rules::load(folder.as_deref())?.summary();
    Output::Stdout.write(|out| {
        writeln!(
            out,
            "all hold: {} labels, {} tools, {} payloads, {} plumbing",
            summary.labels, summary.tools, summary.payloads, summary.plumbing
        )
    })?;
    Ok(EXIT_OK)
}

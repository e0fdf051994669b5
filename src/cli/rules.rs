//! `inga rules`: checks rules.

use std::path::PathBuf;

use crate::app::output::Output;
use crate::app::{AppError, rules};
use crate::render::rule_counts as report;

use super::EXIT_OK;

/// Check the rules for labels, tools, payloads and infrastructure traffic
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
What a rule may be called:
  A rule says no more than its condition shows. Counts, ports and flags show what was done
  (high-port-probe-udp: one datagram to one high port), never which program did it. The name of a
  tool or of a malware needs a feature that other senders' packets have with a known, small
  probability; the tool's file states it as `chance`. A label of the class malware must require a
  mark of a malware. A rule with dates is applied only to windows within them, and never to a log
  without times. A single window is a hint, the stronger the smaller the chance. The evidence is
  that more hosts have a mark than chance explains.")]
pub(super) struct RulesArgs {
    #[command(subcommand)]
    command: RulesCommand,
}

#[derive(Debug, clap::Subcommand)]
enum RulesCommand {
    /// Check all rules of a folder, and show file, line and remedy of every error
    Check {
        /// Folder of rules [default: the rules that are built in]
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
    },
}

pub(super) fn run(args: &RulesArgs) -> Result<u8, AppError> {
    let RulesCommand::Check { folder } = &args.command;
    let counts = rules::load(folder.as_deref())?.rule_counts();
    Output::Stdout.write(|out| report::text(out, &counts))?;
    Ok(EXIT_OK)
}

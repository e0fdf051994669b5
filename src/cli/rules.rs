//! `inga rules`: checks rules.

use std::path::PathBuf;

use crate::app::output::Output;
use crate::app::{AppError, rules};
use crate::render::rule_counts as report;

use super::EXIT_OK;

/// Check rules (labels, tools, payloads, infrastructure traffic)
#[derive(Debug, clap::Args)]
pub(super) struct RulesArgs {
    #[command(subcommand)]
    command: RulesCommand,
}

#[derive(Debug, clap::Subcommand)]
enum RulesCommand {
    /// Check all rules of a folder, and show the place of every error
    ///
    /// For each error, the file, the line and a remedy are shown. If any rule is invalid, the whole folder is
    /// refused.
    #[command(after_help = "Examples:
  inga rules check
  inga rules check my-rules/

What a rule may be called:
A rule states no more than its condition shows. Counts, ports and flags show what was done \
(high-port-probe-udp: one datagram to one high port), but not which program did it. The name of a tool or \
of a malware requires a feature that packets of other senders have with a known, small probability, which \
the tool's file states as `chance`. A label of the class malware must require a mark of a malware.

A rule with dates is applied only to windows within them, and never to a log without times. A single \
window is a hint, which is the stronger the smaller the chance is. It becomes evidence if more hosts have \
a mark than chance explains.")]
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

//! `inga serve`: the operator's page.

use std::net::SocketAddr;

use crate::app::AppError;
use crate::web::{ServeOptions, serve};

use super::shared::HistoryFolder;
use super::{EXIT_OK, write_stderr};

/// Serve the operator's page in a browser
///
/// The page shows whether each sensor is recording, what departed from its past, which malware explains it, and
/// what is left over. It searches addresses, prefixes, ports, types, samples, families and dates. Operators mark
/// incidents as seen, write notes and close them.
///
/// The page is served until the process is told to end (Ctrl-C or SIGTERM). It reads the history anew for every
/// request, so that it shows what `inga observe` and `inga watch` feed meanwhile.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga serve --history history
  inga serve --history history --listen 127.0.0.1:9000

Only this machine can reach a loopback address. From another machine, use SSH:
  ssh -L 8080:127.0.0.1:8080 telescope")]
pub(super) struct ServeArgs {
    #[command(flatten)]
    history: HistoryFolder,
    /// Loopback address and port to listen on; port 0 lets the system choose one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

pub(super) fn run(args: &ServeArgs) -> Result<u8, AppError> {
    let rules = args.history.rules.load()?;
    let options = ServeOptions { history: args.history.folder.clone(), listen: args.listen, rules };
    serve(options, &mut |address| write_stderr(&format!("serving http://{address}/ (end with Ctrl-C)")))?;
    Ok(EXIT_OK)
}

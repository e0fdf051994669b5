//! `inga serve`: the operator's page.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::app::AppError;
use crate::app::watch::WatchConfig;
use crate::web::{ServeOptions, serve};

use super::help::INPUT;
use super::shared::{HISTORY_VARIABLE, RuleArgs};
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
  inga serve --config watch.yaml --listen 127.0.0.1:9000

Only this machine can reach a loopback address. From another machine, use SSH:
  ssh -L 8080:127.0.0.1:8080 telescope")]
pub(super) struct ServeArgs {
    /// The history: a folder with catalog.sqlite
    #[arg(long, value_name = "DIR", env = HISTORY_VARIABLE, required_unless_present = "config", help_heading = INPUT)]
    history: Option<PathBuf>,
    /// File of `inga watch`, which names the history and your own networks
    #[arg(long, value_name = "FILE", help_heading = INPUT)]
    config: Option<PathBuf>,
    #[command(flatten)]
    rules: RuleArgs,
    /// Loopback address and port to listen on; port 0 lets the system choose one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

pub(super) fn run(args: &ServeArgs) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    let config = args.config.as_deref().map(WatchConfig::load).transpose()?;
    let (of_config, own_networks) = match config {
        Some(config) => (Some(config.history), config.own_networks),
        None => (None, Vec::new()),
    };
    let history = args.history.clone().or(of_config);
    let history = history.ok_or_else(|| AppError::Usage("give --history DIR or --config FILE".to_owned()))?;
    let options = ServeOptions { history, listen: args.listen, rules, own_networks };
    serve(options, &mut |address| write_stderr(&format!("serving http://{address}/ (end with Ctrl-C)")))?;
    Ok(EXIT_OK)
}

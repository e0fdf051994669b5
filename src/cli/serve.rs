//! `inga serve`: the operator's page.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::app::demo::make_demo;
use crate::app::output::TemporaryFolder;
use crate::app::watch::WatchConfig;
use crate::app::{AppError, Notices};
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
  inga serve --demo
  inga serve --config watch.yaml --listen 127.0.0.1:9000

Only this machine can reach a loopback address. From another machine, use SSH:
  ssh -L 8080:127.0.0.1:8080 telescope")]
pub(super) struct ServeArgs {
    /// The history: a folder with catalog.sqlite
    #[arg(long, value_name = "DIR", env = HISTORY_VARIABLE, required_unless_present_any = ["config", "demo"], help_heading = INPUT)]
    history: Option<PathBuf>,
    /// File of `inga watch`, which names the history and your own networks
    #[arg(long, value_name = "FILE", help_heading = INPUT)]
    config: Option<PathBuf>,
    /// Serve a small telescope with an outbreak, which is simulated into a temporary folder
    #[arg(long, conflicts_with = "config", help_heading = INPUT)]
    demo: bool,
    #[command(flatten)]
    rules: RuleArgs,
    /// Loopback address and port to listen on; port 0 lets the system choose one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

pub(super) fn run(args: &ServeArgs, notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    let temporary = args.demo.then(TemporaryFolder::new).transpose()?;
    let demo = match &temporary {
        Some(folder) => {
            write_stderr("simulating a small telescope, which takes some seconds");
            Some(make_demo(&folder.path().join("demo"), &rules, notices)?)
        }
        None => None,
    };
    let config = args.config.as_deref().map(WatchConfig::load).transpose()?;
    let (history, own_networks) = match (demo, config) {
        (Some(demo), _) => (Some(demo.history), demo.own_networks),
        (None, Some(config)) => (args.history.clone().or(Some(config.history)), config.own_networks),
        (None, None) => (args.history.clone(), Vec::new()),
    };
    let history =
        history.ok_or_else(|| AppError::Usage("give --history DIR, --config FILE or --demo".to_owned()))?;
    let options = ServeOptions { history, listen: args.listen, rules, own_networks };
    serve(options, &mut |address| write_stderr(&format!("serving http://{address}/ (end with Ctrl-C)")))?;
    Ok(EXIT_OK)
}

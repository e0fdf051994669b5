//! `inga watch`: runs by itself for months.

use std::path::PathBuf;

use crate::app::output::Output;
use crate::app::watch::{
    Log, Signals, StatusSink, WatchConfig, WatchLogFormat, WatchOptions, WatchStatus, watch,
};
use crate::app::{AppError, CaptureOptions, thread_count};

use crate::render::metrics::Metrics;

use super::EXIT_OK;
use super::shared::RuleArgs;

/// Follow captures as they arrive, and find incidents by itself
///
/// Feeds the captures of all sensors as they grow, are renamed, rotated, compressed or come late; merges the
/// history when a day is over; finds incidents and their causes (`inga incident`); and determines the health of
/// each sensor. It can be killed at any moment: nothing is lost or counted twice, and the next start continues.
/// SIGTERM and SIGINT stop it, SIGHUP reads the file again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga watch --check telescope.yaml
  inga watch telescope.yaml
  tcpdump -U -i eth1 -w - | inga watch live.yaml

The file (YAML; paths are relative to its folder):
  history: history                # folder of the history, with its sensors
  sensors:
    - {name: II, captures: captures/II}           # a folder with all below it
    - {name: III, captures: 'in/sensor=III/date=%Y-%m-%d/*.pcap*'}
    - {name: IV, captures: '-'}                   # a pcap on standard input
  own_networks:
    - {prefix: 192.0.2.0/24, name: HQ}
  commit_seconds: 30              # the next ones have these defaults
  detect_minutes: 10
  settle_seconds: 10              # rest before a compressed file is read
  thresholds: {silent_minutes: 15, lag_seconds: 300, loss_percent: 1,
               disk_percent: 5, clock_seconds: 60}
  retention: {sightings_days: 400}                # none: keep all
  alerts:
    receivers:
      - {name: mail, exec: [/usr/local/bin/mail-alert]}
      - {name: hook, webhook: 'http://10.0.0.5/inga', secret_file: secret}
      - {name: log, syslog: /dev/log}             # or HOST:PORT (UDP)
      - {name: siem, syslog: '10.0.0.6:514', syslog_format: cef}
    mutes:                        # alerts that are not sent
      - {kind: capture-loss, sensor: III, until: 2026-12-24}
      - {incident: 12, until: 2026-12-24}

A pcap or pcapng file is followed while it grows. Other files (compressed, archives, text) are read when they \
have not changed for settle_seconds.

Alerts are raised at most once for one thing: an incident that is opened, a cause that becomes likely, an address of an own network in a dark space (once a month for each pattern), a sensor that falls silent, and loss (once a day). Alerts of one pass are sent together. A receiver gets JSON with `summary` and `alerts`; posts are signed in the header X-Inga-Signature by HMAC-SHA256 over the body. What cannot be sent is tried again for three days. A mute has a kind (own-network, incident-opened, cause-likely, sensor-silent, capture-loss), a sensor or an incident, and the first day (UTC) on which such alerts are sent again; what is raised meanwhile is logged and never sent.")]
pub(super) struct WatchArgs {
    /// File that says what is followed
    #[arg(value_name = "CONFIG")]
    config: PathBuf,
    /// Only check the file and the history
    #[arg(long, conflicts_with = "once")]
    check: bool,
    /// Feed everything that is there now, update the incidents, and exit
    #[arg(long)]
    once: bool,
    /// File that gets metrics for Prometheus after each pass (for the textfile collector of its node exporter)
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
    /// Form of the log on standard error
    #[arg(long, value_enum, default_value = "text")]
    log_format: LogFormatArg,
    #[command(flatten)]
    rules: RuleArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum LogFormatArg {
    /// Lines for people
    Text,
    /// A JSON object per line
    Json,
}

pub(super) fn run(args: &WatchArgs) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    if args.check {
        let config = WatchConfig::load(&args.config)?;
        config.check_history(&args.config, &rules)?;
        let (file, sensors) = (crate::escape::path(&args.config), config.sensors.len());
        Output::Stdout.write(|out| writeln!(out, "{file}: {sensors} sensors, nothing wrong"))?;
        return Ok(EXIT_OK);
    }
    let format = match args.log_format {
        LogFormatArg::Text => WatchLogFormat::Text,
        LogFormatArg::Json => WatchLogFormat::Json,
    };
    let options = WatchOptions {
        once: args.once,
        reading: CaptureOptions::default().with_threads(thread_count(None)),
        on_status: args.metrics.clone().map(metrics_sink),
    };
    let log = Log::new(format, Box::new(std::io::stderr()));
    watch(&args.config, options, &rules, log, &Signals::install()?)?;
    Ok(EXIT_OK)
}

/// Returns a function that writes metrics to a file, which it replaces as a whole.
fn metrics_sink(path: PathBuf) -> StatusSink {
    Box::new(move |status: &WatchStatus<'_>| {
        let WatchStatus { healths, incidents, deliveries } = *status;
        let text = Metrics { healths, incidents, deliveries }.text();
        Output::File(path.clone()).write(|out| out.write_all(text.as_bytes()))
    })
}

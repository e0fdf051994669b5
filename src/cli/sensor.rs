//! `inga sensor`: the sensors of a history.

use ipnet::IpNet;
use jiff::civil::Date;

use crate::app::AppError;
use crate::app::history::{add_outage, add_sensor, sensors};
use crate::app::output::Output;
use crate::history::{Coverage, Outage, Sensor, SensorKind};
use crate::report::text::table;

use super::EXIT_OK;
use super::shared::{HistoryFolder, check_range};

/// Add sensors to a history, list them, note their outages
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Add a sensor; the history is made where there is none
    Add {
        /// Its name
        name: String,
        /// A prefix that it watches
        #[arg(long, required = true, value_name = "PREFIX")]
        prefix: Vec<IpNet>,
        /// A live prefix among them, cut out
        #[arg(long, value_name = "PREFIX")]
        live: Vec<IpNet>,
        /// What surrounds it
        #[arg(long, value_enum, default_value = "dark")]
        kind: Kind,
        /// Time zone of its days, an IANA name
        #[arg(long, value_name = "ZONE", default_value = "UTC")]
        time_zone: String,
        #[command(flatten)]
        history: HistoryFolder,
    },
    /// List sensors with the days they looked
    List {
        #[command(flatten)]
        history: HistoryFolder,
    },
    /// Note days without data: they count as no value, never as zero
    Outage {
        /// The sensor
        name: String,
        /// The first day
        #[arg(long, value_name = "YYYY-MM-DD")]
        from: Date,
        /// The last day
        #[arg(long, value_name = "YYYY-MM-DD")]
        to: Date,
        /// Why
        #[arg(long, default_value = "data loss")]
        reason: String,
        #[command(flatten)]
        history: HistoryFolder,
    },
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Kind {
    /// Live and dark addresses mix
    Mixed,
    /// A whole network is dark
    Dark,
    /// A dark subnet of a network that is live elsewhere
    Subnet,
}

impl From<Kind> for SensorKind {
    fn from(kind: Kind) -> SensorKind {
        match kind {
            Kind::Mixed => SensorKind::Mixed,
            Kind::Dark => SensorKind::Dark,
            Kind::Subnet => SensorKind::Subnet,
        }
    }
}

pub(super) fn run(args: Args) -> Result<u8, AppError> {
    match args.command {
        Command::Add { name, prefix, live, kind, time_zone, history } => {
            let sensor = Sensor { name, kind: kind.into(), prefixes: prefix, live, time_zone };
            add_sensor(&history.folder, &sensor, &history.rules.load()?)?;
        }
        Command::List { history } => list(&sensors(&history.folder, &history.rules.load()?)?)?,
        Command::Outage { name, from, to, reason, history } => {
            check_range(("--from", Some(from)), ("--to", Some(to)))?;
            let outage = Outage { first: from, last: to, reason };
            add_outage(&history.folder, &name, &outage, &history.rules.load()?)?;
        }
    }
    Ok(EXIT_OK)
}

fn list(sensors: &[(Sensor, Coverage)]) -> Result<(), AppError> {
    let mut rows = vec![
        ["sensor", "kind", "addresses", "zone", "days", "first", "last", "outages"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for (sensor, coverage) in sensors {
        let span = coverage.span();
        let day = |day: Option<Date>| day.map_or_else(|| "-".to_owned(), |day| day.to_string());
        let outages: Vec<String> = coverage
            .outages
            .iter()
            .map(|outage| format!("{}..{} ({})", outage.first, outage.last, outage.reason))
            .collect();
        rows.push(vec![
            sensor.name.clone(),
            sensor.kind.to_string(),
            sensor.space().size().unwrap_or(0).to_string(),
            sensor.time_zone.clone(),
            coverage.days().count().to_string(),
            day(span.map(|(first, _)| first)),
            day(span.map(|(_, last)| last)),
            crate::escape::shown(&outages.join(", ")),
        ]);
    }
    Output::Stdout.write(|out| table(out, &rows))
}

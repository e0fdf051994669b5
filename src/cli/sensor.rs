//! `inga sensor`: the sensors of a history.

use ipnet::IpNet;
use jiff::civil::Date;

use crate::app::AppError;
use crate::app::history::{add_outage, add_sensor, sensors};
use crate::app::output::Output;
use crate::app::sensors::{contents, edit_sensor, remove_outages, remove_sensor};
use crate::escape::escape_hidden;
use crate::history::{DatedPrefix, Outage, PrefixEdit, Sensor, SensorEdit, SensorKind};
use crate::render::sensors as report;

use super::EXIT_OK;
use super::confirm::ConfirmArgs;
use super::output::OutputArgs;
use super::shared::{HistoryFolder, check_range};

/// Add, edit, remove and list sensors, and record their outages
#[derive(Debug, clap::Args)]
pub(super) struct SensorArgs {
    #[command(subcommand)]
    command: SensorCommand,
}

#[derive(Debug, clap::Subcommand)]
enum SensorCommand {
    Add(AddArgs),
    Edit(EditArgs),
    Remove(RemoveArgs),
    List(ListArgs),
    Outage(OutageArgs),
}

/// Add a sensor; a history that does not exist is created
///
/// Prefixes may be dark for a limited time: `--from` and `--to` date the prefixes of this call, and `inga
/// sensor edit` adds others with other dates. A packet counts if its destination was dark on the packet's
/// day.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga sensor add II --history history --prefix 203.0.113.0/24 \\
      --live 203.0.113.0/28 --time-zone Asia/Tokyo
  inga sensor add III --history history --from 2009-03-01 \\
      --prefix 192.0.2.0/25,198.51.100.0/24")]
struct AddArgs {
    /// Name of the sensor
    name: String,
    /// Dark prefix that the sensor watches; several are separated by commas
    #[arg(long, required = true, value_name = "PREFIX", value_delimiter = ',')]
    prefix: Vec<IpNet>,
    /// First day on which these prefixes are dark [default: no limit]
    #[arg(long, value_name = "YYYY-MM-DD")]
    from: Option<Date>,
    /// Last day on which these prefixes are dark [default: no limit]
    #[arg(long, value_name = "YYYY-MM-DD")]
    to: Option<Date>,
    /// Live prefix within the dark prefixes, which is cut out; several are separated by commas
    #[arg(long, value_name = "PREFIX", value_delimiter = ',')]
    live: Vec<IpNet>,
    /// Surroundings of the dark addresses
    #[arg(long, value_enum, default_value = "dark")]
    kind: SensorKindArg,
    /// Time zone of the sensor's days (IANA name)
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    time_zone: String,
    #[command(flatten)]
    history: HistoryFolder,
}

/// Change the dark addresses or the kind of a sensor
///
/// Prefixes can be added from a day on, ended on a day, or removed. Addresses that were dark on recorded days
/// cannot be changed, because the stored counts of those days would be wrong.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("change").required(true).multiple(true)))]
#[command(after_help = "Examples:
  inga sensor edit II --history history \\
      --add-prefix 198.51.100.0/24 --from 2009-05-01
  inga sensor edit II --history history \\
      --end-prefix 203.0.113.0/24 --to 2009-04-30")]
struct EditArgs {
    /// Name of the sensor
    name: String,
    /// Dark prefix to add, for the days from `--from` to `--to`
    #[arg(long, value_name = "PREFIX", value_delimiter = ',', group = "change")]
    add_prefix: Vec<IpNet>,
    /// Live prefix to cut out, for the days from `--from` to `--to`
    #[arg(long, value_name = "PREFIX", value_delimiter = ',', group = "change")]
    add_live: Vec<IpNet>,
    /// Dark prefix whose last dark day is `--to`
    #[arg(long, value_name = "PREFIX", value_delimiter = ',', requires = "to", group = "change")]
    end_prefix: Vec<IpNet>,
    /// Live prefix whose last live day is `--to`; it is dark afterwards
    #[arg(long, value_name = "PREFIX", value_delimiter = ',', requires = "to", group = "change")]
    end_live: Vec<IpNet>,
    /// Dark prefix to remove with all its dates, as if it had never been dark
    #[arg(long, value_name = "PREFIX", value_delimiter = ',', group = "change")]
    remove_prefix: Vec<IpNet>,
    /// Live prefix to remove with all its dates, as if it had never been live
    #[arg(long, value_name = "PREFIX", value_delimiter = ',', group = "change")]
    remove_live: Vec<IpNet>,
    /// First day of the added prefixes [default: no limit]
    #[arg(long, value_name = "YYYY-MM-DD", conflicts_with_all = ["end_prefix", "end_live"])]
    from: Option<Date>,
    /// Last day of the added or ended prefixes [default for added prefixes: no limit]
    #[arg(long, value_name = "YYYY-MM-DD")]
    to: Option<Date>,
    /// Surroundings of the dark addresses
    #[arg(long, value_enum, group = "change")]
    kind: Option<SensorKindArg>,
    #[command(flatten)]
    history: HistoryFolder,
}

/// Remove a sensor with all its recorded data
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga sensor remove II --history history
  inga sensor remove II --history history --yes")]
struct RemoveArgs {
    /// Name of the sensor
    name: String,
    #[command(flatten)]
    confirm: ConfirmArgs,
    #[command(flatten)]
    history: HistoryFolder,
}

/// List sensors with their prefixes, recorded days and outages
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga sensor list --history history
  inga sensor list --history history --format json")]
struct ListArgs {
    #[command(flatten)]
    history: HistoryFolder,
    #[command(flatten)]
    output: OutputArgs,
}

/// Record an outage: its days have no value, which is not zero
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga sensor outage II --history history --from 2009-02-27 --to 2009-03-09
  inga sensor outage II --history history --remove \\
      --from 2009-02-27 --to 2009-03-09")]
struct OutageArgs {
    /// Name of the sensor
    name: String,
    /// First day of the outage
    #[arg(long, value_name = "YYYY-MM-DD")]
    from: Date,
    /// Last day of the outage
    #[arg(long, value_name = "YYYY-MM-DD")]
    to: Date,
    /// Reason of the outage [default: data loss]
    #[arg(long)]
    reason: Option<String>,
    /// Remove the outage instead, so that what was recorded on its days counts
    ///
    /// Outages are removed if they have exactly these days and, if --reason is given, this reason.
    #[arg(long)]
    remove: bool,
    #[command(flatten)]
    history: HistoryFolder,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum SensorKindArg {
    /// Live and dark addresses are mixed
    Mixed,
    /// The whole network is dark
    Dark,
    /// A dark subnet of a network that is live elsewhere
    Subnet,
}

impl From<SensorKindArg> for SensorKind {
    fn from(kind: SensorKindArg) -> SensorKind {
        match kind {
            SensorKindArg::Mixed => SensorKind::Mixed,
            SensorKindArg::Dark => SensorKind::Dark,
            SensorKindArg::Subnet => SensorKind::Subnet,
        }
    }
}

pub(super) fn run(args: SensorArgs) -> Result<u8, AppError> {
    match args.command {
        SensorCommand::Add(args) => add(args)?,
        SensorCommand::Edit(args) => edit(&args)?,
        SensorCommand::Remove(RemoveArgs { name, confirm, history }) => remove(&name, &confirm, &history)?,
        SensorCommand::List(ListArgs { history, output }) => {
            output.write(sensors(&history.folder, &history.rules.load()?)?.as_slice())?;
        }
        SensorCommand::Outage(args) => outage(args)?,
    }
    Ok(EXIT_OK)
}

fn add(args: AddArgs) -> Result<(), AppError> {
    let AddArgs { name, prefix, from, to, live, kind, time_zone, history } = args;
    check_range(("--from", from), ("--to", to))?;
    let prefixes = prefix.into_iter().map(|prefix| DatedPrefix { prefix, from, to }).collect();
    let live = live.into_iter().map(DatedPrefix::from).collect();
    let sensor = Sensor { name, kind: kind.into(), prefixes, live, time_zone };
    add_sensor(&history.folder, &sensor, &history.rules.load()?)
}

fn edit(args: &EditArgs) -> Result<(), AppError> {
    let EditArgs { name, from, to, history, .. } = args;
    check_range(("--from", *from), ("--to", *to))?;
    let is_adding = !args.add_prefix.is_empty() || !args.add_live.is_empty();
    let is_ending = !args.end_prefix.is_empty() || !args.end_live.is_empty();
    if (from.is_some() || to.is_some()) && !is_adding && !is_ending {
        let remedy = "give --add-prefix, --add-live, --end-prefix or --end-live, whose dates they are";
        return Err(AppError::Usage(format!("--from and --to date nothing here; {remedy}")));
    }
    if is_adding && is_ending {
        return Err(AppError::Usage(
            "--to would be the last day of what is added and of what ends; add in one call and end in another"
                .to_owned(),
        ));
    }
    let prefixes = |add: &[IpNet], end: &[IpNet], remove: &[IpNet]| PrefixEdit {
        remove: remove.to_vec(),
        end: end.iter().filter_map(|prefix| Some((*prefix, (*to)?))).collect(),
        add: add.iter().map(|prefix| DatedPrefix { prefix: *prefix, from: *from, to: *to }).collect(),
    };
    let edit = SensorEdit {
        kind: args.kind.map(SensorKind::from),
        dark: prefixes(&args.add_prefix, &args.end_prefix, &args.remove_prefix),
        live: prefixes(&args.add_live, &args.end_live, &args.remove_live),
    };
    let sensor = edit_sensor(&history.folder, name, &edit, &history.rules.load()?)?;
    Output::Stdout.write(|out| report::edited(out, &sensor))
}

fn remove(name: &str, confirm: &ConfirmArgs, history: &HistoryFolder) -> Result<(), AppError> {
    let rules = history.rules.load()?;
    let what = report::contents_in_words(&contents(&history.folder, name, &rules)?);
    confirm.confirm(&format!(
        "{what} will be removed from the history, for good: only feeding the captures again brings it back"
    ))?;
    remove_sensor(&history.folder, name, &rules)?;
    Output::Stdout.write(|out| writeln!(out, "{} removed", escape_hidden(&what)))
}

fn outage(args: OutageArgs) -> Result<(), AppError> {
    let OutageArgs { name, from, to, reason, remove, history } = args;
    check_range(("--from", Some(from)), ("--to", Some(to)))?;
    let rules = history.rules.load()?;
    if remove {
        let removed = remove_outages(&history.folder, &name, (from, to), reason.as_deref(), &rules)?;
        return Output::Stdout.write(|out| report::removed_outages(out, &name, &removed));
    }
    let reason = reason.unwrap_or_else(|| "data loss".to_owned());
    add_outage(&history.folder, &name, &Outage { first: from, last: to, reason }, &rules)
}

//! Options that several subcommands share.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::app::history_source::HistorySource;
use crate::app::packets::Victims;
use crate::app::{AppError, CaptureOptions, Notices, rules, thread_count};
use crate::capture::Limits;
use crate::rules::Rules;

use super::help::{INPUT, LIMITS};

/// Options for reading captures.
#[derive(Debug, clap::Args)]
pub(super) struct CaptureReadingArgs {
    /// Date of tcpdump logs that print only the time of day
    #[arg(long, value_name = "YYYY-MM-DD", help_heading = INPUT)]
    date: Option<Date>,
    /// Time zone of tcpdump logs (IANA name)
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = zone, help_heading = INPUT)]
    time_zone: TimeZone,
    /// Assign synthetic times at this rate (packets per second) to logs that print no times
    #[arg(long, value_name = "RATE", value_parser = rate, help_heading = INPUT)]
    packets_per_second: Option<f64>,
    /// Threads that may share the work [default: the number of processors]; results do not depend on it
    #[arg(long, value_name = "N", help_heading = LIMITS)]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    limits: LimitArgs,
}

/// Limits on the resources that a file may use, and the password of archives.
#[derive(Debug, clap::Args)]
pub(super) struct LimitArgs {
    /// Password of encrypted zip archives; `infected`, the usual one for malware, is always tried as well
    #[arg(long, value_name = "TEXT", help_heading = LIMITS)]
    password: Option<String>,
    /// Memory that unpacking may use; xz and zstd files state how much they need
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = size, help_heading = LIMITS)]
    memory_limit: u64,
    /// Largest unpacked size of a file that unpacks to more than 200 times its size, as decompression bombs
    /// do; other files may have any size
    #[arg(long, value_name = "SIZE", default_value = "4GiB", value_parser = size, help_heading = LIMITS)]
    unpack_limit: u64,
    /// Packets that may be held in memory, 200 to 350 bytes each; a longer sandbox run is cut there, with a
    /// notice, and a longer capture that runs backwards in time (and must be sorted) is refused
    #[arg(long, value_name = "N", default_value = "4000000", help_heading = LIMITS)]
    packets_max: NonZeroUsize,
}

impl LimitArgs {
    /// Returns options with these limits and this password, and defaults for everything else.
    pub(super) fn options(&self) -> CaptureOptions {
        let mut options = CaptureOptions::default();
        options.read.password.clone_from(&self.password);
        options.read.limits = Limits {
            memory_bytes_max: self.memory_limit,
            unpacked_bytes_max: self.unpack_limit,
            packets_held_max: self.packets_max.get(),
        };
        options
    }
}

/// Parses a number of bytes: `300000`, `512KiB`, `256MiB` or `4GiB`. `K`, `KB` and `KiB` all mean 1024 bytes.
fn size(text: &str) -> Result<u64, String> {
    let wrong = || "no size; write one like 256MiB or 4GiB".to_owned();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).filter(|bytes| *bytes > 0).ok_or_else(wrong)
}

fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| "no IANA time zone; use a name like Asia/Tokyo or UTC".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "no number".to_owned())?;
    if (0.001..=1e9).contains(&rate) { Ok(rate) } else { Err("must lie between 0.001 and 1e9".to_owned()) }
}

impl CaptureReadingArgs {
    pub(super) fn options(&self) -> CaptureOptions {
        CaptureOptions { packets_per_second: self.packets_per_second, ..self.limits.options() }
            .with_threads(thread_count(self.threads))
            .with_date(self.date)
            .with_zone(self.time_zone.clone())
    }
}

/// Options for reading sample reports.
#[derive(Debug, clap::Args)]
pub(super) struct ReportArgs {
    /// Read also captures of a report that lie outside of the report's folder
    #[arg(long, help_heading = INPUT)]
    allow_outside: bool,
}

impl ReportArgs {
    /// Adds a notice if an option of reports was given although there is no report.
    pub(super) fn note_unused(&self, reports: &[PathBuf], notices: &mut Notices) {
        let is_unused = self.allow_outside && reports.is_empty();
        note_unused(&[("--allow-outside", is_unused)], "without a REPORT", notices);
    }

    /// Returns `options` with the choices for sample reports.
    pub(super) fn options(&self, options: CaptureOptions) -> CaptureOptions {
        CaptureOptions { allow_outside: self.allow_outside, ..options }
    }
}

/// The option that selects the rules.
#[derive(Debug, clap::Args)]
pub(super) struct RuleArgs {
    /// Folder of rules [default: the rules that are built in]
    #[arg(long, value_name = "DIR", help_heading = INPUT)]
    rules: Option<PathBuf>,
}

impl RuleArgs {
    /// Adds a notice if a folder of rules was given; `where_not` says where it has no effect.
    pub(super) fn note_unused(&self, where_not: &str, notices: &mut Notices) {
        note_unused(&[("--rules", self.rules.is_some())], where_not, notices);
    }

    pub(super) fn load(&self) -> Result<Rules, AppError> {
        rules::load(self.rules.as_deref())
    }
}

/// The option that names the victim hosts of a sandbox capture.
#[derive(Debug, clap::Args)]
pub(super) struct VictimArgs {
    /// Victim host of a sandbox capture; `auto` is the address that takes part in every packet, else the host
    /// that begins most contacts
    #[arg(long, value_name = "ADDRESS|auto", value_parser = victim, help_heading = INPUT)]
    victim: Vec<VictimArg>,
}

#[derive(Clone, Debug)]
enum VictimArg {
    Auto,
    Address(IpAddr),
}

fn victim(text: &str) -> Result<VictimArg, String> {
    match text {
        "auto" => Ok(VictimArg::Auto),
        address => {
            address.parse().map(VictimArg::Address).map_err(|_| "no address; write one, or `auto`".to_owned())
        }
    }
}

impl VictimArgs {
    pub(super) fn victims(&self) -> Result<Victims, AppError> {
        let addresses: Vec<IpAddr> = self
            .victim
            .iter()
            .filter_map(|victim| match victim {
                VictimArg::Address(address) => Some(*address),
                VictimArg::Auto => None,
            })
            .collect();
        match (self.victim.is_empty(), addresses.is_empty(), addresses.len() == self.victim.len()) {
            (true, ..) => Ok(Victims::None),
            (_, true, _) => Ok(Victims::Auto),
            (_, _, true) => Ok(Victims::Given(addresses)),
            _ => Err(AppError::Usage("--victim auto and --victim ADDRESS exclude each other".to_owned())),
        }
    }
}

/// Environment variable that names the history if no option does.
pub(super) const HISTORY_VARIABLE: &str = "INGA_HISTORY";

/// Options of commands that need a history in a folder.
#[derive(Debug, clap::Args)]
pub(super) struct HistoryFolder {
    /// The history: a folder with catalog.sqlite
    #[arg(long = "history", value_name = "DIR", env = HISTORY_VARIABLE, help_heading = INPUT)]
    pub(super) folder: PathBuf,
    #[command(flatten)]
    pub(super) rules: RuleArgs,
}

/// Options of queries, which read a history or a folder of captures.
#[derive(Debug, clap::Args)]
#[group(id = "origin", multiple = false)]
pub(super) struct HistorySourceArgs {
    /// A history made by `inga observe`: a folder with catalog.sqlite [env: INGA_HISTORY]
    #[arg(long, value_name = "DIR", help_heading = INPUT)]
    history: Option<PathBuf>,
    /// A folder with sensors.yaml and one folder of captures per sensor; read into a temporary history
    #[arg(long, value_name = "DIR", help_heading = INPUT)]
    darknet: Option<PathBuf>,
}

impl HistorySourceArgs {
    /// Adds a notice if a history or darknet was given; `where_not` says where it has no effect.
    pub(super) fn note_unused(&self, where_not: &str, notices: &mut Notices) {
        let options = [("--history", self.history.is_some()), ("--darknet", self.darknet.is_some())];
        note_unused(&options, where_not, notices);
    }

    /// Returns the given history or darknet folder, else the history that the environment names.
    pub(super) fn source(&self) -> Result<HistorySource, AppError> {
        let from_environment = || std::env::var_os(HISTORY_VARIABLE).filter(|value| !value.is_empty());
        match (&self.history, &self.darknet) {
            (Some(folder), _) => Ok(HistorySource::Folder(folder.clone())),
            (None, Some(folder)) => Ok(HistorySource::Darknet(folder.clone())),
            (None, None) => match from_environment() {
                Some(folder) => Ok(HistorySource::Folder(folder.into())),
                None => Err(AppError::Usage(
                    "give --history DIR (or set INGA_HISTORY) or --darknet DIR".to_owned(),
                )),
            },
        }
    }
}

/// Refuses a range of days that ends before it begins. `from` and `to` are the names of the options.
pub(super) fn check_range(
    (from, first): (&str, Option<Date>),
    (to, last): (&str, Option<Date>),
) -> Result<(), AppError> {
    match (first, last) {
        (Some(first), Some(last)) if first > last => Err(AppError::Usage(format!(
            "{from} {first} lies after {to} {last}, so no day lies between; exchange the two"
        ))),
        _ => Ok(()),
    }
}

/// Adds a notice for each option that was given but has no effect. The options are pairs of a name and
/// whether it was given; `where_not` says where they have none, such as "on text".
pub(super) fn note_unused(options: &[(&str, bool)], where_not: &str, notices: &mut Notices) {
    for (option, is_given) in options {
        if *is_given {
            notices.add(format!("{option} has no effect {where_not}"));
        }
    }
}

//! Options that several subcommands share.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::app::history::HistorySource;
use crate::app::output::Output;
use crate::app::packets::Victims;
use crate::app::png::png;
use crate::app::series::TrafficFilter;
use crate::app::{AppError, CaptureOptions, rules, thread_count};
use crate::behavior::BehaviorId;
use crate::capture::Limits;
use crate::history::{BehaviorFilter, Granularity};
use crate::packet::Protocol;
use crate::render::svg::{Theme, with_theme};
use crate::rules::Rules;

/// Options for reading captures.
#[derive(Debug, clap::Args)]
pub(super) struct CaptureReadingArgs {
    /// Date of tcpdump logs that print only the time of day
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<Date>,
    /// Time zone of tcpdump logs (IANA name)
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = zone)]
    time_zone: TimeZone,
    /// Assign synthetic times at this rate (packets per second) to logs that print no times
    #[arg(long, value_name = "RATE", value_parser = rate)]
    packets_per_second: Option<f64>,
    /// Threads that may share the work [default: the number of processors]; results do not depend on it
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    limits: LimitArgs,
}

/// Limits on the resources that a file may use, and the password of archives.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits and passwords")]
pub(super) struct LimitArgs {
    /// Password of encrypted zip archives; `infected`, the usual one for malware, is always tried as well
    #[arg(long, value_name = "TEXT")]
    password: Option<String>,
    /// Memory that unpacking may use; xz and zstd files state how much they need
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = size)]
    memory_limit: u64,
    /// Largest unpacked size of a file that unpacks to more than 200 times its size, as decompression bombs
    /// do; other files may have any size
    #[arg(long, value_name = "SIZE", default_value = "4GiB", value_parser = size)]
    unpack_limit: u64,
    /// Packets that may be held in memory, 200 to 350 bytes each; a longer sandbox run is cut there, with a
    /// notice, and a longer capture that runs backwards in time (and must be sorted) is refused
    #[arg(long, value_name = "N", default_value = "4000000")]
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
    #[arg(long)]
    allow_outside: bool,
}

impl ReportArgs {
    /// Returns `options` with the choices for sample reports.
    pub(super) fn options(&self, options: CaptureOptions) -> CaptureOptions {
        CaptureOptions { allow_outside: self.allow_outside, ..options }
    }
}

/// The option that selects the rules.
#[derive(Debug, clap::Args)]
pub(super) struct RuleArgs {
    /// Folder of rules [default: the rules that are built in]
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
}

impl RuleArgs {
    pub(super) fn load(&self) -> Result<Rules, AppError> {
        rules::load(self.rules.as_deref())
    }
}

/// The option that names the victim hosts of a sandbox capture.
#[derive(Debug, clap::Args)]
pub(super) struct VictimArgs {
    /// Victim host of a sandbox capture; `auto` is the address that takes part in every packet, else the host
    /// that begins most contacts
    #[arg(long, value_name = "ADDRESS|auto", value_parser = victim)]
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
    #[arg(long = "history", value_name = "DIR", env = HISTORY_VARIABLE)]
    pub(super) folder: PathBuf,
    #[command(flatten)]
    pub(super) rules: RuleArgs,
}

/// Options of queries, which read a history or a folder of captures.
#[derive(Debug, clap::Args)]
#[group(id = "origin", multiple = false)]
pub(super) struct HistorySourceArgs {
    /// A history made by `inga observe`: a folder with catalog.sqlite [env: INGA_HISTORY]
    #[arg(long, value_name = "DIR")]
    history: Option<PathBuf>,
    /// A folder with sensors.yaml and one folder of captures per sensor; read into a temporary history
    #[arg(long, value_name = "DIR")]
    darknet: Option<PathBuf>,
}

impl HistorySourceArgs {
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

/// The option that selects the behaviors to count.
#[derive(Debug, clap::Args)]
pub(super) struct FilterArgs {
    /// Only this behavior: `445/tcp`, `icmp`, `type:ID`, `shape:ID`, `pattern:ID`, `label:ID`;
    /// several behaviors are counted separately
    #[arg(long, value_name = "BEHAVIOR", value_parser = parse_filter)]
    of: Vec<TrafficFilter>,
}

impl FilterArgs {
    /// Returns the behaviors to count separately; without the option, all windows as one.
    pub(super) fn all(&self, rules: &Rules) -> Result<Vec<TrafficFilter>, AppError> {
        self.of.iter().try_for_each(|of| check_label(of, rules))?;
        Ok(if self.of.is_empty() { vec![TrafficFilter::All] } else { self.of.clone() })
    }
}

/// Refuses a label that no rule assigns.
pub(super) fn check_label(of: &TrafficFilter, rules: &Rules) -> Result<(), AppError> {
    match of {
        TrafficFilter::Label(label) if !rules.has_label(label) => {
            Err(AppError::Usage(format!("no rule gives the label `{label}`")))
        }
        _ => Ok(()),
    }
}

/// Parses a behavior as the command line writes it.
pub(super) fn parse_filter(text: &str) -> Result<TrafficFilter, String> {
    let (kind, rest) = text.split_once(':').unwrap_or(("", text));
    let named = |granularity| {
        let id = rest.parse::<BehaviorId>().map_err(|error| error.to_string())?;
        Ok(TrafficFilter::Behavior(BehaviorFilter { granularity, id, facets: false }))
    };
    let protocol = |text: &str| text.parse::<Protocol>().map_err(|error| error.to_string());
    match kind {
        "type" => named(Granularity::Type),
        "shape" => named(Granularity::Shape),
        // `family` is the earlier name.
        "pattern" | "family" => named(Granularity::Pattern),
        "label" => Ok(TrafficFilter::Label(rest.to_owned())),
        "" => match rest.split_once('/') {
            None if !rest.is_empty() && rest.bytes().all(|digit| digit.is_ascii_digit()) => {
                // Different malware scans the TCP and the UDP port of a number, so the protocol is required.
                Err(format!("`{rest}` is a port without its protocol; write {rest}/tcp or {rest}/udp"))
            }
            None => Ok(TrafficFilter::Protocol(protocol(rest)?)),
            Some((port, name)) => {
                let (port, protocol) = match (port.parse(), protocol(name)) {
                    (Ok(port), protocol) => (port, protocol?),
                    (Err(_), _) => return Err(not_a_service(port, name)),
                };
                match protocol.has_ports() {
                    true => Ok(TrafficFilter::Service(protocol, port)),
                    false => Err(format!(
                        "{protocol} has no ports; write {} alone",
                        protocol.to_string().to_lowercase()
                    )),
                }
            }
        },
        other => {
            Err(format!("`{other}:`; use type:, shape:, pattern:, label:, a port like 445/tcp, a protocol"))
        }
    }
}

/// Returns the error for a text that has the form of a service but no valid port.
fn not_a_service(port: &str, name: &str) -> String {
    match name.parse::<u16>() {
        Ok(number) if port.parse::<Protocol>().is_ok() => {
            format!("the port comes first; write {number}/{}", port.to_lowercase())
        }
        _ => format!("`{port}` is no port, a number from 0 to 65535"),
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

/// Returns a behavior in the notation of [`parse_filter`], followed by the prefix of its hosts if one is given.
pub(super) fn filter_name(of: &TrafficFilter, sources: Option<IpNet>) -> String {
    let name = match of {
        TrafficFilter::All => "all".to_owned(),
        TrafficFilter::Behavior(BehaviorFilter { granularity, id, .. }) => format!("{granularity}:{id}"),
        TrafficFilter::Service(protocol, port) => format!("{port}/{}", protocol.to_string().to_lowercase()),
        TrafficFilter::Protocol(protocol) => protocol.to_string().to_lowercase(),
        TrafficFilter::Label(label) => format!("label:{label}"),
    };
    sources.map_or_else(|| name.clone(), |sources| format!("{name} from {sources}"))
}

/// Output formats of commands without pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum OutputFormat {
    /// Text for people
    Text,
    /// JSON, one object per line
    Json,
}

/// Output formats of commands that can draw a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum PictureFormat {
    /// Text for people
    Text,
    /// JSON, one object per line
    Json,
    /// SVG picture
    Svg,
    /// PNG picture
    Png,
}

impl PictureFormat {
    /// Returns the format that `--format` names, else the one of the output file's extension, else text.
    pub(super) fn chosen(asked: Option<PictureFormat>, output: Option<&Path>) -> PictureFormat {
        asked.unwrap_or(match extension(output) {
            Some("json" | "ndjson") => PictureFormat::Json,
            Some("svg") => PictureFormat::Svg,
            Some("png") => PictureFormat::Png,
            _ => PictureFormat::Text,
        })
    }
}

/// Returns the extension of the output file.
pub(super) fn extension(output: Option<&Path>) -> Option<&str> {
    output.and_then(Path::extension).and_then(|ending| ending.to_str())
}

/// Options for the appearance of pictures.
#[derive(Debug, clap::Args)]
pub(super) struct PictureArgs {
    /// Background of a picture
    #[arg(long, value_enum, default_value = "reader")]
    ground: ThemeArg,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ThemeArg {
    /// Follows the reader's browser; light if it states no preference
    Reader,
    /// Light, as on paper
    Light,
    /// Dark
    Dark,
}

impl PictureArgs {
    /// Writes a picture as SVG, or as PNG if `pixels` is set.
    pub(super) fn write(&self, output: &Output, picture: &str, pixels: bool) -> Result<(), AppError> {
        let theme = match self.ground {
            ThemeArg::Reader => Theme::Reader,
            ThemeArg::Light => Theme::Light,
            ThemeArg::Dark => Theme::Dark,
        };
        let picture = with_theme(picture, theme);
        let bytes = if pixels { png(&picture)? } else { picture.into_bytes() };
        output.write(|out| out.write_all(&bytes))
    }
}

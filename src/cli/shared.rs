//! Options that several subcommands have.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::app::events::Victims;
use crate::app::{AppError, CaptureOptions, rules};
use crate::rules::Rules;

/// How captures are read.
#[derive(Debug, clap::Args)]
pub(super) struct CaptureArgs {
    /// Day of tcpdump logs that print times of day only
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<Date>,
    /// Time zone of tcpdump logs, an IANA name
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = zone)]
    time_zone: TimeZone,
    /// Make up times, so many packets a second, for logs that print none
    #[arg(long, value_name = "RATE", value_parser = rate)]
    packets_per_second: Option<f64>,
    /// Threads that may share the work; without it, as many as there are processors. Results do not depend on it
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| "no IANA time zone; use a name like Asia/Tokyo or UTC".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "no number".to_owned())?;
    if (0.001..=1e9).contains(&rate) { Ok(rate) } else { Err("must lie between 0.001 and 1e9".to_owned()) }
}

impl CaptureArgs {
    pub(super) fn options(&self) -> CaptureOptions {
        let threads = self.threads.or(std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        CaptureOptions { packets_per_second: self.packets_per_second, threads, ..CaptureOptions::default() }
            .with_date(self.date)
            .with_zone(self.time_zone.clone())
    }
}

/// Which rules to go by.
#[derive(Debug, clap::Args)]
pub(super) struct RuleArgs {
    /// Folder of rules; without it, those of this build
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
}

impl RuleArgs {
    pub(super) fn load(&self) -> Result<Rules, AppError> {
        rules::load(self.rules.as_deref())
    }
}

/// Whose packets to look at.
#[derive(Debug, clap::Args)]
pub(super) struct VictimArgs {
    /// Victim host of a sandbox capture; `auto` takes whoever begins nearly all conversations
    #[arg(long, value_name = "ADDRESS|auto", value_parser = victim)]
    victim: Vec<Victim>,
}

#[derive(Clone, Debug)]
enum Victim {
    Auto,
    Address(IpAddr),
}

fn victim(text: &str) -> Result<Victim, String> {
    match text {
        "auto" => Ok(Victim::Auto),
        address => {
            address.parse().map(Victim::Address).map_err(|_| "no address; write one, or `auto`".to_owned())
        }
    }
}

impl VictimArgs {
    pub(super) fn victims(&self) -> Result<Victims, AppError> {
        let addresses: Vec<IpAddr> = self
            .victim
            .iter()
            .filter_map(|victim| match victim {
                Victim::Address(address) => Some(*address),
                Victim::Auto => None,
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

/// Text or JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// A line of JSON each
    Json,
}

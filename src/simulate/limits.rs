//! Limits on the numbers in a scenario, which are checked when it is read. Each limit lies well above the
//! values of real networks, malware and sensors, and is low enough that a typing error cannot exhaust memory
//! or run for days.

use std::ops::RangeInclusive;

use crate::packet::AddressSpace;

use super::scenario::Scenario;

/// Maximum number of dark IPv4 addresses of a sensor: a /8, as the largest telescopes have.
const SENSOR_ADDRESSES_MAX: u64 = 1 << 24;
/// Maximum number of sensors of a scenario.
const SENSORS_MAX: usize = 256;
/// Maximum number of days of a scenario: twenty years.
const DAYS_MAX: i32 = 7_305;
/// Maximum number of packets or hosts per day of one part of the background at one sensor. All are held in
/// memory at once.
const DAILY_MAX: f64 = 2e7;
/// Maximum number of targets of a sandbox run, rate times seconds.
const RUN_TARGETS_MAX: f64 = 5e6;

/// Number of hosts of one growth, or of visiting hosts per day.
pub(super) const HOSTS: RangeInclusive<f64> = 0.0..=1e8;
/// Durations in days: up to a century.
pub(super) const DAYS: RangeInclusive<f64> = 0.0..=36_525.0;
/// Durations in days that are divisors, and so must not be zero.
pub(super) const POSITIVE_DAYS: RangeInclusive<f64> = 0.001..=36_525.0;
/// Relative weights of networks, ports and probes.
pub(super) const WEIGHT: RangeInclusive<f64> = 0.0..=1e9;
/// Duration of a visit or a flood in minutes: up to a year.
pub(super) const MINUTES: RangeInclusive<f64> = 0.0..=527_040.0;
/// Seconds between the packets of a misconfigured host. More than a thousand packets per second are a flood.
pub(super) const EVERY_SECONDS: RangeInclusive<f64> = 0.001..=31_622_400.0;
/// Packets to a dark address per day, or peers that contact it per day: up to one per second.
pub(super) const PER_ADDRESS_DAY: RangeInclusive<f64> = 0.0..=86_400.0;
/// Floods per day on the Internet. Measurements found about 30,000.
pub(super) const FLOODS: RangeInclusive<f64> = 0.0..=1e6;
/// Packets per second with which a flooded server answers. The largest floods measured had fewer than 10^10,
/// spread over many servers.
pub(super) const PACKETS_PER_SECOND: RangeInclusive<f64> = 0.0..=1e8;
/// Weights of hours and weekdays.
pub(super) const RHYTHM: RangeInclusive<f64> = 0.0..=1_000.0;

/// Returns an error if a number does not lie within limits.
pub(super) fn check_range(what: &str, number: f64, limits: &RangeInclusive<f64>) -> Result<(), String> {
    if limits.contains(&number) {
        return Ok(());
    }
    Err(format!("{what} is {number}; it lies between {} and {}", limits.start(), limits.end()))
}

/// Returns an error if a scenario is too large as a whole, though each number lies within its limits.
pub(super) fn check_size(scenario: &Scenario) -> Result<(), String> {
    let days = scenario.first.duration_until(scenario.last).as_hours() / 24 + 1;
    if days > i64::from(DAYS_MAX) {
        return Err(format!(
            "`last` lies {days} days behind `first`; a scenario has {DAYS_MAX} days at most"
        ));
    }
    if scenario.sensors.len() > SENSORS_MAX {
        return Err(format!(
            "`sensors` are {}; a scenario has {SENSORS_MAX} at most",
            scenario.sensors.len()
        ));
    }
    for plan in &scenario.sensors {
        let addresses = AddressSpace::new(&plan.prefixes, &plan.live).ipv4_size();
        if addresses > SENSOR_ADDRESSES_MAX {
            return Err(format!(
                "sensor `{}` has {addresses} dark addresses; at most {SENSOR_ADDRESSES_MAX}, a /8",
                plan.name
            ));
        }
        check_daily_counts(scenario, &plan.name, addresses)?;
    }
    for family in &scenario.families {
        let Some(sample) = &family.sample else { continue };
        let targets = family.rate * sample.sandbox.seconds;
        if targets > RUN_TARGETS_MAX {
            return Err(format!(
                "family `{}`: {targets:.0} targets in its sandbox run, rate times seconds; at most {RUN_TARGETS_MAX:.0}",
                family.name
            ));
        }
    }
    Ok(())
}

/// Checks the number of packets or hosts per day that each part of the background sends to a sensor.
fn check_daily_counts(scenario: &Scenario, sensor: &str, addresses: u64) -> Result<(), String> {
    #[expect(clippy::cast_precision_loss, reason = "at most 2^24")]
    let addresses = addresses as f64;
    let comes = |sensors: &[String]| sensors.is_empty() || sensors.iter().any(|name| name == sensor);
    let background = &scenario.background;
    let noise = background.noise.iter().filter(|one| comes(&one.sensors));
    let noise = noise.map(|one| (&one.name, one.per_address_day * addresses));
    let stray = background.stray.iter().filter(|one| comes(&one.sensors));
    let stray = stray.map(|one| (&one.name, one.addresses * addresses * one.hosts_per_address_day));
    for (name, count) in noise.chain(stray) {
        if count > DAILY_MAX {
            return Err(format!(
                "background `{name}` brings {count:.0} hosts a day to sensor {sensor}, at most {DAILY_MAX:.0}"
            ));
        }
    }
    Ok(())
}

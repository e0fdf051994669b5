//! Limits of the numbers in a scenario, refused when it is read. Each lies well beyond what networks, malware and sensors
//! have, and below what memory and patience hold: a slip of the pen must not take 17 GB.

use std::ops::RangeInclusive;

use super::scenario::Scenario;

/// Dark IPv4 addresses of a sensor: a /8, as the largest telescopes have.
const SENSOR_ADDRESSES_MAX: u64 = 1 << 24;
/// Sensors of a scenario.
const SENSORS_MAX: usize = 256;
/// Days of a scenario: twenty years.
const DAYS_MAX: i32 = 7_305;
/// Packets or hosts of one part of the background at one sensor on one day; all are held at once.
const DAILY_MAX: f64 = 2e7;
/// Targets of a sandbox run, which is held whole.
const RUN_TARGETS_MAX: f64 = 5e6;

/// Hosts of one wave of infections, and hosts a day.
pub(super) const HOSTS: RangeInclusive<f64> = 0.0..=1e8;
/// Days within which something happens: a century.
pub(super) const DAYS: RangeInclusive<f64> = 0.0..=36_525.0;
/// The same, where it is divided by.
pub(super) const SOME_DAYS: RangeInclusive<f64> = 0.001..=36_525.0;
/// Weights beside each other, also of ports and probes.
pub(super) const WEIGHT: RangeInclusive<f64> = 0.0..=1e9;
/// Minutes of a visit or a flood: a year.
pub(super) const MINUTES: RangeInclusive<f64> = 0.0..=527_040.0;
/// Seconds between the packets of a wrong entry; a thousand a second are a flood.
pub(super) const EVERY_SECONDS: RangeInclusive<f64> = 0.001..=31_622_400.0;
/// Packets a dark address gets a day, or peers that ask it: one a second.
pub(super) const PER_ADDRESS_DAY: RangeInclusive<f64> = 0.0..=86_400.0;
/// Floods a day on the Internet; measured are some 30,000.
pub(super) const FLOODS: RangeInclusive<f64> = 0.0..=1e6;
/// Answers of a flooded server a second; the largest floods measured have below 10^10, spread over many servers.
pub(super) const PACKETS_PER_SECOND: RangeInclusive<f64> = 0.0..=1e8;
/// Weights of hours and weekdays.
pub(super) const RHYTHM: RangeInclusive<f64> = 0.0..=1_000.0;

/// Refuses a number that does not lie within limits.
pub(super) fn within(what: &str, number: f64, limits: &RangeInclusive<f64>) -> Result<(), String> {
    if limits.contains(&number) {
        return Ok(());
    }
    Err(format!("{what} is {number}; it lies between {} and {}", limits.start(), limits.end()))
}

/// Refuses what is too large as a whole, though each number lies within its limits.
pub(super) fn whole(scenario: &Scenario) -> Result<(), String> {
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
        let addresses = plan.sensor().space().ipv4_size();
        if addresses > SENSOR_ADDRESSES_MAX {
            return Err(format!(
                "sensor `{}` has {addresses} dark addresses; at most {SENSOR_ADDRESSES_MAX}, a /8",
                plan.name
            ));
        }
        daily(scenario, &plan.name, addresses)?;
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

/// What the background brings to a sensor a day.
fn daily(scenario: &Scenario, sensor: &str, addresses: u64) -> Result<(), String> {
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

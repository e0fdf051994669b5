//! Actors, which send packets: malware families with their infected hosts, and parts of the background.
//! Computes the hits of an actor on a day.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rand::RngExt;
use rand_distr::{Distribution, Normal};

use crate::packet::Timestamp;

use super::background::{Floods, MisconfiguredHost, Noise, StrayRequests};
use super::dark_space::DarkSpace;
use super::family_plan::FamilyPlan;
use super::growth::Churn;
use super::hit::{ActiveClock, Hit};
use super::population::{Infection, Period, plus_days};
use super::probe_generator::{ProbeGenerator, microsecond_timestamp};
use super::random::{Seed, SeededRng, binomial, mix_bits, pick_by_weight, poisson};
use super::scenario::NetworkPlan;
use super::targets::{ScanningHost, SensorTargeting};

/// A sender of packets.
#[derive(Clone, Debug)]
pub(super) struct Actor {
    pub(super) name: String,
    /// Whether the actor is malware. Only the hosts of malware are listed in the ground truth.
    pub(super) is_family: bool,
    pub(super) probe_generator: ProbeGenerator,
    pub(super) source: HitSource,
    pub(super) seed: Seed,
}

/// The origin of an actor's hits.
#[derive(Clone, Debug)]
pub(super) enum HitSource {
    /// Hosts that scan: a malware family or a scanning tool.
    Hosts(Box<FamilyHosts>),
    Noise(Noise),
    Floods(Floods),
    Stray(StrayRequests),
    Misconfigured(MisconfiguredHost),
}

/// Hosts that scan. Memory: 56 bytes per infection.
#[derive(Clone, Debug)]
pub(super) struct FamilyHosts {
    pub(super) family: FamilyPlan,
    pub(super) infections: Vec<Infection>,
    /// Networks in which the hosts live, each with the clock of the times at which they are on.
    pub(super) host_networks: Vec<(NetworkPlan, ActiveClock)>,
}

/// Returns the network of a scenario that has none: shared address space (RFC 6598), which no host on the
/// Internet has.
pub(super) fn default_network() -> NetworkPlan {
    let prefix = IpNet::V4(ipnet::Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10));
    NetworkPlan { name: "shared".to_owned(), prefix, weight: 1.0, time_zone: "UTC".to_owned() }
}

/// A day and a sensor for which hits are requested.
#[derive(Clone, Copy)]
pub(super) struct SensorDay<'a> {
    /// Index of the actor.
    pub(super) actor_index: u16,
    pub(super) sensor: &'a str,
    pub(super) date: Date,
    pub(super) day: Interval,
    /// Dark addresses of the sensor.
    pub(super) dark: &'a DarkSpace,
    /// Dark addresses of all sensors. No host has one of them.
    pub(super) all_dark: &'a [DarkSpace],
    pub(super) networks: &'a [NetworkPlan],
    pub(super) scale: f64,
    /// Seed of the sensor and day.
    pub(super) sensor_day_seed: Seed,
    /// Seed of the day, the same for all sensors.
    pub(super) day_seed: Seed,
}

/// A time interval. The start is included, the end is excluded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interval {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
}

impl FamilyHosts {
    /// Returns the networks in which the hosts of a family live, with their clocks.
    pub(super) fn host_networks(
        family: &FamilyPlan,
        networks: &[NetworkPlan],
        period: &Period,
    ) -> Vec<(NetworkPlan, ActiveClock)> {
        let names = &family.population.networks;
        let chosen = networks.iter().filter(|network| names.is_empty() || names.contains(&network.name));
        let with_clock = |network: &NetworkPlan| {
            let zone = TimeZone::get(&network.time_zone).unwrap_or(TimeZone::UTC);
            (network.clone(), ActiveClock::new(period.start, period.end, &family.rhythm, &zone))
        };
        chosen.map(with_clock).collect()
    }

    /// Returns the network of a host, drawn by weight, with its clock.
    pub(super) fn host_network(&self, host: u64) -> Option<&(NetworkPlan, ActiveClock)> {
        pick_by_weight(Seed::root(host).named("home").fraction(), &self.host_networks, |(network, _)| {
            network.weight
        })
    }

    /// Returns the address of a host at a moment.
    pub(super) fn address(&self, one: &Infection, at: Timestamp, dark: &[DarkSpace]) -> Option<IpAddr> {
        if one.address.is_some() {
            return one.address;
        }
        let (network, _) = self.host_network(one.host)?;
        let lease = self.family.population.churn.map_or(0, |churn| lease_number(one.host, at, churn));
        Some(address_in(network.prefix, Seed::root(one.host).named("address").numbered(lease), dark))
    }

    /// Returns the scan rate of a host in targets per second.
    pub(super) fn rate(&self, one: &Infection) -> f64 {
        let mut random = Seed::root(one.host).named("rate").generator();
        let spread = Normal::new(0.0, self.family.rate_spread).map_or(0.0, |law| law.sample(&mut random));
        one.rate.map_or_else(|| self.family.rate * spread.exp(), f64::from)
    }

    fn hits(
        &self,
        scene: &SensorDay<'_>,
        seed: Seed,
        targeting: &SensorTargeting,
        sink: &mut dyn FnMut(Hit),
    ) {
        for (number, one) in (0u32..).zip(&self.infections) {
            let (from, until) = (one.from.max(scene.day.start), one.until.min(scene.day.end));
            let Some((_, clock)) = self.host_network(one.host).filter(|_| from < until) else { continue };
            let Some(address) = self.address(one, from, scene.all_dark) else { continue };
            let rate = self.rate(one);
            let since = clock.weighted_seconds(one.from);
            // The number of the first target at or after a moment. Rounding up keeps the first target of a
            // day from lying before the day.
            let targets = |time| to_count(((clock.weighted_seconds(time) - since) * rate).ceil());
            let key = seed.numbered(one.host);
            let draws = scene
                .sensor_day_seed
                .numbered(u64::from(scene.actor_index))
                .numbered(one.host)
                .numbered(u64::from(number));
            let worker = ScanningHost { address, seed: key, draw_seed: draws };
            targeting.hits(
                &worker,
                targets(from)..targets(until),
                scene.dark,
                &mut |ordinal, destination| {
                    // Each target has its own slot of time, so that targets keep their order.
                    let jitter = 0.9 * key.named("jitter").numbered(ordinal).fraction();
                    let at = clock.time_after(since + (to_f64(ordinal) + jitter) / rate);
                    let Some(at) = at.filter(|at| *at < one.until) else { return };
                    let at = microsecond_timestamp(at.0).max(from);
                    let Some(source) = self.address(one, at, scene.all_dark) else { return };
                    // A host cannot reach an address of the other IP version.
                    if source.is_ipv4() != destination.is_ipv4() {
                        return;
                    }
                    let key = key.to_u64();
                    sink(Hit {
                        at,
                        source,
                        destination,
                        ordinal,
                        key,
                        actor: scene.actor_index,
                        host: number,
                    });
                },
            );
        }
    }
}

/// Returns the number of a host's address lease at a moment. Leases begin at a different time for each host.
fn lease_number(host: u64, at: Timestamp, churn: Churn) -> u64 {
    let seed = Seed::root(host).named("lease");
    if seed.named("moves").fraction() >= churn.share {
        return 0;
    }
    let days = Timestamp::seconds_since(at, Timestamp(0)) / 86_400.0;
    to_count((days / churn.lease_days + seed.fraction()).max(0.0))
}

/// Returns an address of a network, other than the dark addresses of all sensors. For IPv4, the last octet is
/// neither 0 nor 255, except in a /31 or /32. After 64 attempts, any address of the network is returned.
pub(super) fn address_in(prefix: IpNet, seed: Seed, dark: &[DarkSpace]) -> IpAddr {
    let number = |attempt: u64| seed.numbered(attempt).to_u64();
    let address = |attempt: u64| match prefix {
        IpNet::V4(net) => {
            let hosts = u32::from(net.hostmask());
            let bits = super::dark_space::low_32_bits(number(attempt)) & hosts;
            IpAddr::V4(Ipv4Addr::from(u32::from(net.network()) | bits))
        }
        IpNet::V6(net) => {
            let bits = u128::from(number(attempt)) << 64 | u128::from(mix_bits(number(attempt)));
            IpAddr::V6(Ipv6Addr::from(u128::from(net.network()) | bits & u128::from(net.hostmask())))
        }
    };
    let fits = |address: &IpAddr| {
        let edge = matches!(address, IpAddr::V4(four) if matches!(four.octets()[3], 0 | 255));
        let edge = edge && prefix.prefix_len() < 31;
        !edge && !dark.iter().any(|dark| dark.contains(*address))
    };
    (0..64).map(address).find(fits).unwrap_or_else(|| address(64))
}

impl Actor {
    /// Passes on the hits of a day at a sensor, not sorted by time. Some may be later than the end of the
    /// day.
    pub(super) fn hits(&self, scene: &SensorDay<'_>, targeting: &SensorTargeting, sink: &mut dyn FnMut(Hit)) {
        let mut random = scene.sensor_day_seed.named(&self.name).generator();
        match &self.source {
            HitSource::Hosts(hosts) => hosts.hits(scene, self.seed, targeting, sink),
            HitSource::Noise(noise) if scene.is_within(&noise.sensors, noise.from, noise.last) => {
                let mean =
                    noise.per_address_day * to_f64(scene.dark.size()) * scene.scale * scene.length_in_days();
                for _ in 0..poisson(&mut random, mean) {
                    let Some(destination) = scene.random_dark_address(&mut random) else { return };
                    sink(self.single_hit(scene, destination, &mut random));
                }
            }
            HitSource::Floods(floods) => self.flood(floods, scene, sink),
            HitSource::Stray(stray) if scene.is_within(&stray.sensors, None, None) => {
                let listed = to_f64(scene.dark.size()) * stray.addresses;
                for place in 0..to_count(listed.round()) {
                    // The listed addresses are the same every day.
                    let rank = Seed::root(place).named(&self.name).to_u64() % scene.dark.size().max(1);
                    let Some(address) = scene.dark.nth(rank) else { continue };
                    let mean = stray.hosts_per_address_day * scene.scale * scene.length_in_days();
                    for _ in 0..poisson(&mut random, mean) {
                        sink(self.single_hit(scene, Ipv4Addr::from(address).into(), &mut random));
                    }
                }
            }
            HitSource::Noise(_) | HitSource::Stray(_) => {}
            HitSource::Misconfigured(wrong) => {
                let every = wrong.every_seconds * 1e9;
                let steps = |time: Timestamp| to_count((nanoseconds(time) / every).ceil());
                for ordinal in steps(scene.day.start)..steps(scene.day.end) {
                    let at = microsecond_timestamp(truncated(to_f64(ordinal) * every));
                    if scene.dark.contains(wrong.destination) && at >= scene.day.start && at < scene.day.end {
                        let (source, destination) = (wrong.host, wrong.destination);
                        sink(self.background_hit(scene, at, source, destination, ordinal, self.seed));
                    }
                }
            }
        }
    }

    /// Passes on the answers of flooded servers to dark addresses.
    fn flood(&self, floods: &Floods, scene: &SensorDay<'_>, sink: &mut dyn FnMut(Hit)) {
        // All sensors receive answers from the same floods.
        let mut all = scene.day_seed.named(&self.name).generator();
        for number in 0..poisson(&mut all, floods.per_day * scene.scale * scene.length_in_days()) {
            let seed = scene.day_seed.named(&self.name).numbered(number);
            let mut flood = seed.generator();
            let start = scene.random_time(&mut flood);
            let seconds = floods.minutes * 60.0 * flood.random_range(0.1..1.0);
            let Some(server) = scene.random_host(&mut flood, seed) else { return };
            let mut random = scene.sensor_day_seed.numbered(seed.to_u64()).generator();
            let share = to_f64(scene.dark.size()) / 4_294_967_296.0;
            let tries = to_count(floods.packets_per_second * seconds);
            for _ in 0..binomial(&mut random, tries, share) {
                let at =
                    microsecond_timestamp(plus_days(start, random.random::<f64>() * seconds / 86_400.0).0);
                let Some(destination) = scene.random_dark_address(&mut random) else { return };
                sink(self.background_hit(scene, at, server, destination, random.random(), seed));
            }
        }
    }

    /// Returns a hit of a host that sends only once.
    fn single_hit(&self, scene: &SensorDay<'_>, destination: IpAddr, random: &mut SeededRng) -> Hit {
        let seed = self.seed.numbered(random.random());
        let source = scene.random_host(random, seed).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let at = scene.random_time(random);
        self.background_hit(scene, at, source, destination, 0, seed)
    }

    /// Returns a hit of a host of the background.
    fn background_hit(
        &self,
        scene: &SensorDay<'_>,
        at: Timestamp,
        source: IpAddr,
        destination: IpAddr,
        ordinal: u64,
        seed: Seed,
    ) -> Hit {
        let (key, actor) = (seed.to_u64(), scene.actor_index);
        Hit { at, source, destination, ordinal, key, actor, host: u32::MAX }
    }
}

impl SensorDay<'_> {
    /// Returns the length of the day in units of 24 hours.
    fn length_in_days(&self) -> f64 {
        self.day.end.seconds_since(self.day.start) / 86_400.0
    }

    /// Returns whether the sensor is among the named ones (all sensors if none is named) and the day lies
    /// between the given days.
    fn is_within(&self, sensors: &[String], from: Option<Date>, last: Option<Date>) -> bool {
        let named = sensors.is_empty() || sensors.iter().any(|name| name == self.sensor);
        named && from.is_none_or(|from| from <= self.date) && last.is_none_or(|last| self.date <= last)
    }

    /// Draws a moment of the day.
    fn random_time(&self, random: &mut SeededRng) -> Timestamp {
        microsecond_timestamp(random.random_range(self.day.start.0..self.day.end.0))
    }

    /// Draws a dark address of the sensor.
    fn random_dark_address(&self, random: &mut SeededRng) -> Option<IpAddr> {
        let rank = random.random_range(0..self.dark.size().max(1));
        self.dark.nth(rank).map(|address| Ipv4Addr::from(address).into())
    }

    /// Draws the address of a host in any network.
    fn random_host(&self, random: &mut SeededRng, seed: Seed) -> Option<IpAddr> {
        let network = pick_by_weight(random.random(), self.networks, |network| network.weight)?;
        Some(address_in(network.prefix, seed, self.all_dark))
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts that a day or a sensor has")]
pub(super) fn to_f64(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, and not negative")]
pub(super) fn to_count(number: f64) -> u64 {
    number as u64
}

#[expect(clippy::cast_precision_loss, reason = "to a microsecond")]
fn nanoseconds(time: Timestamp) -> f64 {
    time.0 as f64
}

#[expect(clippy::cast_possible_truncation, reason = "within the scenario's days")]
fn truncated(nanoseconds: f64) -> i64 {
    nanoseconds as i64
}

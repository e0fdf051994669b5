//! Actors, which send packets: malware families with their infected hosts, and parts of the background.
//! Computes the hits of an actor on a day.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rand::RngExt;
use rand_distr::{Distribution, Normal};

use crate::event::Timestamp;

use super::background::{Floods, Misconfigured, Noise, Stray};
use super::dark::Dark;
use super::growth::Churn;
use super::hit::{ActiveClock, Hit};
use super::population::{Infection, Period, later};
use super::probing::{Probing, micros};
use super::random::{Random, Seed, binomial, mixed, pick, poisson};
use super::scenario::{Family, Network};
use super::targets::{Targeting, Worker};

/// A sender of packets.
#[derive(Clone, Debug)]
pub(super) struct Actor {
    pub(super) name: String,
    /// Whether the actor is malware. Only the hosts of malware are listed in the ground truth.
    pub(super) is_family: bool,
    pub(super) probing: Probing,
    pub(super) source: Source,
    pub(super) seed: Seed,
}

/// The origin of an actor's hits.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// Hosts that scan: a malware family or a scanning tool.
    Hosts(Box<Hosts>),
    Noise(Noise),
    Floods(Floods),
    Stray(Stray),
    Misconfigured(Misconfigured),
}

/// Hosts that scan. Memory: 56 bytes per infection.
#[derive(Clone, Debug)]
pub(super) struct Hosts {
    pub(super) family: Family,
    pub(super) infections: Vec<Infection>,
    /// Networks in which the hosts live, each with the clock of the times at which they are on.
    pub(super) homes: Vec<(Network, ActiveClock)>,
}

/// Returns the network of a scenario that has none: shared address space (RFC 6598), which no host on the
/// Internet has.
pub(super) fn nowhere() -> Network {
    let prefix = IpNet::V4(ipnet::Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10));
    Network { name: "shared".to_owned(), prefix, weight: 1.0, time_zone: "UTC".to_owned() }
}

/// A day and a sensor for which hits are requested.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    /// Index of the actor.
    pub(super) number: u16,
    pub(super) sensor: &'a str,
    pub(super) date: Date,
    pub(super) day: Interval,
    /// Dark addresses of the sensor.
    pub(super) dark: &'a Dark,
    /// Dark addresses of all sensors. No host has one of them.
    pub(super) all_dark: &'a [Dark],
    pub(super) networks: &'a [Network],
    pub(super) scale: f64,
    /// Seed of the sensor and day.
    pub(super) draws: Seed,
    /// Seed of the day, the same for all sensors.
    pub(super) today: Seed,
}

/// A time interval. The start is included, the end is excluded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interval {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
}

impl Hosts {
    /// Returns the networks in which the hosts of a family live, with their clocks.
    pub(super) fn homes(
        family: &Family,
        networks: &[Network],
        period: &Period,
    ) -> Vec<(Network, ActiveClock)> {
        let names = &family.population.networks;
        let chosen = networks.iter().filter(|network| names.is_empty() || names.contains(&network.name));
        let with_clock = |network: &Network| {
            let zone = TimeZone::get(&network.time_zone).unwrap_or(TimeZone::UTC);
            (network.clone(), ActiveClock::new(period.start, period.end, &family.rhythm, &zone))
        };
        chosen.map(with_clock).collect()
    }

    /// Returns the network of a host, drawn by weight, with its clock.
    pub(super) fn home(&self, host: u64) -> Option<&(Network, ActiveClock)> {
        pick(Seed::root(host).of("home").share(), &self.homes, |(network, _)| network.weight)
    }

    /// Returns the address of a host at a moment.
    pub(super) fn address(&self, one: &Infection, at: Timestamp, dark: &[Dark]) -> Option<IpAddr> {
        if one.address.is_some() {
            return one.address;
        }
        let (network, _) = self.home(one.host)?;
        let lease = self.family.population.churn.map_or(0, |churn| lease(one.host, at, churn));
        Some(address_in(network.prefix, Seed::root(one.host).of("address").at(lease), dark))
    }

    /// Returns the scan rate of a host in targets per second.
    pub(super) fn rate(&self, one: &Infection) -> f64 {
        let mut random = Seed::root(one.host).of("rate").generator();
        let spread = Normal::new(0.0, self.family.rate_spread).map_or(0.0, |law| law.sample(&mut random));
        one.rate.map_or_else(|| self.family.rate * spread.exp(), f64::from)
    }

    fn hits(&self, scene: &Scene<'_>, seed: Seed, targeting: &Targeting, sink: &mut dyn FnMut(Hit)) {
        for (number, one) in (0u32..).zip(&self.infections) {
            let (from, until) = (one.from.max(scene.day.start), one.until.min(scene.day.end));
            let Some((_, clock)) = self.home(one.host).filter(|_| from < until) else { continue };
            let Some(address) = self.address(one, from, scene.all_dark) else { continue };
            let rate = self.rate(one);
            let since = clock.at(one.from);
            // The number of the first target at or after a moment. Rounding up keeps the first target of a
            // day from lying before the day.
            let targets = |time| whole(((clock.at(time) - since) * rate).ceil());
            let key = seed.at(one.host);
            let draws = scene.draws.at(u64::from(scene.number)).at(one.host).at(u64::from(number));
            let worker = Worker { address, seed: key, draws };
            targeting.hits(
                &worker,
                targets(from)..targets(until),
                scene.dark,
                &mut |ordinal, destination| {
                    // Each target has its own slot of time, so that targets keep their order.
                    let jitter = 0.9 * key.of("jitter").at(ordinal).share();
                    let at = clock.when(since + (count(ordinal) + jitter) / rate);
                    let Some(at) = at.filter(|at| *at < one.until) else { return };
                    let at = micros(at.0).max(from);
                    let Some(source) = self.address(one, at, scene.all_dark) else { return };
                    // A host cannot reach an address of the other IP version.
                    if source.is_ipv4() != destination.is_ipv4() {
                        return;
                    }
                    let key = key.number();
                    sink(Hit { at, source, destination, ordinal, key, actor: scene.number, host: number });
                },
            );
        }
    }
}

/// Returns the number of a host's address lease at a moment. Leases begin at a different time for each host.
fn lease(host: u64, at: Timestamp, churn: Churn) -> u64 {
    let seed = Seed::root(host).of("lease");
    if seed.of("moves").share() >= churn.share {
        return 0;
    }
    let days = Timestamp::seconds_since(at, Timestamp(0)) / 86_400.0;
    whole((days / churn.lease_days + seed.share()).max(0.0))
}

/// Returns an address of a network, other than the dark addresses of all sensors. For IPv4, the last octet is
/// neither 0 nor 255, except in a /31 or /32. After 64 attempts, any address of the network is returned.
pub(super) fn address_in(prefix: IpNet, seed: Seed, dark: &[Dark]) -> IpAddr {
    let number = |attempt: u64| seed.at(attempt).number();
    let address = |attempt: u64| match prefix {
        IpNet::V4(net) => {
            let hosts = u32::from(net.hostmask());
            let bits = super::dark::low(number(attempt)) & hosts;
            IpAddr::V4(Ipv4Addr::from(u32::from(net.network()) | bits))
        }
        IpNet::V6(net) => {
            let bits = u128::from(number(attempt)) << 64 | u128::from(mixed(number(attempt)));
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
    pub(super) fn hits(&self, scene: &Scene<'_>, targeting: &Targeting, sink: &mut dyn FnMut(Hit)) {
        let mut random = scene.draws.of(&self.name).generator();
        match &self.source {
            Source::Hosts(hosts) => hosts.hits(scene, self.seed, targeting, sink),
            Source::Noise(noise) if scene.is_of(&noise.sensors, noise.from, noise.last) => {
                let mean = noise.per_address_day * count(scene.dark.size()) * scene.scale * scene.days();
                for _ in 0..poisson(&mut random, mean) {
                    let Some(destination) = scene.any_dark(&mut random) else { return };
                    sink(self.single(scene, destination, &mut random));
                }
            }
            Source::Floods(floods) => self.flood(floods, scene, sink),
            Source::Stray(stray) if scene.is_of(&stray.sensors, None, None) => {
                let listed = count(scene.dark.size()) * stray.addresses;
                for place in 0..whole(listed.round()) {
                    // The listed addresses are the same every day.
                    let rank = Seed::root(place).of(&self.name).number() % scene.dark.size().max(1);
                    let Some(address) = scene.dark.nth(rank) else { continue };
                    let mean = stray.hosts_per_address_day * scene.scale * scene.days();
                    for _ in 0..poisson(&mut random, mean) {
                        sink(self.single(scene, Ipv4Addr::from(address).into(), &mut random));
                    }
                }
            }
            Source::Noise(_) | Source::Stray(_) => {}
            Source::Misconfigured(wrong) => {
                let every = wrong.every_seconds * 1e9;
                let steps = |time: Timestamp| whole((nanoseconds(time) / every).ceil());
                for ordinal in steps(scene.day.start)..steps(scene.day.end) {
                    let at = micros(rounded(count(ordinal) * every));
                    if scene.dark.contains(wrong.destination) && at >= scene.day.start && at < scene.day.end {
                        let (source, destination) = (wrong.host, wrong.destination);
                        sink(self.hit(scene, at, source, destination, ordinal, self.seed));
                    }
                }
            }
        }
    }

    /// Passes on the answers of flooded servers to dark addresses.
    fn flood(&self, floods: &Floods, scene: &Scene<'_>, sink: &mut dyn FnMut(Hit)) {
        // All sensors receive answers from the same floods.
        let mut all = scene.today.of(&self.name).generator();
        for number in 0..poisson(&mut all, floods.per_day * scene.scale * scene.days()) {
            let seed = scene.today.of(&self.name).at(number);
            let mut flood = seed.generator();
            let start = scene.moment(&mut flood);
            let seconds = floods.minutes * 60.0 * flood.random_range(0.1..1.0);
            let Some(server) = scene.host(&mut flood, seed) else { return };
            let mut random = scene.draws.at(seed.number()).generator();
            let share = count(scene.dark.size()) / 4_294_967_296.0;
            let tries = whole(floods.packets_per_second * seconds);
            for _ in 0..binomial(&mut random, tries, share) {
                let at = micros(later(start, random.random::<f64>() * seconds / 86_400.0).0);
                let Some(destination) = scene.any_dark(&mut random) else { return };
                sink(self.hit(scene, at, server, destination, random.random(), seed));
            }
        }
    }

    /// Returns a hit of a host that sends only once.
    fn single(&self, scene: &Scene<'_>, destination: IpAddr, random: &mut Random) -> Hit {
        let seed = self.seed.at(random.random());
        let source = scene.host(random, seed).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let at = scene.moment(random);
        self.hit(scene, at, source, destination, 0, seed)
    }

    /// Returns a hit of a host of the background.
    fn hit(
        &self,
        scene: &Scene<'_>,
        at: Timestamp,
        source: IpAddr,
        destination: IpAddr,
        ordinal: u64,
        seed: Seed,
    ) -> Hit {
        let (key, actor) = (seed.number(), scene.number);
        Hit { at, source, destination, ordinal, key, actor, host: u32::MAX }
    }
}

impl Scene<'_> {
    /// Returns the length of the day in units of 24 hours.
    fn days(&self) -> f64 {
        self.day.end.seconds_since(self.day.start) / 86_400.0
    }

    /// Returns whether the sensor is among the named ones (all sensors if none is named) and the day lies
    /// between the given days.
    fn is_of(&self, sensors: &[String], from: Option<Date>, last: Option<Date>) -> bool {
        let named = sensors.is_empty() || sensors.iter().any(|name| name == self.sensor);
        named && from.is_none_or(|from| from <= self.date) && last.is_none_or(|last| self.date <= last)
    }

    /// Draws a moment of the day.
    fn moment(&self, random: &mut Random) -> Timestamp {
        micros(random.random_range(self.day.start.0..self.day.end.0))
    }

    /// Draws a dark address of the sensor.
    fn any_dark(&self, random: &mut Random) -> Option<IpAddr> {
        let rank = random.random_range(0..self.dark.size().max(1));
        self.dark.nth(rank).map(|address| Ipv4Addr::from(address).into())
    }

    /// Draws the address of a host in any network.
    fn host(&self, random: &mut Random, seed: Seed) -> Option<IpAddr> {
        let network = pick(random.random(), self.networks, |network| network.weight)?;
        Some(address_in(network.prefix, seed, self.all_dark))
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts that a day or a sensor has")]
pub(super) fn count(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, and not negative")]
pub(super) fn whole(number: f64) -> u64 {
    number as u64
}

#[expect(clippy::cast_precision_loss, reason = "to a microsecond")]
fn nanoseconds(time: Timestamp) -> f64 {
    time.0 as f64
}

#[expect(clippy::cast_possible_truncation, reason = "within the scenario's days")]
fn rounded(nanoseconds: f64) -> i64 {
    nanoseconds as i64
}

//! F3: simulated outbreaks whose cause is known. A [`Scenario`] states which hosts are infected with which
//! malware. A [`Simulation`] of it yields the packets that sensors capture ([`SensorStream`]), the sandbox
//! runs of samples ([`CaughtSample`]), and the ground truth ([`GroundTruth`]).
//!
//! Only packets to dark addresses are generated. A random scan is thinned: a host that selects `n` targets
//! per day hits a sensor with `k` dark addresses `Binomial(n, k / 2^32)` times, so this number of hits is
//! drawn, with their times and addresses. For a sequential scan, the stretches that cross the sensor are
//! computed, without the live addresses.
//!
//! Equal seeds yield equal packets, whatever is requested first: each random generator is seeded by names,
//! such as (family, host, day, sensor). This module opens no file. `app::simulate` does, and its
//! `simulate_into` feeds a scenario directly to a history.

mod actor;
mod background;
mod check;
mod conficker_ports;
mod dark_space;
mod family_plan;
mod growth;
mod hit;
mod internet_scan;
mod limits;
mod population;
mod probe_generator;
mod probe_plan;
mod random;
mod sample;
mod sample_plan;
mod sandbox;
mod scenario;
mod stream;
mod targets;
mod tcpdump;
mod truth;
mod wire;

use jiff::civil::Date;

use crate::history::{DatedPrefix, Sensor};
use crate::yaml::{self, YamlError};

use actor::{Actor, FamilyHosts, HitSource, Interval};
use dark_space::DarkSpace;
use population::{Period, infections};
use probe_generator::ProbeGenerator;
use random::Seed;
use targets::SensorTargeting;

pub use background::{Background, Floods, MisconfiguredHost, Noise, StrayRequests};
pub use family_plan::{
    ActivityRhythm, FamilyPlan, HitList, HitListEntry, LocalPreference, NoParameters, PermutationScan,
    SequentialScan, SweepStart, Targets, UniformScan,
};
pub use growth::{Churn, Decay, GrowthPlan, NamedHost, Patch, Population, Reinfection, Succession, Visits};
pub use population::Infection;
pub use probe_generator::SimulatedPacket;
pub use probe_plan::{
    DerivedPortKeyword, HeaderPlan, NetworkStack, PortPlan, ProbePlan, RandomPort, SendSchedule,
    SourcePortRule, WeightedPort,
};
pub use sample::CaughtSample;
pub use sample_plan::{LogFormat, SamplePlan, SandboxPlan};
pub use scenario::{CaptureLength, NetworkPlan, Scenario, SensorPlan};
pub use stream::{PacketTally, SensorStream};
pub use truth::{GroundTruth, InfectedHost, SensorTruth};
pub use wire::{PcapWriter, write_frame};

/// A scenario with a seed and a scale, which together determine all hosts, samples and packets.
#[derive(Clone, Debug)]
pub struct Simulation {
    scenario: Scenario,
    actors: Vec<Actor>,
    /// Networks in which hosts live.
    networks: Vec<NetworkPlan>,
    /// Dark addresses of each sensor.
    dark: Vec<DarkSpace>,
    period: Period,
    seed: Seed,
    scale: f64,
    seed_number: u64,
}

impl Scenario {
    /// Reads and checks a scenario.
    ///
    /// # Errors
    /// Returns an error if the text is not YAML, does not match the schema, or describes an invalid scenario.
    /// The error states the place, where it is known, and the remedy.
    pub fn parse(text: &str) -> Result<Scenario, YamlError> {
        let scenario: Scenario = yaml::parse(text)?;
        match check::first_fault(&scenario) {
            None => Ok(scenario),
            Some(message) => Err(yaml::error_at_word(text, message)),
        }
    }
}

impl Scenario {
    /// Returns the expected number of infections at scale 1. A [`Simulation`] holds all of them in memory.
    #[must_use]
    pub fn infections(&self) -> f64 {
        let days = f64::from((self.last - self.first).get_days()) + 1.0;
        let families = self.families.iter().chain(&self.background.scanners);
        families.map(|family| family.population.infections(days)).sum()
    }
}

impl Simulation {
    /// Creates a simulation. `seed` selects one of the possible courses of events; `scale` multiplies the
    /// number of hosts and the background. Memory: 56 bytes per infection.
    #[must_use]
    pub fn new(scenario: &Scenario, seed: u64, scale: f64) -> Simulation {
        let root = Seed::root(seed);
        let zone = jiff::tz::TimeZone::get(&scenario.time_zone).unwrap_or(jiff::tz::TimeZone::UTC);
        let mut period =
            Period { zone, first: scenario.first, start: <_>::default(), end: <_>::default(), scale };
        period.start = period.day(scenario.first);
        period.end = period.day(scenario.last.saturating_add(jiff::Span::new().days(1)));
        let networks = match scenario.networks.is_empty() {
            true => vec![actor::default_network()],
            false => scenario.networks.clone(),
        };
        let dark =
            scenario.sensors.iter().map(|sensor| DarkSpace::new(&sensor.prefixes, &sensor.live)).collect();
        let mut simulation = Simulation {
            scenario: scenario.clone(),
            actors: Vec::new(),
            networks,
            dark,
            period,
            seed: root,
            scale,
            seed_number: seed,
        };
        for (family, is_family) in scenario
            .families
            .iter()
            .map(|family| (family, true))
            .chain(scenario.background.scanners.iter().map(|family| (family, false)))
        {
            simulation.add_hosts(family, is_family);
        }
        simulation.add_background(&scenario.background);
        simulation
    }

    /// Returns the scenario.
    #[must_use]
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// Returns the seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed_number
    }

    /// Returns the scale.
    #[must_use]
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// Returns the days of the scenario, in its time zone.
    pub fn days(&self) -> impl Iterator<Item = Date> + use<> {
        let last = self.scenario.last;
        self.period.first.series(jiff::Span::new().days(1)).take_while(move |day| *day <= last)
    }

    /// Returns the beginnings of the hours of a day, followed by the beginning of the next day.
    #[must_use]
    pub fn hours(&self, date: Date) -> Vec<crate::packet::Timestamp> {
        const HOUR: i64 = 3_600_000_000_000;
        let Interval { start, end } = self.interval(date);
        let mut hours: Vec<_> =
            (0..(end.0 - start.0) / HOUR).map(|at| start.plus_nanoseconds(at * HOUR)).collect();
        hours.push(end);
        hours
    }

    /// Returns the sensors in the order of the scenario.
    pub fn sensors(&self) -> impl Iterator<Item = Sensor> + '_ {
        self.scenario.sensors.iter().map(SensorPlan::sensor)
    }

    /// Returns the packets that a sensor records, from the first day on. `sensor` is its index in the
    /// scenario.
    #[must_use]
    pub fn stream(&self, sensor: usize) -> SensorStream<'_> {
        SensorStream::new(self, sensor)
    }

    /// Returns the name of an actor: a family, or a part of the background. The name is empty if there is no
    /// such actor.
    #[must_use]
    pub fn actor_name(&self, number: u16) -> &str {
        self.actors.get(usize::from(number)).map_or("", |actor| &actor.name)
    }

    /// Returns the samples that were caught.
    #[must_use]
    pub fn samples(&self) -> Vec<CaughtSample> {
        let families = self.scenario.families.iter();
        families.filter_map(|family| CaughtSample::from_family(family, self.seed, &self.period)).collect()
    }

    fn interval(&self, date: Date) -> Interval {
        let next = date.saturating_add(jiff::Span::new().days(1));
        Interval { start: self.period.day(date), end: self.period.day(next) }
    }

    fn add_hosts(&mut self, family: &FamilyPlan, is_family: bool) {
        let seed = self.seed.named("family").named(&family.name);
        let before = self.actors.iter_mut().filter_map(|actor| match &mut actor.source {
            HitSource::Hosts(hosts) => Some((actor.name.as_str(), &mut hosts.infections)),
            _ => None,
        });
        let mut before: Vec<_> = before.collect();
        let infections = infections(&family.population, &self.period, seed, &mut before);
        let homes = FamilyHosts::host_networks(family, &self.networks, &self.period);
        let probing = ProbeGenerator::new(&family.probes, family.together, family.header);
        let source = HitSource::Hosts(Box::new(FamilyHosts {
            family: family.clone(),
            infections,
            host_networks: homes,
        }));
        self.actors.push(Actor {
            name: family.name.clone(),
            is_family,
            probe_generator: probing,
            source,
            seed,
        });
    }

    fn add_background(&mut self, background: &Background) {
        let root = self.seed.named("background");
        let mut add = |name: &str, probes: &[ProbePlan], header: HeaderPlan, source: HitSource| {
            let probing = ProbeGenerator::new(probes, false, header);
            let seed = root.named(name);
            self.actors.push(Actor {
                name: name.to_owned(),
                is_family: false,
                probe_generator: probing,
                source,
                seed,
            });
        };
        for one in &background.noise {
            add(&one.name, &one.probes, one.header, HitSource::Noise(one.clone()));
        }
        for one in &background.floods {
            add(&one.name, &one.probes, one.header, HitSource::Floods(one.clone()));
        }
        for one in &background.stray {
            add(&one.name, &one.probes, one.header, HitSource::Stray(one.clone()));
        }
        for one in &background.misconfigured {
            add(&one.name, &one.probes, one.header, HitSource::Misconfigured(one.clone()));
        }
    }
}

impl Actor {
    fn targeting(&self, dark: &DarkSpace) -> SensorTargeting {
        match &self.source {
            HitSource::Hosts(hosts) => SensorTargeting::new(&hosts.family.targets, dark),
            _ => SensorTargeting::None,
        }
    }
}

impl SensorPlan {
    /// Returns the sensor as a history defines it.
    #[must_use]
    pub fn sensor(&self) -> Sensor {
        let SensorPlan { name, kind, prefixes, live, time_zone, .. } = self.clone();
        let [prefixes, live] = [prefixes, live].map(|all| all.into_iter().map(DatedPrefix::from).collect());
        Sensor { name, kind, prefixes, live, time_zone }
    }
}

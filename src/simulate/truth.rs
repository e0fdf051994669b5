//! What really happened, for whoever wants to judge a conclusion.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use crate::event::Timestamp;

use super::Simulation;
use super::actor::Source;
use super::stream::Tally;

/// The truth of a simulation. Memory: some 150 bytes an infection.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Truth {
    /// The scenario's title.
    pub title: String,
    /// The seed.
    pub seed: u64,
    /// The scale.
    pub scale: f64,
    /// What each sensor recorded, by its name.
    pub sensors: BTreeMap<String, SensorTruth>,
    /// Which sample is of which family.
    pub samples: BTreeMap<String, String>,
    /// Every host that was infected, by family.
    pub hosts: BTreeMap<String, Vec<InfectedHost>>,
}

/// What a sensor recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SensorTruth {
    /// All packets.
    pub packets: u64,
    /// Packets that it lost; they are in no capture.
    pub lost: u64,
    /// Packets by family or part of the background.
    pub by: BTreeMap<String, u64>,
    /// Packets of each capture (or day of a history), by family or part of the background.
    pub captures: BTreeMap<String, BTreeMap<String, u64>>,
}

/// A host and its infection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InfectedHost {
    /// Its address when it was infected.
    pub address: IpAddr,
    /// Since when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Packets that sensors recorded of it, by sensor and its address at the time.
    pub packets: BTreeMap<String, BTreeMap<IpAddr, u64>>,
}

impl Truth {
    /// The truth before anything was recorded.
    #[must_use]
    pub fn of(simulation: &Simulation) -> Truth {
        let mut truth = Truth {
            title: simulation.scenario.title.clone(),
            seed: simulation.number,
            scale: simulation.scale,
            ..Truth::default()
        };
        for actor in simulation.actors.iter().filter(|actor| actor.is_family) {
            let Source::Hosts(hosts) = &actor.source else { continue };
            let infected = hosts.infections.iter().map(|one| {
                let nobody = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
                let address = hosts.address(one, one.from, &simulation.dark).unwrap_or(nobody);
                InfectedHost { address, from: one.from, until: one.until, packets: BTreeMap::new() }
            });
            truth.hosts.insert(actor.name.clone(), infected.collect());
        }
        truth
    }

    /// Adds what a sensor recorded in all.
    pub fn add(&mut self, simulation: &Simulation, sensor: &str, tally: &Tally) {
        for ((actor, host, source), packets) in &tally.hosts {
            let name = simulation.actor(*actor);
            let recorded = self.sensors.entry(sensor.to_owned()).or_default();
            recorded.packets += packets;
            *recorded.by.entry(name.to_owned()).or_default() += packets;
            let infected = self.hosts.get_mut(name).zip(usize::try_from(*host).ok());
            if let Some(infected) = infected.and_then(|(hosts, at)| hosts.get_mut(at)) {
                infected.packets.entry(sensor.to_owned()).or_default().insert(*source, *packets);
            }
        }
        self.sensors.entry(sensor.to_owned()).or_default().lost += tally.lost;
    }
}

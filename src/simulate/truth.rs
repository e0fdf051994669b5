//! The ground truth of a simulation, with which conclusions can be compared.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use crate::packet::Timestamp;

use super::Simulation;
use super::actor::HitSource;
use super::stream::PacketTally;

/// The ground truth of a simulation. Memory: about 150 bytes per infection.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct GroundTruth {
    /// Title of the scenario.
    pub title: String,
    /// The seed.
    pub seed: u64,
    /// The scale.
    pub scale: f64,
    /// Packets that each sensor recorded, by the name of the sensor.
    pub sensors: BTreeMap<String, SensorTruth>,
    /// Family of each sample, by the sample's MD5.
    pub samples: BTreeMap<String, String>,
    /// All hosts that were infected, by family.
    pub hosts: BTreeMap<String, Vec<InfectedHost>>,
}

/// The packets that a sensor recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SensorTruth {
    /// Number of packets recorded.
    pub packets: u64,
    /// Number of packets that the sensor dropped (capture loss). No capture contains them.
    pub lost: u64,
    /// Number of packets by family or part of the background.
    pub by: BTreeMap<String, u64>,
    /// Number of packets of each capture (or day of a history), by family or part of the background.
    pub captures: BTreeMap<String, BTreeMap<String, u64>>,
}

/// A host during one infection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InfectedHost {
    /// Address at the time of the infection.
    pub address: IpAddr,
    /// Time of the infection.
    pub from: Timestamp,
    /// Time at which the host is clean.
    pub until: Timestamp,
    /// Number of packets that sensors recorded of the host, by sensor and by the host's address at the time.
    pub packets: BTreeMap<String, BTreeMap<IpAddr, u64>>,
}

impl GroundTruth {
    /// Returns the ground truth before any packet is recorded.
    #[must_use]
    pub fn from_simulation(simulation: &Simulation) -> GroundTruth {
        let mut truth = GroundTruth {
            title: simulation.scenario.title.clone(),
            seed: simulation.seed_number,
            scale: simulation.scale,
            ..GroundTruth::default()
        };
        for actor in simulation.actors.iter().filter(|actor| actor.is_family) {
            let HitSource::Hosts(hosts) = &actor.source else { continue };
            let infected = hosts.infections.iter().map(|one| {
                let nobody = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
                let address = hosts.address(one, one.from, &simulation.dark).unwrap_or(nobody);
                InfectedHost { address, from: one.from, until: one.until, packets: BTreeMap::new() }
            });
            truth.hosts.insert(actor.name.clone(), infected.collect());
        }
        truth
    }

    /// Adds the packets that a sensor recorded in the whole simulation.
    pub fn add(&mut self, simulation: &Simulation, sensor: &str, tally: &PacketTally) {
        for ((actor, host, source), packets) in &tally.hosts {
            let name = simulation.actor_name(*actor);
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

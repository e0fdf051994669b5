//! The packets of one sensor in time order, a day at a time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::{IpAddr, Ipv4Addr};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use rand::RngExt;

use crate::packet::Timestamp;

use super::Simulation;
use super::actor::{Interval, SensorDay};
use super::hit::Hit;
use super::probe_generator::SimulatedPacket;
use super::random::SeededRng;
use super::scenario::SensorPlan;
use super::targets::SensorTargeting;

/// Generates the packets of a sensor, day after day. Memory: 72 bytes per hit of a day, 150 per packet that
/// waits for its time (retries of the last minute), and about 60 per host that the sensor observed.
pub struct SensorStream<'a> {
    simulation: &'a Simulation,
    sensor: usize,
    targeting: Vec<SensorTargeting>,
    zone: TimeZone,
    loss: SeededRng,
    /// Hits after the end of the day for which they were generated.
    later_hits: Vec<Hit>,
    /// Packets that are later than the last hit.
    queue: BinaryHeap<Reverse<QueuedPacket>>,
    /// Number of packets generated.
    packet_count: u64,
    /// For the sensor's current day: whether the sensor records on it, and when it ends.
    recording: (bool, Timestamp),
    tally: PacketTally,
}

/// Packet counts of a sensor.
#[derive(Clone, Debug, Default)]
pub struct PacketTally {
    /// Number of packets by actor, infection and source address. All sources of a part of the background are
    /// counted together.
    pub hosts: HashMap<(u16, u32, IpAddr), u64, foldhash::fast::RandomState>,
    /// Number of packets that the sensor dropped (capture loss).
    pub lost: u64,
}

/// A packet that waits for its time.
struct QueuedPacket {
    at: Timestamp,
    /// Number of the packet in the order of generation, which orders packets of the same time.
    number: u64,
    packet: SimulatedPacket,
}

impl PartialEq for QueuedPacket {
    fn eq(&self, other: &QueuedPacket) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for QueuedPacket {}

impl PartialOrd for QueuedPacket {
    fn partial_cmp(&self, other: &QueuedPacket) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for QueuedPacket {
    fn cmp(&self, other: &QueuedPacket) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl<'a> SensorStream<'a> {
    pub(super) fn new(simulation: &'a Simulation, sensor: usize) -> SensorStream<'a> {
        let dark = &simulation.dark[sensor];
        let plan = &simulation.scenario.sensors[sensor];
        SensorStream {
            simulation,
            sensor,
            targeting: simulation.actors.iter().map(|actor| actor.targeting(dark)).collect(),
            zone: TimeZone::get(&plan.time_zone).unwrap_or(TimeZone::UTC),
            loss: simulation.seed.named("loss").named(&plan.name).generator(),
            later_hits: Vec::new(),
            queue: BinaryHeap::new(),
            packet_count: 0,
            recording: (true, Timestamp(i64::MIN)),
            tally: PacketTally::default(),
        }
    }

    /// Passes on the packets of a day with their payloads, in time order. The days must be requested in
    /// order, without gaps.
    pub fn emit_day(&mut self, date: Date, sink: &mut dyn FnMut(&SimulatedPacket, &[u8])) {
        let day = self.simulation.interval(date);
        let mut hits = self.hits(date, day);
        hits.sort_unstable_by_key(|hit| (hit.at, hit.actor, hit.key, hit.ordinal, hit.destination));
        let after = hits.partition_point(|hit| hit.at < day.end);
        self.later_hits = hits.split_off(after);
        for hit in &hits {
            self.emit_before(hit.at, sink);
            let (waiting, made) = (&mut self.queue, &mut self.packet_count);
            let actor = &self.simulation.actors[usize::from(hit.actor)];
            actor.probe_generator.send(hit, &mut |shot| {
                let at = shot.packet.time().unwrap_or(hit.at);
                waiting.push(Reverse(QueuedPacket { at, number: *made, packet: shot }));
                *made += 1;
            });
        }
        self.emit_before(day.end, sink);
    }

    /// Returns the packet counts.
    #[must_use]
    pub fn into_tally(self) -> PacketTally {
        self.tally
    }

    fn plan(&self) -> &SensorPlan {
        &self.simulation.scenario.sensors[self.sensor]
    }

    /// Returns the hits of a day, including those left over from earlier days, not sorted by time.
    fn hits(&mut self, date: Date, day: Interval) -> Vec<Hit> {
        let simulation = self.simulation;
        let mut hits = std::mem::take(&mut self.later_hits);
        let today = simulation.seed.named("day").named(&date.to_string());
        let draws = today.named(&self.plan().name);
        for (number, (actor, targeting)) in (0u16..).zip(simulation.actors.iter().zip(&self.targeting)) {
            let scene = SensorDay {
                actor_index: number,
                sensor: &self.plan().name,
                date,
                day,
                dark: &simulation.dark[self.sensor],
                all_dark: &simulation.dark,
                networks: &simulation.networks,
                scale: simulation.scale,
                sensor_day_seed: draws,
                day_seed: today,
            };
            actor.hits(&scene, targeting, &mut |hit| hits.push(hit));
        }
        hits
    }

    /// Passes on the waiting packets whose time is before `end`, except those that the sensor does not record
    /// or drops.
    fn emit_before(&mut self, end: Timestamp, sink: &mut dyn FnMut(&SimulatedPacket, &[u8])) {
        while self.queue.peek().is_some_and(|Reverse(next)| next.at < end) {
            let Some(Reverse(QueuedPacket { at, packet: shot, .. })) = self.queue.pop() else { return };
            if !self.is_recording(at) {
                continue;
            }
            let loss = self.plan().loss;
            if loss > 0.0 && self.loss.random::<f64>() < loss {
                self.tally.lost += 1;
                continue;
            }
            let actor = &self.simulation.actors[usize::from(shot.actor)];
            let (host, source) = match actor.is_family {
                true => (shot.host, shot.packet.source()),
                false => (u32::MAX, IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            };
            *self.tally.hosts.entry((shot.actor, host, source)).or_default() += 1;
            sink(&shot, actor.probe_generator.payload(shot.probe));
        }
    }

    /// Returns whether the sensor records at a moment. Outages are days of the sensor's own time zone.
    fn is_recording(&mut self, at: Timestamp) -> bool {
        if at >= self.recording.1 {
            let today = at.day(&self.zone);
            let out = self.plan().outages.iter().any(|outage| outage.contains(today));
            let end = at.day_bounds(&self.zone).map_or(Timestamp(i64::MAX), |(_, end)| end);
            self.recording = (!out, end);
        }
        self.recording.0
    }
}

//! Days added up as plainly as can be: hash maps, lists and sets of names, and nothing remembered from one window to
//! the next. What inga counts is held against this.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use inga::behavior::{BehaviorId, Names, Parameters, Probe, Profile};
use inga::packet::{AddressSpace, Packet};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

/// A host's window: its first packet and how often each probe was seen, in order of first sight.
type Window = (Packet, Vec<(Probe, u64)>);

/// Takes packets in order of time; those without a time are passed over.
#[derive(Default)]
pub(crate) struct Plain {
    profile: Profile,
    open: HashMap<IpAddr, Window>,
    days: BTreeMap<String, Day>,
    types: HashSet<BehaviorId>,
}

/// What the packets came to.
pub(crate) struct Totals {
    /// An object a day, as `inga fingerprint --summary --format json` prints them.
    pub(crate) days: Vec<Value>,
    /// Types of all days together.
    pub(crate) types: usize,
}

#[derive(Default)]
struct Day {
    packets: u64,
    windows: u64,
    hosts: HashSet<IpAddr>,
    types: HashSet<BehaviorId>,
    sightings: HashSet<(IpAddr, BehaviorId)>,
}

impl Plain {
    pub(crate) fn push(&mut self, packet: &Packet) {
        let Some(time) = packet.time() else { return };
        let over = |(first, _): &Window| first.time().is_some_and(|start| time.0 - start.0 >= 30_000_000_000);
        if self.open.get(&packet.source()).is_some_and(over)
            && let Some(window) = self.open.remove(&packet.source())
        {
            self.close(window);
        }
        let (_, probes) =
            self.open.entry(packet.source()).or_insert_with(|| (*packet, Vec::with_capacity(1)));
        let probe = Probe::of(packet);
        match probes.iter_mut().find(|(known, _)| *known == probe) {
            Some((_, count)) => *count += 1,
            None => probes.push((probe, 1)),
        }
    }

    fn close(&mut self, (first, probes): Window) {
        let Some(time) = first.time() else { return };
        let count = probes.iter().map(|(_, count)| count).sum();
        let of = probes.iter().map(|(probe, count)| (probe, *count));
        let parameters = Parameters::of(of, count, &AddressSpace::whole(), &self.profile);
        let id = Names::of(&parameters, &self.profile).behavior.id;
        let day = self.days.entry(time.day(&TimeZone::UTC).to_string()).or_default();
        day.packets += count;
        day.windows += 1;
        day.hosts.insert(first.source());
        day.types.insert(id);
        day.sightings.insert((first.source(), id));
        self.types.insert(id);
    }

    pub(crate) fn finish(mut self) -> Totals {
        for (_, window) in std::mem::take(&mut self.open) {
            self.close(window);
        }
        let day = |(day, of): (String, Day)| {
            json!({"schema": 1, "day": day, "packets": of.packets, "windows": of.windows, "hosts": of.hosts.len(),
                   "types": of.types.len(), "sightings": of.sightings.len()})
        };
        Totals { days: self.days.into_iter().map(day).collect(), types: self.types.len() }
    }
}

//! The result of a sandbox run: the windows of the sample's scan and its service accesses.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::behavior::{Engine, Fingerprint, Marks, OpenWindow, Profile, fingerprint};
use crate::packet::{AddressSpace, Packet, Protocol};

use super::{AccessReason, PacketClass, Traffic};

/// One window of the victim's scan events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanWindow {
    /// Parameters and names of the window.
    pub fingerprint: Fingerprint,
    /// The packets of the window.
    pub window: OpenWindow,
    /// Whether the window contains peer lookups, which run beside the scan.
    pub peer_lookup: bool,
}

/// A service access: the packets with one reason to one address and port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServiceAccess {
    /// Why the packets are no scan events.
    pub reason: AccessReason,
    /// Destination address.
    pub destination: IpAddr,
    /// Protocol.
    pub protocol: Protocol,
    /// Destination port; `None` for protocols without ports.
    pub port: Option<u16>,
}

/// A sample as a history stores it, so that it can be correlated again after the sandbox capture is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptSample {
    /// Path from which the report was read.
    pub path: String,
    /// Text of the report.
    pub report: String,
    /// Result of the sandbox run.
    pub profile: SampleProfile,
}

/// The behavior of a sample in one of its sandbox runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleRun {
    /// The capture, as the report names it.
    pub capture: String,
    /// The behavior. It has no runs of its own.
    pub profile: SampleProfile,
}

/// The behavior of a sample in its sandbox runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleProfile {
    /// Identifier of the sample, from the identity in its report.
    pub id: String,
    /// Windows of scan events, in time order, followed by those of peer lookups.
    pub windows: Vec<ScanWindow>,
    /// Number of packets by service access.
    #[serde(with = "pairs")]
    pub accesses: BTreeMap<ServiceAccess, u64>,
    /// Whether the times are synthetic, because a log has none.
    pub synthetic_time: bool,
    /// The runs, if there are several: their windows and accesses are those of the whole profile. Empty for a
    /// sample with one run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<SampleRun>,
}

impl SampleProfile {
    /// Reduces a sandbox capture to windows and service accesses. The packets are those of the whole capture,
    /// in time order. `marks` has one entry per packet; a missing entry stands for a packet without marks.
    #[must_use]
    pub fn from_packets(
        id: &str,
        packets: &[Packet],
        marks: &[Marks],
        traffic: &Traffic<'_>,
        behavior: &Profile,
    ) -> SampleProfile {
        let mut profile = SampleProfile { id: id.to_owned(), ..SampleProfile::default() };
        let mut scan = ScanWindowCollector::new(behavior, false);
        let mut lookups = ScanWindowCollector::new(behavior, true);
        for (index, packet) in packets.iter().enumerate() {
            let mark = marks.get(index).copied().unwrap_or_default();
            match traffic.classify(index, packet) {
                None => {}
                Some(PacketClass::Scan) => scan.push(packet, mark),
                Some(PacketClass::Access(reason)) => {
                    if reason == AccessReason::PeerLookup {
                        lookups.push(packet, mark);
                    }
                    *profile.accesses.entry(ServiceAccess::from_packet(reason, packet)).or_default() += 1;
                }
            }
        }
        profile.windows = scan.finish();
        profile.windows.extend(lookups.finish());
        profile
    }

    /// Puts runs together.
    #[must_use]
    pub fn of_runs(id: &str, runs: Vec<SampleRun>) -> SampleProfile {
        let mut whole = SampleProfile { id: id.to_owned(), ..SampleProfile::default() };
        for SampleRun { profile, .. } in &runs {
            whole.synthetic_time |= profile.synthetic_time;
            whole.windows.extend(profile.windows.iter().cloned());
            for (access, packets) in &profile.accesses {
                *whole.accesses.entry(access.clone()).or_default() += packets;
            }
        }
        if runs.len() > 1 {
            whole.runs = runs;
        }
        whole
    }

    /// Returns the profile of each run.
    #[must_use]
    pub fn each_run(&self) -> Vec<&SampleProfile> {
        if self.runs.is_empty() { vec![self] } else { self.runs.iter().map(|run| &run.profile).collect() }
    }

    /// Returns the windows of the scan itself, without peer lookups.
    pub fn scan_windows(&self) -> impl Iterator<Item = &ScanWindow> + '_ {
        self.windows.iter().filter(|window| !window.peer_lookup)
    }

    /// Returns whether the run shows anything that a darknet could observe.
    #[must_use]
    pub fn has_scan(&self) -> bool {
        !self.windows.is_empty()
    }

    /// Returns the destinations of all windows, per second from the first scan event of each run to the last.
    /// Returns `None` if the times are synthetic or span less than a second.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rate for an estimate, from counts below 2^52")]
    pub fn destinations_per_second(&self) -> Option<f64> {
        if self.synthetic_time {
            return None;
        }
        let seconds: f64 = self.each_run().into_iter().filter_map(SampleProfile::scan_seconds).sum();
        let destinations: u64 =
            self.scan_windows().map(|window| window.fingerprint.whole.parameters.destinations).sum();
        (seconds >= 1.0).then(|| destinations as f64 / seconds)
    }

    /// Returns the seconds from the first scan event to the last; `None` if there is none or it has no time.
    #[must_use]
    pub fn scan_seconds(&self) -> Option<f64> {
        let first = self.scan_windows().filter_map(|window| window.fingerprint.start).min()?;
        let last = self.scan_windows().filter_map(|window| window.fingerprint.end).max()?;
        Some(last.seconds_since(first))
    }
}

impl ServiceAccess {
    fn from_packet(reason: AccessReason, packet: &Packet) -> ServiceAccess {
        ServiceAccess {
            reason,
            destination: packet.destination(),
            protocol: packet.protocol(),
            port: packet.destination_port(),
        }
    }
}

/// Serializes the map as a list of pairs, because a JSON object cannot have keys of several parts.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::ServiceAccess;

    pub(super) fn serialize<S: Serializer>(
        map: &BTreeMap<ServiceAccess, u64>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(map)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<ServiceAccess, u64>, D::Error> {
        Ok(Vec::<(ServiceAccess, u64)>::deserialize(from)?.into_iter().collect())
    }
}

/// Collects the closed windows of one engine.
struct ScanWindowCollector<'a> {
    engine: Engine,
    behavior: &'a Profile,
    peer_lookup: bool,
    windows: Vec<ScanWindow>,
}

impl<'a> ScanWindowCollector<'a> {
    fn new(behavior: &'a Profile, peer_lookup: bool) -> ScanWindowCollector<'a> {
        ScanWindowCollector {
            engine: Engine::new(behavior.clone()),
            behavior,
            peer_lookup,
            windows: Vec::new(),
        }
    }

    fn push(&mut self, packet: &Packet, marks: Marks) {
        let ScanWindowCollector { engine, behavior, peer_lookup, windows } = self;
        engine.push(packet, marks, &mut |closed| {
            let closed = closed.iter().cloned();
            windows.extend(closed.map(|window| scan_window(window, behavior, *peer_lookup)));
        });
    }

    fn finish(self) -> Vec<ScanWindow> {
        let ScanWindowCollector { engine, behavior, peer_lookup, mut windows } = self;
        engine.finish(&mut |closed| {
            let closed = closed.iter().cloned();
            windows.extend(closed.map(|window| scan_window(window, behavior, peer_lookup)));
        });
        windows
    }
}

fn scan_window(window: OpenWindow, behavior: &Profile, peer_lookup: bool) -> ScanWindow {
    let fingerprint = fingerprint(&window, &AddressSpace::whole(), behavior);
    ScanWindow { fingerprint, window, peer_lookup }
}

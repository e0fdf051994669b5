//! The packets of one host in one window, aggregated without storing the packets.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::packet::Timestamp;

use super::signature_fold::SignatureFold;
use super::window_signature::WindowSignature;
use super::{Arrival, Marks, Probe, ProbeSignature, Probes, Profile};

/// The time of one packet of a window, for the tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracePoint {
    /// Microseconds since the window's first packet.
    pub offset_micros: u32,
    /// Index into [`OpenWindow::probes`].
    pub probe: u32,
}

/// The window of a host while further packets may join it. Memory: about 210 bytes; 40 to 130 bytes per
/// distinct probe if there are several, up to [`Profile::probes_per_window_max`] probes; and 8 bytes per
/// packet if there are more than two, up to [`Profile::trace_packets_max`] packets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenWindow {
    /// The source host.
    pub source: IpAddr,
    /// Time of the first packet; `None` in a log without times.
    pub start: Option<Timestamp>,
    /// Time of the latest packet; `None` in a log without times.
    pub end: Option<Timestamp>,
    /// Number of packets, including those whose probes are not stored.
    pub packets: u64,
    /// Distinct probes in order of first appearance, each with its packet count.
    pub probes: Probes,
    /// The traced packets. The first packet is always among them.
    trace: SmallVec<[TracePoint; 2]>,
    /// Packet counts by number of the marking rule that the packets match. Rules without packets are absent.
    pub marked: Vec<(usize, u64)>,
    /// Whether new probes were not stored because of [`Profile::probes_per_window_max`].
    pub saturated: bool,
    #[serde(default)]
    signature: WindowSignature,
}

/// Returns a window without a host and without packets.
impl Default for OpenWindow {
    fn default() -> OpenWindow {
        OpenWindow::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }
}

impl OpenWindow {
    /// Creates the window of a host, without packets.
    pub(super) fn new(source: IpAddr) -> OpenWindow {
        OpenWindow {
            source,
            start: None,
            end: None,
            packets: 0,
            probes: Probes::default(),
            trace: SmallVec::new(),
            marked: Vec::new(),
            saturated: false,
            signature: WindowSignature::default(),
        }
    }

    /// Adds a packet of the host to the window. `time` is the packet's time, or the latest time seen if the
    /// packet has none.
    #[inline]
    pub(super) fn add(&mut self, arrival: &Arrival, time: Option<Timestamp>, profile: &Profile) {
        if let Some(now) = time
            && self.end.is_none_or(|end| end < now)
        {
            self.end = time;
            self.start = self.start.or(time);
        }
        self.packets += 1;
        if arrival.marks != Marks::default() {
            self.count_marks(arrival.marks);
        }
        let known = self.probes.len();
        let number = self.probes.add(arrival.probe, 1, profile.probes_per_window_max);
        self.signature.add(arrival.fields, &arrival.probe, number.is_none_or(|number| number == known));
        match number {
            Some(number) => self.trace(time, number, profile),
            None => self.saturated = true,
        }
    }

    /// Returns the signature of the window's probes; `None` if no packet begins a contact.
    #[inline]
    #[must_use]
    pub fn signature(&self) -> Option<ProbeSignature> {
        self.signature.whole()
    }

    /// Returns what the probes of each service have in common.
    pub(super) fn folds(&self) -> &[SignatureFold] {
        self.signature.folds()
    }

    /// Returns the signature of the probes that share protocol and destination port with `first`; `None` if there
    /// are none, or if the window has more services than are kept apart.
    #[must_use]
    pub fn service_signature(&self, first: &Probe) -> Option<ProbeSignature> {
        self.signature.service(first)
    }

    /// Stores the time of a packet, unless the trace is full.
    #[inline]
    fn trace(&mut self, time: Option<Timestamp>, probe: usize, profile: &Profile) {
        if self.trace.len() >= profile.trace_packets_max.max(1) {
            return;
        }
        let micros = match (self.start, time) {
            (Some(start), Some(time)) => time.0.saturating_sub(start.0) / 1_000,
            _ => 0,
        };
        let offset_micros = u32::try_from(micros.max(0)).unwrap_or(u32::MAX);
        self.trace.push(TracePoint { offset_micros, probe: u32::try_from(probe).unwrap_or(u32::MAX) });
    }

    fn count_marks(&mut self, marks: Marks) {
        for rule in marks.iter() {
            match self.marked.iter_mut().find(|(known, _)| *known == rule) {
                Some((_, packets)) => *packets += 1,
                None => self.marked.push((rule, 1)),
            }
        }
    }

    /// Returns the traced packets, each with its microseconds since the start of the window and its probe.
    /// The first packet is always among them.
    pub fn traced(&self) -> impl Iterator<Item = (u32, &Probe)> + '_ {
        self.trace.iter().filter_map(|point| {
            let index = usize::try_from(point.probe).ok()?;
            self.probes.get(index).map(|probe| (point.offset_micros, probe))
        })
    }
}

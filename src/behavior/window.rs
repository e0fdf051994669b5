//! The packets of one host in one window, aggregated without storing the packets.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use crate::packet::Timestamp;

use super::probes::Spare;
use super::{Arrival, Probe, Probes, Profile, Thin};

/// The marking rules (of headers or payloads) that a packet matches: bit i stands for the i-th rule of the
/// run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks(pub u64);

impl Marks {
    /// Maximum number of marking rules in a run.
    pub const MAX: usize = 64;

    /// Returns the numbers of the matching rules, in ascending order.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..Self::MAX).filter(move |bit| self.0 >> bit & 1 == 1)
    }
}

/// The time of one packet of a window, for the tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracePoint {
    /// Microseconds since the window's first packet.
    pub offset_micros: u32,
    /// Index into [`OpenWindow::probes`].
    pub probe: u32,
}

/// The window of a host while further packets may join it. Memory: about 50 bytes per distinct probe, up to
/// [`Profile::probes_per_window_max`] probes, and 8 bytes per packet, up to [`Profile::trace_packets_max`]
/// packets.
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
    /// The traced packets except the first, which is always the first probe at offset 0. Most windows have no
    /// others.
    #[serde(serialize_with = "trace::with_first", deserialize_with = "trace::without_first")]
    trace: Thin<TracePoint>,
    /// Packet counts by number of the marking rule that the packets match. Rules without packets are absent.
    pub marked: Thin<(usize, u64)>,
    /// Whether new probes were not stored because of [`Profile::probes_per_window_max`].
    pub saturated: bool,
}

/// Returns a window without a host and without packets.
impl Default for OpenWindow {
    fn default() -> OpenWindow {
        OpenWindow {
            source: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            start: None,
            end: None,
            packets: 0,
            probes: Probes::default(),
            trace: Thin::default(),
            marked: Thin::default(),
            saturated: false,
        }
    }
}

impl OpenWindow {
    /// Reinitializes the window for the first packet of a host and keeps its memory. `time` is the packet's
    /// time, or the latest time seen if the packet has none.
    #[inline]
    pub(super) fn begin(&mut self, arrival: &Arrival, time: Option<Timestamp>, spare: &mut Spare) {
        let OpenWindow { source, start, end, packets, probes, trace, marked, saturated } = self;
        (*source, *start, *end, *packets, *saturated) = (arrival.source.into(), time, time, 1, false);
        probes.begin(arrival.probe, spare);
        trace.clear();
        marked.clear();
        if arrival.marks != Marks::default() {
            self.count_marks(arrival.marks);
        }
    }

    /// Adds a further packet of the same host to the window.
    #[inline]
    pub(super) fn add(
        &mut self,
        arrival: &Arrival,
        time: Option<Timestamp>,
        profile: &Profile,
        spare: &mut Spare,
    ) {
        let is_first = self.count(arrival, time);
        if !is_first || profile.trace_packets_max > 0 {
            self.tell(arrival, time, is_first, profile, spare);
        }
    }

    /// Does the part of [`add`](OpenWindow::add) that every packet needs. Returns whether the packet's probe
    /// is the first one of the window.
    #[inline]
    pub(super) fn count(&mut self, arrival: &Arrival, time: Option<Timestamp>) -> bool {
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
        self.probes.is_first(&arrival.probe, 1)
    }

    /// Does the rest of [`add`](OpenWindow::add): counts probes other than the first, and stores times if the
    /// profile has [`trace_packets_max`](Profile::trace_packets_max).
    #[inline]
    pub(super) fn tell(
        &mut self,
        arrival: &Arrival,
        time: Option<Timestamp>,
        is_first: bool,
        profile: &Profile,
        spare: &mut Spare,
    ) {
        let number = match is_first {
            true => Some(0),
            false => self.probes.add_other(arrival.probe, 1, profile.probes_per_window_max, spare),
        };
        match number {
            Some(number) if profile.trace_packets_max > 0 => self.note_time(time, number, profile),
            Some(_) => {}
            None => self.saturated = true,
        }
    }

    fn note_time(&mut self, time: Option<Timestamp>, probe: usize, profile: &Profile) {
        let points = self.trace.list();
        if points.len() + 1 >= profile.trace_packets_max {
            return;
        }
        let micros = match (self.start, time) {
            (Some(start), Some(time)) => time.0.saturating_sub(start.0) / 1_000,
            _ => 0,
        };
        let offset_micros = u32::try_from(micros.max(0)).unwrap_or(u32::MAX);
        points.push(TracePoint { offset_micros, probe: u32::try_from(probe).unwrap_or(u32::MAX) });
    }

    #[inline(never)]
    fn count_marks(&mut self, marks: Marks) {
        let marked = self.marked.list();
        for rule in marks.iter() {
            match marked.iter_mut().find(|(known, _)| *known == rule) {
                Some((_, packets)) => *packets += 1,
                None => marked.push((rule, 1)),
            }
        }
    }

    /// Returns the traced packets, each with its microseconds since the start of the window and its probe.
    /// The first packet is always among them.
    pub fn traced(&self) -> impl Iterator<Item = (u32, &Probe)> + '_ {
        let first = self.probes.get(0).map(|probe| (0, probe));
        let others = self.trace.as_slice().iter().filter_map(|point| {
            let index = usize::try_from(point.probe).ok()?;
            self.probes.get(index).map(|probe| (point.offset_micros, probe))
        });
        first.into_iter().chain(others)
    }
}

/// Serialization of a trace with its first point, which [`OpenWindow`] does not store.
mod trace {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Thin, TracePoint};

    const FIRST: TracePoint = TracePoint { offset_micros: 0, probe: 0 };

    pub(super) fn with_first<S: Serializer>(
        others: &Thin<TracePoint>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let points: Vec<TracePoint> =
            std::iter::once(FIRST).chain(others.as_slice().iter().copied()).collect();
        serializer.collect_seq(points)
    }

    pub(super) fn without_first<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Thin<TracePoint>, D::Error> {
        Ok(Vec::deserialize(deserializer)?.into_iter().skip(1).collect())
    }
}

//! One host's packets of one window, gathered without keeping the packets.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use crate::event::Timestamp;

use super::probes::Spare;
use super::{Arrival, Probe, Probes, Profile, Thin};

/// Which rules (of headers or payloads) a packet answers to: bit i stands for the i-th marking rule of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks(pub u64);

impl Marks {
    /// How many marking rules a run can have.
    pub const MAX: usize = 64;

    /// The numbers of the rules.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..Self::MAX).filter(move |bit| self.0 >> bit & 1 == 1)
    }
}

/// When one packet of a window came, for its tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracePoint {
    /// Microseconds since the window's first packet.
    pub offset_micros: u32,
    /// Index into [`OpenWindow::probes`].
    pub probe: u32,
}

/// A host's window while packets still may join it. Memory: some 50 bytes a distinct probe up to
/// [`Profile::probes_per_window_max`], 8 bytes a packet up to [`Profile::trace_packets_max`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenWindow {
    /// The host.
    pub source: IpAddr,
    /// Its first packet's time; `None` in a log without times.
    pub start: Option<Timestamp>,
    /// Its last packet's time.
    pub end: Option<Timestamp>,
    /// All packets, remembered as probes or not.
    pub packets: u64,
    /// Distinct probes in order of first sight, with how many packets each had.
    pub probes: Probes,
    /// Times of the packets behind the first, which came at 0 with the first probe: most windows have no others.
    #[serde(serialize_with = "trace::with_first", deserialize_with = "trace::without_first")]
    trace: Thin<TracePoint>,
    /// Packets by the number of the marking rule that they answer to; rules without a packet are left out.
    pub marked: Thin<(usize, u64)>,
    /// Whether probes were left out at the limit.
    pub saturated: bool,
}

/// Nobody's window, with no packet.
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
    /// Becomes the window of a packet's host, which is its first; memory is kept. `time` is when the packet came, as far
    /// as that is known.
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

    /// Takes another packet of this host that belongs to this window.
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

    /// The part of [`add`](OpenWindow::add) that all packets need. Answers whether it is the window's first probe.
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

    /// What is left of [`add`](OpenWindow::add): other probes, and times where they are kept.
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

    /// The traced packets: time in microseconds since the start, and the probe. The first packet is always among them.
    pub fn traced(&self) -> impl Iterator<Item = (u32, &Probe)> + '_ {
        let first = self.probes.get(0).map(|probe| (0, probe));
        let others = self.trace.as_slice().iter().filter_map(|point| {
            let index = usize::try_from(point.probe).ok()?;
            self.probes.get(index).map(|probe| (point.offset_micros, probe))
        });
        first.into_iter().chain(others)
    }
}

/// A trace is written with its first point.
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

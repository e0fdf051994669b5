//! One host's packets of one window, gathered without keeping the packets.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::event::Timestamp;

use super::{Arrival, Probe, Probes, Profile};

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
    /// Times of the first packets.
    pub trace: SmallVec<[TracePoint; 4]>,
    /// Packets by the number of the marking rule that they answer to; rules without a packet are left out.
    pub marked: Vec<(usize, u64)>,
    /// Whether probes were left out at the limit.
    pub saturated: bool,
}

/// Nobody's window, with no packet.
impl Default for OpenWindow {
    fn default() -> OpenWindow {
        OpenWindow::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }
}

impl OpenWindow {
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
        }
    }

    /// Makes it the window of another host, without a packet yet; memory is kept.
    #[inline]
    pub(super) fn reset(&mut self, source: IpAddr) {
        let OpenWindow { source: host, start, end, packets, probes, trace, marked, saturated } = self;
        (*host, *start, *end, *packets, *saturated) = (source, None, None, 0, false);
        probes.clear();
        trace.clear();
        marked.clear();
    }

    /// Takes a packet of this host that belongs to this window; `time` is when it came, as far as that is known.
    #[inline]
    pub(super) fn add(&mut self, arrival: &Arrival, time: Option<Timestamp>, profile: &Profile) {
        if self.packets == 0 {
            (self.start, self.end) = (time, time);
        } else if let Some(now) = time
            && self.end.is_none_or(|end| end < now)
        {
            self.end = time;
            self.start = self.start.or(time);
        }
        self.packets += 1;
        if arrival.marks != Marks::default() {
            self.count_marks(arrival.marks);
        }
        match self.probes.add(arrival.probe, 1, profile.probes_per_window_max) {
            Some(probe) if self.trace.len() < profile.trace_packets_max => self.note_time(time, probe),
            Some(_) => {}
            None => self.saturated = true,
        }
    }

    fn note_time(&mut self, time: Option<Timestamp>, probe: usize) {
        let micros = match (self.start, time) {
            (Some(start), Some(time)) => time.0.saturating_sub(start.0) / 1_000,
            _ => 0,
        };
        let offset_micros = u32::try_from(micros.max(0)).unwrap_or(u32::MAX);
        self.trace.push(TracePoint { offset_micros, probe: u32::try_from(probe).unwrap_or(u32::MAX) });
    }

    #[inline(never)]
    fn count_marks(&mut self, marks: Marks) {
        for rule in marks.iter() {
            match self.marked.iter_mut().find(|(known, _)| *known == rule) {
                Some((_, packets)) => *packets += 1,
                None => self.marked.push((rule, 1)),
            }
        }
    }

    /// The traced packets: time in microseconds since the start, and the probe.
    pub fn traced(&self) -> impl Iterator<Item = (u32, &Probe)> + '_ {
        self.trace.iter().filter_map(|point| {
            let index = usize::try_from(point.probe).ok()?;
            self.probes.get(index).map(|probe| (point.offset_micros, probe))
        })
    }
}

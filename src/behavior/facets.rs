//! A window taken apart by (protocol, destination port) pairs.

use crate::event::Protocol;

use super::{Probe, Probes};

/// A (protocol, destination port) pair.
type Pair = (Protocol, Option<u16>);

/// Takes the probes of one pair with their packets, and the pair's packets.
type Sink<'a> = &'a mut dyn FnMut(&[(Probe, u64)], u64);

/// Memory for taking windows apart, one after the other.
#[derive(Default)]
pub(super) struct Facets {
    /// Probes with their pair and place.
    paired: Vec<(Pair, usize, Probe, u64)>,
    /// Each pair's packets and probes.
    pairs: Vec<(u64, Pair, std::ops::Range<usize>)>,
    probes: Vec<(Probe, u64)>,
}

impl Facets {
    /// Hands on each pair's probes, in order of first sight, and packets; the pairs of most packets first, at most
    /// `most`; none where there is only one pair.
    pub(super) fn each(&mut self, probes: &Probes, most: usize, sink: Sink<'_>) {
        let pair = |probe: &Probe| (probe.protocol(), probe.destination_port());
        let first = probes.get(0).map(pair);
        if probes.iter().all(|(probe, _)| Some(pair(probe)) == first) {
            return;
        }
        self.paired.clear();
        let placed = probes.iter().enumerate();
        self.paired.extend(placed.map(|(place, (probe, count))| (pair(probe), place, *probe, count)));
        self.paired.sort_unstable_by_key(|(pair, place, ..)| (*pair, *place));
        self.pairs.clear();
        let mut start = 0;
        for group in self.paired.chunk_by(|a, b| a.0 == b.0) {
            let packets = group.iter().fold(0u64, |sum, (.., count)| sum.saturating_add(*count));
            self.pairs.push((packets, group[0].0, start..start + group.len()));
            start += group.len();
        }
        self.pairs.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        for (packets, _, range) in self.pairs.iter().take(most) {
            self.probes.clear();
            self.probes.extend(self.paired[range.clone()].iter().map(|(.., probe, count)| (*probe, *count)));
            sink(&self.probes, *packets);
        }
    }
}

//! Splits a window into facets, one per (protocol, destination port) pair.

use crate::packet::Protocol;

use super::{Probe, Probes};

/// A (protocol, destination port) pair.
type Pair = (Protocol, Option<u16>);

/// Receives the probes of one pair with their packet counts, and the packet count of the pair.
type Sink<'a> = &'a mut dyn FnMut(&[(Probe, u64)], u64);

/// Splits windows into facets. The buffers are reused from window to window.
#[derive(Default)]
pub(super) struct Facets {
    /// All probes of the window: pair, position in the window, probe and packet count.
    paired: Vec<(Pair, usize, Probe, u64)>,
    /// Packet count, pair, and range in `paired`, per pair.
    pairs: Vec<(u64, Pair, std::ops::Range<usize>)>,
    probes: Vec<(Probe, u64)>,
}

impl Facets {
    /// Calls `sink` for each pair, with the pair's probes in order of first appearance and its packet count.
    /// Pairs with the most packets come first, and at most `most` pairs are passed on. A window with a single
    /// pair has no facets.
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

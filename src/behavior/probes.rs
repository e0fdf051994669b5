//! The distinct probes of a window. Nine windows in ten have one probe, which is stored inline.

use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Probe;
use super::distinct::Distinct;

/// Distinct probes in order of first appearance, each with its packet count.
#[derive(Clone, Debug, Default)]
pub struct Probes {
    first: (Probe, u64),
    /// Number of distinct probes. If it is 0, `first` has no meaning.
    count: usize,
    /// The probes after the first, if there are any.
    more: Option<Box<Others>>,
}

type Others = Distinct<Probe, u64>;

/// A pool of the probe lists of closed windows, for reuse by windows that open. One window in ten needs a
/// list, and a list of a recently closed window is still in the processor's cache.
#[derive(Default)]
pub(super) struct Spare(#[expect(clippy::vec_box, reason = "windows have them boxed")] Vec<Box<Others>>);

/// A clone is an empty pool, since unused memory is not worth a copy.
impl Clone for Spare {
    fn clone(&self) -> Spare {
        Spare::default()
    }
}

impl Spare {
    /// Adds a list to the pool, and frees its memory if it is large. A list is dropped if the pool is full.
    fn keep(&mut self, mut others: Box<Others>) {
        const WINDOWS: usize = 4096;
        const PROBES: usize = 64;
        if self.0.len() < WINDOWS {
            others.clear(PROBES);
            self.0.push(others);
        }
    }
}

impl Probes {
    /// Returns the number of distinct probes.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Returns whether there is no probe.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the probe and its packet count if the window has exactly one probe.
    #[inline]
    #[must_use]
    pub fn single(&self) -> Option<(&Probe, u64)> {
        (self.count == 1).then_some((&self.first.0, self.first.1))
    }

    /// Returns the probe with a number, counted from 0 in order of first appearance.
    #[must_use]
    pub fn get(&self, number: usize) -> Option<&Probe> {
        let known = match number.checked_sub(1) {
            None => (self.count > 0).then_some(&self.first),
            Some(at) => self.others().get(at),
        };
        known.map(|(probe, _)| probe)
    }

    /// Returns all probes with their packet counts, in order of first appearance.
    pub fn iter(&self) -> impl Iterator<Item = (&Probe, u64)> + Clone + '_ {
        let first = (self.count > 0).then_some(&self.first);
        first.into_iter().chain(self.others()).map(|(probe, count)| (probe, *count))
    }

    /// Removes all probes, and counts one packet of `probe` as the first.
    #[inline]
    pub(super) fn begin(&mut self, probe: Probe, spare: &mut Spare) {
        if let Some(more) = self.more.take() {
            spare.keep(more);
        }
        (self.first, self.count) = ((probe, 1), 1);
    }

    /// Returns whether `probe` is the first probe, to whose count the packets are then added. The addition
    /// has no branch, because the processor cannot predict the answer.
    #[inline]
    pub(super) fn is_first(&mut self, probe: &Probe, packets: u64) -> bool {
        let is_it = self.first.0 == *probe;
        self.first.1 = self.first.1.saturating_add(packets * u64::from(is_it));
        is_it
    }

    /// Counts packets of a probe other than the first, and returns its number, or `None` for a new probe if
    /// there are already `most`.
    pub(super) fn add_other(
        &mut self,
        probe: Probe,
        packets: u64,
        most: usize,
        spare: &mut Spare,
    ) -> Option<usize> {
        if self.count == 0 {
            (self.first, self.count) = ((probe, packets), 1);
            return Some(0);
        }
        let more = self.more.get_or_insert_with(|| spare.0.pop().unwrap_or_default());
        let (at, known) = more.enter(probe, most.saturating_sub(1), packets)?;
        if let Some(count) = known {
            *count = count.saturating_add(packets);
        }
        self.count = self.count.max(at + 2);
        Some(at + 1)
    }

    fn others(&self) -> &[(Probe, u64)] {
        self.more.as_ref().map_or(&[], |more| more.as_slice())
    }
}

impl PartialEq for Probes {
    fn eq(&self, other: &Probes) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Probes {}

impl FromIterator<(Probe, u64)> for Probes {
    fn from_iter<T: IntoIterator<Item = (Probe, u64)>>(probes: T) -> Probes {
        let mut all = Probes::default();
        for (probe, packets) in probes {
            if all.is_empty() || !all.is_first(&probe, packets) {
                all.add_other(probe, packets, usize::MAX, &mut Spare::default());
            }
        }
        all
    }
}

/// Writes a list of pairs, because keys of a JSON object cannot have several fields.
impl Serialize for Probes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut pairs = serializer.serialize_seq(Some(self.len()))?;
        for pair in self.iter() {
            pairs.serialize_element(&pair)?;
        }
        pairs.end()
    }
}

impl<'de> Deserialize<'de> for Probes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<(Probe, u64)>::deserialize(deserializer)?.into_iter().collect())
    }
}

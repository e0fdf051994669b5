//! The distinct probes of a window. Nine windows in ten have one, and it costs no memory of its own.

use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Probe;
use super::distinct::Distinct;

/// Distinct probes in order of first sight, with how many packets each had.
#[derive(Clone, Debug, Default)]
pub struct Probes {
    first: (Probe, u64),
    /// How many there are: with none, `first` means nothing.
    count: usize,
    /// The others, where there are some.
    more: Option<Box<Others>>,
}

type Others = Distinct<Probe, u64>;

/// Memory of windows with several probes that have closed, for others: one window in ten has any, and its memory is
/// still in the processor's cache.
#[derive(Default)]
pub(super) struct Spare(#[expect(clippy::vec_box, reason = "windows have them boxed")] Vec<Box<Others>>);

/// Memory alone is not worth a copy.
impl Clone for Spare {
    fn clone(&self) -> Spare {
        Spare::default()
    }
}

impl Spare {
    /// Keeps some: those of more windows, and of larger ones, are given back to the system.
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
    /// How many there are.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The one probe of a window that has no other, with its packets.
    #[inline]
    #[must_use]
    pub fn single(&self) -> Option<(&Probe, u64)> {
        (self.count == 1).then_some((&self.first.0, self.first.1))
    }

    /// The probe of a number, counted from 0.
    #[must_use]
    pub fn get(&self, number: usize) -> Option<&Probe> {
        let known = match number.checked_sub(1) {
            None => (self.count > 0).then_some(&self.first),
            Some(at) => self.others().get(at),
        };
        known.map(|(probe, _)| probe)
    }

    /// All, in order of first sight.
    pub fn iter(&self) -> impl Iterator<Item = (&Probe, u64)> + Clone + '_ {
        let first = (self.count > 0).then_some(&self.first);
        first.into_iter().chain(self.others()).map(|(probe, count)| (probe, *count))
    }

    /// Forgets all, and takes one packet.
    #[inline]
    pub(super) fn begin(&mut self, probe: Probe, spare: &mut Spare) {
        if let Some(more) = self.more.take() {
            spare.keep(more);
        }
        (self.first, self.count) = ((probe, 1), 1);
    }

    /// Whether packets' probe is the first one, for which they then count. There is no branch on the answer: which it will
    /// be, the processor cannot know beforehand.
    #[inline]
    pub(super) fn is_first(&mut self, probe: &Probe, packets: u64) -> bool {
        let is_it = self.first.0 == *probe;
        self.first.1 = self.first.1.saturating_add(packets * u64::from(is_it));
        is_it
    }

    /// Counts packets of another probe than the first; answers its number, or `None` for a new probe beyond `most`.
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

/// As pairs: JSON has no keys of several parts.
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

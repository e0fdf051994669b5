//! The distinct probes of a window. Nine windows in ten have one, and it costs no memory of its own.

use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Probe;
use super::distinct::Distinct;

/// Distinct probes in order of first sight, with how many packets each had.
#[derive(Clone, Debug, Default)]
pub struct Probes {
    first: Option<(Probe, u64)>,
    /// The others.
    more: Option<Box<Distinct<Probe, u64>>>,
}

impl Probes {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The one probe of a window that has no other, with its packets.
    #[inline]
    #[must_use]
    pub fn single(&self) -> Option<(&Probe, u64)> {
        match &self.first {
            Some((probe, count)) if self.others().is_empty() => Some((probe, *count)),
            _ => None,
        }
    }

    /// The probe of a number, counted from 0.
    #[must_use]
    pub fn get(&self, number: usize) -> Option<&Probe> {
        let known = match number.checked_sub(1) {
            None => self.first.as_ref(),
            Some(at) => self.others().get(at),
        };
        known.map(|(probe, _)| probe)
    }

    /// All, in order of first sight.
    pub fn iter(&self) -> impl Iterator<Item = (&Probe, u64)> + '_ {
        self.first.iter().chain(self.others()).map(|(probe, count)| (probe, *count))
    }

    /// Forgets all, and keeps a little memory for the next window: most have few probes, and there can be a million.
    #[inline]
    pub(super) fn clear(&mut self) {
        const KEPT: usize = 16;
        self.first = None;
        if let Some(more) = &mut self.more {
            more.clear(KEPT);
        }
    }

    /// Counts packets; answers the probe's number, or `None` for a new probe beyond `most`.
    #[inline]
    pub(super) fn add(&mut self, probe: Probe, packets: u64, most: usize) -> Option<usize> {
        match &mut self.first {
            Some((first, count)) if *first == probe => {
                *count = count.saturating_add(packets);
                Some(0)
            }
            Some(_) => self.add_other(probe, packets, most),
            None => {
                self.first = Some((probe, packets));
                Some(0)
            }
        }
    }

    /// Apart, so that the way of most packets is short enough to be inlined.
    #[inline(never)]
    fn add_other(&mut self, probe: Probe, packets: u64, most: usize) -> Option<usize> {
        let more = self.more.get_or_insert_default();
        let (at, count) = more.entry(probe, most.saturating_sub(1), 0)?;
        *count = count.saturating_add(packets);
        Some(at + 1)
    }

    #[inline]
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
            all.add(probe, packets, usize::MAX);
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

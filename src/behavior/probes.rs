//! The distinct probes of a window. Nine windows in ten have one, and it costs no memory of its own.

use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Probe;
use super::distinct::Distinct;

/// Distinct probes in order of first sight, with how many packets each had.
#[derive(Clone, Debug, Default)]
pub struct Probes(Distinct<Probe, u64>);

impl Probes {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.as_slice().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.as_slice().is_empty()
    }

    /// The one probe of a window that has no other, with its packets.
    #[must_use]
    pub fn single(&self) -> Option<(&Probe, u64)> {
        match self.0.as_slice() {
            [(probe, count)] => Some((probe, *count)),
            _ => None,
        }
    }

    /// The probe of a number, counted from 0.
    #[must_use]
    pub fn get(&self, number: usize) -> Option<&Probe> {
        self.0.as_slice().get(number).map(|(probe, _)| probe)
    }

    /// All, in order of first sight.
    pub fn iter(&self) -> impl Iterator<Item = (&Probe, u64)> + '_ {
        self.0.as_slice().iter().map(|(probe, count)| (probe, *count))
    }

    /// Forgets all, and keeps the memory for the next window unless it is much.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Counts a packet; answers the probe's number, or `None` for a new probe beyond `most`.
    pub(super) fn count(&mut self, probe: Probe, most: usize) -> Option<usize> {
        let (number, count) = self.0.entry(probe, most, 0)?;
        *count += 1;
        Some(number)
    }
}

impl PartialEq for Probes {
    fn eq(&self, other: &Probes) -> bool {
        self.0.as_slice() == other.0.as_slice()
    }
}

impl Eq for Probes {}

impl FromIterator<(Probe, u64)> for Probes {
    fn from_iter<T: IntoIterator<Item = (Probe, u64)>>(probes: T) -> Probes {
        let mut all = Probes::default();
        for (probe, packets) in probes {
            if let Some((_, count)) = all.0.entry(probe, usize::MAX, 0) {
                *count = count.saturating_add(packets);
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

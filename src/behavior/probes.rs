//! The distinct probes of a window. Nine windows in ten have one, and it costs no memory of its own.

use std::iter;

use indexmap::IndexMap;
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Probe;

type Many = IndexMap<Probe, u64, foldhash::fast::FixedState>;

/// Distinct probes in order of first sight, with how many packets each had.
#[derive(Clone, Debug, Default)]
pub struct Probes {
    first: Option<(Probe, u64)>,
    /// All of them, the first included, from the second on.
    many: Option<Box<Many>>,
}

impl Probes {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.many.as_ref().map_or(usize::from(self.first.is_some()), |many| many.len())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The one probe of a window that has no other, with its packets.
    #[must_use]
    pub fn single(&self) -> Option<(&Probe, u64)> {
        let (probe, count) = self.first.as_ref()?;
        self.many.is_none().then_some((probe, *count))
    }

    /// The probe of a number, counted from 0.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Probe> {
        match &self.many {
            Some(many) => many.get_index(index).map(|(probe, _)| probe),
            None => self.first.as_ref().filter(|_| index == 0).map(|(probe, _)| probe),
        }
    }

    /// All, in order of first sight.
    pub fn iter(&self) -> impl Iterator<Item = (&Probe, u64)> + '_ {
        let first = self.first.iter().filter(|_| self.many.is_none());
        let many = self.many.iter().flat_map(|many| many.iter());
        first.map(|(probe, count)| (probe, *count)).chain(many.map(|(probe, count)| (probe, *count)))
    }

    /// Counts a packet; answers the probe's number, or `None` for a new probe beyond `most`.
    pub(super) fn count(&mut self, probe: Probe, most: usize) -> Option<usize> {
        match (&mut self.first, &mut self.many) {
            (None, _) => {
                self.first = Some((probe, 1));
                Some(0)
            }
            (Some((first, count)), None) if *first == probe => {
                *count += 1;
                Some(0)
            }
            (Some(first), None) => {
                let many = Box::new(Many::from_iter([*first]));
                self.many.insert(many).count_another(probe, most)
            }
            (Some(_), Some(many)) => many.count_another(probe, most),
        }
    }
}

trait CountAnother {
    fn count_another(&mut self, probe: Probe, most: usize) -> Option<usize>;
}

impl CountAnother for Many {
    fn count_another(&mut self, probe: Probe, most: usize) -> Option<usize> {
        if let Some((index, _, count)) = self.get_full_mut(&probe) {
            *count += 1;
            return Some(index);
        }
        (self.len() < most).then(|| self.insert_full(probe, 1).0)
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
        let mut probes = probes.into_iter();
        let first = probes.next();
        let second = probes.next();
        let many = second
            .map(|second| Box::new(first.into_iter().chain(iter::once(second)).chain(probes).collect()));
        Probes { first, many }
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

//! The distinct probes of a window.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;

use super::Probe;

/// Maximum number of probes in a list that is searched from end to end. Longer lists have an index.
const SEARCHED_MAX: usize = 16;

/// Distinct probes in order of first appearance, each with its packet count.
#[derive(Clone, Debug, Default)]
pub struct Probes {
    /// Nine windows in ten have one probe, for which nothing is allocated.
    list: SmallVec<[(Probe, u64); 1]>,
    /// The place of each probe in `list`, if there are more than [`SEARCHED_MAX`].
    #[expect(clippy::box_collection, reason = "most windows have no index, and a pointer keeps them small")]
    places: Option<Box<HashMap<Probe, u32, FixedState>>>,
}

impl Probes {
    /// Returns the number of distinct probes.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Returns whether there is no probe.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Returns the probe and its packet count if the window has exactly one probe.
    #[inline]
    #[must_use]
    pub fn single(&self) -> Option<(&Probe, u64)> {
        match self.list.as_slice() {
            [(probe, packets)] => Some((probe, *packets)),
            _ => None,
        }
    }

    /// Returns the probe with a number, counted from 0 in order of first appearance.
    #[must_use]
    pub fn get(&self, number: usize) -> Option<&Probe> {
        self.list.get(number).map(|(probe, _)| probe)
    }

    /// Returns all probes with their packet counts, in order of first appearance.
    pub fn iter(&self) -> impl Iterator<Item = (&Probe, u64)> + Clone + '_ {
        self.list.iter().map(|(probe, packets)| (probe, *packets))
    }

    /// Counts packets of a probe, and returns the number of the probe. Returns `None` for a new probe if
    /// there are already `most`; the first probe is always stored.
    #[inline]
    pub(super) fn add(&mut self, probe: Probe, packets: u64, most: usize) -> Option<usize> {
        if let Some(place) = self.place(&probe) {
            let count = &mut self.list[place].1;
            *count = count.saturating_add(packets);
            return Some(place);
        }
        let place = self.list.len();
        if place >= most.max(1) {
            return None;
        }
        self.list.push((probe, packets));
        if place >= SEARCHED_MAX {
            self.complete_index();
        }
        Some(place)
    }

    #[inline]
    fn place(&self, probe: &Probe) -> Option<usize> {
        match &self.places {
            Some(places) => places.get(probe).and_then(|place| usize::try_from(*place).ok()),
            // The search begins at the end, because a probe that is repeated mostly appeared lately.
            None => self.list.iter().rposition(|(known, _)| known == probe),
        }
    }

    /// Adds the probes that are not in the index yet.
    fn complete_index(&mut self) {
        let places = self.places.get_or_insert_default();
        for (place, (probe, _)) in (0..).zip(&self.list).skip(places.len()) {
            places.insert(*probe, place);
        }
    }
}

/// Two lists are equal if they have the same probes and counts in the same order.
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

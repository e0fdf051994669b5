//! Distinct keys in order of first sight: a short list is looked through, a long one has an index.

use std::hash::{BuildHasher, Hash};
use std::net::IpAddr;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use smallvec::SmallVec;

/// Up to so many keys a look at each is quicker than a hash.
const SCANNED_MAX: usize = 8;
/// Room for so many keys is kept when they are forgotten.
const KEPT_MAX: usize = 1024;

/// Distinct keys in order of first sight, each with a value. The first one takes no memory of its own.
#[derive(Clone, Debug)]
pub(super) struct Distinct<K, V> {
    list: SmallVec<[(K, V); 1]>,
    /// Places in the list, used once the list is too long to be looked through.
    index: Option<Box<HashTable<u32>>>,
}

/// A key that can tell its hash.
pub(super) trait Key: Copy + Eq {
    /// A hash of what differs most among the keys of one window.
    fn hash_code(&self) -> u64;
}

impl Key for IpAddr {
    fn hash_code(&self) -> u64 {
        hash_of(&address_number(*self))
    }
}

/// A hash of some numbers.
pub(super) fn hash_of<T: Hash>(numbers: &T) -> u64 {
    FixedState::default().hash_one(numbers)
}

/// An address as a number, for hashing: two addresses of different families may share one.
pub(super) fn address_number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(four) => u128::from(u32::from(four)),
        IpAddr::V6(six) => u128::from(six),
    }
}

impl<K, V> Default for Distinct<K, V> {
    fn default() -> Distinct<K, V> {
        Distinct { list: SmallVec::new(), index: None }
    }
}

impl<K: Key, V> Distinct<K, V> {
    /// All, in order of first sight.
    pub(super) fn as_slice(&self) -> &[(K, V)] {
        &self.list
    }

    /// All values, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (K, &mut V)> {
        self.list.iter_mut().map(|(key, value)| (*key, value))
    }

    /// Forgets all, and keeps the memory unless it is much.
    pub(super) fn clear(&mut self) {
        if self.list.capacity() > KEPT_MAX {
            *self = Distinct::default();
        }
        self.list.clear();
        if let Some(index) = &mut self.index {
            index.clear();
        }
    }

    /// The place and value of a key; a new one gets `value`, unless there are `most` already.
    pub(super) fn entry(&mut self, key: K, most: usize, value: V) -> Option<(usize, &mut V)> {
        let place = match self.find(key) {
            Some(place) => place,
            None if self.list.len() < most => self.add(key, value),
            None => return None,
        };
        self.list.get_mut(place).map(|(_, value)| (place, value))
    }

    fn find(&self, key: K) -> Option<usize> {
        match &self.index {
            Some(index) if self.list.len() > SCANNED_MAX => {
                let same = |place: &u32| self.list.get(at(*place)).is_some_and(|(known, _)| *known == key);
                index.find(key.hash_code(), same).map(|place| at(*place))
            }
            // What comes again came lately.
            _ => self.list.iter().rposition(|(known, _)| *known == key),
        }
    }

    fn add(&mut self, key: K, value: V) -> usize {
        let Distinct { list, index } = self;
        let place = list.len();
        list.push((key, value));
        if place < SCANNED_MAX {
            return place;
        }
        let index = index.get_or_insert_default();
        // The first one too many puts all of them into the index.
        for new in if place == SCANNED_MAX { 0 } else { place }..=place {
            let number = u32::try_from(new).unwrap_or(u32::MAX);
            let hash = |place: &u32| list.get(at(*place)).map_or(0, |(key, _)| key.hash_code());
            index.insert_unique(list[new].0.hash_code(), number, hash);
        }
        place
    }
}

/// A place in a list; there are no more of them than 32 bits tell.
fn at(place: u32) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_first_sight_however_many_there_are() {
        let mut distinct: Distinct<IpAddr, u32> = Distinct::default();
        for round in 1..4u32 {
            distinct.clear();
            for again in 0..2 {
                for host in 0..100u32 {
                    let (place, count) = distinct.entry(IpAddr::V4((host * round).into()), 100, 0).unwrap();
                    *count += 1;
                    assert_eq!((place, *count), (host as usize, again + 1));
                }
            }
            assert!(distinct.entry(IpAddr::V4(u32::MAX.into()), 100, 0).is_none());
        }
    }
}

//! Distinct keys in order of first sight: a short list is looked through, a long one has an index.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::FixedState;

use crate::event::Address;

/// Up to so many keys a look at each now and then is quicker than an index.
const SCANNED_MAX: usize = 16;

/// Distinct keys in order of first sight, each with a value.
#[derive(Clone, Debug)]
pub(super) struct Distinct<K, V> {
    list: Vec<(K, V)>,
    /// Of the hashes in the list, which values their eight uppermost bits have: most new keys are told without a look.
    met: [u64; 4],
    /// Once the list is too long to be looked through: each key's place in it and one more, at the first free
    /// entry from where its hash says. At most half the entries are taken, none is ever given back, and there is a
    /// power of two of them.
    index: Vec<u32>,
}

/// A key that can tell its hash.
pub(super) trait Key: Copy + Eq {
    /// A hash of what differs most among the keys of one window.
    fn hash_code(&self) -> u64;
}

impl Key for u32 {
    #[inline]
    fn hash_code(&self) -> u64 {
        hash_of(self)
    }
}

impl Key for Address {
    fn hash_code(&self) -> u64 {
        hash_of(&self.halves())
    }
}

/// A hash of some numbers.
pub(super) fn hash_of<T: Hash>(numbers: &T) -> u64 {
    FixedState::default().hash_one(numbers)
}

impl<K, V> Default for Distinct<K, V> {
    fn default() -> Distinct<K, V> {
        Distinct { list: Vec::new(), met: [0; 4], index: Vec::new() }
    }
}

impl<K: Key, V> Distinct<K, V> {
    /// All, in order of first sight.
    pub(super) fn as_slice(&self) -> &[(K, V)] {
        &self.list
    }

    /// Forgets all, and keeps room for at most so many.
    pub(super) fn clear(&mut self, kept: usize) {
        if self.list.capacity() > kept {
            *self = Distinct::default();
        }
        self.list.clear();
        self.index.clear();
        self.met = [0; 4];
    }

    /// The place of a key, and its value if it was there; a new one gets `value`, unless there are `most` already.
    #[inline]
    pub(super) fn enter(&mut self, key: K, most: usize, value: V) -> Option<(usize, Option<&mut V>)> {
        let hash = key.hash_code();
        let (word, bit) = (usize::try_from(hash >> 62).unwrap_or(0), 1 << (hash >> 56 & 63));
        let known = match self.index.is_empty() {
            true if self.met[word] & bit == 0 => None,
            // What comes again came lately.
            true => self.list.iter().rposition(|(known, _)| *known == key),
            false => self.place(key, hash),
        };
        if let Some(place) = known {
            return Some((place, self.list.get_mut(place).map(|(_, value)| value)));
        }
        let place = self.list.len();
        if place >= most {
            return None;
        }
        self.met[word] |= bit;
        self.list.push((key, value));
        if place >= SCANNED_MAX {
            self.index_last(hash);
        }
        Some((place, None))
    }

    fn place(&self, key: K, hash: u64) -> Option<usize> {
        let mut at = self.start(hash);
        loop {
            let place = usize::try_from(self.index.get(at)?.checked_sub(1)?).ok()?;
            if self.list.get(place)?.0 == key {
                return Some(place);
            }
            at = (at + 1) & (self.index.len() - 1);
        }
    }

    /// Enters the last key in the index, all of which is made anew where it would become too full.
    fn index_last(&mut self, hash: u64) {
        let place = self.list.len() - 1;
        if self.index.len() < 2 * self.list.len() {
            let entries = (4 * self.list.len()).next_power_of_two();
            self.index.clear();
            self.index.resize(entries, 0);
            (0..place).for_each(|place| self.index(place, self.list[place].0.hash_code()));
        }
        self.index(place, hash);
    }

    /// Enters a place of the list in the index.
    fn index(&mut self, place: usize, hash: u64) {
        let mut at = self.start(hash);
        while self.index[at] != 0 {
            at = (at + 1) & (self.index.len() - 1);
        }
        self.index[at] = u32::try_from(place + 1).unwrap_or(u32::MAX);
    }

    /// Where a key's entry is looked for first.
    fn start(&self, hash: u64) -> usize {
        usize::try_from(hash).unwrap_or(usize::MAX) & (self.index.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_first_sight_however_many_there_are() {
        let mut distinct: Distinct<u32, u32> = Distinct::default();
        for round in 1..4u32 {
            distinct.clear(64);
            for again in [false, true] {
                for host in 0..100u32 {
                    let (place, known) = distinct.enter(host * round, 100, host).unwrap();
                    assert_eq!((place, known.copied()), (host as usize, again.then_some(host)));
                }
            }
            assert!(distinct.enter(u32::MAX, 100, 0).is_none());
        }
    }
}

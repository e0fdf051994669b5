//! Distinct keys in order of first appearance. A short list is searched linearly, a long one has a hash
//! index.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::FixedState;

use crate::packet::Address;

/// Maximum number of keys in a list without an index. Up to here, an occasional linear search is faster than
/// an index.
const SCANNED_MAX: usize = 16;

/// Distinct keys in order of first appearance, each with a value.
#[derive(Clone, Debug)]
pub(super) struct Distinct<K, V> {
    list: Vec<(K, V)>,
    /// A set of the top eight bits of the hashes of all keys in the list. Most new keys are not in it and
    /// need no search.
    met: [u64; 4],
    /// Hash table with linear probing; empty up to [`SCANNED_MAX`] keys. An entry is a key's position in
    /// `list` plus 1, or 0 where it is free. The size is a power of two, at most half of the entries are
    /// taken, and no entry is ever removed.
    index: Vec<u32>,
}

/// A key of [`Distinct`].
pub(super) trait Key: Copy + Eq {
    /// Returns a hash of the fields that differ most among the keys of one window.
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

/// Returns a hash that is the same in every run.
pub(super) fn hash_of<T: Hash>(numbers: &T) -> u64 {
    FixedState::default().hash_one(numbers)
}

impl<K, V> Default for Distinct<K, V> {
    fn default() -> Distinct<K, V> {
        Distinct { list: Vec::new(), met: [0; 4], index: Vec::new() }
    }
}

impl<K: Key, V> Distinct<K, V> {
    /// Returns all keys and values, in order of first appearance.
    pub(super) fn as_slice(&self) -> &[(K, V)] {
        &self.list
    }

    /// Removes all keys. Frees the memory if it has room for more than `kept` keys.
    pub(super) fn clear(&mut self, kept: usize) {
        if self.list.capacity() > kept {
            *self = Distinct::default();
        }
        self.list.clear();
        self.index.clear();
        self.met = [0; 4];
    }

    /// Looks up a key and adds it with `value` if it is new. Returns its position in the list, and its value
    /// if the key was there before. Returns `None` for a new key if the list already has `most` keys.
    #[inline]
    pub(super) fn enter(&mut self, key: K, most: usize, value: V) -> Option<(usize, Option<&mut V>)> {
        let hash = key.hash_code();
        let (word, bit) = (usize::try_from(hash >> 62).unwrap_or(0), 1 << (hash >> 56 & 63));
        let known = match self.index.is_empty() {
            true if self.met[word] & bit == 0 => None,
            // A key that is repeated was mostly added lately, so the search begins at the end.
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

    /// Returns the position of a key in the list, by the index.
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

    /// Adds the last key of the list to the index, which is first rebuilt with more entries if it would be
    /// more than half full.
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

    /// Adds the key at a position of the list to the index.
    fn index(&mut self, place: usize, hash: u64) {
        let mut at = self.start(hash);
        while self.index[at] != 0 {
            at = (at + 1) & (self.index.len() - 1);
        }
        self.index[at] = u32::try_from(place + 1).unwrap_or(u32::MAX);
    }

    /// Returns the entry at which the search for a hash begins.
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

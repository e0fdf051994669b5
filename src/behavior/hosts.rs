//! A hash table that maps a host to its open window.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use crate::packet::Address;

/// The numbers of open windows by host. Windows close in the order of their numbers, so an entry need not be
/// removed when its window closes: each method receives the number of the first open window, and smaller
/// numbers count as absent.
#[derive(Clone, Default)]
pub(super) struct Hosts {
    fours: Table<u32>,
    sixes: Table<u128>,
    hasher: RandomState,
}

impl Hosts {
    /// The smallest number of a window.
    pub(super) const NUMBER_MIN: u32 = 1;
    /// The upper bound of window numbers, exclusive.
    pub(super) const NUMBER_END: u32 = i32::MAX.cast_unsigned();

    /// Returns the number of a host's open window. `first` is the number of the first open window.
    #[inline]
    pub(super) fn find(&self, host: Address, first: u32) -> Option<u32> {
        match host.number() {
            Ok(four) => self.fours.find(four, self.hasher.hash_one(four), first),
            Err(six) => self.sixes.find(six, self.hasher.hash_one(six), first),
        }
    }

    /// Returns the number of a host's open window if it lies in the first bucket searched, as nearly always,
    /// or else 0.
    #[inline]
    pub(super) fn glance(&self, host: Address, first: u32) -> u32 {
        match host.number() {
            Ok(four) => self.fours.glance(four, self.hasher.hash_one(four), first),
            Err(six) => self.sixes.glance(six, self.hasher.hash_one(six), first),
        }
    }

    /// Adds the window of a host that has no open window. The table must not be [full](Hosts::is_full).
    #[inline]
    pub(super) fn insert(&mut self, host: Address, number: u32, first: u32) {
        match host.number() {
            Ok(four) => self.fours.insert(four, self.hasher.hash_one(four), number, first),
            Err(six) => self.sixes.insert(six, self.hasher.hash_one(six), number, first),
        }
    }

    /// Returns whether the table has no room for another IPv4 host or none for another IPv6 host.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.fours.room.min(self.sixes.room) == 0
    }

    /// Removes all entries, and makes room for at least twice as many hosts as `open` yields.
    pub(super) fn clear(&mut self, open: impl Iterator<Item = Address>) {
        let (mut fours, mut sixes) = (0, 0);
        open.for_each(|host| if host.is_ipv6() { sixes += 1 } else { fours += 1 });
        self.fours.clear(fours);
        self.sixes.clear(sixes);
    }
}

/// Number of lanes in a bucket. A bucket of IPv4 hosts then fills a cache line of 64 bytes.
const LANES: usize = 8;

/// Hosts with the numbers of their windows; a number of 0 marks a lane that was never used. A search reads
/// all lanes without a branch, because the processor cannot predict which lane holds the host, and a
/// misprediction costs more than the other lanes. Numbers are signed because SSE2 compares several signed
/// numbers at once, but not unsigned ones.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Bucket<K> {
    hosts: [K; LANES],
    numbers: [i32; LANES],
}

impl<K: Copy + Default + Eq> Bucket<K> {
    fn empty() -> Bucket<K> {
        Bucket { hosts: [K::default(); LANES], numbers: [0; LANES] }
    }

    /// Returns the number of a host's open window, or 0, and whether a lane was never used.
    #[inline]
    fn look(&self, host: K, first: i32) -> (i32, bool) {
        let (mut found, mut has_room) = (0, false);
        for (known, number) in self.hosts.iter().zip(&self.numbers) {
            let is_it = (*known == host) & (*number >= first);
            // A host has at most one open window, so at most one lane matches.
            found |= if is_it { *number } else { 0 };
            has_room |= *number == 0;
        }
        (found, has_room)
    }

    /// Returns the first lane that was never used or whose window has closed.
    #[inline]
    fn free(&self, first: i32) -> Option<usize> {
        let mut free = 0u32;
        for (lane, number) in self.numbers.iter().enumerate() {
            free |= if *number < first { 1 << lane } else { 0 };
        }
        let lane = usize::try_from(free.trailing_zeros()).ok()?;
        (free != 0).then_some(lane)
    }
}

/// A power of two of buckets, with linear probing. A host's entry is in the first bucket, counted from the
/// one that its hash selects, that had a free lane when its window opened. A search must therefore go past
/// every bucket whose lanes have all been used, by open or closed windows, and ends at the first bucket with
/// a lane that was never used.
#[derive(Clone, Default)]
struct Table<K> {
    buckets: Vec<Bucket<K>>,
    /// Number of never used lanes that may still be taken. At least half of all lanes stay unused, so that
    /// nearly every search ends in its first bucket.
    room: usize,
}

impl<K: Copy + Default + Eq> Table<K> {
    #[inline]
    fn find(&self, host: K, hash: u64, first: u32) -> Option<u32> {
        let mut at = self.start(hash);
        loop {
            let (number, has_room) = self.buckets.get(at)?.look(host, first.cast_signed());
            if number != 0 {
                return Some(number.cast_unsigned());
            }
            if has_room {
                return None;
            }
            at = self.behind(at);
        }
    }

    #[inline]
    fn glance(&self, host: K, hash: u64, first: u32) -> u32 {
        let bucket = self.buckets.get(self.start(hash));
        bucket.map_or(0, |bucket| bucket.look(host, first.cast_signed()).0.cast_unsigned())
    }

    #[inline]
    fn insert(&mut self, host: K, hash: u64, number: u32, first: u32) {
        let mut at = self.start(hash);
        let lane = loop {
            match self.buckets[at].free(first.cast_signed()) {
                Some(lane) => break lane,
                None => at = self.behind(at),
            }
        };
        let Bucket { hosts, numbers } = &mut self.buckets[at];
        self.room -= usize::from(numbers[lane] == 0);
        (hosts[lane], numbers[lane]) = (host, number.cast_signed());
    }

    fn clear(&mut self, open: usize) {
        const LEAST: usize = 8;
        let buckets = (open * 4 / LANES).next_power_of_two().max(LEAST);
        self.buckets.clear();
        self.buckets.resize(buckets, Bucket::empty());
        self.room = buckets * LANES / 2;
    }

    #[inline]
    fn start(&self, hash: u64) -> usize {
        usize::try_from(hash).unwrap_or(usize::MAX) & self.buckets.len().wrapping_sub(1)
    }

    #[inline]
    fn behind(&self, at: usize) -> usize {
        (at + 1) & self.buckets.len().wrapping_sub(1)
    }
}

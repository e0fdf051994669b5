//! Which window a host has open.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use crate::event::Address;

/// The numbers of windows by host. Windows close in the order of their numbers, so an entry needs not be taken out when
/// its window closes: whoever asks says what the first number is that is open, and what is below is no longer there.
#[derive(Clone, Default)]
pub(super) struct Hosts {
    fours: Table<u32>,
    sixes: Table<u128>,
    hasher: RandomState,
}

impl Hosts {
    /// The least number that a window can have.
    pub(super) const NUMBER_MIN: u32 = 1;

    /// The number of a host's window, if that is open.
    #[inline]
    pub(super) fn find(&self, host: Address, first: u32) -> Option<u32> {
        match host.number() {
            Ok(four) => self.fours.find(four, self.hasher.hash_one(four), first),
            Err(six) => self.sixes.find(six, self.hasher.hash_one(six), first),
        }
    }

    /// Enters the window of a host that has none open. There must be room.
    #[inline]
    pub(super) fn insert(&mut self, host: Address, number: u32, first: u32) {
        match host.number() {
            Ok(four) => self.fours.insert(four, self.hasher.hash_one(four), number, first),
            Err(six) => self.sixes.insert(six, self.hasher.hash_one(six), number, first),
        }
    }

    /// Whether there is no room for another one of each kind.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.fours.room.min(self.sixes.room) == 0
    }

    /// Forgets all, and makes room for the windows of these hosts, and as many again.
    pub(super) fn clear(&mut self, open: impl Iterator<Item = Address>) {
        let (mut fours, mut sixes) = (0, 0);
        open.for_each(|host| if host.is_ipv6() { sixes += 1 } else { fours += 1 });
        self.fours.clear(fours);
        self.sixes.clear(sixes);
    }
}

/// Hosts at the first free entry from where their hashes say, of which there are a power of two, with their windows'
/// numbers, or 0 for an entry that nobody ever had. Entries of closed windows are free, and yet passed over in a search:
/// what lies behind them was put there when they were taken.
#[derive(Clone, Default)]
struct Table<K> {
    entries: Vec<(K, u32)>,
    /// How many more entries may be taken that nobody ever had: at least half of all are left alone, so that a search
    /// ends soon.
    room: usize,
}

impl<K: Copy + Default + Eq> Table<K> {
    #[inline]
    fn find(&self, host: K, hash: u64, first: u32) -> Option<u32> {
        let mut at = self.start(hash);
        loop {
            let (known, number) = *self.entries.get(at)?;
            if known == host && number >= first {
                return Some(number);
            }
            if number == 0 {
                return None;
            }
            at = self.behind(at);
        }
    }

    #[inline]
    fn insert(&mut self, host: K, hash: u64, number: u32, first: u32) {
        let mut at = self.start(hash);
        while self.entries[at].1 >= first {
            at = self.behind(at);
        }
        self.room -= usize::from(self.entries[at].1 == 0);
        self.entries[at] = (host, number);
    }

    fn clear(&mut self, open: usize) {
        const LEAST: usize = 64;
        let entries = (open * 4).next_power_of_two().max(LEAST);
        self.entries.clear();
        self.entries.resize(entries, (K::default(), 0));
        self.room = entries / 2;
    }

    #[inline]
    fn start(&self, hash: u64) -> usize {
        usize::try_from(hash).unwrap_or(usize::MAX) & self.entries.len().wrapping_sub(1)
    }

    #[inline]
    fn behind(&self, at: usize) -> usize {
        (at + 1) & self.entries.len().wrapping_sub(1)
    }
}

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
    /// The least number that a window can have …
    pub(super) const NUMBER_MIN: u32 = 1;
    /// … and one that none reaches.
    pub(super) const NUMBER_END: u32 = i32::MAX.cast_unsigned();

    /// The number of a host's window, if that is open.
    #[inline]
    pub(super) fn find(&self, host: Address, first: u32) -> Option<u32> {
        match host.number() {
            Ok(four) => self.fours.find(four, self.hasher.hash_one(four), first),
            Err(six) => self.sixes.find(six, self.hasher.hash_one(six), first),
        }
    }

    /// The number of a host's open window where one look finds it, as it nearly always does, or 0.
    #[inline]
    pub(super) fn glance(&self, host: Address, first: u32) -> u32 {
        match host.number() {
            Ok(four) => self.fours.glance(four, self.hasher.hash_one(four), first),
            Err(six) => self.sixes.glance(six, self.hasher.hash_one(six), first),
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

/// Hosts in a bucket, which for IPv4 addresses is a line of the processor's cache.
const LANES: usize = 8;

/// Hosts with their windows' numbers, which are 0 where nobody ever was. All lanes are looked at, without a branch in
/// between: where among them a host is, the processor cannot know beforehand, and a wrong guess costs it more than the
/// other lanes. It compares several signed numbers at once, but not unsigned ones.
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

    /// The number of a host's window, if that is open, or 0; and whether there is a lane where nobody ever was.
    #[inline]
    fn look(&self, host: K, first: i32) -> (i32, bool) {
        let (mut found, mut has_room) = (0, false);
        for (known, number) in self.hosts.iter().zip(&self.numbers) {
            let is_it = (*known == host) & (*number >= first);
            // A host has one open window at most.
            found |= if is_it { *number } else { 0 };
            has_room |= *number == 0;
        }
        (found, has_room)
    }

    /// The first lane of a closed window, or where nobody ever was.
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

/// Buckets, of which there are a power of two. A host is in the first one from where its hash says that had a free lane
/// when its window opened. A search goes on from a bucket whose lanes all had somebody once, open or not: what lies
/// behind was put there when they were.
#[derive(Clone, Default)]
struct Table<K> {
    buckets: Vec<Bucket<K>>,
    /// How many more lanes may be taken where nobody ever was: at least half of all are left alone, so that nearly every
    /// search ends where it begins.
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

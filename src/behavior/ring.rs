//! Open windows in the order of opening, each found by its host.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::event::{Address, Timestamp};

use super::OpenWindow;

/// Open windows. They are numbered as they open, and close in that order: the numbers of those that are open follow
/// one another, and a number's lowest bits are its window's place. What a closed window had allocated serves the next
/// one at its place, so that the windows of a quiet sensor stay in the processor's cache.
#[derive(Clone, Default)]
pub(super) struct Ring {
    /// As many places as a power of two says, or none.
    places: Vec<OpenWindow>,
    /// The number of the window that opened first …
    first: u32,
    /// … and of the one that opens next. Numbers begin anew beyond 32 bits.
    next: u32,
    hosts: Hosts,
}

impl Ring {
    /// How many windows are open.
    #[inline]
    pub(super) fn len(&self) -> usize {
        at(self.next.wrapping_sub(self.first))
    }

    /// The window that opened first.
    #[inline]
    pub(super) fn front(&self) -> Option<&OpenWindow> {
        if self.len() == 0 { None } else { self.places.get(self.place(self.first)) }
    }

    /// The number of a host's open window.
    #[inline]
    pub(super) fn find(&self, host: Address) -> Option<u32> {
        self.hosts.find(host)
    }

    /// Whether the window of a number that was found is still open.
    #[inline]
    pub(super) fn has(&self, number: u32) -> bool {
        number.wrapping_sub(self.first) < self.next.wrapping_sub(self.first)
    }

    /// Reads a little of some windows, so that the processor fetches them all at once, and not each when its turn comes.
    #[inline]
    pub(super) fn fetch(&self, numbers: impl Iterator<Item = u32>) {
        let read = numbers.filter_map(|number| self.places.get(self.place(number)));
        std::hint::black_box(read.fold(0, |sum, window| sum ^ window.packets));
    }

    /// Does the same for the windows that opened first, at most so many, up to the first that began after `start`; and
    /// for what tells where they are.
    #[inline]
    pub(super) fn fetch_first(&self, most: usize, start: Timestamp) {
        let open = (0..self.next.wrapping_sub(self.first)).take(most);
        let windows = open.filter_map(|ahead| self.places.get(self.place(self.first.wrapping_add(ahead))));
        let ending = windows.take_while(|window| window.start.is_none_or(|began| began <= start));
        std::hint::black_box(
            ending.fold(0, |sum, window| sum ^ self.find(window.source.into()).unwrap_or(0)),
        );
    }

    /// The window of a number, which must be that of an open one.
    #[inline]
    pub(super) fn get_mut(&mut self, number: u32) -> &mut OpenWindow {
        let place = self.place(number);
        &mut self.places[place]
    }

    /// Opens an empty window of a host that has none; answers its number.
    pub(super) fn open(&mut self, host: Address) -> u32 {
        if self.len() == self.places.len() {
            self.grow();
        }
        let number = self.next;
        self.next = number.wrapping_add(1);
        self.hosts.insert(host, number);
        self.get_mut(number).reset(host.into());
        number
    }

    /// Closes the window that opened first and lends it out until the next one opens.
    #[inline]
    pub(super) fn close(&mut self) -> Option<&mut OpenWindow> {
        if self.len() == 0 {
            return None;
        }
        let place = self.place(self.first);
        self.first = self.first.wrapping_add(1);
        let window = &mut self.places[place];
        self.hosts.remove(window.source.into());
        Some(window)
    }

    /// All, in the order of opening.
    pub(super) fn each(&mut self, mut take: impl FnMut(&mut OpenWindow)) {
        let mut number = self.first;
        while number != self.next {
            take(self.get_mut(number));
            number = number.wrapping_add(1);
        }
    }

    /// Twice as many places. A window either stays where it is or belongs as far behind as there were places.
    #[cold]
    fn grow(&mut self) {
        const LEAST: usize = 64;
        let before = self.places.len();
        self.places.resize_with((before * 2).max(LEAST), OpenWindow::default);
        let mut number = self.first;
        while number != self.next {
            let place = self.place(number);
            if place >= before {
                self.places.swap(place, place - before);
            }
            number = number.wrapping_add(1);
        }
    }

    #[inline]
    fn place(&self, number: u32) -> usize {
        at(number) & self.places.len().wrapping_sub(1)
    }
}

/// [`Profile::fault`](super::Profile::fault) sees to it that 32 bits tell all windows.
#[inline]
fn at(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The numbers of open windows by host. An entry has its host beside it: nothing else is touched to find one.
#[derive(Clone, Default)]
struct Hosts {
    fours: HashTable<(u32, u32)>,
    sixes: HashTable<(u128, u32)>,
    hasher: RandomState,
}

impl Hosts {
    #[inline]
    fn find(&self, host: Address) -> Option<u32> {
        match host.number() {
            Ok(four) => {
                self.fours.find(self.hasher.hash_one(four), |known| known.0 == four).map(|known| known.1)
            }
            Err(six) => {
                self.sixes.find(self.hasher.hash_one(six), |known| known.0 == six).map(|known| known.1)
            }
        }
    }

    #[inline]
    fn insert(&mut self, host: Address, number: u32) {
        let Hosts { fours, sixes, hasher } = self;
        match host.number() {
            Ok(four) => {
                let hash = |known: &(u32, u32)| hasher.hash_one(known.0);
                fours.insert_unique(hasher.hash_one(four), (four, number), hash);
            }
            Err(six) => {
                let hash = |known: &(u128, u32)| hasher.hash_one(known.0);
                sixes.insert_unique(hasher.hash_one(six), (six, number), hash);
            }
        }
    }

    #[inline]
    fn remove(&mut self, host: Address) {
        let Hosts { fours, sixes, hasher } = self;
        match host.number() {
            Ok(four) => {
                if let Ok(entry) = fours.find_entry(hasher.hash_one(four), |known| known.0 == four) {
                    entry.remove();
                }
            }
            Err(six) => {
                if let Ok(entry) = sixes.find_entry(hasher.hash_one(six), |known| known.0 == six) {
                    entry.remove();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn windows_close_as_they_opened_and_hosts_find_theirs(
            start in prop::sample::select(vec![0, u32::MAX - 100]),
            steps in prop::collection::vec((any::<bool>(), any::<bool>(), 0..400u32), 0..600),
        ) {
            let mut ring = Ring { first: start, next: start, ..Ring::default() };
            let mut open: VecDeque<(IpAddr, u32)> = VecDeque::new();
            for (opens, six, host) in steps {
                let host: IpAddr = if six { Ipv6Addr::from(u128::from(host)).into() } else { Ipv4Addr::from(host).into() };
                let known = open.iter().find(|(known, _)| *known == host).map(|(_, number)| *number);
                prop_assert_eq!(ring.find(host.into()), known);
                if opens && known.is_none() {
                    open.push_back((host, ring.open(host.into())));
                } else if !opens {
                    let closed = ring.close().map(|window| window.source);
                    prop_assert_eq!(closed, open.pop_front().map(|(host, _)| host));
                }
                prop_assert_eq!(ring.len(), open.len());
                prop_assert_eq!(ring.front().map(|window| window.source), open.front().map(|(host, _)| *host));
            }
            for (host, number) in &open {
                prop_assert_eq!(ring.get_mut(*number).source, *host);
            }
            let mut all = Vec::new();
            ring.each(|window| all.push(window.source));
            prop_assert_eq!(all, open.into_iter().map(|(host, _)| host).collect::<Vec<_>>());
        }
    }
}

//! A ring buffer of open windows in the order of opening, with an index by host.

use crate::packet::Address;

use super::OpenWindow;
use super::hosts::Hosts;

/// The open windows. Each window has a number, and windows open and close in the order of their numbers, so
/// the open ones have consecutive numbers. The low bits of the number are the window's place in the buffer. A
/// window that opens reuses the memory of the closed window at its place, so that the windows of a quiet
/// sensor stay in the processor's cache.
#[derive(Clone)]
pub(super) struct Ring {
    /// The buffer; its length is a power of two, or 0.
    places: Vec<OpenWindow>,
    /// The number of the oldest open window.
    first: u32,
    /// The number of the next window to open.
    next: u32,
    hosts: Hosts,
}

impl Default for Ring {
    fn default() -> Ring {
        Ring {
            places: Vec::new(),
            first: Hosts::NUMBER_MIN,
            next: Hosts::NUMBER_MIN,
            hosts: Hosts::default(),
        }
    }
}

impl Ring {
    /// Returns the number of open windows.
    #[inline]
    pub(super) fn len(&self) -> usize {
        at(self.next - self.first)
    }

    /// Returns the number of a host's open window.
    #[inline]
    pub(super) fn find(&self, host: Address) -> Option<u32> {
        self.hosts.find(host, self.first)
    }

    /// Returns whether the window with a number that [`find`](Ring::find) returned is still open.
    #[inline]
    pub(super) fn has(&self, number: u32) -> bool {
        (self.first..self.next).contains(&number)
    }

    /// Returns the number of a host's open window if the first bucket of the index has it, as nearly always,
    /// or else 0; and a field of that window, so that reading it prefetches the window into the processor's
    /// cache.
    #[inline]
    pub(super) fn glance(&self, host: Address) -> (u32, u64) {
        let number = self.hosts.glance(host, self.first);
        (number, self.places.get(self.place(number)).map_or(0, |window| window.packets))
    }

    /// Returns the window with a number, which must be open.
    #[inline]
    pub(super) fn get_mut(&mut self, number: u32) -> &mut OpenWindow {
        let place = self.place(number);
        &mut self.places[place]
    }

    /// Opens a window for a host that has none. Returns it with the content of the closed window that had its
    /// place; the caller must initialize it.
    #[inline]
    pub(super) fn open(&mut self, host: Address) -> &mut OpenWindow {
        if self.len() == self.places.len() || self.next == Hosts::NUMBER_END {
            self.make_room();
        }
        if self.hosts.is_full() {
            self.find_all_anew();
        }
        let number = self.next;
        self.next = number + 1;
        self.hosts.insert(host, number, self.first);
        self.get_mut(number)
    }

    /// Closes windows from the oldest on, as long as `ends` is true, and passes them to `closed`, oldest
    /// first, in slices of windows that are adjacent in memory. The slices are valid only until another
    /// window opens.
    #[inline]
    pub(super) fn close_while(
        &mut self,
        mut ends: impl FnMut(&OpenWindow) -> bool,
        closed: &mut dyn FnMut(&mut [OpenWindow]),
    ) {
        while self.len() > 0 {
            let from = self.place(self.first);
            let beside = self.len().min(self.places.len() - from);
            let windows = &mut self.places[from..from + beside];
            let ended = windows.iter().take_while(|window| ends(window)).count();
            if ended == 0 {
                return;
            }
            self.first += u32::try_from(ended).unwrap_or(u32::MAX);
            closed(&mut windows[..ended]);
        }
    }

    /// Calls `take` for each open window, in the order of opening.
    pub(super) fn each(&mut self, mut take: impl FnMut(&mut OpenWindow)) {
        (self.first..self.next).for_each(|number| take(self.get_mut(number)));
    }

    /// Doubles the buffer if it is full, and restarts the numbers if they are used up.
    #[cold]
    fn make_room(&mut self) {
        const LEAST: usize = 64;
        let open = self.len();
        let mut windows = Vec::new();
        let places = if open == self.places.len() { (open * 2).max(LEAST) } else { self.places.len() };
        windows.resize_with(places, OpenWindow::default);
        // Numbers that a caller holds stay valid, or, if the numbers restart, lie far above all new ones, so
        // that `has` denies them.
        let first = if self.next == Hosts::NUMBER_END { Hosts::NUMBER_MIN } else { self.first };
        for (number, before) in (first..).zip(self.first..self.next) {
            std::mem::swap(&mut windows[at(number) & (places - 1)], self.get_mut(before));
        }
        self.places = windows;
        (self.first, self.next) = (first, first + u32::try_from(open).unwrap_or(u32::MAX));
        self.find_all_anew();
    }

    /// Rebuilds the index from the open windows, without entries of closed ones.
    #[cold]
    fn find_all_anew(&mut self) {
        let Ring { places, first, next, hosts } = self;
        let mask = places.len().wrapping_sub(1);
        let numbers = *first..*next;
        let host = |number: u32| Address::from(places[at(number) & mask].source);
        hosts.clear(numbers.clone().map(host));
        numbers.for_each(|number| hosts.insert(host(number), number, *first));
    }

    #[inline]
    fn place(&self, number: u32) -> usize {
        at(number) & self.places.len().wrapping_sub(1)
    }
}

/// Converts a number. [`Profile::fault`](super::Profile::fault) ensures that 32 bits suffice for the numbers.
#[inline]
fn at(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
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
            start in prop::sample::select(vec![Hosts::NUMBER_MIN, Hosts::NUMBER_END - 100]),
            steps in prop::collection::vec((any::<bool>(), any::<bool>(), 0..400u32), 0..600),
        ) {
            let mut ring = Ring { first: start, next: start, ..Ring::default() };
            let mut open: VecDeque<(IpAddr, u32)> = VecDeque::new();
            for (opens, six, host) in steps {
                let host: IpAddr = if six { Ipv6Addr::from(u128::from(host)).into() } else { Ipv4Addr::from(host).into() };
                let known = open.iter().find(|(known, _)| *known == host).map(|(_, number)| *number);
                prop_assert_eq!(ring.find(host.into()), known);
                let (glanced, _) = ring.glance(host.into());
                prop_assert!(glanced == 0 || Some(glanced) == known);
                if opens && known.is_none() {
                    ring.open(host.into()).source = host;
                    let number = ring.find(host.into()).unwrap();
                    // If the numbers restarted, they did for all windows, and no new number equals an old
                    // one.
                    let begun_anew = open.front().is_some_and(|(_, known)| *known > number);
                    prop_assert!(!begun_anew || start != Hosts::NUMBER_MIN);
                    for (known, anew) in open.iter_mut().rev().zip((0..number).rev()) {
                        let holds = if begun_anew { !ring.has(known.1) } else { known.1 == anew };
                        prop_assert!(holds);
                        known.1 = anew;
                    }
                    open.push_back((host, number));
                } else if !opens {
                    let (mut closed, mut most) = (None, 1);
                    let first = |_: &OpenWindow| std::mem::replace(&mut most, 0) == 1;
                    ring.close_while(first, &mut |windows| closed = windows.first().map(|window| window.source));
                    prop_assert_eq!(closed, open.pop_front().map(|(host, _)| host));
                }
                prop_assert_eq!(ring.len(), open.len());
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

//! Scans that visit all IPv4 addresses in an order of their own, and the times at which they visit dark
//! addresses.

use std::net::Ipv4Addr;
use std::ops::Range;

use super::dark::{Dark, low};
use super::random::mixed;

/// The dark addresses of a sensor, sorted by their places in an order of all IPv4 addresses. Memory: 8 bytes
/// per dark address.
#[derive(Clone, Debug)]
pub(super) struct Tour {
    /// (Place, address), sorted by place.
    places: Vec<(u32, u32)>,
}

/// Number of IPv4 addresses.
const ALL: u64 = 1 << 32;

impl Tour {
    /// Creates a tour. `place` must give each address a different place.
    pub(super) fn new(dark: &Dark, place: impl Fn(u32) -> u32) -> Tour {
        let mut places: Vec<(u32, u32)> = dark.addresses().map(|address| (place(address), address)).collect();
        places.sort_unstable();
        Tour { places }
    }

    /// Passes on the dark addresses that the scan visits at the given steps, with the step of each. Step 0 is
    /// at the place `start`. The order is repeated without end.
    pub(super) fn visits(&self, start: u32, steps: Range<u64>, sink: &mut dyn FnMut(u64, Ipv4Addr)) {
        let (mut from, end) = (u64::from(start) + steps.start, u64::from(start) + steps.end);
        while from < end {
            let round = from / ALL * ALL;
            let until = end.min(round + ALL);
            let first = self.places.partition_point(|(place, _)| u64::from(*place) < from - round);
            let here = self.places[first..].iter().take_while(|(place, _)| round + u64::from(*place) < until);
            for (place, address) in here {
                sink(round + u64::from(*place) - u64::from(start), Ipv4Addr::from(*address));
            }
            from = until;
        }
    }
}

/// Returns the place of an address in the order of a key. The function is a Feistel network of four rounds,
/// so that each place belongs to exactly one address (Luby, Rackoff 1988).
pub(super) fn permuted(address: u32, key: u64) -> u32 {
    (0..4).fold(address, |word, round| half_swapped(word, key, round))
}

/// Returns the address at a place: the inverse of [`permuted`].
pub(super) fn unpermuted(place: u32, key: u64) -> u32 {
    (0..4).rev().fold(place.rotate_left(16), |word, round| half_swapped(word, key, round)).rotate_left(16)
}

/// Computes one round of the Feistel network.
fn half_swapped(word: u32, key: u64, round: u64) -> u32 {
    let (left, right) = (word >> 16, word & 0xffff);
    let noise = low(mixed(key ^ mixed(u64::from(right) << 8 | round))) & 0xffff;
    right << 16 | (left ^ noise)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_reads_back() {
        for address in (0..=u32::MAX).step_by(104_729) {
            assert_eq!(unpermuted(permuted(address, 7), 7), address);
        }
    }

    #[test]
    fn a_tour_meets_each_dark_address_once_a_round() {
        let dark = Dark::new(&["10.0.0.0/26".parse().unwrap()], &["10.0.0.8/29".parse().unwrap()]);
        let tour = Tour::new(&dark, |address| permuted(address, 1));
        let mut met = Vec::new();
        for piece in [0..1000, 1000..ALL, ALL..ALL + 5] {
            tour.visits(0xffff_0000, piece, &mut |step, address| met.push((step, address)));
        }
        let mut addresses: Vec<u32> =
            met.iter().filter(|(step, _)| *step < ALL).map(|(_, address)| u32::from(*address)).collect();
        addresses.sort_unstable();
        assert_eq!(addresses, dark.addresses().collect::<Vec<u32>>());
        for (step, address) in met {
            assert_eq!(unpermuted(low(step + 0xffff_0000), 1), u32::from(address));
        }
    }
}

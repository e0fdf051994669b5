//! Scans that visit all IPv4 addresses in an order of their own, and the times at which they visit dark
//! addresses.

use std::net::Ipv4Addr;
use std::ops::Range;

use super::dark_space::{DarkSpace, low_32_bits};
use super::random::mix_bits;

/// The dark addresses of a sensor, sorted by their places in an order of all IPv4 addresses. Memory: 8 bytes
/// per dark address.
#[derive(Clone, Debug)]
pub(super) struct InternetScan {
    /// (Place, address), sorted by place.
    places: Vec<(u32, u32)>,
}

/// Number of IPv4 addresses.
const IPV4_ADDRESSES: u64 = 1 << 32;

impl InternetScan {
    /// Creates a tour. `place` must give each address a different place.
    pub(super) fn new(dark: &DarkSpace, place: impl Fn(u32) -> u32) -> InternetScan {
        let mut places: Vec<(u32, u32)> = dark.addresses().map(|address| (place(address), address)).collect();
        places.sort_unstable();
        InternetScan { places }
    }

    /// Passes on the dark addresses that the scan visits at the given steps, with the step of each. Step 0 is
    /// at the place `start`. The order is repeated without end.
    pub(super) fn visits(&self, start: u32, steps: Range<u64>, sink: &mut dyn FnMut(u64, Ipv4Addr)) {
        let (mut from, end) = (u64::from(start) + steps.start, u64::from(start) + steps.end);
        while from < end {
            let round = from / IPV4_ADDRESSES * IPV4_ADDRESSES;
            let until = end.min(round + IPV4_ADDRESSES);
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
pub(super) fn permute(address: u32, key: u64) -> u32 {
    (0..4).fold(address, |word, round| feistel_round(word, key, round))
}

/// Returns the address at a place: the inverse of [`permute`].
pub(super) fn unpermute(place: u32, key: u64) -> u32 {
    (0..4).rev().fold(place.rotate_left(16), |word, round| feistel_round(word, key, round)).rotate_left(16)
}

/// Computes one round of the Feistel network.
fn feistel_round(word: u32, key: u64, round: u64) -> u32 {
    let (left, right) = (word >> 16, word & 0xffff);
    let noise = low_32_bits(mix_bits(key ^ mix_bits(u64::from(right) << 8 | round))) & 0xffff;
    right << 16 | (left ^ noise)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_reads_back() {
        for address in (0..=u32::MAX).step_by(104_729) {
            assert_eq!(unpermute(permute(address, 7), 7), address);
        }
    }

    #[test]
    fn a_tour_meets_each_dark_address_once_a_round() {
        let dark = DarkSpace::new(&["10.0.0.0/26".parse().unwrap()], &["10.0.0.8/29".parse().unwrap()]);
        let tour = InternetScan::new(&dark, |address| permute(address, 1));
        let mut met = Vec::new();
        for piece in [0..1000, 1000..IPV4_ADDRESSES, IPV4_ADDRESSES..IPV4_ADDRESSES + 5] {
            tour.visits(0xffff_0000, piece, &mut |step, address| met.push((step, address)));
        }
        let mut addresses: Vec<u32> = met
            .iter()
            .filter(|(step, _)| *step < IPV4_ADDRESSES)
            .map(|(_, address)| u32::from(*address))
            .collect();
        addresses.sort_unstable();
        assert_eq!(addresses, dark.addresses().collect::<Vec<u32>>());
        for (step, address) in met {
            assert_eq!(unpermute(low_32_bits(step + 0xffff_0000), 1), u32::from(address));
        }
    }
}

//! Whether a destination fixes the port: a test that needs no knowledge of the algorithm.
//!
//! Malware that looks for its peers by ports that follow from the destination's address asks for many ports over all,
//! and at each destination for the same few again. A scanner of random ports asks for as many and repeats none; a
//! scanner of one port repeats it everywhere. So pairs of packets count that agree in destination and port, against as
//! many as there are when the same ports are dealt out to the packets by chance.

use std::collections::HashMap;
use std::net::IpAddr;

/// Deals by chance; the smallest p is one more than these into one.
const SHUFFLES: u32 = 999;
/// A p above this shows nothing.
const P_MAX: f64 = 0.01;
/// Ports over all that a family of derived ports has at least.
const PORTS_MIN: usize = 10;
/// Destinations that must repeat a port: one or two are somebody's old peers.
const DESTINATIONS_MIN: usize = 5;
/// The share of the pairs that could agree, and do beyond chance.
const AGREEMENT_MIN: f64 = 0.25;

/// What was asked for: a destination and its port, one of each window.
pub type Asked = (IpAddr, u16);

/// What the test comes to.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Derived {
    /// Windows.
    pub windows: usize,
    /// Destinations.
    pub destinations: usize,
    /// Ports over all.
    pub ports: usize,
    /// Destinations of which a port was asked more than once.
    pub repeating: usize,
    /// Pairs of windows that agree in destination and port.
    pub agreeing: u64,
    /// As many as chance makes agree, on average.
    pub expected: f64,
    /// Of the pairs that could agree, the share that does beyond chance, 0 to 1.
    pub agreement: f64,
    /// The share of the deals by chance with as many agreeing pairs.
    pub p: f64,
}

impl Derived {
    /// Whether the port follows from the destination: surely, for many ports, at several destinations, mostly.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.p <= P_MAX
            && self.ports >= PORTS_MIN
            && self.repeating >= DESTINATIONS_MIN
            && self.agreement >= AGREEMENT_MIN
    }
}

/// Tests what was asked for in a span; `None` where no destination was asked twice or no port was, so that nothing
/// could agree. Memory: 30 bytes a window.
#[must_use]
pub fn derived(asked: &[Asked]) -> Option<Derived> {
    let places = numbered(asked.iter().map(|(destination, _)| *destination));
    let mut ports = numbered(asked.iter().map(|(_, port)| *port));
    let (same_place, same_port) = (pairs(counts(&places)), pairs(counts(&ports)));
    let possible = same_place.min(same_port);
    if possible == 0 {
        return None;
    }
    let (agreeing, repeating) = agreeing(&places, &ports);
    let expected = float(same_place) * float(same_port) / float(pairs([asked.len() as u64]));
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let mut as_many = 0u32;
    for _ in 0..SHUFFLES {
        shuffle(&mut ports, &mut state);
        as_many += u32::from(self::agreeing(&places, &ports).0 >= agreeing);
    }
    let room = float(possible) - expected;
    let beyond = float(agreeing) - expected;
    Some(Derived {
        windows: asked.len(),
        destinations: counts(&places).len(),
        ports: counts(&ports).len(),
        repeating,
        agreeing,
        expected,
        agreement: if room > 0.0 { (beyond / room).clamp(0.0, 1.0) } else { 0.0 },
        p: f64::from(1 + as_many) / f64::from(1 + SHUFFLES),
    })
}

/// Values as numbers from 0 on, in order of first sight.
fn numbered<T: std::hash::Hash + Eq>(values: impl Iterator<Item = T>) -> Vec<usize> {
    let mut known: HashMap<T, usize> = HashMap::new();
    values
        .map(|value| {
            let next = known.len();
            *known.entry(value).or_insert(next)
        })
        .collect()
}

fn counts(numbers: &[usize]) -> Vec<u64> {
    let mut counts = vec![0; numbers.iter().max().map_or(0, |most| most + 1)];
    numbers.iter().for_each(|number| counts[*number] += 1);
    counts
}

fn pairs(counts: impl IntoIterator<Item = u64>) -> u64 {
    counts.into_iter().map(|count| count * count.saturating_sub(1) / 2).sum()
}

/// Pairs that agree in both, and the places at which some do.
fn agreeing(places: &[usize], ports: &[usize]) -> (u64, usize) {
    let mut both: Vec<(usize, usize)> = places.iter().copied().zip(ports.iter().copied()).collect();
    both.sort_unstable();
    let groups = || both.chunk_by(|a, b| a == b).filter(|group| group.len() > 1);
    let mut repeating: Vec<usize> = groups().map(|group| group[0].0).collect();
    repeating.dedup();
    (pairs(groups().map(|group| group.len() as u64)), repeating.len())
}

/// Fisher and Yates, by a generator with a fixed start (SplitMix64), so that the same question has the same answer.
fn shuffle(values: &mut [usize], state: &mut u64) {
    for last in (1..values.len()).rev() {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let below = (mixed ^ (mixed >> 31)) % (last as u64 + 1);
        values.swap(last, usize::try_from(below).unwrap_or(last));
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of pairs, below 2^52 for a hundred million windows")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 600 windows to the addresses of a /25; `port` says which port from a window's number and destination.
    fn asked(port: impl Fn(u64, u8) -> u16) -> Vec<Asked> {
        let window = |number: u64| {
            let last = (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 57) as u8;
            (IpAddr::from([192, 0, 2, last]), port(number, last))
        };
        (0..600).map(window).collect()
    }

    /// Some port of a number.
    fn some(number: u64) -> u16 {
        (number.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(7) >> 49) as u16 + 2048
    }

    #[test]
    fn ports_that_follow_the_destination_are_told_from_others() {
        let follows = derived(&asked(|_, last| some(u64::from(last)))).unwrap();
        assert!(follows.holds() && follows.p <= 0.001 && follows.agreement > 0.9, "{follows:?}");
        // One of two ports a destination, as Conficker.D's TCP.
        let two = derived(&asked(|number, last| some(u64::from(last) * 2 + number % 2))).unwrap();
        assert!(two.holds(), "{two:?}");
        let random = derived(&asked(|number, _| some(number)));
        assert!(random.is_none_or(|test| !test.holds()), "{random:?}");
        let few = derived(&asked(|number, _| some(number % 30))).unwrap();
        assert!(!few.holds(), "{few:?}");
        let one = derived(&asked(|_, _| 445)).unwrap();
        assert!(!one.holds() && one.p > 0.99, "{one:?}");
        // Everybody asks an old peer for its port, the rest is chance.
        let peer = derived(&asked(|number, last| if last == 3 { 51_413 } else { some(number) })).unwrap();
        assert!(!peer.holds(), "{peer:?}");
        assert_eq!(derived(&[]), None);
    }

    #[test]
    fn chance_passes_as_seldom_as_claimed() {
        let passed = (0..60u64).filter(|seed| {
            let test = derived(&asked(|number, _| some((number * 201 + seed) % 97))).unwrap();
            test.p <= 0.05
        });
        let passed = passed.count();
        assert!(passed <= 8, "{passed} of 60 at 5 %");
    }
}

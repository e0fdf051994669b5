//! Whether a destination fixes the port: a test that needs no knowledge of the algorithm.
//!
//! Malware that looks for its peers by ports that follow from the destination's address asks for many ports over all,
//! and at each destination for the same few again. Scanners of random ports ask for as many and agree in none; scanners
//! of one port agree everywhere. So pairs of hosts count that agree in destination and port, against as many as there
//! are when the ports are dealt out by chance. They are dealt out among the hosts of a week: what is asked for changes
//! with time, whatever the destinations. A host counts once at a destination and port, since all retry.
//!
//! The algorithm may know the week, too. Then hosts agree that ask in the same week, and both ways are tested.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

/// Deals by chance; the smallest p is two (ways) times one more than these into one.
const SHUFFLES: u32 = 999;
/// A p above this shows nothing.
const P_MAX: f64 = 0.01;
/// Ports over all that a family of derived ports has at least.
const PORTS_MIN: usize = 10;
/// Destinations that must repeat a port: one or two are somebody's old peers.
const DESTINATIONS_MIN: usize = 5;
/// The share of the pairs at a destination that agree beyond chance: a quarter, as if each had four ports.
const AGREEMENT_MIN: f64 = 0.25;

/// What a host asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// The number of the week, from any week on.
    pub week: i64,
    /// The host.
    pub source: IpAddr,
    /// Where.
    pub destination: IpAddr,
    /// For what.
    pub port: u16,
}

/// What a port follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum From {
    /// The destination.
    Destination,
    /// The destination and the week.
    DestinationAndWeek,
}

/// What the test comes to.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Derived {
    /// What was tested: the destination alone, unless only with the week it holds.
    pub from: From,
    /// Hosts, each counted once at a destination, port and week.
    pub asked: usize,
    /// Destinations (with the week, where it is a part).
    pub destinations: usize,
    /// Ports over all.
    pub ports: usize,
    /// Destinations of which several hosts asked for one port.
    pub repeating: usize,
    /// Pairs that agree in destination and port.
    pub agreeing: u64,
    /// As many as chance makes agree, on average.
    pub expected: f64,
    /// Of the pairs at one destination, the share that agrees beyond chance, 0 to 1.
    pub agreement: f64,
    /// The share of the deals by chance with as many agreeing pairs or more, doubled for the two ways.
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

/// Tests what was asked for in a span; `None` where no two hosts asked one destination, so that none could agree.
/// Memory: some 150 bytes for each that asked.
#[must_use]
pub fn derived(asked: &[Asked]) -> Option<Derived> {
    let asked: BTreeSet<Asked> = asked.iter().copied().collect();
    let ports = numbered(asked.iter().map(|asked| asked.port));
    let weeks: Vec<usize> = numbered(asked.iter().map(|asked| asked.week));
    let of_place = numbered(asked.iter().map(|asked| asked.destination));
    let of_week = numbered(asked.iter().map(|asked| (asked.destination, asked.week)));
    let of_place = way(From::Destination, &of_place, &ports, &weeks);
    if of_place.is_some_and(|test| test.holds()) {
        return of_place;
    }
    let of_week = way(From::DestinationAndWeek, &of_week, &ports, &weeks);
    of_week.filter(Derived::holds).or(of_place)
}

/// One way; `weeks` ascend.
fn way(from: From, places: &[usize], ports: &[usize], weeks: &[usize]) -> Option<Derived> {
    let possible = pairs(counts(places));
    if possible == 0 {
        return None;
    }
    let (agreeing, repeating) = agreeing(places, ports);
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let (mut as_many, mut by_chance) = (0u32, 0u64);
    let mut dealt = ports.to_vec();
    for _ in 0..SHUFFLES {
        let mut left = dealt.as_mut_slice();
        for week in weeks.chunk_by(|a, b| a == b) {
            let (of_week, later) = left.split_at_mut(week.len());
            shuffle(of_week, &mut state);
            left = later;
        }
        let (pairs, _) = self::agreeing(places, &dealt);
        as_many += u32::from(pairs >= agreeing);
        by_chance += pairs;
    }
    let expected = float(by_chance) / f64::from(SHUFFLES);
    let room = float(possible) - expected;
    let beyond = float(agreeing) - expected;
    Some(Derived {
        from,
        asked: places.len(),
        destinations: counts(places).len(),
        ports: counts(ports).len(),
        repeating,
        agreeing,
        expected,
        agreement: if room > 0.0 { (beyond / room).clamp(0.0, 1.0) } else { 0.0 },
        p: (2.0 * f64::from(1 + as_many) / f64::from(1 + SHUFFLES)).min(1.0),
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
        let below = mixed(*state) % (last as u64 + 1);
        values.swap(last, usize::try_from(below).unwrap_or(last));
    }
}

fn mixed(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[expect(clippy::cast_precision_loss, reason = "numbers of pairs, below 2^52 for a hundred million windows")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 600 hosts that ask the addresses of a /26 in four weeks; `port` says which port from a host's number, its
    /// destination and its week.
    fn asked(port: impl Fn(u64, u8, u64) -> u16) -> Vec<Asked> {
        let host = |number: u64| {
            let last = (mixed(number + 1) >> 58) as u8;
            let week = number / 150;
            Asked {
                week: i64::try_from(week).unwrap(),
                source: std::net::Ipv4Addr::from_bits(u32::try_from(number).unwrap()).into(),
                destination: [192, 0, 2, last].into(),
                port: port(number, last, week),
            }
        };
        (0..600).map(host).collect()
    }

    /// Some port of a number.
    fn some(number: u64) -> u16 {
        (mixed(number + 100_000) >> 49) as u16 + 2048
    }

    #[test]
    fn ports_that_follow_the_destination_are_told_from_others() {
        let follows = derived(&asked(|_, last, _| some(u64::from(last)))).unwrap();
        assert!(
            follows.holds() && follows.from == From::Destination && follows.agreement > 0.9,
            "{follows:?}"
        );
        let of_week = derived(&asked(|_, last, week| some(u64::from(last) * 64 + week))).unwrap();
        assert!(of_week.holds() && of_week.from == From::DestinationAndWeek, "{of_week:?}");
        // One of two ports a destination, one of them of the week, as Conficker.D's TCP.
        let two = |number: u64, last: u8, week: u64| {
            some(u64::from(last) * 64 + if number.is_multiple_of(2) { 63 } else { week })
        };
        let two = derived(&asked(two)).unwrap();
        assert!(two.holds(), "{two:?}");
    }

    #[test]
    fn scanners_of_random_ports_or_of_one_are_not_derived() {
        let random = derived(&asked(|number, _, _| some(number)));
        assert!(random.is_none_or(|test| !test.holds()), "{random:?}");
        let few = derived(&asked(|number, _, _| some(number % 30))).unwrap();
        assert!(!few.holds(), "{few:?}");
        let one = derived(&asked(|_, _, _| 445)).unwrap();
        assert!(!one.holds() && one.p > 0.99, "{one:?}");
        // Everybody asks for what is in fashion that week.
        let fashion = derived(&asked(|number, _, week| some(week * 3 + number % 3))).unwrap();
        assert!(!fashion.holds(), "{fashion:?}");
        // Everybody asks an old peer for its port, the rest is chance.
        let peer = asked(|number, last, _| if last == 3 { 51_413 } else { some(number) });
        assert!(!derived(&peer).unwrap().holds(), "{peer:?}");
        assert_eq!(derived(&[]), None);
    }

    #[test]
    fn a_host_that_retries_agrees_with_nobody() {
        let random = asked(|number, _, _| some(number));
        let thrice = [random.clone(), random.clone(), random.clone()].concat();
        assert_eq!(derived(&thrice), derived(&random));
    }

    #[test]
    fn chance_passes_as_seldom_as_claimed() {
        let passed = (0..60u64).filter(|seed| {
            let test = derived(&asked(|number, _, _| some((number * 201 + seed) % 97))).unwrap();
            test.p <= 0.05
        });
        let passed = passed.count();
        assert!(passed <= 8, "{passed} of 60 at 5 %");
    }
}

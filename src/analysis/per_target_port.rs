//! Test for per-target ports: whether the destination determines the port. The test needs no knowledge of the
//! algorithm.
//!
//! Some malware finds its peers at ports that it derives from the destination address. Its probes reach many
//! ports overall, and the same few ports at each destination. Scanners of random ports reach as many ports,
//! but do not agree at a destination; scanners of one port agree at all destinations. The test statistic is
//! therefore the number of pairs of hosts that agree in destination and port. It is compared with the number
//! of pairs after a random permutation of the ports. The permutation exchanges ports only among the probes of
//! one week, because the ports in use change with time, whatever the destinations. A host counts once per
//! destination, port and week, because hosts retry.
//!
//! The algorithm may derive the port from the week as well. Then only hosts that probe in the same week
//! agree. Both variants are tested.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;

/// Number of permutations. With 999, the smallest possible p is 0.002: 1 in 1,000, doubled for the two
/// variants.
const SHUFFLES: u32 = 999;
/// Significance level: the test rejects chance at this p or below.
const P_MAX: f64 = 0.01;
/// Minimum number of distinct ports overall.
const PORTS_MIN: usize = 10;
/// Minimum number of destinations at which several hosts agree in a port: one or two can be old addresses of
/// known peers.
const DESTINATIONS_MIN: usize = 5;
/// Minimum share of the pairs at a destination that agree beyond chance. A quarter is what four ports per
/// destination yield.
const AGREEMENT_MIN: f64 = 0.25;

/// One probe of a host: the input of the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortProbe {
    /// The number of the week; any week may be number 0.
    pub week: i64,
    /// The host that sent the probe.
    pub source: IpAddr,
    /// The destination address.
    pub destination: IpAddr,
    /// The destination port.
    pub port: u16,
}

/// The inputs that determine the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PortInputs {
    /// The destination address.
    Destination,
    /// The destination address and the week.
    DestinationAndWeek,
}

/// The result of the test.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct PerTargetPortResult {
    /// The variant that this result is of: the destination alone, unless the test passes only with the week.
    pub from: PortInputs,
    /// Number of distinct probes: each host counts once per destination, port and week.
    pub asked: usize,
    /// Number of destinations, or of pairs of destination and week in the variant with the week.
    pub destinations: usize,
    /// Number of distinct ports overall.
    pub ports: usize,
    /// Number of destinations at which several hosts agree in a port.
    pub repeating: usize,
    /// Number of pairs of probes that agree in destination and port.
    pub agreeing: u64,
    /// Mean number of agreeing pairs after a permutation.
    pub expected: f64,
    /// The share of the pairs at one destination that agree beyond chance, 0 to 1.
    pub agreement: f64,
    /// The p-value: the share of permutations with at least as many agreeing pairs, doubled for the two
    /// variants, at most 1.
    pub p: f64,
}

impl PerTargetPortResult {
    /// Returns whether the destination determines the port: p is small enough, and there are enough ports,
    /// enough destinations with a repeated port, and enough agreement.
    #[must_use]
    pub fn is_derived(&self) -> bool {
        self.p <= P_MAX
            && self.ports >= PORTS_MIN
            && self.repeating >= DESTINATIONS_MIN
            && self.agreement >= AGREEMENT_MIN
    }
}

/// Tests probes of one span of time. Returns `None` if no destination has two probes, so that no pair can
/// agree. Memory: about 150 bytes per probe.
#[must_use]
pub fn test_per_target_ports(asked: &[PortProbe]) -> Option<PerTargetPortResult> {
    let asked: BTreeSet<PortProbe> = asked.iter().copied().collect();
    let ports = number_values(asked.iter().map(|asked| asked.port));
    let weeks: Vec<usize> = number_values(asked.iter().map(|asked| asked.week));
    let of_place = number_values(asked.iter().map(|asked| asked.destination));
    let of_week = number_values(asked.iter().map(|asked| (asked.destination, asked.week)));
    let of_place = test_variant(PortInputs::Destination, &of_place, &ports, &weeks);
    if of_place.is_some_and(|test| test.is_derived()) {
        return of_place;
    }
    let of_week = test_variant(PortInputs::DestinationAndWeek, &of_week, &ports, &weeks);
    of_week.filter(PerTargetPortResult::is_derived).or(of_place)
}

/// Tests one variant, given the place, port and week of each probe as numbers. `weeks` must ascend.
fn test_variant(
    from: PortInputs,
    places: &[usize],
    ports: &[usize],
    weeks: &[usize],
) -> Option<PerTargetPortResult> {
    let possible = pairs(counts(places));
    if possible == 0 {
        return None;
    }
    let (agreeing, repeating) = agreeing_pairs(places, ports);
    // The seed is fixed, so that equal probes have equal results.
    let mut random = Pcg64Mcg::seed_from_u64(1);
    let (mut as_many, mut by_chance) = (0u32, 0u64);
    let mut dealt = ports.to_vec();
    for _ in 0..SHUFFLES {
        let mut left = dealt.as_mut_slice();
        for week in weeks.chunk_by(|a, b| a == b) {
            let (of_week, later) = left.split_at_mut(week.len());
            of_week.shuffle(&mut random);
            left = later;
        }
        let (pairs, _) = self::agreeing_pairs(places, &dealt);
        as_many += u32::from(pairs >= agreeing);
        by_chance += pairs;
    }
    let expected = float(by_chance) / f64::from(SHUFFLES);
    let room = float(possible) - expected;
    let beyond = float(agreeing) - expected;
    Some(PerTargetPortResult {
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

/// Numbers values from 0 on, in order of first appearance.
fn number_values<T: std::hash::Hash + Eq>(values: impl Iterator<Item = T>) -> Vec<usize> {
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

/// Returns the number of pairs that agree in place and port, and the number of places with such a pair.
fn agreeing_pairs(places: &[usize], ports: &[usize]) -> (u64, usize) {
    let mut both: Vec<(usize, usize)> = places.iter().copied().zip(ports.iter().copied()).collect();
    both.sort_unstable();
    let groups = || both.chunk_by(|a, b| a == b).filter(|group| group.len() > 1);
    let mut repeating: Vec<usize> = groups().map(|group| group[0].0).collect();
    repeating.dedup();
    (pairs(groups().map(|group| group.len() as u64)), repeating.len())
}

#[expect(clippy::cast_precision_loss, reason = "numbers of pairs, below 2^52 for a hundred million windows")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    fn random_bits(seed: u64) -> u64 {
        Pcg64Mcg::seed_from_u64(seed).random()
    }

    /// Returns the probes of 600 hosts to the addresses of a /26 in four weeks. `port` maps a host's number,
    /// the last byte of its destination and its week to a port.
    fn asked(port: impl Fn(u64, u8, u64) -> u16) -> Vec<PortProbe> {
        let host = |number: u64| {
            let last = (random_bits(number + 1) >> 58) as u8;
            let week = number / 150;
            PortProbe {
                week: i64::try_from(week).unwrap(),
                source: std::net::Ipv4Addr::from_bits(u32::try_from(number).unwrap()).into(),
                destination: [192, 0, 2, last].into(),
                port: port(number, last, week),
            }
        };
        (0..600).map(host).collect()
    }

    /// Returns a pseudo-random port for a number.
    fn some(number: u64) -> u16 {
        (random_bits(number + 100_000) >> 49) as u16 + 2048
    }

    #[test]
    fn ports_that_follow_the_destination_are_told_from_others() {
        let follows = test_per_target_ports(&asked(|_, last, _| some(u64::from(last)))).unwrap();
        assert!(
            follows.is_derived() && follows.from == PortInputs::Destination && follows.agreement > 0.9,
            "{follows:?}"
        );
        let of_week =
            test_per_target_ports(&asked(|_, last, week| some(u64::from(last) * 64 + week))).unwrap();
        assert!(of_week.is_derived() && of_week.from == PortInputs::DestinationAndWeek, "{of_week:?}");
        // Each destination has two ports, one of which depends on the week, as with Conficker.D's TCP.
        let two = |number: u64, last: u8, week: u64| {
            some(u64::from(last) * 64 + if number.is_multiple_of(2) { 63 } else { week })
        };
        let two = test_per_target_ports(&asked(two)).unwrap();
        assert!(two.is_derived(), "{two:?}");
    }

    #[test]
    fn scanners_of_random_ports_or_of_one_are_not_derived() {
        let random = test_per_target_ports(&asked(|number, _, _| some(number)));
        assert!(random.is_none_or(|test| !test.is_derived()), "{random:?}");
        let few = test_per_target_ports(&asked(|number, _, _| some(number % 30))).unwrap();
        assert!(!few.is_derived(), "{few:?}");
        let one = test_per_target_ports(&asked(|_, _, _| 445)).unwrap();
        assert!(!one.is_derived() && one.p > 0.99, "{one:?}");
        // All hosts probe the ports that are common in that week.
        let fashion = test_per_target_ports(&asked(|number, _, week| some(week * 3 + number % 3))).unwrap();
        assert!(!fashion.is_derived(), "{fashion:?}");
        // All hosts probe one peer at its port; all other ports are random.
        let peer = asked(|number, last, _| if last == 3 { 51_413 } else { some(number) });
        assert!(!test_per_target_ports(&peer).unwrap().is_derived(), "{peer:?}");
        assert_eq!(test_per_target_ports(&[]), None);
    }

    #[test]
    fn a_host_that_retries_agrees_with_nobody() {
        let random = asked(|number, _, _| some(number));
        let thrice = [random.clone(), random.clone(), random.clone()].concat();
        assert_eq!(test_per_target_ports(&thrice), test_per_target_ports(&random));
    }

    #[test]
    fn chance_passes_as_seldom_as_claimed() {
        let passed = (0..60u64).filter(|seed| {
            let test =
                test_per_target_ports(&asked(|number, _, _| some((number * 201 + seed) % 97))).unwrap();
            test.p <= 0.05
        });
        let passed = passed.count();
        assert!(passed <= 8, "{passed} of 60 at 5 %");
    }
}

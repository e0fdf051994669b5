//! Days added up: packets, windows, and exact numbers of hosts, types and pairs of both.

use std::collections::BTreeMap;
use std::net::IpAddr;

use fixedbitset::FixedBitSet;
use jiff::civil::Date;
use serde::Serialize;

/// A day of one sensor in numbers, all of them exact; whole windows only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DaySummary {
    /// The day.
    pub day: Date,
    /// Packets.
    pub packets: u64,
    /// Windows.
    pub windows: u64,
    /// Unique hosts.
    pub hosts: u64,
    /// Kinds of behavior type.
    pub types: u64,
    /// Pairs of host and type.
    pub sightings: u64,
}

/// Days that may still grow. A day is added up for good when a second one after it has begun.
const DAYS_HELD: usize = 2;

/// Adds up windows by day. Memory: some 8 to 12 bytes a window of the last two days; days before take none to speak
/// of.
#[derive(Debug, Default)]
pub struct Tally {
    /// The day that windows fall on now.
    now: Option<(Date, DayTally)>,
    /// Other days that may still grow.
    held: BTreeMap<Date, DayTally>,
    done: BTreeMap<Date, DaySummary>,
    late: u64,
    /// Whether the first day is held to the end, and which one that is.
    part: bool,
    first: Option<Date>,
}

impl Tally {
    /// A tally that will be [merged](Tally::merge): its first day may be another's last, and is held for that.
    #[must_use]
    pub fn part() -> Tally {
        Tally { part: true, ..Tally::default() }
    }

    /// Adds a window that began on `day`, of a type that has this number.
    #[inline]
    pub fn add(&mut self, day: Date, host: IpAddr, number: u32, packets: u64) {
        if self.now.as_ref().is_none_or(|(now, _)| *now != day) {
            self.turn_to(day);
        }
        let Some((_, tally)) = &mut self.now else { return };
        tally.packets += packets;
        tally.windows += 1;
        tally.pairs.add(host, number);
    }

    /// Takes in what another has added up of types with the same numbers.
    pub fn merge(&mut self, mut other: Tally) {
        other.held.extend(other.now.take());
        for (day, tally) in other.held {
            self.turn_to(day);
            if let Some((_, known)) = &mut self.now {
                known.merge(tally);
            }
        }
        for (day, sum) in other.done {
            if let Some(tally) = self.held.remove(&day) {
                self.close(day, tally);
            }
            self.settle(sum);
        }
        self.late += other.late;
    }

    /// Windows that came when their day had been added up: they are among the packets and windows of the day, but hosts
    /// and types that the day had before are counted again.
    #[must_use]
    pub fn late(&self) -> u64 {
        self.late
    }

    /// Each day that has a window, ascending. `count` may have parts counted, which is most of the work, in whatever order;
    /// those that it leaves are counted here.
    #[must_use]
    pub fn finish(mut self, count: impl FnOnce(Vec<&mut TallyPart>)) -> Vec<DaySummary> {
        self.held.extend(self.now.take());
        count(self.held.values_mut().flat_map(|tally| &mut tally.pairs.fours).collect());
        for (day, tally) in std::mem::take(&mut self.held) {
            self.close(day, tally);
        }
        self.done.into_values().collect()
    }

    fn turn_to(&mut self, day: Date) {
        self.held.extend(self.now.take());
        self.now = Some((day, self.held.remove(&day).unwrap_or_default()));
        self.first.get_or_insert(day);
        loop {
            let kept = self.first.filter(|_| self.part);
            let others: Vec<Date> = self.held.keys().copied().filter(|held| Some(*held) != kept).collect();
            let Some(oldest) = others.first().filter(|_| others.len() >= DAYS_HELD) else { break };
            if let Some(tally) = self.held.remove(oldest) {
                self.close(*oldest, tally);
            }
        }
    }

    fn close(&mut self, day: Date, tally: DayTally) {
        self.settle(tally.sum(day));
    }

    /// Adds a day up for good; what comes to one that was is late.
    fn settle(&mut self, sum: DaySummary) {
        self.late += if self.done.contains_key(&sum.day) { sum.windows } else { 0 };
        let add = |known: &mut DaySummary| {
            known.packets += sum.packets;
            known.windows += sum.windows;
            known.hosts += sum.hosts;
            known.types += sum.types;
            known.sightings += sum.sightings;
        };
        self.done.entry(sum.day).and_modify(add).or_insert(sum);
    }
}

/// A day that may still grow.
#[derive(Debug, Default)]
struct DayTally {
    packets: u64,
    windows: u64,
    pairs: Pairs,
}

impl DayTally {
    fn merge(&mut self, other: DayTally) {
        self.packets += other.packets;
        self.windows += other.windows;
        self.pairs.merge(other.pairs);
    }

    fn sum(self, day: Date) -> DaySummary {
        let Distinct { hosts, types, pairs } = self.pairs.distinct();
        DaySummary { day, packets: self.packets, windows: self.windows, hosts, types, sightings: pairs }
    }
}

/// Pairs of host and type, as they come: sorted and told apart at the day's end, in parts that fit the processor's
/// cache. That is quicker than a set, and takes half its memory.
#[derive(Debug, Default)]
struct Pairs {
    /// By some bits of the host's hash, so that all pairs of a host are in one part: the host, then the type.
    fours: Vec<TallyPart>,
    sixes: Vec<(u128, u32)>,
    types: FixedBitSet,
}

/// Parts, a power of two.
const PARTS: usize = 256;

impl Pairs {
    #[inline]
    fn add(&mut self, host: IpAddr, number: u32) {
        self.types.grow_and_insert(usize::try_from(number).unwrap_or(usize::MAX - 1));
        match host {
            IpAddr::V4(four) => {
                let four = u32::from(four);
                if self.fours.is_empty() {
                    self.fours.resize_with(PARTS, TallyPart::default);
                }
                // Fibonacci hashing: the uppermost bits are the best mixed.
                let part = four.wrapping_mul(0x9e37_79b9) >> (32 - PARTS.ilog2());
                self.fours[usize::try_from(part).unwrap_or(0)]
                    .push(u64::from(four) << 32 | u64::from(number));
            }
            IpAddr::V6(six) => self.sixes.push((six.into(), number)),
        }
    }

    fn merge(&mut self, other: Pairs) {
        if self.fours.is_empty() {
            self.fours = other.fours;
        } else {
            self.fours.iter_mut().zip(other.fours).for_each(|(part, other)| part.append(other));
        }
        self.sixes.extend(other.sixes);
        self.types.union_with(&other.types);
    }

    fn distinct(mut self) -> Distinct {
        let types = self.types.count_ones(..) as u64;
        self.sixes.sort_unstable();
        self.sixes.dedup();
        let mut sum = Distinct { hosts: 0, types, pairs: self.sixes.len() as u64 };
        sum.hosts += self.sixes.chunk_by(|a, b| a.0 == b.0).count() as u64;
        let mut room = Vec::new();
        for part in &mut self.fours {
            part.count(&mut room);
            sum.hosts += part.hosts;
            sum.pairs += part.pairs;
        }
        sum
    }
}

/// How many different ones there are.
struct Distinct {
    hosts: u64,
    types: u64,
    pairs: u64,
}

/// Pairs of some hosts of a day, in blocks: a list that grew would be copied, and twice as large as what it holds.
#[derive(Debug, Default)]
pub struct TallyPart {
    full: Vec<Vec<u64>>,
    last: Vec<u64>,
    /// Once they are counted, and no longer here, how many hosts and different pairs they were.
    hosts: u64,
    pairs: u64,
}

/// Pairs in a block.
const BLOCK: usize = 512;

impl TallyPart {
    #[inline]
    fn push(&mut self, pair: u64) {
        if self.last.len() == BLOCK {
            self.full.push(std::mem::replace(&mut self.last, Vec::with_capacity(BLOCK)));
        }
        self.last.push(pair);
    }

    fn append(&mut self, other: TallyPart) {
        self.full.extend(other.full);
        self.full.push(other.last);
    }

    /// Counts hosts and different pairs, once; `pairs` is room for them that serves many parts.
    pub fn count(&mut self, pairs: &mut Vec<u64>) {
        pairs.clear();
        self.full.drain(..).for_each(|block| pairs.extend(block));
        pairs.append(&mut self.last);
        // Sorting by digits takes a third of the time of comparing, from some hundred numbers on.
        if pairs.len() < 512 {
            pairs.sort_unstable()
        } else {
            radsort::sort(pairs)
        }
        let mut last = None;
        for pair in pairs {
            self.hosts += u64::from(last.is_none_or(|last: u64| last >> 32 != *pair >> 32));
            self.pairs += u64::from(last != Some(*pair));
            last = Some(*pair);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::Ipv6Addr;

    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    /// Packets, windows, hosts, types, pairs.
    type Sets = (u64, u64, BTreeSet<IpAddr>, BTreeSet<u32>, BTreeSet<(IpAddr, u32)>);

    proptest! {
        #[test]
        fn days_are_what_sets_count_however_they_are_merged(
            windows in prop::collection::vec((0..4i8, 0..40u32, any::<bool>(), 0..20u32, 1..9u64), 0..200),
            cut in 0..200usize,
        ) {
            let cut = cut.min(windows.len());
            let mut parts = [Tally::default(), Tally::part()];
            let mut days: BTreeMap<Date, Sets> = BTreeMap::new();
            let mut sorted = windows.clone();
            // Days come in order, as they do in captures.
            sorted.sort_by_key(|(day, ..)| *day);
            for (at, (day, host, six, number, packets)) in sorted.into_iter().enumerate() {
                let day = date(2009, 3, 1 + day);
                let host = if six { IpAddr::from(Ipv6Addr::from_bits(host.into())) } else { IpAddr::from(host.to_be_bytes()) };
                parts[usize::from(at >= cut)].add(day, host, number, packets);
                let sum = days.entry(day).or_default();
                sum.0 += packets;
                sum.1 += 1;
                sum.2.insert(host);
                sum.3.insert(number);
                sum.4.insert((host, number));
            }
            let [mut tally, second] = parts;
            tally.merge(second);
            prop_assert_eq!(tally.late(), 0);
            let expected: Vec<DaySummary> = days
                .into_iter()
                .map(|(day, (packets, windows, hosts, types, pairs))| DaySummary {
                    day,
                    packets,
                    windows,
                    hosts: hosts.len() as u64,
                    types: types.len() as u64,
                    sightings: pairs.len() as u64,
                })
                .collect();
            prop_assert_eq!(tally.finish(|_| {}), expected);
        }
    }

    #[test]
    fn a_window_of_a_day_long_over_is_counted_and_told() {
        let mut tally = Tally::default();
        let host = IpAddr::from([192, 0, 2, 1]);
        for day in [1, 2, 3, 4, 1] {
            tally.add(date(2009, 3, day), host, 0, 2);
        }
        let mut all = Tally::default();
        all.merge(tally);
        assert_eq!(all.late(), 1);
        let sums = all.finish(|_| {});
        assert_eq!((sums[0].packets, sums[0].windows, sums.len()), (4, 2, 4));
    }
}

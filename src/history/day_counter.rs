//! Daily totals of packets and windows, and exact numbers of hosts, types and pairs of host and type.

use std::collections::BTreeMap;
use std::net::IpAddr;

use fixedbitset::FixedBitSet;
use jiff::civil::Date;
use serde::Serialize;

/// The exact totals of one day of a sensor, over whole windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DaySummary {
    /// The day, in the sensor's time zone.
    pub day: Date,
    /// Number of packets.
    pub packets: u64,
    /// Number of windows.
    pub windows: u64,
    /// Number of unique hosts.
    pub hosts: u64,
    /// Number of distinct types (the type count).
    pub types: u64,
    /// Number of distinct pairs of host and type.
    pub sightings: u64,
}

/// Number of days kept open for further windows. A day is closed when the second later day begins.
const OPEN_DAYS_MAX: usize = 2;

/// Adds up windows by day. Memory: about 8 to 12 bytes per window of the last two days. Closed days take a
/// negligible amount.
#[derive(Debug, Default)]
pub struct DayCounter {
    /// The open day of the latest window.
    current: Option<(Date, OpenDay)>,
    /// The other open days.
    open_days: BTreeMap<Date, OpenDay>,
    closed_days: BTreeMap<Date, DaySummary>,
    late_windows: u64,
    /// Whether this tally will be merged into another one, so that its first day stays open; and that first
    /// day.
    is_part: bool,
    first: Option<Date>,
}

impl DayCounter {
    /// Creates a tally that will be [merged](DayCounter::merge) into another one. Its first day stays open,
    /// because it may be the last day of the other tally.
    #[must_use]
    pub fn for_merging() -> DayCounter {
        DayCounter { is_part: true, ..DayCounter::default() }
    }

    /// Adds a window that began on `day`. `number` is the number of its type.
    #[inline]
    pub fn add(&mut self, day: Date, host: IpAddr, number: u32, packets: u64) {
        if self.current.as_ref().is_none_or(|(now, _)| *now != day) {
            self.open_day(day);
        }
        let Some((_, tally)) = &mut self.current else { return };
        tally.packets += packets;
        tally.windows += 1;
        tally.pairs.add(host, number);
    }

    /// Merges another tally, whose types must have the same numbers.
    pub fn merge(&mut self, mut other: DayCounter) {
        other.open_days.extend(other.current.take());
        for (day, tally) in other.open_days {
            self.open_day(day);
            if let Some((_, known)) = &mut self.current {
                known.merge(tally);
            }
        }
        for (day, sum) in other.closed_days {
            if let Some(tally) = self.open_days.remove(&day) {
                self.close_day(day, tally);
            }
            self.add_summary(sum);
        }
        self.late_windows += other.late_windows;
    }

    /// Returns the number of windows that arrived after their day was closed. They count in the day's packets
    /// and windows, but their hosts and types may be counted twice.
    #[must_use]
    pub fn late_windows(&self) -> u64 {
        self.late_windows
    }

    /// Returns the totals of each day with a window, ascending. `count` may call [`PairPartition::count`] on the
    /// parts, which is most of the work, in any order and on any thread. The remaining parts are counted
    /// here.
    #[must_use]
    pub fn finish(mut self, count: impl FnOnce(Vec<&mut PairPartition>)) -> Vec<DaySummary> {
        self.open_days.extend(self.current.take());
        count(self.open_days.values_mut().flat_map(|tally| &mut tally.pairs.fours).collect());
        for (day, tally) in std::mem::take(&mut self.open_days) {
            self.close_day(day, tally);
        }
        self.closed_days.into_values().collect()
    }

    fn open_day(&mut self, day: Date) {
        self.open_days.extend(self.current.take());
        self.current = Some((day, self.open_days.remove(&day).unwrap_or_default()));
        self.first.get_or_insert(day);
        loop {
            let kept = self.first.filter(|_| self.is_part);
            let others: Vec<Date> =
                self.open_days.keys().copied().filter(|held| Some(*held) != kept).collect();
            let Some(oldest) = others.first().filter(|_| others.len() >= OPEN_DAYS_MAX) else { break };
            if let Some(tally) = self.open_days.remove(oldest) {
                self.close_day(*oldest, tally);
            }
        }
    }

    fn close_day(&mut self, day: Date, tally: OpenDay) {
        self.add_summary(tally.into_summary(day));
    }

    /// Adds the totals of a closed day. If the day is closed already, the windows are late.
    fn add_summary(&mut self, sum: DaySummary) {
        self.late_windows += if self.closed_days.contains_key(&sum.day) { sum.windows } else { 0 };
        let add = |known: &mut DaySummary| {
            known.packets += sum.packets;
            known.windows += sum.windows;
            known.hosts += sum.hosts;
            known.types += sum.types;
            known.sightings += sum.sightings;
        };
        self.closed_days.entry(sum.day).and_modify(add).or_insert(sum);
    }
}

/// A day that is still open.
#[derive(Debug, Default)]
struct OpenDay {
    packets: u64,
    windows: u64,
    pairs: Pairs,
}

impl OpenDay {
    fn merge(&mut self, other: OpenDay) {
        self.packets += other.packets;
        self.windows += other.windows;
        self.pairs.merge(other.pairs);
    }

    fn into_summary(self, day: Date) -> DaySummary {
        let DistinctCounts { hosts, types, pairs } = self.pairs.distinct();
        DaySummary { day, packets: self.packets, windows: self.windows, hosts, types, sightings: pairs }
    }
}

/// Pairs of host and type, unsorted. They are sorted and deduplicated when the day is closed, in parts that
/// fit the processor's cache. This is faster than a set and takes half the memory.
#[derive(Debug, Default)]
struct Pairs {
    /// Pairs of IPv4 hosts, partitioned by a hash of the host so that all pairs of a host are in one part. A
    /// pair has the host in its upper and the type in its lower 32 bits.
    fours: Vec<PairPartition>,
    sixes: Vec<(u128, u32)>,
    types: FixedBitSet,
}

/// Number of parts; a power of two.
const PARTS: usize = 256;

impl Pairs {
    #[inline]
    fn add(&mut self, host: IpAddr, number: u32) {
        self.types.grow_and_insert(usize::try_from(number).unwrap_or(usize::MAX - 1));
        match host {
            IpAddr::V4(four) => {
                let four = u32::from(four);
                if self.fours.is_empty() {
                    self.fours.resize_with(PARTS, PairPartition::default);
                }
                // Fibonacci hashing: the uppermost bits are mixed best.
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

    fn distinct(mut self) -> DistinctCounts {
        let types = self.types.count_ones(..) as u64;
        self.sixes.sort_unstable();
        self.sixes.dedup();
        let mut sum = DistinctCounts { hosts: 0, types, pairs: self.sixes.len() as u64 };
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

/// Numbers of distinct hosts, types and pairs.
struct DistinctCounts {
    hosts: u64,
    types: u64,
    pairs: u64,
}

/// The pairs of some hosts of a day, stored in blocks. A single growing list would be copied, and would
/// reserve twice the memory that it uses.
#[derive(Debug, Default)]
pub struct PairPartition {
    full: Vec<Vec<u64>>,
    last: Vec<u64>,
    /// Numbers of distinct hosts and pairs; valid after [`PairPartition::count`] has drained the blocks.
    hosts: u64,
    pairs: u64,
}

/// Number of pairs in a block.
const BLOCK: usize = 512;

impl PairPartition {
    #[inline]
    fn push(&mut self, pair: u64) {
        if self.last.len() == BLOCK {
            self.full.push(std::mem::replace(&mut self.last, Vec::with_capacity(BLOCK)));
        }
        self.last.push(pair);
    }

    fn append(&mut self, other: PairPartition) {
        self.full.extend(other.full);
        self.full.push(other.last);
    }

    /// Counts distinct hosts and pairs, and drains the blocks. `pairs` is a buffer that can be reused for
    /// many parts.
    pub fn count(&mut self, pairs: &mut Vec<u64>) {
        pairs.clear();
        self.full.drain(..).for_each(|block| pairs.extend(block));
        pairs.append(&mut self.last);
        // From some hundred numbers on, a radix sort takes a third of the time of a comparison sort.
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

    /// Packets, windows, hosts, types and pairs of one day.
    type Sets = (u64, u64, BTreeSet<IpAddr>, BTreeSet<u32>, BTreeSet<(IpAddr, u32)>);

    proptest! {
        #[test]
        fn days_are_what_sets_count_however_they_are_merged(
            windows in prop::collection::vec((0..4i8, 0..40u32, any::<bool>(), 0..20u32, 1..9u64), 0..200),
            cut in 0..200usize,
        ) {
            let cut = cut.min(windows.len());
            let mut parts = [DayCounter::default(), DayCounter::for_merging()];
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
            prop_assert_eq!(tally.late_windows(), 0);
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
        let mut tally = DayCounter::default();
        let host = IpAddr::from([192, 0, 2, 1]);
        for day in [1, 2, 3, 4, 1] {
            tally.add(date(2009, 3, day), host, 0, 2);
        }
        let mut all = DayCounter::default();
        all.merge(tally);
        assert_eq!(all.late_windows(), 1);
        let sums = all.finish(|_| {});
        assert_eq!((sums[0].packets, sums[0].windows, sums.len()), (4, 2, 4));
    }
}

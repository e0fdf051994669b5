//! In which ways the hosts of each series built their probes, by day.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use crate::behavior::ProbeSignature;

/// Host-days of a sensor by series, day and probe signature. Windows without a signature are not counted. Memory: at
/// most 20 bytes for each combination that occurs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SignatureCounts {
    /// The signatures that occur.
    signatures: Vec<ProbeSignature>,
    /// By series: place of the day, index of the signature and host-days, ascending by place.
    series: Vec<Vec<(u32, u32, u32)>>,
    /// By place of the day: index of the signature and host-days of all series.
    days: Vec<Vec<(u32, u32)>>,
}

/// Collects [`SignatureCounts`].
#[derive(Debug, Default)]
pub struct SignatureCollector {
    /// Host-days by series, place of the day and number of the signature.
    sums: HashMap<(u32, u32, u64), u32>,
}

impl SignatureCollector {
    /// Adds a host-day of a series, on the day at a place of the table, with the signature of this number.
    pub fn add(&mut self, series: usize, place: usize, number: u64) {
        let index = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        *self.sums.entry((index(series), index(place), number)).or_default() += 1;
    }

    /// Returns the numbers of the signatures that occur, ascending.
    #[must_use]
    pub fn numbers(&self) -> Vec<u64> {
        let mut numbers: Vec<u64> = self.sums.keys().map(|(_, _, number)| *number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// Returns the counts. Host-days with signatures that are not among those given are left out.
    #[must_use]
    pub fn finish(self, known: &BTreeMap<u64, ProbeSignature>) -> SignatureCounts {
        let places: HashMap<u64, u32> = known.keys().copied().zip(0..).collect();
        let mut counts = SignatureCounts {
            signatures: known.values().copied().collect(),
            series: Vec::new(),
            days: Vec::new(),
        };
        let mut days: BTreeMap<(u32, u32), u32> = BTreeMap::new();
        for ((series, day, number), hosts) in self.sums {
            let Some(signature) = places.get(&number) else { continue };
            let series = series as usize;
            if counts.series.len() <= series {
                counts.series.resize_with(series + 1, Vec::new);
            }
            counts.series[series].push((day, *signature, hosts));
            *days.entry((day, *signature)).or_default() += hosts;
        }
        counts.series.iter_mut().for_each(|days| days.sort_unstable());
        for ((day, signature), hosts) in days {
            counts.days.resize_with(counts.days.len().max(day as usize + 1), Vec::new);
            counts.days[day as usize].push((signature, hosts));
        }
        counts
    }
}

impl SignatureCounts {
    /// Returns the signatures that occur. Their indices are those of [`SignatureCounts::hosts`].
    #[must_use]
    pub fn signatures(&self) -> &[ProbeSignature] {
        &self.signatures
    }

    /// Returns the number of the table's days up to the last one with a signature.
    #[must_use]
    pub fn days(&self) -> usize {
        self.days.len()
    }

    /// Returns the host-days of all series on the day at a place, as pairs of a signature's index and a count.
    pub fn on_day(&self, place: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let all = self.days.get(place).map_or(&[][..], Vec::as_slice);
        all.iter().map(|(signature, hosts)| (*signature as usize, f64::from(*hosts)))
    }

    /// Returns the host-days of a series between two places of the table's days, as pairs of a signature's index and a
    /// count. A signature occurs once for each day.
    pub fn hosts(&self, series: usize, days: Range<usize>) -> impl Iterator<Item = (usize, f64)> + '_ {
        let all = self.series.get(series).map_or(&[][..], Vec::as_slice);
        let from = all.partition_point(|(day, ..)| (*day as usize) < days.start);
        let within = move |(day, ..): &&(u32, u32, u32)| (*day as usize) < days.end;
        let count = |(_, signature, hosts): &(u32, u32, u32)| (*signature as usize, f64::from(*hosts));
        all[from..].iter().take_while(within).map(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_days_are_found_by_series_and_days() {
        let signature = |text: &str| -> ProbeSignature { text.parse().unwrap() };
        let known = BTreeMap::from([(7, signature("ps1|syn|ttl=64")), (9, signature("ps1|syn|ttl=128"))]);
        let mut collector = SignatureCollector::default();
        for (series, place, number) in [(1, 3, 9), (1, 3, 9), (1, 2, 7), (1, 5, 7), (0, 3, 7), (1, 3, 11)] {
            collector.add(series, place, number);
        }
        assert_eq!(collector.numbers(), [7, 9, 11]);
        let counts = collector.finish(&known);
        assert_eq!(counts.hosts(1, 2..5).collect::<Vec<_>>(), [(0, 1.0), (1, 2.0)]);
        assert_eq!(counts.hosts(0, 0..9).collect::<Vec<_>>(), [(0, 1.0)]);
        assert_eq!(counts.hosts(8, 0..9).count(), 0);
        assert_eq!(counts.on_day(3).collect::<Vec<_>>(), [(0, 1.0), (1, 2.0)]);
        assert_eq!((counts.days(), counts.on_day(4).count(), counts.on_day(9).count()), (6, 0, 0));
    }
}

//! Determines, from the times of a capture's packets, which packets count and when the sensor recorded.
//!
//! A capture is read once if all of its packets count and are in time order. Otherwise the first reading
//! yields a [`ReadPlan`], by which the capture is read again.

mod flow;
mod growing_file;
mod overlap;
mod silence;
mod stored_packets;

use std::ops::Range;

use crate::history::{CaptureRecord, RecordedTime, TimeSpan};
use crate::packet::{AddressSpace, Packet, Timestamp};

use super::AppError;
use flow::CaptureFlow;
pub(in crate::app) use growing_file::GrowingFile;
pub use overlap::Overlap;
use silence::PacketTimes;
use stored_packets::{PacketHash, StoredPacketSearch};

/// Part of the notices on packets whose times are impossible.
pub(super) const CLOCK_NOTICE: &str = "clock was wrong";

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 24 * 3600 * SECOND;
/// 1990-01-01 UTC. No telescope recorded before; a recorder without a clock battery boots in 1970 or 1980.
const EARLIEST: Timestamp = Timestamp(631_152_000 * SECOND);

/// The range of times that a recorder's clock can have shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlausibleTimes {
    from: Timestamp,
    until: Timestamp,
}

impl PlausibleTimes {
    /// Returns the range from 1990 to one day after `now`, because the clocks of recorders and of this
    /// machine may differ.
    pub(super) fn until_tomorrow(now: Timestamp) -> PlausibleTimes {
        PlausibleTimes { from: EARLIEST, until: Timestamp(now.0.saturating_add(DAY)) }
    }

    /// Returns a range that contains all times, for captures that a laboratory simulated.
    pub(super) fn all() -> PlausibleTimes {
        PlausibleTimes { from: Timestamp(i64::MIN), until: Timestamp(i64::MAX) }
    }

    pub(super) fn contains(&self, time: Timestamp) -> bool {
        self.from <= time && time < self.until
    }
}

/// How to read a capture, according to earlier readings of the same capture. The default is the plan of the
/// first reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ReadPlan {
    /// Whether `departed` and `sorted` are decided.
    settled: bool,
    /// Times of packets that depart from the capture's flow.
    outlier_times: RecordedTime,
    /// Whether the capture is sorted by time first.
    pub(super) sorted: bool,
    /// Ranges of numbers of packets that are already stored, ascending.
    stored_ranges: Vec<Range<u64>>,
    /// The recorded time of the stored captures that have these packets.
    stored_time: RecordedTime,
    /// The capture loss of these captures, in packets.
    stored_dropped: u64,
    /// The names of these captures.
    pub(super) stored_names: Vec<String>,
    /// Recorded time whose packets are left out.
    skipped_time: RecordedTime,
    /// Whether the first packet that counts is older than the newest packet that was fed to the sensor
    /// before.
    pub(super) late: bool,
}

impl ReadPlan {
    /// Returns the plan for packets whose times are right by construction.
    pub(super) fn for_trusted_times() -> ReadPlan {
        ReadPlan { settled: true, ..ReadPlan::default() }
    }

    /// Returns the capture loss, in packets, of the part of the capture that is not stored yet. `dropped`
    /// counts from the beginning of the file, so the losses of its stored parts are subtracted.
    pub(super) fn newly_dropped(&self, dropped: Option<u64>) -> Option<u64> {
        dropped.map(|dropped| dropped.saturating_sub(self.stored_dropped))
    }

    /// Returns the plan for the next reading, which equals this plan if the reading just made is final.
    ///
    /// # Errors
    /// When the capture overlaps stored captures and `overlap` says that this is refused.
    pub(super) fn revised(
        &self,
        input: &dyn std::fmt::Display,
        recorded: &PacketAdmission,
        stored: &[CaptureRecord],
        overlap: Overlap,
        clock: Option<Timestamp>,
    ) -> Result<ReadPlan, AppError> {
        let mut plan = self.clone();
        if !plan.settled {
            plan.settled = true;
            if !recorded.accepts_all {
                plan.outlier_times = recorded.flow.outlier_times();
            }
            plan.sorted = !recorded.flow.is_ordered_without(&plan.outlier_times);
            if plan.sorted || !plan.outlier_times.is_empty() {
                return Ok(plan);
            }
        }
        let found = recorded.stored_search.found();
        if plan.stored_ranges.is_empty() && !found.is_empty() {
            plan.take_stored(found, stored);
            return Ok(plan);
        }
        if plan.skipped_time.is_empty() {
            let time = recorded.time();
            match overlap {
                Overlap::Refuse => refuse_overlap(input, &time, stored)?,
                Overlap::Skip
                    if overlap::recorded_time(stored)
                        .spans()
                        .iter()
                        .any(|span| time.nanoseconds_in_span(*span) > 0) =>
                {
                    plan.skipped_time = overlap::recorded_time(stored);
                    return Ok(plan);
                }
                Overlap::Skip | Overlap::Add => {}
            }
        }
        let first = recorded.times.span().map(|(first, _)| first);
        plan.late |= clock.is_some() && first.is_some() && first < clock;
        // If settling changed nothing, this reading was already made by the new plan.
        let unchanged = plan.late == self.late;
        Ok(if unchanged { self.clone() } else { plan })
    }

    fn take_stored(&mut self, found: &[(Range<u64>, usize)], stored: &[CaptureRecord]) {
        let mut spans: Vec<TimeSpan> = Vec::new();
        for (numbers, capture) in found {
            self.stored_ranges.push(numbers.clone());
            if let Some(capture) = stored.get(*capture) {
                spans.extend(&capture.spans);
                self.stored_dropped = self.stored_dropped.saturating_add(capture.dropped.unwrap_or(0));
                self.stored_names.push(capture.name.clone());
            }
        }
        self.stored_time = RecordedTime::union(spans);
    }
}

fn refuse_overlap(
    input: &dyn std::fmt::Display,
    time: &RecordedTime,
    stored: &[CaptureRecord],
) -> Result<(), AppError> {
    let Some(refused) = overlap::refused_overlap(time, stored) else { return Ok(()) };
    let others = match refused.others {
        0 => String::new(),
        others => format!(" and {others} more"),
    };
    Err(AppError::Overlap {
        input: input.to_string(),
        stored: format!("{}{others}", refused.name),
        seconds: seconds(refused.time),
    })
}

/// Formats nanoseconds as seconds with three decimals, at least 0.001.
fn seconds(nanoseconds: i64) -> String {
    let millis = (nanoseconds.saturating_add(500_000) / 1_000_000).max(1);
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

/// One reading of a capture: decides packet by packet which ones count, and collects the times in which the
/// sensor recorded.
pub(super) struct PacketAdmission {
    plausible: PlausibleTimes,
    accepts_all: bool,
    plan: ReadPlan,
    /// The number of the next packet, not counting packets with implausible or departed times.
    number: u64,
    /// Index of the first of the plan's known ranges that is not yet complete.
    next_stored: usize,
    times: PacketTimes,
    flow: CaptureFlow,
    stored_search: StoredPacketSearch,
    hash: PacketHash,
    /// The hash of the packets of a growing file, up to this packet.
    file_hash: Option<PacketHash>,
    /// Number of packets that count and went to dark addresses.
    pub(super) dark: u64,
    /// Number of packets that count, to any address.
    pub(super) packets: u64,
    implausible: LeftOutCount,
    outliers: LeftOutCount,
    overlapping: LeftOutCount,
    stored_before: u64,
}

/// The number of packets that were left out for one reason, and the time of the first.
#[derive(Clone, Copy, Debug, Default)]
struct LeftOutCount {
    count: u64,
    first: Option<Timestamp>,
}

impl LeftOutCount {
    fn count(&mut self, time: Timestamp) {
        self.count += 1;
        self.first.get_or_insert(time);
    }

    fn notice(&self, why: &str) -> Option<String> {
        self.first.map(|first| format!("{} × {why}, first {first}", self.count))
    }
}

impl PacketAdmission {
    /// Begins one reading of a capture; `stored` are the captures of its sensor in the history.
    pub(super) fn new(
        plausible: PlausibleTimes,
        plan: ReadPlan,
        stored: &[CaptureRecord],
    ) -> PacketAdmission {
        // Stored packets are searched for only until they are found.
        let known = StoredPacketSearch::new(if plan.stored_ranges.is_empty() { stored } else { &[] });
        PacketAdmission {
            plausible,
            accepts_all: plausible.from == Timestamp(i64::MIN),
            plan,
            number: 0,
            next_stored: 0,
            times: PacketTimes::default(),
            flow: CaptureFlow::new(),
            stored_search: known,
            hash: PacketHash::new(),
            file_hash: None,
            dark: 0,
            packets: 0,
            implausible: LeftOutCount::default(),
            outliers: LeftOutCount::default(),
            overlapping: LeftOutCount::default(),
            stored_before: 0,
        }
    }

    /// Reads the capture as the next part of a growing file.
    pub(super) fn continuing(self, file: Option<&GrowingFile>) -> PacketAdmission {
        PacketAdmission { file_hash: file.and_then(GrowingFile::hash), ..self }
    }

    /// Returns whether all packets count, come in time order, and are later than all that was fed before.
    fn counts_all_in_order(&self) -> bool {
        let left_out =
            [self.implausible, self.outliers, self.overlapping].iter().map(|one| one.count).sum::<u64>();
        left_out + self.stored_before == 0 && !self.plan.sorted && !self.plan.late
    }

    /// Takes a packet, and returns whether it counts and went to a dark address.
    #[inline]
    pub(super) fn admits(&mut self, packet: &Packet, space: &AddressSpace) -> bool {
        if !self.counts(packet) {
            return false;
        }
        let dark = space.contains(packet.destination());
        self.packets += 1;
        self.dark += u64::from(dark);
        dark
    }

    #[inline]
    fn counts(&mut self, packet: &Packet) -> bool {
        let time = packet.time();
        if let Some(time) = time {
            if !self.plausible.contains(time) {
                self.implausible.count(time);
                return false;
            }
            if !self.plan.outlier_times.is_empty() && self.plan.outlier_times.contains(time) {
                self.outliers.count(time);
                return false;
            }
        }
        let number = self.number;
        self.number += 1;
        if let Some(known) = self.plan.stored_ranges.get(self.next_stored)
            && known.contains(&number)
        {
            self.stored_before += 1;
            self.next_stored += usize::from(number + 1 == known.end);
            return false;
        }
        if let Some(time) = time {
            if !self.plan.skipped_time.is_empty() && self.plan.skipped_time.contains(time) {
                self.overlapping.count(time);
                return false;
            }
            self.times.add(time);
            if !self.plan.settled {
                self.flow.add(time);
            }
        }
        self.stored_search.add(packet);
        self.hash.add(packet);
        if let Some(hash) = &mut self.file_hash {
            hash.add(packet);
        }
        true
    }

    /// Returns the times of the first and the last packet that counts.
    pub(super) fn span(&self) -> Option<TimeSpan> {
        self.times.span()
    }

    /// Returns the time in which the sensor recorded the packets that count. It excludes the recorded time of
    /// stored captures whose packets were found in this capture or were skipped.
    pub(super) fn time(&self) -> RecordedTime {
        let all = RecordedTime::union(self.times.spans());
        all.without(&self.plan.stored_time).without(&self.plan.skipped_time)
    }

    /// Returns the hash of the packets that count, by which a later capture is recognized.
    pub(super) fn packet_hash(&self) -> [u8; 32] {
        self.hash.value()
    }

    /// Returns notices that say how many packets were left out, and why.
    pub(super) fn notices(&self) -> impl Iterator<Item = String> {
        let implausible = self.implausible.notice("time before 1990 or after tomorrow, left out");
        let implausible = implausible
            .map(|notice| format!("{notice}; the recorder's clock was wrong, or give --accept-times"));
        let departed = self.outliers.notice("time far from that of the packets before and after, left out");
        let departed = departed.map(|notice| {
            format!("{notice}; the clock was wrong or the file damaged, or give --accept-times")
        });
        let overlapping = self.overlapping.notice("packet in time that is recorded already, left out");
        let stored = (self.stored_before > 0).then(|| {
            let names = &self.plan.stored_names;
            let (first, more) = (names.first().map_or("", String::as_str), names.len().saturating_sub(1));
            let others = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("continues a stored capture: {} packets are those of {first}{others}", self.stored_before)
        });
        [implausible, departed, overlapping, stored].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests;

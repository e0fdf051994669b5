//! Joining the parts that several histories have of one sensor.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::net::IpAddr;
use std::path::Path;

use jiff::Span;
use jiff::civil::Date;
use rusqlite::Connection;

use crate::history::{
    CaptureRecord, EngineState, Filter, HourlyCount, JoinSummary, OVERLAP_MAX, RecordedTime, Seam, Sensor,
    Sighting, state_after_captures,
};
use crate::store::{HistoryStore, StoreError, renumber_marks, zone_of};

use super::LocalStore;
use super::capture_rows;
use super::catalog::{self, SegmentEntry};
use super::count_rows::COUNTS;
use super::example_rows::EXAMPLES;
use super::incoming::IncomingFolder;
use super::merge::pair_parts;
use super::open_segments::OpenSegments;
use super::rows::SIGHTINGS;
use super::segment_replacement::{move_into, put_file, segment_entry_pair, store_totals};
use super::sorted::merge_sorted;
use super::write::PairWriter;

/// The part of a sensor's history that one source holds.
struct SensorPart<'s> {
    store: &'s LocalStore,
    id: i64,
    captures: Vec<CaptureRecord>,
    engine_state: EngineState,
    /// The result's bit number of each mark of the source.
    marks: Vec<usize>,
    /// Content hashes of the captures that an earlier part has as well; they are not copied.
    left_out: BTreeSet<[u8; 32]>,
}

/// The treatment of the windows that were open at the end of a part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OpenWindows {
    /// They stay open: this is the last part.
    Stay,
    /// They count as closed, because the next part does not continue them.
    Close,
    /// They are left out: a later part begins with the same capture and has them as well.
    LeaveOut,
}

impl SensorPart<'_> {
    /// Returns the content hash of the capture that ends last, at whose end the open windows were open.
    fn newest_capture(&self) -> Option<[u8; 32]> {
        self.captures.iter().max_by_key(|one| one.last()).map(|one| one.content)
    }

    fn has_capture(&self, content: &[u8; 32]) -> bool {
        self.captures.iter().any(|one| one.content == *content)
    }
}

/// The sensor of the result into which parts are copied.
pub(super) struct JoinTarget<'t> {
    pub(super) folder: &'t Path,
    pub(super) connection: &'t Connection,
    pub(super) id: i64,
    pub(super) sensor: &'t Sensor,
}

impl JoinTarget<'_> {
    /// Copies the sensor from all histories that have it.
    pub(super) fn copy_sensor(
        &mut self,
        stores: &[LocalStore],
        marks: &[Vec<usize>],
        joined: &mut JoinSummary,
    ) -> Result<(), StoreError> {
        let mut parts = Vec::new();
        for (store, marks) in stores.iter().zip(marks) {
            let id = match catalog::sensor(&store.connection, &self.sensor.name) {
                Ok((id, _)) => id,
                Err(StoreError::UnknownSensor(_)) => continue,
                Err(error) => return Err(error),
            };
            for outage in capture_rows::coverage(&store.connection, id, self.sensor)?.outages {
                catalog::put_outage(self.connection, self.id, &outage)?;
            }
            let captures = capture_rows::captures(&store.connection, id)?;
            let resume = capture_rows::engine_state(&store.connection, id)?;
            let (marks, left_out) = (marks.clone(), BTreeSet::new());
            parts.push(SensorPart { store, id, captures, engine_state: resume, marks, left_out });
        }
        parts.retain(|part| !part.captures.is_empty());
        parts.sort_by_key(|part| {
            (part.engine_state.clock, part.captures.first().and_then(CaptureRecord::first))
        });
        self.check_not_dropped(&parts)?;
        for at in 0..parts.len() {
            let (before, rest) = parts.split_at_mut(at);
            if let Some(part) = rest.first_mut() {
                self.check_overlap(part, before, joined)?;
            }
        }
        let mut days = BTreeSet::new();
        for (at, part) in parts.iter().enumerate() {
            let later = &parts[at + 1..];
            let goes_on =
                part.newest_capture().is_some_and(|newest| later.iter().any(|one| one.has_capture(&newest)));
            let open = match later {
                [] => OpenWindows::Stay,
                _ if goes_on => OpenWindows::LeaveOut,
                _ => OpenWindows::Close,
            };
            self.copy_part(part, open, &mut days)?;
            if open == OpenWindows::Close {
                joined.seams.push(self.seam(part, later)?);
            }
        }
        // The numbers of hosts and types of a day do not add up over histories, so such days are counted
        // again.
        let no_totals = BTreeMap::new();
        store_totals(self.folder, self.connection, self.id, &days, &no_totals)
    }

    /// Fails if there are several parts and one of them has dropped sightings: counts without sightings
    /// cannot be joined with others.
    fn check_not_dropped(&self, parts: &[SensorPart<'_>]) -> Result<(), StoreError> {
        for part in parts {
            let Some(from) = catalog::kept_from(&part.store.connection, part.id)? else { continue };
            if parts.len() > 1 {
                return Err(StoreError::SightingsDropped { from });
            }
            catalog::put_kept_from(self.connection, self.id, from)?;
        }
        Ok(())
    }

    /// Compares a part with the earlier parts. The same capture is left out here; other captures that
    /// recorded the same time are an error.
    fn check_overlap(
        &self,
        part: &mut SensorPart<'_>,
        before: &[SensorPart<'_>],
        joined: &mut JoinSummary,
    ) -> Result<(), StoreError> {
        for capture in &part.captures {
            if let Some(other) = before.iter().find(|one| one.has_capture(&capture.content)) {
                // Both histories continued after this capture, so both closed the windows that were open at
                // its end.
                if other.newest_capture() != Some(capture.content) {
                    let name = &capture.name;
                    return Err(StoreError::NotJoinable(format!(
                        "{name}: two of them have this capture of sensor `{}` and others after it; drop its days in one of \
                         them (`inga history drop`)",
                        self.sensor.name
                    )));
                }
                if capture_rows::is_merged(&part.store.connection, part.id, &capture.content)? != Some(false)
                {
                    let zone = zone_of(self.sensor)?;
                    return Err(crate::store::merged_error(&self.sensor.name, capture, &zone));
                }
                part.left_out.insert(capture.content);
                joined.shared_captures.push(capture.name.clone());
                continue;
            }
            for other in before.iter().flat_map(|one| &one.captures) {
                let common = overlap(capture, other);
                if common > OVERLAP_MAX {
                    return Err(StoreError::Overlap {
                        sensor: self.sensor.name.clone(),
                        captures: [other.name.clone(), capture.name.clone()],
                        seconds: common / 1_000_000_000,
                    });
                }
            }
        }
        Ok(())
    }

    /// Copies the days, captures and segments of a part, and its engine state if it is the last. Adds the
    /// days that earlier parts have as well, and days without totals, to `shared_days`.
    fn copy_part(
        &self,
        part: &SensorPart<'_>,
        open: OpenWindows,
        shared_days: &mut BTreeSet<Date>,
    ) -> Result<(), StoreError> {
        let SensorPart { store, id, captures, engine_state: resume, left_out, .. } = part;
        let known = catalog::days(self.connection, self.id)?;
        for (day, total) in catalog::days(&store.connection, *id)? {
            match total {
                Some(total) if !known.contains_key(&day) => {
                    catalog::put_total(self.connection, self.id, &total)?;
                }
                _ => {
                    catalog::put_day(self.connection, self.id, day)?;
                    shared_days.insert(day);
                }
            }
        }
        for capture in captures.iter().filter(|one| !left_out.contains(&one.content)) {
            let merged = capture_rows::is_merged(&store.connection, *id, &capture.content)? != Some(false);
            capture_rows::put_capture(self.connection, self.id, capture, merged)?;
        }
        // Only the last part keeps its engine state and the state before its newest capture. Windows that
        // earlier parts left open count as closed, and cannot be opened again.
        let is_last = open == OpenWindows::Stay;
        if is_last {
            catalog::put_engine_state(self.connection, self.id, resume)?;
            if let Some(before) = capture_rows::rollback_point(&store.connection, *id)? {
                capture_rows::put_rollback_point(self.connection, self.id, &before)?;
            }
        }
        let segments = catalog::segments(&store.connection, Some(*id))?;
        let stays = |one: &SegmentEntry| match one.open {
            true => open != OpenWindows::LeaveOut,
            false => one.capture.is_none_or(|content| !left_out.contains(&content)),
        };
        let segments: Vec<SegmentEntry> = segments.into_iter().filter(stays).collect();
        let in_order = part.marks.iter().enumerate().all(|(from, to)| from == *to);
        for one in &segments {
            // If mark numbers change, a segment of sightings is rewritten together with its counts.
            if in_order || one.kind == EXAMPLES.name {
                self.copy_segment(part, one, is_last)?;
            } else if one.kind == SIGHTINGS.name {
                let is_counts = |other: &&SegmentEntry| {
                    other.kind == COUNTS.name
                        && (other.days, other.open, other.capture) == (one.days, one.open, one.capture)
                };
                let counts: Vec<SegmentEntry> = segments.iter().filter(is_counts).cloned().collect();
                self.rewrite_segment(part, one, &counts, is_last)?;
            }
        }
        Ok(())
    }

    /// Copies a segment and verifies every byte of the copy.
    fn copy_segment(
        &self,
        part: &SensorPart<'_>,
        one: &SegmentEntry,
        is_last: bool,
    ) -> Result<(), StoreError> {
        put_file(self.folder, &one.path, true, |place| {
            fs::copy(part.store.folder.join(&one.path), place)?;
            File::open(place)?.sync_all()
        })?;
        let table = [&SIGHTINGS, &COUNTS, &EXAMPLES].into_iter().find(|table| table.name == one.kind);
        let table = table.ok_or_else(|| StoreError::Damaged("a segment of an unknown kind".to_owned()))?;
        OpenSegments::default().get(self.folder, one, table)?.verify()?;
        let open = one.open && is_last;
        catalog::put_segment(self.connection, &SegmentEntry { sensor: self.id, open, ..one.clone() })
    }

    /// Rewrites a segment of sightings and its counts with the result's mark numbers.
    fn rewrite_segment(
        &self,
        part: &SensorPart<'_>,
        one: &SegmentEntry,
        counts: &[SegmentEntry],
        is_last: bool,
    ) -> Result<(), StoreError> {
        let zone = zone_of(self.sensor)?;
        let (sightings, hours) = pair_parts(&part.store.folder, std::slice::from_ref(one), counts, &zone)?;
        let incoming = IncomingFolder::new(self.folder)?;
        let rows = merge_sorted(sightings, Sighting::order)?.map(|row| {
            let mut row = row?;
            row.counts.marks = renumber_marks(row.counts.marks, &part.marks);
            Ok(row)
        });
        let writer = PairWriter::new(incoming.folder(), zone, false)?;
        let pair = writer.write_merged(Box::new(rows), merge_sorted(hours, HourlyCount::order)?, true)?;
        let open = one.open && is_last;
        for (again, file) in segment_entry_pair((self.id, self.sensor), one.days, pair, open, one.capture) {
            move_into(self.folder, &again.path, file, true)?;
            catalog::put_segment(self.connection, &again)?;
        }
        Ok(())
    }

    /// Counts the windows that were open at the end of a part and whose hosts are active soon after in later
    /// parts.
    fn seam(&self, part: &SensorPart<'_>, later: &[SensorPart<'_>]) -> Result<Seam, StoreError> {
        let zone = zone_of(self.sensor)?;
        let at = part.engine_state.clock.or(state_after_captures(&part.captures).clock).unwrap_or_default();
        let mut open: HashMap<IpAddr, u64> = HashMap::new();
        for window in &part.engine_state.windows {
            *open.entry(window.source).or_default() += 1;
        }
        let day = at.day(&zone);
        let next = day.checked_add(Span::new().days(1)).unwrap_or(day);
        let filter = Filter { first: Some(day), last: Some(next), ..Filter::default() };
        // A host that is active within one window length had its window cut. Sightings have whole seconds,
        // hence one second more.
        let soon =
            i64::from(part.store.profile.window_seconds).saturating_add(1).saturating_mul(1_000_000_000);
        let mut cut = 0;
        for other in later {
            other.store.each_sighting(&self.sensor.name, &filter, &mut |sighting| {
                let after = sighting.counts.first.0.saturating_sub(at.whole_seconds().0);
                if (0..=soon).contains(&after) {
                    cut += open.remove(&sighting.host).unwrap_or(0);
                }
            })?;
        }
        Ok(Seam { sensor: self.sensor.name.clone(), at, cut_windows: cut })
    }
}

/// Returns the recorded time that two captures have in common, in nanoseconds.
fn overlap(one: &CaptureRecord, other: &CaptureRecord) -> i64 {
    if one.recorded == 0 || other.recorded == 0 {
        // Time given by `--covers` has no packets that could count twice.
        return 0;
    }
    RecordedTime::union(one.spans.iter().copied()).nanoseconds_in_spans(&other.spans)
}

//! Records of the parts of a file that was fed while it grew, and their joining to one record.

use std::collections::BTreeMap;

use super::recorded_time::silence_max;
use super::{CaptureRecord, FilePart, RecordedTime, TimeSpan};

/// Maximum silence between two parts of a file that is never a gap, in nanoseconds: ten minutes, as within a file
/// that is read as a whole.
const PAUSE_MAX: i64 = 600_000_000_000;

/// The record of several parts of a file, which takes the place of their records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedParts {
    /// The new record.
    pub record: CaptureRecord,
    /// The content hashes of the parts.
    pub parts: Vec<[u8; 32]>,
}

/// Joins the records of the parts of files, of those captures for which `may_join` returns true.
///
/// The new record has the hash of all packets of its parts, so that the file is recognized in any container, as it
/// was before. Parts are joined from the first one of a file on, as long as none is missing: once a part was removed
/// or cut, those after it stay as they are.
#[must_use]
pub fn join_parts(captures: &[CaptureRecord], may_join: &dyn Fn(&CaptureRecord) -> bool) -> Vec<JoinedParts> {
    let mut files: BTreeMap<[u8; 32], Vec<(&FilePart, &CaptureRecord)>> = BTreeMap::new();
    for capture in captures {
        if let Some(part) = &capture.part {
            files.entry(part.first_part).or_default().push((part, capture));
        }
    }
    let mut joined = Vec::new();
    for mut parts in files.into_values() {
        parts.sort_by_key(|(part, _)| part.packets);
        let mut recorded = 0u64;
        let mut complete = Vec::new();
        for (part, capture) in parts {
            recorded = recorded.saturating_add(capture.recorded);
            if recorded != part.packets || !may_join(capture) {
                break;
            }
            complete.push(capture);
        }
        joined.extend(joined_record(&complete));
    }
    joined
}

/// Returns the record of parts that follow each other, or `None` if there are fewer than two.
fn joined_record(parts: &[&CaptureRecord]) -> Option<JoinedParts> {
    let (Some(first), Some(last), true) = (parts.first(), parts.last(), parts.len() > 1) else { return None };
    let mut part = last.part.clone()?;
    part.joined = parts.iter().map(|one| one.stored_captures()).sum::<u64>() - 1;
    let mut content = blake3::Hasher::new();
    content.update(b"inga parts");
    let mut spans: Vec<TimeSpan> = Vec::new();
    let (mut packets, mut dropped) = (0u64, None);
    for one in parts {
        content.update(&one.content);
        spans.extend(&one.spans);
        packets = packets.saturating_add(one.packets);
        dropped = one.dropped.map(|lost| lost.saturating_add(dropped.unwrap_or(0))).or(dropped);
    }
    let mut record = CaptureRecord {
        content: *content.finalize().as_bytes(),
        packet_hash: part.packet_hash,
        name: first.name.clone(),
        packets,
        recorded: part.packets,
        dropped,
        spans,
        fed_at: last.fed_at,
        part: Some(part),
    };
    let pause = silence_max(&record).max(PAUSE_MAX);
    record.spans = RecordedTime::bridged(std::mem::take(&mut record.spans), pause).spans().to_vec();
    Some(JoinedParts { record, parts: parts.iter().map(|one| one.content).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Timestamp;

    const SECOND: i64 = 1_000_000_000;

    /// Returns the record of a part with the packets of some seconds, the last one excluded.
    fn part(number: u8, from: i64, to: i64) -> CaptureRecord {
        let recorded = u64::try_from(to - from).unwrap();
        let packets = u64::try_from(to).unwrap();
        CaptureRecord {
            content: [number; 32],
            name: "growing.pcap".to_owned(),
            packets: recorded / 2,
            recorded,
            spans: vec![(Timestamp(from * SECOND), Timestamp((to - 1) * SECOND))],
            fed_at: Timestamp(to * SECOND),
            part: Some(FilePart { first_part: [1; 32], joined: 0, packets, packet_hash: [100 + number; 32] }),
            ..CaptureRecord::default()
        }
    }

    #[test]
    fn parts_of_a_file_become_one_record() {
        let parts = [part(3, 50, 90), part(1, 0, 30), part(2, 30, 50)];
        let [joined] = <[_; 1]>::try_from(join_parts(&parts, &|_| true)).unwrap();
        assert_eq!(joined.parts, [[1; 32], [2; 32], [3; 32]]);
        let record = &joined.record;
        assert_eq!((record.recorded, record.packets, record.packet_hash), (90, 45, [103; 32]));
        assert_eq!(record.spans, [(Timestamp(0), Timestamp(89 * SECOND))]);
        assert_eq!((record.fed_at, record.dropped), (Timestamp(90 * SECOND), None));
        assert!(joined.parts.iter().all(|content| *content != record.content));
        // The file grows on: what was joined is the first of its parts.
        let next = [part(4, 90, 100), record.clone()];
        let again = join_parts(&next, &|_| true);
        assert_eq!((again.len(), again[0].record.recorded), (1, 100));
        assert_eq!(again[0].parts, [record.content, [4; 32]]);
    }

    #[test]
    fn a_part_that_is_missing_or_may_not_be_joined_ends_the_record() {
        let all = [part(1, 0, 30), part(2, 30, 50), part(3, 50, 90), part(4, 90, 95)];
        let parts_of = |captures: &[CaptureRecord], held: u8| {
            let joined = join_parts(captures, &|one| one.content != [held; 32]);
            joined.into_iter().flat_map(|one| one.parts).map(|content| content[0]).collect::<Vec<_>>()
        };
        assert_eq!(parts_of(&all, 0), [1, 2, 3, 4]);
        assert_eq!(parts_of(&all, 4), [1, 2, 3]);
        assert_eq!(parts_of(&all, 2), [] as [u8; 0], "one part stays as it is");
        let without = [all[0].clone(), all[1].clone(), all[3].clone()];
        assert_eq!(parts_of(&without, 0), [1, 2]);
        assert_eq!(parts_of(&all[1..], 0), [] as [u8; 0], "the first one was removed");
        let others = [CaptureRecord { part: None, ..part(1, 0, 30) }, part(2, 30, 50)];
        assert_eq!(parts_of(&others, 0), [] as [u8; 0]);
    }

    #[test]
    fn a_long_silence_between_parts_stays_a_gap() {
        let parts = [part(1, 0, 30), part(2, 30, 31)];
        let with_silence = |seconds: i64| {
            let mut parts = parts.to_vec();
            parts[1].spans = vec![(Timestamp((29 + seconds) * SECOND), Timestamp((29 + seconds) * SECOND))];
            parts[1].dropped = Some(7);
            join_parts(&parts, &|_| true).remove(0).record
        };
        assert_eq!((with_silence(600).spans.len(), with_silence(601).spans.len()), (1, 2));
        assert_eq!(with_silence(1).dropped, Some(7));
    }
}

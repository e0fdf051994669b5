//! Tests which packets of a capture count, reading by reading.

use std::net::Ipv4Addr;

use super::*;
use crate::packet::Protocol;

const HOUR: i64 = 3600 * SECOND;
/// 2024-06-20 UTC.
const START: i64 = 1_718_841_600 * SECOND;

fn read(plan: &ReadPlan, stored: &[CaptureRecord], times: impl IntoIterator<Item = i64>) -> PacketAdmission {
    let plausible = PlausibleTimes::until_tomorrow(Timestamp(START + 30 * DAY));
    let mut recorded = PacketAdmission::new(plausible, plan.clone(), stored);
    let address = Ipv4Addr::new(192, 0, 2, 1).into();
    for time in times {
        let packet = Packet::new(address, address, Protocol::Tcp).with_time(Some(Timestamp(time)));
        recorded.admits(&packet, &AddressSpace::whole());
    }
    recorded
}

/// Reads until the plan is final; also returns the number of readings.
fn settle(
    stored: &[CaptureRecord],
    overlap: Overlap,
    times: &[i64],
) -> Result<(PacketAdmission, ReadPlan, usize), String> {
    let mut plan = ReadPlan::default();
    for readings in 1..10 {
        let mut ordered = times.to_vec();
        if plan.sorted {
            ordered.sort_unstable();
        }
        let recorded = read(&plan, stored, ordered);
        let clock = stored.iter().filter_map(CaptureRecord::last).max();
        let next = plan.revised(&"new.pcap", &recorded, stored, overlap, clock);
        let next = next.map_err(|error| error.to_string())?;
        if next == plan {
            return Ok((recorded, plan, readings));
        }
        plan = next;
    }
    panic!("no end: {plan:?}")
}

fn stored(times: &[i64]) -> CaptureRecord {
    let recorded = read(&ReadPlan::default(), &[], times.iter().copied());
    CaptureRecord {
        name: "stored.pcap".to_owned(),
        packet_hash: recorded.packet_hash(),
        recorded: recorded.packets,
        spans: recorded.time().spans().to_vec(),
        ..CaptureRecord::default()
    }
}

fn hourly(from: i64, to: i64) -> Vec<i64> {
    (from..to).map(|hour| START + hour * HOUR).collect()
}

#[test]
fn a_plain_capture_is_read_once() {
    let (recorded, plan, readings) = settle(&[], Overlap::Refuse, &hourly(0, 24)).unwrap();
    assert_eq!((recorded.packets, readings, plan), (24, 1, ReadPlan::default()));
    let (recorded, _, readings) =
        settle(&[stored(&hourly(0, 24))], Overlap::Refuse, &hourly(24, 48)).unwrap();
    assert_eq!((recorded.packets, readings), (24, 1));
}

#[test]
fn times_that_cannot_be_are_left_out() {
    let wrong = [5 * SECOND, START + 40 * DAY, i64::MAX, i64::MIN + 1];
    let recorded = read(&ReadPlan::default(), &[], hourly(0, 24).into_iter().chain(wrong));
    assert_eq!((recorded.packets, recorded.implausible.count), (24, 4));
    assert!(recorded.notices().next().unwrap().contains("1970-01-01"));
}

#[test]
fn a_time_of_another_year_is_left_out_and_nothing_is_sorted_for_it() {
    let mut times = hourly(0, 200);
    times.insert(50, START - 900 * DAY);
    let (recorded, plan, readings) = settle(&[], Overlap::Refuse, &times).unwrap();
    assert_eq!((recorded.packets, plan.sorted, readings), (200, false, 2));
    assert!(recorded.notices().next().unwrap().contains("1 × time far from"));
    // A capture that runs backwards is sorted.
    let backwards = [hourly(24, 48), hourly(0, 24)].concat();
    let (recorded, plan, readings) = settle(&[], Overlap::Refuse, &backwards).unwrap();
    assert_eq!((recorded.packets, plan.sorted, readings), (48, true, 2));
}

#[test]
fn what_is_stored_is_not_counted_again() {
    let parts = [stored(&hourly(0, 10)), stored(&hourly(10, 15))];
    let (recorded, plan, _) = settle(&parts, Overlap::Refuse, &hourly(0, 24)).unwrap();
    assert_eq!((recorded.packets, recorded.stored_before, plan.late), (9, 15, false));
    // A stored capture of an hour range in the middle: the remaining packets begin before it.
    let (recorded, plan, _) = settle(&[stored(&hourly(10, 15))], Overlap::Refuse, &hourly(0, 24)).unwrap();
    assert_eq!((recorded.packets, recorded.stored_before, plan.late), (19, 5, true));
    assert_eq!(recorded.time().spans().len(), 2);
    // All packets are stored already.
    let (recorded, _, _) = settle(&parts, Overlap::Refuse, &hourly(0, 15)).unwrap();
    assert_eq!((recorded.packets, recorded.stored_before), (0, 15));
    let dropped = ReadPlan { stored_dropped: 7, ..ReadPlan::default() };
    assert_eq!([dropped.newly_dropped(Some(9)), dropped.newly_dropped(Some(2))], [Some(2), Some(0)]);
}

#[test]
fn another_capture_of_recorded_time_is_refused_left_out_or_added() {
    let mut other = hourly(5, 30);
    other.iter_mut().for_each(|time| *time += 60 * SECOND);
    let parts = [stored(&hourly(0, 11))];
    let refusal = settle(&parts, Overlap::Refuse, &other).err().unwrap();
    assert!(refusal.contains("stored.pcap") && refusal.contains("17940.000 s"), "{refusal}");
    assert!(refusal.contains("--overlap skip") && refusal.contains("--overlap add"), "{refusal}");
    let (recorded, plan, _) = settle(&parts, Overlap::Skip, &other).unwrap();
    assert_eq!((recorded.packets, recorded.overlapping.count, plan.late), (20, 5, false));
    assert!(recorded.time().nanoseconds_in_span(parts[0].spans[0]) == 0);
    let (recorded, plan, _) = settle(&parts, Overlap::Add, &other).unwrap();
    assert_eq!((recorded.packets, recorded.overlapping.count, plan.late), (25, 0, true));
}

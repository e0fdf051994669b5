//! What days of live following leave in a history, and what a commit costs after them.

use std::io::Cursor;
use std::time::Duration;

use super::condition::{FeedState, sensor_health};
use crate::app::admission::GrowingFile;
use crate::app::observe::{FeedOutcome, observe_part};
use crate::app::{CaptureOptions, Notices};
use crate::capture::Input;
use crate::history::{Sensor, SensorKind};
use crate::incident::Thresholds;
use crate::packet::Timestamp;
use crate::rules::Rules;
use crate::store::{HistoryStore, LocalStore};

/// 2020-01-01 00:00:00 UTC, in seconds.
const START: u32 = 1_577_836_800;
/// Number of packets of a commit.
const PACKETS: u32 = 20;

/// The records of captures that a history has after some days, and the CPU time of one of its last commits.
struct Followed {
    records: usize,
    commit: Duration,
}

/// Number of commits over which the CPU time is averaged.
const MEASURED: u32 = 50;

/// Returns the CPU time of this process, which the system counts in hundredths of a second.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // User and system time are fields 14 and 15.
    let ticks = stat.split(' ').skip(13).take(2).filter_map(|field| field.parse::<u64>().ok());
    Duration::from_millis(10 * ticks.sum::<u64>())
}

/// Returns a capture of TCP SYNs to 203.0.113.0/24 within some seconds.
fn pcap(from: u32, seconds: u32) -> Vec<u8> {
    let mut bytes =
        vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0];
    for number in 0..PACKETS {
        let second = from + number * seconds / PACKETS;
        [second, 0, 40, 40].iter().for_each(|word| bytes.extend(word.to_le_bytes()));
        let host = u8::try_from(second / 600 % 200).unwrap();
        let to = u8::try_from(number).unwrap();
        bytes.extend([0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 100, 64, 0, host, 203, 0, 113, to]);
        bytes.extend([15, 160, 0, 23, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 1, 0, 0, 0, 0, 0]);
    }
    bytes
}

/// Follows a live capture for some days with as many commits a day. The records of its parts are joined if `joins` is
/// set.
fn follow(days: u32, commits_a_day: u32, joins: bool) -> Followed {
    let folder = tempfile::TempDir::new().unwrap();
    let rules = Rules::shipped().unwrap();
    let mut store = LocalStore::create(&folder.path().join("history"), &rules.profile).unwrap();
    let sensor = Sensor {
        name: "s".to_owned(),
        kind: SensorKind::Dark,
        prefixes: vec!["203.0.113.0/24".parse().unwrap()],
        live: Vec::new(),
        time_zone: "UTC".to_owned(),
    };
    store.add_sensor(&sensor).unwrap();
    let (seconds, options) = (86_400 / commits_a_day, CaptureOptions::default());
    let (mut growing, mut begun) = (GrowingFile::default(), Duration::ZERO);
    let commits = days * commits_a_day;
    for commit in 0..commits {
        if commit + MEASURED == commits {
            begun = cpu_time();
        }
        let bytes = pcap(START + commit * seconds, seconds);
        let input = Input::spooled("-".to_owned(), Cursor::new(bytes)).unwrap();
        let file = joins.then_some(&mut growing);
        let fed = observe_part(&mut store, &sensor, &input, &options, &rules, &mut Notices::default(), file)
            .unwrap();
        assert!(matches!(fed, FeedOutcome::Stored { dark: 20, .. }), "{fed:?}");
        let limits = Thresholds::default();
        sensor_health(&store, "s", &mut FeedState::default(), &limits, (Timestamp(0), None)).unwrap();
    }
    let commit = cpu_time().saturating_sub(begun) / MEASURED;
    let captures = store.captures("s").unwrap();
    let recorded: u64 = captures.iter().map(|one| one.recorded).sum();
    assert_eq!(recorded, u64::from(commits * PACKETS));
    let mut faults = Vec::new();
    store.verify(&mut |fault| faults.push(fault)).unwrap();
    assert_eq!(faults, [] as [String; 0]);
    Followed { records: captures.len(), commit }
}

#[test]
fn a_day_that_is_over_has_one_record_of_a_live_capture() {
    // Two days that are merged, of which the last part of the second may still be removed, and the third.
    let joined = follow(3, 24, true);
    assert!(joined.records <= 2 + 1 + 24, "{}", joined.records);
    assert_eq!(follow(3, 24, false).records, 72);
}

#[test]
#[ignore = "a measurement of minutes"]
fn the_cost_of_a_commit_after_days() {
    for (days, joins) in [(1, true), (10, true), (10, false)] {
        let Followed { records, commit } = follow(days, 96, joins);
        eprintln!(
            "{days} days, joined {joins}: {records} records, {} µs of CPU a commit",
            commit.as_micros()
        );
    }
}

//! Every packet counts once, whichever file it comes in.

use super::pcapng::PcapNg;
use super::{HOUR, History, capture, capture_of, seconds, syn};
use crate::command::{arg, inga};

#[test]
fn another_container_of_the_same_packets_changes_nothing() {
    let history = History::new();
    history.feed("a.pcap", &capture(seconds(0, HOUR, 7)), &[]);
    for big_endian in [false, true] {
        let mut other = PcapNg::new(big_endian, 1);
        // Nanoseconds that the pcap does not have.
        seconds(0, HOUR, 7).for_each(|time| other.packet(0, time * 1_000_000_000 + 321, &syn(9, time)));
        let called = history.feed("a.pcapng", &other.bytes(), &[]);
        assert!(called.stdout.contains("stored before, nothing changed"), "{}", called.stdout);
    }
    assert_eq!(history.packets(), 515);
    // A longer pcapng continues the pcap.
    let mut longer = PcapNg::new(false, 1);
    seconds(0, 2 * HOUR, 7).for_each(|time| longer.packet(0, time * 1_000_000_000, &syn(9, time)));
    let called = history.feed("b.pcapng", &longer.bytes(), &[]);
    assert!(called.stderr.contains("515 packets are those of"), "{}", called.stderr);
    assert_eq!(history.packets(), 1029);
}

#[test]
fn hours_and_then_the_merged_day_are_counted_once() {
    for hours in [vec![0], vec![5], vec![0, 1, 7, 23], (0..24).collect::<Vec<u64>>()] {
        let history = History::new();
        for hour in &hours {
            let times = seconds(hour * HOUR, (hour + 1) * HOUR, 10);
            history.feed(&format!("{hour:02}.pcap"), &capture(times), &[]);
        }
        history.feed("day.pcap", &capture(seconds(0, 24 * HOUR, 10)), &[]);
        assert_eq!(history.packets(), 24 * 360, "{hours:?}");
        let again = history.feed(
            "again.pcap.zst",
            &zstd::encode_all(capture(seconds(0, 24 * HOUR, 10)).as_slice(), 3).unwrap(),
            &[],
        );
        assert!(again.stdout.contains("stored before"), "{}", again.stdout);
    }
}

#[test]
fn an_overlapping_capture_is_refused_skipped_or_added() {
    let history = History::new();
    history.feed("first.pcap", &capture(seconds(0, 2 * HOUR, 10)), &[]);
    // Another recorder saw other hosts at the same times.
    let other = capture_of(77, seconds(HOUR, 3 * HOUR, 10));
    history.refuse("other.pcap", &other, "first.pcap");
    let skipped = history.feed("other.pcap", &other, &["--overlap", "skip"]);
    assert!(skipped.stderr.contains("360 × packet in time that is recorded already"), "{}", skipped.stderr);
    assert_eq!(history.packets(), 720 + 360);
    let added = History::new();
    added.feed("first.pcap", &capture(seconds(0, 2 * HOUR, 10)), &[]);
    added.feed("other.pcap", &other, &["--overlap", "add"]);
    assert_eq!(added.packets(), 720 + 720);
    // It is remembered.
    for more in [&["--overlap", "add"][..], &[]] {
        let again = added.feed("renamed.pcap", &other, more);
        assert!(again.stdout.contains("stored before"), "{}", again.stdout);
    }
    assert_eq!(added.packets(), 720 + 720);
    // Nothing of what is left out is stored.
    let within = capture_of(5, seconds(60, 120, 1));
    let called = history.feed("within.pcap", &within, &["--overlap", "skip"]);
    assert!(called.stdout.contains("nothing of its 60 packets"), "{}", called.stdout);
}

#[test]
fn parallel_recorders_with_the_same_times_are_not_taken_for_one_file() {
    let history = History::new();
    history.feed("a.pcap", &capture_of(1, seconds(0, HOUR, 60)), &[]);
    history.refuse("b.pcap", &capture_of(2, seconds(0, HOUR, 60)), "a.pcap");
    history.refuse("c.pcap", &capture_of(2, seconds(0, 2 * HOUR, 60)), "a.pcap");
}

#[test]
fn edges_may_overlap_by_seconds_and_gaps_be_filled() {
    let history = History::new();
    history.feed("00.pcap", &capture(seconds(0, HOUR + 2, 1)), &[]);
    history.feed("01.pcap", &capture_of(1, seconds(HOUR, 2 * HOUR, 1)), &[]);
    history.feed("03.pcap", &capture(seconds(3 * HOUR, 4 * HOUR, 1)), &[]);
    let late = history.feed("02.pcap", &capture_of(2, seconds(2 * HOUR - 1, 3 * HOUR + 1, 1)), &[]);
    assert!(late.stderr.contains("begins before what was fed already"), "{}", late.stderr);
    assert_eq!(history.packets(), 4 * 3600 + 4);
    history.refuse("x.pcap", &capture_of(3, seconds(4 * HOUR - 10, 5 * HOUR, 1)), "03.pcap");
    // A scan of three seconds that is written with other bytes.
    history.feed("scan.pcap", &capture(seconds(6 * HOUR, 6 * HOUR + 3, 1)), &[]);
    history.refuse("scan2.pcap", &capture_of(4, seconds(6 * HOUR, 6 * HOUR + 3, 1)), "scan.pcap");
}

#[test]
fn two_observers_of_one_file_count_it_once() {
    let history = History::new();
    let bytes = capture(seconds(0, 4 * HOUR, 1));
    let path = history.folder.path().join("a.pcap");
    std::fs::write(&path, &bytes).unwrap();
    let mut pcapng = PcapNg::new(false, 1);
    seconds(0, 4 * HOUR, 1).for_each(|time| pcapng.packet(0, time * 1_000_000_000, &syn(9, time)));
    let other = history.folder.path().join("a.pcapng");
    std::fs::write(&other, pcapng.bytes()).unwrap();
    let db = &history.path("h");
    std::thread::scope(|scope| {
        let observers: Vec<_> = [&path, &path, &other, &other]
            .map(|file| scope.spawn(move || inga(&["observe", arg(file), "--sensor", "T", "--history", db])))
            .into_iter()
            .map(|observer| observer.join().unwrap())
            .collect();
        assert!(observers.iter().all(|called| called.code == 0));
        let stored =
            observers.iter().filter(|called| called.stdout.contains("dark addresses stored")).count();
        assert_eq!(stored, 1);
    });
    assert_eq!(history.packets(), 4 * 3600);
}

#[test]
fn ties_at_the_end_of_a_growing_file_are_not_lost() {
    // Three packets of the same moment, of which the first state of the file has one.
    let whole = capture(seconds(0, 600, 10).chain([super::START + 600; 3]).chain(seconds(610, 900, 10)));
    let record = 16 + 20 + 28;
    let history = History::new();
    history.feed("a.pcap", &whole[..24 + 61 * record], &[]);
    history.feed("a.pcap", &whole, &[]);
    assert_eq!(history.packets(), 92);
}

/// Late captures do not write their month anew one by one; they wait beside it until somebody asks, or there are many.
#[test]
fn late_captures_wait_beside_their_month() {
    const DAY: u64 = 24 * HOUR;
    let history = History::new();
    let month = history.path("h/sightings/sensor=T/month=2024-06");
    let files = || std::fs::read_dir(&month).unwrap().count();
    // June is over when July begins; the newest capture is left alone until the next one.
    let times = [0, 20 * DAY, 21 * DAY];
    for (name, time) in ["june.pcap", "july.pcap", "july-2.pcap"].into_iter().zip(times) {
        history.feed(name, &capture(seconds(time, time + HOUR, 60)), &[]);
    }
    assert_eq!(files(), 1);
    for day in 1..4 {
        let time = day * DAY;
        history.feed(&format!("late-{day}.pcap"), &capture(seconds(time, time + HOUR, 60)), &[]);
    }
    assert_eq!(files(), 4);
    let before = (history.days(), history.hours());
    assert_eq!(before.0.len(), 6);
    assert_eq!(inga(&["history", "compact", "--history", &history.path("h")]).code, 0);
    assert_eq!(files(), 1);
    assert_eq!((history.days(), history.hours()), before);
}

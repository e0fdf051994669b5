//! Packets that a recorder lost are stored and shown.

use serde_json::Value;

use super::pcapng::PcapNg;
use super::{HOUR, History, START, capture, day, hourly, seconds, syn};
use crate::command::inga;

const DROPPED_BY_INTERFACE: u16 = 5;
const DROPPED_BY_SYSTEM: u16 = 7;

fn lost(history: &History) -> Vec<Value> {
    lost_by(history, "day")
}

fn lost_by(history: &History, step: &str) -> Vec<Value> {
    let db = history.path("h");
    let called = inga(&["series", "--history", &db, "--sensor", "T", "--by", step, "--format", "json"]);
    called.json().into_iter().map(|line| line["lost"].clone()).collect()
}

#[test]
fn statistics_of_a_pcapng_tell_the_loss() {
    for big_endian in [false, true] {
        let history = History::new();
        let mut file = PcapNg::new(big_endian, 2);
        for time in seconds(0, 1000, 10) {
            file.packet(0, time * 1_000_000_000, &syn(9, time));
        }
        // Totals: the last block of an interface counts, both options of it, and both interfaces.
        file.statistics(0, &[(DROPPED_BY_INTERFACE, 3)]);
        file.statistics(0, &[(DROPPED_BY_INTERFACE, 10), (DROPPED_BY_SYSTEM, 5)]);
        file.statistics(1, &[(DROPPED_BY_SYSTEM, 10), (DROPPED_BY_INTERFACE, u64::MAX)]);
        history.feed("a.pcapng", &file.bytes(), &[]);
        assert_eq!(lost(&history), [serde_json::json!({"packets": 25, "share": 0.2})], "{big_endian}");
        let db = history.path("h");
        for question in
            [&["series"][..], &["types"], &["surges"], &["correlate", "samples/ping-sweep/report.yaml"]]
        {
            let called = inga(&[question, &["--history", &db]].concat());
            assert!(
                called.stderr.contains("sensor T: the recorder lost 25 packets on 1 day "),
                "{question:?}: {}",
                called.stderr
            );
        }
        let text = inga(&["series", "--history", &db]).stdout;
        assert!(text.contains("lost") && text.contains("0.2000"), "{text}");
    }
}

#[test]
fn a_day_with_most_packets_lost_is_an_outage() {
    let history = History::new();
    history.feed("a.pcap", &capture(hourly(0)), &["--dropped", "24"]);
    history.feed("b.pcap", &capture(hourly(1)), &["--dropped", "25"]);
    history.feed("c.pcap", &capture(hourly(2)), &[]);
    assert_eq!(history.days(), [day(0, 24), day(2, 24)]);
    let counts: Vec<Value> = lost(&history).iter().map(|lost| lost["packets"].clone()).collect();
    assert_eq!(counts, [24, 25, 0]);
    let text = inga(&["series", "--history", &history.path("h")]);
    assert!(text.stderr.contains("1 of them lost more than they recorded"), "{}", text.stderr);
    // Without a loss nothing is said of it.
    let quiet = History::new();
    quiet.feed("a.pcap", &capture(hourly(0)), &[]);
    let text = inga(&["series", "--history", &quiet.path("h")]);
    assert!(!text.stdout.contains("lost") && !text.stderr.contains("lost"), "{}", text.stdout);
}

#[test]
fn the_loss_of_a_growing_file_is_counted_once() {
    let history = History::new();
    let state = |until: u64, dropped: u64| {
        let mut file = PcapNg::new(false, 1);
        seconds(0, until, 10).for_each(|time| file.packet(0, time * 1_000_000_000, &syn(9, time)));
        file.statistics(0, &[(DROPPED_BY_INTERFACE, dropped)]);
        file.bytes()
    };
    history.feed("a.pcapng", &state(HOUR, 7), &[]);
    history.feed("a.pcapng", &state(2 * HOUR, 11), &[]);
    assert_eq!(lost(&history)[0]["packets"], 11);
    // Spread over two days by recorded time.
    let days = History::new();
    let night = (0..7200).map(|at| START + 23 * HOUR + at);
    days.feed("a.pcap", &capture(night), &["--dropped", "101"]);
    let counts: Vec<u64> = lost(&days).iter().map(|lost| lost["packets"].as_u64().unwrap()).collect();
    assert!(counts.iter().sum::<u64>() == 101 && counts.iter().all(|count| *count >= 50), "{counts:?}");
    // And over their hours: the last of the first day and the first of the second.
    let hours: Vec<u64> =
        lost_by(&days, "hour").iter().map(|lost| lost["packets"].as_u64().unwrap()).collect();
    assert_eq!((hours.len(), hours[23], hours[24]), (48, counts[0], counts[1]), "{hours:?}");
    let picture = inga(&["series", "--history", &days.path("h"), "--format", "svg"]).stdout;
    assert!(picture.contains("of packets lost</title>"), "{picture}");
    let both = [START, START + HOUR];
    let refused = days.try_feed("b.pcap", &capture(both), &["--dropped", "many"]);
    assert_eq!(refused.code, 2);
}

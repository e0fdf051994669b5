//! What a history takes as recorded: wrong clocks, merged files and files that grow, as `inga observe` meets them.

mod loss;
mod once;
mod pcapng;

use std::net::Ipv4Addr;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::command::{Called, arg, inga};
use crate::make::packets::{Pcap, RAW_IP, tcp};

const HOUR: u64 = 3600;
/// 2024-06-20 UTC, in seconds.
const START: u64 = 1_718_841_600;

/// A history of one sensor, 192.0.2.0/24.
struct History {
    folder: TempDir,
}

impl History {
    fn new() -> History {
        let history = History { folder: TempDir::new().unwrap() };
        let added =
            inga(&["sensor", "add", "T", "--history", &history.path("h"), "--prefix", "192.0.2.0/24"]);
        assert_eq!(added.code, 0, "{}", added.stderr);
        history
    }

    fn path(&self, name: &str) -> String {
        arg(&self.folder.path().join(name)).to_owned()
    }

    fn feed(&self, name: &str, capture: &[u8], more: &[&str]) -> Called {
        let called = self.try_feed(name, capture, more);
        assert_eq!(called.code, 0, "{}", called.stderr);
        called
    }

    fn try_feed(&self, name: &str, capture: &[u8], more: &[&str]) -> Called {
        let path = PathBuf::from(self.path(name));
        std::fs::write(&path, capture).unwrap();
        inga(&[&["observe", arg(&path), "--sensor", "T", "--history", &self.path("h")], more].concat())
    }

    /// Feeds a capture that must be refused because it overlaps another one, which changes nothing.
    fn refuse(&self, name: &str, capture: &[u8], stored: &str) {
        let before = self.hours();
        let called = self.try_feed(name, capture, &[]);
        assert_eq!(called.code, 2, "{}{}", called.stdout, called.stderr);
        let said = |words: &str| called.stderr.contains(words);
        assert!(said(stored) && said("recorded already") && said("--overlap skip"), "{}", called.stderr);
        assert_eq!(self.hours(), before);
    }

    /// Packets of each day with a value.
    fn days(&self) -> Vec<(String, u64)> {
        self.column("day", 4)
    }

    /// Packets of each hour with a value.
    fn hours(&self) -> Vec<(String, u64)> {
        self.column("hour", 4)
    }

    /// The numbers of a column: 4 are packets, 6 windows.
    fn column(&self, by: &str, column: usize) -> Vec<(String, u64)> {
        let db = self.path("h");
        let called = inga(&["series", "--history", &db, "--sensor", "T", "--by", by, "--format", "csv"]);
        assert_eq!(called.code, 0, "{}", called.stderr);
        // sensor, of, first day or hour, observed days or hours, packets, hosts, windows
        let rows = called.stdout.lines().skip(1).filter_map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            Some((fields[2].to_owned(), fields[column].parse().ok()?))
        });
        rows.collect()
    }

    /// All packets.
    fn packets(&self) -> u64 {
        self.days().iter().map(|(_, packets)| packets).sum()
    }
}

/// A pcap with a SYN of one host at each time, in seconds.
fn capture(times: impl IntoIterator<Item = u64>) -> Vec<u8> {
    capture_of(9, times)
}

/// The same of 203.0.113.`host`.
fn capture_of(host: u8, times: impl IntoIterator<Item = u64>) -> Vec<u8> {
    let mut pcap = Pcap::new(RAW_IP);
    for time in times {
        pcap.add(time * 1_000_000, syn(host, time));
    }
    pcap.bytes()
}

fn syn(host: u8, time: u64) -> Vec<u8> {
    let to = (Ipv4Addr::new(192, 0, 2, u8::try_from(time / 60 % 256).unwrap()), 445);
    tcp((Ipv4Addr::new(203, 0, 113, host), 1025), to, "S", 1, b"")
}

/// Seconds from one to before another of the first day, so many apart.
fn seconds(from: u64, to: u64, apart: usize) -> impl Iterator<Item = u64> {
    (START + from..START + to).step_by(apart)
}

fn hourly(day: u64) -> impl Iterator<Item = u64> {
    (0..24).map(move |hour| START + (24 * day + hour) * HOUR)
}

fn day(day: u64, packets: u64) -> (String, u64) {
    (format!("2024-06-{}", 20 + day), packets)
}

#[test]
fn wrong_clocks_leave_no_days() {
    // At boot, one flipped bit, the last second of 32 bits.
    for wrong in [vec![5], vec![START + (1 << 31)], vec![0, 1, 86_400, 4_294_967_295]] {
        let history = History::new();
        let called = history.feed("a.pcap", &capture(hourly(0).chain(wrong.clone())), &[]);
        assert!(called.stderr.contains(&format!("{} × time before 1990", wrong.len())), "{}", called.stderr);
        let later = history.feed("b.pcap", &capture(hourly(1)), &[]);
        assert!(!later.stderr.contains("fed already"), "later captures are not late: {}", later.stderr);
        assert_eq!(history.days(), [day(0, 24), day(1, 24)], "{wrong:?}");
    }
    let history = History::new();
    history.feed("a.pcap", &capture([5, 65]), &["--accept-times"]);
    assert_eq!(history.days(), [("1970-01-01".to_owned(), 2)]);
}

#[test]
fn days_between_merged_files_have_no_value() {
    let history = History::new();
    history.feed("merged.pcap", &capture(hourly(0).chain(hourly(9))), &[]);
    assert_eq!(history.days(), [day(0, 24), day(9, 24)]);
}

#[test]
fn a_file_that_grows_is_counted_once() {
    let whole = capture(hourly(0));
    let record = 16 + 20 + 28;
    let history = History::new();
    // Cut after ten records, then within the sixteenth, then whole, also compressed and under another name.
    history.feed("a.pcap", &whole[..24 + 10 * record], &[]);
    history.feed("a.pcap", &whole[..24 + 15 * record + 20], &[]);
    assert_eq!(history.days(), [day(0, 15)]);
    let called = history.feed("b.pcap", &whole, &[]);
    assert!(called.stderr.contains("continues a stored capture"), "{}", called.stderr);
    history.feed("c.pcap.zst", &zstd::encode_all(whole.as_slice(), 3).unwrap(), &[]);
    assert_eq!(history.days(), [day(0, 24)]);
    // The history is that of the whole file, windows included.
    let other = History::new();
    other.feed("whole.pcap", &whole, &[]);
    assert_eq!(other.days(), history.days());
    let host = |history: &History| {
        inga(&["host", "203.0.113.9", "--history", &history.path("h"), "--format", "json"]).stdout
    };
    assert_eq!(host(&other), host(&history));
}

#[test]
fn a_time_far_from_its_neighbours_is_left_out() {
    // A packet every ten seconds; one of them says May, and one last year.
    let history = History::new();
    let times: Vec<u64> = seconds(0, HOUR, 10).collect();
    let mut bytes = capture(times.clone());
    let record = 16 + 20 + 28;
    for (number, wrong) in [(100, START - 40 * 24 * HOUR), (200, START - 400 * 24 * HOUR)] {
        let at = 24 + number * record;
        bytes[at..at + 4].copy_from_slice(&u32::try_from(wrong).unwrap().to_le_bytes());
    }
    let called = history.feed("a.pcap", &bytes, &[]);
    assert!(called.stderr.contains("2 × time far from"), "{}", called.stderr);
    assert!(!called.stderr.contains("sorted"), "{}", called.stderr);
    assert_eq!(history.days(), [day(0, 358)]);
    let lenient = History::new();
    lenient.feed("a.pcap", &bytes, &["--accept-times"]);
    assert_eq!(lenient.packets(), 360);
}

#[test]
fn hours_of_silence_within_a_capture_have_no_value() {
    let history = History::new();
    let times = seconds(0, 2 * HOUR, 1).chain(seconds(5 * HOUR, 6 * HOUR, 1));
    history.feed("a.pcap", &capture(times), &[]);
    let hours: Vec<u64> = history.hours().into_iter().map(|(_, packets)| packets).collect();
    assert_eq!(hours, [3600, 3600, 3600]);
    // A packet each ten minutes: hours without one are zeros.
    let rare = History::new();
    rare.feed("a.pcap", &capture(seconds(0, 2 * HOUR, 600).chain(seconds(5 * HOUR, 24 * HOUR, 600))), &[]);
    assert_eq!(rare.hours().len(), 24);
    // What lies in the silence can be fed later.
    let late = history.feed("b.pcap", &capture(seconds(2 * HOUR + 1, 5 * HOUR - 1, 1)), &[]);
    assert!(late.stderr.contains("begins before what was fed already"), "{}", late.stderr);
    assert_eq!(history.hours().len(), 6);
}

#[test]
fn a_capture_of_another_sensor_is_no_coverage() {
    let history = History::new();
    let mut pcap = Pcap::new(RAW_IP);
    for time in seconds(0, HOUR, 60) {
        let (from, to) = ((Ipv4Addr::new(203, 0, 113, 9), 1), (Ipv4Addr::new(198, 51, 100, 1), 445));
        pcap.add(time * 1_000_000, tcp(from, to, "S", 1, b""));
    }
    let other = pcap.bytes();
    let called = history.feed("other.pcap", &other, &[]);
    assert!(called.stderr.contains("no packet to a dark address of sensor T"), "{}", called.stderr);
    assert_eq!(history.days(), []);
    // Unless the user vouches for it.
    let called = history.feed("other.pcap", &other, &["--covers", "2024-06-20T00:00..2024-06-20T01:00"]);
    assert!(called.stdout.contains("3600 s more"), "{}", called.stdout);
    let hours = history.hours();
    assert!(
        hours.len() == 1 && hours[0].0.starts_with("2024-06-20T00:00:00") && hours[0].1 == 0,
        "{hours:?}"
    );
}

#[test]
fn recorded_silence_is_zero_where_the_user_says_so() {
    let header = capture([]);
    let history = History::new();
    let called = history.feed("silent.pcap", &header, &[]);
    assert!(called.stderr.contains("no packet"), "{}", called.stderr);
    assert_eq!(history.days(), []);
    // Two silent hours are files of the same bytes.
    history.feed("silent1.pcap", &header, &["--covers", "2024-06-20T00:00:00Z..2024-06-20T01:00:00Z"]);
    history.feed("silent2.pcap", &header, &["--covers", "2024-06-20T01:00:00Z..2024-06-20T02:00:00Z"]);
    let again =
        history.feed("silent2.pcap", &header, &["--covers", "2024-06-20T01:00:00Z..2024-06-20T02:00:00Z"]);
    assert!(again.stdout.contains(" 0 s more"), "{}", again.stdout);
    assert_eq!(history.hours().len(), 2);
    // What was recorded stays as it is, windows that are open included, and packets may still come.
    history.feed("a.pcap", &capture(seconds(HOUR, HOUR + 20, 1)), &[]);
    history.feed("silent.pcap", &header, &["--covers", "2024-06-20..2024-06-21"]);
    history.feed("b.pcap", &capture(seconds(HOUR + 20, HOUR + 40, 1)), &[]);
    assert_eq!(history.days(), [day(0, 40), day(1, 0)]);
    let whole = History::new();
    whole.feed("a.pcap", &capture(seconds(HOUR, HOUR + 40, 1)), &[]);
    assert_eq!(history.column("day", 6), [day(0, 2), day(1, 0)]);
    assert_eq!(whole.column("day", 6), [day(0, 2)]);
    for wrong in ["2024-06-20", "2024-06-21..2024-06-20", "1969-01-01..1969-01-02", "2999-01-01..2999-01-02"]
    {
        let called = history.try_feed("silent.pcap", &header, &["--covers", wrong]);
        assert_eq!(called.code, 2, "{wrong}: {}", called.stderr);
    }
}

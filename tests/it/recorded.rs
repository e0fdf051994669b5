//! What a history takes as recorded: wrong clocks, merged files and files that grow, as `inga observe` meets them.

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
            inga(&["sensor", "add", "T", "--history", &history.path("h.db"), "--prefix", "192.0.2.0/24"]);
        assert_eq!(added.code, 0, "{}", added.stderr);
        history
    }

    fn path(&self, name: &str) -> String {
        arg(&self.folder.path().join(name)).to_owned()
    }

    fn feed(&self, name: &str, capture: &[u8], more: &[&str]) -> Called {
        let path = PathBuf::from(self.path(name));
        std::fs::write(&path, capture).unwrap();
        let db = self.path("h.db");
        let called = inga(&[&["observe", arg(&path), "--sensor", "T", "--history", &db], more].concat());
        assert_eq!(called.code, 0, "{}", called.stderr);
        called
    }

    /// Packets of each day with a value.
    fn days(&self) -> Vec<(String, u64)> {
        let db = self.path("h.db");
        let series = ["series", "--history", &db, "--sensor", "T", "--value", "packets", "--format", "csv"];
        let called = inga(&series);
        assert_eq!(called.code, 0, "{}", called.stderr);
        // sensor, of, first day, observed days, packets
        let rows = called.stdout.lines().skip(1).filter_map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            Some((fields[2].to_owned(), fields[4].parse().ok()?))
        });
        rows.collect()
    }
}

/// A pcap with a SYN of one host at each time, in seconds.
fn capture(times: impl IntoIterator<Item = u64>) -> Vec<u8> {
    let mut pcap = Pcap::new(RAW_IP);
    let from = (Ipv4Addr::new(203, 0, 113, 9), 1025);
    for time in times {
        let to = (Ipv4Addr::new(192, 0, 2, u8::try_from(time / 60 % 256).unwrap()), 445);
        pcap.add(time * 1_000_000, tcp(from, to, "S", 1, b""));
    }
    pcap.bytes()
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
        inga(&["host", "203.0.113.9", "--history", &history.path("h.db"), "--format", "json"]).stdout
    };
    assert_eq!(host(&other), host(&history));
}

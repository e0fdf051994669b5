//! Histories of each version of the format, kept as they were written: every later program must give these answers.
//!
//! `tests/golden/history-N` is what the first release that wrote version N made of the captures here. **It is never made again
//! for a version that was released**, and neither are the answers in this file: a program that answers otherwise is wrong.
//! Before the first release of a version (never afterwards):
//!
//!     INGA_MAKE=1 cargo test --test it -- golden::make --ignored
//!
//! The catalog is kept compressed, since most of its pages are empty.

use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

use inga::store::HistoryStore;
use tempfile::TempDir;

use crate::command::{arg, inga, inga_with};
use crate::held::{self, Held};
use crate::make::packets::{Pcap, RAW_IP, ping, tcp, udp};

/// 2009-02-10 00:00:00 UTC, in microseconds.
const FEBRUARY: u64 = 1_234_224_000_000_000;
const SECOND: u64 = 1_000_000;
const DAY: u64 = 86_400 * SECOND;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/history-1")
}

/// A TCP SYN in IPv6, from 2001:db8:77::1 (RFC 8200, section 3; RFC 9293, section 3.1). Its checksum is left out.
fn syn_in_ipv6(to: Ipv6Addr, port: u16) -> Vec<u8> {
    let from: Ipv6Addr = "2001:db8:77::1".parse().unwrap();
    let mut packet = vec![0x60, 0, 0, 0, 0, 20, 6, 64];
    packet.extend(from.octets().into_iter().chain(to.octets()));
    packet.extend([4_000_u16.to_be_bytes(), port.to_be_bytes()].concat());
    packet.extend([0, 0, 0, 7, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0]);
    packet
}

/// Some hosts on a day: a retried knock, a window of two services, a single probe, a ping, a datagram, and one in IPv6.
fn capture(start: u64, net: [u8; 3]) -> Vec<u8> {
    let at = |host: u8| [net[0], net[1], net[2], host].into();
    let from = |host: u8, port: u16| ([100, 64, 0, host].into(), port);
    let mut pcap = Pcap::new(RAW_IP);
    pcap.add(start, tcp(from(1, 1061), (at(7), 445), "S", 1, b""));
    pcap.add(start + 3 * SECOND, tcp(from(1, 1061), (at(7), 445), "S", 1, b""));
    pcap.add(start + 10 * SECOND, tcp(from(2, 4001), (at(9), 139), "S", 2, b""));
    pcap.add(start + 11 * SECOND, tcp(from(2, 4002), (at(9), 445), "S", 3, b""));
    pcap.add(start + 20 * SECOND, tcp(from(3, 5000), (at(11), 80), "S", 54_321, b""));
    pcap.add(start + 21 * SECOND, ping([100, 64, 0, 4].into(), at(12), 1));
    pcap.add(start + 22 * SECOND, udp(from(5, 1434), (at(13), 1434), b"x"));
    pcap.add(start + 23 * SECOND, syn_in_ipv6("2001:db8:5::17".parse().unwrap(), 23));
    // An hour later the first host comes once more.
    pcap.add(start + 3_600 * SECOND, tcp(from(1, 1062), (at(8), 445), "S", 1, b""));
    pcap.add(start + 3_603 * SECOND, tcp(from(1, 1062), (at(8), 445), "S", 1, b""));
    pcap.bytes()
}

fn called(args: &[&str]) -> String {
    let called = inga(args);
    assert_eq!(called.code, 0, "{args:?}: {}", called.stderr);
    called.stdout
}

/// Makes a history that has everything: a month without its sightings, one that is merged, days, what is still open,
/// IPv6, facets, marks, an outage, a sample.
fn make_history(history: &str) {
    let north =
        ["--prefix", "203.0.113.0/24", "--prefix", "2001:db8:5::/64", "--time-zone", "America/New_York"];
    called(&[&["sensor", "add", "north", "--history", history][..], &north].concat());
    called(&["sensor", "add", "south", "--history", history, "--prefix", "198.51.100.0/24"]);
    for (sensor, net) in [("north", [203, 0, 113]), ("south", [198, 51, 100])] {
        // 10 February, 8 and 9 March (clocks go forward on the 8th in New York), 10 April.
        for day in [0, 26, 27, 59] {
            let bytes = capture(FEBRUARY + day * DAY + DAY / 2, net);
            let fed = inga_with(&["observe", "--sensor", sensor, "--history", history, "-"], &bytes);
            assert_eq!(fed.code, 0, "{}", fed.stderr);
        }
    }
    let outage = ["--from", "2009-02-27", "--to", "2009-03-03", "--reason", "data loss"];
    called(&[&["sensor", "outage", "south", "--history", history][..], &outage].concat());
    called(&["sample", "add", "samples/a2eaf57c47a118e91a5edf694685eee7/report.yaml", "--history", history]);
    called(&["history", "compact", "--history", history]);
    called(&["history", "retain", "--from", "2009-03-01", "--yes", "--history", history]);
}

/// Makes the golden history of the version that is not released yet.
#[test]
#[ignore = "a golden history is made once"]
fn make() {
    assert_eq!(std::env::var("INGA_MAKE").as_deref(), Ok("1"), "it is made only where that is asked for");
    let (folder, to) = (TempDir::new().unwrap(), golden());
    let history = folder.path().join("history");
    make_history(arg(&history));
    if to.exists() {
        std::fs::remove_dir_all(&to).unwrap();
    }
    for entry in walkdir::WalkDir::new(&history).into_iter().map(Result::unwrap) {
        let path = to.join(entry.path().strip_prefix(&history).unwrap());
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(&path).unwrap();
        } else if entry.file_name() == "catalog.sqlite" {
            let bytes = std::fs::read(entry.path()).unwrap();
            std::fs::write(path.with_extension("sqlite.zst"), zstd::encode_all(&bytes[..], 19).unwrap())
                .unwrap();
        } else if entry.path().extension().is_some_and(|ending| ending == "parquet") {
            std::fs::copy(entry.path(), &path).unwrap();
        }
    }
}

/// Copies the golden history, since whoever asks may make files beside the catalog.
fn copy(folder: &Path) -> PathBuf {
    let history = folder.join("history");
    for entry in walkdir::WalkDir::new(golden()).into_iter().map(Result::unwrap) {
        let path = history.join(entry.path().strip_prefix(golden()).unwrap());
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(&path).unwrap();
        } else if entry.file_name() == "catalog.sqlite.zst" {
            let bytes = zstd::decode_all(std::fs::File::open(entry.path()).unwrap()).unwrap();
            std::fs::write(path.with_extension(""), bytes).unwrap();
        } else {
            std::fs::copy(entry.path(), &path).unwrap();
        }
    }
    history
}

fn lines(history: &Path) -> String {
    let line = |held: &Held| {
        let Held { sensor, canonical, sighting } = held;
        let inga::history::Sighting { day, host, counts, .. } = sighting;
        let inga::history::SightingCounts { windows, packets, first, last, hours, marks } = counts;
        format!(
            "{sensor} {day} {host} {canonical} {windows} {packets} {first} {last} {hours:#x} {marks:#x}\n"
        )
    };
    held::sightings(history).iter().map(line).collect()
}

fn totals(history: &Path) -> String {
    let store = held::open(history);
    let mut lines = String::new();
    for sensor in store.sensors().unwrap() {
        for total in store.totals(&sensor.name).unwrap() {
            let inga::history::DayCount { day, windows, packets, hosts } = total.count;
            lines.push_str(&format!("{} {day} {windows} {packets} {hosts} {}\n", sensor.name, total.types));
        }
    }
    lines
}

#[test]
fn a_history_of_version_1_is_read_as_it_was_written() {
    let folder = TempDir::new().unwrap();
    let history = copy(folder.path());
    let size: u64 = walkdir::WalkDir::new(golden())
        .into_iter()
        .map(|entry| entry.unwrap().metadata().unwrap())
        .filter(|found| found.is_file())
        .map(|found| found.len())
        .sum();
    assert!((10_000..60_000).contains(&size), "{size} bytes");
    assert_eq!(totals(&history), TOTALS);
    assert_eq!(lines(&history), SIGHTINGS);
    let db = arg(&history);
    assert!(called(&["history", "verify", "--history", db]).contains("all as it was written"));
}

/// Sensor, day, windows, packets, hosts, types. The sightings of February were dropped, its totals were not.
const TOTALS: &str = "\
north 2009-02-10 7 10 6 6
north 2009-03-08 7 10 6 6
north 2009-03-09 7 10 6 6
north 2009-04-10 7 10 6 6
south 2009-02-10 6 9 5 5
south 2009-03-08 6 9 5 5
south 2009-03-09 6 9 5 5
south 2009-04-10 6 9 5 5
";

/// Sensor, day, host, type, windows, packets, first and last packet, hours, marks. On 8 March New York's day has no hour 2, so
/// that noon in UTC lies in its eighth hour.
const SIGHTINGS: &str = "\
north 2009-03-08 100.64.0.3 bt1|sp=1|pk=1|dp=1|di=1|tr=-|pt=80|pr=TCP:S 1 1 2009-03-08T12:00:20.000000000Z 2009-03-08T12:00:20.000000000Z 0x80 0x0
north 2009-03-09 100.64.0.3 bt1|sp=1|pk=1|dp=1|di=1|tr=-|pt=80|pr=TCP:S 1 1 2009-03-09T12:00:20.000000000Z 2009-03-09T12:00:20.000000000Z 0x100 0x0
north 2009-04-10 100.64.0.3 bt1|sp=1|pk=1|dp=1|di=1|tr=-|pt=80|pr=TCP:S 1 1 2009-04-10T12:00:20.000000000Z 2009-04-10T12:00:20.000000000Z 0x100 0x0
north 2009-03-08 100.64.0.5 bt1|sp=1|pk=1|dp=1|di=1|tr=-|pt=1434|pr=UDP 1 1 2009-03-08T12:00:22.000000000Z 2009-03-08T12:00:22.000000000Z 0x80 0x0
north 2009-03-09 100.64.0.5 bt1|sp=1|pk=1|dp=1|di=1|tr=-|pt=1434|pr=UDP 1 1 2009-03-09T12:00:22.000000000Z 2009-03-09T12:00:22.000000000Z 0x100 0x0
north 2009-04-10 100.64.0.5 bt1|sp=1|pk=1|dp=1|di=1|tr=-|pt=1434|pr=UDP 1 1 2009-04-10T12:00:22.000000000Z 2009-04-10T12:00:22.000000000Z 0x100 0x0
north 2009-03-08 100.64.0.1 bt1|sp=1|pk=2|dp=1|di=1|tr=-|pt=445|pr=TCP:S 2 4 2009-03-08T12:00:00.000000000Z 2009-03-08T13:00:03.000000000Z 0x180 0x0
north 2009-03-09 100.64.0.1 bt1|sp=1|pk=2|dp=1|di=1|tr=-|pt=445|pr=TCP:S 2 4 2009-03-09T12:00:00.000000000Z 2009-03-09T13:00:03.000000000Z 0x300 0x0
north 2009-04-10 100.64.0.1 bt1|sp=1|pk=2|dp=1|di=1|tr=-|pt=445|pr=TCP:S 2 4 2009-04-10T12:00:00.000000000Z 2009-04-10T13:00:03.000000000Z 0x300 0x0
north 2009-03-08 100.64.0.2 bt1|sp=2|pk=2|dp=2|di=1|tr=-|pt=139,445|pr=TCP:S 1 2 2009-03-08T12:00:10.000000000Z 2009-03-08T12:00:11.000000000Z 0x80 0x0
north 2009-03-09 100.64.0.2 bt1|sp=2|pk=2|dp=2|di=1|tr=-|pt=139,445|pr=TCP:S 1 2 2009-03-09T12:00:10.000000000Z 2009-03-09T12:00:11.000000000Z 0x100 0x0
north 2009-04-10 100.64.0.2 bt1|sp=2|pk=2|dp=2|di=1|tr=-|pt=139,445|pr=TCP:S 1 2 2009-04-10T12:00:10.000000000Z 2009-04-10T12:00:11.000000000Z 0x100 0x0
north 2009-03-08 100.64.0.4 bt1|sp=0|pk=1|dp=0|di=1|tr=-|pt=-|pr=ICMP 1 1 2009-03-08T12:00:21.000000000Z 2009-03-08T12:00:21.000000000Z 0x80 0x8
north 2009-03-09 100.64.0.4 bt1|sp=0|pk=1|dp=0|di=1|tr=-|pt=-|pr=ICMP 1 1 2009-03-09T12:00:21.000000000Z 2009-03-09T12:00:21.000000000Z 0x100 0x8
north 2009-04-10 100.64.0.4 bt1|sp=0|pk=1|dp=0|di=1|tr=-|pt=-|pr=ICMP 1 1 2009-04-10T12:00:21.000000000Z 2009-04-10T12:00:21.000000000Z 0x100 0x8
north 2009-03-08 2001:db8:77::1 bt1|sp=1|pk=1|dp=1|di=1|tr=-|pt=23|pr=TCP:S 1 1 2009-03-08T12:00:23.000000000Z 2009-03-08T12:00:23.000000000Z 0x80 0x0
north 2009-03-09 2001:db8:77::1 bt1|sp=1|pk=1|dp=1|di=1|tr=-|pt=23|pr=TCP:S 1 1 2009-03-09T12:00:23.000000000Z 2009-03-09T12:00:23.000000000Z 0x100 0x0
north 2009-04-10 2001:db8:77::1 bt1|sp=1|pk=1|dp=1|di=1|tr=-|pt=23|pr=TCP:S 1 1 2009-04-10T12:00:23.000000000Z 2009-04-10T12:00:23.000000000Z 0x100 0x0
south 2009-03-08 100.64.0.3 bt1|sp=1|pk=1|dp=1|di=1|tr=-|pt=80|pr=TCP:S 1 1 2009-03-08T12:00:20.000000000Z 2009-03-08T12:00:20.000000000Z 0x1000 0x0
south 2009-03-09 100.64.0.3 bt1|sp=1|pk=1|dp=1|di=1|tr=-|pt=80|pr=TCP:S 1 1 2009-03-09T12:00:20.000000000Z 2009-03-09T12:00:20.000000000Z 0x1000 0x0
south 2009-04-10 100.64.0.3 bt1|sp=1|pk=1|dp=1|di=1|tr=-|pt=80|pr=TCP:S 1 1 2009-04-10T12:00:20.000000000Z 2009-04-10T12:00:20.000000000Z 0x1000 0x0
south 2009-03-08 100.64.0.5 bt1|sp=1|pk=1|dp=1|di=1|tr=-|pt=1434|pr=UDP 1 1 2009-03-08T12:00:22.000000000Z 2009-03-08T12:00:22.000000000Z 0x1000 0x0
south 2009-03-09 100.64.0.5 bt1|sp=1|pk=1|dp=1|di=1|tr=-|pt=1434|pr=UDP 1 1 2009-03-09T12:00:22.000000000Z 2009-03-09T12:00:22.000000000Z 0x1000 0x0
south 2009-04-10 100.64.0.5 bt1|sp=1|pk=1|dp=1|di=1|tr=-|pt=1434|pr=UDP 1 1 2009-04-10T12:00:22.000000000Z 2009-04-10T12:00:22.000000000Z 0x1000 0x0
south 2009-03-08 100.64.0.1 bt1|sp=1|pk=2|dp=1|di=1|tr=-|pt=445|pr=TCP:S 2 4 2009-03-08T12:00:00.000000000Z 2009-03-08T13:00:03.000000000Z 0x3000 0x0
south 2009-03-09 100.64.0.1 bt1|sp=1|pk=2|dp=1|di=1|tr=-|pt=445|pr=TCP:S 2 4 2009-03-09T12:00:00.000000000Z 2009-03-09T13:00:03.000000000Z 0x3000 0x0
south 2009-04-10 100.64.0.1 bt1|sp=1|pk=2|dp=1|di=1|tr=-|pt=445|pr=TCP:S 2 4 2009-04-10T12:00:00.000000000Z 2009-04-10T13:00:03.000000000Z 0x3000 0x0
south 2009-03-08 100.64.0.2 bt1|sp=2|pk=2|dp=2|di=1|tr=-|pt=139,445|pr=TCP:S 1 2 2009-03-08T12:00:10.000000000Z 2009-03-08T12:00:11.000000000Z 0x1000 0x0
south 2009-03-09 100.64.0.2 bt1|sp=2|pk=2|dp=2|di=1|tr=-|pt=139,445|pr=TCP:S 1 2 2009-03-09T12:00:10.000000000Z 2009-03-09T12:00:11.000000000Z 0x1000 0x0
south 2009-04-10 100.64.0.2 bt1|sp=2|pk=2|dp=2|di=1|tr=-|pt=139,445|pr=TCP:S 1 2 2009-04-10T12:00:10.000000000Z 2009-04-10T12:00:11.000000000Z 0x1000 0x0
south 2009-03-08 100.64.0.4 bt1|sp=0|pk=1|dp=0|di=1|tr=-|pt=-|pr=ICMP 1 1 2009-03-08T12:00:21.000000000Z 2009-03-08T12:00:21.000000000Z 0x1000 0x8
south 2009-03-09 100.64.0.4 bt1|sp=0|pk=1|dp=0|di=1|tr=-|pt=-|pr=ICMP 1 1 2009-03-09T12:00:21.000000000Z 2009-03-09T12:00:21.000000000Z 0x1000 0x8
south 2009-04-10 100.64.0.4 bt1|sp=0|pk=1|dp=0|di=1|tr=-|pt=-|pr=ICMP 1 1 2009-04-10T12:00:21.000000000Z 2009-04-10T12:00:21.000000000Z 0x1000 0x8
";

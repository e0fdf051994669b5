//! Merged months: the same answers, late captures, what is kept when sightings are dropped, damage.

use std::collections::BTreeMap;
use std::path::Path;

use inga::behavior::Behavior;
use tempfile::TempDir;

use crate::command::{arg, inga};
use crate::held;

/// Captures of a sensor of the shipped darknet, fed in this order.
const MONTHS: [&str; 6] = ["2008-11", "2008-12", "2009-02", "2009-03", "2009-04", "2009-01"];

fn history(folder: &Path, name: &str) -> String {
    let db = arg(&folder.join(name)).to_owned();
    let add = [
        "sensor",
        "add",
        "north",
        "--history",
        &db,
        "--prefix",
        "203.0.113.0/24",
        "--time-zone",
        "Asia/Tokyo",
    ];
    assert_eq!(inga(&add).code, 0);
    db
}

fn feed(db: &str, months: &[&str]) {
    for month in months {
        let capture = format!("samples/darknet/north/{month}.pcap.zst");
        let fed = inga(&["observe", "--sensor", "north", "--history", db, &capture]);
        assert_eq!(fed.code, 0, "{}", fed.stderr);
    }
}

fn called(args: &[&str]) -> String {
    let called = inga(args);
    assert_eq!(called.code, 0, "{args:?}: {}", called.stderr);
    called.stdout
}

/// All that can be asked of its sightings, as text.
fn answers(db: &str) -> Vec<String> {
    let all = held::sightings(Path::new(db));
    let mut windows: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for held in &all {
        *windows.entry((&held.canonical, &held.sensor)).or_default() += held.sighting.counts.windows;
    }
    let mut frequent: Vec<_> = windows.into_iter().map(|(key, windows)| (windows, key)).collect();
    frequent.sort_unstable();
    // Types that were seen once, and often.
    let tile = |(_, (canonical, sensor)): &(u64, (&str, &str))| {
        let id = Behavior::new((*canonical).to_owned()).id.to_string();
        called(&["tile", "--type", &id, "--sensor", sensor, "--history", db])
    };
    let tiles = frequent.iter().take(9).chain(frequent.iter().rev().take(9)).map(tile);
    let host = all[all.len() / 2].sighting.host.to_string();
    vec![
        tiles.collect::<Vec<_>>().concat(),
        held::sighting_lines(Path::new(db)),
        held::daily_lines(Path::new(db)),
        called(&["series", "--history", db, "--filter", "445/tcp", "--by", "week", "--format", "csv"]),
        called(&["series", "--history", db, "--by", "hour", "--from", "2009-03-01", "--format", "csv"]),
        called(&["series", "--history", db, "--by", "all", "--source", "100.64.0.0/20", "--format", "csv"]),
        called(&["series", "--history", db, "--format", "csv"]),
        called(&["host", &host, "--history", db]),
        called(&["host", "100.127.255.254", "--history", db]),
    ]
}

/// Files of one kind in a history.
fn files(db: &str, kind: &str) -> usize {
    let files = walkdir::WalkDir::new(Path::new(db).join(kind)).into_iter().flatten();
    // What the last capture left open is no part of a merge.
    let closed = |entry: &walkdir::DirEntry| !entry.file_name().to_str().unwrap().contains("-open");
    files.filter(|entry| entry.file_type().is_file() && closed(entry)).count()
}

#[test]
fn merged_months_answer_as_the_days_did() {
    let folder = TempDir::new().unwrap();
    let (days, months) = (history(folder.path(), "days"), history(folder.path(), "months"));
    feed(&days, &MONTHS);
    let expected = answers(&days);
    assert!(expected[1].lines().count() > 1000, "{}", expected[1]);

    // January comes when the months about it are merged, and lies in a month of its own.
    feed(&months, &MONTHS[..5]);
    called(&["history", "compact", "--history", &months]);
    feed(&months, &MONTHS[5..]);
    assert_eq!(answers(&months), expected);
    called(&["history", "compact", "--all", "--history", &months]);
    // The last hours of a month are the first day of the next one in Tokyo, so that May has a segment, too.
    assert_eq!(files(&months, "sightings"), 7);
    assert_eq!(answers(&months), expected);
    assert!(called(&["history", "verify", "--history", &months]).contains("all as it was written"));
    let again = called(&["history", "compact", "--all", "--history", &months]);
    assert!(again.starts_with("0 days and 0 months"), "{again}");
}

/// A part of a month comes when that month is merged: both count, before and after the next time.
#[test]
fn a_late_capture_lies_beside_its_month() {
    let folder = TempDir::new().unwrap();
    let (days, months) = (history(folder.path(), "days"), history(folder.path(), "months"));
    let south = "samples/darknet/south/2009-03.pcap.zst";
    // South's packets go to other addresses: as those of a sensor that has both they are a late part of March.
    for db in [&days, &months] {
        let prefixes = "203.0.113.0/24,198.51.100.0/24".split(',').flat_map(|prefix| ["--prefix", prefix]);
        let add = ["sensor", "add", "both", "--history", db];
        assert_eq!(inga(&add.into_iter().chain(prefixes).collect::<Vec<_>>()).code, 0);
        called(&["observe", "--sensor", "both", "--history", db, "samples/darknet/north/2009-03.pcap.zst"]);
    }
    called(&["history", "compact", "--all", "--history", &months]);
    for db in [&days, &months] {
        called(&["observe", "--overlap", "add", "--sensor", "both", "--history", db, south]);
    }
    let expected = answers(&days);
    assert_eq!(answers(&months), expected);
    called(&["history", "compact", "--all", "--history", &months]);
    assert_eq!(answers(&months), expected);
    assert!(called(&["history", "verify", "--history", &months]).contains("all as it was written"));
}

#[test]
fn dropped_sightings_leave_the_counts() {
    let folder = TempDir::new().unwrap();
    let db = history(folder.path(), "a");
    feed(&db, &MONTHS[1..5]);
    let counts = held::daily_lines(Path::new(&db));
    let days = called(&["series", "--history", &db, "--format", "csv"]);
    let since =
        ["series", "--history", &db, "--filter", "445/tcp", "--from", "2009-03-01", "--format", "csv"];
    let kept = called(&since);
    let retain = ["history", "retain", "--from", "2009-03-15", "--history", &db];
    let asked = inga(&retain);
    assert!(asked.code == 2 && asked.stderr.contains("--yes"), "nobody can be asked: {}", asked.stderr);
    let late = inga(&["history", "retain", "--from", "2010-01-01", "--yes", "--history", &db]);
    assert!(late.code == 2 && late.stderr.contains("2009-05-0"), "nothing would be left: {}", late.stderr);
    assert_eq!(held::daily_lines(Path::new(&db)), counts);
    let yes = [&retain[..], &["--yes"]].concat();
    let done = called(&yes);
    assert!(done.starts_with("dropped ") && done.contains("of 3 months of sensors"), "{done}");

    assert_eq!(held::daily_lines(Path::new(&db)), counts);
    assert_eq!(called(&["series", "--history", &db, "--format", "csv"]), days);
    assert_eq!(called(&since), kept);
    // Every question is answered from what is left.
    let sample = "samples/a2eaf57c47a118e91a5edf694685eee7/report.yaml";
    for question in [
        &["series", "--filter", "445/tcp"][..],
        &["surges"],
        &["types"],
        &["correlate", sample],
        &["explain", "--surges", sample],
        &["explain", "--sensor", "north", "--from", "2009-03-20", sample],
        &["cohort", "--before", "445/tcp", "--after", "23/tcp", "--around", "2009-03-20"],
        &["host", "100.64.0.1"],
    ] {
        let answered = inga(&[question, &["--history", &db]].concat());
        assert!(answered.code <= 1, "{question:?}: {}", answered.stderr);
        assert!(
            answered.stderr.contains("before 2009-03-01 were dropped"),
            "{question:?}: {}",
            answered.stderr
        );
    }
    let late =
        inga(&["observe", "--sensor", "north", "--history", &db, "samples/darknet/north/2009-01.pcap.zst"]);
    assert!(late.code == 2 && late.stderr.contains("were dropped"), "{}", late.stderr);
    assert!(called(&["history", "verify", "--history", &db]).contains("all as it was written"));
    assert!(called(&yes).starts_with("dropped 0 sightings"));
}

/// Every byte of segments is covered by a hash, and every row of the catalog by a checksum.
#[test]
fn a_flipped_bit_is_found_wherever_it_lies() {
    let folder = TempDir::new().unwrap();
    let db = history(folder.path(), "a");
    feed(&db, &["2009-03"]);
    assert_eq!(
        inga(&["sensor", "outage", "north", "--history", &db, "--from", "2009-02-01", "--to", "2009-02-02"])
            .code,
        0
    );
    called(&["sample", "add", "samples/a2eaf57c47a118e91a5edf694685eee7/report.yaml", "--history", &db]);
    called(&["history", "compact", "--all", "--history", &db]);
    let before = held::sighting_lines(Path::new(&db)) + &held::daily_lines(Path::new(&db));
    let entries = walkdir::WalkDir::new(&db).sort_by_file_name().into_iter().flatten();
    let mut places = 0u32;
    for entry in entries.filter(|entry| entry.file_type().is_file()) {
        let path = entry.path();
        let whole = std::fs::read(path).unwrap();
        let step = (whole.len() / 25).max(1);
        for at in (0..whole.len()).step_by(step) {
            let mut changed = whole.clone();
            changed[at] ^= 1 << (at % 8);
            std::fs::write(path, &changed).unwrap();
            places += 1;
            let verified = inga(&["history", "verify", "--history", &db]);
            if verified.code == 0 {
                // SQLite has bytes that mean nothing, such as the rest of a page.
                assert_eq!(
                    path.extension().unwrap(),
                    "sqlite",
                    "{} byte {at} went unnoticed",
                    path.display()
                );
                let now = held::sighting_lines(Path::new(&db)) + &held::daily_lines(Path::new(&db));
                assert!(now == before, "{} byte {at} changed an answer, unnoticed", path.display());
            }
        }
        std::fs::write(path, &whole).unwrap();
    }
    assert!(places > 100, "{places}");
    assert_eq!(inga(&["history", "verify", "--history", &db]).code, 0);
}

//! Long-term observation: series, hosts and cohorts, on real captures and on darknets whose truth is known.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::command::{arg, inga, words};
use crate::corpora::corpora;
use crate::held;
use crate::make::packets::{Pcap, RAW_IP, tcp};

fn observed(folder: &Path, sensor: &str, prefixes: &[&str], captures: &[&Path]) -> String {
    let db = arg(&folder.join("history")).to_owned();
    let mut add = vec!["sensor", "add", sensor, "--history", &db];
    add.extend(prefixes.iter().flat_map(|prefix| ["--prefix", *prefix]));
    assert_eq!(inga(&add).code, 0);
    for capture in captures {
        assert_eq!(inga(&["observe", "--sensor", sensor, "--history", &db, arg(capture)]).code, 0);
    }
    db
}

/// The one span of a question about all time.
fn all_time(db: &str, more: &[&str]) -> Value {
    let mut args = vec!["series", "--history", db, "--by", "all", "--format", "json"];
    args.extend(more);
    let lines = inga(&args).json();
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.into_iter().next().unwrap()
}

#[test]
#[cfg_attr(not(corpora), ignore = "needs the corpora")]
fn backscatter_is_counted_and_is_no_scan() {
    let corpora = corpora();
    let trace = corpora.join("ncsa-simple-scan/backscatter.trace");
    let folder = TempDir::new().unwrap();
    let db = observed(folder.path(), "I", &["192.150.186.0/23"], &[&trace]);
    let whole = all_time(&db, &["--source", "202.229.120.98/32"]);
    // 3,431 SYN-ACK and 37 RST-ACK, by tshark.
    assert_eq!((&whole["packets"], &whole["hosts"]), (&3468.into(), &1.into()));
    let labelled = |label: &str| {
        let of = format!("label:{label}");
        all_time(&db, &["--filter", &of])["packets"].as_u64().unwrap()
    };
    // A window with both has neither label.
    assert_eq!(labelled("backscatter-syn-ack") + labelled("backscatter-rst"), 3468);
    for scan in ["random-scan", "sequential-scan", "port-scan", "seed-type-1", "seed-type-3"] {
        assert_eq!(labelled(scan), 0, "{scan}");
    }
}

/// Ten addresses that each were a sensor; how many of them each source reached, by tshark.
#[test]
#[cfg_attr(not(corpora), ignore = "needs the corpora")]
fn sources_are_told_by_how_many_sensors_they_reached() {
    let corpora = corpora();
    let capture = corpora.join("ndpi/srvloc.pcap");
    let folder = TempDir::new().unwrap();
    let counted = inga(&["events", "--format", "json", arg(&capture)]).json();
    let targets: std::collections::BTreeSet<&str> =
        counted.iter().map(|event| event["destination"].as_str().unwrap()).collect();
    assert_eq!(targets.len(), 10);
    let db = arg(&folder.path().join("history")).to_owned();
    for (number, target) in targets.iter().enumerate() {
        let (sensor, prefix) = (number.to_string(), format!("{target}/32"));
        inga(&["sensor", "add", &sensor, "--history", &db, "--prefix", &prefix]);
        assert_eq!(inga(&["observe", "--sensor", &sensor, "--history", &db, arg(&capture)]).code, 0);
    }
    let mut reached: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for held in held::sightings(Path::new(&db)) {
        reached.entry(held.sighting.host).or_default().insert(held.sensor);
    }
    let mut by_number: BTreeMap<usize, u64> = BTreeMap::new();
    reached.values().for_each(|sensors| *by_number.entry(sensors.len()).or_default() += 1);
    let split: Vec<u64> = by_number.into_values().collect();
    assert_eq!(split, [194, 58, 26, 7, 5, 1, 4, 1, 2, 2]);
    let hosts: u64 = split.iter().sum();
    assert_eq!(hosts, 300);
}

/// 2009-03-01 00:00 UTC in seconds, and a day.
const MARCH: u64 = 1_235_865_600;
const DAY: u64 = 86_400;

/// Hosts 1 to 6 ask for 445 on the first two days. On the last two 1 still does, 2 and 3 ask for 23, 4 does both,
/// 5 is gone, 6 asks for 80, and 7 is new with 23. The fifth day is an outage with a packet of host 5.
fn switching() -> Vec<u8> {
    let mut pcap = Pcap::new(RAW_IP);
    let mut knock = |days: u64, host: u8, port: u16| {
        let at = MARCH + DAY * days + 3_600 + u64::from(host) * 600 + u64::from(port);
        let (from, to) = (Ipv4Addr::new(203, 0, 113, host), Ipv4Addr::new(198, 51, 100, host));
        pcap.add(at * 1_000_000, tcp((from, 4_000), (to, port), "S", 7, b""));
    };
    for days in [0, 1] {
        (1..=6).for_each(|host| knock(days, host, 445));
    }
    knock(4, 5, 445);
    for days in [10, 11] {
        for (host, port) in [(1, 445), (2, 23), (3, 23), (4, 23), (4, 445), (6, 80), (7, 23)] {
            knock(days, host, port);
        }
    }
    pcap.bytes()
}

fn switched(folder: &Path) -> String {
    let capture = folder.join("switching.pcap");
    std::fs::write(&capture, switching()).unwrap();
    let db = observed(folder, "I", &["198.51.100.0/24"], &[&capture]);
    inga(&["sensor", "outage", "I", "--history", &db, "--from", "2009-03-05", "--to", "2009-03-06"]);
    db
}

#[test]
fn hosts_of_a_span_are_counted_once_and_an_outage_is_no_zero() {
    let folder = TempDir::new().unwrap();
    let db = switched(folder.path());
    let days = inga(&["series", "--history", &db, "--filter", "445/tcp", "--format", "json"]).json();
    let hosts: Vec<Option<u64>> = days.iter().map(|day| day["hosts"].as_u64()).collect();
    let expected = [6, 6, 0, 0, -1, -1, 0, 0, 0, 0, 2, 2];
    assert_eq!(hosts, expected.map(|hosts| u64::try_from(hosts).ok()));
    let all = all_time(&db, &["--filter", "445/tcp"]);
    assert_eq!((&all["hosts"], &all["packets"], &all["observed_days"]), (&6.into(), &16.into(), &10.into()));
    let few = all_time(&db, &["--source", "203.0.113.2/31"]);
    assert_eq!((&few["hosts"], &few["packets"]), (&2.into(), &8.into()));
    let csv = inga(&["series", "--history", &db, "--by", "week", "--format", "csv"]).stdout;
    assert!(csv.starts_with("sensor,of,first,observed_days,packets,hosts,"), "{csv}");
    assert_eq!(csv.lines().count(), 1 + 3);
}

#[test]
fn hours_are_the_sensors_and_add_up_to_its_days() {
    let folder = TempDir::new().unwrap();
    let capture = folder.path().join("switching.pcap");
    std::fs::write(&capture, switching()).unwrap();
    let db = arg(&folder.path().join("history")).to_owned();
    // Clocks there were put forward on 2009-03-08, a day that begins at 05:00 UTC.
    let zone = "America/New_York";
    inga(&["sensor", "add", "I", "--history", &db, "--prefix", "198.51.100.0/24", "--time-zone", zone]);
    assert_eq!(inga(&["observe", "--sensor", "I", "--history", &db, arg(&capture)]).code, 0);
    let series = |more: &[&str]| {
        inga(&[&["series", "--history", &db, "--format", "json", "--filter", "445/tcp"], more].concat())
            .json()
    };
    let (days, hours) = (series(&[]), series(&["--by", "hour"]));
    let sum = |spans: &[Value], day: &str| -> u64 {
        let of_day = spans.iter().filter(|span| span["first"].as_str().unwrap().starts_with(day));
        of_day.map(|span| span["packets"].as_u64().unwrap_or(0)).sum()
    };
    for day in &days {
        let date = day["first"].as_str().unwrap();
        let count = hours.iter().filter(|hour| hour["first"].as_str().unwrap().starts_with(date)).count();
        assert_eq!(count, if date == "2009-03-08" { 23 } else { 24 }, "{date}");
        assert_eq!(sum(&hours, date), sum(&days, date), "{date}");
    }
    // 01:17:25 UTC, host 1, to 02:07:25, host 6; five hours earlier there.
    let first: Vec<(&str, u64)> = hours
        .iter()
        .map(|hour| (hour["first"].as_str().unwrap(), hour["hosts"].as_u64().unwrap_or(0)))
        .filter(|(_, hosts)| *hosts > 0)
        .take(2)
        .collect();
    assert_eq!(first, [("2009-02-28T20:00:00-05:00", 5), ("2009-02-28T21:00:00-05:00", 1)]);
    // Before the capture's first packet, at eight in the evening, nobody looked; after it, until its last, it did.
    let looked = |hour: usize| (hours[hour]["observed_hours"].as_u64(), hours[hour]["packets"].as_u64());
    assert_eq!(hours[0].get("observed_days"), None);
    assert_eq!([looked(0), looked(19)], [(Some(0), None); 2]);
    assert_eq!((looked(20).0, looked(22)), (Some(1), (Some(1), Some(0))));
    let drawn = words(
        &inga(&["series", "--history", &db, "--by", "hour", "--to", "2009-03-01", "--format", "svg"]).stdout,
    );
    assert!(drawn.contains("2009-03-01") && drawn.contains("12:00"), "{drawn}");
}

#[test]
fn a_series_is_drawn_with_its_outage_and_marks() {
    let folder = TempDir::new().unwrap();
    let db = switched(folder.path());
    let marks = folder.path().join("events.yaml");
    std::fs::write(&marks, "- {date: 2009-03-11, label: the switch}\n").unwrap();
    let drawn = inga(&[
        "series",
        "--history",
        &db,
        "--filter",
        "445/tcp",
        "--filter",
        "23/tcp",
        "--value",
        "hosts",
        "--value",
        "packets-per-host",
        "--mark",
        arg(&marks),
        "--format",
        "svg",
    ])
    .stdout;
    let document = roxmltree::Document::parse(&drawn).unwrap();
    let text: String = document.descendants().filter_map(|node| node.text()).collect();
    for words in ["445/tcp, unique hosts", "23/tcp, packets per host (right axis)", "the switch", "data loss"]
    {
        assert!(text.contains(words), "{words} in {text}");
    }
}

#[test]
fn a_cohort_tells_what_became_of_each_host() {
    let folder = TempDir::new().unwrap();
    let db = switched(folder.path());
    let cohort = inga(&[
        "cohort",
        "--history",
        &db,
        "--before",
        "445/tcp",
        "--after",
        "23/tcp",
        "--around",
        "2009-03-11",
        "--days",
        "10",
        "--format",
        "json",
    ])
    .json();
    let cohort = &cohort[0];
    let counts = ["stayed", "gone", "otherwise", "switched", "both", "from_elsewhere", "new"]
        .map(|name| cohort[name].as_u64().unwrap());
    assert_eq!(counts, [1, 1, 1, 2, 1, 0, 1]);
    assert_eq!(cohort["hosts"], serde_json::json!(["203.0.113.2", "203.0.113.3"]));
    assert_eq!((&cohort["observed_before"], &cohort["observed_after"]), (&8.into(), &2.into()));
    // 6 hosts before, 4 after, of 7 in all.
    assert!((cohort["expected"].as_f64().unwrap() - 24.0 / 7.0).abs() < 1e-9);
}

#[test]
fn a_host_is_told_with_its_types_and_gaps() {
    let folder = TempDir::new().unwrap();
    let db = switched(folder.path());
    let told = inga(&["host", "203.0.113.1", "--history", &db, "--format", "json"]).json();
    assert_eq!(told.len(), 1);
    // Days 0, 1, 10 and 11; of those between, two are an outage.
    assert_eq!((&told[0]["days"], &told[0]["longest_gap_days"]), (&4.into(), &6.into()));
    assert_eq!(inga(&["host", "203.0.113.4", "--history", &db, "--format", "json"]).json().len(), 2);
    let unseen = inga(&["host", "203.0.113.99", "--history", &db]);
    assert!(unseen.code == 0 && unseen.stderr.contains("was not seen"));
    assert_eq!(inga(&["series", "--history", &db, "--filter", "label:nobody"]).code, 2);
}

#[test]
fn samples_are_marks_by_their_report_and_by_their_hash() {
    let folder = TempDir::new().unwrap();
    let db = switched(folder.path());
    let report = folder.path().join("report.yaml");
    let hash = "a2eaf57c47a118e91a5edf694685eee7";
    let text = format!(
        "# caught\nidentity: {{md5: {hash}}}\nnames: {{V: 'W32.<b>'}}\nacquired: 2009-03\n\
         discovered: {{date: 2009-03-10, source: V}}\nvictims: [203.0.113.1]\ncaptures: [switching.pcap]\n"
    );
    std::fs::write(&report, text).unwrap();
    let events = folder.path().join("events.yaml");
    std::fs::write(&events, "- {date: 2009-03-11, label: the switch}\n").unwrap();
    let drawn = |marks: &[&str]| {
        let marks = marks.iter().flat_map(|mark| ["--mark", *mark]);
        let args: Vec<&str> =
            ["series", "--history", &db, "--format", "svg"].into_iter().chain(marks).collect();
        inga(&args)
    };
    let unkept = drawn(&[hash]);
    assert!(unkept.code == 2 && unkept.stderr.contains("inga sample add"), "{}", unkept.stderr);
    assert_eq!(inga(&["sample", "add", arg(&report), "--history", &db]).code, 0);
    for marks in [[arg(&report), arg(&events)], [hash, arg(&events)]] {
        let told = words(&drawn(&marks).stdout);
        for mark in ["the switch", "W32.<b> (a2eaf57c47a1) discovered", "acquired 2009-03"] {
            assert!(told.contains(mark), "{mark} in {told}");
        }
    }
    std::fs::write(&report, "identity: {md5: 12}\ncaptures: [run.pcap]\n").unwrap();
    let refused = drawn(&[arg(&report)]);
    assert!(refused.code == 2 && refused.stderr.contains("report.yaml"), "{}", refused.stderr);
}

#[test]
fn a_cohort_and_a_host_are_drawn() {
    let folder = TempDir::new().unwrap();
    let db = switched(folder.path());
    let (flow, host) = (folder.path().join("flow.svg"), folder.path().join("host.svg"));
    let cohort = ["--before", "445/tcp", "--after", "23/tcp", "--around", "2009-03-11", "--days", "10"];
    assert_eq!(inga(&[&["cohort", "--history", &db, "-o", arg(&flow)], &cohort[..]].concat()).code, 0);
    let told = words(&std::fs::read_to_string(&flow).unwrap());
    for words in ["Sensor I", "2 switched", "0 from elsewhere", "1 new", "by chance 3.43 would"] {
        assert!(told.contains(words), "{words} in {told}");
    }
    assert_eq!(inga(&["host", "203.0.113.4", "--history", &db, "-o", arg(&host)]).code, 0);
    let told = words(&std::fs::read_to_string(&host).unwrap());
    assert!(told.contains("203.0.113.4") && told.contains("2 rows") && told.contains("pt=23"), "{told}");
}

#[test]
fn a_tile_is_drawn_without_the_capture_and_with_it() {
    let folder = TempDir::new().unwrap();
    let db = switched(folder.path());
    let type_of = |host: &str| {
        let told = inga(&["host", host, "--history", &db, "--format", "json"]).json();
        told[0]["type"].as_str().unwrap().to_owned()
    };
    let (to_445, to_23) = (type_of("203.0.113.1"), type_of("203.0.113.7"));
    let alone = inga(&["tile", "--history", &db, "--type", &to_445, "--sensor", "I"]).stdout;
    let told = words(&alone);
    // The earliest window of the type, whoever's it is.
    assert!(told.contains("Sensor I") && told.contains("203.0.113.1") && told.contains("pt=445"), "{told}");
    let capture = folder.path().join("switching.pcap");
    let pair = inga(&[
        "tile",
        arg(&capture),
        "--host",
        "203.0.113.2",
        "--at",
        "2009-03-01T01:27:25Z",
        "--history",
        &db,
        "--type",
        &to_23,
    ]);
    let told = words(&pair.stdout);
    assert!(
        told.contains("203.0.113.2 beside Sensor I") && told.contains("445") && told.contains("23"),
        "{told}"
    );
    let never = inga(&["tile", arg(&capture), "--host", "203.0.113.2", "--at", "2009-03-01T02:00:00Z"]);
    assert!(never.code == 2 && never.stderr.contains("has no window at"), "{}", never.stderr);
    assert_eq!(inga(&["tile", "--history", &db]).code, 2);
    let unseen = inga(&["tile", "--history", &db, "--type", "00000000000000000000000000000000"]);
    assert!(unseen.code == 2 && unseen.stderr.contains("no example"), "{}", unseen.stderr);
}

#[test]
fn totals_that_differ_from_the_sightings_are_found() {
    let folder = TempDir::new().unwrap();
    let db = switched(folder.path());
    let verify = || inga(&["history", "verify", "--history", &db]);
    let sound = verify();
    assert!(sound.code == 0 && sound.stdout.contains("all as it was written"), "{}", sound.stdout);
    let info = inga(&["history", "info", "--history", &db]);
    assert!(info.code == 0 && info.stdout.contains("recorded days\t12"), "{}", info.stdout);
    let connection = rusqlite::Connection::open(Path::new(&db).join("catalog.sqlite")).unwrap();
    connection.execute("UPDATE day SET hosts = hosts + 1 WHERE windows > 0", []).unwrap();
    let found = verify();
    assert!(
        found.code == 1 && found.stdout.contains("table day") && found.stdout.contains("the totals kept are")
    );
}

#[test]
fn sightings_of_a_day_that_the_catalog_lacks_are_found() {
    let folder = TempDir::new().unwrap();
    let db = switched(folder.path());
    let connection = rusqlite::Connection::open(Path::new(&db).join("catalog.sqlite")).unwrap();
    let day: String =
        connection.query_row("SELECT min(day) FROM day WHERE windows > 0", [], |row| row.get(0)).unwrap();
    connection.execute("DELETE FROM day WHERE day = ?1", [&day]).unwrap();
    let found = inga(&["history", "verify", "--history", &db]);
    let told = format!("sightings of {day}, which is no recorded day");
    assert!(found.code == 1 && found.stdout.contains(&told), "{}", found.stdout);
}

#[test]
fn a_dry_run_reads_all_and_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let db = switched(folder.path());
    let before = held::bytes(Path::new(&db));
    let other = folder.path().join("other.pcap");
    let mut pcap = Pcap::new(RAW_IP);
    let (from, to) = (Ipv4Addr::new(203, 0, 113, 1), Ipv4Addr::new(198, 51, 100, 1));
    pcap.add((MARCH + 20 * DAY) * 1_000_000, tcp((from, 4_000), (to, 445), "S", 7, b""));
    std::fs::write(&other, pcap.bytes()).unwrap();
    let dry = inga(&["observe", "--dry-run", "--sensor", "I", "--history", &db, arg(&other)]);
    assert!(
        dry.code == 0 && dry.stdout.contains("1 of 1 packets to dark addresses, not stored"),
        "{}",
        dry.stdout
    );
    assert!(held::bytes(Path::new(&db)) == before);
}

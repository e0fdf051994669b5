//! Probe signatures: stored alike by every store, kept by merging, joining and removing, shown and filtered by commands.

use std::collections::BTreeMap;
use std::path::Path;

use inga::app::observe::observe;
use inga::app::{CaptureOptions, Notices};
use inga::capture::Input;
use inga::history::{Filter, Sensor, SensorKind, Sighting};
use inga::rules::Rules;
use inga::store::{HistoryStore, LocalStore, MemoryStore};
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{arg, inga, inga_with};
use crate::make::packets::{Pcap, RAW_IP, ping, tcp, udp};

/// 2009-03-02 00:00:00 UTC, in microseconds.
const START: u64 = 1_235_952_000_000_000;
const SECOND: u64 = 1_000_000;

/// Two hours of four hosts: two build their SYNs alike, one changes its sequence numbers after an hour, one sends
/// datagrams and requests in one window.
fn capture(day: u64) -> Vec<u8> {
    let at = |host: u8| [203, 0, 113, host].into();
    let from = |host: u8, port: u16| ([100, 64, 0, host].into(), port);
    let mut pcap = Pcap::new(RAW_IP);
    for hour in 0..2u64 {
        let start = START + (day * 24 + hour) * 3600 * SECOND;
        for target in 1..6u8 {
            let time = start + u64::from(target) * SECOND;
            let number = u32::from(target).wrapping_mul(1_000_000_007);
            pcap.add(time, tcp(from(1, 1060 + u16::from(target)), (at(target), 445), "S", number, b""));
            pcap.add(time, tcp(from(2, 2060 + u16::from(target)), (at(target), 445), "S", number + 5, b""));
            let destination = u32::from_be_bytes([203, 0, 113, target]);
            let sequence = if hour == 0 { destination } else { number };
            pcap.add(time, tcp(from(3, 3060 + u16::from(target)), (at(target), 445), "S", sequence, b""));
            pcap.add(time, udp(from(4, 1434), (at(target), 1434), b"\x04\x01\x01\x01"));
            pcap.add(time, ping([100, 64, 0, 4].into(), at(target), u16::from(target)));
        }
    }
    pcap.bytes()
}

fn sensor() -> Sensor {
    Sensor {
        name: "II".to_owned(),
        kind: SensorKind::Dark,
        prefixes: vec!["203.0.113.0/24".parse().unwrap()],
        live: Vec::new(),
        time_zone: "UTC".to_owned(),
    }
}

fn feed(store: &mut dyn HistoryStore, folder: &Path, bytes: &[u8]) {
    let path = folder.join("fed.pcap");
    std::fs::write(&path, bytes).unwrap();
    let rules = Rules::shipped().unwrap();
    observe(
        store,
        &sensor(),
        &Input::Path(path),
        &CaptureOptions::default(),
        &rules,
        &mut Notices::default(),
    )
    .unwrap();
}

/// The counts by type, scope, day and signature, with the texts of the signatures.
fn counts(store: &dyn HistoryStore) -> Vec<String> {
    let mut counts = Vec::new();
    store
        .each_signature_count("II", &Filter::default(), &mut |count| {
            let text = count.signature.map(|number| store.signature(number).unwrap().to_string());
            counts.push(format!("{count:?} {text:?}"));
        })
        .unwrap();
    let mut sums: BTreeMap<_, u64> = BTreeMap::new();
    store
        .each_sighting("II", &Filter::default(), &mut |sighting: &Sighting| {
            *sums.entry((sighting.host, sighting.signature)).or_default() += sighting.counts.windows;
        })
        .unwrap();
    counts.extend(sums.iter().map(|sum| format!("{sum:?}")));
    counts
}

#[test]
fn every_store_keeps_signatures_alike() {
    let folder = TempDir::new().unwrap();
    let profile = Rules::shipped().unwrap().profile;
    let mut local = LocalStore::create(&folder.path().join("local"), &profile).unwrap();
    let mut memory = MemoryStore::new();
    for store in [&mut local as &mut dyn HistoryStore, &mut memory] {
        store.add_sensor(&sensor()).unwrap();
        feed(store, folder.path(), &capture(0));
        feed(store, folder.path(), &capture(40));
    }
    let expected = counts(&memory);
    assert_eq!(counts(&local), expected);
    let all = expected.join("\n");
    for part in [
        "ps1|syn|ttl=128|df=1|id=*|sport=*|window=65535|options=mss,nop,nop,sok|mss=1460|wscale=-|seq=*|unused=0",
        "seq=destination|unused=0",
        "ps1|mixed|ttl=128|df=1|id=*",
    ] {
        assert!(all.contains(part), "{part}:\n{all}");
    }
    // The third host counts under both of its signatures.
    assert!(
        local.content_sizes().unwrap().iter().any(|size| size.name == "probe signatures" && size.rows >= 3)
    );
    let mut faults = Vec::new();
    local.verify(&mut |fault| faults.push(fault)).unwrap();
    assert_eq!(faults, Vec::<String>::new());
}

fn called(args: &[&str]) -> String {
    let called = inga(args);
    assert_eq!(called.code, 0, "{args:?}: {}", called.stderr);
    called.stdout
}

fn observed(history: &str, sensor: &str, days: &[u64]) {
    called(&["sensor", "add", sensor, "--history", history, "--prefix", "203.0.113.0/24"]);
    for day in days {
        let fed = inga_with(&["observe", "--sensor", sensor, "--history", history, "-"], &capture(*day));
        assert_eq!(fed.code, 0, "{}", fed.stderr);
    }
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn merging_joining_and_removing_keep_signatures() {
    let folder = TempDir::new().unwrap();
    let [one, other, both] = ["one", "other", "both"].map(|name| folder.path().join(name));
    observed(arg(&one), "II", &[0, 3]);
    let profile = Rules::shipped().unwrap().profile;
    let of = |path: &Path| counts(&LocalStore::open_to_read(path, &profile).unwrap());
    let before = of(&one);
    called(&["history", "compact", "--history", arg(&one), "--all"]);
    assert_eq!(of(&one), before);
    observed(arg(&other), "I", &[0]);
    called(&["history", "merge", arg(&one), arg(&other), "--into", arg(&both)]);
    assert_eq!(of(&both), before);
    called(&["history", "verify", "--history", arg(&both)]);
    let fed = inga_with(&["observe", "--sensor", "II", "--history", arg(&one), "-"], &capture(50));
    assert_eq!(fed.code, 0, "{}", fed.stderr);
    assert_ne!(of(&one), before);
    called(&[
        "history",
        "drop",
        "--history",
        arg(&one),
        "--sensor",
        "II",
        "--from",
        "2009-04-21",
        "--to",
        "2009-04-21",
        "--yes",
    ]);
    assert_eq!(of(&one), before);
    called(&["history", "verify", "--history", arg(&one)]);
}

#[test]
fn commands_show_and_filter_by_signature() {
    let folder = TempDir::new().unwrap();
    let history = folder.path().join("history");
    observed(arg(&history), "II", &[0]);
    let series = |filter: &str| {
        let args =
            ["series", "--history", arg(&history), "--sensor", "II", "--format", "json", "--filter", filter];
        json_lines(&called(&args)).iter().map(|line| line["hosts"].as_u64().unwrap_or(0)).sum::<u64>()
    };
    assert_eq!(series("signature:syn"), 3);
    assert_eq!(series("signature:syn,seq=destination"), 1);
    assert_eq!(series("signature:options=mss,nop,ws"), 0);
    let refused =
        inga(&["series", "--history", arg(&history), "--sensor", "II", "--filter", "signature:sequence=1"]);
    assert!(refused.code != 0 && refused.stderr.contains("no feature `sequence`"), "{}", refused.stderr);
    let host = called(&["host", "100.64.0.3", "--history", arg(&history), "--format", "json"]);
    let host = json_lines(&host);
    let signatures = host[0]["signatures"].as_array().unwrap();
    let sequences: Vec<&str> =
        signatures.iter().map(|one| one["features"]["seq"].as_str().unwrap()).collect();
    assert_eq!((sequences.len(), sequences.contains(&"destination")), (2, true));
    assert!(called(&["host", "100.64.0.3", "--history", arg(&history)]).contains("ps1|syn|"));
}

#[test]
fn windows_and_facets_have_signatures() {
    let printed = inga_with(&["fingerprint", "-", "--format", "json"], &capture(0));
    let windows = json_lines(&printed.stdout);
    let of = |host: &str| windows.iter().find(|window| window["source"] == host).unwrap();
    let features = &of("100.64.0.1")["signature"]["features"];
    assert_eq!(["ttl", "window", "seq"].map(|name| features[name].as_str().unwrap()), ["128", "65535", "*"]);
    let mixed = of("100.64.0.4");
    assert_eq!(mixed["signature"]["probe"], "mixed");
    let facets: Vec<&str> = mixed["facets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|facet| facet["signature"]["probe"].as_str().unwrap())
        .collect();
    assert_eq!(facets.iter().filter(|kind| **kind == "datagram").count(), 1);
    assert_eq!(facets.iter().filter(|kind| **kind == "request").count(), 1);
}

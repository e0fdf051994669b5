//! Days added up, against a plain reading of the same packets.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use inga::capture::{Input, ReadOptions, read};
use inga::history::{DayCount, DayTotal};
use inga::store::HistoryStore;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::{arg, inga};
use crate::held;

use plain::{Plain, Totals};

#[path = "../bench/darknet.rs"]
mod darknet;
#[path = "../bench/plain.rs"]
mod plain;

/// Slow enough that the packets span two days.
fn captures(folder: &Path, pieces: usize) -> Vec<PathBuf> {
    let mut whole = Vec::new();
    darknet::write(
        &mut whole,
        &darknet::Plan { packets: 120_000, sources: 3_000, rate: 1, prefix: 16, seed: 7 },
    )
    .unwrap();
    let (head, records) = whole.split_at(24);
    let mut starts = vec![0];
    while let Some(length) =
        records.get(starts[starts.len() - 1] + 8..).and_then(|rest| rest.first_chunk::<4>())
    {
        starts.push(starts[starts.len() - 1] + 16 + u32::from_le_bytes(*length) as usize);
    }
    let cut = |at: usize| starts[at * (starts.len() - 1) / pieces];
    (0..pieces)
        .map(|at| {
            let path = folder.join(format!("{at}.pcap"));
            std::fs::write(&path, [head, &records[cut(at)..cut(at + 1)]].concat()).unwrap();
            path
        })
        .collect()
}

fn plainly(paths: &[PathBuf]) -> Totals {
    let mut plain = Plain::default();
    for path in paths {
        let input = Input::Path(path.clone());
        read(&input, &ReadOptions::default(), &mut |packet, _| plain.push(packet)).unwrap();
    }
    plain.finish()
}

#[test]
fn a_summary_is_what_a_plain_reading_finds_however_the_capture_is_cut() {
    for pieces in [1, 5] {
        let folder = TempDir::new().unwrap();
        let paths = captures(folder.path(), pieces);
        let expected = plainly(&paths).days;
        assert!(expected.len() >= 2, "{expected:?}");
        let mut args = vec!["fingerprint", "--summary", "--format", "json"];
        args.extend(paths.iter().map(|path| arg(path)));
        assert_eq!(inga(&args).json(), expected, "{pieces} pieces");
    }
}

#[test]
fn a_history_of_the_same_packets_has_the_same_totals() {
    let folder = TempDir::new().unwrap();
    let db = folder.path().join("history");
    let paths = captures(folder.path(), 3);
    let [four, six] = darknet::sensor(16);
    inga(&["sensor", "add", "I", "--history", arg(&db), "--prefix", &four, "--prefix", &six]);
    for path in &paths {
        assert_eq!(inga(&["observe", "--sensor", "I", "--history", arg(&db), arg(path)]).code, 0);
    }
    let store = held::open(&db);
    let totals: Vec<Value> = store
        .totals("I")
        .unwrap()
        .iter()
        .map(|DayTotal { count: DayCount { day, windows, packets, hosts }, types }| {
            json!({"schema": 1, "day": day, "packets": packets, "windows": windows, "hosts": hosts, "types": types})
        })
        .collect();
    let sightings = held::sightings(&db);
    let mut args = vec!["fingerprint", "--summary", "--format", "json"];
    args.extend(paths.iter().map(|path| arg(path)));
    let mut summed = inga(&args).json();
    for day in &mut summed {
        let expected = day.as_object_mut().unwrap().remove("sightings").unwrap();
        let date = day["day"].as_str().unwrap();
        let counted = sightings.iter().filter(|held| held.sighting.day.to_string() == date).count();
        assert_eq!(json!(counted), expected);
    }
    assert_eq!(totals, summed);
    let types: BTreeSet<u64> = sightings.iter().map(|held| held.sighting.number).collect();
    assert_eq!(types.len(), plainly(&paths).types);
}

/// The names and the bytes of all segments.
fn segments(history: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = walkdir::WalkDir::new(history).sort_by_file_name().into_iter().flatten();
    let segments = entries.filter(|entry| entry.path().extension().is_some_and(|kind| kind == "parquet"));
    segments
        .map(|entry| (entry.file_name().to_str().unwrap().to_owned(), std::fs::read(entry.path()).unwrap()))
        .collect()
}

#[test]
fn threads_change_no_byte_of_a_history() {
    let folder = TempDir::new().unwrap();
    let paths = captures(folder.path(), 2);
    let [four, six] = darknet::sensor(16);
    let histories = ["1", "2", "7"].map(|threads| {
        let db = folder.path().join(threads);
        inga(&["sensor", "add", "I", "--history", arg(&db), "--prefix", &four, "--prefix", &six]);
        for path in &paths {
            let observed =
                inga(&["observe", "--sensor", "I", "--history", arg(&db), "--threads", threads, arg(path)]);
            assert_eq!(observed.code, 0);
        }
        // Days' sums, which are counted out of what was gathered, are those of what was written.
        assert_eq!(inga(&["history", "verify", "--history", arg(&db)]).code, 0);
        segments(&db)
    });
    assert!(histories.iter().all(|history| *history == histories[0]));
}

#[test]
fn a_compressed_capture_has_the_same_summary_on_any_number_of_threads() {
    let folder = TempDir::new().unwrap();
    let [plain] = captures(folder.path(), 1).try_into().unwrap();
    let bytes = std::fs::read(&plain).unwrap();
    let packed = folder.path().join("packed");
    std::fs::write(&packed, zstd::encode_all(bytes.as_slice(), 1).unwrap()).unwrap();
    let summary = |path: &Path, threads| {
        inga(&["fingerprint", "--summary", "--threads", threads, "--format", "json", arg(path)]).json()
    };
    let expected = summary(&plain, "1");
    assert!(expected[0]["packets"].as_u64() > Some(0));
    assert!(["1", "2", "3"].iter().all(|threads| summary(&packed, threads) == expected));
}

#[test]
fn windows_are_told_alike_on_any_number_of_threads_and_add_up_to_the_summary() {
    let folder = TempDir::new().unwrap();
    let paths = captures(folder.path(), 2);
    let told = |more: &[&str]| {
        let mut args = [&["fingerprint", "--format", "json"], more].concat();
        args.extend(paths.iter().map(|path| arg(path)));
        inga(&args)
    };
    let alone = told(&["--threads", "1"]);
    for threads in ["2", "3"] {
        assert!(told(&["--threads", threads]).stdout == alone.stdout, "{threads} threads");
    }
    let sum =
        |all: &[serde_json::Value], what: &str| all.iter().filter_map(|one| one[what].as_u64()).sum::<u64>();
    let (windows, days) = (alone.json(), told(&["--summary"]).json());
    assert!(windows.len() > 10_000);
    assert_eq!(
        (windows.len() as u64, sum(&windows, "packets")),
        (sum(&days, "windows"), sum(&days, "packets"))
    );
    let types: std::collections::BTreeSet<&str> =
        windows.iter().filter_map(|window| window["type"].as_str()).collect();
    assert_eq!(types.len() as u64, plainly(&paths).types as u64);
}

#[test]
fn a_capture_that_runs_backwards_is_told_as_if_it_did_not() {
    let folder = TempDir::new().unwrap();
    let [forwards] = captures(folder.path(), 1).try_into().unwrap();
    let bytes = std::fs::read(&forwards).unwrap();
    // The second half in front of the first.
    let [first, second] = captures(&new_folder(folder.path()), 2).try_into().unwrap();
    let backwards = folder.path().join("backwards.pcap");
    let halves = [second, first].map(|half| std::fs::read(half).unwrap()[24..].to_vec());
    std::fs::write(&backwards, [&bytes[..24], &halves.concat()].concat()).unwrap();
    let told = |path: &Path| inga(&["fingerprint", arg(path)]);
    let sorted = told(&backwards);
    assert!(sorted.stderr.contains("runs backwards in time; sorted"), "{}", sorted.stderr);
    assert!(sorted.stdout == told(&forwards).stdout);
}

fn new_folder(within: &Path) -> PathBuf {
    let folder = within.join("halves");
    std::fs::create_dir(&folder).unwrap();
    folder
}

#[cfg(unix)]
#[test]
fn a_pipe_is_read_as_often_as_need_be() {
    let folder = TempDir::new().unwrap();
    let [plain] = captures(folder.path(), 1).try_into().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let bytes = std::fs::read(&plain).unwrap();
    let told = std::thread::scope(|scope| {
        scope.spawn(|| std::fs::write(&pipe, &bytes).unwrap());
        inga(&["fingerprint", arg(&pipe)])
    });
    assert_eq!(told.code, 0, "{}", told.stderr);
    assert!(told.stdout == inga(&["fingerprint", arg(&plain)]).stdout);
}

#[test]
fn no_threads_are_refused() {
    let refused = inga(&["fingerprint", "--threads", "0", "x.pcap"]);
    assert_eq!(refused.code, 2);
}

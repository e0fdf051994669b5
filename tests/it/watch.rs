//! `inga watch`: whatever happens to files and to the process, the history is the one of `inga observe`.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use inga::history::{Filter, SightingCounts};
use inga::rules::Rules;
use inga::store::{HistoryStore, IncidentStore, LocalStore};
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{Called, arg, inga, inga_with};
use crate::make::Random;
use crate::make::packets::{Pcap, RAW_IP, tcp};

/// 2020-01-01 00:00:00 UTC in microseconds.
const START: u64 = 1_577_836_800_000_000;

/// A folder with a history, the captures of one sensor, and the file for `watch`.
struct Telescope {
    folder: TempDir,
}

impl Telescope {
    fn new(settings: &str) -> Telescope {
        let telescope = Telescope { folder: TempDir::new().unwrap() };
        fs::create_dir(telescope.at("in")).unwrap();
        telescope.add_sensor("history");
        telescope.configure(settings);
        telescope
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn add_sensor(&self, history: &str) {
        let path = self.at(history);
        let added = inga(&["sensor", "add", "s", "--prefix", "203.0.113.0/24", "--history", arg(&path)]);
        assert_eq!(added.code, 0, "{}", added.stderr);
    }

    fn configure(&self, settings: &str) {
        let text = format!("history: history\nsensors:\n  - {{name: s, captures: in}}\n{settings}\n");
        fs::write(self.at("watch.yaml"), text).unwrap();
    }

    fn once(&self) -> Called {
        let called = inga(&["watch", "--once", arg(&self.at("watch.yaml"))]);
        assert_eq!(called.code, 0, "{}", called.stderr);
        called
    }

    fn start(&self) -> Child {
        Command::new(env!("CARGO_BIN_EXE_inga"))
            .args(["watch", "--log-format", "json", arg(&self.at("watch.yaml"))])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Checks that the history is the one of `inga observe` with these captures.
    fn equals_observe(&self, captures: &[&[u8]]) {
        let folder = TempDir::new_in(self.folder.path()).unwrap();
        for (number, capture) in captures.iter().enumerate() {
            fs::write(folder.path().join(format!("{number}.pcap")), capture).unwrap();
        }
        let history = folder.path().join("history");
        self.add_sensor(history.strip_prefix(self.folder.path()).unwrap().to_str().unwrap());
        let mut args = vec!["observe", "--sensor", "s", "--history", arg(&history)];
        let paths: Vec<PathBuf> =
            (0..captures.len()).map(|number| folder.path().join(format!("{number}.pcap"))).collect();
        args.extend(paths.iter().map(|path| arg(path)));
        let observed = inga(&args);
        assert_eq!(observed.code, 0, "{}", observed.stderr);
        let ((sightings, days, packets), observed) = (view(&self.at("history")), view(&history));
        assert_eq!((days, packets), (observed.1, observed.2));
        let differing = sightings.iter().zip(&observed.0).find(|(one, other)| one != other);
        assert_eq!((sightings.len(), differing), (observed.0.len(), None));
        let verified = inga(&["history", "verify", "--history", arg(&self.at("history"))]);
        assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
    }
}

/// Everything that a history has of its sensor, but for the names and pieces of captures.
fn view(history: &Path) -> (Vec<String>, String, u64) {
    let store = LocalStore::open_to_read(history, &Rules::shipped().unwrap().profile).unwrap();
    let mut sums: BTreeMap<_, SightingCounts> = BTreeMap::new();
    store
        .each_sighting("s", &Filter::default(), &mut |sighting| {
            let key = (sighting.day, sighting.number, sighting.host);
            let sum = sums.entry(key).or_insert(SightingCounts::NONE);
            *sum = sum.merged(sighting.counts);
        })
        .unwrap();
    let sightings = sums.iter().map(|sighting| format!("{sighting:?}")).collect();
    let packets = store.captures("s").unwrap().iter().map(|capture| capture.recorded).sum();
    let days = format!("{:?} {:?}", store.totals("s").unwrap(), store.coverage("s").unwrap().recorded_days);
    (sightings, days, packets)
}

/// A capture of scans, a packet about every second from a number of seconds on.
fn capture(seed: u64, from: u64, packets: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let mut pcap = Pcap::new(RAW_IP);
    for second in 0..packets {
        let host = [100, 64, 0, u8::try_from(random.below(40)).unwrap()].into();
        let to = [203, 0, 113, u8::try_from(random.below(256)).unwrap()].into();
        let port = [22, 23, 445][usize::try_from(random.below(3)).unwrap()];
        let time = START + (from + second) * 1_000_000 + random.below(900_000);
        pcap.add(time, tcp((host, 4000), (to, port), "S", 1, b""));
    }
    pcap.bytes()
}

fn append(path: &Path, bytes: &[u8]) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

/// Waits until something holds.
fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Number of packets that a history has.
fn packets(history: &Path) -> u64 {
    let store = LocalStore::open_to_read(history, &Rules::shipped().unwrap().profile).unwrap();
    store.captures("s").unwrap().iter().map(|capture| capture.recorded).sum()
}

#[test]
fn a_file_that_grows_is_rotated_compressed_and_moved_counts_once() {
    let telescope = Telescope::new("");
    let (first, second) = (capture(1, 0, 500), capture(2, 600, 300));
    let path = telescope.at("in/now.pcap");
    // It grows by pieces that end anywhere.
    let mut random = Random(3);
    let mut written = 0;
    while written < first.len() {
        let end = (written + usize::try_from(random.below(9000)).unwrap() + 1).min(first.len());
        append(&path, &first[written..end]);
        written = end;
        telescope.once();
    }
    assert_eq!(packets(&telescope.at("history")), 500);
    // Rotated: another file has its name now, and it has another name.
    fs::rename(&path, telescope.at("in/now.pcap.1")).unwrap();
    append(&path, &second[..second.len() / 2]);
    telescope.once();
    // Compressed, and moved below.
    fs::remove_file(telescope.at("in/now.pcap.1")).unwrap();
    fs::create_dir(telescope.at("in/old")).unwrap();
    fs::write(telescope.at("in/old/now.pcap.1.gz"), gzip(&first)).unwrap();
    append(&path, &second[second.len() / 2..]);
    telescope.once();
    let idle = telescope.once();
    assert!(!idle.stderr.contains("packets to dark"), "{}", idle.stderr);
    telescope.equals_observe(&[&first, &second]);
}

#[test]
fn a_late_file_counts_and_a_refused_one_is_named_and_does_not_stop_the_others() {
    let telescope = Telescope::new("");
    let (early, late) = (capture(1, 0, 200), capture(2, 90_000, 200));
    fs::write(telescope.at("in/b.pcap"), &late).unwrap();
    telescope.once();
    fs::write(telescope.at("in/a.pcap"), &early).unwrap();
    fs::write(telescope.at("in/broken.pcap.gz"), &gzip(&late)[..40]).unwrap();
    // Another recorder's packets of the same time.
    fs::write(telescope.at("in/other.pcap"), capture(7, 50, 100)).unwrap();
    let called = telescope.once();
    assert!(
        called.stderr.contains("error: sensor s: ") && called.stderr.contains("other.pcap"),
        "{}",
        called.stderr
    );
    assert_eq!(packets(&telescope.at("history")), 400);
    let store =
        LocalStore::open_to_read(&telescope.at("history"), &Rules::shipped().unwrap().profile).unwrap();
    let health = store.sensor_healths().unwrap().remove(0);
    let words: Vec<&str> = health.conditions.iter().map(|condition| condition.word()).collect();
    assert_eq!((words, health.packets), (vec!["silent", "unreadable"], 400));
    assert!(health.error.unwrap().contains("other.pcap"));
}

#[test]
fn it_follows_files_while_it_runs_and_ends_cleanly() {
    let telescope = Telescope::new("commit_seconds: 1\nsettle_seconds: 1");
    let (first, second) = (capture(1, 0, 400), capture(2, 600, 300));
    let mut running = telescope.start();
    let history = telescope.at("history");
    append(&telescope.at("in/a.pcap"), &first[..first.len() / 3]);
    wait_for("a part of the first file", || packets(&history) > 100);
    append(&telescope.at("in/a.pcap"), &first[first.len() / 3..]);
    wait_for("the first file", || packets(&history) == 400);
    fs::write(telescope.at("in/b.pcap.gz"), gzip(&second)).unwrap();
    wait_for("the second file", || packets(&history) == 700);
    // The file is read again, and a wrong one changes nothing.
    telescope.configure("commit_seconds: 0");
    signal(&running, "HUP");
    std::thread::sleep(Duration::from_millis(500));
    signal(&running, "TERM");
    let status = running.wait().unwrap();
    let mut log = String::new();
    std::io::Read::read_to_string(&mut running.stderr.take().unwrap(), &mut log).unwrap();
    assert!(status.success(), "{log}");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let has = |words: &str| lines.iter().any(|line| line["message"].as_str().unwrap().contains(words));
    assert!(has("watching 1 sensors") && has("not read again") && has("must lie between"), "{log}");
    assert!(has("stopped") && lines.iter().any(|line| line["sensor"] == "s"), "{log}");
    telescope.equals_observe(&[&first, &second]);
}

fn signal(process: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &process.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

#[test]
fn killed_at_any_moment_it_loses_nothing_and_counts_nothing_twice() {
    let telescope = Telescope::new("commit_seconds: 1");
    let captures: Vec<Vec<u8>> = (0..6).map(|at| capture(at, at * 4000, 3000)).collect();
    let mut random = Random(5);
    for (number, bytes) in captures.iter().enumerate() {
        let path = telescope.at(&format!("in/{number}.pcap"));
        let mut running = telescope.start();
        append(&path, &bytes[..bytes.len() / 2]);
        std::thread::sleep(Duration::from_millis(random.below(400)));
        append(&path, &bytes[bytes.len() / 2..]);
        std::thread::sleep(Duration::from_millis(random.below(1500)));
        running.kill().unwrap();
        running.wait().unwrap();
    }
    telescope.once();
    let captures: Vec<&[u8]> = captures.iter().map(Vec::as_slice).collect();
    telescope.equals_observe(&captures);
}

/// Number of captures that a history lists.
fn records(history: &Path) -> usize {
    let store = LocalStore::open_to_read(history, &Rules::shipped().unwrap().profile).unwrap();
    store.captures("s").unwrap().len()
}

#[test]
fn the_parts_of_a_file_are_one_capture_when_their_day_is_over() {
    let telescope = Telescope::new("commit_seconds: 1\nsettle_seconds: 60");
    let (history, path) = (telescope.at("history"), telescope.at("in/now.pcap"));
    let mut running = telescope.start();
    let mut whole = Vec::new();
    let mut grow = |from: u64, expected: u64| {
        let bytes = capture(from, from, 200);
        let records = if whole.is_empty() { &bytes[..] } else { &bytes[24..] };
        whole.extend(records);
        append(&path, records);
        wait_for("a part of the file", || packets(&history) == expected);
    };
    for (part, second) in [80_000, 80_300, 80_600, 80_900, 90_000].into_iter().enumerate() {
        grow(second, 200 * (part as u64 + 1));
    }
    wait_for("one record of the first day", || records(&history) == 2);
    let list = inga(&["capture", "list", "--format", "json", "--history", arg(&history)]).json();
    let parts: Vec<_> = list.iter().map(|one| one["packets"].as_u64()).collect();
    assert_eq!(parts, [Some(800), Some(200)]);
    grow(90_300, 1200);
    grow(180_000, 1400);
    wait_for("one record a day", || records(&history) == 3);
    signal(&running, "TERM");
    assert!(running.wait().unwrap().success());
    // The file is found again in another container, under another name.
    fs::remove_file(&path).unwrap();
    fs::write(telescope.at("in/then.pcap.gz"), gzip(&whole)).unwrap();
    let called = telescope.once();
    assert!(!called.stderr.contains("error"), "{}", called.stderr);
    assert_eq!((packets(&history), records(&history)), (1400, 3));
    telescope.equals_observe(&[&whole]);
}

#[test]
fn a_live_capture_on_standard_input_is_fed() {
    let telescope = Telescope::new("");
    let text =
        fs::read_to_string(telescope.at("watch.yaml")).unwrap().replace("captures: in", "captures: '-'");
    fs::write(telescope.at("watch.yaml"), text).unwrap();
    let bytes = capture(1, 0, 300);
    // The recorder was killed in the middle of its last record.
    let called = inga_with(&["watch", "--once", arg(&telescope.at("watch.yaml"))], &bytes[..bytes.len() - 7]);
    assert_eq!(called.code, 0, "{}", called.stderr);
    assert_eq!(packets(&telescope.at("history")), 299, "{}", called.stderr);
    let refused = inga_with(&["watch", "--once", arg(&telescope.at("watch.yaml"))], &[b'x'; 99]);
    assert!(refused.stderr.contains("tcpdump -U -w -"), "{}", refused.stderr);
}

#[test]
fn a_wrong_file_is_refused_with_its_place_and_a_remedy() {
    let telescope = Telescope::new("");
    let check = || inga(&["watch", "--check", arg(&telescope.at("watch.yaml"))]);
    let fine = check();
    assert_eq!((fine.code, fine.stdout.contains("1 sensors, nothing wrong")), (0, true), "{}", fine.stderr);
    let refused = |text: &str, place: &str, words: &str| {
        fs::write(telescope.at("watch.yaml"), text).unwrap();
        let called = check();
        let expected = format!("watch.yaml{place}: ");
        let is_refused = called.code == 2 && called.stderr.contains(&expected);
        assert!(is_refused && called.stderr.contains(words), "{text}: {}", called.stderr);
    };
    let sensors = "sensors:\n  - {name: s, captures: in}";
    refused(&format!("history: history\n{sensors}\nthreshold: {{}}"), ":4:1", "did you mean `thresholds`");
    refused("history: history\nsensors: []", ":2:10", "name at least one");
    refused(&format!("history: history\n{sensors}\n  - {{name: s, captures: x}}"), ":4:12", "listed above");
    refused("history: history\nsensors:\n  - {name: t, captures: in}", ":3:12", "inga sensor add");
    refused("history: history\nsensors:\n  - {name: s, captures: 'in/%Q'}", ":3:25", "%Y");
    refused(&format!("history: history\n{sensors}\nthresholds: {{loss_percent: 101}}"), ":4:28", "100");
    refused(&format!("history: history\n{sensors}\nretention: {{sightings_days: 3}}"), ":4:29", "90 days");
}

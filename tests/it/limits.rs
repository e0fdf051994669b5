//! Limits on what a file may cost, one unreadable file among many, and files that are named instead of read.

use std::fs;
use std::io::Write;

use tempfile::TempDir;

use crate::command::{Called, arg, inga};
use crate::make::packets::{Pcap, RAW_IP, tcp};

/// 2009-03-02 at noon, in microseconds.
const NOON: u64 = 1_235_995_200_000_000;

/// A victim that scans `targets` addresses, one per millisecond, forward in time or backwards.
fn scan(targets: u32, forward: bool) -> Vec<u8> {
    let mut frames = Vec::new();
    for target in 0..targets {
        let address = (0xc000_0200 + target).to_be_bytes();
        let mut one = Pcap::new(RAW_IP);
        let time = NOON + u64::from(if forward { target } else { targets - target }) * 1000;
        one.add(time, tcp(([10, 0, 0, 1].into(), 1061), (address.into(), 445), "S", target + 1, b""));
        frames.push(one.bytes());
    }
    let header = frames[0][..24].to_vec();
    frames.into_iter().fold(header, |all, frame| [all, frame[24..].to_vec()].concat())
}

fn put(folder: &TempDir, name: &str, bytes: &[u8]) -> String {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    arg(&path).to_owned()
}

fn assert_says(called: &Called, code: i32, words: &[&str]) {
    assert_eq!(called.code, code, "{}{}", called.stdout, called.stderr);
    for word in words {
        assert!(called.stderr.contains(word), "`{word}` in {}", called.stderr);
    }
}

/// An xz file whose header claims a dictionary of 3 GiB.
fn xz_with_large_dictionary(bytes: &[u8]) -> Vec<u8> {
    let mut xz = liblzma::encode_all(bytes, 1).unwrap();
    let header = 12..12 + (usize::from(xz[12]) + 1) * 4;
    let lzma2 = xz[header.clone()].windows(2).position(|two| two == [0x21, 1]).unwrap();
    xz[header.start + lzma2 + 2] = 39;
    let mut check = flate2::Crc::new();
    check.update(&xz[header.start..header.end - 4]);
    xz[header.end - 4..header.end].copy_from_slice(&check.sum().to_le_bytes());
    xz
}

/// A zstd file whose header claims a window of 2 GiB.
fn zstd_with_large_window(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.write_all(bytes).unwrap();
    let mut zstd = encoder.finish().unwrap();
    // The window's size stands behind the magic number and the descriptor: an exponent, 10 less.
    zstd[5] = (31 - 10) << 3;
    zstd
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn decoders_take_no_more_memory_than_allowed() {
    let folder = TempDir::new().unwrap();
    let capture = scan(50, true);
    for (name, bytes) in
        [("d.pcap.xz", xz_with_large_dictionary(&capture)), ("w.pcap.zst", zstd_with_large_window(&capture))]
    {
        let path = put(&folder, name, &bytes);
        assert_says(&inga(&["events", &path]), 2, &[name, "256 MiB", "--memory-limit"]);
        assert_says(&inga(&["fingerprint", &path, "--memory-limit", "1GiB"]), 2, &["1 GiB"]);
    }
    let usual = put(&folder, "usual.pcap.xz", &liblzma::encode_all(capture.as_slice(), 9).unwrap());
    assert_eq!(inga(&["events", &usual]).stdout.lines().count(), 50);
    assert_says(&inga(&["events", &usual, "--memory-limit", "1MiB"]), 2, &["1 MiB"]);
    assert_says(&inga(&["events", &usual, "--memory-limit", "much"]), 2, &["256MiB"]);
}

#[test]
fn bombs_are_stopped_and_captures_that_compress_well_are_not() {
    let folder = TempDir::new().unwrap();
    let bomb = [scan(10, true), vec![0; 20 << 20]].concat();
    let capture = scan(5000, true);
    for (name, packed) in [
        ("bomb.pcap.gz", gzip(&bomb)),
        ("bomb.pcap.zst", zstd::encode_all(bomb.as_slice(), 3).unwrap()),
        ("bomb.pcap.xz", liblzma::encode_all(bomb.as_slice(), 1).unwrap()),
    ] {
        let path = put(&folder, name, &packed);
        assert_says(
            &inga(&["fingerprint", &path, "--unpack-limit", "2MiB"]),
            2,
            &[name, "2 MiB", "200 times", "--unpack-limit"],
        );
    }
    let packed = put(&folder, "usual.pcap.gz", &gzip(&capture));
    let called = inga(&["events", &packed, "--unpack-limit", "1"]);
    assert_eq!((called.code, called.stdout.lines().count()), (0, 5000), "{}", called.stderr);
}

#[test]
fn a_sandbox_run_is_cut_with_a_notice_and_what_must_be_sorted_is_refused() {
    let folder = TempDir::new().unwrap();
    let run = put(&folder, "run.pcap", &scan(500, true));
    let args = ["fingerprint", &run, "--victim", "10.0.0.1", "--format", "json"];
    let whole = inga(&args);
    assert!(!whole.stderr.contains("cut"), "{}", whole.stderr);
    let cut = inga(&[&args[..], &["--packets-max", "100"]].concat());
    assert_says(&cut, 0, &["run.pcap: cut after its first 100 packets, 400 more", "--packets-max"]);
    assert!(cut.stdout.contains("tr=") && cut.stdout != whole.stdout, "its scan is shown all the same");

    let backwards = put(&folder, "backwards.pcap", &scan(500, false));
    for call in [vec!["fingerprint", &backwards], vec!["fingerprint", &backwards, "--summary"]] {
        assert_eq!(inga(&call).code, 0);
        let refused = inga(&[&call[..], &["--packets-max", "100"]].concat());
        assert_says(&refused, 2, &["backwards.pcap", "reordercap", "--packets-max"]);
        assert_eq!(refused.stdout, "");
    }
}

#[test]
fn a_file_that_cannot_be_read_does_not_stop_the_others() {
    let folder = TempDir::new().unwrap();
    put(&folder, "a.pcap", &scan(20, true));
    put(&folder, "b.pcap.xz", &xz_with_large_dictionary(&scan(20, true)));
    put(&folder, "c.pcap", &scan(30, true));
    put(&folder, "README.md", b"# Scans\n\n    IP 10.0.0.1.1061 > 192.0.2.1.445: Flags [S], length 0\n");
    put(&folder, "tcpdump.log", b"IP 10.0.0.1.1061 > 192.0.2.1.445: Flags [S], seq 1, win 9, length 0\n");
    let called = inga(&["events", arg(folder.path())]);
    assert_says(&called, 1, &["error: ", "b.pcap.xz", "README.md: passed over (text"]);
    assert_eq!(called.stdout.lines().count(), 51);
    let (a, missing) = (put(&folder, "a.pcap", &scan(20, true)), arg(&folder.path().join("none")).to_owned());
    for command in ["events", "fingerprint"] {
        let called = inga(&[command, &missing, &a]);
        assert_says(&called, 1, &["none", "No such file"]);
        assert!(!called.stdout.is_empty());
        assert_says(&inga(&[command, &missing]), 2, &["No such file"]);
    }
    let history = folder.path().join("history");
    let db = arg(&history);
    assert_eq!(inga(&["sensor", "add", "s", "--history", db, "--prefix", "192.0.2.0/24"]).code, 0);
    let called =
        inga(&["observe", "--sensor", "s", "--history", db, &a, &missing, "samples/no-scan/run.pcap"]);
    assert_says(&called, 1, &["none", "No such file"]);
    assert_eq!(called.stdout.matches("stored").count(), 1, "{}", called.stdout);
    // Its addresses are none of the sensor's.
    assert!(called.stdout.contains("nothing of its 22 packets to store"), "{}", called.stdout);
}

/// Reports of the same run under other names: one with its capture, the others with captures that cannot be read.
fn reports(folder: &TempDir) -> Vec<String> {
    let report = |name: &str, digest: char| {
        let text = format!("identity: {{md5: {}}}\ncaptures: [{name}]\n", digest.to_string().repeat(32));
        put(folder, &format!("{digest}.yaml"), text.as_bytes())
    };
    put(folder, "run.pcap", &fs::read("samples/ping-sweep/run.pcap").unwrap());
    put(folder, "only-a-header.pcap", &scan(1, true)[..24]);
    put(folder, "damaged.pcap.xz", &xz_with_large_dictionary(&scan(20, true)));
    let names = ["run.pcap", "only-a-header.pcap", "damaged.pcap.xz", "missing.pcap"];
    names.iter().zip('a'..).map(|(name, digest)| report(name, digest)).collect()
}

#[test]
fn a_sample_without_a_run_is_answered_as_such_beside_the_others() {
    let folder = TempDir::new().unwrap();
    let reports = reports(&folder);
    let paths: Vec<&str> = reports.iter().map(String::as_str).collect();
    let correlate = |paths: &[&str]| {
        inga(&[&["correlate"][..], paths, &["--darknet", "samples/darknet", "--format", "json"]].concat())
    };
    let called = correlate(&paths);
    assert_says(&called, 1, &["error: ", "missing.pcap", "damaged.pcap.xz"]);
    let answers: Vec<serde_json::Value> =
        called.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (name, digest) in ["only-a-header.pcap", "damaged.pcap.xz", "missing.pcap"].iter().zip('b'..) {
        let of = |answer: &&serde_json::Value| answer["sample"] == digest.to_string().repeat(32);
        let found: Vec<&serde_json::Value> = answers.iter().filter(of).collect();
        assert!(!found.is_empty(), "{digest}: {}", called.stdout);
        for answer in found {
            assert_eq!(answer["verdict"], "cannot tell");
            assert!(answer["reasons"].to_string().contains(name), "{answer}");
        }
    }
    let alone: Vec<String> = correlate(&paths[..1]).stdout.lines().map(str::to_owned).collect();
    assert!(!alone.is_empty());
    let empty = correlate(&paths[1..2]);
    assert_eq!(empty.code, 0, "{}", empty.stderr);
    assert!(empty.stdout.contains("cannot tell") && empty.stdout.contains("only-a-header.pcap"));
    assert_says(&correlate(&paths[3..]), 2, &["missing.pcap"]);
}

#[test]
fn check_fails_a_sample_whose_capture_is_empty_and_checks_the_others() {
    let folder = TempDir::new().unwrap();
    for (name, capture) in
        [("empty", scan(1, true)[..24].to_vec()), ("whole", fs::read("samples/ping-sweep/run.pcap").unwrap())]
    {
        let own = folder.path().join(name);
        fs::create_dir(&own).unwrap();
        fs::copy("samples/ping-sweep/report.yaml", own.join("report.yaml")).unwrap();
        fs::write(own.join("run.pcap"), capture).unwrap();
    }
    let called = inga(&["check", arg(folder.path()), "--format", "json"]);
    assert_eq!(called.code, 2, "{}", called.stderr);
    assert_eq!(called.stdout.lines().count(), 2, "{}", called.stdout);
    assert!(called.stdout.contains("run.pcap: no packets"), "{}", called.stdout);
}

#[test]
fn what_is_no_capture_is_named_with_what_to_do() {
    let folder = TempDir::new().unwrap();
    let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    let html = b"\n<!DOCTYPE html><html><head><title>Sign in</title>";
    let all: [(&str, &[u8], [&str; 2]); 11] = [
        ("lfs.pcap", lfs, ["Git LFS pointer", "git lfs pull"]),
        ("netmon.cap", b"GMBU\0\x02\x01\0", ["Microsoft Network Monitor", "editcap"]),
        ("old.cap", b"RTSS\x01\0\0\0", ["Microsoft Network Monitor", "editcap"]),
        ("sniffer.enc", b"TRSNIFF data    \x1a", ["Sniffer", "editcap"]),
        ("xray.cap", b"XCP\x00002.002", ["NetXray", "editcap"]),
        ("a.7z", b"7z\xbc\xaf\x27\x1c\0\x04", ["7z archive", "7z x"]),
        ("a.rar", b"Rar!\x1a\x07\x01\0", ["rar archive", "unrar"]),
        ("a.lz4", b"\x02\x21\x4c\x18aaaa", ["legacy lz4", "lz4 -d"]),
        ("login.pcap", html, ["HTML", "download it again"]),
        ("a.db", b"SQLite format 3\0", ["SQLite", "--history"]),
        ("zeros.pcap", &[0; 100], ["zeros", "transfer it again"]),
    ];
    for (name, bytes, words) in all {
        assert_says(&inga(&["events", &put(&folder, name, bytes)]), 2, &[name, words[0], words[1]]);
        let packed = put(&folder, &format!("{name}.gz"), &gzip(bytes));
        assert_says(&inga(&["events", &packed]), 2, &[words[0], "within gzip"]);
    }
}

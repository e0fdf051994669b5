//! Archives: captures are read from every kind, no file is written under a member's name, and the cost of hostile
//! archives is limited.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use inga::capture::{Input, ReadOptions, expand, read};
use proptest::prelude::*;
use tempfile::TempDir;
use zip::unstable::write::FileOptionsExt;
use zip::write::SimpleFileOptions;
use zip::{AesMode, CompressionMethod, ZipWriter};

use crate::command::{arg, inga, inga_with};
use crate::make::packets::{Pcap, RAW_IP, tcp};

/// 2009-03-02 at noon, in microseconds.
const NOON: u64 = 1_235_995_200_000_000;
const HOUR: u64 = 3_600_000_000;

/// A capture of an hour of that day: eight hosts scan 445/tcp of a darknet.
fn capture(hour: u64) -> Vec<u8> {
    let mut pcap = Pcap::new(RAW_IP);
    for host in 0..8u8 {
        let (from, to) = (([10, 0, 0, host].into(), 1061), ([192, 0, 2, host].into(), 445));
        pcap.add(NOON + hour * HOUR + u64::from(host) * 1000, tcp(from, to, "S", u32::from(host) + 1, b""));
    }
    pcap.bytes()
}

/// Members as in archives of malware analysts: two captures, of which the later comes first, and other files.
fn members() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("run/second.pcap", capture(2)),
        ("run/notes.txt", b"It scans:\n  IP 10.0.0.1.1061 > 192.0.2.1.445: Flags [S], length 0\n".to_vec()),
        ("../../first.pcap", capture(1)),
        ("/etc/inga-\u{1b}[2J.exe", b"MZ\x90\0".to_vec()),
    ]
}

fn tar(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        // The library refuses such names when it writes.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, bytes.as_slice()).unwrap();
    }
    tar.into_inner().unwrap()
}

fn zip(members: &[(&str, Vec<u8>)], options: SimpleFileOptions) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn method(method: CompressionMethod) -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(method)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    bzip2.write_all(bytes).unwrap();
    bzip2.finish().unwrap()
}

/// Returns every kind of archive of the same members.
fn archives(members: &[(&str, Vec<u8>)]) -> Vec<(&'static str, Vec<u8>)> {
    let tar = tar(members);
    let deflated = method(CompressionMethod::Deflated);
    let encrypted = deflated.with_deprecated_encryption(b"infected").unwrap();
    vec![
        ("a.tar.gz", gzip(&tar)),
        ("a.tar.zst", zstd::encode_all(tar.as_slice(), 1).unwrap()),
        ("a.tar.xz", liblzma::encode_all(tar.as_slice(), 1).unwrap()),
        ("a.tbz", bzip2(&tar)),
        ("stored.zip", zip(members, method(CompressionMethod::Stored))),
        ("deflated.zip", zip(members, deflated)),
        ("bzip2.zip", zip(members, method(CompressionMethod::Bzip2))),
        ("zstd.zip", zip(members, method(CompressionMethod::Zstd))),
        ("old-cipher.zip", zip(members, encrypted)),
        ("aes.zip", zip(members, deflated.with_aes_encryption(AesMode::Aes256, "infected"))),
        ("a.tar", tar),
    ]
}

fn put(folder: &TempDir, name: &str, bytes: &[u8]) -> String {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    arg(&path).to_owned()
}

#[test]
fn every_archive_gives_the_captures_in_it_in_their_order() {
    let folder = TempDir::new().unwrap();
    let (first, second) = (put(&folder, "1", &capture(1)), put(&folder, "2", &capture(2)));
    for command in ["events", "fingerprint"] {
        let expected = inga(&[command, &first, &second, "--format", "json"]);
        assert_eq!(expected.json().len(), 16, "{}", expected.stdout);
        for (name, bytes) in archives(&members()) {
            let path = put(&folder, name, &bytes);
            for called in [
                inga(&[command, &path, "--format", "json"]),
                inga_with(&[command, "-", "--format", "json"], &bytes),
            ] {
                assert_eq!((called.code, &called.stdout), (0, &expected.stdout), "{name}: {}", called.stderr);
                for word in ["notes.txt: passed over (text", "an executable", "!"] {
                    let word = word.replace("an executable", "a Windows executable");
                    assert!(called.stderr.contains(&word), "`{word}` in {name}: {}", called.stderr);
                }
                assert!(!called.stderr.contains('\u{1b}'), "{name}: {:?}", called.stderr);
            }
        }
    }
    assert!(!folder.path().join("run").exists() && !folder.path().join("../first.pcap").exists());
}

#[test]
fn a_folder_has_archives_beside_captures() {
    let folder = TempDir::new().unwrap();
    put(&folder, "z.pcap", &capture(0));
    put(&folder, "a.zip", &zip(&members(), SimpleFileOptions::default()));
    let called = inga(&["events", arg(folder.path()), "--format", "json"]);
    let hours: Vec<String> =
        called.json().iter().map(|event| event["time"].as_str().unwrap()[11..13].to_owned()).collect();
    assert_eq!([&hours[0], &hours[8], &hours[16]], ["12", "13", "14"]);
}

#[test]
fn a_member_is_known_by_its_content_whatever_archive_it_is_in() {
    let folder = TempDir::new().unwrap();
    let history = folder.path().join("history");
    let db = arg(&history);
    let added = inga(&["sensor", "add", "s", "--history", db, "--prefix", "192.0.2.0/24"]);
    assert_eq!(added.code, 0, "{}", added.stderr);
    let feed = |path: &str| inga(&["observe", "--sensor", "s", "--history", db, path]);
    let tgz = put(&folder, "a.tgz", &gzip(&tar(&members())));
    let fed = feed(&tgz);
    assert_eq!(fed.stdout.matches("8 of 8 packets").count(), 2, "{}{}", fed.stdout, fed.stderr);
    assert!(fed.stdout.contains("a.tgz!../../first.pcap: 8 of 8"), "{}", fed.stdout);
    for (name, bytes) in archives(&members()) {
        let again = feed(&put(&folder, name, &bytes));
        assert_eq!(again.stdout.matches("stored before").count(), 2, "{name}: {}", again.stdout);
    }
    let again = feed(&put(&folder, "alone.pcap", &capture(2)));
    assert!(again.stdout.contains("stored before"), "{}", again.stdout);
}

#[test]
fn a_report_may_name_an_archive() {
    let folder = TempDir::new().unwrap();
    let run = fs::read("samples/ping-sweep/run.pcap").unwrap();
    let report = fs::read_to_string("samples/ping-sweep/report.yaml").unwrap();
    put(&folder, "report.yaml", report.replace("run.pcap", "run.zip").as_bytes());
    let encrypted = SimpleFileOptions::default().with_aes_encryption(AesMode::Aes256, "infected");
    put(&folder, "run.zip", &zip(&[("dump.pcap", run.clone())], encrypted));
    let called = inga(&["check", arg(folder.path())]);
    assert_eq!(called.code, 0, "{}{}", called.stdout, called.stderr);
    let other = SimpleFileOptions::default().with_aes_encryption(AesMode::Aes256, "secret");
    put(&folder, "run.zip", &zip(&[("dump.pcap", run)], other));
    let refused = inga(&["check", arg(folder.path())]);
    assert_eq!(refused.code, 2);
    assert!(format!("{}{}", refused.stdout, refused.stderr).contains("--password"), "{}", refused.stdout);
    assert_eq!(inga(&["check", arg(folder.path()), "--password", "secret"]).code, 0);
}

#[test]
fn archives_that_no_capture_comes_in_are_refused_with_the_reason() {
    let folder = TempDir::new().unwrap();
    let inner = zip(&members(), SimpleFileOptions::default());
    let cut = inner[..inner.len() - 30].to_vec();
    let overlapping = overlapping();
    for (name, bytes, words) in [
        (
            "nested.zip",
            zip(&[("in.zip", inner.clone())], SimpleFileOptions::default()),
            "a zip archive; unpack the outer",
        ),
        ("nested.tgz", gzip(&tar(&[("in.tar.gz", gzip(&tar(&members())))])), "tar archive within gzip"),
        ("cut.zip", cut, "a damaged or cut zip archive"),
        ("overlap.zip", overlapping, "members overlap"),
        ("empty.zip", zip(&[], SimpleFileOptions::default()), "no capture in this archive"),
        ("texts.tar", tar(&[("a", b"nothing".to_vec())]), "no capture in this archive; 1 other files"),
    ] {
        let called = inga(&["events", &put(&folder, name, &bytes)]);
        assert_eq!((called.code, called.stdout.as_str()), (2, ""), "{name}: {}", called.stderr);
        assert!(called.stderr.contains(words), "{name}: {}", called.stderr);
    }
}

#[test]
fn archives_with_absurdly_many_members_or_long_names_are_refused() {
    let folder = TempDir::new().unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_path("x").unwrap();
    header.set_size(0);
    header.set_cksum();
    let many = header.as_bytes().repeat(100_001);
    let called =
        inga(&["events", &put(&folder, "many.tar.zst", &zstd::encode_all(many.as_slice(), 1).unwrap())]);
    assert_eq!(called.code, 2);
    assert!(called.stderr.contains("more than 100000 members; unpack it"), "{}", called.stderr);
    let names: Vec<String> = (0..300).map(|at| format!("{at}{}", "x".repeat(60_000))).collect();
    let members: Vec<(&str, Vec<u8>)> = names.iter().map(|name| (name.as_str(), Vec::new())).collect();
    let called = inga(&["events", &put(&folder, "names.zip", &zip(&members, SimpleFileOptions::default()))]);
    assert_eq!(called.code, 2);
    assert!(called.stderr.contains("directory is larger than 16 MiB"), "{}", called.stderr);
}

/// A zip whose directory has the same member twice, under two names.
fn overlapping() -> Vec<u8> {
    let bytes = zip(&[("a.pcap", capture(1)), ("b.pcap", capture(1))], method(CompressionMethod::Stored));
    let second = bytes.windows(4).rposition(|four| four == b"PK\x01\x02").unwrap();
    let mut overlapping = bytes.clone();
    // The offset of the second's header becomes that of the first.
    overlapping[second + 42..second + 46].fill(0);
    overlapping
}

/// The zip with the offset of its first member's header moved out of the file, by the field of zip64.
fn with_absurd_offset(mut zip: Vec<u8>) -> Vec<u8> {
    let number = |zip: &[u8], at: usize| usize::from(u16::from_le_bytes([zip[at], zip[at + 1]]));
    let entry = zip.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
    let (name, extra) = (number(&zip, entry + 28), number(&zip, entry + 30));
    assert_eq!(extra, 0);
    let field = [&[1, 0, 8, 0][..], &(1_u64 << 63).to_le_bytes()].concat();
    zip[entry + 30] = u8::try_from(field.len()).unwrap();
    zip[entry + 42..entry + 46].fill(0xff);
    let behind_name = entry + 46 + name;
    zip.splice(behind_name..behind_name, field.clone());
    let end = zip.windows(4).rposition(|four| four == b"PK\x05\x06").unwrap();
    let length = u32::try_from(end - entry).unwrap();
    zip[end + 12..end + 16].copy_from_slice(&length.to_le_bytes());
    zip
}

#[test]
fn a_member_that_cannot_be_is_an_error_and_the_others_are_read() {
    let folder = TempDir::new().unwrap();
    let two = [("a.pcap", capture(1)), ("b.pcap", capture(2))];
    let stored = zip(&two, method(CompressionMethod::Stored));
    let mut unknown_method = stored.clone();
    let entry = stored.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
    unknown_method[entry + 10] = 97;
    for (name, bytes) in [("offset.zip", with_absurd_offset(stored)), ("method.zip", unknown_method)] {
        let called = inga(&["events", &put(&folder, name, &bytes), "--format", "json"]);
        assert_eq!(called.code, 1, "{name}: {}", called.stderr);
        assert_eq!(called.stdout.lines().count(), 8, "{name}: {}", called.stderr);
        assert!(called.stderr.contains("error: ") && called.stderr.contains(name), "{}", called.stderr);
    }
}

#[test]
fn damaged_members_are_counted_and_the_others_read() {
    let folder = TempDir::new().unwrap();
    let mut bytes = zip(&[("a.pcap", capture(1)), ("b.pcap", capture(2))], method(CompressionMethod::Stored));
    // A bit of a packet's payload length: the checksum shows it.
    bytes[30 + 6 + 24 + 16 + 4] ^= 1;
    let called = inga(&["events", &put(&folder, "crc.zip", &bytes), "--format", "json"]);
    assert_eq!(called.json().len(), 16);
    assert!(called.stderr.contains("crc.zip!a.pcap: 1 × damaged record"), "{}", called.stderr);

    let whole = tar(&[("a.pcap", capture(1)), ("b.pcap", capture(2))]);
    let cut = &whole[..512 + 1024 + 512 + 300];
    for (name, bytes) in [("cut.tar", cut.to_vec()), ("cut.tar.gz", gzip(cut))] {
        let called = inga(&["events", &put(&folder, name, &bytes)]);
        assert_eq!(called.code, 1, "{}", called.stderr);
        assert!(called.stdout.lines().count() > 8, "{}", called.stdout);
        assert!(called.stderr.contains("error: ") && called.stderr.contains(name), "{}", called.stderr);
    }
}

#[test]
fn unusual_members_are_passed_over() {
    let folder = TempDir::new().unwrap();
    let mut tar = tar::Builder::new(Vec::new());
    let long = format!("{}/x.pcap", "d".repeat(300));
    let add = |tar: &mut tar::Builder<Vec<u8>>, name: &str, kind, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, bytes).unwrap();
    };
    add(&mut tar, &long, tar::EntryType::Regular, &capture(1));
    add(&mut tar, "same.pcap", tar::EntryType::Regular, &capture(2));
    add(&mut tar, "same.pcap", tar::EntryType::Regular, &capture(3));
    add(&mut tar, "holes.pcap", tar::EntryType::GNUSparse, &capture(4));
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    tar.append_link(&mut link, "link.pcap", "/etc/passwd").unwrap();
    let path = put(&folder, "odd.tar", &tar.into_inner().unwrap());
    let called = inga(&["events", &path, "--format", "json"]);
    assert_eq!(called.json().len(), 24);
    for words in ["holes.pcap: passed over (a sparse file", "link.pcap: passed over (a link)"] {
        assert!(called.stderr.contains(words), "{}", called.stderr);
    }
}

/// Reads all captures of an archive, as the program does, and returns their number.
fn read_all(path: &Path) -> usize {
    let options = ReadOptions::default();
    let Ok(expanded) = expand(&[path.to_owned()], &options) else { return 0 };
    for input in &expanded.inputs {
        assert!(!input.to_string().contains(char::is_control), "{input:?}");
        let _damaged = read(input, &options, &mut |_, _| {});
    }
    expanded.inputs.iter().filter(|input| matches!(input, Input::Member(_))).count()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Archives are changed, cut, doubled or joined, and members have any name. Whatever the result is, nothing
    /// panics, gives more captures than there are, or writes files beside the archive.
    #[test]
    fn hostile_archives_are_bounded(
        kind in 0..11usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
        doubled in any::<bool>(),
        name in r"[^/\\\pC]{1,24}",
    ) {
        let folder = TempDir::new().unwrap();
        let mut members = members();
        members.push((name.as_str(), capture(3)));
        members.dedup_by_key(|(name, _)| *name);
        let (_, mut bytes) = archives(&members).swap_remove(kind);
        if doubled {
            bytes.extend(bytes.clone());
        }
        for (place, value) in &changes {
            let at = place.index(bytes.len());
            bytes[at] = *value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let path = folder.path().join("hostile");
        fs::write(&path, &bytes).unwrap();
        let found = read_all(&path);
        prop_assert!(found <= 2 * members.len(), "{} captures", found);
        if changes.is_empty() && cut.is_none() && !doubled {
            prop_assert_eq!(found, 3);
        }
        prop_assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

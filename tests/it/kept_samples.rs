//! Samples that a history keeps: runs that are added, families by static likeness, other names, everything of one
//! sample; and output of sandboxes as it is given to `correlate` and `check`.

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;

use crate::command::{Called, arg, inga};
use crate::sandboxes::{MD5, cape, cape_folder, put, run};

/// A history with a sensor, and a place for files.
struct Kept {
    folder: TempDir,
    history: PathBuf,
}

impl Kept {
    fn new() -> Kept {
        let folder = TempDir::new().unwrap();
        let history = folder.path().join("history");
        let kept = Kept { folder, history };
        let added = kept.call(&["sensor", "add", "s", "--prefix", "198.51.100.0/24"]);
        assert_eq!(added.code, 0, "{}", added.stderr);
        kept
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn call(&self, args: &[&str]) -> Called {
        inga(&[args, &["--history", arg(&self.history)]].concat())
    }

    fn import(&self, path: &Path) -> Called {
        let called = self.call(&["sample", "import", arg(path)]);
        assert_eq!(called.code, 0, "{}{}", called.stdout, called.stderr);
        called
    }

    fn show(&self) -> Value {
        self.call(&["sample", "show", &MD5[..12], "--format", "json"]).json().remove(0)
    }

    fn families(&self) -> Vec<Value> {
        self.call(&["sample", "families", "--format", "json"]).json()
    }

    /// Imports an analysis whose report has other properties of the file.
    fn import_with(&self, md5: &str, properties: &Value, family: Option<&str>) {
        let place = self.at(md5);
        cape_folder(&place, md5, &run());
        let mut report = cape(md5, &run());
        report["detections"] = family.map_or(json!([]), |family| json!([{"family": family, "details": []}]));
        for (key, value) in properties.as_object().unwrap() {
            report["target"]["file"][key] = value.clone();
        }
        put(&place.join("reports/report.json"), report.to_string());
        self.import(&place);
    }
}

/// The run of another capture: without its last packets.
fn shorter() -> Vec<u8> {
    run()[..run().len() - 100].to_vec()
}

#[test]
fn a_further_run_is_added_and_an_equal_one_is_not() {
    let kept = Kept::new();
    cape_folder(&kept.at("1"), MD5, &run());
    kept.import(&kept.at("1"));
    assert_eq!(kept.show()["runs"].as_array().unwrap().len(), 1);
    cape_folder(&kept.at("2"), MD5, &shorter());
    let mut report = cape(MD5, &shorter());
    report["info"]["started"] = json!("2023-10-12 08:00:00");
    report["info"]["machine"]["name"] = json!("win10_1");
    put(&kept.at("2/reports/report.json"), report.to_string());
    let added = kept.import(&kept.at("2"));
    assert!(added.stdout.contains("1 runs added or replaced; the history has 2"), "{}", added.stdout);
    kept.import(&kept.at("2"));
    let shown = kept.show();
    let runs = shown["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2, "{shown}");
    assert_eq!((&runs[0]["machine"], &runs[1]["machine"]), (&json!("win7_2"), &json!("win10_1")));
    assert_eq!((&runs[1]["answered"], &runs[1]["seconds"]), (&json!(false), &json!(492)));
    assert!(runs.iter().all(|run| run["windows"].as_u64() > Some(0)), "{shown}");
    // The date of the sample is that of its first run.
    assert_eq!(shown["acquired"], "2023-10-12");
    // Both runs are one scan, whose targets add up.
    assert_eq!((&shown["scans"][0]["runs"], shown["scans"].as_array().unwrap().len()), (&json!([0, 1]), 1));
    assert!(shown["scans"][0]["targets"].as_u64() > Some(64), "{shown}");
    let text = kept.call(&["sample", "show", MD5]);
    assert!(
        text.stdout.contains("scan (of 2 runs)") && text.stdout.contains("machine win10_1"),
        "{}",
        text.stdout
    );
    let unknown = kept.call(&["sample", "show", "ffffffffffff"]);
    assert!(unknown.code == 2 && unknown.stderr.contains("no sample"), "{}", unknown.stderr);
    // The history answers as before.
    assert_eq!(kept.call(&["correlate", "--format", "json"]).code, 0);
    assert_eq!(kept.call(&["history", "verify"]).code, 0);
}

#[test]
fn samples_that_are_alike_are_one_family() {
    let kept = Kept::new();
    let hash = |digit: u8| digit.to_string().repeat(32);
    let imphash = |digit: &str| json!({"pe": {"imphash": digit.repeat(32)}, "type": "PE32", "size": 61_440});
    kept.import_with(&hash(1), &imphash("a"), Some("Mirai"));
    kept.import_with(&hash(2), &imphash("a"), None);
    kept.import_with(&hash(3), &imphash("b"), None);
    kept.import_with(&hash(4), &imphash("b"), None);
    kept.import_with(&hash(5), &imphash("c"), None);
    let families = kept.families();
    let names: Vec<(&str, usize)> = families
        .iter()
        .map(|family| (family["family"].as_str().unwrap(), family["samples"].as_array().unwrap().len()))
        .collect();
    assert_eq!(names, [("Mirai", 2), ("unnamed-333333333333", 2), ("unnamed-555555555555", 1)]);
    let known_by = &families[0]["samples"][1]["known_by"];
    assert_eq!(known_by, &json!(format!("static likeness to {} (same imphash)", hash(1))));
    assert_eq!(families[0]["scans"].as_array().unwrap().len(), 1, "{families:?}");
    let listed = kept.call(&["sample", "list", "--family", "mirai"]);
    assert!(listed.stdout.contains(&hash(2)) && !listed.stdout.contains(&hash(3)), "{}", listed.stdout);
}

#[test]
fn a_family_that_is_renamed_stays_so() {
    let kept = Kept::new();
    cape_folder(&kept.at("1"), MD5, &run());
    kept.import(&kept.at("1"));
    assert_eq!(kept.families()[0]["family"], "Conficker");
    let unknown = kept.call(&["sample", "rename-family", "nobody", "Other"]);
    assert!(unknown.code == 2 && unknown.stderr.contains("nobody"), "{}", unknown.stderr);
    assert_eq!(kept.call(&["sample", "rename-family", "kido", "House \u{1b}[2J"]).code, 2);
    assert_eq!(kept.call(&["sample", "rename-family", "kido", "House worm"]).code, 0);
    cape_folder(&kept.at("2"), MD5, &shorter());
    kept.import(&kept.at("2"));
    assert_eq!(kept.families()[0]["family"], "House worm");
    assert_eq!(kept.show()["family"], "House worm");
    // A family that nothing names can be named, and those that are like it have the name too.
    let other = "b".repeat(32);
    kept.import_with(&other, &json!({}), None);
    let unnamed = format!("unnamed-{}", &other[..12]);
    assert_eq!(kept.call(&["sample", "rename-family", &unnamed, "House worm"]).code, 0);
    let families = kept.families();
    assert_eq!((families.len(), families[0]["samples"].as_array().unwrap().len()), (1, 2), "{families:?}");
}

fn zip(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().with_aes_encryption(zip::AesMode::Aes256, "infected");
    for (name, bytes) in members {
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn analysis_folders_in_archives_are_imported() {
    let kept = Kept::new();
    let other = "0".repeat(31) + "1";
    let overview = json!({
        "sample": {"id": "231014-abc", "md5": other, "created": "2023-10-14T14:29:49Z"},
        "tasks": [{"kind": "behavioral", "name": "behavioral1", "resource": "win7-1"}]
    });
    let members = [
        ("7/reports/report.json", cape(MD5, &run()).to_string().into_bytes()),
        ("7/dump.pcap", run()),
        ("7/dump_sorted.pcap", shorter()),
        ("7/binary", b"MZ".to_vec()),
        ("../triage/overview.json", overview.to_string().into_bytes()),
        ("../triage/behavioral1/dump.pcap", fs::read("samples/random-scan-with-retries/run.pcap").unwrap()),
    ];
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in &members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, bytes.as_slice()).unwrap();
    }
    put(&kept.at("a.zip"), zip(&members));
    put(&kept.at("a.tar"), tar.into_inner().unwrap());
    for archive in ["a.zip", "a.tar"] {
        let called = inga(&["sample", "import", arg(&kept.at(archive)), "--format", "json"]);
        let lines = called.json();
        assert_eq!(lines.last().unwrap()["samples"], 2, "{}", called.stdout);
        for md5 in [MD5, &other] {
            let sample = lines.iter().find(|line| line["sample"] == md5).unwrap();
            assert_eq!((&sample["has_capture"], &sample["runs"][0]["problems"]), (&json!(true), &json!([])));
        }
        let triage = lines.iter().find(|line| line["sample"] == json!(other)).unwrap();
        assert_eq!(triage["runs"][0]["machine"], "win7-1");
    }
    let correlated = kept.call(&["correlate", arg(&kept.at("a.zip")), "--format", "json"]);
    assert!(correlated.json().iter().any(|one| one["sample"] == MD5), "{}", correlated.stdout);
}

#[test]
fn output_of_sandboxes_and_own_reports_are_checked_and_correlated_together() {
    let kept = Kept::new();
    let samples = kept.at("samples");
    cape_folder(&samples.join("1"), MD5, &run());
    let own = samples.join("own");
    put(&own.join("run.pcap"), run());
    let md5 = "c".repeat(32);
    put(
        &own.join("report.yaml"),
        format!("identity: {{md5: {md5}}}\ncaptures: [run.pcap]\nexpect: {{windows: 1}}\n"),
    );
    let checked = inga(&["check", arg(&samples)]);
    assert_eq!(checked.code, 0, "{}{}", checked.stdout, checked.stderr);
    assert!(checked.stdout.contains("2 samples: 2 hold"), "{}", checked.stdout);
    let refused = inga(&["check", arg(&samples), "--accept"]);
    assert!(refused.code == 2 && refused.stderr.contains("sample import --to"), "{}", refused.stderr);
    let capture = kept.at(&format!("{MD5}.pcap"));
    put(&capture, run());
    for path in [&samples.join("1"), &samples.join("1/reports/report.json"), &capture] {
        let checked = inga(&["check", arg(path)]);
        assert_eq!(checked.code, 0, "{}: {}{}", path.display(), checked.stdout, checked.stderr);
        assert!(checked.stdout.contains("nothing expected"), "{}", checked.stdout);
    }
    // Questions to an empty history are answered at once.
    for (path, id) in [(&capture, MD5), (&samples, md5.as_str())] {
        let called = kept.call(&["correlate", arg(path), "--format", "json"]);
        assert!(called.json().iter().any(|one| one["sample"] == id), "{}", called.stdout);
    }
    fs::remove_dir_all(samples.join("1")).unwrap();
    fs::remove_dir_all(&own).unwrap();
    assert_eq!(inga(&["check", arg(&samples)]).code, 2);
}

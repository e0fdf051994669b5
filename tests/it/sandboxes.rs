//! `inga sample import`: each kind of sandbox, damaged and hostile analyses, and reports that sandboxes wrote.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::command::{Called, arg, inga};
use crate::corpora::corpora;

pub(crate) const MD5: &str = "a2eaf57c47a118e91a5edf694685eee7";
const SHA256: &str = "aa2316ff30647295efac2c884b30b6e83a8515c2d2ff1df3c5d6091b404c73a9";
/// The victim of `samples/ping-sweep/run.pcap`, as its report states.
const VICTIM: &str = "192.168.20.21";

pub(crate) fn run() -> Vec<u8> {
    fs::read("samples/ping-sweep/run.pcap").unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn put(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A report of CAPE on a sample, in its public schema.
pub(crate) fn cape(md5: &str, capture: &[u8]) -> Value {
    json!({
        "CAPE": {"payloads": [], "configs": []},
        "info": {
            "version": "2.4-CAPE", "started": "2023-10-14 14:29:49", "ended": "2023-10-14 14:38:01", "duration": 492,
            "package": "exe", "timeout": true, "route": "none", "machine": {"name": "win7_2"}
        },
        "target": {"category": "file", "file": {"name": "a.exe", "md5": md5}},
        "detections": [{"family": "Kido", "details": [{"Yara": md5}]}],
        "signatures": [],
        "network": {"pcap_sha256": sha256(capture)}
    })
}

/// Writes an analysis folder of CAPE.
pub(crate) fn cape_folder(folder: &Path, md5: &str, capture: &[u8]) {
    put(&folder.join("reports/report.json"), cape(md5, capture).to_string());
    put(&folder.join("dump.pcap"), capture);
}

fn import(paths: &[&Path]) -> Called {
    let paths = paths.iter().map(|path| arg(path));
    inga(&["sample", "import", "--format", "json"].into_iter().chain(paths).collect::<Vec<_>>())
}

fn lines(called: &Called) -> Vec<Value> {
    called.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The only sample of a call that imported everything.
fn only(called: &Called) -> Value {
    assert_eq!(called.code, 0, "{}{}", called.stdout, called.stderr);
    let lines = lines(called);
    assert_eq!(lines.last().unwrap()["samples"], 1, "{}", called.stdout);
    lines[0].clone()
}

#[test]
fn each_kind_of_analysis_is_told_by_its_content() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let file = json!({"filename": "a.exe", "md5": MD5, "sha256": SHA256});
    cape_folder(&at("cape"), MD5, &run());
    let mut cuckoo = cape(MD5, &run());
    cuckoo.as_object_mut().unwrap().remove("CAPE");
    cuckoo["info"]["version"] = json!("2.0.7");
    cuckoo["info"]["started"] = json!(1_697_293_789);
    put(&at("cuckoo/reports/report.json"), cuckoo.to_string());
    put(&at("cuckoo/dump.pcap"), run());
    let analysis = json!({
        "id": "20231014-AB12CD", "kind": "standard", "created_on": {"__isodt__": "2023-10-14T14:29:49.1"},
        "settings": {"timeout": 120}, "category": "file", "submitted": file, "target": file
    });
    put(&at("cuckoo3/analysis.json"), analysis.to_string());
    let task = json!({"task_id": "20231014-AB12CD_1", "families": ["conficker"], "signatures": []});
    put(&at("cuckoo3/task_1/report.json"), task.to_string());
    put(&at("cuckoo3/task_1/dump.pcap"), run());
    let overview = json!({
        "sample": {"id": "231014-abc", "target": "a.exe", "md5": MD5, "sha256": SHA256, "created": "2023-10-14T14:29:49Z"},
        "tasks": [{"kind": "behavioral", "name": "behavioral1", "resource": "win7-1"}],
        "analysis": {"score": 10, "family": ["conficker"]}
    });
    put(&at("triage/overview.json"), overview.to_string());
    put(&at("triage/behavioral1/dump.pcapng"), run());
    let joe = json!({"analysis": {
        "generalinfo": {"version": "26.0.0", "startdate": "14/10/2023", "starttime": "14:29:49", "duration": "0h 8m 12s"},
        "fileinfo": file,
        "signaturedetections": {"strategy": [{"threatname": "Conficker"}]}
    }});
    put(&at("joe/report.json"), joe.to_string());
    put(&at("joe/dump.pcap"), run());
    for (name, sandbox, zone) in [
        ("cape", "CAPE 2.4", ""),
        ("cuckoo", "Cuckoo 2.0.7", "Z"),
        ("cuckoo3", "Cuckoo 3", "Z"),
        ("triage", "Triage", "Z"),
        ("joe", "Joe Sandbox 26.0.0", ""),
    ] {
        // The name of the folder says nothing.
        let other = at("analysis");
        fs::rename(at(name), &other).unwrap();
        let sample = only(&import(&[&other]));
        fs::rename(&other, at(name)).unwrap();
        assert_eq!((&sample["sample"], &sample["has_capture"]), (&json!(MD5), &json!(true)), "{name}");
        assert_eq!(sample["family"]["name"], "Conficker", "{name}: {sample}");
        assert_eq!(
            (&sample["first_run"], &sample["features"]["file_name"]),
            (&json!("2023-10-14"), &json!("a.exe"))
        );
        let run = &sample["runs"][0];
        assert_eq!(
            (&run["sandbox"], &run["started"]),
            (&json!(sandbox), &json!(format!("2023-10-14T14:29:49{zone}")))
        );
        assert_eq!((&run["victims"], &run["problems"]), (&json!([VICTIM]), &json!([])), "{name}");
    }
    // All of them are runs of one sample. The captures are equal, so that they count once.
    let sample = only(&import(&[folder.path()]));
    assert_eq!(sample["runs"].as_array().unwrap().len(), 5);
}

#[test]
fn captures_named_by_a_hash_and_lone_reports_are_samples_too() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let other = "0".repeat(31) + "1";
    put(&at(&format!("traffic_{other}.pcap")), run());
    put(&at(&format!("{MD5}.json")), cape(MD5, &run()).to_string());
    put(&at(&format!("{MD5}.pcap")), run());
    put(&at("notes.json"), "{\"a\": 1}");
    put(&at("notes.txt"), "nothing");
    let called = import(&[folder.path()]);
    assert_eq!(called.code, 0, "{}{}", called.stdout, called.stderr);
    let lines = lines(&called);
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["samples"], &last["failed"], &last["without_capture"]),
        (&json!(2), &json!(0), &json!(0))
    );
    assert!(lines.iter().any(|line| line["sample"] == json!(other)), "{}", called.stdout);
    // The archive in which analysts ship captures.
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().with_aes_encryption(zip::AesMode::Aes256, "infected");
    zip.start_file(format!("{MD5}.pcap"), options).unwrap();
    std::io::Write::write_all(&mut zip, &run()).unwrap();
    put(&at("a.zip"), zip.finish().unwrap().into_inner());
    let sample = only(&import(&[&at("a.zip")]));
    assert_eq!((&sample["sample"], &sample["has_capture"]), (&json!(MD5), &json!(true)));
    // A hash of the capture itself is not one of a sample.
    let own = at(&format!("{}.pcap", sha256(&run())));
    put(&own, run());
    let refused = import(&[&own]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("of the capture itself"), "{}", refused.stderr);
    assert_eq!(import(&[&at("notes.txt")]).code, 2);
    assert_eq!(import(&[&at("missing")]).code, 2);
}

#[test]
fn reports_that_are_written_can_be_checked_and_kept() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    cape_folder(&at("1"), MD5, &run());
    // A second run of the same sample, in which other packets were captured.
    let shorter = run()[..run().len() - 100].to_vec();
    cape_folder(&at("2"), MD5, &shorter);
    let (to, history) = (at("out"), at("history"));
    let runs = [at("1"), at("2")];
    let calls = ["sample", "import", arg(&runs[0]), arg(&runs[1]), "--to", arg(&to)];
    let written = inga(&calls);
    assert_eq!(written.code, 0, "{}{}", written.stdout, written.stderr);
    assert!(written.stdout.contains("1 samples with 2 runs imported"), "{}", written.stdout);
    let place = to.join(MD5);
    let names: Vec<String> = fs::read_dir(&place)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names.contains(&format!("run-{}.pcap", &sha256(&run())[..16])), "{names:?}");
    let checked = inga(&["check", arg(&to), "--accept"]);
    assert_eq!(checked.code, 0, "{}{}", checked.stdout, checked.stderr);
    // The expectation that was added is not lost.
    let again = inga(&calls);
    assert_eq!(again.code, 2);
    assert!(again.stderr.contains("--replace"), "{}", again.stderr);
    assert_eq!(inga(&[&calls[..], &["--replace"]].concat()).code, 0);
    let added = inga(&["sensor", "add", "s", "--history", arg(&history), "--prefix", "198.51.100.0/24"]);
    assert_eq!(added.code, 0, "{}", added.stderr);
    let kept = inga(&["sample", "import", arg(&at("1")), "--history", arg(&history)]);
    assert_eq!(kept.code, 0, "{}", kept.stderr);
    let listed = inga(&["sample", "list", "--history", arg(&history), "--family", "downadup"]);
    assert!(listed.stdout.contains(MD5) && listed.stdout.contains("CAPE (Yara)"), "{}", listed.stdout);
    let none = inga(&["sample", "list", "--history", arg(&history), "--family", "mirai"]);
    assert!(!none.stdout.contains(MD5), "{}", none.stdout);
    let families = inga(&["sample", "families", "--history", arg(&history)]);
    assert!(families.stdout.starts_with("Conficker: 1 samples\n"), "{}", families.stdout);
}

#[test]
fn one_bad_analysis_does_not_stop_the_others_and_is_named() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let hash = |number: u8| format!("{number:032x}");
    cape_folder(&at("good"), MD5, &run());
    cape_folder(&at("no-capture"), &hash(1), &run());
    fs::remove_file(at("no-capture/dump.pcap")).unwrap();
    put(&at("no-capture/dump_sorted.pcap"), run());
    cape_folder(&at("empty"), &hash(2), &run()[..24]);
    cape_folder(&at("mismatch"), &hash(3), &run());
    put(&at("mismatch/dump.pcap"), [run(), run()].concat());
    cape_folder(&at("cut"), &hash(4), &run());
    let whole = fs::read_to_string(at("cut/reports/report.json")).unwrap();
    put(&at("cut/reports/report.json"), &whole[..whole.len() - 6]);
    put(&at("broken/reports/report.json"), "{\"info\": ");
    put(&at("other/report.json"), "{\"a\": 1}");
    put(&at("url/report.json"), "{\"info\": {}, \"target\": {\"category\": \"url\"}}");
    let lite = cape(&hash(5), &run()).to_string();
    put(&at("lite/reports/report.json"), "");
    put(&at("lite/reports/lite.json"), lite);
    put(&at("lite/dump.pcap"), run());
    let called = import(&[folder.path()]);
    assert_eq!(called.code, 1, "{}{}", called.stdout, called.stderr);
    let lines = lines(&called);
    let problem = |hash: &str| -> String {
        let of_hash = |line: &&Value| line["sample"] == *hash;
        let sample = lines.iter().find(of_hash);
        assert!(sample.is_some(), "{hash}: {}", called.stdout);
        let sample = sample.unwrap();
        sample["runs"][0]["problems"].to_string()
    };
    assert_eq!(problem(MD5), "[]");
    for (number, words) in [
        (1, "no dump.pcap; dump_sorted.pcap"),
        (2, "no packets"),
        (3, "not the capture of this report"),
        (4, "damaged"),
        (5, "reports/report.json: no JSON"),
    ] {
        assert!(problem(&hash(number)).contains(words), "{words}: {}", problem(&hash(number)));
    }
    for (name, words) in [("broken", "no JSON"), ("other", "no report of CAPE"), ("url", "of a URL")] {
        let path = format!("{}: ", arg(&at(name)));
        let line = called.stderr.lines().find(|line| line.contains(&path));
        assert!(line.is_some_and(|line| line.contains(words)), "{name}: {}", called.stderr);
    }
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["samples"], &last["failed"], &last["without_capture"]),
        (&json!(6), &json!(3), &json!(3))
    );
}

/// A sample without a capture has a report that says so, and no scan.
#[test]
fn a_report_without_a_capture_is_partial() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut report = cape(MD5, &run());
    report["network"]["tcp"] = json!([
        {"src": "192.0.2.9", "sport": 1025, "dst": "198.51.100.1", "dport": 445},
        {"src": "192.0.2.9", "sport": 1026, "dst": "198.51.100.2", "dport": 445},
        {"src": "behavior", "sport": 0, "dst": "198.51.100.3", "dport": 445}
    ]);
    put(&at("a/reports/report.json"), report.to_string());
    let to = at("out");
    let written = inga(&["sample", "import", arg(&at("a")), "--to", arg(&to)]);
    assert_eq!(written.code, 0, "{}{}", written.stdout, written.stderr);
    assert!(written.stdout.contains("(1 without a usable capture)"), "{}", written.stdout);
    let text = fs::read_to_string(to.join(MD5).join("report.yaml")).unwrap();
    assert!(text.contains("without_capture:") && text.contains("445/tcp on 2 hosts"), "{text}");
    let checked = inga(&["check", arg(&to)]);
    assert_eq!(checked.code, 2, "{}", checked.stdout);
    assert!(
        format!("{}{}", checked.stdout, checked.stderr).contains("no capture of its runs"),
        "{}",
        checked.stdout
    );
    let history = at("history");
    let added = inga(&["sensor", "add", "s", "--history", arg(&history), "--prefix", "198.51.100.0/24"]);
    assert_eq!(added.code, 0, "{}", added.stderr);
    let kept = inga(&["sample", "import", arg(&at("a")), "--history", arg(&history)]);
    assert_eq!(kept.code, 2, "{}", kept.stdout);
    assert!(kept.stderr.contains("no run has a usable capture"), "{}", kept.stderr);
}

#[test]
fn hostile_reports_cost_little_and_control_nothing() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut report = cape(MD5, &run());
    report["target"]["file"]["name"] = json!("../../\u{1b}[2J\u{202e}\n");
    report["target"]["file"]["ssdeep"] = json!("x".repeat(3_000_000));
    report["target"]["file"]["sha256"] = json!("../../../etc/passwd");
    report["detections"] = json!([{"family": "\u{1b}]0;x\u{7}", "details": "x"}, {"family": {"a": 1}}, 5]);
    report["info"]["machine"] = json!([[["x"]]]);
    report["signatures"] = json!([{"name": 1, "families": "x"}]);
    report["static"] = json!({"pe": [1, 2]});
    cape_folder(&at("odd"), MD5, &run());
    put(&at("odd/reports/report.json"), report.to_string());
    put(&at("deep/report.json"), format!("{{\"info\": {}", "[".repeat(3_000_000)));
    put(&at("wide/report.json"), format!("{{\"signatures\": [{}0]}}", "0,".repeat(2_000_000)));
    let to = at("out");
    let called = inga(&["sample", "import", arg(folder.path()), "--to", arg(&to)]);
    assert_eq!(called.code, 1, "{}{}", called.stdout, called.stderr);
    for text in [&called.stdout, &called.stderr] {
        assert!(text.chars().all(|c| !c.is_control() || c == '\n'), "{text:?}");
    }
    assert!(called.stderr.contains("levels deep"), "{}", called.stderr);
    assert!(called.stderr.len() + called.stdout.len() < 20_000);
    let names: Vec<PathBuf> = fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(names, [to.join(MD5)]);
    assert_eq!(inga(&["check", arg(&to), "--accept"]).code, 0);
}

#[cfg(unix)]
#[test]
fn links_in_folders_are_not_followed() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let outside = TempDir::new().unwrap();
    cape_folder(outside.path(), MD5, &run());
    fs::create_dir(at("in")).unwrap();
    std::os::unix::fs::symlink(outside.path(), at("in/analysis")).unwrap();
    let called = import(&[&at("in")]);
    assert_eq!(called.code, 2, "{}", called.stdout);
    assert!(called.stdout.contains("a symbolic link"), "{}", called.stdout);
    cape_folder(&at("in/a"), MD5, &run());
    fs::remove_file(at("in/a/dump.pcap")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("dump.pcap"), at("in/a/dump.pcap")).unwrap();
    let sample = only(&import(&[&at("in/a")]));
    assert_eq!(sample["has_capture"], false);
    assert!(sample["runs"][0]["problems"].to_string().contains("is not followed"), "{sample}");
}

/// Expected values were read from the reports with Python's `json`.
#[test]
#[cfg_attr(not(corpora), ignore = "needs the corpora")]
fn reports_that_cape_wrote() {
    let called = import(&[&corpora().join("cape-reports")]);
    assert_eq!(called.code, 0, "{}", called.stderr);
    let lines = lines(&called);
    // MD5, file name, version, start, duration, machine, route, family, victim, imphash.
    for (md5, name, version, started, seconds, machine, route, family, victim, imphash) in [
        (
            "0a6173561a8f993cd005f6b52b04f4dd",
            "fsutil.exe",
            "2.2",
            "2021-03-23T12:38:26",
            238,
            "windows7",
            None,
            None,
            Some("192.168.122.171"),
            Some("a6b89158b581eb88c91713204935b7fe"),
        ),
        (
            "d12993ec5fe8bddd99e2770d13fa5cf1",
            "01659b56d394f1313848076c",
            "2.2",
            "2023-01-06T22:11:04",
            293,
            "win10-5",
            None,
            None,
            None,
            None,
        ),
        (
            "8268f3b39f2c59280652abcbf56c4d4d",
            "Hello_Amber.exe",
            "2.2",
            "2021-08-30T06:30:11",
            279,
            "cuckoo1",
            Some("tor"),
            None,
            Some("192.168.1.2"),
            Some("a4c41dbff2964c7cafbc37e1188d8f2f"),
        ),
        (
            "e6f181aa9a37fb61abcc68e5c057c092",
            "BTDCYCW162NF76XXUBIBYES7",
            "2.4",
            "2023-07-22T10:59:27",
            143,
            "cuckoo1",
            Some("sandoclient"),
            None,
            Some("192.168.144.131"),
            None,
        ),
        (
            "0a0882b8da225406cc838991b5f67d11",
            "0a0882b8da225406cc8.exe_",
            "2.4",
            "2023-10-14T14:29:49",
            492,
            "win7_2",
            None,
            Some("SunCrypt"),
            None,
            None,
        ),
        (
            "16e93e310db595e98659733198770d4a",
            "2ebadd04f0ada89c36c.exe_",
            "2.4",
            "2023-10-14T20:40:25",
            488,
            "win7x64_3",
            None,
            None,
            None,
            Some("c8b547bc71aff83bbc3cfaab1f45ae47"),
        ),
    ] {
        let sample = lines.iter().find(|line| line["sample"] == md5);
        assert!(sample.is_some(), "{md5}: {}", called.stdout);
        let sample = sample.unwrap();
        let run = &sample["runs"][0];
        assert_eq!(sample["features"]["file_name"], name);
        assert_eq!(run["sandbox"], format!("CAPE {version}"));
        assert_eq!((&run["started"], &run["seconds"]), (&json!(started), &json!(seconds)));
        assert_eq!((&run["machine"], &run["route"]), (&json!(machine), &json!(route)));
        assert_eq!(sample["family"]["name"], json!(family), "{sample}");
        assert_eq!(run["victims"], victim.map_or(json!([]), |victim| json!([victim])), "{sample}");
        if imphash.is_some() {
            assert_eq!(sample["features"]["imphash"], json!(imphash));
        }
        assert_eq!(sample["has_capture"], false);
    }
    assert_eq!(lines.last().unwrap()["samples"], 6);
}

/// A report around a capture that Cuckoo recorded; the corpora have no report of it.
#[test]
#[cfg_attr(not(corpora), ignore = "needs the corpora")]
fn captures_that_cuckoo_recorded() {
    let folder = TempDir::new().unwrap();
    let place = folder.path().join("analysis");
    let capture = fs::read(corpora().join("cuckoo/dump.pcap")).unwrap();
    cape_folder(&place, MD5, &capture);
    let sample = only(&import(&[&place]));
    assert_eq!(sample["has_capture"], true, "{sample}");
    put(&place.join("dump.pcap"), fs::read(corpora().join("cuckoo/empty.pcap")).unwrap());
    put(
        &place.join("reports/report.json"),
        cape(MD5, &fs::read(place.join("dump.pcap")).unwrap()).to_string(),
    );
    let sample = only(&import(&[&place]));
    assert!(sample["runs"][0]["problems"].to_string().contains("no packets"), "{sample}");
}

#[test]
fn analyses_are_correlated_without_a_report() {
    let folder = TempDir::new().unwrap();
    let place = folder.path().join("analysis");
    cape_folder(&place, MD5, &run());
    let report = place.join("reports/report.json");
    for path in [folder.path(), &place, &report] {
        let called = inga(&["correlate", arg(path), "--darknet", "samples/darknet", "--format", "json"]);
        let hypotheses = called.json();
        assert!(
            hypotheses.iter().all(|one| one["sample"] == MD5) && !hypotheses.is_empty(),
            "{}",
            called.stdout
        );
    }
    let nothing = TempDir::new().unwrap();
    let refused = inga(&["correlate", arg(nothing.path()), "--darknet", "samples/darknet"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("no analysis of a sandbox"), "{}", refused.stderr);
}

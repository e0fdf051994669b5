//! The walk of the README: from a folder of CAPE and the captures of a telescope to an answer, by the lines of the
//! README as they are written.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::command::{arg, inga};

/// A worm begins on 20 March at a sensor with the prefix of the README.
const SCENARIO: &str = "
title: A month at one sensor
first: 2020-03-01
last: 2020-03-31
sensors:
  - {name: telescope, kind: dark, prefixes: [198.51.100.0/24]}
families:
  - name: knocker
    targets: {uniform: {}}
    probes: [{protocol: TCP, ports: [445], sends: [{at: [0, 3, 9]}]}]
    rate: 400
    population: {growth: [{hosts: 60, from: 2020-03-20, days: 2}]}
    sample: {caught: 2020-03-21, sandbox: {seconds: 120}}
background:
  noise:
    - {name: noise, per_address_day: 0.05, probes: [{protocol: TCP, ports: [22, 23, 80], source_port: random}]}
";

/// The lines of commands below a heading.
fn commands(readme: &str, heading: &str) -> Vec<String> {
    let section = readme.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    section.lines().filter_map(|line| line.strip_prefix("    ")).map(str::to_owned).collect()
}

/// Writes an analysis of CAPE around the run of a simulated sample.
fn cape(folder: &Path, run: &[u8]) {
    let digest: String = Sha256::digest(run).iter().map(|byte| format!("{byte:02x}")).collect();
    let report = json!({
        "CAPE": {"payloads": [], "configs": []},
        "info": {"version": "2.4-CAPE", "started": "2020-03-21 00:00:00", "duration": 120, "package": "exe"},
        "target": {"category": "file", "file": {"name": "a.exe", "md5": "0a0882b8da225406cc838991b5f67d11"}},
        "detections": [{"family": "Knocker", "details": []}],
        "network": {"pcap_sha256": digest}
    });
    fs::create_dir_all(folder.join("reports")).unwrap();
    fs::write(folder.join("reports/report.json"), report.to_string()).unwrap();
    fs::write(folder.join("dump.pcap"), run).unwrap();
}

#[test]
fn the_readme_leads_from_a_cape_folder_and_captures_to_an_answer() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("scenario.yaml"), SCENARIO).unwrap();
    let made = inga(&["simulate", arg(&at("scenario.yaml")), "--output", arg(&at("simulated"))]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    fs::rename(at("simulated/telescope"), at("captures")).unwrap();
    cape(&at("cape/1"), &fs::read(at("simulated/samples/knocker/run.pcap")).unwrap());
    let readme = fs::read_to_string("README.md").unwrap();
    let lines = commands(&readme, "From a CAPE folder and a month of captures to an answer");
    assert!((1..=5).contains(&lines.len()), "{lines:?}");
    let mut answer = String::new();
    for line in &lines {
        let args: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(args[0], "inga", "{line}");
        let called = Command::new(env!("CARGO_BIN_EXE_inga"))
            .args(&args[1..])
            .current_dir(folder.path())
            .env_remove("INGA_HISTORY")
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&called.stderr);
        answer = String::from_utf8_lossy(&called.stdout).into_owned();
        assert!(called.status.success(), "{line}: {answer}{stderr}");
        if line.contains("families") {
            assert!(answer.starts_with("Knocker: 1 samples"), "{answer}");
        }
    }
    // Its sweep is new, and only an unknown scanner could do the same, so that the sample is at least possible.
    let named = ["likely", "possible"].map(|word| format!("0a0882b8da22 at sensor telescope: {word}"));
    assert!(named.iter().any(|named| answer.contains(named)), "{answer}");
    let report = fs::read_to_string(at("report.html")).unwrap();
    assert!(report.contains("the rise that began on 2020-03-20"), "{answer}");
    assert!(report.contains("0a0882b8da22"));
}

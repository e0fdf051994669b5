//! Two samples that scan alike and differ only in how they build their probes: which of them began at a sensor.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::command::{arg, inga};

/// Protocol with payload, and header of one of two samples.
type Build = (&'static str, &'static str);

const TCP: &str = "protocol: TCP";

/// Pairs of samples. Nothing else differs between them.
const PAIRS: [[Build; 2]; 9] = [
    [(TCP, "{system: mirai}"), (TCP, "{system: masscan}")],
    [(TCP, "{system: mirai}"), (TCP, "{system: zmap}")],
    [(TCP, "{system: zmap}"), (TCP, "{system: masscan}")],
    [(TCP, "{system: windows}"), (TCP, "{system: linux}")],
    [(TCP, "{system: linux}"), (TCP, "{system: masscan}")],
    [(TCP, "{system: masscan, window: 1024}"), (TCP, "{system: masscan, window: 29200}")],
    [(TCP, "{system: masscan, ip_id: 256}"), (TCP, "{system: masscan, ip_id: 54321}")],
    [("protocol: UDP, payload: open", "{}"), ("protocol: UDP, payload: shut", "{}")],
    [("protocol: UDP, payload: status", "{}"), ("protocol: UDP, payload_hex: '00000000'", "{}")],
];

/// Simulates a month in which hosts of a family begin on the 16th, with a sample of it. Returns the path of the folder.
fn simulate(folder: &Path, name: &str, (probe, header): Build) -> PathBuf {
    let scenario = format!(
        "
title: A month at one sensor
first: 2020-03-01
last: 2020-03-28
sensors:
  - {{name: telescope, kind: dark, prefixes: [198.51.100.0/24]}}
families:
  - name: {name}
    targets: {{uniform: {{}}}}
    probes: [{{{probe}, ports: [2323], source_port: kept}}]
    rate: 100
    header: {header}
    population: {{growth: [{{hosts: 40, from: 2020-03-16, days: 2}}]}}
    sample: {{caught: 2020-03-17, sandbox: {{seconds: 120}}}}
background:
  noise:
    - {{name: noise, per_address_day: 0.05, probes: [{{protocol: TCP, ports: [22, 80, 2323], source_port: random}}]}}
    - {{name: datagrams, per_address_day: 0.02, probes: [{{protocol: UDP, ports: [2323], source_port: random}}]}}
"
    );
    let (file, output) = (folder.join(format!("{name}.yaml")), folder.join(name));
    fs::write(&file, scenario).unwrap();
    let made = inga(&["simulate", arg(&file), "--output", arg(&output)]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    output
}

/// Returns the probabilities of the sample that began and of the other one.
fn probabilities(began: Build, other: Build) -> (f64, f64) {
    let folder = TempDir::new().unwrap();
    let (seen, unseen) = (simulate(folder.path(), "one", began), simulate(folder.path(), "other", other));
    let report = |of: &Path, name: &str| of.join("samples").join(name).join("report.yaml");
    let (one, two) = (report(&seen, "one"), report(&unseen, "other"));
    let ids = [&one, &two].map(|path| {
        let text = fs::read_to_string(path).unwrap();
        let (_, digits) = text.split_once("md5: ").unwrap();
        digits[..32].to_owned()
    });
    let answer = inga(&["correlate", arg(&one), arg(&two), "--darknet", arg(&seen), "--format", "json"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let lines = answer.json();
    let of = |id: &str| {
        let hypotheses = lines.iter().filter(|line| line["sample"] == id);
        hypotheses.filter_map(|line| line["claim"]["probability"].as_f64()).fold(0.0, f64::max)
    };
    (of(&ids[0]), of(&ids[1]))
}

#[test]
fn headers_and_payloads_decide_between_samples_that_scan_alike() {
    let both_ways = PAIRS.iter().flat_map(|[one, two]| [(*one, *two), (*two, *one)]);
    let asked = both_ways.map(|(began, other)| (began, other, probabilities(began, other)));
    let (decided, undecided): (Vec<_>, Vec<_>) =
        asked.partition(|(.., (right, wrong))| *right >= 0.25 && *right >= 10.0 * wrong);
    assert!(decided.len() >= 16, "{undecided:#?}");
}

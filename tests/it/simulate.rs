//! Outbreaks of known cause: the laws that simulated packets keep, and that what is written reads back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use inga::app::Notices;
use inga::app::simulate::{SimulateOptions, simulate_into};
use inga::capture::{Input, ReadOptions, read};
use inga::history::{Filter, SightingCounts};
use inga::rules::Rules;
use inga::simulate::{Scenario, Simulation};
use inga::store::{HistoryStore, LocalStore, MemoryStore};
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{arg, inga};

const SMALL: &str = "samples/scenarios/small-outbreak.yaml";

fn scenario(path: &str) -> Scenario {
    Scenario::parse(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let all = walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap);
    let all = all.filter(|entry| entry.file_type().is_file());
    all.map(|entry| {
        let name = entry.path().strip_prefix(folder).unwrap().to_owned();
        (name, std::fs::read(entry.path()).unwrap())
    })
    .collect()
}

fn simulate(folder: &Path, more: &[&str]) {
    let mut args = vec!["simulate", SMALL, "--output", arg(folder)];
    args.extend(more);
    let called = inga(&args);
    assert_eq!(called.code, 0, "{}", called.stderr);
}

#[test]
fn a_seed_gives_the_same_bytes_on_any_number_of_threads() {
    for format in ["pcap", "sightings"] {
        let folder = TempDir::new().unwrap();
        let made = ["1", "2", "5"].map(|threads| {
            let place = folder.path().join(threads);
            simulate(&place, &["--threads", threads, "--format", format]);
            files(&place)
        });
        assert!(made[0].len() > 5, "{:?}", made[0].keys());
        assert!(made.iter().all(|files| *files == made[0]), "{format}");
    }
    let folder = TempDir::new().unwrap();
    let seeds = ["1", "2"].map(|seed| {
        let place = folder.path().join(seed);
        simulate(&place, &["--seed", seed]);
        files(&place)
    });
    assert_ne!(seeds[0], seeds[1]);
    let again = inga(&["simulate", SMALL, "--output", arg(&folder.path().join("1"))]);
    assert!(again.code == 2 && again.stderr.contains("is not empty"), "{}", again.stderr);
}

#[test]
fn every_packet_is_accounted_for() {
    let folder = TempDir::new().unwrap();
    simulate(folder.path(), &[]);
    let truth = std::fs::read_to_string(folder.path().join("truth.yaml")).unwrap();
    let truth: Value = serde_yaml::from_str(&truth).unwrap();
    let sum = |counts: &Value| -> u64 {
        counts.as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum()
    };
    for (sensor, told) in truth["sensors"].as_object().unwrap() {
        let mut by_source: BTreeMap<String, u64> = BTreeMap::new();
        let mut captures = BTreeSet::new();
        for (name, bytes) in files(&folder.path().join(sensor)) {
            assert!(!bytes.is_empty());
            let path = folder.path().join(sensor).join(&name);
            let mut last = None;
            let report = read(&Input::Path(path), &ReadOptions::default(), &mut |packet, _| {
                assert!(last <= packet.time());
                last = packet.time();
                *by_source.entry(packet.source().to_string()).or_default() += 1;
            })
            .unwrap();
            let name = format!("{sensor}/{}", name.display());
            assert_eq!((sum(&told["captures"][&name]), report.problems.iter().count()), (report.packets, 0));
            captures.insert(name);
        }
        let told_captures: BTreeSet<String> = told["captures"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(captures, told_captures);
        assert_eq!(by_source.values().sum::<u64>(), told["packets"].as_u64().unwrap());
        assert_eq!(sum(&told["by"]), told["packets"].as_u64().unwrap());
        // Of families each host's packets are told by its address.
        for (family, hosts) in truth["hosts"].as_object().unwrap() {
            let mut of_family = 0;
            for host in hosts.as_array().unwrap() {
                for (address, count) in
                    host["packets"].get(sensor).and_then(Value::as_object).into_iter().flatten()
                {
                    assert_eq!(by_source[address], count.as_u64().unwrap(), "{family} {address}");
                    of_family += count.as_u64().unwrap();
                }
            }
            assert_eq!(of_family, told["by"].get(family).and_then(Value::as_u64).unwrap_or(0), "{family}");
        }
    }
    let narrow = &truth["sensors"]["narrow"];
    assert!(narrow["lost"].as_u64().unwrap() < narrow["packets"].as_u64().unwrap());
    let outage = narrow["captures"].as_object().unwrap().keys().any(|name| name.contains("2020-03-05"));
    assert!(!outage, "5 March in Tokyo and in UTC: no data");
}

/// Everything that a history says of sightings, in an order of its own.
fn sightings(store: &dyn HistoryStore) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for sensor in store.sensors().unwrap() {
        let name = &sensor.name;
        all.insert(format!("{name} totals"), format!("{:?}", store.totals(name).unwrap()));
        let mut sighting = Vec::new();
        store.each_sighting(name, &Filter::default(), &mut |one| sighting.push(*one)).unwrap();
        let mut merged: BTreeMap<String, SightingCounts> = BTreeMap::new();
        for one in sighting {
            let behavior = store.type_record(one.number).unwrap().behavior;
            let key = format!("{name} {} {} {}", one.host, one.day, behavior.canonical);
            let sum = merged.entry(key).or_insert(SightingCounts::NONE);
            *sum = sum.merged(one.counts);
        }
        all.extend(merged.into_iter().map(|(key, seen)| (key, format!("{seen:?}"))));
    }
    all
}

#[test]
fn the_history_of_the_captures_is_the_one_without_captures() {
    let folder = TempDir::new().unwrap();
    let (captures, history) = (folder.path().join("captures"), folder.path().join("history"));
    simulate(&captures, &[]);
    simulate(&history, &["--format", "sightings"]);
    let rules = Rules::shipped().unwrap();
    let observed = folder.path().join("observed");
    for (sensor, more) in [
        ("wide", ["--prefix", "198.18.0.0/16", "--live", "198.18.64.0/18", "--live", "198.18.7.128/25"]),
        ("narrow", ["--prefix", "203.0.113.0/24", "--kind", "subnet", "--time-zone", "Asia/Tokyo"]),
    ] {
        let mut add = vec!["sensor", "add", sensor, "--history", arg(&observed)];
        add.extend(more);
        assert_eq!(inga(&add).code, 0);
        let place = captures.join(sensor);
        assert_eq!(inga(&["observe", "--sensor", sensor, "--history", arg(&observed), arg(&place)]).code, 0);
    }
    let open = |path: &Path| sightings(&LocalStore::open_to_read(path, &rules.profile).unwrap());
    let (expected, found) = (open(&observed), open(&history.join("history")));
    assert!(expected.len() > 5_000, "{}", expected.len());
    assert_eq!(expected, found);

    let mut memory = MemoryStore::new();
    let options = SimulateOptions { seed: 1, scale: 1.0, threads: 1 };
    let notices = &mut Notices::default();
    let simulated = simulate_into(&mut memory, &scenario(SMALL), options, &rules, notices).unwrap();
    assert_eq!(sightings(&memory), expected);
    // The samples are those in the folder, too.
    for sample in &simulated.samples {
        let written = std::fs::read_to_string(captures.join(&sample.path)).unwrap();
        assert_eq!((written.as_str(), sample.profile.windows.is_empty()), (sample.text.as_str(), false));
    }
}

/// One host at a rate, with a sensor; how many packets it gets in the days.
fn hits(prefix: &str, targets: &str, seed: u64) -> u64 {
    let text = format!(
        "title: x\nfirst: 2020-01-01\nlast: 2020-01-02\nsensors: [{{name: s, kind: dark, prefixes: [{prefix}]}}]\n\
         families:\n  - name: f\n    targets: {targets}\n    probes: [{{protocol: UDP, ports: [53]}}]\n    rate: 300\n    \
         population: {{hosts: [{{address: 10.1.2.3}}]}}\n"
    );
    let simulation = Simulation::new(&Scenario::parse(&text).unwrap(), seed, 1.0);
    let (mut stream, mut count) = (simulation.stream(0), 0);
    for day in simulation.days() {
        stream.emit_day(day, &mut |_, _| count += 1);
    }
    count
}

/// Mean and variance of the hits over seeds, and Pearson's goodness of fit on the law's own quarters.
fn check_binomial(prefix: &str, targets: &str, share: f64) {
    let tries = 300.0 * 2.0 * 86_400.0;
    let (mean, deviation) = (tries * share, (tries * share * (1.0 - share)).sqrt());
    let runs = 400u32;
    let found: Vec<f64> = (0..runs).map(|seed| hits(prefix, targets, seed.into()) as f64).collect();
    let average = found.iter().sum::<f64>() / f64::from(runs);
    let variance = found.iter().map(|one| (one - average).powi(2)).sum::<f64>() / f64::from(runs - 1);
    // Both within four standard errors.
    assert!(
        (average - mean).abs() < 4.0 * deviation / f64::from(runs).sqrt(),
        "{prefix}: {average} for {mean}"
    );
    let spread = variance / (deviation * deviation);
    assert!(
        (spread - 1.0).abs() < 4.0 * (2.0 / f64::from(runs)).sqrt(),
        "{prefix}: variance {spread} times the law's"
    );
    if mean > 100.0 {
        let mut quarters = [0.0f64; 4];
        for one in &found {
            let z = (one - mean) / deviation;
            quarters[[-0.6745, 0.0, 0.6745].iter().filter(|edge| z >= **edge).count()] += 1.0;
        }
        let expected = f64::from(runs) / 4.0;
        let chi: f64 = quarters.iter().map(|count| (count - expected).powi(2) / expected).sum();
        assert!(chi < 16.3, "{prefix}: chi squared {chi} with 3 degrees of freedom: {quarters:?}");
    }
}

#[test]
fn hits_of_a_scan_at_random_follow_the_binomial_law() {
    check_binomial("198.18.0.0/16", "{uniform: {}}", 65_536.0 / 4_294_967_296.0);
    check_binomial("203.0.113.0/24", "{uniform: {}}", 256.0 / 4_294_967_296.0);
    // Half of the targets in the own /8, of which the sensor is a 65,536th; the rest anywhere.
    let near = 0.5 / 65_536.0 + 0.5 * 256.0 / 4_294_967_296.0;
    check_binomial("10.200.30.0/24", "{uniform: {own: [{prefix: 8, share: 0.5}]}}", near);
    // A generator that never sets the upper bits of two octets.
    let limits = "{uniform: {octets_below: [256, 128, 256, 128]}}";
    check_binomial("10.20.0.0/16", limits, 32_768.0 / 1_073_741_824.0);
    assert_eq!(hits("10.200.0.0/16", limits, 1), 0);
}

/// The targets of one host that sweeps a block, with their times, at a sensor with holes.
fn sweep(targets: &str, rate: u32) -> Vec<(i64, u32)> {
    let text = format!(
        "title: x\nfirst: 2020-01-01\nlast: 2020-01-03\nsensors:\n  - {{name: s, kind: mixed, prefixes: [10.1.0.0/16], \
         live: [10.1.0.0/18, 10.1.128.0/25, 10.1.200.7/32]}}\nfamilies:\n  - name: f\n    targets: {targets}\n    \
         probes: [{{protocol: TCP, ports: [80]}}]\n    rate: {rate}\n    population: {{hosts: [{{address: 10.1.2.3}}]}}\n"
    );
    let simulation = Simulation::new(&Scenario::parse(&text).unwrap(), 7, 1.0);
    let (mut stream, mut all) = (simulation.stream(0), Vec::new());
    for day in simulation.days() {
        stream.emit_day(day, &mut |shot, _| {
            if let std::net::IpAddr::V4(to) = shot.packet.destination() {
                all.push((shot.packet.time().unwrap().0, u32::from(to)));
            }
        });
    }
    all
}

#[test]
fn sweeps_keep_their_order_and_times_through_holes() {
    for targets in [
        "{sequential: {block: 16, own: 1}}",
        "{hit_list: {addresses: [10.1.0.0/16], passes: 1}}",
        "{sequential: {block: 16, own: 1, stride: 3}}",
    ] {
        let stride = if targets.contains("stride") { 3 } else { 1 };
        let all = sweep(targets, 1);
        let first = all[0].0;
        let dark = 65_536 - 16_384 - 128 - 1;
        assert!(all.len() >= dark / stride - 1, "{targets}: {} of {dark}", all.len());
        for pair in all.windows(2).take(dark / stride - 2) {
            let [(before, from), (after, to)] = [pair[0], pair[1]];
            assert!(from < to, "{targets}: {from:x} before {to:x}");
            // As many seconds as targets, those in the holes counted.
            let seconds = (after - before) as f64 / 1e9;
            let steps = f64::from(to - from) / stride as f64;
            assert!((seconds - steps).abs() < 1.0, "{targets}: {seconds} s for {steps} targets");
        }
        let begin = 1_577_836_800_000_000_000i64;
        let skipped = (16_384.0 / stride as f64).ceil();
        assert!(((first - begin) as f64 / 1e9 - skipped).abs() < 1.5, "the hole in front takes its time");
    }
}

#[test]
fn a_host_that_stays_in_its_block_visits_each_address_once_a_round() {
    for (targets, share) in [
        ("{sequential: {block: 24, own: 1}}", 1.0),
        ("{sequential: {block: 24, own: 0.5}}", 0.5),
        ("{uniform: {own: [{prefix: 24, share: 1}]}}", 1.0),
    ] {
        let text = format!(
            "title: x\nfirst: 2020-01-01\nlast: 2020-01-01\nsensors: [{{name: s, kind: mixed, \
             prefixes: [10.1.2.0/24], live: [10.1.2.0/28]}}]\nfamilies:\n  - name: f\n    targets: {targets}\n    \
             probes: [{{protocol: UDP, ports: [53]}}]\n    rate: 1\n    population: {{hosts: [{{address: 10.1.2.3}}]}}\n"
        );
        let simulation = Simulation::new(&Scenario::parse(&text).unwrap(), 1, 1.0);
        let mut times = BTreeSet::new();
        let mut count = 0;
        simulation.stream(0).emit_day(simulation.days().next().unwrap(), &mut |shot, _| {
            count += 1;
            times.insert(shot.packet.time());
        });
        assert_eq!(times.len(), count, "{targets}: one target at a time");
        let expected = share * 86_400.0 * 240.0 / 256.0;
        assert!((count as f64 / expected - 1.0).abs() < 0.2, "{targets}: {count} for {expected}");
    }
}

#[test]
fn packets_are_in_order_from_day_to_day() {
    // A target every eleven minutes: its slot often reaches over midnight.
    let text = "title: x\nfirst: 2020-01-01\nlast: 2020-03-31\nsensors: [{name: s, kind: mixed, \
                prefixes: [10.1.2.0/24], live: [10.1.2.0/28]}]\nfamilies:\n  - name: f\n    \
                targets: {uniform: {own: [{prefix: 24, share: 1}]}}\n    probes: [{protocol: UDP, ports: [53]}]\n    \
                rate: 0.0015\n    population: {hosts: [{address: 10.1.2.3}, {address: 10.1.2.4}]}\n";
    let simulation = Simulation::new(&Scenario::parse(text).unwrap(), 1, 1.0);
    let (mut stream, mut last, mut count) = (simulation.stream(0), None, 0);
    for day in simulation.days() {
        stream.emit_day(day, &mut |shot, _| {
            let time = shot.packet.time().unwrap();
            assert!(last <= Some(time) && time.day(&jiff::tz::TimeZone::UTC) == day, "{time} on {day}");
            (last, count) = (Some(time), count + 1);
        });
    }
    assert!(count > 20_000, "{count}");
}

#[test]
fn passes_threads_and_permutations_visit_what_they_should() {
    let twice = sweep("{sequential: {block: 24, own: 1, passes: 2}}", 50);
    assert!(twice.is_empty(), "the own /24 is live");
    let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
    for (_, to) in sweep("{sequential: {block: 16, own: 1, passes: 2, threads: 2}}", 2) {
        *counts.entry(to).or_default() += 1;
    }
    // Two threads at one target a second each: 259,200 seconds are almost two passes of 65,536 each, twice.
    assert!(counts.values().filter(|count| **count >= 6).count() > 40_000);
    let order = sweep("{permutation: {key: 3}}", 40_000);
    let visited: BTreeSet<u32> = order.iter().map(|(_, to)| *to).collect();
    assert_eq!(visited.len(), 65_536 - 16_384 - 128 - 1, "a whole tour takes 107,374 seconds");
    let backwards = sweep("{sequential: {block: 0, byte_reversed: true}}", 2_000);
    let (third, time): (Vec<u32>, Vec<i64>) = backwards.iter().map(|(at, to)| (to >> 8 & 0xff, *at)).unzip();
    let ascents = third.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!(ascents * 100 > 95 * (third.len() - 1), "the third octet counts up");
    let gap = (time[1] - time[0]) as f64 / 1e9;
    assert!((gap - 65_536.0 / 2_000.0).abs() < 1.0, "{gap} seconds from one /24 to the next");
}

#[test]
#[cfg_attr(not(all(tcpdump, tshark)), ignore = "needs tcpdump and tshark")]
fn captures_are_read_by_others_without_a_complaint() {
    let folder = TempDir::new().unwrap();
    simulate(folder.path(), &["--scale", "0.3"]);
    let mut captures: Vec<PathBuf> = Vec::new();
    for (name, bytes) in files(folder.path()) {
        let path = folder.path().join(&name);
        if name.extension().is_some_and(|ending| ending == "zst") {
            let plain = path.with_extension("");
            std::fs::write(&plain, zstd::decode_all(bytes.as_slice()).unwrap()).unwrap();
            captures.push(plain);
        } else if name.extension().is_some_and(|ending| ending == "pcap") {
            captures.push(path);
        }
    }
    assert!(captures.len() > 10);
    let run = |program: &str, args: &[&str]| {
        let output = std::process::Command::new(program).args(args).output().unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        (text(&output.stdout), text(&output.stderr))
    };
    for capture in captures.iter().map(|path| arg(path)) {
        let (packets, errors) = run("tcpdump", &["-nnvvr", capture]);
        for complaint in ["incorrect", " bad ", "[bad ", "[|", "truncated", "invalid"] {
            let line = packets.lines().find(|line| line.contains(complaint));
            assert!(line.is_none(), "{capture}: {line:?}");
        }
        assert!(errors.lines().all(|line| line.starts_with("reading from")), "{errors}");
        let bad = "_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0 \
                   || icmp.checksum.status == 0 || _ws.expert.severity >= 8388608";
        let checks =
            ["ip.check_checksum", "tcp.check_checksum", "udp.check_checksum"].map(|on| format!("{on}:TRUE"));
        let mut args = vec!["-r", capture, "-Y", bad];
        args.extend(checks.iter().flat_map(|check| ["-o", check]));
        let (packets, errors) = run("tshark", &args);
        let errors: Vec<&str> = errors.lines().filter(|line| !line.contains("root")).collect();
        assert!(packets.is_empty() && errors.is_empty(), "{capture}: {packets} {errors:?}");
    }
}

#[test]
fn a_wrong_scenario_is_refused_with_its_place_and_a_remedy() {
    let text = std::fs::read_to_string(SMALL).unwrap();
    let check = |from: &str, to: &str, words: &str| {
        assert!(text.contains(from), "{from}");
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("wrong.yaml");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let out = folder.path().join("out");
        let called = inga(&["simulate", arg(&path), "--output", arg(&out)]);
        assert_eq!(called.code, 2, "{to}");
        assert!(called.stderr.contains(words), "{}", called.stderr);
        assert!(!out.exists());
    };
    check("block: 24", "blok: 24", "did you mean `block`?");
    check("rate: 5", "rat: 5", "wrong.yaml:");
    check("rate: 5", "rate: 5\n    rate_spread: 300", "lies between 0 and 3");
    check("block: 24", "block: 24, passes: 4000000000", "`passes` from 1 to 1000");
    check("rate: 5", "rate: 0", "wrong.yaml:10:5: family `knocker`: rate is 0");
    check("{uniform: {}}", "{}", "give one of");
    check("name: sweeper", "name: knocker", "told twice");
    check("name: sweeper", "name: ../up", "letters");
    check("Asia/Tokyo", "Asia/Tokio", "IANA");
    check("last: 2020-03-10", "last: 2020-02-10", "lies after");
    check("[0, 3]", "[3, 0]", "ascending from 0");
    check("flags: SA", "flags: SX", "letters are of FSRPAUEC");
}

//! What is projected: real bots onto sensors, and that they recognise themselves and nobody else.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::command::{arg, inga};
use crate::corpora::corpora;
use crate::make::Random;
use crate::make::packets::{Pcap, RAW_IP, tcp};

const DAY: u64 = 86_400_000_000;
/// 2020-01-01 00:00:00 UTC.
const START: u64 = 1_577_836_800_000_000;

/// A darknet folder with sensors as they are written in `sensors.yaml`.
fn darknet(sensors: &str, captures: &[(&str, Vec<u8>)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("sensors.yaml"), format!("sensors:\n{sensors}")).unwrap();
    for (sensor, bytes) in captures {
        std::fs::create_dir_all(folder.path().join(sensor)).unwrap();
        std::fs::write(folder.path().join(sensor).join("capture"), bytes).unwrap();
    }
    folder
}

fn report(folder: &Path, digit: &str, more: &str, capture: &Path) -> PathBuf {
    let path = folder.join(format!("report-{digit}.yaml"));
    let capture = std::path::absolute(capture).unwrap();
    let text =
        format!("identity: {{md5: \"{}\"}}\n{more}captures: [\"{}\"]\n", digit.repeat(32), capture.display());
    std::fs::write(&path, text).unwrap();
    path
}

fn correlate(reports: &[&Path], darknet: &Path) -> Vec<Value> {
    let mut args = vec!["correlate"];
    args.extend(reports.iter().map(|path| arg(path)));
    args.extend(["--allow-outside", "--darknet", arg(darknet), "--format", "json"]);
    let called = inga(&args);
    assert_eq!(called.code, 0, "{}", called.stderr);
    called.json()
}

/// A classic little-endian pcap cut in two at a second since 1970: what is before, and the rest.
fn halves(pcap: &[u8], second: u32) -> [Vec<u8>; 2] {
    let word = |at: usize| u32::from_le_bytes(pcap[at..at + 4].try_into().unwrap());
    let mut middle = 24;
    while word(middle) < second {
        middle += 16 + usize::try_from(word(middle + 8)).unwrap();
    }
    let with_header = |part: &[u8]| [&pcap[..24], part].concat();
    [with_header(&pcap[24..middle]), with_header(&pcap[middle..])]
}

#[test]
#[cfg_attr(not(corpora), ignore = "needs the corpora")]
fn a_bot_cut_in_two_recognises_itself() {
    let corpora = corpora();
    let whole = std::fs::read(corpora.join("stratosphere/test7-malicious.pcap")).unwrap();
    // 2018-03-09 20:58:50 UTC, a minute after its scan began and a minute before it ends.
    let [first, second] = halves(&whole, 1_520_629_130);
    let darknet = darknet("  - {name: all, kind: mixed, prefixes: [0.0.0.0/0]}\n", &[("all", second)]);
    let half = darknet.path().join("first.pcap");
    std::fs::write(&half, first).unwrap();
    let bot = report(darknet.path(), "7", "victims: [192.168.2.16]\n", &half);
    let udp = corpora.join("httpreplay/2015-01-02-post-infection.pcap");
    let udp = report(darknet.path(), "8", "victims: [192.168.138.163]\n", &udp);
    let figure_8 = Path::new("samples/a2eaf57c47a118e91a5edf694685eee7/report.yaml");
    let all = correlate(&[&bot, &udp, figure_8], darknet.path());
    let best = &all[0];
    assert_eq!(best["title"], "777777777777", "{}", best["reasons"]);
    assert!(["type", "shape"].contains(&best["granularity"].as_str().unwrap()), "{best}");
    assert_ne!(best["match"]["origin"], "projected");
    assert_eq!(best["match"]["hosts"][0]["address"], "192.168.2.16");
    for other in all.iter().filter(|one| one["title"] != "777777777777") {
        assert!(
            !["likely", "possible"].contains(&other["verdict"].as_str().unwrap()),
            "{}",
            other["reasons"]
        );
    }
}

/// A /16 in which hosts knock at one address now and then, five times at 0, 1, 3, 7 and 15 s, on one of a bot's ports:
/// a few scanners that ask once all the time, and from the sixtieth day on the bots.
fn bots() -> Vec<u8> {
    let mut pcap = Pcap::new(RAW_IP);
    let mut random = Random(16);
    for day in 0..120u64 {
        let bots = if day < 60 { 0 } else { 4 + random.below(4) };
        for host in 0..bots + 6 {
            let from = [100, 64, u8::try_from(day).unwrap(), u8::try_from(host).unwrap()].into();
            let [low, high] = [random.below(256), random.below(256)].map(|part| u8::try_from(part).unwrap());
            let port = [23, 23, 23, 8080, 8080, 2323][usize::try_from(random.below(6)).unwrap()];
            let (time, source) = (START + day * DAY + random.below(DAY - 60_000_000), random.port());
            let retries: &[u64] = if host < bots { &[0, 1, 3, 7, 15] } else { &[0] };
            for after in retries {
                let packet = tcp((from, source), ([203, 0, low, high].into(), port), "S", 1, b"");
                pcap.add(time + after * 1_000_000, packet);
            }
        }
    }
    pcap.bytes()
}

#[test]
#[cfg_attr(not(corpora), ignore = "needs the corpora")]
fn a_real_bot_and_a_slash_16_agree_by_projection_alone() {
    let corpora = corpora();
    let darknet = darknet("  - {name: dark, kind: dark, prefixes: [203.0.0.0/16]}\n", &[("dark", bots())]);
    let capture = corpora.join("stratosphere/test7-malicious.pcap");
    let more = "victims: [192.168.2.16]\ndiscovered: {date: 2020-03-04}\n";
    let bot = report(darknet.path(), "7", more, &capture);
    let all = correlate(&[&bot], darknet.path());
    let best = &all[0];
    assert_eq!(best["verdict"], "likely", "{}", best["reasons"]);
    assert_eq!(best["match"]["origin"], "projected");
    assert_eq!(best["claim"]["onset"], "2020-03-01");
    assert!(best["claim"]["probability"].as_f64().unwrap() > 0.8);
}

#[test]
#[cfg_attr(not(corpora), ignore = "needs the corpora")]
fn fan_out_that_is_no_worm_is_attributed_to_nothing() {
    let corpora = corpora();
    let sensors = "  - {name: flood, kind: dark, prefixes: [192.150.186.0/23]}
  - {name: slp, kind: mixed, prefixes: [0.0.0.0/0]}\n";
    let capture = |path: &str| std::fs::read(corpora.join(path)).unwrap();
    let darknet = darknet(
        sensors,
        &[("flood", capture("ncsa-simple-scan/backscatter.trace")), ("slp", capture("ndpi/srvloc.pcap"))],
    );
    let mut asked = 0;
    for (digit, stem) in [("1", "gnutella"), ("2", "ethereum"), ("3", "bittorrent_utp")] {
        let named = |entry: &std::fs::DirEntry| entry.file_name().to_str().unwrap().starts_with(stem);
        let mut entries = std::fs::read_dir(corpora.join("ndpi")).unwrap().map(Result::unwrap);
        let sample = report(darknet.path(), digit, "", &entries.find(named).unwrap().path());
        let called = inga(&[
            "correlate",
            arg(&sample),
            "--allow-outside",
            "--darknet",
            arg(darknet.path()),
            "--format",
            "json",
        ]);
        if called.code != 0 {
            assert!(called.stderr.contains("victim"), "{stem}: {}", called.stderr);
            continue;
        }
        asked += 1;
        for one in called.json() {
            assert!(["cannot tell", "not seen"].contains(&one["verdict"].as_str().unwrap()), "{stem}: {one}");
        }
    }
    assert!(asked >= 2, "{asked}");
}

#[test]
fn a_projection_is_told_and_drawn_and_the_same_each_time() {
    let tiles = TempDir::new().unwrap();
    let sample = "samples/random-scan-with-retries/report.yaml";
    let ask = || {
        let draw = ["--tiles", arg(tiles.path())];
        inga(&[&["project", sample, "--prefix", "203.0.113.0/24", "--format", "json"][..], &draw].concat())
    };
    let found = ask().json().swap_remove(0);
    assert_eq!(found["dark_addresses"], 256);
    // 4.73 targets a second: 256 of 2^32 addresses, all day.
    let contacts = found["contacts_per_host_day"].as_f64().unwrap();
    assert!((0.019..=0.030).contains(&contacts), "{contacts}");
    let type_ = &found["predicted"][0];
    assert_eq!(type_["canonical"], "bt1|sp=1|pk=3|dp=1|di=1|tr=-|pt=23|pr=TCP:S");
    assert!(type_["share"].as_f64().unwrap() > 0.75);
    assert_eq!(ask().stdout, ask().stdout);
    for file in std::fs::read_dir(tiles.path()).unwrap() {
        let svg = std::fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(roxmltree::Document::parse(&svg).is_ok() && svg.contains("Expected at sensor imagined"));
    }
    let text = inga(&["project", "samples/arp-sweep/report.yaml", "--prefix", "203.0.113.0/24"]).stdout;
    assert!(text.contains("would see nothing of it"), "{text}");
    let refused = inga(&["project", "samples/no-scan/report.yaml", "--prefix", "203.0.113.0/24"]);
    assert!(refused.code == 2 && refused.stderr.contains("shows no scan"), "{}", refused.stderr);
}

#[test]
fn an_event_is_taken_apart_into_samples_and_a_rest() {
    let explain = |more: &[&str]| {
        let samples =
            ["samples/a2eaf57c47a118e91a5edf694685eee7/report.yaml", "samples/udp-worm/report.yaml"];
        let place = ["--darknet", "samples/darknet", "--sensor", "north", "--format", "json"];
        inga(&[&["explain"][..], &samples, &place, more].concat())
    };
    let found =
        explain(&["--from", "2009-03-02", "--days", "28", "--filter", "445/tcp"]).json().swap_remove(0);
    let first = &found["causes"][0];
    assert!(first["title"].as_str().unwrap().starts_with("W32.SillyFDC.BAW"), "{found}");
    assert!(
        first["probability"].as_f64().unwrap() > 0.75 && first["host_days"].as_f64().unwrap() > 50.0,
        "{found}"
    );
    assert_eq!(found["causes"][1]["host_days"], 0.0, "a scan of another port explains nothing here");
    // The large worm, of which there is no sample: one to four packets to one address.
    let worm =
        explain(&["--from", "2008-12-29", "--days", "14", "--filter", "445/tcp"]).json().swap_remove(0);
    assert!(worm["unknown_probability"].as_f64().unwrap() > 0.9, "{worm}");
    assert_eq!(worm["rest"][0]["canonical"], "bt1|sp=1|pk=2|dp=1|di=1|tr=-|pt=445|pr=TCP:S");
    let quiet = explain(&["--from", "2009-02-02", "--filter", "445/tcp"]).json().swap_remove(0);
    assert!(quiet["nothing_probability"].as_f64().unwrap() > 0.5, "{quiet}");
    let early = explain(&["--from", "2008-11-05"]);
    assert!(early.code == 2 && early.stderr.contains("14 are needed"), "{}", early.stderr);
}

#[test]
fn each_surge_is_explained() {
    let samples = ["samples/a2eaf57c47a118e91a5edf694685eee7/report.yaml", "samples/udp-worm/report.yaml"];
    let ask = [&["explain"][..], &samples, &["--darknet", "samples/darknet", "--surges"]].concat();
    let all = inga(&[&ask[..], &["--format", "json"]].concat()).json();
    assert_eq!(all.len(), 4, "{all:?}");
    let (mut small, mut large) = (0, 0);
    for one in &all {
        let first = &one["causes"][0];
        if one["surge"]["first"].as_str().unwrap() < "2009-02" {
            // Of the large worm there is no sample.
            assert!(one["unknown_probability"].as_f64().unwrap() > 0.8, "{one}");
            large += 1;
        } else if one["sensor"] == "north" {
            assert!(first["title"].as_str().unwrap().starts_with("W32.SillyFDC.BAW"), "{one}");
            assert!(first["probability"].as_f64().unwrap() > 0.75, "{one}");
            small += 1;
        }
    }
    assert_eq!((large, small), (2, 1));
    let answer = inga(&ask);
    assert_eq!(answer.stdout.matches("surge ").count(), 4, "{}", answer.stdout);
    // What it says nothing of is told, as `inga surges` tells it.
    let told = inga(&["surges", "--darknet", "samples/darknet"]).stderr;
    let notes: Vec<&str> = told.lines().filter(|line| line.contains("too little past")).collect();
    assert!(notes.len() == 2 && notes.iter().all(|note| answer.stderr.contains(note)), "{told}");
    let both = inga(&[&ask[..], &["--from", "2009-03-02"]].concat());
    assert!(both.code == 2 && both.stderr.contains("--surges"), "{}", both.stderr);
}

#[test]
fn suspects_have_probabilities_and_places_and_paths_lead_to_the_sample() {
    let sample = "samples/a2eaf57c47a118e91a5edf694685eee7/report.yaml";
    let ask = ["correlate", sample, "--darknet", "samples/darknet"];
    let best = inga(&[&ask[..], &["--format", "json"]].concat()).json().swap_remove(0);
    let suspects = &best["suspects"];
    let (total, expected) = (suspects["total"].as_u64().unwrap(), suspects["expected"].as_f64().unwrap());
    assert!(total > 50 && expected > 0.5 * total as f64 && expected < total as f64, "{total} {expected}");
    let hosts = suspects["hosts"].as_array().unwrap();
    assert!(hosts.iter().all(|host| (0.0..=1.0).contains(&host["probability"].as_f64().unwrap())));
    assert!(hosts.iter().all(|host| host["first_day"].as_str().unwrap() >= "2009-03-02"));
    assert!(suspects["prefixes"][0]["prefix"].as_str().unwrap().ends_with("/16"));
    let host = best["match"]["hosts"][0]["address"].as_str().unwrap();
    let text = inga(&[&ask[..], &["--host", host]].concat()).stdout;
    let path = text.lines().last().unwrap();
    assert!(path.starts_with(host) && path.ends_with("(a2eaf57c47a1)"), "{path}");
    let other = inga(&[&ask[..], &["--host", "192.0.2.1"]].concat()).stdout;
    assert!(other.contains("no evidence joins it"), "{other}");
}

#[test]
fn answers_are_measured_and_the_threads_change_nothing() {
    let evaluate =
        |cases, threads| inga(&["evaluate", "--cases", cases, "--threads", threads, "--format", "json"]);
    // A case is drawn from its number, whichever thread has it: some are enough to see that none takes from another.
    assert_eq!(evaluate("5", "1").stdout, evaluate("5", "2").stdout);
    let matched = ["evaluate", "--worlds", "matched", "--cases", "24", "--threads", "2", "--format", "json"];
    let ways = inga(&matched).json();
    let inga_itself = &ways[0];
    assert_eq!(inga_itself["way"], "inga");
    let figure = |way: &Value, name: &str| way[name].as_f64().unwrap();
    assert!(figure(inga_itself, "right") >= 0.9 && figure(inga_itself, "answered") >= 0.4, "{inga_itself}");
    assert!(figure(inga_itself, "false_attributions") <= 0.2, "{inga_itself}");
    let by_port = ways.iter().find(|way| way["way"] == "port before and after its date").unwrap();
    assert!(figure(inga_itself, "right") > figure(by_port, "right"), "{by_port}");
}

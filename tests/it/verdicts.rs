//! What inga concludes, and what it does not: darknets in which the truth is known, and real ones.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::command::{arg, inga};
use crate::corpora::corpora;
use crate::held;
use crate::make::packets::{Pcap, RAW_IP, tcp};

const DAY: u64 = 86_400_000_000;
/// 2020-01-01 00:00:00 UTC.
const START: u64 = 1_577_836_800_000_000;

/// A darknet of one sensor over 120 days; `hosts` says how many sweep 445/TCP on a day, as figure 8 does.
struct Darknet {
    folder: TempDir,
}

impl Darknet {
    fn new(days: u64, id: Option<u16>, hosts: impl Fn(u64) -> u64) -> Darknet {
        let folder = TempDir::new().unwrap();
        let sensors = "sensors:\n  - {name: s, kind: dark, prefixes: [203.0.113.0/24]}\n";
        std::fs::write(folder.path().join("sensors.yaml"), sensors).unwrap();
        std::fs::create_dir(folder.path().join("s")).unwrap();
        let mut pcap = Pcap::new(RAW_IP);
        for day in 0..days {
            // Somebody always knocks at another port, so that the sensor is seen to look.
            let knock = tcp(([100, 64, 9, 9].into(), 999), ([203, 0, 113, 7].into(), 22), "S", 1, b"");
            pcap.add(START + day * DAY, knock);
            for host in 0..hosts(day) {
                let from = [100, 65, u8::try_from(day).unwrap(), u8::try_from(host).unwrap()].into();
                for at in 0..20u8 {
                    let to = [203, 0, 113, 10 + at].into();
                    let sequence = u32::from(id.unwrap_or(u16::from(at) + 1));
                    let packet = tcp((from, 2_000 + u16::from(at)), (to, 445), "S", sequence, b"");
                    pcap.add(START + day * DAY + (host + 1) * 60_000_000 + u64::from(at) * 100_000, packet);
                }
            }
        }
        std::fs::write(folder.path().join("s/all.pcap"), pcap.bytes()).unwrap();
        Darknet { folder }
    }

    /// The best hypothesis of figure 8's scan with these lines in its report.
    fn ask(&self, dates: &str) -> Value {
        let log = std::path::absolute("samples/a2eaf57c47a118e91a5edf694685eee7/fig8.txt").unwrap();
        let report = self.folder.path().join("report.yaml");
        let text = format!(
            "identity: {{md5: {}}}\ncaptures: [\"{}\"]\nvictims: [192.168.20.21]\n{dates}",
            "ab".repeat(16),
            log.display()
        );
        std::fs::write(&report, text).unwrap();
        let answer = inga(&[
            "correlate",
            arg(&report),
            "--allow-outside",
            "--darknet",
            arg(self.folder.path()),
            "--format",
            "json",
        ]);
        answer.json().swap_remove(0)
    }
}

fn verdict(hypothesis: &Value) -> &str {
    hypothesis["verdict"].as_str().unwrap()
}

fn reasons(hypothesis: &Value) -> String {
    hypothesis["reasons"].to_string()
}

/// Two or three hosts a day, and from the sixtieth day eight or nine.
fn wave(day: u64) -> u64 {
    if day < 60 { 2 + day % 2 } else { 8 + day % 2 }
}

#[test]
fn a_wave_at_the_samples_date_makes_it_likely() {
    let found = Darknet::new(120, None, wave).ask("discovered: {date: 2020-03-01}\n");
    assert_eq!(verdict(&found), "likely", "{}", reasons(&found));
    assert_eq!(found["onset"]["change_point"], "2020-03-01");
}

#[test]
fn a_sample_caught_weeks_after_the_wave_is_no_counter_evidence() {
    let found = Darknet::new(120, None, wave).ask("acquired: 2020-03-10\n");
    assert_ne!(verdict(&found), "not seen");
    assert_eq!(found["onset"]["lag_days"], -9);
}

#[test]
fn where_nothing_rose_a_match_says_nothing_with_or_without_a_date() {
    let quiet = Darknet::new(120, None, |day| 2 + day % 2);
    let found = quiet.ask("discovered: {date: 2020-03-01}\n");
    assert_eq!(verdict(&found), "cannot tell", "{}", reasons(&found));
    assert!(reasons(&found).contains("on no day"));
    let undated = quiet.ask("");
    assert_eq!(verdict(&undated), "cannot tell");
    assert!(reasons(&undated).contains("gives no date"));
}

#[test]
fn a_short_history_is_said_to_be_one() {
    let found = Darknet::new(20, None, |_| 2).ask("discovered: {date: 2020-01-10}\n");
    assert!(reasons(&found).contains("nothing can be known"), "{}", reasons(&found));
    assert_ne!(verdict(&found), "likely");
}

#[test]
fn a_public_tools_mark_explains_a_wave_better() {
    let found = Darknet::new(120, Some(54_321), wave).ask("discovered: {date: 2020-03-01}\n");
    assert_eq!(verdict(&found), "cannot tell", "{}", reasons(&found));
    assert!(reasons(&found).contains("scanning tool"));
    assert_eq!(found["tool_share"], 1.0);
}

#[test]
fn nothing_seen_is_a_bound_or_a_reason() {
    let found = Darknet::new(30, None, |_| 0).ask("");
    assert_eq!(verdict(&found), "not seen");
    assert!(reasons(&found).contains("445/TCP:S"), "{}", reasons(&found));
    assert!(found["bound"]["reason"].as_str().unwrap().contains("block by block"));
}

/// Figure 8's sample, an IoT bot and a UDP scanner against three real sensors.
#[test]
#[cfg_attr(not(corpora), ignore = "needs the corpora")]
fn real_sensors_are_answered_and_nothing_is_claimed_of_backscatter() {
    let corpora = corpora();
    let folder = TempDir::new().unwrap();
    let sensors = "sensors:
  - {name: ncsa, kind: mixed, prefixes: [192.168.0.0/16, 10.10.0.0/16]}
  - {name: backscatter, kind: dark, prefixes: [192.150.186.0/23]}
  - {name: srvloc, kind: mixed, prefixes: [165.114.202.61/32, 165.144.84.62/32, 186.112.202.53/32, 69.109.187.54/32,
      74.111.203.55/32, 85.111.52.57/32, 90.111.212.50/32, 90.141.37.56/32, 90.145.180.58/32, 90.147.171.51/32]}
";
    std::fs::write(folder.path().join("sensors.yaml"), sensors).unwrap();
    for (sensor, capture) in [
        ("ncsa", "ncsa-simple-scan/445_scan.pcap"),
        ("backscatter", "ncsa-simple-scan/backscatter.trace"),
        ("srvloc", "ndpi/srvloc.pcap"),
    ] {
        let place = folder.path().join(sensor);
        std::fs::create_dir(&place).unwrap();
        std::fs::copy(corpora.join(capture), place.join("capture")).unwrap();
    }
    let report = |name: &str, hash: &str, victim: &str, capture: &Path| {
        let path = folder.path().join(format!("{name}.yaml"));
        let text = format!(
            "identity: {{md5: {}}}\nvictims: [{victim}]\ncaptures: [\"{}\"]\n",
            hash.repeat(32),
            std::path::absolute(capture).unwrap().display()
        );
        std::fs::write(&path, text).unwrap();
        path
    };
    let figure_8 = Path::new("samples/a2eaf57c47a118e91a5edf694685eee7/report.yaml");
    let bot = report("bot", "7", "192.168.2.16", &corpora.join("stratosphere/test7-malicious.pcap"));
    let udp =
        report("udp", "8", "192.168.138.163", &corpora.join("httpreplay/2015-01-02-post-infection.pcap"));
    let all = inga(&[
        "correlate",
        arg(figure_8),
        arg(&bot),
        arg(&udp),
        "--allow-outside",
        "--darknet",
        arg(folder.path()),
        "--format",
        "json",
    ])
    .json();
    let pairs: std::collections::BTreeSet<(&str, &str)> =
        all.iter().map(|one| (one["sample"].as_str().unwrap(), one["sensor"].as_str().unwrap())).collect();
    assert_eq!(pairs.len(), 9, "every sample against every sensor");
    // Somebody asked single hosts of the /16 thrice each. Figure 8's sweep would have asked their neighbours, too.
    let swept = |one: &&Value| one["sensor"] == "ncsa" && one["sample"].as_str().unwrap().starts_with("a2ea");
    let single = all.iter().find(swept).unwrap();
    assert_eq!(verdict(single), "not seen");
    assert!(single["near_misses"].to_string().contains("thinning"), "{single}");
    for one in all.iter().filter(|one| one["sensor"] == "backscatter") {
        assert_eq!((verdict(one), &one["match"]), ("not seen", &Value::Null));
    }
    for one in &all {
        assert!(!one["reasons"].as_array().unwrap().is_empty());
        assert!(!["likely", "possible"].contains(&verdict(one)), "{one}");
    }
    let missed = all.iter().find(|one| one["title"] == "888888888888" && one["sensor"] == "srvloc").unwrap();
    assert!(!missed["near_misses"].as_array().unwrap().is_empty(), "what came nearest is told");
    assert!(missed["bound"]["fewer_than_hosts"].as_u64().unwrap() > 0);
}

/// Facts of tshark about the real sensors, from a history made of them.
#[test]
#[cfg_attr(not(corpora), ignore = "needs the corpora")]
fn histories_of_real_sensors_have_the_counts_of_other_tools() {
    let corpora = corpora();
    let folder = TempDir::new().unwrap();
    let db = folder.path().join("history");
    let db = arg(&db);
    let backscatter = corpora.join("ncsa-simple-scan/backscatter.trace");
    let srvloc = corpora.join("ndpi/srvloc.pcap");
    inga(&["sensor", "add", "flood", "--history", db, "--prefix", "192.150.186.0/23"]);
    inga(&["sensor", "add", "slp", "--history", db, "--prefix", "0.0.0.0/0", "--kind", "mixed"]);
    assert_eq!(inga(&["observe", "--sensor", "flood", "--history", db, arg(&backscatter)]).code, 0);
    assert_eq!(inga(&["observe", "--sensor", "slp", "--history", db, arg(&srvloc)]).code, 0);
    let all = held::sightings(Path::new(db));
    let of = |sensor: &str| all.iter().filter(|held| held.sensor == sensor).collect::<Vec<_>>();
    let packets: u64 = of("flood").iter().map(|held| held.sighting.counts.packets).sum();
    assert_eq!(packets, 3468, "3,431 and 37");
    let slp = of("slp").into_iter().filter(|held| held.canonical.ends_with("pt=427|pr=UDP"));
    let hosts: BTreeSet<_> = slp.map(|held| held.sighting.host).collect();
    assert_eq!(hosts.len(), 300);
    let kinds: Vec<&str> = of("flood").iter().map(|held| held.canonical.as_str()).collect();
    assert!(!kinds.is_empty());
    assert!(kinds.iter().all(|kind| kind.contains("pr=TCP:SA") || kind.contains("RA")), "{kinds:?}");
}

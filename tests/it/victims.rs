//! The victim of a sandbox capture and its scan events: made conversations of each kind, and real captures compared
//! with tshark and with simple criteria.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{Called, arg, inga, inga_with};
use crate::corpora::corpora;

/// A tcpdump log, written packet by packet at a tenth of a second each.
#[derive(Default)]
struct Log {
    text: String,
    packets: usize,
}

impl Log {
    fn line(&mut self, rest: &str) -> &mut Log {
        let tenths = self.packets;
        let (minute, second) = (tenths / 600, tenths / 10 % 60);
        writeln!(self.text, "2009-03-02 10:{minute:02}:{second:02}.{}00000 {rest}", tenths % 10).unwrap();
        self.packets += 1;
        self
    }

    fn tcp(&mut self, from: &str, to: &str, flags: &str) -> &mut Log {
        self.line(&format!("IP {from} > {to}: Flags [{flags}], seq 1, win 9, length 0"))
    }

    fn udp(&mut self, from: &str, to: &str) -> &mut Log {
        self.line(&format!("IP {from} > {to}: UDP, length 12"))
    }

    fn icmp(&mut self, from: &str, to: &str, what: &str) -> &mut Log {
        self.line(&format!("IP {from} > {to}: ICMP {what}, length 36"))
    }

    /// SYNs of the victim to one port of targets, from a new port each; nobody answers.
    fn scan(&mut self, targets: &[&str], port: u16) -> &mut Log {
        for target in targets {
            let from = format!("{VICTIM}.{}", 20_000 + self.packets);
            self.tcp(&from, &format!("{target}.{port}"), "S");
        }
        self
    }

    fn call(&self, victim: &str) -> Called {
        inga_with(&["events", "-", "--victim", victim, "--format", "json"], self.text.as_bytes())
    }

    /// Returns the class of each packet of the victim by destination and destination port: `scan`, or a reason.
    fn classes(&self, victim: &str) -> BTreeMap<String, BTreeSet<String>> {
        let mut classes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for event in self.call(victim).json() {
            let Some(class) = event["class"].as_str() else { continue };
            let port = event["destination_port"].as_u64().map_or(String::new(), |port| format!(".{port}"));
            let destination = format!("{}{port}", event["destination"].as_str().unwrap());
            let class = event["reason"].as_str().unwrap_or(class);
            classes.entry(destination).or_default().insert(class.to_owned());
        }
        classes
    }

    /// Checks the classes of all packets to some destinations.
    fn check(&self, expected: &[(&str, &[&str])]) {
        let classes = self.classes(VICTIM);
        for (destination, expected) in expected {
            let expected: BTreeSet<String> = expected.iter().map(|class| (*class).to_owned()).collect();
            assert_eq!(classes.get(*destination), Some(&expected), "{destination} in {classes:?}");
        }
    }

    /// Checks which addresses `--victim auto` names.
    fn names(&self, expected: &str) {
        let called = self.call("auto");
        assert_eq!(called.code, 0, "{}", called.stderr);
        let named = named(&called.stderr);
        assert_eq!(named.as_deref(), Some(expected), "{}\n{}", called.stderr, self.text);
    }
}

/// The victims that a notice names.
fn named(stderr: &str) -> Option<String> {
    let (_, rest) = stderr.split_once(": victim ")?;
    Some(rest.split_once(" (")?.0.to_owned())
}

const VICTIM: &str = "192.168.20.21";
/// Addresses without order.
const TARGETS: [&str; 8] = [
    "198.51.100.7",
    "203.0.113.90",
    "192.0.2.44",
    "198.51.100.201",
    "203.0.113.13",
    "192.0.2.150",
    "198.51.100.88",
    "203.0.113.222",
];

#[test]
fn a_server_that_answers_a_lookup_is_no_victim() {
    let mut log = Log::default();
    for port in 40_000..40_006 {
        let from = format!("{VICTIM}.{port}");
        log.udp(&from, "192.168.20.1.53").udp("192.168.20.1.53", &from);
    }
    // A packet between two other machines, so that the victim is not in every packet.
    log.tcp("192.168.20.9.1024", "192.168.20.1.22", "S");
    log.scan(&TARGETS, 445);
    log.names(VICTIM);
}

#[test]
fn icmp_errors_and_resets_begin_nothing() {
    let mut log = Log::default();
    log.scan(&TARGETS[..4], 23);
    for router in
        ["198.51.100.1", "203.0.113.1", "192.0.2.1", "198.51.100.254", "203.0.113.254", "192.0.2.254"]
    {
        log.icmp(router, VICTIM, "host 192.0.2.44 unreachable");
    }
    log.tcp("192.168.20.9.1024", "192.168.20.1.22", "S");
    log.names(VICTIM);
}

#[test]
fn a_device_that_answers_a_broadcast_discovery_is_no_victim() {
    let mut log = Log::default();
    let searcher = format!("{VICTIM}.50000");
    log.udp(&searcher, "239.255.255.250.1900");
    for port in [1900, 49_152, 49_153] {
        log.udp(&format!("192.168.20.30.{port}"), &searcher);
    }
    let names = format!("{VICTIM}.137");
    log.udp(&names, "192.168.20.255.137").udp("192.168.20.31.137", &names);
    log.tcp(&format!("{VICTIM}.50001"), "198.51.100.7.443", "S");
    log.tcp("192.168.20.30.80", "192.168.20.31.9000", "R");
    log.names(VICTIM);
}

#[test]
fn the_address_in_every_packet_is_the_victim() {
    // The sandbox's host asks the agent in the victim more often than the victim asks anybody.
    let mut log = Log::default();
    for port in 3000..3040 {
        log.tcp(&format!("192.168.20.1.{port}"), &format!("{VICTIM}.8000"), "S");
    }
    log.tcp(&format!("{VICTIM}.1025"), "198.51.100.7.80", "S");
    log.names(VICTIM);
    // Only the two of them: the victim asks for more services.
    let mut log = Log::default();
    for port in 3000..3040 {
        log.tcp(&format!("192.168.20.1.{port}"), &format!("{VICTIM}.8000"), "S");
    }
    log.tcp(&format!("{VICTIM}.1025"), "192.168.20.1.80", "S");
    log.tcp(&format!("{VICTIM}.1026"), "192.168.20.1.443", "S");
    log.names(VICTIM);
}

#[test]
fn several_infected_hosts_are_victims_and_many_are_refused() {
    let host = |number: usize| format!("192.168.20.{number}");
    let scans = |hosts: usize| {
        let mut log = Log::default();
        for number in 0..hosts {
            for target in TARGETS {
                log.tcp(&format!("{}.1025", host(100 + number)), &format!("{target}.445"), "S");
            }
        }
        log
    };
    scans(2).names("192.168.20.100, 192.168.20.101");
    let refused = scans(5).call("auto");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("5 hosts begin contacts"), "{}", refused.stderr);
}

#[test]
fn a_victim_without_a_packet_is_refused_with_the_addresses_there_are() {
    let mut log = Log::default();
    log.scan(&TARGETS, 445);
    for command in ["events", "fingerprint"] {
        let called = inga_with(&[command, "-", "--victim", "10.9.9.9"], log.text.as_bytes());
        assert_eq!(called.code, 2);
        for part in ["10.9.9.9", VICTIM, "198.51.100.7", "and 1 more"] {
            assert!(called.stderr.contains(part), "{part}: {}", called.stderr);
        }
    }
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(folder.path().join("run.txt"), &log.text).unwrap();
    let report = folder.path().join("report.yaml");
    let text = |victims: &str| {
        format!("identity: {{md5: {}}}\nvictims: [{victims}]\ncaptures: [run.txt]\n", "a".repeat(32))
    };
    for (victims, code) in [(VICTIM, 0), ("10.9.9.9", 2), ("192.168.20.21, 10.9.9.9", 2)] {
        std::fs::write(&report, text(victims)).unwrap();
        let called = inga(&["correlate", arg(&report), "--darknet", "samples/darknet"]);
        assert_eq!(called.code, code, "{}", called.stderr);
        assert_eq!(
            called.stderr.contains("victim 10.9.9.9; addresses with the most packets: 192.168.20.21"),
            code == 2
        );
    }
}

#[test]
fn one_address_that_is_asked_again_and_again_is_no_scan() {
    let mut log = Log::default();
    for _ in 0..100 {
        log.scan(&["198.51.100.7"], 5555);
    }
    // Four command servers of one sample, one of them with a fallback port.
    log.scan(&TARGETS[1..4], 5555).scan(&TARGETS[1..2], 8080);
    log.check(&[
        ("198.51.100.7.5555", &["few-targets"]),
        ("203.0.113.90.5555", &["few-targets"]),
        ("203.0.113.90.8080", &["few-targets"]),
    ]);
    // With a fifth address it is a scan, and so is any other service that is asked of its targets.
    log.scan(&TARGETS[4..5], 5555).scan(&TARGETS[6..7], 8080);
    log.check(&[
        ("198.51.100.7.5555", &["scan"]),
        ("203.0.113.90.8080", &["scan"]),
        ("198.51.100.88.8080", &["few-targets"]),
    ]);
}

#[test]
fn three_successive_addresses_are_a_sweep() {
    for (targets, class) in [
        (["192.0.2.14", "192.0.2.15", "192.0.2.16"], "scan"),
        (["192.0.2.16", "192.0.2.15", "192.0.2.14"], "scan"),
        (["192.0.2.14", "192.0.2.16", "192.0.2.15"], "few-targets"),
    ] {
        let mut log = Log::default();
        log.scan(&targets, 445).check(&[("192.0.2.14.445", &[class])]);
        let mut log = Log::default();
        for target in targets {
            log.icmp(VICTIM, target, "echo request, id 1, seq 1");
        }
        log.check(&[("192.0.2.14", &[if class == "scan" { "scan" } else { "ping" }])]);
    }
}

#[test]
fn infrastructure_with_fan_out_is_a_scan() {
    for port in [53, 123, 1900, 5353, 137] {
        let mut log = Log::default();
        let from = format!("{VICTIM}.40000");
        log.udp(&from, "224.0.0.251.5353");
        for target in &TARGETS[..4] {
            log.udp(&from, &format!("{target}.{port}"));
        }
        let few = log.classes(VICTIM);
        let infrastructure = ["dns", "ntp", "ssdp", "mdns", "few-targets"];
        let classes = &few[&format!("198.51.100.7.{port}")];
        assert!(classes.iter().all(|class| infrastructure.contains(&class.as_str())), "{port}: {classes:?}");
        log.udp(&from, &format!("{}.{port}", TARGETS[4]));
        log.check(&[(format!("198.51.100.7.{port}").as_str(), &["scan"])]);
        assert!(!log.classes(VICTIM)["224.0.0.251.5353"].contains("scan"), "a group is never a target");
    }
}

#[test]
fn resolvers_that_answer_are_no_scan() {
    let mut log = Log::default();
    for target in TARGETS {
        let from = format!("{VICTIM}.40000");
        log.udp(&from, &format!("{target}.53")).udp(&format!("{target}.53"), &from);
    }
    log.check(&[("198.51.100.7.53", &["dns"])]);
}

#[test]
fn what_is_left_of_old_connections_is_not_asked() {
    let mut log = Log::default();
    for (target, flags) in TARGETS.iter().zip(["R", "R.", "F.", "P.", ".", "R", "F.", "."]) {
        log.tcp(&format!("{VICTIM}.1030"), &format!("{target}.443"), flags);
    }
    log.check(&[
        ("198.51.100.7.443", &["answer"]),
        ("192.0.2.44.443", &["earlier"]),
        ("203.0.113.13.443", &["earlier"]),
    ]);
    // A new connection with the ports of an old one.
    log.tcp(&format!("{VICTIM}.1030"), "192.0.2.44.443", "S");
    log.check(&[("192.0.2.44.443", &["earlier", "few-targets"])]);
}

#[test]
fn ports_that_vary_with_the_target_are_a_scan() {
    let mut log = Log::default();
    for (number, target) in TARGETS.iter().enumerate() {
        log.udp(&format!("{VICTIM}.4000"), &format!("{target}.{}", 20_000 + number * 77));
    }
    log.check(&[("198.51.100.7.20000", &["scan"])]);
    // Beside a scan of a fixed port they are lookups of peers.
    log.scan(&TARGETS, 445);
    log.check(&[("198.51.100.7.20000", &["peer-lookup"]), ("198.51.100.7.445", &["scan"])]);
}

#[test]
fn many_ports_of_one_address_are_a_scan_of_its_ports() {
    let mut log = Log::default();
    for port in 100..109 {
        log.scan(&["192.0.2.7"], port);
    }
    log.check(&[("192.0.2.7.100", &["few-targets"])]);
    log.scan(&["192.0.2.7"], 109).check(&[("192.0.2.7.100", &["scan"])]);
}

#[test]
fn a_victim_that_answers_another_begins_nothing() {
    let mut log = Log::default();
    for number in 0..6 {
        let (asks, answers) =
            (format!("{VICTIM}.4000"), format!("192.168.20.{}.{}", 100 + number, 5000 + number));
        log.udp(&asks, &answers).udp(&answers, &asks).udp(&asks, &answers);
    }
    let text = log.text.as_bytes();
    let victims = ["--victim", VICTIM, "--victim", "192.168.20.100"];
    let events = inga_with(&[&["events", "-", "--format", "json"], &victims[..]].concat(), text).json();
    let from_second = |event: &&serde_json::Value| event["source"] == "192.168.20.100";
    let reasons: BTreeSet<&str> =
        events.iter().filter(from_second).filter_map(|event| event["reason"].as_str()).collect();
    assert_eq!(reasons, BTreeSet::from(["answer"]));
}

#[test]
fn what_an_answer_led_to_is_no_scan() {
    let mut log = Log::default();
    let from = format!("{VICTIM}.1025");
    log.scan(&TARGETS, 445);
    log.tcp(&from, "192.0.2.9.445", "S").tcp("192.0.2.9.445", &from, "S.").tcp(&from, "192.0.2.9.445", ".");
    // The worm fetches the shell that its exploit opened; a silent address would never get this.
    log.scan(&["192.0.2.9"], 4444);
    log.check(&[("192.0.2.9.445", &["scan", "answered"]), ("192.0.2.9.4444", &["answered"])]);
}

/// A packet as tshark reads it: source, destination, and of a TCP packet its flags.
struct Row {
    source: String,
    destination: String,
    flags: Option<u32>,
}

/// All IPv4 packets of a capture between two hosts, by their outer headers.
fn rows(capture: &Path) -> Vec<Row> {
    let fields = ["-e", "ip.src", "-e", "ip.dst", "-e", "tcp.flags"];
    let out = Command::new("tshark")
        .args(["-n", "-r", arg(capture), "-T", "fields", "-E", "occurrence=f", "-Y", "ip && !arp"])
        .args(fields)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let rows = text.lines().map(|line| {
        let mut fields = line.split('\t').map(str::to_owned);
        let mut next = || fields.next().unwrap_or_default();
        let (source, destination, flags) = (next(), next(), next());
        Row { source, destination, flags: u32::from_str_radix(flags.trim_start_matches("0x"), 16).ok() }
    });
    let is_host = |address: &str| {
        let first: u8 = address.split('.').next().unwrap().parse().unwrap_or(0);
        !(224..=239).contains(&first) && first != 127 && address != "255.255.255.255" && address != "0.0.0.0"
    };
    rows.filter(|row| is_host(&row.source) && is_host(&row.destination) && row.source != row.destination)
        .collect()
}

/// The victim by a plain reading: the one address that every packet has and that sends; of two, the one that sends
/// all SYNs without an ACK.
fn plain_victim(rows: &[Row]) -> Option<String> {
    let first = rows.first()?;
    let everywhere: Vec<&String> = [&first.source, &first.destination]
        .into_iter()
        .filter(|address| rows.iter().all(|row| row.source == **address || row.destination == **address))
        .filter(|address| rows.iter().any(|row| row.source == **address))
        .collect();
    if let [one] = everywhere.as_slice() {
        return Some((*one).clone());
    }
    let opens = |row: &&Row| row.flags.is_some_and(|flags| flags & 0x12 == 0x02);
    let openers: BTreeSet<&String> = rows.iter().filter(opens).map(|row| &row.source).collect();
    match openers.into_iter().collect::<Vec<_>>().as_slice() {
        [one] => Some((*one).clone()),
        _ => None,
    }
}

fn captures_below(folder: &Path, into: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let is_capture = |path: &Path| {
            ["pcap", "pcapng", "trace"].contains(&path.extension().and_then(|end| end.to_str()).unwrap_or(""))
        };
        if path.is_dir() {
            captures_below(&path, into);
        } else if is_capture(&path) {
            into.push(path);
        }
    }
}

/// The corpora whose captures are of one host's traffic. Those of protocol printers show made packets of any kind.
const FOLDERS: [&str; 7] =
    ["stratosphere", "httpreplay", "cuckoo", "id2t", "ncsa-simple-scan", "ndpi", "pcapplusplus"];

#[test]
#[cfg_attr(not(all(corpora, tshark)), ignore = "needs the corpora and tshark")]
fn the_victim_is_named_as_a_plain_reading_names_it() {
    let corpora = corpora();
    let mut captures = Vec::new();
    for folder in FOLDERS {
        captures_below(&corpora.join(folder), &mut captures);
    }
    let mut facts = 0;
    let mut missed = Vec::new();
    for capture in captures {
        let Some(fact) = plain_victim(&rows(&capture)) else { continue };
        facts += 1;
        let called = inga(&["events", arg(&capture), "--victim", "auto"]);
        if called.code == 0 {
            assert_eq!(named(&called.stderr), Some(fact), "{}: {}", capture.display(), called.stderr);
        } else {
            missed.push(format!("{}: {fact}: {}", capture.display(), called.stderr));
        }
    }
    assert!(facts >= 25, "{facts} captures have a victim");
    assert!(missed.len() * 20 <= facts, "{} of {facts} have none named: {missed:#?}", missed.len());
}

/// A capture, and for each service that is scanned in it its protocol, its port (0 without one) and its targets.
type ScansOf = (&'static str, &'static [(&'static str, u64, usize)]);

/// Scan events of real captures: targets by protocol and port, and number of packets, by tshark and by eye.
#[test]
#[cfg_attr(not(corpora), ignore = "needs the corpora")]
fn scans_of_real_captures_have_their_targets() {
    let corpora = corpora();
    let table: [ScansOf; 9] = [
        (
            "stratosphere/test7-malicious.pcap",
            &[
                ("TCP", 23, 54),
                ("TCP", 8080, 40),
                ("TCP", 2323, 27),
                ("TCP", 9527, 10),
                // This bot sometimes chooses the port at random, too.
                ("TCP", 1223, 1),
                ("TCP", 16538, 1),
                ("TCP", 28856, 1),
                ("TCP", 53217, 1),
                ("TCP", 64039, 1),
            ],
        ),
        ("stratosphere/test8-malicious.pcap", &[("ARP", 0, 255)]),
        ("stratosphere/test12-icmp-portscan.pcap", &[("ICMP", 0, 18)]),
        ("httpreplay/2015-01-02-post-infection.pcap", &[("UDP", 48754, 108), ("TCP", 48754, 24)]),
        ("ncsa-simple-scan/445_scan.pcap", &[("TCP", 445, 9)]),
        ("ncsa-simple-scan/scan_with_zero_windows.pcap", &[("TCP", 23, 10)]),
        ("ncsa-simple-scan/backscatter.trace", &[]),
        ("cuckoo/mixed-traffic.pcap", &[]),
        ("id2t/Win7_eternalblue_scan.pcap", &[]),
    ];
    for (capture, expected) in table {
        let events =
            inga(&["events", arg(&corpora.join(capture)), "--victim", "auto", "--format", "json"]).json();
        let mut scans: BTreeMap<(String, u64), BTreeSet<String>> = BTreeMap::new();
        for event in events.iter().filter(|event| event["class"] == "scan") {
            let service = (
                event["protocol"].as_str().unwrap().to_owned(),
                event["destination_port"].as_u64().unwrap_or(0),
            );
            scans.entry(service).or_default().insert(event["destination"].as_str().unwrap().to_owned());
        }
        let found: BTreeSet<(&str, u64, usize)> = scans
            .iter()
            .map(|((protocol, port), targets)| (protocol.as_str(), *port, targets.len()))
            .collect();
        assert_eq!(found, expected.iter().copied().collect(), "{capture}");
    }
}

/// A dead command server on the port of an outbreak explains nothing, whether it is contacted once or many times.
#[test]
fn a_dead_server_on_the_port_of_an_outbreak_is_no_cause() {
    for times in [1, 200] {
        let mut log = Log::default();
        for _ in 0..times {
            log.scan(&["198.51.100.7"], 445);
        }
        let folder = tempfile::TempDir::new().unwrap();
        std::fs::write(folder.path().join("run.txt"), &log.text).unwrap();
        let report = folder.path().join("report.yaml");
        let text = format!("identity: {{md5: {}}}\ncaptures: [run.txt]\n", "a".repeat(32));
        std::fs::write(&report, text).unwrap();
        let called =
            inga(&["correlate", arg(&report), "--darknet", "samples/darknet", "--format", "json"]).json();
        assert!(!called.is_empty());
        for hypothesis in called {
            assert_eq!(hypothesis["verdict"], "cannot tell", "{hypothesis}");
        }
    }
}

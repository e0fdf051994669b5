//! Compares the fields of probes in all captures of the corpora with those that tshark prints: TTL, "don't fragment",
//! identification, window, sequence number, unused fields and options of SYNs, and the numbers of echo requests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use inga::capture::{Container, Input, ReadOptions, read};
use inga::packet::{Packet, ProbeKind, Protocol, TcpOptions, UnusedFields};

use crate::corpora::corpora;

/// Captures that are not compared: tshark reads no option behind one whose content is cut, and gives the end of a source
/// route as the destination.
const LEFT_OUT: [&str; 2] = ["tcpdump-tests/tests/mptcp-dss-oobr.pcap", "pcapplusplus/ipv4-options.pcap"];

/// Runs of tshark at a time.
const THREADS: usize = 2;

const FIELDS: [&str; 17] = [
    "frame.protocols",
    "ip.src",
    "ip.dst",
    "ip.proto",
    "ip.ttl",
    "ip.flags.df",
    "ip.id",
    "tcp.flags",
    "tcp.window_size_value",
    "tcp.seq_raw",
    "tcp.ack_raw",
    "tcp.urgent_pointer",
    "tcp.option_kind",
    "tcp.options.mss_val",
    "tcp.options.wscale.shift",
    "icmp.ident",
    "icmp.seq",
];

/// Names of option kinds, by IANA's numbers.
fn kind_name(kind: u32) -> &'static str {
    let names = [
        (0, "eol"),
        (1, "nop"),
        (2, "mss"),
        (3, "ws"),
        (4, "sok"),
        (5, "sack"),
        (8, "ts"),
        (19, "md5"),
        (28, "uto"),
        (30, "mptcp"),
        (34, "tfo"),
        (253, "exp"),
        (254, "exp"),
    ];
    names.into_iter().find(|(number, _)| *number == kind).map_or("other", |(_, name)| name)
}

/// The kinds that a signature keeps: up to the end of the list, at most eight.
fn kept_kinds(kinds: &[u32]) -> String {
    let end = kinds.iter().position(|kind| *kind == 0).map_or(kinds.len(), |end| end + 1);
    let mut names: Vec<&str> = kinds[..end].iter().map(|kind| kind_name(*kind)).collect();
    if names.len() > 8 {
        names.truncate(7);
        names.push("more");
    }
    names.join(",")
}

fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// A probe as tshark's line says it; `None` for other packets, those in tunnels, and those without all fields.
fn by_tshark(line: &str) -> Option<String> {
    let values: Vec<&str> = line.split('\t').collect();
    let text = |field: &str| values.get(FIELDS.iter().position(|known| *known == field)?).copied();
    let first = |field: &str| text(field)?.split(',').next().and_then(number);
    let address = |field: &str| text(field)?.split(',').next();
    let is_set = |field: &str| text(field)?.split(',').next().map(|text| ["1", "True"].contains(&text));
    let layers: Vec<&str> = text("frame.protocols")?.split(':').collect();
    let nets = layers.iter().filter(|layer| ["ip", "ipv6", "arp"].contains(*layer)).count();
    if nets != 1 || !layers.contains(&"ip") {
        return None;
    }
    let mut words = format!(
        "{} {} ttl {} df {}",
        address("ip.src")?,
        address("ip.dst")?,
        first("ip.ttl")?,
        is_set("ip.flags.df")?
    );
    words += &format!(" id {}", first("ip.id")?);
    match first("ip.proto")? {
        6 if first("tcp.flags")? & 0x12 == 2 => {
            let kinds = text("tcp.option_kind")?.split(',').filter_map(number).collect::<Vec<u32>>();
            // The values behind the end of the list do not count.
            let kinds = kept_kinds(&kinds);
            words += &format!(" window {} seq {}", first("tcp.window_size_value")?, first("tcp.seq_raw")?);
            words +=
                &format!(" ack {} urgent {}", first("tcp.ack_raw")? != 0, first("tcp.urgent_pointer")? != 0);
            let has = |name: &str| kinds.split(',').any(|kind| kind == name);
            let mss = first("tcp.options.mss_val").filter(|mss| *mss > 0 && has("mss"));
            let scale = first("tcp.options.wscale.shift").filter(|_| has("ws"));
            Some(format!("{words} options {kinds} mss {mss:?} scale {:?}", scale.map(|scale| scale.min(14))))
        }
        1 if layers.last() != Some(&"_ws.malformed") => {
            Some(format!("{words} icmp {} {}", first("icmp.ident")?, first("icmp.seq")?))
        }
        _ => None,
    }
}

/// The same of inga's packet.
fn by_inga(packet: &Packet) -> Option<String> {
    let probe = packet.probe();
    let mut words = format!(
        "{} {} ttl {} df {} id {}",
        packet.source(),
        packet.destination(),
        packet.ttl()?,
        probe.dont_fragment()?,
        packet.ip_id()?
    );
    match (packet.protocol(), probe.kind()?) {
        (Protocol::Tcp, ProbeKind::Syn) => {
            let options: TcpOptions = probe.options()?;
            let unused = probe.unused()?;
            words += &format!(" window {} seq {}", packet.tcp_window()?, packet.sequence()?);
            Some(format!(
                "{words} {} options {options} mss {:?} scale {:?}",
                match unused {
                    UnusedFields::Empty => "ack false urgent false",
                    UnusedFields::Acknowledgement => "ack true urgent false",
                    UnusedFields::UrgentPointer => "urgent true",
                },
                options.mss().map(u32::from),
                options.window_scale().map(u32::from)
            ))
        }
        (Protocol::Icmp, ProbeKind::Request) if packet.icmp()?.kind == 8 => {
            let numbers = packet.sequence()?;
            Some(format!("{words} icmp {} {}", numbers >> 16, numbers & 0xffff))
        }
        _ => None,
    }
}

/// The probes of a capture as inga reads them; none for tcpdump's text and for what inga refuses.
fn probes_by_inga(path: &Path) -> Vec<String> {
    let mut probes = Vec::new();
    let input = Input::Path(path.to_owned());
    match read(&input, &ReadOptions::default(), &mut |packet, _| probes.extend(by_inga(packet))) {
        Ok(report) if report.format.container != Container::Text => probes,
        _ => Vec::new(),
    }
}

fn probes_by_tshark(path: &Path) -> Vec<String> {
    let mut tshark = Command::new("tshark");
    tshark.args(["-n", "-o", "ip.defragment:FALSE", "-T", "fields", "-E", "occurrence=a", "-r"]).arg(path);
    tshark.args(FIELDS.iter().flat_map(|field| ["-e", field])).stderr(Stdio::null());
    // It fails where a capture is damaged, and has then written what came before.
    let output = tshark.output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().filter_map(by_tshark).collect()
}

/// Probes that only inga reads so, of those of which tshark has as many. Others are in frames that one of the two does not
/// decode, which `tshark.rs` compares.
fn differences(inga: &[String], tshark: &[String]) -> Vec<String> {
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    tshark.iter().for_each(|probe| *left.entry(probe).or_default() += 1);
    let ends = |probe: &str| probe.split(' ').take(2).map(str::to_owned).collect::<Vec<_>>();
    let known: std::collections::BTreeSet<Vec<String>> = tshark.iter().map(|probe| ends(probe)).collect();
    inga.iter()
        .filter(|probe| match left.get_mut(probe.as_str()) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => known.contains(&ends(probe)) && !probe.contains("broken") && !probe.contains("urgent true"),
        })
        .cloned()
        .collect()
}

#[test]
#[cfg_attr(not(all(corpora, tshark)), ignore = "needs the corpora and tshark")]
fn probes_have_the_fields_that_tshark_prints() {
    let corpora = corpora();
    let files = walkdir::WalkDir::new(&corpora).sort_by_file_name().into_iter().map(Result::unwrap);
    let files: Vec<PathBuf> =
        files.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path).collect();
    let files: Vec<PathBuf> =
        files.into_iter().filter(|path| !LEFT_OUT.iter().any(|name| path.ends_with(name))).collect();
    let left = Mutex::new(files.iter());
    let found = Mutex::new((0, 0, Vec::new()));
    std::thread::scope(|scope| {
        let work = || {
            loop {
                let Some(path) = left.lock().unwrap().next() else { return };
                let inga = probes_by_inga(path);
                if inga.is_empty() {
                    continue;
                }
                let tshark = probes_by_tshark(path);
                let wrong = differences(&inga, &tshark);
                let mut found = found.lock().unwrap();
                found.0 += inga.len();
                found.1 += tshark.len();
                let name = path.strip_prefix(&corpora).unwrap().display().to_string();
                found.2.extend(wrong.first().map(|probe| format!("{name}: {} times, {probe}", wrong.len())));
            }
        };
        (0..THREADS).for_each(|_| drop(scope.spawn(work)));
    });
    let (inga, tshark, wrong) = found.into_inner().unwrap();
    assert!(wrong.is_empty(), "of {inga} probes by inga and {tshark} by tshark:\n{}", wrong.join("\n"));
    assert!(inga > 1000 && tshark > 1000, "{inga} probes by inga, {tshark} by tshark");
}

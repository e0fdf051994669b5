//! Compares all captures of the corpora with tshark, packet by packet.
//!
//! tshark takes a third of a second to start, so captures are read in groups: Wireshark's `editcap` writes each as one
//! section of a pcapng (its readers of containers are tshark's), the sections of a group become one file, and tshark
//! says of each packet which section it is from. What differs is listed in `tshark.tsv` with the reason.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use inga::capture::{Container, Input, ReadOptions, read};
use inga::packet::{Packet, Protocol};

use crate::corpora::corpora;

/// Captures that one run of tshark reads.
const GROUP: usize = 64;
/// Runs of tshark at a time.
const THREADS: usize = 2;

/// The listed differences: the capture, the number of packets that only tshark reads so, the number that only inga
/// reads so, and the reason.
const LISTED: &str = include_str!("tshark.tsv");

/// Fields of a packet, in the order in which tshark is asked for them.
const FIELDS: [&str; 29] = [
    "frame.section_number",
    "frame.time_epoch",
    "frame.protocols",
    "ip.src",
    "ip.dst",
    "ip.proto",
    "ipv6.src",
    "ipv6.dst",
    "ipv6.nxt",
    "ipv6.hopopts.nxt",
    "ipv6.routing.nxt",
    "ipv6.fraghdr.nxt",
    "ipv6.dstopts.nxt",
    "ah.next_header",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.flags",
    "udp.srcport",
    "udp.dstport",
    "sctp.srcport",
    "sctp.dstport",
    "dccp.srcport",
    "dccp.dstport",
    "icmp.type",
    "icmp.code",
    "icmpv6.type",
    "icmpv6.code",
    "arp.src.proto_ipv4",
    "arp.dst.proto_ipv4",
];

/// One packet as tshark reports it. The first occurrence of a field is that of the outermost header; later ones are asked
/// for where IPv6 has several extensions of a kind.
struct Row<'a>(BTreeMap<&'static str, Vec<&'a str>>);

impl<'a> Row<'a> {
    fn of(line: &'a str) -> Row<'a> {
        let values = line.split('\t').map(|values| values.split(',').collect());
        Row(FIELDS
            .into_iter()
            .zip(values)
            .filter(|(_, values): &(_, Vec<_>)| !values[0].is_empty())
            .collect())
    }

    fn text(&self, field: &str) -> Option<&'a str> {
        self.occurrence(field, 0)
    }

    fn occurrence(&self, field: &str, at: usize) -> Option<&'a str> {
        self.0.get(field)?.get(at).copied()
    }

    fn number(&self, field: &str) -> Option<u32> {
        self.number_at(field, 0)
    }

    fn number_at(&self, field: &str, at: usize) -> Option<u32> {
        let text = self.occurrence(field, at)?;
        Some(
            text.strip_prefix("0x").map_or_else(|| text.parse(), |hex| u32::from_str_radix(hex, 16)).unwrap(),
        )
    }

    /// The protocol behind the outer header and the extensions of IPv6.
    fn protocol(&self, first: u32) -> u32 {
        let mut protocol = first;
        let mut followed: BTreeMap<&str, usize> = BTreeMap::new();
        loop {
            let behind = match protocol {
                0 => "ipv6.hopopts.nxt",
                43 => "ipv6.routing.nxt",
                44 => "ipv6.fraghdr.nxt",
                51 => "ah.next_header",
                60 => "ipv6.dstopts.nxt",
                _ => return protocol,
            };
            let at = followed.entry(behind).or_default();
            let Some(next) = self.number_at(behind, *at) else { return protocol };
            *at += 1;
            protocol = next;
        }
    }

    /// Returns the packet in the format of [`shown`]; `None` for a frame without an address of the network layer.
    fn shown(&self) -> Option<String> {
        let outer =
            self.text("frame.protocols")?.split(':').find(|name| ["ip", "ipv6", "arp"].contains(name))?;
        let address = |field: &str| self.text(field).map(|text| text.parse::<IpAddr>().unwrap());
        let (source, destination, protocol) = match outer {
            "arp" => (address("arp.src.proto_ipv4")?, address("arp.dst.proto_ipv4")?, None),
            "ip" => (address("ip.src")?, address("ip.dst")?, Some(self.protocol(self.number("ip.proto")?))),
            _ => (address("ipv6.src")?, address("ipv6.dst")?, Some(self.protocol(self.number("ipv6.nxt")?))),
        };
        let (ports, flags, icmp) = match protocol {
            Some(6) => ("tcp", self.number("tcp.flags").map(|flags| flags & 0xff), None),
            Some(17 | 136) => ("udp", None, None),
            Some(33) => ("dccp", None, None),
            Some(132) => ("sctp", None, None),
            Some(1) => ("", None, Some("icmp")),
            Some(58) => ("", None, Some("icmpv6")),
            _ => ("", None, None),
        };
        let port = |which: &str| self.number(&format!("{ports}.{which}port"));
        let message = |part: &str| self.number(&format!("{}.{part}", icmp?));
        Some(shown(
            self.text("frame.time_epoch").unwrap_or(WITHOUT_TIME),
            (source, port("src")),
            (destination, port("dst")),
            protocol,
            flags,
            (message("type"), message("code")),
        ))
    }
}

/// tshark's time of a packet without one.
const WITHOUT_TIME: &str = "0.000000000";

fn shown(
    time: &str,
    source: (IpAddr, Option<u32>),
    destination: (IpAddr, Option<u32>),
    protocol: Option<u32>,
    flags: Option<u32>,
    icmp: (Option<u32>, Option<u32>),
) -> String {
    let mut words = time.to_owned();
    for (address, port) in [source, destination] {
        words += &format!(" {address}");
        words += &port.map_or_else(String::new, |port| format!("#{port}"));
    }
    words += &protocol.map_or_else(|| " ARP".to_owned(), |number| format!(" protocol {number}"));
    words += &flags.map_or_else(String::new, |flags| format!(" flags {flags:#04x}"));
    for part in [icmp.0, icmp.1].into_iter().flatten() {
        words += &format!(" icmp {part}");
    }
    words
}

fn shown_by_inga(packet: &Packet) -> String {
    let time = packet.time().map_or_else(
        || WITHOUT_TIME.to_owned(),
        |time| format!("{}.{:09}", time.0.div_euclid(1_000_000_000), time.0.rem_euclid(1_000_000_000)),
    );
    let protocol = (packet.protocol() != Protocol::Arp).then(|| u32::from(packet.protocol().number()));
    let icmp = packet.icmp();
    shown(
        &time,
        (packet.source(), packet.source_port().map(u32::from)),
        (packet.destination(), packet.destination_port().map(u32::from)),
        protocol,
        packet.flags().map(|flags| u32::from(flags.0)),
        (icmp.map(|icmp| icmp.kind.into()), icmp.and_then(|icmp| icmp.code).map(u32::from)),
    )
}

/// Returns a capture's packets as inga reads them: no packets for a file that inga refuses, and `None` for tcpdump's
/// text.
fn by_inga(path: &Path) -> Option<Vec<String>> {
    let mut packets = Vec::new();
    let input = Input::Path(path.to_owned());
    match read(&input, &ReadOptions::default(), &mut |packet, _| packets.push(shown_by_inga(packet))) {
        Ok(report) if report.format.container == Container::Text => None,
        Ok(_) => Some(packets),
        Err(_) => Some(Vec::new()),
    }
}

/// How many sections a pcapng of this machine's byte order has.
fn sections(pcapng: &[u8]) -> usize {
    let (mut at, mut sections) = (0, 0);
    while let Some(head) = pcapng.get(at..at + 8) {
        let word = |at: usize| u32::from_ne_bytes(head[at..at + 4].try_into().unwrap());
        sections += usize::from(word(0) == 0x0a0d_0d0a);
        at += usize::try_from(word(4)).unwrap().max(12);
    }
    sections
}

/// The packets of a file as tshark reads them, each with the number of its section.
fn by_tshark(path: &Path) -> Vec<(usize, Option<String>)> {
    let mut tshark = Command::new("tshark");
    tshark.args(["-n", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE"]);
    tshark.args(["-T", "fields", "-E", "occurrence=a", "-r"]).arg(path);
    tshark.args(FIELDS.iter().flat_map(|field| ["-e", field]));
    // It fails where a capture is damaged, and has then written what came before.
    let output = tshark.output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    let rows = shown.lines().map(Row::of);
    rows.map(|row| (usize::try_from(row.number("frame.section_number").unwrap()).unwrap(), row.shown()))
        .collect()
}

/// The packets of a group of captures, whose packets by inga are known, as tshark reads them.
fn group_by_tshark(group: &[(PathBuf, Vec<String>)]) -> Vec<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let (all, one) = (folder.path().join("all.pcapng"), folder.path().join("one.pcapng"));
    let mut bytes = Vec::new();
    let mut capture_of = Vec::new();
    let mut captures = vec![Vec::new(); group.len()];
    for (at, (path, inga)) in group.iter().enumerate() {
        let _ = std::fs::remove_file(&one);
        // It fails where a capture is damaged, and has then written what came before.
        let mut editcap = Command::new("editcap");
        editcap.args(["-F", "pcapng"]).args([path, &one]).stderr(Stdio::null()).stdout(Stdio::null());
        editcap.status().unwrap();
        let written = std::fs::read(&one).unwrap_or_default();
        if written.is_empty() && !inga.is_empty() {
            // It has a block that `editcap` cannot write.
            captures[at].extend(by_tshark(path).into_iter().filter_map(|(_, shown)| shown));
        }
        capture_of.extend(std::iter::repeat_n(at, sections(&written)));
        bytes.extend(written);
    }
    std::fs::write(&all, bytes).unwrap();
    for (section, shown) in by_tshark(&all) {
        captures[capture_of[section - 1]].extend(shown);
    }
    captures
}

/// Returns the packets that only one of the two lists has.
fn only_in(these: &[String], those: &[String]) -> Vec<String> {
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    those.iter().for_each(|packet| *left.entry(packet).or_default() += 1);
    let mut is_new = |packet: &&String| match left.get_mut(packet.as_str()) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    };
    these.iter().filter(|packet| is_new(packet)).cloned().collect()
}

/// Captures of the corpora, each content once, with their names there.
fn captures(corpora: &Path) -> Vec<PathBuf> {
    let mut known = std::collections::HashSet::new();
    let files = walkdir::WalkDir::new(corpora).sort_by_file_name().into_iter().map(Result::unwrap);
    files
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .filter(|path| known.insert(blake3::hash(&std::fs::read(path).unwrap())))
        .collect()
}

/// A capture that differs: the numbers of packets that only tshark reads so, and that only inga reads so.
type Difference = (Vec<String>, Vec<String>);

/// Compares all captures; returns how many packets were compared, and the differences, by the captures' names.
fn compared(corpora: &Path) -> (usize, BTreeMap<String, Difference>) {
    let captures: Vec<(PathBuf, Vec<String>)> =
        captures(corpora).into_iter().filter_map(|path| by_inga(&path).map(|rows| (path, rows))).collect();
    let groups = Mutex::new(captures.chunks(GROUP));
    let found = Mutex::new((0, BTreeMap::new()));
    std::thread::scope(|scope| {
        let work = || {
            loop {
                let Some(group) = groups.lock().unwrap().next() else { return };
                for ((path, inga), tshark) in group.iter().zip(group_by_tshark(group)) {
                    let mut found = found.lock().unwrap();
                    found.0 += inga.len();
                    let name = path.strip_prefix(corpora).unwrap().to_str().unwrap().to_owned();
                    let (only_tshark, only_inga) = (only_in(&tshark, inga), only_in(inga, &tshark));
                    if inga != &tshark {
                        found.1.insert(name, (only_tshark, only_inga));
                    }
                }
            }
        };
        (0..THREADS).for_each(|_| drop(scope.spawn(work)));
    });
    found.into_inner().unwrap()
}

/// The list: by capture the numbers of packets that only tshark and only inga gives so.
fn listed() -> BTreeMap<String, (usize, usize)> {
    let rows = LISTED.lines().skip(1).map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        assert!(columns.len() == 4 && columns[3].len() > 10, "a capture, two numbers and a reason: {line}");
        (columns[0].to_owned(), (columns[1].parse().unwrap(), columns[2].parse().unwrap()))
    });
    rows.collect()
}

#[test]
#[cfg_attr(not(all(corpora, tshark)), ignore = "needs the corpora and tshark")]
fn captures_say_what_tshark_says_or_are_listed() {
    let corpora = corpora();
    let (packets, found) = compared(&corpora);
    let mut listed = listed();
    let mut wrong = Vec::new();
    for (name, (tshark, inga)) in &found {
        let numbers = (tshark.len(), inga.len());
        if listed.remove(name) != Some(numbers) {
            let first = |packets: &[String]| packets.first().cloned().unwrap_or_default();
            wrong.push(format!(
                "{name}\t{}\t{}\n    tshark {}\n    inga   {}",
                numbers.0,
                numbers.1,
                first(tshark),
                first(inga)
            ));
        }
    }
    wrong.extend(listed.keys().map(|name| format!("{name}: listed, but does not differ")));
    assert!(wrong.is_empty(), "{} captures are not as listed:\n{}", wrong.len(), wrong.join("\n"));
    assert!(packets > 45_000, "{packets} packets compared");
}

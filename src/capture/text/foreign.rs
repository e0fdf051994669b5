//! Recognizes logs of other programs, so that a message can name the program and suggest a remedy.

use std::net::IpAddr;

use super::printed_header::find;

/// A program whose log is recognized but not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignLog {
    /// A description of the text.
    pub looks_like: &'static str,
    /// A remedy, beginning with `; `.
    pub remedy: &'static str,
}

const PRINT: &str = "; give the capture itself, or print it with `tcpdump -nn -tttt -r CAPTURE`";
const RECORD: &str =
    "; it lacks fields that distinguish scans; record packets instead, with `tcpdump -i INTERFACE -w FILE`";
const RECORD_NFLOG: &str = "; it lacks fields that distinguish scans; record packets instead, with a rule `-j NFLOG` (nftables: \
                            `log group 1`) and `tcpdump -i nflog:1 -w FILE`";
const RECORD_PFLOG: &str =
    "; it lacks fields that distinguish scans; record packets instead, with `tcpdump -i pflog0 -w FILE`";
const CAPTURE_BEHIND: &str = "; give the capture that it was made of";
const FLOWS: &str =
    "; a flow is a sum of packets, and windows are made of packets: record these with `tcpdump -w FILE`";

/// A test whether a line was written by a certain program.
type LineTest = fn(&[u8]) -> bool;

/// Programs, each with the test that recognizes its lines.
const WRITERS: [(ForeignLog, LineTest); 14] = [
    (ForeignLog { looks_like: "the text of Solaris' snoop", remedy: PRINT }, is_snoop),
    (ForeignLog { looks_like: "tshark's or Wireshark's text", remedy: PRINT }, is_tshark),
    (
        ForeignLog { looks_like: "a netfilter log (iptables, nftables, ufw)", remedy: RECORD_NFLOG },
        is_netfilter,
    ),
    (ForeignLog { looks_like: "an ipfw log", remedy: RECORD }, is_ipfw),
    (
        ForeignLog { looks_like: "a pf log of pfSense or OPNsense (filterlog)", remedy: RECORD_PFLOG },
        is_filterlog,
    ),
    (ForeignLog { looks_like: "a log of a Cisco firewall or router", remedy: RECORD }, is_cisco),
    (ForeignLog { looks_like: "a FortiGate log", remedy: RECORD }, is_fortigate),
    (ForeignLog { looks_like: "a Windows firewall log", remedy: RECORD }, is_windows),
    (ForeignLog { looks_like: "a Zeek log", remedy: CAPTURE_BEHIND }, is_zeek),
    (ForeignLog { looks_like: "a Suricata log (eve.json)", remedy: CAPTURE_BEHIND }, is_eve),
    (ForeignLog { looks_like: "alerts of Snort or Suricata", remedy: CAPTURE_BEHIND }, is_alert),
    (ForeignLog { looks_like: "nfdump's text", remedy: FLOWS }, is_nfdump),
    (ForeignLog { looks_like: "a list of flows (SiLK, Argus)", remedy: FLOWS }, is_flows),
    (ForeignLog { looks_like: "a VPC flow log", remedy: FLOWS }, is_vpc),
];

/// Returns the program that wrote a line, if that is certain.
pub(super) fn writer(line: &[u8]) -> Option<&'static ForeignLog> {
    WRITERS.iter().find(|(_, tells)| tells(line)).map(|(writer, _)| writer)
}

/// Returns whether a line contains all of these words.
fn contains_all(line: &[u8], words: &[&[u8]]) -> bool {
    words.iter().all(|word| find(line, word).is_some())
}

/// Returns the first words of a line.
fn words(line: &[u8]) -> Vec<&[u8]> {
    /// Maximum number of words. No test in this file needs more.
    const WORDS: usize = 24;
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).take(WORDS).collect()
}

fn is_address(word: &[u8]) -> bool {
    std::str::from_utf8(word).is_ok_and(|word| word.parse::<IpAddr>().is_ok())
}

fn is_number(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(u8::is_ascii_digit)
}

/// Matches `1.2.3.4:80`, and the format of nfdump for IPv6, `2001:db8::1.80`.
fn is_address_and_port(word: &[u8]) -> bool {
    let cut = word.iter().rposition(|byte| *byte == b':' || *byte == b'.');
    cut.is_some_and(|at| is_address(&word[..at]) && is_number(&word[at + 1..]))
}

/// Matches `  1   0.00000 192.0.2.1 -> 192.0.2.2    TCP D=445 S=1061 Syn Seq=7`.
fn is_snoop(line: &[u8]) -> bool {
    contains_all(line, &[b" -> ", b" D=", b" S="])
}

/// Matches `    1   0.000000    192.0.2.1 → 192.0.2.2    TCP 74 1061 → 445 [SYN]`, older lines with `->` and
/// without the length, the output of `-V`, `-T json` and `-T pdml`, and exports of Wireshark.
fn is_tshark(line: &[u8]) -> bool {
    if line.starts_with(b"Frame ")
        && (contains_all(line, &[b" bytes on wire"]) || contains_all(line, &[b" bytes captured"]))
    {
        return true;
    }
    let titles: [&[u8]; 5] = [b"No.", b"Time", b"Source", b"Destination", b"Protocol"];
    if contains_all(line, &titles)
        || contains_all(line, &[b"\"_index\": \"packets-"])
        || line.starts_with(b"<pdml ")
    {
        return true;
    }
    let words = words(line);
    let arrow =
        words.iter().position(|word| [b"->".as_slice(), "→".as_bytes(), "←".as_bytes()].contains(word));
    let Some(arrow) = arrow.filter(|at| *at >= 2 && words.len() > at + 2) else { return false };
    let (source, destination, protocol) = (words[arrow - 1], words[arrow + 1], words[arrow + 2]);
    let numbered = is_number(words[0]) && arrow >= 3;
    let names_protocol = protocol.first().is_some_and(u8::is_ascii_alphanumeric) && !is_number(protocol);
    let is_long = words.get(arrow + 3).is_some_and(|length| is_number(length));
    let between_addresses = is_address(source) && is_address(destination);
    names_protocol && (between_addresses || numbered && is_long)
}

/// Matches `IN=eth0 OUT= MAC=… SRC=192.0.2.1 DST=192.0.2.2 LEN=40 … PROTO=TCP SPT=1061 DPT=445 … SYN URGP=0`.
fn is_netfilter(line: &[u8]) -> bool {
    contains_all(line, &[b"IN=", b"OUT=", b" SRC=", b" DST=", b" PROTO="])
}

/// Matches `ipfw: 65000 Deny TCP 192.0.2.1:1061 192.0.2.2:445 in via em0`.
fn is_ipfw(line: &[u8]) -> bool {
    contains_all(line, &[b"ipfw: "])
        && (contains_all(line, &[b" in via "]) || contains_all(line, &[b" out via "]))
}

/// Matches `filterlog[123]: 5,,,1000000103,em0,match,block,in,4,0x0,,64,…`.
fn is_filterlog(line: &[u8]) -> bool {
    const FIELDS_MIN: usize = 15;
    contains_all(line, &[b"filterlog", b",match,"])
        && line.iter().filter(|byte| **byte == b',').count() >= FIELDS_MIN
}

/// Matches `%ASA-4-106023: Deny tcp src outside:192.0.2.1/1061 dst …` and
/// `%SEC-6-IPACCESSLOGP: list 101 denied tcp …`.
fn is_cisco(line: &[u8]) -> bool {
    let named = |name: &[u8]| {
        let behind = find(line, name).map(|at| &line[at + name.len()..]);
        matches!(behind, Some([b'0'..=b'7', b'-', b'0'..=b'9', ..]))
    };
    named(b"%ASA-")
        || named(b"%PIX-")
        || named(b"%FTD-")
        || named(b"%FWSM-")
        || contains_all(line, &[b"%SEC-6-IPACCESSLOG"])
}

/// Matches `devname="FG" … srcip=192.0.2.1 srcport=1061 … dstip=192.0.2.2 … action="deny"`.
fn is_fortigate(line: &[u8]) -> bool {
    contains_all(line, &[b" srcip=", b" dstip=", b"action=", b"devname="])
}

/// Matches `2009-03-02 12:00:00 DROP TCP 192.0.2.1 192.0.2.2 1061 445 48 S …`, and the header lines of the
/// log.
fn is_windows(line: &[u8]) -> bool {
    let heads: [&[u8]; 2] =
        [b"#Software: Microsoft Windows Firewall", b"#Fields: date time action protocol src-ip"];
    if heads.iter().any(|head| line.starts_with(head)) {
        return true;
    }
    let actions: [&[u8]; 5] = [b"DROP", b"ALLOW", b"OPEN", b"CLOSE", b"OPEN-INBOUND"];
    match words(line)[..] {
        [_, _, action, _, source, destination, ..] => {
            actions.contains(&action) && is_address(source) && is_address(destination)
        }
        _ => false,
    }
}

/// Matches the header of a log in columns, a line of such a log (time, `C…`, address, port, address, port),
/// and a line in JSON.
fn is_zeek(line: &[u8]) -> bool {
    if line.starts_with(b"#separator ") || contains_all(line, &[b"#fields\t", b"\tuid\t"]) {
        return true;
    }
    if line.starts_with(b"{") {
        return contains_all(line, &[b"\"id.orig_h\":"]);
    }
    let columns: Vec<&[u8]> = line.split(|byte| *byte == b'\t').take(6).collect();
    match columns[..] {
        [time, [b'C', ..], source, port, destination, other] => {
            time.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
                && [source, destination].into_iter().all(is_address)
                && [port, other].into_iter().all(is_number)
        }
        _ => false,
    }
}

/// Matches `{"timestamp":"…","event_type":"alert","src_ip":"192.0.2.1",…}`.
fn is_eve(line: &[u8]) -> bool {
    line.starts_with(b"{") && contains_all(line, &[b"\"event_type\"", b"\"src_ip\""])
}

/// Matches `03/02-12:00:00.123456  [**] [1:2001219:20] … [**] … {TCP} 192.0.2.1:1061 -> 192.0.2.2:445`.
fn is_alert(line: &[u8]) -> bool {
    contains_all(line, &[b"[**] [", b":", b"] "])
}

/// Matches `2009-03-02 12:00:00.000 0.000 TCP 192.0.2.1:1061 -> 192.0.2.2:445 1 48 1`, and the column titles.
fn is_nfdump(line: &[u8]) -> bool {
    if contains_all(line, &[b"Src IP Addr", b"Dst IP Addr"]) || line.starts_with(b"ts,te,td,sa,da,sp,dp,pr") {
        return true;
    }
    let words = words(line);
    let arrow = words.iter().position(|word| *word == b"->");
    let around = arrow.filter(|at| *at >= 4 && words.len() > at + 2);
    around.is_some_and(|at| is_address_and_port(words[at - 1]) && is_address_and_port(words[at + 1]))
}

/// Matches the column titles of `rwcut` and `ra`.
fn is_flows(line: &[u8]) -> bool {
    contains_all(line, &[b"sIP|", b"dIP|"]) || contains_all(line, &[b"SrcAddr", b"DstAddr", b"Dir"])
}

/// Matches `2 123456789010 eni-… 192.0.2.1 192.0.2.2 1061 445 6 1 40 … REJECT OK`, and the column titles.
fn is_vpc(line: &[u8]) -> bool {
    contains_all(line, &[b"srcaddr dstaddr srcport dstport"])
        || contains_all(line, &[b" eni-"])
            && (contains_all(line, &[b" REJECT "]) || contains_all(line, &[b" ACCEPT "]))
}

#[cfg(test)]
mod tests {
    use super::super::{TcpdumpLikeness, tcpdump_likeness};

    /// A line of each program, with a word of the program's name.
    const LINES: [(&str, &str); 27] = [
        (
            "    1   0.000000    192.0.2.1 → 192.0.2.2    ICMP 98 Echo (ping) request  id=0xd01d, seq=0/0, ttl=64",
            "tshark",
        ),
        (
            "  1   0.000000 192.0.2.1 -> 192.0.2.2 TCP 1061 > 445 [SYN] Seq=0 Win=8192 Len=0 MSS=1460",
            "tshark",
        ),
        ("1 2009-03-02 12:00:00.000000000 2001:db8::1 → 2001:db8::2 TCP 74 1061 → 445 [SYN] Seq=0", "tshark"),
        (
            "    3 1.5 host.example.org → other.example.org DNS 70 Standard query 0x1234 A example.org",
            "tshark",
        ),
        ("Frame 1: 98 bytes on wire (784 bits), 98 bytes captured (784 bits)", "tshark"),
        ("\"No.\",\"Time\",\"Source\",\"Destination\",\"Protocol\",\"Length\",\"Info\"", "tshark"),
        ("  1   0.00000    192.0.2.1 -> 192.0.2.2    TCP D=445 S=1061 Syn Seq=7 Len=0 Win=8192", "snoop"),
        (
            "Mar  2 12:00:00 gw kernel: [99.1] [UFW BLOCK] IN=eth0 OUT= MAC=02:00 SRC=192.0.2.1 DST=192.0.2.2 LEN=40 TOS=0x00 TTL=50 ID=1 PROTO=TCP SPT=1061 DPT=445 WINDOW=8192 RES=0x00 SYN URGP=0",
            "netfilter",
        ),
        (
            "2009-03-02T12:00:00+00:00 gw kernel: nft drop: IN=eth0 OUT= SRC=192.0.2.1 DST=192.0.2.2 LEN=40 PROTO=UDP SPT=1 DPT=53 LEN=20",
            "netfilter",
        ),
        ("Mar  2 12:00:00 gw kernel: ipfw: 65000 Deny TCP 192.0.2.1:1061 192.0.2.2:445 in via em0", "ipfw"),
        (
            "Mar  2 12:00:00 gw filterlog[9]: 5,,,1000000103,em0,match,block,in,4,0x0,,64,1,0,DF,6,tcp,40,192.0.2.1,192.0.2.2,1061,445,0,S,7,,8192,,",
            "filterlog",
        ),
        (
            "Mar  2 12:00:00 fw %ASA-4-106023: Deny tcp src outside:192.0.2.1/1061 dst inside:192.0.2.2/445 by access-group \"x\"",
            "Cisco",
        ),
        (
            "Mar  2 12:00:00 r 99: %SEC-6-IPACCESSLOGP: list 101 denied tcp 192.0.2.1(1061) -> 192.0.2.2(445), 1 packet",
            "Cisco",
        ),
        (
            "date=2009-03-02 time=12:00:00 devname=\"FG\" type=\"traffic\" srcip=192.0.2.1 srcport=1061 dstip=192.0.2.2 dstport=445 action=\"deny\"",
            "FortiGate",
        ),
        ("#Software: Microsoft Windows Firewall", "Windows"),
        ("2009-03-02 12:00:00 DROP TCP 192.0.2.1 192.0.2.2 1061 445 48 S 7 0 8192 - - - RECEIVE", "Windows"),
        ("#separator \\x09", "Zeek"),
        ("1235952000.000000\tCabc1\t192.0.2.1\t1061\t192.0.2.2\t445\ttcp\t-\t-\t-\t-\tS0", "Zeek"),
        ("{\"ts\":1235952000.0,\"uid\":\"Cabc1\",\"id.orig_h\":\"192.0.2.1\",\"id.orig_p\":1061}", "Zeek"),
        (
            "{\"timestamp\":\"2009-03-02T12:00:00\",\"event_type\":\"flow\",\"src_ip\":\"192.0.2.1\"}",
            "Suricata",
        ),
        (
            "03/02-12:00:00.1  [**] [1:2001219:20] ET SCAN SSH [**] [Priority: 2] {TCP} 192.0.2.1:1061 -> 192.0.2.2:22",
            "Snort",
        ),
        (
            "Date first seen          Duration Proto      Src IP Addr:Port          Dst IP Addr:Port   Packets    Bytes Flows",
            "nfdump",
        ),
        (
            "2009-03-02 12:00:00.000     0.000 TCP        192.0.2.1:1061  ->       192.0.2.2:445        1       48     1",
            "nfdump",
        ),
        (
            "2009-03-02 12:00:00.000     0.000 TCP      2001:db8::1.1061  ->     2001:db8::2.445        1       48     1",
            "nfdump",
        ),
        ("            sIP|            dIP|sPort|dPort|pro|   packets|", "flows"),
        ("   StartTime    Flgs  Proto   SrcAddr  Sport   Dir   DstAddr  Dport", "flows"),
        ("2 123456789010 eni-1 192.0.2.1 192.0.2.2 1061 445 6 1 40 1235952000 1235952060 REJECT OK", "VPC"),
    ];

    #[test]
    fn each_is_named() {
        for (line, name) in LINES {
            let of = tcpdump_likeness(format!("{line}\n{line}\n").as_bytes());
            let TcpdumpLikeness::Foreign(writer) = of else { panic!("{of:?}: {line}") };
            assert!(writer.looks_like.contains(name), "{}: {line}", writer.looks_like);
            assert!(writer.remedy.starts_with("; "), "{line}");
        }
    }

    #[test]
    fn a_log_of_packets_with_such_lines_in_it_is_read() {
        let packet = "12:00:00.000000 IP 192.0.2.1.1061 > 192.0.2.2.514: SYSLOG kernel.info, length: 200";
        for (line, _) in LINES {
            for text in
                [format!("{packet}\n{line}\n"), format!("{line}\n{packet}\n"), format!("{packet} {line}\n")]
            {
                let of = tcpdump_likeness(text.as_bytes());
                assert!(matches!(of, TcpdumpLikeness::Certain | TcpdumpLikeness::Possible), "{of:?}: {text}");
            }
        }
    }
}

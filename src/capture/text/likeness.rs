//! Decides by its first lines whether a text is a log of tcpdump.

use super::encoding::{UTF8_MARK, decode_head};
use super::foreign::{self, ForeignLog};
use super::line::{self, ParsedLine};
use super::{is_tcpdump_message, prefix, printed_time, strip_packet_number};

/// The degree of certainty that a text is a log of tcpdump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpdumpLikeness {
    /// The text is certainly a log of tcpdump: no other text precedes its first packet, and at most a quarter
    /// of its first lines neither are packets nor belong to packets. Notes, scripts and reports in a folder
    /// may also quote a packet, but do not pass this test.
    Certain,
    /// Some line may be a packet. Such a file is read only if the user names it.
    Possible,
    /// The text is the log of another program, for which there is a remedy.
    Foreign(&'static ForeignLog),
    /// The text is something else.
    None,
}

/// Number of lines that are examined. A log may begin with messages of tcpdump, or within a packet's dump.
const LINES: usize = 64;
/// Minimum ratio of packets to lines that tcpdump did not print.
const PACKETS_PER_OTHER_MIN: usize = 3;

/// The kind of a line, by which its writer is recognized.
enum LineKind {
    /// A packet, or half of one.
    Packet,
    /// A line that tcpdump may print for a packet without addresses or with host names.
    Maybe,
    /// A line that may occur in any log: an empty or indented line, or a message of tcpdump.
    Neutral,
    /// A line that certainly is another program's.
    Foreign(&'static ForeignLog),
    /// Any other line.
    Other,
}

/// Returns the certainty that the first bytes of a file are text of tcpdump, in UTF-8 or UTF-16. Four
/// kilobytes are enough.
#[must_use]
pub fn tcpdump_likeness(head: &[u8]) -> TcpdumpLikeness {
    let head = decode_head(head);
    if head.contains(&0) {
        return TcpdumpLikeness::None;
    }
    let (mut packets, mut maybe, mut other) = (0, 0, 0);
    let mut foreign = None;
    let mut foreign_lines = 0;
    let mut begins_with_packet = true;
    let mut in_payload = false;
    for line in head.split(|byte| *byte == b'\n').take(LINES) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match line_kind(line) {
            LineKind::Packet => {
                packets += 1;
                in_payload = false;
            }
            LineKind::Maybe => maybe += 1,
            LineKind::Neutral => {}
            LineKind::Foreign(writer) => {
                foreign.get_or_insert(writer);
                foreign_lines += 1;
            }
            LineKind::Other => {
                in_payload |= packets > 0 && begins_payload(line);
                begins_with_packet &= packets + maybe > 0;
                other += usize::from(!in_payload);
            }
        }
    }
    let others = other + foreign_lines;
    match foreign {
        // A log with at least one packet of tcpdump is read, whatever other lines it contains.
        Some(writer) if packets == 0 && foreign_lines >= maybe => TcpdumpLikeness::Foreign(writer),
        _ if packets > 0 && begins_with_packet && others * PACKETS_PER_OTHER_MIN <= packets + maybe => {
            TcpdumpLikeness::Certain
        }
        _ if packets + maybe > 0 => TcpdumpLikeness::Possible,
        _ => TcpdumpLikeness::None,
    }
}

/// Returns whether a line begins the dump that `-A` prints of a packet: its first byte, which holds the IP
/// version and the header length, is `E` (IPv4) or a backquote (IPv6). All lines up to the next packet are
/// the packet's payload.
fn begins_payload(line: &[u8]) -> bool {
    matches!(line.first(), Some(b'E' | b'`'))
}

/// Returns whether the first bytes of a file may be text of tcpdump, and are not another program's log.
#[must_use]
pub fn looks_like_tcpdump(head: &[u8]) -> bool {
    matches!(tcpdump_likeness(head), TcpdumpLikeness::Certain | TcpdumpLikeness::Possible)
}

/// Returns the kind of a line.
fn line_kind(line: &[u8]) -> LineKind {
    let line = line.strip_prefix(UTF8_MARK).unwrap_or(line);
    let printed = prefix::strip(line).map_or(line, |(_, rest)| rest);
    if printed.is_empty()
        || printed[0] == b'\t'
        || printed.starts_with(b"#011")
        || is_tcpdump_message(printed)
    {
        return LineKind::Neutral;
    }
    let indented = printed.starts_with(b"    ");
    let (stamp, rest) =
        printed_time::split_time(strip_packet_number(printed, None).map_or(printed, |(_, rest)| rest));
    let read = line::parse(rest, stamp.is_some(), None);
    if matches!(read, ParsedLine::Packet(..) | ParsedLine::Header(_)) {
        return LineKind::Packet;
    }
    if let Some(writer) = foreign::writer(line) {
        return LineKind::Foreign(writer);
    }
    match read {
        ParsedLine::HostName if stamp.is_some() || rest.starts_with(b"IP") => LineKind::Maybe,
        ParsedLine::NoAddress if stamp.is_some() => LineKind::Maybe,
        _ if indented => LineKind::Neutral,
        _ => LineKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: &str =
        "12:00:00.000000 IP 192.0.2.1.1061 > 192.0.2.2.445: Flags [S], seq 1, win 8192, length 0\n";

    fn of(text: &str) -> TcpdumpLikeness {
        tcpdump_likeness(text.as_bytes())
    }

    #[test]
    fn logs_are_certain_in_every_form() {
        let talk = "reading from file x, link-type EN10MB (Ethernet)\n";
        let dump = "\t0x0000:  4500 0028 0000 4000 4006 0000 c000 0201\n";
        for text in [
            PACKET.to_owned(),
            format!("\u{feff}{PACKET}"),
            format!("{talk}{}", format!("{PACKET}{dump}").repeat(9)),
            format!("2009-03-02T12:00:00.123456789Z {PACKET}"),
            format!("Mar  2 12:00:00 sensor tcpdump[99]: {PACKET}"),
            "IP 192.168.20.21.1061 > 192.0.0.14.445: S\n".to_owned(),
            format!("{}12:00:01.000000 STP 802.1d, Config\nodd\n", PACKET.repeat(3)),
            format!("{dump}{dump}{PACKET}{dump}"),
            format!("{PACKET}E..(......x.\nGET / HTTP/1.1\nHost: a\n\n").repeat(2),
            format!("{}\n3 packets captured\n", PACKET.repeat(3)),
        ] {
            assert_eq!(of(&text), TcpdumpLikeness::Certain, "{text}");
            let wide: Vec<u8> =
                text.trim_start_matches('\u{feff}').encode_utf16().flat_map(u16::to_be_bytes).collect();
            assert_eq!(
                tcpdump_likeness(&[&b"\xfe\xff"[..], &wide].concat()),
                TcpdumpLikeness::Certain,
                "{text}"
            );
        }
    }

    #[test]
    fn a_page_that_shows_a_packet_is_no_log_beyond_doubt() {
        assert_eq!(
            of(&format!("How to read tcpdump\n\nA packet:\n\n{PACKET}\nAnd so on.\n")),
            TcpdumpLikeness::Possible
        );
        for text in [
            format!("#!/bin/sh\n# {PACKET}"),
            format!("We saw this:\n    {PACKET}and then nothing.\n"),
            format!("{PACKET}This line shows the scan.\nIt asks for port 445.\n"),
            format!("identity: {{md5: x}}\nnotes: |\n  {PACKET}  {PACKET}"),
            format!("Three probes:\n{}", PACKET.repeat(3)),
        ] {
            assert_ne!(of(&text), TcpdumpLikeness::Certain, "{text}");
        }
        assert_eq!(of("12:00:01.000000 STP 802.1d, Config\n"), TcpdumpLikeness::Possible);
        assert_eq!(of("a,b,c\n1,2,3\n"), TcpdumpLikeness::None);
        assert_eq!(of(""), TcpdumpLikeness::None);
    }

    #[test]
    fn one_packet_among_other_programs_lines_is_enough() {
        let kernel = "Mar  2 12:00:00 gw kernel: IN=eth0 OUT= SRC=192.0.2.1 DST=192.0.2.2 LEN=40 PROTO=TCP SPT=1 DPT=2\n";
        assert!(matches!(of(&kernel.repeat(9)), TcpdumpLikeness::Foreign(_)));
        let mixed = format!("{}Mar  2 12:00:00 gw tcpdump[9]: {PACKET}", kernel.repeat(9));
        assert_eq!(of(&mixed), TcpdumpLikeness::Possible);
        assert!(looks_like_tcpdump(mixed.as_bytes()));
    }
}

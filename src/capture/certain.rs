//! Whether text is tcpdump's beyond doubt. A file that a user names is read where any of its first lines is a packet; a
//! folder also has notes, scripts and reports, which may quote one.

use std::borrow::Cow;

use super::text;

/// Whether a file's first bytes are a log of tcpdump and nothing else: its first line that is neither blank nor a part of
/// a dump nor tcpdump's own talk is a packet, and of all such lines at most a quarter are anything else.
pub(super) fn is_certain_text(head: &[u8]) -> bool {
    const OTHERS_MAX: usize = 4;
    let head = &as_utf8(head);
    let (mut packets, mut others) = (0, 0);
    let mut in_payload = false;
    for line in whole_lines(head) {
        let is_part = line.first().is_none_or(|first| first.is_ascii_whitespace());
        if is_part || packets == 0 && is_talk(line) {
            // Blank lines and hexadecimal dumps belong to what was before.
        } else if text::looks_like_tcpdump(line) {
            packets += 1;
            in_payload = false;
        } else if packets == 0 {
            return false;
        } else {
            // What `-A` prints begins with the IP header: its version and length are `E` (IPv4) or a backquote (IPv6).
            in_payload |= others == 0 && matches!(line.first(), Some(b'E' | b'`'));
            others += usize::from(!in_payload && !is_talk(line));
        }
    }
    packets > 0 && others * OTHERS_MAX <= packets + others
}

/// Text without its byte order mark; UTF-16, as PowerShell writes it, as UTF-8.
fn as_utf8(head: &[u8]) -> Cow<'_, [u8]> {
    let unit: fn([u8; 2]) -> u16 = match head {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return Cow::Borrowed(head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head)),
    };
    let units: Vec<u16> = head[2..].chunks_exact(2).map(|two| unit([two[0], two[1]])).collect();
    Cow::Owned(String::from_utf16_lossy(&units).into_bytes())
}

/// The lines that end within some bytes; the last one may have no end where it is the only one.
fn whole_lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let end = head.iter().rposition(|byte| *byte == b'\n').unwrap_or(head.len());
    head[..end].split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// Whether a line is tcpdump's about itself: `tcpdump: verbose output suppressed`, `reading from file`, `42 packets
/// captured`.
fn is_talk(line: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 5] =
        [b"tcpdump", b"reading from ", b"listening on ", b"dropped privs", b"Warning: "];
    const ENDS: [&[u8]; 4] =
        [b" packets captured", b" packet captured", b" received by filter", b" dropped by kernel"];
    BEGINNINGS.iter().any(|begin| line.starts_with(begin)) || ENDS.iter().any(|end| line.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: &str =
        "2009-03-02 00:10:00.5 IP 10.0.0.1.1061 > 192.0.2.1.445: Flags [S], seq 1, win 9, length 0\n";

    #[test]
    fn logs_are_certain() {
        let talk = "reading from file x.pcap, link-type EN10MB (Ethernet)\n";
        let dump = "\t0x0000:  4500 0028 0007 0000 8006\n";
        let ascii = "E..(......x.\nGET / HTTP/1.1\nHost: a\n\n";
        for log in [
            PACKET.repeat(5),
            PACKET.trim_end().to_owned(),
            format!("{talk}{PACKET}{dump}{PACKET}"),
            format!("{dump}{dump}{PACKET}{dump}"),
            format!("{PACKET}{ascii}{PACKET}{ascii}"),
            format!("{PACKET}{PACKET}{PACKET}\n3 packets captured\n"),
            format!("\u{feff}{PACKET}{PACKET}"),
            "IP 10.0.0.1.1061 > 192.0.2.1.445: Flags [S], seq 1, win 9, length 0\r\n".repeat(3),
        ] {
            assert!(is_certain_text(log.as_bytes()), "{log}");
            let utf16: Vec<u8> =
                "\u{feff}".encode_utf16().chain(log.encode_utf16()).flat_map(u16::to_le_bytes).collect();
            assert!(is_certain_text(&utf16), "{log}");
        }
    }

    #[test]
    fn what_quotes_a_packet_is_none() {
        for text in [
            format!("# The run\n\n{PACKET}\n"),
            format!("#!/bin/sh\n# {PACKET}"),
            format!("We saw this:\n    {PACKET}and then nothing.\n"),
            format!("{PACKET}This line shows the scan.\nIt asks for port 445.\n"),
            format!("identity: {{md5: x}}\nnotes: |\n  {PACKET}{PACKET}"),
            "nothing\n".to_owned(),
            String::new(),
        ] {
            assert!(!is_certain_text(text.as_bytes()), "{text}");
        }
    }
}

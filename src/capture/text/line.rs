//! Parses one line without its number and time: a packet, half of one, or something else.

use std::net::{IpAddr, Ipv4Addr};

use crate::capture::Problem;
use crate::packet::{Packet, Protocol};

use super::address;
use super::body;
use super::printed_header::{PrintedHeader, find, is_header, parse_header, printed_header};

/// The content of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ParsedLine {
    /// A packet, and a problem if a part of it is missing.
    Packet(Packet, Option<Problem>),
    /// The first half of a packet; its addresses are on the next line.
    Header(PrintedHeader),
    /// A packet with host names instead of addresses.
    HostName,
    /// A frame without any network-layer address.
    NoAddress,
    /// A line of no known format.
    Other,
}

/// Parses a line. `timed` says that it began with a time, so that tcpdump has printed it. `header` is the
/// first half of the packet if this is its second line.
pub(super) fn parse(line: &[u8], timed: bool, header: Option<PrintedHeader>) -> ParsedLine {
    if let Some(pair) = address::endpoint_pair(line).filter(|pair| header.is_some() || is_link(pair.before)) {
        let header = header.unwrap_or_else(|| printed_header(&pair));
        let (packet, problem) = body::packet(&pair, header);
        return ParsedLine::Packet(packet, problem);
    }
    if let Some((source, destination)) = arp(line) {
        return ParsedLine::Packet(Packet::new(source, destination, Protocol::Arp), None);
    }
    if is_header(line) {
        return ParsedLine::Header(parse_header(line));
    }
    if address::has_host_names(line) && (timed || line.starts_with(b"IP") || header.is_some()) {
        return ParsedLine::HostName;
    }
    if timed { ParsedLine::NoAddress } else { ParsedLine::Other }
}

/// Returns whether the text before the addresses is one that tcpdump prints there: nothing, the name of the
/// address family, a link header (which ends in `: ` or `, `), a VLAN tag, or the parentheses of `-v`.
fn is_link(before: &[u8]) -> bool {
    let text = before.trim_ascii_end();
    text.is_empty()
        || [b"IP".as_slice(), b"IP6", b":", b",", b")", b"missing!"].iter().any(|end| text.ends_with(end))
        || is_priority(text)
        || is_direction(text)
}

/// Returns whether a text ends with the direction of a frame, which Red Hat's tcpdump of 2001 prints before
/// the addresses. If it listens on several interfaces, the interface precedes the direction. The directions
/// are: `<` to this host, `>` from this host, `B` to all, `M` to a group, `P` between other hosts.
fn is_direction(text: &[u8]) -> bool {
    match text {
        [before @ .., b'<' | b'>' | b'B' | b'M' | b'P'] => {
            let interface = before.strip_suffix(b" ").unwrap_or(before);
            before.is_empty()
                || interface.len() < before.len() && interface.iter().all(u8::is_ascii_alphanumeric)
        }
        _ => false,
    }
}

/// Returns whether a text ends with the priority of a VLAN tag, which 3.x prints as `802.1Q vlan#105 P0`.
fn is_priority(text: &[u8]) -> bool {
    matches!(text, [.., b' ', b'P', b'0'..=b'7'])
}

/// Returns the sender and the target of an ARP packet. A reply prints only its sender; its target is then
/// unspecified (0.0.0.0).
fn arp(line: &[u8]) -> Option<(IpAddr, IpAddr)> {
    let start = find(line, b"ARP, ").or(find(line, b"arp "))?;
    let text = &line[start..];
    let word_after = |word: &[u8]| {
        let rest = &text[find(text, word)? + word.len()..];
        let end = rest.iter().position(|byte| b" ,".contains(byte)).unwrap_or(rest.len());
        address::endpoint(&rest[..end]).map(|endpoint| endpoint.address)
    };
    if let Some(target) = word_after(b"who-has ") {
        return Some((word_after(b"tell ")?, target));
    }
    if let Some(asked) = word_after(b"Announcement ").or(word_after(b"Probe ")) {
        return Some((asked, asked));
    }
    let sender = word_after(b"Reply ").or(word_after(b"reply "))?;
    find(text, b" is-at ").map(|_| (sender, IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
}

//! Parses one line without its number and time: a packet, half of one, or something else.

use std::net::{IpAddr, Ipv4Addr};

use crate::capture::Problem;
use crate::packet::{Packet, Protocol};

use super::address::{self, EndpointPair};
use super::body;

/// Fields that `-v` prints in parentheses. Since 4.0 those of an IPv4 packet are on a line of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PrintedHeader {
    pub(super) ttl: Option<u8>,
    pub(super) ip_id: Option<u16>,
    /// The IP protocol number.
    pub(super) protocol: Option<u8>,
    /// Whether the packet is a fragment other than the first.
    pub(super) later_fragment: bool,
}

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

/// Parses the parentheses that `-v` prints on the packet's own line: before the addresses since 3.9 (for IPv6
/// in every version), at the end of the line in older versions.
pub(super) fn printed_header(pair: &EndpointPair<'_>) -> PrintedHeader {
    if pair.before.contains(&b'(') {
        return parse_header(pair.before);
    }
    // Only the last parenthesis can be that of the header. `(DF)` may precede it.
    let at = pair.body.iter().rposition(|byte| *byte == b'(');
    match at.map(|at| &pair.body[at + 1..]) {
        Some(text)
            if [b"ttl ".as_slice(), b"hlim ", b"tos ", b"id ", b"len "]
                .iter()
                .any(|word| text.starts_with(word)) =>
        {
            parse_header(text)
        }
        Some(text) if text.starts_with(b"frag ") => {
            // `(frag 242:8@16)` contains the identification, the length and the offset.
            let offset = text.iter().position(|byte| *byte == b'@').map(|at| &text[at + 1..]);
            let later_fragment =
                offset.is_some_and(|offset| !offset.starts_with(b"0)") && !offset.starts_with(b"0+)"));
            PrintedHeader { later_fragment, ..PrintedHeader::default() }
        }
        _ => PrintedHeader::default(),
    }
}

/// Returns whether a line is the first half of a packet: the address family and parentheses, but no
/// addresses.
fn is_header(line: &[u8]) -> bool {
    [b"(tos ".as_slice(), b"(hlim ", b"(class ", b"(flowlabel "].iter().any(|word| find(line, word).is_some())
}

/// Parses the fields of an IP header in the parentheses of `-v`.
fn parse_header(text: &[u8]) -> PrintedHeader {
    // Link headers before the parentheses may contain the same words (`length`, or an interface named `id`).
    let start = [b"(tos ".as_slice(), b"(hlim ", b"(class ", b"(flowlabel ", b"(ttl "]
        .iter()
        .filter_map(|word| find(text, word))
        .min()
        .unwrap_or(0);
    let text = &text[start..];
    let after = |word: &[u8]| find(text, word).map(|at| &text[at + word.len()..]);
    let number = |word: &[u8]| after(word).and_then(leading_number);
    let protocol = after(b"proto ").or(after(b"next-header "));
    let ttl = number(b"ttl ").or(number(b"hlim ")).and_then(|ttl| u8::try_from(ttl).ok());
    PrintedHeader {
        ttl,
        ip_id: number(b"id ").and_then(|id| u16::try_from(id).ok()),
        protocol: protocol.and_then(protocol_number),
        later_fragment: number(b"offset ").is_some_and(|offset| offset > 0),
    }
}

/// Parses `TCP (6)`, or the number alone as early versions of 3.9 printed it.
fn protocol_number(text: &[u8]) -> Option<u8> {
    let number = leading_number(text).or_else(|| {
        let open = text.iter().take(32).position(|byte| *byte == b'(')?;
        leading_number(&text[open + 1..])
    });
    u8::try_from(number?).ok()
}

/// Parses the decimal number at the beginning of a text.
pub(super) fn leading_number(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(text.get(..digits)?).ok()?.parse().ok()
}

/// Returns the first offset at which a text contains another.
pub(super) fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
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

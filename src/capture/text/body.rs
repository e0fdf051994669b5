//! Parses the text after the addresses: the protocol, and the header fields that tcpdump's output style
//! includes.

use crate::capture::Problem;
use crate::packet::{IcmpKind, Packet, Protocol, TcpFlags};

use super::address::{EndpointPair, PrintedPort};
use super::printed_header::{PrintedHeader, find, leading_number, without_brackets};
use super::printed_probe;

/// The protocol number that IANA reserves (255). It stands for the protocol of a packet whose line shows
/// neither a protocol nor ports.
const UNKNOWN_PROTOCOL: Protocol = Protocol::Other(255);

/// Returns the packet of a pair of endpoints, and a problem if a part of it is missing.
pub(super) fn packet(pair: &EndpointPair<'_>, header: PrintedHeader) -> (Packet, Option<Problem>) {
    let body = without_brackets(pair.body);
    let has_ports = pair.source.port != PrintedPort::None && pair.destination.port != PrintedPort::None;
    let shown = protocol(body, pair.body, has_ports);
    let mut packet = Packet::new(pair.source.address, pair.destination.address, UNKNOWN_PROTOCOL);
    packet = packet
        .with_protocol(match header.protocol.map(Protocol::from_ip_number) {
            // An IPv6 header names the extension header that follows, not the protocol behind it.
            Some(Protocol::Other(0 | 43 | 44 | 51 | 60)) | None => shown,
            Some(known) => known,
        })
        .with_ttl(header.ttl)
        .with_ip_id(header.ip_id)
        .with_source_port(pair.source.port.number())
        .with_destination_port(pair.destination.port.number());
    match packet.protocol() {
        Protocol::Tcp => tcp(&mut packet, body),
        Protocol::Icmp => packet = packet.with_icmp(icmp(body)),
        Protocol::Icmpv6 => packet = packet.with_icmp(icmpv6(body)),
        _ => {}
    }
    printed_probe::set(&mut packet, pair.body, header);
    (packet, problem(pair, header))
}

/// Returns the problem that follows from the ports and the header, whatever the body contains.
pub(super) fn problem(pair: &EndpointPair<'_>, header: PrintedHeader) -> Option<Problem> {
    let unknown_name =
        pair.source.port == PrintedPort::UnknownName || pair.destination.port == PrintedPort::UnknownName;
    match (unknown_name, header.later_fragment) {
        (true, _) => Some(Problem::ServiceName),
        (_, true) => Some(Problem::LaterFragment),
        _ => None,
    }
}

/// Beginnings of bodies, and the protocols for which tcpdump prints them.
const BEGINNINGS: [(&[u8], Protocol); 30] = [
    (b"Flags [", Protocol::Tcp),
    (b"tcp", Protocol::Tcp),
    (b"UDP", Protocol::Udp),
    (b"udp", Protocol::Udp),
    (b"ICMP6", Protocol::Icmpv6),
    (b"icmp6", Protocol::Icmpv6),
    (b"ICMP", Protocol::Icmp),
    (b"icmp", Protocol::Icmp),
    (b"sctp", Protocol::Sctp),
    (b"SCTP", Protocol::Sctp),
    (b"igmp", Protocol::Other(2)),
    (b"IGMP", Protocol::Other(2)),
    (b"IP6 ", Protocol::Other(41)),
    (b"IP ", Protocol::Other(4)),
    (b"rsvp", Protocol::Other(46)),
    (b"RSVP", Protocol::Other(46)),
    (b"GRE", Protocol::Other(47)),
    (b"gre", Protocol::Other(47)),
    (b"ESP(", Protocol::Other(50)),
    (b"AH(", Protocol::Other(51)),
    (b"EIGRP", Protocol::Other(88)),
    (b"eigrp", Protocol::Other(88)),
    (b"OSPF", Protocol::Other(89)),
    (b"ospf", Protocol::Other(89)),
    (b"PIM", Protocol::Other(103)),
    (b"pim", Protocol::Other(103)),
    (b"IPComp(", Protocol::Other(108)),
    (b"VRRP", Protocol::Other(112)),
    (b"vrrp", Protocol::Other(112)),
    (b"CARP", Protocol::Other(112)),
];

/// Returns the protocol of a packet. `whole` is the body with its brackets.
fn protocol(body: &[u8], whole: &[u8], has_ports: bool) -> Protocol {
    if has_ports && flags_3x(body).is_some() {
        return Protocol::Tcp;
    }
    if let Some(number) = body.strip_prefix(b"ip-proto-").and_then(leading_number) {
        return u8::try_from(number).map_or(UNKNOWN_PROTOCOL, Protocol::from_ip_number);
    }
    // In `[|tcp]` the header was cut before any of its fields could be printed.
    let body = body.strip_prefix(b"[|").unwrap_or(body);
    let named =
        BEGINNINGS.iter().find(|(beginning, _)| body.starts_with(beginning)).map(|(_, protocol)| *protocol);
    match named {
        Some(protocol) if protocol.has_ports() || !has_ports => protocol,
        // The body is that of an application. Above TCP, tcpdump prints the flags first, so the packet is
        // UDP.
        _ if has_ports => Protocol::Udp,
        _ if find(&whole[..whole.len().min(64)], b"icmp6 sum").is_some() => Protocol::Icmpv6,
        _ => UNKNOWN_PROTOCOL,
    }
}

/// Returns the TCP flags of 3.x: letters of SFRPWE, or a dot for none of them, followed by a space, a comma
/// or nothing.
fn flags_3x(body: &[u8]) -> Option<&[u8]> {
    let end = body.iter().position(|byte| b" ,".contains(byte)).unwrap_or(body.len());
    let flags = &body[..end];
    let known = |byte: &u8| b"SFRPWE".contains(byte);
    let fits = flags == b"." || (!flags.is_empty() && flags.len() <= 6 && flags.iter().all(known));
    fits.then_some(flags)
}

/// Sets the flags, the sequence number and the window of a TCP packet.
fn tcp(packet: &mut Packet, body: &[u8]) {
    if let Some(rest) = body.strip_prefix(b"Flags [") {
        let end = rest.iter().position(|byte| *byte == b']').unwrap_or(rest.len());
        *packet = packet.with_flags(Some(parse_flags_4x(&rest[..end])));
        set_sequence_and_window(packet, &rest[end..], b"seq ");
    } else if let Some(letters) = flags_3x(body) {
        let rest = before_options(&body[letters.len()..]);
        *packet = packet.with_flags(complete_flags_3x(letters, rest));
        set_sequence_and_window(packet, rest, b"");
    }
}

/// Cuts off TCP options, which are in `<…>` and may contain any number.
fn before_options(body: &[u8]) -> &[u8] {
    let end = body.iter().position(|byte| *byte == b'<').unwrap_or(body.len());
    &body[..end]
}

/// Parses the TCP flags of 4.x: one letter per flag; the dot is ACK, `W` is CWR, and `none` means no flags.
pub(super) fn parse_flags_4x(letters: &[u8]) -> TcpFlags {
    if letters == b"none" {
        return TcpFlags(0);
    }
    letters.iter().fold(TcpFlags(0), |flags, letter| {
        flags.with(match letter {
            b'.' => TcpFlags::ACK,
            b'W' => TcpFlags::CWR,
            // The ninth flag, AE, is not among the eight flags of `TcpFlags`.
            b'e' => TcpFlags(0),
            letter => TcpFlags::from_letter(char::from(*letter)).unwrap_or_default(),
        })
    })
}

/// Completes the TCP flags of 3.x, which prints ACK and URG as words after the letters. If nothing follows
/// the letters (figure 8 of the seed), the letters are all that is known, and a dot means that the flags are
/// unknown.
fn complete_flags_3x(letters: &[u8], rest: &[u8]) -> Option<TcpFlags> {
    let named = if letters == b"." { TcpFlags(0) } else { parse_flags_4x(letters) };
    if rest.is_empty() {
        return (letters != b".").then_some(named);
    }
    let ack = if find(rest, b" ack ").is_some() { TcpFlags::ACK } else { TcpFlags(0) };
    let urg = if find(rest, b" urg ").is_some() { TcpFlags::URG } else { TcpFlags(0) };
    Some(named.with(ack).with(urg))
}

/// Sets the sequence number and the window. Only SYNs have absolute sequence numbers; later numbers are
/// relative.
fn set_sequence_and_window(packet: &mut Packet, rest: &[u8], sequence: &[u8]) {
    let after = |word: &[u8]| find(rest, word).map(|at| &rest[at + word.len()..]);
    *packet = packet.with_tcp_window(
        after(b"win ").and_then(leading_number).and_then(|window| u16::try_from(window).ok()),
    );
    if packet.flags().is_some_and(|flags| flags.contains(TcpFlags::SYN)) {
        let printed = if sequence.is_empty() { after_checksum(rest) } else { after(sequence) };
        *packet = packet
            .with_sequence(printed.and_then(leading_number).and_then(|number| u32::try_from(number).ok()));
    }
}

/// Skips checksums before the sequence number of 3.x, which is printed first, or after `[tcp sum ok]` or
/// `, cksum 0xbf93 (correct),`.
fn after_checksum(rest: &[u8]) -> Option<&[u8]> {
    let text = without_brackets(rest.trim_ascii_start());
    match text.strip_prefix(b", cksum ") {
        Some(checksum) => find(checksum, b"), ").map(|at| &checksum[at + 3..]),
        None => Some(text),
    }
}

/// Words of a message, with its type, and with its code if the words imply it.
type MessageWords = &'static [(&'static [u8], u8, Option<u8>)];

/// Words of ICMP messages (RFC 792, RFC 1812). Earlier entries take precedence.
const ICMP: MessageWords = &[
    (b"echo request", 8, None),
    (b"echo reply", 0, None),
    (b"time exceeded in-transit", 11, Some(0)),
    (b"ip reassembly time exceeded", 11, Some(1)),
    (b"time exceeded", 11, None),
    (b"redirect", 5, None),
    (b"source quench", 4, None),
    (b"parameter problem", 12, None),
    (b"router advertisement", 9, None),
    (b"router solicitation", 10, None),
    (b"time stamp query", 13, None),
    (b"time stamp reply", 14, None),
    (b"information request", 15, None),
    (b"information reply", 16, None),
    (b"address mask request", 17, None),
    (b"address mask is", 18, None),
    (b"need to frag", 3, Some(4)),
    (b"source route failed", 3, Some(5)),
    (b"admin prohibited filter", 3, Some(13)),
    (b"host precedence violation", 3, Some(14)),
    (b"unreachable", 3, None),
];

/// Words of ICMPv6 messages (RFC 4443, RFC 4861, RFC 2710, RFC 3810).
const ICMPV6: MessageWords = &[
    (b"echo request", 128, None),
    (b"echo reply", 129, None),
    (b"packet too big", 2, None),
    (b"time exceeded", 3, None),
    (b"parameter problem", 4, None),
    (b"multicast listener query", 130, None),
    (b"multicast listener report v2", 143, None),
    (b"multicast listener report", 131, None),
    (b"multicast listener done", 132, None),
    (b"router solicitation", 133, None),
    (b"router advertisement", 134, None),
    (b"neighbor solicitation", 135, None),
    (b"neighbor advertisement", 136, None),
    (b"redirect", 137, None),
    (b"unreachable", 1, None),
];

/// Number of bytes of a body that are searched for words of a message. Names and addresses of hosts may
/// follow.
const MESSAGE_BYTES_MAX: usize = 160;

/// Returns the ICMP type and code that the words of a body imply.
fn message_kind(body: &[u8], words: MessageWords) -> Option<IcmpKind> {
    let text = &body[..body.len().min(MESSAGE_BYTES_MAX)];
    let known = words.iter().find(|(word, _, _)| find(text, word).is_some());
    known.map(|(_, kind, code)| IcmpKind { kind: *kind, code: *code }).or_else(|| {
        let number = find(text, b"type-").and_then(|at| leading_number(&text[at + 5..]))?;
        Some(IcmpKind { kind: u8::try_from(number).ok()?, code: None })
    })
}

fn icmp(body: &[u8]) -> Option<IcmpKind> {
    let kind = message_kind(body, ICMP)?;
    if kind.kind != 3 || kind.code.is_some() {
        return Some(kind);
    }
    let text = &body[..body.len().min(MESSAGE_BYTES_MAX)];
    let text = text.strip_prefix(b"ICMP ").or(text.strip_prefix(b"icmp: ")).unwrap_or(text);
    let plain = find(text, b"unreachable - ").is_none();
    let code = match (plain, find(text, b" port "), find(text, b" protocol ")) {
        (false, ..) => None,
        (true, Some(_), _) => Some(3),
        (true, None, Some(_)) => Some(2),
        (true, None, None) if text.starts_with(b"host ") => Some(1),
        (true, None, None) if text.starts_with(b"net ") => Some(0),
        (true, None, None) => None,
    };
    Some(IcmpKind { code, ..kind })
}

fn icmpv6(body: &[u8]) -> Option<IcmpKind> {
    message_kind(body, ICMPV6)
}

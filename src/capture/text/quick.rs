//! A fast path for the most common lines, which it parses once from left to right. Without it, `inga observe`
//! of a log takes about 17 % longer.
//!
//! This is not a second grammar: every result is that of [`super::line::parse`], which a property test checks,
//! and any line that deviates from the known formats is left to that parser. The known formats are addresses
//! after `IP `, `IP6 ` or an Ethernet link header (`-e`), the first line of `-v` since 4.0, and its second
//! line. The known bodies are those of TCP, UDP and echo requests. Other bodies are parsed by [`body`], with
//! the addresses found here.

use memchr::{memchr, memrchr};

use crate::packet::{IcmpKind, Packet, Protocol, TcpFlags};

use super::address::{self, Endpoint, EndpointPair, PrintedPort};
use super::body;
use super::line::ParsedLine;
use super::printed_header::{self, PrintedHeader};
use super::printed_probe;

/// Parses a line without its number and time. `header` is the first half of the packet if this is its second
/// line, without its indentation. Returns `None` for a line of any other format.
pub(super) fn parse(text: &[u8], header: Option<PrintedHeader>) -> Option<ParsedLine> {
    let link = if header.is_some() { 0 } else { link(text)? };
    let (before, rest) = text.split_at(link);
    if header.is_none() && rest.first() == Some(&b'(') {
        return printed_header(rest).map(ParsedLine::Header);
    }
    let (source, rest) = endpoint(rest)?;
    let (destination, rest) = endpoint(rest.strip_prefix(b" > ")?)?;
    let rest = rest.strip_prefix(b":")?;
    if !matches!(rest, [] | [b' ', ..]) {
        return None;
    }
    let pair = EndpointPair { before, source, destination, body: rest.trim_ascii() };
    let header = match header {
        Some(header) => header,
        // An Ethernet link header contains parentheses, but no fields of an IP header.
        None if before.ends_with(b"IP ") || before.ends_with(b"IP6 ") => match memrchr(b'(', pair.body) {
            Some(_) => printed_header::printed_header(&pair),
            None => PrintedHeader::default(),
        },
        None => PrintedHeader {
            dont_fragment: printed_header::flag_behind_body(pair.body),
            ..PrintedHeader::default()
        },
    };
    let packet = packet(&pair, header);
    let (packet, problem) =
        packet.map_or_else(|| body::packet(&pair, header), |packet| (packet, body::problem(&pair, header)));
    Some(ParsedLine::Packet(packet, problem))
}

/// Returns the length of the text before the addresses.
fn link(text: &[u8]) -> Option<usize> {
    if text.starts_with(b"IP ") {
        return Some(3);
    }
    if text.starts_with(b"IP6 ") {
        return Some(4);
    }
    let rest = hardware_address(text)?.strip_prefix(b" > ")?;
    let mut rest = hardware_address(rest)?.strip_prefix(b", ethertype ")?;
    if let Some(vlan) = rest.strip_prefix(b"802.1Q (0x8100), length ") {
        let (_, vlan) = digits(vlan)?;
        let (_, vlan) = digits(vlan.strip_prefix(b": vlan ")?)?;
        let (_, vlan) = digits(vlan.strip_prefix(b", p ")?)?;
        rest = vlan.strip_prefix(b", ethertype ")?;
        rest = rest.strip_prefix(b"IPv4 (0x0800), ").or(rest.strip_prefix(b"IPv6 (0x86dd), "))?;
    } else {
        rest = rest.strip_prefix(b"IPv4 (0x0800), ").or(rest.strip_prefix(b"IPv6 (0x86dd), "))?;
        rest = digits(rest.strip_prefix(b"length ")?)?.1.strip_prefix(b": ")?;
    }
    Some(text.len() - rest.len())
}

/// Skips a hardware address such as `3c:94:d5:e7:d0:01`.
fn hardware_address(text: &[u8]) -> Option<&[u8]> {
    let (address, rest) = text.split_first_chunk::<17>()?;
    let fits = |(at, byte): (usize, &u8)| if at % 3 == 2 { *byte == b':' } else { byte.is_ascii_hexdigit() };
    address.iter().enumerate().all(fits).then_some(rest)
}

/// Splits an endpoint off the beginning of a text.
fn endpoint(text: &[u8]) -> Option<(Endpoint, &[u8])> {
    let Some((address, rest)) = address::dotted_quad(text) else {
        let word = &text[..memchr(b' ', text)?];
        let word = word.strip_suffix(b":").unwrap_or(word);
        return Some((address::endpoint(word)?, &text[word.len()..]));
    };
    let (port, rest) = match rest {
        [b'.', behind @ ..] => port(behind)?,
        _ => (PrintedPort::None, rest),
    };
    Some((Endpoint { address: address.into(), port }, rest))
}

/// Splits a port off the beginning of a text.
#[inline]
fn port(text: &[u8]) -> Option<(PrintedPort, &[u8])> {
    if let Some((number, rest @ [b' ' | b':', ..])) = digits(text)
        && text.len() - rest.len() <= 5
    {
        return Some((PrintedPort::Number(u16::try_from(number).ok()?), rest));
    }
    let end = text.iter().position(|byte| matches!(byte, b' ' | b':'))?;
    let (port, rest) = text.split_at(end);
    Some((address::port(port)?, rest))
}

/// Splits a number of up to ten digits off the beginning of a text.
#[inline]
fn digits(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (at, byte) in text.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return (at > 0).then_some((value, &text[at..]));
        }
        if at == 10 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    (!text.is_empty()).then_some((value, &[]))
}

/// Parses `(tos 0x0, ttl 117, id 23454, offset 0, flags [DF], proto TCP (6), length 52)` up to the end of the
/// line.
fn printed_header(text: &[u8]) -> Option<PrintedHeader> {
    let rest = text.strip_prefix(b"(tos 0x")?;
    let tos = rest.iter().take(2).take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (ttl, rest) = digits(rest[tos..].strip_prefix(b", ttl ")?)?;
    let (id, rest) = digits(rest.strip_prefix(b", id ")?)?;
    let (offset, rest) = digits(rest.strip_prefix(b", offset ")?)?;
    let rest = rest.strip_prefix(b", flags [")?;
    let (dont_fragment, rest) =
        [(b"DF], proto ".as_slice(), true), (b"none], proto ", false), (b"+], proto ", false)]
            .iter()
            .find_map(|(flags, dont_fragment)| Some((*dont_fragment, rest.strip_prefix(*flags)?)))?;
    let name = [b"TCP (".as_slice(), b"UDP (", b"ICMP ("].iter().find_map(|name| rest.strip_prefix(*name));
    let (protocol, rest) = digits(name?)?;
    let (_, rest) = digits(rest.strip_prefix(b"), length ")?)?;
    if rest != b")" {
        // `, bad cksum 0 (->99f5)!)` occurs in captures of hosts whose network card computes checksums.
        let bad = rest.strip_prefix(b", bad cksum ")?.strip_suffix(b")!)")?;
        if bad.len() > 16 || !bad.iter().all(|byte| byte.is_ascii_hexdigit() || b" (->".contains(byte)) {
            return None;
        }
    }
    Some(PrintedHeader {
        ttl: u8::try_from(ttl).ok(),
        ip_id: u16::try_from(id).ok(),
        protocol: u8::try_from(protocol).ok(),
        later_fragment: offset > 0,
        dont_fragment: Some(dont_fragment),
    })
}

/// Returns the packet if its body is one of the known ones.
fn packet(pair: &EndpointPair<'_>, header: PrintedHeader) -> Option<Packet> {
    let has_ports = pair.source.port != PrintedPort::None && pair.destination.port != PrintedPort::None;
    let body = if pair.body.first() == Some(&b'[') {
        printed_header::without_brackets(pair.body)
    } else {
        pair.body
    };
    let mut packet = Packet::new(pair.source.address, pair.destination.address, Protocol::Tcp);
    if has_ports && let Some(rest) = body.strip_prefix(b"Flags [") {
        tcp(&mut packet, rest)?;
    } else if has_ports && body.starts_with(b"UDP") {
        packet = packet.with_protocol(Protocol::Udp);
    } else if !has_ports && body.starts_with(b"ICMP echo request") {
        packet = packet.with_protocol(Protocol::Icmp).with_icmp(Some(IcmpKind { kind: 8, code: None }));
    } else if !has_ports && body.starts_with(b"ICMP6, echo request") {
        packet = packet.with_protocol(Protocol::Icmpv6).with_icmp(Some(IcmpKind { kind: 128, code: None }));
    } else {
        return None;
    }
    if header.protocol.is_some_and(|number| Protocol::from_ip_number(number) != packet.protocol()) {
        return None;
    }
    packet = packet
        .with_ttl(header.ttl)
        .with_ip_id(header.ip_id)
        .with_source_port(pair.source.port.number())
        .with_destination_port(pair.destination.port.number());
    printed_probe::set(&mut packet, pair.body, header);
    Some(packet)
}

/// Parses `S], seq 7, ack 9, win 1024`, with a checksum after the flags if `-v` was given. [`printed_probe`] parses
/// what follows.
fn tcp(packet: &mut Packet, text: &[u8]) -> Option<()> {
    let end = text.iter().take(9).position(|byte| *byte == b']')?;
    let flags = body::parse_flags_4x(&text[..end]);
    let mut rest = &text[end + 1..];
    if let Some(checksum) = rest.strip_prefix(b", cksum 0x") {
        let sum = |text: &[u8]| text.iter().take(4).take_while(|byte| byte.is_ascii_hexdigit()).count();
        rest = &checksum[sum(checksum)..];
        rest = match rest.strip_prefix(b" (incorrect -> 0x") {
            Some(right) => right[sum(right)..].strip_prefix(b")")?,
            None => rest.strip_prefix(b" (correct)")?,
        };
    }
    let mut sequence = None;
    if let Some(seq) = rest.strip_prefix(b", seq ") {
        let (number, behind) = digits(seq)?;
        sequence = Some(number);
        rest = match behind.strip_prefix(b":") {
            Some(last) => digits(last)?.1,
            None => behind,
        };
    }
    if let Some(ack) = rest.strip_prefix(b", ack ") {
        rest = digits(ack)?.1;
    }
    let (window, _) = digits(rest.strip_prefix(b", win ")?)?;
    *packet = packet.with_flags(Some(flags)).with_tcp_window(u16::try_from(window).ok());
    if flags.contains(TcpFlags::SYN) {
        *packet = packet.with_sequence(u32::try_from(sequence?).ok());
    }
    Some(())
}

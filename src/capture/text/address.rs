//! Parses `address.port > address.port`, for IPv4 and IPv6, with numbers or names for ports.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::services;

/// An address with a port, as printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) address: IpAddr,
    pub(super) port: PrintedPort,
}

/// A port, as printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PrintedPort {
    /// The address was printed without a port.
    None,
    Number(u16),
    /// A service name that the table does not contain.
    UnknownName,
}

impl PrintedPort {
    /// Returns the port number, if it is known.
    pub(super) fn number(self) -> Option<u16> {
        match self {
            PrintedPort::Number(number) => Some(number),
            PrintedPort::None | PrintedPort::UnknownName => None,
        }
    }
}

/// Parses an endpoint that is the whole text.
pub(super) fn endpoint(text: &[u8]) -> Option<Endpoint> {
    if text.contains(&b':') { endpoint_v6(text) } else { endpoint_v4(text) }
}

fn endpoint_v4(text: &[u8]) -> Option<Endpoint> {
    let (address, rest) = dotted_quad(text)?;
    let port = match rest {
        [] => PrintedPort::None,
        [b'.', port @ ..] => self::port(port)?,
        _ => return None,
    };
    Some(Endpoint { address: IpAddr::V4(address), port })
}

/// Splits a dotted IPv4 address off the beginning of a text.
#[inline]
pub(super) fn dotted_quad(text: &[u8]) -> Option<(Ipv4Addr, &[u8])> {
    let (first, rest) = octet(text)?;
    let (second, rest) = octet(rest.strip_prefix(b".")?)?;
    let (third, rest) = octet(rest.strip_prefix(b".")?)?;
    let (fourth, rest) = octet(rest.strip_prefix(b".")?)?;
    Some((Ipv4Addr::new(first, second, third, fourth), rest))
}

/// Splits off a number of one to three digits that no further digit follows.
#[inline]
fn octet(text: &[u8]) -> Option<(u8, &[u8])> {
    let digit = |at: usize| text.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit <= 9);
    let mut value = u16::from(digit(0)?);
    let mut length = 1;
    while let Some(digit) = digit(length) {
        if length == 3 {
            return None;
        }
        value = value * 10 + u16::from(digit);
        length += 1;
    }
    Some((u8::try_from(value).ok()?, &text[length..]))
}

fn endpoint_v6(text: &[u8]) -> Option<Endpoint> {
    // A single point separates the port: an address has three points or none.
    let points = text.iter().filter(|byte| **byte == b'.').count();
    let text = std::str::from_utf8(text).ok()?;
    if points != 1
        && let Ok(address) = text.parse::<Ipv6Addr>()
    {
        return Some(Endpoint { address: IpAddr::V6(address), port: PrintedPort::None });
    }
    let (address, port) = text.rsplit_once('.')?;
    let address: Ipv6Addr = address.parse().ok()?;
    Some(Endpoint { address: IpAddr::V6(address), port: self::port(port.as_bytes())? })
}

/// Parses a port number or a service name.
pub(super) fn port(text: &[u8]) -> Option<PrintedPort> {
    if let Some(number) = decimal(text, 5) {
        return u16::try_from(number).ok().map(PrintedPort::Number);
    }
    let name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_+*".contains(byte);
    let is_name = text.first().is_some_and(u8::is_ascii_alphanumeric) && text.iter().all(name);
    is_name.then(|| services::port(text).map_or(PrintedPort::UnknownName, PrintedPort::Number))
}

/// Parses a decimal number of at most `most` digits.
fn decimal(digits: &[u8], most: usize) -> Option<u32> {
    let plain = !digits.is_empty() && digits.len() <= most && digits.iter().all(u8::is_ascii_digit);
    plain.then(|| digits.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0')))
}

/// A line that is split at its pair of endpoints.
pub(super) struct EndpointPair<'a> {
    /// The text before the first endpoint.
    pub(super) before: &'a [u8],
    pub(super) source: Endpoint,
    pub(super) destination: Endpoint,
    /// The text after the second endpoint and its colon.
    pub(super) body: &'a [u8],
}

/// Finds the first pair of endpoints in a line.
pub(super) fn endpoint_pair(line: &[u8]) -> Option<EndpointPair<'_>> {
    let mut from = 0;
    while let Some(at) = line[from..].windows(3).position(|three| three == b" > ") {
        let arrow = from + at;
        from = arrow + 3;
        let start = line[..arrow].iter().rposition(|byte| *byte == b' ').map_or(0, |space| space + 1);
        let end = line[from..].iter().position(|byte| *byte == b' ').map_or(line.len(), |space| from + space);
        let right = line[from..end].strip_suffix(b":").or(line[from..end].strip_suffix(b","));
        let right = right.unwrap_or(&line[from..end]);
        if let (Some(source), Some(destination)) = (endpoint(&line[start..arrow]), endpoint(right)) {
            return Some(EndpointPair {
                before: &line[..start],
                source,
                destination,
                body: line[end..].trim_ascii(),
            });
        }
    }
    None
}

/// Returns whether the words around the first ` > ` of a line are host names, or a host name and an address.
/// Hardware addresses are not host names.
pub(super) fn has_host_names(line: &[u8]) -> bool {
    let Some(arrow) = line.windows(3).position(|three| three == b" > ") else { return false };
    let start = line[..arrow].iter().rposition(|byte| *byte == b' ').map_or(0, |space| space + 1);
    let end =
        line[arrow + 3..].iter().position(|byte| *byte == b' ').map_or(line.len(), |space| arrow + 3 + space);
    let right = &line[arrow + 3..end];
    let name = |text: &[u8]| {
        !text.is_empty()
            && text.iter().any(u8::is_ascii_alphabetic)
            && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(byte))
    };
    let part = |text: &[u8]| name(text) || endpoint(text).is_some();
    right.ends_with(b":") && part(&line[start..arrow]) && part(&right[..right.len() - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(&str, PrintedPort)>) {
        let expected = expected.map(|(address, port)| Endpoint { address: address.parse().unwrap(), port });
        assert_eq!(endpoint(text.as_bytes()), expected, "{text}");
    }

    #[test]
    fn endpoints_of_both_families() {
        check("192.0.0.14.445", Some(("192.0.0.14", PrintedPort::Number(445))));
        check("192.0.0.14", Some(("192.0.0.14", PrintedPort::None)));
        check("10.0.0.1.microsoft-ds", Some(("10.0.0.1", PrintedPort::Number(445))));
        check("10.0.0.1.no-such-service", Some(("10.0.0.1", PrintedPort::UnknownName)));
        check("fe80::1.5353", Some(("fe80::1", PrintedPort::Number(5353))));
        check("::ffff:1.2.3.4", Some(("::ffff:1.2.3.4", PrintedPort::None)));
        check("::ffff:1.2.3.4.80", Some(("::ffff:1.2.3.4", PrintedPort::Number(80))));
        for wrong in
            ["1.2.3", "1.2.3.256", "1.2.3.4.70000", "1.2.3.4x", "3c:94:d5:e7:d0:01", "localhost.80", ""]
        {
            check(wrong, None);
        }
    }
}

//! The protocol of a packet, with the names that analysts use.

use std::fmt;

/// The protocol that a packet's outer header carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP, IP protocol 6.
    Tcp,
    /// UDP, IP protocol 17.
    Udp,
    /// ICMP, IP protocol 1.
    Icmp,
    /// ICMPv6, IP protocol 58.
    Icmpv6,
    /// ARP, which is not carried by IP. Source and destination are the protocol addresses of sender and
    /// target.
    Arp,
    /// SCTP, IP protocol 132.
    Sctp,
    /// Any other IP protocol, with its number.
    Other(u8),
}

/// Numbers and names of further IP protocols that a telescope receives (IANA, "Assigned Internet Protocol
/// Numbers").
const NAMES: [(u8, &str); 14] = [
    (0, "HOPOPT"),
    (2, "IGMP"),
    (4, "IPIP"),
    (41, "IPv6"),
    (46, "RSVP"),
    (47, "GRE"),
    (50, "ESP"),
    (51, "AH"),
    (88, "EIGRP"),
    (89, "OSPF"),
    (103, "PIM"),
    (108, "IPCOMP"),
    (112, "VRRP"),
    (115, "L2TP"),
];

impl Protocol {
    /// Returns the protocol for the protocol field of an IPv4 header, or for the last next-header field of
    /// IPv6.
    #[must_use]
    #[inline]
    pub fn from_ip_number(number: u8) -> Protocol {
        match number {
            1 => Protocol::Icmp,
            6 => Protocol::Tcp,
            17 => Protocol::Udp,
            58 => Protocol::Icmpv6,
            132 => Protocol::Sctp,
            other => Protocol::Other(other),
        }
    }

    /// Returns the IP protocol number; 256 for ARP, which has none.
    #[must_use]
    #[inline]
    pub fn number(self) -> u16 {
        // Apart from the `match`, so that the compiler makes that a table look-up and not a jump, which the
        // processor would have to predict.
        if let Protocol::Other(number) = self {
            return u16::from(number);
        }
        match self {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
            Protocol::Icmp => 1,
            Protocol::Icmpv6 => 58,
            Protocol::Sctp => 132,
            Protocol::Arp | Protocol::Other(_) => 256,
        }
    }

    /// Returns the protocol with a [`number`](Protocol::number); `None` beyond 256.
    #[must_use]
    #[inline]
    pub fn from_number(number: u16) -> Option<Protocol> {
        match (u8::try_from(number), number) {
            (Ok(number), _) => Some(Protocol::from_ip_number(number)),
            (Err(_), 256) => Some(Protocol::Arp),
            _ => None,
        }
    }

    /// Returns whether packets of the protocol have ports.
    #[must_use]
    pub fn has_ports(self) -> bool {
        matches!(self, Protocol::Tcp | Protocol::Udp | Protocol::Sctp)
    }
}

/// Writes `TCP`, `UDP`, `ICMP`, `ICMPv6`, `ARP`, `SCTP`, another known name, or `IP-` with the number.
impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Protocol::Tcp => f.write_str("TCP"),
            Protocol::Udp => f.write_str("UDP"),
            Protocol::Icmp => f.write_str("ICMP"),
            Protocol::Icmpv6 => f.write_str("ICMPv6"),
            Protocol::Arp => f.write_str("ARP"),
            Protocol::Sctp => f.write_str("SCTP"),
            Protocol::Other(number) => match NAMES.iter().find(|(known, _)| known == number) {
                Some((_, name)) => f.write_str(name),
                None => write!(f, "IP-{number}"),
            },
        }
    }
}

/// Parses what [`Display`](fmt::Display) writes, in any letter case.
impl std::str::FromStr for Protocol {
    type Err = UnknownProtocol;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let upper = text.to_ascii_uppercase();
        let number = upper.strip_prefix("IP-").and_then(|digits| digits.parse().ok());
        let named = NAMES.iter().find(|(_, name)| name.eq_ignore_ascii_case(text)).map(|(number, _)| *number);
        match (upper.as_str(), number.or(named)) {
            ("TCP", _) => Ok(Protocol::Tcp),
            ("UDP", _) => Ok(Protocol::Udp),
            ("ICMP", _) => Ok(Protocol::Icmp),
            ("ICMPV6", _) => Ok(Protocol::Icmpv6),
            ("ARP", _) => Ok(Protocol::Arp),
            ("SCTP", _) => Ok(Protocol::Sctp),
            (_, Some(number)) => Ok(Protocol::from_ip_number(number)),
            (_, None) => Err(UnknownProtocol(text.to_owned())),
        }
    }
}

/// Serializes the display name, or the number in binary formats.
impl serde::Serialize for Protocol {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(self);
        }
        serializer.serialize_u16(self.number())
    }
}

/// Deserializes a display name, or a number in binary formats.
impl<'de> serde::Deserialize<'de> for Protocol {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            let number = u16::deserialize(deserializer)?;
            let unknown = || serde::de::Error::custom(format!("no protocol has the number {number}"));
            return Protocol::from_number(number).ok_or_else(unknown);
        }
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A text that is not the name of a protocol.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown protocol `{0}` (use TCP, UDP, ICMP, ICMPv6, ARP, SCTP or IP-<number>)")]
pub struct UnknownProtocol(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocol_reads_back_as_itself() {
        for number in 0..=u8::MAX {
            let protocol = Protocol::from_ip_number(number);
            assert_eq!(protocol.to_string().parse(), Ok(protocol));
            assert_eq!(Protocol::from_number(protocol.number()), Some(protocol));
        }
        assert_eq!(Protocol::from_number(Protocol::Arp.number()), Some(Protocol::Arp));
        assert_eq!(Protocol::from_number(257), None);
        assert_eq!("arp".parse(), Ok(Protocol::Arp));
        assert!("TPC".parse::<Protocol>().is_err());
    }
}

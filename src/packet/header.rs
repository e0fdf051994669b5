//! Ports, flags and protocol of a packet, packed in one integer.

use std::fmt;

use super::packed::{Part, part};
use super::{Protocol, TcpFlags};

/// The fields of the IP and transport headers other than the addresses. Nearly every packet is compared with
/// others by its header, so the fields are packed in one integer. Unknown fields are 0, so equal headers are
/// equal integers.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Header(u64);

const DESTINATION_PORT: Part = part(0, 16, 49);
const SOURCE_PORT: Part = part(16, 16, 50);
const FLAGS: Part = part(32, 8, 51);
/// Nine bits, since ARP has the number 256. The protocol is always known.
const PROTOCOL: u32 = 40;
const PROTOCOL_MASK: u64 = 0x1ff << PROTOCOL;
const IS_IPV6: u32 = 52;

impl Header {
    /// Creates the header of a protocol, without ports and flags.
    #[inline]
    #[must_use]
    pub fn new(protocol: Protocol) -> Header {
        Header::default().with_protocol(protocol)
    }

    /// Returns the header with the protocol replaced.
    #[inline]
    #[must_use]
    pub fn with_protocol(self, protocol: Protocol) -> Header {
        Header(self.0 & !PROTOCOL_MASK | u64::from(protocol.number()) << PROTOCOL)
    }

    /// Returns the header with the source port replaced.
    #[inline]
    #[must_use]
    pub fn with_source_port(self, port: Option<u16>) -> Header {
        Header(SOURCE_PORT.put(self.0, port.map(u64::from)))
    }

    /// Returns the header with the destination port replaced.
    #[inline]
    #[must_use]
    pub fn with_destination_port(self, port: Option<u16>) -> Header {
        Header(DESTINATION_PORT.put(self.0, port.map(u64::from)))
    }

    /// Returns the header with the TCP flags replaced.
    #[inline]
    #[must_use]
    pub fn with_flags(self, flags: Option<TcpFlags>) -> Header {
        Header(FLAGS.put(self.0, flags.map(|flags| flags.0.into())))
    }

    /// Returns the header marked as belonging to IPv6 addresses or not. Only the behavior engine's probes
    /// need the mark; a packet has its addresses.
    #[inline]
    #[must_use]
    pub fn with_ipv6(self, is_ipv6: bool) -> Header {
        Header(self.0 & !(1 << IS_IPV6) | u64::from(is_ipv6) << IS_IPV6)
    }

    /// Returns whether the header is marked as belonging to IPv6 addresses.
    #[inline]
    #[must_use]
    pub fn is_ipv6(self) -> bool {
        self.0 >> IS_IPV6 & 1 == 1
    }

    /// Returns the protocol.
    #[inline]
    #[must_use]
    pub fn protocol(self) -> Protocol {
        // The nine bits are a protocol number, so the conversion never fails.
        u16::try_from((self.0 & PROTOCOL_MASK) >> PROTOCOL)
            .ok()
            .and_then(Protocol::from_number)
            .unwrap_or(Protocol::Arp)
    }

    /// Returns the TCP, UDP or SCTP source port; `None` for other protocols, and for a fragment that is not
    /// the first.
    #[inline]
    #[must_use]
    pub fn source_port(self) -> Option<u16> {
        SOURCE_PORT.half(self.0)
    }

    /// Returns the TCP, UDP or SCTP destination port; `None` as for [`source_port`](Header::source_port).
    #[inline]
    #[must_use]
    pub fn destination_port(self) -> Option<u16> {
        DESTINATION_PORT.half(self.0)
    }

    /// Returns the TCP flags; `None` for other protocols, and if a log does not print them.
    #[inline]
    #[must_use]
    pub fn flags(self) -> Option<TcpFlags> {
        FLAGS.byte(self.0).map(TcpFlags)
    }

    /// Returns all fields as one integer.
    #[inline]
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }

    /// Returns protocol and flags as one integer.
    #[inline]
    #[must_use]
    pub fn kind(self) -> u64 {
        self.0 & (PROTOCOL_MASK | FLAGS.bits())
    }

    /// Returns protocol, flags, and which ports are known, as one integer whose lowest 32 bits are 0.
    #[inline]
    #[must_use]
    pub fn class(self) -> u64 {
        self.0 & !(SOURCE_PORT.mask() | DESTINATION_PORT.mask() | 1 << IS_IPV6)
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header")
            .field("protocol", &self.protocol())
            .field("source_port", &self.source_port())
            .field("destination_port", &self.destination_port())
            .field("flags", &self.flags())
            .field("is_ipv6", &self.is_ipv6())
            .finish()
    }
}

//! Ports, flags and protocol of a packet, packed in one number.

use std::fmt;

use super::packed::{Part, part};
use super::{Protocol, TcpFlags};

/// What an IP header and the one behind it say beside addresses: nearly every packet is compared by it with others, and
/// one number is compared at once. What is not known is 0, so that equal headers are equal numbers.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Header(u64);

const DESTINATION_PORT: Part = part(0, 16, 49);
const SOURCE_PORT: Part = part(16, 16, 50);
const FLAGS: Part = part(32, 8, 51);
/// Nine bits, since ARP has the number 256. It is always known.
const PROTOCOL: u32 = 40;
const PROTOCOL_MASK: u64 = 0x1ff << PROTOCOL;
const IS_IPV6: u32 = 52;

impl Header {
    /// Of a protocol, with neither ports nor flags.
    #[inline]
    #[must_use]
    pub fn new(protocol: Protocol) -> Header {
        Header::default().with_protocol(protocol)
    }

    /// The same of another protocol.
    #[inline]
    #[must_use]
    pub fn with_protocol(self, protocol: Protocol) -> Header {
        Header(self.0 & !PROTOCOL_MASK | u64::from(protocol.number()) << PROTOCOL)
    }

    /// The same from another port.
    #[inline]
    #[must_use]
    pub fn with_source_port(self, port: Option<u16>) -> Header {
        Header(SOURCE_PORT.put(self.0, port.map(u64::from)))
    }

    /// The same to another port.
    #[inline]
    #[must_use]
    pub fn with_destination_port(self, port: Option<u16>) -> Header {
        Header(DESTINATION_PORT.put(self.0, port.map(u64::from)))
    }

    /// The same with other TCP flags.
    #[inline]
    #[must_use]
    pub fn with_flags(self, flags: Option<TcpFlags>) -> Header {
        Header(FLAGS.put(self.0, flags.map(|flags| flags.0.into())))
    }

    /// The same, said to be between IPv6 addresses or not; where a whole packet is at hand, its addresses say so.
    #[inline]
    #[must_use]
    pub fn with_ipv6(self, is_ipv6: bool) -> Header {
        Header(self.0 & !(1 << IS_IPV6) | u64::from(is_ipv6) << IS_IPV6)
    }

    /// Whether it is said to be between IPv6 addresses.
    #[inline]
    #[must_use]
    pub fn is_ipv6(self) -> bool {
        self.0 >> IS_IPV6 & 1 == 1
    }

    /// The protocol.
    #[inline]
    #[must_use]
    pub fn protocol(self) -> Protocol {
        // Nine bits of a number that was one.
        u16::try_from((self.0 & PROTOCOL_MASK) >> PROTOCOL)
            .ok()
            .and_then(Protocol::from_number)
            .unwrap_or(Protocol::Arp)
    }

    /// TCP, UDP or SCTP source port; `None` where there is none, or in a fragment that is not the first.
    #[inline]
    #[must_use]
    pub fn source_port(self) -> Option<u16> {
        SOURCE_PORT.half(self.0)
    }

    /// TCP, UDP or SCTP destination port.
    #[inline]
    #[must_use]
    pub fn destination_port(self) -> Option<u16> {
        DESTINATION_PORT.half(self.0)
    }

    /// TCP flags; `None` for other protocols and where a log does not print them.
    #[inline]
    #[must_use]
    pub fn flags(self) -> Option<TcpFlags> {
        FLAGS.byte(self.0).map(TcpFlags)
    }

    /// All of it as one number.
    #[inline]
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }

    /// Protocol and flags, as one number.
    #[inline]
    #[must_use]
    pub fn kind(self) -> u64 {
        self.0 & (PROTOCOL_MASK | FLAGS.bits())
    }

    /// All but the ports and the kind of addresses, as one number whose lowest 32 bits are 0.
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

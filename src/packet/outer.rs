//! The outer header of one packet, as far as the capture contains it.

use std::net::IpAddr;

use super::{ProbeHeader, Protocol, TcpFlags, Timestamp};

/// Type and code of an ICMP or ICMPv6 message. They are not part of the behavior type (design, section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IcmpKind {
    /// The message type.
    pub kind: u8,
    /// The code, or `None` if unknown; text logs often lack it.
    pub code: Option<u8>,
}

/// The outer header of one packet. The header inside an ICMP error is payload.
///
/// A field is `None` if the capture does not contain it: tcpdump's quiet text has no flags, and figure 8 of
/// the nicter report has no times. The payload is passed separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Packet {
    time: Option<Timestamp>,
    source: IpAddr,
    destination: IpAddr,
    protocol: Protocol,
    source_port: Option<u16>,
    destination_port: Option<u16>,
    flags: Option<TcpFlags>,
    icmp: Option<IcmpKind>,
    ip_id: Option<u16>,
    ttl: Option<u8>,
    sequence: Option<u32>,
    tcp_window: Option<u16>,
    probe: ProbeHeader,
}

impl Packet {
    /// Creates a packet with addresses and protocol; all other fields are unknown.
    #[inline]
    #[must_use]
    pub fn new(source: IpAddr, destination: IpAddr, protocol: Protocol) -> Packet {
        Packet {
            time: None,
            source,
            destination,
            protocol,
            source_port: None,
            destination_port: None,
            flags: None,
            icmp: None,
            ip_id: None,
            ttl: None,
            sequence: None,
            tcp_window: None,
            probe: ProbeHeader::NONE,
        }
    }

    /// Returns the capture time; `None` in a log without times.
    #[inline]
    #[must_use]
    pub fn time(&self) -> Option<Timestamp> {
        self.time
    }

    /// Returns the sender's address; for ARP, the sender's protocol address.
    #[inline]
    #[must_use]
    pub fn source(&self) -> IpAddr {
        self.source
    }

    /// Returns the receiver's address; for ARP, the target's protocol address.
    #[inline]
    #[must_use]
    pub fn destination(&self) -> IpAddr {
        self.destination
    }

    /// Returns the protocol that the outer header carries.
    #[inline]
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Returns the TCP, UDP or SCTP source port; `None` for other protocols, and for a fragment that is not
    /// the first.
    #[inline]
    #[must_use]
    pub fn source_port(&self) -> Option<u16> {
        self.source_port
    }

    /// Returns the TCP, UDP or SCTP destination port; `None` as for [`source_port`](Packet::source_port).
    #[inline]
    #[must_use]
    pub fn destination_port(&self) -> Option<u16> {
        self.destination_port
    }

    /// Returns the TCP flags; `None` for other protocols, and if a log does not print them.
    #[inline]
    #[must_use]
    pub fn flags(&self) -> Option<TcpFlags> {
        self.flags
    }

    /// Returns ICMP or ICMPv6 type and code.
    #[inline]
    #[must_use]
    pub fn icmp(&self) -> Option<IcmpKind> {
        self.icmp
    }

    /// Returns the IPv4 identification field.
    #[inline]
    #[must_use]
    pub fn ip_id(&self) -> Option<u16> {
        self.ip_id
    }

    /// Returns the IPv4 time to live or IPv6 hop limit.
    #[inline]
    #[must_use]
    pub fn ttl(&self) -> Option<u8> {
        self.ttl
    }

    /// Returns the TCP sequence number; `None` also where a log prints relative numbers only. That of an ICMP request
    /// is made of its identifier (the upper 16 bits) and its sequence number (the lower 16 bits).
    #[inline]
    #[must_use]
    pub fn sequence(&self) -> Option<u32> {
        self.sequence
    }

    /// Returns the TCP window field, without window scaling.
    #[inline]
    #[must_use]
    pub fn tcp_window(&self) -> Option<u16> {
        self.tcp_window
    }

    /// Returns the further fields of a packet that begins a contact.
    #[inline]
    #[must_use]
    pub fn probe(&self) -> ProbeHeader {
        self.probe
    }

    /// Returns the packet with the time replaced.
    #[inline]
    #[must_use]
    pub fn with_time(self, time: Option<Timestamp>) -> Packet {
        Packet { time, ..self }
    }

    /// Returns the packet with the sender's address replaced.
    #[inline]
    #[must_use]
    pub fn with_source(self, source: IpAddr) -> Packet {
        Packet { source, ..self }
    }

    /// Returns the packet with the receiver's address replaced.
    #[inline]
    #[must_use]
    pub fn with_destination(self, destination: IpAddr) -> Packet {
        Packet { destination, ..self }
    }

    /// Returns the packet with the protocol replaced.
    #[inline]
    #[must_use]
    pub fn with_protocol(self, protocol: Protocol) -> Packet {
        Packet { protocol, ..self }
    }

    /// Returns the packet with the source port replaced.
    #[inline]
    #[must_use]
    pub fn with_source_port(self, port: Option<u16>) -> Packet {
        Packet { source_port: port, ..self }
    }

    /// Returns the packet with the destination port replaced.
    #[inline]
    #[must_use]
    pub fn with_destination_port(self, port: Option<u16>) -> Packet {
        Packet { destination_port: port, ..self }
    }

    /// Returns the packet with the TCP flags replaced.
    #[inline]
    #[must_use]
    pub fn with_flags(self, flags: Option<TcpFlags>) -> Packet {
        Packet { flags, ..self }
    }

    /// Returns the packet with the ICMP type and code replaced.
    #[inline]
    #[must_use]
    pub fn with_icmp(self, icmp: Option<IcmpKind>) -> Packet {
        Packet { icmp, ..self }
    }

    /// Returns the packet with the IPv4 identification replaced.
    #[inline]
    #[must_use]
    pub fn with_ip_id(self, ip_id: Option<u16>) -> Packet {
        Packet { ip_id, ..self }
    }

    /// Returns the packet with the time to live replaced.
    #[inline]
    #[must_use]
    pub fn with_ttl(self, ttl: Option<u8>) -> Packet {
        Packet { ttl, ..self }
    }

    /// Returns the packet with the sequence number replaced.
    #[inline]
    #[must_use]
    pub fn with_sequence(self, sequence: Option<u32>) -> Packet {
        Packet { sequence, ..self }
    }

    /// Returns the packet with the TCP window replaced.
    #[inline]
    #[must_use]
    pub fn with_tcp_window(self, window: Option<u16>) -> Packet {
        Packet { tcp_window: window, ..self }
    }

    /// Returns the packet with the fields of a probe replaced.
    #[inline]
    #[must_use]
    pub fn with_probe(self, probe: ProbeHeader) -> Packet {
        Packet { probe, ..self }
    }
}

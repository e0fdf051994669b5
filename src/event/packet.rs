//! One packet's outer header, as far as its source carries it.

use std::net::IpAddr;

use super::{Protocol, TcpFlags, Timestamp};

/// Type and code of an ICMP or ICMPv6 message. They stay outside the behavior type (design, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IcmpKind {
    /// The message type.
    pub kind: u8,
    /// The code; text logs often do not carry it.
    pub code: Option<u8>,
}

/// One packet: outer header only (the header inside an ICMP error is payload).
///
/// A field is `None` where the source does not carry it: a text log in quiet style has no flags, figure 8 of
/// the seed has no time. The payload travels beside the packet, never inside, so that a packet stays small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Packet {
    /// When it was captured; `None` in a log without times.
    pub time: Option<Timestamp>,
    /// Sender; for ARP the sender's protocol address.
    pub source: IpAddr,
    /// Receiver; for ARP the target's protocol address.
    pub destination: IpAddr,
    /// What the outer header carries.
    pub protocol: Protocol,
    /// TCP, UDP or SCTP source port; `None` where there is none, or in a fragment that is not the first.
    pub source_port: Option<u16>,
    /// TCP, UDP or SCTP destination port.
    pub destination_port: Option<u16>,
    /// TCP flags; `None` for other protocols and where a log does not print them.
    pub flags: Option<TcpFlags>,
    /// ICMP or ICMPv6 type and code.
    pub icmp: Option<IcmpKind>,
    /// The IPv4 identification field.
    pub ip_id: Option<u16>,
    /// IPv4 time to live or IPv6 hop limit.
    pub ttl: Option<u8>,
    /// TCP sequence number, where it is absolute.
    pub sequence: Option<u32>,
    /// TCP window, unscaled.
    pub tcp_window: Option<u16>,
}

impl Packet {
    /// A packet of which only the addresses and the protocol are known.
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
        }
    }
}

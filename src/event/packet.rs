//! One packet's outer header, as far as its source carries it.

use std::fmt;
use std::net::IpAddr;

use super::packed::{Part, part};
use super::{Address, Header, Protocol, TcpFlags, Timestamp};

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
/// What it says is `None` where the source does not carry it: a text log in quiet style has no flags, figure 8 of the
/// seed has no time. It is packed in 80 bytes: a telescope brings millions a second, and each is written once and read
/// several times. The payload travels beside the packet, never inside.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Packet {
    /// [`Timestamp::BEFORE_ALL`] where it is not known.
    time: Timestamp,
    source: Address,
    destination: Address,
    header: Header,
    /// What few rules ask for, by the parts below.
    more: u64,
    /// 0 where it is not known, which `more` tells.
    sequence: u32,
}

const IP_ID: Part = part(0, 16, 56);
const TCP_WINDOW: Part = part(16, 16, 57);
const TTL: Part = part(32, 8, 58);
const ICMP_KIND: Part = part(40, 8, 59);
const ICMP_CODE: Part = part(48, 8, 60);
const HAS_SEQUENCE: u64 = 1 << 61;

impl Packet {
    /// A packet of which only the addresses and the protocol are known.
    #[inline]
    #[must_use]
    pub fn new(source: IpAddr, destination: IpAddr, protocol: Protocol) -> Packet {
        Packet::of_addresses(source.into(), destination.into(), protocol)
    }

    /// The same, of addresses as they are packed.
    #[inline]
    #[must_use]
    pub fn of_addresses(source: Address, destination: Address, protocol: Protocol) -> Packet {
        let header = Header::new(protocol);
        Packet { time: Timestamp::BEFORE_ALL, source, destination, header, more: 0, sequence: 0 }
    }

    /// When it was captured; `None` in a log without times.
    #[inline]
    #[must_use]
    pub fn time(&self) -> Option<Timestamp> {
        (self.time != Timestamp::BEFORE_ALL).then_some(self.time)
    }

    /// Sender; for ARP the sender's protocol address.
    #[inline]
    #[must_use]
    pub fn source(&self) -> IpAddr {
        self.source.into()
    }

    /// Receiver; for ARP the target's protocol address.
    #[inline]
    #[must_use]
    pub fn destination(&self) -> IpAddr {
        self.destination.into()
    }

    /// Sender and receiver as they are packed.
    #[inline]
    #[must_use]
    pub fn addresses(&self) -> (Address, Address) {
        (self.source, self.destination)
    }

    /// Protocol, ports and flags as they are packed.
    #[inline]
    #[must_use]
    pub fn header(&self) -> Header {
        self.header
    }

    /// What the outer header carries.
    #[inline]
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.header.protocol()
    }

    /// See [`Header::source_port`].
    #[inline]
    #[must_use]
    pub fn source_port(&self) -> Option<u16> {
        self.header.source_port()
    }

    /// See [`Header::destination_port`].
    #[inline]
    #[must_use]
    pub fn destination_port(&self) -> Option<u16> {
        self.header.destination_port()
    }

    /// See [`Header::flags`].
    #[inline]
    #[must_use]
    pub fn flags(&self) -> Option<TcpFlags> {
        self.header.flags()
    }

    /// ICMP or ICMPv6 type and code.
    #[inline]
    #[must_use]
    pub fn icmp(&self) -> Option<IcmpKind> {
        ICMP_KIND.byte(self.more).map(|kind| IcmpKind { kind, code: ICMP_CODE.byte(self.more) })
    }

    /// The IPv4 identification field.
    #[inline]
    #[must_use]
    pub fn ip_id(&self) -> Option<u16> {
        IP_ID.half(self.more)
    }

    /// IPv4 time to live or IPv6 hop limit.
    #[inline]
    #[must_use]
    pub fn ttl(&self) -> Option<u8> {
        TTL.byte(self.more)
    }

    /// TCP sequence number, where it is absolute.
    #[inline]
    #[must_use]
    pub fn sequence(&self) -> Option<u32> {
        (self.more & HAS_SEQUENCE != 0).then_some(self.sequence)
    }

    /// TCP window, unscaled.
    #[inline]
    #[must_use]
    pub fn tcp_window(&self) -> Option<u16> {
        TCP_WINDOW.half(self.more)
    }

    /// The same at another time.
    #[inline]
    #[must_use]
    pub fn with_time(self, time: Option<Timestamp>) -> Packet {
        Packet { time: time.unwrap_or(Timestamp::BEFORE_ALL), ..self }
    }

    /// The same from another sender.
    #[inline]
    #[must_use]
    pub fn with_source(self, source: IpAddr) -> Packet {
        Packet { source: source.into(), ..self }
    }

    /// The same to another receiver.
    #[inline]
    #[must_use]
    pub fn with_destination(self, destination: IpAddr) -> Packet {
        Packet { destination: destination.into(), ..self }
    }

    /// The same of another protocol.
    #[inline]
    #[must_use]
    pub fn with_protocol(self, protocol: Protocol) -> Packet {
        Packet { header: self.header.with_protocol(protocol), ..self }
    }

    /// The same from another port.
    #[inline]
    #[must_use]
    pub fn with_source_port(self, port: Option<u16>) -> Packet {
        Packet { header: self.header.with_source_port(port), ..self }
    }

    /// The same to another port.
    #[inline]
    #[must_use]
    pub fn with_destination_port(self, port: Option<u16>) -> Packet {
        Packet { header: self.header.with_destination_port(port), ..self }
    }

    /// The same with other flags.
    #[inline]
    #[must_use]
    pub fn with_flags(self, flags: Option<TcpFlags>) -> Packet {
        Packet { header: self.header.with_flags(flags), ..self }
    }

    /// The same with another ICMP type and code.
    #[inline]
    #[must_use]
    pub fn with_icmp(self, icmp: Option<IcmpKind>) -> Packet {
        let kind = icmp.map(|icmp| u64::from(icmp.kind));
        let code = icmp.and_then(|icmp| icmp.code).map(u64::from);
        Packet { more: ICMP_CODE.put(ICMP_KIND.put(self.more, kind), code), ..self }
    }

    /// The same with another IPv4 identification.
    #[inline]
    #[must_use]
    pub fn with_ip_id(self, ip_id: Option<u16>) -> Packet {
        Packet { more: IP_ID.put(self.more, ip_id.map(u64::from)), ..self }
    }

    /// The same with another time to live.
    #[inline]
    #[must_use]
    pub fn with_ttl(self, ttl: Option<u8>) -> Packet {
        Packet { more: TTL.put(self.more, ttl.map(u64::from)), ..self }
    }

    /// The same with another sequence number.
    #[inline]
    #[must_use]
    pub fn with_sequence(self, sequence: Option<u32>) -> Packet {
        let known = if sequence.is_some() { HAS_SEQUENCE } else { 0 };
        let more = self.more & !HAS_SEQUENCE | known;
        Packet { more, sequence: sequence.unwrap_or(0), ..self }
    }

    /// The same with another TCP window.
    #[inline]
    #[must_use]
    pub fn with_tcp_window(self, window: Option<u16>) -> Packet {
        Packet { more: TCP_WINDOW.put(self.more, window.map(u64::from)), ..self }
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packet")
            .field("time", &self.time())
            .field("source", &self.source())
            .field("destination", &self.destination())
            .field("protocol", &self.protocol())
            .field("source_port", &self.source_port())
            .field("destination_port", &self.destination_port())
            .field("flags", &self.flags())
            .field("icmp", &self.icmp())
            .field("ip_id", &self.ip_id())
            .field("ttl", &self.ttl())
            .field("sequence", &self.sequence())
            .field("tcp_window", &self.tcp_window())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_packet_says_what_it_was_told_last(
            (from, to) in (any::<u32>(), any::<u128>()),
            number in 0..=256u16,
            halves in any::<[Option<u16>; 4]>(),
            (flags, ttl, icmp) in any::<(Option<u8>, Option<u8>, Option<(u8, Option<u8>)>)>(),
            (time, sequence) in any::<(Option<i64>, Option<u32>)>(),
        ) {
            let (source, destination) = (IpAddr::from(from.to_be_bytes()), IpAddr::from(Ipv6Addr::from(to)));
            let protocol = Protocol::from_number(number).unwrap();
            let [source_port, destination_port, ip_id, tcp_window] = halves;
            let (flags, time) = (flags.map(TcpFlags), time.filter(|time| *time != i64::MIN).map(Timestamp));
            let icmp = icmp.map(|(kind, code)| IcmpKind { kind, code });
            let said = Packet::new(destination, source, Protocol::Arp)
                .with_source_port(Some(u16::MAX))
                .with_flags(Some(TcpFlags(u8::MAX)))
                .with_icmp(Some(IcmpKind { kind: u8::MAX, code: Some(u8::MAX) }))
                .with_sequence(Some(u32::MAX))
                .with_source(source)
                .with_destination(destination)
                .with_protocol(protocol)
                .with_source_port(source_port)
                .with_destination_port(destination_port)
                .with_flags(flags)
                .with_icmp(icmp)
                .with_ip_id(ip_id)
                .with_ttl(ttl)
                .with_sequence(sequence)
                .with_tcp_window(tcp_window)
                .with_time(time);
            prop_assert_eq!((said.source(), said.destination(), said.protocol()), (source, destination, protocol));
            prop_assert_eq!([said.source_port(), said.destination_port(), said.ip_id(), said.tcp_window()], halves);
            prop_assert_eq!((said.flags(), said.ttl(), said.icmp()), (flags, ttl, icmp));
            prop_assert_eq!((said.time(), said.sequence()), (time, sequence));
        }
    }
}

//! The outer header of one packet, as far as the capture contains it.

use std::fmt;
use std::net::IpAddr;

use super::packed::{Part, part};
use super::{Address, Header, Protocol, TcpFlags, Timestamp};

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
/// the nicter report has no times. The fields are packed in 80 bytes, because millions of packets are
/// processed per second, and each is written once and read several times. The payload is passed separately.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Packet {
    /// Capture time; [`Timestamp::BEFORE_ALL`] if it is unknown.
    time: Timestamp,
    source: Address,
    destination: Address,
    header: Header,
    /// The bit fields below, which few rules read.
    more: u64,
    /// TCP sequence number; 0 if it is unknown, as [`HAS_SEQUENCE`] in `more` says.
    sequence: u32,
}

const IP_ID: Part = part(0, 16, 56);
const TCP_WINDOW: Part = part(16, 16, 57);
const TTL: Part = part(32, 8, 58);
const ICMP_KIND: Part = part(40, 8, 59);
const ICMP_CODE: Part = part(48, 8, 60);
const HAS_SEQUENCE: u64 = 1 << 61;

impl Packet {
    /// Creates a packet of which only addresses and protocol are known.
    #[inline]
    #[must_use]
    pub fn new(source: IpAddr, destination: IpAddr, protocol: Protocol) -> Packet {
        Packet::of_addresses(source.into(), destination.into(), protocol)
    }

    /// Creates a packet like [`new`](Packet::new), from packed addresses.
    #[inline]
    #[must_use]
    pub fn of_addresses(source: Address, destination: Address, protocol: Protocol) -> Packet {
        let header = Header::new(protocol);
        Packet { time: Timestamp::BEFORE_ALL, source, destination, header, more: 0, sequence: 0 }
    }

    /// Returns the capture time; `None` in a log without times.
    #[inline]
    #[must_use]
    pub fn time(&self) -> Option<Timestamp> {
        (self.time != Timestamp::BEFORE_ALL).then_some(self.time)
    }

    /// Returns the sender's address; for ARP, the sender's protocol address.
    #[inline]
    #[must_use]
    pub fn source(&self) -> IpAddr {
        self.source.into()
    }

    /// Returns the receiver's address; for ARP, the target's protocol address.
    #[inline]
    #[must_use]
    pub fn destination(&self) -> IpAddr {
        self.destination.into()
    }

    /// Returns the packed addresses of sender and receiver.
    #[inline]
    #[must_use]
    pub fn addresses(&self) -> (Address, Address) {
        (self.source, self.destination)
    }

    /// Returns the packed protocol, ports and flags.
    #[inline]
    #[must_use]
    pub fn header(&self) -> Header {
        self.header
    }

    /// Returns the protocol that the outer header carries.
    #[inline]
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.header.protocol()
    }

    /// Returns the source port; see [`Header::source_port`].
    #[inline]
    #[must_use]
    pub fn source_port(&self) -> Option<u16> {
        self.header.source_port()
    }

    /// Returns the destination port; see [`Header::destination_port`].
    #[inline]
    #[must_use]
    pub fn destination_port(&self) -> Option<u16> {
        self.header.destination_port()
    }

    /// Returns the TCP flags; see [`Header::flags`].
    #[inline]
    #[must_use]
    pub fn flags(&self) -> Option<TcpFlags> {
        self.header.flags()
    }

    /// Returns ICMP or ICMPv6 type and code.
    #[inline]
    #[must_use]
    pub fn icmp(&self) -> Option<IcmpKind> {
        ICMP_KIND.byte(self.more).map(|kind| IcmpKind { kind, code: ICMP_CODE.byte(self.more) })
    }

    /// Returns the IPv4 identification field.
    #[inline]
    #[must_use]
    pub fn ip_id(&self) -> Option<u16> {
        IP_ID.half(self.more)
    }

    /// Returns the IPv4 time to live or IPv6 hop limit.
    #[inline]
    #[must_use]
    pub fn ttl(&self) -> Option<u8> {
        TTL.byte(self.more)
    }

    /// Returns the TCP sequence number; `None` also where a log prints relative numbers only.
    #[inline]
    #[must_use]
    pub fn sequence(&self) -> Option<u32> {
        (self.more & HAS_SEQUENCE != 0).then_some(self.sequence)
    }

    /// Returns the TCP window field, without window scaling.
    #[inline]
    #[must_use]
    pub fn tcp_window(&self) -> Option<u16> {
        TCP_WINDOW.half(self.more)
    }

    /// Returns the packet with the time replaced.
    #[inline]
    #[must_use]
    pub fn with_time(self, time: Option<Timestamp>) -> Packet {
        Packet { time: time.unwrap_or(Timestamp::BEFORE_ALL), ..self }
    }

    /// Returns the packet with the sender's address replaced.
    #[inline]
    #[must_use]
    pub fn with_source(self, source: IpAddr) -> Packet {
        Packet { source: source.into(), ..self }
    }

    /// Returns the packet with the receiver's address replaced.
    #[inline]
    #[must_use]
    pub fn with_destination(self, destination: IpAddr) -> Packet {
        Packet { destination: destination.into(), ..self }
    }

    /// Returns the packet with the protocol replaced.
    #[inline]
    #[must_use]
    pub fn with_protocol(self, protocol: Protocol) -> Packet {
        Packet { header: self.header.with_protocol(protocol), ..self }
    }

    /// Returns the packet with the source port replaced.
    #[inline]
    #[must_use]
    pub fn with_source_port(self, port: Option<u16>) -> Packet {
        Packet { header: self.header.with_source_port(port), ..self }
    }

    /// Returns the packet with the destination port replaced.
    #[inline]
    #[must_use]
    pub fn with_destination_port(self, port: Option<u16>) -> Packet {
        Packet { header: self.header.with_destination_port(port), ..self }
    }

    /// Returns the packet with the TCP flags replaced.
    #[inline]
    #[must_use]
    pub fn with_flags(self, flags: Option<TcpFlags>) -> Packet {
        Packet { header: self.header.with_flags(flags), ..self }
    }

    /// Returns the packet with the ICMP type and code replaced.
    #[inline]
    #[must_use]
    pub fn with_icmp(self, icmp: Option<IcmpKind>) -> Packet {
        let kind = icmp.map(|icmp| u64::from(icmp.kind));
        let code = icmp.and_then(|icmp| icmp.code).map(u64::from);
        Packet { more: ICMP_CODE.put(ICMP_KIND.put(self.more, kind), code), ..self }
    }

    /// Returns the packet with the IPv4 identification replaced.
    #[inline]
    #[must_use]
    pub fn with_ip_id(self, ip_id: Option<u16>) -> Packet {
        Packet { more: IP_ID.put(self.more, ip_id.map(u64::from)), ..self }
    }

    /// Returns the packet with the time to live replaced.
    #[inline]
    #[must_use]
    pub fn with_ttl(self, ttl: Option<u8>) -> Packet {
        Packet { more: TTL.put(self.more, ttl.map(u64::from)), ..self }
    }

    /// Returns the packet with the sequence number replaced.
    #[inline]
    #[must_use]
    pub fn with_sequence(self, sequence: Option<u32>) -> Packet {
        let known = if sequence.is_some() { HAS_SEQUENCE } else { 0 };
        let more = self.more & !HAS_SEQUENCE | known;
        Packet { more, sequence: sequence.unwrap_or(0), ..self }
    }

    /// Returns the packet with the TCP window replaced.
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

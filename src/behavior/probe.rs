//! What tells one packet of a window from another, in 24 bytes that compare as three numbers.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event::{Packet, Protocol, TcpFlags};

use super::distinct::{Key, hash_of};

/// What tells one packet of a window from another; equal packets (retries) are one probe, counted.
///
/// Nearly every packet is compared with the ones before it, so what its parts say is packed. They are compared as
/// three numbers: two at once, as an array would be, had to wait until both were written.
#[derive(Clone, Copy, Default)]
pub struct Probe {
    /// The destination's number.
    upper: u64,
    lower: u64,
    /// All else, by the masks below.
    rest: u64,
}

impl PartialEq for Probe {
    #[inline]
    fn eq(&self, other: &Probe) -> bool {
        (self.upper ^ other.upper) | (self.lower ^ other.lower) | (self.rest ^ other.rest) == 0
    }
}

impl Eq for Probe {}

/// An address that is quick to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address {
    upper: u64,
    lower: u64,
    is_ipv6: bool,
}

impl Address {
    /// An IPv4 address's number, or else an IPv6 address's.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "an IPv4 address's number")]
    pub(super) fn number(self) -> Result<u32, u128> {
        if self.is_ipv6 { Err(u128::from(self.upper) << 64 | u128::from(self.lower)) } else { Ok(self.lower as u32) }
    }
}

impl From<IpAddr> for Address {
    #[inline]
    fn from(address: IpAddr) -> Address {
        match address {
            IpAddr::V4(four) => Address { upper: 0, lower: u64::from(u32::from(four)), is_ipv6: false },
            IpAddr::V6(six) => {
                let [a, b, c, d, e, f, g, h] = six.segments().map(u64::from);
                let (upper, lower) = (a << 48 | b << 32 | c << 16 | d, e << 48 | f << 32 | g << 16 | h);
                Address { upper, lower, is_ipv6: true }
            }
        }
    }
}

impl From<Address> for IpAddr {
    #[inline]
    fn from(address: Address) -> IpAddr {
        match address.number() {
            Ok(four) => Ipv4Addr::from(four).into(),
            Err(six) => Ipv6Addr::from(six).into(),
        }
    }
}

impl Key for Address {
    fn hash_code(&self) -> u64 {
        hash_of(&(self.upper, self.lower))
    }
}

/// Where the parts lie in [`Probe::rest`]. A part that is not known is 0, and so is the bit that says it is known.
mod place {
    pub(super) const DESTINATION_PORT: u32 = 0;
    pub(super) const SOURCE_PORT: u32 = 16;
    pub(super) const FLAGS: u32 = 32;
    /// Nine bits, since ARP has the number 256.
    pub(super) const PROTOCOL: u32 = 40;
    pub(super) const HAS_DESTINATION_PORT: u32 = 49;
    pub(super) const HAS_SOURCE_PORT: u32 = 50;
    pub(super) const HAS_FLAGS: u32 = 51;
    pub(super) const IS_IPV6: u32 = 52;
}

impl Probe {
    /// The probe that a packet is.
    #[inline]
    #[must_use]
    pub fn of(packet: &Packet) -> Probe {
        let Address { upper, lower, is_ipv6 } = packet.destination.into();
        let part = |part: Option<u16>, place: u32, known: u32| match part {
            Some(part) => u64::from(part) << place | 1 << known,
            None => 0,
        };
        let rest = part(packet.destination_port, place::DESTINATION_PORT, place::HAS_DESTINATION_PORT)
            | part(packet.source_port, place::SOURCE_PORT, place::HAS_SOURCE_PORT)
            | part(packet.flags.map(|flags| flags.0.into()), place::FLAGS, place::HAS_FLAGS)
            | u64::from(packet.protocol.number()) << place::PROTOCOL
            | u64::from(is_ipv6) << place::IS_IPV6;
        Probe { upper, lower, rest }
    }

    /// Where to.
    #[must_use]
    pub fn destination(&self) -> IpAddr {
        self.address().into()
    }

    /// Where to, as it is packed.
    pub(super) fn address(&self) -> Address {
        Address { upper: self.upper, lower: self.lower, is_ipv6: self.has(place::IS_IPV6) }
    }

    /// By which protocol.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        Protocol::from_number(self.bits(place::PROTOCOL) & 0x1ff).unwrap_or(Protocol::Arp)
    }

    /// TCP flags, where known.
    #[must_use]
    pub fn flags(&self) -> Option<TcpFlags> {
        let [_, flags] = self.bits(place::FLAGS).to_be_bytes();
        self.has(place::HAS_FLAGS).then_some(TcpFlags(flags))
    }

    /// From which port.
    #[must_use]
    pub fn source_port(&self) -> Option<u16> {
        self.has(place::HAS_SOURCE_PORT).then(|| self.bits(place::SOURCE_PORT))
    }

    /// To which port.
    #[must_use]
    pub fn destination_port(&self) -> Option<u16> {
        self.has(place::HAS_DESTINATION_PORT).then(|| self.bits(place::DESTINATION_PORT))
    }

    /// Protocol and flags, as one number.
    pub(super) fn kind(&self) -> u64 {
        const PARTS: u64 = 0xff << place::FLAGS | 0x1ff << place::PROTOCOL | 1 << place::HAS_FLAGS;
        self.rest & PARTS
    }

    /// All that the type of a window with this probe alone depends on beside its packets, and these; and the
    /// destination port, or 0.
    pub(super) fn alone(&self, packets: u16) -> (u64, u16) {
        const ELSEWHERE: u64 =
            0xffff << place::SOURCE_PORT | 0xffff << place::DESTINATION_PORT | 1 << place::IS_IPV6;
        let class = self.rest & !ELSEWHERE | u64::from(packets) << place::SOURCE_PORT;
        (class, self.bits(place::DESTINATION_PORT))
    }

    fn has(&self, bit: u32) -> bool {
        self.rest >> bit & 1 == 1
    }

    #[expect(clippy::cast_possible_truncation, reason = "the sixteen bits at a place")]
    fn bits(&self, place: u32) -> u16 {
        (self.rest >> place) as u16
    }
}

impl Key for Probe {
    fn hash_code(&self) -> u64 {
        hash_of(&(self.upper, self.lower, self.rest))
    }
}

/// The parts of a probe by name, as they are written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename = "Probe")]
struct Parts {
    destination: IpAddr,
    protocol: Protocol,
    flags: Option<TcpFlags>,
    source_port: Option<u16>,
    destination_port: Option<u16>,
}

impl From<&Probe> for Parts {
    fn from(probe: &Probe) -> Parts {
        Parts {
            destination: probe.destination(),
            protocol: probe.protocol(),
            flags: probe.flags(),
            source_port: probe.source_port(),
            destination_port: probe.destination_port(),
        }
    }
}

impl From<Parts> for Probe {
    fn from(parts: Parts) -> Probe {
        let Parts { destination, protocol, flags, source_port, destination_port } = parts;
        Probe::of(&Packet {
            flags,
            source_port,
            destination_port,
            ..Packet::new(destination, destination, protocol)
        })
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Parts::from(self).fmt(f)
    }
}

impl Serialize for Probe {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Parts::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Probe {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Parts::deserialize(deserializer).map(Probe::from)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_probe_says_what_its_packet_said(
            (four, six, is_six) in any::<(u32, u128, bool)>(),
            number in 0..=256u16,
            (flags, from, to) in any::<(Option<u8>, Option<u16>, Option<u16>)>(),
        ) {
            let destination = if is_six { IpAddr::from(Ipv6Addr::from(six)) } else { Ipv4Addr::from(four).into() };
            let protocol = Protocol::from_number(number).unwrap();
            let packet = Packet {
                flags: flags.map(TcpFlags),
                source_port: from,
                destination_port: to,
                ..Packet::new(destination, destination, protocol)
            };
            let probe = Probe::of(&packet);
            prop_assert_eq!((probe.destination(), probe.protocol()), (destination, protocol));
            prop_assert_eq!((probe.source_port(), probe.destination_port()), (from, to));
            prop_assert_eq!(probe.flags(), flags.map(TcpFlags));
            let written = postcard::to_stdvec(&probe).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Probe>(&written).unwrap(), probe);
        }
    }
}

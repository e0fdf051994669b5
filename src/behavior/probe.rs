//! The fields that distinguish the packets of a window, in 24 bytes.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::packet::{Address, Header, Packet, Protocol, TcpFlags};

use super::distinct::{Key, hash_of};

/// The fields of a packet that distinguish it from others of its window. Packets with equal fields (retries)
/// are one probe, which is counted.
///
/// Nearly every packet is compared with earlier ones, so the fields are packed and compared as three
/// integers. An array of two integers would be loaded as one vector, which has to wait until both have been
/// stored.
#[derive(Clone, Copy, Default)]
pub struct Probe {
    /// The upper half of the destination's number.
    upper: u64,
    lower: u64,
    /// Ports, flags and protocol, and whether the destination is an IPv6 address.
    header: Header,
}

impl PartialEq for Probe {
    #[inline]
    fn eq(&self, other: &Probe) -> bool {
        (self.upper ^ other.upper)
            | (self.lower ^ other.lower)
            | (self.header.number() ^ other.header.number())
            == 0
    }
}

impl Eq for Probe {}

impl Probe {
    /// Returns the probe of a packet.
    #[inline]
    #[must_use]
    pub fn of(packet: &Packet) -> Probe {
        let (_, destination) = packet.addresses();
        let (upper, lower) = destination.halves();
        Probe { upper, lower, header: packet.header().with_ipv6(destination.is_ipv6()) }
    }

    /// Returns the destination address.
    #[must_use]
    pub fn destination(&self) -> IpAddr {
        self.address().into()
    }

    /// Returns the destination address in its packed form.
    pub(super) fn address(&self) -> Address {
        Address::of_halves((self.upper, self.lower), self.header.is_ipv6())
    }

    /// Returns the protocol.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.header.protocol()
    }

    /// Returns the TCP flags, if known.
    #[must_use]
    pub fn flags(&self) -> Option<TcpFlags> {
        self.header.flags()
    }

    /// Returns the source port; see [`Header::source_port`].
    #[must_use]
    pub fn source_port(&self) -> Option<u16> {
        self.header.source_port()
    }

    /// Returns the destination port.
    #[must_use]
    pub fn destination_port(&self) -> Option<u16> {
        self.header.destination_port()
    }

    /// Returns protocol and flags as one number.
    pub(super) fn kind(&self) -> u64 {
        self.header.kind()
    }

    /// Returns a class and the destination port (0 if there is none). Together they determine the type of a
    /// window that has `packets` packets of this probe and no others.
    #[inline]
    pub(super) fn alone(&self, packets: u32) -> (u64, u16) {
        (self.header.class() | u64::from(packets), self.destination_port().unwrap_or(0))
    }
}

impl Key for Probe {
    fn hash_code(&self) -> u64 {
        hash_of(&(self.upper, self.lower, self.header.number()))
    }
}

/// The fields of a probe by name, for serialization.
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
        Probe::of(
            &Packet::new(destination, destination, protocol)
                .with_flags(flags)
                .with_source_port(source_port)
                .with_destination_port(destination_port),
        )
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

    use std::net::{Ipv4Addr, Ipv6Addr};

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
            let packet = Packet::new(destination, destination, protocol).with_flags(flags.map(TcpFlags)).with_source_port(from).with_destination_port(to);
            let probe = Probe::of(&packet);
            prop_assert_eq!((probe.destination(), probe.protocol()), (destination, protocol));
            prop_assert_eq!((probe.source_port(), probe.destination_port()), (from, to));
            prop_assert_eq!(probe.flags(), flags.map(TcpFlags));
            let written = postcard::to_stdvec(&probe).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Probe>(&written).unwrap(), probe);
        }
    }
}

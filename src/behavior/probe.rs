//! The fields that distinguish the packets of a window.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::packet::{Packet, Protocol, TcpFlags};

/// The fields of a packet that distinguish it from others of its window. Packets with equal fields (retries)
/// are one probe, which is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Probe {
    destination: IpAddr,
    protocol: Protocol,
    flags: Option<TcpFlags>,
    source_port: Option<u16>,
    destination_port: Option<u16>,
}

impl Probe {
    /// Returns the probe of a packet.
    #[inline]
    #[must_use]
    pub fn of(packet: &Packet) -> Probe {
        Probe {
            destination: packet.destination(),
            protocol: packet.protocol(),
            flags: packet.flags(),
            source_port: packet.source_port(),
            destination_port: packet.destination_port(),
        }
    }

    /// Returns the destination address.
    #[inline]
    #[must_use]
    pub fn destination(&self) -> IpAddr {
        self.destination
    }

    /// Returns the protocol.
    #[inline]
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Returns the TCP flags, if known.
    #[inline]
    #[must_use]
    pub fn flags(&self) -> Option<TcpFlags> {
        self.flags
    }

    /// Returns the source port; see [`Packet::source_port`].
    #[inline]
    #[must_use]
    pub fn source_port(&self) -> Option<u16> {
        self.source_port
    }

    /// Returns the destination port.
    #[inline]
    #[must_use]
    pub fn destination_port(&self) -> Option<u16> {
        self.destination_port
    }
}

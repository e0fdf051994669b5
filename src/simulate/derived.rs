//! Ports that follow from a destination and the week: how Conficker.D finds peers without knowing any.

use std::net::IpAddr;

use crate::event::Timestamp;
use crate::rules::{conficker_d_ports, conficker_d_week};

/// The ports on which a host of an address listens at a time. An IPv6 address counts by its last four bytes: the
/// malware knows IPv4 only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DerivedPorts {
    /// That of the address, and that of address and week.
    pub(super) tcp: [u16; 2],
    /// The same for UDP.
    pub(super) udp: [u16; 2],
}

/// The ports at a moment.
pub(super) fn derived_ports(address: IpAddr, at: Timestamp) -> DerivedPorts {
    let four = match address {
        IpAddr::V4(four) => four,
        IpAddr::V6(six) => {
            let [.., a, b, c, d] = six.octets();
            [a, b, c, d].into()
        }
    };
    let [tcp, udp, tcp_of_week, udp_of_week] = conficker_d_ports(four, conficker_d_week(at));
    DerivedPorts { tcp: [tcp, tcp_of_week], udp: [udp, udp_of_week] }
}

//! Ports that are derived from a destination address and the week, by which Conficker.D finds peers that it
//! does not know.

use std::net::IpAddr;

use crate::packet::Timestamp;
use crate::rules::{conficker_d_ports, conficker_d_week};

/// The ports on which an infected host listens in a week. They are derived from its IPv4 address or from the
/// last four bytes of its IPv6 address (the malware itself uses IPv4 only).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DerivedPorts {
    /// TCP ports: that of the address, and that of address and week.
    pub(super) tcp: [u16; 2],
    /// UDP ports: that of the address, and that of address and week.
    pub(super) udp: [u16; 2],
}

/// Returns the ports of an address at a moment.
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

//! The test for group addresses.

use std::net::IpAddr;

/// Returns whether an address names a group of hosts: IP multicast, or the limited broadcast of IPv4.
#[must_use]
pub fn is_group(address: IpAddr) -> bool {
    address.is_multicast() || matches!(address, IpAddr::V4(v4) if v4.is_broadcast())
}

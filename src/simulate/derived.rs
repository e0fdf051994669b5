//! Ports that follow from a destination and the week: how Conficker.D finds peers without knowing any.
//!
//! SRI (Porras, Saidi, Yegneswaran: Conficker C P2P Protocol and Implementation, 2009) tells that a host listens on
//! two TCP and two UDP ports; one pair follows from its address alone, the other from the address and the week. Their
//! numbers here are a hash of the same things, not those that the malware would choose.

use std::net::IpAddr;

use crate::event::Timestamp;

use super::probing::number;
use super::random::Seed;

/// The ports of a destination in a week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DerivedPorts {
    /// That of the address, and that of address and week.
    pub(super) tcp: [u16; 2],
    /// The same for UDP.
    pub(super) udp: [u16; 2],
}

/// Weeks begin on Thursdays, as 1 January 1970 was one.
const WEEK_NANOSECONDS: i64 = 7 * 86_400 * 1_000_000_000;

/// The ports on which a host of an address listens at a time.
pub(super) fn derived_ports(address: IpAddr, at: Timestamp) -> DerivedPorts {
    let fixed = Seed::root(number(address));
    let weekly = fixed.at(at.0.div_euclid(WEEK_NANOSECONDS).unsigned_abs());
    // Above the well-known ports; a port that is in use would be another one, so none is 445.
    let port = |seed: Seed| u16::try_from(1_024 + seed.number() % 64_512).unwrap_or(u16::MAX);
    DerivedPorts {
        tcp: [port(fixed.of("tcp")), port(weekly.of("tcp"))],
        udp: [port(fixed.of("udp")), port(weekly.of("udp"))],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pair_stays_and_one_changes_with_the_week() {
        let ports = |at: &str| derived_ports([10, 200, 3, 4].into(), at.parse().unwrap());
        let (wednesday, thursday) = (ports("2009-03-11T23:00:00Z"), ports("2009-03-12T01:00:00Z"));
        assert_eq!((wednesday.tcp[0], wednesday.udp[0]), (thursday.tcp[0], thursday.udp[0]));
        assert_ne!(wednesday.tcp[1], thursday.tcp[1]);
        assert_eq!(thursday, ports("2009-03-18T20:00:00Z"));
        assert_ne!(wednesday, derived_ports([10, 200, 3, 5].into(), "2009-03-11T23:00:00Z".parse().unwrap()));
    }
}

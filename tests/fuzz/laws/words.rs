//! Words of command lines, logs and messages: names in DNS, dates, ids, protocols, payloads.

use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::LazyLock;

use inga::app::dns_names::collect_names;
use inga::behavior::BehaviorId;
use inga::packet::{Packet, Protocol, Timestamp};
use inga::rules::Rules;
use inga::sample::{PartialDate, ResolvedAddresses};

use super::agree;

/// A message to or from a DNS server: an address that a name is said to have stands in the message, byte for byte.
pub(crate) fn names(data: &[u8]) {
    let packet = Packet::new([192, 0, 2, 53].into(), [192, 0, 2, 1].into(), Protocol::Udp)
        .with_source_port(Some(53))
        .with_destination_port(Some(1_061));
    let read = || {
        let mut names = ResolvedAddresses::new();
        collect_names(&packet, data, &mut names);
        names
    };
    let names = read();
    agree("read again", &names, &read());
    for name in names {
        let bytes = match name {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        assert!(data.windows(bytes.len()).any(|part| part == bytes), "{name} is not in the message");
    }
}

/// A payload against all rules that ship: every kind of protocol and port that they ask for.
pub(crate) fn payload(data: &[u8]) {
    static RULES: LazyLock<Option<Rules>> = LazyLock::new(|| Rules::shipped().ok());
    let Some(rules) = &*RULES else { return };
    for (protocol, port) in [
        (Protocol::Tcp, 5_555),
        (Protocol::Tcp, 445),
        (Protocol::Tcp, 23),
        (Protocol::Udp, 53),
        (Protocol::Udp, 123),
        (Protocol::Udp, 1_900),
        (Protocol::Udp, 5_060),
        (Protocol::Udp, 11_211),
    ] {
        let packet = Packet::new([100, 64, 0, 1].into(), [192, 0, 2, 1].into(), protocol)
            .with_destination_port(Some(port));
        agree("marked again", &rules.marks(&packet, data), &rules.marks(&packet, data));
    }
}

/// What is accepted and printed again is the same thing.
fn round_trip<T: FromStr + Display + PartialEq + std::fmt::Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        agree("printed and read", &Some(&value), &value.to_string().parse().ok().as_ref());
    }
}

/// Dates, moments, ids and protocols, as people write them.
pub(crate) fn words(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    round_trip::<PartialDate>(text);
    round_trip::<Timestamp>(text);
    round_trip::<BehaviorId>(text);
    round_trip::<Protocol>(text);
    question(text);
}

/// What is to be counted, as `--filter` takes it, and dates and prefixes beside it: refused or taken, the same each time.
fn question(text: &str) {
    for option in ["--filter", "--from", "--source"] {
        let arguments = ["inga", "series", "--history", "history", option, text];
        let taken = || {
            let matches = inga::cli::command().try_get_matches_from(arguments);
            matches.map(|_| ()).map_err(|error| error.to_string())
        };
        agree("taken again", &taken(), &taken());
    }
}

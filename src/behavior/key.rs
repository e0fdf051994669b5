//! Parameters in two parts: a key of the fields in the type's canonical string, and the other fields, which
//! shape and pattern need. Two keys of one profile are equal if and only if their canonical strings are.

use crate::packet::{Protocol, TcpFlags};

use super::canonical::upper_end;
use super::{
    PacketsPerDestination, Parameters, Ports, Profile, ProtocolSet, ProtocolToken, SourcePortUse, Transition,
};

/// The parameters that shape and pattern need and the type does not contain. Windows of one type can differ
/// in them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Build {
    packets_per_destination: PacketsPerDestination,
    source_port_use: SourcePortUse,
    ports_follow_destinations: bool,
    ports_ephemeral: bool,
}

impl From<&Parameters> for Build {
    fn from(parameters: &Parameters) -> Build {
        Build {
            packets_per_destination: parameters.packets_per_destination,
            source_port_use: parameters.source_port_use,
            ports_follow_destinations: parameters.ports_follow_destinations,
            ports_ephemeral: parameters.ports_ephemeral,
        }
    }
}

/// The parameters that determine the type. Nearly all of them fit the brief form of two numbers.
#[derive(Clone, Debug)]
pub(super) enum Key {
    Brief(Brief),
    /// The bytes that [`write()`] produces.
    Long(Box<[u8]>),
}

/// Replaces the content of `key` by the serialized parameters that determine the type.
pub(super) fn write(parameters: &Parameters, profile: &Profile, key: &mut Vec<u8>) {
    let Parameters { source_ports, packets, destination_ports, destinations, .. } = parameters;
    let counts = [*source_ports, *packets, *destination_ports, *destinations]
        .map(|count| upper_end(count, profile.exact_counts_max));
    key.clear();
    let part = (counts, parameters.transition, &parameters.ports, &parameters.protocol);
    // Writing to a vector never fails.
    *key = postcard::to_extend(&part, std::mem::take(key)).unwrap_or_default();
}

/// The key of parameters with one protocol and at most one listed port, in two numbers. Two such keys are
/// equal if and only if the bytes that [`write()`] produces are.
pub(super) type Brief = [u64; 2];

/// The ports field of a brief key; 0 stands for no port.
const MANY_PORTS: u64 = 1 << 16;
const ONE_PORT: u64 = 2 << 16;
/// The bit of a brief key that says that the TCP flags are known.
const HAS_FLAGS: u64 = 1 << 8;

/// Returns the brief key of parameters, or `None` if they have several ports or protocols or a bin that does
/// not fit.
#[inline]
pub(super) fn brief(parameters: &Parameters, profile: &Profile) -> Option<Brief> {
    let Parameters { source_ports, packets, destination_ports, destinations, .. } = parameters;
    let mut counts = 0;
    for count in [source_ports, packets, destination_ports, destinations] {
        counts = counts << 8 | brief_bin(upper_end(*count, profile.exact_counts_max))?;
    }
    let ports = match &parameters.ports {
        Ports::None => 0,
        Ports::Many => MANY_PORTS,
        Ports::Listed(ports) => match ports.as_slice() {
            [port] => ONE_PORT | u64::from(*port),
            _ => return None,
        },
    };
    let token = parameters.protocol.only()?;
    let protocol = u64::from(token.protocol.number()) << 16;
    let flags = token.flags.map_or(0, |flags| HAS_FLAGS | u64::from(flags.0));
    let letter = u64::from(u32::from(parameters.transition.letter()));
    Some([counts << 32 | letter, ports << 32 | protocol | flags])
}

/// Bins whose upper end is below this value are stored as the upper end, in eight bits. Larger upper ends are
/// powers of two and stored as this value plus the exponent.
const ITSELF: u64 = 128;

#[inline]
fn brief_bin(upper_end: u64) -> Option<u64> {
    match upper_end {
        0..ITSELF => Some(upper_end),
        _ if upper_end.is_power_of_two() => Some(ITSELF + u64::from(upper_end.trailing_zeros())),
        _ => None,
    }
}

/// Returns the parameters of a key and its other part. Counts become the upper ends of their bins.
pub(super) fn read(key: &Key, build: Build) -> Option<Parameters> {
    type Part = ([u64; 4], Transition, Ports, ProtocolSet);
    let (counts, transition, ports, protocol): Part = match key {
        Key::Brief(brief) => read_brief(*brief)?,
        Key::Long(bytes) => postcard::from_bytes(bytes).ok()?,
    };
    let [source_ports, packets, destination_ports, destinations] = counts;
    let Build { packets_per_destination, source_port_use, ports_follow_destinations, ports_ephemeral } =
        build;
    Some(Parameters {
        source_ports,
        packets,
        destination_ports,
        destinations,
        transition,
        ports,
        protocol,
        packets_per_destination,
        source_port_use,
        ports_follow_destinations,
        ports_ephemeral,
    })
}

/// Decodes what [`brief`] encoded.
#[expect(clippy::cast_possible_truncation, reason = "numbers that were as small")]
fn read_brief([counts, rest]: Brief) -> Option<([u64; 4], Transition, Ports, ProtocolSet)> {
    let bin = |lowest: u32| match counts >> lowest & 0xff {
        itself @ 0..ITSELF => itself,
        exponent => 1 << (exponent - ITSELF),
    };
    let transition = Transition::of_letter(char::from(counts as u8))?;
    let ports = match rest >> 32 {
        0 => Ports::None,
        MANY_PORTS => Ports::Many,
        one => Ports::Listed([one as u16].as_slice().into()),
    };
    let protocol = Protocol::from_number((rest >> 16) as u16)?;
    let flags = (rest & HAS_FLAGS != 0).then_some(TcpFlags(rest as u8));
    let protocol = std::iter::once(ProtocolToken { protocol, flags }).collect();
    Some(([56, 48, 40, 32].map(bin), transition, ports, protocol))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parameters() -> impl Strategy<Value = Parameters> {
        let count = prop::sample::select(vec![1u64, 2, 3, 4, 5, 9, 127, 128, 129, 200, 1 << 20]);
        let port = prop::sample::select(vec![0u16, 1, 445, u16::MAX]);
        let ports = prop_oneof![
            Just(Ports::None),
            Just(Ports::Many),
            prop::collection::btree_set(port, 1..3)
                .prop_map(|ports| Ports::Listed(ports.into_iter().collect())),
        ];
        let flags = prop::option::of(prop::sample::select(vec![0u8, 2, 0xff]));
        let protocol = prop::sample::select(vec![Protocol::Tcp, Protocol::Udp, Protocol::Arp]);
        let token = (protocol, flags)
            .prop_map(|(protocol, flags)| ProtocolToken { protocol, flags: flags.map(TcpFlags) });
        let order =
            prop::sample::select(vec![Transition::Single, Transition::Sequential, Transition::Random]);
        (prop::array::uniform4(count), order, ports, prop::collection::vec(token, 1..3)).prop_map(
            |([source_ports, packets, destination_ports, destinations], transition, ports, tokens)| {
                Parameters {
                    source_ports,
                    packets,
                    destination_ports,
                    destinations,
                    transition,
                    ports,
                    protocol: tokens.into_iter().collect(),
                    packets_per_destination: PacketsPerDestination::Exactly(1),
                    source_port_use: SourcePortUse::One,
                    ports_follow_destinations: false,
                    ports_ephemeral: false,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn briefs_are_equal_where_keys_are(one in parameters(), other in parameters(), exact in prop::sample::select(vec![4u64, 256])) {
            let profile = Profile { exact_counts_max: exact, ..Profile::default() };
            let key = |parameters: &Parameters| {
                let mut key = Vec::new();
                write(parameters, &profile, &mut key);
                key
            };
            let other = Parameters { transition: one.transition, ports: one.ports.clone(), ..other };
            let build = Build::from(&one);
            let long = read(&Key::Long(key(&one).into()), build);
            prop_assert!(long.is_some());
            if let Some(one) = brief(&one, &profile) {
                prop_assert_eq!(read(&Key::Brief(one), build), long);
            }
            if let (Some(brief), Some(another)) = (brief(&one, &profile), brief(&other, &profile)) {
                prop_assert_eq!(brief == another, key(&one) == key(&other));
            }
        }
    }
}

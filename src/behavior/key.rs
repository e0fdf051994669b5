//! Parameters in two parts: what the type's canonical string says, as bytes that are equal where the strings are, and
//! what shape and family need besides.

use super::canonical::upper_end;
use super::{PacketsPerDestination, Parameters, Ports, Profile, ProtocolSet, SourcePortUse, Transition};

/// What shape and family need beside the type. Windows of one type can differ in it.
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

/// Writes the type's part of some parameters over what `key` holds.
pub(super) fn write(parameters: &Parameters, profile: &Profile, key: &mut Vec<u8>) {
    let Parameters { source_ports, packets, destination_ports, destinations, .. } = parameters;
    let counts = [*source_ports, *packets, *destination_ports, *destinations]
        .map(|count| upper_end(count, profile.exact_counts_max));
    key.clear();
    let part = (counts, parameters.transition, &parameters.ports, &parameters.protocol);
    // Bytes in memory take all that is written to them.
    *key = postcard::to_extend(&part, std::mem::take(key)).unwrap_or_default();
}

/// Both parts together: the parameters with their counts at the upper ends of the bins.
pub(super) fn read(key: &[u8], build: Build) -> Option<Parameters> {
    type Part = ([u64; 4], Transition, Ports, ProtocolSet);
    let (counts, transition, ports, protocol): Part = postcard::from_bytes(key).ok()?;
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

//! Per-target ports: destination ports that samples choose anew for each target, so that their numbers carry
//! no information.

use std::collections::BTreeSet;

use crate::behavior::{Behavior, Names, Parameters, ProtocolToken};

use super::scan::{Scan, ServicePort};

/// The services that samples scan on per-target ports, and the ports that samples scan by a fixed number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PerTargetPorts {
    /// Protocol, lowest and highest port of each service with per-target ports.
    services: BTreeSet<(ProtocolToken, u16, u16)>,
    /// Ports that some sample scans as a fixed port. Their numbers carry information even within the range of
    /// a service with per-target ports.
    fixed: BTreeSet<u16>,
}

impl PerTargetPorts {
    /// Collects the ports of the given scans.
    #[must_use]
    pub fn from_scans<'a>(scans: impl Iterator<Item = &'a Scan>) -> PerTargetPorts {
        let mut all = PerTargetPorts::default();
        for (service, _) in scans.flat_map(|scan| &scan.services) {
            match service.port {
                ServicePort::None => {}
                ServicePort::Fixed(port) => {
                    all.fixed.insert(port);
                }
                ServicePort::PerTarget(low, high) => {
                    all.services.insert((service.token, low, high));
                }
            }
        }
        all
    }

    /// Returns whether windows with these parameters probe exactly one port, and that port is a per-target
    /// port.
    #[must_use]
    pub fn is_per_target(&self, parameters: &Parameters) -> bool {
        let [port] = parameters.ports.listed() else { return false };
        let is_such = |(token, low, high): &(ProtocolToken, u16, u16)| {
            parameters.protocol.contains(token) && (low..=high).contains(&port)
        };
        !self.fixed.contains(port) && self.services.iter().any(is_such)
    }

    /// Returns the names under which windows with these parameters are counted. A per-target port is masked
    /// in the pattern, because its number carries no information. A fixed port keeps its number there even
    /// where it lies among the ephemeral ones: a sample shows that it is a service.
    #[must_use]
    pub fn names(&self, parameters: &Parameters, names: Names) -> Names {
        match parameters.ports.listed() {
            [port] if self.is_per_target(parameters) => {
                Names { pattern: Behavior::new(names.pattern.masked(*port)), ..names }
            }
            [port] if self.fixed.contains(port) && names.pattern.is_masked() => {
                Names { pattern: names.shape.clone(), ..names }
            }
            _ => names,
        }
    }
}

//! Ports that samples choose anew for each target: one says as little as another, whatever number it has.

use std::collections::BTreeSet;

use crate::behavior::{Behavior, Names, Parameters, ProtocolToken};

use super::scan::{Port, Scan};

/// Services whose port is another one for each target, as far as no sample asks for the port by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnewPorts {
    services: BTreeSet<(ProtocolToken, u16, u16)>,
    named: BTreeSet<u16>,
}

impl AnewPorts {
    /// Those of some scans.
    #[must_use]
    pub fn of<'a>(scans: impl Iterator<Item = &'a Scan>) -> AnewPorts {
        let mut all = AnewPorts::default();
        for (service, _) in scans.flat_map(|scan| &scan.services) {
            match service.port {
                Port::None => {}
                Port::Is(port) => {
                    all.named.insert(port);
                }
                Port::Anew(low, high) => {
                    all.services.insert((service.token, low, high));
                }
            }
        }
        all
    }

    /// Whether windows with these parameters ask for one such port.
    #[must_use]
    pub fn has(&self, parameters: &Parameters) -> bool {
        let [port] = parameters.ports.listed() else { return false };
        let is_such = |(token, low, high): &(ProtocolToken, u16, u16)| {
            parameters.protocol.contains(token) && (low..=high).contains(&port)
        };
        !self.named.contains(port) && self.services.iter().any(is_such)
    }

    /// The names by which windows with these parameters are counted: such a port is masked in the family's, so that it
    /// says nothing.
    #[must_use]
    pub fn names(&self, parameters: &Parameters, names: Names) -> Names {
        match parameters.ports.listed() {
            [port] if self.has(parameters) => {
                Names { family: Behavior::new(names.family.masked(*port)), ..names }
            }
            _ => names,
        }
    }
}

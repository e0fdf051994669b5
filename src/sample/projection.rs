//! What a sensor could see of a sample's scan: its behaviors as they are, and thinned.
//!
//! A darknet holds a small part of what a sample scans, so most of its windows there have one destination only:
//! the seed's types 1-4 are such remains. This first form projects every scanned destination alone; weights
//! by the sensor's size and by how the sample picks targets belong here, too.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use crate::behavior::{Behavior, Facet, OpenWindow, Parameters, Ports, Probe, Profile, ProtocolSet};
use crate::event::{AddressSpace, Protocol};
use crate::history::Granularity;

use super::SampleProfile;

/// How a behavior follows from the sandbox run, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A window of the run has it.
    Window,
    /// One (protocol, port) pair of a window has it.
    Facet,
    /// A sensor that catches one destination of the scan would see it.
    Projected,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Origin::Window => "window",
            Origin::Facet => "facet",
            Origin::Projected => "projected",
        })
    }
}

/// A behavior that a sensor might see, and how large a part of the run it is.
#[derive(Clone, Debug, PartialEq)]
pub struct ProjectedBehavior {
    /// What `behavior` names.
    pub granularity: Granularity,
    /// How it follows from the run.
    pub origin: Origin,
    /// The behavior.
    pub behavior: Behavior,
    /// Parameters of the first window (or part) of the run that has it.
    pub parameters: Parameters,
    /// Share of the run's windows (of its pairs, of its destinations) that have it, 0 to 1.
    pub share: f64,
}

/// All behaviors that a sensor might see of a sample, the strongest origin of each, most frequent first.
#[must_use]
pub fn projected(sample: &SampleProfile, profile: &Profile) -> Vec<ProjectedBehavior> {
    let mut tally = Tally::default();
    for window in &sample.windows {
        let fingerprint = &window.fingerprint;
        tally.count(Origin::Window, &fingerprint.whole, profile);
        for facet in &fingerprint.facets {
            tally.count(Origin::Facet, facet, profile);
        }
        for parameters in alone(&window.window, profile) {
            tally.count_parameters(Origin::Projected, &parameters, profile);
        }
    }
    tally.into_behaviors()
}

/// A sample's services, each scanned alone: by a facet, or by a window to one port.
#[must_use]
pub fn services(projected: &[ProjectedBehavior]) -> Vec<(&ProtocolSet, &Ports)> {
    let mut services: Vec<(&ProtocolSet, &Ports)> = Vec::new();
    for behavior in projected.iter().filter(|behavior| behavior.granularity == Granularity::Type) {
        let Parameters { protocol, ports, .. } = &behavior.parameters;
        let portless = |protocol: Protocol| !protocol.has_ports();
        let alone = ports.listed().len() == 1 || protocol.protocols().all(portless);
        if alone && !services.contains(&(protocol, ports)) {
            services.push((protocol, ports));
        }
    }
    services
}

/// The parameters of each (destination, protocol, port) of a window alone.
fn alone(window: &OpenWindow, profile: &Profile) -> Vec<Parameters> {
    type Alone<'a> = Vec<(&'a Probe, u64)>;
    let mut parts: BTreeMap<(IpAddr, Protocol, Option<u16>), Alone<'_>> = BTreeMap::new();
    for (probe, count) in window.probes.iter() {
        let part = (probe.destination(), probe.protocol(), probe.destination_port());
        parts.entry(part).or_default().push((probe, count));
    }
    let space = AddressSpace::whole();
    parts
        .into_values()
        .map(|probes| {
            let packets = probes.iter().map(|(_, count)| count).sum();
            Parameters::of(probes.into_iter(), packets, &space, profile)
        })
        .collect()
}

#[derive(Default)]
struct Tally {
    behaviors: BTreeMap<(Granularity, Behavior), BTreeMap<Origin, (u64, Parameters)>>,
    totals: BTreeMap<Origin, u64>,
}

impl Tally {
    fn count(&mut self, origin: Origin, facet: &Facet, profile: &Profile) {
        self.count_parameters(origin, &facet.parameters, profile);
    }

    fn count_parameters(&mut self, origin: Origin, parameters: &Parameters, profile: &Profile) {
        *self.totals.entry(origin).or_default() += 1;
        for (granularity, behavior) in [
            (Granularity::Type, Behavior::of_type(parameters, profile)),
            (Granularity::Shape, Behavior::of_shape(parameters, profile)),
            (Granularity::Family, Behavior::of_family(parameters, profile)),
        ] {
            let origins = self.behaviors.entry((granularity, behavior)).or_default();
            origins.entry(origin).or_insert_with(|| (0, parameters.clone())).0 += 1;
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "shares of counts of one sandbox run")]
    fn into_behaviors(self) -> Vec<ProjectedBehavior> {
        let mut all: Vec<ProjectedBehavior> = self
            .behaviors
            .into_iter()
            .filter_map(|((granularity, behavior), origins)| {
                let (origin, (count, parameters)) = origins.into_iter().next()?;
                let total = self.totals.get(&origin).copied().unwrap_or(1);
                let share = count as f64 / total as f64;
                Some(ProjectedBehavior { granularity, origin, behavior, parameters, share })
            })
            .collect();
        all.sort_by(|a, b| {
            (a.granularity, a.origin)
                .cmp(&(b.granularity, b.origin))
                .then(b.share.total_cmp(&a.share))
                .then_with(|| a.behavior.canonical.cmp(&b.behavior.canonical))
        });
        all
    }
}

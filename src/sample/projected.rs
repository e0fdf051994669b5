//! The behaviors to look up in a sensor's history: those of the sandbox run and those of the projection.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::behavior::{Behavior, Facet, Parameters, Ports, Profile, ProtocolSet};
use crate::history::Granularity;
use crate::packet::Protocol;

use super::{Projection, SampleProfile};

/// Minimum share of a projected behavior. A rarer behavior would match unrelated hosts.
const SHARE_MIN: f64 = 0.005;

/// How a behavior was derived from the sandbox run, the strongest derivation first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BehaviorOrigin {
    /// A whole window of the run shows the behavior.
    Window,
    /// One (protocol, port) pair of a window shows the behavior.
    Facet,
    /// The scan, projected onto the sensor's dark addresses, shows the behavior.
    Projected,
}

impl std::fmt::Display for BehaviorOrigin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            BehaviorOrigin::Window => "window",
            BehaviorOrigin::Facet => "facet",
            BehaviorOrigin::Projected => "projected",
        })
    }
}

/// A behavior that a sensor may observe of a sample, and its share of the run.
#[derive(Clone, Debug, PartialEq)]
pub struct ProjectedBehavior {
    /// The granularity of `behavior`.
    pub granularity: Granularity,
    /// The derivation of `behavior` from the run.
    pub origin: BehaviorOrigin,
    /// The type, shape or pattern.
    pub behavior: Behavior,
    /// Parameters of the first window or facet with this behavior.
    pub parameters: Parameters,
    /// Share with this behavior, 0 to 1: of the run's windows, of the run's facets, or of the projected
    /// windows, by `origin`.
    pub share: f64,
}

/// Returns all behaviors that a sensor may observe of a sample. A behavior with several origins is listed
/// with the strongest. The list is sorted by granularity, then by origin, then by falling share.
#[must_use]
pub fn projected_behaviors(
    sample: &SampleProfile,
    projection: Option<&Projection>,
    profile: &Profile,
) -> Vec<ProjectedBehavior> {
    let mut tally = BehaviorWeights::default();
    for window in &sample.windows {
        let fingerprint = &window.fingerprint;
        tally.count(BehaviorOrigin::Window, &fingerprint.whole, profile);
        for facet in &fingerprint.facets {
            tally.count(BehaviorOrigin::Facet, facet, profile);
        }
    }
    let predicted = projection.into_iter().flat_map(|projection| &projection.predicted);
    for one in predicted.filter(|one| one.share >= SHARE_MIN) {
        let origins = tally.behaviors.entry((one.granularity, one.behavior.clone())).or_default();
        origins.entry(BehaviorOrigin::Projected).or_insert_with(|| (0.0, one.parameters.clone())).0 +=
            one.share;
    }
    tally.totals.insert(BehaviorOrigin::Projected, 1.0);
    tally.into_behaviors()
}

/// Returns the distinct services of a sample. A service is taken from a type that probes a single port or
/// only protocols without ports.
#[must_use]
pub fn distinct_services(projected: &[ProjectedBehavior]) -> Vec<(&ProtocolSet, &Ports)> {
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

/// Weights of behaviors, by origin.
#[derive(Default)]
struct BehaviorWeights {
    /// Weight and first parameters of each behavior, by origin.
    behaviors: BTreeMap<(Granularity, Behavior), BTreeMap<BehaviorOrigin, (f64, Parameters)>>,
    /// Sum of the weights of each origin.
    totals: BTreeMap<BehaviorOrigin, f64>,
}

impl BehaviorWeights {
    fn count(&mut self, origin: BehaviorOrigin, facet: &Facet, profile: &Profile) {
        let parameters = &facet.parameters;
        *self.totals.entry(origin).or_default() += 1.0;
        for (granularity, behavior) in [
            (Granularity::Type, Behavior::of_type(parameters, profile)),
            (Granularity::Shape, Behavior::of_shape(parameters, profile)),
            (Granularity::Pattern, Behavior::of_pattern(parameters, profile)),
        ] {
            let origins = self.behaviors.entry((granularity, behavior)).or_default();
            origins.entry(origin).or_insert_with(|| (0.0, parameters.clone())).0 += 1.0;
        }
    }

    fn into_behaviors(self) -> Vec<ProjectedBehavior> {
        let mut all: Vec<ProjectedBehavior> = self
            .behaviors
            .into_iter()
            .filter_map(|((granularity, behavior), origins)| {
                let (origin, (count, parameters)) = origins.into_iter().next()?;
                let share = (count / self.totals.get(&origin).copied().unwrap_or(1.0)).min(1.0);
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

//! Why not: the sensor's behavior nearest to the sample's, and what would explain each parameter that differs.

use std::cmp::Ordering;

use crate::behavior::{Parameters, Profile, Transition, bin};
use crate::history::TypeTotal;
use crate::sample::ProjectedBehavior;

/// One parameter that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Its name.
    pub parameter: &'static str,
    /// In the sample's run.
    pub sample: String,
    /// At the sensor.
    pub sensor: String,
    /// What would make this difference, if anything usual would.
    pub explained_by: Option<&'static str>,
}

/// A behavior of the sensor that is nearly one of the sample's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss {
    /// Canonical string of the sensor's type.
    pub canonical: String,
    /// Windows of it.
    pub windows: u64,
    /// Hosts.
    pub hosts: u64,
    /// What differs from the sample's nearest behavior.
    pub gaps: Vec<Gap>,
}

/// Compares a sensor's type with the nearest of the sample's behaviors: the fewest gaps, unexplained ones
/// counting double. `None` where the sample has no behavior.
#[must_use]
pub fn near_miss(projected: &[ProjectedBehavior], seen: &TypeTotal) -> Option<NearMiss> {
    let weight =
        |gaps: &[Gap]| -> usize { gaps.iter().map(|gap| 2 - usize::from(gap.explained_by.is_some())).sum() };
    let gaps = projected
        .iter()
        .map(|behavior| gaps(&behavior.parameters, &seen.record.parameters))
        .min_by_key(|gaps| weight(gaps))?;
    Some(NearMiss {
        canonical: seen.record.behavior.canonical.clone(),
        windows: seen.windows,
        hosts: seen.hosts,
        gaps,
    })
}

const THINNING: &str = "thinning: the sensor holds a part of what the host scans";
const LOSS: &str = "loss, or retries cut off by the window's end";
const RETRIES: &str = "retries: a darknet never answers, so hosts try again";
const ANSWERS: &str = "a sandbox that answers makes a sample go on; a darknet never answers";

/// The parameters of a sensor's window that differ from those of a sample's.
#[must_use]
pub fn gaps(sample: &Parameters, sensor: &Parameters) -> Vec<Gap> {
    let mut all = Vec::new();
    let mut compare = |parameter, a: String, b: String, explained_by| {
        if a != b {
            all.push(Gap { parameter, sample: a, sensor: b, explained_by });
        }
    };
    let retried = sensor.packets_per_destination > sample.packets_per_destination;
    let fewer = |a: u64, b: u64| match b < a {
        true => Some(THINNING),
        // One destination alone has more packets by retries only.
        false => (sensor.destinations == 1 && retried).then_some(RETRIES),
    };
    compare(
        "protocol",
        sample.protocol.to_string(),
        sensor.protocol.to_string(),
        flags_explained(sample, sensor),
    );
    compare("ports", sample.ports.to_string(), sensor.ports.to_string(), ports_explained(sample, sensor));
    compare("transition", letter(sample), letter(sensor), transition_explained(sample, sensor));
    let per_destination = match sensor.packets_per_destination.cmp(&sample.packets_per_destination) {
        Ordering::Less => Some(LOSS),
        Ordering::Equal => None,
        Ordering::Greater => Some(RETRIES),
    };
    let count = |parameters: &Parameters| parameters.packets_per_destination.to_string();
    compare("packets per destination", count(sample), count(sensor), per_destination);
    let using = |parameters: &Parameters| parameters.source_port_use.letter().to_string();
    let alone = (sensor.destinations == 1 && sample.destinations > 1).then_some(THINNING);
    compare("source port use", using(sample), using(sensor), alone);
    // As the types have them: a history keeps no more of a type's counts.
    let exact = Profile::default().exact_counts_max;
    let binned = |count| bin(count, exact);
    let volumes = [
        ("destinations", sample.destinations, sensor.destinations),
        ("packets", sample.packets, sensor.packets),
        ("source ports", sample.source_ports, sensor.source_ports),
    ];
    for (parameter, a, b) in volumes {
        compare(parameter, binned(a), binned(b), fewer(a, b));
    }
    all
}

fn letter(parameters: &Parameters) -> String {
    match parameters.transition {
        Transition::Single => "single",
        Transition::Sequential => "sequential",
        Transition::Random => "random",
    }
    .to_owned()
}

fn transition_explained(sample: &Parameters, sensor: &Parameters) -> Option<&'static str> {
    let thinner = sensor.destinations < sample.destinations;
    (thinner && sensor.transition != Transition::Sequential).then_some(THINNING)
}

fn ports_explained(sample: &Parameters, sensor: &Parameters) -> Option<&'static str> {
    let part = sensor.ports.listed().iter().all(|port| sample.ports.listed().contains(port));
    (part && !sensor.ports.listed().is_empty()).then_some(THINNING)
}

fn flags_explained(sample: &Parameters, sensor: &Parameters) -> Option<&'static str> {
    let within = sensor.protocol.iter().all(|token| sample.protocol.contains(token));
    within.then_some(ANSWERS)
}

//! What sensors observed of an incident: its behavior, and for each sensor its days and hosts.

use std::collections::{BTreeMap, BTreeSet};

use crate::analysis::behavior_surges::RankedSurge;
use crate::app::AppError;
use crate::app::surges::describe_surges;
use crate::behavior::{BehaviorId, Parameters};
use crate::history::{Filter, Granularity, HostSet, SurgeBehavior, TypeFilter};
use crate::incident::{
    FoundSurge, Incident, IncidentSensor, IncidentState, IncidentTitle, narrowest_behavior,
};
use crate::packet::{Protocol, Timestamp};
use crate::rules::Rules;
use crate::store::HistoryStore;

use super::GroupedSurges;

/// Maximum number of types of a pattern that are asked for their service. A pattern whose ports vary with the
/// target shows that in its first types.
const TYPES_ASKED_MAX: usize = 64;

/// Returns surges in the form in which they are assigned to incidents, in their order.
pub(super) fn found_surges(
    store: &dyn HistoryStore,
    ranked: &[RankedSurge],
    rules: &Rules,
) -> Result<Vec<FoundSurge>, AppError> {
    ranked.iter().map(|one| found_surge(store, one, rules)).collect()
}

fn found_surge(store: &dyn HistoryStore, one: &RankedSurge, rules: &Rules) -> Result<FoundSurge, AppError> {
    let mut parameters: Vec<Parameters> = Vec::new();
    let asked: Vec<u64> = one.members.iter().take(TYPES_ASKED_MAX).copied().collect();
    store.each_parameters(&asked, &mut |_, of_type| parameters.push(of_type))?;
    let pattern = match (&one.behavior, parameters.first()) {
        (SurgeBehavior::Service(..), _) | (_, None) => None,
        (SurgeBehavior::Named(Granularity::Pattern, id, _), _) => Some(*id),
        (SurgeBehavior::Named(..), Some(first)) => Some(pattern_of(first, rules)),
    };
    Ok(FoundSurge {
        sensor: one.sensor.clone(),
        behavior: one.behavior.clone(),
        pattern,
        service: common_service(&one.behavior, &parameters),
        first: one.surge.first,
        last: one.surge.last,
        excess: one.surge.excess,
    })
}

fn pattern_of(parameters: &Parameters, rules: &Rules) -> BehaviorId {
    crate::behavior::Behavior::of_pattern(parameters, &rules.profile).id
}

fn common_service(behavior: &SurgeBehavior, parameters: &[Parameters]) -> Option<(Protocol, u16)> {
    if let SurgeBehavior::Service(protocol, port) = behavior {
        return Some((*protocol, *port));
    }
    let service = parameters.first()?.service()?;
    parameters.iter().all(|other| other.service() == Some(service)).then_some(service)
}

/// Returns a new incident of a group of surges, without any change.
pub(super) fn open(
    store: &dyn HistoryStore,
    rules: &Rules,
    number: u64,
    surges: &GroupedSurges<'_>,
    at: Timestamp,
) -> Result<Incident, AppError> {
    let observed = Observed::read(store, rules, &[], surges)?;
    Ok(Incident {
        number,
        revision: 0,
        title: observed.title,
        patterns: surges.group.patterns(),
        onset: surges.group.onset,
        sensors: observed.sensors,
        opened: at,
        updated: at,
        ended: None,
        state: IncidentState::New,
        owner: None,
        causes: Vec::new(),
        unknown: None,
        nothing: None,
        weighed: String::new(),
        suspects: observed.suspects,
        samples: Vec::new(),
        changes: Vec::new(),
    })
}

/// Brings the title, sensors and hosts of an incident up to date.
pub(super) fn observe_again(
    store: &dyn HistoryStore,
    rules: &Rules,
    incident: &mut Incident,
    surges: &GroupedSurges<'_>,
) -> Result<(), AppError> {
    let observed = Observed::read(store, rules, &incident.sensors, surges)?;
    incident.title = observed.title;
    incident.patterns = surges.group.patterns();
    incident.sensors = observed.sensors;
    incident.suspects = incident.suspects.max(observed.suspects);
    Ok(())
}

struct Observed {
    title: IncidentTitle,
    sensors: Vec<IncidentSensor>,
    suspects: u64,
}

impl Observed {
    /// Reads what sensors observed of a group of surges. `known` are the sensors that the incident had before;
    /// they stay, and their days only grow.
    fn read(
        store: &dyn HistoryStore,
        rules: &Rules,
        known: &[IncidentSensor],
        surges: &GroupedSurges<'_>,
    ) -> Result<Observed, AppError> {
        let all = surges.found();
        let behavior = narrowest_behavior(&all).cloned();
        let mut sensors: BTreeMap<String, IncidentSensor> =
            known.iter().map(|one| (one.sensor.clone(), one.clone())).collect();
        let mut hosts = ObservedHosts::default();
        let names: BTreeSet<&str> = all.iter().map(|one| one.sensor.as_str()).collect();
        for name in names {
            let at_sensor: Vec<&FoundSurge> = all.iter().filter(|one| one.sensor == name).copied().collect();
            let shown = at_sensor.iter().find(|one| Some(&one.behavior) == behavior.as_ref());
            let shown = shown.map(|one| &one.behavior).or_else(|| narrowest_behavior(&at_sensor));
            let of_behavior: Vec<&RankedSurge> =
                surges.ranked().filter(|one| one.sensor == name && Some(&one.behavior) == shown).collect();
            if let Some(row) = sensor_row(store, sensors.get(name), &of_behavior, &mut hosts)? {
                sensors.insert(name.to_owned(), row);
            }
        }
        let title = title(store, rules, behavior, surges, &hosts)?;
        let sensors = sensors.into_values().collect();
        Ok(Observed { title, sensors, suspects: hosts.all.count() })
    }
}

/// The hosts of an incident over all sensors.
#[derive(Default)]
struct ObservedHosts {
    all: HostSet,
    /// Host-days by the number of the type.
    types: BTreeMap<u64, u64>,
}

/// Returns what one sensor observed, by its surges of one behavior.
fn sensor_row(
    store: &dyn HistoryStore,
    known: Option<&IncidentSensor>,
    surges: &[&RankedSurge],
    hosts: &mut ObservedHosts,
) -> Result<Option<IncidentSensor>, AppError> {
    let excess = |one: &RankedSurge| one.surge.peak.count as f64 - one.surge.peak.expected;
    let Some(strongest) = surges.iter().max_by(|a, b| excess(a).total_cmp(&excess(b))) else {
        return Ok(None);
    };
    let firsts = surges.iter().map(|one| one.surge.first).chain(known.map(|known| known.first));
    let lasts = surges.iter().map(|one| one.surge.last).chain(known.map(|known| known.last));
    let (first, last) = match (firsts.min(), lasts.max()) {
        (Some(first), Some(last)) => (first, last),
        _ => return Ok(None),
    };
    let numbers: BTreeSet<u64> = surges.iter().flat_map(|one| one.members.iter().copied()).collect();
    let numbers: Vec<u64> = numbers.into_iter().collect();
    let filter = Filter {
        types: TypeFilter::Numbers(&numbers),
        first: Some(first),
        last: Some(last),
        ..Filter::default()
    };
    let mut at_sensor = HostSet::default();
    store.each_sighting(&strongest.sensor, &filter, &mut |sighting| {
        at_sensor.insert(sighting.host);
        *hosts.types.entry(sighting.number).or_default() += 1;
    })?;
    let count = at_sensor.count();
    hosts.all.union(at_sensor);
    let peak = &strongest.surge.peak;
    Ok(Some(IncidentSensor {
        sensor: strongest.sensor.clone(),
        first,
        last,
        hosts: count.max(known.map_or(0, |known| known.hosts)),
        peak: peak.day,
        peak_hosts: peak.count,
        expected: peak.expected,
        q: strongest.q,
    }))
}

/// Returns the parts of the title.
fn title(
    store: &dyn HistoryStore,
    rules: &Rules,
    behavior: Option<SurgeBehavior>,
    surges: &GroupedSurges<'_>,
    hosts: &ObservedHosts,
) -> Result<IncidentTitle, AppError> {
    let of_behavior = surges.ranked().find(|one| Some(&one.behavior) == behavior.as_ref());
    let most = hosts.types.iter().max_by(|a, b| a.1.cmp(b.1).then(b.0.cmp(a.0)));
    let (Some(strongest), Some((number, _)), Some(behavior)) = (of_behavior, most, behavior) else {
        return Err(AppError::Usage(
            "a surge has no sighting; `inga history verify` finds damage".to_owned(),
        ));
    };
    let described = describe_surges(store, rules, vec![strongest.clone()])?;
    let labels = described.into_iter().flat_map(|one| one.labels).map(|(label, _)| label).collect();
    let service = surges.found().iter().find(|one| one.behavior == behavior).and_then(|one| one.service);
    Ok(IncidentTitle {
        parameters: store.type_record(*number)?.parameters,
        service,
        labels,
        types: hosts.types.len() as u64,
        behavior,
    })
}

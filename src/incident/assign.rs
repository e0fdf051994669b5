//! Which surges are one thing, so that an outbreak opens one incident and not one for each granularity and
//! sensor.
//!
//! Two surges whose days are near each other belong together if they have the same pattern, which is the way in
//! which a program scans whatever its volumes. Surges of the same service whose first days agree belong together
//! as well: an outbreak raises the counts of its service and of all its behaviors within days, at every sensor.
//! A second program that begins to scan the same service weeks later is another thing.

use jiff::civil::Date;

use crate::behavior::BehaviorId;
use crate::history::SurgeBehavior;
use crate::packet::Protocol;

use super::Incident;

/// Maximum number of days between two surges of one thing: a surge that resumes within two weeks reopens its
/// incident. It is longer than weekends and short outages.
const GAP_DAYS: i32 = 14;
/// Maximum number of days between the first days of surges of one service that belong together. A weak sensor
/// and a rare behavior stand out days later than the strongest one.
const ONSET_DAYS: i32 = 7;

/// A surge of a behavior at a sensor, as detection found it.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundSurge {
    /// The name of the sensor.
    pub sensor: String,
    /// The behavior.
    pub behavior: SurgeBehavior,
    /// The id of the pattern that all its types have; `None` for a service.
    pub pattern: Option<BehaviorId>,
    /// The protocol and port that all its packets have; `None` if they have several or none.
    pub service: Option<(Protocol, u16)>,
    /// The first day.
    pub first: Date,
    /// The last day that stands out.
    pub last: Date,
    /// Host-days above the expected number.
    pub excess: f64,
}

/// The surges of one thing.
#[derive(Clone, Debug, PartialEq)]
pub struct SurgeGroup {
    /// The place of the incident that they belong to, in the list of incidents; `None` for a new one.
    pub incident: Option<usize>,
    /// The places of the surges in the list of surges: those of a pattern before those of a service, each the largest
    /// excess first.
    pub surges: Vec<usize>,
    /// The first day of the surge that founded the group, by which surges of the same service are assigned.
    pub onset: Date,
    service: Option<(Protocol, u16)>,
    patterns: Vec<BehaviorId>,
    /// The first days of its surges.
    onsets: Vec<Date>,
    days: (Date, Date),
}

impl SurgeGroup {
    fn of_incident(place: usize, incident: &Incident) -> Option<SurgeGroup> {
        Some(SurgeGroup {
            incident: Some(place),
            surges: Vec::new(),
            onset: incident.onset,
            service: incident.title.service,
            patterns: incident.patterns.clone(),
            onsets: vec![incident.onset],
            days: (incident.first()?, incident.last()?),
        })
    }

    fn founded_by(place: usize, surge: &FoundSurge) -> SurgeGroup {
        SurgeGroup {
            incident: None,
            surges: vec![place],
            onset: surge.first,
            service: surge.service,
            patterns: surge.pattern.into_iter().collect(),
            onsets: vec![surge.first],
            days: (surge.first, surge.last),
        }
    }

    /// Returns the ids of the patterns of its surges and incident, ascending.
    #[must_use]
    pub fn patterns(&self) -> Vec<BehaviorId> {
        let mut patterns = self.patterns.clone();
        patterns.sort_unstable();
        patterns
    }

    fn add(&mut self, place: usize, surge: &FoundSurge) {
        self.surges.push(place);
        self.onsets.push(surge.first);
        self.days = (self.days.0.min(surge.first), self.days.1.max(surge.last));
        if let Some(pattern) = surge.pattern.filter(|pattern| !self.patterns.contains(pattern)) {
            self.patterns.push(pattern);
        }
    }

    /// Returns how near a surge is in time: the number of common days, or minus the number of days between;
    /// `None` if it is too far away to belong to the group.
    fn nearness(&self, surge: &FoundSurge) -> Option<i32> {
        let common = days_between(self.days.0.max(surge.first), self.days.1.min(surge.last));
        (common >= -GAP_DAYS).then_some(common)
    }

    fn has_pattern_of(&self, surge: &FoundSurge) -> bool {
        surge.pattern.is_some_and(|pattern| self.patterns.contains(&pattern))
    }

    /// Returns whether a surge of the same service begins together with a surge of this thing. Those have more excess,
    /// as surges are added in this order, or are of a pattern where this one is of the service.
    fn has_onset_of(&self, surge: &FoundSurge) -> bool {
        let is_near = |onset: &Date| days_between(*onset, surge.first).abs() <= ONSET_DAYS;
        surge.service.is_some() && surge.service == self.service && self.onsets.iter().any(is_near)
    }
}

/// Assigns each surge to the incident that it belongs to, and groups the others: those of a pattern before those of a
/// service, each the largest excess first.
/// Incidents without a surge have no group. The result does not depend on the order of the surges, and surges
/// that opened an incident are assigned to it again.
#[must_use]
pub fn assign_surges(incidents: &[Incident], found: &[FoundSurge]) -> Vec<SurgeGroup> {
    let known = incidents.iter().enumerate();
    let mut groups: Vec<SurgeGroup> =
        known.filter_map(|(place, incident)| SurgeGroup::of_incident(place, incident)).collect();
    let mut order: Vec<usize> = (0..found.len()).collect();
    order.sort_by(|a, b| {
        let (a, b) = (&found[*a], &found[*b]);
        let is_service = |surge: &FoundSurge| surge.pattern.is_none();
        is_service(a)
            .cmp(&is_service(b))
            .then(b.excess.total_cmp(&a.excess))
            .then_with(|| b.behavior.coarseness().cmp(&a.behavior.coarseness()))
            .then_with(|| (a.first, &a.sensor, &a.behavior).cmp(&(b.first, &b.sensor, &b.behavior)))
    });
    for place in order {
        let surge = &found[place];
        let by_pattern = nearest(&groups, surge, |group| group.has_pattern_of(surge));
        match by_pattern.or_else(|| nearest(&groups, surge, |group| group.has_onset_of(surge))) {
            Some(group) => groups[group].add(place, surge),
            None => groups.push(SurgeGroup::founded_by(place, surge)),
        }
    }
    groups.retain(|group| !group.surges.is_empty());
    groups
}

/// Returns the place of the group nearest to a surge among those that `belongs` selects; of equally near ones
/// the first.
fn nearest(
    groups: &[SurgeGroup],
    surge: &FoundSurge,
    belongs: impl Fn(&SurgeGroup) -> bool,
) -> Option<usize> {
    let mut best: Option<(usize, i32)> = None;
    for (place, group) in groups.iter().enumerate().filter(|(_, group)| belongs(group)) {
        let Some(nearness) = group.nearness(surge) else { continue };
        if best.is_none_or(|(_, most)| nearness > most) {
            best = Some((place, nearness));
        }
    }
    best.map(|(place, _)| place)
}

/// Returns the narrowest behavior that has more than half of the excess of the behavior with the most, over all
/// sensors; of equally narrow ones the one with the largest excess. `None` without surges.
#[must_use]
pub fn narrowest_behavior<'a>(surges: &[&'a FoundSurge]) -> Option<&'a SurgeBehavior> {
    let mut sums: Vec<(&SurgeBehavior, f64)> = Vec::new();
    for surge in surges {
        match sums.iter_mut().find(|(behavior, _)| **behavior == surge.behavior) {
            Some((_, sum)) => *sum += surge.excess,
            None => sums.push((&surge.behavior, surge.excess)),
        }
    }
    let most = sums.iter().map(|(_, sum)| *sum).fold(0.0, f64::max);
    sums.into_iter()
        .filter(|(_, sum)| 2.0 * sum > most)
        .min_by(|a, b| {
            a.0.coarseness().cmp(&b.0.coarseness()).then(b.1.total_cmp(&a.1)).then_with(|| a.0.cmp(b.0))
        })
        .map(|(behavior, _)| behavior)
}

fn days_between(from: Date, to: Date) -> i32 {
    (to - from).get_days()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::history::Granularity;

    fn surge(sensor: &str, level: Option<(Granularity, u8)>, days: (i8, i8), excess: f64) -> FoundSurge {
        let (behavior, pattern) = match level {
            None => (SurgeBehavior::Service(Protocol::Tcp, 445), None),
            Some((granularity, number)) => {
                let name = format!("{granularity}{number}");
                (
                    SurgeBehavior::Named(granularity, BehaviorId([number; 16]), name),
                    Some(BehaviorId([number / 10; 16])),
                )
            }
        };
        FoundSurge {
            sensor: sensor.to_owned(),
            behavior,
            pattern,
            service: Some((Protocol::Tcp, 445)),
            first: date(2009, 3, days.0),
            last: date(2009, 3, days.1),
            excess,
        }
    }

    #[test]
    fn an_outbreak_at_two_sensors_is_one_thing_and_a_later_one_on_its_service_is_another() {
        use Granularity::{Pattern, Type};
        let found = [
            surge("I", None, (2, 25), 1000.0),
            surge("I", Some((Pattern, 10)), (2, 25), 700.0),
            surge("I", Some((Type, 11)), (3, 20), 600.0),
            surge("II", Some((Pattern, 10)), (6, 22), 50.0),
            surge("I", Some((Pattern, 20)), (18, 25), 200.0),
            surge("II", Some((Type, 21)), (19, 22), 20.0),
        ];
        let groups = assign_surges(&[], &found);
        let mut members: Vec<Vec<usize>> = groups.iter().map(|group| group.surges.clone()).collect();
        assert_eq!(members, [vec![1, 2, 3, 0], vec![4, 5]]);
        assert_eq!(groups[0].patterns(), [BehaviorId([1; 16])]);
        // In any order.
        let mut turned = found.to_vec();
        turned.reverse();
        members.iter_mut().flatten().for_each(|place| *place = found.len() - 1 - *place);
        let again: Vec<Vec<usize>> =
            assign_surges(&[], &turned).iter().map(|group| group.surges.clone()).collect();
        assert_eq!(again, members);
    }

    #[test]
    fn the_narrowest_behavior_with_most_of_the_excess_is_named() {
        use Granularity::{Shape, Type};
        let all = [
            surge("I", None, (2, 25), 1000.0),
            surge("I", Some((Shape, 10)), (2, 25), 700.0),
            surge("I", Some((Type, 11)), (2, 25), 400.0),
            surge("II", Some((Type, 11)), (2, 25), 20.0),
        ];
        let of = |count: usize| narrowest_behavior(&all.iter().take(count).collect::<Vec<_>>());
        assert_eq!(of(4), Some(&all[1].behavior));
        assert_eq!(of(1), Some(&all[0].behavior));
        assert_eq!(narrowest_behavior(&[]), None);
    }
}

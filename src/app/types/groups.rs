//! Describes a jump of the type count: the types that appeared or disappeared, grouped by pattern.

use std::collections::HashMap;
use std::iter::Peekable;
use std::slice;

use jiff::civil::Date;

use crate::app::AppError;
use crate::behavior::{Behavior, BehaviorId, Parameters};
use crate::history::per_target_port::PerTargetPortResult;
use crate::history::surge::{Direction, Surge};
use crate::packet::Timestamp;
use crate::rules::Rules;
use crate::store::HistoryStore;

/// Maximum number of groups that are listed for a jump.
const GROUPS_MAX: usize = 5;
/// Ports from this one on are masked in a group's pattern. Ports below it are the system ports, which
/// identify a service.
const MASKED_PORT_MIN: u16 = 1024;
/// Maximum number of types of a group that are listed by id.
const MEMBERS_LISTED_MAX: usize = 20;
/// Maximum number of observed days before a fall on which the disappeared types are collected. A longer
/// period would include more types that appear once and are gone on any day.
const BEFORE_DAYS_MAX: usize = 7;

/// Types of one pattern that appeared or disappeared. Types that differ only in a high destination port
/// belong to the same group.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The pattern's canonical string, with `~` in place of a high port.
    pub pattern: String,
    /// Number of types of the group that appeared or disappeared.
    pub types: u64,
    /// The ids of these types, ascending by type number in the history; at most twenty.
    pub members: Vec<BehaviorId>,
    /// Number of distinct ports of the types that contact a single port.
    pub ports: u64,
    /// Labels of the parameters of the group's first type.
    pub labels: Vec<String>,
    /// Mean number of types of the pattern per day in the observed days before the jump, seven at most.
    pub before: f64,
    /// Mean number of types of the pattern per day in the jump.
    pub since: f64,
    /// The test whether ports are derived from destinations; `None` without captures, or if no probe repeats.
    pub port_test: Option<PerTargetPortResult>,
}

/// A type that was seen on the days of a jump or shortly before.
struct SeenType {
    number: u64,
    /// Number of days on which the type was seen before the jump.
    before: u64,
    /// Number of days on which the type was seen in the jump.
    since: u64,
    /// Whether the type is new (in a rise) or gone (in a fall).
    changed: bool,
}

/// The types seen around a jump, collected type by type from a history. Memory: 32 bytes per type that was
/// seen in the jump or in the seven observed days before it.
pub(super) struct TypeCountChange {
    direction: Direction,
    /// The first and last of the days before the jump that it is compared with.
    before: (Date, Date),
    /// The first and last day of the jump.
    span: (Date, Date),
    before_days: u64,
    span_days: u64,
    seen: Vec<SeenType>,
}

impl TypeCountChange {
    /// Prepares the collection for a jump of a sensor whose observed days are `days`.
    pub(super) fn new(surge: &Surge, days: &[(Date, u64)]) -> TypeCountChange {
        let begin = days.partition_point(|(day, _)| *day < surge.first);
        let end = days.partition_point(|(day, _)| *day <= surge.last);
        let before = &days[begin.saturating_sub(BEFORE_DAYS_MAX)..begin];
        let edge = |day: Option<&(Date, u64)>| day.map_or(Date::MIN, |(day, _)| *day);
        TypeCountChange {
            direction: surge.direction,
            before: (edge(before.first()), edge(before.last())),
            span: (surge.first, surge.last),
            before_days: before.len() as u64,
            span_days: (end - begin) as u64,
            seen: Vec::new(),
        }
    }

    /// Returns the first and last day of the period in which the changed types were seen.
    pub(super) fn seen_on(&self) -> (Date, Date) {
        match self.direction {
            Direction::Up => self.span,
            Direction::Down => self.before,
        }
    }

    /// Adds a type with all days on which it was seen, ascending.
    pub(super) fn add(&mut self, number: u64, days: &[Date]) {
        let inside = |(first, last): (Date, Date)| {
            days.iter().filter(|day| (first..=last).contains(*day)).count() as u64
        };
        let (before, since) = (inside(self.before), inside(self.span));
        let (Some(first), Some(last)) = (days.first(), days.last()) else { return };
        let changed = match self.direction {
            Direction::Up => since > 0 && *first >= self.span.0,
            Direction::Down => before > 0 && *last < self.span.0,
        };
        if before + since > 0 {
            self.seen.push(SeenType { number, before, since, changed });
        }
    }
}

/// The groups of one change while they are built, each with the ports that its types contact.
struct GroupBuilder<'c> {
    change: &'c TypeCountChange,
    /// The seen types that have not been added yet.
    left: Peekable<slice::Iter<'c, SeenType>>,
    groups: HashMap<String, (Group, Vec<u16>)>,
}

/// Returns, for each change, the number of types that appeared or disappeared, and their groups. The patterns
/// whose types per day changed most come first. The parameters of all types are read once.
pub(super) fn groups_of(
    changes: &[TypeCountChange],
    store: &dyn HistoryStore,
    rules: &Rules,
) -> Result<Vec<(u64, Vec<Group>)>, AppError> {
    let mut numbers: Vec<u64> = changes.iter().flat_map(|one| &one.seen).map(|seen| seen.number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut all: Vec<GroupBuilder<'_>> = Vec::new();
    for change in changes {
        all.push(GroupBuilder { change, left: change.seen.iter().peekable(), groups: HashMap::new() });
    }
    store.each_parameters(&numbers, &mut |number, parameters| {
        let family = masked_pattern(&Behavior::of_family(&parameters, &rules.profile), &parameters);
        all.iter_mut().for_each(|one| one.add(number, &family, &parameters, rules));
    })?;
    Ok(all.into_iter().map(GroupBuilder::finish).collect())
}

impl GroupBuilder<'_> {
    /// Adds a type if it was seen around the change. Types must come in ascending order of their numbers.
    fn add(&mut self, number: u64, family: &str, parameters: &Parameters, rules: &Rules) {
        let Some(seen) = self.left.next_if(|seen| seen.number == number) else { return };
        let (group, ports) = self.groups.entry(family.to_owned()).or_insert_with(|| {
            let labels = rules.labels(parameters, &[], Timestamp::start_of(self.change.seen_on().0));
            (Group::new(family, labels), Vec::new())
        });
        group.before += mean(seen.before, self.change.before_days);
        group.since += mean(seen.since, self.change.span_days);
        if !seen.changed {
            return;
        }
        group.types += 1;
        if group.members.len() < MEMBERS_LISTED_MAX {
            group.members.push(Behavior::of_type(parameters, &rules.profile).id);
        }
        if let [port] = parameters.ports.listed() {
            ports.push(*port);
        }
    }

    fn finish(self) -> (u64, Vec<Group>) {
        let counted = |(mut group, mut ports): (Group, Vec<u16>)| {
            ports.sort_unstable();
            ports.dedup();
            group.ports = ports.len() as u64;
            group
        };
        let mut groups: Vec<Group> = self.groups.into_values().map(counted).collect();
        groups.retain(|group| group.types > 0);
        let types = groups.iter().map(|group| group.types).sum();
        let change = |group: &Group| match self.change.direction {
            Direction::Up => group.since - group.before,
            Direction::Down => group.before - group.since,
        };
        groups.sort_by(|a, b| change(b).total_cmp(&change(a)).then_with(|| a.pattern.cmp(&b.pattern)));
        groups.truncate(GROUPS_MAX);
        (types, groups)
    }
}

impl Group {
    fn new(family: &str, labels: Vec<&str>) -> Group {
        Group {
            pattern: family.to_owned(),
            types: 0,
            members: Vec::new(),
            ports: 0,
            labels: labels.into_iter().map(str::to_owned).collect(),
            before: 0.0,
            since: 0.0,
            port_test: None,
        }
    }
}

/// Returns a pattern's canonical string; if the parameters list a single port and it is high, the port is
/// masked.
pub(super) fn masked_pattern(family: &Behavior, parameters: &Parameters) -> String {
    match parameters.ports.listed() {
        [port] if *port >= MASKED_PORT_MIN => family.masked(*port),
        _ => family.canonical.clone(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of days")]
fn mean(days_seen: u64, days: u64) -> f64 {
    days_seen as f64 / days.max(1) as f64
}

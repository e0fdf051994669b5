//! Describes the jumps of the type count: the types that appeared or disappeared, grouped by pattern.

use std::collections::HashMap;
use std::iter::Peekable;
use std::slice;

use crate::analysis::per_target_port::PerTargetPortResult;
use crate::analysis::surge::Direction;
use crate::behavior::{Behavior, BehaviorId, Parameters};
use crate::packet::Timestamp;
use crate::rules::Rules;

use super::Jump;
use super::change::{SeenType, TypeCountChange};

/// Maximum number of groups that are listed for a jump.
const GROUPS_MAX: usize = 5;
/// Ports from this one on are masked in a group's pattern. Ports below it are the system ports, which
/// identify a service.
const MASKED_PORT_MIN: u16 = 1024;
/// Maximum number of types of a group that are listed by id.
const MEMBERS_LISTED_MAX: usize = 20;
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

/// The groups of one change while they are built, each with the ports that its types contact.
struct GroupBuilder<'c> {
    change: &'c TypeCountChange,
    /// The seen types that have not been added yet.
    left: Peekable<slice::Iter<'c, SeenType>>,
    groups: HashMap<String, (Group, Vec<u16>)>,
}

/// Builds the jumps of a sensor from the types that were seen around them, type by type.
pub struct JumpBuilder<'c> {
    rules: &'c Rules,
    changes: Vec<GroupBuilder<'c>>,
}

impl<'c> JumpBuilder<'c> {
    /// Prepares the jumps. Groups are named and labeled by the rules.
    #[must_use]
    pub fn new(changes: &'c [TypeCountChange], rules: &'c Rules) -> JumpBuilder<'c> {
        let builder = |change: &'c TypeCountChange| GroupBuilder {
            change,
            left: change.seen.iter().peekable(),
            groups: HashMap::new(),
        };
        JumpBuilder { rules, changes: changes.iter().map(builder).collect() }
    }

    /// Returns the numbers of the types whose parameters are needed, ascending.
    #[must_use]
    pub fn type_numbers(&self) -> Vec<u64> {
        let seen = self.changes.iter().flat_map(|one| &one.change.seen);
        let mut numbers: Vec<u64> = seen.map(|seen| seen.number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// Adds a type with its parameters. Types must come in ascending order of their numbers.
    pub fn add(&mut self, number: u64, parameters: &Parameters) {
        let pattern = masked_pattern(&Behavior::of_pattern(parameters, &self.rules.profile), parameters);
        self.changes.iter_mut().for_each(|one| one.add(number, &pattern, parameters, self.rules));
    }

    /// Returns the jumps, with the patterns whose types per day changed most first.
    #[must_use]
    pub fn finish(self) -> Vec<Jump> {
        self.changes.into_iter().map(GroupBuilder::finish).collect()
    }
}

impl GroupBuilder<'_> {
    /// Adds a type if it was seen around the change. Types must come in ascending order of their numbers.
    fn add(&mut self, number: u64, pattern: &str, parameters: &Parameters, rules: &Rules) {
        let Some(seen) = self.left.next_if(|seen| seen.number == number) else { return };
        let (group, ports) = self.groups.entry(pattern.to_owned()).or_insert_with(|| {
            let labels = rules.labels(parameters, &[], Timestamp::start_of(self.change.seen_on().0));
            (Group::new(pattern, labels), Vec::new())
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

    fn finish(self) -> Jump {
        let counted = |(mut group, mut ports): (Group, Vec<u16>)| {
            ports.sort_unstable();
            ports.dedup();
            group.ports = ports.len() as u64;
            group
        };
        let mut groups: Vec<Group> = self.groups.into_values().map(counted).collect();
        groups.retain(|group| group.types > 0);
        let types = groups.iter().map(|group| group.types).sum();
        let change = |group: &Group| match self.change.surge.direction {
            Direction::Up => group.since - group.before,
            Direction::Down => group.before - group.since,
        };
        groups.sort_by(|a, b| change(b).total_cmp(&change(a)).then_with(|| a.pattern.cmp(&b.pattern)));
        groups.truncate(GROUPS_MAX);
        Jump { surge: self.change.surge, types, seen_days: self.change.seen_on(), groups }
    }
}

impl Group {
    fn new(pattern: &str, labels: Vec<&str>) -> Group {
        Group {
            pattern: pattern.to_owned(),
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
pub(super) fn masked_pattern(pattern: &Behavior, parameters: &Parameters) -> String {
    match parameters.ports.listed() {
        [port] if *port >= MASKED_PORT_MIN => pattern.masked(*port),
        _ => pattern.canonical.clone(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of days")]
fn mean(days_seen: u64, days: u64) -> f64 {
    days_seen as f64 / days.max(1) as f64
}

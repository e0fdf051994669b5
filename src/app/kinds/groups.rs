//! What a jump of the number of kinds consists of: types that came or went, grouped by family.

use std::collections::HashMap;

use jiff::civil::Date;

use crate::app::AppError;
use crate::behavior::{Behavior, BehaviorId, Parameters};
use crate::event::Timestamp;
use crate::history::derived::Derived;
use crate::history::surge::{Direction, Surge};
use crate::rules::Rules;
use crate::store::HistoryStore;

/// Groups that are told of a jump, at most.
const GROUPS_MAX: usize = 5;
/// Ports from here on are masked in a group: below lie the system ports, which say something.
const MASKED_PORT_MIN: u16 = 1024;
/// Types of a group that are told by their ids.
const MEMBERS_TOLD_MAX: usize = 20;
/// Days before a fall on which what is gone was seen, at most: more of them hold more of what comes once and is gone on
/// any day.
const BEFORE_DAYS_MAX: usize = 7;

/// A group of types that came or went: one family, whatever high port its types ask for.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The family's canonical string, with `~` for a high port.
    pub family: String,
    /// Types of it that came or went.
    pub types: u64,
    /// The first of them, in the order of their numbers in the history; at most twenty.
    pub members: Vec<BehaviorId>,
    /// How many different ports they ask for, where each asks for one.
    pub ports: u64,
    /// Labels that the parameters of the first give.
    pub labels: Vec<String>,
    /// Its kinds a day in the days before the jump, a week at most.
    pub before: f64,
    /// Its kinds a day in the jump.
    pub since: f64,
    /// Whether the port follows from the destination, where captures were given and something repeated.
    pub derived: Option<Derived>,
}

/// A type that was seen about a jump.
struct Seen {
    number: u64,
    /// Days of those before the jump.
    before: u64,
    /// Days of the jump.
    since: u64,
    /// Whether it is new in a rise, or gone in a fall.
    changed: bool,
}

/// The types about a jump, as a history hands them on. Memory: 32 bytes a type that was seen in its days or the week before.
pub(super) struct Change {
    direction: Direction,
    /// The days before that it is compared with, both ends included.
    before: (Date, Date),
    /// Its own days, both ends included.
    span: (Date, Date),
    before_days: u64,
    span_days: u64,
    seen: Vec<Seen>,
}

impl Change {
    /// A jump of a sensor that looked on these days.
    pub(super) fn new(surge: &Surge, days: &[(Date, u64)]) -> Change {
        let begin = days.partition_point(|(day, _)| *day < surge.first);
        let end = days.partition_point(|(day, _)| *day <= surge.last);
        let before = &days[begin.saturating_sub(BEFORE_DAYS_MAX)..begin];
        let edge = |day: Option<&(Date, u64)>| day.map_or(Date::MIN, |(day, _)| *day);
        Change {
            direction: surge.direction,
            before: (edge(before.first()), edge(before.last())),
            span: (surge.first, surge.last),
            before_days: before.len() as u64,
            span_days: (end - begin) as u64,
            seen: Vec::new(),
        }
    }

    /// The days on which what came or went was seen.
    pub(super) fn seen_on(&self) -> (Date, Date) {
        match self.direction {
            Direction::Up => self.span,
            Direction::Down => self.before,
        }
    }

    /// Takes in a type with all its days, ascending.
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
            self.seen.push(Seen { number, before, since, changed });
        }
    }
}

/// The groups of a change that are being put together, with the ports that their types ask for.
struct Gathering {
    change: Change,
    /// The place of the first type that was not met yet.
    next: usize,
    groups: HashMap<String, (Group, Vec<u16>)>,
}

/// Returns for each of some changes how many types came or went, and what they are: the families first whose kinds a day changed
/// most. The parameters of all types are read once.
pub(super) fn groups_of(
    changes: Vec<Change>,
    store: &dyn HistoryStore,
    rules: &Rules,
) -> Result<Vec<(u64, Vec<Group>)>, AppError> {
    let mut numbers: Vec<u64> = changes.iter().flat_map(|one| &one.seen).map(|seen| seen.number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let begin = |change| Gathering { change, next: 0, groups: HashMap::new() };
    let mut all: Vec<Gathering> = changes.into_iter().map(begin).collect();
    store.each_parameters(&numbers, &mut |number, parameters| {
        let family = masked(&Behavior::of_family(&parameters, &rules.profile), &parameters);
        all.iter_mut().for_each(|one| one.add(number, &family, &parameters, rules));
    })?;
    Ok(all.into_iter().map(Gathering::finish).collect())
}

impl Gathering {
    /// Adds a type, if it was seen about the change. Types come in the order of their numbers.
    fn add(&mut self, number: u64, family: &str, parameters: &Parameters, rules: &Rules) {
        let seen_first = Timestamp::start_of(self.change.seen_on().0);
        let Some(seen) = self.change.seen.get(self.next).filter(|seen| seen.number == number) else { return };
        self.next += 1;
        if !self.groups.contains_key(family) {
            let group = Group::new(family, rules.labels(parameters, &[], seen_first));
            self.groups.insert(family.to_owned(), (group, Vec::new()));
        }
        let Some((group, ports)) = self.groups.get_mut(family) else { return };
        group.before += mean(seen.before, self.change.before_days);
        group.since += mean(seen.since, self.change.span_days);
        if !seen.changed {
            return;
        }
        group.types += 1;
        if group.members.len() < MEMBERS_TOLD_MAX {
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
        groups.sort_by(|a, b| change(b).total_cmp(&change(a)).then_with(|| a.family.cmp(&b.family)));
        groups.truncate(GROUPS_MAX);
        (types, groups)
    }
}

impl Group {
    fn new(family: &str, labels: Vec<&str>) -> Group {
        Group {
            family: family.to_owned(),
            types: 0,
            members: Vec::new(),
            ports: 0,
            labels: labels.into_iter().map(str::to_owned).collect(),
            before: 0.0,
            since: 0.0,
            derived: None,
        }
    }
}

/// A family's canonical string with its one high port masked.
pub(super) fn masked(family: &Behavior, parameters: &Parameters) -> String {
    match parameters.ports.listed() {
        [port] if *port >= MASKED_PORT_MIN => family.masked(*port),
        _ => family.canonical.clone(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of days")]
fn mean(days_seen: u64, days: u64) -> f64 {
    days_seen as f64 / days.max(1) as f64
}

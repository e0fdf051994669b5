//! Collects the types that appeared or disappeared in a jump of the type count.

use jiff::civil::Date;

use crate::analysis::surge::{Direction, Surge};

/// Maximum number of observed days before a fall on which the disappeared types are collected. A longer
/// period would include more types that appear once and are gone on any day.
const BEFORE_DAYS_MAX: usize = 7;

/// A type that was seen on the days of a jump or shortly before.
pub(super) struct SeenType {
    pub(super) number: u64,
    /// Number of days on which the type was seen before the jump.
    pub(super) before: u64,
    /// Number of days on which the type was seen in the jump.
    pub(super) since: u64,
    /// Whether the type is new (in a rise) or gone (in a fall).
    pub(super) changed: bool,
}

/// A jump with the types that were seen around it. Memory: 32 bytes per type that was seen in the jump or in
/// the seven observed days before it.
pub struct TypeCountChange {
    pub(super) surge: Surge,
    /// The first and last of the days before the jump that it is compared with.
    before: (Date, Date),
    pub(super) before_days: u64,
    pub(super) span_days: u64,
    pub(super) seen: Vec<SeenType>,
}

impl TypeCountChange {
    /// Prepares the collection for a jump of a sensor whose judged days are `days`.
    fn new(surge: Surge, days: &[(Date, u64)]) -> TypeCountChange {
        let begin = days.partition_point(|(day, _)| *day < surge.first);
        let end = days.partition_point(|(day, _)| *day <= surge.last);
        let before = &days[begin.saturating_sub(BEFORE_DAYS_MAX)..begin];
        let edge = |day: Option<&(Date, u64)>| day.map_or(Date::MIN, |(day, _)| *day);
        TypeCountChange {
            surge,
            before: (edge(before.first()), edge(before.last())),
            before_days: before.len() as u64,
            span_days: (end - begin) as u64,
            seen: Vec::new(),
        }
    }

    /// Returns the first and last day of the period in which the changed types were seen.
    pub(super) fn seen_on(&self) -> (Date, Date) {
        match self.surge.direction {
            Direction::Up => (self.surge.first, self.surge.last),
            Direction::Down => self.before,
        }
    }

    /// Adds a type with all days on which it was seen, ascending.
    fn add(&mut self, number: u64, days: &[Date]) {
        let inside = |(first, last): (Date, Date)| {
            days.iter().filter(|day| (first..=last).contains(*day)).count() as u64
        };
        let (before, since) = (inside(self.before), inside((self.surge.first, self.surge.last)));
        let (Some(first), Some(last)) = (days.first(), days.last()) else { return };
        let changed = match self.surge.direction {
            Direction::Up => since > 0 && *first >= self.surge.first,
            Direction::Down => before > 0 && *last < self.surge.first,
        };
        if before + since > 0 {
            self.seen.push(SeenType { number, before, since, changed });
        }
    }
}

/// Collects the types of several jumps of a sensor from the daily counts of its types.
pub struct ChangeCollector {
    changes: Vec<TypeCountChange>,
    /// The type whose days are being collected, and these days.
    number: u64,
    seen_on: Vec<Date>,
}

impl ChangeCollector {
    /// Prepares the collection for the jumps of a sensor whose judged days are `days`.
    #[must_use]
    pub fn new(jumps: Vec<Surge>, days: &[(Date, u64)]) -> ChangeCollector {
        let changes = jumps.into_iter().map(|surge| TypeCountChange::new(surge, days)).collect();
        ChangeCollector { changes, number: 0, seen_on: Vec::new() }
    }

    /// Adds an observed day on which the type with a number was seen. Calls must come in ascending order of
    /// number and day.
    pub fn add(&mut self, number: u64, day: Date) {
        if number != self.number {
            self.add_type();
            self.number = number;
        }
        self.seen_on.push(day);
    }

    /// Returns the jumps with the types that were seen around them.
    #[must_use]
    pub fn finish(mut self) -> Vec<TypeCountChange> {
        self.add_type();
        self.changes
    }

    fn add_type(&mut self) {
        self.changes.iter_mut().for_each(|change| change.add(self.number, &self.seen_on));
        self.seen_on.clear();
    }
}

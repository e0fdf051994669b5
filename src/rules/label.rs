//! Labels: names that rules give to windows by their parameters and marks.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::behavior::Parameters;
use crate::packet::Timestamp;

use super::schema::{LabelClass, LabelFile, LabelWhen, RuleInfo};

/// The conditions of a label on a sighting, beyond the type of the sighting: the marks of its windows and its
/// day.
#[derive(Clone, Debug)]
pub struct SightingConditions {
    /// Bits of the required marks; `None` if the history has never seen one of them.
    with: Option<u64>,
    /// Bits of the marks that exclude the label.
    without: u64,
    about: RuleInfo,
}

impl SightingConditions {
    /// Returns whether the label depends on marks.
    #[must_use]
    pub fn depends_on_marks(&self) -> bool {
        self.with != Some(0) || self.without != 0
    }

    /// Returns whether a sighting with these marks on this day has the label. The marks of a sighting are
    /// those of all its windows.
    #[must_use]
    pub fn holds(&self, marks: u64, day: Date) -> bool {
        self.with.is_some_and(|with| marks & with == with)
            && marks & self.without == 0
            && self.about.has_day(day)
    }
}

/// A compiled label rule.
#[derive(Clone, Debug)]
pub(super) struct Label {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) class: LabelClass,
    pub(super) about: RuleInfo,
    when: LabelWhen,
}

impl Label {
    pub(super) fn new(file: &LabelFile) -> Label {
        let about = file.about();
        Label {
            id: about.id.clone(),
            title: about.title.clone(),
            class: file.class,
            about,
            when: file.when.clone(),
        }
    }

    /// Returns whether a window with these parameters and marks at this time has the label.
    pub(super) fn matches(&self, parameters: &Parameters, marks: &[&str], at: Option<Timestamp>) -> bool {
        self.about.is_valid(at)
            && self.when.marks.iter().all(|mark| marks.contains(&mark.as_str()))
            && !self.when.without_marks.iter().any(|mark| marks.contains(&mark.as_str()))
            && self.fits(parameters)
    }

    /// Returns the label's conditions on a sighting beyond its parameters. The bit of a mark is its index in
    /// `mark_names`.
    pub(super) fn sighting_conditions(&self, mark_names: &[String]) -> SightingConditions {
        let bits = |wanted: &[String]| -> Option<u64> {
            wanted.iter().try_fold(0, |bits, mark| {
                let place = mark_names.iter().position(|name| name == mark)?;
                Some(bits | 1u64.checked_shl(u32::try_from(place).ok()?)?)
            })
        };
        let known = |mark: &&String| mark_names.contains(mark);
        let without: Vec<String> = self.when.without_marks.iter().filter(known).cloned().collect();
        SightingConditions {
            with: bits(&self.when.marks),
            without: bits(&without).unwrap_or(0),
            about: self.about.clone(),
        }
    }

    /// Returns whether the parameters satisfy the label's conditions, regardless of marks and time.
    pub(super) fn fits(&self, parameters: &Parameters) -> bool {
        let LabelWhen { packets, source_ports, destination_ports, destinations, transition, .. } = &self.when;
        let counts = [
            (packets, parameters.packets),
            (source_ports, parameters.source_ports),
            (destination_ports, parameters.destination_ports),
            (destinations, parameters.destinations),
        ];
        counts.iter().all(|(range, count)| range.is_none_or(|range| range.contains(*count)))
            && transition.is_none_or(|transition| transition == parameters.transition)
            && self.ports_match(parameters)
            && self.protocol_matches(parameters)
    }

    fn protocol_matches(&self, parameters: &Parameters) -> bool {
        self.when.protocol.as_ref().is_none_or(|any| any.contains(&parameters.protocol.to_string()))
    }

    fn ports_match(&self, parameters: &Parameters) -> bool {
        let listed = parameters.ports.listed();
        self.when.ports.as_ref().is_none_or(|ports| ports == listed)
            && self
                .when
                .port_min
                .is_none_or(|min| !listed.is_empty() && listed.iter().all(|port| *port >= min))
    }
}

impl RuleInfo {
    /// Returns whether a rule applies at a time. A rule with dates does not apply if the time is unknown: its
    /// name is a claim about a period, and a log without times cannot show that it falls within the period.
    pub(super) fn is_valid(&self, at: Option<Timestamp>) -> bool {
        if self.valid_from.is_none() && self.valid_to.is_none() {
            return true;
        }
        at.is_some_and(|at| self.has_day(at.day(&TimeZone::UTC)))
    }

    /// Returns whether a day lies within the rule's dates, both ends included.
    pub(super) fn has_day(&self, day: Date) -> bool {
        self.valid_from.is_none_or(|from| from <= day) && self.valid_to.is_none_or(|to| day <= to)
    }

    /// Returns whether the dates of two rules share a day.
    pub(super) fn overlaps(&self, other: &RuleInfo) -> bool {
        let ends_before =
            |a: &RuleInfo, b: &RuleInfo| a.valid_to.zip(b.valid_from).is_some_and(|(to, from)| to < from);
        !ends_before(self, other) && !ends_before(other, self)
    }
}

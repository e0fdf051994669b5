//! Labels: names for windows by their parameters.

use jiff::tz::TimeZone;

use crate::behavior::Parameters;
use crate::event::Timestamp;

use super::schema::{About, LabelClass, LabelFile, LabelWhen};

/// A compiled label.
#[derive(Clone, Debug)]
pub(super) struct Label {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) class: LabelClass,
    about: About,
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

    pub(super) fn matches(&self, parameters: &Parameters, marks: &[&str], at: Option<Timestamp>) -> bool {
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
            && self.when.marks.iter().all(|mark| marks.contains(&mark.as_str()))
            && !self.when.without_marks.iter().any(|mark| marks.contains(&mark.as_str()))
            && self.about.is_valid(at)
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

impl About {
    /// Whether a rule is valid at a time; a time that is unknown is no reason against it.
    pub(super) fn is_valid(&self, at: Option<Timestamp>) -> bool {
        if self.valid_from.is_none() && self.valid_to.is_none() {
            return true;
        }
        let Some(day) = at.map(|at| at.day(&TimeZone::UTC)) else { return true };
        self.valid_from.is_none_or(|from| from <= day) && self.valid_to.is_none_or(|to| day <= to)
    }
}

//! A closed window with all its names: types, labels, marks.

use crate::behavior::{Fingerprint, OpenWindow, fingerprint};
use crate::event::{AddressSpace, Clock};

use super::Rules;

/// A window with its names.
#[derive(Clone, Debug)]
pub struct NamedWindow {
    /// The packets behind it.
    pub window: OpenWindow,
    /// Its parameters and types.
    pub fingerprint: Fingerprint,
    /// Label ids of the whole, marks of tools and payloads among them.
    pub labels: Vec<String>,
    /// Label ids of each facet.
    pub facet_labels: Vec<Vec<String>>,
    /// What its times mean.
    pub clock: Clock,
}

impl Rules {
    /// Fingerprints and labels a closed window.
    #[must_use]
    pub fn name(&self, window: OpenWindow, space: &AddressSpace, clock: Clock) -> NamedWindow {
        let fingerprint = fingerprint(&window, space, &self.profile);
        let marks = self.window_marks(&window);
        let owned = |labels: Vec<&str>| labels.into_iter().map(str::to_owned).collect::<Vec<String>>();
        let mut labels = owned(self.labels(&fingerprint.whole.parameters, &marks, fingerprint.start));
        labels.extend(marks.iter().filter(|mark| self.is_told(mark)).map(|mark| (*mark).to_owned()));
        let facet_labels = fingerprint
            .facets
            .iter()
            .map(|facet| owned(self.labels(&facet.parameters, &[], fingerprint.start)))
            .collect();
        NamedWindow { window, fingerprint, labels, facet_labels, clock }
    }
}

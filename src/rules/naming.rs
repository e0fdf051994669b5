//! Naming of closed windows: types, labels and marks.

use crate::behavior::{Fingerprint, Fingerprinter, OpenWindow};
use crate::packet::{AddressSpace, Clock};

use super::Rules;

/// A window with its names.
#[derive(Clone, Debug)]
pub struct NamedWindow {
    /// The window.
    pub window: OpenWindow,
    /// Its parameters and the names of its types.
    pub fingerprint: Fingerprint,
    /// Ids of the labels of the whole window, followed by its marks of tools, malware and payloads.
    pub labels: Vec<String>,
    /// Ids of the labels of each facet.
    pub facet_labels: Vec<Vec<String>>,
    /// Whether its times have a date, only differences, or do not exist.
    pub clock: Clock,
}

/// Names windows, and caches the names of types.
pub struct Namer<'a> {
    rules: &'a Rules,
    space: &'a AddressSpace,
    fingerprinter: Fingerprinter,
}

impl<'a> Namer<'a> {
    /// Creates a namer for windows whose destinations are ranked in `space`.
    #[must_use]
    pub fn new(rules: &'a Rules, space: &'a AddressSpace) -> Namer<'a> {
        Namer { rules, space, fingerprinter: Fingerprinter::default() }
    }

    /// Fingerprints and labels a closed window. `clock` says what is known of its times.
    pub fn name(&mut self, window: OpenWindow, clock: Clock) -> NamedWindow {
        let Namer { rules, space, fingerprinter } = self;
        let fingerprint = fingerprinter.of(&window, space, &rules.profile);
        // Rules with dates do not apply to a window without a date.
        let at = fingerprint.start.filter(|_| clock == Clock::Absolute);
        let marks = rules.window_marks_at(&window, at);
        let owned = |labels: Vec<&str>| labels.into_iter().map(str::to_owned).collect::<Vec<String>>();
        let mut labels = owned(rules.labels(&fingerprint.whole.parameters, &marks, at));
        labels.extend(marks.iter().filter(|mark| rules.is_shown(mark)).map(|mark| (*mark).to_owned()));
        // Marks are counted per window and not per facet: facets have the marks of their window. A history
        // stores facets in the same way.
        let facet_labels = fingerprint
            .facets
            .iter()
            .map(|facet| owned(rules.labels(&facet.parameters, &marks, at)))
            .collect();
        NamedWindow { window, fingerprint, labels, facet_labels, clock }
    }
}

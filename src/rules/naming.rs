//! A closed window with all its names: types, labels, marks.

use crate::behavior::{Fingerprint, Fingerprinter, OpenWindow};
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

/// Names windows, and remembers what types are called.
pub struct Namer<'a> {
    rules: &'a Rules,
    space: &'a AddressSpace,
    fingerprinter: Fingerprinter,
}

impl<'a> Namer<'a> {
    /// For windows whose destinations are ranked in a space.
    #[must_use]
    pub fn new(rules: &'a Rules, space: &'a AddressSpace) -> Namer<'a> {
        Namer { rules, space, fingerprinter: Fingerprinter::default() }
    }

    /// Fingerprints and labels a closed window; `clock` is what its times mean.
    pub fn name(&mut self, window: OpenWindow, clock: Clock) -> NamedWindow {
        let Namer { rules, space, fingerprinter } = self;
        let fingerprint = fingerprinter.of(&window, space, &rules.profile);
        // Without a date, no rule with dates is applied.
        let at = fingerprint.start.filter(|_| clock == Clock::Absolute);
        let marks = rules.window_marks_at(&window, at);
        let owned = |labels: Vec<&str>| labels.into_iter().map(str::to_owned).collect::<Vec<String>>();
        let mut labels = owned(rules.labels(&fingerprint.whole.parameters, &marks, at));
        labels.extend(marks.iter().filter(|mark| rules.is_told(mark)).map(|mark| (*mark).to_owned()));
        // Packets are counted by mark for the window and not for its facets: a mark that nearly all packets of the
        // window have is given to its facets, too. A history stores facets in the same way.
        let facet_labels = fingerprint
            .facets
            .iter()
            .map(|facet| owned(rules.labels(&facet.parameters, &marks, at)))
            .collect();
        NamedWindow { window, fingerprint, labels, facet_labels, clock }
    }
}

//! From closed windows to sightings: each window named and put on its sensor's day.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::behavior::{Namer, OpenWindow};
use crate::event::{AddressSpace, Timestamp};
use crate::history::Gathering;
use crate::rules::Rules;

/// Names windows and puts them on days.
pub(super) struct Gatherer<'a> {
    rules: &'a Rules,
    namer: Namer,
    days: Days,
}

impl<'a> Gatherer<'a> {
    /// Windows to addresses of `space`, on days of `zone`.
    pub(super) fn new(space: AddressSpace, zone: TimeZone, rules: &'a Rules) -> Gatherer<'a> {
        let namer = Namer::new(rules.profile.clone(), space);
        Gatherer { rules, namer, days: Days { zone, known: None } }
    }

    /// Adds a window; one without a time has no day, and is left out.
    pub(super) fn add(&mut self, to: &mut Gathering, window: &OpenWindow) {
        let Some(start) = window.start else { return };
        let (day, marks) = (self.days.day(start), self.rules.window_mark_bits(window));
        if !to.add_known(window, day, marks) {
            to.add(window, &self.namer.fingerprint(window), day, marks);
        }
    }
}

/// Days of a time zone. Windows come in time order, so the last day is nearly always the next one, too.
struct Days {
    zone: TimeZone,
    known: Option<(Timestamp, Timestamp, Date)>,
}

impl Days {
    fn day(&mut self, time: Timestamp) -> Date {
        match self.known {
            Some((first, next, day)) if first <= time && time < next => day,
            _ => {
                let day = time.day(&self.zone);
                self.known = time.day_bounds(&self.zone).map(|(first, next)| (first, next, day));
                day
            }
        }
    }
}

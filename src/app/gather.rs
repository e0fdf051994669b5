//! From closed windows to types on days: what a history and a summary are made from.

use jiff::tz::TimeZone;
use smallvec::SmallVec;

use crate::behavior::{OpenWindow, TypeList, Types};
use crate::event::{AddressSpace, Timestamp};
use crate::history::{DarkTimes, Day, Gathering, Tally};
use crate::rules::Rules;

/// Numbers the types of windows and puts them on days.
pub(super) struct Gatherer<'a> {
    rules: &'a Rules,
    types: Types,
    /// The numbers of the types in histories, by their places in the list.
    numbers: Vec<u64>,
    days: Days,
    /// The dark addresses at each time; `None` if they are the same at all times.
    dark: Option<DarkTimes>,
}

impl<'a> Gatherer<'a> {
    /// Windows to addresses of `space`, on days of `zone`.
    pub(super) fn new(space: AddressSpace, zone: TimeZone, rules: &'a Rules) -> Gatherer<'a> {
        let types = Types::new(rules.profile.clone(), space);
        Gatherer { rules, types, numbers: Vec::new(), days: Days { zone, known: None }, dark: None }
    }

    /// Windows to addresses that were dark when they began, on days of `zone`.
    pub(super) fn dated(dark: DarkTimes, zone: TimeZone, rules: &'a Rules) -> Gatherer<'a> {
        let types = Types::new(rules.profile.clone(), AddressSpace::none());
        Gatherer { rules, types, numbers: Vec::new(), days: Days { zone, known: None }, dark: Some(dark) }
    }

    /// Adds windows with their facets to what a history keeps; one without a time has no day, and is left out.
    ///
    /// The destinations of a window are ranked among the addresses that were dark when the window began: a window counts
    /// on the day on which it begins, and its type must be one of that day. Dark addresses change at midnight only, so a
    /// window that lasts beyond a midnight can have destinations that were not dark yet when it began. They get rank 0.
    pub(super) fn gather(&mut self, to: &mut Gathering, windows: &[OpenWindow]) {
        let Some(dark) = self.dark.take() else { return self.gather_alike(to, windows) };
        for windows in windows.chunk_by(|one, other| dark.is_alike(one.start, other.start)) {
            let begin = windows.first().and_then(|window| window.start);
            if let Some(space) = begin.and_then(|begin| dark.of(begin)) {
                self.types.rank_in(space);
                self.gather_alike(to, windows);
            }
        }
        self.dark = Some(dark);
    }

    /// The same of windows that are ranked in the present space.
    fn gather_alike(&mut self, to: &mut Gathering, windows: &[OpenWindow]) {
        self.types.look_up(windows);
        for (at, window) in windows.iter().enumerate() {
            let Some(start) = window.start else { continue };
            let (day, marks) = (self.days.day(start), self.rules.window_mark_bits(window));
            let place = self.types.number(at, window);
            to.add_window(window, day, place, number_of(place, &self.types, &mut self.numbers), marks);
            let mut facets: SmallVec<[(u32, u64); 8]> = SmallVec::new();
            self.types.of_facets(window, &mut |place, packets| facets.push((place, packets)));
            for (place, packets) in facets {
                to.add_facet(window, day, number_of(place, &self.types, &mut self.numbers), packets, marks);
            }
        }
    }

    /// Adds windows to a summary; those without a time are put on 1970-01-01.
    pub(super) fn tally(&mut self, to: &mut Tally, windows: &[OpenWindow]) {
        self.types.look_up(windows);
        for (at, window) in windows.iter().enumerate() {
            let day = self.days.day(window.start.unwrap_or_default()).date;
            let number = self.types.number(at, window);
            to.add(day, window.source, number, window.packets);
        }
    }

    /// The types that were met, and their numbers in histories.
    pub(super) fn into_types(self) -> (TypeList, Vec<u64>) {
        (self.types.into_list(), self.numbers)
    }
}

/// The number of a type in histories, by its place in the list. Places are given in order, so that each is worked out once.
#[inline]
fn number_of(place: u32, types: &Types, numbers: &mut Vec<u64>) -> u64 {
    let at = usize::try_from(place).unwrap_or(usize::MAX);
    match numbers.get(at) {
        Some(number) => *number,
        None => {
            numbers.extend((numbers.len()..=at).map(|place| types.history_number(place)));
            numbers.last().copied().unwrap_or(0)
        }
    }
}

/// Days of a time zone. Windows come in time order, so the last day is nearly always the next one, too.
struct Days {
    zone: TimeZone,
    known: Option<(Day, Timestamp)>,
}

impl Days {
    #[inline]
    fn day(&mut self, time: Timestamp) -> Day {
        match self.known {
            Some((day, next)) if day.start <= time && time < next => day,
            _ => {
                let day = Day::of(time, &self.zone);
                self.known = time.day_bounds(&self.zone).map(|(_, next)| (day, next));
                day
            }
        }
    }
}

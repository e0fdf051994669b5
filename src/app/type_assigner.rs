//! Assigns types and days to closed windows, for histories and summaries.

use jiff::tz::TimeZone;
use smallvec::SmallVec;

use crate::behavior::{OpenWindow, ProbeSignature, Signatures, TypeList, Types};
use crate::history::{DarkSpaceLookup, Day, DayCounter, SightingCollector, WindowNames};
use crate::packet::{AddressSpace, Timestamp};
use crate::rules::Rules;

/// Determines the types of windows and the days on which they count.
pub(super) struct TypeAssigner<'a> {
    rules: &'a Rules,
    types: Types,
    signatures: Signatures,
    /// The numbers of the types in histories, by index in the list of types.
    history_numbers: Vec<u64>,
    days: DayCache,
    /// The dark addresses at each time; `None` if they are the same at all times.
    dark: Option<DarkSpaceLookup>,
}

impl<'a> TypeAssigner<'a> {
    /// Creates a gatherer for windows to addresses of `space`, with the days of `zone`.
    pub(super) fn new(space: AddressSpace, zone: TimeZone, rules: &'a Rules) -> TypeAssigner<'a> {
        let types = Types::new(rules.profile.clone(), space);
        TypeAssigner {
            rules,
            types,
            signatures: Signatures::default(),
            history_numbers: Vec::new(),
            days: DayCache { zone, last_day: None },
            dark: None,
        }
    }

    /// Creates a gatherer for windows to addresses that were dark when the window began, with the days of
    /// `zone`.
    pub(super) fn with_dark_spaces(
        dark: DarkSpaceLookup,
        zone: TimeZone,
        rules: &'a Rules,
    ) -> TypeAssigner<'a> {
        let types = Types::new(rules.profile.clone(), AddressSpace::none());
        TypeAssigner {
            rules,
            types,
            signatures: Signatures::default(),
            history_numbers: Vec::new(),
            days: DayCache { zone, last_day: None },
            dark: Some(dark),
        }
    }

    /// Adds windows and their facets to a contribution. A window without a time has no day and is left out.
    ///
    /// Destinations are ranked among the addresses that were dark when the window began, because a window
    /// counts on the day on which it begins, and its type must be one of that day. Dark addresses change only
    /// at midnight. A window that lasts beyond midnight can therefore have destinations that were not dark
    /// yet when it began; they get rank 0.
    pub(super) fn gather(&mut self, to: &mut SightingCollector, windows: &[OpenWindow]) {
        let Some(dark) = self.dark.take() else { return self.gather_same_space(to, windows) };
        for windows in windows.chunk_by(|one, other| dark.is_same_period(one.start, other.start)) {
            let begin = windows.first().and_then(|window| window.start);
            if let Some(space) = begin.and_then(|begin| dark.space_at(begin)) {
                self.types.rank_in(space);
                self.gather_same_space(to, windows);
            }
        }
        self.dark = Some(dark);
    }

    /// Adds windows whose destinations are ranked in the current address space.
    fn gather_same_space(&mut self, to: &mut SightingCollector, windows: &[OpenWindow]) {
        for window in windows {
            let Some(start) = window.start else { continue };
            let (day, marks) = (self.days.day(start), self.rules.window_mark_bits(window));
            let signatures = &mut self.signatures;
            let mut number_of = |signature: Option<ProbeSignature>| {
                signature.and_then(|signature| signatures.number(&signature))
            };
            let place = self.types.of_window(window);
            let number = history_number(place, &self.types, &mut self.history_numbers);
            let names = WindowNames { number, signature: number_of(window.signature()), marks };
            to.add_window(window, day, place, names);
            let mut facets: SmallVec<[(u32, u64, Option<u64>); 8]> = SmallVec::new();
            self.types.of_facets(window, &mut |place, packets, first| {
                facets.push((place, packets, number_of(window.service_signature(first))));
            });
            for (place, packets, signature) in facets {
                let number = history_number(place, &self.types, &mut self.history_numbers);
                to.add_facet(window, day, packets, WindowNames { number, signature, marks });
            }
        }
    }

    /// Adds windows to a summary; windows without a time are put on 1970-01-01.
    pub(super) fn tally(&mut self, to: &mut DayCounter, windows: &[OpenWindow]) {
        for window in windows {
            let day = self.days.day(window.start.unwrap_or_default()).date;
            let number = self.types.of_window(window);
            to.add(day, window.source, number, window.packets);
        }
    }

    /// Returns the numbers of windows and facets that have no signature, and no payload hash in their signature,
    /// because the capture had too many different ones.
    pub(super) fn signatures_left_out(&self) -> (u64, u64) {
        (self.signatures.left_out(), self.signatures.without_payload())
    }

    /// Returns the types of all windows so far, their numbers in histories, and the signatures.
    pub(super) fn into_types(self) -> (TypeList, Vec<u64>, Vec<(u64, ProbeSignature)>) {
        (self.types.into_list(), self.history_numbers, self.signatures.into_list())
    }
}

/// Returns the number of a type in histories, by the type's index in the list. Indices are assigned in
/// ascending order, so that each number is computed once.
#[inline]
fn history_number(place: u32, types: &Types, numbers: &mut Vec<u64>) -> u64 {
    let at = usize::try_from(place).unwrap_or(usize::MAX);
    match numbers.get(at) {
        Some(number) => *number,
        None => {
            numbers.extend((numbers.len()..=at).map(|place| types.history_number(place)));
            numbers.last().copied().unwrap_or(0)
        }
    }
}

/// Maps times to days of a time zone. Windows come in time order, so the last day is cached.
struct DayCache {
    zone: TimeZone,
    last_day: Option<(Day, Timestamp)>,
}

impl DayCache {
    #[inline]
    fn day(&mut self, time: Timestamp) -> Day {
        match self.last_day {
            Some((day, next)) if day.start <= time && time < next => day,
            _ => {
                let day = Day::from_time(time, &self.zone);
                self.last_day = time.day_bounds(&self.zone).map(|(_, next)| (day, next));
                day
            }
        }
    }
}

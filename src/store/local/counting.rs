//! Daily and hourly counts of the sightings of one type and scope, with exact numbers of hosts.

use std::iter::Peekable;
use std::net::IpAddr;

use jiff::civil::Date;

use crate::history::{DailyCount, HourlyCount, Scope, Sighting, hours_in_bitmap};
use crate::store::StoreError;

/// The daily and hourly counts of one type and scope. Sightings must be added ordered by host and day
/// ([`Sighting::order`]). Memory: about 60 bytes for each day, and for each hour of a day, with a sighting.
#[derive(Default)]
pub(super) struct CountsOfType {
    /// The host and day of the last sighting, and the hours (bits) of this host and day so far.
    last: Option<(IpAddr, Date, u32)>,
    /// Ascending by day.
    days: Vec<DailyCount>,
    /// Ascending by day and hour.
    hours: Vec<HourlyCount>,
}

impl CountsOfType {
    /// Adds a sighting, and returns whether its host is new on its day. If the sighting has a single hour,
    /// its windows and packets are added to this hour; otherwise they must be supplied by
    /// [`CountsOfType::apply_stored_hours`].
    pub(super) fn add(&mut self, sighting: &Sighting) -> bool {
        let Sighting { day, number, scope, host, counts, .. } = *sighting;
        // Sightings of the same host and day follow each other.
        let known_hours = match self.last {
            Some((last_host, last_day, hours)) if (last_host, last_day) == (host, day) => Some(hours),
            _ => None,
        };
        self.last = Some((host, day, known_hours.unwrap_or(0) | counts.hours));
        let (windows, packets) = (counts.windows, counts.packets);
        let of_day = self.day((number, scope), day);
        of_day.windows = of_day.windows.saturating_add(windows);
        of_day.packets = of_day.packets.saturating_add(packets);
        of_day.hosts += u64::from(known_hours.is_none());
        let is_single = counts.hours.is_power_of_two();
        for hour in hours_in_bitmap(counts.hours) {
            let of_hour = self.hour((number, scope), day, hour);
            of_hour.hosts += u64::from(known_hours.unwrap_or(0) >> hour & 1 == 0);
            if is_single {
                of_hour.windows = of_hour.windows.saturating_add(windows);
                of_hour.packets = of_hour.packets.saturating_add(packets);
            }
        }
        known_hours.is_none()
    }

    /// Replaces the windows and packets of all hours by those of stored hourly counts of the same sightings,
    /// because a sighting of several hours does not say how many of its windows began in each. `kept` is read
    /// up to the first count of another type or scope.
    ///
    /// # Errors
    /// Fails if the stored counts and the sightings do not have the same hours.
    pub(super) fn apply_stored_hours(
        &mut self,
        kept: &mut Peekable<impl Iterator<Item = Result<HourlyCount, StoreError>>>,
    ) -> Result<(), StoreError> {
        let Some((number, scope)) = self.days.first().map(|day| (day.number, day.scope)) else {
            return Ok(());
        };
        let differ = || {
            StoreError::Damaged(format!("type {number} has other hours in its counts than in its sightings"))
        };
        let of_type = |hour: &Result<HourlyCount, StoreError>| {
            hour.as_ref().map_or(true, |hour| (hour.number, hour.scope) == (number, scope))
        };
        for hour in &mut self.hours {
            (hour.windows, hour.packets) = (0, 0);
        }
        let mut at = 0;
        while let Some(hour) = kept.next_if(of_type) {
            let hour = hour?;
            while self.hours.get(at).is_some_and(|own| own.order(&hour).is_lt() && own.windows > 0) {
                at += 1;
            }
            let own = self.hours.get_mut(at).filter(|own| own.order(&hour).is_eq()).ok_or_else(differ)?;
            own.windows = own.windows.saturating_add(hour.windows);
            own.packets = own.packets.saturating_add(hour.packets);
        }
        if self.hours.iter().all(|hour| hour.windows > 0) { Ok(()) } else { Err(differ()) }
    }

    /// Returns each daily count with the hourly counts of the same day.
    pub(super) fn days(&self) -> impl Iterator<Item = (&DailyCount, &[HourlyCount])> {
        let of_days = self.hours.chunk_by(|one, other| one.day == other.day);
        self.days.iter().zip(of_days)
    }

    /// Removes all counts, for the next type or scope.
    pub(super) fn clear(&mut self) {
        self.last = None;
        self.days.clear();
        self.hours.clear();
    }

    fn day(&mut self, (number, scope): (u64, Scope), day: Date) -> &mut DailyCount {
        let at = match self.days.binary_search_by_key(&day, |count| count.day) {
            Ok(at) => at,
            Err(at) => {
                self.days.insert(at, DailyCount { number, scope, day, windows: 0, packets: 0, hosts: 0 });
                at
            }
        };
        &mut self.days[at]
    }

    fn hour(&mut self, (number, scope): (u64, Scope), day: Date, hour: u8) -> &mut HourlyCount {
        let at = match self.hours.binary_search_by_key(&(day, hour), |count| (count.day, count.hour)) {
            Ok(at) => at,
            Err(at) => {
                let new = HourlyCount { number, scope, day, hour, windows: 0, packets: 0, hosts: 0 };
                self.hours.insert(at, new);
                at
            }
        };
        &mut self.hours[at]
    }
}

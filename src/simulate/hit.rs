//! Contacts with dark addresses, and the clock of the times at which hosts scan.

use std::net::IpAddr;

use jiff::tz::TimeZone;

use crate::packet::Timestamp;

use super::family_plan::ActivityRhythm;

/// A contact of a host with a dark address. The packets that the host sends depend on these fields only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    /// Time of the contact.
    pub(super) at: Timestamp,
    /// Address of the host at that time.
    pub(super) source: IpAddr,
    /// The dark address.
    pub(super) destination: IpAddr,
    /// Number of targets that the host had before.
    pub(super) ordinal: u64,
    /// Seed of the host.
    pub(super) key: u64,
    /// Index of the actor.
    pub(super) actor: u16,
    /// Index of the infection in the actor's population; `u32::MAX` for a host of the background that is no
    /// infection.
    pub(super) host: u32,
}

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3_600 * SECOND;

/// The scanning time of a family since the scenario's start, in weighted seconds by the rhythm of a time
/// zone. It is stored for each hour and interpolated linearly between hours. Memory: 8 bytes per hour.
#[derive(Clone, Debug)]
pub(super) struct ActiveClock {
    start: i64,
    /// Weighted seconds that have passed at the beginning of each hour.
    elapsed: Vec<f64>,
}

impl ActiveClock {
    pub(super) fn new(
        start: Timestamp,
        end: Timestamp,
        rhythm: &ActivityRhythm,
        zone: &TimeZone,
    ) -> ActiveClock {
        let hours = (end.0 - start.0) / HOUR + 2;
        let mut passed = Vec::with_capacity(usize::try_from(hours).unwrap_or(0) + 1);
        let mut sum = 0.0;
        for hour in 0..hours {
            passed.push(sum);
            sum += 3_600.0 * weight(rhythm, start.plus_nanoseconds(hour * HOUR), zone);
        }
        passed.push(sum);
        ActiveClock { start: start.0, elapsed: passed }
    }

    /// Returns the weighted seconds that have passed at a moment.
    #[expect(clippy::cast_precision_loss, reason = "within an hour")]
    pub(super) fn weighted_seconds(&self, time: Timestamp) -> f64 {
        let since = (time.0 - self.start).max(0);
        let hour = usize::try_from(since / HOUR).unwrap_or(0).min(self.elapsed.len() - 2);
        let within = ((since % HOUR) as f64 / HOUR as f64).min(1.0);
        self.elapsed[hour] + within * (self.elapsed[hour + 1] - self.elapsed[hour])
    }

    /// Returns the moment at which a number of weighted seconds has passed; `None` if it is after the end.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "within an hour")]
    pub(super) fn time_after(&self, seconds: f64) -> Option<Timestamp> {
        let after = self.elapsed.partition_point(|passed| *passed <= seconds);
        let hour = after.checked_sub(1).filter(|_| after < self.elapsed.len())?;
        let share = (seconds - self.elapsed[hour]) / (self.elapsed[after] - self.elapsed[hour]);
        let within = (share * HOUR as f64) as i64;
        Some(Timestamp(self.start + i64::try_from(hour).ok()? * HOUR + within.clamp(0, HOUR - 1)))
    }
}

/// Returns the weight of a moment: that of its hour times that of its weekday.
fn weight(rhythm: &ActivityRhythm, time: Timestamp, zone: &TimeZone) -> f64 {
    let instant = jiff::Timestamp::from_nanosecond(i128::from(time.0)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let local = instant.to_zoned(zone.clone());
    let of = |weights: &[f64], at: i8| {
        usize::try_from(at).ok().and_then(|at| weights.get(at)).copied().unwrap_or(1.0)
    };
    of(&rhythm.hours, local.hour()) * of(&rhythm.weekdays, local.weekday().to_monday_zero_offset())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_stands_still_while_hosts_are_off_and_reads_back() {
        let start: Timestamp = "2009-03-06T00:00:00Z".parse().unwrap();
        let end = start.plus_nanoseconds(4 * 24 * HOUR);
        let mut hours = vec![0.0; 24];
        hours[9..17].fill(1.0);
        let rhythm = ActivityRhythm { hours, weekdays: vec![1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0] };
        let tokyo = TimeZone::get("Asia/Tokyo").unwrap();
        let clock = ActiveClock::new(start, end, &rhythm, &tokyo);
        let at = |text: &str| clock.weighted_seconds(text.parse().unwrap());
        // Friday nine o'clock in Tokyo is midnight in UTC; Saturday and Sunday pass without work.
        assert_eq!(at("2009-03-06T01:30:00Z"), 5_400.0);
        assert_eq!(at("2009-03-06T12:00:00Z"), at("2009-03-08T23:00:00Z"));
        assert_eq!(at("2009-03-09T01:00:00Z"), 9.0 * 3_600.0);
        for seconds in [0.0, 5_400.0, 8.0 * 3_600.0 - 1.0, 8.0 * 3_600.0, 30_000.0] {
            let when = clock.time_after(seconds).unwrap();
            assert!((clock.weighted_seconds(when) - seconds).abs() < 1e-3, "{seconds}");
        }
        assert_eq!(clock.time_after(8.0 * 3_600.0).unwrap().to_string(), "2009-03-09T00:00:00.000000000Z");
        assert_eq!(clock.time_after(1e9), None);
    }
}

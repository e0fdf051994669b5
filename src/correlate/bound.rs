//! Not seen is a bound: how many hosts could run the sample without this sensor noticing.

use crate::sample::{Projection, Scan, TargetOrder};

use super::SensorHistory;

/// Expected hits without any being seen has a chance of 5 % at this mean (Poisson: -ln 0.05).
const MEAN_MISSED_AT_5_PERCENT: f64 = 2.9957;

/// Fewer than so many hosts, at 95 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// Hosts scanning throughout the observed days.
    pub hosts: u64,
    /// Dark addresses that one such host is expected to ask, over all observed days.
    pub hits_per_host: f64,
    /// Observed days.
    pub days: u64,
}

/// The bound for hosts that scan as the sandbox run shows, all the time.
///
/// # Errors
/// Says why there is none: no scan, no rate, blocks of which nobody knows how they are chosen, no observed day.
pub fn unseen_bound(
    scan: Option<&Scan>,
    projection: Option<&Projection>,
    history: &SensorHistory,
) -> Result<Bound, String> {
    let (Some(scan), Some(projection)) = (scan, projection) else {
        return Err("the sample's run shows no scan, so no darknet could see it".to_owned());
    };
    let days = history.sum_totals().days;
    if days == 0 {
        return Err("the sensor has no observed day".to_owned());
    }
    match scan.targeting.order {
        TargetOrder::Link => {
            return Err("the sample scans its own link only, which no darknet sees".to_owned());
        }
        TargetOrder::Sequential { .. } if !scan.targeting.reach.known => {
            return Err(
                "the sample scans block by block; which blocks its other victims would choose is unknown"
                    .to_owned(),
            );
        }
        _ => {}
    }
    if scan.targets_per_second.is_none() {
        return Err("the run's times do not give a scan rate".to_owned());
    }
    if projection.windows == 0 {
        return Err("the sensor has no address that the sample could scan".to_owned());
    }
    Ok(bound(projection, days))
}

#[expect(clippy::cast_possible_truncation, reason = "positive, and capped by the cast")]
fn bound(projection: &Projection, days: u64) -> Bound {
    let observed = days as f64;
    // Seen on no day of several: days are taken as independent of each other. Where dark addresses changed, the chance is
    // the mean over the days. The product of the days' own chances to miss the host is at most the power of their mean, so
    // the true bound is never larger than this one.
    let missed = (1.0 - projection.seen_per_host_day).max(0.0).powf(observed);
    let hosts = (MEAN_MISSED_AT_5_PERCENT / (1.0 - missed).max(1e-12)).ceil() as u64;
    Bound { hosts, hits_per_host: projection.contacts_per_host_day * observed, days }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_days_and_a_surer_sight_bound_more_tightly() {
        let seen = |seen_per_host_day| Projection {
            predicted: Vec::new(),
            windows_per_host_day: 2.6,
            contacts_per_host_day: 2.6,
            seen_per_host_day,
            near_share: 0.0,
            windows: 256,
            variants: Vec::new(),
            periods: Vec::new(),
            examples: Vec::new(),
        };
        assert_eq!(bound(&seen(0.93), 10).hosts, 3);
        assert!((bound(&seen(0.93), 10).hits_per_host - 26.0).abs() < 1e-9);
        assert!(bound(&seen(0.01), 1).hosts > 200);
        assert!(bound(&seen(0.01), 100).hosts < 6);
    }
}

//! Not seen is a bound: how many hosts could run the sample without this sensor noticing.

use crate::behavior::Transition;
use crate::sample::SampleProfile;

use super::SensorHistory;

/// Expected hits without any being seen has a chance of 5 % at this mean (Poisson: -ln 0.05).
const MEAN_MISSED_AT_5_PERCENT: f64 = 2.9957;
/// Addresses of the Internet that a uniform scan draws from.
const IPV4_ADDRESSES: f64 = 4_294_967_296.0;
const SECONDS_A_DAY: f64 = 86_400.0;

/// Fewer than so many hosts, at 95 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// Hosts scanning throughout the observed days.
    pub hosts: u64,
    /// Destinations that one such host is expected to hit in the sensor, over all observed days.
    pub hits_per_host: f64,
    /// Observed days.
    pub days: u64,
}

/// The bound for a sample that scans uniformly, at the rate of its sandbox run, all the time.
///
/// # Errors
/// Says why there is none: no scan, no rate, a scan that is not uniform, no observed day.
pub fn unseen_bound(sample: &SampleProfile, history: &SensorHistory) -> Result<Bound, String> {
    if !sample.scans() {
        return Err("the sample's run shows no scan, so no darknet could see it".to_owned());
    }
    let days = history.known().days;
    if days == 0 {
        return Err("the sensor has no observed day".to_owned());
    }
    let sequential = sample
        .scan_windows()
        .any(|window| window.fingerprint.whole.parameters.transition == Transition::Sequential);
    if sequential {
        return Err(
            "the sample scans block by block; which blocks its other victims would choose is unknown"
                .to_owned(),
        );
    }
    let rate = sample.destinations_per_second().ok_or("the run's times do not give a scan rate")?;
    let addresses = history.sensor.space().size().unwrap_or(0);
    Ok(bound(rate, addresses, days))
}

#[expect(clippy::cast_precision_loss, reason = "an estimate from counts")]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive, and capped by the cast"
)]
fn bound(rate: f64, addresses: u128, days: u64) -> Bound {
    let hits_per_host = rate * SECONDS_A_DAY * days as f64 * addresses as f64 / IPV4_ADDRESSES;
    let noticed = 1.0 - (-hits_per_host).exp();
    let hosts = (MEAN_MISSED_AT_5_PERCENT / noticed.max(1e-12)).ceil() as u64;
    Bound { hosts, hits_per_host, days }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_sensor_and_more_days_bound_more_tightly() {
        let slash_16 = bound(2.0, 65_536, 10);
        assert_eq!(slash_16.hosts, 3);
        assert!((slash_16.hits_per_host - 26.37).abs() < 0.01);
        let slash_24 = bound(2.0, 256, 1);
        assert!(slash_24.hosts > 200, "{slash_24:?}");
    }
}

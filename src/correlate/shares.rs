//! The shares of host-days that a sample predicts, from the shares of windows of its projection.
//!
//! A history counts a host once per day and series, however many windows it shows. A projection predicts shares of
//! windows. A host with many windows a day shows even rare behaviors on some of them, so that the share of its
//! host-days on a rare series is larger than the share of its windows.

use crate::behavior::BehaviorId;
use crate::sample::ScanVariant;

use super::fit::MODEL_HOSTS;
use super::{SeriesTable, Shares};

/// Number of volumes that windows with several destinations may well have: powers of two from a handful to some
/// hundred.
pub(super) const VOLUMES: f64 = 6.0;
/// Maximum number of windows of a host on a day that are counted: half a minute each, all day.
const WINDOWS_MAX: f64 = 2_880.0;

/// Returns what a sample may show on the series of a table: its variants with the volumes that the rate of its run
/// gives them, and, as likely, with any volumes, since other hosts are faster or slower than the sandbox.
/// `run_contacts` is the number of contacts of the run that the shares were worked out from.
pub(super) fn shares_on(table: &SeriesTable, variants: &[ScanVariant], run_contacts: f64) -> Vec<Shares> {
    let known_hosts = 1.0 / (1.0 / MODEL_HOSTS + 1.0 / run_contacts.max(1.0));
    let on = |variant: &ScanVariant| {
        let exact: Vec<(usize, f64)> = variant
            .series_shares
            .iter()
            .filter_map(|(name, share)| Some((table.series_by_name(*name)?, *share)))
            .collect();
        let loose: Vec<(usize, f64)> = variant
            .shape_shares
            .iter()
            .flat_map(|(habit, share)| evenly(table.series_of_habit(*habit), *share))
            .collect();
        let several = |habit: &BehaviorId| {
            table.series_of_habit(*habit).iter().any(|at| table.series[*at].parameters.destinations > 1)
        };
        let has_volumes = variant.shape_shares.iter().any(|(habit, _)| several(habit));
        let volumes = if has_volumes { VOLUMES } else { 1.0 };
        let weight = variant.weight / 2.0;
        [
            Shares { weight, series: of_host_days(table, exact), known_hosts },
            Shares { weight: weight / volumes, series: of_host_days(table, loose), known_hosts },
        ]
    };
    variants.iter().flat_map(on).collect()
}

/// Converts shares of windows to shares of host-days.
fn of_host_days(table: &SeriesTable, mut shares: Vec<(usize, f64)>) -> Vec<(usize, f64)> {
    let (mut windows, mut hosts) = (0.0, 0.0);
    for (at, share) in &shares {
        let series = &table.series[*at];
        windows += share * series.windows;
        hosts += share * series.total();
    }
    // The number of windows beyond the first one of a host and day. It differs between hosts as an exponential
    // distribution does.
    let further = (windows / f64::max(hosts, 1e-9)).clamp(1.0, WINDOWS_MAX) - 1.0;
    let shown = |share: f64| shown_part(further, share);
    let unseen = (1.0 - shares.iter().map(|(_, share)| share).sum::<f64>()).max(0.0);
    let all = shares.iter().map(|(_, share)| shown(*share)).sum::<f64>() + shown(unseen);
    shares.iter_mut().for_each(|(_, share)| *share = shown(*share) / all.max(f64::MIN_POSITIVE));
    shares
}

/// Returns the probability that a host shows a behavior on a day, of which it has `further` windows on average
/// beyond the first one, each of them with the behavior with probability `share`.
fn shown_part(further: f64, share: f64) -> f64 {
    share + (1.0 - share) * (further * share / (1.0 + further * share))
}

/// Returns a share of some series together, each with an equal part.
pub(super) fn evenly(series: &[usize], share: f64) -> Vec<(usize, f64)> {
    series.iter().map(|at| (*at, share / series.len() as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rare_behavior_has_a_larger_share_of_host_days_than_of_windows() {
        assert!((shown_part(0.0, 0.02) - 0.02).abs() < 1e-12);
        assert!(shown_part(9.0, 0.02) > 0.15 && shown_part(9.0, 0.02) < 0.2);
        assert!(shown_part(9.0, 0.9) < 1.0);
    }
}

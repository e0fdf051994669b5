//! Scanners of which nobody has a sample: how often they begin on a service, and how they scan.
//!
//! The sensor's own past tells both. On a service where scanners often began, the next one may well be unknown;
//! and an unknown scanner scans as the hosts do that already scan the service.

use std::collections::HashMap;

use jiff::civil::Date;

use crate::analysis::surge::surges;
use crate::behavior::{BehaviorId, Ports, ProtocolSet};

use super::SeriesTable;
use super::fit::{MODEL_HOSTS, Shares};
use super::lag::days_between;
use super::shares::{VOLUMES, evenly};

/// Maximum p-value of a surge of a service that counts as an onset, before it is divided by the observed days.
const ONSET_P_MAX: f64 = 0.05;
/// Onsets nearer to an event than this number of days may be the event itself.
const SAME_EVENT_DAYS: i64 = 14;
/// Onsets of a service in the time of a history, as a mean over services, before any was observed: each of some
/// hundred services that are scanned at all sees a new scanner every few years.
const USUAL_ONSETS: f64 = 0.03;
/// Number of services with that mean that are added to the observed ones.
const USUAL_SERVICES: f64 = 50.0;
/// Shape of the gamma distribution of that rate over services. It is far below 1, because new scanners crowd on few
/// services: one onset on a service makes a further one much likelier there.
const RATE_SHAPE: f64 = 0.1;
/// Number of ways in which most scanners scan one service: the retries of Windows, of Linux, another number of
/// them or none, in sweeps or not. Half of the unknown scanners are spread over them evenly.
const USUAL_HABITS: f64 = 8.0;

/// A service: its ports, unless they carry no information, and its protocols.
type ScannedService = (Option<Ports>, ProtocolSet);

/// A way in which an unknown scanner may scan.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct UnknownScanner {
    /// Its habit.
    pub(super) habit: BehaviorId,
    /// Logarithm of the probability that such a scanner begins on one given day.
    pub(super) log_rate: f64,
    /// Logarithm of the probability that its windows have the volumes of the series that the sensor knows.
    pub(super) log_volumes: f64,
    /// Its host-days over the series of the sensor.
    pub(super) shares: Vec<Shares>,
}

/// The services of a sensor with the onsets of their past.
pub(super) struct UnknownScanners {
    /// Index of the service by series of the table.
    service_of: Vec<usize>,
    /// Days of the onsets by service.
    onsets: Vec<Vec<Date>>,
}

impl UnknownScanners {
    /// Finds the onsets of all services of a sensor.
    pub(super) fn new(table: &SeriesTable) -> UnknownScanners {
        let mut known: HashMap<ScannedService, usize> = HashMap::new();
        let mut hosts: Vec<Vec<f64>> = Vec::new();
        let service_of = table.series.iter().map(|series| {
            let ports = (!series.name.is_masked()).then(|| series.parameters.ports.clone());
            let place = *known.entry((ports, series.parameters.protocol.clone())).or_insert_with(|| {
                hosts.push(vec![0.0; table.days.len()]);
                hosts.len() - 1
            });
            hosts[place].iter_mut().zip(&series.hosts).for_each(|(sum, hosts)| *sum += hosts);
            place
        });
        let service_of = service_of.collect();
        let p_max = ONSET_P_MAX / table.days.len().max(1) as f64;
        let onsets: Vec<Vec<Date>> = hosts
            .iter()
            .map(|hosts| surges(&table.daily(hosts), p_max).into_iter().map(|surge| surge.first).collect())
            .collect();
        UnknownScanners { service_of, onsets }
    }

    /// Returns the unknown scanners that may have begun at a place of the table's days, on the series that were
    /// asked for.
    pub(super) fn at(&self, table: &SeriesTable, place: usize, asked: &[bool]) -> Vec<UnknownScanner> {
        let Some(day) = table.days.get(place).copied() else { return Vec::new() };
        let before = |series: &[usize]| -> f64 {
            series.iter().map(|at| table.series[*at].hosts[..place].iter().sum::<f64>()).sum()
        };
        let mut of_service: HashMap<usize, f64> = HashMap::new();
        for (at, service) in self.service_of.iter().enumerate().filter(|(at, _)| asked[*at]) {
            *of_service.entry(*service).or_default() += before(&[at]);
        }
        let scanner = |(habit, series): (BehaviorId, &[usize])| {
            let service = self.service_of[*series.first()?];
            let all = of_service.get(&service)?;
            let seen = if *all > 0.0 { before(series) / all } else { 1.0 / USUAL_HABITS };
            let part = f64::midpoint(seen, 1.0 / USUAL_HABITS);
            let rate = self.onsets_of(service, day) / table.days.len().max(1) as f64;
            // The volumes that the scanner may have are not only those that were seen, some of them in this very event.
            let several = series.iter().any(|at| table.series[*at].parameters.destinations > 1);
            let volumes = if several { (series.len() as f64 / VOLUMES).min(1.0) } else { 1.0 };
            let shares = Shares { weight: 1.0, series: evenly(series, 1.0), known_hosts: MODEL_HOSTS };
            Some(UnknownScanner {
                habit,
                log_rate: (rate * part).ln(),
                log_volumes: volumes.ln(),
                shares: vec![shares],
            })
        };
        table.habits().filter_map(scanner).collect()
    }

    /// Returns the mean number of onsets of the other services in the time of the history.
    fn mean_onsets(&self, service: usize) -> f64 {
        let all: usize = self.onsets.iter().map(Vec::len).sum();
        let others = all - self.onsets[service].len();
        let count = self.onsets.len() as f64 - 1.0;
        (others as f64 + USUAL_ONSETS * USUAL_SERVICES) / (count + USUAL_SERVICES)
    }

    /// Returns the rate of onsets of a service in the time of the history, without an event on this day.
    fn onsets_of(&self, service: usize, day: Date) -> f64 {
        let is_other = |onset: &&Date| days_between(day, **onset).abs() > SAME_EVENT_DAYS;
        let count = self.onsets[service].iter().filter(is_other).count();
        (count as f64 + RATE_SHAPE) / (1.0 + RATE_SHAPE / self.mean_onsets(service))
    }
}

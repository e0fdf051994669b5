//! Finds the hosts that a sample may explain (suspect hosts), for the hypotheses that name the sample as a
//! possible cause.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;

use crate::correlate::{Hypothesis, SeriesTable, SuspectCollector, Verdict};
use crate::history::{Filter, TypeFilter};
use crate::store::HistoryStore;

use super::AppError;

/// Maximum number of suspect hosts that are listed.
const HOSTS_MAX: usize = 100;
/// Maximum number of pairs of sample and sensor whose hosts are looked up.
const PAIRS_MAX: usize = 32;
/// Minimum probability of a cause (of the sample or one that looks like it) for suspect hosts.
const PROBABILITY_MIN: f64 = 0.05;

/// A hypothesis whose suspect hosts are looked up.
struct SuspectQuery {
    /// Its index in the list of hypotheses.
    place: usize,
    first: Date,
    probability: f64,
    /// By line of the sensor's ledger, the share of its hosts that the sample explains, 0 to 1.
    parts: HashMap<usize, f64>,
    gatherer: SuspectCollector,
}

/// Looks up suspect hosts for each pair of sample and sensor, at its best hypothesis, if that says that the
/// sample may be a cause.
///
/// # Errors
/// When the store fails.
pub(super) fn find_suspects(
    store: &dyn HistoryStore,
    ledgers: &HashMap<&str, &SeriesTable>,
    hypotheses: &mut [Hypothesis],
) -> Result<(), AppError> {
    for (sensor, mut wanted) in suspect_queries(hypotheses) {
        let Some(ledger) = ledgers.get(sensor.as_str()) else { continue };
        collect_hosts(store, &sensor, ledger, &mut wanted)?;
        for SuspectQuery { place, probability, gatherer, .. } in wanted {
            hypotheses[place].suspects = Some(gatherer.suspects(probability, HOSTS_MAX));
        }
    }
    Ok(())
}

/// Returns the hypotheses whose suspect hosts are shown, by sensor.
fn suspect_queries(hypotheses: &[Hypothesis]) -> BTreeMap<String, Vec<SuspectQuery>> {
    let mut done: Vec<(&str, &str)> = Vec::new();
    let mut wanted: BTreeMap<String, Vec<SuspectQuery>> = BTreeMap::new();
    for (place, hypothesis) in hypotheses.iter().enumerate() {
        let pair = (hypothesis.sample.as_str(), hypothesis.sensor.as_str());
        let may_be =
            matches!(hypothesis.verdict, Verdict::Likely | Verdict::Possible | Verdict::Indistinguishable(_));
        let Ok(claim) = &hypothesis.evidence else { continue };
        let is_shown = done.len() < PAIRS_MAX && may_be && claim.group_probability >= PROBABILITY_MIN;
        if is_shown && !done.contains(&pair) {
            done.push(pair);
            wanted.entry(hypothesis.sensor.clone()).or_default().push(SuspectQuery {
                place,
                first: claim.rise.day,
                probability: claim.probability,
                parts: claim.parts.iter().copied().collect(),
                gatherer: SuspectCollector::default(),
            });
        }
    }
    wanted
}

/// Reads a sensor's sightings once, for all hypotheses of the sensor.
fn collect_hosts(
    store: &dyn HistoryStore,
    sensor: &str,
    ledger: &SeriesTable,
    wanted: &mut [SuspectQuery],
) -> Result<(), AppError> {
    let parts = |line: usize| wanted.iter().any(|one| one.parts.contains_key(&line));
    let numbers = ledger.types().filter(|(_, line)| parts(*line));
    let numbers: Vec<u64> = numbers.map(|(number, _)| number).collect();
    let first = wanted.iter().map(|one| one.first).min();
    let filter = Filter { types: TypeFilter::Numbers(&numbers), first, ..Filter::default() };
    store.each_sighting(sensor, &filter, &mut |sighting| {
        let Some(line) = ledger.series_of_type(sighting.number).filter(|_| ledger.has_day(sighting.day))
        else {
            return;
        };
        for one in wanted.iter_mut().filter(|one| one.first <= sighting.day) {
            if let Some(part) = one.parts.get(&line) {
                one.gatherer.add(sighting.host, sighting.day, line, *part);
            }
        }
    })?;
    Ok(())
}

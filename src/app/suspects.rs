//! Hosts that a sample may explain, looked up for hypotheses that say so.

use std::collections::HashMap;

use crate::behavior::BehaviorId;
use crate::correlate::{Claim, Gatherer, Hypothesis, Ledger, Verdict};
use crate::history::{Facets, Restriction, Types};
use crate::store::{HistoryStore, StoreError};

use super::AppError;

/// Hosts told one by one.
const HOSTS_MAX: usize = 100;
/// Pairs of sample and sensor whose hosts are looked up.
const PAIRS_MAX: usize = 32;
/// A less probable cause has no suspects.
const PROBABILITY_MIN: f64 = 0.05;

/// Looks up suspects for each sample and sensor whose best hypothesis says that the sample may be a cause.
///
/// # Errors
/// When the store fails.
pub(super) fn look_up(
    store: &dyn HistoryStore,
    ledgers: &HashMap<&str, &Ledger>,
    hypotheses: &mut [Hypothesis],
) -> Result<(), AppError> {
    let mut done: Vec<(String, String)> = Vec::new();
    for hypothesis in hypotheses {
        let pair = (hypothesis.sample.clone(), hypothesis.sensor.clone());
        let may_be =
            matches!(hypothesis.verdict, Verdict::Likely | Verdict::Possible | Verdict::Indistinguishable(_));
        let (Ok(claim), Some(ledger)) = (&hypothesis.claim, ledgers.get(hypothesis.sensor.as_str())) else {
            continue;
        };
        let told = done.len() < PAIRS_MAX && may_be && claim.group_probability >= PROBABILITY_MIN;
        if told && !done.contains(&pair) {
            hypothesis.suspects = Some(suspects(store, &hypothesis.sensor, ledger, claim)?);
            done.push(pair);
        }
    }
    Ok(())
}

fn suspects(
    store: &dyn HistoryStore,
    sensor: &str,
    ledger: &Ledger,
    claim: &Claim,
) -> Result<crate::correlate::Suspects, AppError> {
    let parts: HashMap<BehaviorId, (usize, f64)> =
        claim.parts.iter().map(|(line, part)| (ledger.lines[*line].name.id, (*line, *part))).collect();
    let services: Vec<_> = claim.parts.iter().map(|(line, _)| &ledger.lines[*line].parameters).collect();
    let near = |parameters: &crate::behavior::Parameters| {
        services.iter().any(|known| known.protocol == parameters.protocol)
    };
    let restriction = Restriction {
        types: Types::Where(&near, Facets::LeftOut),
        first: Some(claim.rise.day),
        ..Restriction::default()
    };
    let mut lines: HashMap<u64, Option<(usize, f64)>> = HashMap::new();
    let mut gatherer = Gatherer::default();
    let mut failed: Option<StoreError> = None;
    store.each_sighting(sensor, &restriction, &mut |met| {
        let line = match lines.get(&met.number) {
            Some(known) => *known,
            None => match store.type_of(met.number) {
                Ok(record) => {
                    let line = parts.get(&ledger.names(&record).line().id).copied();
                    lines.insert(met.number, line);
                    line
                }
                Err(error) => {
                    failed.get_or_insert(error);
                    None
                }
            },
        };
        if let Some((line, part)) = line
            && ledger.has_day(met.day)
        {
            gatherer.add(met.host, met.day, line, part);
        }
    })?;
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(gatherer.suspects(claim.probability, HOSTS_MAX)),
    }
}

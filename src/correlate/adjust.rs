//! p-values, adjusted for how many of them there are.

use std::collections::BTreeMap;

use crate::history::adjusted_p_values;

use super::{ChangeTest, Hypothesis, Shift};

/// Benjamini-Hochberg over all level tests, and over all volatility tests.
pub(super) fn adjust(all: &mut [Hypothesis]) {
    let of = |pick: fn(&ChangeTest) -> Shift, all: &[Hypothesis]| -> Vec<Option<f64>> {
        let p: Vec<Option<f64>> = all
            .iter()
            .map(|hypothesis| hypothesis.change.as_ref().ok().map(|change| pick(change).p))
            .collect();
        benjamini_hochberg(&p)
    };
    let level = of(|change| change.level, all);
    let volatility = of(|change| change.volatility, all);
    // A sample has one rise over all sensors, however many granularities match.
    let mut first: BTreeMap<String, Option<f64>> = BTreeMap::new();
    for hypothesis in all.iter() {
        let p = hypothesis.evidence.as_ref().ok().map(|claim| claim.rise.p);
        let known = first.entry(hypothesis.sample.clone()).or_default();
        *known = known.or(p);
    }
    let adjusted = benjamini_hochberg(&first.values().copied().collect::<Vec<_>>());
    let rises: BTreeMap<String, Option<f64>> = first.into_keys().zip(adjusted).collect();
    for ((hypothesis, level), volatility) in all.iter_mut().zip(level).zip(volatility) {
        hypothesis.rise_q = rises.get(&hypothesis.sample).copied().flatten();
        hypothesis.level_q = level;
        hypothesis.volatility_q = volatility;
    }
}

/// Adjusts p-values for their number; where there is none there stays none.
fn benjamini_hochberg(p: &[Option<f64>]) -> Vec<Option<f64>> {
    let given: Vec<f64> = p.iter().copied().flatten().collect();
    let mut adjusted = adjusted_p_values(&given, given.len() as u64).into_iter();
    p.iter().map(|p| p.and_then(|_| adjusted.next())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adjusted_p_values_follow_benjamini_and_hochberg() {
        let p = [Some(0.01), None, Some(0.04), Some(0.03), Some(0.5)];
        let q = benjamini_hochberg(&p);
        let expected = [Some(0.04), None, Some(0.16 / 3.0), Some(0.16 / 3.0), Some(0.5)];
        for (got, want) in q.iter().zip(expected) {
            match (got, want) {
                (Some(got), Some(want)) => assert!((got - want).abs() < 1e-12, "{got} {want}"),
                (got, want) => assert_eq!(*got, want),
            }
        }
    }
}

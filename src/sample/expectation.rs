//! The `expect` part of a sample report, and its comparison with the observed behavior.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::behavior::Transition;

/// The `expect` part of a sample report. A key that is absent is not checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Number of windows of the scan; 0 for a sample that does not scan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub windows: Option<u64>,
    /// Canonical strings of all types.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub types: Option<BTreeSet<String>>,
    /// Canonical strings of all shapes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shapes: Option<BTreeSet<String>>,
    /// Ids of the labels that match any window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeSet<String>>,
    /// Transition of most windows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transition: Option<Transition>,
    /// All destination ports of the scan, at most 16 per window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<BTreeSet<u16>>,
    /// Reasons of all service accesses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accesses: Option<BTreeSet<String>>,
    /// The best hypothesis. It is checked only if a darknet is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub darknet: Option<DarknetExpectation>,
}

/// The expected result of the correlation with the given darknet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DarknetExpectation {
    /// Verdict of the sample's best hypothesis: `likely`, `possible`, …
    pub verdict: String,
    /// Rank of that hypothesis among those of all samples that are checked together, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank: Option<u64>,
    /// Sensor of that hypothesis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensor: Option<String>,
}

/// One value that differs from the expectation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Key of `expect` and, for canonical strings, the parameter.
    pub what: String,
    /// The expected value.
    pub expected: String,
    /// The observed value.
    pub seen: String,
}

/// The result of checking one sample.
#[derive(Clone, Debug)]
pub struct SampleCheck {
    /// Path of the report.
    pub path: PathBuf,
    /// Identifier of the sample, or the path if the report could not be read.
    pub id: String,
    /// Time in seconds that reading the sample took.
    pub seconds: f64,
    /// The differences from the expectation, or the reason why the sample could not be checked.
    pub outcome: Result<Vec<Difference>, String>,
    /// All that was observed, in the form of an expectation.
    pub observed: Option<Expectation>,
    /// Title of the sample; empty if the report could not be read.
    pub title: String,
    /// The expectation in the report, if any.
    pub expected: Option<Expectation>,
}

impl Expectation {
    /// Returns the observed values for the keys that this expectation has. The darknet's values are kept if
    /// `seen` has none.
    #[must_use]
    pub fn updated(&self, seen: &Expectation) -> Expectation {
        fn where_given<T: Clone>(given: Option<&T>, seen: Option<&T>) -> Option<T> {
            given.and(seen.cloned())
        }
        let darknet = self.darknet.as_ref().map(|given| match &seen.darknet {
            None => given.clone(),
            Some(seen) => DarknetExpectation {
                verdict: seen.verdict.clone(),
                rank: where_given(given.rank.as_ref(), seen.rank.as_ref()),
                sensor: where_given(given.sensor.as_ref(), seen.sensor.as_ref()),
            },
        });
        Expectation {
            windows: where_given(self.windows.as_ref(), seen.windows.as_ref()),
            types: where_given(self.types.as_ref(), seen.types.as_ref()),
            shapes: where_given(self.shapes.as_ref(), seen.shapes.as_ref()),
            labels: where_given(self.labels.as_ref(), seen.labels.as_ref()),
            transition: self.transition.and(seen.transition),
            ports: where_given(self.ports.as_ref(), seen.ports.as_ref()),
            accesses: where_given(self.accesses.as_ref(), seen.accesses.as_ref()),
            darknet,
        }
    }

    /// Returns the differences between this expectation and the observed values. Keys that this expectation
    /// lacks are not compared.
    #[must_use]
    pub fn differences(&self, seen: &Expectation) -> Vec<Difference> {
        let mut all = Vec::new();
        compare_scalars(&mut all, "windows", self.windows, seen.windows);
        compare_canonical(&mut all, "types", self.types.as_ref(), seen.types.as_ref());
        compare_canonical(&mut all, "shapes", self.shapes.as_ref(), seen.shapes.as_ref());
        compare_sets(&mut all, "labels", self.labels.as_ref(), seen.labels.as_ref());
        let letter = |transition: Option<Transition>| {
            transition.map(|transition| format!("{transition:?}").to_lowercase())
        };
        compare_scalars(&mut all, "transition", letter(self.transition), letter(seen.transition));
        compare_sets(&mut all, "ports", self.ports.as_ref(), seen.ports.as_ref());
        compare_sets(&mut all, "accesses", self.accesses.as_ref(), seen.accesses.as_ref());
        if let Some(darknet) = &self.darknet {
            let found = seen.darknet.as_ref();
            let verdict = found.map(|found| found.verdict.clone());
            compare_scalars(&mut all, "darknet.verdict", Some(darknet.verdict.clone()), verdict);
            compare_scalars(&mut all, "darknet.rank", darknet.rank, found.and_then(|found| found.rank));
            let sensor = found.and_then(|found| found.sensor.clone());
            compare_scalars(&mut all, "darknet.sensor", darknet.sensor.clone(), sensor);
        }
        all
    }
}

fn compare_scalars<T: PartialEq + ToString>(
    all: &mut Vec<Difference>,
    what: &str,
    expected: Option<T>,
    seen: Option<T>,
) {
    if let Some(expected) = expected
        && seen.as_ref() != Some(&expected)
    {
        let seen = seen.map_or_else(|| "nothing".to_owned(), |seen| seen.to_string());
        all.push(Difference { what: what.to_owned(), expected: expected.to_string(), seen });
    }
}

fn compare_sets<T: Ord + ToString>(
    all: &mut Vec<Difference>,
    what: &str,
    expected: Option<&BTreeSet<T>>,
    seen: Option<&BTreeSet<T>>,
) {
    let Some(expected) = expected else { return };
    let none = BTreeSet::new();
    let seen = seen.unwrap_or(&none);
    let shown = |set: &BTreeSet<T>| {
        let texts: Vec<String> = set.iter().map(T::to_string).collect();
        if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
    };
    if expected != seen {
        all.push(Difference { what: what.to_owned(), expected: shown(expected), seen: shown(seen) });
    }
}

/// Compares sets of canonical strings by parameter: each string that is gone is compared with the most
/// similar new one.
fn compare_canonical(
    all: &mut Vec<Difference>,
    what: &str,
    expected: Option<&BTreeSet<String>>,
    seen: Option<&BTreeSet<String>>,
) {
    let Some(expected) = expected else { return };
    let none = BTreeSet::new();
    let seen = seen.unwrap_or(&none);
    let mut new: Vec<&String> = seen.difference(expected).collect();
    for gone in expected.difference(seen) {
        let Some(at) = (0..new.len()).min_by_key(|at| differing_parameters(gone, new[*at]).len()) else {
            all.push(Difference {
                what: what.to_owned(),
                expected: gone.clone(),
                seen: "nothing".to_owned(),
            });
            continue;
        };
        for (key, before, after) in differing_parameters(gone, new.remove(at)) {
            all.push(Difference { what: format!("{what}: {key}"), expected: before, seen: after });
        }
    }
    for extra in new {
        let expected = "nothing".to_owned();
        all.push(Difference { what: what.to_owned(), expected, seen: extra.clone() });
    }
}

/// Returns the parameters in which two canonical strings differ: name, value before, value after.
fn differing_parameters(before: &str, after: &str) -> Vec<(String, String, String)> {
    let split = |text: &str| -> Vec<(String, String)> {
        text.split('|')
            .map(|part| match part.split_once('=') {
                Some((key, value)) => (key.to_owned(), value.to_owned()),
                None => ("profile".to_owned(), part.to_owned()),
            })
            .collect()
    };
    let after = split(after);
    split(before)
        .into_iter()
        .filter_map(|(key, value)| {
            let now = after.iter().find(|(other, _)| *other == key).map_or("nothing", |(_, now)| now);
            (now != value).then(|| (parameter_name(&key).to_owned(), value, now.to_owned()))
        })
        .collect()
}

/// Returns the full name of a key in a canonical string.
fn parameter_name(key: &str) -> &str {
    match key {
        "sp" => "source ports",
        "pk" => "packets",
        "dp" => "destination ports",
        "di" => "destinations",
        "tr" => "transition",
        "pt" => "ports",
        "pr" => "protocol",
        "pd" => "packets per destination",
        "su" => "source port use",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(canonical: &str) -> Expectation {
        Expectation { types: Some([canonical.to_owned()].into()), ..Expectation::default() }
    }

    #[test]
    fn a_moved_parameter_is_named_with_both_values() {
        let expected = types("bt1|sp=17-32|pk=17-32|tr=S");
        let seen = types("bt1|sp=17-32|pk=9-16|tr=R");
        let differences = expected.differences(&seen);
        let shown: Vec<String> =
            differences.iter().map(|d| format!("{} {} {}", d.what, d.expected, d.seen)).collect();
        assert_eq!(shown, ["types: packets 17-32 9-16", "types: transition S R"]);
    }

    #[test]
    fn what_is_not_expected_is_not_compared() {
        assert!(Expectation::default().differences(&types("bt1|sp=1")).is_empty());
        assert_eq!(types("bt1|sp=1").differences(&Expectation::default()).len(), 1);
    }

    #[test]
    fn an_empty_set_is_an_expectation() {
        let none = Expectation { types: Some(BTreeSet::new()), ..Expectation::default() };
        assert_eq!(none.differences(&types("bt1|sp=1")).len(), 1);
    }
}

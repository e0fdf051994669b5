//! How a sample builds its probes, in words and as JSON.

use serde::Serialize;

use crate::behavior::{Feature, FeatureValue, ProbeRelation, RunSignature};
use crate::sample::SampleProbes;

use super::signature::SignatureJson;

/// The JSON of the probes of one kind.
#[derive(Serialize)]
pub(super) struct SampleProbesJson<'a> {
    #[serde(flatten)]
    signature: SignatureJson<'a>,
    probes: u64,
    relations: Vec<ProbeRelationJson>,
    systems: &'a [String],
    made_by_malware: Vec<&'static str>,
}

#[derive(Serialize)]
struct ProbeRelationJson {
    feature: &'static str,
    value: String,
    number: Option<u32>,
    log10_chance: f64,
}

/// Returns the JSON of the probes of one kind.
pub(super) fn probes_json(probes: &SampleProbes) -> SampleProbesJson<'_> {
    let SampleProbes { run: RunSignature { signature, probes, relations }, systems, made_by_malware } =
        probes;
    let relation = |one: &ProbeRelation| ProbeRelationJson {
        feature: one.feature.name(),
        value: one.feature.text_of(one.value),
        number: one.number,
        log10_chance: one.log10_chance,
    };
    SampleProbesJson {
        signature: signature.into(),
        probes: *probes,
        relations: relations.iter().map(relation).collect(),
        systems,
        made_by_malware: made_by_malware.iter().map(|feature| feature.name()).collect(),
    }
}

/// Returns lines on the probes of one kind, each with its indentation.
pub(super) fn probes_in_words(probes: &SampleProbes) -> Vec<(usize, String)> {
    let SampleProbes { run: RunSignature { signature, probes, relations }, systems, made_by_malware } =
        probes;
    let mut lines =
        vec![(0, format!("{probes} probes ({})", signature.kind_name())), (2, signature.to_string())];
    for relation in relations {
        lines.push((2, relation_in_words(relation, *probes)));
    }
    if !made_by_malware.is_empty() {
        let names: Vec<&str> = made_by_malware.iter().map(|feature| feature.name()).collect();
        lines.push((
            2,
            format!("determined by the malware, not by the operating system: {}", names.join(", ")),
        ));
    }
    if !systems.is_empty() {
        lines.push((
            2,
            format!("operating systems whose network stack can have built them: {}", systems.join("; ")),
        ));
    }
    lines
}

fn relation_in_words(relation: &ProbeRelation, probes: u64) -> String {
    let chance = format!("probability by accident: 10^{:.0}", relation.log10_chance);
    let field = match relation.feature {
        Feature::IpId => "IP identification",
        Feature::SourcePort => "source port",
        Feature::Sequence => "sequence number",
        Feature::Window => "TCP window",
        other => other.name(),
    };
    let what = match (relation.feature, relation.value, relation.number) {
        (Feature::Sequence, FeatureValue::Relation, _) => "is the destination address".to_owned(),
        (Feature::IpId, FeatureValue::Relation, _) => {
            "is destination address xor destination port xor sequence number".to_owned()
        }
        (_, FeatureValue::Relation, _) => "is the destination port".to_owned(),
        (_, _, Some(number)) => format!("is always {number}"),
        _ => "is always the same".to_owned(),
    };
    format!("{field} {what} in all {probes} probes ({chance})")
}

//! The stacks of operating systems, by `rules/stacks.yaml`, and which features of a signature are theirs. The header of
//! that file names the sources.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::behavior::{Feature, FeatureValue, ProbeSignature};
use crate::packet::{ProbeKind, TcpOptions};

/// The contents of the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StacksFile {
    stacks: Vec<StackEntry>,
}

/// One stack in the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StackEntry {
    id: String,
    title: String,
    sources: Vec<String>,
    features: BTreeMap<String, Vec<String>>,
}

/// How an operating system's network stack builds a SYN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkStackRule {
    /// The id.
    pub id: String,
    /// The systems, for people.
    pub title: String,
    features: Vec<(Feature, Vec<StackValue>)>,
}

/// A value that a stack gives to a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StackValue {
    Exactly(FeatureValue),
    /// A window of this many maximum segments.
    Segments(u32),
}

/// What made a feature of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureOrigin {
    /// The stack of the operating system: a known one builds such probes.
    System,
    /// The software that sent the probe: no known stack sets this value, or a program always chooses this field.
    Malware,
    /// The origin is unknown.
    Unknown,
}

impl StacksFile {
    /// Compiles the stacks. Each error has the number of its entry, from 0.
    pub(super) fn compile(&self) -> Result<Vec<NetworkStackRule>, Vec<(usize, String)>> {
        let (mut stacks, mut errors, mut ids) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (number, entry) in self.stacks.iter().enumerate() {
            let mut fault = |message: String| errors.push((number, message));
            let id = entry.id.escape_debug();
            if !ids.insert(&entry.id) {
                fault(format!("stack `{id}` is listed twice; keep one entry"));
            }
            if entry.title.trim().is_empty() || entry.sources.iter().all(|source| source.trim().is_empty()) {
                fault(format!("stack `{id}` has no title or no source"));
            }
            let mut features = Vec::new();
            for (name, values) in &entry.features {
                match Feature::from_name(name) {
                    None => fault(format!("stack `{id}`: no feature `{}`", name.escape_debug())),
                    Some(feature) => {
                        let parsed: Option<Vec<StackValue>> =
                            values.iter().map(|text| StackValue::parse(feature, text)).collect();
                        match parsed.filter(|values| !values.is_empty()) {
                            Some(values) => features.push((feature, values)),
                            None => fault(format!(
                                "stack `{id}`: `{feature}` has a value that the feature cannot have"
                            )),
                        }
                    }
                }
            }
            stacks.push(NetworkStackRule { id: entry.id.clone(), title: entry.title.clone(), features });
        }
        if errors.is_empty() { Ok(stacks) } else { Err(errors) }
    }
}

impl StackValue {
    fn parse(feature: Feature, text: &str) -> Option<StackValue> {
        match text.strip_prefix("mss*") {
            Some(segments) if feature == Feature::Window => {
                Some(StackValue::Segments(segments.parse().ok()?))
            }
            _ => feature.parse(text).map(StackValue::Exactly),
        }
    }

    fn fits(self, value: FeatureValue, mss: FeatureValue) -> bool {
        match (self, value, mss) {
            (StackValue::Exactly(expected), value, _) => expected == value,
            (StackValue::Segments(segments), FeatureValue::Number(window), FeatureValue::Number(mss)) => {
                mss.checked_mul(segments) == Some(window)
            }
            (StackValue::Segments(_), ..) => false,
        }
    }
}

impl NetworkStackRule {
    /// Returns whether the stack gives a feature the value that it has in a signature; `None` if the stack does not
    /// determine the feature, or if the value is unknown.
    fn agrees(&self, feature: Feature, signature: &ProbeSignature) -> Option<bool> {
        let value = signature.value(feature);
        let (_, values) = self.features.iter().find(|(known, _)| *known == feature)?;
        let mss = signature.value(Feature::Mss);
        (value != FeatureValue::Unknown).then(|| values.iter().any(|one| one.fits(value, mss)))
    }

    /// Returns whether the stack can have built the probes. At least the options must be known.
    #[must_use]
    pub fn can_build(&self, signature: &ProbeSignature) -> bool {
        signature.kind() == Some(ProbeKind::Syn)
            && signature.value(Feature::Options) != FeatureValue::Unknown
            && Feature::ALL.into_iter().all(|feature| self.agrees(feature, signature) != Some(false))
            && Feature::ALL.into_iter().all(|feature| !is_forged(feature, signature.value(feature)))
    }
}

/// Returns whether no stack gives a connection this value: fixed or related to another field where stacks choose at random,
/// other than 0 in an unused field, or a window that is not typical of one system.
fn is_forged(feature: Feature, value: FeatureValue) -> bool {
    use FeatureValue::{Constant, Number, Relation};
    match (feature, value) {
        // Linux 2.4 sends 0 together with "don't fragment".
        (Feature::IpId, Number(id)) => id != 0,
        (Feature::Unused, Number(unused)) => unused != 0,
        (Feature::Sequence, Number(_)) => true,
        (Feature::IpId | Feature::Sequence, Relation | Constant) => true,
        (Feature::SourcePort, Relation | Constant) => true,
        (Feature::SourcePort, Number(port)) => port < 1024,
        (Feature::Window, Constant | FeatureValue::Varies) => true,
        _ => false,
    }
}

/// Returns the known features of a signature with what made each of them.
pub(super) fn origins(
    stacks: &[NetworkStackRule],
    signature: &ProbeSignature,
) -> Vec<(Feature, FeatureOrigin)> {
    let has_stack = stacks.iter().any(|stack| stack.can_build(signature));
    // Every stack announces its maximum segment size (RFC 9293, section 3.7.1). A SYN without options was built by the
    // program, and with it all fields for which a program has to choose a value.
    let is_programs = signature.value(Feature::Options) == FeatureValue::Options(TcpOptions::NONE);
    let is_field_of_program = |feature: Feature| {
        is_programs && matches!(feature, Feature::Window | Feature::IpId | Feature::DontFragment)
    };
    let origin = |(feature, value): (Feature, FeatureValue)| {
        let opinions: Vec<bool> =
            stacks.iter().filter_map(|stack| stack.agrees(feature, signature)).collect();
        let is_no_stacks = !opinions.is_empty() && opinions.iter().all(|agrees| !agrees);
        let is_content = matches!(feature, Feature::Length | Feature::Payload);
        let origin = match signature.kind() {
            Some(ProbeKind::Datagram) if is_content => FeatureOrigin::Malware,
            Some(ProbeKind::Syn)
                if is_forged(feature, value) || is_no_stacks || is_field_of_program(feature) =>
            {
                FeatureOrigin::Malware
            }
            Some(ProbeKind::Syn) if has_stack => FeatureOrigin::System,
            _ => FeatureOrigin::Unknown,
        };
        (feature, origin)
    };
    signature.features().map(origin).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Rules;
    use super::*;

    #[test]
    fn systems_and_malware_are_told_apart() {
        let rules = Rules::shipped().unwrap();
        let of = |text: &str| -> ProbeSignature { text.parse().unwrap() };
        let windows = of(
            "ps1|syn|ttl=128|df=1|id=*|sport=*|window=65535|options=mss,nop,nop,sok|mss=1460|wscale=-|seq=*|unused=0",
        );
        let titles: Vec<&str> = rules.stacks_of(&windows).map(|stack| stack.id.as_str()).collect();
        assert_eq!(titles, ["windows-xp", "windows"]);
        assert!(rules.feature_origins(&windows).iter().all(|(_, origin)| *origin == FeatureOrigin::System));
        let linux = of(
            "ps1|syn|ttl=64|df=1|id=other|window=28800|options=mss,sok,ts,nop,ws|mss=1440|wscale=7|seq=other",
        );
        assert!(rules.stacks_of(&linux).any(|stack| stack.id == "linux"));
        let mirai = of(
            "ps1|syn|ttl=64|df=0|id=*|sport=constant|window=constant|options=none|mss=-|wscale=-|seq=destination|unused=0",
        );
        assert_eq!(rules.stacks_of(&mirai).count(), 0);
        let made: Vec<Feature> = rules
            .feature_origins(&mirai)
            .into_iter()
            .filter(|(_, origin)| *origin == FeatureOrigin::Malware)
            .map(|(feature, _)| feature)
            .collect();
        let expected = [
            Feature::DontFragment,
            Feature::IpId,
            Feature::SourcePort,
            Feature::Window,
            Feature::Options,
            Feature::Sequence,
        ];
        assert_eq!(made, expected);
        let datagram = of("ps1|datagram|ttl=64|length=3|payload=0000002a");
        let made = rules.feature_origins(&datagram);
        assert_eq!((made[0].1, made[1].1), (FeatureOrigin::Unknown, FeatureOrigin::Malware));
    }

    #[test]
    fn faults_are_named() {
        let text = "stacks:\n  - {id: a, title: A, sources: [s], features: {ttl: [x], nothing: ['1']}}\n  - {id: a, title: '', sources: [], features: {}}\n";
        let errors = Rules::compile(&[("stacks.yaml".to_owned(), text.to_owned())]).unwrap_err().to_string();
        for words in ["`ttl` has a value", "no feature `nothing`", "listed twice", "no title or no source"] {
            assert!(errors.contains(words), "{words}: {errors}");
        }
    }
}

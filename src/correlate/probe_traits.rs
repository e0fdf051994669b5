//! How a sample builds its probes, as far as a sensor can recognize it.

use crate::behavior::{Agreement, Feature, FeatureValue, ProbeSignature};

/// Features by which the families of operating systems differ. Others of their features differ between versions of
/// one system, or are changed on the way.
const SYSTEM_FEATURES: [Feature; 3] = [Feature::Ttl, Feature::DontFragment, Feature::Options];
/// Features of an ICMP request that count as the system's. Either the system's `ping` or another program sets the length and
/// the payload; a capture does not show which of them did.
const REQUEST_FEATURES: [Feature; 3] = [Feature::Ttl, Feature::Length, Feature::Payload];

/// How a sample builds its probes: what its runs show, for each kind of probes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProbeTraits {
    kinds: Vec<KindTraits>,
}

/// How a sample builds its probes of one kind.
#[derive(Clone, Debug, PartialEq)]
struct KindTraits {
    signature: ProbeSignature,
    /// Features that the sample's software determines.
    software: Vec<Feature>,
    /// Features that the system determines on which the sample runs.
    system: Vec<Feature>,
}

/// How a signature that a sensor saw agrees with a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraitAgreement {
    /// In what the sample's software determines.
    pub software: Agreement,
    /// In what its system determines.
    pub system: Agreement,
}

impl TraitAgreement {
    const UNKNOWN: TraitAgreement =
        TraitAgreement { software: Agreement::Unknown, system: Agreement::Unknown };
}

impl ProbeTraits {
    /// Creates the traits of a sample from the signatures of its runs, one for each kind of probes, each with those of
    /// its features that the malware made.
    #[must_use]
    pub fn new<'a>(runs: impl Iterator<Item = (ProbeSignature, &'a [Feature])>) -> ProbeTraits {
        let traits = |(signature, made): (ProbeSignature, &[Feature])| {
            // Where the probes of the run differ among each other, one of another host may be any of them.
            let is_told = |feature: &Feature| {
                !matches!(
                    signature.value(*feature),
                    FeatureValue::Unknown | FeatureValue::Varies | FeatureValue::Other
                )
            };
            let software: Vec<Feature> = made.iter().copied().filter(is_told).collect();
            let of_system = match signature.kind() {
                Some(crate::packet::ProbeKind::Request) => REQUEST_FEATURES,
                _ => SYSTEM_FEATURES,
            };
            let is_systems = |feature: &Feature| is_told(feature) && !software.contains(feature);
            let system = of_system.into_iter().filter(is_systems).collect();
            KindTraits { signature, software, system }
        };
        ProbeTraits { kinds: runs.map(traits).collect() }
    }

    /// Returns whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kinds.iter().all(|kind| kind.software.is_empty() && kind.system.is_empty())
    }

    /// Returns the features that the sample's software determines, with their values, in words like `options none`.
    #[must_use]
    pub fn software_in_words(&self) -> Vec<String> {
        let of = |kind: &KindTraits| -> Vec<String> {
            let word =
                |feature: &Feature| format!("{feature} {}", feature.text_of(kind.signature.value(*feature)));
            kind.software.iter().map(word).collect()
        };
        self.kinds.iter().flat_map(of).collect()
    }

    /// Compares the sample with a signature that a sensor saw. A group of features differs as soon as one feature does.
    #[must_use]
    pub fn compare(&self, seen: &ProbeSignature) -> TraitAgreement {
        let Some(kind) = self.kinds.iter().find(|kind| kind.signature.kind() == seen.kind()) else {
            return TraitAgreement::UNKNOWN;
        };
        let mut found = TraitAgreement::UNKNOWN;
        for (feature, agreement) in kind.signature.compare(seen) {
            if kind.software.contains(&feature) {
                found.software = both(found.software, agreement);
            } else if kind.system.contains(&feature) {
                found.system = both(found.system, agreement);
            }
        }
        found
    }
}

/// Returns the agreement of two groups of features taken together.
fn both(one: Agreement, other: Agreement) -> Agreement {
    match (one, other) {
        (Agreement::Different, _) | (_, Agreement::Different) => Agreement::Different,
        (Agreement::Equal, _) | (_, Agreement::Equal) => Agreement::Equal,
        _ => Agreement::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(text: &str) -> ProbeSignature {
        text.parse().unwrap()
    }

    #[test]
    fn software_and_system_are_compared_apart() {
        let run =
            signature("ps1|syn|ttl=64|df=0|id=*|sport=constant|window=1024|options=none|seq=destination");
        let made = [Feature::Options, Feature::Sequence, Feature::IpId];
        let traits = ProbeTraits::new(std::iter::once((run, &made[..])));
        let compare = |text: &str| {
            let TraitAgreement { software, system } = traits.compare(&signature(text));
            (software, system)
        };
        use Agreement::{Different, Equal, Unknown};
        assert_eq!(compare("ps1|syn|ttl=64|df=0|id=5|options=none|seq=destination"), (Equal, Equal));
        assert_eq!(compare("ps1|syn|ttl=128|df=0|options=none|seq=other"), (Different, Different));
        assert_eq!(compare("ps1|syn|df=0"), (Unknown, Equal));
        assert_eq!(compare("ps1|datagram|ttl=64"), (Unknown, Unknown));
        assert_eq!(traits.software_in_words(), ["options none", "seq destination"]);
        assert!(!traits.is_empty() && ProbeTraits::default().is_empty());
    }
}

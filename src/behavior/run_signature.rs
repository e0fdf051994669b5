//! What all probes of several windows have in common: the signature of a run, and relations that hold throughout.

use crate::packet::{Protocol, TcpFlags};

use super::signature_fold::SignatureFold;
use super::signature_reduction::signature_of;
use super::{Feature, FeatureValue, OpenWindow, Probe, ProbeSignature};

/// The probes of one kind in several windows, such as those of a sandbox run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSignature {
    /// What the probes have in common.
    pub signature: ProbeSignature,
    /// Number of different probes; retries of one count once. For ICMP, replies and errors count as well.
    pub probes: u64,
    /// Regularities of all these probes in fields for which ordinary stacks choose a new value for each connection.
    pub relations: Vec<ProbeRelation>,
}

/// A field that is related to others, or that has the same number, in every probe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProbeRelation {
    /// The feature.
    pub feature: Feature,
    /// Its value in the signature.
    pub value: FeatureValue,
    /// The number that all probes share; `None` for a relation within each probe.
    pub number: Option<u32>,
    /// Common logarithm of the probability that the relation holds by accident, if the field were random.
    pub log10_chance: f64,
}

/// Returns the signatures of windows: one for each kind of probes that occurs, those with the most probes first.
#[must_use]
pub fn run_signatures<'w>(windows: impl Iterator<Item = &'w OpenWindow>) -> Vec<RunSignature> {
    let mut kinds: [(SignatureFold, u64); 3] = Default::default();
    for window in windows {
        for fold in window.folds() {
            if let Some(place) = fold.kind_place() {
                kinds[place].0.merge(fold);
            }
        }
        for (probe, _) in window.probes.iter() {
            if let Some(place) = kind_of_probe(probe) {
                kinds[place].1 += 1;
            }
        }
    }
    let mut runs: Vec<RunSignature> =
        kinds.iter().filter_map(|(fold, probes)| run_signature(fold, *probes)).collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.probes));
    runs
}

fn kind_of_probe(probe: &Probe) -> Option<usize> {
    match probe.protocol() {
        Protocol::Tcp if probe.flags().is_some_and(TcpFlags::opens) => Some(0),
        Protocol::Udp => Some(1),
        Protocol::Icmp | Protocol::Icmpv6 => Some(2),
        _ => None,
    }
}

fn run_signature(fold: &SignatureFold, probes: u64) -> Option<RunSignature> {
    let signature = signature_of(fold)?;
    let relations =
        signature.features().filter_map(|(feature, value)| relation(fold, feature, value, probes)).collect();
    Some(RunSignature { signature, probes, relations })
}

/// Returns the regularity of a feature. Returns `None` if the probes show none, or if stacks do not choose a new value of the
/// field for each connection.
fn relation(
    fold: &SignatureFold,
    feature: Feature,
    value: FeatureValue,
    probes: u64,
) -> Option<ProbeRelation> {
    let number = match feature {
        Feature::IpId => u32::from(fold.first.ip_id()),
        Feature::SourcePort => u32::from(fold.source_port),
        Feature::Sequence => fold.first.sequence(),
        Feature::Window if value == FeatureValue::Constant => u32::from(fold.first.window()),
        _ => return None,
    };
    let bits = if feature == Feature::Sequence { 32.0 } else { 16.0 };
    #[expect(clippy::cast_precision_loss, reason = "a number of probes of a run")]
    let (count, repeated) = (probes as f64, probes.saturating_sub(1) as f64);
    let of = |accidents: f64, number| ProbeRelation {
        feature,
        value,
        number,
        log10_chance: -accidents * bits * std::f64::consts::LOG10_2,
    };
    match value {
        FeatureValue::Relation => Some(of(count, None)),
        FeatureValue::Number(_) | FeatureValue::Constant if probes > 1 => Some(of(repeated, Some(number))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::behavior::{Engine, Marks, Profile};
    use crate::packet::{Packet, ProbeHeader, TcpOptions, Timestamp, UnusedFields};

    #[test]
    fn relations_hold_over_all_windows() {
        let mut engine = Engine::new(Profile::default());
        let mut windows: Vec<OpenWindow> = Vec::new();
        for at in 0..10u32 {
            // A window for each probe.
            let packet = Packet::new(
                [10, 0, 0, 1].into(),
                Ipv4Addr::from_bits(0xc633_6400 + at).into(),
                Protocol::Tcp,
            )
            .with_time(Timestamp::from_parts(i64::from(at) * 40, 0))
            .with_flags(Some(TcpFlags::SYN))
            .with_source_port(Some(50_007))
            .with_destination_port(Some(23))
            .with_sequence(Some(0xc633_6400 + at))
            .with_ip_id(Some(u16::try_from(at * 991 + 3).unwrap()))
            .with_probe(ProbeHeader::syn(TcpOptions::NONE, UnusedFields::Empty));
            engine.push(&packet, Marks::default(), &mut |closed| windows.extend_from_slice(closed));
        }
        windows.extend(engine.take_open());
        assert_eq!(windows.len(), 10);
        let runs = run_signatures(windows.iter());
        let [RunSignature { signature, probes: 10, relations }] = runs.as_slice() else { panic!("{runs:?}") };
        assert_eq!(
            signature.to_string(),
            "ps1|syn|id=*|sport=constant|options=none|mss=-|wscale=-|seq=destination|unused=0"
        );
        let shown: Vec<_> = relations.iter().map(|one| (one.feature, one.number)).collect();
        assert_eq!(shown, [(Feature::SourcePort, Some(50_007)), (Feature::Sequence, None)]);
        assert!((relations[0].log10_chance + 9.0 * 16.0 * std::f64::consts::LOG10_2).abs() < 1e-9);
        assert!((relations[1].log10_chance + 10.0 * 32.0 * std::f64::consts::LOG10_2).abs() < 1e-9);
        assert_eq!(run_signatures([].into_iter()), []);
    }
}

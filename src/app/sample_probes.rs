//! How a sample builds its probes: the signatures of its scan, and what of them its software made.

use crate::behavior::run_signatures;
use crate::correlate::ProbeTraits;
use crate::rules::{FeatureOrigin, Rules};
use crate::sample::{SampleProbes, SampleProfile};

/// Returns how the scan of a sample builds its probes.
pub(super) fn sample_probes(profile: &SampleProfile, rules: &Rules) -> Vec<SampleProbes> {
    let mut probes = Vec::new();
    for run in run_signatures(profile.scan_windows().map(|window| &window.window)) {
        let systems = rules.stacks_of(&run.signature).map(|stack| stack.title.clone()).collect();
        let origins = rules.feature_origins(&run.signature).into_iter();
        let made = origins.filter(|(_, origin)| *origin == FeatureOrigin::Malware);
        let made_by_malware = made.map(|(feature, _)| feature).collect();
        probes.push(SampleProbes { run, systems, made_by_malware });
    }
    probes
}

/// Returns what a sensor can recognize of how a sample builds its probes.
pub(super) fn probe_traits(profile: &SampleProfile, rules: &Rules) -> ProbeTraits {
    let probes = sample_probes(profile, rules);
    ProbeTraits::new(probes.iter().map(|one| (one.run.signature, one.made_by_malware.as_slice())))
}

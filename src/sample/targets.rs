//! Infers how a scan selects its targets from the order in which a sandbox run contacted them.

use std::net::IpAddr;

use serde::Serialize;

use crate::behavior::Transition;

use super::SampleProfile;
use super::contacts::Contacts;

/// Maximum distance in addresses between a target and the last target of the sweep that it continues. Ten
/// threads whose targets are three addresses apart stay within it.
const SWEEP_GAP: i64 = 64;
/// Number of most recently begun sweeps that a target may continue, and so the maximum number that run at the
/// same time.
const SWEEPS_PARALLEL_MAX: usize = 64;
/// Minimum number of targets of a sweep.
const SWEEP_MIN: usize = 5;
/// Minimum number of targets near the victim for the scan to prefer near targets. [`CHANCE_MAX`] must hold as
/// well.
const NEAR_MIN: usize = 3;
/// Maximum ratio of near targets expected by chance to those observed.
const CHANCE_MAX: f64 = 0.1;
/// Minimum number of targets from which a common prefix is inferred.
const CONFINED_MIN: usize = 8;
/// Minimum length of a common prefix in bits. Eight random targets share 8 bits with a probability of 2^-56.
const CONFINED_BITS: u32 = 8;
/// Minimum number of sweeps from whose first addresses the choice of blocks is inferred.
const STARTS_MIN: usize = 3;

/// The step from one target of a sweep to the next.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SweepStep {
    /// Time until the next target in seconds; 0 if times are unknown.
    pub after: f64,
    /// Distance to the next target in addresses; negative if the sweep descends.
    pub by: i64,
}

/// The order in which a scan visits its targets.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "order", rename_all = "kebab-case")]
pub enum TargetOrder {
    /// No order.
    Random,
    /// In sweeps, each through one block of addresses.
    Sequential {
        /// The steps of all sweeps, sweep by sweep.
        steps: Vec<SweepStep>,
        /// Number of addresses that each completed sweep spanned; empty if no sweep was completed.
        spans: Vec<u64>,
        /// Number of addresses that the longest sweep spanned, completed or not.
        longest: u64,
        /// Mean number of sweeps that run at the same time, at least 1.
        threads: f64,
    },
    /// ARP only: no packet leaves the victim's own link.
    Link,
}

/// Shares of targets by their distance from the victim. The shares exclude each other and sum to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Reach {
    /// Share in the victim's own /24.
    pub own_24: f64,
    /// Share in the victim's own /16, outside its /24.
    pub own_16: f64,
    /// Share in the victim's own /8, outside its /16.
    pub own_8: f64,
    /// Share of all other targets.
    pub elsewhere: f64,
    /// Length in bits of the prefix that all other targets share, at most 24; 0 if they share none.
    pub confined_bits: u8,
    /// Whether the run has enough targets for this inference. Otherwise, the whole Internet is assumed.
    pub known: bool,
}

/// How a scan selects its targets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetSelection {
    /// The order of the targets.
    #[serde(flatten)]
    pub order: TargetOrder,
    /// The location of the targets.
    pub reach: Reach,
}

impl TargetSelection {
    /// Infers the targeting of a run. The location of a sequential scan is inferred from the first addresses
    /// of its sweeps.
    pub(super) fn infer(sample: &SampleProfile, contacts: &Contacts) -> TargetSelection {
        let fours: Vec<(f64, u32)> = contacts
            .targets
            .iter()
            .filter_map(|(at, target)| match target {
                IpAddr::V4(four) => Some((*at, u32::from(*four))),
                IpAddr::V6(_) => None,
            })
            .collect();
        let own = contacts.victims.iter().find_map(|victim| match victim {
            IpAddr::V4(four) => Some(u32::from(*four)),
            IpAddr::V6(_) => None,
        });
        if sample.scan_windows().all(is_arp_only) {
            return TargetSelection { order: TargetOrder::Link, reach: Reach::anywhere(true) };
        }
        if !is_sequential(sample) {
            let addresses: Vec<u32> = fours.iter().map(|(_, four)| *four).collect();
            return TargetSelection { order: TargetOrder::Random, reach: Reach::infer(&addresses, own) };
        }
        let sweeps = sweeps(&timed_targets(contacts, fours));
        let starts: Vec<u32> = sweeps.iter().map(|sweep| sweep.first).collect();
        let reach = match starts.len() >= STARTS_MIN {
            true => Reach::infer(&starts, own),
            false => Reach::anywhere(false),
        };
        TargetSelection { order: sequential_order(&sweeps, contacts.seconds), reach }
    }
}

/// Replaces the time of each target by that of its first traced packet, if there is one.
fn timed_targets(contacts: &Contacts, fours: Vec<(f64, u32)>) -> Vec<(f64, u32)> {
    let told: std::collections::HashMap<u32, f64> = contacts
        .all
        .iter()
        .rev()
        .filter_map(|contact| match contact.target {
            IpAddr::V4(four) => Some((u32::from(four), contact.at)),
            IpAddr::V6(_) => None,
        })
        .collect();
    fours.into_iter().map(|(at, four)| (told.get(&four).copied().unwrap_or(at), four)).collect()
}

/// Returns whether a window has ARP packets only.
fn is_arp_only(window: &super::ScanWindow) -> bool {
    let protocol = &window.fingerprint.whole.parameters.protocol;
    protocol.protocols().all(|protocol| protocol == crate::packet::Protocol::Arp)
}

/// Returns whether windows with a sequential transition have at least half of the targets. Windows with a
/// single target do not count.
fn is_sequential(sample: &SampleProfile) -> bool {
    let of = |wanted: fn(Transition) -> bool| -> u64 {
        let parameters = sample.scan_windows().map(|window| &window.fingerprint.whole.parameters);
        parameters.filter(|one| wanted(one.transition)).map(|one| one.destinations).sum()
    };
    let sequential = of(|transition| transition == Transition::Sequential);
    sequential > 0 && sequential * 2 >= of(|transition| transition != Transition::Single)
}

impl Reach {
    /// Returns the reach of a scan of the whole Internet.
    fn anywhere(known: bool) -> Reach {
        Reach { own_24: 0.0, own_16: 0.0, own_8: 0.0, elsewhere: 1.0, confined_bits: 0, known }
    }

    fn infer(addresses: &[u32], own: Option<u32>) -> Reach {
        if addresses.is_empty() {
            return Reach::anywhere(false);
        }
        let count = addresses.len() as f64;
        let shared = |address: &u32| own.map_or(0, |own| (own ^ address).leading_zeros());
        let within = |low: u32, high: u32| {
            let near = addresses.iter().filter(|address| (low..high).contains(&shared(address))).count();
            let chance = count * (-f64::from(low)).exp2();
            if near >= NEAR_MIN && chance <= CHANCE_MAX * near as f64 { near as f64 / count } else { 0.0 }
        };
        let (own_24, own_16, own_8) = (within(24, 33), within(16, 24), within(8, 16));
        let elsewhere = (1.0 - own_24 - own_16 - own_8).max(0.0);
        let nearest = [(own_24, 24), (own_16, 16), (own_8, 8)];
        let floor = nearest.iter().filter(|(share, _)| *share > 0.0).map(|(_, bits)| *bits).min();
        let far: Vec<u32> =
            addresses.iter().copied().filter(|one| floor.is_none_or(|bits| shared(one) < bits)).collect();
        let known = addresses.len() >= CONFINED_MIN;
        Reach { own_24, own_16, own_8, elsewhere, confined_bits: common_prefix_bits(&far), known }
    }
}

/// Returns the length in bits of the prefix that all addresses share, or 0 if it may be shared by chance.
fn common_prefix_bits(far: &[u32]) -> u8 {
    let (Some(first), true) = (far.first(), far.len() >= CONFINED_MIN) else { return 0 };
    let bits = far.iter().map(|one| (one ^ first).leading_zeros()).min().unwrap_or(0);
    if bits < CONFINED_BITS { 0 } else { u8::try_from(bits.min(24)).unwrap_or(24) }
}

/// Targets in successive order, each at most [`SWEEP_GAP`] from the one before.
struct Sweep {
    first: u32,
    low: u32,
    high: u32,
    last: u32,
    began: f64,
    ended: f64,
    targets: usize,
    steps: Vec<SweepStep>,
}

/// Divides the targets of a run into sweeps, including sweeps of several threads at the same time. Targets
/// that belong to no sweep are left out.
fn sweeps(targets: &[(f64, u32)]) -> Vec<Sweep> {
    let mut all: Vec<Sweep> = Vec::new();
    for (at, target) in targets {
        let away = |sweep: &Sweep| (i64::from(*target) - i64::from(sweep.last)).abs();
        let nearest = all.iter_mut().rev().take(SWEEPS_PARALLEL_MAX).min_by_key(|sweep| away(sweep));
        match nearest {
            Some(sweep) if away(sweep) <= SWEEP_GAP => {
                let by = i64::from(*target) - i64::from(sweep.last);
                sweep.steps.push(SweepStep { after: (at - sweep.ended).max(0.0), by });
                (sweep.last, sweep.ended) = (*target, *at);
                (sweep.low, sweep.high) = (sweep.low.min(*target), sweep.high.max(*target));
                sweep.targets += 1;
            }
            _ => all.push(Sweep {
                first: *target,
                low: *target,
                high: *target,
                last: *target,
                began: *at,
                ended: *at,
                targets: 1,
                steps: Vec::new(),
            }),
        }
    }
    all.retain(|sweep| sweep.targets >= SWEEP_MIN);
    all
}

fn sequential_order(sweeps: &[Sweep], seconds: f64) -> TargetOrder {
    let span = |sweep: &Sweep| u64::from(sweep.high - sweep.low) + 1;
    // A sweep is complete if it was silent at the end of the run for more than ten of its mean intervals.
    let ended = |sweep: &&Sweep| {
        let mean = (sweep.ended - sweep.began) / (sweep.targets.max(2) - 1) as f64;
        seconds > 0.0 && seconds - sweep.ended > 10.0 * mean
    };
    let busy: f64 = sweeps.iter().map(|sweep| sweep.ended - sweep.began).sum();
    let began = sweeps.iter().map(|sweep| sweep.began).fold(f64::INFINITY, f64::min);
    let finished = sweeps.iter().map(|sweep| sweep.ended).fold(0.0, f64::max);
    let threads = if finished > began { (busy / (finished - began)).max(1.0) } else { 1.0 };
    TargetOrder::Sequential {
        steps: sweeps.iter().flat_map(|sweep| sweep.steps.iter().copied()).collect(),
        spans: sweeps.iter().filter(ended).map(span).collect(),
        longest: sweeps.iter().map(span).max().unwrap_or(1),
        threads,
    }
}

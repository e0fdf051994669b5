//! How a scan picks its targets, inferred from the order in which a sandbox run asked them.

use std::net::IpAddr;

use serde::Serialize;

use crate::behavior::Transition;

use super::SampleProfile;
use super::contacts::Contacts;

/// A target so near behind or ahead of a sweep's last one belongs to the sweep: ten threads with gaps of three stay
/// within (design, transition).
const SWEEP_GAP: i64 = 64;
/// Sweeps that may go on beside each other.
const SWEEPS_BESIDE_MAX: usize = 64;
/// Targets that make a sweep.
const SWEEP_MIN: usize = 5;
/// Targets near the victim from which on nearness is a habit and no chance, together with [`CHANCE_MAX`].
const NEAR_MIN: usize = 3;
/// Expected targets by chance must be fewer than this part of those seen.
const CHANCE_MAX: f64 = 0.1;
/// Targets from which on a common prefix says something.
const CONFINED_MIN: usize = 8;
/// A prefix that so few random targets share by chance once in millions of runs.
const CONFINED_BITS: u32 = 8;
/// Sweeps from which on their starts say how blocks are chosen.
const STARTS_MIN: usize = 3;

/// One step of a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Seconds to the next target; 0 where times are unknown.
    pub after: f64,
    /// Addresses ahead (or, negative, behind).
    pub by: i64,
}

/// The order of targets.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "order", rename_all = "kebab-case")]
pub enum Order {
    /// No order.
    Random,
    /// Block by block.
    Sequential {
        /// The steps of all sweeps, one after the other.
        steps: Vec<Step>,
        /// Addresses that whole sweeps spanned before the next began; empty where none ended.
        spans: Vec<u64>,
        /// Addresses that the longest sweep spanned.
        longest: u64,
        /// Sweeps that run beside each other.
        threads: f64,
    },
    /// Nothing routed: the victim's own link.
    Link,
}

/// Shares of targets by where they lie, exclusive of each other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Reach {
    /// In the victim's own /24.
    pub own_24: f64,
    /// In its /16, further than that.
    pub own_16: f64,
    /// In its /8, further than that.
    pub own_8: f64,
    /// Elsewhere.
    pub elsewhere: f64,
    /// Bits that the targets elsewhere share: 0 for all of the Internet.
    pub confined_bits: u8,
    /// Whether enough was seen to say so; else the whole Internet is assumed.
    pub known: bool,
}

/// How targets are picked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Targeting {
    /// In which order.
    #[serde(flatten)]
    pub order: Order,
    /// Where they lie.
    pub reach: Reach,
}

impl Targeting {
    pub(super) fn of(sample: &SampleProfile, contacts: &Contacts) -> Targeting {
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
        if sample.scan_windows().all(on_link) {
            return Targeting { order: Order::Link, reach: Reach::anywhere(true) };
        }
        if !is_sequential(sample) {
            let addresses: Vec<u32> = fours.iter().map(|(_, four)| *four).collect();
            return Targeting { order: Order::Random, reach: Reach::of(&addresses, own) };
        }
        let sweeps = sweeps(&timed_targets(contacts, fours));
        let starts: Vec<u32> = sweeps.iter().map(|sweep| sweep.first).collect();
        let reach = match starts.len() >= STARTS_MIN {
            true => Reach::of(&starts, own),
            false => Reach::anywhere(false),
        };
        Targeting { order: sequential(&sweeps, contacts.seconds), reach }
    }
}

/// Targets with the time of their own first packet where it was told.
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

fn on_link(window: &super::ScanWindow) -> bool {
    let protocol = &window.fingerprint.whole.parameters.protocol;
    protocol.protocols().all(|protocol| protocol == crate::event::Protocol::Arp)
}

/// Whether the engine calls most of the run, by targets, sequential.
fn is_sequential(sample: &SampleProfile) -> bool {
    let of = |wanted: fn(Transition) -> bool| -> u64 {
        let parameters = sample.scan_windows().map(|window| &window.fingerprint.whole.parameters);
        parameters.filter(|one| wanted(one.transition)).map(|one| one.destinations).sum()
    };
    let sequential = of(|transition| transition == Transition::Sequential);
    sequential > 0 && sequential * 2 >= of(|transition| transition != Transition::Single)
}

impl Reach {
    /// All of the Internet.
    fn anywhere(known: bool) -> Reach {
        Reach { own_24: 0.0, own_16: 0.0, own_8: 0.0, elsewhere: 1.0, confined_bits: 0, known }
    }

    fn of(addresses: &[u32], own: Option<u32>) -> Reach {
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
        Reach { own_24, own_16, own_8, elsewhere, confined_bits: confined(&far), known }
    }
}

/// Bits that all of many addresses share, where that is no chance.
fn confined(far: &[u32]) -> u8 {
    let (Some(first), true) = (far.first(), far.len() >= CONFINED_MIN) else { return 0 };
    let bits = far.iter().map(|one| (one ^ first).leading_zeros()).min().unwrap_or(0);
    if bits < CONFINED_BITS { 0 } else { u8::try_from(bits.min(24)).unwrap_or(24) }
}

/// Neighbours asked one after the other.
struct Sweep {
    first: u32,
    low: u32,
    high: u32,
    last: u32,
    began: f64,
    ended: f64,
    targets: usize,
    steps: Vec<Step>,
}

/// Takes a run apart into sweeps, also those that several threads make at once; strays are left out.
fn sweeps(targets: &[(f64, u32)]) -> Vec<Sweep> {
    let mut all: Vec<Sweep> = Vec::new();
    for (at, target) in targets {
        let away = |sweep: &Sweep| (i64::from(*target) - i64::from(sweep.last)).abs();
        let nearest = all.iter_mut().rev().take(SWEEPS_BESIDE_MAX).min_by_key(|sweep| away(sweep));
        match nearest {
            Some(sweep) if away(sweep) <= SWEEP_GAP => {
                let by = i64::from(*target) - i64::from(sweep.last);
                sweep.steps.push(Step { after: (at - sweep.ended).max(0.0), by });
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

fn sequential(sweeps: &[Sweep], seconds: f64) -> Order {
    let span = |sweep: &Sweep| u64::from(sweep.high - sweep.low) + 1;
    // A sweep ended when it has been silent for long, by its own measure.
    let ended = |sweep: &&Sweep| {
        let mean = (sweep.ended - sweep.began) / (sweep.targets.max(2) - 1) as f64;
        seconds > 0.0 && seconds - sweep.ended > 10.0 * mean
    };
    let busy: f64 = sweeps.iter().map(|sweep| sweep.ended - sweep.began).sum();
    let began = sweeps.iter().map(|sweep| sweep.began).fold(f64::INFINITY, f64::min);
    let finished = sweeps.iter().map(|sweep| sweep.ended).fold(0.0, f64::max);
    let threads = if finished > began { (busy / (finished - began)).max(1.0) } else { 1.0 };
    Order::Sequential {
        steps: sweeps.iter().flat_map(|sweep| sweep.steps.iter().copied()).collect(),
        spans: sweeps.iter().filter(ended).map(span).collect(),
        longest: sweeps.iter().map(span).max().unwrap_or(1),
        threads,
    }
}

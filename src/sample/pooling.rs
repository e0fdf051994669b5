//! Pools the runs of a sample, or of the samples of a malware family: runs whose scans do not differ
//! significantly are one scan with more evidence, and runs that differ are variants.
//!
//! Runs are compared by counts of their targets: how many targets received how many packets, which services
//! were probed, where targets lie and whether they were visited in order, and how source ports were chosen.
//! Each category of each property is compared by Fisher's exact test, and the significance level is divided by
//! the number of tests. Rates and answers depend on the sandbox rather than on the malware and are not
//! compared.

use std::collections::{BTreeMap, BTreeSet};

use statrs::function::gamma::ln_gamma;

use super::scan::{AnsweredContacts, Attempts, SampleService, Scan, Script, ServicePort, SourcePorts};
use super::targets::{Reach, TargetOrder, TargetSelection};

/// Probability that runs of one scan are taken as different, over all comparisons.
const FALSE_DIFFERENCE: f64 = 0.01;
/// Maximum number of targets of a run or of a pool that count in a test. The targets of a run are not
/// independent of each other, so that more of them would make differences significant that are of the run and
/// not of the scan. With 1,000 targets, shares have to differ by some 8 percentage points.
const COUNT_MAX: f64 = 1_000.0;
/// Maximum number of scripts of a pooled scan, as of the scan of one run.
const SCRIPTS_MAX: usize = 512;
/// Maximum number of differences that are described of two scans.
const DIFFERENCES_MAX: usize = 6;

/// Runs whose scans do not differ significantly, as one scan.
#[derive(Clone, Debug, PartialEq)]
pub struct PooledScan {
    /// The places of the runs in the list that was given to [`pool_scans`], ascending.
    pub runs: Vec<usize>,
    /// The scan: targets are summed, and shares are those of all targets of the runs. A projection accepts it
    /// like the scan of a run.
    pub scan: Scan,
    /// What distinguishes it from the first of the pooled scans, a phrase for each difference; empty for the
    /// first.
    pub differences: Vec<String>,
}

/// Pools scans of one sample or of one malware family. The result has the variants, that with the most targets
/// first; it has one element if the scans do not differ significantly, and is empty if there are no scans.
///
/// A run joins the variant that it resembles most among those from which it does not differ significantly.
/// Runs with more targets come first, because they define variants more reliably. The result does not depend
/// on anything but the scans and their order.
#[must_use]
pub fn pool_scans(scans: &[Scan]) -> Vec<PooledScan> {
    let mut order: Vec<usize> = (0..scans.len()).collect();
    order.sort_by_key(|run| std::cmp::Reverse(scans[*run].targets));
    let level = FALSE_DIFFERENCE / comparisons(scans.len());
    let mut variants: Vec<PooledScan> = Vec::new();
    for run in order {
        let scan = &scans[run];
        let p_values = variants.iter().map(|known| p_value(&known.scan, scan)).enumerate();
        match p_values.max_by(|a, b| a.1.total_cmp(&b.1)) {
            Some((place, p)) if p >= level => {
                let known = &mut variants[place];
                known.scan = pooled(&known.scan, scan);
                known.runs.push(run);
            }
            _ => variants.push(PooledScan { runs: vec![run], scan: scan.clone(), differences: Vec::new() }),
        }
    }
    variants.sort_by_key(|variant| std::cmp::Reverse(variant.scan.targets));
    let first = variants.first().map(|variant| variant.scan.clone());
    for (place, variant) in variants.iter_mut().enumerate() {
        variant.runs.sort_unstable();
        if let Some(first) = first.as_ref().filter(|_| place > 0) {
            variant.differences = differences(first, &variant.scan, level);
        }
    }
    variants
}

/// Returns the number of pairs of runs.
fn comparisons(runs: usize) -> f64 {
    (runs * runs.saturating_sub(1) / 2).max(1) as f64
}

/// A property of scans: the number of targets by category.
struct PropertyCounts {
    /// What is counted; `{}` stands for the category, as in `{} packets to a target`.
    words: &'static str,
    /// The numbers of targets in each of the two scans, by category.
    counts: BTreeMap<String, [f64; 2]>,
}

impl PropertyCounts {
    fn of(
        words: &'static str,
        scans: [&Scan; 2],
        of_scan: impl Fn(&Scan) -> Vec<(String, f64)>,
    ) -> PropertyCounts {
        let mut counts: BTreeMap<String, [f64; 2]> = BTreeMap::new();
        for (place, scan) in scans.into_iter().enumerate() {
            for (category, count) in of_scan(scan) {
                counts.entry(category).or_default()[place] += count;
            }
        }
        PropertyCounts { words, counts }
    }

    /// Returns the p-value of each category, multiplied by their number, with the shares in both scans.
    fn tests(&self, totals: [f64; 2]) -> Vec<(f64, &str, [f64; 2])> {
        // Of two categories, the second has the test of the first.
        let tests = if self.counts.len() <= 2 { 1.0 } else { self.counts.len() as f64 };
        let mut tested = Vec::new();
        for (category, counts) in &self.counts {
            let p = fisher(scaled(counts[0], totals[0]), scaled(counts[1], totals[1]));
            let share = |place: usize| counts[place] / totals[place].max(f64::MIN_POSITIVE);
            tested.push(((p * tests).min(1.0), category.as_str(), [share(0), share(1)]));
        }
        tested
    }
}

/// Returns a count and the rest of a total as whole numbers, reduced in proportion to a total of at most
/// [`COUNT_MAX`].
fn scaled(count: f64, total: f64) -> [f64; 2] {
    let factor = if total > COUNT_MAX { COUNT_MAX / total } else { 1.0 };
    let all = (total * factor).round();
    let with = (count * factor).round().clamp(0.0, all);
    [with, all - with]
}

/// Returns the properties by which two scans are compared, with the numbers of targets that count for each.
fn properties(a: &Scan, b: &Scan) -> Vec<(PropertyCounts, [f64; 2])> {
    let both = [a, b];
    let targets = both.map(|scan| scan.targets as f64);
    let mut all = Vec::new();
    // A run that ended too early, or whose log has no times, does not show retries.
    if both.iter().all(|scan| scan.attempts.unknown.is_none()) {
        let scripts = both.map(|scan| (scan.scripts.len() as f64).min(scan.targets as f64));
        let of = |scan: &Scan| {
            let count = (scan.scripts.len() as f64).min(scan.targets as f64);
            scan.attempts.shares.iter().map(|(packets, share)| (packets.to_string(), share * count)).collect()
        };
        all.push((PropertyCounts::of("{} packets to a target", both, of), scripts));
    }
    let services = |scan: &Scan| {
        let count =
            |(service, share): &(SampleService, f64)| (service.to_string(), share * scan.targets as f64);
        scan.services.iter().map(count).collect()
    };
    all.push((PropertyCounts::of("service {}", both, services), targets));
    all.push((PropertyCounts::of("targets {}", both, order_counts), targets));
    if both.iter().all(|scan| scan.targeting.reach.known) {
        all.push((PropertyCounts::of("targets {}", both, reach_counts), targets));
    }
    let source_ports = |scan: &Scan| {
        let words = match scan.source_ports {
            SourcePorts::One => "one source port for all targets",
            SourcePorts::PerTarget => "new source ports for each target",
        };
        vec![(words.to_owned(), scan.targets as f64)]
    };
    // A scan of one target has one source port in either case.
    if both.iter().all(|scan| scan.targets > 1) {
        all.push((PropertyCounts::of("{}", both, source_ports), targets));
    }
    all
}

/// Returns the numbers of targets that follow on another target of a sweep, and of others.
fn order_counts(scan: &Scan) -> Vec<(String, f64)> {
    let targets = scan.targets as f64;
    let (words, count) = match &scan.targeting.order {
        TargetOrder::Link => ("on the victim's own link", targets),
        TargetOrder::Random => return vec![("in no order".to_owned(), targets)],
        TargetOrder::Sequential { steps, .. } => ("one after the other", (steps.len() as f64).min(targets)),
    };
    vec![(words.to_owned(), count), ("in no order".to_owned(), targets - count)]
}

/// Returns the numbers of targets by their distance from the victim.
fn reach_counts(scan: &Scan) -> Vec<(String, f64)> {
    let Reach { own_24, own_16, own_8, elsewhere, confined_bits, .. } = scan.targeting.reach;
    let far = if confined_bits > 0 { "within one prefix" } else { "anywhere" };
    let shares = [
        (own_24, "in the victim's /24"),
        (own_16, "in the victim's /16"),
        (own_8, "in the victim's /8"),
        (elsewhere, far),
    ];
    let present = shares.into_iter().filter(|(share, _)| *share > 0.0);
    present.map(|(share, words)| (words.to_owned(), share * scan.targets as f64)).collect()
}

/// Returns the smallest p-value of all properties of two scans, multiplied by their number.
fn p_value(a: &Scan, b: &Scan) -> f64 {
    let properties = properties(a, b);
    let count = properties.len() as f64;
    let tests = properties.iter().flat_map(|(property, totals)| property.tests(*totals));
    tests.map(|(p, ..)| (p * count).min(1.0)).fold(1.0, f64::min)
}

/// Returns what distinguishes `other` from `first`, the most significant difference first.
fn differences(first: &Scan, other: &Scan, level: f64) -> Vec<String> {
    let properties = properties(first, other);
    let count = properties.len() as f64;
    let mut found: Vec<(f64, String)> = Vec::new();
    for (property, totals) in &properties {
        for (p, category, [in_first, in_other]) in property.tests(*totals) {
            if p * count < level {
                let words = property.words.replace("{}", category);
                let (other, first) = (in_other * 100.0, in_first * 100.0);
                found.push((p, format!("{words}: {other:.0} % of targets instead of {first:.0} %")));
            }
        }
    }
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found.truncate(DIFFERENCES_MAX);
    found.into_iter().map(|(_, words)| words).collect()
}

/// Returns the two-sided p-value of Fisher's exact test for a table of two rows of whole numbers: the
/// probability of all tables with the same sums that are at most as probable as this one.
fn fisher(a: [f64; 2], b: [f64; 2]) -> f64 {
    /// Tables whose probabilities differ by less count as equally probable.
    const TOLERANCE: f64 = 1e-7;
    let (row_a, row_b, column) = (a[0] + a[1], b[0] + b[1], a[0] + b[0]);
    if row_a == 0.0 || row_b == 0.0 {
        return 1.0;
    }
    let ln_choose = |n: f64, k: f64| ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0);
    let all = ln_choose(row_a + row_b, column);
    let probability = |x: f64| (ln_choose(row_a, x) + ln_choose(row_b, column - x) - all).exp();
    let observed = probability(a[0]) * (1.0 + TOLERANCE);
    let mut sum = 0.0;
    let mut x = (column - row_b).max(0.0);
    while x <= column.min(row_a) {
        let one = probability(x);
        if one <= observed {
            sum += one;
        }
        x += 1.0;
    }
    sum.min(1.0)
}

/// Returns two scans as one.
fn pooled(a: &Scan, b: &Scan) -> Scan {
    let (services, places) = pooled_services(a, b);
    let scripts = pooled_scripts([a, b], &places);
    let unknown = a.attempts.unknown.and(b.attempts.unknown);
    let rates = [a, b].map(|scan| scan.targets_per_second.map(|rate| scan.targets as f64 / rate));
    let targets_per_second = match rates {
        [Some(one), Some(other)] if one + other > 0.0 => Some((a.targets + b.targets) as f64 / (one + other)),
        _ => a.targets_per_second.or(b.targets_per_second),
    };
    Scan {
        targeting: pooled_targeting(a, b),
        services,
        attempts: Attempts { shares: shares_of(&scripts), unknown },
        scripts,
        targets_per_second,
        answered: pooled_answers(a, b),
        targets: a.targets.saturating_add(b.targets),
        ..a.clone()
    }
}

/// Returns the mean of two values, weighted with the scans' numbers of targets.
fn mean(a: &Scan, b: &Scan, [one, other]: [f64; 2]) -> f64 {
    let (of_a, of_b) = (a.targets.max(1) as f64, b.targets.max(1) as f64);
    (one * of_a + other * of_b) / (of_a + of_b)
}

/// The place of each service of both scans in the list of pooled services.
type ServicePlaces = [Vec<usize>; 2];

/// Returns the services of two scans with their shares of targets, the highest share first. Services with
/// per-target ports are one service, whose range includes both ranges.
fn pooled_services(a: &Scan, b: &Scan) -> (Vec<(SampleService, f64)>, ServicePlaces) {
    let mut services: Vec<(SampleService, f64)> = Vec::new();
    let mut places: ServicePlaces = [Vec::new(), Vec::new()];
    for (scan, (places, is_first)) in [a, b].into_iter().zip(places.iter_mut().zip([true, false])) {
        for (service, share) in &scan.services {
            let share = mean(a, b, if is_first { [*share, 0.0] } else { [0.0, *share] });
            let place = services.iter().position(|(known, _)| is_same_service(*known, *service));
            let place = place.unwrap_or_else(|| {
                services.push((*service, 0.0));
                services.len() - 1
            });
            let known = &mut services[place];
            known.1 += share;
            if let (ServicePort::PerTarget(low, high), ServicePort::PerTarget(own_low, own_high)) =
                (known.0.port, service.port)
            {
                known.0.port = ServicePort::PerTarget(low.min(own_low), high.max(own_high));
            }
            places.push(place);
        }
    }
    let mut order: Vec<usize> = (0..services.len()).collect();
    order.sort_by(|x, y| services[*y].1.total_cmp(&services[*x].1).then(services[*x].0.cmp(&services[*y].0)));
    let mut moved = vec![0; services.len()];
    order.iter().enumerate().for_each(|(to, from)| moved[*from] = to);
    places.iter_mut().flatten().for_each(|place| *place = moved[*place]);
    (order.into_iter().map(|from| services[from]).collect(), places)
}

fn is_same_service(a: SampleService, b: SampleService) -> bool {
    let is_per_target = |port| matches!(port, ServicePort::PerTarget(..));
    a.token == b.token && (a.port == b.port || is_per_target(a.port) && is_per_target(b.port))
}

/// Returns scripts of both scans, in proportion to their numbers: of the scans that show retries, if one does.
fn pooled_scripts(scans: [&Scan; 2], places: &ServicePlaces) -> Vec<Script> {
    let is_usable = scans.map(|scan| scan.attempts.unknown.is_none());
    let mut all: Vec<Script> = Vec::new();
    for ((scan, places), own_is_usable) in scans.into_iter().zip(places).zip(is_usable) {
        if !own_is_usable && is_usable.contains(&true) {
            continue;
        }
        for script in &scan.scripts {
            let mut script = script.clone();
            for packet in &mut script.packets {
                packet.service = places.get(packet.service).copied().unwrap_or_default();
            }
            all.push(script);
        }
    }
    // Every n-th script is kept, so that both scans keep their proportion.
    let count = all.len();
    if count <= SCRIPTS_MAX {
        return all;
    }
    let kept: BTreeSet<usize> = (0..SCRIPTS_MAX).map(|place| place * count / SCRIPTS_MAX).collect();
    let scripts = all.into_iter().enumerate().filter(|(place, _)| kept.contains(place));
    scripts.map(|(_, script)| script).collect()
}

/// Returns the share of scripts by number of packets.
fn shares_of(scripts: &[Script]) -> BTreeMap<u64, f64> {
    let mut shares = BTreeMap::new();
    for script in scripts {
        *shares.entry(script.packets.len() as u64).or_default() += 1.0 / scripts.len() as f64;
    }
    shares
}

fn pooled_answers(a: &Scan, b: &Scan) -> Option<AnsweredContacts> {
    let nothing = AnsweredContacts { share: 0.0, packets: 0.0 };
    if a.answered.is_none() && b.answered.is_none() {
        return None;
    }
    let [one, other] = [a, b].map(|scan| scan.answered.unwrap_or(nothing));
    let share = mean(a, b, [one.share, other.share]);
    let packets = mean(a, b, [one.share * one.packets, other.share * other.packets]);
    Some(AnsweredContacts { share, packets: packets / share.max(f64::MIN_POSITIVE) })
}

/// Returns the targeting of two scans. The order is that of the scan with more targets, because the other did
/// not differ significantly; steps and spans of sweeps are those of both.
fn pooled_targeting(a: &Scan, b: &Scan) -> TargetSelection {
    let larger = if b.targets > a.targets { b } else { a };
    let order = match (&a.targeting.order, &b.targeting.order) {
        (
            TargetOrder::Sequential { steps, spans, longest, threads },
            TargetOrder::Sequential {
                steps: more_steps,
                spans: more_spans,
                longest: other_longest,
                threads: other_threads,
            },
        ) => TargetOrder::Sequential {
            steps: steps.iter().chain(more_steps).copied().collect(),
            spans: spans.iter().chain(more_spans).copied().collect(),
            longest: *longest.max(other_longest),
            threads: mean(a, b, [*threads, *other_threads]),
        },
        _ => larger.targeting.order.clone(),
    };
    TargetSelection { order, reach: pooled_reach(a, b) }
}

fn pooled_reach(a: &Scan, b: &Scan) -> Reach {
    let (one, other) = (&a.targeting.reach, &b.targeting.reach);
    match (one.known, other.known) {
        (true, false) => *one,
        (false, true) => *other,
        _ => Reach {
            own_24: mean(a, b, [one.own_24, other.own_24]),
            own_16: mean(a, b, [one.own_16, other.own_16]),
            own_8: mean(a, b, [one.own_8, other.own_8]),
            elsewhere: mean(a, b, [one.elsewhere, other.elsewhere]),
            confined_bits: one.confined_bits.min(other.confined_bits),
            known: one.known,
        },
    }
}

#[cfg(test)]
#[path = "pooling_tests.rs"]
mod tests;

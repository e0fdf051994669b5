//! Predicts what a sensor would observe of a scan: a distribution over types, shapes, patterns and facets,
//! and the expected number of windows and contacts.
//!
//! The scan is simulated on the sensor's dark addresses with a fixed seed. The packets that hit dark
//! addresses pass through the same engine as a darknet's packets, so a projection follows the engine's bins,
//! windows and rules exactly. For a given scan, its only error is the sampling error: a standard error of
//! about 3 percentage points or less of a share, with 256 windows.

use std::collections::BTreeMap;

use ipnet::IpNet;
use jiff::civil::Date;

use crate::behavior::{Behavior, BehaviorId, Facet, Fingerprinter, OpenWindow, Parameters, Profile};
use crate::history::{DarkPeriod, Granularity, Scope, Sensor, SensorKind};
use crate::packet::AddressSpace;

use super::random::SplitMix64;
use super::targets::{Reach, TargetOrder};
use super::thinning::{Mode, SensorAddresses, SimulatedScan, simulate};
use super::{PerTargetPorts, SampleProfile, Scan};

const SECONDS_A_DAY: f64 = 86_400.0;
const ALL_IPV4: f64 = 4_294_967_296.0;
/// Maximum number of example windows that are kept for tiles.
const EXAMPLES_MAX: usize = 12;

/// A behavior that a sensor would observe.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictedBehavior {
    /// The granularity of `behavior`.
    pub granularity: Granularity,
    /// Whether `behavior` belongs to whole windows or to facets (one service's part of a window that probes
    /// several).
    pub scope: Scope,
    /// The type, shape or pattern.
    pub behavior: Behavior,
    /// Parameters of the first simulated window or facet with this behavior.
    pub parameters: Parameters,
    /// Share of windows that show this behavior, 0 to 1.
    pub share: f64,
}

/// The projection of a scan onto a sensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// The predicted behaviors, sorted by granularity, then by scope, then by falling share.
    pub predicted: Vec<PredictedBehavior>,
    /// Expected number of windows that the sensor observes of one scanning host per day, averaged over hosts
    /// anywhere on the Internet.
    pub windows_per_host_day: f64,
    /// Expected number of contacts of such a host with dark addresses per day, averaged likewise.
    pub contacts_per_host_day: f64,
    /// Probability that the sensor observes a host at least once on a day on which the host scans all day,
    /// averaged likewise.
    pub seen_per_host_day: f64,
    /// Share of windows that come from hosts in the sensor's own /8, /16 or /24. Such hosts scan the sensor
    /// more often.
    pub near_share: f64,
    /// Number of simulated windows.
    pub windows: u64,
    /// The behaviors of each scan that is consistent with the run, in each period of the sensor's dark
    /// addresses.
    pub variants: Vec<ScanVariant>,
    /// The periods of equal dark addresses that the projection covers, ascending: first day, last day and
    /// number of dark IPv4 addresses. [`Date::MIN`] and [`Date::MAX`] stand for a period without a beginning
    /// or an end.
    pub periods: Vec<(Date, Date, u64)>,
    /// Example windows for tiles, one per type, those of the most frequent types first, each with the share
    /// of its type.
    pub examples: Vec<(f64, OpenWindow)>,
}

/// One scan that is consistent with the run, as a sensor would observe it in one period of its dark
/// addresses.
#[derive(Clone, Debug, PartialEq)]
pub struct ScanVariant {
    /// Probability of this variant on each of its days, 0 to 1.
    pub weight: f64,
    /// First and last day of the period, both included. `None` if the variant applies to all days.
    pub days: Option<(Date, Date)>,
    /// Share of windows by [shape, or by pattern where the port is masked](crate::behavior::Names::habit).
    pub shape_shares: Vec<(BehaviorId, f64)>,
    /// Share of windows by [behavior series](crate::behavior::Names::line): by type, or by pattern where the
    /// port is masked. A type includes the volumes, which a shape leaves out.
    pub series_shares: Vec<(BehaviorId, f64)>,
}

impl ScanVariant {
    /// Builds a variant from the windows of the sandbox run itself, without a projection. It applies to all
    /// days.
    #[must_use]
    pub fn from_run(sample: &SampleProfile, weight: f64) -> ScanVariant {
        let mut alone = ProjectionSums::default();
        for window in sample.scan_windows() {
            let names = &window.fingerprint.whole.names;
            *alone.shapes.entry(names.habit().id).or_default() += 1.0;
            *alone.series.entry(names.line().id).or_default() += 1.0;
            alone.per_day += 1.0;
        }
        alone.variant(weight, None)
    }

    /// Returns whether the variant applies on a day, that is, whether the day lies in its period.
    #[must_use]
    pub fn applies_on(&self, day: Date) -> bool {
        self.days.is_none_or(|(first, last)| first <= day && day <= last)
    }
}

impl Projection {
    /// Projects a scan onto a sensor on the given days, which are those that the sensor recorded. Equal
    /// arguments yield equal projections.
    ///
    /// If the dark addresses changed between the days, the scan is projected onto each period of equal dark
    /// addresses. Rates and shares are the mean over the days, which is what a history of all these days
    /// shows. Each variant keeps the values of its period, so that an event can be compared with the dark
    /// addresses of its first day. If no day is given, or no address was dark on any of them, the scan is
    /// projected onto the last period with a dark address.
    #[must_use]
    pub fn new(
        scan: &Scan,
        sensor: &Sensor,
        days: impl IntoIterator<Item = Date>,
        profile: &Profile,
    ) -> Projection {
        let periods = sensor.dark_periods();
        let mut counts: BTreeMap<usize, f64> = BTreeMap::new();
        for day in days.into_iter().filter(|day| periods.is_dark_on(*day)) {
            *counts.entry(periods.index_on(day)).or_default() += 1.0;
        }
        if counts.is_empty() {
            let last = periods.all().iter().rposition(|period| !period.space.is_empty());
            counts.extend(last.map(|place| (place, 1.0)));
        }
        let all: f64 = counts.values().sum();
        let is_dated = counts.len() > 1;
        let (mut tally, mut variants) = (ProjectionSums::default(), Vec::new());
        for (place, period) in periods.all().iter().enumerate() {
            let Some(count) = counts.get(&place) else { continue };
            tally.periods.push((period.first, period.last, period.space.ipv4_size()));
            let days = is_dated.then_some((period.first, period.last));
            let (alone, its) = ProjectionSums::of_period(scan, period, sensor.kind, days, profile);
            tally.merge(alone, count / all);
            variants.extend(its);
        }
        tally.finish(variants)
    }

    /// Returns the predicted behaviors of a granularity and scope, highest share first.
    pub fn of_scope(
        &self,
        granularity: Granularity,
        scope: Scope,
    ) -> impl Iterator<Item = &PredictedBehavior> + '_ {
        self.predicted.iter().filter(move |one| (one.granularity, one.scope) == (granularity, scope))
    }
}

/// Returns the first and last address of each IPv4 prefix.
fn ranges(prefixes: &[IpNet]) -> Vec<(u32, u32)> {
    let fours = IpNet::aggregate(&prefixes.to_vec()).into_iter().filter_map(|prefix| match prefix {
        IpNet::V4(four) => Some((u32::from(four.network()), u32::from(four.broadcast()))),
        IpNet::V6(_) => None,
    });
    fours.collect()
}

/// Returns the modes in which hosts scan the sensor: hosts anywhere first, then hosts in the sensor's own /8,
/// /16 and /24.
fn modes(reach: &Reach, aim: &SensorAddresses<'_>, kind: SensorKind) -> Vec<Mode> {
    let size = aim.size as f64;
    let elsewhere_bits = f64::from(reach.confined_bits);
    let elsewhere_region = ALL_IPV4 * (-elsewhere_bits).exp2();
    let blocks = blocks(aim, reach.confined_bits);
    let mut modes = vec![Mode {
        hosts: (blocks * (-elsewhere_bits).exp2()).min(1.0),
        share: reach.elsewhere,
        region: elsewhere_region,
        dark: (size / blocks).min(elsewhere_region),
    }];
    for (bits, share) in [(8u8, reach.own_8), (16, reach.own_16), (24, reach.own_24)] {
        let region = ALL_IPV4 * (-f64::from(bits)).exp2();
        let blocks = self::blocks(aim, bits);
        let dark = (size / blocks).min(region);
        // A network that is dark as a whole has no hosts.
        let whole = |(first, last): &(u32, u32)| f64::from(last - first) + 1.0 >= region;
        let is_empty = kind == SensorKind::Dark && aim.ranges.iter().all(whole);
        if share > 0.0 && !is_empty {
            modes.push(Mode { hosts: blocks * (-f64::from(bits)).exp2(), share, region, dark });
        }
    }
    modes
}

/// Returns the number of blocks of a prefix length in which the sensor has addresses, at least 1.
fn blocks(aim: &SensorAddresses<'_>, bits: u8) -> f64 {
    let Some(shift) = 32u32.checked_sub(bits.into()).filter(|shift| *shift < 32) else { return 1.0 };
    let mut all: Vec<(u32, u32)> =
        aim.ranges.iter().map(|(first, last)| (first >> shift, last >> shift)).collect();
    all.sort_unstable();
    let mut count = 0u64;
    let mut next = 0u64;
    for (first, last) in all {
        let first = u64::from(first).max(next);
        count += (u64::from(last) + 1).saturating_sub(first);
        next = next.max(u64::from(last) + 1);
    }
    count.max(1) as f64
}

type BehaviorKey = (Granularity, Scope, Behavior);

/// Weighted sums over simulated windows. A weight is an expected number of windows per host and day.
#[derive(Default)]
struct ProjectionSums {
    /// The projected periods.
    periods: Vec<(Date, Date, u64)>,
    /// The scan's per-target ports.
    per_target_ports: PerTargetPorts,
    /// Reused for all windows, because it caches the names of parameters and most windows are alike.
    fingerprinter: Fingerprinter,
    /// Weight and first parameters by behavior.
    behaviors: BTreeMap<BehaviorKey, (f64, Parameters)>,
    /// Weight of whole windows by shape, or by pattern where the port is masked.
    shapes: BTreeMap<BehaviorId, f64>,
    /// Weight of whole windows by behavior series.
    series: BTreeMap<BehaviorId, f64>,
    /// Weight and first window by type.
    examples: BTreeMap<Behavior, (f64, OpenWindow)>,
    per_day: f64,
    near_per_day: f64,
    contacts: f64,
    seen_per_day: f64,
    windows: u64,
}

impl ProjectionSums {
    /// Projects a scan onto the dark addresses of one period. Returns the mean over the scan's variants and
    /// each variant.
    fn of_period(
        scan: &Scan,
        period: &DarkPeriod,
        kind: SensorKind,
        days: Option<(Date, Date)>,
        profile: &Profile,
    ) -> (ProjectionSums, Vec<ScanVariant>) {
        let space = &period.space;
        let aim = SensorAddresses { space, size: space.ipv4_size(), ranges: ranges(&period.prefixes) };
        let (mut tally, mut variants) = (ProjectionSums::default(), Vec::new());
        if aim.size == 0 || matches!(scan.targeting.order, TargetOrder::Link) {
            return (tally, variants);
        }
        let modes = modes(&scan.targeting.reach, &aim, kind);
        let anew = PerTargetPorts::from_scans(std::iter::once(scan));
        for (weight, scan) in scan.variants() {
            let mut alone = ProjectionSums { per_target_ports: anew.clone(), ..ProjectionSums::default() };
            for (number, mode) in modes.iter().enumerate() {
                let random = SplitMix64::from_name("projection", number as u64);
                let simulated = simulate(&scan, &aim, *mode, profile, random);
                alone.add(simulated, *mode, number > 0, space, profile);
            }
            variants.push(alone.variant(weight, days));
            tally.merge(alone, weight);
        }
        (tally, variants)
    }

    fn add(
        &mut self,
        simulated: SimulatedScan,
        mode: Mode,
        near: bool,
        space: &AddressSpace,
        profile: &Profile,
    ) {
        let SimulatedScan { windows, seconds, contacts, visits } = simulated;
        if windows.is_empty() || seconds <= 0.0 {
            return;
        }
        let days = seconds / SECONDS_A_DAY;
        let per_day = mode.hosts * windows.len() as f64 / days;
        self.per_day += per_day;
        self.near_per_day += if near { per_day } else { 0.0 };
        self.contacts += mode.hosts * contacts as f64 / days;
        self.seen_per_day += mode.hosts * (1.0 - (-(visits as f64) / days).exp());
        self.windows += windows.len() as u64;
        let weight = per_day / windows.len() as f64;
        for window in windows {
            let fingerprint = self.fingerprinter.of(&window, space, profile);
            self.count(Scope::Whole, &fingerprint.whole, weight);
            let whole = &fingerprint.whole;
            let names = self.per_target_ports.names(&whole.parameters, whole.names.clone());
            *self.shapes.entry(names.habit().id).or_default() += weight;
            *self.series.entry(names.line().id).or_default() += weight;
            fingerprint.facets.iter().for_each(|facet| self.count(Scope::Facet, facet, weight));
            let behavior = fingerprint.whole.names.behavior;
            self.examples.entry(behavior).or_insert_with(|| (0.0, window)).0 += weight;
        }
    }

    fn count(&mut self, scope: Scope, facet: &Facet, weight: f64) {
        let names = &facet.names;
        for (granularity, behavior) in [
            (Granularity::Type, &names.behavior),
            (Granularity::Shape, &names.shape),
            (Granularity::Pattern, &names.pattern),
        ] {
            let entry = self.behaviors.entry((granularity, scope, behavior.clone()));
            entry.or_insert_with(|| (0.0, facet.parameters.clone())).0 += weight;
        }
    }

    fn variant(&self, weight: f64, days: Option<(Date, Date)>) -> ScanVariant {
        let all = self.per_day.max(f64::MIN_POSITIVE);
        let shares = |weights: &BTreeMap<BehaviorId, f64>| -> Vec<(BehaviorId, f64)> {
            weights.iter().map(|(id, weight)| (*id, weight / all)).collect()
        };
        ScanVariant { weight, days, shape_shares: shares(&self.shapes), series_shares: shares(&self.series) }
    }

    /// Adds another tally, multiplied by a weight: that of a variant of the scan or of a period of the
    /// sensor.
    fn merge(&mut self, other: ProjectionSums, weight: f64) {
        for (key, (its, parameters)) in other.behaviors {
            self.behaviors.entry(key).or_insert((0.0, parameters)).0 += its * weight;
        }
        for (behavior, (its, window)) in other.examples {
            self.examples.entry(behavior).or_insert((0.0, window)).0 += its * weight;
        }
        self.per_day += other.per_day * weight;
        self.near_per_day += other.near_per_day * weight;
        self.contacts += other.contacts * weight;
        self.seen_per_day += other.seen_per_day * weight;
        self.windows += other.windows;
    }

    fn finish(self, variants: Vec<ScanVariant>) -> Projection {
        let all = self.per_day.max(f64::MIN_POSITIVE);
        let mut predicted: Vec<PredictedBehavior> = self
            .behaviors
            .into_iter()
            .map(|((granularity, scope, behavior), (weight, parameters))| PredictedBehavior {
                granularity,
                scope,
                behavior,
                parameters,
                share: weight / all,
            })
            .collect();
        // The sort is stable, so equal shares stay in the order of their names.
        predicted.sort_by(|a, b| {
            (a.granularity, a.scope).cmp(&(b.granularity, b.scope)).then(b.share.total_cmp(&a.share))
        });
        let mut examples: Vec<(f64, OpenWindow)> =
            self.examples.into_values().map(|(weight, window)| (weight / all, window)).collect();
        examples.sort_by(|a, b| b.0.total_cmp(&a.0));
        examples.truncate(EXAMPLES_MAX);
        Projection {
            predicted,
            windows_per_host_day: self.per_day,
            contacts_per_host_day: self.contacts,
            seen_per_host_day: self.seen_per_day.min(1.0),
            near_share: self.near_per_day / all,
            windows: self.windows,
            variants,
            periods: self.periods,
            examples,
        }
    }
}

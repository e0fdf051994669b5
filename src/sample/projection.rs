//! What a sensor would see of a scan: a distribution over types, shapes, families and facets, and how much of it.
//!
//! The scan is simulated on the sensor's dark addresses with a fixed seed, and what hits them goes through the engine
//! that the darknet's packets go through. So a projection has the engine's bins, windows and rules exactly; its error
//! is the lot's, some 3 % of a share with 256 windows.

use std::collections::BTreeMap;

use ipnet::IpNet;
use jiff::civil::Date;

use crate::behavior::{Behavior, BehaviorId, Facet, Fingerprinter, OpenWindow, Parameters, Profile};
use crate::event::AddressSpace;
use crate::history::{DarkPeriod, Granularity, Scope, Sensor, SensorKind};

use super::random::Random;
use super::targets::{Order, Reach};
use super::thinning::{Aim, Mode, Simulated, simulate};
use super::{AnewPorts, SampleProfile, Scan};

const SECONDS_A_DAY: f64 = 86_400.0;
const ALL_IPV4: f64 = 4_294_967_296.0;
/// Windows kept to be drawn.
const EXAMPLES_MAX: usize = 12;

/// A behavior that a sensor would see.
#[derive(Clone, Debug, PartialEq)]
pub struct Predicted {
    /// What `behavior` names.
    pub granularity: Granularity,
    /// Of whole windows, or of windows with several services one service's part.
    pub scope: Scope,
    /// The behavior.
    pub behavior: Behavior,
    /// Parameters of the first simulated window (or part) that has it.
    pub parameters: Parameters,
    /// Share of the windows that have it, 0 to 1.
    pub share: f64,
}

/// A scan as a sensor would see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// Most frequent first within each granularity and scope.
    pub predicted: Vec<Predicted>,
    /// Windows that one scanning host is expected to show in a day, averaged over hosts anywhere on the Internet.
    pub windows_per_host_day: f64,
    /// Contacts with dark addresses that it is expected to make in a day, averaged likewise.
    pub contacts_per_host_day: f64,
    /// Chance that a host that scans all day is seen at all that day, averaged likewise.
    pub seen_per_host_day: f64,
    /// Share of the windows that come from hosts in the sensor's own /8, /16 or /24, which scan it more.
    pub near_share: f64,
    /// Windows that were simulated.
    pub windows: u64,
    /// What each scan that it may be would show, by habit, in each period of the sensor's dark addresses.
    pub variants: Vec<Variant>,
    /// First and last day of each period of equal dark addresses that it is of, ascending, and how many of these are
    /// IPv4 addresses; [`Date::MIN`] and [`Date::MAX`] where a period has no beginning or end.
    pub periods: Vec<(Date, Date, u64)>,
    /// Windows to be drawn, those of the most frequent types first, each with its share.
    pub examples: Vec<(f64, OpenWindow)>,
}

/// One of the scans that a run may be part of, as a sensor would see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// How likely it is on any of its days, 0 to 1.
    pub weight: f64,
    /// The days, both included, on which the sensor had the dark addresses that this is seen with; `None` for all days.
    pub days: Option<(Date, Date)>,
    /// Share of the windows by [habit](crate::behavior::Names::habit).
    pub habits: Vec<(BehaviorId, f64)>,
    /// Share of the windows by [line](crate::behavior::Names::line), which tells volumes, too.
    pub lines: Vec<(BehaviorId, f64)>,
}

impl Variant {
    /// The windows of a run as they are.
    #[must_use]
    pub fn of_run(sample: &SampleProfile, weight: f64) -> Variant {
        let mut alone = Tally::default();
        for window in sample.scan_windows() {
            let names = &window.fingerprint.whole.names;
            *alone.habits.entry(names.habit().id).or_default() += 1.0;
            *alone.lines.entry(names.line().id).or_default() += 1.0;
            alone.per_day += 1.0;
        }
        alone.variant(weight, None)
    }

    /// Whether the sensor had on a day the dark addresses that it is seen with.
    #[must_use]
    pub fn is_of(&self, day: Date) -> bool {
        self.days.is_none_or(|(first, last)| first <= day && day <= last)
    }
}

impl Projection {
    /// Projects a scan onto a sensor, as it was on some days (those that it recorded); the same scan, sensor and days always
    /// give the same.
    ///
    /// Where dark addresses changed between the days, the scan is projected onto each period of equal addresses. Rates and
    /// shares are the mean over the days, which is what a history of all these days shows; each variant stays that of
    /// its period, so that an event can be weighed with the addresses of its first day. Of no day, or of days on which
    /// nothing was dark, it is the projection onto the last period with a dark address.
    #[must_use]
    pub fn of(
        scan: &Scan,
        sensor: &Sensor,
        days: impl IntoIterator<Item = Date>,
        profile: &Profile,
    ) -> Projection {
        let periods = sensor.dark_periods();
        let mut counts: BTreeMap<usize, f64> = BTreeMap::new();
        for day in days.into_iter().filter(|day| periods.is_dark_on(*day)) {
            *counts.entry(periods.place(day)).or_default() += 1.0;
        }
        if counts.is_empty() {
            let last = periods.all().iter().rposition(|period| !period.space.is_empty());
            counts.extend(last.map(|place| (place, 1.0)));
        }
        let all: f64 = counts.values().sum();
        let is_dated = counts.len() > 1;
        let (mut tally, mut variants) = (Tally::default(), Vec::new());
        for (place, period) in periods.all().iter().enumerate() {
            let Some(count) = counts.get(&place) else { continue };
            tally.periods.push((period.first, period.last, period.space.ipv4_size()));
            let days = is_dated.then_some((period.first, period.last));
            let (alone, its) = Tally::of_period(scan, period, sensor.kind, days, profile);
            tally.merge(alone, count / all);
            variants.extend(its);
        }
        tally.finish(variants)
    }

    /// The predicted behaviors of a granularity and scope, most frequent first.
    pub fn of_kind(&self, granularity: Granularity, scope: Scope) -> impl Iterator<Item = &Predicted> + '_ {
        self.predicted.iter().filter(move |one| (one.granularity, one.scope) == (granularity, scope))
    }
}

/// First and last IPv4 addresses of prefixes.
fn ranges(prefixes: &[IpNet]) -> Vec<(u32, u32)> {
    let fours = IpNet::aggregate(&prefixes.to_vec()).into_iter().filter_map(|prefix| match prefix {
        IpNet::V4(four) => Some((u32::from(four.network()), u32::from(four.broadcast()))),
        IpNet::V6(_) => None,
    });
    fours.collect()
}

/// The ways in which a host can be near to a sensor: anywhere first, then in its /8, /16 and /24.
fn modes(reach: &Reach, aim: &Aim<'_>, kind: SensorKind) -> Vec<Mode> {
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
        // Nobody lives in a network that is dark as a whole.
        let whole = |(first, last): &(u32, u32)| f64::from(last - first) + 1.0 >= region;
        let is_empty = kind == SensorKind::Dark && aim.ranges.iter().all(whole);
        if share > 0.0 && !is_empty {
            modes.push(Mode { hosts: blocks * (-f64::from(bits)).exp2(), share, region, dark });
        }
    }
    modes
}

/// How many blocks of so many bits a sensor has addresses in.
fn blocks(aim: &Aim<'_>, bits: u8) -> f64 {
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

type Key = (Granularity, Scope, Behavior);

#[derive(Default)]
struct Tally {
    /// The periods that were projected.
    periods: Vec<(Date, Date, u64)>,
    /// Ports of the scan that say nothing.
    anew: AnewPorts,
    /// It knows the windows that came before: most are alike.
    fingerprinter: Fingerprinter,
    /// Weight and first parameters.
    behaviors: BTreeMap<Key, (f64, Parameters)>,
    /// Weight by habit of whole windows.
    habits: BTreeMap<BehaviorId, f64>,
    /// Weight by line of whole windows.
    lines: BTreeMap<BehaviorId, f64>,
    /// Weight and first window by type.
    examples: BTreeMap<Behavior, (f64, OpenWindow)>,
    per_day: f64,
    near_per_day: f64,
    contacts: f64,
    seen: f64,
    windows: u64,
}

impl Tally {
    /// What the dark addresses of a period would see of a scan, and of each scan that it may be.
    fn of_period(
        scan: &Scan,
        period: &DarkPeriod,
        kind: SensorKind,
        days: Option<(Date, Date)>,
        profile: &Profile,
    ) -> (Tally, Vec<Variant>) {
        let space = &period.space;
        let aim = Aim { space, size: space.ipv4_size(), ranges: ranges(&period.prefixes) };
        let (mut tally, mut variants) = (Tally::default(), Vec::new());
        if aim.size == 0 || matches!(scan.targeting.order, Order::Link) {
            return (tally, variants);
        }
        let modes = modes(&scan.targeting.reach, &aim, kind);
        let anew = AnewPorts::of(std::iter::once(scan));
        for (weight, scan) in scan.variants() {
            let mut alone = Tally { anew: anew.clone(), ..Tally::default() };
            for (number, mode) in modes.iter().enumerate() {
                let random = Random::named("projection", number as u64);
                let simulated = simulate(&scan, &aim, *mode, profile, random);
                alone.add(simulated, *mode, number > 0, space, profile);
            }
            variants.push(alone.variant(weight, days));
            tally.merge(alone, weight);
        }
        (tally, variants)
    }

    fn add(&mut self, simulated: Simulated, mode: Mode, near: bool, space: &AddressSpace, profile: &Profile) {
        let Simulated { windows, seconds, contacts, visits } = simulated;
        if windows.is_empty() || seconds <= 0.0 {
            return;
        }
        let days = seconds / SECONDS_A_DAY;
        let per_day = mode.hosts * windows.len() as f64 / days;
        self.per_day += per_day;
        self.near_per_day += if near { per_day } else { 0.0 };
        self.contacts += mode.hosts * contacts as f64 / days;
        self.seen += mode.hosts * (1.0 - (-(visits as f64) / days).exp());
        self.windows += windows.len() as u64;
        let weight = per_day / windows.len() as f64;
        for window in windows {
            let fingerprint = self.fingerprinter.of(&window, space, profile);
            self.count(Scope::Whole, &fingerprint.whole, weight);
            let whole = &fingerprint.whole;
            let names = self.anew.names(&whole.parameters, whole.names.clone());
            *self.habits.entry(names.habit().id).or_default() += weight;
            *self.lines.entry(names.line().id).or_default() += weight;
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
            (Granularity::Family, &names.family),
        ] {
            let entry = self.behaviors.entry((granularity, scope, behavior.clone()));
            entry.or_insert_with(|| (0.0, facet.parameters.clone())).0 += weight;
        }
    }

    fn variant(&self, weight: f64, days: Option<(Date, Date)>) -> Variant {
        let all = self.per_day.max(f64::MIN_POSITIVE);
        let shares = |weights: &BTreeMap<BehaviorId, f64>| -> Vec<(BehaviorId, f64)> {
            weights.iter().map(|(id, weight)| (*id, weight / all)).collect()
        };
        Variant { weight, days, habits: shares(&self.habits), lines: shares(&self.lines) }
    }

    /// Takes in one of several scans that it may be, or one of several periods of the sensor.
    fn merge(&mut self, other: Tally, weight: f64) {
        for (key, (its, parameters)) in other.behaviors {
            self.behaviors.entry(key).or_insert((0.0, parameters)).0 += its * weight;
        }
        for (behavior, (its, window)) in other.examples {
            self.examples.entry(behavior).or_insert((0.0, window)).0 += its * weight;
        }
        self.per_day += other.per_day * weight;
        self.near_per_day += other.near_per_day * weight;
        self.contacts += other.contacts * weight;
        self.seen += other.seen * weight;
        self.windows += other.windows;
    }

    fn finish(self, variants: Vec<Variant>) -> Projection {
        let all = self.per_day.max(f64::MIN_POSITIVE);
        let mut predicted: Vec<Predicted> = self
            .behaviors
            .into_iter()
            .map(|((granularity, scope, behavior), (weight, parameters))| Predicted {
                granularity,
                scope,
                behavior,
                parameters,
                share: weight / all,
            })
            .collect();
        // Stable: equal shares stay in the order of their names.
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
            seen_per_host_day: self.seen.min(1.0),
            near_share: self.near_per_day / all,
            windows: self.windows,
            variants,
            periods: self.periods,
            examples,
        }
    }
}

//! Computes the infections of a family, with their beginnings and ends, from its population in the scenario.

use std::net::IpAddr;

use rand::RngExt;
use rand_distr::{Distribution, Normal};

use crate::packet::Timestamp;

use super::growth::{GrowthPlan, Population, Succession, Visits};
use super::probe_generator::address_number;
use super::random::{Seed, SeededRng, poisson};

/// One host that is infected with one family for a time. Memory: 56 bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Infection {
    /// Seed of the host, the same in every family that infects it.
    pub host: u64,
    /// Time of the infection, or the scenario's start if the infection is older.
    pub from: Timestamp,
    /// Time at which the host is clean, or the scenario's end if it never is.
    pub until: Timestamp,
    /// Address of a host that the scenario gives by its address.
    pub address: Option<IpAddr>,
    /// Scan rate in targets per second of a host that has its own.
    pub rate: Option<f32>,
}

/// The time span of a scenario, with the time zone of its dates.
#[derive(Clone, Debug)]
pub(super) struct Period {
    pub(super) zone: jiff::tz::TimeZone,
    pub(super) first: jiff::civil::Date,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    /// Value of `--scale`, which multiplies the number of hosts.
    pub(super) scale: f64,
}

const DAY_SECONDS: f64 = 86_400.0;

impl Period {
    /// Returns the moment at which a day begins.
    pub(super) fn day(&self, date: jiff::civil::Date) -> Timestamp {
        crate::history::Day::from_date(date, &self.zone).start
    }

    /// Returns the moment a number of 24-hour days after the beginning of a day.
    fn days_after(&self, date: jiff::civil::Date, days: f64) -> Timestamp {
        plus_days(self.day(date), days)
    }
}

/// Returns the moment a number of 24-hour days later.
#[expect(clippy::cast_possible_truncation, reason = "stays at the end of time")]
pub(super) fn plus_days(time: Timestamp, days: f64) -> Timestamp {
    time.plus_nanoseconds((days * DAY_SECONDS * 1e9) as i64)
}

/// Multiplies a count by the scale. The fraction is rounded up with a probability equal to it, so that sums
/// have the right mean.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, and not negative")]
fn scaled(count: f64, period: &Period, random: &mut SeededRng) -> u64 {
    let scaled = count * period.scale;
    scaled as u64 + u64::from(random.random::<f64>() < scaled.fract())
}

/// Returns the infections of a family. `before` holds those of the families that precede it in the scenario,
/// from which it may take over hosts.
pub(super) fn infections(
    plan: &Population,
    period: &Period,
    seed: Seed,
    before: &mut [(&str, &mut Vec<Infection>)],
) -> Vec<Infection> {
    let mut all = Vec::new();
    let mut random = seed.named("growth").generator();
    for growth in &plan.growth {
        add_growth(growth, period, &mut random, &mut all);
    }
    for visits in &plan.visits {
        add_visits(visits, period, &mut random, &mut all);
    }
    for (host, infection) in (0u64..).zip(&mut all) {
        infection.host = seed.named("host").numbered(host).to_u64();
    }
    for succession in &plan.succeeds {
        for (_, theirs) in before.iter_mut().filter(|(name, _)| *name == succession.family) {
            take_over_hosts(succession, period, &mut random, theirs, &mut all);
        }
    }
    let grown = all.len();
    disinfect(plan, period, seed, &mut all[..grown]);
    if let Some(again) = &plan.again {
        let mut random = seed.named("again").generator();
        let since = period.day(again.from);
        let clean: Vec<Infection> = all.iter().filter(|one| one.until <= since).copied().collect();
        for one in clean {
            if random.random::<f64>() < again.share {
                let from = period.days_after(again.from, random.random::<f64>() * again.days);
                all.push(Infection { from, until: period.end, ..one });
            }
        }
        disinfect(plan, period, seed.named("again"), &mut all[grown..]);
    }
    for host in &plan.hosts {
        all.push(Infection {
            host: Seed::root(address_number(host.address)).named("named").to_u64(),
            from: host.from.map_or(period.start, |from| period.day(from)).max(period.start),
            until: host.last.map_or(period.end, |last| period.days_after(last, 1.0)).min(period.end),
            address: Some(host.address),
            rate: host.rate.map(to_f32),
        });
    }
    all.retain(|one| one.from < one.until && one.from < period.end);
    all
}

/// Adds the infections of a growth.
fn add_growth(growth: &GrowthPlan, period: &Period, random: &mut SeededRng, all: &mut Vec<Infection>) {
    let days = growth.days.unwrap_or(1.0);
    for _ in 0..scaled(growth.hosts, period, random) {
        let share: f64 = random.random();
        let after = match (growth.days.is_some(), growth.even) {
            // The inverse of the logistic curve, from 1 % to 99 %.
            (true, false) => {
                let share = 0.01 + 0.98 * share;
                days * (0.5 + (share / (1.0 - share)).ln() / (2.0 * 99f64.ln()))
            }
            _ => days * share,
        };
        let from = period.days_after(growth.from, after).max(period.start);
        all.push(Infection { host: 0, from, until: period.end, address: None, rate: None });
    }
}

/// Adds the infections of short visits, day by day.
fn add_visits(visits: &Visits, period: &Period, random: &mut SeededRng, all: &mut Vec<Infection>) {
    let mut day = visits.from.map_or(period.start, |from| period.day(from)).max(period.start);
    let end = visits.last.map_or(period.end, |last| period.days_after(last, 1.0)).min(period.end);
    while day < end {
        let swing = Normal::new(0.0, visits.swing).map_or(0.0, |law| law.sample(random));
        for _ in 0..poisson(random, visits.hosts * period.scale * swing.exp()) {
            let from = plus_days(day, random.random());
            let until = plus_days(from, visits.minutes / 1_440.0).min(period.end);
            all.push(Infection { host: 0, from, until, address: None, rate: None });
        }
        day = plus_days(day, 1.0);
    }
}

/// Adds infections of hosts that are infected with another family, and ends that infection unless the hosts
/// keep it.
fn take_over_hosts(
    plan: &Succession,
    period: &Period,
    random: &mut SeededRng,
    theirs: &mut [Infection],
    ours: &mut Vec<Infection>,
) {
    for their in theirs {
        let changes: f64 = random.random();
        let from = period.days_after(plan.from, changes * plan.days);
        if their.from < from && from < their.until && random.random::<f64>() < plan.share {
            ours.push(Infection { from, until: period.end, ..*their });
            if !plan.keeps {
                their.until = from;
            }
        }
    }
}

/// Ends infections by decay and patches. Each host has its own random numbers.
fn disinfect(plan: &Population, period: &Period, seed: Seed, all: &mut [Infection]) {
    for (at, one) in (0u64..).zip(all) {
        let chance = seed.named("heal").numbered(at);
        if let Some(decay) = &plan.decay {
            let since = decay.from.map_or(one.from, |from| period.day(from)).max(one.from);
            let days = -(1.0 - chance.fraction()).log2() * decay.half_life_days;
            one.until = one.until.min(plus_days(since, days));
        }
        for (number, patch) in (0u64..).zip(&plan.patches) {
            let day = chance.named("patch").numbered(number);
            if one.from < period.day(patch.on) && day.fraction() < patch.share {
                one.until = one.until.min(period.days_after(patch.on, day.named("hour").fraction()));
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a rate, to seven digits")]
fn to_f32(rate: f64) -> f32 {
    rate as f32
}

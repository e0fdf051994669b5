//! Checks a scenario that is valid YAML and matches the schema.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use crate::packet::{Protocol, TcpFlags};
use crate::yaml::nearest;

use super::background::Background;
use super::family_plan::{FamilyPlan, HitListEntry, SequentialScan, Targets, UniformScan};
use super::limits::{self, check_range};
use super::probe_plan::ProbePlan;
use super::sample_plan::SamplePlan;
use super::scenario::Scenario;

/// Maximum number of addresses of a hit list.
const HIT_LIST_ADDRESSES_MAX: u64 = 1 << 20;
/// Maximum standard deviation of a natural logarithm. At 3, one value in a hundred is a thousand times the
/// median.
const SPREAD_MAX: f64 = 3.0;
/// Maximum number of passes through a block, because all of them are computed at once.
const PASSES_MAX: u32 = 1_000;
/// Maximum number of actors. Their numbers have 16 bits, which leaves a margin.
const ACTORS_MAX: usize = 10_000;

/// Returns the first fault of a scenario, with the remedy.
pub(super) fn first_fault(scenario: &Scenario) -> Option<String> {
    check(scenario).err()
}

fn check(scenario: &Scenario) -> Result<(), String> {
    let Scenario { first, last, .. } = scenario;
    if first > last {
        return Err(format!("`first` {first} lies after `last` {last}"));
    }
    if first.year() < 1970 || last.year() > 2105 {
        return Err(format!("{first} to {last}: captures hold times of the years 1970 to 2105"));
    }
    check_time_zone("time_zone", &scenario.time_zone)?;
    check_sensors(scenario)?;
    for network in &scenario.networks {
        check_time_zone(&format!("network `{}`", network.name), &network.time_zone)?;
        check_range(&format!("network `{}`: weight", network.name), network.weight, &limits::WEIGHT)?;
    }
    let mut names = BTreeSet::new();
    let background = &scenario.background;
    for family in scenario.families.iter().chain(&background.scanners) {
        check_family(scenario, family, &names)
            .map_err(|fault| format!("family `{}`: {fault}", family.name))?;
        check_unique_name(&mut names, &family.name)?;
    }
    if let Some(scanner) = background.scanners.iter().find(|scanner| scanner.sample.is_some()) {
        return Err(format!("scanner `{}`: samples are caught of `families` only", scanner.name));
    }
    let parts = background.noise.iter().map(|one| (&one.name, &one.probes));
    let parts = parts.chain(background.floods.iter().map(|one| (&one.name, &one.probes)));
    let parts = parts.chain(background.stray.iter().map(|one| (&one.name, &one.probes)));
    let parts = parts.chain(background.misconfigured.iter().map(|one| (&one.name, &one.probes)));
    for (name, plans) in parts {
        check_unique_name(&mut names, name)?;
        check_probes(plans).map_err(|fault| format!("background `{name}`: {fault}"))?;
    }
    check_background(background)?;
    let sensors: Vec<&str> = scenario.sensors.iter().map(|sensor| sensor.name.as_str()).collect();
    let named = background.noise.iter().flat_map(|one| &one.sensors);
    for name in named.chain(background.stray.iter().flat_map(|one| &one.sensors)) {
        check_known_name("sensor", name, &sensors)?;
    }
    if names.len() > ACTORS_MAX {
        return Err(format!("{} families and parts of the background, {ACTORS_MAX} at most", names.len()));
    }
    limits::check_size(scenario)
}

/// Checks the numbers of the background.
fn check_background(background: &Background) -> Result<(), String> {
    let of = |name: &str, key: &str| format!("background `{name}`: {key}");
    for one in &background.noise {
        check_range(&of(&one.name, "per_address_day"), one.per_address_day, &limits::PER_ADDRESS_DAY)?;
    }
    for one in &background.stray {
        check_share(&of(&one.name, "addresses"), one.addresses)?;
        let peers = one.hosts_per_address_day;
        check_range(&of(&one.name, "hosts_per_address_day"), peers, &limits::PER_ADDRESS_DAY)?;
    }
    for one in &background.floods {
        check_range(&of(&one.name, "per_day"), one.per_day, &limits::FLOODS)?;
        check_range(&of(&one.name, "minutes"), one.minutes, &limits::MINUTES)?;
        check_range(
            &of(&one.name, "packets_per_second"),
            one.packets_per_second,
            &limits::PACKETS_PER_SECOND,
        )?;
    }
    for one in &background.misconfigured {
        check_range(&of(&one.name, "every_seconds"), one.every_seconds, &limits::EVERY_SECONDS)?;
    }
    Ok(())
}

fn check_sensors(scenario: &Scenario) -> Result<(), String> {
    let mut names = BTreeSet::new();
    for plan in &scenario.sensors {
        plan.sensor().validate().map_err(|fault| fault.to_string())?;
        check_unique_name(&mut names, &plan.name)?;
        check_share(&format!("sensor `{}`: loss", plan.name), plan.loss)?;
        let backwards = plan.outages.iter().find(|outage| outage.first > outage.last);
        if let Some(outage) = backwards {
            return Err(format!(
                "sensor `{}`: the outage's first day {} lies after its last",
                plan.name, outage.first
            ));
        }
    }
    match names.contains("samples") {
        true => Err("no sensor can be called `samples`: the folder of the samples has that name".to_owned()),
        false if scenario.sensors.is_empty() => Err("`sensors` is empty; name at least one".to_owned()),
        false => Ok(()),
    }
}

fn check_family(scenario: &Scenario, family: &FamilyPlan, before: &BTreeSet<String>) -> Result<(), String> {
    check_file_name(&family.name)?;
    if !(family.rate > 0.0 && family.rate <= 1e6) {
        return Err(format!("rate is {}; targets a second lie above 0 and up to 1e6", family.rate));
    }
    check_spread("rate_spread", family.rate_spread)?;
    check_targets(&family.targets)?;
    check_probes(&family.probes)?;
    for (key, weights, count) in
        [("hours", &family.rhythm.hours, 24), ("weekdays", &family.rhythm.weekdays, 7)]
    {
        if !weights.is_empty() && weights.len() != count {
            return Err(format!("rhythm.{key} has {} weights; give all {count}, or none", weights.len()));
        }
        weights
            .iter()
            .try_for_each(|weight| check_range(&format!("rhythm.{key}"), *weight, &limits::RHYTHM))?;
    }
    let known: Vec<&str> = scenario.networks.iter().map(|network| network.name.as_str()).collect();
    for name in &family.population.networks {
        check_known_name("network", name, &known)?;
    }
    let families: Vec<&str> = before.iter().map(String::as_str).collect();
    for succession in &family.population.succeeds {
        check_known_name("family told before this one", &succession.family, &families)?;
        check_share("succeeds.share", succession.share)?;
        check_range("succeeds.days", succession.days, &limits::DAYS)?;
    }
    check_population(family)
}

fn check_population(family: &FamilyPlan) -> Result<(), String> {
    let plan = &family.population;
    for growth in &plan.growth {
        check_range("growth.hosts", growth.hosts, &limits::HOSTS)?;
        check_range("growth.days", growth.days.unwrap_or(0.0), &limits::DAYS)?;
    }
    for visits in &plan.visits {
        check_range("visits.hosts", visits.hosts, &limits::HOSTS)?;
        check_range("visits.minutes", visits.minutes, &limits::MINUTES)?;
        check_spread("visits.swing", visits.swing)?;
    }
    for host in &plan.hosts {
        let rate = host.rate.unwrap_or(1.0);
        if !(rate > 0.0 && rate <= 1e6) {
            return Err(format!("host {}: rate is {rate}; it lies above 0 and up to 1e6", host.address));
        }
    }
    plan.patches.iter().try_for_each(|patch| check_share("patches.share", patch.share))?;
    if let Some(decay) = plan.decay {
        check_range("decay.half_life_days", decay.half_life_days, &limits::POSITIVE_DAYS)?;
    }
    if let Some(again) = plan.again {
        check_share("again.share", again.share)?;
        check_range("again.days", again.days, &limits::DAYS)?;
    }
    if let Some(churn) = plan.churn {
        check_share("churn.share", churn.share)?;
        check_range("churn.lease_days", churn.lease_days, &limits::POSITIVE_DAYS)?;
    }
    family.sample.as_ref().map_or(Ok(()), check_sample)
}

fn check_targets(plan: &Targets) -> Result<(), String> {
    let Targets { uniform, sequential, permutation, hit_list, none } = plan;
    let given =
        [uniform.is_some(), sequential.is_some(), permutation.is_some(), hit_list.is_some(), none.is_some()];
    if given.iter().filter(|given| **given).count() != 1 {
        return Err(
            "targets: give one of `uniform: {}`, `sequential: {}`, `permutation: {}`, `hit_list: {…}`, `none: {}`"
                .to_owned(),
        );
    }
    if let Some(UniformScan { own, octets_below }) = uniform {
        own.iter().try_for_each(|own| check_share("uniform.own.share", own.share))?;
        if own.iter().any(|own| own.prefix > 32 || own.prefix == 0) {
            return Err("uniform.own.prefix lies between 1 and 32".to_owned());
        }
        check_share("the sum of uniform.own.share", own.iter().map(|own| own.share).sum())?;
        if octets_below.is_some_and(|limits| limits.iter().any(|limit| !(1..=256).contains(limit))) {
            return Err("uniform.octets_below has four limits between 1 and 256".to_owned());
        }
    }
    if let Some(SequentialScan { block, stride, own, passes, threads, byte_reversed, .. }) = sequential {
        check_share("sequential.own", *own)?;
        let small = *block == 0 || u64::from(*stride) <= 1 << (32 - u32::from(*block).min(32));
        if *block > 32
            || !small
            || *stride == 0
            || !(1..=PASSES_MAX).contains(passes)
            || !(1..=10_000).contains(threads)
        {
            return Err(
                "sequential: `block` up to 32, `stride` from 1 to the size of a block, `passes` from 1 to 1000, \
                        `threads` from 1 to 10000"
                    .to_owned(),
            );
        }
        if *block == 0 && (*stride, *passes) != (1, 1) {
            return Err(
                "sequential with block 0 goes round the Internet: leave out `stride` and `passes`".to_owned()
            );
        }
        if *byte_reversed && *block != 0 {
            return Err(
                "sequential.byte_reversed counts through the Internet; it needs `block: 0`".to_owned()
            );
        }
    }
    if let Some(list) = hit_list {
        let size = |listed: &HitListEntry| match listed {
            HitListEntry::Address(_) => 1,
            HitListEntry::Prefix(prefix) => 1u64 << (prefix.max_prefix_len() - prefix.prefix_len()).min(40),
        };
        let count: u64 = list.addresses.iter().map(size).sum();
        if !(1..=HIT_LIST_ADDRESSES_MAX).contains(&count) {
            return Err(format!(
                "hit_list.addresses has {count} addresses; give 1 to {HIT_LIST_ADDRESSES_MAX}"
            ));
        }
    }
    Ok(())
}

fn check_probes(plans: &[ProbePlan]) -> Result<(), String> {
    if plans.is_empty() || plans.len() > 200 {
        return Err("probes: give 1 to 200".to_owned());
    }
    for plan in plans {
        check_range("probes.share", plan.share, &limits::WEIGHT)?;
        for port in &plan.ports {
            check_range("probes.ports.share", port.share(), &limits::WEIGHT)?;
        }
        let has_ports = matches!(plan.protocol, Protocol::Tcp | Protocol::Udp);
        if !has_ports && plan.protocol != Protocol::Icmp {
            return Err(format!("probes.protocol is {}; known are TCP, UDP and ICMP", plan.protocol));
        }
        if has_ports && plan.ports.is_empty() {
            return Err(format!("a {} probe needs `ports`, like `[445]`", plan.protocol));
        }
        if let Some(letter) = plan.flags.chars().find(|letter| TcpFlags::from_letter(*letter).is_none()) {
            return Err(format!("probes.flags has `{}`; letters are of FSRPAUEC", letter.escape_debug()));
        }
        for sends in &plan.sends {
            check_range("probes.sends.share", sends.share, &limits::WEIGHT)?;
            let ascends = sends.at.is_sorted() && sends.at.first().is_some_and(|first| *first == 0.0);
            if !ascends || sends.at.len() > 100 || sends.at.iter().any(|at| !(0.0..=3_600.0).contains(at)) {
                return Err(
                    "probes.sends.at has 1 to 100 seconds, ascending from 0 to at most 3600".to_owned()
                );
            }
        }
        let digits: Vec<char> = plan.payload_hex.chars().filter(|c| !c.is_whitespace()).collect();
        if digits.len() % 2 == 1 || digits.iter().any(|c| !c.is_ascii_hexdigit()) {
            return Err("probes.payload_hex has pairs of hexadecimal digits".to_owned());
        }
        if plan.payload.len() + digits.len() / 2 > 1_400 {
            return Err("a payload has 1400 bytes at most".to_owned());
        }
    }
    Ok(())
}

/// Returns an error if a name is not safe in a path, a web page and a terminal.
fn check_file_name(name: &str) -> Result<(), String> {
    let safe = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    match (1..=64).contains(&name.len()) && name.chars().all(safe) && !name.starts_with(['.', '-']) {
        true => Ok(()),
        false => {
            Err("its name must be 1 to 64 letters, digits, `.`, `_` or `-`, and not begin with `.` or `-`"
                .to_owned())
        }
    }
}

/// Returns an error if a name is unsafe or already in use.
fn check_unique_name(names: &mut BTreeSet<String>, name: &str) -> Result<(), String> {
    check_file_name(name).map_err(|fault| format!("`{}`: {fault}", name.escape_debug()))?;
    match names.insert(name.to_owned()) {
        true => Ok(()),
        false => Err(format!("`{name}` is told twice; give each a name of its own")),
    }
}

/// Returns an error if a name is not a known one. The error suggests the most similar known name.
fn check_known_name(what: &str, name: &str, known: &[&str]) -> Result<(), String> {
    if known.contains(&name) {
        return Ok(());
    }
    let near = nearest(name, known).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    Err(format!("no {what} is called `{}`{near}", name.escape_debug()))
}

fn check_time_zone(what: &str, name: &str) -> Result<(), String> {
    match TimeZone::get(name) {
        Ok(_) => Ok(()),
        Err(_) => Err(format!(
            "{what}: unknown time zone `{}`; use an IANA name like Asia/Tokyo",
            name.escape_debug()
        )),
    }
}

/// Checks the MD5, the duration and the loss of a sample.
fn check_sample(plan: &SamplePlan) -> Result<(), String> {
    let is_hex = |md5: &String| md5.bytes().all(|digit| digit.is_ascii_hexdigit());
    if plan.md5.as_ref().is_some_and(|md5| md5.len() != 32 || !is_hex(md5)) {
        return Err("sample.md5 has 32 hexadecimal digits".to_owned());
    }
    if !(1.0..=86_400.0).contains(&plan.sandbox.seconds) {
        return Err("sample.sandbox.seconds lies between 1 and 86400".to_owned());
    }
    check_share("sample.sandbox.loss", plan.sandbox.loss)
}

/// Returns an error if a number does not lie between 0 and 1.
fn check_share(what: &str, share: f64) -> Result<(), String> {
    if (0.0..=1.0 + 1e-9).contains(&share) {
        Ok(())
    } else {
        Err(format!("{what} is {share}; a share lies between 0 and 1"))
    }
}

/// Returns an error if the standard deviation of a logarithm is out of range.
fn check_spread(what: &str, number: f64) -> Result<(), String> {
    if (0.0..=SPREAD_MAX).contains(&number) {
        Ok(())
    } else {
        Err(format!("{what} is {number}; it lies between 0 and {SPREAD_MAX}"))
    }
}

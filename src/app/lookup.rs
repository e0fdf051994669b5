//! Use case: finds what a text in the search box means.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::civil::Date;

use crate::behavior::BehaviorId;
use crate::history::{BehaviorFilter, Granularity};
use crate::packet::Protocol;
use crate::rules::Rules;
use crate::sample::FamilyMember;
use crate::store::HistoryStore;

use super::AppError;
use super::family_members::members;
use super::filter_notation::parse_filter;
use super::history::kept_samples;
use super::series::TrafficFilter;

/// Something that a text may mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundThing {
    /// A host.
    Host(IpAddr),
    /// The hosts of a prefix.
    Prefix(IpNet),
    /// A service, protocol, type, shape, pattern or label.
    Behavior(TrafficFilter),
    /// A sample: its id, its title and its family.
    Sample(String, String, String),
    /// A malware family: its name and the number of its samples.
    Family(String, usize),
    /// A sensor, by its name.
    Sensor(String),
    /// A day.
    Day(Date),
    /// An incident: its number.
    Incident(u64),
}

/// Minimum number of digits by which a sample may be given.
const DIGITS_MIN: usize = 6;
/// Maximum number of things of one kind.
const PER_KIND_MAX: usize = 20;

/// Returns what a text means, the most specific first. The list has one element if the text is unambiguous.
///
/// # Errors
/// When the history cannot be read.
pub fn lookup(store: &dyn HistoryStore, text: &str, rules: &Rules) -> Result<Vec<FoundThing>, AppError> {
    let text = text.trim();
    if let Ok(host) = text.parse::<IpAddr>() {
        return Ok(vec![FoundThing::Host(host)]);
    }
    if let Ok(prefix) = text.parse::<IpNet>() {
        return Ok(vec![FoundThing::Prefix(prefix.trunc())]);
    }
    if let Ok(day) = text.parse::<Date>() {
        return Ok(vec![FoundThing::Day(day)]);
    }
    if let Some(number) = text.strip_prefix('#').and_then(|number| number.parse().ok()) {
        let known = store.incidents()?.iter().any(|incident| incident.number == number);
        return Ok(known.then_some(FoundThing::Incident(number)).into_iter().collect());
    }
    if let Ok(port) = text.parse::<u16>() {
        return ports(store, port);
    }
    if text.contains('/')
        && let Ok(filter @ TrafficFilter::Service(..)) = parse_filter(text)
    {
        return Ok(vec![FoundThing::Behavior(filter)]);
    }
    if text.contains(':')
        && let Ok(filter) = parse_filter(text)
        && !matches!(&filter, TrafficFilter::Label(label) if !rules.has_label(label))
    {
        return Ok(vec![FoundThing::Behavior(filter)]);
    }
    let mut found = Vec::new();
    if let Ok(id) = text.to_ascii_lowercase().parse::<BehaviorId>() {
        found.extend(named_behavior(store, id)?);
    }
    found.extend(named(store, text, rules)?);
    Ok(found)
}

/// Returns the services of a port that a sensor saw; if none did, both.
fn ports(store: &dyn HistoryStore, port: u16) -> Result<Vec<FoundThing>, AppError> {
    let all = [Protocol::Tcp, Protocol::Udp];
    let mut seen = Vec::new();
    for protocol in all {
        let types = crate::history::TypeFilter::Service(protocol, port);
        let filter = crate::history::Filter { types, ..Default::default() };
        for sensor in store.sensors()? {
            let mut any = false;
            store.each_daily_count(&sensor.name, &filter, &mut |_| any = true)?;
            if any {
                seen.push(protocol);
                break;
            }
        }
    }
    let shown = if seen.is_empty() { all.to_vec() } else { seen };
    Ok(shown
        .into_iter()
        .map(|protocol| FoundThing::Behavior(TrafficFilter::Service(protocol, port)))
        .collect())
}

/// Returns the type, shape or pattern with an id, if a sensor saw it.
fn named_behavior(store: &dyn HistoryStore, id: BehaviorId) -> Result<Vec<FoundThing>, AppError> {
    let mut found = Vec::new();
    for granularity in [Granularity::Type, Granularity::Shape, Granularity::Pattern] {
        for sensor in store.sensors()? {
            let wanted = BehaviorFilter { granularity, id, facets: false };
            if !store.types(&sensor.name, &wanted, 1)?.is_empty() {
                found.push(FoundThing::Behavior(TrafficFilter::Behavior(wanted)));
                break;
            }
        }
    }
    Ok(found)
}

/// Returns protocols, labels, sensors, samples and families with a name like the text.
fn named(store: &dyn HistoryStore, text: &str, rules: &Rules) -> Result<Vec<FoundThing>, AppError> {
    let lower = text.to_lowercase();
    let mut found = Vec::new();
    if let Ok(protocol) = lower.parse::<Protocol>() {
        found.push(FoundThing::Behavior(TrafficFilter::Protocol(protocol)));
    }
    if rules.has_label(&lower) {
        found.push(FoundThing::Behavior(TrafficFilter::Label(lower.clone())));
    }
    let sensors = store.sensors()?.into_iter().map(|sensor| sensor.name);
    let exact: Vec<String> = sensors.filter(|name| name.to_lowercase() == lower).collect();
    found.extend(exact.into_iter().map(FoundThing::Sensor));
    let samples = kept_samples(store)?;
    let members = members(&samples, &store.family_renames()?, rules);
    let mut families: Vec<(String, usize)> = Vec::new();
    for FamilyMember { family, .. } in &members {
        match families.iter_mut().find(|(name, _)| *name == family.name) {
            Some((_, count)) => *count += 1,
            None => families.push((family.name.clone(), 1)),
        }
    }
    let is_digits = lower.len() >= DIGITS_MIN && lower.bytes().all(|digit| digit.is_ascii_hexdigit());
    let mut of_samples = Vec::new();
    for (member, sample) in members.iter().zip(&samples) {
        let identity = &sample.report.identity;
        let mut hashes = [&identity.md5, &identity.sha1, &identity.sha256].into_iter().flatten();
        let named = sample.report.names.values().any(|name| name.to_lowercase().contains(&lower));
        if is_digits && hashes.any(|hash| hash.starts_with(&lower))
            || member.title.to_lowercase().contains(&lower)
            || named
        {
            let family = member.family.name.clone();
            of_samples.push(FoundThing::Sample(member.id.clone(), member.title.clone(), family));
        }
    }
    let of_families = families.into_iter().filter(|(name, _)| name.to_lowercase().contains(&lower));
    let of_families: Vec<FoundThing> =
        of_families.map(|(name, count)| FoundThing::Family(name, count)).take(PER_KIND_MAX).collect();
    // A name that is exactly a family's means the family, although its samples have it in their titles.
    if let [FoundThing::Family(name, _)] = of_families.as_slice()
        && name.to_lowercase() == lower
        && found.is_empty()
    {
        return Ok(of_families);
    }
    found.extend(of_families);
    found.extend(of_samples.into_iter().take(PER_KIND_MAX));
    Ok(found)
}

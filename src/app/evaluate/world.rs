//! A darknet whose causes are known: sensors, what always comes, one outbreak or more, and samples of some of it.
//!
//! Only packets that reach dark addresses are made, a day at a time, and go through the path that captures go through.

use std::net::Ipv4Addr;

use jiff::civil::{Date, date};

use crate::history::{Outage, Sensor, SensorKind};
use crate::packet::{Packet, ProbeHeader};
use crate::rules::Rules;
use crate::sample::{PartialDate, SplitMix64};
use crate::store::{HistoryStore, MemoryStore};

use super::super::AppError;
use super::super::observe::ingest_packets;
use super::super::sandbox::LoadedSample;
use super::conditions::{Conditions, DateKnowledge, OutbreakCause, WorldKind, drifting_levels};
use super::family::{EvaluationFamily, FamilySet};
use super::sandbox;
use super::traffic::{Activity, DarkBlock, background, poisson, visit};
use super::victim::{normal, with_times};

/// Days of a history.
const DAYS: i64 = 150;
const FIRST: Date = date(2020, 1, 6);
/// Families of each half: so many that chance likenesses among a few do not decide.
const FAMILIES: u64 = 2_000;
/// The first dark address of the first sensor.
const DARK: u32 = 203 << 24;
/// From one sensor's first dark address to the next one's.
const SENSOR_STRIDE: u32 = 1 << 22;

/// A case: a history, samples, and the truth.
pub(super) struct Case {
    pub(super) store: MemoryStore,
    pub(super) samples: Vec<LoadedSample>,
    /// The family that is the cause of the outbreak; `None` where there is no sample of the cause, or no
    /// outbreak.
    pub(super) cause: Option<String>,
    /// The kind of the case, by which figures are broken down.
    pub(super) kind: &'static str,
    /// The outbreak's first day.
    pub(super) onset: Date,
    /// Bits of the largest sensor's prefix.
    pub(super) bits: u8,
    /// Hosts of the outbreak that this sensor sees a day at its height, on average.
    pub(super) hosts_a_day: f64,
    /// Host-days of it that all sensors are expected to see within four weeks.
    pub(super) host_days: f64,
}

/// One to three sensors, the largest first.
fn sensors(random: &mut SplitMix64) -> Vec<DarkBlock> {
    const BITS: [u8; 6] = [24, 24, 22, 20, 18, 16];
    let mut bits: Vec<u8> =
        (0..=random.below(3)).map(|_| random.choose(&BITS).copied().unwrap_or(24)).collect();
    bits.sort_unstable();
    let firsts = (0u32..).map(|number| DARK + number * SENSOR_STRIDE);
    firsts.zip(bits).map(|(first, bits)| DarkBlock { first, bits }).collect()
}

/// Draws the case of a number.
pub(super) fn draw(half: FamilySet, kind: WorldKind, number: u64, rules: &Rules) -> Result<Case, AppError> {
    let name = match (half, kind) {
        (FamilySet::Training, WorldKind::Matched) => "training",
        (FamilySet::Training, WorldKind::Mismatched) => "training, mismatched",
        (FamilySet::Reporting, WorldKind::Matched) => "reporting",
        (FamilySet::Reporting, WorldKind::Mismatched) => "reporting, mismatched",
    };
    let mut random = SplitMix64::from_name(name, number);
    let conditions = Conditions::draw(kind, &mut random);
    let family = |random: &mut SplitMix64| EvaluationFamily::draw(half, random.below(FAMILIES));
    let mut cause = family(&mut random);
    let darks = sensors(&mut random);
    let onset = 35 + i64::try_from(random.below(80)).unwrap_or(0);
    // From one host in two days to thirty a day, each order as likely.
    let hosts_a_day = (0.5f64.ln() + random.unit() * 60f64.ln()).exp();
    let others: Vec<EvaluationFamily> =
        (0..9).map(|_| family(&mut random)).filter(|one| one.number != cause.number).collect();
    let other_outbreak = family(&mut random);
    if conditions.cause == OutbreakCause::UnknownAlike
        && let Some(known) = others.last()
    {
        cause = known.unknown_twin(cause.number);
    }
    let drift = |random: &mut SplitMix64| drifting_levels(conditions.drift, DAYS, random);
    let mut activities = Vec::new();
    if conditions.cause != OutbreakCause::Nothing {
        activities.push(Activity {
            family: &cause,
            hosts: hosts_a_day,
            first: onset,
            growth: 1.0 + random.unit() * 14.0,
            population: 50_000,
            levels: Vec::new(),
        });
    }
    // Some of the others were always there, one of them a pandemic.
    for other in others.iter().take(4) {
        let (hosts, levels) = ((random.unit() * 4.0).exp(), drift(&mut random));
        let population = 5_000;
        activities.push(Activity { family: other, hosts, first: -99, growth: 1.0, population, levels });
    }
    // Nothing changes where nothing is the cause: neither does another family begin.
    if conditions.cause != OutbreakCause::Nothing && random.below(2) == 0 {
        let first = 20 + i64::try_from(random.below(110)).unwrap_or(0);
        let (hosts, levels) = ((random.unit() * 3.0).exp(), drift(&mut random));
        let population = 5_000;
        activities.push(Activity { family: &other_outbreak, hosts, first, growth: 3.0, population, levels });
    }
    let known = conditions.cause == OutbreakCause::Sample && other_outbreak.number != cause.number;
    let mut samples = samples((&cause, known), &others, onset, &conditions, rules, &mut random);
    let mut store = MemoryStore::new();
    for (number, dark) in darks.iter().enumerate() {
        let name = format!("dark {}", number + 1);
        history(&mut store, &name, (*dark, darks[0]), &activities, &conditions, rules, &mut random)?;
    }
    // Equal answers must not be right because the cause was drawn first.
    samples.sort_by(|a, b| a.profile.id.cmp(&b.profile.id));
    Ok(Case {
        store,
        cause: known.then(|| sandbox::family_name(&cause)),
        kind: conditions.kind_of_case(),
        samples,
        onset: day_of(onset),
        bits: darks[0].bits,
        hosts_a_day,
        host_days: match conditions.cause {
            OutbreakCause::Nothing => 0.0,
            _ => host_days(&activities[0], onset, &darks),
        },
    })
}

/// Returns the host-days of an outbreak that all sensors are expected to see within four weeks from its onset.
fn host_days(outbreak: &Activity<'_>, onset: i64, darks: &[DarkBlock]) -> f64 {
    let at_largest: f64 = (onset..DAYS.min(onset + 28)).map(|day| outbreak.hosts_on(day)).sum();
    darks.iter().map(|dark| at_largest * dark.part(darks[0], outbreak.family)).sum()
}

fn day_of(day: i64) -> Date {
    FIRST.saturating_add(jiff::Span::new().days(day))
}

/// Samples with their dates: the cause's, if it is known, first, late or early; others' at any date.
fn samples(
    (cause, is_known): (&EvaluationFamily, bool),
    others: &[EvaluationFamily],
    onset: i64,
    conditions: &Conditions,
    rules: &Rules,
    random: &mut SplitMix64,
) -> Vec<LoadedSample> {
    let mut all = Vec::new();
    if is_known {
        for variant in 0..conditions.samples_of_cause {
            let lag = conditions.lag + 20.0 * variant as f64 * random.unit();
            #[expect(clippy::cast_possible_truncation, reason = "at most some hundred days")]
            let caught = day_of(onset + lag as i64);
            let date = known_date(conditions.dates, caught);
            all.push(sandbox::run((cause, variant), date, conditions.sandbox, rules, random));
        }
    }
    let mut seen = vec![cause.number];
    for other in others.iter().filter(|other| other.number != cause.number) {
        if !seen.contains(&other.number) {
            seen.push(other.number);
            let caught = day_of(i64::try_from(random.below(DAYS.unsigned_abs())).unwrap_or(0));
            let date = known_date(conditions.dates, caught);
            all.push(sandbox::run((other, 0), date, conditions.sandbox, rules, random));
        }
    }
    all
}

/// Returns the date of a report that states a day with this precision.
fn known_date(knowledge: DateKnowledge, day: Date) -> Option<PartialDate> {
    match knowledge {
        DateKnowledge::Day => Some(PartialDate { first: day, last: day }),
        DateKnowledge::Month => Some(PartialDate { first: day.first_of_month(), last: day.last_of_month() }),
        DateKnowledge::None => None,
    }
}

/// Adds what a sensor saw to a store.
fn history(
    store: &mut MemoryStore,
    name: &str,
    (dark, largest): (DarkBlock, DarkBlock),
    activities: &[Activity<'_>],
    conditions: &Conditions,
    rules: &Rules,
    random: &mut SplitMix64,
) -> Result<(), AppError> {
    let prefix = ipnet::Ipv4Net::new(Ipv4Addr::from(dark.first), dark.bits)
        .map_err(|error| AppError::Usage(error.to_string()))?;
    let sensor = Sensor {
        name: name.to_owned(),
        kind: SensorKind::Subnet,
        prefixes: vec![ipnet::IpNet::from(prefix).into()],
        live: Vec::new(),
        time_zone: "UTC".to_owned(),
    };
    store.add_sensor(&sensor)?;
    let outage = (random.below(3) == 0).then(|| {
        let first = i64::try_from(random.below(DAYS.unsigned_abs() - 12)).unwrap_or(0);
        first..first + 1 + i64::try_from(random.below(10)).unwrap_or(0)
    });
    if let Some(days) = &outage {
        let (first, last) = (day_of(days.start), day_of(days.end - 1));
        store.add_outage(&sensor.name, &Outage { first, last, reason: String::new() })?;
    }
    let storm = i64::try_from(random.below(DAYS.unsigned_abs())).ok().filter(|_| conditions.storm);
    let burst = i64::try_from(random.below(DAYS.unsigned_abs())).unwrap_or(0);
    for day in 0..DAYS {
        let mut packets = Vec::new();
        let weekday = if day % 7 >= 5 { conditions.weekend } else { 1.0 };
        for activity in activities {
            // The days scatter more than Poisson's law says.
            let part = dark.part(largest, activity.family);
            let mean = activity.hosts_on(day) * part * weekday * (0.2 * normal(random)).exp();
            for _ in 0..poisson(mean, random) {
                visit(activity, dark, conditions, random, &mut packets);
            }
        }
        let special = (day == burst, Some(day) == storm);
        background(dark, special, conditions, random, &mut packets);
        packets.retain(|_| random.unit() >= conditions.loss);
        if !conditions.has_headers {
            packets.iter_mut().for_each(|(_, packet)| *packet = without_header(*packet));
        }
        if outage.as_ref().is_some_and(|days| days.contains(&day)) {
            continue;
        }
        let start =
            day_of(day).to_zoned(jiff::tz::TimeZone::UTC).map_or(0, |time| time.timestamp().as_second());
        ingest_packets(store, &sensor, &with_times(&packets, start as f64), rules)?;
    }
    Ok(())
}

/// Returns a packet without the fields that a log of flows or contacts lacks.
fn without_header(packet: Packet) -> Packet {
    let packet = packet.with_ttl(None).with_ip_id(None).with_sequence(None).with_tcp_window(None);
    packet.with_probe(packet.probe().kind().map_or(ProbeHeader::NONE, ProbeHeader::new))
}

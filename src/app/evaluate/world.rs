//! A darknet whose causes are known: sensors, what always comes, one outbreak or more, and samples of some of it.
//!
//! Only packets that reach dark addresses are made, a day at a time, and go through the path that captures go through.

use std::net::Ipv4Addr;

use jiff::civil::{Date, date};

use crate::history::{Outage, Sensor, SensorKind};
use crate::packet::{Packet, Protocol, TcpFlags};
use crate::rules::Rules;
use crate::sample::SplitMix64;
use crate::store::{HistoryStore, MemoryStore};

use super::super::AppError;
use super::super::observe::ingest_packets;
use super::super::sandbox::LoadedSample;
use super::family::{EvaluationFamily, FamilySet, FamilyTargeting};
use super::sandbox;
use super::victim::{EvaluationVictim, normal, public_address, with_times};

/// Days of a history.
const DAYS: i64 = 150;
const FIRST: Date = date(2020, 1, 6);
/// Families of each half: so many that chance likenesses among a few do not decide.
const FAMILIES: u64 = 2_000;
const DAY_SECONDS: f64 = 86_400.0;
/// The first dark address of the first sensor.
const DARK: u32 = 203 << 24;
/// From one sensor's first dark address to the next one's.
const SENSOR_STRIDE: u32 = 1 << 22;

/// A case: a history, samples, and the truth.
pub(super) struct Case {
    pub(super) store: MemoryStore,
    pub(super) samples: Vec<LoadedSample>,
    /// The id of the sample that is the cause of the outbreak; `None` where no sample is.
    pub(super) cause: Option<String>,
    /// The outbreak's first day.
    pub(super) onset: Date,
    /// Bits of the largest sensor's prefix.
    pub(super) bits: u8,
    /// Hosts of the outbreak that this sensor sees a day at its height, on average.
    pub(super) hosts_a_day: f64,
}

/// The dark prefix of a sensor.
#[derive(Clone, Copy)]
struct DarkBlock {
    first: u32,
    bits: u8,
}

impl DarkBlock {
    fn size(self) -> u32 {
        1 << (32 - self.bits)
    }

    /// How much of what comes upon the largest sensor comes upon this one: as many hosts an address, and of sweeps, as
    /// many starts from which one reaches it.
    fn part(self, largest: DarkBlock, family: &EvaluationFamily) -> f64 {
        let reach = match family.targeting {
            FamilyTargeting::Uniform => 0,
            FamilyTargeting::Sweep { targets, stride } => targets * stride,
        };
        f64::from(self.size() + reach) / f64::from(largest.size() + reach)
    }
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

/// A family at work.
struct Activity<'a> {
    family: &'a EvaluationFamily,
    /// Hosts that the largest sensor sees a day at the height.
    hosts: f64,
    /// First day; before the history for those that were always there.
    first: i64,
    /// Days from the first to the height.
    growth: f64,
    /// Host numbers are drawn from so many: hosts come back.
    population: u64,
}

impl Activity<'_> {
    fn hosts_on(&self, day: i64) -> f64 {
        let age = (day - self.first) as f64;
        if age < 0.0 { 0.0 } else { self.hosts * ((age + 1.0) / self.growth).min(1.0) }
    }
}

/// Draws the case of a number.
pub(super) fn draw(half: FamilySet, number: u64, rules: &Rules) -> Result<Case, AppError> {
    let mut random =
        SplitMix64::from_name(if half == FamilySet::Training { "training" } else { "reporting" }, number);
    let family = |random: &mut SplitMix64| EvaluationFamily::draw(half, random.below(FAMILIES));
    let cause = family(&mut random);
    let darks = sensors(&mut random);
    let onset = 35 + i64::try_from(random.below(80)).unwrap_or(0);
    // From one host in two days to thirty a day, each order as likely.
    let hosts_a_day = (0.5f64.ln() + random.unit() * 60f64.ln()).exp();
    let others: Vec<EvaluationFamily> =
        (0..9).map(|_| family(&mut random)).filter(|one| one.number != cause.number).collect();
    let stranger = family(&mut random);
    let mut activities = vec![Activity {
        family: &cause,
        hosts: hosts_a_day,
        first: onset,
        growth: 1.0 + random.unit() * 14.0,
        population: 50_000,
    }];
    // Some of the others were always there, one of them a pandemic.
    for other in others.iter().take(4) {
        let hosts = (random.unit() * 4.0).exp();
        activities.push(Activity { family: other, hosts, first: -99, growth: 1.0, population: 5_000 });
    }
    if random.below(2) == 0 {
        let first = 20 + i64::try_from(random.below(110)).unwrap_or(0);
        let hosts = (random.unit() * 3.0).exp();
        activities.push(Activity { family: &stranger, hosts, first, growth: 3.0, population: 5_000 });
    }
    let known = random.below(10) >= 3 && stranger.number != cause.number;
    let mut samples = samples(&cause, &others, onset, known, rules, &mut random);
    let mut store = MemoryStore::new();
    for (number, dark) in darks.iter().enumerate() {
        let name = format!("dark {}", number + 1);
        history(&mut store, &name, (*dark, darks[0]), &activities, rules, &mut random)?;
    }
    let bits = darks[0].bits;
    let id = known.then(|| samples[0].profile.id.clone());
    // Equal answers must not be right because the cause was drawn first.
    samples.sort_by(|a, b| a.profile.id.cmp(&b.profile.id));
    Ok(Case { store, cause: id, samples, onset: day_of(onset), bits, hosts_a_day })
}

fn day_of(day: i64) -> Date {
    FIRST.saturating_add(jiff::Span::new().days(day))
}

/// Samples with their dates: the cause's, if it is known, first, late or early; others' at any date.
fn samples(
    cause: &EvaluationFamily,
    others: &[EvaluationFamily],
    onset: i64,
    known: bool,
    rules: &Rules,
    random: &mut SplitMix64,
) -> Vec<LoadedSample> {
    let mut all = Vec::new();
    if known {
        let late = random.below(100) < 85;
        let lag = if late { random.waiting_time(1.0 / 20.0).min(100.0) } else { -random.unit() * 7.0 };
        #[expect(clippy::cast_possible_truncation, reason = "at most a hundred days")]
        let caught = onset + lag as i64;
        all.push(sandbox::run(cause, Some(day_of(caught)), rules, random));
    }
    let mut seen = vec![cause.number];
    for other in others.iter().filter(|other| other.number != cause.number) {
        if !seen.contains(&other.number) {
            seen.push(other.number);
            let caught = i64::try_from(random.below(DAYS.unsigned_abs())).unwrap_or(0);
            all.push(sandbox::run(other, Some(day_of(caught)), rules, random));
        }
    }
    all
}

/// Adds what a sensor saw to a store.
fn history(
    store: &mut MemoryStore,
    name: &str,
    (dark, largest): (DarkBlock, DarkBlock),
    activities: &[Activity<'_>],
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
    let loss = random.unit() * 0.04;
    let outage = (random.below(3) == 0).then(|| {
        let first = i64::try_from(random.below(DAYS.unsigned_abs() - 12)).unwrap_or(0);
        first..first + 1 + i64::try_from(random.below(10)).unwrap_or(0)
    });
    if let Some(days) = &outage {
        let (first, last) = (day_of(days.start), day_of(days.end - 1));
        store.add_outage(&sensor.name, &Outage { first, last, reason: String::new() })?;
    }
    let burst = i64::try_from(random.below(DAYS.unsigned_abs())).unwrap_or(0);
    for day in 0..DAYS {
        let mut packets = Vec::new();
        let weekday = if day % 7 >= 5 { 0.75 } else { 1.0 };
        for activity in activities {
            // The days scatter more than Poisson's law says.
            let part = dark.part(largest, activity.family);
            let mean = activity.hosts_on(day) * part * weekday * (0.2 * normal(random)).exp();
            for _ in 0..poisson(mean, random) {
                visit(activity, dark, random, &mut packets);
            }
        }
        background(dark, day == burst, random, &mut packets);
        packets.retain(|_| random.unit() >= loss);
        if outage.as_ref().is_some_and(|days| days.contains(&day)) {
            continue;
        }
        let start =
            day_of(day).to_zoned(jiff::tz::TimeZone::UTC).map_or(0, |time| time.timestamp().as_second());
        ingest_packets(store, &sensor, &with_times(&packets, start as f64), rules)?;
    }
    Ok(())
}

fn poisson(mean: f64, random: &mut SplitMix64) -> u64 {
    let (mut count, mut left) = (0, mean);
    if mean <= 0.0 {
        return 0;
    }
    loop {
        left -= random.waiting_time(1.0);
        if left < 0.0 {
            return count;
        }
        count += 1;
    }
}

/// The packets of one host that comes upon the sensor some time of a day.
fn visit(
    activity: &Activity<'_>,
    dark: DarkBlock,
    random: &mut SplitMix64,
    packets: &mut Vec<(f64, Packet)>,
) {
    let family = activity.family;
    let size = dark.size();
    let host = SplitMix64::from_name("host", family.number << 32 | random.below(activity.population)).bits();
    let host = Ipv4Addr::from(u32::try_from(host >> 32).unwrap_or(1) & 0x7fff_ffff | 0x0100_0000);
    let mut victim = EvaluationVictim::from_family(family, host.into(), random);
    let start = random.unit() * (DAY_SECONDS - 900.0);
    match family.targeting {
        FamilyTargeting::Uniform => {
            // Addresses of the sensor among all that are asked, as long as the visit lasts.
            let hits = victim.rate * f64::from(size) / 4.29e9;
            let mut at = 0.0;
            while at < 300.0 {
                let target =
                    Ipv4Addr::from(dark.first + u32::try_from(random.below(size.into())).unwrap_or(0));
                victim.probe(family, start + at, target, random, packets);
                at += random.waiting_time(hits);
            }
        }
        FamilyTargeting::Sweep { targets, stride } => {
            let span = targets * stride;
            let offset = u32::try_from(random.below(u64::from(size + span))).unwrap_or(0);
            let first = dark.first + offset - span;
            let mut at = 0.0;
            for step in 0..targets {
                let target = first + step * stride;
                if (dark.first..dark.first + size).contains(&target) {
                    victim.probe(family, start + at, Ipv4Addr::from(target), random, packets);
                }
                at += random.waiting_time(victim.rate);
            }
        }
    }
}

/// What every darknet sees: single packets to any port, answers to floods, now and then somebody who asks everybody.
fn background(dark: DarkBlock, burst: bool, random: &mut SplitMix64, packets: &mut Vec<(f64, Packet)>) {
    let size = u64::from(dark.size());
    let mut send =
        |at: f64, host: Ipv4Addr, flags: Option<u8>, ports: (u16, u16), random: &mut SplitMix64| {
            let target = Ipv4Addr::from(dark.first + u32::try_from(random.below(size)).unwrap_or(0));
            let protocol = if flags.is_some() { Protocol::Tcp } else { Protocol::Udp };
            let packet = Packet::new(host.into(), target.into(), protocol)
                .with_source_port(Some(ports.0))
                .with_destination_port(Some(ports.1))
                .with_flags(flags.map(TcpFlags));
            packets.push((at, packet));
        };
    const PROBED_PORTS: [u16; 10] = [22, 23, 80, 135, 443, 445, 1433, 3389, 5900, 8080];
    for _ in 0..poisson(15.0, random) {
        let (at, host) = (random.unit() * DAY_SECONDS, public_address(random));
        let any = u16::try_from(random.below(65_536)).unwrap_or(0);
        let port = if random.below(2) == 0 { *random.choose(&PROBED_PORTS).unwrap_or(&22) } else { any };
        let flags = (random.below(5) > 0).then_some(2);
        send(at, host, flags, (1_024 | any, port), random);
    }
    for _ in 0..poisson(4.0, random) {
        let (at, host) = (random.unit() * DAY_SECONDS, public_address(random));
        for _ in 0..1 + random.below(4) {
            let port = u16::try_from(1_024 + random.below(60_000)).unwrap_or(0);
            send(at + random.unit(), host, Some(0x12), (80, port), random);
        }
    }
    if burst || random.below(15) == 0 {
        // A survey: one source port, one packet an address.
        let (at, host, port) =
            (random.unit() * 80_000.0, public_address(random), *random.choose(&PROBED_PORTS).unwrap_or(&22));
        for number in 0..size.min(200) {
            send(at + number as f64 * 0.01, host, Some(2), (40_000, port), random);
        }
    }
}

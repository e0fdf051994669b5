//! Use case: the number of kinds of type a day, its jumps, and what they consist of.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;

use crate::behavior::{BehaviorId, Parameters};
use crate::capture::Input;
use crate::history::derived::{Asked, Derived, derived};
use crate::history::surge::{Surge, judged_days, surges};
use crate::history::{DayState, Restriction, Sensor};
use crate::rules::{NamedWindow, Rules};
use crate::store::HistoryStore;

use super::events::Victims;
use super::fingerprint::{Selection, fingerprints};
use super::history::chosen;
use super::{AppError, CaptureOptions, Notices};

/// Groups that are told of a jump, at most.
const GROUPS_MAX: usize = 5;
/// Ports from here on are masked in a group: below lie the system ports, which say something.
const MASKED_PORT_MIN: u16 = 1024;
/// Windows of a group that the test of derived ports takes, the first at most; it deals them out a thousand times.
const TESTED_MAX: usize = 20_000;
/// Types of a group that are told by their ids.
const MEMBERS_TOLD_MAX: usize = 20;

/// A group of new types: one family, whatever high port its types ask for.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The family's canonical string, with `~` for a high port.
    pub family: String,
    /// New types in it.
    pub types: u64,
    /// The first of them, in the order of their numbers in the history; at most twenty.
    pub members: Vec<BehaviorId>,
    /// How many different ports they ask for, where each asks for one.
    pub ports: u64,
    /// Labels that the parameters of the first give.
    pub labels: Vec<String>,
    /// Whether the port follows from the destination, where captures were given and something repeated.
    pub derived: Option<Derived>,
}

/// A jump of the number of kinds.
#[derive(Clone, Debug, PartialEq)]
pub struct Jump {
    /// When and how much.
    pub surge: Surge,
    /// Types that were never seen before it.
    pub new_types: u64,
    /// What these are, the largest first.
    pub groups: Vec<Group>,
}

/// A sensor's kinds.
#[derive(Clone, Debug, PartialEq)]
pub struct Kinds {
    /// The sensor.
    pub sensor: Sensor,
    /// Kinds a day, of days with a look.
    pub days: Vec<(Date, u64)>,
    /// Its jumps, ascending.
    pub jumps: Vec<Jump>,
}

/// The kinds of these sensors, or of all; a jump is told by mistake with at most the chance `level` a sensor.
///
/// # Errors
/// When there is no such sensor, or the history cannot be read.
pub fn kinds(
    store: &dyn HistoryStore,
    sensors: &[String],
    level: f64,
    rules: &Rules,
) -> Result<Vec<Kinds>, AppError> {
    let one = |sensor: Sensor| -> Result<Kinds, AppError> {
        let coverage = store.coverage(&sensor.name)?;
        let totals: BTreeMap<Date, u64> =
            store.totals(&sensor.name)?.into_iter().map(|total| (total.count.day, total.types)).collect();
        let days: Vec<(Date, u64)> =
            coverage.days().map(|day| (day, totals.get(&day).copied().unwrap_or(0))).collect();
        #[expect(clippy::cast_precision_loss, reason = "a number of days")]
        let p_max = level / judged_days(days.len()).max(1) as f64;
        let found = surges(&days, p_max);
        let mut firsts: Vec<(u64, Date)> = Vec::new();
        if !found.is_empty() {
            store.each_observation(&sensor.name, &Restriction::default(), &mut |seen| {
                let known = firsts.last().is_some_and(|(number, _)| *number == seen.number);
                if !known && coverage.state(seen.day) == DayState::Observed {
                    firsts.push((seen.number, seen.day));
                }
            })?;
        }
        let jumps = found.into_iter().map(|surge| jump(store, surge, &firsts, rules));
        Ok(Kinds { sensor, days, jumps: jumps.collect::<Result<_, _>>()? })
    };
    chosen(store, sensors)?.into_iter().map(one).collect()
}

fn jump(
    store: &dyn HistoryStore,
    surge: Surge,
    firsts: &[(u64, Date)],
    rules: &Rules,
) -> Result<Jump, AppError> {
    let mut groups: HashMap<String, (Group, Vec<u16>)> = HashMap::new();
    let mut new_types = 0;
    for (number, _) in firsts.iter().filter(|(_, first)| surge.first <= *first && *first <= surge.last) {
        let record = store.type_of(*number)?;
        let family = masked(&record.family.canonical, &record.parameters);
        let (group, ports) = groups.entry(family.clone()).or_insert_with(|| {
            let labels = rules.labels(&record.parameters, &[], None);
            let labels = labels.into_iter().map(str::to_owned).collect();
            (Group { family, types: 0, members: Vec::new(), ports: 0, labels, derived: None }, Vec::new())
        });
        new_types += 1;
        group.types += 1;
        if group.members.len() < MEMBERS_TOLD_MAX {
            group.members.push(record.behavior.id);
        }
        if let [port] = record.parameters.ports.listed() {
            ports.push(*port);
        }
    }
    let counted = |(mut group, mut ports): (Group, Vec<u16>)| {
        ports.sort_unstable();
        ports.dedup();
        group.ports = ports.len() as u64;
        group
    };
    let mut groups: Vec<Group> = groups.into_values().map(counted).collect();
    groups.sort_by(|a, b| b.types.cmp(&a.types).then_with(|| a.family.cmp(&b.family)));
    groups.truncate(GROUPS_MAX);
    Ok(Jump { surge, new_types, groups })
}

/// A family's canonical string with its one high port masked.
fn masked(canonical: &str, parameters: &Parameters) -> String {
    match parameters.ports.listed() {
        [port] if *port >= MASKED_PORT_MIN => canonical.replace(&format!("|pt={port}|"), "|pt=~|"),
        _ => canonical.to_owned(),
    }
}

/// Tests by captures whether the ports of the jumps' groups follow from the destinations: of windows with one
/// destination and one port that the sensor saw in the days of the jump. Captures are read once for each sensor that has
/// a jump. Memory: 48 bytes for each of at most 20,000 windows a group, and what the captures take.
///
/// # Errors
/// When a capture cannot be read.
pub fn test_ports(
    all: &mut [Kinds],
    inputs: &[Input],
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<(), AppError> {
    for Kinds { sensor, jumps, .. } in all.iter_mut().filter(|kinds| !kinds.jumps.is_empty()) {
        let (space, zone) = (sensor.space(), sensor.zone()?);
        let selection = Selection { victims: Victims::None, dark: sensor.prefixes.clone() };
        let mut asked: Vec<Vec<Vec<Asked>>> =
            jumps.iter().map(|jump| vec![Vec::new(); jump.groups.len()]).collect();
        fingerprints(inputs, &selection, options, rules, notices, &mut |window| {
            let start = window.fingerprint.start.map(|start| start.day(&zone));
            let (Some(day), Some((family, one))) = (start, single(&window, start)) else { return Ok(()) };
            if !space.contains(one.destination) {
                return Ok(());
            }
            for (jump, asked) in jumps.iter().zip(&mut asked) {
                let inside = (jump.surge.first..=jump.surge.last).contains(&day);
                for (group, asked) in jump.groups.iter().zip(asked).filter(|_| inside) {
                    if group.family == family && asked.len() < TESTED_MAX {
                        asked.push(one);
                    }
                }
            }
            Ok(())
        })?;
        for (jump, asked) in jumps.iter_mut().zip(asked) {
            for (group, asked) in jump.groups.iter_mut().zip(asked) {
                group.derived = derived(&asked);
            }
        }
    }
    Ok(())
}

/// What the host of a window with one destination and one port asked for, and the window's masked family.
fn single(window: &NamedWindow, day: Option<Date>) -> Option<(String, Asked)> {
    let whole = &window.fingerprint.whole;
    let ([port], 1) = (whole.parameters.ports.listed(), whole.parameters.destinations) else { return None };
    let destination = window.window.probes.get(0)?.destination();
    let asked = Asked { week: week(day?), source: window.window.source, destination, port: *port };
    Some((masked(&whole.names.family.canonical, &whole.parameters), asked))
}

/// The number of a day's week, from Monday to Sunday.
fn week(day: Date) -> i64 {
    let monday = jiff::civil::date(1970, 1, 5);
    (monday.duration_until(day).as_hours() / 24).div_euclid(7)
}

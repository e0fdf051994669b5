//! Many behaviors asked for at once: what is kept is read once, and each sighting given to all behaviors that have it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use jiff::civil::Date;
use rusqlite::Connection;

use crate::behavior::{BehaviorId, Profile};
use crate::history::{
    DayCount, Habit, HostList, Hosts, Scope, Sighting, SightingCounts, TypeRecord, TypeTotal,
};
use crate::store::{NearService, StoreError, host_summaries};

use super::read::mark_names;
use super::select::{Source, TypeIds, Wanted};
use super::{codec, example, types};

/// Ids of types, ascending, and whether their facets count, too.
pub(super) type List<'a> = (&'a [i64], bool);

/// Windows and packets by type.
type Sums = BTreeMap<i64, (u64, u64)>;

/// The types of several lists, and which lists each is in.
struct Union {
    types: Vec<i64>,
    /// By the place of the type.
    lists: Vec<Vec<usize>>,
    /// By list.
    facets: Vec<bool>,
}

impl Union {
    fn of(lists: &[List<'_>]) -> Union {
        let mut known: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for (list, (types, _)) in lists.iter().enumerate() {
            types.iter().for_each(|id| known.entry(*id).or_default().push(list));
        }
        let facets = lists.iter().map(|(_, facets)| *facets).collect();
        let (types, lists) = known.into_iter().unzip();
        Union { types, lists, facets }
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted::of_types(TypeIds::List(&self.types), self.facets.contains(&true))
    }

    /// The lists that count what was seen of a type.
    fn lists(&self, number: u64, scope: Scope) -> impl Iterator<Item = usize> + '_ {
        let place = self.types.binary_search(&codec::count(number)).ok();
        let lists = place.map_or(&[][..], |place| &self.lists[place]);
        lists.iter().copied().filter(move |list| scope == Scope::Whole || self.facets[*list])
    }
}

/// What is gathered of a list of types.
#[derive(Default)]
struct Gathered {
    days: BTreeMap<Date, (u64, u64, Hosts)>,
    hosts: HashMap<IpAddr, (BTreeSet<Date>, SightingCounts)>,
    types: Sums,
}

impl Gathered {
    fn add(&mut self, sighting: &Sighting) {
        let (windows, packets, hosts) = self.days.entry(sighting.day).or_default();
        *windows += sighting.counts.windows;
        *packets += sighting.counts.packets;
        hosts.insert(sighting.host);
        let (days, sum) =
            self.hosts.entry(sighting.host).or_insert_with(|| (BTreeSet::new(), SightingCounts::NONE));
        days.insert(sighting.day);
        *sum = sum.merged(sighting.counts);
        let (windows, packets) = self.types.entry(codec::count(sighting.number)).or_default();
        *windows += sighting.counts.windows;
        *packets += sighting.counts.packets;
    }

    fn habit(self, marks: &[String], seen_as: Option<TypeRecord>, most: usize) -> Habit {
        let series = self.days.into_iter().map(|(day, (windows, packets, mut hosts))| DayCount {
            day,
            windows,
            packets,
            hosts: hosts.count(),
        });
        let hosts = HostList::of(host_summaries(self.hosts, marks), most);
        Habit { series: series.collect(), hosts, seen_as, example: None }
    }
}

/// All that was seen of each list of types.
pub(super) fn habits(
    connection: &Connection,
    profile: &Profile,
    (sensor, source): (i64, &Source<'_>),
    lists: &[List<'_>],
    most: usize,
) -> Result<Vec<Habit>, StoreError> {
    let union = Union::of(lists);
    let mut gathered: Vec<Gathered> = lists.iter().map(|_| Gathered::default()).collect();
    source.each_sighting(&union.wanted(), &mut |sighting| {
        union.lists(sighting.number, sighting.scope).for_each(|list| gathered[list].add(sighting));
        Ok(())
    })?;
    let marks = mark_names(connection)?;
    let mut habits = Vec::new();
    let mut most_frequent_ones: Vec<Option<i64>> = Vec::new();
    for one in gathered {
        let first = most_frequent(connection, &one.types, 1)?.into_keys().next();
        let seen_as = first.map(|id| types::read(connection, profile, id)).transpose()?;
        habits.push(one.habit(&marks, seen_as, most));
        most_frequent_ones.push(first);
    }
    let names = most_frequent_ones.iter().zip(&habits);
    let wanted: BTreeMap<i64, BehaviorId> =
        names.filter_map(|(id, habit)| Some((*id.as_ref()?, habit.seen_as.as_ref()?.behavior.id))).collect();
    let examples = example::read(connection, sensor, &wanted.into_iter().collect::<Vec<_>>())?;
    for (habit, id) in habits.iter_mut().zip(most_frequent_ones) {
        habit.example = id.and_then(|id| examples.get(&id).cloned());
    }
    Ok(habits)
}

/// The most frequent types of each service.
pub(super) fn neighbours(
    connection: &Connection,
    profile: &Profile,
    source: &Source<'_>,
    services: &[NearService],
    most: usize,
) -> Result<Vec<Vec<TypeTotal>>, StoreError> {
    let mut places: HashMap<(String, Option<String>), Vec<usize>> = HashMap::new();
    for (place, (protocol, ports)) in services.iter().enumerate() {
        let name = (protocol.to_string(), ports.as_ref().map(ToString::to_string));
        places.entry(name).or_default().push(place);
    }
    let mut types: Vec<Vec<i64>> = services.iter().map(|_| Vec::new()).collect();
    let mut statement = connection.prepare_cached("SELECT id, protocol, ports FROM type ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, protocol, ports): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let mut name = (protocol, Some(ports));
        places.get(&name).into_iter().flatten().for_each(|place| types[*place].push(id));
        name.1 = None;
        places.get(&name).into_iter().flatten().for_each(|place| types[*place].push(id));
    }
    let lists: Vec<List<'_>> = types.iter().map(|types| (&types[..], false)).collect();
    type_totals(connection, profile, source, &lists, most)
}

/// The most frequent types of each list. Sums first; hosts only of those that are told.
pub(super) fn type_totals(
    connection: &Connection,
    profile: &Profile,
    source: &Source<'_>,
    lists: &[List<'_>],
    most: usize,
) -> Result<Vec<Vec<TypeTotal>>, StoreError> {
    let union = Union::of(lists);
    let mut sums: Vec<Sums> = lists.iter().map(|_| Sums::new()).collect();
    source.each_daily_count(&union.wanted(), &mut |seen| {
        for list in union.lists(seen.number, seen.scope) {
            let (windows, packets) = sums[list].entry(codec::count(seen.number)).or_default();
            *windows += seen.windows;
            *packets += seen.packets;
        }
        Ok(())
    })?;
    let told = sums.iter().map(|sums| most_frequent(connection, sums, most));
    let mut told: Vec<BTreeMap<i64, Hosts>> = told.collect::<Result<_, _>>()?;
    let ids: Vec<Vec<i64>> = told.iter().map(|one| one.keys().copied().collect()).collect();
    let lists: Vec<List<'_>> = ids.iter().zip(lists).map(|(ids, (_, facets))| (&ids[..], *facets)).collect();
    let union = Union::of(&lists);
    source.each_sighting(&union.wanted(), &mut |sighting| {
        for list in union.lists(sighting.number, sighting.scope) {
            told[list].entry(codec::count(sighting.number)).or_default().insert(sighting.host);
        }
        Ok(())
    })?;
    let total = |(sums, told): (&Sums, BTreeMap<i64, Hosts>)| {
        let mut totals = Vec::new();
        for (id, mut hosts) in told {
            let (windows, packets) = sums.get(&id).copied().unwrap_or_default();
            let record = types::read(connection, profile, id)?;
            totals.push(TypeTotal { record, windows, packets, hosts: hosts.count() });
        }
        totals
            .sort_by(|a, b| b.windows.cmp(&a.windows).then(a.record.behavior.id.cmp(&b.record.behavior.id)));
        Ok(totals)
    };
    sums.iter().zip(told).map(total).collect()
}

/// Those of most windows; of equally many those of the lower name.
fn most_frequent(
    connection: &Connection,
    sums: &Sums,
    most: usize,
) -> Result<BTreeMap<i64, Hosts>, StoreError> {
    let mut counts: Vec<u64> = sums.values().map(|(windows, _)| *windows).collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let least = most.checked_sub(1).map(|last| counts.get(last).copied().unwrap_or(0));
    let Some(least) = least else { return Ok(BTreeMap::new()) };
    let mut ranked = Vec::new();
    let mut find = connection.prepare_cached("SELECT md5 FROM type WHERE id = ?1")?;
    for (id, (windows, _)) in sums.iter().filter(|(_, (windows, _))| *windows >= least) {
        let name: Vec<u8> = find.query_row([id], |row| row.get(0))?;
        ranked.push((Reverse(*windows), name, *id));
    }
    ranked.sort_unstable();
    Ok(ranked.into_iter().take(most).map(|(_, _, id)| (id, Hosts::default())).collect())
}

//! Queries about the sightings and counts of some types.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use jiff::civil::Date;
use rusqlite::Connection;

use crate::history::{
    BehaviorSummary, DailyCount, DayCount, HostList, HostSet, Scope, Sighting, SightingCounts, TypeRecord,
    TypeTotal,
};
use crate::store::{ServiceQuery, StoreError, host_summaries};

use super::query::{SensorReader, SightingSums};
use super::row_filter::RowFilter;
use super::type_rows;

/// Numbers of types, ascending, and whether their facets count beside whole windows.
pub(super) type TypeNumbers<'a> = (&'a [u64], bool);

/// A callback that returns the type with a number.
pub(super) type TypeLookup<'a> = &'a dyn Fn(u64) -> Result<TypeRecord, StoreError>;

/// Returns the numbers of the types of each service, ascending.
pub(super) fn types_by_service(
    connection: &Connection,
    services: &[ServiceQuery],
) -> Result<Vec<Vec<u64>>, StoreError> {
    let mut types: Vec<Vec<u64>> = services.iter().map(|_| Vec::new()).collect();
    let mut places: HashMap<_, Vec<usize>> = HashMap::new();
    for (place, (protocol, ports)) in services.iter().enumerate() {
        places.entry((protocol.clone(), ports.clone())).or_default().push(place);
    }
    type_rows::each_type(connection, &mut |number, parameters| {
        let mut service = (parameters.protocol, Some(parameters.ports));
        places.get(&service).into_iter().flatten().for_each(|place| types[*place].push(number));
        service.1 = None;
        places.get(&service).into_iter().flatten().for_each(|place| types[*place].push(number));
        Ok(())
    })?;
    Ok(types)
}

/// Returns the behavior series of a single type, from stored counts. Facets do not count.
pub(super) fn series_of_type(source: &SensorReader<'_>, types: &[u64]) -> Result<Vec<DayCount>, StoreError> {
    let mut days = Vec::new();
    source.each_daily_count(&RowFilter::from_types(types, false), &mut |count| {
        let DailyCount { day, windows, packets, hosts, .. } = *count;
        days.push(DayCount { day, windows, packets, hosts });
        Ok(())
    })?;
    Ok(days)
}

/// Returns the behavior series of several types together, counted from sightings, so that a host counts once
/// per day.
pub(super) fn series_of_types(
    source: &SensorReader<'_>,
    types: &[u64],
    facets: bool,
) -> Result<Vec<DayCount>, StoreError> {
    if types.is_empty() {
        return Ok(Vec::new());
    }
    let mut days = DaySums::default();
    source.each_sighting(&RowFilter::from_types(types, facets), &mut |sighting| {
        days.add(sighting);
        Ok(())
    })?;
    Ok(days.finish())
}

/// Sums of windows, packets and hosts by day.
#[derive(Default)]
struct DaySums(BTreeMap<Date, SightingSums>);

impl DaySums {
    fn add(&mut self, sighting: &Sighting) {
        self.0.entry(sighting.day).or_default().add(sighting);
    }

    fn finish(self) -> Vec<DayCount> {
        self.0.into_iter().map(|(day, sum)| sum.into_day_count(day)).collect()
    }
}

/// Returns the hosts of some types, of which at most `most` are listed one by one.
pub(super) fn hosts(
    source: &SensorReader<'_>,
    mark_names: &[String],
    (types, facets): TypeNumbers<'_>,
    most: usize,
) -> Result<HostList, StoreError> {
    if types.is_empty() {
        return Ok(HostList::default());
    }
    let mut hosts: HashMap<IpAddr, (BTreeSet<Date>, SightingCounts)> = HashMap::new();
    source.each_sighting(&RowFilter::from_types(types, facets), &mut |sighting| {
        add_host(&mut hosts, sighting);
        Ok(())
    })?;
    Ok(HostList::from_hosts(host_summaries(hosts, mark_names), most))
}

fn add_host(hosts: &mut HashMap<IpAddr, (BTreeSet<Date>, SightingCounts)>, sighting: &Sighting) {
    let (days, sum) = hosts.entry(sighting.host).or_insert_with(|| (BTreeSet::new(), SightingCounts::NONE));
    days.insert(sighting.day);
    *sum = sum.merged(sighting.counts);
}

/// The union of several lists of types, with the lists that contain each type.
struct TypeUnion {
    /// The numbers of the types, ascending.
    types: Vec<u64>,
    /// For each type, by its index in `types`, the indices of the lists that contain it.
    lists: Vec<Vec<usize>>,
    /// For each list, whether facets count.
    facets: Vec<bool>,
}

impl TypeUnion {
    fn from_lists(lists: &[TypeNumbers<'_>]) -> TypeUnion {
        let mut known: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (list, (types, _)) in lists.iter().enumerate() {
            types.iter().for_each(|number| known.entry(*number).or_default().push(list));
        }
        let facets = lists.iter().map(|(_, facets)| *facets).collect();
        let (types, lists) = known.into_iter().unzip();
        TypeUnion { types, lists, facets }
    }

    fn filter(&self) -> RowFilter<'_> {
        RowFilter::from_types(&self.types, self.facets.contains(&true))
    }

    /// Returns the indices of the lists that count sightings of a type and scope.
    fn lists(&self, number: u64, scope: Scope) -> impl Iterator<Item = usize> + '_ {
        let place = self.types.binary_search(&number).ok();
        let lists = place.map_or(&[][..], |place| &self.lists[place]);
        lists.iter().copied().filter(move |list| scope == Scope::Whole || self.facets[*list])
    }
}

/// Sums of windows and packets by type.
type TypeSums = BTreeMap<u64, (u64, u64)>;

fn add_sum(sums: &mut TypeSums, number: u64, windows: u64, packets: u64) {
    let sum = sums.entry(number).or_default();
    *sum = (sum.0.saturating_add(windows), sum.1.saturating_add(packets));
}

/// Returns a summary of each list of types.
pub(super) fn behavior_summaries(
    source: &SensorReader<'_>,
    record_of: TypeLookup<'_>,
    mark_names: &[String],
    lists: &[TypeNumbers<'_>],
    most: usize,
) -> Result<Vec<BehaviorSummary>, StoreError> {
    #[derive(Default)]
    struct ListSums {
        days: DaySums,
        hosts: HashMap<IpAddr, (BTreeSet<Date>, SightingCounts)>,
        types: TypeSums,
    }
    let union = TypeUnion::from_lists(lists);
    let mut gathered: Vec<ListSums> = lists.iter().map(|_| ListSums::default()).collect();
    if !union.types.is_empty() {
        source.each_sighting(&union.filter(), &mut |sighting| {
            for list in union.lists(sighting.number, sighting.scope) {
                let one = &mut gathered[list];
                one.days.add(sighting);
                add_host(&mut one.hosts, sighting);
                add_sum(&mut one.types, sighting.number, sighting.counts.windows, sighting.counts.packets);
            }
            Ok(())
        })?;
    }
    let mut habits = Vec::new();
    for one in gathered {
        let seen_as = most_frequent(record_of, &one.types, 1)?.pop();
        let hosts = HostList::from_hosts(host_summaries(one.hosts, mark_names), most);
        habits.push(BehaviorSummary {
            series: one.days.finish(),
            hosts,
            most_frequent_type: seen_as,
            example: None,
        });
    }
    let numbers: BTreeSet<u64> =
        habits.iter().filter_map(|habit| Some(type_number(habit.most_frequent_type.as_ref()?))).collect();
    let examples = source.examples(&numbers.into_iter().collect::<Vec<_>>())?;
    for habit in &mut habits {
        habit.example = habit.most_frequent_type.as_ref().and_then(|record| {
            let example = examples.get(&type_number(record))?.clone();
            Some(example.into_example(record.behavior.id))
        });
    }
    Ok(habits)
}

fn type_number(record: &TypeRecord) -> u64 {
    record.behavior.id.number()
}

/// Returns the types with the most windows of each list. Windows and packets are summed first; hosts are
/// counted only for the types that are returned.
pub(super) fn type_totals(
    source: &SensorReader<'_>,
    record_of: TypeLookup<'_>,
    lists: &[TypeNumbers<'_>],
    most: usize,
) -> Result<Vec<Vec<TypeTotal>>, StoreError> {
    let union = TypeUnion::from_lists(lists);
    let mut sums: Vec<TypeSums> = lists.iter().map(|_| TypeSums::new()).collect();
    if union.types.is_empty() || most == 0 {
        return Ok(lists.iter().map(|_| Vec::new()).collect());
    }
    source.each_daily_count(&union.filter(), &mut |count| {
        for list in union.lists(count.number, count.scope) {
            add_sum(&mut sums[list], count.number, count.windows, count.packets);
        }
        Ok(())
    })?;
    let frequent = sums.iter().map(|sums| most_frequent(record_of, sums, most));
    let frequent: Vec<Vec<TypeRecord>> = frequent.collect::<Result<_, _>>()?;
    let numbers: Vec<Vec<u64>> = frequent.iter().map(|one| one.iter().map(type_number).collect()).collect();
    let few: Vec<TypeNumbers<'_>> =
        numbers.iter().zip(lists).map(|(numbers, (_, facets))| (numbers.as_slice(), *facets)).collect();
    let union = TypeUnion::from_lists(&few);
    let mut hosts: Vec<HashMap<u64, HostSet>> = lists.iter().map(|_| HashMap::new()).collect();
    if !union.types.is_empty() {
        source.each_sighting(&union.filter(), &mut |sighting| {
            for list in union.lists(sighting.number, sighting.scope) {
                hosts[list].entry(sighting.number).or_default().insert(sighting.host);
            }
            Ok(())
        })?;
    }
    let total = |((frequent, sums), mut hosts): ((Vec<TypeRecord>, &TypeSums), HashMap<u64, HostSet>)| {
        let one = |record: TypeRecord| {
            let number = type_number(&record);
            let (windows, packets) = sums.get(&number).copied().unwrap_or_default();
            TypeTotal { record, windows, packets, hosts: hosts.get_mut(&number).map_or(0, HostSet::count) }
        };
        frequent.into_iter().map(one).collect()
    };
    Ok(frequent.into_iter().zip(&sums).zip(hosts).map(total).collect())
}

/// Returns the types with the most windows, at most `most`; of types with equally many, those with the lowest
/// ids come first.
fn most_frequent(
    record_of: TypeLookup<'_>,
    sums: &TypeSums,
    most: usize,
) -> Result<Vec<TypeRecord>, StoreError> {
    let mut counts: Vec<u64> = sums.values().map(|(windows, _)| *windows).collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let Some(last) = most.checked_sub(1) else { return Ok(Vec::new()) };
    let least = counts.get(last).copied().unwrap_or(0);
    let mut ranked = Vec::new();
    for (number, (windows, _)) in sums.iter().filter(|(_, (windows, _))| *windows >= least) {
        let record = record_of(*number)?;
        ranked.push((Reverse(*windows), record.behavior.id, record));
    }
    ranked.sort_by_key(|a| (a.0, a.1));
    ranked.truncate(most);
    Ok(ranked.into_iter().map(|(.., record)| record).collect())
}

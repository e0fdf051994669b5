//! What is read of a sensor: sightings and observations, whether of days as they came or of months put together.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use ipnet::IpNet;
use jiff::civil::Date;
use rusqlite::Connection;

use crate::history::month::Cell;
use crate::history::packed;
use crate::history::{DailyCount, Scope, Sighting, SightingCounts};
use crate::store::StoreError;

use super::chunk::{self, Chunk};
use super::codec;
use super::layout::{Layout, Layouts};
use super::month::{self, Month, Numbers, Wants};
use super::recount::{self, Sums};

/// Types whose observations are put in order at once: some 40 MB of them, if all are sighting every day of half a year.
const AT_ONCE: i64 = 1 << 12;
const LISTED_AT_ONCE: usize = 1 << 12;

/// Hosts in memory up to which sightings of several months are read at once.
const HOSTS_AT_ONCE: u64 = 1 << 20;

/// Ids of types.
#[derive(Clone, Copy, Debug)]
pub(super) enum TypeIds<'a> {
    /// From one to another, both included.
    Range(i64, i64),
    /// These, ascending.
    List(&'a [i64]),
}

impl<'a> TypeIds<'a> {
    /// All there are.
    pub(super) const ALL: TypeIds<'static> = TypeIds::Range(i64::MIN, i64::MAX);

    /// Whether a type is one of them.
    pub(super) fn has(self, number: u64) -> bool {
        let id = codec::count(number);
        match self {
            TypeIds::Range(first, last) => first <= id && id <= last,
            // One type is asked for most often.
            TypeIds::List([only]) => *only == id,
            TypeIds::List(ids) => ids.binary_search(&id).is_ok(),
        }
    }

    /// The first one that is not below an id.
    pub(super) fn from(self, id: i64) -> Option<i64> {
        match self {
            TypeIds::Range(first, last) => Some(first.max(id)).filter(|id| *id <= last),
            TypeIds::List(ids) => ids.get(ids.partition_point(|known| *known < id)).copied(),
        }
    }

    /// The lowest and the highest.
    pub(super) fn ends(self) -> Option<(i64, i64)> {
        match self {
            TypeIds::Range(first, last) => Some((first, last)),
            TypeIds::List(ids) => Some((*ids.first()?, *ids.last()?)),
        }
    }

    /// Some of the lowest, and the others; `None` when there are none.
    fn split(self) -> Option<(TypeIds<'a>, TypeIds<'a>)> {
        match self {
            TypeIds::Range(first, last) if first > last => None,
            TypeIds::Range(first, last) => {
                let next = first.saturating_add(AT_ONCE);
                Some((TypeIds::Range(first, last.min(next - 1)), TypeIds::Range(next, last)))
            }
            TypeIds::List([]) => None,
            TypeIds::List(ids) => {
                let (some, others) = ids.split_at(ids.len().min(LISTED_AT_ONCE));
                Some((TypeIds::List(some), TypeIds::List(others)))
            }
        }
    }

    /// Those of them from one to another.
    pub(super) fn between(self, low: i64, high: i64) -> TypeIds<'a> {
        match self {
            TypeIds::Range(first, last) => TypeIds::Range(first.max(low), last.min(high)),
            TypeIds::List(ids) => {
                let from = ids.partition_point(|id| *id < low);
                TypeIds::List(&ids[from..ids.partition_point(|id| *id <= high).max(from)])
            }
        }
    }
}

/// What is asked of a sensor.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// Of these types.
    pub(super) types: TypeIds<'a>,
    /// Whether of facets, too.
    pub(super) facets: bool,
    /// On these days.
    pub(super) days: &'a dyn Fn(Date) -> bool,
    /// By hosts of this prefix.
    pub(super) sources: Option<IpNet>,
}

impl<'a> Wanted<'a> {
    /// All days and hosts of some types.
    pub(super) fn of_types(types: TypeIds<'a>, facets: bool) -> Wanted<'a> {
        Wanted { types, facets, days: &|_| true, sources: None }
    }

    fn scope(&self, scope: Scope) -> bool {
        self.facets || scope == Scope::Whole
    }

    fn host(&self, host: IpAddr) -> bool {
        self.sources.is_none_or(|sources| sources.contains(&host))
    }
}

/// A sensor's part of a history.
pub(super) struct Source<'c> {
    connection: &'c Connection,
    sensor: i64,
    layout: Rc<Layout>,
}

/// Months of which sightings are read at once, each with its hosts and, as bits, the days that are wanted.
#[derive(Default)]
struct Group {
    months: Vec<Month>,
    numbers: Vec<Numbers>,
    days: Vec<u32>,
    /// Hosts in memory.
    held: u64,
}

/// Hands on groups of sightings.
type Groups<'a> = &'a dyn Fn(chunk::Sink<'_>) -> Result<(), StoreError>;

impl<'c> Source<'c> {
    pub(super) fn new(connection: &'c Connection, sensor: i64) -> Result<Source<'c>, StoreError> {
        let layout = Rc::new(Layout::read(connection, sensor)?);
        Ok(Source { connection, sensor, layout })
    }

    /// A sensor by its name; its layout is known, if nobody has written since.
    pub(super) fn known(
        connection: &'c Connection,
        sensor: &str,
        layouts: &mut Layouts,
    ) -> Result<Source<'c>, StoreError> {
        let (sensor, layout) = layouts.of(connection, sensor)?;
        Ok(Source { connection, sensor, layout })
    }

    /// Hands on sightings, in no order that means anything.
    ///
    /// # Errors
    /// [`StoreError::Dropped`] when some of them are no more.
    pub(super) fn each_sighting(
        &self,
        wanted: &Wanted<'_>,
        sink: &mut dyn FnMut(&Sighting) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.each_loose(wanted, sink)?;
        self.each_of_months(wanted, sink)
    }

    /// Those that are in months.
    pub(super) fn each_of_months(
        &self,
        wanted: &Wanted<'_>,
        sink: &mut dyn FnMut(&Sighting) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.each_of(self.layout.months.iter(), wanted, sink)
    }

    /// Hands on observations, ascending by type, scope and day.
    ///
    /// # Errors
    /// As [`Source::each_sighting`], where they have to be counted out of sightings: of some hosts only, or of a day that
    /// has parts outside its month.
    pub(super) fn each_daily_count(
        &self,
        wanted: &Wanted<'_>,
        sink: &mut dyn FnMut(&DailyCount) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Some((first, last)) = wanted.types.ends() else { return Ok(()) };
        let last = match wanted.types {
            TypeIds::List(_) => last,
            TypeIds::Range(..) => last.min(super::types::last(self.connection)?),
        };
        let mut rest = wanted.types.between(first.max(0), last);
        while let Some((batch, others)) = rest.split() {
            let mut found = self.observations(&Wanted { types: batch, ..*wanted })?;
            // Most of them come in their order: this sort makes use of it.
            found.sort();
            found.iter().try_for_each(&mut *sink)?;
            rest = others;
        }
        Ok(())
    }

    /// The observations of whole windows on a day, in no order: for a day of which there are parts outside its month.
    pub(super) fn of_day(&self, day: Date) -> Result<Vec<DailyCount>, StoreError> {
        let days = |one| one == day;
        let wanted = Wanted { days: &days, ..Wanted::of_types(TypeIds::ALL, false) };
        self.counted(&wanted, &|sink| chunk::of_day(self.connection, self.sensor, codec::day(day), sink))
    }

    /// Observations in no order.
    fn observations(&self, wanted: &Wanted<'_>) -> Result<Vec<DailyCount>, StoreError> {
        self.counted(wanted, &|sink| self.each_group(wanted, sink))
    }

    /// Observations, of what `groups` hands on and of months.
    fn counted(&self, wanted: &Wanted<'_>, groups: Groups<'_>) -> Result<Vec<DailyCount>, StoreError> {
        let mut found = Vec::new();
        let mut sums = Sums::new();
        let add = |sums: &mut Sums, sighting: &Sighting| {
            let (windows, packets, hosts) =
                sums.entry((sighting.number, sighting.scope, sighting.day)).or_default();
            *windows += sighting.counts.windows;
            *packets += sighting.counts.packets;
            hosts.insert(sighting.host);
            Ok(())
        };
        groups(&mut |chunk, group| each_met(wanted, chunk, group, &mut |sighting| add(&mut sums, sighting)))?;
        // What has a part outside its month is counted with it; some hosts only are counted again.
        let mut again: BTreeMap<i64, Vec<Cell>> = BTreeMap::new();
        month::each_cell(self.connection, &self.layout.months, wanted.types, &mut |month, cell| {
            let Cell { number, scope, windows, packets, hosts, .. } = *cell;
            let day = month.date(cell.day)?;
            if !wanted.scope(scope) || !(wanted.days)(day) {
                return Ok(());
            }
            if wanted.sources.is_some() {
                again.entry(month.id).or_default();
            } else if sums.contains_key(&(number, scope, day)) {
                again.entry(month.id).or_default().push(*cell);
            } else {
                found.push(DailyCount { number, scope, day, windows, packets, hosts });
            }
            Ok(())
        })?;
        let months = || self.layout.months.iter().filter(|month| again.contains_key(&month.id));
        if wanted.sources.is_some() {
            self.each_of(months(), wanted, &mut |sighting| add(&mut sums, sighting))?;
        } else if months().any(|month| month.dropped) {
            return Err(self.dropped());
        } else {
            for month in months() {
                let cells = again.get(&month.id).map_or(&[][..], Vec::as_slice);
                found.extend(recount::with_outside(self.connection, month, cells, &mut sums)?);
            }
        }
        let counted = sums.into_iter().map(|((number, scope, day), (windows, packets, mut hosts))| {
            DailyCount { number, scope, day, windows, packets, hosts: hosts.count() }
        });
        found.extend(counted);
        Ok(found)
    }

    /// Sightings that are not yet in a month.
    fn each_loose(
        &self,
        wanted: &Wanted<'_>,
        sink: &mut dyn FnMut(&Sighting) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.each_group(wanted, &mut |chunk, group| each_met(wanted, chunk, group, sink))
    }

    /// Groups of sightings that are not yet in a month.
    fn each_group(&self, wanted: &Wanted<'_>, sink: chunk::Sink<'_>) -> Result<(), StoreError> {
        match self.layout.loose {
            true => chunk::of_types(self.connection, self.sensor, wanted.types, wanted.days, sink),
            false => Ok(()),
        }
    }

    /// Sightings of some months.
    fn each_of<'m>(
        &self,
        months: impl Iterator<Item = &'m Month>,
        wanted: &Wanted<'_>,
        sink: &mut dyn FnMut(&Sighting) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut group = Group::default();
        for month in months {
            let days = (0..).zip(month.dates()).filter(|(_, date)| (wanted.days)(*date));
            let days = days.fold(0, |days: u32, (day, _)| days | 1 << day);
            if days == 0 {
                continue;
            }
            if month.dropped {
                self.refuse_dropped(month, wanted, days)?;
                continue;
            }
            let numbers = Numbers::of(self.connection, month, wanted.sources.as_ref())?;
            if group.held + numbers.held() > HOSTS_AT_ONCE {
                self.each_of_group(&std::mem::take(&mut group), wanted, sink)?;
            }
            if !numbers.wanted.is_empty() {
                group.held += numbers.held();
                group.months.push(month.clone());
                group.numbers.push(numbers);
                group.days.push(days);
            }
        }
        self.each_of_group(&group, wanted, sink)
    }

    fn each_of_group(
        &self,
        group: &Group,
        wanted: &Wanted<'_>,
        sink: &mut dyn FnMut(&Sighting) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Group { months, numbers, days, .. } = group;
        let wants = Wants::Days(days, wanted.facets);
        month::each_part(self.connection, (months, numbers), wanted.types, wants, &mut |at, cell, part| {
            let host = numbers[at].host(self.connection, part.host)?;
            let day = months[at].date(cell.day)?;
            sink(&Sighting { day, number: cell.number, scope: cell.scope, host, counts: part.seen })
        })
    }

    /// Of a month whose sightings are no more, nothing can be told but that there was nothing.
    fn refuse_dropped(&self, month: &Month, wanted: &Wanted<'_>, days: u32) -> Result<(), StoreError> {
        month::each_cell(self.connection, std::slice::from_ref(month), wanted.types, &mut |_, cell| {
            let wants = days >> cell.day & 1 == 1 && wanted.scope(cell.scope);
            if wants { Err(self.dropped()) } else { Ok(()) }
        })
    }

    /// That sightings are no more, and from when on there are some.
    fn dropped(&self) -> StoreError {
        let last = self.layout.months.iter().rfind(|month| month.dropped);
        let from = last.and_then(|month| month.first.last_of_month().tomorrow().ok());
        StoreError::Dropped { from: from.unwrap_or(Date::MAX) }
    }

    /// Refuses days whose sightings were dropped: nothing can be added to what is not there.
    pub(super) fn keeps(&self, day: Date) -> Result<(), StoreError> {
        let dropped = |month: &Month| month.dropped && month.first == day.first_of_month();
        if self.layout.months.iter().any(dropped) { Err(self.dropped()) } else { Ok(()) }
    }
}

/// Hands on the sightings of a group that are wanted.
fn each_met(
    wanted: &Wanted<'_>,
    chunk: &Chunk,
    group: packed::Group<'_>,
    sink: &mut dyn FnMut(&Sighting) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    if !wanted.scope(group.scope) {
        return Ok(());
    }
    for sighting in group.sightings(chunk.day) {
        let (host, seen) = sighting?;
        if wanted.host(host) {
            let seen = SightingCounts { marks: chunk.marks(seen.marks), ..seen };
            sink(&Sighting { day: chunk.day, number: group.number, scope: group.scope, host, counts: seen })?;
        }
    }
    Ok(())
}

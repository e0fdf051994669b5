//! What is read of a sensor: sightings and observations, whether of days as they came or of months put together.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::rc::Rc;

use ipnet::IpNet;
use jiff::civil::Date;
use rusqlite::Connection;

use crate::history::month::Cell;
use crate::history::{Hosts, Met, Observation, Scope, Sighting};
use crate::store::StoreError;

use super::month::{self, Month, Numbers};
use super::{chunk, codec};

/// Types whose observations are put in order at once: some 40 MB of them, if all are met every day of half a year.
const AT_ONCE: i64 = 1 << 12;
const LISTED_AT_ONCE: usize = 1 << 12;

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

/// Where a sensor's sightings lie.
#[derive(Debug)]
pub(super) struct Layout {
    months: Vec<Month>,
    /// Whether there are days that are, or of which parts are, not yet in a month.
    loose: bool,
}

/// The layouts of sensors, while nobody writes.
#[derive(Debug, Default)]
pub(super) struct Layouts {
    /// Changes by others, and of this connection, when they were read.
    stamp: (i64, u64),
    known: HashMap<i64, Rc<Layout>>,
}

/// An observation's key, and what it comes to.
type Sums = BTreeMap<(u64, Scope, Date), (u64, u64, Hosts)>;

impl Layouts {
    fn of(&mut self, connection: &Connection, sensor: i64) -> Result<Rc<Layout>, StoreError> {
        let others = connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        let stamp = (others, connection.total_changes());
        if self.stamp != stamp {
            *self = Layouts { stamp, known: HashMap::new() };
        }
        if let Some(known) = self.known.get(&sensor) {
            return Ok(Rc::clone(known));
        }
        let layout = Rc::new(Layout::read(connection, sensor)?);
        self.known.insert(sensor, Rc::clone(&layout));
        Ok(layout)
    }
}

impl Layout {
    fn read(connection: &Connection, sensor: i64) -> Result<Layout, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM chunk WHERE sensor = ?1)";
        let loose = connection.query_row(sql, [sensor], |row| row.get(0))?;
        Ok(Layout { months: Month::all(connection, sensor)?, loose })
    }
}

impl<'c> Source<'c> {
    pub(super) fn new(connection: &'c Connection, sensor: i64) -> Result<Source<'c>, StoreError> {
        let layout = Rc::new(Layout::read(connection, sensor)?);
        Ok(Source { connection, sensor, layout })
    }

    /// One whose layout is known, if nobody has written since.
    pub(super) fn known(
        connection: &'c Connection,
        sensor: i64,
        layouts: &mut Layouts,
    ) -> Result<Source<'c>, StoreError> {
        Ok(Source { connection, sensor, layout: layouts.of(connection, sensor)? })
    }

    /// Hands on sightings, in no order that means anything.
    ///
    /// # Errors
    /// [`StoreError::Dropped`] when some of them are no more.
    pub(super) fn each_sighting(
        &self,
        wanted: &Wanted<'_>,
        sink: &mut dyn FnMut(&Met) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.each_loose(wanted, sink)?;
        self.each_of_months(wanted, sink)
    }

    /// Those that are in months.
    pub(super) fn each_of_months(
        &self,
        wanted: &Wanted<'_>,
        sink: &mut dyn FnMut(&Met) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.layout.months.iter().try_for_each(|month| self.each_of_month(month, wanted, &|_, _| true, sink))
    }

    /// Hands on observations, ascending by type, scope and day.
    ///
    /// # Errors
    /// As [`Source::each_sighting`], where they have to be counted out of sightings: of some hosts only, or of a day that
    /// has parts outside its month.
    pub(super) fn each_observation(
        &self,
        wanted: &Wanted<'_>,
        sink: &mut dyn FnMut(&Observation) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Some((first, last)) = wanted.types.ends() else { return Ok(()) };
        let last = match wanted.types {
            TypeIds::List(_) => last,
            TypeIds::Range(..) => last.min(super::types::last(self.connection)?),
        };
        let mut rest = wanted.types.between(first.max(0), last);
        while let Some((batch, others)) = rest.split() {
            let mut found = self.observations(&Wanted { types: batch, ..*wanted })?;
            found.sort_unstable();
            found.iter().try_for_each(&mut *sink)?;
            rest = others;
        }
        Ok(())
    }

    /// Observations in no order.
    fn observations(&self, wanted: &Wanted<'_>) -> Result<Vec<Observation>, StoreError> {
        let mut found = Vec::new();
        let mut sums = Sums::new();
        let add = |sums: &mut Sums, met: &Met| {
            let (windows, packets, hosts) = sums.entry((met.number, met.scope, met.day)).or_default();
            *windows += met.seen.windows;
            *packets += met.seen.packets;
            hosts.insert(met.host);
            Ok(())
        };
        self.each_loose(wanted, &mut |met| add(&mut sums, met))?;
        // What has a part outside its month is counted again with it; so are some hosts only.
        let both: HashSet<(u64, Scope, Date)> = sums.keys().copied().collect();
        for month in &self.layout.months {
            let mut again = false;
            month::each_cell(self.connection, month, wanted.types, &mut |cell| {
                let Cell { number, scope, windows, packets, hosts, .. } = *cell;
                let day = month.date(cell.day)?;
                if !wanted.scope(scope) || !(wanted.days)(day) {
                    return Ok(());
                }
                if wanted.sources.is_some() || both.contains(&(number, scope, day)) {
                    again = true;
                } else {
                    found.push(Observation { number, scope, day, windows, packets, hosts });
                }
                Ok(())
            })?;
            if again {
                let counts = |cell: &Cell, day| {
                    wanted.sources.is_some() || both.contains(&(cell.number, cell.scope, day))
                };
                self.each_of_month(month, wanted, &counts, &mut |met| add(&mut sums, met))?;
            }
        }
        let counted = sums.into_iter().map(|((number, scope, day), (windows, packets, mut hosts))| {
            Observation { number, scope, day, windows, packets, hosts: hosts.count() }
        });
        found.extend(counted);
        Ok(found)
    }

    /// Sightings that are not yet in a month.
    fn each_loose(
        &self,
        wanted: &Wanted<'_>,
        sink: &mut dyn FnMut(&Met) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if !self.layout.loose {
            return Ok(());
        }
        chunk::of_types(self.connection, self.sensor, wanted.types, wanted.days, &mut |chunk, group| {
            if !wanted.scope(group.scope) {
                return Ok(());
            }
            for sighting in group.sightings(chunk.day) {
                let (host, seen) = sighting?;
                if wanted.host(host) {
                    let seen = Sighting { marks: chunk.marks(seen.marks), ..seen };
                    sink(&Met { day: chunk.day, number: group.number, scope: group.scope, host, seen })?;
                }
            }
            Ok(())
        })
    }

    /// Sightings of a month, of cells that `counts` as well, by their days.
    fn each_of_month(
        &self,
        month: &Month,
        wanted: &Wanted<'_>,
        counts: &dyn Fn(&Cell, Date) -> bool,
        sink: &mut dyn FnMut(&Met) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let days: Vec<Option<Date>> = (0..month.first.days_in_month().cast_unsigned())
            .map(|day| month.date(day).ok().filter(|date| (wanted.days)(*date)))
            .collect();
        let wants = |cell: &Cell| {
            let day = days.get(usize::from(cell.day)).copied().flatten();
            wanted.scope(cell.scope) && day.is_some_and(|day| counts(cell, day))
        };
        if days.iter().all(Option::is_none) {
            return Ok(());
        }
        if month.dropped {
            return self.refuse_dropped(month, wanted, &wants);
        }
        let numbers = Numbers::of(self.connection, month, wanted.sources.as_ref())?;
        if numbers.wanted.is_empty() {
            return Ok(());
        }
        month::each_part(self.connection, month, wanted.types, &numbers, &wants, &mut |cell, host, part| {
            let day = month.date(cell.day)?;
            sink(&Met { day, number: cell.number, scope: cell.scope, host, seen: part.seen })
        })
    }

    /// Of a month whose sightings are no more, nothing can be told but that there was nothing.
    fn refuse_dropped(
        &self,
        month: &Month,
        wanted: &Wanted<'_>,
        wants: &dyn Fn(&Cell) -> bool,
    ) -> Result<(), StoreError> {
        month::each_cell(self.connection, month, wanted.types, &mut |cell| {
            if wants(cell) { Err(self.dropped()) } else { Ok(()) }
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

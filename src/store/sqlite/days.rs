//! What days come to. Unique hosts and kinds of type are no sums of what captures had: they are counted anew.

use std::collections::{BTreeMap, BTreeSet};

use fixedbitset::FixedBitSet;
use jiff::civil::Date;
use rusqlite::{Connection, Transaction};

use crate::history::packed::{self, Group};
use crate::history::{Contribution, Hosts, Run, Scope};
use crate::store::StoreError;

use super::select::{Source, TypeIds, Wanted};
use super::{chunk, codec, types};

/// A day being counted. Memory: that of its [`Hosts`], and a bit for each type up to the last that it has.
#[derive(Default)]
pub(super) struct DaySums {
    windows: u64,
    packets: u64,
    /// By whatever numbers types have where the sightings come from, which are below `known`.
    types: FixedBitSet,
    known: usize,
    hosts: Hosts,
}

impl DaySums {
    /// What there is of a day.
    ///
    /// # Errors
    /// [`StoreError::Dropped`] when its sightings are no more.
    pub(super) fn kept(connection: &Connection, sensor: i64, day: i64) -> Result<DaySums, StoreError> {
        let known = usize::try_from(types::last(connection)?).unwrap_or(0) + 1;
        let mut sums = DaySums { known, ..DaySums::default() };
        chunk::of_day(connection, sensor, day, &mut |_, group| sums.add(&group))?;
        let date = codec::date(day)?;
        let days = |day: Date| day == date;
        let wanted = Wanted { days: &days, ..Wanted::of_types(TypeIds::ALL, false) };
        Source::new(connection, sensor)?.each_of_months(&wanted, &mut |sighting| {
            sums.add_type(sighting.number, sighting.counts.windows, sighting.counts.packets)?;
            sums.hosts.insert(sighting.host);
            Ok(())
        })?;
        Ok(sums)
    }

    fn add(&mut self, group: &Group<'_>) -> Result<(), StoreError> {
        if group.scope == Scope::Whole {
            self.add_type(group.number, group.windows, group.packets)?;
            self.hosts.add(group)?;
        }
        Ok(())
    }

    fn add_type(&mut self, number: u64, windows: u64, packets: u64) -> Result<(), StoreError> {
        let at = usize::try_from(number).ok().filter(|at| *at < self.known);
        self.types.grow_and_insert(
            at.ok_or_else(|| StoreError::Damaged(format!("a sighting of no type: {number}")))?,
        );
        self.windows += windows;
        self.packets += packets;
        Ok(())
    }

    fn add_run(&mut self, run: &Run) -> Result<(), StoreError> {
        for group in packed::groups(&run.bytes().map_err(StoreError::Spilled)?) {
            self.add(&group?)?;
        }
        Ok(())
    }

    /// Windows, packets, unique hosts and kinds of type.
    pub(super) fn counts(mut self) -> [i64; 4] {
        let types = self.types.count_ones(..) as u64;
        [self.windows, self.packets, self.hosts.count(), types].map(codec::count)
    }
}

/// What a capture adds to a day, and how many hosts the day has then. A list of them a day would be as long as the
/// capture.
pub(super) struct Added {
    windows: u64,
    packets: u64,
    /// By their numbers in the capture.
    types: FixedBitSet,
    hosts: u64,
}

/// Counts what a capture adds to some days, whose hosts so far are given.
pub(super) fn gathered(
    contribution: &Contribution,
    hosts: BTreeMap<i64, Hosts>,
) -> Result<BTreeMap<i64, Added>, StoreError> {
    let mut days = BTreeMap::new();
    for (day, hosts) in hosts {
        let mut sums = DaySums { hosts, known: contribution.types.len(), ..DaySums::default() };
        for run in runs(contribution).filter(|run| codec::day(run.day.date) == day) {
            sums.add_run(run)?;
        }
        let DaySums { windows, packets, types, mut hosts, .. } = sums;
        days.insert(day, Added { windows, packets, types, hosts: hosts.count() });
    }
    Ok(days)
}

fn runs(contribution: &Contribution) -> impl Iterator<Item = &Run> {
    contribution.closed.runs.iter().chain(&contribution.open.runs)
}

/// The days that a capture changes.
pub(super) struct Days(BTreeMap<i64, DaySums>);

impl Days {
    /// What there is of them without it; `open` are those that the capture before it left windows open on.
    pub(super) fn kept(
        transaction: &Transaction<'_>,
        sensor: i64,
        mut open: BTreeSet<i64>,
        contribution: &Contribution,
    ) -> Result<Days, StoreError> {
        open.extend(runs(contribution).map(|run| codec::day(run.day.date)));
        let source = Source::new(transaction, sensor)?;
        let kept = |day| {
            source.keeps(codec::date(day)?)?;
            Ok((day, DaySums::kept(transaction, sensor, day)?))
        };
        open.into_iter().map(kept).collect::<Result<_, _>>().map(Days)
    }

    /// Their hosts, for whoever counts those that come.
    pub(super) fn take_hosts(&mut self) -> BTreeMap<i64, Hosts> {
        self.0.iter_mut().map(|(day, sums)| (*day, std::mem::take(&mut sums.hosts))).collect()
    }

    /// Writes them with what a capture adds. `ids` are the store's numbers of the types.
    pub(super) fn write(
        mut self,
        transaction: &Transaction<'_>,
        sensor: i64,
        added: BTreeMap<i64, Added>,
        ids: &[i64],
    ) -> Result<(), StoreError> {
        let sql = "UPDATE observed SET windows = ?3, packets = ?4, hosts = ?5, types = ?6
                   WHERE sensor = ?1 AND day = ?2";
        let mut update = transaction.prepare_cached(sql)?;
        for (day, added) in added {
            let DaySums { windows, packets, mut types, .. } = self.0.remove(&day).unwrap_or_default();
            let ids = added.types.ones().filter_map(|number| ids.get(number));
            ids.filter_map(|id| usize::try_from(*id).ok()).for_each(|id| types.grow_and_insert(id));
            let types = types.count_ones(..) as u64;
            let [windows, packets, hosts, types] =
                [windows + added.windows, packets + added.packets, added.hosts, types].map(codec::count);
            update.execute((sensor, day, windows, packets, hosts, types))?;
        }
        Ok(())
    }
}

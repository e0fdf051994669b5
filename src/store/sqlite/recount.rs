//! Observations of which parts lie outside their month: what a late capture brought, what the last one left open.
//!
//! Windows and packets add up. Hosts outside count unless the month's cell has them too, which is told by their numbers:
//! the addresses of all others are never read.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rusqlite::Connection;

use crate::history::month::Cell;
use crate::history::{DailyCount, Hosts, Scope};
use crate::store::StoreError;

use super::codec;
use super::month::{self, Month, Numbers, Wants};
use super::select::TypeIds;

/// An observation's type, scope and day.
pub(super) type Key = (u64, Scope, Date);

/// What observations come to: windows, packets, hosts.
pub(super) type Sums = BTreeMap<Key, (u64, u64, Hosts)>;

/// The observations of some cells of a month, with what lies outside of it, which is taken from `outside`.
pub(super) fn with_outside(
    connection: &Connection,
    month: &Month,
    cells: &[Cell],
    outside: &mut Sums,
) -> Result<Vec<DailyCount>, StoreError> {
    let numbers = Numbers::of(connection, month, None)?;
    let mut found: BTreeMap<(u64, Scope, u8), (DailyCount, Vec<u64>)> = BTreeMap::new();
    for cell in cells {
        let Cell { number, scope, windows, packets, hosts, .. } = *cell;
        let day = month.date(cell.day)?;
        let (more_windows, more_packets, mut others) =
            outside.remove(&(number, scope, day)).unwrap_or_default();
        let (windows, packets) = (windows + more_windows, packets + more_packets);
        let observation = DailyCount { number, scope, day, windows, packets, hosts: hosts + others.count() };
        let known = numbers.numbers(connection, others)?;
        found.insert((number, scope, cell.day), (observation, known));
    }
    let mut types: Vec<i64> = found.keys().map(|(number, ..)| codec::count(*number)).collect();
    types.dedup();
    let of = |cell: &Cell| (cell.number, cell.scope, cell.day);
    let wanted: BTreeMap<_, Vec<u64>> = found.iter().map(|(key, (_, known))| (*key, known.clone())).collect();
    let wants = |_: usize, cell: &Cell| wanted.get(&of(cell)).is_some_and(|known| !known.is_empty());
    let at = (std::slice::from_ref(month), std::slice::from_ref(&numbers));
    month::each_part(connection, at, TypeIds::List(&types), Wants::Of(&wants), &mut |_, cell, part| {
        if let Some((observation, known)) = found.get_mut(&of(cell)) {
            // Once, though a host can have several parts.
            if let Ok(at) = known.binary_search(&part.host) {
                known.remove(at);
                observation.hosts -= 1;
            }
        }
        Ok(())
    })?;
    Ok(found.into_values().map(|(observation, _)| observation).collect())
}

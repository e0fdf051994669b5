//! Where a sensor's sightings lie: in which months, and whether some are in none.

use std::collections::HashMap;
use std::rc::Rc;

use rusqlite::Connection;

use crate::store::StoreError;

use super::month::Month;
use super::read;

/// Where a sensor's sightings lie.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) months: Vec<Month>,
    /// Whether there are days that are, or of which parts are, not yet in a month.
    pub(super) loose: bool,
}

/// The layouts of sensors, while nobody writes.
#[derive(Debug, Default)]
pub(super) struct Layouts {
    /// Changes by others, and of this connection, when they were read.
    stamp: (i64, u64),
    known: HashMap<String, (i64, Rc<Layout>)>,
}

impl Layouts {
    /// That of a sensor, with the sensor's id.
    pub(super) fn of(
        &mut self,
        connection: &Connection,
        sensor: &str,
    ) -> Result<(i64, Rc<Layout>), StoreError> {
        let others = connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        let stamp = (others, connection.total_changes());
        if self.stamp != stamp {
            *self = Layouts { stamp, known: HashMap::new() };
        }
        if let Some((id, known)) = self.known.get(sensor) {
            return Ok((*id, Rc::clone(known)));
        }
        let id = read::sensor_id(connection, sensor)?;
        let layout = Rc::new(Layout::read(connection, id)?);
        self.known.insert(sensor.to_owned(), (id, Rc::clone(&layout)));
        Ok((id, layout))
    }
}

impl Layout {
    pub(super) fn read(connection: &Connection, sensor: i64) -> Result<Layout, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM chunk WHERE sensor = ?1)";
        let loose = connection.query_row(sql, [sensor], |row| row.get(0))?;
        Ok(Layout { months: Month::all(connection, sensor)?, loose })
    }
}

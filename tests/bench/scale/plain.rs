//! The layout that first comes to mind: a row a cell, found by day, sensor and type.

use std::path::Path;
use std::time::Instant;

use inga::store::SqliteStore;
use rusqlite::Connection;

use crate::Cell;
use crate::questions::{Answers, ONE_BY_ONE, cold};

const TABLE: &str = "
CREATE TABLE cell (day INTEGER NOT NULL, sensor INTEGER NOT NULL, type BLOB NOT NULL, windows INTEGER NOT NULL,
    packets INTEGER NOT NULL, hosts INTEGER NOT NULL, PRIMARY KEY (day, sensor, type)) STRICT, WITHOUT ROWID;
CREATE TABLE day (day INTEGER PRIMARY KEY) STRICT;
CREATE TABLE sensor (sensor INTEGER PRIMARY KEY) STRICT;
INSERT INTO sensor VALUES (0), (1), (2);
";

pub(crate) fn measure(
    folder: &Path,
    store: &SqliteStore,
    cells: &[Cell],
    asked: &[u32],
    days: u16,
) -> Answers {
    let names = names(store);
    let name = |number: u32| names[usize::try_from(number).unwrap_or(0)];
    let path = folder.join("plain.db");
    let _ = std::fs::remove_file(&path);
    let mut connection = Connection::open(&path).expect("a database");
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA cache_size = -200000").expect("pragmas");
    connection.execute_batch(TABLE).expect("tables");
    let mut order: Vec<u32> = (0..).take(cells.len()).collect();
    let cell = |at: &u32| &cells[usize::try_from(*at).unwrap_or(0)];
    order.sort_unstable_by_key(|at| (cell(at).day, cell(at).sensor, name(cell(at).number)));
    let transaction = connection.transaction().expect("a transaction");
    for day in 0..days {
        transaction.execute("INSERT INTO day VALUES (?1)", [day]).expect("a day");
    }
    for at in &order {
        let Cell { sensor, day, number, windows, packets, hosts } = *cell(at);
        let mut insert =
            transaction.prepare_cached("INSERT INTO cell VALUES (?1, ?2, ?3, ?4, ?5, ?6)").expect("SQL");
        insert.execute((day, sensor, name(number), windows, packets, hosts)).expect("a cell");
    }
    transaction.commit().expect("a commit");
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("a checkpoint");
    let bytes =
        crate::number(std::fs::metadata(&path).expect("a file").len()) / crate::number(cells.len() as u64);
    let answers = ask(&connection, asked, &name);
    drop(connection);
    let open = || {
        let connection = Connection::open(&path).expect("a database");
        fill(&connection, asked, &name);
        connection
    };
    let cold = cold(asked, open, |connection, numbers| {
        let mut statement = connection.prepare(if numbers.len() == 1 { ONE } else { MANY }).expect("SQL");
        let values = numbers.first().filter(|_| numbers.len() == 1).map(|number| name(*number));
        let _sum: Option<i64> =
            statement.query_row(rusqlite::params_from_iter(values), |row| row.get(0)).expect("an answer");
    });
    std::fs::remove_file(&path).expect("the file");
    Answers { bytes: Some(bytes), cold, ..answers }
}

/// The name of each type, by its number.
fn names(store: &SqliteStore) -> Vec<[u8; 16]> {
    let mut names = vec![[0; 16]];
    let hex = |text: &str| u128::from_str_radix(text, 16).expect("hexadecimal").to_be_bytes();
    store
        .sql("SELECT md5 FROM type ORDER BY id", &mut |_, row| {
            names.extend(row.and_then(|row| row[0].as_str()).map(hex));
            true
        })
        .expect("types");
    names
}

const ONE: &str =
    "SELECT sum(windows + packets + hosts) FROM day CROSS JOIN sensor CROSS JOIN cell USING (day, sensor)
     WHERE type = ?1";
const MANY: &str = "SELECT sum(windows + packets + hosts)
     FROM day CROSS JOIN sensor CROSS JOIN asked CROSS JOIN cell USING (day, sensor, type)";

/// Notes what is asked, for the join.
fn fill(connection: &Connection, asked: &[u32], name: &dyn Fn(u32) -> [u8; 16]) {
    connection
        .execute_batch("CREATE TEMP TABLE asked (type BLOB PRIMARY KEY) STRICT, WITHOUT ROWID")
        .expect("SQL");
    for number in asked {
        connection.execute("INSERT INTO asked VALUES (?1)", [name(*number)]).expect("a type");
    }
}

fn ask(connection: &Connection, asked: &[u32], name: &dyn Fn(u32) -> [u8; 16]) -> Answers {
    fill(connection, asked, name);
    let mut one = connection.prepare(ONE).expect("SQL");
    let mut many = connection.prepare(MANY).expect("SQL");
    let _warm: Option<i64> = many.query_row([], |row| row.get(0)).expect("an answer");
    let began = Instant::now();
    for number in &asked[..ONE_BY_ONE] {
        let _sum: Option<i64> = one.query_row([name(*number)], |row| row.get(0)).expect("an answer");
    }
    let took = began.elapsed().as_secs_f64() / crate::number(ONE_BY_ONE as u64);
    let began = Instant::now();
    let sum: i64 = many.query_row([], |row| row.get(0)).expect("an answer");
    let many = began.elapsed().as_secs_f64();
    Answers { one: took, many, cold: None, sum: sum.cast_unsigned(), bytes: None }
}

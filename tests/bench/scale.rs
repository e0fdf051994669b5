//! A history of half a year of three sensors: how large it is, and how quickly it answers, beside a plain table of the
//! same cells in SQLite and in DuckDB.
//!
//! `cargo bench --bench scale -- [--days 181] [--windows 110000] [--folder target/scale]`; a whole one takes some ten
//! minutes and 6 GB. Captures are made day by day and fed as `inga observe` feeds them; what was made before in the
//! folder is used again. DuckDB is asked through Python where `import duckdb` works; caches are dropped where that is
//! allowed.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a benchmark tells, stops where it cannot go on, and makes its own numbers"
)]

#[path = "scale/duck.rs"]
mod duck;
#[path = "scale/make.rs"]
mod make;
#[path = "scale/plain.rs"]
mod plain;
#[path = "scale/questions.rs"]
mod questions;

use std::path::{Path, PathBuf};
use std::time::Instant;

use inga::history::Filter;
use inga::rules::Rules;
use inga::store::sqlite::Months;
use inga::store::{HistoryStore, SqliteStore};

/// A cell, the same for all layouts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) sensor: u8,
    /// Days since the first.
    pub(crate) day: u16,
    /// The type's number in the history.
    pub(crate) number: u32,
    pub(crate) windows: u32,
    pub(crate) packets: u32,
    pub(crate) hosts: u32,
}

struct Args {
    days: u16,
    windows: u32,
    folder: PathBuf,
}

fn args() -> Args {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/scale");
    let mut args = Args { days: 181, windows: 110_000, folder };
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value behind the option");
        match word.as_str() {
            "--days" => args.days = value().parse().expect("a number"),
            "--windows" => args.windows = value().parse().expect("a number"),
            "--folder" => args.folder = value().into(),
            other => panic!("no option {other}"),
        }
    }
    args
}

fn main() {
    let args = args();
    std::fs::create_dir_all(&args.folder).expect("a folder to write in");
    let db = args.folder.join(format!("{}-{}.db", args.days, args.windows));
    let rules = Rules::shipped().expect("the shipped rules");
    if !db.exists() {
        make::history(&db, args.days, args.windows, &rules);
    }
    let mut store = SqliteStore::open(&db, &rules.profile).expect("a history");
    let began = Instant::now();
    let done = store.compact(Months::All).expect("a history that can be put together");
    let took = began.elapsed().as_secs_f64();
    println!(
        "{} days, {} months put together in {took:.1} s: {} MB, now {} MB",
        done.days,
        done.months,
        done.before / 1_000_000,
        done.after / 1_000_000
    );
    let cells = cells(&store);
    sizes(&store, cells.len());
    let asked = questions::some_types(&cells);
    let ours = questions::ask(&db, &rules, &store, &asked);
    ours.print("inga");
    let plain = plain::measure(&args.folder, &store, &cells, &asked, args.days);
    plain.print("a plain table in SQLite");
    assert_eq!(ours.sum, plain.sum, "both tell the same");
    ours.print_share(&plain);
    match duck::measure(&args.folder, &cells, &asked) {
        Some(duck) => {
            duck.print("DuckDB, sorted by type");
            assert_eq!(ours.sum, duck.sum, "both tell the same");
        }
        None => println!("DuckDB: `python3 -c 'import duckdb'` fails here; not measured"),
    }
    drop(store);
    questions::processes(&db);
}

fn cells(store: &dyn HistoryStore) -> Vec<Cell> {
    let began = Instant::now();
    let mut cells = Vec::new();
    let narrow = |count: u64| u32::try_from(count).expect("a small count");
    for sensor in 0..make::SENSORS {
        store
            .each_daily_count(&make::name(sensor), &Filter::default(), &mut |seen| {
                let (windows, packets, hosts) =
                    (narrow(seen.windows), narrow(seen.packets), narrow(seen.hosts));
                let day = make::day_number(seen.day);
                cells.push(Cell { sensor, day, number: narrow(seen.number), windows, packets, hosts });
            })
            .expect("observations");
    }
    println!("{} cells read in {:.1} s", cells.len(), began.elapsed().as_secs_f64());
    cells
}

/// What a cell and a sighting take: pages of the tables, as SQLite counts them.
fn sizes(store: &SqliteStore, cells: usize) {
    let mut parts = 0u64;
    for sensor in 0..make::SENSORS {
        store.each_sighting(&make::name(sensor), &Filter::default(), &mut |_| parts += 1).expect("sightings");
    }
    let sql = "SELECT name, sum(pgsize) AS bytes FROM dbstat GROUP BY name ORDER BY 2 DESC";
    let mut tables = Vec::new();
    store
        .sql(sql, &mut |_, row| {
            if let Some([name, bytes]) = row {
                tables.push((name.as_str().unwrap_or_default().to_owned(), bytes.as_u64().unwrap_or(0)));
            }
            true
        })
        .expect("dbstat");
    let of = |names: &[&str]| -> f64 {
        let bytes: u64 =
            tables.iter().filter(|(name, _)| names.contains(&name.as_str())).map(|(_, bytes)| bytes).sum();
        number(bytes)
    };
    println!("pages of tables and indexes: {tables:?}");
    let (of_cells, of_seen, of_hosts) =
        (of(&["cell"]), of(&["seen", "seen_month"]), of(&["host", "sqlite_autoindex_host_1"]));
    println!(
        "{cells} cells: {:.2} bytes each; {parts} sightings: {:.2} bytes each, {:.2} with their months' hosts",
        of_cells / number(cells as u64),
        of_seen / number(parts),
        (of_seen + of_hosts) / number(parts),
    );
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people, far below 2^52")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}

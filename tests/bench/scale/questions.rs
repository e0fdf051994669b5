//! What is asked, of each layout the same.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use inga::history::{Granularity, Selection};
use inga::rules::Rules;
use inga::store::{HistoryStore, SqliteStore};

use crate::Cell;
use crate::make::{self, Random};

/// What answers took, in seconds, and what they add up to.
pub(crate) struct Answers {
    /// A type's series over all days and sensors, on average.
    pub(crate) one: f64,
    /// Those of all types that were asked for, at once.
    pub(crate) many: f64,
    /// The same with nothing of the file in memory, where caches may be dropped.
    pub(crate) cold: Option<(f64, f64)>,
    /// All windows, packets and hosts that were told of them.
    pub(crate) sum: u64,
    /// Bytes of its file a cell, where it has one of cells alone.
    pub(crate) bytes: Option<f64>,
}

impl Answers {
    pub(crate) fn print(&self, name: &str) {
        let bytes = self.bytes.map_or_else(String::new, |bytes| format!(", {bytes:.1} bytes a cell"));
        let cold = self.cold.map_or_else(
            || "not allowed".to_owned(),
            |(one, many)| format!("{:.2} ms and {:.0} ms", one * 1e3, many * 1e3),
        );
        println!(
            "{name}: a type's series {:.3} ms, all of them {:.1} ms; from the disk {cold}{bytes}",
            self.one * 1e3,
            self.many * 1e3
        );
    }

    /// What share of another layout's time this one takes.
    pub(crate) fn print_share(&self, other: &Answers) {
        let (one, many) = (self.one / other.one, self.many / other.many);
        println!("inga's share of the plain table's time: a series {one:.4}, all of them {many:.4}");
        if let (Some(ours), Some(theirs)) = (self.cold, other.cold) {
            let (one, many) = (ours.0 / theirs.0, ours.1 / theirs.1);
            println!("from the disk: a series {one:.4}, all of them {many:.4}");
        }
    }
}

/// A thousand types that there are, by number.
pub(crate) fn some_types(cells: &[Cell]) -> Vec<u32> {
    let mut random = Random(1);
    let mut numbers = Vec::new();
    while numbers.len() < 1_000 {
        let at = random.below(cells.len() as u64);
        let number = cells[usize::try_from(at).unwrap_or(0)].number;
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    numbers
}

/// How many of them are asked one by one.
pub(crate) const ONE_BY_ONE: usize = 200;

/// How many of them are asked with nothing in memory.
const COLD: usize = 10;

/// Times what `ask` answers to some numbers, of a file that is opened anew before each: one by one, and all at once.
pub(crate) fn cold<O>(numbers: &[u32], open: impl Fn() -> O, ask: impl Fn(&O, &[u32])) -> Option<(f64, f64)> {
    let time = |numbers: &[u32]| {
        let dropped = drop_caches();
        let opened = open();
        let began = Instant::now();
        ask(&opened, numbers);
        dropped.then(|| began.elapsed().as_secs_f64())
    };
    let mut one = 0.0;
    for number in &numbers[..COLD] {
        one += time(std::slice::from_ref(number))?;
    }
    Some((one / crate::number(COLD as u64), time(numbers)?))
}

/// Times the answers of a store.
pub(crate) fn ask(db: &Path, rules: &Rules, store: &SqliteStore, numbers: &[u32]) -> Answers {
    let selection = |number: &u32| Selection {
        granularity: Granularity::Type,
        id: store.type_of(u64::from(*number)).expect("a type").behavior.id,
        facets: false,
    };
    let selections: Vec<Selection> = numbers.iter().map(selection).collect();
    let ask = |store: &SqliteStore, selections: &[Selection]| -> u64 {
        let sensors = (0..make::SENSORS).map(make::name);
        let answers = sensors.flat_map(|sensor| store.series(&sensor, selections).expect("series"));
        answers.flatten().map(|day| day.windows + day.packets + day.hosts).sum()
    };
    ask(store, &selections);
    let began = Instant::now();
    for selection in &selections[..ONE_BY_ONE] {
        ask(store, std::slice::from_ref(selection));
    }
    let one = began.elapsed().as_secs_f64() / crate::number(ONE_BY_ONE as u64);
    let began = Instant::now();
    let sum = ask(store, &selections);
    let many = began.elapsed().as_secs_f64();
    let open = || SqliteStore::open(db, &rules.profile).expect("a history");
    let cold = cold(numbers, open, |store, some| {
        let at = |number: &u32| numbers.iter().position(|known| known == number).expect("one of them");
        let some: Vec<Selection> = if some.len() == numbers.len() {
            selections.clone()
        } else {
            some.iter().map(|number| selections[at(number)]).collect()
        };
        ask(store, &some);
    });
    Answers { one, many, cold, sum, bytes: None }
}

/// Whole processes: the report's figures and a host, with what is read in memory and, if allowed, from the disk.
pub(crate) fn processes(db: &Path) {
    let db = db.to_str().expect("UTF-8");
    // Not every rank is drawn: this one is, some sixty times in half a year.
    let [often, seldom] = [1, 1_896_920].map(|rank| make::host(rank).to_string());
    let questions: [(&str, &[&str]); 4] = [
        (
            "figure 3(c), unique hosts on 445/TCP",
            &["series", "--db", db, "--of", "445/tcp", "--format", "csv"],
        ),
        ("figure 4, kinds of type", &["series", "--db", db, "--value", "types", "--format", "csv"]),
        ("a host met now and then", &["host", &seldom, "--db", db]),
        ("a host met every day", &["host", &often, "--db", db]),
    ];
    for (name, args) in questions {
        let warm = (0..3).map(|_| time(args)).fold(f64::INFINITY, f64::min);
        let cold = drop_caches().then(|| time(args));
        let cold = cold.map_or_else(|| "not allowed".to_owned(), |cold| format!("{cold:.2} s"));
        println!("{name}: {warm:.2} s, from the disk {cold}");
    }
}

fn time(args: &[&str]) -> f64 {
    let began = Instant::now();
    let status = Command::new(env!("CARGO_BIN_EXE_inga")).args(args).stdout(Stdio::null()).status();
    assert!(status.expect("inga").success(), "{args:?}");
    began.elapsed().as_secs_f64()
}

fn drop_caches() -> bool {
    let synced = Command::new("sync").status().is_ok_and(|status| status.success());
    synced && std::fs::write("/proc/sys/vm/drop_caches", "3").is_ok()
}

//! A history of half a year of three sensors: how large it is, and how quickly it answers, beside DuckDB on the same segments.
//!
//! `cargo bench --bench scale -- [--scale 0.05] [--runs 5] [--folder target/scale] [--python target/recount/bin/python]`
//!
//! The history is `samples/scenarios/conficker-2009.yaml`, simulated at the scale and compacted; what was made before in the
//! folder is used again. DuckDB is asked through Python, with two threads, and has to give the same sums. Without a
//! Python that has it (`pip install -r tests/recount/requirements.txt`), only inga is measured, and that is printed.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark prints, and stops where it cannot go on"
)]

#[path = "scale/duck.rs"]
mod duck;
#[path = "scale/questions.rs"]
mod questions;

use std::path::{Path, PathBuf};
use std::time::Instant;

use inga::app::Notices;
use inga::app::simulate::{SimulateOptions, scenario, simulate_to_history};
use inga::rules::Rules;
use inga::store::LocalStore;

pub(crate) struct Args {
    scale: f64,
    pub(crate) runs: usize,
    folder: PathBuf,
    pub(crate) python: PathBuf,
}

fn args() -> Args {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (folder, python) = (root.join("target/scale"), root.join("target/recount/bin/python"));
    let mut args = Args { scale: 0.05, runs: 5, folder, python };
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value behind the option");
        match word.as_str() {
            "--scale" => args.scale = value().parse().expect("a number"),
            "--runs" => args.runs = value().parse().expect("a number"),
            "--folder" => args.folder = value().into(),
            "--python" => args.python = value().into(),
            other => panic!("no option {other}"),
        }
    }
    args
}

fn main() {
    let args = args();
    let rules = Rules::shipped().expect("the shipped rules");
    let history = history(&args, &rules);
    let store = LocalStore::open_to_read(&history, &rules.profile).expect("a history");
    let sightings = sizes(&store);
    let chosen = questions::Chosen::of(&store);
    let ours = questions::ask(&store, &chosen, args.runs);
    let duck = duck::ask(&args, &history, &chosen);
    println!(
        "\n| question, median of {} runs | inga, ms | DuckDB, ms | ratio |\n|---|---|---|---|",
        args.runs
    );
    for (at, answer) in ours.iter().enumerate() {
        let duck = duck.as_ref().map(|duck| &duck[at]);
        answer.print_beside(duck);
    }
    println!("\n{sightings} sightings");
    questions::print_processes(&history, &chosen, args.runs);
}

/// The compacted history, made unless it is there.
fn history(args: &Args, rules: &Rules) -> PathBuf {
    let folder = args.folder.join(format!("conficker-2009-{}", args.scale));
    let history = folder.join("history");
    if !folder.exists() {
        std::fs::create_dir_all(&args.folder).expect("a folder to write in");
        let months = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/scenarios/conficker-2009.yaml");
        let months = scenario(&months).expect("the scenario that ships");
        let options = SimulateOptions { seed: 1, scale: args.scale, threads: 2 };
        let began = Instant::now();
        simulate_to_history(&folder, &months, options, rules, &mut Notices::default()).expect("a history");
        println!("simulated in {:.1} s", began.elapsed().as_secs_f64());
    }
    let mut store = LocalStore::open_to_write(&history, &rules.profile).expect("a history");
    let began = Instant::now();
    let done = store.compact(true).expect("a history that can be compacted");
    let took = began.elapsed().as_secs_f64();
    println!(
        "{} days and {} months merged in {took:.1} s: {} bytes of segments, now {}",
        done.days, done.months, done.bytes_before, done.bytes_after
    );
    history
}

/// Prints what the history takes; returns the number of its sightings.
fn sizes(store: &LocalStore) -> u64 {
    let mut sightings = 0;
    let mut all = 0;
    for holding in store.content_sizes().expect("what the history holds") {
        let Some(bytes) = holding.bytes else { continue };
        all += bytes;
        let rows = number(holding.rows);
        println!("{}: {bytes} bytes, {:.2} bytes a row", holding.name, number(bytes) / rows.max(1.0));
        if holding.name == "sightings" {
            sightings = holding.rows;
        }
    }
    println!("whole history: {all} bytes");
    sightings
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people, far below 2^52")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}

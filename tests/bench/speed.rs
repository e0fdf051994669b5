//! inga beside the programs that people have, as whole processes on one file, in turn; medians and ratios.
//!
//! `cargo bench --bench speed -- [--packets N] [--sources N] [--runs N] [--folder DIR] [--only NAME]… [--slow]`
//!
//! Before time is taken, every program has to find the same number of packets, and inga the same days as a plain
//! reading; one core and two have to write the same history. Programs that are not installed are left out and named.
//! `--only` takes the rows that have NAME in theirs, and what these are compared with. `--slow` adds tshark.
//! `--growth` instead prints how inga's cost grows with packets, sources, live windows and the sensor's size.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark that cannot run stops, and prints"
)]

mod darknet;
mod plain;

#[path = "speed/args.rs"]
mod args;
#[path = "speed/checks.rs"]
mod checks;
#[path = "speed/files.rs"]
mod files;
#[path = "speed/growth.rs"]
mod growth;
#[path = "speed/history.rs"]
mod history;
#[path = "speed/process.rs"]
mod process;
#[path = "speed/rows.rs"]
mod rows;
#[path = "speed/table.rs"]
mod table;

use std::time::Duration;

use args::Args;
use checks::Truth;
use files::Files;
use history::History;
use rows::{Found, Row};
use table::Measured;

fn main() {
    let args = Args::of_process();
    std::fs::create_dir_all(&args.folder).expect("a folder to write to");
    if args.growth {
        growth::print(&args);
        return;
    }
    let plan = darknet::Plan { packets: args.packets, sources: args.sources, rate: 96, prefix: 16, seed: 1 };
    let files = Files::make(&args.folder, &plan);
    let [one, two] =
        ["one", "two"].map(|name| History::new(args.folder.join(format!("history-{name}")), plan.prefix));
    let mut rows = rows::rows(&args, &files, [&one, &two]);
    let truth = Truth::of(&files, args.packets);
    rows.retain(|row| checks::agrees(row, &truth));
    let kept = |name| rows.iter().any(|row| row.name == name);
    if kept(rows::OBSERVE) && kept(rows::OBSERVE_TWO) {
        let bytes = checks::same(&one, &two);
        println!("one core and two write the same segments, {bytes} bytes");
    }
    let (windows, types) = (truth.windows(), truth.whole.types as u64);
    println!(
        "{} packets, {} bytes, {windows} windows, {types} types; medians of {} runs in turn\n",
        args.packets,
        files::size(&files.pcap),
        args.runs
    );
    let measured = measure(&rows, args.runs);
    table::print(&measured);
    println!();
    table::print_bars(&measured, windows, types);
    one.remove();
    two.remove();
}

/// All rows in turn, so often; then each once more for its memory.
fn measure(rows: &[Row], runs: usize) -> Vec<Measured<'_>> {
    let before = |row: &Row| {
        if let Found::History(history) | Found::Unfed(history) = &row.found {
            history.reset();
        }
    };
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); rows.len()];
    for _ in 0..runs {
        for (row, times) in rows.iter().zip(&mut times) {
            before(row);
            times.push(row.program.time());
        }
    }
    let of = |(row, times): (_, &mut Vec<Duration>)| {
        before(row);
        Measured { row, seconds: table::median(times), peak: row.program.peak() }
    };
    rows.iter().zip(&mut times).map(of).collect()
}

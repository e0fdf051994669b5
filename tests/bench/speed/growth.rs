//! How cost grows: with packets, sources, live windows and the sensor's size.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::args::Args;
use crate::darknet::Plan;
use crate::files::capture;
use crate::history::{History, summary};
use crate::process::{ONE, Program};
use crate::table::{median, number};

/// Free bytes that 50 million packets and their history ask for.
const FREE_MIN: u64 = 12_000_000_000;

/// Prints a table each. Captures are deleted afterwards, save the benchmark's own.
pub(crate) fn print(args: &Args) {
    let plan = Plan { packets: args.packets, sources: args.sources, rate: 96, prefix: 16, seed: 1 };
    let many = args.packets.saturating_mul(5);
    table(args, "packets", [args.packets / 10, args.packets, many], |packets| {
        let small = packets <= 10_000_000 || free(&args.folder) >= FREE_MIN;
        if !small {
            println!("left out: {packets} packets (less than {FREE_MIN} bytes free)");
        }
        small.then_some(Plan { packets, ..plan })
    });
    table(args, "sources", [1_000, 10_000, 100_000, 1_000_000, 10_000_000], |sources| {
        Some(Plan { sources: u32::try_from(sources).expect("32 bits"), ..plan })
    });
    // A rate of 96 keeps 1,200 windows open.
    table(args, "live windows, about", [100, 1_600, 16_000, 160_000, 1_000_000], |live| {
        Some(Plan { rate: live * 96 / 1_200, ..plan })
    });
    table(args, "prefix of the sensor", [24, 16, 8], |prefix| {
        Some(Plan { prefix: u8::try_from(prefix).expect("8 bits"), ..plan })
    });
}

fn table<const N: usize>(args: &Args, of: &str, values: [u64; N], plan: impl Fn(u64) -> Option<Plan>) {
    println!(
        "\n| {of} | windows | hosts | types | live | `--summary` ns/packet | MB | `observe` ns/packet | MB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for value in values {
        if let Some(plan) = plan(value) {
            row(args, value, &plan);
        }
    }
}

/// Hosts and types are the sums of the days'.
fn row(args: &Args, value: u64, plan: &Plan) {
    let pcap = capture(&args.folder, plan);
    let history = History::new(args.folder.join("growth-history"), plan.prefix);
    let (summary, observe) = (summary(ONE, &pcap), history.observe(ONE, &pcap));
    let text = summary.stdout();
    let days: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let sum = |what: &str| days.iter().filter_map(|day| day[what].as_u64()).sum::<u64>();
    assert_eq!(sum("packets"), plan.packets, "packets of {}", pcap.display());
    let live = sum("windows") * 30 * plan.rate / plan.packets;
    let (added, added_peak) = cost(args, &summary, plan, &|| {});
    let (kept, kept_peak) = cost(args, &observe, plan, &|| history.reset());
    println!(
        "| {value} | {} | {} | {} | {live} | {added:.0} | {added_peak:.1} | {kept:.0} | {kept_peak:.1} |",
        sum("windows"),
        sum("hosts"),
        sum("types")
    );
    history.remove();
    if (plan.packets, plan.sources, plan.rate, plan.prefix) != (args.packets, args.sources, 96, 16) {
        std::fs::remove_file(&pcap).expect("a capture of ours");
    }
}

/// Nanoseconds a packet and peak megabytes.
fn cost(args: &Args, program: &Program, plan: &Plan, before: &dyn Fn()) -> (f64, f64) {
    let mut times: Vec<_> = (0..args.runs)
        .map(|_| {
            before();
            program.time()
        })
        .collect();
    before();
    (median(&mut times) * 1e9 / number(plan.packets), number(program.peak()) / 1e6)
}

/// Free bytes where a folder is; none where that cannot be told.
fn free(folder: &Path) -> u64 {
    let output = Command::new("df").args(["--output=avail", "-B1"]).arg(folder).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.ok().and_then(|text| text.lines().nth(1)?.trim().parse().ok()).unwrap_or(0)
}

//! A thousand samples against half a year of three sensors: how long `inga correlate` takes, on one thread and on two.
//!
//! `cargo bench --bench causes -- [--samples 1000] [--scale 0.01] [--folder target/causes]`. The history is the report's
//! six months, simulated at that scale; the samples are runs drawn from a seed, scans of one port each, at random or in
//! order, with the retries of several systems. What was made before in the folder is used again. One thread is two held
//! to one processor by `taskset`, where there is one. Both must give the same bytes.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark tells, and stops where it cannot go on"
)]

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use inga::app::Notices;
use inga::app::simulate::{SimulateOptions, scenario, simulate_to_history};
use inga::packet::{Packet, Protocol, TcpFlags, Timestamp};
use inga::rules::Rules;
use inga::sample::SplitMix64;
use inga::simulate::PcapWriter;

const SEED: u64 = 4;
/// Destinations that a run asks.
const TARGETS: u32 = 150;
/// Ports that two samples in three scan; the third scans any.
const PORTS: [u16; 14] = [445, 23, 22, 80, 135, 139, 1433, 3389, 5900, 8080, 2323, 443, 25, 3306];
/// Seconds after its first packet at which a target is asked again.
const RETRIES: [&[f64]; 4] = [&[], &[3.0], &[3.0, 9.0], &[1.0, 3.0, 7.0]];
/// Targets a second.
const RATES: [f64; 3] = [2.0, 8.0, 30.0];

struct Args {
    samples: u64,
    scale: f64,
    folder: PathBuf,
}

fn args() -> Args {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/causes");
    let mut args = Args { samples: 1_000, scale: 0.01, folder };
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value behind the option");
        match word.as_str() {
            "--samples" => args.samples = value().parse().expect("a number"),
            "--scale" => args.scale = value().parse().expect("a number"),
            "--folder" => args.folder = value().into(),
            other => panic!("no option {other}"),
        }
    }
    args
}

fn main() {
    let args = args();
    let months = history(&args);
    let reports = samples(&args);
    let ask = |program: &[&str]| {
        let mut words = program.iter().copied();
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words).arg("correlate").args(&reports).arg("--history").arg(&months);
        let began = Instant::now();
        let output = command.args(["--format", "json"]).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (began.elapsed().as_secs_f64(), output.stdout)
    };
    let inga = env!("CARGO_BIN_EXE_inga");
    let (took, told) = ask(&[inga]);
    println!(
        "{} samples, all processors: {took:.1} s, {} MB of answers",
        args.samples,
        told.len() / 1_000_000
    );
    if Command::new("taskset").arg("--version").output().is_err() {
        println!("`taskset` is not there: one processor is not measured");
        return;
    }
    for (name, processors) in [("two processors", "0,1"), ("one processor", "0")] {
        let (took, same) = ask(&["taskset", "-c", processors, inga]);
        assert!(same == told, "both tell the same");
        println!("{} samples, {name}: {took:.1} s", args.samples);
    }
}

/// The history, made unless it is there.
fn history(args: &Args) -> PathBuf {
    let folder = args.folder.join(format!("months-{}", args.scale));
    let history = folder.join("history");
    if !folder.exists() {
        std::fs::create_dir_all(&args.folder).expect("a folder to write in");
        let six_months = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/scenarios/conficker-2009.yaml");
        let six_months = scenario(&six_months).expect("the scenario that ships");
        let options = SimulateOptions { seed: SEED, scale: args.scale, threads: 2 };
        let rules = Rules::shipped().expect("the shipped rules");
        simulate_to_history(&folder, &six_months, options, &rules, &mut Notices::default())
            .expect("a history");
    }
    history
}

/// The samples' reports, each with its capture, made anew: that is quick.
fn samples(args: &Args) -> Vec<PathBuf> {
    let folder = args.folder.join("samples");
    std::fs::create_dir_all(&folder).expect("a folder to write in");
    let sample = |number: u64| {
        let mut random = SplitMix64::from_name("sample of a benchmark", SEED << 32 | number);
        std::fs::write(folder.join(format!("{number}.pcap")), run(&mut random)).expect("a capture");
        let day = format!("2009-0{}-{:02}", 1 + random.below(4), 1 + random.below(28));
        let report = folder.join(format!("{number}.yaml"));
        let text = format!(
            "identity: {{md5: \"{number:032x}\"}}\nvictims: [192.168.20.21]\ndiscovered: {{date: {day}}}\n\
             captures: [{number}.pcap]\n"
        );
        std::fs::write(&report, text).expect("a report");
        report
    };
    (0..args.samples).map(sample).collect()
}

/// What one sample's victim sends.
#[expect(clippy::cast_possible_truncation, reason = "nanoseconds of 2009, and parts of addresses")]
fn run(random: &mut SplitMix64) -> Vec<u8> {
    let any = 1 + random.below(65_535) as u16;
    let port = if random.below(3) == 0 { any } else { random.choose(&PORTS).copied().unwrap_or(any) };
    let retries = random.choose(&RETRIES).copied().unwrap_or(&[]);
    let rate = random.choose(&RATES).copied().unwrap_or(8.0);
    let first = random.below(1 << 31) as u32;
    let in_order = random.below(5) == 0;
    let mut sent: Vec<(f64, u32, u16)> = Vec::new();
    let mut at = 0.0;
    for number in 0..TARGETS {
        at += random.waiting_time(rate);
        // Any address that is nobody's private one: 1.0.0.0 to 9.255.255.255, or neighbours one after the other.
        let target = if in_order { first + number } else { 0x0100_0000 + random.below(0x0900_0000) as u32 };
        let source_port = 1_025 + number as u16;
        sent.push((at, target, source_port));
        sent.extend(retries.iter().map(|after| (at + after, target, source_port)));
    }
    sent.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut pcap = PcapWriter::new(Vec::new()).expect("memory takes all");
    for (at, target, source_port) in sent {
        let (from, to) = (Ipv4Addr::new(192, 168, 20, 21), Ipv4Addr::from(target));
        let packet = Packet::new(from.into(), to.into(), Protocol::Tcp)
            .with_time(Some(Timestamp(1_236_000_000_000_000_000 + (at * 1e9) as i64)))
            .with_source_port(Some(source_port))
            .with_destination_port(Some(port))
            .with_flags(Some(TcpFlags::SYN));
        pcap.packet(&packet, &[], false).expect("memory takes all");
    }
    pcap.into_inner()
}

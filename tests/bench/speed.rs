//! inga beside the programs that people have, as whole processes on one file, in turn; medians and ratios.
//!
//! `cargo bench --bench speed -- [--packets N] [--sources N] [--runs N] [--folder DIR]`
//!
//! Every program first has to find the same number of packets; only then is time taken. Programs that are not
//! installed are left out and named.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark that cannot run stops, and prints"
)]

mod darknet;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

struct Args {
    packets: u64,
    sources: u32,
    runs: usize,
    folder: PathBuf,
}

fn args() -> Args {
    let mut args = Args {
        packets: 10_000_000,
        sources: 1_800_000,
        runs: 5,
        folder: Path::new(env!("CARGO_MANIFEST_DIR")).join("target/speed"),
    };
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value behind the option");
        match word.as_str() {
            "--packets" => args.packets = value().parse().expect("a number"),
            "--sources" => args.sources = value().parse().expect("a number"),
            "--runs" => args.runs = value().parse().expect("a number"),
            "--folder" => args.folder = value().into(),
            other => panic!("unknown option {other}"),
        }
    }
    args
}

/// A program with its arguments, and how to find the packet count in what it prints.
struct Peer {
    name: &'static str,
    line: String,
    counts: bool,
}

fn main() {
    let args = args();
    std::fs::create_dir_all(&args.folder).expect("a folder to write to");
    let pcap = args.folder.join(format!("{}-{}-96-16.pcap", args.packets, args.sources));
    if !pcap.exists() {
        make(&pcap, &args);
    }
    let file = pcap.display();
    let db = args.folder.join("history.db");
    let db = db.display();
    let inga = env!("CARGO_BIN_EXE_inga");
    let [four, six] = darknet::sensor(16);
    let sensor =
        format!("rm -f {db} {db}-wal {db}-shm; {inga} sensor add s --db {db} --prefix {four} --prefix {six}");
    let peer = |name, line: String, counts| Peer { name, line, counts };
    let all = vec![
        peer("cat", format!("cat {file} > /dev/null"), false),
        peer("capinfos -c", format!("capinfos -c -M {file}"), true),
        peer("tcpdump --count", format!("tcpdump --count -r {file} 2>&1"), true),
        peer("inga fingerprint", format!("{inga} fingerprint --summary {file}"), true),
        peer("inga observe", format!("{sensor} && {inga} observe --sensor s --db {db} {file}"), true),
    ];
    let peers: Vec<Peer> = all.into_iter().filter(|peer| agrees(peer, args.packets)).collect();
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); peers.len()];
    for _ in 0..args.runs {
        for (peer, times) in peers.iter().zip(&mut times) {
            times.push(run(peer).0);
        }
    }
    println!(
        "{} packets, {} bytes; medians of {} runs in turn, on one core",
        args.packets,
        size(&pcap),
        args.runs
    );
    let median = |times: &mut Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    let medians: Vec<f64> = times.iter_mut().map(|times| median(times).as_secs_f64()).collect();
    let base = peers.iter().position(|peer| peer.name == "capinfos -c");
    println!("| program | s | million packets a second | of capinfos |\n|---|---|---|---|");
    for (peer, seconds) in peers.iter().zip(&medians) {
        let rate = count(args.packets) / seconds / 1e6;
        let ratio = base.map_or_else(|| "-".to_owned(), |base| format!("{:.2}", seconds / medians[base]));
        println!("| {} | {seconds:.3} | {rate:.1} | {ratio} |", peer.name);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate")]
fn count(packets: u64) -> f64 {
    packets as f64
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).expect("the capture").len()
}

fn make(path: &Path, args: &Args) {
    let plan = darknet::Plan { packets: args.packets, sources: args.sources, rate: 96, prefix: 16, seed: 1 };
    let mut out = BufWriter::new(File::create(path).expect("a file to write"));
    darknet::write(&mut out, &plan).and_then(|()| out.flush()).expect("room for the capture");
}

/// Whether a program is there and finds all packets.
fn agrees(peer: &Peer, packets: u64) -> bool {
    let (_, text) = run(peer);
    let digits = text.replace(',', "");
    let found = digits.split(|c: char| !c.is_ascii_digit()).any(|word| word == packets.to_string());
    if peer.counts && !found {
        println!("left out: {} ({})", peer.name, text.lines().next().unwrap_or("it printed nothing"));
    }
    !peer.counts || found
}

fn run(peer: &Peer) -> (Duration, String) {
    let began = Instant::now();
    let output = Command::new("taskset")
        .args(["-c", "0", "sh", "-c", &peer.line])
        .stderr(Stdio::null())
        .output()
        .expect("taskset and sh");
    (began.elapsed(), String::from_utf8_lossy(&output.stdout).into_owned())
}

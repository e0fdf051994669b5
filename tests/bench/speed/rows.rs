//! The programs that are measured, and what each has to find first.

use std::path::Path;

use crate::args::Args;
use crate::files::{Files, text};
use crate::history::{History, INGA, summary, windows};
use crate::process::{ONE, Program, TWO, installed};

/// A program on a file.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) program: Program,
    /// How many packets it reads.
    pub(crate) packets: u64,
    /// The row that its time is a share of.
    pub(crate) base: Option<&'static str>,
    pub(crate) found: Found,
}

/// How to know what a program has found.
pub(crate) enum Found {
    /// It counts no packets.
    Nothing,
    /// It prints their number.
    Printed,
    /// Another program prints it of what this one wrote.
    PrintedBy(Program),
    /// Another program prints what this one wrote, with a number of packets behind each line's last comma. IPv4 only.
    SummedBy(Program),
    /// Days, as a plain reading of the capture has them.
    Days,
    /// The same of the text's first packets.
    TextDays,
    /// A line a window, of which there are as many as a plain reading finds; another program counts them.
    LinesBy(Program),
    /// A history with these days, made anew before each run.
    History(History),
    /// The number of packets; of a history that is made anew before each run, and stays empty.
    Unfed(History),
}

pub(crate) const CAPINFOS: &str = "capinfos -c";
pub(crate) const TCPDUMP: &str = "tcpdump --count";
pub(crate) const CORSARO: &str = "corsaro2";
pub(crate) const SUMMARY: &str = "inga fingerprint --summary";
pub(crate) const SUMMARY_TWO: &str = "inga fingerprint --summary, 2 cores";
pub(crate) const WINDOWS: &str = "inga fingerprint --format json";
pub(crate) const WINDOWS_TWO: &str = "inga fingerprint --format json, 2 cores";
pub(crate) const GATHER: &str = "inga observe --dry-run";
pub(crate) const GATHER_TWO: &str = "inga observe --dry-run, 2 cores";
pub(crate) const OBSERVE: &str = "inga observe";
pub(crate) const OBSERVE_TWO: &str = "inga observe, 2 cores";
pub(crate) const CAPINFOS_NG: &str = "capinfos -c of pcapng";
pub(crate) const SUMMARY_NG: &str = "inga fingerprint --summary of pcapng";
pub(crate) const GUNZIP: &str = "gzip -dc, 2 cores";
pub(crate) const GZIP: &str = "inga fingerprint --summary of gzip, 2 cores";
pub(crate) const UNZSTD: &str = "zstd -dc, 2 cores";
pub(crate) const ZSTD: &str = "inga fingerprint --summary of zstd, 2 cores";
pub(crate) const MAWK: &str = "mawk {n+=NF}";
pub(crate) const RG: &str = "rg -c";
pub(crate) const TEXT: &str = "inga fingerprint --summary of text";

/// All that are installed and asked for, with what they are compared with; names those that are not installed.
pub(crate) fn rows(args: &Args, files: &Files, histories: [&History; 2]) -> Vec<Row> {
    let mut all = peers(args, &files.pcap);
    all.extend(inga(args, files, histories));
    all.extend(of_pcapng(args, files));
    all.extend(compressed(args, files));
    all.extend(of_text(files));
    let asked =
        |name: &str| args.only.is_empty() || args.only.iter().any(|only| name.contains(only.as_str()));
    let bases: Vec<&str> = all.iter().filter(|row| asked(row.name)).filter_map(|row| row.base).collect();
    all.retain(|row| asked(row.name) || bases.contains(&row.name));
    all.retain(|row| {
        let there = installed(row.program.name());
        if !there {
            println!("left out: {} (not installed)", row.name);
        }
        there
    });
    all
}

fn peers(args: &Args, pcap: &Path) -> Vec<Row> {
    /// tshark needs some 20 microseconds a packet.
    const TSHARK_PACKETS_MAX: u64 = 1_000_000;
    let (packets, file) = (args.packets, text(pcap));
    let uri = format!("pcapfile:{file}");
    let beside = |name: &str| args.folder.join(name).to_str().expect("a path in UTF-8").to_owned();
    let (tuples, flows, argus) = (beside("corsaro-%P.out"), beside("nfpcapd"), beside("argus.out"));
    if installed("nfpcapd") {
        std::fs::create_dir_all(&flows).expect("a folder to write to");
    }
    let row = |name, words: &[&str], found| {
        let base = (name != CAPINFOS).then_some(CAPINFOS);
        Row { name, program: Program::new(ONE, words), packets, base, found }
    };
    let written = tuples.replace("%P", "flowtuple");
    let read = |words: &[&str]| Found::PrintedBy(Program::new(ONE, words));
    let summed = Found::SummedBy(Program::new(ONE, &["cors2ascii", &written]));
    let mut all = vec![
        row("cat", &["cat", file], Found::Nothing),
        // By itself wc would ask for the file's size and read nothing.
        row("wc -c of a pipe", &["sh", "-c", "cat \"$0\" | wc -c", file], Found::Nothing),
        row(CAPINFOS, &["capinfos", "-c", "-M", file], Found::Printed),
        row(TCPDUMP, &["tcpdump", "--count", "-r", file], Found::Printed),
        row(CORSARO, &["corsaro", "-o", &tuples, "-p", "flowtuple", &uri], summed),
        row("nfpcapd", &["nfpcapd", "-r", file, "-w", &flows], read(&["nfdump", "-R", &flows, "-I"])),
        row("argus", &["argus", "-r", file, "-w", &argus], read(&["racount", "-r", &argus])),
    ];
    if args.slow {
        let most = packets.min(TSHARK_PACKETS_MAX);
        let words = ["tshark", "-n", "-r", file, "-c", &most.to_string(), "-q", "-z", "io,stat,0"];
        all.push(Row { packets: most, ..row("tshark", &words, Found::Printed) });
    }
    all
}

fn inga(args: &Args, files: &Files, [one, two]: [&History; 2]) -> [Row; 8] {
    let row =
        |name, program, base, found| Row { name, program, packets: args.packets, base: Some(base), found };
    let pcap = &files.pcap;
    // Gigabytes, which nobody keeps.
    let count = format!("{INGA} fingerprint --format json {} | wc -l", text(pcap));
    let lines = || Found::LinesBy(Program::new(TWO, &["sh", "-c", &count]));
    [
        row(SUMMARY, summary(ONE, pcap), CAPINFOS, Found::Days),
        row(SUMMARY_TWO, summary(TWO, pcap), SUMMARY, Found::Days),
        row(WINDOWS, windows(ONE, pcap), SUMMARY, lines()),
        row(WINDOWS_TWO, windows(TWO, pcap), WINDOWS, lines()),
        row(GATHER, one.gather(ONE, pcap), SUMMARY, Found::Unfed(one.clone())),
        row(GATHER_TWO, two.gather(TWO, pcap), SUMMARY_TWO, Found::Unfed(two.clone())),
        row(OBSERVE, one.observe(ONE, pcap), SUMMARY, Found::History(one.clone())),
        row(OBSERVE_TWO, two.observe(TWO, pcap), SUMMARY_TWO, Found::History(two.clone())),
    ]
}

fn of_pcapng(args: &Args, files: &Files) -> Vec<Row> {
    let Some(file) = &files.pcapng else {
        println!("left out: {SUMMARY_NG} (editcap is not installed)");
        return Vec::new();
    };
    let row = |name, program, base, found| Row { name, program, packets: args.packets, base, found };
    let peer = Program::new(ONE, &["capinfos", "-c", "-M", text(file)]);
    vec![
        row(CAPINFOS_NG, peer, None, Found::Printed),
        row(SUMMARY_NG, summary(ONE, file), Some(CAPINFOS_NG), Found::Days),
    ]
}

fn compressed(args: &Args, files: &Files) -> Vec<Row> {
    let packets = args.packets;
    let mut all = Vec::new();
    for (file, program, base, name) in
        [(&files.gzip, "gzip", GUNZIP, GZIP), (&files.zstd, "zstd", UNZSTD, ZSTD)]
    {
        let Some(file) = file else {
            println!("left out: {name} ({program} is not installed)");
            continue;
        };
        let unpack = Program::new(TWO, &[program, "-dc", text(file)]);
        all.push(Row { name: base, program: unpack, packets, base: None, found: Found::Nothing });
        let base = Some(base);
        all.push(Row { name, program: summary(TWO, file), packets, base, found: Found::Days });
    }
    all
}

fn of_text(files: &Files) -> Vec<Row> {
    /// What an analyst would ask a log: SYNs between IPv4 addresses.
    const SYNS: &str = r"^\S+ \S+ IP (\d+\.){4}\d+ > (\d+\.){4}\d+: Flags \[S\]";
    let Some((path, packets)) = &files.text else {
        println!("left out: {TEXT} (tcpdump is not installed)");
        return Vec::new();
    };
    let row = |name, words: &[&str], base, found| Row {
        name,
        program: Program::new(ONE, words),
        packets: *packets,
        base,
        found,
    };
    let file = text(path);
    vec![
        row(MAWK, &["mawk", "{n+=NF} END{print n}", file], None, Found::Nothing),
        row(RG, &["rg", "-c", SYNS, file], Some(MAWK), Found::Nothing),
        row(TEXT, &[INGA, "fingerprint", "--summary", "--format", "json", file], Some(MAWK), Found::TextDays),
    ]
}

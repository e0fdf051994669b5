//! tcpdump text: inga's hand-written scan of bytes beside one regular expression over the same lines, and inga alone
//! in each style of printing.
//!
//! The expression reads IPv4 TCP lines of tcpdump 4 only; inga's reader takes all ages and styles, and hashes the
//! file besides. Both must find the same endpoints before any time is taken. A style is measured twice: as tcpdump
//! prints it, which the short cut reads, and with `S` for `Flags [S]` and a link header as 3.x printed them, which is
//! left to the general reader, but for its time and the second line of `-v`.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run stops")]

use std::fmt::Write;
use std::net::Ipv4Addr;

use divan::counter::{BytesCount, ItemsCount};
use inga::capture::{ReadOptions, read_source};
use regex::bytes::Regex;

const LINES: u32 = 100_000;

fn main() {
    let text = log();
    assert_eq!(by_hand(&text), by_regex(&text, &expression()), "both read the same endpoints");
    divan::main();
}

/// A log as `tcpdump -n -tttt` prints a random scan.
fn log() -> String {
    (0..LINES).fold(String::new(), |mut log, at| {
        let to = Ipv4Addr::from(at.wrapping_mul(2_654_435_761));
        let (second, micros) = (at / 5_000, at % 5_000 * 200);
        writeln!(
            log,
            "2009-03-02 01:00:{second:02}.{micros:06} IP 192.168.20.21.{} > {to}.445: Flags [S], seq {at}, win 65535, \
             options [mss 1460,nop,nop,sackOK], length 0",
            1024 + at % 4_000
        )
        .expect("a string takes all");
        log
    })
}

fn expression() -> Regex {
    let time = r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)\.(\d{6})";
    let end = r"(\d+)\.(\d+)\.(\d+)\.(\d+)\.(\d+)";
    Regex::new(&format!(r"(?m-u)^{time} IP {end} > {end}: Flags \[([^\]]*)\]")).expect("it compiles")
}

fn by_hand(text: &str) -> u64 {
    let mut sum = 0;
    read_source(text.as_bytes(), "log", &ReadOptions::default(), &mut |packet, _| {
        sum += endpoints(
            packet.source_port(),
            packet.destination_port(),
            packet.destination().to_string().len(),
        );
    })
    .expect("the log is a log");
    sum
}

fn by_regex(text: &str, expression: &Regex) -> u64 {
    let number =
        |bytes: &[u8]| -> u32 { bytes.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')) };
    let port = |bytes: &[u8]| u16::try_from(number(bytes)).ok();
    let mut sum = 0;
    for found in expression.captures_iter(text.as_bytes()) {
        let part = |at: usize| found.get(at).map_or(&b""[..], |part| part.as_bytes());
        let octet = |at: usize| u8::try_from(number(part(at))).unwrap_or(0);
        let to = Ipv4Addr::new(octet(13), octet(14), octet(15), octet(16));
        // The time, too, is read: a log's packets have one.
        divan::black_box((1..=7).map(|at| number(part(at))).sum::<u32>());
        sum += endpoints(port(part(12)), port(part(17)), to.to_string().len());
    }
    sum
}

fn endpoints(source_port: Option<u16>, destination_port: Option<u16>, letters: usize) -> u64 {
    u64::from(source_port.unwrap_or(0)) + u64::from(destination_port.unwrap_or(0)) + letters as u64
}

#[divan::bench(sample_count = 20)]
fn hand_written(bencher: divan::Bencher<'_, '_>) {
    let text = log();
    bencher.counter(BytesCount::of_str(&text)).bench(|| by_hand(&text));
}

#[divan::bench(sample_count = 20)]
fn regular_expression(bencher: divan::Bencher<'_, '_>) {
    let (text, expression) = (log(), expression());
    bencher.counter(BytesCount::of_str(&text)).bench(|| by_regex(&text, &expression));
}

/// tcpdump's options, and how they make it begin a line.
const STYLES: [&str; 6] = ["-tttt", "-tt", "(none)", "-t", "-e", "-v"];

/// The log in another style; `old`: in words that only the general reader knows.
fn styled(style: &str, old: bool) -> String {
    let mut styled = String::new();
    for line in log().lines() {
        let (stamp, packet) = line.split_at("2009-03-02 01:00:00.000000 ".len());
        let packet = packet.strip_prefix("IP ").unwrap_or(packet);
        let (time, seconds) = (&stamp["2009-03-02 ".len()..], &stamp["2009-03-02 01:00:".len()..]);
        let before = match style {
            "-tttt" => format!("{stamp}IP "),
            "-tt" => format!("12359556{seconds}IP "),
            "(none)" => format!("{time}IP "),
            "-t" => "IP ".to_owned(),
            "-e" => {
                format!("{stamp}02:00:00:00:00:02 > 02:00:00:00:00:01, ethertype IPv4 (0x0800), length 62: ")
            }
            _ => format!(
                "{stamp}IP (tos 0x0, ttl 113, id 7, offset 0, flags [DF], proto TCP (6), length 48)\n    "
            ),
        };
        let (before, packet) = if old {
            (old_words(&before), packet.replace("Flags [S], seq", "S"))
        } else {
            (before, packet.to_owned())
        };
        writeln!(styled, "{before}{packet}").expect("a string takes all");
    }
    styled
}

/// What stood before the addresses in 3.x, and in a header that marks congestion.
fn old_words(before: &str) -> String {
    before
        .replace(
            "02:00:00:00:00:02 > 02:00:00:00:00:01, ethertype IPv4 (0x0800), length",
            "2:0:0:0:0:2 2:0:0:0:0:1 0800",
        )
        .replace("(tos 0x0,", "(tos 0x2,ECT(0),")
        .replace("IP ", "802.1Q vlan#105 P0 ")
}

/// Reads a log and does nothing with its packets but look at them.
fn read_only(text: &str) -> u64 {
    let report = read_source(text.as_bytes(), "log", &ReadOptions::default(), &mut |packet, _| {
        divan::black_box(packet);
    })
    .expect("the log is a log");
    assert_eq!(report.packets, u64::from(LINES), "every line is a packet");
    report.packets
}

#[divan::bench(sample_count = 20, args = STYLES)]
fn short_cut(bencher: divan::Bencher<'_, '_>, style: &str) {
    let text = styled(style, false);
    bencher.counter(ItemsCount::new(LINES)).bench(|| read_only(&text));
}

#[divan::bench(sample_count = 20, args = STYLES)]
fn general_reader(bencher: divan::Bencher<'_, '_>, style: &str) {
    let text = styled(style, true);
    bencher.counter(ItemsCount::new(LINES)).bench(|| read_only(&text));
}

//! tcpdump's text.

use inga::capture::text::TextOptions;
use inga::capture::{Container, ReadOptions};
use inga::packet::{Clock, Packet};

use super::agree;
use super::capture::{Outcome, capture, read};

fn options(date: bool) -> ReadOptions {
    let date = date.then(|| jiff::civil::date(2009, 3, 2));
    ReadOptions { text: TextOptions { date, ..TextOptions::default() }, ..ReadOptions::default() }
}

/// A log: the laws of captures, and two spellings that mean the same give the same packets.
pub(crate) fn text(data: &[u8]) {
    capture(data);
    for dated in [false, true] {
        let whole = read(data, &options(dated));
        if whole.container != Some(Container::Text) || whole.is_packed {
            return;
        }
        let spaced = read(spaced(data).as_slice(), &options(dated));
        agree("the long way", &whole.bare(), &spaced.bare());
        if !data.contains(&b'\r') && !data.contains(&0) {
            let windows = read(carriage_returns(data).as_slice(), &options(dated));
            agree("lines that end as on Windows", &whole.bare(), &windows.bare());
        }
    }
}

/// The same log with a second space behind the first `IP` of each line: no short way takes such a line.
fn spaced(data: &[u8]) -> Vec<u8> {
    let mut all = Vec::with_capacity(data.len() + data.len() / 16);
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        let found = [b"IP ".as_slice(), b"IP6 "]
            .iter()
            .filter_map(|family| {
                line.windows(family.len()).position(|part| part == *family).map(|at| at + family.len())
            })
            .min();
        // A packet's own words may say `IP`, behind its addresses.
        let arrow = line.windows(3).position(|part| part == b" > ").unwrap_or(0);
        match found.filter(|at| *at < arrow) {
            Some(at) => {
                all.extend(&line[..at]);
                all.push(b' ');
                all.extend(&line[at..]);
            }
            None => all.extend(line),
        }
    }
    all
}

fn carriage_returns(data: &[u8]) -> Vec<u8> {
    let mut all = Vec::with_capacity(data.len() + data.len() / 16);
    for byte in data {
        if *byte == b'\n' {
            all.push(b'\r');
        }
        all.push(*byte);
    }
    all
}

/// Times, one a line: each stands before the same packet. A time that is whole by itself says the same among others.
pub(crate) fn times(data: &[u8]) {
    let mut together = Vec::new();
    let mut alone: Vec<Packet> = Vec::new();
    for stamp in data.split(|byte| *byte == b'\n').take(64) {
        let line = [stamp, b" IP 192.0.2.1.1061 > 198.51.100.2.445: Flags [S], seq 7, win 1024, length 0\n"]
            .concat();
        let Outcome { packets, clock, .. } = read(line.as_slice(), &ReadOptions::default());
        let is_whole = clock == Some(Clock::Absolute) && packets.len() == 1;
        // A number in front counts lines, which a line alone does not show.
        if is_whole && !stamp.windows(2).any(|two| two == b"  ") && packets[0].0.time().is_some() {
            alone.push(packets[0].0);
            together.extend(line);
        }
    }
    agree("times together", &alone, &read(together.as_slice(), &ReadOptions::default()).bare());
    text(&[data, b" IP 192.0.2.1.1061 > 198.51.100.2.445: UDP, length 9\n"].concat());
}

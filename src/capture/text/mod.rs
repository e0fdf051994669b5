//! tcpdump text of every age, from 3.x to today, with or without times, link headers and dumps.
//!
//! A line is one of: a packet; the first half of a packet that `-v` prints on two lines; a line that belongs to
//! the packet before (hex, ASCII, details); tcpdump's own talk; or something that cannot be read, which is
//! counted. Payloads that `-A` prints are attackers' bytes and may look like packets: once the first packets
//! have shown how this log begins its lines, a line that begins otherwise is taken for payload.
//!
//! Other programs that passed a log on may have put a time and a name before each line (`prefix`), or written it in
//! UTF-16 (`encoding`). `likeness` decides by the first lines whether a text is tcpdump's at all.
//!
//! The scan is by bytes, by hand. `line` reads every form there is; `quick` and `recall` read the commonplace ones
//! sooner, with the same answers.

mod address;
mod body;
mod encoding;
mod foreign;
mod likeness;
mod line;
mod prefix;
mod quick;
mod recall;
mod services;
mod time;

use std::io::{self, BufRead};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use memchr::memchr;

use crate::event::{Clock, Packet};

use super::{Place, Problem, Problems, Sink};
use encoding::{UTF8_MARK, Utf16};
pub use foreign::Foreign;
pub use likeness::{Likeness, likeness, looks_like_tcpdump};
use line::{Header, Line};
use recall::Recall;
use time::{Stamp, TimeKeeper};

/// Bytes of a line that are looked at; the rest is passed over.
const LINE_MAX: usize = 64 * 1024;

/// What a log does not say.
#[derive(Clone, Debug)]
pub struct TextOptions {
    /// The day of a log that prints times of day only.
    pub date: Option<Date>,
    /// The zone of its times.
    pub zone: TimeZone,
}

impl Default for TextOptions {
    fn default() -> TextOptions {
        TextOptions { date: None, zone: TimeZone::UTC }
    }
}

/// What reading a log found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextSummary {
    /// Packets handed on.
    pub packets: u64,
    /// What its times mean.
    pub clock: Clock,
    /// Lines.
    pub lines: u64,
}

/// Streams a log's packets. Memory does not grow with the log.
///
/// # Errors
/// When the source fails.
pub fn read(
    input: &mut dyn BufRead,
    options: &TextOptions,
    problems: &mut Problems,
    sink: &mut Sink<'_>,
) -> io::Result<TextSummary> {
    let Some(order) = encoding::order(input.fill_buf()?) else {
        return read_utf8(input, options, problems, sink);
    };
    read_utf8(&mut Utf16::new(input, order)?, options, problems, sink)
}

fn read_utf8(
    input: &mut dyn BufRead,
    options: &TextOptions,
    problems: &mut Problems,
    sink: &mut Sink<'_>,
) -> io::Result<TextSummary> {
    let mut reader = Reader::new(options, problems, sink);
    let mut line = Vec::with_capacity(512);
    loop {
        let used = reader.whole_lines(input.fill_buf()?);
        input.consume(used);
        // What is left has its end in bytes to come.
        if !next_line(input, &mut line)? {
            return Ok(reader.finish());
        }
        reader.lines += 1;
        reader.line(&line);
    }
}

/// Reads a line without its end, at most [`LINE_MAX`] bytes of it; `false` at the end of the log.
fn next_line(input: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut any = false;
    loop {
        let ahead = input.fill_buf()?;
        if ahead.is_empty() {
            return Ok(any);
        }
        any = true;
        let end = memchr(b'\n', ahead);
        let part = &ahead[..end.unwrap_or(ahead.len())];
        let room = LINE_MAX - line.len();
        line.extend_from_slice(&part[..part.len().min(room)]);
        let used = part.len() + usize::from(end.is_some());
        input.consume(used);
        if end.is_some() {
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            return Ok(true);
        }
    }
}

fn read_line(text: &[u8], timed: bool, header: Option<Header>) -> Line {
    quick::read(text, header).unwrap_or_else(|| line::read(text, timed, header))
}

struct Reader<'a, 'b> {
    keeper: TimeKeeper<'a>,
    problems: &'a mut Problems,
    sink: &'a mut Sink<'b>,
    lines: u64,
    packets: u64,
    /// The number that `-#` printed last.
    number: Option<u64>,
    /// Whether packets of this log begin with a time of tcpdump's; known from the first packet on.
    timed: Option<bool>,
    /// Whether another program put its own time before them; known from the first packet on.
    logged: Option<bool>,
    /// The first half of a packet, with its time and line.
    pending: Option<(Option<Stamp>, Header, u64)>,
    recall: Recall,
}

impl<'a, 'b> Reader<'a, 'b> {
    fn new(options: &'a TextOptions, problems: &'a mut Problems, sink: &'a mut Sink<'b>) -> Reader<'a, 'b> {
        Reader {
            keeper: TimeKeeper::new(options),
            problems,
            sink,
            lines: 0,
            packets: 0,
            number: None,
            timed: None,
            logged: None,
            pending: None,
            recall: Recall::default(),
        }
    }

    /// Reads the lines that end within what lies ahead; answers how long these are.
    fn whole_lines(&mut self, ahead: &[u8]) -> usize {
        let mut used = 0;
        while let Some(end) = memchr(b'\n', &ahead[used..]) {
            let line = &ahead[used..used + end.min(LINE_MAX)];
            self.lines += 1;
            self.line(line.strip_suffix(b"\r").unwrap_or(line));
            used += end + 1;
        }
        used
    }

    fn line(&mut self, line: &[u8]) {
        if self.logged == Some(false) {
            return self.own_line(line, false);
        }
        let line = line.strip_prefix(UTF8_MARK).unwrap_or(line);
        match prefix::strip(line) {
            Some((logged, rest)) => {
                self.keeper.note_logged(Some(logged));
                // rsyslog writes a tab as `#011`; such a line is part of a packet's dump.
                if !rest.starts_with(b"#011") {
                    self.own_line(rest, true);
                }
            }
            None if self.logged == Some(true) && !line.is_empty() && !is_talk(line) => {
                self.count(Problem::PayloadLine);
            }
            None => {
                self.keeper.note_logged(None);
                self.own_line(line, false);
            }
        }
    }

    /// Reads a line as tcpdump printed it. `logged` says that another program had put its own time before it.
    fn own_line(&mut self, line: &[u8], logged: bool) {
        if line.is_empty() || line[0] == b'\t' {
            return;
        }
        if let Some((stamp, header, _)) = self.pending.filter(|_| line.starts_with(b"    ")) {
            self.second_line(line.trim_ascii_start(), stamp, header);
            return;
        }
        if let Some((stamp, rest)) = self.recall.stamp(line) {
            self.packet_line(Some(stamp), rest, logged);
            return;
        }
        let (number, rest) = match strip_number(line, self.number) {
            Some((number, rest)) => (Some(number), rest),
            None => (None, line),
        };
        let (stamp, rest) = if number.is_some() { time::stamp(rest) } else { self.recall.learn(rest) };
        if stamp.is_none() && (number.is_none() && line[0] == b' ' || is_talk(line)) {
            return;
        }
        if self.timed == Some(true) && stamp.is_none() {
            self.count(Problem::PayloadLine);
            return;
        }
        self.number = number.or(self.number);
        self.packet_line(stamp, rest, logged);
    }

    /// Reads what may be the second half of a packet.
    fn second_line(&mut self, line: &[u8], stamp: Option<Stamp>, header: Header) {
        match read_line(line, true, Some(header)) {
            Line::Packet(packet, problem) => {
                self.pending = None;
                self.packet(packet, stamp, problem);
            }
            Line::HostName => {
                self.pending = None;
                self.count(Problem::HostName);
            }
            _ => {}
        }
    }

    fn packet_line(&mut self, own: Option<Stamp>, rest: &[u8], logged: bool) {
        if let Some((_, _, at)) = self.pending.take() {
            self.problems.count(Problem::UnreadableLine, Place::Line(at));
        }
        let line = read_line(rest, own.is_some(), None);
        if matches!(line, Line::Packet(..) | Line::Header(_) | Line::NoAddress) {
            self.timed.get_or_insert(own.is_some());
            self.logged.get_or_insert(logged);
        }
        let stamp = if logged { self.keeper.or_logged(own) } else { own };
        match line {
            Line::Packet(packet, problem) => self.packet(packet, stamp, problem),
            Line::Header(header) => self.pending = Some((stamp, header, self.lines)),
            Line::HostName => self.count(Problem::HostName),
            Line::NoAddress => {
                self.count(Problem::NotIp);
                self.keeper.pass(stamp);
            }
            Line::Other => self.count(Problem::UnreadableLine),
        }
    }

    fn packet(&mut self, packet: Packet, stamp: Option<Stamp>, problem: Option<Problem>) {
        if let Some(problem) = problem {
            self.count(problem);
        }
        self.packets += 1;
        if stamp == Some(Stamp::Unreadable) {
            self.count(Problem::UnreadableTime);
        }
        let sink = &mut *self.sink;
        self.keeper.take(packet, stamp, &mut |packet| sink(&packet, &[]));
    }

    fn count(&mut self, problem: Problem) {
        self.problems.count(problem, Place::Line(self.lines));
    }

    fn finish(self) -> TextSummary {
        let Reader { keeper, problems, sink, lines, packets, pending, .. } = self;
        if let Some((_, _, at)) = pending {
            problems.count(Problem::UnreadableLine, Place::Line(at));
        }
        let clock = keeper.finish(&mut |packet| sink(&packet, &[]));
        TextSummary { packets, clock, lines }
    }
}

/// What tcpdump says about itself.
fn is_talk(line: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 6] = [
        b"tcpdump: ",
        b"reading from ",
        b"listening on ",
        b"dropped privs",
        b"Warning: ",
        b"tcpdump version",
    ];
    const ENDS: [&[u8]; 4] =
        [b" packets captured", b" packet captured", b" received by filter", b" dropped by kernel"];
    BEGINNINGS.iter().any(|text| line.starts_with(text)) || ENDS.iter().any(|text| line.ends_with(text))
}

/// The packet number of `-#`, which stands before everything else and goes up by one.
fn strip_number(line: &[u8], last: Option<u64>) -> Option<(u64, &[u8])> {
    let text = line.trim_ascii_start();
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = text[digits..].strip_prefix(b"  ")?;
    let number: u64 = std::str::from_utf8(&text[..digits]).ok()?.parse().ok()?;
    let expected = last.is_none_or(|last| number > last);
    // A five-column number is followed by exactly two spaces; so is nothing else that begins a line.
    (expected && digits > 0 && line.len() - rest.len() >= 7).then_some((number, rest))
}

#[cfg(test)]
mod logged_tests;
#[cfg(test)]
mod quick_tests;
#[cfg(test)]
mod tests;

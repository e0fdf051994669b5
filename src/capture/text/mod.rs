//! Text logs of tcpdump, in the formats of all versions since 3.x, with or without times, link headers and
//! dumps.
//!
//! A line is one of: a packet; the first half of a packet that `-v` prints on two lines; a line that belongs
//! to the packet before it (hex, ASCII, details); a message of tcpdump about itself; or a line that cannot be
//! parsed, which is counted. Payloads that `-A` prints are bytes chosen by attackers and may look like
//! packets. Once the first packet has shown how the lines of this log begin, a line that begins otherwise is
//! therefore taken for payload.
//!
//! Other programs that passed a log on may have inserted a time and a name before each line (`prefix`), or
//! written it in UTF-16 (`encoding`). `likeness` decides by the first lines whether a text is a tcpdump log
//! at all.
//!
//! Lines are parsed by hand as bytes. `line` parses every known format; `quick` and `time_cache` parse the most
//! common ones faster, with the same results.

mod address;
mod body;
mod encoding;
mod foreign;
mod likeness;
mod line;
mod prefix;
mod printed_header;
mod printed_probe;
mod printed_time;
mod quick;
mod services;
mod time;
mod time_cache;

use std::io::{self, BufRead};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use memchr::memchr;

use crate::packet::{Clock, Packet};

use super::{CapturePosition, PacketSink, Problem, Problems};
use encoding::{UTF8_MARK, Utf16Reader};
pub use foreign::ForeignLog;
pub use likeness::{TcpdumpLikeness, looks_like_tcpdump, tcpdump_likeness};
use line::ParsedLine;
use printed_header::PrintedHeader;
use printed_time::PrintedTime;
use time::TimeConverter;
use time_cache::TimeCache;

/// Maximum number of bytes of a line that are parsed; the rest is skipped.
const LINE_MAX: usize = 64 * 1024;

/// Information that a log does not contain.
#[derive(Clone, Debug)]
pub struct TextOptions {
    /// The date of a log that prints only times of day.
    pub date: Option<Date>,
    /// The time zone of its times.
    pub zone: TimeZone,
}

impl Default for TextOptions {
    fn default() -> TextOptions {
        TextOptions { date: None, zone: TimeZone::UTC }
    }
}

/// The result of reading a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextSummary {
    /// The number of packets passed on.
    pub packets: u64,
    /// The kind of its times.
    pub clock: Clock,
    /// The number of lines.
    pub lines: u64,
}

/// Streams the packets of a log. Memory does not grow with the log.
///
/// # Errors
/// Returns an error if the source cannot be read.
pub fn read(
    input: &mut dyn BufRead,
    options: &TextOptions,
    problems: &mut Problems,
    sink: &mut PacketSink<'_>,
) -> io::Result<TextSummary> {
    let Some(order) = encoding::byte_order(input.fill_buf()?) else {
        return read_utf8(input, options, problems, sink);
    };
    read_utf8(&mut Utf16Reader::new(input, order)?, options, problems, sink)
}

/// Streams the packets of a log in UTF-8.
fn read_utf8(
    input: &mut dyn BufRead,
    options: &TextOptions,
    problems: &mut Problems,
    sink: &mut PacketSink<'_>,
) -> io::Result<TextSummary> {
    let mut reader = LogReader::new(options, problems, sink);
    let mut line = Vec::with_capacity(512);
    loop {
        let used = reader.read_whole_lines(input.fill_buf()?);
        input.consume(used);
        // The end of the remaining line is not buffered yet.
        if !next_line(input, &mut line)? {
            return Ok(reader.finish());
        }
        reader.lines += 1;
        reader.prefixed_line(&line);
    }
}

/// Reads a line without its line end, at most [`LINE_MAX`] bytes of it. Returns `false` at the end of the
/// log.
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

/// Parses a line without its number and time.
fn read_line(text: &[u8], timed: bool, header: Option<PrintedHeader>) -> ParsedLine {
    quick::parse(text, header).unwrap_or_else(|| line::parse(text, timed, header))
}

/// The state of reading a log line by line.
struct LogReader<'a, 'b> {
    times: TimeConverter<'a>,
    problems: &'a mut Problems,
    sink: &'a mut PacketSink<'b>,
    /// Number of lines read so far, which is also the number of the current line.
    lines: u64,
    packets: u64,
    /// The last packet number that the option `-#` printed.
    packet_number: Option<u64>,
    /// Whether the packets of this log begin with a time printed by tcpdump. Known from the first packet on.
    has_times: Option<bool>,
    /// Whether another program inserted its own time before each line. Known from the first packet on.
    has_prefixes: Option<bool>,
    /// The first half of a packet, with its time and line number.
    pending: Option<(Option<PrintedTime>, PrintedHeader, u64)>,
    /// The last time, by which similar times are parsed faster.
    time_cache: TimeCache,
}

impl<'a, 'b> LogReader<'a, 'b> {
    fn new(
        options: &'a TextOptions,
        problems: &'a mut Problems,
        sink: &'a mut PacketSink<'b>,
    ) -> LogReader<'a, 'b> {
        LogReader {
            times: TimeConverter::new(options),
            problems,
            sink,
            lines: 0,
            packets: 0,
            packet_number: None,
            has_times: None,
            has_prefixes: None,
            pending: None,
            time_cache: TimeCache::default(),
        }
    }

    /// Reads all lines that end within the buffered bytes. Returns the length of these lines, in bytes.
    fn read_whole_lines(&mut self, ahead: &[u8]) -> usize {
        let mut used = 0;
        while let Some(end) = memchr(b'\n', &ahead[used..]) {
            let line = &ahead[used..used + end.min(LINE_MAX)];
            self.lines += 1;
            self.prefixed_line(line.strip_suffix(b"\r").unwrap_or(line));
            used += end + 1;
        }
        used
    }

    /// Reads a line, which may begin with the prefix of another program.
    fn prefixed_line(&mut self, line: &[u8]) {
        if self.has_prefixes == Some(false) {
            return self.tcpdump_line(line, false);
        }
        let line = line.strip_prefix(UTF8_MARK).unwrap_or(line);
        match prefix::strip(line) {
            Some((logged, rest)) => {
                self.times.set_logged(Some(logged));
                // rsyslog writes a tab as `#011`. Such a line is part of a packet's dump.
                if !rest.starts_with(b"#011") {
                    self.tcpdump_line(rest, true);
                }
            }
            None if self.has_prefixes == Some(true) && !line.is_empty() && !is_tcpdump_message(line) => {
                self.count_problem(Problem::PayloadLine);
            }
            None => {
                self.times.set_logged(None);
                self.tcpdump_line(line, false);
            }
        }
    }

    /// Reads a line as printed by tcpdump. `logged` says that another program had inserted its own time
    /// before it.
    fn tcpdump_line(&mut self, line: &[u8], logged: bool) {
        if line.is_empty() || line[0] == b'\t' {
            return;
        }
        if let Some((stamp, header, _)) = self.pending.filter(|_| line.starts_with(b"    ")) {
            self.second_line(line.trim_ascii_start(), stamp, header);
            return;
        }
        if let Some((stamp, rest)) = self.time_cache.split_time(line) {
            self.packet_line(Some(stamp), rest, logged);
            return;
        }
        let (number, rest) = match strip_packet_number(line, self.packet_number) {
            Some((number, rest)) => (Some(number), rest),
            None => (None, line),
        };
        let (stamp, rest) = if number.is_some() {
            printed_time::split_time(rest)
        } else {
            self.time_cache.split_and_cache(rest)
        };
        if stamp.is_none() && (number.is_none() && line[0] == b' ' || is_tcpdump_message(line)) {
            return;
        }
        if self.has_times == Some(true) && stamp.is_none() {
            self.count_problem(Problem::PayloadLine);
            return;
        }
        self.packet_number = number.or(self.packet_number);
        self.packet_line(stamp, rest, logged);
    }

    /// Reads a line that may be the second half of a packet.
    fn second_line(&mut self, line: &[u8], stamp: Option<PrintedTime>, header: PrintedHeader) {
        match read_line(line, true, Some(header)) {
            ParsedLine::Packet(packet, problem) => {
                self.pending = None;
                self.emit_packet(packet, stamp, problem);
            }
            ParsedLine::HostName => {
                self.pending = None;
                self.count_problem(Problem::HostName);
            }
            _ => {}
        }
    }

    /// Reads a line that may be a packet or its first half. `own` is the time that tcpdump printed.
    fn packet_line(&mut self, own: Option<PrintedTime>, rest: &[u8], logged: bool) {
        if let Some((_, _, at)) = self.pending.take() {
            self.problems.count(Problem::UnreadableLine, CapturePosition::Line(at));
        }
        let line = read_line(rest, own.is_some(), None);
        if matches!(line, ParsedLine::Packet(..) | ParsedLine::Header(_) | ParsedLine::NoAddress) {
            self.has_times.get_or_insert(own.is_some());
            self.has_prefixes.get_or_insert(logged);
        }
        let stamp = if logged { self.times.or_logged(own) } else { own };
        match line {
            ParsedLine::Packet(packet, problem) => self.emit_packet(packet, stamp, problem),
            ParsedLine::Header(header) => self.pending = Some((stamp, header, self.lines)),
            ParsedLine::HostName => self.count_problem(Problem::HostName),
            ParsedLine::NoAddress => {
                self.count_problem(Problem::NotIp);
                self.times.accept_time(stamp);
            }
            ParsedLine::Other => self.count_problem(Problem::UnreadableLine),
        }
    }

    /// Passes a packet on, with its time.
    fn emit_packet(&mut self, packet: Packet, stamp: Option<PrintedTime>, problem: Option<Problem>) {
        if let Some(problem) = problem {
            self.count_problem(problem);
        }
        self.packets += 1;
        if stamp == Some(PrintedTime::Unreadable) {
            self.count_problem(Problem::UnreadableTime);
        }
        let sink = &mut *self.sink;
        self.times.accept_packet(packet, stamp, &mut |packet| sink(&packet, &[]));
    }

    /// Counts a problem at the current line.
    fn count_problem(&mut self, problem: Problem) {
        self.problems.count(problem, CapturePosition::Line(self.lines));
    }

    /// Passes on the packets that still wait for their times, and returns the summary.
    fn finish(self) -> TextSummary {
        let LogReader { times: keeper, problems, sink, lines, packets, pending, .. } = self;
        if let Some((_, _, at)) = pending {
            problems.count(Problem::UnreadableLine, CapturePosition::Line(at));
        }
        let clock = keeper.finish(&mut |packet| sink(&packet, &[]));
        TextSummary { packets, clock, lines }
    }
}

/// Returns whether a line is a message of tcpdump about itself.
fn is_tcpdump_message(line: &[u8]) -> bool {
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

/// Splits off the packet number that `-#` prints before everything else. The number must be larger than the
/// last one.
fn strip_packet_number(line: &[u8], last: Option<u64>) -> Option<(u64, &[u8])> {
    let text = line.trim_ascii_start();
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = text[digits..].strip_prefix(b"  ")?;
    let number: u64 = std::str::from_utf8(&text[..digits]).ok()?.parse().ok()?;
    let expected = last.is_none_or(|last| number > last);
    // The number is printed in at least five columns and followed by two spaces. No other line begins like
    // this.
    (expected && digits > 0 && line.len() - rest.len() >= 7).then_some((number, rest))
}

#[cfg(test)]
mod logged_tests;
#[cfg(test)]
mod quick_tests;
#[cfg(test)]
mod tests;

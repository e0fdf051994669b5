//! Reads captures for the use cases: the options that all of them share, and the notices that are shown at
//! the end.

use std::path::{Path, PathBuf};

use indexmap::IndexSet;
use jiff::tz::TimeZone;

use crate::behavior::{Engine, Marks};
use crate::capture::{
    CaptureError, ExpandedPaths, Input, PacketSink, ReadOptions, ReadReport, expand, expand_file, read,
    read_hashed, read_source, sort_by_time,
};
use crate::history::Coverage;
use crate::packet::{Clock, Packet, Timestamp};
use crate::rules::Rules;
use crate::sample::ResolvedAddresses;

use super::AppError;
use super::admission::Overlap;

/// How captures are read, in every use case.
#[derive(Clone, Debug, Default)]
pub struct CaptureOptions {
    /// Options of the capture reader.
    pub read: ReadOptions,
    /// Synthetic rate in packets per second, for logs without times; `None` leaves their packets without a
    /// time.
    pub packets_per_second: Option<f64>,
    /// Number of threads that share the work. With two or more, reading and windowing have a thread each;
    /// with three or more, the processing of closed windows has one too.
    pub threads: usize,
    /// Whether a report's captures may lie outside the report's folder.
    pub allow_outside: bool,
    /// Whether a history accepts packets with implausible times: before 1990, or after tomorrow.
    pub accept_times: bool,
    /// How packets are treated whose time the history has already recorded.
    pub overlap: Overlap,
    /// The capture loss of the capture that is fed, in packets; `None` takes the number that the capture
    /// itself states.
    pub dropped: Option<u64>,
}

impl CaptureOptions {
    /// Returns these options with the date of a log that prints only times of day.
    #[must_use]
    pub fn with_date(mut self, date: Option<jiff::civil::Date>) -> CaptureOptions {
        self.read.text.date = date.or(self.read.text.date);
        self
    }

    /// Returns these options with the time zone of logs that do not name their zone.
    #[must_use]
    pub fn with_zone(mut self, zone: TimeZone) -> CaptureOptions {
        self.read.text.zone = zone;
        self
    }

    /// Returns these options with a number of threads. With more than two, compressed captures are also
    /// unpacked on a thread of their own; two threads are kept busy without it.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> CaptureOptions {
        (self.threads, self.read.read_ahead) = (threads, threads > 2);
        self
    }

    /// Returns these options for a use case that does little work per packet. With two threads and a
    /// compressed input, unpacking then takes one thread and everything else the other, since both take about
    /// as long.
    pub(super) fn for_light_work(&self, input: &Input) -> CaptureOptions {
        let mut options = self.clone();
        if self.threads == 2 && input.is_compressed() {
            (options.threads, options.read.read_ahead) = (1, true);
        }
        options
    }

    /// Returns these options without progress reporting.
    pub(super) fn without_progress(&self) -> CaptureOptions {
        CaptureOptions { read: ReadOptions { progress: None, ..self.read.clone() }, ..self.clone() }
    }

    /// Returns the captures behind paths: files, folders and archives.
    ///
    /// # Errors
    /// As [`expand`].
    pub fn expand(&self, paths: &[PathBuf], notices: &mut Notices) -> Result<Vec<Input>, CaptureError> {
        Ok(notices.take_expanded(expand(paths, &self.read)?))
    }

    /// Returns the captures in a file: the file itself, or the members of an archive.
    ///
    /// # Errors
    /// As [`expand_file`].
    pub(super) fn expand_file(&self, path: &Path, notices: &mut Notices) -> Result<Vec<Input>, CaptureError> {
        Ok(notices.take_expanded(expand_file(path, &self.read)?))
    }

    /// Returns the part of these options that also applies to the captures of a report: limits, the password,
    /// and whether captures may lie outside the folder.
    pub(super) fn for_report(&self) -> CaptureOptions {
        let read = ReadOptions {
            limits: self.read.limits,
            password: self.read.password.clone(),
            ..ReadOptions::default()
        };
        CaptureOptions { read, allow_outside: self.allow_outside, ..CaptureOptions::default() }
    }

    /// Streams a capture in its own order.
    ///
    /// # Errors
    /// As [`read`].
    pub fn stream(&self, input: &Input, sink: &mut PacketSink<'_>) -> Result<ReadReport, CaptureError> {
        self.with_synthetic_times(sink, |sink| read(input, &self.read, sink))
    }

    /// As [`stream`](CaptureOptions::stream), and also returns the hash of the capture's bytes.
    ///
    /// # Errors
    /// As [`read`].
    pub fn stream_hashed(
        &self,
        input: &Input,
        sink: &mut PacketSink<'_>,
    ) -> Result<(ReadReport, [u8; 32]), CaptureError> {
        self.with_synthetic_times(sink, |sink| read_hashed(input, &self.read, sink))
    }

    /// Wraps a sink so that packets without a time get a synthetic one, if a rate is given.
    fn with_synthetic_times<T>(
        &self,
        sink: &mut PacketSink<'_>,
        read: impl FnOnce(&mut PacketSink<'_>) -> T,
    ) -> T {
        let Some(rate) = self.packets_per_second else { return read(sink) };
        let mut made_up = 0u64;
        read(&mut |packet, payload| {
            if packet.time().is_some() {
                return sink(packet, payload);
            }
            sink(&packet.with_time(Some(synthetic_time(made_up, rate))), payload);
            made_up += 1;
        })
    }

    /// Reads a whole capture, sorted by time, with the marks of each packet. If the capture has more packets
    /// than may be held in memory, the first ones are kept and the others are counted.
    ///
    /// # Errors
    /// As [`read`].
    pub fn load_capture(&self, input: &Input, rules: &Rules) -> Result<LoadedCapture, CaptureError> {
        self.load_from(rules, |sink| self.stream(input, sink))
    }

    /// Loads a capture that runs backwards and must be sorted, as
    /// [`load_capture`](CaptureOptions::load_capture) does, and also returns the hash of its bytes. A capture
    /// with more packets than may be held is an error; no packet is left out.
    ///
    /// # Errors
    /// As [`read`], and when the capture has more packets than may be held.
    pub(super) fn load_to_sort(
        &self,
        input: &Input,
        rules: &Rules,
    ) -> Result<(LoadedCapture, [u8; 32]), AppError> {
        let mut content = [0; 32];
        let marked = self.load_from(rules, |sink| {
            let (report, hash) = self.stream_hashed(input, sink)?;
            content = hash;
            Ok(report)
        })?;
        match marked.left_out {
            0 => Ok((marked, content)),
            _ => Err(CaptureError::TooManyToSort {
                input: input.to_string(),
                packets: marked.report.packets,
                limit: self.read.limits.packets_held_max,
            }
            .into()),
        }
    }

    /// As [`load_capture`](CaptureOptions::load_capture), for a capture in memory; `name` is for messages.
    ///
    /// # Errors
    /// As [`read`].
    pub(super) fn load_bytes(
        &self,
        bytes: &[u8],
        name: &str,
        rules: &Rules,
    ) -> Result<LoadedCapture, CaptureError> {
        self.load_from(rules, |sink| {
            self.with_synthetic_times(sink, |sink| read_source(bytes, name, &self.read, sink))
        })
    }

    fn load_from(
        &self,
        rules: &Rules,
        stream: impl FnOnce(&mut PacketSink<'_>) -> Result<ReadReport, CaptureError>,
    ) -> Result<LoadedCapture, CaptureError> {
        let mut packets = Vec::new();
        let mut marks = Vec::new();
        let mut names = ResolvedAddresses::new();
        let limit = self.read.limits.packets_held_max;
        let mut left_out = 0;
        let report = stream(&mut |packet, payload| {
            if packets.len() == limit {
                left_out += 1;
                return;
            }
            packets.push(*packet);
            marks.push(rules.marks(packet, payload));
            super::dns_names::collect_names(packet, payload, &mut names);
        })?;
        if !report.ordered {
            let order = sort_by_time(&mut packets);
            marks = order.into_iter().map(|at| marks[at]).collect();
        }
        let synthetic_time = report.clock == Clock::None;
        Ok(LoadedCapture { packets, marks, names, synthetic_time, left_out, report })
    }
}

/// A capture in memory, with the marks of its packets.
#[derive(Clone, Debug)]
pub struct LoadedCapture {
    /// Its packets in time order.
    pub packets: Vec<Packet>,
    /// The marks of each packet, in the order of `packets`.
    pub marks: Vec<Marks>,
    /// Addresses that a DNS answer in the capture contains.
    pub names: ResolvedAddresses,
    /// Whether the capture has no times of its own.
    pub synthetic_time: bool,
    /// Number of packets that were left out because no more may be held in memory.
    pub left_out: u64,
    /// The reader's report.
    pub report: ReadReport,
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "made-up times need no more"
)]
fn synthetic_time(index: u64, rate: f64) -> Timestamp {
    Timestamp((index as f64 / rate * 1e9) as i64)
}

/// Reads inputs one after the other. An input that cannot be read is reported, and the others are read.
///
/// # Errors
/// When no input can be read. An error that is not caused by a single capture is returned at once.
pub(super) fn each_input(
    inputs: &[Input],
    notices: &mut Notices,
    mut read: impl FnMut(&Input, &mut Notices) -> Result<(), AppError>,
) -> Result<(), AppError> {
    let mut failed: Vec<AppError> = Vec::new();
    for input in inputs {
        match read(input, notices) {
            Err(error) if error.concerns_capture() => failed.push(error),
            other => other?,
        }
    }
    report_failures(failed, inputs.len(), notices)
}

/// Reports the errors of the inputs, `count` in all, that could not be read.
///
/// # Errors
/// The last error, when no input could be read.
pub(super) fn report_failures(
    mut failed: Vec<AppError>,
    count: usize,
    notices: &mut Notices,
) -> Result<(), AppError> {
    let last = if failed.len() == count { failed.pop() } else { None };
    failed.iter().for_each(|error| notices.add_failure(error.to_string()));
    last.map_or(Ok(()), Err)
}

/// Messages for standard error at the end of the work, each once, in the order of their first occurrence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notices {
    messages: IndexSet<String>,
    failures: IndexSet<String>,
}

impl Notices {
    /// Adds a notice.
    pub fn add(&mut self, notice: String) {
        self.messages.insert(notice);
    }

    /// Adds the error of an input that could not be read although others could.
    pub fn add_failure(&mut self, error: String) {
        self.failures.insert(error);
    }

    /// Returns the messages about inputs that could not be read, each with the input's name.
    pub fn failures(&self) -> impl Iterator<Item = &str> {
        self.failures.iter().map(String::as_str)
    }

    /// Adds notices about the files that are not captures or could not be read, and returns the captures.
    fn take_expanded(&mut self, expanded: ExpandedPaths) -> Vec<Input> {
        let ExpandedPaths { inputs, skipped } = expanded;
        for (name, why) in skipped.other_files {
            self.add(format!("{name}: passed over ({why})"));
        }
        if skipped.other_files_unlisted > 0 {
            self.add(format!("{} more files passed over", skipped.other_files_unlisted));
        }
        skipped.errors.into_iter().for_each(|error| self.add_failure(error));
        if skipped.errors_unlisted > 0 {
            self.add_failure(format!("{} more files could not be read", skipped.errors_unlisted));
        }
        inputs
    }

    /// Adds a notice if packets of a capture were left out.
    pub(super) fn add_left_out(&mut self, input: &Input, marked: &LoadedCapture) {
        if marked.left_out > 0 {
            self.add(format!(
                "{input}: cut after its first {} packets, {} more are left out: the results are only of that part of the run; for all of it raise --packets-max (some 350 bytes of memory a packet)",
                marked.packets.len(),
                marked.left_out
            ));
        }
    }

    /// Adds the problems that the reader met in a capture, and a notice if it has no packet.
    pub fn add_report(&mut self, input: &Input, report: &ReadReport) {
        for (problem, tally) in report.problems.iter() {
            self.add(format!("{input}: {} × {problem}, first at {}", tally.count, tally.first));
        }
        if report.packets == 0 {
            self.add(format!("{input}: no packet ({})", report.format));
        }
    }

    /// Adds a notice if the recorder of a sensor lost packets.
    pub fn add_loss(&mut self, sensor: &str, coverage: &Coverage) {
        if let Some(notice) = coverage.loss_notice() {
            self.add(format!("sensor {sensor}: {notice}"));
        }
    }

    /// Adds notices about windows that were closed early and packets that were out of order.
    pub fn add_engine(&mut self, engine: &Engine) {
        if engine.closed_early() > 0 {
            self.add(format!(
                "{} windows closed early: more hosts at a time than the profile's open_windows_max allows",
                engine.closed_early()
            ));
        }
        if engine.backwards() > 0 {
            self.add(format!(
                "{} packets older than those before them; they count in their hosts' open windows",
                engine.backwards()
            ));
        }
    }

    /// Returns all notices, without the failures.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.messages.iter().map(String::as_str)
    }
}

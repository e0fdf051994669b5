//! One pass of a capture through the behavior engine, which yields its contribution to a history.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::app::admission::PacketAdmission;
use crate::app::pipeline::{self, Feed};
use crate::app::type_assigner::TypeAssigner;
use crate::app::{AppError, CaptureOptions, Notices};
use crate::behavior::{Engine, Marks, OpenWindow};
use crate::capture::{CaptureError, Input, PacketSink, ReadReport};
use crate::history::{
    BatchWriter, CaptureRecord, Contribution, DarkPeriods, DarkSpaceLookup, EngineState, FilePart,
    ReopenedWindows, Sensor, SightingCollector, nanoseconds_by_day,
};
use crate::packet::{Packet, Timestamp};
use crate::rules::Rules;
use crate::store::StoreError;

/// The identity of a capture that is fed: its name, content hash, capture loss in packets, and the time of
/// feeding.
pub(super) struct FedCapture {
    pub(super) name: String,
    pub(super) content: [u8; 32],
    pub(super) dropped: Option<u64>,
    pub(super) at: Timestamp,
    /// Its place in a growing file.
    pub(super) part: Option<FilePart>,
}

/// One pass of a capture through the behavior engine.
pub(super) struct Pass<'a> {
    rules: &'a Rules,
    dark_periods: DarkPeriods,
    dark: DarkSpaceLookup,
    zone: TimeZone,
    gatherer: TypeAssigner<'a>,
    pub(super) engine: Engine,
    closed: SightingCollector,
    pub(super) recorded: PacketAdmission,
    captures_before: u64,
    /// The state in which the sensor's engine stopped, if this capture is late: `None` for other captures. A
    /// late capture is read with a new engine, and this state is stored again unchanged.
    kept_state: Option<EngineState>,
}

impl<'a> Pass<'a> {
    pub(super) fn new(
        sensor: &'a Sensor,
        rules: &'a Rules,
        resume: EngineState,
        recorded: PacketAdmission,
        writer: Option<Box<dyn BatchWriter>>,
    ) -> Result<Pass<'a>, AppError> {
        let EngineState { clock: started_at, captures: captures_before, .. } = resume;
        let windows = renumber_marks(resume, rules.mark_names());
        let (dark_periods, zone) = (sensor.dark_periods(), sensor.zone()?);
        let dark = DarkSpaceLookup::new(&dark_periods, &zone);
        Ok(Pass {
            rules,
            gatherer: TypeAssigner::with_dark_spaces(dark.clone(), zone.clone(), rules),
            dark_periods,
            dark,
            zone,
            engine: Engine::resume(rules.profile.clone(), windows, started_at),
            closed: writer.map_or_else(SightingCollector::default, SightingCollector::with_writer),
            recorded,
            captures_before,
            kept_state: None,
        })
    }

    /// Begins a pass for a late capture. It starts without open windows; those of the sensor are kept for the
    /// next capture.
    pub(super) fn new_late(
        sensor: &'a Sensor,
        rules: &'a Rules,
        resume: EngineState,
        recorded: PacketAdmission,
        writer: Option<Box<dyn BatchWriter>>,
    ) -> Result<Pass<'a>, AppError> {
        let fresh = EngineState { captures: resume.captures, ..EngineState::default() };
        Ok(Pass { kept_state: Some(resume), ..Pass::new(sensor, rules, fresh, recorded, writer)? })
    }

    /// Streams a capture, and returns the reader's report and the hash of the capture's content.
    pub(super) fn stream(
        &mut self,
        input: &Input,
        options: &CaptureOptions,
    ) -> Result<(ReadReport, [u8; 32]), CaptureError> {
        self.feed(options.threads, |sink| options.stream_hashed(input, sink))
    }

    /// Takes all packets that `packets` passes to its sink, and returns the result of `packets`.
    pub(super) fn feed<T>(
        &mut self,
        threads: usize,
        packets: impl FnOnce(&mut PacketSink<'_>) -> Result<T, CaptureError>,
    ) -> Result<T, CaptureError> {
        let Pass { rules, dark, recorded, gatherer, engine, closed, .. } = self;
        let read = |feed: &mut Feed<'_>| {
            packets(&mut |packet, payload| {
                if recorded.admits(packet, dark.cached_space_at(packet.time())) {
                    feed.push(packet, rules.marks(packet, payload));
                }
            })
        };
        pipeline::run(threads, engine, read, &mut |windows| gatherer.gather(closed, windows))
    }

    /// Reads a capture again, sorted by time if `sorted` is true.
    pub(super) fn read_again(
        &mut self,
        input: &Input,
        options: &CaptureOptions,
        sorted: bool,
        expected: [u8; 32],
    ) -> Result<(), AppError> {
        let options = options.without_progress();
        let content = if sorted {
            let (loaded, content) = options.load_to_sort(input, self.rules)?;
            for (packet, marks) in loaded.packets.iter().zip(&loaded.marks) {
                self.push_marked(packet, *marks);
            }
            content
        } else {
            self.stream(input, &options)?.1
        };
        if content == expected { Ok(()) } else { Err(AppError::ChangedWhileRead(input.to_string())) }
    }

    fn push_marked(&mut self, packet: &Packet, marks: Marks) {
        let Pass { dark, recorded, gatherer, engine, closed, .. } = self;
        if recorded.admits(packet, dark.cached_space_at(packet.time())) {
            engine.push(packet, marks, &mut |windows| gatherer.gather(closed, windows));
        }
    }

    /// Adds notices if the capture had too many signatures.
    pub(super) fn add_signature_notices(&self, notices: &mut Notices) {
        let (left_out, without_payload) = self.gatherer.signatures_left_out();
        if left_out > 0 {
            notices.add(format!(
                "{left_out} windows and facets without a probe signature: the capture has more than 65536 different ones"
            ));
        }
        if without_payload > 0 {
            notices.add(format!(
                "{without_payload} windows and facets without the hash of their payload: the capture has more than 4096 \
                 different ones"
            ));
        }
    }

    pub(super) fn into_contribution(mut self, fed: FedCapture) -> Result<Contribution, AppError> {
        let clock = self.engine.clock().max(self.recorded.span().map(|(_, last)| last));
        let windows = self.engine.take_open();
        let mut open = SightingCollector::default();
        self.gatherer.gather(&mut open, &windows);
        let mark_names = self.rules.mark_names().to_vec();
        let mut resume =
            EngineState { captures: self.captures_before, clock, windows, mark_names: mark_names.clone() };
        if let Some(kept) = self.kept_state.take() {
            // All windows of a late capture are closed; the windows that the sensor's engine left open stay
            // open.
            self.closed.merge(std::mem::take(&mut open).finish().map_err(StoreError::Io)?);
            self.gatherer.gather(&mut open, &renumber_marks(kept.clone(), self.rules.mark_names()));
            resume = kept;
        }
        let spans = self.recorded.time().spans().to_vec();
        // A day without a dark prefix has no value, which is not zero.
        let mut days: BTreeSet<Date> = nanoseconds_by_day(&spans, &self.zone).into_keys().collect();
        days.retain(|day| self.dark_periods.is_dark_on(*day));
        let (types, type_numbers, signatures) = self.gatherer.into_types();
        Ok(Contribution {
            days,
            capture: CaptureRecord {
                content: fed.content,
                packet_hash: self.recorded.packet_hash(),
                name: fed.name,
                packets: self.recorded.dark,
                recorded: self.recorded.packets,
                dropped: fed.dropped,
                spans,
                fed_at: fed.at,
                part: fed.part,
            },
            mark_names,
            types,
            type_numbers,
            signatures,
            closed: self.closed.finish().map_err(StoreError::Io)?,
            open: open.finish().map_err(StoreError::Io)?,
            captures_before: self.captures_before,
            engine_state: resume,
        })
    }
}

/// Returns the windows that a sensor's engine resumes with, counted as if they ended at their last packet.
///
/// # Errors
/// When the sensor's time zone is unknown.
pub(in crate::app) fn reopen_windows(
    sensor: &Sensor,
    resume: EngineState,
    rules: &Rules,
) -> Result<ReopenedWindows, AppError> {
    let zone = sensor.zone()?;
    let dark = DarkSpaceLookup::new(&sensor.dark_periods(), &zone);
    let mut gatherer = TypeAssigner::with_dark_spaces(dark, zone, rules);
    let mut open = SightingCollector::default();
    gatherer.gather(&mut open, &renumber_marks(resume.clone(), rules.mark_names()));
    let (_, type_numbers, signatures) = gatherer.into_types();
    let mark_names = rules.mark_names().to_vec();
    Ok(ReopenedWindows {
        mark_names,
        type_numbers,
        signatures,
        open: open.finish().map_err(StoreError::Io)?,
        engine_state: resume,
    })
}

/// Returns the open windows with the mark numbers of the current rules. Marks of rules that no longer exist
/// are dropped.
fn renumber_marks(resume: EngineState, names: &[String]) -> Vec<OpenWindow> {
    let now = |was: usize| {
        let name = resume.mark_names.get(was)?;
        names.iter().position(|known| known == name)
    };
    let mut windows = resume.windows.clone();
    for window in &mut windows {
        let marked = window.marked.as_slice().iter();
        window.marked = marked.filter_map(|(was, packets)| Some((now(*was)?, *packets))).collect();
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::admission::{PlausibleTimes, ReadPlan};
    use crate::history::SensorKind;

    #[test]
    fn a_file_that_changes_between_two_readings_is_refused() {
        let rules = Rules::shipped().unwrap();
        let sensor = Sensor {
            name: "T".to_owned(),
            kind: SensorKind::Dark,
            prefixes: vec!["192.0.2.0/24".parse().unwrap()],
            live: vec![],
            time_zone: "UTC".to_owned(),
        };
        let line = "2009-03-02 01:00:00.000000 IP 203.0.113.9.1434 > 192.0.2.1.1434: UDP, length 376\n";
        let file = tempfile::NamedTempFile::new().unwrap();
        let write = |lines: usize| std::fs::write(file.path(), line.repeat(lines)).unwrap();
        let input = Input::Path(file.path().to_owned());
        let options = CaptureOptions::default();
        let pass = || {
            let recorded = PacketAdmission::new(PlausibleTimes::all(), ReadPlan::default(), &[]);
            Pass::new(&sensor, &rules, EngineState::default(), recorded, None).unwrap()
        };
        write(3);
        let (report, content) = pass().stream(&input, &options).unwrap();
        assert_eq!(report.packets, 3);
        for sorted in [false, true] {
            write(3);
            assert!(pass().read_again(&input, &options, sorted, content).is_ok());
            write(4);
            let changed = pass().read_again(&input, &options, sorted, content);
            assert!(matches!(changed, Err(AppError::ChangedWhileRead(_))), "{changed:?}");
        }
    }
}

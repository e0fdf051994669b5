//! Use case: feed captures of a sensor into a history.

use std::path::Path;

use jiff::tz::TimeZone;

use crate::behavior::{Engine, Marks, OpenWindow};
use crate::capture::{CaptureError, Input, ReadReport, Sink};
use crate::event::{Clock, Packet, Timestamp};
use crate::history::{
    BatchWriter, CaptureRecord, Contribution, DarkPeriods, DarkTimes, DiscardBatches, Gathering, Resume,
    Sensor,
};
use crate::rules::Rules;
use crate::store::{HistoryStore, LocalStore, StoreError};

use super::gather::Gatherer;
use super::history::named;
use super::pipeline::{self, Feed};
use super::reading::each_input;
use super::recorded::{PlausibleTimes, Recorded};
use super::{AppError, CaptureOptions, Notices};

/// What feeding one capture did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// It was stored: packets to dark addresses, and all packets.
    Stored {
        /// Packets to the sensor's dark addresses.
        dark: u64,
        /// Packets read.
        packets: u64,
    },
    /// It was gathered, and would have been stored, but for a dry run.
    Gathered {
        /// Packets to the sensor's dark addresses.
        dark: u64,
        /// Packets read.
        packets: u64,
    },
    /// A capture of this content was stored before; nothing changed.
    Known,
}

/// Whether what is gathered is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// It is.
    Stored,
    /// It is not: each capture is read as if it were the next to be fed, and nothing changes.
    DryRun,
}

/// Where captures are fed to.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The history.
    pub history: &'a Path,
    /// The sensor's name.
    pub sensor: &'a str,
    /// Whether they stay there.
    pub keep: Keep,
}

/// Feeds captures into a sensor's history, one after the other; `told` hears of each when it is
/// stored.
///
/// # Errors
/// When there is no such history or sensor, when the store or `told` fails, or when no capture can be read. If some
/// captures can be read, the others are reported as failures. What was stored before stays.
pub fn observe_all(
    place: Place<'_>,
    inputs: &[Input],
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
    told: &mut dyn FnMut(&Input, Observed) -> Result<(), AppError>,
) -> Result<(), AppError> {
    let Place { history, sensor, keep } = place;
    let mut store = match keep {
        Keep::Stored => LocalStore::open_to_write(history, &rules.profile)?,
        Keep::DryRun => LocalStore::open_to_read(history, &rules.profile)?,
    };
    let sensor = named(&store, sensor)?;
    each_input(inputs, notices, |input, notices| {
        let observed = match keep {
            Keep::Stored => observe(&mut store, &sensor, input, options, rules, notices)?,
            Keep::DryRun => match gather(&mut store, &sensor, input, options, rules, notices, keep)? {
                Some((contribution, packets)) => {
                    Observed::Gathered { dark: contribution.capture.packets, packets }
                }
                None => Observed::Known,
            },
        };
        told(input, observed)
    })
}

/// Feeds one capture into a sensor's history, as one transaction.
///
/// Captures are fed in time order. One that begins before the sensor's clock is reduced by itself, with a notice:
/// its windows do not join those of its neighbours.
///
/// # Errors
/// When the capture cannot be read, has no absolute times, or the store fails.
pub fn observe(
    store: &mut dyn HistoryStore,
    sensor: &Sensor,
    input: &Input,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<Observed, AppError> {
    let gathered = gather(store, sensor, input, options, rules, notices, Keep::Stored)?;
    let Some((contribution, packets)) = gathered else { return Ok(Observed::Known) };
    let dark = contribution.capture.packets;
    match store.ingest(&sensor.name, contribution)? {
        true => Ok(Observed::Stored { dark, packets }),
        false => Ok(Observed::Known),
    }
}

/// Feeds packets in time order, as if they were a sensor's next capture.
///
/// # Errors
/// When the store fails.
pub(super) fn ingest_packets(
    store: &mut dyn HistoryStore,
    sensor: &Sensor,
    packets: &[Packet],
    rules: &Rules,
) -> Result<(), AppError> {
    let name = format!("packets {}", store.resume(&sensor.name)?.captures + 1);
    let capture = (name.clone(), *blake3::hash(name.as_bytes()).as_bytes());
    observe_packets(store, sensor, capture, 1, rules, &mut Notices::default(), |sink| {
        packets.iter().for_each(|packet| sink(packet, &[]));
    })?;
    Ok(())
}

/// What a capture adds to a sensor's history, and how many packets it has; `None` for one that was stored before.
fn gather(
    store: &mut dyn HistoryStore,
    sensor: &Sensor,
    input: &Input,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
    keep: Keep,
) -> Result<Option<(Contribution, u64)>, AppError> {
    let resume = store.resume(&sensor.name)?;
    let plausible = match options.accept_times {
        true => PlausibleTimes::all(),
        false => PlausibleTimes::until_tomorrow(super::check::now()),
    };
    let recorded = Recorded::new(plausible, &store.capture_spans(&sensor.name)?);
    let mut pass = Pass::new(sensor, rules, resume.clone(), recorded, writer(store, sensor, rules, keep)?)?;
    let (report, content) = pass.stream(input, options)?;
    if store.has_capture(&sensor.name, &content)? {
        return Ok(None);
    }
    if report.clock != Clock::Absolute && report.packets > 0 {
        return Err(AppError::NoDates(input.to_string()));
    }
    notices.add_report(input, &report);
    if let Some(notice) = pass.recorded.notice() {
        notices.add(format!("{input}: {notice}"));
    }
    let ordered = report.ordered;
    if let Some(end) = pass.recorded.continues_at().filter(|_| ordered) {
        notices
            .add(format!("{input}: continues a stored capture; its packets up to {end} are counted already"));
        let recorded = pass.recorded.again(Some(end));
        pass = Pass::new(sensor, rules, resume.clone(), recorded, writer(store, sensor, rules, keep)?)?;
        pass.stream(input, &options.unwatched())?;
    }
    if !ordered || pass.is_late() {
        let late = pass.is_late();
        let writer = writer(store, sensor, rules, keep)?;
        pass = again(pass, input, options, resume, (ordered, late), writer, notices)?;
    }
    notices.add_engine(&pass.engine);
    Ok(Some((pass.into_contribution(input.to_string(), content)?, report.packets)))
}

/// Where the batches of a capture go.
fn writer(
    store: &mut dyn HistoryStore,
    sensor: &Sensor,
    rules: &Rules,
    keep: Keep,
) -> Result<Option<Box<dyn BatchWriter>>, AppError> {
    match keep {
        Keep::Stored => Ok(store.batch_writer(&sensor.name, rules.mark_names())?),
        Keep::DryRun => Ok(Some(Box::new(DiscardBatches))),
    }
}

/// Feeds packets that are in no file, in time order and after all that was fed before, as one capture of a name and a
/// content; nothing happens where there is no packet. The way through engine and history is that of [`observe`].
///
/// # Errors
/// When the store fails.
pub(super) fn observe_packets(
    store: &mut dyn HistoryStore,
    sensor: &Sensor,
    capture: (String, [u8; 32]),
    threads: usize,
    rules: &Rules,
    notices: &mut Notices,
    packets: impl FnOnce(&mut Sink<'_>),
) -> Result<Observed, AppError> {
    let (name, content) = capture;
    let recorded = Recorded::new(PlausibleTimes::all(), &[]);
    let resume = store.resume(&sensor.name)?;
    let mut pass = Pass::new(sensor, rules, resume, recorded, writer(store, sensor, rules, Keep::Stored)?)?;
    let mut count = 0;
    pass.feed(threads, |sink| {
        packets(&mut |packet, payload| {
            count += 1;
            sink(packet, payload);
        });
        Ok(())
    })?;
    if count == 0 {
        return Ok(Observed::Gathered { dark: 0, packets: 0 });
    }
    notices.add_engine(&pass.engine);
    let contribution = pass.into_contribution(name, content)?;
    let dark = contribution.capture.packets;
    match store.ingest(&sensor.name, contribution)? {
        true => Ok(Observed::Stored { dark, packets: count }),
        false => Ok(Observed::Known),
    }
}

/// Reads a capture a second time because it runs backwards in time (it is then sorted) or because it begins before the
/// sensor's clock (`late`).
fn again<'a>(
    first: Pass<'a>,
    input: &Input,
    options: &CaptureOptions,
    resume: Resume,
    (ordered, late): (bool, bool),
    writer: Option<Box<dyn BatchWriter>>,
    notices: &mut Notices,
) -> Result<Pass<'a>, AppError> {
    if late {
        notices.add(format!(
            "{input}: begins before what was fed already; its windows are not joined with older ones"
        ));
    }
    let from = if late { Resume { captures: resume.captures, ..Resume::default() } } else { resume.clone() };
    let recorded = first.recorded.again(first.recorded.counted_before());
    let rules = first.rules;
    let mut pass = Pass::new(first.sensor, rules, from, recorded, writer)?;
    if ordered {
        pass.stream(input, &options.unwatched())?;
    } else {
        let loaded = options.load_to_sort(input, rules)?;
        notices.add(format!("{input}: runs backwards in time; sorted"));
        for (packet, marks) in loaded.packets.iter().zip(&loaded.marks) {
            pass.push_marked(packet, *marks);
        }
    }
    if late {
        pass.keep_for_later = Some(resume);
    }
    Ok(pass)
}

/// One capture's way through the engine.
struct Pass<'a> {
    sensor: &'a Sensor,
    rules: &'a Rules,
    dark_periods: DarkPeriods,
    /// The same by the time of a packet: one counts if its destination was dark on its day.
    dark: DarkTimes,
    zone: TimeZone,
    gatherer: Gatherer<'a>,
    engine: Engine,
    closed: Gathering,
    recorded: Recorded,
    started_at: Option<Timestamp>,
    captures_before: u64,
    /// The state of the sensor's engine that a late capture leaves as it is.
    keep_for_later: Option<Resume>,
}

impl<'a> Pass<'a> {
    fn new(
        sensor: &'a Sensor,
        rules: &'a Rules,
        resume: Resume,
        recorded: Recorded,
        writer: Option<Box<dyn BatchWriter>>,
    ) -> Result<Pass<'a>, AppError> {
        let Resume { clock: started_at, captures: captures_before, .. } = resume;
        let windows = renumbered(resume, rules.mark_names());
        let (dark_periods, zone) = (sensor.dark_periods(), sensor.zone()?);
        let dark = DarkTimes::new(&dark_periods, &zone);
        Ok(Pass {
            sensor,
            rules,
            gatherer: Gatherer::dated(dark.clone(), zone.clone(), rules),
            dark_periods,
            dark,
            zone,
            engine: Engine::resume(rules.profile.clone(), windows, started_at),
            closed: writer.map_or_else(Gathering::default, Gathering::with_writer),
            recorded,
            started_at,
            captures_before,
            keep_for_later: None,
        })
    }

    /// Streams a capture; answers what the capture is known by, too.
    fn stream(
        &mut self,
        input: &Input,
        options: &CaptureOptions,
    ) -> Result<(ReadReport, [u8; 32]), CaptureError> {
        self.feed(options.threads, |sink| options.stream_hashed(input, sink))
    }

    /// Takes all packets that `packets` hands on, and answers what it answers.
    fn feed<T>(
        &mut self,
        threads: usize,
        packets: impl FnOnce(&mut Sink<'_>) -> Result<T, CaptureError>,
    ) -> Result<T, CaptureError> {
        let Pass { rules, dark, recorded, gatherer, engine, closed, .. } = self;
        let read = |feed: &mut Feed<'_>| {
            packets(&mut |packet, payload| {
                if recorded.takes(packet, dark.at(packet.time())) {
                    feed.push(packet, rules.marks(packet, payload));
                }
            })
        };
        pipeline::run(threads, engine, read, &mut |windows| gatherer.gather(closed, windows))
    }

    fn push_marked(&mut self, packet: &Packet, marks: Marks) {
        let Pass { dark, recorded, gatherer, engine, closed, .. } = self;
        if recorded.takes(packet, dark.at(packet.time())) {
            engine.push(packet, marks, &mut |windows| gatherer.gather(closed, windows));
        }
    }

    fn is_late(&self) -> bool {
        self.started_at.is_some()
            && self.recorded.span.is_some_and(|(first, _)| Some(first) < self.started_at)
    }

    fn into_contribution(mut self, name: String, content: [u8; 32]) -> Result<Contribution, AppError> {
        let clock = self.engine.clock().max(self.recorded.span.map(|(_, last)| last));
        let windows = self.engine.take_open();
        let mut open = Gathering::default();
        self.gatherer.gather(&mut open, &windows);
        let mark_names = self.rules.mark_names().to_vec();
        let mut resume =
            Resume { captures: self.captures_before, clock, windows, mark_names: mark_names.clone() };
        if let Some(kept) = self.keep_for_later.take() {
            // A late capture is closed as a whole; what its elder left open stays open.
            self.closed.merge(std::mem::take(&mut open).finish().map_err(StoreError::Io)?);
            self.gatherer.gather(&mut open, &renumbered(kept.clone(), self.rules.mark_names()));
            resume = kept;
        }
        let mut days = self.recorded.days(&self.zone);
        // A day without a dark prefix has no value, which is not zero.
        days.retain(|day| self.dark_periods.is_dark_on(*day));
        let (types, type_numbers) = self.gatherer.into_types();
        Ok(Contribution {
            capture: CaptureRecord {
                content,
                name,
                packets: self.recorded.dark,
                first: self.recorded.span.map(|(first, _)| first),
                last: self.recorded.span.map(|(_, last)| last),
            },
            days,
            mark_names,
            types,
            type_numbers,
            closed: self.closed.finish().map_err(StoreError::Io)?,
            open: open.finish().map_err(StoreError::Io)?,
            captures_before: self.captures_before,
            resume,
        })
    }
}

/// The open windows with their marks numbered as the present rules number them; marks of rules that are gone are
/// dropped.
fn renumbered(resume: Resume, names: &[String]) -> Vec<OpenWindow> {
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

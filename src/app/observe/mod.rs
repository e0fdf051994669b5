//! Use case: feeds captures of a sensor into a history.

mod declared_time;
mod pass;

use std::path::Path;

use crate::capture::{Input, PacketSink};
use crate::history::{BatchWriter, Contribution, DiscardBatches, Sensor};
use crate::packet::{Clock, Packet, Timestamp};
use crate::rules::Rules;
use crate::store::{HistoryStore, LocalStore, StoreError};

use super::admission::{GrowingFile, PacketAdmission, PlausibleTimes, ReadPlan};
use super::declared_span::DeclaredSpan;
use super::history::find_sensor;
use super::reading::each_input;
use super::{AppError, CaptureOptions, Notices};
use declared_time::store_declared_span;
pub(super) use pass::reopen_windows;
use pass::{FedCapture, Pass};

/// The outcome of feeding one capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedOutcome {
    /// The capture was stored.
    Stored {
        /// Packets to the sensor's dark addresses.
        dark: u64,
        /// Packets read.
        packets: u64,
    },
    /// The capture was read in a dry run and would have been stored. Also the outcome of feeding no packets.
    NotStored {
        /// Packets to the sensor's dark addresses.
        dark: u64,
        /// Packets read.
        packets: u64,
    },
    /// A capture with this content, or with these packets, was stored before. Nothing changed.
    AlreadyStored,
    /// No packet of the capture counts, or none went to a dark address, so nothing was stored.
    NothingToStore {
        /// Packets read.
        packets: u64,
    },
}

/// The time that `--covers` added to the recorded time of a sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddedTime {
    /// Length in nanoseconds of the time that was not recorded before.
    pub nanoseconds: i64,
}

/// Whether captures are stored, or only read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreMode {
    /// Each capture is read and stored.
    Store,
    /// Each capture is read as if it were the next one to be stored. The history does not change.
    DryRun,
}

/// The history and sensor that captures are fed to.
#[derive(Clone, Copy, Debug)]
pub struct FeedTarget<'a> {
    /// The history.
    pub history: &'a Path,
    /// The sensor's name.
    pub sensor: &'a str,
    /// Whether the captures are stored.
    pub mode: StoreMode,
    /// Time in which the sensor recorded, whether or not a capture has a packet of it.
    pub declared_span: Option<&'a DeclaredSpan>,
}

/// Feeds captures into the history of a sensor, in the given order, and then stores the time of `--covers`.
///
/// Each time a capture is done, `told` is called with the capture and its outcome. The function returns the
/// recorded time that `--covers` added to the sensor, or `None` if `--covers` was not given.
///
/// A capture that cannot be read is noted in `notices` as a failure, and the other captures are fed.
///
/// # Errors
/// - The history or the sensor does not exist.
/// - The store fails.
/// - `told` returns an error.
/// - None of the captures can be read.
///
/// Captures that were stored before the error stay stored.
pub fn observe_all(
    place: FeedTarget<'_>,
    inputs: &[Input],
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
    report: &mut dyn FnMut(&Input, FeedOutcome) -> Result<(), AppError>,
) -> Result<Option<AddedTime>, AppError> {
    let FeedTarget { history, sensor, mode: keep, declared_span: covers } = place;
    if options.dropped.is_some() && inputs.len() > 1 {
        return Err(AppError::Usage(
            "--dropped is the loss of one capture; feed each with its own".to_owned(),
        ));
    }
    let mut store = match keep {
        StoreMode::Store => LocalStore::open_to_write(history, &rules.profile)?,
        StoreMode::DryRun => LocalStore::open_to_read(history, &rules.profile)?,
    };
    let sensor = find_sensor(&store, sensor)?;
    if let Some(covers) = covers {
        // An invalid value is reported before anything is stored.
        declared_time::checked_span(covers, &sensor, options)?;
    }
    each_input(inputs, notices, |input, notices| {
        let observed = match keep {
            StoreMode::Store => observe(&mut store, &sensor, input, options, rules, notices)?,
            StoreMode::DryRun => {
                let mode = ReadMode { keep, file: None };
                match read_capture(&mut store, &sensor, input, options, rules, notices, mode)? {
                    ReadOutcome::New { contribution, packets, .. } => {
                        FeedOutcome::NotStored { dark: contribution.capture.packets, packets }
                    }
                    ReadOutcome::NoContribution(observed) => observed,
                }
            }
        };
        report(input, observed)
    })?;
    if keep == StoreMode::Store {
        store.complete_merges(&sensor.name)?;
    }
    match covers {
        Some(covers) if keep == StoreMode::Store => {
            store_declared_span(&mut store, &sensor, covers, options, rules).map(Some)
        }
        _ => Ok(None),
    }
}

/// Maximum number of attempts to feed a capture. It is read again if another process fed the same sensor in
/// the meantime.
const ATTEMPTS_MAX: usize = 5;

/// Feeds one capture into a sensor's history, in one transaction.
///
/// Captures should be fed in time order. A capture that begins before the newest packet of the sensor forms
/// windows of its own, which are not joined with those of neighboring captures; a notice reports this.
///
/// When the capture cannot be read, has no absolute times, overlaps stored captures, changes while it is
/// read, or the store fails.
pub fn observe(
    store: &mut dyn HistoryStore,
    sensor: &Sensor,
    input: &Input,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<FeedOutcome, AppError> {
    observe_part(store, sensor, input, options, rules, notices, None)
}

/// Feeds a capture as [`observe`] does. If the capture is the next part of a growing file, `file` is the state of that file:
/// it describes the parts that were stored before. Once this part is stored, the function adds it to `file`.
///
/// # Errors
/// As [`observe`].
pub(super) fn observe_part(
    store: &mut dyn HistoryStore,
    sensor: &Sensor,
    input: &Input,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
    mut file: Option<&mut GrowingFile>,
) -> Result<FeedOutcome, AppError> {
    let mut attempts = 1;
    loop {
        let mode = ReadMode { keep: StoreMode::Store, file: file.as_deref() };
        let (contribution, packets, next) =
            match read_capture(store, sensor, input, options, rules, notices, mode)? {
                ReadOutcome::New { contribution, packets, file } => (contribution, packets, file),
                ReadOutcome::NoContribution(observed) => return Ok(observed),
            };
        let dark = contribution.capture.packets;
        match store.ingest(&sensor.name, *contribution) {
            Ok(true) => {
                if let (Some(file), Some(next)) = (&mut file, next) {
                    **file = next;
                }
                return Ok(FeedOutcome::Stored { dark, packets });
            }
            Ok(false) => return Ok(FeedOutcome::AlreadyStored),
            Err(StoreError::ConcurrentChange) if attempts < ATTEMPTS_MAX => attempts += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Feeds packets in time order as the next capture of a sensor.
///
/// # Errors
/// When the store fails.
pub(super) fn ingest_packets(
    store: &mut dyn HistoryStore,
    sensor: &Sensor,
    packets: &[Packet],
    rules: &Rules,
) -> Result<(), AppError> {
    let name = format!("packets {}", store.engine_state(&sensor.name)?.captures + 1);
    let capture = (name.clone(), *blake3::hash(name.as_bytes()).as_bytes());
    observe_packets(store, sensor, capture, 1, rules, &mut Notices::default(), |sink| {
        packets.iter().for_each(|packet| sink(packet, &[]));
    })?;
    Ok(())
}

/// How a capture is read.
#[derive(Clone, Copy)]
struct ReadMode<'a> {
    keep: StoreMode,
    /// The state of the growing file whose next part the capture is; `None` for a capture that is a whole file.
    file: Option<&'a GrowingFile>,
}

/// The outcome of reading a capture.
enum ReadOutcome {
    /// The capture's contribution to the sensor's history, the number of packets that were read, and the growing file
    /// with this part.
    New { contribution: Box<Contribution>, packets: u64, file: Option<GrowingFile> },
    /// The capture contributes nothing, with the outcome to report.
    NoContribution(FeedOutcome),
}

/// Reads a capture as often as necessary to know which of its packets count (see [`ReadPlan`]), and gathers these
/// packets.
fn read_capture(
    store: &mut dyn HistoryStore,
    sensor: &Sensor,
    input: &Input,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
    ReadMode { keep, file }: ReadMode<'_>,
) -> Result<ReadOutcome, AppError> {
    let resume = store.engine_state(&sensor.name)?;
    let stored = store.captures(&sensor.name)?;
    let now = super::now();
    let plausible =
        if options.accept_times { PlausibleTimes::all() } else { PlausibleTimes::until_tomorrow(now) };
    let mut plan = ReadPlan::default();
    let recorded = PacketAdmission::new(plausible, plan.clone(), &stored).continuing(file);
    let mut pass = Pass::new(sensor, rules, resume.clone(), recorded, writer(store, sensor, rules, keep)?)?;
    let (report, content) = pass.stream(input, options)?;
    if store.has_capture(&sensor.name, &content)? {
        return Ok(ReadOutcome::NoContribution(FeedOutcome::AlreadyStored));
    }
    if report.clock != Clock::Absolute && report.packets > 0 {
        return Err(AppError::NoDates(input.to_string()));
    }
    notices.add_report(input, &report);
    loop {
        let next = plan.revised(input, &pass.recorded, &stored, options.overlap, resume.clock)?;
        if next == plan {
            break;
        }
        plan = next;
        let recorded = PacketAdmission::new(plausible, plan.clone(), &stored).continuing(file);
        pass = if plan.late {
            Pass::new_late(sensor, rules, resume.clone(), recorded, writer(store, sensor, rules, keep)?)?
        } else {
            Pass::new(sensor, rules, resume.clone(), recorded, writer(store, sensor, rules, keep)?)?
        };
        pass.read_again(input, options, plan.sorted, content)?;
    }
    add_notices(input, &plan, &pass, notices);
    let packets = report.packets;
    if pass.recorded.packets == 0 || (pass.recorded.dark == 0 && plan.stored_names.is_empty()) {
        return Ok(ReadOutcome::NoContribution(nothing_new(
            sensor,
            input,
            &plan,
            &pass.recorded,
            packets,
            notices,
        )));
    }
    let dropped = plan.newly_dropped(options.dropped.or(report.dropped));
    let zone = sensor.zone()?;
    let file = file.map(|file| file.after_part(&pass.recorded, content, &zone));
    let part = file.as_ref().and_then(GrowingFile::last_part);
    let capture = FedCapture { name: input.to_string(), content, dropped, at: now, part };
    Ok(ReadOutcome::New { contribution: Box::new(pass.into_contribution(capture)?), packets, file })
}

/// Returns the writer for the batches of a capture; in a dry run it discards them.
fn writer(
    store: &mut dyn HistoryStore,
    sensor: &Sensor,
    rules: &Rules,
    keep: StoreMode,
) -> Result<Option<Box<dyn BatchWriter>>, AppError> {
    match keep {
        StoreMode::Store => Ok(store.batch_writer(&sensor.name, rules.mark_names())?),
        StoreMode::DryRun => Ok(Some(Box::new(DiscardBatches))),
    }
}

fn add_notices(input: &Input, plan: &ReadPlan, pass: &Pass<'_>, notices: &mut Notices) {
    for notice in pass.recorded.notices() {
        notices.add(format!("{input}: {notice}"));
    }
    if plan.sorted {
        notices.add(format!("{input}: runs backwards in time; sorted"));
    }
    if plan.late {
        notices.add(format!(
            "{input}: begins before what was fed already; its windows are not joined with older ones"
        ));
    }
    notices.add_engine(&pass.engine);
    pass.add_signature_notices(notices);
}

/// Returns the outcome of feeding a capture that adds nothing to the history, and adds the reason to
/// `notices`. There are two reasons: all packets of the capture are left out, or no packet went to a dark
/// address of the sensor. A capture without a packet to a dark address is most probably a capture of another
/// sensor, so its time is not recorded time of this sensor.
fn nothing_new(
    sensor: &Sensor,
    input: &Input,
    plan: &ReadPlan,
    recorded: &PacketAdmission,
    packets: u64,
    notices: &mut Notices,
) -> FeedOutcome {
    if recorded.packets == 0 && !plan.stored_names.is_empty() {
        return FeedOutcome::AlreadyStored;
    }
    if recorded.packets > 0 {
        notices.add(format!(
            "{input}: no packet to a dark address of sensor {}: not taken as recorded time; if the sensor recorded, \
             say so with --covers FROM..TO",
            sensor.name
        ));
    }
    FeedOutcome::NothingToStore { packets }
}

/// Stores packets that come from no file as one capture of the sensor; `capture` is its name and content
/// hash. The packets must be in time order and later than everything that was fed before. Without any packet
/// nothing is stored.
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
    packets: impl FnOnce(&mut PacketSink<'_>),
) -> Result<FeedOutcome, AppError> {
    let (name, content) = capture;
    let recorded = PacketAdmission::new(PlausibleTimes::all(), ReadPlan::for_trusted_times(), &[]);
    let resume = store.engine_state(&sensor.name)?;
    let mut pass =
        Pass::new(sensor, rules, resume, recorded, writer(store, sensor, rules, StoreMode::Store)?)?;
    let mut count = 0;
    pass.feed(threads, |sink| {
        packets(&mut |packet, payload| {
            count += 1;
            sink(packet, payload);
        });
        Ok(())
    })?;
    if count == 0 {
        return Ok(FeedOutcome::NotStored { dark: 0, packets: 0 });
    }
    notices.add_engine(&pass.engine);
    pass.add_signature_notices(notices);
    let at = pass.recorded.span().map_or_else(Timestamp::default, |(_, last)| last);
    let contribution = pass.into_contribution(FedCapture { name, content, dropped: None, at, part: None })?;
    let dark = contribution.capture.packets;
    match store.ingest(&sensor.name, contribution)? {
        true => Ok(FeedOutcome::Stored { dark, packets: count }),
        false => Ok(FeedOutcome::AlreadyStored),
    }
}

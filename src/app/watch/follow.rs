//! Follows the captures of a sensor: finds the new packets of files and feeds them to the history. Files may grow, be
//! renamed, rotated or compressed, or arrive late.
//!
//! Nothing here decides what counts: every packet counts once because the history says so. What is remembered only
//! saves work, and may be lost or wrong. A file that is a pcap or pcapng is continued at the last complete record.
//! It is recognized by its first record, so that renaming changes nothing. Any other file is read as a whole, once it
//! has not changed for a while.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::app::admission::GrowingFile;
use crate::app::observe::{FeedOutcome, observe_part};
use crate::app::{AppError, CaptureOptions, Notices};
use crate::capture::{Input, read_head};
use crate::history::Sensor;
use crate::incident::FollowedCapture;
use crate::packet::Timestamp;
use crate::rules::Rules;
use crate::store::{HistoryStore, IncidentStore};

use super::container::{complete_records, first_record_end};
use super::pattern::PathPattern;

/// Maximum size of a piece of a growing capture that is fed at once.
const PIECE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Number of bytes before an offset by which a continued file is recognized.
const CHECK_BYTES: u64 = 256;
/// A file that has not changed for this time is complete, so that the part of it without a packet to a dark address
/// is not waited for.
const COMPLETE_AFTER: Duration = Duration::from_secs(600);

/// How the keys of files begin that are read as a whole.
const WHOLE: &str = "path ";
/// Maximum number of files that grow at the same time whose packets are hashed as those of one file, 34 KB each.
const GROWING_MAX: usize = 8;

/// Something that happened while captures were followed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum FollowEvent {
    /// A part of a capture was stored.
    Stored { capture: String, dark: u64, packets: u64 },
    /// The capture has a notice for the operator.
    Notice(String),
    /// A capture could not be fed; it is tried again when it changes.
    Failed(String),
}

/// The captures of one sensor.
pub(super) struct Follower {
    pub(super) sensor: Sensor,
    pattern: PathPattern,
    settle: Duration,
    /// Size and time of change of files in which nothing is new.
    unchanged: HashMap<PathBuf, (u64, SystemTime)>,
    /// How far captures were fed, by [`FollowedCapture`]'s key.
    followed: BTreeMap<String, FollowedCapture>,
    /// By path, how far an earlier process fed it, and when it had changed, if it cannot be continued.
    fed_before: HashMap<String, (u64, Option<String>)>,
    /// The files that grew last, by [`FollowedCapture`]'s key, the last one last. Without it, the records of their
    /// parts are not joined.
    growing: Vec<(String, GrowingFile)>,
}

/// A file with something new.
struct PendingFile {
    path: PathBuf,
    changed: (u64, SystemTime),
    /// Time of its first packet, by which files are fed in order.
    first: Option<Timestamp>,
}

/// What is common to all feeding.
pub(super) struct FeedContext<'a> {
    pub(super) store: &'a mut dyn HistoryStore,
    pub(super) options: &'a CaptureOptions,
    pub(super) rules: &'a Rules,
    /// Whether files that may still change are read as they are now.
    pub(super) at_once: bool,
}

impl Follower {
    pub(super) fn new(
        sensor: Sensor,
        pattern: PathPattern,
        settle: Duration,
        store: &dyn IncidentStore,
    ) -> Result<Follower, AppError> {
        let followed = store.followed_captures(&sensor.name)?;
        let of_path = |(key, known): (&String, &FollowedCapture)| {
            let check = key.starts_with(WHOLE).then(|| known.check.clone());
            (known.path.clone(), (known.offset, check))
        };
        let fed_before = followed.iter().map(of_path).collect();
        let (unchanged, growing) = (HashMap::new(), Vec::new());
        Ok(Follower { sensor, pattern, settle, unchanged, followed, fed_before, growing })
    }

    /// Feeds everything that is new, in the order of first packets, until `stop` says so. An error of one capture is
    /// an event, and the others are fed.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) fn feed(
        &mut self,
        context: &mut FeedContext<'_>,
        stop: &dyn Fn() -> bool,
        report: &mut dyn FnMut(FollowEvent),
    ) -> Result<(), AppError> {
        for file in self.pending(context, report) {
            if stop() {
                break;
            }
            match self.feed_file(&file, context, stop, report) {
                Ok(true) => drop(self.unchanged.insert(file.path, file.changed)),
                Ok(false) => {}
                // A file that is written while it is read is read again later.
                Err(AppError::ChangedWhileRead(_)) => {}
                Err(error) if error.concerns_capture() || matches!(error, AppError::File { .. }) => {
                    report(FollowEvent::Failed(error.to_string()));
                    self.unchanged.insert(file.path, file.changed);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Returns the files with something new, ascending by first packet.
    fn pending(
        &mut self,
        context: &FeedContext<'_>,
        report: &mut dyn FnMut(FollowEvent),
    ) -> Vec<PendingFile> {
        let files = self.pattern.files(&mut |error| report(FollowEvent::Failed(error)));
        let mut pending = Vec::new();
        for path in files {
            let Ok(metadata) = path.metadata() else { continue };
            let Ok(modified) = metadata.modified() else { continue };
            let changed = (metadata.len(), modified);
            if changed.0 == 0 || self.unchanged.get(&path) == Some(&changed) {
                continue;
            }
            if self.was_fed(&path, changed) {
                self.unchanged.insert(path, changed);
            } else {
                let first = first_packet(&path, context.options);
                pending.push(PendingFile { path, changed, first });
            }
        }
        pending.sort_by(|a, b| (a.first, &a.path).cmp(&(b.first, &b.path)));
        pending
    }

    /// Returns whether a file was fed up to its end by an earlier process. Then it is not even opened, of which there
    /// may be many after a start.
    fn was_fed(&self, path: &Path, (size, modified): (u64, SystemTime)) -> bool {
        self.fed_before.get(&crate::escape::path(path)).is_some_and(|(offset, check)| {
            *offset == size && check.as_ref().is_none_or(|check| *check == time_check(modified))
        })
    }

    /// Feeds what is new of a file. Returns whether nothing is left to do until it changes.
    fn feed_file(
        &mut self,
        file: &PendingFile,
        context: &mut FeedContext<'_>,
        stop: &dyn Fn() -> bool,
        report: &mut dyn FnMut(FollowEvent),
    ) -> Result<bool, AppError> {
        let failed = |error| AppError::file(&file.path, error);
        let mut opened = File::open(&file.path).map_err(failed)?;
        match first_record_end(&mut opened).map_err(failed)? {
            Some(first_end) => {
                let identity = hash_of_range(&mut opened, 0, first_end).map_err(failed)?;
                let key = format!("begin {identity}");
                let from = self.continues_at(&key, &mut opened).map_err(failed)?;
                self.feed_records(file, (&mut opened, &key, from), context, stop, report)
            }
            None => self.feed_whole(file, context, report),
        }
    }

    /// Returns the offset up to which a file was fed, or 0 if it is not the file that was followed.
    fn continues_at(&self, key: &str, file: &mut File) -> io::Result<u64> {
        let Some(known) = self.followed.get(key) else { return Ok(0) };
        let is_same = known.offset <= file.metadata()?.len() && check_at(file, known.offset)? == known.check;
        Ok(if is_same { known.offset } else { 0 })
    }

    /// Feeds the complete records from an offset on, in pieces.
    fn feed_records(
        &mut self,
        file: &PendingFile,
        (opened, key, mut from): (&mut File, &str, u64),
        context: &mut FeedContext<'_>,
        stop: &dyn Fn() -> bool,
        report: &mut dyn FnMut(FollowEvent),
    ) -> Result<bool, AppError> {
        let failed = |error| AppError::file(&file.path, error);
        let name = crate::escape::path(&file.path);
        let quiet = is_quiet(file.changed.1, COMPLETE_AFTER);
        if from == 0 {
            // What was stored of a file that is read from its beginning again is no part of it any more.
            self.take_growing(key);
        }
        loop {
            let is_whole = from == 0 && (context.at_once || is_quiet(file.changed.1, self.settle));
            let most = if is_whole { u64::MAX } else { PIECE_BYTES_MAX };
            let found = complete_records(opened, from, most).map_err(failed)?;
            let Some(records) = found.filter(|records| records.end > records.from) else { return Ok(true) };
            let input = if is_whole {
                // A file that is complete is stored under its own hash, as `inga observe` stores it.
                Input::Path(file.path.clone())
            } else {
                opened.seek(SeekFrom::Start(records.from)).map_err(failed)?;
                let part = (&mut *opened).take(records.end - records.from);
                Input::spooled(name.clone(), Cursor::new(records.head).chain(part))?
            };
            let mut growing = (!is_whole).then(|| self.take_growing(key));
            let outcome = feed(&self.sensor, &name, &input, growing.as_mut(), context, report)?;
            let is_waiting = matches!(outcome, FeedOutcome::NothingToStore { .. });
            if is_waiting && !quiet && !context.at_once && records.end - records.from < PIECE_BYTES_MAX {
                // The time of these packets is recorded time only together with a packet to a dark address.
                self.keep_growing(key, growing);
                return Ok(true);
            }
            if matches!(outcome, FeedOutcome::Stored { .. }) {
                self.keep_growing(key, growing);
            }
            from = records.end;
            let followed = FollowedCapture {
                path: name.clone(),
                offset: from,
                check: check_at(opened, from).map_err(failed)?,
            };
            self.remember(key, followed, context)?;
            if stop() {
                return Ok(false);
            }
        }
    }

    /// Feeds a file that cannot be continued, once it has not changed for a while.
    fn feed_whole(
        &mut self,
        file: &PendingFile,
        context: &mut FeedContext<'_>,
        report: &mut dyn FnMut(FollowEvent),
    ) -> Result<bool, AppError> {
        if !context.at_once && !is_quiet(file.changed.1, self.settle) {
            return Ok(false);
        }
        let name = crate::escape::path(&file.path);
        let key = format!("{WHOLE}{name}");
        let followed =
            FollowedCapture { path: name.clone(), offset: file.changed.0, check: time_check(file.changed.1) };
        if self.followed.get(&key) == Some(&followed) {
            return Ok(true);
        }
        let mut notices = Notices::default();
        let inputs = context.options.expand_file(&file.path, &mut notices)?;
        pass_notices(&notices, report);
        for input in inputs {
            feed(&self.sensor, &name, &input, None, context, report)?;
        }
        self.remember(&key, followed, context)?;
        Ok(true)
    }

    /// Removes the state of a growing file from the list and returns it. A file that is not in the list has an empty state.
    fn take_growing(&mut self, key: &str) -> GrowingFile {
        let known = self.growing.iter().position(|(other, _)| other == key);
        known.map_or_else(GrowingFile::default, |at| self.growing.remove(at).1)
    }

    fn keep_growing(&mut self, key: &str, file: Option<GrowingFile>) {
        self.growing.extend(file.map(|file| (key.to_owned(), file)));
        if self.growing.len() > GROWING_MAX {
            self.growing.remove(0);
        }
    }

    fn remember(
        &mut self,
        key: &str,
        followed: FollowedCapture,
        context: &mut FeedContext<'_>,
    ) -> Result<(), AppError> {
        context.store.put_followed_capture(&self.sensor.name, key, &followed)?;
        self.followed.insert(key.to_owned(), followed);
        Ok(())
    }
}

/// Feeds a capture, or the next part of a growing one, and reports the outcome.
///
/// # Errors
/// When the capture cannot be read or the store fails.
pub(super) fn feed(
    sensor: &Sensor,
    name: &str,
    input: &Input,
    growing: Option<&mut GrowingFile>,
    context: &mut FeedContext<'_>,
    report: &mut dyn FnMut(FollowEvent),
) -> Result<FeedOutcome, AppError> {
    let mut notices = Notices::default();
    let FeedContext { store, options, rules, .. } = context;
    let fed = observe_part(*store, sensor, input, options, rules, &mut notices, growing);
    pass_notices(&notices, report);
    let outcome = fed?;
    if let FeedOutcome::Stored { dark, packets } = outcome {
        report(FollowEvent::Stored { capture: name.to_owned(), dark, packets });
    }
    Ok(outcome)
}

fn pass_notices(notices: &Notices, report: &mut dyn FnMut(FollowEvent)) {
    notices.iter().for_each(|notice| report(FollowEvent::Notice(notice.to_owned())));
    notices.failures().for_each(|failure| report(FollowEvent::Failed(failure.to_owned())));
}

fn first_packet(path: &Path, options: &CaptureOptions) -> Option<Timestamp> {
    let mut first = None;
    let input = Input::Path(path.to_owned());
    let _head = read_head(&input, &options.read, &mut |packet, _| first = first.or(packet.time()));
    first
}

fn is_quiet(changed: SystemTime, since: Duration) -> bool {
    changed.elapsed().is_ok_and(|elapsed| elapsed >= since)
}

fn time_check(changed: SystemTime) -> String {
    changed.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}

/// Returns a hash of the last bytes before an offset.
fn check_at(file: &mut File, offset: u64) -> io::Result<String> {
    hash_of_range(file, offset.saturating_sub(CHECK_BYTES), offset)
}

fn hash_of_range(file: &mut File, from: u64, to: u64) -> io::Result<String> {
    file.seek(SeekFrom::Start(from))?;
    let mut hash = blake3::Hasher::new();
    hash.update_reader(file.take(to.saturating_sub(from)))?;
    Ok(hash.finalize().to_hex().to_string())
}

//! Use case: runs by itself: follows the captures of sensors, feeds them, keeps the history merged, finds
//! incidents, and says what is wrong.
//!
//! It can be killed at any moment. All that it remembers is in the history, whose transactions keep every packet
//! once; after a start it continues where it stopped.

mod condition;
mod config;
mod container;
mod follow;
mod live;
mod log;
mod pattern;
mod signals;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::civil::Date;

use crate::history::Sensor;
use crate::incident::{ChangeKind, SensorHealth};
use crate::rules::Rules;
use crate::store::{HistoryStore, IncidentStore, LocalStore};

use super::admission::CLOCK_NOTICE;
use super::history::find_sensor;
use super::incidents::{UpdatedIncident, update_incidents};
use super::{AppError, CaptureOptions, now};
use condition::{FeedState, free_percent, sensor_health};
use config::STANDARD_INPUT;
pub use config::{OwnNetwork, Retention, Thresholds, WatchConfig, WatchedSensor};
use follow::{FeedContext, FollowEvent, Follower, feed};
use live::LiveCapture;
pub use log::{Log, LogFormat, LogLevel};
use pattern::PathPattern;
pub use signals::Signals;

/// Time between two looks at signals.
const TICK: Duration = Duration::from_millis(200);
/// Time after which work that failed is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// What `watch` does besides what its file says.
pub struct WatchOptions {
    /// Whether it stops after one pass over everything that is there.
    pub once: bool,
    /// How captures are read.
    pub reading: CaptureOptions,
    /// Called with the health of the sensors whenever it was determined, to write metrics.
    pub on_health: Box<dyn FnMut(&[SensorHealth]) -> Result<(), AppError>>,
}

/// Where the captures of a sensor come from.
enum Source {
    Files(Follower),
    Live(Sensor, LiveCapture),
}

/// A running watch.
struct Watch<'a> {
    path: PathBuf,
    config: WatchConfig,
    rules: &'a Rules,
    options: WatchOptions,
    log: Log,
    signals: &'a Signals,
    store: LocalStore,
    sources: Vec<Source>,
    states: BTreeMap<String, FeedState>,
    /// The conditions that were logged last, by sensor.
    known: BTreeMap<String, SensorHealth>,
    detected_at: Option<Instant>,
    /// Whether something was stored since surges were searched for.
    has_new: bool,
    /// The newest day that was recorded when segments were merged.
    merged_on: Option<Date>,
}

/// Watches what a file says until a signal asks to stop, or, if `once` is set, once.
///
/// # Errors
/// When the file is refused, or the history or a sensor does not exist. Later failures are logged, and what failed is
/// tried again; with `once`, the first one is returned.
pub fn watch(
    path: &Path,
    options: WatchOptions,
    rules: &Rules,
    log: Log,
    signals: &Signals,
) -> Result<(), AppError> {
    let config = WatchConfig::load(path)?;
    config.check_history(path, rules)?;
    let store = LocalStore::open_to_write(&config.history, &rules.profile)?;
    let mut watch = Watch {
        path: path.to_owned(),
        sources: Vec::new(),
        config,
        rules,
        options,
        log,
        signals,
        store,
        states: BTreeMap::new(),
        known: BTreeMap::new(),
        detected_at: None,
        has_new: true,
        merged_on: None,
    };
    watch.sources = watch.new_sources(Vec::new())?;
    if watch.options.once {
        return watch.pass();
    }
    let sensors = watch.config.sensors.len();
    watch.log.info(None, &format!("watching {sensors} sensors"));
    watch.run();
    watch.log.info(None, "stopped");
    Ok(())
}

impl Watch<'_> {
    /// Passes over everything until a signal asks to stop.
    fn run(&mut self) {
        signals::notify_manager("READY=1");
        while !self.signals.stop() {
            let begun = Instant::now();
            let mut wait = self.config.commit_interval();
            if let Err(error) = self.pass() {
                self.log.error(None, &error.to_string());
                wait = RETRY_AFTER;
            }
            signals::notify_manager("WATCHDOG=1");
            if self.ended() {
                break;
            }
            while begun.elapsed() < wait && !self.signals.stop() {
                if self.signals.reload() {
                    self.reload();
                    break;
                }
                std::thread::sleep(TICK);
            }
        }
        signals::notify_manager("STOPPING=1");
        // What came on standard input exists nowhere else.
        if let Err(error) = self.feed_live() {
            self.log.error(None, &error.to_string());
        }
    }

    /// Returns whether the only sources were live captures that have ended.
    fn ended(&self) -> bool {
        self.sources.is_empty()
    }

    /// Reads the file again. If it is refused, the old one stays in force.
    fn reload(&mut self) {
        let loaded = WatchConfig::load(&self.path).and_then(|config| {
            config.check_history(&self.path, self.rules)?;
            Ok(config)
        });
        let applied = loaded.and_then(|config| {
            if config.history != self.config.history {
                return Err(AppError::Usage("another history takes a restart".to_owned()));
            }
            let before = std::mem::replace(&mut self.config, config);
            let old = std::mem::take(&mut self.sources);
            match self.new_sources(old) {
                Ok(sources) => self.sources = sources,
                Err(error) => {
                    self.config = before;
                    return Err(error);
                }
            }
            Ok(())
        });
        match applied {
            Ok(()) => self.log.info(None, "read the file again"),
            Err(error) => self.log.error(None, &format!("the file was not read again: {error}")),
        }
    }

    /// Returns the sources that the file names. A live capture of `old` goes on.
    fn new_sources(&self, old: Vec<Source>) -> Result<Vec<Source>, AppError> {
        let mut live = old.into_iter().find(|source| matches!(source, Source::Live(..)));
        let mut sources = Vec::new();
        for WatchedSensor { name, captures } in &self.config.sensors {
            let sensor = find_sensor(&self.store, name)?;
            if captures == STANDARD_INPUT {
                sources.push(match live.take() {
                    Some(Source::Live(_, capture)) => Source::Live(sensor, capture),
                    _ => Source::Live(sensor, LiveCapture::start(std::io::stdin())),
                });
                continue;
            }
            let pattern = PathPattern::new(captures).map_err(AppError::Usage)?;
            let settle = Duration::from_secs(self.config.settle_seconds.into());
            sources.push(Source::Files(Follower::new(sensor, pattern, settle, &self.store)?));
        }
        Ok(sources)
    }

    /// Feeds what is new, and does what is due after it.
    fn pass(&mut self) -> Result<(), AppError> {
        self.feed_live()?;
        self.feed_files()?;
        if self.options.once {
            self.wait_for_live()?;
        }
        if !self.signals.stop() {
            self.merge_past_days()?;
            self.detect()?;
        }
        self.determine_health()
    }

    /// With `once`, reads live captures to their ends.
    fn wait_for_live(&mut self) -> Result<(), AppError> {
        while self.sources.iter().any(|source| matches!(source, Source::Live(..))) && !self.signals.stop() {
            std::thread::sleep(TICK);
            self.feed_live()?;
        }
        Ok(())
    }

    fn feed_live(&mut self) -> Result<(), AppError> {
        let mut ended = Vec::new();
        for (place, source) in self.sources.iter().enumerate() {
            let Source::Live(sensor, capture) = source else { continue };
            let part = capture.take()?;
            let mut events: Vec<FollowEvent> = part.error.into_iter().map(FollowEvent::Failed).collect();
            if let Some(input) = part.input {
                let mut context = FeedContext {
                    store: &mut self.store,
                    options: &self.options.reading,
                    rules: self.rules,
                    at_once: true,
                };
                let fed = feed(sensor, "-", &input, &mut context, &mut |event| events.push(event));
                match fed {
                    Err(error) if error.concerns_capture() => {
                        events.push(FollowEvent::Failed(error.to_string()));
                    }
                    other => drop(other?),
                }
            }
            let name = sensor.name.clone();
            if part.has_ended {
                ended.push(place);
            }
            take_events(&mut self.states, &mut self.log, &name, events, &mut self.has_new);
        }
        // The records of an ended capture were taken when it was known to have ended.
        for place in ended.into_iter().rev() {
            self.sources.remove(place);
            self.log.info(None, "the capture on standard input has ended");
        }
        Ok(())
    }

    fn feed_files(&mut self) -> Result<(), AppError> {
        let Watch { sources, store, options, rules, signals, states, log, has_new, .. } = self;
        for source in sources {
            let Source::Files(follower) = source else { continue };
            let mut context = FeedContext { store, options: &options.reading, rules, at_once: options.once };
            let name = follower.sensor.name.clone();
            let mut events = Vec::new();
            let fed = follower.feed(&mut context, &|| signals.stop(), &mut |event| {
                signals::notify_manager("WATCHDOG=1");
                events.push(event);
            });
            take_events(states, log, &name, events, has_new);
            fed?;
        }
        Ok(())
    }

    /// Merges segments when a day is over, and drops what the retention says.
    fn merge_past_days(&mut self) -> Result<(), AppError> {
        let mut newest = None;
        for sensor in self.store.sensors()? {
            newest = newest.max(self.store.coverage(&sensor.name)?.recorded_days.last().copied());
        }
        let (Some(day), true) = (newest, newest > self.merged_on) else { return Ok(()) };
        let done = self.store.compact(false)?;
        self.merged_on = newest;
        if done.days + done.months > 0 {
            self.log.info(None, &format!("merged {} days and {} months", done.days, done.months));
        }
        if let Some(days) = self.config.retention.sightings_days {
            let from = day.saturating_sub(jiff::Span::new().days(i64::from(days)));
            let dropped = self.store.retain(from)?;
            if dropped.sightings > 0 {
                self.log.info(None, &format!("dropped {} sightings before {from}", dropped.sightings));
            }
        }
        Ok(())
    }

    /// Brings the incidents up to date if something is new and the interval is over.
    fn detect(&mut self) -> Result<(), AppError> {
        let is_due = self.detected_at.is_none_or(|at| at.elapsed() >= self.config.detect_interval());
        if !self.has_new || !is_due {
            return Ok(());
        }
        let updated = update_incidents(&mut self.store, self.rules, now())?;
        (self.detected_at, self.has_new) = (Some(Instant::now()), false);
        for one in &updated {
            log_incident(&mut self.log, one);
        }
        Ok(())
    }

    fn determine_health(&mut self) -> Result<(), AppError> {
        let free = free_percent(&self.config.history);
        let is_full = free.is_some_and(|free| free < self.config.thresholds.disk_percent);
        let mut healths = Vec::new();
        for sensor in &self.config.sensors {
            let state = self.states.entry(sensor.name.clone()).or_default();
            let limits = &self.config.thresholds;
            let health = sensor_health(&self.store, &sensor.name, state, limits, (now(), is_full))?;
            healths.push(health);
        }
        self.store.put_sensor_healths(&healths)?;
        for health in &healths {
            self.log_health(health);
        }
        (self.options.on_health)(&healths)
    }

    /// Logs what changed in the health of a sensor.
    fn log_health(&mut self, health: &SensorHealth) {
        let before = self.known.insert(health.sensor.clone(), health.clone());
        let before = before.map(|health| health.conditions).unwrap_or_default();
        for condition in health.conditions.iter().filter(|one| !before.contains(one)) {
            self.log.warning(Some(&health.sensor), condition.word());
        }
        for condition in before.iter().filter(|one| !health.conditions.contains(one)) {
            self.log.info(Some(&health.sensor), &format!("no longer {}", condition.word()));
        }
    }
}

/// Logs events of a sensor, and takes them into its state.
fn take_events(
    states: &mut BTreeMap<String, FeedState>,
    log: &mut Log,
    sensor: &str,
    events: Vec<FollowEvent>,
    has_new: &mut bool,
) {
    let state = states.entry(sensor.to_owned()).or_default();
    for event in events {
        match event {
            FollowEvent::Stored { capture, dark, packets } => {
                log.info(Some(sensor), &format!("{capture}: {dark} of {packets} packets to dark addresses"));
                *state = FeedState { stored_at: Some(now()), ..FeedState::default() };
                *has_new = true;
            }
            FollowEvent::Notice(notice) => {
                state.had_wrong_clock |= notice.contains(CLOCK_NOTICE);
                log.warning(Some(sensor), &notice);
            }
            FollowEvent::Failed(error) => {
                log.error(Some(sensor), &error);
                state.error = Some(error);
            }
        }
    }
}

fn log_incident(log: &mut Log, UpdatedIncident { incident, changes_before }: &UpdatedIncident) {
    for change in incident.changes.iter().skip(*changes_before) {
        let what = match &change.what {
            ChangeKind::Opened => "opened".to_owned(),
            ChangeKind::Ended(end) => format!("ended on {}", end.day),
            ChangeKind::Reopened(day) => format!("resumed on {day}"),
            ChangeKind::Cause { family, probability, verdict } => {
                format!("{family} is a {verdict} cause ({:.0} %)", 100.0 * probability)
            }
            ChangeKind::Sample(id) => format!("sample {id} linked"),
            ChangeKind::State(_) | ChangeKind::Owner(_) | ChangeKind::Note(_) => continue,
        };
        let behavior = incident.title.behavior.notation();
        log.warning(None, &format!("incident {} ({behavior}): {what}", incident.number));
    }
}

//! Use case: runs by itself: follows the captures of sensors, feeds them, keeps the history merged, finds
//! incidents, and says what is wrong.
//!
//! It can be killed at any moment. All that it remembers is in the history, whose transactions keep every packet
//! once; after a start it continues where it stopped.

mod alerts;
mod condition;
mod config;
mod container;
mod follow;
mod live;
mod log;
mod news;
mod pattern;
mod signals;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::civil::Date;

use crate::history::Sensor;
use crate::incident::{Alert, Incident, SensorHealth};
use crate::rules::Rules;
use crate::store::{AlertStore, HistoryStore, IncidentStore, LocalStore};

use super::admission::GrowingFile;
use super::history::find_sensor;
use super::incidents::{has_unweighed_samples, update_incidents};
use super::observe::FeedOutcome;
use super::{AppError, CaptureOptions, now};
pub use alerts::{AlertMute, AlertReceiver, AlertSettings, SyslogFormat};
use alerts::{health_alerts, incident_alerts, own_network_alerts, send_due, split_muted};
use condition::{free_percent, sensor_health};
use config::STANDARD_INPUT;
pub use config::{OwnNetwork, Retention, WatchConfig, WatchedSensor};
use follow::{FeedContext, FollowEvent, Follower, feed};
use live::LiveCapture;
pub use log::{Log, LogLevel, WatchLogFormat};
use news::{News, log_incident};
use pattern::PathPattern;
pub use signals::Signals;

/// Time between two looks at signals.
const TICK: Duration = Duration::from_millis(200);
/// Time after which work that failed is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// What is shown of a running watch.
pub struct WatchStatus<'a> {
    /// The health of each sensor.
    pub healths: &'a [SensorHealth],
    /// All incidents.
    pub incidents: &'a [Incident],
    /// Number of deliveries of alerts that are still to be sent.
    pub deliveries: u64,
}

/// Receives the status whenever it was determined.
pub type StatusSink = Box<dyn FnMut(&WatchStatus<'_>) -> Result<(), AppError>>;

/// What `watch` does besides what its file says.
pub struct WatchOptions {
    /// Whether it stops after one pass over everything that is there.
    pub once: bool,
    /// How captures are read.
    pub reading: CaptureOptions,
    /// Called after each pass, to write metrics.
    pub on_status: Option<StatusSink>,
}

/// Where the captures of a sensor come from.
enum Source {
    Files(Box<Follower>),
    Live(Sensor, LiveCapture, GrowingFile),
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
    news: News,
    detected_at: Option<Instant>,
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
        news: News::new(),
        detected_at: None,
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
                    Some(Source::Live(_, capture, growing)) => Source::Live(sensor, capture, growing),
                    _ => {
                        let capture = LiveCapture::start(std::io::stdin());
                        Source::Live(sensor, capture, GrowingFile::default())
                    }
                });
                continue;
            }
            let pattern = PathPattern::new(captures).map_err(AppError::Usage)?;
            let settle = Duration::from_secs(self.config.settle_seconds.into());
            let follower = Follower::new(sensor, pattern, settle, &self.store)?;
            sources.push(Source::Files(Box::new(follower)));
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
        let mut alerts = Vec::new();
        if !self.signals.stop() {
            if std::mem::take(&mut self.news.has_stored) {
                self.merge_past_days()?;
                let own = &self.config.own_networks;
                alerts.extend(own_network_alerts(&self.store, self.rules, own, now())?);
            }
            self.detect(&mut alerts)?;
        }
        self.finish_pass(alerts)
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
        let Watch { sources, store, options, rules, log, news, .. } = self;
        let mut ended = Vec::new();
        for (place, source) in sources.iter_mut().enumerate() {
            let Source::Live(sensor, capture, growing) = source else { continue };
            let mut report = |event| news.take(log, &sensor.name, event);
            let part = capture.take()?;
            part.error.into_iter().for_each(|error| report(FollowEvent::Failed(error)));
            if let Some(input) = part.input {
                let mut context = FeedContext { store, options: &options.reading, rules, at_once: true };
                let outcome = feed(sensor, "-", &input, Some(&mut *growing), &mut context, &mut report);
                if !matches!(outcome, Ok(FeedOutcome::Stored { .. })) {
                    *growing = GrowingFile::default();
                }
                match outcome {
                    Ok(_) => {}
                    Err(error) if error.concerns_capture() => {
                        report(FollowEvent::Failed(error.to_string()));
                    }
                    Err(error) => return Err(error),
                }
            }
            if part.has_ended {
                ended.push(place);
            }
        }
        // The last records of a capture were taken together with the news that it has ended.
        for place in ended.into_iter().rev() {
            sources.remove(place);
            log.info(None, "the capture on standard input has ended");
        }
        Ok(())
    }

    fn feed_files(&mut self) -> Result<(), AppError> {
        let Watch { sources, store, options, rules, signals, log, news, .. } = self;
        for source in sources {
            let Source::Files(follower) = source else { continue };
            let name = follower.sensor.name.clone();
            let mut context = FeedContext { store, options: &options.reading, rules, at_once: options.once };
            follower.feed(&mut context, &|| signals.stop(), &mut |event| {
                signals::notify_manager("WATCHDOG=1");
                news.take(log, &name, event);
            })?;
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
        // Opening a history deletes the files of merged segments that readers kept from being deleted.
        self.store = LocalStore::open_to_write(&self.config.history, &self.rules.profile)?;
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
    fn detect(&mut self, alerts: &mut Vec<Alert>) -> Result<(), AppError> {
        let at = now();
        if self.detected_at.is_some_and(|at| at.elapsed() < self.config.detect_interval()) {
            return Ok(());
        }
        self.detected_at = Some(Instant::now());
        // A sample that somebody imported is asked of all history.
        if self.news.has_new || has_unweighed_samples(&self.store)? {
            let updated = update_incidents(&mut self.store, self.rules, at)?;
            self.news.has_new = false;
            updated.iter().for_each(|one| log_incident(&mut self.log, one));
            alerts.extend(updated.iter().flat_map(|one| incident_alerts(one, at)));
        }
        Ok(())
    }

    /// Determines the health of the sensors, and raises and sends alerts.
    fn finish_pass(&mut self, mut alerts: Vec<Alert>) -> Result<(), AppError> {
        let free = free_percent(&self.config.history);
        let mut healths = Vec::new();
        for sensor in &self.config.sensors {
            let state = self.news.states.entry(sensor.name.clone()).or_default();
            let limits = &self.config.thresholds;
            let health = sensor_health(&self.store, &sensor.name, state, limits, (now(), free))?;
            alerts.extend(health_alerts(&health));
            healths.push(health);
        }
        self.store.put_sensor_healths(&healths)?;
        for health in &healths {
            self.news.log_health(&mut self.log, health);
        }
        let receivers = &self.config.alerts.receivers;
        let names: Vec<String> = receivers.iter().map(|receiver| receiver.name.clone()).collect();
        let (alerts, muted) = split_muted(alerts, &self.config.alerts.mutes);
        for alert in self.store.raise_alerts(&muted, &[])? {
            self.log.info(alert.sensor.as_deref(), &format!("muted alert: {}", alert.message));
        }
        for alert in self.store.raise_alerts(&alerts, &names)? {
            self.log.warning(alert.sensor.as_deref(), &format!("alert: {}", alert.message));
        }
        send_due(&mut self.store, receivers, now(), &mut |failure| self.log.error(None, &failure))?;
        let Some(on_status) = &mut self.options.on_status else { return Ok(()) };
        let incidents = self.store.incidents()?;
        let deliveries = self.store.deliveries()?.len() as u64;
        on_status(&WatchStatus { healths: &healths, incidents: &incidents, deliveries })
    }
}

#[cfg(test)]
mod month_tests;

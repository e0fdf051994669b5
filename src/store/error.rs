//! The error type of all stores.

use jiff::civil::Date;

/// The reason why a history could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No sensor has this name.
    #[error(
        "no sensor `{0}` in this history; `inga sensor list` shows those there are, `inga sensor add` makes one"
    )]
    UnknownSensor(String),
    /// A sensor of this name exists and has other settings.
    #[error("sensor `{0}` exists already with other settings; its history would mix, so choose another name")]
    SensorExists(String),
    /// The edit would change which addresses were dark on recorded days.
    #[error(
        "sensor `{sensor}`: other addresses were dark on days that are recorded ({days}), so what is stored of them \
         would be wrong; let the change begin on {next}, or drop these days (`inga history drop --sensor {sensor} \
         --from {first} --to {last}`), edit the sensor, and feed their captures again"
    )]
    PastChanged {
        /// The name of the sensor.
        sensor: String,
        /// The days whose dark addresses would change, in words.
        days: String,
        /// The first of these days.
        first: Date,
        /// The last of these days.
        last: Date,
        /// The day after the last recorded day.
        next: Date,
    },
    /// The edit changes a setting that cannot be changed.
    #[error("sensor `{sensor}` {reason}; add another sensor instead")]
    NotEditable {
        /// The name of the sensor.
        sensor: String,
        /// What cannot be changed, and why; it continues the sentence "sensor ...".
        reason: String,
    },
    /// A newer inga wrote the history.
    #[error(
        "{path} was written by a newer inga (schema {found}, this one knows up to {known}); use that one"
    )]
    NewerSchema {
        /// The path of the history's folder.
        path: String,
        /// The schema version of the history.
        found: i64,
        /// The newest schema version that this build knows.
        known: i64,
    },
    /// The path is not a history.
    #[error("{path} is no inga history: {reason}")]
    NotAHistory {
        /// The path.
        path: String,
        /// The reason, with a remedy where there is one.
        reason: String,
    },
    /// The history was made with another behavior profile.
    #[error(
        "this history was made with the behavior profile {found}, the rules now say {wanted}; types of the two never join: use the old rules, or observe again into a new history"
    )]
    ProfileMismatch {
        /// The identity of the history's profile.
        found: String,
        /// The identity of the current rules' profile.
        wanted: String,
    },
    /// Another process changed the sensor between reading its engine state and storing what follows from it.
    #[error("another process fed this sensor meanwhile; try again")]
    ConcurrentChange,
    /// The sightings of these days were dropped (`inga history retain`).
    #[error(
        "sightings before {from} were dropped by `inga history retain`; nothing can be added to days before that"
    )]
    SightingsDropped {
        /// The first day whose sightings are kept.
        from: Date,
    },
    /// No incident has this number.
    #[error("no incident {0} in this history; `inga incident list --all` shows those there are")]
    UnknownIncident(u64),
    /// The named sensor has no such capture.
    #[error("sensor `{0}` has no such capture in this history; `inga capture list` shows those there are")]
    UnknownCapture(String),
    /// The rows of the capture were merged with rows of other captures, or its record was cut.
    #[error(
        "{name}: what it brought was merged with other captures, or cut, and cannot be told apart; drop the days that it \
         spans (`inga history drop --sensor {sensor} --from {first} --to {last}`) and feed their other captures again"
    )]
    CaptureMerged {
        /// The name of the capture, with hidden characters escaped.
        name: String,
        /// The name of the sensor.
        sensor: String,
        /// The first day of the capture.
        first: Date,
        /// The last day of the capture.
        last: Date,
    },
    /// The histories cannot be joined, for the reason given.
    #[error("these histories cannot be joined: {0}")]
    NotJoinable(String),
    /// Captures of one sensor in two histories recorded the same time.
    #[error(
        "sensor `{sensor}`: {} and {} have {seconds} s of recorded time in common, so packets would count twice; remove \
         one of them (`inga capture remove`) or drop its days (`inga history drop`) in one of the histories",
        captures[0],
        captures[1]
    )]
    Overlap {
        /// The name of the sensor.
        sensor: String,
        /// The names of both captures.
        captures: [String; 2],
        /// The recorded time that they have in common, in seconds.
        seconds: i64,
    },
    /// Hourly counts were requested for some sources, but windows and packets per hour are stored by type,
    /// not by host.
    #[error(
        "packets and windows by hour are kept by type and not by source; leave --source out, or ask by day (--by day)"
    )]
    HoursBySource,
    /// The first day to keep lies after the last recorded day, which is given.
    #[error("the last recorded day is {0}; give a day up to it, so that its month keeps its sightings")]
    RetainsNothing(Date),
    /// The backend failed, for the reason given.
    #[error("the history's backend failed: {0}")]
    Backend(String),
    /// A file of the history cannot be read or written.
    #[error("a file of the history: {0}")]
    Io(std::io::Error),
    /// Two types, given by their canonical strings, have the same number.
    #[error(
        "the types `{0}` and `{1}` have the same number, which is expected once in millions of histories; the capture \
         cannot be stored in this one"
    )]
    TypeNumberCollision(String, String),
    /// Stored bytes are not as they were written, or contradict each other.
    #[error("the history is damaged: {0}")]
    Damaged(String),
}

//! Why a history could not be read or written.

use jiff::civil::Date;

/// Why a history could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No sensor of that name.
    #[error(
        "no sensor `{0}` in this history; `inga sensor list` shows those there are, `inga sensor add` makes one"
    )]
    UnknownSensor(String),
    /// A sensor of that name but with other addresses exists.
    #[error("sensor `{0}` exists already with other settings; its history would mix, so choose another name")]
    SensorExists(String),
    /// An edit that would change what was dark on days that are recorded.
    #[error(
        "sensor `{sensor}`: other addresses were dark on days that are recorded ({days}), so what is stored of them \
         would be wrong; let the change begin on {next}, or drop these days (`inga history drop --sensor {sensor} \
         --from {first} --to {last}`), edit the sensor, and feed their captures again"
    )]
    PastChanged {
        /// The sensor.
        sensor: String,
        /// The days, in words.
        days: String,
        /// The first of them.
        first: Date,
        /// The last of them.
        last: Date,
        /// The day after the last day that is recorded.
        next: Date,
    },
    /// An edit of what cannot be edited.
    #[error("sensor `{sensor}` {reason}; add another sensor instead")]
    NotEditable {
        /// The sensor.
        sensor: String,
        /// What cannot be changed, and why.
        reason: String,
    },
    /// Made by a later inga.
    #[error(
        "{path} was written by a newer inga (schema {found}, this one knows up to {known}); use that one"
    )]
    NewerSchema {
        /// The file.
        path: String,
        /// Its schema.
        found: i64,
        /// What this build knows.
        known: i64,
    },
    /// Not a history at all.
    #[error("{path} is no inga history: {reason}")]
    NotAHistory {
        /// The file.
        path: String,
        /// What it is instead.
        reason: String,
    },
    /// Made with another behavior profile.
    #[error(
        "this history was made with the behavior profile {found}, the rules now say {wanted}; types of the two never join: use the old rules, or observe again into a new history"
    )]
    OtherProfile {
        /// Stored identity.
        found: String,
        /// Identity asked for.
        wanted: String,
    },
    /// Somebody else wrote between reading where the engine stopped and storing what follows.
    #[error("another process fed this sensor meanwhile; try again")]
    FedMeanwhile,
    /// What is asked for was dropped.
    #[error(
        "sightings before {from} were dropped by `inga history retain`; nothing can be added to days before that"
    )]
    Dropped {
        /// The first day that has sightings.
        from: Date,
    },
    /// No capture of that content.
    #[error("sensor `{0}` has no such capture in this history; `inga capture list` shows those there are")]
    UnknownCapture(String),
    /// What a capture brought was merged with what others brought.
    #[error(
        "{name}: what it brought was merged with other captures, or cut, and cannot be told apart; drop the days that it \
         spans (`inga history drop --sensor {sensor} --from {first} --to {last}`) and feed their other captures again"
    )]
    Merged {
        /// The capture's name, hidden characters escaped.
        name: String,
        /// The sensor.
        sensor: String,
        /// The first day that it spans.
        first: Date,
        /// The last one.
        last: Date,
    },
    /// Histories that cannot be joined.
    #[error("these histories cannot be joined: {0}")]
    NotJoinable(String),
    /// Two histories of a sensor recorded the same time.
    #[error(
        "sensor `{sensor}`: {} and {} have {seconds} s of recorded time in common, so packets would count twice; remove \
         one of them (`inga capture remove`) or drop its days (`inga history drop`) in one of the histories",
        captures[0],
        captures[1]
    )]
    Overlap {
        /// The sensor.
        sensor: String,
        /// The names of both captures.
        captures: [String; 2],
        /// Seconds that both recorded.
        seconds: i64,
    },
    /// Windows and packets by hour are kept by type, not by host.
    #[error(
        "packets and windows by hour are kept by type and not by source; leave --source out, or ask by day (--by day)"
    )]
    HoursOfSources,
    /// Nothing would be left.
    #[error("the last recorded day is {0}; give a day up to it, so that its month keeps its sightings")]
    RetainsNothing(Date),
    /// The backend failed.
    #[error("the history's backend failed: {0}")]
    Backend(String),
    /// A file of the history cannot be read or written.
    #[error("a file of the history: {0}")]
    Io(std::io::Error),
    /// Two types share a number.
    #[error(
        "the types `{0}` and `{1}` have the same number, which is expected once in millions of histories; the capture \
         cannot be stored in this one"
    )]
    SameNumber(String, String),
    /// Stored bytes that cannot be read back.
    #[error("the history is damaged: {0}")]
    Damaged(String),
}

//! What a sample report states besides the scan: conditions of each run, static features, and malware
//! families that sandboxes name.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize, Serializer};

/// The conditions of a sandbox run, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConditions {
    /// The sandbox and its version.
    pub sandbox: Option<String>,
    /// The machine, or its operating system.
    pub machine: Option<String>,
    /// The route into the Internet, such as `none`, `tor` or `internet`.
    pub route: Option<String>,
    /// The way in which the sample was started, such as `exe` or `dll`.
    pub package: Option<String>,
    /// Time of the start.
    pub started: Option<RunTime>,
    /// Time of the end.
    pub ended: Option<RunTime>,
    /// Duration in seconds.
    pub seconds: Option<u64>,
    /// Whether the sandbox ended the run because its time was up.
    pub timed_out: Option<bool>,
}

impl RunConditions {
    /// Replaces what is known by what another source states.
    pub fn add(&mut self, other: RunConditions) {
        let RunConditions { sandbox, machine, route, package, started, ended, seconds, timed_out } = other;
        self.sandbox = sandbox.or(self.sandbox.take());
        self.machine = machine.or(self.machine.take());
        self.route = route.or(self.route.take());
        self.package = package.or(self.package.take());
        self.started = started.or(self.started);
        self.ended = ended.or(self.ended);
        self.seconds = seconds.or(self.seconds);
        self.timed_out = timed_out.or(self.timed_out);
    }
}

/// A time that a sandbox wrote, to the second. Some sandboxes do not state the time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct RunTime {
    /// Date and time of day.
    pub at: DateTime,
    /// Whether the time is known to be in UTC. Otherwise its time zone is unknown.
    pub is_utc: bool,
}

impl RunTime {
    /// Returns a time whose time zone is unknown.
    #[must_use]
    pub fn without_zone(at: DateTime) -> RunTime {
        RunTime { at: whole_seconds(at), is_utc: false }
    }

    /// Returns a time in seconds since 1970; `None` if it is out of range.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "checked to lie within")]
    pub fn of_epoch(seconds: f64) -> Option<RunTime> {
        let is_plausible = (0.0..1e11).contains(&seconds);
        let time = is_plausible.then(|| Timestamp::from_second(seconds as i64).ok()).flatten()?;
        Some(RunTime { at: time.to_zoned(TimeZone::UTC).datetime(), is_utc: true })
    }

    /// Returns this time as one in UTC.
    #[must_use]
    pub fn in_utc(self) -> RunTime {
        RunTime { is_utc: true, ..self }
    }
}

fn whole_seconds(at: DateTime) -> DateTime {
    at.with().subsec_nanosecond(0).build().unwrap_or(at)
}

impl FromStr for RunTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(time) = text.parse::<Timestamp>() {
            return Ok(RunTime { at: whole_seconds(time.to_zoned(TimeZone::UTC).datetime()), is_utc: true });
        }
        let wrong = |_| format!("`{}` is no time like 2021-03-23T12:38:26 or …Z", text.escape_debug());
        text.parse::<DateTime>().map(RunTime::without_zone).map_err(wrong)
    }
}

impl TryFrom<String> for RunTime {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl Serialize for RunTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for RunTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.at, if self.is_utc { "Z" } else { "" })
    }
}

/// Static features of a sample, by which similar samples are found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaticFeatures {
    /// The name under which the file was submitted.
    pub file_name: Option<String>,
    /// The type of the file, as the sandbox writes it, such as `PE32 executable (GUI) Intel 80386`.
    pub file_type: Option<String>,
    /// Length of the file in bytes.
    pub size: Option<u64>,
    /// Fuzzy hash of the program ssdeep.
    pub ssdeep: Option<String>,
    /// Locality-sensitive hash of Trend Micro.
    pub tlsh: Option<String>,
    /// MD5 of the imported functions of a Windows program.
    pub imphash: Option<String>,
    /// MD5 of the rich header of a Windows program.
    pub rich_hash: Option<String>,
    /// Names of YARA rules that match the file.
    #[serde(default)]
    pub yara: Vec<String>,
}

impl StaticFeatures {
    /// Adds the features that are not known yet, and YARA rules up to `rules_max` in all.
    pub fn add(&mut self, other: &StaticFeatures, rules_max: usize) {
        let StaticFeatures { file_name, file_type, size, ssdeep, tlsh, imphash, rich_hash, yara } = other;
        for (known, other) in [
            (&mut self.file_name, file_name),
            (&mut self.file_type, file_type),
            (&mut self.ssdeep, ssdeep),
            (&mut self.tlsh, tlsh),
            (&mut self.imphash, imphash),
            (&mut self.rich_hash, rich_hash),
        ] {
            if known.is_none() {
                known.clone_from(other);
            }
        }
        self.size = self.size.or(*size);
        for rule in yara {
            if self.yara.len() < rules_max && !self.yara.contains(rule) {
                self.yara.push(rule.clone());
            }
        }
    }
}

/// A malware family that a sandbox names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FamilyDetection {
    /// The family, as the sandbox writes it.
    pub family: String,
    /// The sandbox, and its reason where it states one.
    pub source: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_whether_their_zone_is_known() {
        for (text, shown) in [
            ("2021-03-23 12:38:26", "2021-03-23T12:38:26"),
            ("2021-03-23T12:38:26.917943", "2021-03-23T12:38:26"),
            ("2021-03-23T12:38:26Z", "2021-03-23T12:38:26Z"),
            ("2021-03-23T12:38:26.5+02:00", "2021-03-23T10:38:26Z"),
        ] {
            let time: RunTime = text.parse().unwrap();
            assert_eq!(time.to_string(), shown);
            assert_eq!(time.to_string().parse(), Ok(time));
        }
        assert!("yesterday".parse::<RunTime>().is_err());
        assert_eq!(RunTime::of_epoch(0.0).unwrap().to_string(), "1970-01-01T00:00:00Z");
        assert_eq!((RunTime::of_epoch(f64::NAN), RunTime::of_epoch(1e300)), (None, None));
    }
}

//! The sample report: a YAML file in which people describe a malware sample.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::yaml::{self, YamlError};

use super::{Expectation, FamilyDetection, RunConditions, StaticFeatures};

/// The schema of the sample report. Unknown keys are errors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleReport {
    /// Hashes of the sample; at least one.
    pub identity: Identity,
    /// The malware family, if it is known for certain. It takes precedence over detections and names.
    pub family: Option<String>,
    /// Malware families that sandboxes name.
    #[serde(default)]
    pub detections: Vec<FamilyDetection>,
    /// Names that antivirus products give the sample, by vendor.
    #[serde(default)]
    pub names: BTreeMap<String, String>,
    /// Static features of the sample.
    #[serde(default)]
    pub features: StaticFeatures,
    /// Date on which the sample was caught.
    pub acquired: Option<PartialDate>,
    /// First publication about the sample.
    pub discovered: Option<Discovery>,
    /// Origin of the sample: honeypot, vendor, incident.
    pub origin: Option<String>,
    /// Addresses of the victim hosts. If none is given, they are inferred from the capture.
    #[serde(default)]
    pub victims: Vec<IpAddr>,
    /// Addresses of the sandbox's own servers.
    #[serde(default)]
    pub dummy_servers: Vec<IpAddr>,
    /// Captures and logs of the sandbox runs, as paths relative to the report.
    #[serde(default)]
    pub captures: Vec<SampleCapture>,
    /// Conditions of runs of which no capture exists. A report without captures has at least one.
    #[serde(default)]
    pub without_capture: Vec<RunConditions>,
    /// Free text.
    pub notes: Option<String>,
    /// Values that `inga check` expects.
    pub expect: Option<Expectation>,
}

/// Hashes of the sample in hexadecimal digits. Reading a report converts them to lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// 32 digits.
    pub md5: Option<String>,
    /// 40 digits.
    pub sha1: Option<String>,
    /// 64 digits.
    pub sha256: Option<String>,
}

impl Identity {
    /// Returns the MD5, else the SHA-1, else the SHA-256; empty if there is none.
    #[must_use]
    pub fn id(&self) -> String {
        self.md5.clone().or(self.sha1.clone()).or(self.sha256.clone()).unwrap_or_default()
    }
}

/// A publication about a sample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discovery {
    /// Date of the publication.
    pub date: PartialDate,
    /// The vendor or author.
    pub source: Option<String>,
}

/// One capture of the sandbox run: a path, or a path with the information that the log lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a path, or `path` with `date`, `packets_per_second` and `run`")]
pub enum SampleCapture {
    /// A path.
    Path(String),
    /// A path with the information that the log lacks.
    Detailed(DetailedCapture),
}

/// A capture or log that lacks a date or times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetailedCapture {
    /// Path relative to the report.
    pub path: String,
    /// Date for a log that prints times of day only.
    pub date: Option<Date>,
    /// Rate from which times are made for a log that prints none.
    pub packets_per_second: Option<PacketRate>,
    /// The conditions of the run.
    pub run: Option<RunConditions>,
}

/// A rate in packets per second, 0.001 to 1e9. It is stored in thousandths, so that reports can be compared
/// for equality.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct PacketRate {
    thousandths: u64,
}

impl TryFrom<f64> for PacketRate {
    type Error = String;

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie within")]
    fn try_from(value: f64) -> Result<Self, String> {
        if (0.001..=1e9).contains(&value) {
            Ok(PacketRate { thousandths: (value * 1000.0).round() as u64 })
        } else {
            Err(format!("{value} packets per second do not lie between 0.001 and 1e9"))
        }
    }
}

impl From<PacketRate> for f64 {
    fn from(rate: PacketRate) -> f64 {
        rate.get()
    }
}

impl PacketRate {
    /// Returns the rate in packets per second.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "at most 1e12 thousandths")]
    pub fn get(self) -> f64 {
        self.thousandths as f64 / 1000.0
    }
}

impl SampleCapture {
    /// Returns the path as written in the report.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            SampleCapture::Path(path) => path,
            SampleCapture::Detailed(detailed) => &detailed.path,
        }
    }

    /// Returns the date for a log that prints times of day only.
    #[must_use]
    pub fn date(&self) -> Option<Date> {
        match self {
            SampleCapture::Path(_) => None,
            SampleCapture::Detailed(detailed) => detailed.date,
        }
    }

    /// Returns the conditions of the run, if the report states them.
    #[must_use]
    pub fn run(&self) -> Option<&RunConditions> {
        match self {
            SampleCapture::Path(_) => None,
            SampleCapture::Detailed(detailed) => detailed.run.as_ref(),
        }
    }

    /// Returns the rate for a log that prints no times, in packets per second.
    #[must_use]
    pub fn packets_per_second(&self) -> Option<f64> {
        match self {
            SampleCapture::Path(_) => None,
            SampleCapture::Detailed(detailed) => detailed.packets_per_second.map(PacketRate::get),
        }
    }
}

/// A date known to the day, the month or the year: `2009-03-02`, `2009-03`, `2009`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartialDate {
    /// The first day of the range.
    pub first: Date,
    /// The last day of the range, included.
    pub last: Date,
}

impl std::str::FromStr for PartialDate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{}` is no date like 2009-03-02, 2009-03 or 2009", text.escape_debug());
        let parts: Vec<&str> = text.trim().split('-').collect();
        let digits = |part: &&str| part.chars().all(|c| c.is_ascii_digit());
        if !parts.iter().all(digits) || parts[0].len() != 4 {
            return Err(wrong());
        }
        let year: i16 = parts[0].parse().map_err(|_| wrong())?;
        let number =
            |at: usize| parts.get(at).map(|part| part.parse::<i8>()).transpose().map_err(|_| wrong());
        let first = Date::new(year, number(1)?.unwrap_or(1), number(2)?.unwrap_or(1)).map_err(|_| wrong())?;
        let last = match parts.len() {
            1 => first.last_of_year(),
            2 => first.last_of_month(),
            3 => first,
            _ => return Err(wrong()),
        };
        Ok(PartialDate { first, last })
    }
}

/// Writes the date with the precision that is known.
impl fmt::Display for PartialDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else if self.first.month() == self.last.month() {
            write!(f, "{:04}-{:02}", self.first.year(), self.first.month())
        } else {
            write!(f, "{:04}", self.first.year())
        }
    }
}

impl<'de> Deserialize<'de> for PartialDate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// YAML parses a year without month and day as a number.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum WrittenDate {
            Text(String),
            Year(u16),
        }
        let text = match WrittenDate::deserialize(deserializer)? {
            WrittenDate::Text(text) => text,
            WrittenDate::Year(year) => year.to_string(),
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for PartialDate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The reason why a sample report is rejected. The caller adds the path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// The text is not YAML or does not match the schema.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// The report has no hash.
    #[error("`identity` needs an md5 (32), sha1 (40) or sha256 (64 hexadecimal digits): {0}")]
    Identity(String),
    /// The report names no capture.
    #[error("`captures` is empty; name at least one capture or tcpdump log, relative to the report")]
    NoCapture,
}

impl SampleReport {
    /// Reads and checks a report.
    ///
    /// # Errors
    /// Returns an error if the text does not match the schema, or has no valid hash or no capture.
    pub fn parse(text: &str) -> Result<SampleReport, ReportError> {
        let mut report: SampleReport = yaml::parse(text)?;
        let Identity { md5, sha1, sha256 } = &mut report.identity;
        for (name, hash, length) in
            [("md5", &mut *md5, 32), ("sha1", &mut *sha1, 40), ("sha256", &mut *sha256, 64)]
        {
            let Some(hash) = hash else { continue };
            // Some vendors write hashes in capital letters.
            let digits = hash.trim().to_ascii_lowercase();
            if digits.len() != length || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                let shown: String = hash.chars().take(80).collect();
                let message =
                    format!("{name} `{}` has not {length} hexadecimal digits", shown.escape_debug());
                return Err(yaml::error_at_node(text, &["identity", name], message).into());
            }
            *hash = digits;
        }
        if md5.is_none() && sha1.is_none() && sha256.is_none() {
            return Err(ReportError::Identity("none is given".to_owned()));
        }
        if report.captures.is_empty() && report.without_capture.is_empty() {
            return Err(ReportError::NoCapture);
        }
        Ok(report)
    }

    /// Returns the identifier of the sample in reports: its MD5, else its SHA-1, else its SHA-256.
    #[must_use]
    pub fn id(&self) -> String {
        self.identity.id()
    }

    /// Returns the title of the sample: an antivirus name, if there is one, with the first 12 digits of the
    /// hash. The name is that of the discovering vendor, or else of the first vendor in alphabetical order.
    #[must_use]
    pub fn title(&self) -> String {
        let id = self.id();
        let short = id.get(..12).unwrap_or(&id);
        let discoverer = self.discovered.as_ref().and_then(|discovery| discovery.source.as_ref());
        let by_discoverer = discoverer.and_then(|vendor| self.names.get(vendor));
        match by_discoverer.or(self.names.values().next()) {
            Some(name) => format!("{name} ({short})"),
            None => short.to_owned(),
        }
    }

    /// Returns the date with which an onset is compared, and its kind: the date of discovery, or else the
    /// date of acquisition.
    #[must_use]
    pub fn reference_date(&self) -> Option<(PartialDate, &'static str)> {
        let discovered = self.discovered.as_ref().map(|discovery| (discovery.date, "discovered"));
        discovered.or(self.acquired.map(|span| (span, "acquired")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "identity: {md5: a2eaf57c47a118e91a5edf694685eee7}\ncaptures: [fig8.txt]\n";

    #[test]
    fn a_report_needs_little() {
        let report = SampleReport::parse(GOOD).unwrap();
        assert_eq!(report.id(), "a2eaf57c47a118e91a5edf694685eee7");
        assert_eq!(report.captures[0].path(), "fig8.txt");
        assert_eq!(report.reference_date(), None);
    }

    #[test]
    fn dates_are_as_precise_as_written() {
        for (text, first, last) in [
            ("2009-03-02", "2009-03-02", "2009-03-02"),
            ("2009-02", "2009-02-01", "2009-02-28"),
            ("2009", "2009-01-01", "2009-12-31"),
        ] {
            let span: PartialDate = text.parse().unwrap();
            assert_eq!((span.first.to_string(), span.last.to_string()), (first.to_owned(), last.to_owned()));
            assert_eq!(span.to_string(), text);
        }
        for wrong in ["", "March", "2009-13", "2009-02-30", "2009-03-02-01", "--", "209"] {
            assert!(wrong.parse::<PartialDate>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn hashes_in_capitals_are_the_same_hashes() {
        let written = "identity: {md5: A2EAF57C47A118E91A5EDF694685EEE7, sha1: ' DA39A3EE5E6B4B0D3255bfef95601890afd80709'}\ncaptures: [x]\n";
        let report = SampleReport::parse(written).unwrap();
        assert_eq!(report.id(), SampleReport::parse(GOOD).unwrap().id());
        assert_eq!(report.identity.sha1.as_deref(), Some("da39a3ee5e6b4b0d3255bfef95601890afd80709"));
    }

    #[test]
    fn refusals_name_the_remedy() {
        let check = |text: &str, words: &str| {
            let message = SampleReport::parse(text).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        };
        check(&GOOD.replace("captures:", "capturs:"), "did you mean `captures`?");
        check(&GOOD.replace("fig8.txt", ""), "`captures` is empty");
        check(&GOOD.replace("a2ea", "A2EG"), "32 hexadecimal digits");
        check(&GOOD.replace("a2ea", ""), "32 hexadecimal digits");
        check("identity: {}\ncaptures: [x]\n", "none is given");
    }
}

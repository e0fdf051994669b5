//! A black-hole sensor: which addresses it watches, and how it counts its days.

use std::fmt;

use ipnet::IpNet;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::event::AddressSpace;

/// What surrounds a sensor's dark addresses (seed, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SensorKind {
    /// A network in which live and dark addresses mix (the seed's sensor I).
    Mixed,
    /// A network that is dark as a whole (sensor II).
    Dark,
    /// A dark subnet of a network that is live elsewhere (sensor III).
    Subnet,
}

impl fmt::Display for SensorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SensorKind::Mixed => "mixed",
            SensorKind::Dark => "dark",
            SensorKind::Subnet => "subnet",
        })
    }
}

/// A sensor that records all packets to its dark addresses and answers none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sensor {
    /// Its name: letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// What surrounds it.
    pub kind: SensorKind,
    /// The prefixes it watches.
    pub prefixes: Vec<IpNet>,
    /// Live prefixes among them, cut out.
    #[serde(default)]
    pub live: Vec<IpNet>,
    /// IANA name of the time zone of its days.
    #[serde(default = "utc")]
    pub time_zone: String,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// Why a sensor cannot be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SensorFault {
    /// A name that could hurt a path, a page or a terminal.
    #[error(
        "sensor name `{0}` must be 1 to 64 letters, digits, `.`, `_` or `-`, and not begin with `.` or `-`"
    )]
    Name(String),
    /// No addresses are left.
    #[error("sensor `{0}` has no dark address; give at least one prefix that is not all live")]
    NoDarkAddress(String),
    /// A time zone that the IANA database does not have.
    #[error("sensor `{sensor}` has the unknown time zone `{zone}`; use an IANA name like Asia/Tokyo or UTC")]
    TimeZone {
        /// The sensor.
        sensor: String,
        /// Its zone, as given.
        zone: String,
    },
}

impl Sensor {
    /// What is wrong with it, if anything is.
    ///
    /// # Errors
    /// A name outside the safe alphabet, no dark address, an unknown time zone.
    pub fn validate(&self) -> Result<(), SensorFault> {
        let safe = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        let hidden = self.name.starts_with(['.', '-']);
        if self.name.is_empty() || self.name.len() > 64 || hidden || !self.name.chars().all(safe) {
            return Err(SensorFault::Name(self.name.escape_default().to_string()));
        }
        if self.prefixes.is_empty() || self.space().is_whole() {
            return Err(SensorFault::NoDarkAddress(self.name.clone()));
        }
        self.zone().map(|_| ())
    }

    /// Its dark addresses.
    #[must_use]
    pub fn space(&self) -> AddressSpace {
        AddressSpace::new(&self.prefixes, &self.live)
    }

    /// The zone of its days.
    ///
    /// # Errors
    /// When the IANA database does not have it.
    pub fn zone(&self) -> Result<TimeZone, SensorFault> {
        TimeZone::get(&self.time_zone).map_err(|_| SensorFault::TimeZone {
            sensor: self.name.clone(),
            zone: self.time_zone.escape_default().to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_sensors_are_named_with_a_remedy() {
        let good = Sensor {
            name: "sensor-I".to_owned(),
            kind: SensorKind::Mixed,
            prefixes: vec!["192.0.2.0/24".parse().unwrap()],
            live: vec![],
            time_zone: "Asia/Tokyo".to_owned(),
        };
        assert_eq!(good.validate(), Ok(()));
        let check = |bad: Sensor, word: &str| {
            let message = bad.validate().unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        };
        check(Sensor { name: "../etc".to_owned(), ..good.clone() }, "letters");
        check(Sensor { name: "a\u{1b}[31m".to_owned(), ..good.clone() }, "\\u{1b}");
        check(Sensor { live: good.prefixes.clone(), ..good.clone() }, "no dark address");
        check(Sensor { prefixes: vec![], ..good.clone() }, "no dark address");
        check(Sensor { time_zone: "Tokyo".to_owned(), ..good }, "IANA");
    }
}

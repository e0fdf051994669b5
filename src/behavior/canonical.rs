//! Canonical strings of type, shape and family, and the MD5 that names each.

use std::fmt;

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use super::{Parameters, Profile};

/// The MD5 of a canonical string: the name of a behavior type, shape or family.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BehaviorId(pub [u8; 16]);

impl BehaviorId {
    /// Returns the number by which histories know a type: the first 63 bits of the MD5. It is the same in every history, so
    /// that histories can be joined, and anybody can work it out from the canonical string. Two of a million types share a
    /// number with a chance of one in 18 million; a history refuses the second of them.
    #[must_use]
    pub fn number(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1
    }
}

/// Lower-case hexadecimal.
impl fmt::Display for BehaviorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digits = self.0.map(|byte| [byte >> 4, byte & 15].map(|half| DIGITS[usize::from(half)]));
        f.write_str(str::from_utf8(digits.as_flattened()).unwrap_or_default())
    }
}

impl fmt::Debug for BehaviorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for BehaviorId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for BehaviorId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text that is no behavior type.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no behavior type (32 hexadecimal digits)")]
pub struct ParseIdError(String);

impl std::str::FromStr for BehaviorId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseIdError(text.to_owned());
        if text.len() != 32 || !text.is_ascii() {
            return Err(wrong());
        }
        let mut id = [0; 16];
        for (byte, at) in id.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| wrong())?;
        }
        Ok(BehaviorId(id))
    }
}

/// Masked ports in a canonical string.
const MASKED: &str = "|pt=~|";

/// A canonical string with its MD5.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Behavior {
    /// The canonical string: ASCII, without spaces.
    pub canonical: String,
    /// Its MD5.
    pub id: BehaviorId,
}

impl Behavior {
    /// Names a canonical string.
    #[must_use]
    pub fn new(canonical: String) -> Behavior {
        let id = BehaviorId(Md5::digest(canonical.as_bytes()).into());
        Behavior { canonical, id }
    }

    /// Whether its ports are masked.
    #[must_use]
    pub fn is_masked(&self) -> bool {
        self.canonical.contains(MASKED)
    }

    /// The canonical string with its one port, this one, masked.
    #[must_use]
    pub fn masked(&self, port: u16) -> String {
        self.canonical.replace(&format!("|pt={port}|"), MASKED)
    }

    /// The behavior type: all parameters, volumes binned.
    #[must_use]
    pub fn of_type(parameters: &Parameters, profile: &Profile) -> Behavior {
        let bin = |count| Bin { count, exact_max: profile.exact_counts_max };
        Behavior::new(written(format_args!(
            "{}|sp={}|pk={}|dp={}|di={}|tr={}|pt={}|pr={}",
            profile.name,
            bin(parameters.source_ports),
            bin(parameters.packets),
            bin(parameters.destination_ports),
            bin(parameters.destinations),
            parameters.transition.letter(),
            parameters.ports,
            parameters.protocol
        )))
    }

    /// The shape: no volumes, but packets per destination and the use of source ports.
    #[must_use]
    pub fn of_shape(parameters: &Parameters, profile: &Profile) -> Behavior {
        Behavior::new(unbinned("s", parameters, profile, &parameters.ports))
    }

    /// The family: the shape with its ports masked (`~`) where they say nothing: ephemeral ones, ports that
    /// follow the destination, and the ports that answers come back to.
    #[must_use]
    pub fn of_family(parameters: &Parameters, profile: &Profile) -> Behavior {
        let masked = parameters.ports_ephemeral
            || parameters.ports_follow_destinations
            || (parameters.protocol.only_answers()
                && parameters.ports.listed().iter().all(|port| *port >= 1024));
        let ports: &dyn fmt::Display = if masked { &"~" } else { &parameters.ports };
        Behavior::new(unbinned("f", parameters, profile, ports))
    }
}

/// What parameters are called at each granularity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// The behavior type.
    pub behavior: Behavior,
    /// The shape.
    pub shape: Behavior,
    /// The family.
    pub family: Behavior,
}

impl Names {
    /// The names of parameters.
    #[must_use]
    pub fn of(parameters: &Parameters, profile: &Profile) -> Names {
        Names {
            behavior: Behavior::of_type(parameters, profile),
            shape: Behavior::of_shape(parameters, profile),
            family: Behavior::of_family(parameters, profile),
        }
    }

    /// What hosts are told apart by over time: the shape; where its ports say nothing, the family. A type's volumes
    /// depend on a host's bandwidth and on the window's luck; a shape whose ports change from host to host is seen
    /// once.
    #[must_use]
    pub fn habit(&self) -> &Behavior {
        if self.ports_say_nothing() { &self.family } else { &self.shape }
    }

    /// What hosts are counted by: the type; where its ports say nothing, the habit.
    #[must_use]
    pub fn line(&self) -> &Behavior {
        if self.ports_say_nothing() { &self.family } else { &self.behavior }
    }

    fn ports_say_nothing(&self) -> bool {
        self.family.is_masked()
    }
}

fn unbinned(
    granularity: &str,
    parameters: &Parameters,
    profile: &Profile,
    ports: &dyn fmt::Display,
) -> String {
    written(format_args!(
        "{}{granularity}|pd={}|su={}|tr={}|pt={ports}|pr={}",
        profile.name,
        parameters.packets_per_destination,
        parameters.source_port_use.letter(),
        parameters.transition.letter(),
        parameters.protocol
    ))
}

/// A text in room that nearly all canonical strings find enough: a hundred thousand are written in a row.
fn written(text: fmt::Arguments<'_>) -> String {
    use fmt::Write;
    let mut out = String::with_capacity(96);
    // A string takes all that is written to it.
    let _ = out.write_fmt(text);
    out
}

/// The upper end of a count's bin: counts of one bin have the same.
pub(super) fn upper_end(count: u64, exact_max: u64) -> u64 {
    if count <= exact_max { count } else { count.checked_next_power_of_two().unwrap_or(u64::MAX) }
}

/// The bin of a count: the count itself up to `exact_max` (a power of two), then powers of two: `5-8`, `9-16`.
#[must_use]
pub fn bin(count: u64, exact_max: u64) -> String {
    Bin { count, exact_max }.to_string()
}

/// Is written as the bin of its count.
struct Bin {
    count: u64,
    exact_max: u64,
}

impl fmt::Display for Bin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count <= self.exact_max {
            return self.count.fmt(f);
        }
        match self.count.checked_next_power_of_two() {
            Some(upper) => write!(f, "{}-{upper}", upper / 2 + 1),
            None => write!(f, "{}+", (1u64 << 63) + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_fall_into_exact_bins_then_powers_of_two() {
        for (count, expected) in [
            (0, "0"),
            (1, "1"),
            (4, "4"),
            (5, "5-8"),
            (8, "5-8"),
            (9, "9-16"),
            (18, "17-32"),
            (u64::MAX, "9223372036854775809+"),
        ] {
            assert_eq!(bin(count, 4), expected);
        }
    }

    #[test]
    fn an_id_reads_back() {
        let behavior = Behavior::new("bt1|sp=1".to_owned());
        assert_eq!(behavior.id.to_string().parse(), Ok(behavior.id));
        assert!("xyz".parse::<BehaviorId>().is_err());
        assert!("é".repeat(16).parse::<BehaviorId>().is_err());
    }

    #[test]
    fn the_name_is_the_md5_of_the_canonical_string() {
        let empty = Behavior::new(String::new());
        assert_eq!(empty.id.to_string(), "d41d8cd98f00b204e9800998ecf8427e");
    }
}

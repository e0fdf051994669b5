//! Canonical strings of type, shape and pattern, and the MD5 that identifies each.

use std::fmt;

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use super::{Parameters, Profile};

/// The MD5 of a canonical string, which identifies a behavior type, shape or pattern.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BehaviorId(pub [u8; 16]);

impl BehaviorId {
    /// Returns the number that identifies a type in histories: the first 63 bits of the MD5. It depends on
    /// the canonical string alone, so that histories can be joined and anybody can compute it. The chance
    /// that any two of a million types share a number is one in 18 million; a history rejects the second of
    /// two such types.
    #[must_use]
    pub fn number(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1
    }
}

/// Writes 32 lower-case hexadecimal digits.
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

/// A text that is not the hexadecimal MD5 of a behavior.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no behavior type (32 hexadecimal digits)")]
pub struct ParseIdError(String);

impl std::str::FromStr for BehaviorId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseIdError(text.to_owned());
        if text.len() != 32 || !text.is_ascii() {
            return Err(error());
        }
        let mut id = [0; 16];
        for (place, byte) in id.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).map_err(|_| error())?;
        }
        Ok(BehaviorId(id))
    }
}

/// The field of a canonical string whose ports are masked.
const MASKED_PORTS: &str = "|pt=~|";

/// A canonical string with its MD5.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Behavior {
    /// The canonical string: ASCII, without spaces.
    pub canonical: String,
    /// The MD5 of the canonical string.
    pub id: BehaviorId,
}

impl Behavior {
    /// Computes the MD5 of a canonical string.
    #[must_use]
    pub fn new(canonical: String) -> Behavior {
        let id = BehaviorId(Md5::digest(canonical.as_bytes()).into());
        Behavior { canonical, id }
    }

    /// Returns whether the ports are masked (`pt=~`).
    #[must_use]
    pub fn is_masked(&self) -> bool {
        self.canonical.contains(MASKED_PORTS)
    }

    /// Returns the canonical string with `port` masked, if `port` is its only port; else the string
    /// unchanged.
    #[must_use]
    pub fn masked(&self, port: u16) -> String {
        self.canonical.replace(&format!("|pt={port}|"), MASKED_PORTS)
    }

    /// Returns the behavior type: all parameters of the canonical string, with counts binned.
    #[must_use]
    pub fn of_type(parameters: &Parameters, profile: &Profile) -> Behavior {
        let bin = |count| Bin { count, exact_max: profile.exact_counts_max };
        Behavior::new(formatted(format_args!(
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

    /// Returns the shape: packets per destination and the use of source ports replace the counts.
    #[must_use]
    pub fn of_shape(parameters: &Parameters, profile: &Profile) -> Behavior {
        Behavior::new(shape_string("s", parameters, profile, &parameters.ports))
    }

    /// Returns the pattern: the shape with its ports masked (`~`) where they carry no information. That holds
    /// for ephemeral ports, for ports that vary with the destination, and for ports from 1024 on to which all
    /// packets are answers (SYN-ACK or RST).
    #[must_use]
    pub fn of_pattern(parameters: &Parameters, profile: &Profile) -> Behavior {
        let masked = parameters.ports_ephemeral
            || parameters.ports_follow_destinations
            || (parameters.protocol.only_answers()
                && parameters.ports.listed().iter().all(|port| *port >= 1024));
        let ports: &dyn fmt::Display = if masked { &"~" } else { &parameters.ports };
        Behavior::new(shape_string("f", parameters, profile, ports))
    }
}

/// The names of a window's behavior at each granularity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// The behavior type.
    pub behavior: Behavior,
    /// The shape.
    pub shape: Behavior,
    /// The pattern.
    pub pattern: Behavior,
}

impl Names {
    /// Returns type, shape and pattern of parameters.
    #[must_use]
    pub fn of(parameters: &Parameters, profile: &Profile) -> Names {
        Names {
            behavior: Behavior::of_type(parameters, profile),
            shape: Behavior::of_shape(parameters, profile),
            pattern: Behavior::of_pattern(parameters, profile),
        }
    }

    /// Returns the behavior by which a host is followed over time: the shape, or the pattern where the ports
    /// are masked. A type would not do, because its counts depend on the host's bandwidth and on where the
    /// window begins. A shape with ports that carry no information would be seen once only.
    #[must_use]
    pub fn habit(&self) -> &Behavior {
        if self.ports_are_masked() { &self.pattern } else { &self.shape }
    }

    /// Returns the behavior whose hosts are counted per day (the behavior series): the type, or the pattern
    /// where the ports are masked.
    #[must_use]
    pub fn line(&self) -> &Behavior {
        if self.ports_are_masked() { &self.pattern } else { &self.behavior }
    }

    fn ports_are_masked(&self) -> bool {
        self.pattern.is_masked()
    }
}

/// Returns the canonical string of a shape or pattern. `granularity` is the letter that follows the name of
/// the profile.
fn shape_string(
    granularity: &str,
    parameters: &Parameters,
    profile: &Profile,
    ports: &dyn fmt::Display,
) -> String {
    formatted(format_args!(
        "{}{granularity}|pd={}|su={}|tr={}|pt={ports}|pr={}",
        profile.name,
        parameters.packets_per_destination,
        parameters.source_port_use.letter(),
        parameters.transition.letter(),
        parameters.protocol
    ))
}

/// Formats a text. The initial capacity of 96 bytes suffices for nearly all canonical strings, which are
/// written by the hundred thousand.
fn formatted(text: fmt::Arguments<'_>) -> String {
    use fmt::Write;
    let mut out = String::with_capacity(96);
    // Writing to a string never fails.
    let _ = out.write_fmt(text);
    out
}

/// Returns the upper end of a count's bin. Two counts have the same upper end if and only if they share a
/// bin.
pub(super) fn upper_end(count: u64, exact_max: u64) -> u64 {
    if count <= exact_max { count } else { count.checked_next_power_of_two().unwrap_or(u64::MAX) }
}

/// Returns the bin of a count: the count itself up to `exact_max` (a power of two), then ranges that end at
/// powers of two: `5-8`, `9-16`.
#[must_use]
pub fn bin(count: u64, exact_max: u64) -> String {
    Bin { count, exact_max }.to_string()
}

/// A count whose `Display` writes its bin.
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

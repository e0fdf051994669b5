//! The probe signature: how a host builds its probes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::packet::{ProbeKind, TcpOptions};

use super::{Behavior, Feature, FeatureValue, remarkable};

/// The name at the start of every signature. It must change with the meaning of any feature.
const VERSION: &str = "ps1";

/// How a host builds its probes: the features of a window's probes, or of those to one service of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProbeSignature {
    kind: Option<ProbeKind>,
    /// For each feature, which kind of value it has.
    classes: [u8; Feature::COUNT],
    /// For each feature, the number or the option kinds of its value; else 0.
    numbers: [u32; Feature::COUNT],
}

const UNKNOWN: u8 = 0;
const NUMBER: u8 = 1;
const OPTIONS: u8 = 2;
const RELATION: u8 = 3;
const CONSTANT: u8 = 4;
const OTHER: u8 = 5;
const VARIES: u8 = 6;
const ABSENT: u8 = 7;

/// The result of comparing a feature of two signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// The values are equal.
    Equal,
    /// No probe can have both values.
    Different,
    /// The values cannot be compared: one is unknown, or comes from a single probe that the other value does not exclude.
    Unknown,
}

impl ProbeSignature {
    /// Creates a signature whose features are unknown. `kind` is `None` for probes of several kinds.
    #[must_use]
    pub fn new(kind: Option<ProbeKind>) -> ProbeSignature {
        ProbeSignature { kind, classes: [UNKNOWN; Feature::COUNT], numbers: [0; Feature::COUNT] }
    }

    /// Returns the kind of the probes, or `None` if the probes are of several kinds. In that case, only features of the IP
    /// header have a value.
    #[must_use]
    pub fn kind(&self) -> Option<ProbeKind> {
        self.kind
    }

    /// Returns the word for the kind of the probes: `syn`, `datagram`, `request` or, for several kinds, `mixed`.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        name_of_kind(self.kind)
    }

    /// Returns the value of a feature.
    #[must_use]
    pub fn value(&self, feature: Feature) -> FeatureValue {
        let (class, number) = (self.classes[feature as usize], self.numbers[feature as usize]);
        match class {
            NUMBER => FeatureValue::Number(number),
            OPTIONS => FeatureValue::Options(kinds_of_number(number)),
            RELATION => FeatureValue::Relation,
            CONSTANT => FeatureValue::Constant,
            OTHER => FeatureValue::Other,
            VARIES => FeatureValue::Varies,
            ABSENT => FeatureValue::Absent,
            _ => FeatureValue::Unknown,
        }
    }

    /// Replaces the value of a feature.
    #[inline]
    pub fn set(&mut self, feature: Feature, value: FeatureValue) {
        let (class, number) = match value {
            FeatureValue::Unknown => (UNKNOWN, 0),
            FeatureValue::Number(number) => (NUMBER, number),
            FeatureValue::Options(options) => (OPTIONS, number_of_kinds(options)),
            FeatureValue::Relation => (RELATION, 0),
            FeatureValue::Constant => (CONSTANT, 0),
            FeatureValue::Other => (OTHER, 0),
            FeatureValue::Varies => (VARIES, 0),
            FeatureValue::Absent => (ABSENT, 0),
        };
        self.classes[feature as usize] = class;
        self.numbers[feature as usize] = number;
    }

    /// Returns whether all features are unknown.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.classes == [UNKNOWN; Feature::COUNT]
    }

    /// Returns the features that are known, with their values, in the order of [`Feature::ALL`].
    pub fn features(&self) -> impl Iterator<Item = (Feature, FeatureValue)> + '_ {
        let values = Feature::ALL.into_iter().map(|feature| (feature, self.value(feature)));
        values.filter(|(_, value)| *value != FeatureValue::Unknown)
    }

    /// Compares the signatures feature by feature. Signatures of different kinds of probes agree in no feature and
    /// differ in none.
    pub fn compare<'a>(
        &'a self,
        other: &'a ProbeSignature,
    ) -> impl Iterator<Item = (Feature, Agreement)> + 'a {
        let comparable = self.kind == other.kind;
        Feature::ALL.into_iter().map(move |feature| match comparable {
            true => (feature, agreement(feature, self, other)),
            false => (feature, Agreement::Unknown),
        })
    }

    /// Returns whether the signatures differ in no feature.
    #[must_use]
    pub fn is_compatible(&self, other: &ProbeSignature) -> bool {
        self.compare(other).all(|(_, agreement)| agreement != Agreement::Different)
    }

    /// Returns the number by which histories identify the signature: the first 63 bits of the MD5 of its text.
    #[must_use]
    pub fn number(&self) -> u64 {
        Behavior::new(self.to_string()).id.number()
    }
}

/// Returns the option kinds as the number that stores them; maximum segment size and window scale are left out.
#[inline]
fn number_of_kinds(options: TcpOptions) -> u32 {
    u32::try_from(options.bits() & u64::from(u32::MAX)).unwrap_or(0)
}

fn kinds_of_number(number: u32) -> TcpOptions {
    let none = TcpOptions::NONE.bits() & !u64::from(u32::MAX);
    TcpOptions::from_bits(none | u64::from(number))
}

fn agreement(feature: Feature, one: &ProbeSignature, other: &ProbeSignature) -> Agreement {
    use FeatureValue::{Constant, Number, Other, Unknown, Varies};
    match (one.value(feature), other.value(feature)) {
        (Unknown, _) | (_, Unknown) => Agreement::Unknown,
        (a, b) if a == b => Agreement::Equal,
        (Other, Constant | Varies) | (Constant | Varies, Other) => Agreement::Unknown,
        (Other, Number(number)) | (Number(number), Other) if !is_remarkable(feature, number) => {
            Agreement::Unknown
        }
        _ => Agreement::Different,
    }
}

/// Returns whether one probe suffices to keep a number as the value of a feature.
fn is_remarkable(feature: Feature, number: u32) -> bool {
    let half = u16::try_from(number).unwrap_or(u16::MAX);
    match feature {
        Feature::IpId => remarkable::ip_id(half),
        Feature::SourcePort => remarkable::source_port(half),
        Feature::Sequence => remarkable::sequence(number),
        // The number of a payload that is one of too many is not kept.
        Feature::Payload => false,
        _ => true,
    }
}

/// Writes `ps1|syn|ttl=64|df=1|...`: the kind of the probes (`mixed` for several), and each known feature. ASCII,
/// without spaces.
impl fmt::Display for ProbeSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION}|{}", name_of_kind(self.kind))?;
        for (feature, value) in self.features() {
            write!(f, "|{feature}={}", feature.text_of(value))?;
        }
        Ok(())
    }
}

impl fmt::Debug for ProbeSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Returns the word for a kind of probes; `None` stands for several kinds.
pub(super) fn name_of_kind(kind: Option<ProbeKind>) -> &'static str {
    match kind {
        Some(ProbeKind::Syn) => "syn",
        Some(ProbeKind::Datagram) => "datagram",
        Some(ProbeKind::Request) => "request",
        None => "mixed",
    }
}

/// Returns the kind of a word of [`name_of_kind`]; `None` for any other word.
pub(super) fn kind_of_name(name: &str) -> Option<Option<ProbeKind>> {
    let kinds = [Some(ProbeKind::Syn), Some(ProbeKind::Datagram), Some(ProbeKind::Request), None];
    kinds.into_iter().find(|kind| name_of_kind(*kind) == name)
}

/// A text that is no probe signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no probe signature (like ps1|syn|ttl=64|df=1)", .0.escape_default())]
pub struct ParseSignatureError(String);

/// Parses what [`Display`](fmt::Display) writes.
impl FromStr for ProbeSignature {
    type Err = ParseSignatureError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = parse(text).filter(|signature| signature.to_string() == text);
        parsed.ok_or_else(|| ParseSignatureError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<ProbeSignature> {
    let mut fields = text.strip_prefix(VERSION)?.strip_prefix('|')?.split('|');
    let mut signature = ProbeSignature::new(kind_of_name(fields.next()?)?);
    for field in fields {
        let (name, value) = field.split_once('=')?;
        let feature = Feature::from_name(name)?;
        signature.set(feature, feature.parse(value)?);
    }
    Some(signature)
}

impl Serialize for ProbeSignature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ProbeSignature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

//! The features of a probe signature and their values.

use std::fmt;

use crate::packet::{TcpOptions, UnusedFields};

/// A property of probes by which software can be distinguished. The names of features are a versioned interface: histories,
/// JSON and filters contain them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Feature {
    /// `ttl`: the initial TTL or hop limit, as the smallest of 32, 64, 128 and 255 that is not below the received one.
    Ttl,
    /// `df`: IPv4's "don't fragment" flag, 0 or 1.
    DontFragment,
    /// `id`: the IPv4 identification. Its relation is masscan's (destination xor port xor sequence number).
    IpId,
    /// `sport`: the source port. Its relation is that it equals the destination port.
    SourcePort,
    /// `window`: the TCP window, without scaling.
    Window,
    /// `options`: the kinds of TCP options in order.
    Options,
    /// `mss`: the maximum segment size.
    Mss,
    /// `wscale`: the window scale, in bits.
    WindowScale,
    /// `seq`: the TCP sequence number. Its relation is that it equals the destination address, as Mirai's does.
    Sequence,
    /// `unused`: whether the fields of a SYN that should be 0 are: 0, `ack` (the acknowledgement number is not) or
    /// `urgent` (the urgent pointer is not).
    Unused,
    /// `length`: the length of the payload of a UDP packet or ICMP request, in bytes.
    Length,
    /// `payload`: the hash of this payload ([`PayloadDigest::of`](crate::packet::PayloadDigest::of)).
    Payload,
    /// `icmp-id`: the identifier of an ICMP request.
    IcmpId,
    /// `icmp-seq`: the sequence number of an ICMP request.
    IcmpSequence,
}

impl Feature {
    /// Number of features.
    pub const COUNT: usize = 14;

    /// All features, in the order in which they are written.
    pub const ALL: [Feature; Feature::COUNT] = [
        Feature::Ttl,
        Feature::DontFragment,
        Feature::IpId,
        Feature::SourcePort,
        Feature::Window,
        Feature::Options,
        Feature::Mss,
        Feature::WindowScale,
        Feature::Sequence,
        Feature::Unused,
        Feature::Length,
        Feature::Payload,
        Feature::IcmpId,
        Feature::IcmpSequence,
    ];

    /// Returns the stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Feature::Ttl => "ttl",
            Feature::DontFragment => "df",
            Feature::IpId => "id",
            Feature::SourcePort => "sport",
            Feature::Window => "window",
            Feature::Options => "options",
            Feature::Mss => "mss",
            Feature::WindowScale => "wscale",
            Feature::Sequence => "seq",
            Feature::Unused => "unused",
            Feature::Length => "length",
            Feature::Payload => "payload",
            Feature::IcmpId => "icmp-id",
            Feature::IcmpSequence => "icmp-seq",
        }
    }

    /// Returns the feature of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Feature> {
        Feature::ALL.into_iter().find(|feature| feature.name() == name)
    }

    /// Returns the word for the relation that the feature can have.
    fn relation(self) -> &'static str {
        match self {
            Feature::IpId => "masscan",
            Feature::SourcePort => "destination-port",
            _ => "destination",
        }
    }

    /// Writes a value as signatures, JSON and filters have it.
    #[must_use]
    pub fn text_of(self, value: FeatureValue) -> String {
        match (self, value) {
            (_, FeatureValue::Unknown) => "?".to_owned(),
            (_, FeatureValue::Relation) => self.relation().to_owned(),
            (_, FeatureValue::Constant) => "constant".to_owned(),
            (_, FeatureValue::Other) => "other".to_owned(),
            (_, FeatureValue::Varies) => "*".to_owned(),
            (_, FeatureValue::Absent) => "-".to_owned(),
            (_, FeatureValue::Options(options)) if options == TcpOptions::NONE => "none".to_owned(),
            (_, FeatureValue::Options(options)) => options.to_string(),
            (Feature::Unused, FeatureValue::Number(1)) => "ack".to_owned(),
            (Feature::Unused, FeatureValue::Number(2)) => "urgent".to_owned(),
            (Feature::Payload, FeatureValue::Number(hash)) => format!("{hash:08x}"),
            (_, FeatureValue::Number(number)) => number.to_string(),
        }
    }

    /// Parses what [`text_of`](Feature::text_of) writes; `None` for anything else.
    #[must_use]
    pub fn parse(self, text: &str) -> Option<FeatureValue> {
        let value = match text {
            // Options are never a number that is not remarkable: `other` is an option without a name.
            "other" if self == Feature::Options => FeatureValue::Options(parse_kinds(text)?),
            "?" => FeatureValue::Unknown,
            "constant" => FeatureValue::Constant,
            "other" => FeatureValue::Other,
            "*" => FeatureValue::Varies,
            "-" => FeatureValue::Absent,
            "ack" => FeatureValue::Number(1),
            "urgent" => FeatureValue::Number(2),
            word if word == self.relation() => FeatureValue::Relation,
            kinds if self == Feature::Options => FeatureValue::Options(parse_kinds(kinds)?),
            digits if self == Feature::Payload => FeatureValue::Number(u32::from_str_radix(digits, 16).ok()?),
            digits => FeatureValue::Number(digits.parse().ok()?),
        };
        (self.text_of(value) == text).then_some(value)
    }
}

fn parse_kinds(text: &str) -> Option<TcpOptions> {
    let mut names = text.split(',').filter(|_| text != "none");
    names.try_fold(TcpOptions::NONE, TcpOptions::with_named)
}

/// The value of a feature over the probes of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FeatureValue {
    /// The input does not have the field, or the probes have none.
    Unknown,
    /// All probes have this number.
    Number(u32),
    /// All probes have these kinds of options. Maximum segment size and window scale are features of their own.
    Options(TcpOptions),
    /// The feature's relation holds for all probes.
    Relation,
    /// Several probes share a number that is not stored, because hosts choose it at random.
    Constant,
    /// A single probe has a number that is not remarkable, or the capture has too many different payload hashes.
    Other,
    /// The probes differ.
    Varies,
    /// The probes have no such option, or no payload.
    Absent,
}

impl FeatureValue {
    /// Returns the value of [`Feature::Unused`].
    #[must_use]
    pub fn of_unused(unused: UnusedFields) -> FeatureValue {
        FeatureValue::Number(match unused {
            UnusedFields::Empty => 0,
            UnusedFields::Acknowledgement => 1,
            UnusedFields::UrgentPointer => 2,
        })
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

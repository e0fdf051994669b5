//! Records of captures and types, and of what was observed.

use std::net::IpAddr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::behavior::{Behavior, BehaviorId, Names, OpenWindow, Parameters, TypeList};
use crate::packet::{Protocol, TcpFlags, Timestamp};

/// A span of time, both ends included.
pub type TimeSpan = (Timestamp, Timestamp);

/// A stored capture, identified by its content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureRecord {
    /// BLAKE3 hash of the uncompressed bytes.
    pub content: [u8; 32],
    /// BLAKE3 hash of the recorded packets in order: time in microseconds, addresses, protocol, ports. It
    /// does not depend on the container, and shows whether another file begins with the same packets.
    pub packet_hash: [u8; 32],
    /// The file name under which the capture was fed, for display.
    pub name: String,
    /// Number of packets to the sensor's dark addresses.
    pub packets: u64,
    /// Number of packets to any address, without those that were left out. It is 0 for recorded time given by
    /// `--covers`.
    pub recorded: u64,
    /// Number of packets that the recorder dropped; `None` if unknown.
    pub dropped: Option<u64>,
    /// The capture spans: ascending and disjoint, both ends included.
    pub spans: Vec<TimeSpan>,
    /// Time of feeding, by the clock of the machine. For simulated packets, the time of the last packet.
    pub fed_at: Timestamp,
    /// Its place in a file that was fed in parts while it grew; `None` for a file that was fed as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<FilePart>,
}

/// The place of a capture in a file that was fed in parts while it grew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilePart {
    /// Content hash of the first of the parts on this day that follow each other without a packet between them.
    pub first_part: [u8; 32],
    /// Number of records of earlier parts that this one replaced.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub joined: u64,
    /// Number of packets of these parts up to the end of this one.
    pub packets: u64,
    /// Hash of these packets, computed as [`CaptureRecord::packet_hash`] is.
    pub packet_hash: [u8; 32],
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl CaptureRecord {
    /// Returns how many captures were stored for this record: 1, or several parts of a file that were joined.
    #[must_use]
    pub fn stored_captures(&self) -> u64 {
        1 + self.part.as_ref().map_or(0, |part| part.joined)
    }

    /// Compares captures by the time of their first packet, then by name and content.
    #[must_use]
    pub fn cmp_by_time(&self, other: &CaptureRecord) -> std::cmp::Ordering {
        (self.first(), &self.name, &self.content).cmp(&(other.first(), &other.name, &other.content))
    }

    /// Returns the start of the recording; `None` for a capture without packets.
    #[must_use]
    pub fn first(&self) -> Option<Timestamp> {
        self.spans.first().map(|(first, _)| *first)
    }

    /// Returns the end of the recording; `None` for a capture without packets.
    #[must_use]
    pub fn last(&self) -> Option<Timestamp> {
        self.spans.last().map(|(_, last)| *last)
    }
}

/// A behavior type as stored in a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeRecord {
    /// The type.
    pub behavior: Behavior,
    /// Its shape.
    pub shape: Behavior,
    /// Its pattern.
    pub pattern: Behavior,
    /// Its parameters. Binned counts have the upper end of their bin; values that the type does not determine
    /// are those of the first window.
    pub parameters: Parameters,
}

impl TypeRecord {
    /// Creates the record of a type from its parameters, with the names that the list gives it.
    #[must_use]
    pub fn new(parameters: Parameters, types: &TypeList) -> TypeRecord {
        let Names { behavior, shape, pattern } = types.names(&parameters);
        TypeRecord { behavior, shape, pattern, parameters }
    }

    /// Returns the names of the type, its shape and its pattern.
    #[must_use]
    pub fn names(&self) -> Names {
        Names { behavior: self.behavior.clone(), shape: self.shape.clone(), pattern: self.pattern.clone() }
    }
}

/// Nanoseconds of an hour.
pub(super) const HOUR_NANOSECONDS: i64 = 3_600_000_000_000;

/// A day of a sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day {
    /// The date, in the sensor's time zone.
    pub date: Date,
    /// The start of the day.
    pub start: Timestamp,
}

impl Day {
    /// Returns the day that contains a moment in a time zone.
    #[must_use]
    pub fn from_time(time: Timestamp, zone: &TimeZone) -> Day {
        let start = time.day_bounds(zone).map_or(time, |(first, _)| first);
        Day { date: time.day(zone), start }
    }

    /// Returns the day of a date in a time zone.
    #[must_use]
    pub fn from_date(date: Date, zone: &TimeZone) -> Day {
        let start = date.to_zoned(zone.clone()).map(|start| start.timestamp().as_nanosecond());
        let start = start.ok().and_then(|nanoseconds| i64::try_from(nanoseconds).ok());
        Day { date, start: Timestamp(start.unwrap_or(0)) }
    }

    /// Returns the last nanosecond of the day, which has 24 hours; `None` if 64 bits do not suffice.
    #[must_use]
    pub fn end(self) -> Option<Timestamp> {
        self.start.0.checked_add(24 * HOUR_NANOSECONDS - 1).map(Timestamp)
    }

    /// Returns the number of full hours from the start of the day to a moment. A day on which the clock
    /// changes has 23 or 25 hours.
    #[must_use]
    pub fn hour(self, time: Timestamp) -> i64 {
        time.0.saturating_sub(self.start.0).div_euclid(HOUR_NANOSECONDS)
    }
}

/// The counts of a sighting: the sum over the windows of one host, day and type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SightingCounts {
    /// Number of windows.
    pub windows: u64,
    /// Number of packets.
    pub packets: u64,
    /// Time of the first packet, in whole seconds.
    pub first: Timestamp,
    /// Time of the last packet, in whole seconds.
    pub last: Timestamp,
    /// The hours of the sensor's day ([`Day::hour`]) in which the windows began, as a bitmap: bit h is hour
    /// h.
    pub hours: u32,
    /// Marks of the windows, as a bitmap: bit i is entry i of the contribution's `mark_names`.
    pub marks: u64,
}

impl SightingCounts {
    /// No windows: the neutral element of [`SightingCounts::merged`].
    pub const NONE: SightingCounts = SightingCounts {
        windows: 0,
        packets: 0,
        first: Timestamp(i64::MAX),
        last: Timestamp(i64::MIN),
        hours: 0,
        marks: 0,
    };

    /// Returns the sum of two counts. Sums saturate, because a damaged history may contain any number.
    #[must_use]
    pub fn merged(self, other: SightingCounts) -> SightingCounts {
        SightingCounts {
            windows: self.windows.saturating_add(other.windows),
            packets: self.packets.saturating_add(other.packets),
            first: self.first.min(other.first),
            last: self.last.max(other.last),
            hours: self.hours | other.hours,
            marks: self.marks | other.marks,
        }
    }
}

/// A packet of an example window, with the fields that a tile needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExamplePacket {
    /// Microseconds since the start of the window.
    pub offset_micros: u32,
    /// The source port; `None` if the protocol has none.
    pub source_port: Option<u16>,
    /// The destination address.
    pub destination: IpAddr,
    /// The destination port; `None` if the protocol has none.
    pub destination_port: Option<u16>,
    /// The protocol.
    pub protocol: Protocol,
    /// TCP flags; `None` if unknown or not TCP.
    pub flags: Option<TcpFlags>,
}

/// A window stored with its packets, so that its tile can be drawn without the capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The type of the window.
    pub behavior: BehaviorId,
    /// The source host.
    pub host: IpAddr,
    /// Time of the first packet.
    pub start: Timestamp,
    /// The traced packets, whose maximum number is set by the profile.
    pub packets: Vec<ExamplePacket>,
}

impl ExamplePacket {
    /// Returns the traced packets of a window.
    #[must_use]
    pub fn from_window(window: &OpenWindow) -> Vec<ExamplePacket> {
        window
            .traced()
            .map(|(offset_micros, probe)| ExamplePacket {
                offset_micros,
                source_port: probe.source_port(),
                destination: probe.destination(),
                destination_port: probe.destination_port(),
                protocol: probe.protocol(),
                flags: probe.flags(),
            })
            .collect()
    }
}

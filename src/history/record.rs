//! What one capture adds to a sensor's history.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::behavior::{Behavior, BehaviorId, Names, OpenWindow, Parameters, TypeList};
use crate::event::{Protocol, TcpFlags, Timestamp};

use super::{Gathered, TimeSpan};

/// A capture that was fed, known by its content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureRecord {
    /// BLAKE3 of the uncompressed bytes.
    pub content: [u8; 32],
    /// BLAKE3 of the packets that count, in their order: time in microseconds, addresses, protocol, ports. It is the
    /// same whatever the container, and tells whether another file begins with these packets.
    pub packet_hash: [u8; 32],
    /// The name it was fed under, for people.
    pub name: String,
    /// Packets to the sensor's dark addresses.
    pub packets: u64,
    /// Packets to any address; those that were left out do not count. 0 for time that was given with `--covers`.
    pub recorded: u64,
    /// Packets that the recorder lost, where known.
    pub dropped: Option<u64>,
    /// The time in which the sensor recorded this capture: ascending and disjoint, ends included.
    pub spans: Vec<TimeSpan>,
    /// When it was fed, by the clock of the machine that did it; for simulated packets the time of the last one.
    pub fed_at: Timestamp,
}

impl CaptureRecord {
    /// Compares captures by the time of their first packet, then by name.
    #[must_use]
    pub fn in_time_order(&self, other: &CaptureRecord) -> std::cmp::Ordering {
        (self.first(), &self.name, &self.content).cmp(&(other.first(), &other.name, &other.content))
    }

    /// Returns when the recording began; `None` for a capture without packets.
    #[must_use]
    pub fn first(&self) -> Option<Timestamp> {
        self.spans.first().map(|(first, _)| *first)
    }

    /// Returns when the recording ended.
    #[must_use]
    pub fn last(&self) -> Option<Timestamp> {
        self.spans.last().map(|(_, last)| *last)
    }
}

/// A behavior type as the history knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeRecord {
    /// The type.
    pub behavior: Behavior,
    /// Its shape.
    pub shape: Behavior,
    /// Its family.
    pub family: Behavior,
    /// Its parameters, with counts at the upper ends of their bins; what the type leaves open is as the first window
    /// had it.
    pub parameters: Parameters,
}

impl TypeRecord {
    /// A type of a list, with its names.
    #[must_use]
    pub fn new(parameters: Parameters, types: &TypeList) -> TypeRecord {
        let Names { behavior, shape, family } = types.names(&parameters);
        TypeRecord { behavior, shape, family, parameters }
    }

    /// Its names.
    #[must_use]
    pub fn names(&self) -> Names {
        Names { behavior: self.behavior.clone(), shape: self.shape.clone(), family: self.family.clone() }
    }
}

/// A sensor's day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day {
    /// Its date, in the sensor's time zone.
    pub date: Date,
    /// The moment at which it begins.
    pub start: Timestamp,
}

impl Day {
    /// The day of a moment in a time zone.
    #[must_use]
    pub fn of(time: Timestamp, zone: &TimeZone) -> Day {
        let start = time.day_bounds(zone).map_or(time, |(first, _)| first);
        Day { date: time.day(zone), start }
    }

    /// The day of a date in a time zone.
    #[must_use]
    pub fn on(date: Date, zone: &TimeZone) -> Day {
        let start = date.to_zoned(zone.clone()).map(|start| start.timestamp().as_nanosecond());
        let start = start.ok().and_then(|nanoseconds| i64::try_from(nanoseconds).ok());
        Day { date, start: Timestamp(start.unwrap_or(0)) }
    }

    /// How many hours of the day have passed at a moment. A day on which clocks change has 23 or 25.
    #[must_use]
    pub fn hour(self, time: Timestamp) -> i64 {
        const HOUR: i64 = 3_600_000_000_000;
        time.0.saturating_sub(self.start.0).div_euclid(HOUR)
    }
}

/// What a sighting adds up: the windows of one host, day and type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SightingCounts {
    /// Windows.
    pub windows: u64,
    /// Packets.
    pub packets: u64,
    /// The first packet's time, in whole seconds.
    pub first: Timestamp,
    /// The last packet's time, in whole seconds.
    pub last: Timestamp,
    /// The hours of the sensor's day ([`Day::hour`]) in which windows began: bit h stands for hour h.
    pub hours: u32,
    /// Marks of these windows: bit i stands for the i-th of the contribution's `mark_names`.
    pub marks: u64,
}

impl SightingCounts {
    /// No window yet; merged with any other it is that one.
    pub const NONE: SightingCounts = SightingCounts {
        windows: 0,
        packets: 0,
        first: Timestamp(i64::MAX),
        last: Timestamp(i64::MIN),
        hours: 0,
        marks: 0,
    };

    /// Returns both together. Counts of damaged histories stop at the largest number.
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

/// A packet of an example window, enough to draw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExamplePacket {
    /// Microseconds since the window's start.
    pub offset_micros: u32,
    /// From which port.
    pub source_port: Option<u16>,
    /// To which address.
    pub destination: IpAddr,
    /// To which port.
    pub destination_port: Option<u16>,
    /// By which protocol.
    pub protocol: Protocol,
    /// TCP flags, where known.
    pub flags: Option<TcpFlags>,
}

/// A window kept with its packets, so that its tile can be drawn without the capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The type it is an example of.
    pub behavior: BehaviorId,
    /// The host.
    pub host: IpAddr,
    /// Its first packet's time.
    pub start: Timestamp,
    /// Its packets, as many as the profile traces.
    pub packets: Vec<ExamplePacket>,
}

impl ExamplePacket {
    /// The packets of a window, as far as they are traced.
    #[must_use]
    pub fn all_of(window: &OpenWindow) -> Vec<ExamplePacket> {
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

/// All that one capture adds, to be stored as one.
#[derive(Debug)]
pub struct Contribution {
    /// The capture.
    pub capture: CaptureRecord,
    /// The days it spans, in the sensor's time zone.
    pub days: BTreeSet<Date>,
    /// Names of the marks in sightings.
    pub mark_names: Vec<String>,
    /// The types of the gathered windows. Examples name a type by its place in this list.
    pub types: TypeList,
    /// The numbers of these types in histories ([`BehaviorId::number`]), by place.
    pub type_numbers: Vec<u64>,
    /// Windows that are closed for good.
    pub closed: Gathered,
    /// The windows that the capture's end left open, counted as if they ended there. They *replace* what the
    /// sensor's previous capture left open.
    pub open: Gathered,
    /// How many captures the sensor had when this one was begun; a store refuses one that has another number by
    /// then, since its open windows would be counted twice.
    pub captures_before: u64,
    /// The open windows themselves, to go on with.
    pub resume: Resume,
}

/// Where a sensor's engine stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resume {
    /// Captures fed so far; the store's to say, and not kept with the rest.
    pub captures: u64,
    /// The latest time seen.
    pub clock: Option<Timestamp>,
    /// Windows still open; their marks are numbered as in `mark_names`.
    pub windows: Vec<OpenWindow>,
    /// Names of the marks in the windows.
    pub mark_names: Vec<String>,
}

/// Where a sensor's engine stopped before its newest capture was fed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeforeNewest {
    /// The content of the newest capture.
    pub content: [u8; 32],
    /// What its removal goes back to.
    pub resume: Resume,
}

/// The windows that are open again once the newest capture is removed.
#[derive(Debug)]
pub struct Reopened {
    /// Names of the marks in sightings.
    pub mark_names: Vec<String>,
    /// The numbers of the types in histories, by the places by which the examples name them. The history has all of these types.
    pub type_numbers: Vec<u64>,
    /// The windows, counted as if they ended where they are open.
    pub open: Gathered,
    /// The windows themselves.
    pub resume: Resume,
}

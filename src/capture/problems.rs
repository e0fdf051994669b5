//! Problems within a capture, counted by reason, with the place of the first of each.

use std::collections::BTreeMap;
use std::fmt;

use super::link_names;

/// The reason why a part of a capture gave no packet, or a packet with fewer fields than its headers
/// announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Problem {
    /// The headers are cut by the snap length or by the end of the packet.
    TruncatedPacket,
    /// The packet is a fragment other than the first: it has addresses and a protocol, but no ports.
    LaterFragment,
    /// The frame carries neither IP nor ARP.
    NotIp,
    /// The link type is unknown. Holds its number in the file, or `None` for all types beyond the first 16 of
    /// one capture.
    UnknownLinkType(Option<i32>),
    /// The headers contradict themselves.
    MalformedHeader,
    /// A record or block violates the container's format. Reading stops, or continues with the next block.
    DamagedRecord,
    /// The file ends within a record.
    TruncatedFile,
    /// The header of another capture stands where a record should be, as in the output of `cat a b`. Reading
    /// continues with that capture.
    AnotherCapture,
    /// A pcapng block refers to an interface that was not described.
    UnknownInterface,
    /// A packet record has no time.
    NoTime,
    /// A text line is not a packet and belongs to none.
    UnreadableLine,
    /// A text line has a host name instead of an address.
    HostName,
    /// A text line has a port name that the services table does not contain.
    ServiceName,
    /// A text line does not begin like the packets of this log, and is taken for printed payload.
    PayloadLine,
    /// A text line has a time that cannot be parsed.
    UnreadableTime,
}

/// Maximum number of unknown link types of one capture that are counted separately. A pcapng could name
/// 65,536.
const LINK_TYPES_MAX: usize = 16;

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Problem::UnknownLinkType(Some(link)) => {
                return match link_names::name(*link) {
                    Some(name) => write!(f, "unknown link type {link} ({name})"),
                    None => write!(f, "unknown link type {link}"),
                };
            }
            Problem::UnknownLinkType(None) => "other unknown link types",
            Problem::TruncatedPacket => "truncated packet",
            Problem::LaterFragment => "fragment without ports",
            Problem::NotIp => "neither IP nor ARP",
            Problem::MalformedHeader => "malformed header",
            Problem::DamagedRecord => "damaged record",
            Problem::TruncatedFile => "file ends within a record",
            Problem::AnotherCapture => "another capture appended to this one",
            Problem::UnknownInterface => "packet of an undescribed interface",
            Problem::NoTime => "packet without a time",
            Problem::UnreadableLine => "unreadable line",
            Problem::HostName => "host name instead of an address",
            Problem::ServiceName => "unknown service name",
            Problem::PayloadLine => "line without the log's time, taken for payload",
            Problem::UnreadableTime => "unreadable time",
        })
    }
}

/// A place in a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapturePosition {
    /// The offset in the uncompressed capture, in bytes from 0.
    Byte(u64),
    /// The line of a text log, counted from 1.
    Line(u64),
}

impl fmt::Display for CapturePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CapturePosition::Byte(offset) => write!(f, "byte {offset}"),
            CapturePosition::Line(line) => write!(f, "line {line}"),
        }
    }
}

/// How often a problem occurred, and where first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProblemCount {
    /// The number of occurrences.
    pub count: u64,
    /// The place of the first occurrence.
    pub first: CapturePosition,
}

/// All problems of one capture. Its size is bounded by the number of reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(BTreeMap<Problem, ProblemCount>);

impl Problems {
    /// Counts one occurrence of a problem.
    pub fn count(&mut self, mut problem: Problem, place: CapturePosition) {
        if matches!(problem, Problem::UnknownLinkType(_)) && !self.0.contains_key(&problem) {
            let known =
                self.0.keys().filter(|known| matches!(known, Problem::UnknownLinkType(Some(_)))).count();
            if known >= LINK_TYPES_MAX {
                problem = Problem::UnknownLinkType(None);
            }
        }
        self.0.entry(problem).or_insert(ProblemCount { count: 0, first: place }).count += 1;
    }

    /// Returns each problem with its tally, in the order of [`Problem`].
    pub fn iter(&self) -> impl Iterator<Item = (Problem, ProblemCount)> + '_ {
        self.0.iter().map(|(problem, tally)| (*problem, *tally))
    }

    /// Returns whether no problem occurred.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

//! What could not be read: counted by reason, with the place of the first of each.

use std::collections::BTreeMap;
use std::fmt;

use super::link_names;

/// Why a piece of a capture gave no packet, or a packet with less than its headers would say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Problem {
    /// The headers were cut by the snap length or the packet's own end.
    TruncatedPacket,
    /// A fragment that is not the first: it has addresses and a protocol, but no ports.
    LaterFragment,
    /// A frame that carries neither IP nor ARP.
    NotIp,
    /// The link type cannot be read. Holds its number in the file, or `None` for the types beyond the first 16 of one
    /// capture.
    UnknownLinkType(Option<i32>),
    /// Headers that contradict themselves.
    MalformedHeader,
    /// A record or block that breaks the container's own format; reading stops or skips there.
    DamagedRecord,
    /// The file ends in the middle of a record.
    TruncatedFile,
    /// The header of another capture stands where a record should be, as after `cat a b`. Reading continues with that
    /// capture.
    AnotherCapture,
    /// A pcapng packet of an interface that was never described.
    UnknownInterface,
    /// A packet record without a time.
    NoTime,
    /// A text line that is no packet and belongs to none.
    UnreadableLine,
    /// A text line whose host is a name, not an address.
    HostName,
    /// A text line whose port is a name that the services table does not have.
    ServiceName,
    /// A line that does not begin as the log's packets do: taken for a payload that was printed.
    PayloadLine,
    /// A text line whose time cannot be read.
    UnreadableTime,
}

/// Number of unknown link types of one capture that are counted separately; a pcapng could name 65,536.
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

/// Where in a capture something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The offset in the uncompressed capture, in bytes from 0.
    Byte(u64),
    /// The line of a text log, from 1.
    Line(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Byte(offset) => write!(f, "byte {offset}"),
            Place::Line(line) => write!(f, "line {line}"),
        }
    }
}

/// How often a problem was met, and where first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// How often.
    pub count: u64,
    /// Where first.
    pub first: Place,
}

/// All problems of one capture. Its size is bounded by the number of reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(BTreeMap<Problem, Tally>);

impl Problems {
    /// Counts one.
    pub fn count(&mut self, mut problem: Problem, place: Place) {
        if matches!(problem, Problem::UnknownLinkType(_)) && !self.0.contains_key(&problem) {
            let known =
                self.0.keys().filter(|known| matches!(known, Problem::UnknownLinkType(Some(_)))).count();
            if known >= LINK_TYPES_MAX {
                problem = Problem::UnknownLinkType(None);
            }
        }
        self.0.entry(problem).or_insert(Tally { count: 0, first: place }).count += 1;
    }

    /// Each reason with its tally, in the order of [`Problem`].
    pub fn iter(&self) -> impl Iterator<Item = (Problem, Tally)> + '_ {
        self.0.iter().map(|(problem, tally)| (*problem, *tally))
    }

    /// Whether nothing was met.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

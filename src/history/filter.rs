//! Which sightings a question is about.

use std::cmp::Ordering;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::civil::Date;

use crate::behavior::Parameters;
use crate::event::Protocol;

use super::{Scope, Selection, SightingCounts};

/// Sightings of some types, by some hosts, on some days.
#[derive(Clone, Debug, Default)]
pub struct Filter<'a> {
    /// Of these types.
    pub types: Types<'a>,
    /// By hosts of this prefix only.
    pub sources: Option<IpNet>,
    /// Not before this day.
    pub first: Option<Date>,
    /// Not after this day.
    pub last: Option<Date>,
}

/// Some types.
#[derive(Clone, Copy, Default)]
pub enum Types<'a> {
    /// All, whole windows only: what adds up to the sensor's totals.
    #[default]
    All,
    /// Those of one behavior.
    Of(Selection),
    /// Those of these numbers, ascending; whole windows only.
    Listed(&'a [u64]),
    /// Those of one protocol alone and to one port alone, of whole windows and of facets.
    Service(Protocol, u16),
    /// Those whose parameters pass, of whole windows and, if so said, of facets.
    Where(&'a dyn Fn(&Parameters) -> bool, Facets),
}

/// Whether facets count beside whole windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Facets {
    /// They do.
    Counted,
    /// They do not.
    LeftOut,
}

impl fmt::Debug for Types<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Types::All => f.write_str("All"),
            Types::Of(selection) => f.debug_tuple("Of").field(selection).finish(),
            Types::Listed(numbers) => f.debug_tuple("Listed").field(&numbers.len()).finish(),
            Types::Service(protocol, port) => f.debug_tuple("Service").field(protocol).field(port).finish(),
            Types::Where(_, facets) => f.debug_tuple("Where").field(facets).finish(),
        }
    }
}

impl Types<'_> {
    /// Whether sightings of facets count.
    #[must_use]
    pub fn facets(&self) -> bool {
        match self {
            Types::All | Types::Listed(_) => false,
            Types::Of(selection) => selection.facets,
            Types::Service(..) => true,
            Types::Where(_, facets) => *facets == Facets::Counted,
        }
    }
}

impl Filter<'_> {
    /// Whether a day counts.
    #[must_use]
    pub fn has_day(&self, day: Date) -> bool {
        self.first.is_none_or(|first| first <= day) && self.last.is_none_or(|last| day <= last)
    }

    /// Whether a host counts.
    #[must_use]
    pub fn has_host(&self, host: IpAddr) -> bool {
        self.sources.is_none_or(|sources| sources.contains(&host))
    }
}

/// One host on one day with one type. Where the windows of a day lie in several captures that were not merged, it comes in
/// several parts, which add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The sensor's day.
    pub day: Date,
    /// The type's number ([`crate::behavior::BehaviorId::number`]).
    pub number: u64,
    /// Of a whole window or of a facet.
    pub scope: Scope,
    /// The host.
    pub host: IpAddr,
    /// The number of its probe signature, where one is known.
    pub signature: Option<u32>,
    /// What was seen; its marks are in the store's numbers.
    pub counts: SightingCounts,
}

impl Sighting {
    /// The order in which stores keep them: by type, scope, host, day and signature. Those that are equal in all of these are
    /// parts of one.
    #[must_use]
    pub fn order(&self, other: &Sighting) -> Ordering {
        let key = |one: &Sighting| (one.number, one.scope, one.host, one.day, one.signature);
        key(self).cmp(&key(other))
    }
}

/// What a sensor observed of a type on a day: all its sightings added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DailyCount {
    /// The type's number.
    pub number: u64,
    /// Of whole windows or of facets.
    pub scope: Scope,
    /// The sensor's day.
    pub day: Date,
    /// Windows.
    pub windows: u64,
    /// Packets.
    pub packets: u64,
    /// Unique hosts, exact.
    pub hosts: u64,
}

//! Filters: which sightings a query selects.

use std::cmp::Ordering;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::civil::Date;

use crate::behavior::Parameters;
use crate::packet::Protocol;

use super::{BehaviorFilter, Scope, SightingCounts};

/// Selects sightings by type, host and day. The default selects all whole windows.
#[derive(Clone, Debug, Default)]
pub struct Filter<'a> {
    /// The types to select.
    pub types: TypeFilter<'a>,
    /// The prefix of the hosts to select; `None` for all hosts.
    pub sources: Option<IpNet>,
    /// The first day to select; `None` for no lower bound.
    pub first: Option<Date>,
    /// The last day to select; `None` for no upper bound.
    pub last: Option<Date>,
}

/// Selects types, and whether facets count beside whole windows.
#[derive(Clone, Copy, Default)]
pub enum TypeFilter<'a> {
    /// All types, whole windows only. These sightings add up to the sensor's totals.
    #[default]
    All,
    /// The types of one behavior (a type, shape or pattern).
    Behavior(BehaviorFilter),
    /// The types with these numbers, which must ascend; whole windows only.
    Numbers(&'a [u64]),
    /// The types whose packets all have one protocol and one destination port; whole windows and facets.
    Service(Protocol, u16),
    /// The types whose packets all have one protocol; whole windows only.
    Protocol(Protocol),
    /// The types whose parameters satisfy a predicate; whole windows and, if requested, facets.
    Predicate(&'a dyn Fn(&Parameters) -> bool, FacetInclusion),
}

/// Whether facets count beside whole windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FacetInclusion {
    /// Facets count.
    Included,
    /// Facets do not count.
    Excluded,
}

impl fmt::Debug for TypeFilter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TypeFilter::All => f.write_str("All"),
            TypeFilter::Behavior(selection) => f.debug_tuple("Behavior").field(selection).finish(),
            TypeFilter::Numbers(numbers) => f.debug_tuple("Numbers").field(&numbers.len()).finish(),
            TypeFilter::Service(protocol, port) => {
                f.debug_tuple("Service").field(protocol).field(port).finish()
            }
            TypeFilter::Protocol(protocol) => f.debug_tuple("Protocol").field(protocol).finish(),
            TypeFilter::Predicate(_, facets) => f.debug_tuple("Predicate").field(facets).finish(),
        }
    }
}

impl TypeFilter<'_> {
    /// Returns whether sightings of facets count.
    #[must_use]
    pub fn includes_facets(&self) -> bool {
        match self {
            TypeFilter::All | TypeFilter::Numbers(_) | TypeFilter::Protocol(_) => false,
            TypeFilter::Behavior(selection) => selection.facets,
            TypeFilter::Service(..) => true,
            TypeFilter::Predicate(_, facets) => *facets == FacetInclusion::Included,
        }
    }
}

impl Filter<'_> {
    /// Returns whether the filter selects a day.
    #[must_use]
    pub fn has_day(&self, day: Date) -> bool {
        self.first.is_none_or(|first| first <= day) && self.last.is_none_or(|last| day <= last)
    }

    /// Returns whether the filter selects a host.
    #[must_use]
    pub fn has_host(&self, host: IpAddr) -> bool {
        self.sources.is_none_or(|sources| sources.contains(&host))
    }
}

/// One host, day and type of a sensor. If the windows of a day lie in several captures that have not been
/// merged, a query returns several parts whose counts add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The day, in the sensor's time zone.
    pub day: Date,
    /// The type's number ([`crate::behavior::BehaviorId::number`]).
    pub number: u64,
    /// Whether this is a sighting of whole windows or of facets.
    pub scope: Scope,
    /// The source host.
    pub host: IpAddr,
    /// The number of the probe signature ([`crate::behavior::ProbeSignature::number`]); `None` if there is none.
    pub signature: Option<u64>,
    /// The counts. Marks are bits in the numbering of the store, or of the contribution before it is stored.
    pub counts: SightingCounts,
}

impl Sighting {
    /// Compares sightings in the order of storage: by type, scope, host, day and signature. Sightings that
    /// are equal in all of these are parts of one sighting.
    #[must_use]
    pub fn order(&self, other: &Sighting) -> Ordering {
        let key = |one: &Sighting| (one.number, one.scope, one.host, one.day, one.signature);
        key(self).cmp(&key(other))
    }
}

/// The sum of all sightings of one type, day and probe signature of a sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SignatureCount {
    /// The type's number ([`crate::behavior::BehaviorId::number`]).
    pub number: u64,
    /// Whether whole windows or facets are counted.
    pub scope: Scope,
    /// The day, in the sensor's time zone.
    pub day: Date,
    /// The signature's number ([`crate::behavior::ProbeSignature::number`]); `None` for windows without one.
    pub signature: Option<u64>,
    /// Number of windows.
    pub windows: u64,
    /// Number of packets.
    pub packets: u64,
    /// Exact number of unique hosts with this signature. A host that showed several counts in each of them.
    pub hosts: u64,
}

/// A daily count: the sum of all sightings of one type and day of a sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DailyCount {
    /// The type's number ([`crate::behavior::BehaviorId::number`]).
    pub number: u64,
    /// Whether whole windows or facets are counted.
    pub scope: Scope,
    /// The day, in the sensor's time zone.
    pub day: Date,
    /// Number of windows.
    pub windows: u64,
    /// Number of packets.
    pub packets: u64,
    /// Exact number of unique hosts.
    pub hosts: u64,
}

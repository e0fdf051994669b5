//! The criteria of a query, evaluated on segments, row groups and rows.

use ipnet::IpNet;
use jiff::civil::Date;

use crate::history::{Filter, Scope};

use super::catalog::SegmentEntry;
use super::rows::{HOST4, HOST6, TYPE};
use super::segment::Segment;

/// Returns a function that tells whether a type is one of `types`, which ascend. Rows are sorted by type, so the
/// function remembers its last answer and looks each type up once.
pub(super) fn type_matcher(types: &[u64]) -> impl FnMut(u64) -> bool {
    let mut last: Option<(u64, bool)> = None;
    move |number| match last {
        Some((known, is_among)) if known == number => is_among,
        _ => {
            let is_among = types.binary_search(&number).is_ok();
            last = Some((number, is_among));
            is_among
        }
    }
}

/// The sightings that a query needs.
pub(super) struct RowFilter<'a> {
    /// The numbers of the types, ascending; `None` for all types.
    pub(super) types: Option<&'a [u64]>,
    /// Whether facets count beside whole windows.
    pub(super) facets: bool,
    /// The first and the last day; `None` for no bound.
    pub(super) days: (Option<Date>, Option<Date>),
    /// The prefix of the hosts; `None` for all hosts.
    pub(super) sources: Option<IpNet>,
}

impl<'a> RowFilter<'a> {
    /// All sightings, whole windows and facets.
    pub(super) const ALL: RowFilter<'static> =
        RowFilter { types: None, facets: true, days: (None, None), sources: None };

    /// Converts a filter; `types` has the numbers of its types.
    pub(super) fn from_filter(filter: &Filter<'_>, types: Option<&'a [u64]>) -> RowFilter<'a> {
        let days = (filter.first, filter.last);
        RowFilter { types, facets: filter.types.includes_facets(), days, sources: filter.sources }
    }

    /// Selects the sightings of some types on all days and of all hosts.
    pub(super) fn from_types(types: &'a [u64], facets: bool) -> RowFilter<'a> {
        RowFilter { types: Some(types), facets, ..RowFilter::ALL }
    }

    pub(super) fn has_day(&self, day: Date) -> bool {
        self.days.0.is_none_or(|first| first <= day) && self.days.1.is_none_or(|last| day <= last)
    }

    /// Returns whether a segment may hold rows of the wanted days.
    pub(super) fn may_match_segment(&self, listed: &SegmentEntry) -> bool {
        self.days.0.is_none_or(|first| first <= listed.days.1)
            && self.days.1.is_none_or(|last| listed.days.0 <= last)
    }

    pub(super) fn has_scope(&self, scope: Scope) -> bool {
        self.facets || scope == Scope::Whole
    }

    pub(super) fn has_type(&self, number: u64) -> bool {
        self.types.is_none_or(|types| types.binary_search(&number).is_ok())
    }

    /// Returns whether the counts of a type, scope and day are wanted.
    pub(super) fn has_count(&self, number: u64, scope: Scope, day: Date) -> bool {
        self.has_scope(scope) && self.has_day(day) && self.has_type(number)
    }

    /// Returns whether a row group may have a wanted type, according to the statistics of `column`, which
    /// holds types.
    pub(super) fn may_have_type(&self, segment: &Segment, group: usize, column: usize) -> bool {
        segment.range(group, column).is_none_or(|range| self.has_type_between(range))
    }

    fn has_type_between(&self, (first, last): (i64, i64)) -> bool {
        let Some(types) = self.types else { return true };
        let from = types.partition_point(|number| number.cast_signed() < first);
        types.get(from).is_some_and(|number| number.cast_signed() <= last)
    }

    /// Returns whether a row group may have wanted sightings, according to statistics and Bloom filters.
    pub(super) fn may_match_group(&self, segment: &Segment, group: usize) -> bool {
        self.may_have_type(segment, group, TYPE)
            && self.sources.is_none_or(|sources| may_have_source(segment, group, sources))
    }
}

/// Returns whether a row group may have hosts within a prefix. Bloom filters help only for single addresses.
fn may_have_source(segment: &Segment, group: usize, sources: IpNet) -> bool {
    let single = sources.prefix_len() == sources.max_prefix_len();
    match sources {
        IpNet::V4(net) => {
            let (first, last) = (i64::from(net.network().to_bits()), i64::from(net.broadcast().to_bits()));
            // Minimum and maximum of the unsigned column are compared as unsigned numbers, but returned as
            // signed ones.
            let unsigned = |value: i64| value & 0xffff_ffff;
            let Some((least, greatest)) = segment.range(group, HOST4) else { return false };
            let inside = first <= unsigned(greatest) && unsigned(least) <= last;
            inside && (!single || segment.may_have(group, HOST4, &net.network().to_bits().cast_signed()))
        }
        IpNet::V6(net) => !single || segment.may_have(group, HOST6, net.network().octets().as_slice()),
    }
}

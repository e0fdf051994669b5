//! Which sightings a question wants, and which row groups may have them.

use ipnet::IpNet;
use jiff::civil::Date;

use crate::history::{Filter, Scope};

use super::catalog::Listed;
use super::rows::{HOST4, HOST6, TYPE};
use super::segment::Segment;

/// Which sightings a question wants.
pub(super) struct Wanted<'a> {
    /// The numbers of types, ascending; `None` for all.
    pub(super) types: Option<&'a [u64]>,
    pub(super) facets: bool,
    pub(super) days: (Option<Date>, Option<Date>),
    pub(super) sources: Option<IpNet>,
}

impl<'a> Wanted<'a> {
    /// All sightings.
    pub(super) const ALL: Wanted<'static> =
        Wanted { types: None, facets: true, days: (None, None), sources: None };

    /// What a filter wants, of which the types have these numbers.
    pub(super) fn of_filter(filter: &Filter<'_>, types: Option<&'a [u64]>) -> Wanted<'a> {
        let days = (filter.first, filter.last);
        Wanted { types, facets: filter.types.facets(), days, sources: filter.sources }
    }

    /// What was ever seen of some types, by all hosts.
    pub(super) fn of_types(types: &'a [u64], facets: bool) -> Wanted<'a> {
        Wanted { types: Some(types), facets, ..Wanted::ALL }
    }

    pub(super) fn has_day(&self, day: Date) -> bool {
        self.days.0.is_none_or(|first| first <= day) && self.days.1.is_none_or(|last| day <= last)
    }

    pub(super) fn may_lie_in(&self, listed: &Listed) -> bool {
        self.days.0.is_none_or(|first| first <= listed.days.1)
            && self.days.1.is_none_or(|last| listed.days.0 <= last)
    }

    pub(super) fn has_scope(&self, scope: Scope) -> bool {
        self.facets || scope == Scope::Whole
    }

    pub(super) fn has_type(&self, number: u64) -> bool {
        self.types.is_none_or(|types| types.binary_search(&number).is_ok())
    }

    /// Whether it wants what was counted of a type, scope and day.
    pub(super) fn has_count(&self, number: u64, scope: Scope, day: Date) -> bool {
        self.has_scope(scope) && self.has_day(day) && self.has_type(number)
    }

    /// Whether a row group may have a type that is wanted, by the statistics of the column that has types.
    pub(super) fn may_have_type(&self, segment: &Segment, group: usize, column: usize) -> bool {
        segment.range(group, column).is_none_or(|range| self.has_type_between(range))
    }

    fn has_type_between(&self, (first, last): (i64, i64)) -> bool {
        let Some(types) = self.types else { return true };
        let from = types.partition_point(|number| number.cast_signed() < first);
        types.get(from).is_some_and(|number| number.cast_signed() <= last)
    }

    /// Whether a row group may have sightings that are wanted, by statistics and Bloom filters.
    pub(super) fn may_lie_in_group(&self, segment: &Segment, group: usize) -> bool {
        self.may_have_type(segment, group, TYPE)
            && self.sources.is_none_or(|sources| may_have_source(segment, group, sources))
    }
}

fn may_have_source(segment: &Segment, group: usize, sources: IpNet) -> bool {
    let single = sources.prefix_len() == sources.max_prefix_len();
    match sources {
        IpNet::V4(net) => {
            let (first, last) = (i64::from(net.network().to_bits()), i64::from(net.broadcast().to_bits()));
            // Statistics of a column without signs are compared as such, but kept as signed numbers.
            let unsigned = |value: i64| value & 0xffff_ffff;
            let Some((least, greatest)) = segment.range(group, HOST4) else { return false };
            let inside = first <= unsigned(greatest) && unsigned(least) <= last;
            inside && (!single || segment.may_have(group, HOST4, &net.network().to_bits().cast_signed()))
        }
        IpNet::V6(net) => !single || segment.may_have(group, HOST6, net.network().octets().as_slice()),
    }
}

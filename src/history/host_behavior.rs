//! The windows of one host, by sensor and type.

use std::sync::Arc;

use jiff::civil::Date;

use crate::behavior::{Behavior, ProbeSignature};

use super::{Coverage, SightingCounts};

/// A host's windows of one type at one sensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostBehavior {
    /// The sensor's name.
    pub sensor: Arc<str>,
    /// The type.
    pub behavior: Behavior,
    /// Labels by the type's parameters, the marks of these windows, and the time of their first packet.
    pub labels: Vec<String>,
    /// The counts of all these windows together.
    pub counts: SightingCounts,
    /// Days on which the host showed the type, ascending.
    pub days: Vec<Date>,
    /// The sensor's coverage of days with sightings.
    pub coverage: Arc<Coverage>,
    /// Maximum number of observed days between two consecutive days of `days`.
    pub gap: u64,
    /// The probe signatures of these windows with their numbers of windows, the most frequent first. Windows without one
    /// are not counted.
    pub signatures: Vec<(ProbeSignature, u64)>,
}

/// Returns the maximum number of observed days that lie between two consecutive days of `days`. Both lists
/// ascend.
#[must_use]
pub fn longest_gap(days: &[Date], looked: &[Date]) -> u64 {
    let between = |pair: &[Date]| match pair {
        [before, after] => {
            let from = looked.partition_point(|day| day <= before);
            looked.partition_point(|day| day < after).saturating_sub(from) as u64
        }
        _ => 0,
    };
    days.windows(2).map(between).max().unwrap_or(0)
}

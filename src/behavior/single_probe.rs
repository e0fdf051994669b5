//! Numbers of the types of windows with one probe, which are nine windows in ten. Such a window need not be
//! reduced to parameters, since a few fields of its probe determine the type.
//!
//! A single HashMap instead of the tables takes 0.4 s more of the 13 s of `inga observe` (3 %, by a profile)
//! for ten million packets, because its look-ups miss the processor's caches.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::canonical::upper_end;
use super::{Probe, ProtocolToken};

/// Maximum number of classes that have a table of all ports. A table takes up to 256 KiB, so that the tables
/// in use stay in the processor's cache.
const TABLES_MAX: usize = 16;
/// Number of ports.
const PORTS: usize = 1 << 16;

/// Numbers of types by class and destination port (0 if there is none) of the only probe.
#[derive(Default)]
pub(super) struct SingleProbes {
    /// The classes that occurred first, which are the most frequent ones. Each has the number of the type at
    /// each port, plus 1; 0 for a port that did not occur.
    tables: Vec<(Class, Vec<u32>)>,
    /// The types of all other classes.
    others: HashMap<(Class, u16), u32, FixedState>,
}

/// The fields of a window with one probe that, beside the destination port, determine type, shape and
/// pattern.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Class {
    token: ProtocolToken,
    has_source_port: bool,
    has_destination_port: bool,
    /// The packet count, binned so finely that a bin has one type and one shape.
    packets: u64,
}

impl Class {
    #[inline]
    fn of(probe: &Probe, packets: u64, exact_counts_max: u64) -> Class {
        /// The shape distinguishes up to five packets per destination, whatever the bins of the profile are.
        const SHAPE_COUNTS_MAX: u64 = 5;
        Class {
            token: ProtocolToken { protocol: probe.protocol(), flags: probe.flags() },
            has_source_port: probe.source_port().is_some(),
            has_destination_port: probe.destination_port().is_some(),
            packets: upper_end(packets, exact_counts_max.max(SHAPE_COUNTS_MAX)),
        }
    }
}

impl SingleProbes {
    /// Returns the number of the type of a window that has `packets` packets of `probe` and no others, if it
    /// is known.
    #[inline]
    pub(super) fn get(&self, probe: &Probe, packets: u64, exact_counts_max: u64) -> Option<u32> {
        let class = Class::of(probe, packets, exact_counts_max);
        let port = probe.destination_port().unwrap_or(0);
        match self.tables.iter().find(|(known, _)| *known == class) {
            Some((_, numbers)) => numbers[usize::from(port)].checked_sub(1),
            None => self.others.get(&(class, port)).copied(),
        }
    }

    /// Stores the number of the type of such a window.
    pub(super) fn insert(&mut self, probe: &Probe, packets: u64, exact_counts_max: u64, number: u32) {
        let class = Class::of(probe, packets, exact_counts_max);
        let port = probe.destination_port().unwrap_or(0);
        let known = self.tables.iter().position(|(known, _)| *known == class);
        if known.is_none() && self.tables.len() == TABLES_MAX {
            self.others.insert((class, port), number);
            return;
        }
        let place = known.unwrap_or_else(|| {
            self.tables.push((class, vec![0; PORTS]));
            self.tables.len() - 1
        });
        self.tables[place].1[usize::from(port)] = number.saturating_add(1);
    }
}

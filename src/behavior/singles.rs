//! The types of windows with one probe, which are nine windows in ten: told by what the probe says, without its type
//! worked out again.

use std::collections::HashMap;

use foldhash::fast::FixedState;

/// Classes with a table of ports: what they take, 256 KiB each where all ports are met, stays in the cache.
const TABLES_MAX: usize = 16;
/// Places for them, a power of two: so many that nearly always the first one looked at is the one.
const PLACES: usize = 64;
const PORTS: usize = 1 << 16;

/// Numbers of types by the class and destination port of their one probe.
pub(super) struct Singles {
    /// Where the tables of the first classes that were met are, which are the ones that are met most: each class at the
    /// first free place from where its hash says, with the place of its table and one more.
    classes: [(u64, usize); PLACES],
    /// Tables behind each other. By port, the number and one more; 0 for a port that was not met.
    tables: Vec<u32>,
    /// Those of other classes.
    others: HashMap<(u64, u16), u32, FixedState>,
}

/// Where a number is.
#[derive(Clone, Copy)]
pub(super) struct Slot(usize);

impl Slot {
    /// Nowhere.
    pub(super) const NONE: Slot = Slot(usize::MAX);
}

impl Default for Singles {
    fn default() -> Singles {
        Singles { classes: [(0, 0); PLACES], tables: Vec::new(), others: HashMap::default() }
    }
}

impl Singles {
    /// The number of a class and port.
    #[inline]
    pub(super) fn get(&self, class: u64, port: u16) -> Option<u32> {
        self.at(self.slot(class, port)).or_else(|| self.others.get(&(class, port)).copied())
    }

    /// Where the number of a class and port is, or would be.
    #[inline]
    pub(super) fn slot(&self, class: u64, port: u16) -> Slot {
        // A class without a table has a slot behind all tables.
        let table = self.classes[self.place(class)].1;
        Slot(table.wrapping_sub(1).wrapping_mul(PORTS).wrapping_add(port.into()))
    }

    /// The number that is there.
    #[inline]
    pub(super) fn at(&self, slot: Slot) -> Option<u32> {
        self.tables.get(slot.0)?.checked_sub(1)
    }

    /// Keeps a number.
    pub(super) fn insert(&mut self, class: u64, port: u16, number: u32) {
        let place = self.place(class);
        if self.classes[place].1 == 0 {
            if self.tables.len() == TABLES_MAX * PORTS {
                self.others.insert((class, port), number);
                return;
            }
            self.tables.resize(self.tables.len() + PORTS, 0);
            self.classes[place] = (class, self.tables.len() / PORTS);
        }
        let slot = self.slot(class, port);
        if let Some(kept) = self.tables.get_mut(slot.0) {
            *kept = number.saturating_add(1);
        }
    }

    /// Where a class is, or would be.
    #[inline]
    fn place(&self, class: u64) -> usize {
        // Fibonacci hashing: the uppermost bits are the best mixed.
        let hash = class.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - PLACES.ilog2());
        let mut place = usize::try_from(hash).unwrap_or(0);
        while self.classes[place].1 != 0 && self.classes[place].0 != class {
            place = (place + 1) % PLACES;
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_kept_by_class_and_port_however_many_classes_there_are() {
        let mut singles = Singles::default();
        let number = |class: u64, port: u16| u32::try_from(class * 3).unwrap() + u32::from(port);
        for class in 0..2 * TABLES_MAX as u64 {
            for port in [0, 1, u16::MAX] {
                assert_eq!(singles.get(class, port), None);
                singles.insert(class, port, number(class, port));
            }
        }
        for class in 0..2 * TABLES_MAX as u64 {
            for port in [0, 1, u16::MAX] {
                assert_eq!(singles.get(class, port), Some(number(class, port)));
            }
            assert_eq!(singles.get(class, 2), None);
        }
    }
}

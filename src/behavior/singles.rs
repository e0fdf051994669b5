//! A table of the types of windows with one probe, which are nine windows in ten. It finds the number of the
//! type by fields of the probe, without reducing the window to parameters.

use std::collections::HashMap;

use foldhash::fast::FixedState;

/// Maximum number of classes that have a table of all ports. A table takes 256 KiB if all ports occur, and
/// the tables in use should stay in the processor's cache.
const TABLES_MAX: usize = 16;
/// Number of entries for classes: a power of two, and large enough that nearly every search ends at its first
/// entry.
const PLACES: usize = 64;
const PORTS: usize = 1 << 16;

/// Numbers of types by class (see `Probe::alone`) and destination port of the only probe.
pub(super) struct Singles {
    /// Hash table with linear probing: a class, and the position of its table of ports plus 1, or 0 if the
    /// entry is free. The classes that occur first have a table; they are the most frequent ones.
    classes: [(u64, usize); PLACES],
    /// The tables of ports, one after the other. An element is the number of a type plus 1, or 0 for a port
    /// that did not occur.
    tables: Vec<u32>,
    /// Numbers of the types of all other classes.
    others: HashMap<(u64, u16), u32, FixedState>,
}

/// The position of a number in the tables.
#[derive(Clone, Copy)]
pub(super) struct Slot(usize);

impl Slot {
    /// A position outside of the tables.
    pub(super) const NONE: Slot = Slot(usize::MAX);
}

impl Default for Singles {
    fn default() -> Singles {
        Singles { classes: [(0, 0); PLACES], tables: Vec::new(), others: HashMap::default() }
    }
}

impl Singles {
    /// Returns the number of the type of a class and port.
    #[inline]
    pub(super) fn get(&self, class: u64, port: u16) -> Option<u32> {
        self.at(self.slot(class, port)).or_else(|| self.others.get(&(class, port)).copied())
    }

    /// Returns the position in the tables for a class and port, whether or not they occurred.
    #[inline]
    pub(super) fn slot(&self, class: u64, port: u16) -> Slot {
        // A class without a table gets a position beyond all tables.
        let table = self.classes[self.place(class)].1;
        Slot(table.wrapping_sub(1).wrapping_mul(PORTS).wrapping_add(port.into()))
    }

    /// Returns the number at a position.
    #[inline]
    pub(super) fn at(&self, slot: Slot) -> Option<u32> {
        self.tables.get(slot.0)?.checked_sub(1)
    }

    /// Stores the number of the type of a class and port.
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

    /// Returns the entry of a class, or the free entry where it belongs.
    #[inline]
    fn place(&self, class: u64) -> usize {
        // Fibonacci hashing: the top bits of the product are the best mixed.
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

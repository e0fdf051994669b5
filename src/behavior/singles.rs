//! The types of windows with one probe, which are nine windows in ten: told by what the probe says, without its type
//! worked out again.

use std::collections::HashMap;

use foldhash::fast::FixedState;

/// Classes with a table of ports: what they take, 256 KiB each where all ports are met, stays in the cache.
const TABLES_MAX: usize = 16;
const PORTS: usize = 1 << 16;

/// Numbers of types by the class and destination port of their one probe.
#[derive(Default)]
pub(super) struct Singles {
    /// The first classes that were met, which are the ones that are met most.
    classes: Vec<u64>,
    /// By class and port, the number and one more; 0 for a port that was not met.
    tables: Vec<Vec<u32>>,
    /// The others.
    others: HashMap<(u64, u16), u32, FixedState>,
}

impl Singles {
    /// The number of a class and port.
    #[inline]
    pub(super) fn get(&self, class: u64, port: u16) -> Option<u32> {
        match self.classes.iter().position(|known| *known == class) {
            Some(at) => self.tables.get(at)?.get(usize::from(port))?.checked_sub(1),
            None if self.others.is_empty() => None,
            None => self.others.get(&(class, port)).copied(),
        }
    }

    /// Keeps a number.
    pub(super) fn insert(&mut self, class: u64, port: u16, number: u32) {
        let at = match self.classes.iter().position(|known| *known == class) {
            Some(at) => at,
            None if self.classes.len() < TABLES_MAX => {
                self.classes.push(class);
                self.tables.push(vec![0; PORTS]);
                self.classes.len() - 1
            }
            None => {
                self.others.insert((class, port), number);
                return;
            }
        };
        if let Some(kept) = self.tables.get_mut(at).and_then(|table| table.get_mut(usize::from(port))) {
            *kept = number.saturating_add(1);
        }
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

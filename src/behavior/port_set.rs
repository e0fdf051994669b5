//! A set of ports.

/// Distinct ports, with memory that is reused from window to window: a bit map of 8 KiB, allocated with the
/// first port.
#[derive(Default)]
pub(super) struct PortSet {
    /// One bit per port; empty until the first port is added.
    bits: Vec<u64>,
    ports: Vec<u16>,
}

const WORDS: usize = (1 << 16) / 64;

impl PortSet {
    #[inline]
    pub(super) fn insert(&mut self, port: u16) {
        if self.bits.is_empty() {
            self.bits.resize(WORDS, 0);
        }
        let (word, bit) = place(port);
        if self.bits[word] & bit == 0 {
            self.bits[word] |= bit;
            self.ports.push(port);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ports.len()
    }

    /// Sorts the ports in place and returns them.
    pub(super) fn ascending(&mut self) -> &[u16] {
        self.ports.sort_unstable();
        &self.ports
    }

    pub(super) fn clear(&mut self) {
        for port in self.ports.drain(..) {
            self.bits[place(port).0] = 0;
        }
    }
}

#[inline]
fn place(port: u16) -> (usize, u64) {
    (usize::from(port / 64), 1 << (port % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_kept_once_and_forgotten() {
        let mut set = PortSet::default();
        for _ in 0..2 {
            [443, 0, u16::MAX, 443, 445, 0].into_iter().for_each(|port| set.insert(port));
            assert_eq!((set.len(), set.ascending()), (4, &[0, 443, 445, u16::MAX][..]));
            set.clear();
            assert_eq!((set.len(), set.ascending()), (0, &[][..]));
        }
    }
}

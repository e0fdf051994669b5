//! A set of ports.

/// Ports, each kept once, with memory that serves one window after the other: 8 KiB say which are in it, from the first
/// one on.
#[derive(Default)]
pub(super) struct PortSet {
    /// A bit for each port, or nothing.
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

    /// All of them, sorted where they are.
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

//! Numbers that people choose. Where a field is random, a single probe has such a number by chance only; where it is
//! not, the number shows how the probe was built, although one probe cannot show that a field is constant.

/// Decimal and hexadecimal patterns of 16 bits, ascending.
const PATTERNS: [u16; 28] = [
    1111, 1234, 1337, 2222, 3333, 4321, 4444, 4660, 5555, 6000, 6666, 7777, 8888, 9999, 11111, 12200, 12345,
    22136, 22222, 31337, 33333, 43981, 44444, 48879, 51966, 54321, 57005, 65535,
];
/// Patterns of 32 bits, ascending.
const LONG_PATTERNS: [u32; 8] =
    [12_345_678, 123_456_789, 0x1234_5678, 1_234_567_890, 0x8765_4321, 0xcafe_babe, 0xdead_beef, u32::MAX];

/// Returns whether an IP identification is remarkable; 45 of 65,536 are.
pub(super) fn ip_id(id: u16) -> bool {
    id == 0 || id.is_power_of_two() || PATTERNS.binary_search(&id).is_ok()
}

/// Returns whether a source port is remarkable: a port below those that systems assign, or a pattern.
pub(super) fn source_port(port: u16) -> bool {
    port < 1024 || PATTERNS.binary_search(&port).is_ok()
}

/// Returns whether a sequence number is remarkable; one of 65,000 is.
pub(super) fn sequence(number: u32) -> bool {
    number <= 0xffff
        || number.is_power_of_two()
        || number.to_be_bytes().windows(2).all(|pair| pair[0] == pair[1])
        || LONG_PATTERNS.binary_search(&number).is_ok()
}

/// Returns whether a TCP window is one that systems and tools choose: a multiple of 512 or of a usual segment, or the
/// window of a known system. One of 250 is.
pub(super) fn tcp_window(window: u16, mss: Option<u16>) -> bool {
    /// Multiples of none of these: Linux over loopback, Android, OS/400.
    const OTHERS: [u16; 3] = [26_883, 43_690, 62_727];
    let is_multiple = |size: u16| window.is_multiple_of(size);
    is_multiple(512)
        || window == u16::MAX
        || [1440, 1448, 1460].into_iter().any(is_multiple)
        || mss.is_some_and(|mss| mss >= 536 && is_multiple(mss))
        || OTHERS.contains(&window)
}

/// Returns whether the identifier of an ICMP request is remarkable: those of Windows are 1 or multiples of 256.
pub(super) fn icmp_id(id: u16) -> bool {
    id == 1 || id.is_multiple_of(256)
}

/// Returns whether the sequence number of an ICMP request is the first of a sender.
pub(super) fn icmp_sequence(number: u16) -> bool {
    number <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_numbers_are_remarkable() {
        assert!(PATTERNS.is_sorted() && LONG_PATTERNS.is_sorted());
        let count = |test: fn(u16) -> bool| (0..=u16::MAX).filter(|number| test(*number)).count();
        assert_eq!(count(ip_id), 45);
        assert!((200..300).contains(&count(|window| tcp_window(window, None))));
        for window in [0, 512, 1024, 5840, 8192, 14_600, 16_384, 29_200, 42_340, 64_240, 65_535] {
            assert!(tcp_window(window, None), "{window}");
        }
        assert!(tcp_window(2720, Some(1360)) && !tcp_window(2720, None) && !tcp_window(4321, Some(1)));
        assert!(sequence(0x1111_1111) && sequence(0x1234_5678) && !sequence(0x1234_5679));
    }
}

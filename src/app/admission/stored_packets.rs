//! Finds packets of a capture that are already stored: those of a file that was fed while it grew, that was
//! fed in another container, or that is a part of a merged file.

use std::net::IpAddr;
use std::ops::Range;

use crate::history::CaptureRecord;
use crate::packet::Packet;

/// A BLAKE3 hash over the header fields of packets, in order, that every container and tcpdump's text
/// preserve. Times are hashed in microseconds, since a conversion to pcap drops the rest.
#[derive(Clone)]
pub(super) struct PacketHash {
    hasher: blake3::Hasher,
    /// Bytes that are not hashed yet. BLAKE3 is several times as fast on large pieces.
    waiting: Vec<u8>,
}

const WAITING_BYTES: usize = 32 * 1024;

impl PacketHash {
    pub(super) fn new() -> PacketHash {
        PacketHash { hasher: blake3::Hasher::new(), waiting: Vec::new() }
    }

    #[inline]
    pub(super) fn add(&mut self, packet: &Packet) {
        if self.waiting.len() >= WAITING_BYTES {
            self.hasher.update(&self.waiting);
            self.waiting.clear();
        }
        let micros = micros(packet).unwrap_or(i64::MIN);
        self.waiting.extend(micros.to_le_bytes());
        for address in [packet.source(), packet.destination()] {
            match address {
                IpAddr::V4(four) => self.waiting.extend(four.octets()),
                IpAddr::V6(six) => self.waiting.extend(six.octets()),
            }
        }
        let ports = [packet.source_port(), packet.destination_port()].map(|port| port.unwrap_or(0));
        for number in [ports[0], ports[1], packet.protocol().number()] {
            self.waiting.extend(number.to_le_bytes());
        }
        // Stored hashes have a zero byte here.
        self.waiting.push(0);
    }

    pub(super) fn value(&self) -> [u8; 32] {
        let mut hasher = self.hasher.clone();
        hasher.update(&self.waiting);
        *hasher.finalize().as_bytes()
    }
}

fn micros(packet: &Packet) -> Option<i64> {
    packet.time().map(|time| time.0.div_euclid(1_000))
}

/// A stored capture.
struct KnownCapture {
    first_micros: i64,
    packets: u64,
    hash: [u8; 32],
    /// Its index in the list of captures.
    capture: usize,
}

/// A sequence of packets that may equal a stored capture, from its first packet on.
struct MatchAttempt {
    hash: PacketHash,
    /// The number of its first packet.
    from: u64,
    /// Range in `stored` of the captures that begin at the time of the first packet and have at least as many
    /// packets as the sequence.
    candidates: Range<usize>,
}

/// Searches a capture, whose packets come in time order, for the packets of stored captures.
pub(super) struct StoredPacketSearch {
    /// The stored captures, ascending by first time, then by number of packets.
    stored: Vec<KnownCapture>,
    /// Index of the first stored capture that begins at or after the current packet.
    next: usize,
    attempt: Option<MatchAttempt>,
    /// The number of the next packet, from 0.
    number: u64,
    found: Vec<(Range<u64>, usize)>,
}

impl StoredPacketSearch {
    pub(super) fn new(captures: &[CaptureRecord]) -> StoredPacketSearch {
        let mut stored: Vec<KnownCapture> = Vec::new();
        for (at, capture) in captures.iter().enumerate() {
            if let Some(first) = capture.first().filter(|_| capture.recorded > 0) {
                let first_micros = first.0.div_euclid(1_000);
                let (packets, hash) = (capture.recorded, capture.packet_hash);
                stored.push(KnownCapture { first_micros, packets, hash, capture: at });
            }
        }
        stored.sort_by_key(|one| (one.first_micros, one.packets));
        StoredPacketSearch { stored, next: 0, attempt: None, number: 0, found: Vec::new() }
    }

    #[inline]
    pub(super) fn add(&mut self, packet: &Packet) {
        if self.next < self.stored.len() || self.attempt.is_some() {
            self.compare(packet);
        }
        self.number += 1;
    }

    fn compare(&mut self, packet: &Packet) {
        if self.attempt.is_none() {
            let Some(time) = micros(packet) else { return };
            self.next += self.stored[self.next..].partition_point(|one| one.first_micros < time);
            let same = self.stored[self.next..].partition_point(|one| one.first_micros <= time);
            if same == 0 {
                return;
            }
            let candidates = self.next..self.next + same;
            self.attempt = Some(MatchAttempt { hash: PacketHash::new(), from: self.number, candidates });
        }
        let Some(attempt) = &mut self.attempt else { return };
        attempt.hash.add(packet);
        let count = self.number - attempt.from + 1;
        while let Some(candidate) = self.stored.get(attempt.candidates.start) {
            if attempt.candidates.is_empty() || candidate.packets > count {
                break;
            }
            if candidate.hash == attempt.hash.value() {
                self.found.push((attempt.from..self.number + 1, candidate.capture));
                self.attempt = None;
                return;
            }
            attempt.candidates.start += 1;
        }
        if attempt.candidates.is_empty() {
            self.attempt = None;
        }
    }

    /// Returns the numbers of the packets that are already stored, ascending, each range with the index of
    /// its stored capture.
    pub(super) fn found(&self) -> &[(Range<u64>, usize)] {
        &self.found
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::packet::{Protocol, Timestamp};

    fn packet(at: i64) -> Packet {
        let address = Ipv4Addr::new(192, 0, 2, u8::try_from(at % 250).unwrap()).into();
        Packet::new(address, address, Protocol::Tcp).with_time(Some(Timestamp(at * 1_000_000_000)))
    }

    fn stored(times: Range<i64>) -> CaptureRecord {
        let mut hash = PacketHash::new();
        times.clone().for_each(|at| hash.add(&packet(at)));
        CaptureRecord {
            packet_hash: hash.value(),
            spans: vec![(packet(times.start).time().unwrap(), packet(times.end - 1).time().unwrap())],
            recorded: u64::try_from(times.end - times.start).unwrap(),
            ..CaptureRecord::default()
        }
    }

    fn found(
        captures: &[CaptureRecord],
        packets: impl IntoIterator<Item = Packet>,
    ) -> Vec<(Range<u64>, usize)> {
        let mut known = StoredPacketSearch::new(captures);
        packets.into_iter().for_each(|packet| known.add(&packet));
        known.found().to_vec()
    }

    #[test]
    fn parts_of_a_capture_are_found_wherever_they_begin() {
        let whole = || (0..5000).map(packet);
        assert_eq!(found(&[], whole()), []);
        assert_eq!(found(&[stored(0..10)], whole()), [(0..10, 0)]);
        // Fed three times while it grew, then an hour in the middle.
        let parts = [stored(2000..4000), stored(0..10), stored(10..15)];
        assert_eq!(found(&parts, whole()), [(0..10, 1), (10..15, 2), (2000..4000, 0)]);
        assert_eq!(found(&[stored(0..5000)], whole()), [(0..5000, 0)], "another container");
        // Of two captures that begin together the one that has the same packets is found.
        let other = CaptureRecord { packet_hash: [7; 32], ..stored(0..8) };
        assert_eq!(found(&[other.clone(), stored(0..20)], whole()), [(0..20, 1)]);
        assert_eq!(found(&[other], whole()), [], "a parallel recorder");
        assert_eq!(found(&[stored(0..5001)], whole()), [], "a longer one");
    }

    #[test]
    fn the_rest_of_a_microsecond_makes_no_difference_and_all_else_does() {
        let hash = |packet: Packet| {
            let mut hash = PacketHash::new();
            hash.add(&packet);
            hash.value()
        };
        let plain = packet(1);
        assert_eq!(hash(plain), hash(plain.with_time(Some(Timestamp(1_000_000_999)))));
        let others = [
            plain.with_time(Some(Timestamp(1_000_001_000))),
            plain.with_source(Ipv4Addr::LOCALHOST.into()),
            plain.with_destination(Ipv4Addr::LOCALHOST.into()),
            plain.with_protocol(Protocol::Udp),
            plain.with_source_port(Some(1)),
            plain.with_destination_port(Some(1)),
        ];
        assert!(others.into_iter().all(|other| hash(other) != hash(plain)));
    }
}

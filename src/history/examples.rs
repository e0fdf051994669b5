//! Example windows: one per type, stored as packed bytes because there are many types and most examples are
//! small.

use std::net::IpAddr;

use fixedbitset::FixedBitSet;

use crate::behavior::OpenWindow;
use crate::packet::Timestamp;

use super::ExamplePacket;

/// The earliest window of each type, with its packets. If several windows begin at the same time, the one
/// with the lowest source address is kept.
#[derive(Clone, Debug, Default)]
pub struct Examples {
    /// The examples, indexed by the type's number in the capture's type list.
    entries: Vec<ExampleEntry>,
    /// The types that have an example. Windows come in time order, so this bit nearly always suffices to
    /// reject a window.
    has_example: FixedBitSet,
    /// The latest start among the examples ever kept.
    latest: Option<Timestamp>,
    /// Source address, length in bytes and packets of each example, encoded by postcard.
    bytes: Vec<u8>,
}

/// The start of an example and its offset in `bytes`.
#[derive(Clone, Copy, Debug)]
struct ExampleEntry {
    start: Timestamp,
    offset: usize,
}

impl ExampleEntry {
    /// The entry of a type without an example: later than any window.
    const NONE: ExampleEntry = ExampleEntry { start: Timestamp(i64::MAX), offset: usize::MAX };
}

/// A packed example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedExample<'a> {
    /// The type's number in the capture's type list.
    pub number: u32,
    /// The time of the window's first packet.
    pub start: Timestamp,
    /// The source address.
    pub host: IpAddr,
    /// The window's [`ExamplePacket`]s, encoded by postcard.
    pub packets: &'a [u8],
}

impl Examples {
    /// Keeps a window as its type's example if it has a time and is earlier than the example kept so far.
    pub fn offer(&mut self, number: u32, window: &OpenWindow) {
        let Some(start) = window.start else { return };
        if self.is_earlier(number, start, window.source) {
            let packets = postcard::to_stdvec(&ExamplePacket::from_window(window)).unwrap_or_default();
            self.store(number, start, window.source, &packets);
        }
    }

    /// Merges other examples, whose types must have the same numbers.
    pub fn merge(&mut self, other: &Examples) {
        for PackedExample { number, start, host, packets } in other.iter() {
            if self.is_earlier(number, start, host) {
                self.store(number, start, host, packets);
            }
        }
    }

    /// Returns all examples, ascending by the number of the type.
    pub fn iter(&self) -> impl Iterator<Item = PackedExample<'_>> + '_ {
        (0..).zip(&self.entries).filter_map(|(number, kept)| self.packed(number, kept))
    }

    /// Returns the example of a type.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<PackedExample<'_>> {
        self.packed(number, self.entries.get(usize::try_from(number).ok()?)?)
    }

    fn packed(&self, number: u32, kept: &ExampleEntry) -> Option<PackedExample<'_>> {
        let (host, packets) = self.decode_at(kept.offset)?;
        Some(PackedExample { number, start: kept.start, host, packets })
    }

    fn is_earlier(&self, number: u32, start: Timestamp, host: IpAddr) -> bool {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        if self.has_example.contains(at) && Some(start) > self.latest {
            return false;
        }
        self.entries.get(at).is_none_or(|kept| {
            start < kept.start
                || start == kept.start && self.decode_at(kept.offset).is_none_or(|(known, _)| host < known)
        })
    }

    /// Stores an example. The bytes of an example that is replaced are not reclaimed; windows come in time
    /// order, so replacements are rare.
    fn store(&mut self, number: u32, start: Timestamp, host: IpAddr, packets: &[u8]) {
        let Ok(at) = usize::try_from(number) else { return };
        if self.entries.len() <= at {
            self.entries.resize(at + 1, ExampleEntry::NONE);
        }
        self.has_example.grow_and_insert(at);
        self.latest = self.latest.max(Some(start));
        self.entries[at] = ExampleEntry { start, offset: self.bytes.len() };
        let head = (host, packets.len());
        self.bytes = postcard::to_extend(&head, std::mem::take(&mut self.bytes)).unwrap_or_default();
        self.bytes.extend_from_slice(packets);
    }

    fn decode_at(&self, place: usize) -> Option<(IpAddr, &[u8])> {
        let bytes = self.bytes.get(place..)?;
        let ((host, length), rest): ((IpAddr, usize), _) = postcard::take_from_bytes(bytes).ok()?;
        Some((host, rest.get(..length)?))
    }
}

/// Decodes the packets of a packed example.
///
/// # Errors
/// Fails when the bytes are not an encoded list of packets.
pub fn decode_packets(packed: &[u8]) -> Result<Vec<ExamplePacket>, postcard::Error> {
    postcard::from_bytes(packed)
}

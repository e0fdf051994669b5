//! One example window of each type, packed: most types are many and small.

use std::net::IpAddr;

use fixedbitset::FixedBitSet;

use crate::behavior::OpenWindow;
use crate::event::Timestamp;

use super::ExamplePacket;

/// Each type's earliest window with its packets; of windows that begin together the lowest address's.
#[derive(Clone, Debug, Default)]
pub struct Examples {
    /// By the type's number.
    kept: Vec<Kept>,
    /// The types that have one: windows come in time order, so nearly always no more is asked.
    has: FixedBitSet,
    /// When the last of them begins.
    latest: Option<Timestamp>,
    /// Hosts and packets, as postcard has them.
    bytes: Vec<u8>,
}

/// Where an example lies.
#[derive(Clone, Copy, Debug)]
struct Kept {
    start: Timestamp,
    place: usize,
}

impl Kept {
    /// Later than any.
    const NONE: Kept = Kept { start: Timestamp(i64::MAX), place: usize::MAX };
}

/// An example as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedExample<'a> {
    /// The type's number.
    pub number: u32,
    /// The window's first packet.
    pub start: Timestamp,
    /// The host.
    pub host: IpAddr,
    /// Its [`ExamplePacket`]s, as postcard has them.
    pub packets: &'a [u8],
}

impl Examples {
    /// Keeps a window as its type's example, if it has a time and is earlier than the one kept.
    pub fn offer(&mut self, number: u32, window: &OpenWindow) {
        let Some(start) = window.start else { return };
        if self.is_earlier(number, start, window.source) {
            let packets = postcard::to_stdvec(&ExamplePacket::all_of(window)).unwrap_or_default();
            self.keep(number, start, window.source, &packets);
        }
    }

    /// Takes in other examples of types with the same numbers.
    pub fn merge(&mut self, other: &Examples) {
        for PackedExample { number, start, host, packets } in other.iter() {
            if self.is_earlier(number, start, host) {
                self.keep(number, start, host, packets);
            }
        }
    }

    /// All, by the number of their types.
    pub fn iter(&self) -> impl Iterator<Item = PackedExample<'_>> + '_ {
        (0..).zip(&self.kept).filter_map(|(number, kept)| self.packed(number, kept))
    }

    /// That of a type.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<PackedExample<'_>> {
        self.packed(number, self.kept.get(usize::try_from(number).ok()?)?)
    }

    fn packed(&self, number: u32, kept: &Kept) -> Option<PackedExample<'_>> {
        let (host, packets) = self.at(kept.place)?;
        Some(PackedExample { number, start: kept.start, host, packets })
    }

    fn is_earlier(&self, number: u32, start: Timestamp, host: IpAddr) -> bool {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        if self.has.contains(at) && Some(start) > self.latest {
            return false;
        }
        self.kept.get(at).is_none_or(|kept| {
            start < kept.start
                || start == kept.start && self.at(kept.place).is_none_or(|(known, _)| host < known)
        })
    }

    /// An example that another takes the place of leaves its bytes behind: windows come in time order, so that is rare.
    fn keep(&mut self, number: u32, start: Timestamp, host: IpAddr, packets: &[u8]) {
        let Ok(at) = usize::try_from(number) else { return };
        if self.kept.len() <= at {
            self.kept.resize(at + 1, Kept::NONE);
        }
        self.has.grow_and_insert(at);
        self.latest = self.latest.max(Some(start));
        self.kept[at] = Kept { start, place: self.bytes.len() };
        let head = (host, packets.len());
        self.bytes = postcard::to_extend(&head, std::mem::take(&mut self.bytes)).unwrap_or_default();
        self.bytes.extend_from_slice(packets);
    }

    fn at(&self, place: usize) -> Option<(IpAddr, &[u8])> {
        let bytes = self.bytes.get(place..)?;
        let ((host, length), rest): ((IpAddr, usize), _) = postcard::take_from_bytes(bytes).ok()?;
        Some((host, rest.get(..length)?))
    }
}

/// The packets of a packed example.
///
/// # Errors
/// When the bytes are not those of packets.
pub fn packets_of(packed: &[u8]) -> Result<Vec<ExamplePacket>, postcard::Error> {
    postcard::from_bytes(packed)
}

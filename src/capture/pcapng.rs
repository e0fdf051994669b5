//! The pcapng container: sections of blocks. Each section has its own byte order and interfaces.

use std::io;

use pcap_parser::OptionCode;
use pcap_parser::pcapng::{Block, InterfaceStatisticsBlock, parse_block_be, parse_block_le};

use crate::packet::Timestamp;

use super::bytes::{ByteStream, RECORD_MAX};
use super::frame_decoder::FrameDecoder;
use super::pcap;
use super::pcapng_header::{SECTION_HEADER, is_big_endian};
use super::records::{self, RecordStop, RecordsEnd, u32_at};
use super::{CapturePosition, Problem};

/// Type of an enhanced packet block.
const ENHANCED_PACKET: u32 = 6;
/// Type of the obsolete packet block, which preceded the enhanced packet block. Its fields have the same
/// offsets, but the interface number has 16 bits.
const OBSOLETE_PACKET: u32 = 2;
/// Types of the blocks that hold packets, names and descriptions. Larger types are rare and private, so the
/// reader checks only at these whether a pcap header begins.
const STANDARD_BLOCK_TYPES: std::ops::Range<u32> = 0..0x1_0000;
/// Number of bytes of an enhanced packet block before the packet: type, length, interface, time in two parts,
/// captured length, original length.
const PACKET_HEAD_BYTES: usize = 28;
/// Length of the smallest block, in bytes: type, length, and length again.
const BLOCK_MIN: usize = 12;
/// Maximum number of interfaces that are kept of one section. Only a hostile file has more.
const INTERFACES_MAX: usize = 65_536;

/// An interface of a section.
struct Interface {
    link: i32,
    /// Maximum number of bytes of a packet that the interface captured; 0 for no limit.
    snap_length: usize,
    /// The unit of timestamps. `None` if 64 bits cannot hold the number of units per second; times are then
    /// unknown.
    unit: Option<TimeUnit>,
    /// Seconds to be added to every timestamp.
    offset_seconds: i64,
    /// The number of lost packets according to the last statistics block of the interface.
    dropped: Option<u64>,
}

/// The current section.
struct Section {
    big_endian: bool,
    interfaces: Vec<Interface>,
}

/// Reads all blocks up to the end, or up to the header of a pcap that was appended.
pub(super) fn read(stream: &mut ByteStream<'_>, frames: &mut FrameDecoder<'_, '_>) -> io::Result<RecordsEnd> {
    let mut section = Section { big_endian: false, interfaces: Vec::new() };
    records::read(stream, frames, BLOCK_MIN, |bytes, offset, frames| {
        section.read_blocks(bytes, offset, frames)
    })
}

impl Section {
    /// Passes on the packets of all whole blocks in `bytes`, which begin at `offset` of the capture. Returns
    /// the number of bytes that the blocks take, and what comes next.
    fn read_blocks(
        &mut self,
        bytes: &[u8],
        offset: u64,
        frames: &mut FrameDecoder<'_, '_>,
    ) -> (usize, RecordStop) {
        let mut at = 0;
        while let Some(head) = bytes.get(at..at + BLOCK_MIN) {
            if head.starts_with(&SECTION_HEADER.to_le_bytes()) {
                let Some(big_endian) = is_big_endian(head) else { return (at, RecordStop::Damaged) };
                *self = Section { big_endian, interfaces: Vec::new() };
            } else if !STANDARD_BLOCK_TYPES.contains(&u32_at(head, 0, self.big_endian)) {
                match pcap::begins_capture(&bytes[at..]) {
                    Some(true) => return (at, RecordStop::AnotherCapture),
                    Some(false) => {}
                    None => return (at, RecordStop::NeedsBytes(pcap::HEADER)),
                }
            }
            let length = usize::try_from(u32_at(head, 4, self.big_endian)).unwrap_or(usize::MAX);
            if !(BLOCK_MIN..=RECORD_MAX).contains(&length) || !length.is_multiple_of(4) {
                return (at, RecordStop::Damaged);
            }
            let Some(block) = bytes.get(at..at + length) else { return (at, RecordStop::NeedsBytes(length)) };
            let place = CapturePosition::Byte(offset + at as u64);
            match self.enhanced_packet(block) {
                Some((interface, units, data)) => {
                    frames.decode(interface.link, data, interface.time(units), place);
                }
                None => self.decode_block(block, place, frames),
            }
            at += length;
        }
        (at, RecordStop::NeedsBytes(BLOCK_MIN))
    }

    /// Decodes an enhanced packet block, the block of nearly every packet: its interface, its time in units
    /// of the interface, and the packet. Returns `None` for any other or damaged block, and for an unknown
    /// interface. Options are ignored. Decoding by hand takes a third of the time of pcap-parser; a property
    /// test compares the two.
    #[inline]
    fn enhanced_packet<'a>(&self, block: &'a [u8]) -> Option<(&Interface, u64, &'a [u8])> {
        let (head, rest) = block.split_at_checked(PACKET_HEAD_BYTES)?;
        let [kind, length, id, high, low, captured, _] =
            [0, 4, 8, 12, 16, 20, 24].map(|at| u32_at(head, at, self.big_endian));
        let captured = usize::try_from(captured).unwrap_or(usize::MAX);
        let data = rest.get(..captured)?;
        let options = captured.next_multiple_of(4);
        let is_whole = options + 4 <= rest.len() && u32_at(rest, rest.len() - 4, self.big_endian) == length;
        let interface = self.interfaces.get(usize::try_from(id).unwrap_or(usize::MAX))?;
        (kind == ENHANCED_PACKET && is_whole).then_some((
            interface,
            u64::from(high) << 32 | u64::from(low),
            data,
        ))
    }

    /// Decodes a block of any type with pcap-parser, except obsolete packet blocks, which it does not know.
    fn decode_block(&mut self, bytes: &[u8], place: CapturePosition, frames: &mut FrameDecoder<'_, '_>) {
        if u32_at(bytes, 0, self.big_endian) == OBSOLETE_PACKET {
            return self.decode_obsolete_packet(bytes, place, frames);
        }
        let parsed = if self.big_endian { parse_block_be(bytes) } else { parse_block_le(bytes) };
        match parsed {
            Err(_) => frames.count_problem(Problem::DamagedRecord, place),
            Ok((_, Block::InterfaceDescription(block))) => {
                if self.interfaces.len() >= INTERFACES_MAX {
                    frames.count_problem(Problem::DamagedRecord, place);
                    return;
                }
                self.interfaces.push(Interface {
                    link: block.linktype.0,
                    snap_length: usize::try_from(block.snaplen).unwrap_or(usize::MAX),
                    unit: TimeUnit::from_option(block.if_tsresol),
                    offset_seconds: block.ts_offset(),
                    dropped: None,
                });
            }
            Ok((_, Block::EnhancedPacket(block))) => {
                let interface = usize::try_from(block.if_id).ok().and_then(|id| self.interfaces.get(id));
                let Some(interface) = interface else {
                    frames.count_problem(Problem::UnknownInterface, place);
                    return;
                };
                let captured = usize::try_from(block.caplen).unwrap_or(usize::MAX).min(block.data.len());
                let time = interface.time(u64::from(block.ts_high) << 32 | u64::from(block.ts_low));
                frames.decode(interface.link, &block.data[..captured], time, place);
            }
            Ok((_, Block::SimplePacket(block))) => {
                let Some(interface) = self.interfaces.first() else {
                    frames.count_problem(Problem::UnknownInterface, place);
                    return;
                };
                // A simple packet block has no captured length: it is the original length, unless the
                // interface cut the packet.
                let snap_length = if interface.snap_length == 0 { usize::MAX } else { interface.snap_length };
                let wire = usize::try_from(block.origlen).unwrap_or(usize::MAX);
                let captured = wire.min(snap_length).min(block.data.len());
                frames.count_problem(Problem::NoTime, place);
                frames.decode(interface.link, &block.data[..captured], None, place);
            }
            Ok((_, Block::InterfaceStatistics(block))) => self.statistics(&block, place, frames),
            Ok(_) => {}
        }
    }

    /// Adds up the losses that a statistics block reports. They are totals since the beginning of the
    /// capture, so the last block of an interface counts. `isb_ifdrop` counts packets that the interface
    /// dropped for lack of resources, `isb_osdrop` those that the operating system dropped afterwards
    /// (draft-ietf-opsawg-pcapng, interface statistics block). No packet is in both, so they are added.
    fn statistics(
        &mut self,
        block: &InterfaceStatisticsBlock<'_>,
        place: CapturePosition,
        frames: &mut FrameDecoder<'_, '_>,
    ) {
        let interface = usize::try_from(block.if_id).ok().and_then(|id| self.interfaces.get_mut(id));
        let Some(interface) = interface else {
            return frames.count_problem(Problem::UnknownInterface, place);
        };
        let mut dropped: Option<u64> = None;
        for option in &block.options {
            if option.code != OptionCode::IsbIfDrop && option.code != OptionCode::IsbOsDrop {
                continue;
            }
            let value: Option<[u8; 8]> = option.as_bytes().ok().and_then(|bytes| bytes.try_into().ok());
            let count =
                if self.big_endian { value.map(u64::from_be_bytes) } else { value.map(u64::from_le_bytes) };
            match count {
                // Writers set the largest number if they do not know the count.
                Some(u64::MAX) => {}
                Some(count) => dropped = Some(dropped.unwrap_or(0).saturating_add(count)),
                None => frames.count_problem(Problem::DamagedRecord, place),
            }
        }
        if let Some(dropped) = dropped {
            frames.replace_dropped(interface.dropped.replace(dropped), dropped);
        }
    }

    /// Decodes an obsolete packet block.
    fn decode_obsolete_packet(
        &self,
        block: &[u8],
        place: CapturePosition,
        frames: &mut FrameDecoder<'_, '_>,
    ) {
        let Some((head, rest)) = block.split_at_checked(PACKET_HEAD_BYTES) else {
            return frames.count_problem(Problem::DamagedRecord, place);
        };
        let number = u32_at(head, 8, self.big_endian);
        // The other 16 bits are the number of lost packets.
        let id = if self.big_endian { number >> 16 } else { number & 0xffff };
        let id = usize::try_from(id).unwrap_or(usize::MAX);
        let [high, low, captured] = [12, 16, 20].map(|at| u32_at(head, at, self.big_endian));
        let data = usize::try_from(captured).ok().and_then(|captured| rest.get(..captured));
        match (self.interfaces.get(id), data.filter(|data| data.len() + 4 <= rest.len())) {
            (Some(interface), Some(data)) => {
                let time = interface.time(u64::from(high) << 32 | u64::from(low));
                frames.decode(interface.link, data, time, place);
            }
            (None, _) => frames.count_problem(Problem::UnknownInterface, place),
            (_, None) => frames.count_problem(Problem::DamagedRecord, place),
        }
    }
}

/// The unit of an interface's timestamps.
struct TimeUnit {
    /// Number of units per second.
    units_per_second: u64,
    /// Conversion of units below a second to nanoseconds. A general 128-bit division would take longer than
    /// all the rest.
    fraction: Fraction,
}

/// A conversion of units below a second to nanoseconds.
enum Fraction {
    /// Multiplies by this factor.
    Multiply(u64),
    /// Divides by this divisor.
    Divide(u64),
    /// Multiplies by 1,000,000,000 and shifts right by this number of bits: the unit is a power of two.
    Shift(u32),
}

impl TimeUnit {
    /// Decodes the option `if_tsresol`: a negative power of ten, or of two if the highest bit is set. Returns
    /// `None` if 64 bits cannot hold the number of units per second.
    fn from_option(option: u8) -> Option<TimeUnit> {
        const NANOSECONDS: u32 = 9;
        let power = u32::from(option & 0x7f);
        Some(if option & 0x80 != 0 {
            TimeUnit { units_per_second: 1u64.checked_shl(power)?, fraction: Fraction::Shift(power) }
        } else {
            let fraction = match NANOSECONDS.checked_sub(power) {
                Some(less) => Fraction::Multiply(10u64.pow(less)),
                None => Fraction::Divide(10u64.checked_pow(power - NANOSECONDS)?),
            };
            TimeUnit { units_per_second: 10u64.checked_pow(power)?, fraction }
        })
    }

    /// Splits a number of units into whole seconds and nanoseconds.
    #[inline]
    fn parts(&self, units: u64) -> (u64, u64) {
        let (seconds, rest) = (units / self.units_per_second, units % self.units_per_second);
        let nanoseconds = match self.fraction {
            Fraction::Multiply(factor) => rest * factor,
            Fraction::Divide(divisor) => rest / divisor,
            Fraction::Shift(power) => {
                u64::try_from((u128::from(rest) * 1_000_000_000) >> power).unwrap_or_default()
            }
        };
        (seconds, nanoseconds)
    }
}

impl Interface {
    /// Converts a number of units since 1970 to a timestamp; `None` if 64 bits of nanoseconds cannot hold the
    /// time.
    #[inline]
    fn time(&self, units: u64) -> Option<Timestamp> {
        let (seconds, nanoseconds) = self.unit.as_ref()?.parts(units);
        let seconds = i64::try_from(seconds).ok()?.checked_add(self.offset_seconds)?;
        Timestamp::from_parts(seconds, u32::try_from(nanoseconds).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn units_are_nanoseconds_to_the_last_one(option in any::<u8>(), units in any::<u64>()) {
            let power = u32::from(option & 0x7f);
            let second = if option & 0x80 == 0 { 10u64.checked_pow(power) } else { 1u64.checked_shl(power) };
            let parts = TimeUnit::from_option(option).map(|unit| unit.parts(units));
            let expected = second.map(|second| {
                let nanoseconds = u128::from(units % second) * 1_000_000_000 / u128::from(second);
                (units / second, u64::try_from(nanoseconds).unwrap())
            });
            prop_assert_eq!(parts, expected);
        }
    }

    /// Generates an enhanced packet block with room for options, and damages it.
    fn blocks() -> impl Strategy<Value = (bool, Vec<u8>)> {
        // Not the length in front, by which the reader delimits blocks.
        let damage = prop::collection::vec((prop_oneof![0..4usize, 8..64usize], 0..9u8), 0..3);
        (any::<bool>(), prop::collection::vec(any::<u8>(), 0..30), 0..3usize, damage).prop_map(
            |(big_endian, data, options, damage)| {
                let word = |word: usize| {
                    let word = u32::try_from(word).unwrap();
                    if big_endian { word.to_be_bytes() } else { word.to_le_bytes() }
                };
                let padded = data.len().next_multiple_of(4) + 4 * options;
                let length = PACKET_HEAD_BYTES + padded + 4;
                let mut block = [6, length, 0, 77, 99, data.len(), data.len()].map(word).concat();
                block.extend(&data);
                block.resize(PACKET_HEAD_BYTES + padded, 0);
                block.extend(word(length));
                for (at, byte) in damage {
                    block.get_mut(at).into_iter().for_each(|known| *known = byte);
                }
                (big_endian, block)
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_usual_is_read_as_the_library_reads_it((big_endian, block) in blocks()) {
            let interface = Interface { link: 1, snap_length: 0, unit: TimeUnit::from_option(6), offset_seconds: 0, dropped: None };
            let section = Section { big_endian, interfaces: vec![interface] };
            let parsed = if big_endian { parse_block_be(&block) } else { parse_block_le(&block) };
            let parsed = match &parsed {
                Ok((_, Block::EnhancedPacket(read))) if read.if_id == 0 => {
                    let captured = usize::try_from(read.caplen).unwrap();
                    Some((u64::from(read.ts_high) << 32 | u64::from(read.ts_low), &read.data[..captured]))
                }
                _ => None,
            };
            let usual = section.enhanced_packet(&block).map(|(_, units, data)| (units, data));
            prop_assert_eq!(usual, parsed);
        }
    }
}

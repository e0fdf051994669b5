//! Conversion of example windows to columns and back.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use crate::behavior::BehaviorId;
use crate::history::{Example, ExamplePacket, Examples, PackedExample, decode_packets};
use crate::packet::{Protocol, TcpFlags, Timestamp};
use crate::store::StoreError;

use super::row_filter::RowFilter;
use super::rows::{OptionalColumn, decode_host, ipv4_bits, ipv6_bits, type_number, values, wrong_kind};
use super::segment::Segment;
use super::segment_writer::{SegmentWriter, WrittenSegment};
use super::table::{Column, ColumnSpec, ColumnType, SegmentTable, Values};

/// The table of example windows, one window per type and one row per packet. `FORMAT.md` describes the
/// columns.
pub(super) static EXAMPLES: SegmentTable = SegmentTable {
    name: "examples",
    columns: &[
        ColumnSpec::new("type", ColumnType::I64).plain(),
        ColumnSpec::new("start", ColumnType::I64).plain(),
        ColumnSpec::new("host4", ColumnType::U32).plain().optional(),
        ColumnSpec::new("host6", ColumnType::Address).optional(),
        ColumnSpec::new("offset", ColumnType::U32).plain(),
        ColumnSpec::new("source_port", ColumnType::U32).plain().optional(),
        ColumnSpec::new("destination4", ColumnType::U32).plain().optional(),
        ColumnSpec::new("destination6", ColumnType::Address).optional(),
        ColumnSpec::new("destination_port", ColumnType::U32).plain().optional(),
        ColumnSpec::new("protocol", ColumnType::U32),
        ColumnSpec::new("flags", ColumnType::U32).optional(),
    ],
};

/// Number of rows from which a row group of examples ends. An example has a few hundred rows (packets) at
/// most.
const EXAMPLE_ROWS: usize = 1 << 14;

/// Column indices of the table of examples.
const EXAMPLE_TYPE: usize = 0;
const EXAMPLE_START: usize = 1;

/// An example window of a type, with its packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExampleRow {
    pub(super) number: u64,
    pub(super) start: Timestamp,
    pub(super) host: IpAddr,
    pub(super) packets: Vec<ExamplePacket>,
}

impl ExampleRow {
    /// Converts the row to an example of the type with this id.
    pub(super) fn into_example(self, behavior: BehaviorId) -> Example {
        let ExampleRow { start, host, packets, .. } = self;
        Example { behavior, host, start, packets }
    }
}

/// Converts examples to columns, one row per packet.
pub(super) fn example_columns(examples: &[ExampleRow]) -> Vec<Column> {
    let rows =
        || examples.iter().flat_map(|example| example.packets.iter().map(move |packet| (example, packet)));
    vec![
        Column::int64(rows().map(|(example, _)| example.number.cast_signed()).collect()),
        Column::int64(rows().map(|(example, _)| example.start.0).collect()),
        Column::optional_int32(rows().map(|(example, _)| ipv4_bits(example.host))),
        Column::optional_addresses(rows().map(|(example, _)| ipv6_bits(example.host))),
        Column::int32(rows().map(|(_, packet)| packet.offset_micros.cast_signed()).collect()),
        Column::optional_int32(rows().map(|(_, packet)| packet.source_port.map(u32::from))),
        Column::optional_int32(rows().map(|(_, packet)| ipv4_bits(packet.destination))),
        Column::optional_addresses(rows().map(|(_, packet)| ipv6_bits(packet.destination))),
        Column::optional_int32(rows().map(|(_, packet)| packet.destination_port.map(u32::from))),
        Column::int32(rows().map(|(_, packet)| i32::from(packet.protocol.number())).collect()),
        Column::optional_int32(rows().map(|(_, packet)| packet.flags.map(|flags| flags.0.into()))),
    ]
}

/// Groups decoded rows into examples. The rows of an example follow each other, in one row group.
fn examples_of(rows: usize, columns: &[Column]) -> Result<Vec<ExampleRow>, StoreError> {
    let mut examples: Vec<ExampleRow> = Vec::new();
    let types = values!(columns, 0, Int64);
    let starts = values!(columns, 1, Int64);
    let mut fours = OptionalColumn::new(&columns[2], values!(columns, 2, Int32));
    let mut sixes = OptionalColumn::new(&columns[3], values!(columns, 3, Address));
    let offsets = values!(columns, 4, Int32);
    let mut source_ports = OptionalColumn::new(&columns[5], values!(columns, 5, Int32));
    let mut to_fours = OptionalColumn::new(&columns[6], values!(columns, 6, Int32));
    let mut to_sixes = OptionalColumn::new(&columns[7], values!(columns, 7, Address));
    let mut destination_ports = OptionalColumn::new(&columns[8], values!(columns, 8, Int32));
    let protocols = values!(columns, 9, Int32);
    let mut flags = OptionalColumn::new(&columns[10], values!(columns, 10, Int32));
    let small = |value: Option<&i32>| value.map(|value| u16::try_from(*value)).transpose();
    let wrong = |_| StoreError::Damaged("an example has a port beyond 65535".to_owned());
    for at in 0..rows {
        let protocol = u16::try_from(protocols[at]).ok().and_then(Protocol::from_number);
        let packet = ExamplePacket {
            offset_micros: offsets[at].cast_unsigned(),
            source_port: small(source_ports.next()).map_err(wrong)?,
            destination: decode_host(&mut to_fours, &mut to_sixes)?,
            destination_port: small(destination_ports.next()).map_err(wrong)?,
            protocol: protocol
                .ok_or_else(|| StoreError::Damaged(format!("an example has protocol {}", protocols[at])))?,
            flags: flags.next().and_then(|flags| u8::try_from(*flags).ok()).map(TcpFlags),
        };
        let (number, start) = (type_number(types[at])?, Timestamp(starts[at]));
        let host = decode_host(&mut fours, &mut sixes)?;
        match examples.last_mut() {
            Some(last) if (last.number, last.start, last.host) == (number, start, host) => {
                last.packets.push(packet);
            }
            _ => examples.push(ExampleRow { number, start, host, packets: vec![packet] }),
        }
    }
    Ok(examples)
}

/// The earliest example of each type; of examples that begin at the same time, the one with the lowest host
/// address. Memory: about 200 bytes per type, and one row group.
#[derive(Default)]
pub(super) struct EarliestExamples(BTreeMap<u64, ExampleRow>);

impl EarliestExamples {
    /// Adds the examples of a segment whose types are wanted.
    pub(super) fn add(&mut self, segment: &Segment, wanted: &RowFilter<'_>) -> Result<(), StoreError> {
        for group in (0..segment.groups()).filter(|group| wanted.may_have_type(segment, *group, EXAMPLE_TYPE))
        {
            let (rows, columns) = segment.row_group(group)?.all_columns()?;
            for example in examples_of(rows, &columns)? {
                let known = self.0.get(&example.number);
                let is_earlier =
                    known.is_none_or(|known| (example.start, example.host) < (known.start, known.host));
                if is_earlier && wanted.has_type(example.number) {
                    self.0.insert(example.number, example);
                }
            }
        }
        Ok(())
    }

    /// Returns the examples by type number.
    pub(super) fn by_type(self) -> BTreeMap<u64, ExampleRow> {
        self.0
    }
}

/// Returns the type number and the start of each example of a segment.
pub(super) fn starts_of(segment: &Segment) -> Result<Vec<(u64, Timestamp)>, StoreError> {
    let mut starts = Vec::new();
    for group in 0..segment.groups() {
        let (_, columns) = segment.row_group(group)?.columns(&[EXAMPLE_TYPE, EXAMPLE_START])?;
        let (types, begins) = (values!(columns, 0, Int64), values!(columns, 1, Int64));
        for (one, start) in types.iter().zip(begins) {
            let start = (type_number(*one)?, Timestamp(*start));
            // An example has one row per packet.
            if starts.last() != Some(&start) {
                starts.push(start);
            }
        }
    }
    Ok(starts)
}

/// Returns, ascending by type, the gathered examples that are not later than the known example of their type.
/// They are unpacked one at a time. `numbers` has the number of each type in histories, by its index in the
/// capture's type list.
pub(super) fn new_examples<'e>(
    examples: &'e Examples,
    numbers: &[u64],
    known: &BTreeMap<u64, Timestamp>,
) -> impl Iterator<Item = Result<ExampleRow, StoreError>> + 'e {
    let mut new: Vec<(u64, u32)> = Vec::new();
    for PackedExample { number: place, start, .. } in examples.iter() {
        let number = usize::try_from(place).ok().and_then(|place| numbers.get(place)).copied();
        let wanted = |number: &u64| known.get(number).is_none_or(|known| start <= *known);
        new.extend(number.filter(wanted).map(|number| (number, place)));
    }
    new.sort_unstable();
    new.into_iter().filter_map(|(number, place)| {
        let PackedExample { start, host, packets, .. } = examples.get(place)?;
        let packets = decode_packets(packets).map_err(|error| StoreError::Backend(error.to_string()));
        Some(packets.map(|packets| ExampleRow { number, start, host, packets }))
    })
}

/// Writes examples, which must ascend by type. Returns the start of the earliest with the segment, or `None`
/// if there are no examples.
pub(super) fn write_examples(
    folder: &Path,
    examples: &mut dyn Iterator<Item = Result<ExampleRow, StoreError>>,
    durable: bool,
) -> Result<Option<(Timestamp, WrittenSegment)>, StoreError> {
    let mut writer = SegmentWriter::new(folder, &EXAMPLES)?;
    let mut first = None;
    let (mut some, mut rows): (Vec<ExampleRow>, usize) = (Vec::new(), 0);
    for example in examples {
        let example = example?;
        first = first.into_iter().chain([example.start]).min();
        rows += example.packets.len();
        some.push(example);
        if rows >= EXAMPLE_ROWS {
            writer.write(rows, &example_columns(&some))?;
            some.clear();
            rows = 0;
        }
    }
    writer.write(rows, &example_columns(&some))?;
    match first {
        Some(first) => Ok(Some((first, writer.finish(durable)?))),
        None => Ok(None),
    }
}

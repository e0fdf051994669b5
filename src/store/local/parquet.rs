//! Segment files: Parquet tables with a hash for each of their parts.
//!
//! A file's row groups are hashed one by one, and the hashes are kept in the file's own metadata. The file's tail (Bloom
//! filters and metadata) is hashed as well, and that hash is kept in the catalog. A reader verifies the tail when it opens a
//! file, and each row group before it is decoded, so damage is noticed without reading what is not needed.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, Bytes};
use parquet::basic::{Compression, Encoding, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::bloom_filter::Sbbf;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::{
    AsBytes, BoolType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int32Type, Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};
use parquet::file::properties::{BloomFilterPosition, EnabledStatistics, WriterProperties, WriterVersion};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::file::statistics::Statistics;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, Type, TypePtr};

use crate::store::StoreError;

/// Rows of a row group from which on it ends with the next type.
pub(super) const GROUP_ROWS: usize = 1 << 16;
/// Rows at which a row group ends in any case.
pub(super) const GROUP_ROWS_MAX: usize = 1 << 17;
/// The share of hosts that are not in a row group and that its Bloom filter does not tell apart: at 5 % a filter takes 6 bits
/// a host, and one row group in twenty is read for nothing.
const BLOOM_ERRORS: f64 = 0.05;
/// Key of the file's metadata that has the end and the hash of each row group.
const PARTS_KEY: &str = "inga.row_groups";
/// Key of the file's metadata that has the first row group of each sorted run.
const RUNS_KEY: &str = "inga.runs";
/// The first bytes of any Parquet file.
const MAGIC: &[u8; 4] = b"PAR1";
/// Metadata and Bloom filters of the largest segments take some megabytes; more is not a segment of ours.
const TAIL_MAX: u64 = 1 << 28;

/// What a column's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Days since 1970-01-01.
    Date,
    /// 32 bits without a sign.
    U32,
    /// 64 bits with a sign.
    I64,
    /// 64 bits without a sign.
    U64,
    /// True or false.
    Bool,
    /// The 16 bytes of an IPv6 address.
    Address,
}

/// A column of a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct ColumnSpec {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Whether rows may have no value.
    pub(super) optional: bool,
    /// Whether values are stored as differences; otherwise by a dictionary.
    pub(super) differences: bool,
    /// Whether it has a Bloom filter.
    pub(super) bloom: bool,
}

impl ColumnSpec {
    /// A column of which few values differ.
    pub(super) const fn new(name: &'static str, kind: Kind) -> ColumnSpec {
        ColumnSpec { name, kind, optional: false, differences: false, bloom: false }
    }

    /// One whose rows may have no value.
    pub(super) const fn optional(self) -> ColumnSpec {
        ColumnSpec { optional: true, ..self }
    }

    /// One whose values mostly differ.
    pub(super) const fn differences(self) -> ColumnSpec {
        ColumnSpec { differences: true, ..self }
    }

    /// One in which single values are looked for.
    pub(super) const fn bloom(self) -> ColumnSpec {
        ColumnSpec { bloom: true, ..self }
    }

    fn schema(&self) -> Result<TypePtr, ParquetError> {
        let (physical, logical) = match self.kind {
            Kind::Date => (Physical::INT32, Some(LogicalType::Date)),
            Kind::U32 => (Physical::INT32, Some(LogicalType::integer(32, false))),
            Kind::I64 => (Physical::INT64, None),
            Kind::U64 => (Physical::INT64, Some(LogicalType::integer(64, false))),
            Kind::Bool => (Physical::BOOLEAN, None),
            Kind::Address => (Physical::FIXED_LEN_BYTE_ARRAY, None),
        };
        let repetition = if self.optional { Repetition::OPTIONAL } else { Repetition::REQUIRED };
        let length = if self.kind == Kind::Address { 16 } else { -1 };
        let column = Type::primitive_type_builder(self.name, physical)
            .with_repetition(repetition)
            .with_logical_type(logical)
            .with_length(length);
        Ok(Arc::new(column.build()?))
    }
}

/// A kind of segment.
#[derive(Debug)]
pub(super) struct Table {
    /// The name of its folder and of its rows' type.
    pub(super) name: &'static str,
    pub(super) columns: &'static [ColumnSpec],
}

impl Table {
    fn schema(&self) -> Result<TypePtr, ParquetError> {
        let fields = self.columns.iter().map(ColumnSpec::schema).collect::<Result<_, _>>()?;
        Ok(Arc::new(Type::group_type_builder(self.name).with_fields(fields).build()?))
    }

    fn properties(&self) -> Result<WriterProperties, ParquetError> {
        let mut properties = WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .set_created_by(concat!("inga ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .set_bloom_filter_position(BloomFilterPosition::End)
            .set_max_row_group_row_count(None);
        for column in self.columns {
            let path = ColumnPath::from(column.name);
            if column.differences {
                let encoding = match column.kind {
                    Kind::Address => Encoding::DELTA_BYTE_ARRAY,
                    _ => Encoding::DELTA_BINARY_PACKED,
                };
                properties = properties
                    .set_column_dictionary_enabled(path.clone(), false)
                    .set_column_encoding(path.clone(), encoding);
            }
            if column.bloom {
                properties = properties
                    .set_column_bloom_filter_enabled(path.clone(), true)
                    .set_column_bloom_filter_fpp(path.clone(), BLOOM_ERRORS)
                    .set_column_bloom_filter_max_ndv(path, GROUP_ROWS_MAX as u64);
            }
        }
        Ok(properties.build())
    }
}

/// Values of a column, of those rows that have one.
#[derive(Clone, Debug)]
pub(super) enum Values {
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Bool(Vec<bool>),
    Address(Vec<FixedLenByteArray>),
}

/// Some rows of a column.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) values: Values,
    /// For an optional column, 1 for each row that has a value and 0 for others; empty for other columns.
    pub(super) defined: Vec<i16>,
}

impl Column {
    pub(super) fn int32(values: Vec<i32>) -> Column {
        Column { values: Values::Int32(values), defined: Vec::new() }
    }

    pub(super) fn int64(values: Vec<i64>) -> Column {
        Column { values: Values::Int64(values), defined: Vec::new() }
    }

    pub(super) fn bool(values: Vec<bool>) -> Column {
        Column { values: Values::Bool(values), defined: Vec::new() }
    }

    /// Numbers, with `None` for rows without.
    pub(super) fn optional_int32(values: impl Iterator<Item = Option<u32>>) -> Column {
        let (mut numbers, mut defined) = (Vec::new(), Vec::new());
        for value in values {
            defined.push(i16::from(value.is_some()));
            numbers.extend(value.map(u32::cast_signed));
        }
        Column { values: Values::Int32(numbers), defined }
    }

    /// Addresses, with `None` for rows without.
    pub(super) fn optional_addresses(values: impl Iterator<Item = Option<u128>>) -> Column {
        let (mut addresses, mut defined) = (Vec::new(), Vec::new());
        for value in values {
            defined.push(i16::from(value.is_some()));
            addresses.extend(value.map(|value| FixedLenByteArray::from(value.to_be_bytes().to_vec())));
        }
        Column { values: Values::Address(addresses), defined }
    }
}

/// A file that hashes what is written to it, part by part.
#[derive(Debug)]
struct HashedFile {
    file: File,
    hash: blake3::Hasher,
    written: u64,
}

impl Write for HashedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl HashedFile {
    /// Ends a part, and returns where it ends and its hash.
    fn end_part(&mut self) -> (u64, [u8; 32]) {
        let hash = *self.hash.finalize().as_bytes();
        self.hash.reset();
        (self.written, hash)
    }
}

/// A segment that is being written.
pub(super) struct SegmentWriter {
    writer: SerializedFileWriter<HashedFile>,
    path: tempfile::TempPath,
    parts: Vec<(u64, [u8; 32])>,
    runs: Vec<usize>,
    rows: u64,
}

/// A whole segment file that no catalog lists yet; it is deleted when this is dropped.
#[derive(Debug)]
pub(super) struct WrittenSegment {
    pub(super) path: tempfile::TempPath,
    pub(super) facts: SegmentFacts,
}

/// What the catalog keeps of a segment file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SegmentFacts {
    pub(super) rows: u64,
    /// Bytes of the file.
    pub(super) bytes: u64,
    /// The offset at which its Bloom filters and metadata begin.
    pub(super) tail: u64,
    /// The hash of the bytes from there on.
    pub(super) hash: [u8; 32],
    /// Sorted runs of rows that follow each other.
    pub(super) runs: u64,
}

impl SegmentWriter {
    /// Begins a file in a folder.
    pub(super) fn new(folder: &Path, table: &Table) -> Result<SegmentWriter, StoreError> {
        let file = tempfile::Builder::new().prefix(table.name).suffix(".parquet").tempfile_in(folder)?;
        let (file, path) = file.into_parts();
        let file = HashedFile { file, hash: blake3::Hasher::new(), written: 0 };
        let mut writer = SerializedFileWriter::new(file, table.schema()?, Arc::new(table.properties()?))?;
        // The magic bytes are the same in all files.
        writer.flush()?;
        writer.inner_mut().end_part();
        Ok(SegmentWriter { writer, path, parts: Vec::new(), runs: Vec::new(), rows: 0 })
    }

    /// Returns the number of rows written so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Begins a sorted run: rows that follow need not sort behind those before.
    pub(super) fn begin_run(&mut self) {
        if self.runs.last() != Some(&self.parts.len()) {
            self.runs.push(self.parts.len());
        }
    }

    /// Writes a row group; nothing for no rows.
    pub(super) fn write(&mut self, rows: usize, columns: &[Column]) -> Result<(), StoreError> {
        if rows == 0 {
            return Ok(());
        }
        if self.runs.is_empty() {
            self.begin_run();
        }
        let mut group = self.writer.next_row_group()?;
        for column in columns {
            let Some(mut writer) = group.next_column()? else { break };
            let defined = Some(column.defined.as_slice()).filter(|defined| !defined.is_empty());
            match &column.values {
                Values::Int32(values) => writer.typed::<Int32Type>().write_batch(values, defined, None)?,
                Values::Int64(values) => writer.typed::<Int64Type>().write_batch(values, defined, None)?,
                Values::Bool(values) => writer.typed::<BoolType>().write_batch(values, defined, None)?,
                Values::Address(values) => {
                    writer.typed::<FixedLenByteArrayType>().write_batch(values, defined, None)?
                }
            };
            writer.close()?;
        }
        group.close()?;
        self.writer.flush()?;
        self.parts.push(self.writer.inner_mut().end_part());
        self.rows += rows as u64;
        Ok(())
    }

    /// Completes the file, and makes sure that it is on the disk.
    pub(super) fn finish(mut self, durable: bool) -> Result<WrittenSegment, StoreError> {
        let parts: Vec<String> =
            self.parts.iter().map(|(end, hash)| format!("{end}:{}", hex(hash))).collect();
        self.writer.append_key_value_metadata(KeyValue::new(PARTS_KEY.to_owned(), parts.join(" ")));
        let runs: Vec<String> = self.runs.iter().map(usize::to_string).collect();
        self.writer.append_key_value_metadata(KeyValue::new(RUNS_KEY.to_owned(), runs.join(" ")));
        let tail = self.parts.last().map_or(MAGIC.len() as u64, |(end, _)| *end);
        self.writer.finish()?;
        self.writer.flush()?;
        let file = self.writer.inner_mut();
        let (bytes, hash) = file.end_part();
        if durable {
            file.file.sync_all()?;
        }
        let facts = SegmentFacts { rows: self.rows, bytes, tail, hash, runs: self.runs.len() as u64 };
        Ok(WrittenSegment { path: self.path, facts })
    }
}

/// A segment that can be read.
#[derive(Debug)]
pub(super) struct Segment {
    file: Mutex<File>,
    path: PathBuf,
    table: &'static Table,
    tail: Part,
    metadata: ParquetMetaData,
    /// Begin, end and hash of each row group.
    parts: Vec<(u64, u64, [u8; 32])>,
    runs: Vec<usize>,
}

/// Some bytes of a file, as the Parquet reader wants them.
#[derive(Clone, Debug)]
struct Part {
    start: u64,
    bytes: Bytes,
}

impl Length for Part {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl Part {
    fn slice(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let outside = || ParquetError::EOF(format!("bytes {start} to {length} more lie outside of a part"));
        let from =
            start.checked_sub(self.start).and_then(|from| usize::try_from(from).ok()).ok_or_else(outside)?;
        let to = from.checked_add(length).filter(|to| *to <= self.bytes.len()).ok_or_else(outside)?;
        Ok(self.bytes.slice(from..to))
    }
}

impl ChunkReader for Part {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        let length = self.len().saturating_sub(start);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        Ok(self.slice(start, length)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        self.slice(start, length)
    }
}

impl Segment {
    /// Opens a segment and verifies its tail.
    ///
    /// # Errors
    /// When it is not there, or not as it was written.
    pub(super) fn open(
        path: &Path,
        table: &'static Table,
        facts: &SegmentFacts,
    ) -> Result<Segment, StoreError> {
        let mut file = File::open(path)?;
        let damaged = |what: &str| damaged(path, what);
        let bytes = file.metadata()?.len();
        if bytes != facts.bytes {
            return Err(damaged(&format!("it has {bytes} bytes, and had {}", facts.bytes)));
        }
        let length = bytes.checked_sub(facts.tail).filter(|length| *length <= TAIL_MAX);
        let length = length.ok_or_else(|| damaged("its metadata begin behind its end"))?;
        let tail = read_at(&mut file, facts.tail, length)?;
        if *blake3::hash(&tail).as_bytes() != facts.hash {
            return Err(damaged("its metadata are not as they were written"));
        }
        let tail = Part { start: facts.tail, bytes: tail.into() };
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&tail);
        let metadata = metadata.map_err(|error| damaged(&error.to_string()))?;
        let (parts, runs) =
            parts_of(&metadata, facts.tail).ok_or_else(|| damaged("its metadata lack hashes"))?;
        let segment =
            Segment { file: Mutex::new(file), path: path.to_owned(), table, tail, metadata, parts, runs };
        segment.check(facts).map_err(|what| damaged(&what))?;
        Ok(segment)
    }

    /// Checks that the metadata are such as this program writes, so that memory is bounded whoever wrote them.
    fn check(&self, facts: &SegmentFacts) -> Result<(), String> {
        let schema = self.metadata.file_metadata().schema_descr();
        let wanted = self.table.schema().map_err(|error| error.to_string())?;
        if schema.root_schema().get_fields() != wanted.get_fields() {
            return Err(format!("it has other columns than {}", self.table.name));
        }
        let mut rows = 0u64;
        for (group, (start, end, _)) in self.metadata.row_groups().iter().zip(&self.parts) {
            let in_group = u64::try_from(group.num_rows()).unwrap_or(u64::MAX);
            let inside = |(offset, length): (u64, u64)| {
                offset >= *start && offset.checked_add(length).is_some_and(|to| to <= *end)
            };
            if in_group > GROUP_ROWS_MAX as u64 || in_group == 0 {
                return Err(format!("a row group has {in_group} rows"));
            }
            if !group.columns().iter().all(|column| inside(column.byte_range())) {
                return Err("a column lies outside of its row group".to_owned());
            }
            rows += in_group;
        }
        if rows != facts.rows {
            return Err(format!("it has {rows} rows, and had {}", facts.rows));
        }
        Ok(())
    }

    /// Returns the number of row groups.
    pub(super) fn groups(&self) -> usize {
        self.parts.len()
    }

    /// Returns the row groups of each sorted run.
    pub(super) fn runs(&self) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
        let ends = self.runs.iter().skip(1).copied().chain([self.parts.len()]);
        self.runs.iter().copied().zip(ends).map(|(first, end)| first..end)
    }

    /// Returns the least and greatest value of a number column in a row group, or `None` where no row has a value.
    pub(super) fn range(&self, group: usize, column: usize) -> Option<(i64, i64)> {
        match self.row_group(group)?.columns().get(column)?.statistics()? {
            Statistics::Int32(range) => Some((i64::from(*range.min_opt()?), i64::from(*range.max_opt()?))),
            Statistics::Int64(range) => Some((*range.min_opt()?, *range.max_opt()?)),
            _ => None,
        }
    }

    /// Returns whether a row group may have a value in a column, by the column's Bloom filter.
    pub(super) fn may_have(&self, group: usize, column: usize, value: &(impl AsBytes + ?Sized)) -> bool {
        let chunk = self.row_group(group).and_then(|group| group.columns().get(column));
        let filter = chunk.map(|chunk| Sbbf::read_from_column_chunk(chunk, &self.tail));
        // Without a filter (a group without such hosts has none) statistics decide.
        match filter {
            Some(Ok(Some(filter))) => filter.check(value),
            _ => true,
        }
    }

    fn row_group(&self, group: usize) -> Option<&RowGroupMetaData> {
        self.metadata.row_groups().get(group)
    }

    /// Begins to read a row group, of which the bytes are verified first. Memory: the group as it lies in the file, less
    /// than a megabyte, and one page a column.
    pub(super) fn read(&self, group: usize, wanted: &[usize]) -> Result<GroupReader, StoreError> {
        let part = self.verified(group)?;
        let metadata = self.row_group(group).ok_or_else(|| damaged(&self.path, "it lacks a row group"))?;
        let rows = usize::try_from(metadata.num_rows()).unwrap_or(0);
        let part = Arc::new(part);
        let mut columns = Vec::with_capacity(wanted.len());
        for at in wanted {
            let chunk = metadata.column(*at);
            let pages = SerializedPageReader::new(Arc::clone(&part), chunk, rows, None)?;
            columns.push(get_column_reader(chunk.column_descr_ptr(), Box::new(pages)));
        }
        Ok(GroupReader { columns, left: rows, path: self.path.clone() })
    }

    /// The bytes of a row group, which are as they were written.
    fn verified(&self, group: usize) -> Result<Part, StoreError> {
        let (start, end, hash) =
            *self.parts.get(group).ok_or_else(|| damaged(&self.path, "it lacks a row group"))?;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = read_at(&mut file, start, end - start)?;
        if *blake3::hash(&bytes).as_bytes() != hash {
            return Err(damaged(&self.path, &format!("row group {group} is not as it was written")));
        }
        Ok(Part { start, bytes: bytes.into() })
    }

    /// Verifies every byte of the file.
    pub(super) fn verify(&self) -> Result<(), StoreError> {
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            if read_at(&mut file, 0, MAGIC.len() as u64)? != MAGIC {
                return Err(damaged(&self.path, "its first bytes are not as they were written"));
            }
        }
        (0..self.parts.len()).try_for_each(|group| self.verified(group).map(drop))
    }
}

/// Rows of a row group that are still to be read.
pub(super) struct GroupReader {
    columns: Vec<ColumnReader>,
    left: usize,
    path: PathBuf,
}

impl GroupReader {
    /// Returns the next rows, at most so many; none at the end.
    pub(super) fn next(&mut self, most: usize) -> Result<(usize, Vec<Column>), StoreError> {
        let rows = most.min(self.left);
        self.left -= rows;
        let mut columns = Vec::with_capacity(self.columns.len());
        for reader in &mut self.columns {
            let column = match reader {
                ColumnReader::Int32ColumnReader(reader) => read_column(reader, rows, Values::Int32),
                ColumnReader::Int64ColumnReader(reader) => read_column(reader, rows, Values::Int64),
                ColumnReader::BoolColumnReader(reader) => read_column(reader, rows, Values::Bool),
                ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                    read_column(reader, rows, Values::Address)
                }
                _ => Err(ParquetError::General("a column of an unknown kind".to_owned())),
            };
            columns.push(column.map_err(|error| damaged(&self.path, &error.to_string()))?);
        }
        Ok((rows, columns))
    }

    /// Returns all rows that are left.
    pub(super) fn rest(mut self) -> Result<(usize, Vec<Column>), StoreError> {
        self.next(usize::MAX)
    }
}

fn read_column<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
    values_of: fn(Vec<T::T>) -> Values,
) -> Result<Column, ParquetError> {
    let (mut values, mut defined) = (Vec::with_capacity(rows), Vec::new());
    let mut read = 0;
    while read < rows {
        let (records, ..) = reader.read_records(rows - read, Some(&mut defined), None, &mut values)?;
        if records == 0 {
            return Err(ParquetError::General(format!("a column ends {} rows early", rows - read)));
        }
        read += records;
    }
    Ok(Column { values: values_of(values), defined })
}

/// Begin, end and hash of each row group, and the first row group of each run, as the file's metadata have them.
fn parts_of(metadata: &ParquetMetaData, tail: u64) -> Option<(Vec<(u64, u64, [u8; 32])>, Vec<usize>)> {
    let pairs = metadata.file_metadata().key_value_metadata()?;
    let value = |key: &str| pairs.iter().find(|pair| pair.key == key)?.value.as_deref();
    let mut parts: Vec<(u64, u64, [u8; 32])> = Vec::new();
    let mut start = MAGIC.len() as u64;
    for part in value(PARTS_KEY)?.split_ascii_whitespace() {
        let (end, hash) = part.split_once(':')?;
        let end = end.parse().ok().filter(|end| *end > start && *end <= tail)?;
        parts.push((start, end, unhex(hash)?));
        start = end;
    }
    let runs: Vec<usize> =
        value(RUNS_KEY)?.split_ascii_whitespace().map(|run| run.parse().ok()).collect::<Option<_>>()?;
    let ascend = runs.is_sorted_by(|a, b| a < b) && runs.iter().all(|run| *run < parts.len());
    let whole = runs.first().is_none_or(|first| *first == 0) && runs.is_empty() == parts.is_empty();
    let same = parts.len() == metadata.num_row_groups() && start == tail;
    (ascend && whole && same).then_some((parts, runs))
}

fn read_at(file: &mut File, start: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn damaged(path: &Path, what: &str) -> StoreError {
    StoreError::Damaged(format!("segment {}: {what}", crate::escape::path(path)))
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(bytes)
}

impl From<ParquetError> for StoreError {
    fn from(error: ParquetError) -> StoreError {
        match error {
            ParquetError::External(error) => match error.downcast::<io::Error>() {
                Ok(error) => StoreError::Io(*error),
                Err(error) => StoreError::Damaged(error.to_string()),
            },
            other => StoreError::Damaged(other.to_string()),
        }
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> StoreError {
        StoreError::Io(error)
    }
}

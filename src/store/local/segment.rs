//! Reading segment files. The tail of a file is verified when it is opened, and each row group before it is
//! decoded.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, Bytes};
use parquet::bloom_filter::Sbbf;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::{AsBytes, DataType};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::file::statistics::Statistics;

use crate::store::StoreError;

use super::segment_writer::{MAGIC, PARTS_KEY, SegmentFacts};
use super::table::{Column, GROUP_ROWS_MAX, SegmentTable, Values};

/// Maximum size of a tail in bytes (256 MiB). Metadata and Bloom filters of the largest segments take a few
/// megabytes, so a larger tail is damage.
const TAIL_MAX: u64 = 1 << 28;

/// The first byte, the end and the BLAKE3 hash of a row group.
type GroupExtent = (u64, u64, [u8; 32]);

/// An open segment file with a verified tail.
#[derive(Debug)]
pub(super) struct Segment {
    file: Mutex<File>,
    path: PathBuf,
    table: &'static SegmentTable,
    tail: ByteRange,
    metadata: ParquetMetaData,
    extents: Vec<GroupExtent>,
}

/// A range of a file's bytes in memory, which the Parquet reader addresses by file offset.
#[derive(Clone, Debug)]
struct ByteRange {
    start: u64,
    bytes: Bytes,
}

impl Length for ByteRange {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl ByteRange {
    fn slice(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let outside = || ParquetError::EOF(format!("bytes {start} to {length} more lie outside of a part"));
        let from =
            start.checked_sub(self.start).and_then(|from| usize::try_from(from).ok()).ok_or_else(outside)?;
        let to = from.checked_add(length).filter(|to| *to <= self.bytes.len()).ok_or_else(outside)?;
        Ok(self.bytes.slice(from..to))
    }
}

impl ChunkReader for ByteRange {
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
    /// Fails if the file does not exist, or differs from what was written.
    pub(super) fn open(
        path: &Path,
        table: &'static SegmentTable,
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
        let tail = ByteRange { start: facts.tail, bytes: tail.into() };
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&tail);
        let metadata = metadata.map_err(|error| damaged(&error.to_string()))?;
        let parts =
            group_extents(&metadata, facts.tail).ok_or_else(|| damaged("its metadata lack hashes"))?;
        let segment =
            Segment { file: Mutex::new(file), path: path.to_owned(), table, tail, metadata, extents: parts };
        segment.check(facts).map_err(|what| damaged(&what))?;
        Ok(segment)
    }

    /// Checks that the metadata could have been written by this program, so that memory is bounded whoever
    /// wrote the file.
    fn check(&self, facts: &SegmentFacts) -> Result<(), String> {
        let schema = self.metadata.file_metadata().schema_descr();
        let wanted = self.table.schema().map_err(|error| error.to_string())?;
        if schema.root_schema().get_fields() != wanted.get_fields() {
            return Err(format!("it has other columns than {}", self.table.name));
        }
        let mut rows = 0u64;
        for (group, (start, end, _)) in self.metadata.row_groups().iter().zip(&self.extents) {
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
        self.extents.len()
    }

    /// Returns the minimum and maximum of a numeric column in a row group, or `None` if no row has a value.
    pub(super) fn range(&self, group: usize, column: usize) -> Option<(i64, i64)> {
        match self.metadata_of(group)?.columns().get(column)?.statistics()? {
            Statistics::Boolean(range) => Some((i64::from(*range.min_opt()?), i64::from(*range.max_opt()?))),
            Statistics::Int32(range) => Some((i64::from(*range.min_opt()?), i64::from(*range.max_opt()?))),
            Statistics::Int64(range) => Some((*range.min_opt()?, *range.max_opt()?)),
            _ => None,
        }
    }

    /// Returns whether a row group may have a value in a column, according to the column's Bloom filter.
    pub(super) fn may_have(&self, group: usize, column: usize, value: &(impl AsBytes + ?Sized)) -> bool {
        let chunk = self.metadata_of(group).and_then(|group| group.columns().get(column));
        let filter = chunk.map(|chunk| Sbbf::read_from_column_chunk(chunk, &self.tail));
        // Without a Bloom filter (a row group without hosts of this IP version has none), statistics decide.
        match filter {
            Some(Ok(Some(filter))) => filter.check(value),
            _ => true,
        }
    }

    fn metadata_of(&self, group: usize) -> Option<&RowGroupMetaData> {
        self.metadata.row_groups().get(group)
    }

    /// Reads the bytes of a row group and verifies them. Memory: less than a megabyte.
    pub(super) fn row_group(&self, group: usize) -> Result<RowGroup<'_>, StoreError> {
        let bytes = Arc::new(self.read_verified(group)?);
        let metadata = self.metadata_of(group).ok_or_else(|| damaged(&self.path, "it lacks a row group"))?;
        Ok(RowGroup { segment: self, metadata, bytes })
    }

    /// Returns the bytes of a row group if their hash is correct.
    fn read_verified(&self, group: usize) -> Result<ByteRange, StoreError> {
        let (start, end, hash) =
            *self.extents.get(group).ok_or_else(|| damaged(&self.path, "it lacks a row group"))?;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = read_at(&mut file, start, end - start)?;
        if *blake3::hash(&bytes).as_bytes() != hash {
            return Err(damaged(&self.path, &format!("row group {group} is not as it was written")));
        }
        Ok(ByteRange { start, bytes: bytes.into() })
    }

    /// Verifies every byte of the file except the tail, which was verified when the file was opened.
    pub(super) fn verify(&self) -> Result<(), StoreError> {
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            if read_at(&mut file, 0, MAGIC.len() as u64)? != MAGIC {
                return Err(damaged(&self.path, "its first bytes are not as they were written"));
            }
        }
        (0..self.extents.len()).try_for_each(|group| self.read_verified(group).map(drop))
    }
}

/// The verified bytes of a row group, still encoded.
pub(super) struct RowGroup<'s> {
    segment: &'s Segment,
    metadata: &'s RowGroupMetaData,
    bytes: Arc<ByteRange>,
}

impl RowGroup<'_> {
    /// Decodes some columns of all rows; they are returned in the order of `wanted`, with the number of rows.
    pub(super) fn columns(&self, wanted: &[usize]) -> Result<(usize, Vec<Column>), StoreError> {
        self.reader(wanted.iter().copied())?.next(usize::MAX)
    }

    /// Decodes all rows. Memory: about 100 bytes per row.
    pub(super) fn all_columns(&self) -> Result<(usize, Vec<Column>), StoreError> {
        self.rows(0..self.row_count())?.next(usize::MAX)
    }

    /// Returns the number of rows.
    pub(super) fn row_count(&self) -> usize {
        usize::try_from(self.metadata.num_rows()).unwrap_or(0)
    }

    /// Returns a reader that decodes a range of rows in steps. Pages before the range are not decompressed.
    /// Memory: one page per column.
    pub(super) fn rows(&self, range: Range<usize>) -> Result<GroupReader, StoreError> {
        let mut reader = self.reader(0..self.segment.table.columns.len())?;
        reader.skip(range.start)?;
        reader.left = reader.left.min(range.len());
        Ok(reader)
    }

    fn reader(&self, wanted: impl Iterator<Item = usize>) -> Result<GroupReader, StoreError> {
        let rows = self.row_count();
        let mut columns = Vec::new();
        for at in wanted {
            let chunk = self.metadata.column(at);
            let pages = SerializedPageReader::new(Arc::clone(&self.bytes), chunk, rows, None)?;
            columns.push(get_column_reader(chunk.column_descr_ptr(), Box::new(pages)));
        }
        Ok(GroupReader { columns, left: rows, path: self.segment.path.clone() })
    }
}

/// A reader of the remaining rows of a row group.
pub(super) struct GroupReader {
    columns: Vec<ColumnReader>,
    left: usize,
    path: PathBuf,
}

impl GroupReader {
    /// Skips rows.
    fn skip(&mut self, rows: usize) -> Result<(), StoreError> {
        self.left = self.left.saturating_sub(rows);
        for reader in &mut self.columns {
            let skipped = match reader {
                ColumnReader::Int32ColumnReader(reader) => reader.skip_records(rows),
                ColumnReader::Int64ColumnReader(reader) => reader.skip_records(rows),
                ColumnReader::BoolColumnReader(reader) => reader.skip_records(rows),
                ColumnReader::FixedLenByteArrayColumnReader(reader) => reader.skip_records(rows),
                _ => Err(ParquetError::General("a column of an unknown kind".to_owned())),
            };
            match skipped {
                Ok(skipped) if skipped == rows => {}
                Ok(_) => return Err(damaged(&self.path, "a column ends early")),
                Err(error) => return Err(damaged(&self.path, &error.to_string())),
            }
        }
        Ok(())
    }

    /// Returns the next rows, at most `most`, with their number; 0 rows at the end.
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

/// Returns the first byte, the end and the hash of each row group from the file's metadata, or `None` if the
/// metadata are incomplete or contradictory.
fn group_extents(metadata: &ParquetMetaData, tail: u64) -> Option<Vec<GroupExtent>> {
    let pairs = metadata.file_metadata().key_value_metadata()?;
    let hashes = pairs.iter().find(|pair| pair.key == PARTS_KEY)?.value.as_deref()?;
    let mut parts: Vec<GroupExtent> = Vec::new();
    let mut start = MAGIC.len() as u64;
    for part in hashes.split_ascii_whitespace() {
        let (end, hash) = part.split_once(':')?;
        let end = end.parse().ok().filter(|end| *end > start && *end <= tail)?;
        parts.push((start, end, unhex(hash)?));
        start = end;
    }
    (parts.len() == metadata.num_row_groups() && start == tail).then_some(parts)
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

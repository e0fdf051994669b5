//! Writing segment files: Parquet tables with a hash for each of their parts.
//!
//! A file's row groups are hashed one by one, and the hashes are kept in the file's own metadata. The file's tail (Bloom
//! filters and metadata) is hashed as well, and that hash is kept in the catalog. A reader verifies the tail when it opens a
//! file, and each row group before it is decoded, so damage is noticed without reading what is not needed.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use parquet::data_type::{BoolType, FixedLenByteArrayType, Int32Type, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::writer::SerializedFileWriter;

use crate::store::StoreError;

use super::table::{Column, Table, Values};

/// Key of the file's metadata that has the end and the hash of each row group.
pub(super) const PARTS_KEY: &str = "inga.row_groups";
/// The first bytes of any Parquet file.
pub(super) const MAGIC: &[u8; 4] = b"PAR1";

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
}

impl SegmentWriter {
    /// Begins a file in a folder.
    pub(super) fn new(folder: &Path, table: &Table) -> Result<SegmentWriter, StoreError> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(table.name).suffix(".parquet");
        // Others may read what the process's own limits let them read.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder)?;
        let (file, path) = file.into_parts();
        let file = HashedFile { file, hash: blake3::Hasher::new(), written: 0 };
        let mut writer = SerializedFileWriter::new(file, table.schema()?, Arc::new(table.properties()?))?;
        // The magic bytes are the same in all files.
        writer.flush()?;
        writer.inner_mut().end_part();
        Ok(SegmentWriter { writer, path, parts: Vec::new(), rows: 0 })
    }

    /// Writes a row group; nothing for no rows.
    pub(super) fn write(&mut self, rows: usize, columns: &[Column]) -> Result<(), StoreError> {
        if rows == 0 {
            return Ok(());
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
        let tail = self.parts.last().map_or(MAGIC.len() as u64, |(end, _)| *end);
        self.writer.finish()?;
        self.writer.flush()?;
        let file = self.writer.inner_mut();
        let (bytes, hash) = file.end_part();
        if durable {
            file.file.sync_all()?;
        }
        let facts = SegmentFacts { rows: self.rows, bytes, tail, hash };
        Ok(WrittenSegment { path: self.path, facts })
    }
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

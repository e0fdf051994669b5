//! Writing segment files: Parquet tables with a hash for each part of the file.
//!
//! Each row group is hashed, and the hashes are stored in the file's own metadata. The file's tail (Bloom
//! filters and metadata) is hashed as well, and that hash is stored in the catalog. A reader verifies the
//! tail when it opens a file, and each row group before decoding it, so damage is detected without reading
//! the whole file.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use parquet::data_type::{BoolType, FixedLenByteArrayType, Int32Type, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::writer::SerializedFileWriter;

use crate::escape::hex;
use crate::store::StoreError;

use super::table::{Column, SegmentTable, Values};

/// The key in the file's metadata under which the end and the hash of each row group are stored.
pub(super) const PARTS_KEY: &str = "inga.row_groups";
/// The first bytes of any Parquet file.
pub(super) const MAGIC: &[u8; 4] = b"PAR1";

/// A file that hashes the written bytes, part by part.
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
    /// Ends the current part, and returns its end offset and its hash.
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

/// A complete segment file that no catalog lists yet. It is deleted when this value is dropped.
#[derive(Debug)]
pub(super) struct WrittenSegment {
    pub(super) path: tempfile::TempPath,
    pub(super) facts: SegmentFacts,
}

/// The properties of a segment file that the catalog stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SegmentFacts {
    /// Number of rows.
    pub(super) rows: u64,
    /// Size of the file in bytes.
    pub(super) bytes: u64,
    /// Offset at which the tail (Bloom filters and metadata) begins.
    pub(super) tail: u64,
    /// BLAKE3 hash of the tail.
    pub(super) hash: [u8; 32],
}

impl SegmentWriter {
    /// Creates a file in a folder.
    pub(super) fn new(folder: &Path, table: &SegmentTable) -> Result<SegmentWriter, StoreError> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(table.name).suffix(".parquet");
        // Other users may read the file as far as the process's umask permits.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder)?;
        let (file, path) = file.into_parts();
        let file = HashedFile { file, hash: blake3::Hasher::new(), written: 0 };
        let mut writer = SerializedFileWriter::new(file, table.schema()?, Arc::new(table.properties()?))?;
        // The magic bytes belong to no part: they are the same in all files.
        writer.flush()?;
        writer.inner_mut().end_part();
        Ok(SegmentWriter { writer, path, parts: Vec::new(), rows: 0 })
    }

    /// Writes a row group; writes nothing if there are no rows.
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

    /// Completes the file, and syncs it to the disk if `durable`.
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

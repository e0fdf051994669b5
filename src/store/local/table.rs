//! The Parquet tables of segments: columns, encodings and values.

use std::sync::Arc;

use parquet::basic::{Compression, Encoding, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::data_type::FixedLenByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::{BloomFilterPosition, EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::{ColumnPath, Type, TypePtr};

/// Number of rows from which a row group of sightings ends as soon as the type changes.
pub(super) const GROUP_ROWS: usize = 1 << 16;
/// Maximum number of rows of a row group.
pub(super) const GROUP_ROWS_MAX: usize = 1 << 17;
/// Maximum number of rows of a page. A reader decodes one page of each column at a time: 0.4 MB for
/// sightings.
const PAGE_ROWS: usize = 1 << 13;
/// False-positive rate of the Bloom filters. At 5 % a filter takes 6 bits per host, and one in twenty of the
/// row groups that lack a host is read in vain.
const BLOOM_ERRORS: f64 = 0.05;

/// The type of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnType {
    /// Days since 1970-01-01.
    Date,
    /// Unsigned 32-bit integers.
    U32,
    /// Signed 64-bit integers.
    I64,
    /// Unsigned 64-bit integers.
    U64,
    /// Booleans.
    Bool,
    /// The 16 bytes of an IPv6 address.
    Address,
}

/// The encoding of a column's numbers before compression. Each column uses the encoding that was smallest for
/// six simulated months. A dictionary is the slowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnEncoding {
    /// The unchanged numbers.
    Plain,
    /// The differences between successive numbers, which suit ascending numbers.
    Differences,
    /// All first bytes together, then all second bytes, and so on, which suits counts and times.
    Bytewise,
    /// The distinct numbers of a row group once, and their places in this list, which suits large numbers that repeat.
    Dictionary,
}

/// The specification of a column.
#[derive(Clone, Copy, Debug)]
pub(super) struct ColumnSpec {
    pub(super) name: &'static str,
    pub(super) kind: ColumnType,
    /// Whether a row may be without a value.
    pub(super) optional: bool,
    pub(super) encoding: ColumnEncoding,
    /// Whether the column has a Bloom filter.
    pub(super) bloom: bool,
}

impl ColumnSpec {
    /// Creates a column that is stored bytewise, in which every row has a value.
    pub(super) const fn new(name: &'static str, kind: ColumnType) -> ColumnSpec {
        ColumnSpec { name, kind, optional: false, encoding: ColumnEncoding::Bytewise, bloom: false }
    }

    /// Allows rows without a value.
    pub(super) const fn optional(self) -> ColumnSpec {
        ColumnSpec { optional: true, ..self }
    }

    /// Stores numbers as differences.
    pub(super) const fn differences(self) -> ColumnSpec {
        ColumnSpec { encoding: ColumnEncoding::Differences, ..self }
    }

    /// Stores numbers unchanged.
    pub(super) const fn plain(self) -> ColumnSpec {
        ColumnSpec { encoding: ColumnEncoding::Plain, ..self }
    }

    /// Stores the distinct numbers, and refers to them.
    pub(super) const fn dictionary(self) -> ColumnSpec {
        ColumnSpec { encoding: ColumnEncoding::Dictionary, ..self }
    }

    /// Adds a Bloom filter, for columns in which single values are searched.
    pub(super) const fn bloom(self) -> ColumnSpec {
        ColumnSpec { bloom: true, ..self }
    }

    fn parquet_encoding(&self) -> Encoding {
        match self.kind {
            ColumnType::Bool => Encoding::RLE,
            ColumnType::Address => Encoding::DELTA_BYTE_ARRAY,
            _ => match self.encoding {
                ColumnEncoding::Plain => Encoding::PLAIN,
                ColumnEncoding::Differences => Encoding::DELTA_BINARY_PACKED,
                // For numbers that no longer fit the dictionary.
                ColumnEncoding::Dictionary | ColumnEncoding::Bytewise => Encoding::BYTE_STREAM_SPLIT,
            },
        }
    }

    fn schema(&self) -> Result<TypePtr, ParquetError> {
        let (physical, logical) = match self.kind {
            ColumnType::Date => (Physical::INT32, Some(LogicalType::Date)),
            ColumnType::U32 => (Physical::INT32, Some(LogicalType::integer(32, false))),
            ColumnType::I64 => (Physical::INT64, None),
            ColumnType::U64 => (Physical::INT64, Some(LogicalType::integer(64, false))),
            ColumnType::Bool => (Physical::BOOLEAN, None),
            ColumnType::Address => (Physical::FIXED_LEN_BYTE_ARRAY, None),
        };
        let repetition = if self.optional { Repetition::OPTIONAL } else { Repetition::REQUIRED };
        let length = if self.kind == ColumnType::Address { 16 } else { -1 };
        let column = Type::primitive_type_builder(self.name, physical)
            .with_repetition(repetition)
            .with_logical_type(logical)
            .with_length(length);
        Ok(Arc::new(column.build()?))
    }
}

/// The table of one kind of segment.
#[derive(Debug)]
pub(super) struct SegmentTable {
    /// The name of the table's folder and of the Parquet schema's root.
    pub(super) name: &'static str,
    pub(super) columns: &'static [ColumnSpec],
}

impl SegmentTable {
    pub(super) fn schema(&self) -> Result<TypePtr, ParquetError> {
        let fields = self.columns.iter().map(ColumnSpec::schema).collect::<Result<_, _>>()?;
        Ok(Arc::new(Type::group_type_builder(self.name).with_fields(fields).build()?))
    }

    pub(super) fn properties(&self) -> Result<WriterProperties, ParquetError> {
        let mut properties = WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .set_created_by(concat!("inga ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_dictionary_enabled(false)
            .set_data_page_row_count_limit(PAGE_ROWS)
            .set_offset_index_disabled(true)
            .set_bloom_filter_position(BloomFilterPosition::End)
            .set_max_row_group_row_count(None);
        for column in self.columns {
            let path = ColumnPath::from(column.name);
            let has_dictionary = column.encoding == ColumnEncoding::Dictionary;
            properties = properties
                .set_column_encoding(path.clone(), column.parquet_encoding())
                .set_column_dictionary_enabled(path.clone(), has_dictionary);
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

/// The values of a column, without the rows that have none.
#[derive(Clone, Debug)]
pub(super) enum Values {
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Bool(Vec<bool>),
    Address(Vec<FixedLenByteArray>),
}

/// A column of some rows.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) values: Values,
    /// For an optional column, 1 for each row with a value and 0 for each row without; empty for other
    /// columns.
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

    /// Creates a column of optional numbers.
    pub(super) fn optional_int32(values: impl Iterator<Item = Option<u32>>) -> Column {
        let mut some = OptionalValues::default();
        values.for_each(|value| some.push(value.map(u32::cast_signed)));
        some.column(Values::Int32)
    }

    /// Creates a column of optional addresses.
    pub(super) fn optional_addresses(values: impl Iterator<Item = Option<u128>>) -> Column {
        let mut some = OptionalValues::default();
        let bytes = |address: u128| FixedLenByteArray::from(address.to_be_bytes().to_vec());
        values.for_each(|value| some.push(value.map(bytes)));
        some.column(Values::Address)
    }
}

/// An optional column that is built row by row.
#[derive(Clone, Debug)]
pub(super) struct OptionalValues<T> {
    values: Vec<T>,
    defined: Vec<i16>,
}

impl<T> Default for OptionalValues<T> {
    fn default() -> OptionalValues<T> {
        OptionalValues { values: Vec::new(), defined: Vec::new() }
    }
}

impl<T> OptionalValues<T> {
    /// Adds a row.
    #[inline]
    pub(super) fn push(&mut self, value: Option<T>) {
        self.defined.push(i16::from(value.is_some()));
        self.values.extend(value);
    }

    /// Returns the column.
    pub(super) fn column(self, values_of: fn(Vec<T>) -> Values) -> Column {
        Column { values: values_of(self.values), defined: self.defined }
    }
}

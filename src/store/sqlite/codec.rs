//! Values as SQLite keeps them, and back. What cannot be read back is damage, not a panic.

use jiff::civil::Date;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::behavior::BehaviorId;
use crate::store::StoreError;

/// An unsigned count; SQLite's numbers are signed. A count beyond 2^63 is held at the limit.
pub(super) fn count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A count read back.
pub(super) fn uncount(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// Days since 1970-01-01.
pub(super) fn day(date: Date) -> i64 {
    const EPOCH: Date = jiff::civil::date(1970, 1, 1);
    EPOCH.duration_until(date).as_hours() / 24
}

/// A day read back.
pub(super) fn date(day: i64) -> Result<Date, StoreError> {
    const EPOCH: Date = jiff::civil::date(1970, 1, 1);
    let span = jiff::Span::new().try_days(day).map_err(|error| StoreError::Damaged(error.to_string()))?;
    EPOCH.checked_add(span).map_err(|error| StoreError::Damaged(error.to_string()))
}

/// Months since year 0.
pub(super) fn month(date: Date) -> i64 {
    i64::from(date.year()) * 12 + i64::from(date.month()) - 1
}

/// The first day of a month read back.
pub(super) fn first_of_month(month: i64) -> Result<Date, StoreError> {
    let parts = (i16::try_from(month.div_euclid(12)), i8::try_from(month.rem_euclid(12) + 1));
    let date = match parts {
        (Ok(year), Ok(month)) => Date::new(year, month, 1).ok(),
        _ => None,
    };
    date.ok_or_else(|| StoreError::Damaged(format!("month {month}")))
}

/// A type's name read back.
pub(super) fn id(bytes: &[u8]) -> Result<BehaviorId, StoreError> {
    let bytes =
        bytes.try_into().map_err(|_| StoreError::Damaged(format!("a type of {} bytes", bytes.len())))?;
    Ok(BehaviorId(bytes))
}

/// A value as JSON.
pub(super) fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Backend(error.to_string()))
}

/// A value read back.
pub(super) fn unjson<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Damaged(error.to_string()))
}

/// A value as bytes, shorter than JSON.
pub(super) fn pack<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    postcard::to_stdvec(value).map_err(|error| StoreError::Backend(error.to_string()))
}

/// A value read back from bytes.
pub(super) fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    postcard::from_bytes(bytes).map_err(|error| StoreError::Damaged(error.to_string()))
}

/// A checksum of a row: 64 bits of the BLAKE3 hash of its numbers and bytes.
pub(super) fn checksum(numbers: &[i64], parts: [&[u8]; 2]) -> i64 {
    let mut hash = blake3::Hasher::new();
    for number in numbers {
        hash.update(&number.to_le_bytes());
    }
    for part in parts {
        hash.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    let [a, b, c, d, e, f, g, h, ..] = *hash.finalize().as_bytes();
    i64::from_le_bytes([a, b, c, d, e, f, g, h])
}

//! The catalog's table of probe signatures: their numbers and texts.

use rusqlite::{Connection, OptionalExtension};

use crate::behavior::ProbeSignature;
use crate::store::StoreError;

use super::catalog::{count_of_column, each_row};
use super::schema::put_row;

/// Inserts the signatures that the catalog does not have yet. They come with their numbers, ascending. Senders choose the
/// fields of a signature, so that two of theirs may be made to have one number; the first one is kept for both, because
/// nobody must be able to prevent a capture from being stored.
pub(super) fn put_signatures(
    connection: &Connection,
    signatures: &[(u64, ProbeSignature)],
) -> Result<(), StoreError> {
    let mut find = connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM signature WHERE number = ?1)")?;
    for (number, signature) in signatures {
        let is_known: bool = find.query_row([number.cast_signed()], |row| row.get(0))?;
        if !is_known {
            put_row(connection, "signature", &[&number.cast_signed(), &signature.to_string()])?;
        }
    }
    Ok(())
}

/// Returns the signature with a number.
pub(super) fn signature(connection: &Connection, number: u64) -> Result<ProbeSignature, StoreError> {
    let mut find = connection.prepare_cached("SELECT text FROM signature WHERE number = ?1")?;
    let text: Option<String> = find.query_row([number.cast_signed()], |row| row.get(0)).optional()?;
    let text = text.ok_or_else(|| StoreError::Damaged(format!("no signature {number} in the catalog")))?;
    checked(number, &text)
}

/// Returns all signatures with their numbers, ascending by number.
pub(super) fn signatures(connection: &Connection) -> Result<Vec<(u64, ProbeSignature)>, StoreError> {
    let mut all = Vec::new();
    each_row(connection, "SELECT number, text FROM signature ORDER BY number", [], &mut |row| {
        let number = count_of_column(row.get(0)?)?;
        all.push((number, checked(number, row.get_ref(1)?.as_str()?)?));
        Ok(())
    })?;
    Ok(all)
}

/// Parses a signature, and checks that it has this number.
fn checked(number: u64, text: &str) -> Result<ProbeSignature, StoreError> {
    let signature: ProbeSignature = text
        .parse()
        .map_err(|error: crate::behavior::ParseSignatureError| StoreError::Damaged(error.to_string()))?;
    if signature.number() == number {
        return Ok(signature);
    }
    Err(StoreError::Damaged(format!("signature {number} has the text of another one")))
}

//! Rows of a query, one per line: as text separated by tabs, or as JSON objects.

use std::io::{self, Write};

use serde_json::{Map, Value};

use crate::escape::escape_hidden;

/// Writes the names of the columns.
///
/// # Errors
/// Fails if `out` cannot be written to. This holds for all functions of this module.
pub fn head(out: &mut dyn Write, columns: &[String]) -> io::Result<()> {
    let names: Vec<String> = columns.iter().map(|column| escape_hidden(column)).collect();
    writeln!(out, "{}", names.join("\t"))
}

/// Writes a row as text.
///
/// # Errors
/// Fails as [`head`].
pub fn text(out: &mut dyn Write, row: &[Value]) -> io::Result<()> {
    let cell = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => escape_hidden(text),
        other => other.to_string(),
    };
    writeln!(out, "{}", row.iter().map(cell).collect::<Vec<_>>().join("\t"))
}

/// Writes a row as one line of JSON.
///
/// # Errors
/// Fails as [`head`].
pub fn json(out: &mut dyn Write, columns: &[String], row: &[Value]) -> io::Result<()> {
    let object: Map<String, Value> = columns.iter().cloned().zip(row.iter().cloned()).collect();
    crate::escape::json_line(out, &object)
}

//! JSON in which hidden characters are escaped, so that a terminal shows them and a parser reads the same
//! strings.
//!
//! # Version of the JSON output
//! Every line of JSON that inga writes is an object whose first key is `schema`, the version [`SCHEMA`]. Within
//! a version, fields are only added: none is removed or renamed, and none changes its type, unit or meaning.
//! Readers should ignore fields that they do not know.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::Formatter;

use super::{HIDDEN, is_plain};

/// The version of the JSON output, and of the ground truth of simulations.
pub const SCHEMA: u8 = 1;

/// The place of the version in an object that is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum VersionKey {
    /// The next object to begin gets the version as its first key.
    Pending,
    /// The version was the last to be written, so that a comma separates it from the next key.
    JustWritten,
    /// No object gets the version any more.
    Absent,
}

/// Formats compact JSON. Hidden characters in strings and keys are written as `\u202e`, and those above
/// U+FFFF as two such escapes (a surrogate pair). The outermost object can get the version as its first key.
struct EscapingFormatter {
    version: VersionKey,
}

impl Formatter for EscapingFormatter {
    fn write_f64<W: ?Sized + Write>(&mut self, out: &mut W, value: f64) -> io::Result<()> {
        // Adding zero turns a negative zero into a positive one.
        serde_json::ser::CompactFormatter.write_f64(out, value + 0.0)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        if self.version == VersionKey::Pending {
            self.version = VersionKey::JustWritten;
            return write!(out, "{{\"schema\":{SCHEMA}");
        }
        out.write_all(b"{")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        let follows_version =
            std::mem::replace(&mut self.version, VersionKey::Absent) == VersionKey::JustWritten;
        if first && !follows_version { Ok(()) } else { out.write_all(b",") }
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        if is_plain(fragment) {
            return out.write_all(fragment.as_bytes());
        }
        let mut rest = 0;
        for found in HIDDEN.find_iter(fragment) {
            out.write_all(&fragment.as_bytes()[rest..found.start()])?;
            for unit in found.as_str().encode_utf16() {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = found.end();
        }
        out.write_all(&fragment.as_bytes()[rest..])
    }
}

/// Writes a value as compact JSON without a line feed.
///
/// # Errors
/// When the value cannot be JSON or `out` cannot be written to.
pub fn json(out: &mut dyn Write, value: &(impl Serialize + ?Sized)) -> io::Result<()> {
    write(out, value, VersionKey::Absent)
}

/// Writes an object as one line of JSON, with the version as its first key.
///
/// # Errors
/// As [`json`].
pub fn json_line(out: &mut dyn Write, object: &(impl Serialize + ?Sized)) -> io::Result<()> {
    write(out, object, VersionKey::Pending)?;
    writeln!(out)
}

fn write(out: &mut dyn Write, value: &(impl Serialize + ?Sized), version: VersionKey) -> io::Result<()> {
    let formatter = EscapingFormatter { version };
    value
        .serialize(&mut serde_json::Serializer::with_formatter(&mut *out, formatter))
        .map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::escape::has_hidden;

    #[test]
    fn a_parser_gets_the_string_and_a_terminal_no_hidden_character() {
        for text in ["a\u{202e}b", "\u{e0041}\u{10ffff}\0\u{7f}\u{ffff}", "\"\\\n因果", "", "plain"] {
            let mut out = Vec::new();
            json(&mut out, &std::collections::BTreeMap::from([(text, text)])).unwrap();
            let written = String::from_utf8(out).unwrap();
            assert!(!has_hidden(&written), "{written:?}");
            let read: std::collections::BTreeMap<String, String> = serde_json::from_str(&written).unwrap();
            assert_eq!(read, [(text.to_owned(), text.to_owned())].into());
        }
        let mut out = Vec::new();
        json(&mut out, &[-0.0, 0.0, -1.5, 1e300]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "[0.0,0.0,-1.5,1e+300]");
    }

    #[test]
    fn the_outermost_object_of_a_line_gets_the_version_and_no_other() {
        let line = |value: serde_json::Value| {
            let mut out = Vec::new();
            json_line(&mut out, &value).unwrap();
            String::from_utf8(out).unwrap()
        };
        let nested = serde_json::json!({"a": {"b": {}, "c": [{"d": 1}]}, "e": 2});
        let expected = r#"{"schema":1,"a":{"b":{},"c":[{"d":1}]},"e":2}"#;
        assert_eq!(line(nested), format!("{expected}\n"));
        assert_eq!(line(serde_json::json!({})), "{\"schema\":1}\n");
    }
}

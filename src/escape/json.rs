//! JSON in which hidden characters are escaped, so that a terminal shows them and a parser reads the same
//! strings.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::Formatter;

use super::{HIDDEN, is_plain};

/// Formats compact JSON. Hidden characters in strings and keys are written as `\u202e`, and those above
/// U+FFFF as two such escapes (a surrogate pair).
struct EscapingFormatter;

impl Formatter for EscapingFormatter {
    fn write_f64<W: ?Sized + Write>(&mut self, out: &mut W, value: f64) -> io::Result<()> {
        // Adding zero turns a negative zero into a positive one.
        serde_json::ser::CompactFormatter.write_f64(out, value + 0.0)
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
    value
        .serialize(&mut serde_json::Serializer::with_formatter(&mut *out, EscapingFormatter))
        .map_err(io::Error::from)
}

/// Writes a value as one line of JSON.
///
/// # Errors
/// As [`json`].
pub fn json_line(out: &mut dyn Write, value: &(impl Serialize + ?Sized)) -> io::Result<()> {
    json(out, value)?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::escape::has_hidden;

    #[test]
    fn a_parser_gets_the_string_and_a_terminal_no_hidden_character() {
        for text in ["a\u{202e}b", "\u{e0041}\u{10ffff}\0\u{7f}\u{ffff}", "\"\\\n因果", "", "plain"] {
            let mut out = Vec::new();
            json_line(&mut out, &std::collections::BTreeMap::from([(text, text)])).unwrap();
            let written = String::from_utf8(out).unwrap();
            assert!(!has_hidden(written.trim_end()), "{written:?}");
            let read: std::collections::BTreeMap<String, String> = serde_json::from_str(&written).unwrap();
            assert_eq!(read, [(text.to_owned(), text.to_owned())].into());
        }
        let mut out = Vec::new();
        json(&mut out, &[-0.0, 0.0, -1.5, 1e300]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "[0.0,0.0,-1.5,1e+300]");
    }
}

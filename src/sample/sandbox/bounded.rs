//! Bounds what a JSON text can cost a parser: long strings are cut, and deep nesting is refused.

use std::io::{self, Read};

/// Maximum length of a string that is passed on, in bytes of the JSON text. Reports hold whole files and
/// memory dumps in strings; the fields that inga reads are shorter than 1,000 bytes.
const STRING_MAX: usize = 8 * 1024;
/// Maximum depth of nested lists and objects. Process trees, the deepest part of reports, have fewer than 100
/// levels.
const DEPTH_MAX: usize = 512;
/// Number of bytes that are read from the source at a time.
const CHUNK: usize = 64 * 1024;

/// A reader that passes a JSON text on, with strings cut after [`STRING_MAX`] bytes. A text that nests deeper
/// than [`DEPTH_MAX`] is an error. It does not check the text otherwise: that is left to the parser.
pub(super) struct BoundedJson<R> {
    source: R,
    chunk: Box<[u8]>,
    start: usize,
    end: usize,
    state: JsonState,
    depth: usize,
    /// Bytes of the current string that were passed on.
    length: usize,
    /// Whether the last unit of the current string is the first half of a surrogate pair, which must not be
    /// passed on without the second half.
    in_pair: bool,
}

/// The position in the JSON text.
#[derive(Clone, Copy)]
enum JsonState {
    /// Outside of strings.
    Outside,
    /// In a string that is passed on.
    String,
    /// In an escape of such a string: the number of its bytes after the backslash, and the first three of
    /// them.
    Escape(usize, [u8; 3]),
    /// In the part of a string that is left out.
    Cut,
    /// After a backslash in that part.
    CutEscape,
}

impl<R: Read> BoundedJson<R> {
    pub(super) fn new(source: R) -> BoundedJson<R> {
        BoundedJson {
            source,
            chunk: vec![0; CHUNK].into(),
            start: 0,
            end: 0,
            state: JsonState::Outside,
            depth: 0,
            length: 0,
            in_pair: false,
        }
    }

    /// Advances by a byte of the text and returns whether the byte is passed on.
    fn takes(&mut self, byte: u8) -> io::Result<bool> {
        match self.state {
            JsonState::Outside => self.outside(byte)?,
            JsonState::String => return Ok(self.in_string(byte)),
            JsonState::Escape(count, head) => self.in_escape(byte, count, head),
            JsonState::CutEscape => {
                self.state = JsonState::Cut;
                return Ok(false);
            }
            JsonState::Cut => {
                match byte {
                    b'"' => self.state = JsonState::Outside,
                    b'\\' => self.state = JsonState::CutEscape,
                    _ => {}
                }
                return Ok(byte == b'"');
            }
        }
        Ok(true)
    }

    fn outside(&mut self, byte: u8) -> io::Result<()> {
        match byte {
            b'"' => (self.state, self.length, self.in_pair) = (JsonState::String, 0, false),
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        match self.depth > DEPTH_MAX {
            true => Err(io::Error::other(format!("nested more than {DEPTH_MAX} levels deep"))),
            false => Ok(()),
        }
    }

    fn in_string(&mut self, byte: u8) -> bool {
        // A character of several bytes is not cut in two, nor is a surrogate pair.
        let is_inner = (0x80..0xc0).contains(&byte);
        if byte != b'"' && self.length >= STRING_MAX && !is_inner && !self.in_pair {
            self.state = if byte == b'\\' { JsonState::CutEscape } else { JsonState::Cut };
            return false;
        }
        self.length += 1;
        match byte {
            b'"' => self.state = JsonState::Outside,
            b'\\' => self.state = JsonState::Escape(0, [0; 3]),
            _ => self.in_pair = false,
        }
        true
    }

    fn in_escape(&mut self, byte: u8, count: usize, mut head: [u8; 3]) {
        self.length += 1;
        if let Some(place) = head.get_mut(count) {
            *place = byte;
        }
        let length = if head[0] == b'u' { 5 } else { 1 };
        self.state = JsonState::Escape(count + 1, head);
        if count + 1 == length {
            self.state = JsonState::String;
            let is_first_half = matches!(head, [b'u', b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B']);
            self.in_pair = is_first_half;
        }
    }
}

impl<R: Read> Read for BoundedJson<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut count = 0;
        while count == 0 && !into.is_empty() {
            if self.start == self.end {
                (self.start, self.end) = (0, self.source.read(&mut self.chunk)?);
                if self.end == 0 {
                    break;
                }
            }
            while count < into.len() && self.start < self.end {
                let byte = self.chunk[self.start];
                self.start += 1;
                if self.takes(byte)? {
                    into[count] = byte;
                    count += 1;
                }
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(text: &str) -> io::Result<String> {
        let mut out = String::new();
        BoundedJson::new(text.as_bytes()).read_to_string(&mut out)?;
        Ok(out)
    }

    #[test]
    fn short_texts_pass_unchanged() {
        for text in ["", "{\"a\\\"b\": [1, \"\\ud83e\\udda0 因果\", null]}", "\"\\u00e4\\\\\"", "\"unclosed"]
        {
            assert_eq!(passed(text).unwrap(), text);
        }
    }

    #[test]
    fn long_strings_are_cut_between_characters_and_stay_json() {
        for unit in ["a", "ä", "因", "\\\"", "\\u00e4", "\\ud83e\\udda0", "\\\\"] {
            let text = format!("[\"{}\",\"b\\\"\"]", unit.repeat(20_000));
            let cut = passed(&text).unwrap();
            assert!(cut.len() < STRING_MAX + 40, "{unit}: {} bytes", cut.len());
            let parsed: Vec<String> = serde_json::from_str(&cut).unwrap();
            assert_eq!(parsed[1], "b\"", "{unit}");
            assert!(parsed[0].len() > 1_000);
        }
    }

    #[test]
    fn deep_texts_are_refused_and_brackets_in_strings_do_not_count() {
        assert!(passed(&"[".repeat(DEPTH_MAX)).is_ok());
        assert!(passed(&"[".repeat(DEPTH_MAX + 1)).is_err());
        assert!(passed(&format!("\"{}\"", "[".repeat(2_000))).is_ok());
        assert!(passed(&"[]".repeat(2_000)).is_ok());
    }
}

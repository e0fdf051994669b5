//! F0: escapes text that attackers may have written, for terminals, JSON, YAML, XML and HTML. All outputs use
//! it.
//!
//! A character is *hidden* when a reader cannot see it or when it changes how others are shown: it moves the
//! cursor (Cc), formats or reorders text (Cf, with the bidirectional controls and tags), ends lines (Zl, Zp),
//! has no agreed shape (Co, private use; Cn, unassigned, with the noncharacters that XML forbids or
//! discourages), or is to be ignored by definition (`Default_Ignorable_Code_Point`: variation selectors,
//! fillers). The blank Braille pattern U+2800 is hidden as well, because it is a symbol without ink.
//! Unassigned characters are hidden because a newer system may assign them to one of the other classes;
//! escaping loses nothing. Letters of all scripts, combining marks and emoji are not hidden.
//!
//! The classes come from the tables of the Unicode Character Database in the crate `regex`.

mod json;
mod number;

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

pub use json::{SCHEMA, json, json_line};
pub use number::{hex, without_negative_zero};

#[expect(clippy::unwrap_used, reason = "a constant pattern, compiled by a test")]
static HIDDEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Default_Ignorable_Code_Point}\u{2800}]").unwrap()
});

/// Returns whether a text consists of visible ASCII and spaces. Nearly all texts do, and need no search for
/// hidden characters.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// Returns whether a text has a hidden character.
#[must_use]
pub fn has_hidden(text: &str) -> bool {
    !is_plain(text) && HIDDEN.is_match(text)
}

/// Returns the text with each hidden character replaced by what `escaped` appends for it.
fn replace_hidden(text: &str, mut escaped: impl FnMut(char, &mut String)) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = 0;
    for found in HIDDEN.find_iter(text) {
        out.push_str(&text[rest..found.start()]);
        found.as_str().chars().for_each(|hidden| escaped(hidden, &mut out));
        rest = found.end();
    }
    out.push_str(&text[rest..]);
    out
}

/// Returns text for a terminal or a line of text: hidden characters are written as `\u{202e}`.
#[must_use]
pub fn escape_hidden(text: &str) -> String {
    replace_hidden(text, |hidden, out| out.extend(hidden.escape_unicode()))
}

/// Returns text of several lines: like [`escape_hidden`], but line feeds stay.
#[must_use]
pub fn escape_hidden_lines(text: &str) -> String {
    text.split('\n').map(escape_hidden).collect::<Vec<_>>().join("\n")
}

/// Returns a path for messages: like [`escape_hidden`], and bytes that are not UTF-8 are written as `\xff`, so that
/// two names never look alike because of a replacement character.
#[must_use]
pub fn path(path: &Path) -> String {
    let mut out = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        out.push_str(&escape_hidden(chunk.valid()));
        out.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    out
}

/// Returns a double-quoted string of YAML that a parser reads as `text`.
#[must_use]
pub fn yaml(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    let text = replace_hidden(&text, |hidden, out| {
        out.push_str(&match u32::from(hidden) {
            code if code > 0xffff => format!("\\U{code:08x}"),
            code => format!("\\u{code:04x}"),
        });
    });
    format!("\"{text}\"")
}

/// Returns a cell of CSV that no spreadsheet reads as a formula.
#[must_use]
pub fn no_formula(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@']) { format!("'{cell}") } else { cell }
}

/// Returns text for XML and HTML, in elements and attributes: markup is written as entities and hidden
/// characters as `\u{202e}`, so that no character remains that XML 1.0 forbids.
#[must_use]
pub fn xml(text: &str) -> String {
    let shown = escape_hidden(text);
    let mut out = String::with_capacity(shown.len());
    for c in shown.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tests ranges of each class of hidden characters in the Unicode Character Database.
    #[test]
    fn hidden_characters_are_escaped_and_no_others() {
        let ranges = [
            ('\0', '\u{1f}'),
            ('\u{7f}', '\u{9f}'),
            ('\u{ad}', '\u{ad}'),
            ('\u{34f}', '\u{34f}'),
            ('\u{61c}', '\u{61c}'),
            ('\u{115f}', '\u{1160}'),
            ('\u{180b}', '\u{180f}'),
            ('\u{200b}', '\u{200f}'),
            ('\u{2028}', '\u{202e}'),
            ('\u{2060}', '\u{206f}'),
            ('\u{2800}', '\u{2800}'),
            ('\u{e000}', '\u{f8ff}'),
            ('\u{fdd0}', '\u{fdef}'),
            ('\u{fe00}', '\u{fe0f}'),
            ('\u{feff}', '\u{feff}'),
            ('\u{fff9}', '\u{fffb}'),
            ('\u{fffe}', '\u{ffff}'),
            ('\u{1fffe}', '\u{1ffff}'),
            ('\u{e0000}', '\u{e0fff}'),
            ('\u{f0000}', '\u{10ffff}'),
        ];
        for (first, last) in ranges {
            for c in first..=last {
                assert!(has_hidden(&format!("a{c}b")), "{:04x}", c as u32);
                assert_eq!(escape_hidden(&c.to_string()), format!("\\u{{{:x}}}", c as u32));
            }
        }
        let visible = "Win32.Worm/因果 Ünïcode ελληνικά Кириллица العربية עברית हिन्दी 한국어 ｶﾅ e\u{301} – “x” € 🦠\u{3000}\u{a0}\\";
        assert!(!has_hidden(visible));
        assert_eq!(escape_hidden(visible), visible);
    }

    #[test]
    fn xml_has_only_characters_that_xml_allows_and_no_markup() {
        assert_eq!(xml("<a b='c'>&\"\u{1b}\u{202e}"), "&lt;a b=&#39;c&#39;&gt;&amp;&quot;\\u{1b}\\u{202e}");
        for c in (0..=0x0010_ffff).filter_map(char::from_u32) {
            let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
            assert!(xml(&c.to_string()).chars().all(allowed), "{:04x}", c as u32);
        }
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_no_text_are_told_apart() {
        use std::os::unix::ffi::OsStrExt;
        let shown = |bytes: &[u8]| path(Path::new(std::ffi::OsStr::from_bytes(bytes)));
        assert_eq!(shown(b"a\xff\x1b\xc3\xa4.pcap"), "a\\xff\\u{1b}ä.pcap");
        assert_ne!(shown(b"\xfe"), shown(b"\xff"));
    }

    #[test]
    fn a_parser_of_yaml_gets_the_text() {
        for text in ["", "a\\b\"c", "\0\n\t\u{7f}\u{202e}\u{ffff}\u{e0041}", "因果: [x] # no"] {
            let written = yaml(text);
            assert!(!has_hidden(&written));
            assert_eq!(serde_yaml::from_str::<String>(&written).unwrap(), text);
        }
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(escape_hidden_lines("a\u{200b}\nb\r"), "a\\u{200b}\nb\\u{d}");
    }
}

//! F0: parsing of YAML that people write. Errors have line, column and, for an unknown key, the nearest known
//! one.

mod edit;
mod limits;
mod nodes;

use std::sync::LazyLock;

use regex::Regex;
use serde::de::DeserializeOwned;

pub use edit::replace_key;
pub use limits::SIZE_MAX;
pub use nodes::{YamlNode, YamlNodeKind};

/// Why a YAML text was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct YamlError {
    /// Line from 1, if known.
    pub line: Option<usize>,
    /// Column from 1, if known.
    pub column: Option<usize>,
    /// What is wrong, with a remedy if there is one.
    pub message: String,
}

impl YamlError {
    /// Returns `:line:column`, to be appended to a file name; empty if the place is unknown.
    #[must_use]
    pub fn place(&self) -> String {
        match (self.line, self.column) {
            (Some(line), Some(column)) => format!(":{line}:{column}"),
            _ => String::new(),
        }
    }
}

/// Parses a value. If its type rejects an unknown key, the error names the nearest known key.
///
/// # Errors
/// Returns an error if the text is not YAML, does not have the form of the type, or exceeds the limits of
/// [`SIZE_MAX`] bytes and 64 levels.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    limits::check(text)?;
    // Editors on Windows begin a file with a byte order mark, which libyaml takes for a part of the first
    // key.
    serde_yaml::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
        let place = error.location();
        YamlError {
            line: place.as_ref().map(serde_yaml::Location::line),
            column: place.as_ref().map(serde_yaml::Location::column),
            message: explain(&error.to_string()),
        }
    })
}

/// Returns an error for a value that was parsed but has an invalid meaning. Parsed values have no places, so
/// the place is found by the first word in backticks in the message: the line with this word as its `name:`,
/// or else the line with this key, if the text has exactly one such line.
#[must_use]
pub fn error_at_word(text: &str, message: String) -> YamlError {
    let word = message.split('`').nth(1).unwrap_or_default();
    let place = unique_line(text, |key, value| key == "name" && value == word)
        .or_else(|| unique_line(text, |key, _| key == word));
    YamlError { line: place.map(|(line, _)| line), column: place.map(|(_, column)| column), message }
}

/// Returns an error for a value that was parsed but has an invalid meaning, with the place of its node.
/// `path` leads from the root to the node: by keys through mappings, and by numbers from 0 through lists.
#[must_use]
pub fn error_at_node(text: &str, path: &[&str], message: String) -> YamlError {
    let root = YamlNode::root(text);
    let mut place = root.as_ref();
    for step in path {
        place = place.and_then(|node| match (&node.kind, step.parse::<usize>()) {
            (YamlNodeKind::Sequence(items), Ok(at)) => items.get(at),
            _ => node.pair(step).map(|(_, value)| value),
        });
    }
    YamlError { line: place.map(|node| node.line), column: place.map(|node| node.column), message }
}

/// Returns the line and column of the line whose key and value satisfy `filter`, if there is exactly one such
/// line.
fn unique_line(text: &str, wanted: impl Fn(&str, &str) -> bool) -> Option<(usize, usize)> {
    let mut found = text.lines().enumerate().filter_map(|(at, line)| {
        let entry = line.trim_start_matches(['-', ' ', '{']);
        let (key, value) = entry.split_once(':')?;
        let value = value.split([',', '}', '#']).next().unwrap_or_default();
        let column = line.chars().count() - entry.chars().count() + 1;
        wanted(key.trim(), value.trim().trim_matches(['"', '\''])).then_some((at + 1, column))
    });
    found.next().filter(|_| found.next().is_none())
}

/// Returns the library's message without its place, or, for an unknown key, a message that suggests known
/// keys.
fn explain(message: &str) -> String {
    #[expect(clippy::unwrap_used, reason = "constant patterns, compiled by a test")]
    static PATTERNS: LazyLock<[Regex; 3]> = LazyLock::new(|| {
        [
            Regex::new(r" at line \d+ column \d+$").unwrap(),
            Regex::new(r"unknown (?:field|variant) `([^`]*)`, expected (.*)$").unwrap(),
            Regex::new(r"`([^`]+)`").unwrap(),
        ]
    });
    let [place, unknown, quoted] = &*PATTERNS;
    let bare = place.replace(message, "").into_owned();
    let Some(found) = unknown.captures(&bare) else { return truncate(&bare, MESSAGE_MAX) };
    let known: Vec<&str> =
        quoted.captures_iter(&found[2]).filter_map(|key| key.get(1)).map(|key| key.as_str()).collect();
    match nearest(&found[1], &known) {
        Some(near) => {
            format!("unknown key `{}`; did you mean `{near}`?", truncate(&found[1], WORD_MAX).escape_debug())
        }
        None => format!(
            "unknown key `{}`; known are {}",
            truncate(&found[1], WORD_MAX).escape_debug(),
            known.join(", ")
        ),
    }
}

/// Maximum number of characters shown of a message.
const MESSAGE_MAX: usize = 400;
/// Maximum number of characters shown of a word from the file in a message.
const WORD_MAX: usize = 60;

/// Returns at most `characters` characters of a text, which may be as long as its file, with an ellipsis if
/// it was cut.
fn truncate(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}\u{2026}", &text[..at]),
    }
}

/// Returns the known word most similar to a wrong one; `None` if none is similar.
#[must_use]
pub fn nearest<'a>(wrong: &str, known: &[&'a str]) -> Option<&'a str> {
    if wrong.len() > WORD_MAX {
        return None;
    }
    known
        .iter()
        .map(|word| (strsim::jaro_winkler(&wrong.to_lowercase(), &word.to_lowercase()), *word))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[serde(rename = "victims")]
        _victims: Vec<String>,
        #[serde(rename = "captures")]
        _captures: Vec<String>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[serde(rename = "inner")]
        _inner: Inner,
    }

    #[test]
    fn an_unknown_key_is_answered_with_the_nearest_and_its_place() {
        let error = parse::<Outer>("inner:\n  victims: []\n  capture: []\n").unwrap_err();
        assert_eq!(error.message, "unknown key `capture`; did you mean `captures`?");
        assert_eq!(error.place(), ":3:3");
    }

    #[test]
    fn a_refused_meaning_has_the_place_of_what_it_names() {
        let text = "first: 2009-03-01\nfamilies:\n  - name: \"bot\"  # old\n    rate: 0\n  - {name: worm, rate: 0}\n";
        let place = |message: &str| error_at_word(text, message.to_owned()).place();
        assert_eq!(place("family `bot`: rate is 0"), ":3:5");
        assert_eq!(place("family `worm`: rate is 0"), ":5:6");
        assert_eq!(place("`first` lies after `last`"), ":1:1");
        // Two lines have the key and none has the name; a message may name nothing.
        assert_eq!(
            [place("`nobody`"), place("no sensor"), error_at_word("a: 1\na: 2", "`a`".to_owned()).place()],
            ["", "", ""]
        );
    }

    #[test]
    fn broken_yaml_has_a_place() {
        let error = parse::<Outer>("inner: [\n").unwrap_err();
        assert!(error.line.is_some(), "{error:?}");
    }
}

//! Limits that a YAML text must keep before it is parsed.
//!
//! The parser that reads the values is built on libyaml, which reads a whole document before its depth is
//! known. Its time grows with the square of the depth and of the number of directives: 64 KiB of `{a: ` take
//! more than a second, a megabyte takes minutes. So a second parser, which yields events one by one, checks
//! the text first and stops at the first limit that is exceeded.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScanError};

use super::YamlError;

/// Maximum length of a YAML text in bytes: about ten thousand lines, a hundred times the longest file that
/// ships.
pub const SIZE_MAX: usize = 1 << 20;
/// Maximum depth of nested lists and mappings; inga's schemas have a depth of eight.
const DEPTH_MAX: usize = 64;
/// Maximum number of bytes and nodes that aliases repeat. With aliases of aliases, 500 bytes can stand for
/// 10^30 nodes.
const ALIASED_MAX: usize = 1 << 20;
/// Maximum number of lines that are directives, like `%YAML 1.2`.
const DIRECTIVES_MAX: usize = 16;
/// Maximum number of bytes and of opening brackets of a text that the event parser rejects and libyaml may
/// accept. Within these limits libyaml takes less than a fifth of a second.
const UNCHECKED_MAX: (usize, usize) = (1 << 15, 1_000);

/// Checks that parsing a text cannot take too long.
///
/// # Errors
/// Returns the exceeded limit and its place if the text is too long or too deep, has too many directives, or
/// has aliases that repeat too much.
pub(super) fn check(text: &str) -> Result<(), YamlError> {
    let at_start = |message: String| YamlError { line: Some(1), column: Some(1), message };
    if text.len() > SIZE_MAX {
        return Err(at_start(format!(
            "the file has {} bytes; YAML files have {SIZE_MAX} at most",
            text.len()
        )));
    }
    // libyaml also ends lines, and with them comments, at these characters of YAML 1.1; the event parser does
    // not.
    let text = &text.replace(['\u{85}', '\u{2028}', '\u{2029}'], "\n");
    let directives = text.split(['\n', '\r']).filter(|line| line.starts_with('%')).count();
    if directives > DIRECTIVES_MAX {
        return Err(at_start(format!("{directives} lines are directives (`%`), at most {DIRECTIVES_MAX}")));
    }
    match check_events(text.trim_start_matches('\u{feff}')) {
        Ok(()) => Ok(()),
        Err(EventParseError::Limit(error)) => Err(error),
        // libyaml explains better why a text is not YAML, so it reads the text if that cannot take long.
        Err(EventParseError::NotYaml(error)) => {
            let brackets = text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count();
            match text.len() <= UNCHECKED_MAX.0 && brackets <= UNCHECKED_MAX.1 {
                true => Ok(()),
                false => Err(not_yaml(&error)),
            }
        }
    }
}

fn not_yaml(error: &ScanError) -> YamlError {
    let message = match error.info().contains("recursion limit") {
        true => too_deep(),
        false => error.info().to_owned(),
    };
    YamlError { line: Some(error.marker().line()), column: Some(error.marker().col() + 1), message }
}

fn too_deep() -> String {
    format!("lists and mappings within each other, deeper than {DEPTH_MAX}")
}

/// Why the event parser stopped.
enum EventParseError {
    Limit(YamlError),
    NotYaml(ScanError),
}

/// Reads events up to the first limit that is exceeded.
fn check_events(text: &str) -> Result<(), EventParseError> {
    // `open` holds the anchors and weights of the nodes that have not ended, and `anchored` the weights of
    // those that aliases may repeat. A weight is a number of bytes and nodes.
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut anchored: HashMap<usize, usize> = HashMap::new();
    let mut aliased = 0usize;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(EventParseError::NotYaml)?;
        let refused = |message: String| {
            let place = span.start;
            EventParseError::Limit(YamlError {
                line: Some(place.line()),
                column: Some(place.col() + 1),
                message,
            })
        };
        let (weight, anchor) = match event {
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                if open.len() == DEPTH_MAX {
                    return Err(refused(too_deep()));
                }
                open.push((anchor, 1));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some((anchor, weight)) = open.pop() else { continue };
                (weight, anchor)
            }
            Event::Scalar(value, _, anchor, _) => (1 + value.len(), anchor),
            Event::Alias(of) => {
                let weight = anchored.get(&of).copied().unwrap_or(1);
                aliased = aliased.saturating_add(weight);
                if aliased > ALIASED_MAX {
                    return Err(refused(format!("aliases repeat more than {ALIASED_MAX} bytes and values")));
                }
                (weight, 0)
            }
            _ => continue,
        };
        if anchor > 0 {
            anchored.insert(anchor, weight);
        }
        if let Some((_, outer)) = open.last_mut() {
            *outer = outer.saturating_add(weight);
        }
    }
    Ok(())
}

//! Bounds on YAML before it is parsed.
//!
//! libyaml, behind the parser, reads a whole document before anybody can see how deep it is, and takes a time that grows
//! with the square of the nesting and of the number of directives: 64 KiB of `{a: ` take more than a second, a megabyte
//! minutes. So a second parser, which hands out one event after the other, looks first and stops at the first limit.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScanError};

use super::YamlError;

/// Bytes of a YAML text: some ten thousand lines, a hundred times the longest that ships.
pub const SIZE_MAX: usize = 1 << 20;
/// Lists and mappings within each other; schemas here nest to eight.
const DEPTH_MAX: usize = 64;
/// Bytes and nodes that aliases repeat: with aliases of aliases, 500 bytes can say 10^30.
const ALIASED_MAX: usize = 1 << 20;
/// Lines that are directives, like `%YAML 1.2`.
const DIRECTIVES_MAX: usize = 16;
/// Bytes and opening brackets of a text that the first parser does not understand and libyaml may: with these, libyaml's
/// time stays below a fifth of a second.
const UNSEEN_MAX: (usize, usize) = (1 << 15, 1_000);

/// Refuses a text whose parsing would take too long.
///
/// # Errors
/// When it is too long, too deeply nested, or says too much by aliases or directives; with the place and the limit.
pub(super) fn check(text: &str) -> Result<(), YamlError> {
    let at_start = |message: String| YamlError { line: Some(1), column: Some(1), message };
    if text.len() > SIZE_MAX {
        return Err(at_start(format!(
            "the file has {} bytes; YAML files have {SIZE_MAX} at most",
            text.len()
        )));
    }
    let directives = text.split(['\n', '\r']).filter(|line| line.starts_with('%')).count();
    if directives > DIRECTIVES_MAX {
        return Err(at_start(format!("{directives} lines are directives (`%`), at most {DIRECTIVES_MAX}")));
    }
    match nodes(text.trim_start_matches('\u{feff}')) {
        Ok(()) => Ok(()),
        Err(Stop::Limit(error)) => Err(error),
        // What is not YAML is explained better by the parser that reads it, if that is quick.
        Err(Stop::NotYaml(error)) => {
            let brackets = text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count();
            match text.len() <= UNSEEN_MAX.0 && brackets <= UNSEEN_MAX.1 {
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

enum Stop {
    Limit(YamlError),
    NotYaml(ScanError),
}

/// Walks through the events up to the first limit.
fn nodes(text: &str) -> Result<(), Stop> {
    // The weights of nodes that are open, with their anchors; those of nodes that aliases may repeat.
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut anchored: HashMap<usize, usize> = HashMap::new();
    let mut aliased = 0usize;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(Stop::NotYaml)?;
        let refused = |message: String| {
            let place = span.start;
            Stop::Limit(YamlError { line: Some(place.line()), column: Some(place.col() + 1), message })
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

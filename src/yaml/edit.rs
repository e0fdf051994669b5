//! Rewrites one key of a YAML text and nothing else.
//!
//! YAML can write the same value in many styles, so an edit is only a proposal: it is made at the place of a
//! node of the text, and the new text is parsed again. The new text is returned only if it has the same
//! comments and all other keys keep their values.

use std::ops::Range;

use serde_yaml::{Mapping, Value};

use super::nodes::{YamlNode, YamlNodeKind};

/// Rewrites the value of a key in the root mapping of a text, or adds the key. If `old` and `new` are both
/// mappings, only the keys whose values differ are rewritten; keys that are missing in `new` become null.
///
/// `is_new` returns whether a text has the new value.
///
/// # Errors
/// Returns a message with a remedy if no edit rewrites the key and nothing else.
pub fn replace_key(
    text: &str,
    key: &str,
    old: Option<&Value>,
    new: &Value,
    is_new: &dyn Fn(&str) -> bool,
) -> Result<String, String> {
    let refused = || {
        format!(
            "`{key}` cannot be rewritten without changing something else (an anchor in it that is used elsewhere, or a style that is not understood); edit it by hand"
        )
    };
    let root = YamlNode::root(text).ok_or_else(refused)?;
    let proposals = match root.pair(key) {
        None => ways_to_add(text, &root, key, new),
        Some((name, value)) => match (old, new, value.pairs().is_empty()) {
            (Some(Value::Mapping(old)), Value::Mapping(new), false) => {
                vec![replace_changed_values(text, value, old, new).ok_or_else(refused)?]
            }
            _ => vec![apply_splices(text, vec![value_splice(text, name, value, new).ok_or_else(refused)?])],
        },
    };
    let holds = |proposal: &String| is_new(proposal) && differs_only_in(text, proposal, key);
    proposals.into_iter().find(holds).ok_or_else(refused)
}

type Splice = (Range<usize>, String);

/// Returns the text with some of its ranges replaced.
fn apply_splices(text: &str, mut splices: Vec<Splice>) -> String {
    splices.sort_by_key(|(place, _)| place.start);
    let (mut out, mut rest) = (String::with_capacity(text.len()), 0);
    for (place, new) in splices {
        out.push_str(text.get(rest..place.start).unwrap_or_default());
        out.push_str(&new);
        rest = place.end;
    }
    out.push_str(&text[rest..]);
    out
}

/// Returns the text with those values of a mapping replaced that differ.
fn replace_changed_values(text: &str, mapping: &YamlNode, old: &Mapping, new: &Mapping) -> Option<String> {
    let mut splices = Vec::new();
    for (name, value) in mapping.pairs() {
        let YamlNodeKind::Scalar(key) = &name.kind else { return None };
        let wanted = new.get(key.as_str()).unwrap_or(&Value::Null);
        if old.get(key.as_str()).unwrap_or(&Value::Null) != wanted {
            splices.push(value_splice(text, name, value, wanted)?);
        }
    }
    Some(apply_splices(text, splices))
}

/// Returns the range to replace for a new value, and its replacement. Comments within the old value are kept
/// and stand before the new content.
fn value_splice(text: &str, name: &YamlNode, value: &YamlNode, new: &Value) -> Option<Splice> {
    let comments = comments_within(text, value);
    let is_block =
        matches!(value.kind, YamlNodeKind::Sequence(_) | YamlNodeKind::Mapping(_)) && !value.is_flow(text);
    let same_kind = match (&value.kind, new) {
        (YamlNodeKind::Sequence(_), Value::Sequence(new)) => !new.is_empty(),
        (YamlNodeKind::Mapping(_), Value::Mapping(new)) => !new.is_empty(),
        _ => false,
    };
    if is_block && same_kind {
        let pad = format!("{}{}", newline(text), indentation(text, value.span.start));
        let above: String = comments.iter().map(|comment| format!("{comment}{pad}")).collect();
        return Some((value.span.clone(), above + &block_style(new, &pad)?));
    }
    let new = flow_style(new)?;
    if is_block || value.span.is_empty() {
        // A value of another kind, or one that was left out, is written after the colon and indented deeper
        // than the key.
        let colon = name.span.end + text[name.span.end..].find(':')? + 1;
        let pad = format!("{}{}  ", newline(text), indentation(text, name.span.start));
        let above: String = comments.iter().map(|comment| format!(" {comment}{pad}")).collect();
        let space = if comments.is_empty() { " " } else { "" };
        let end = if is_block { value.span.end } else { colon };
        return Some((colon..end, format!("{above}{space}{new}")));
    }
    let pad = format!("{}{} ", newline(text), indentation(text, value.span.start));
    let with_comments = match (new.split_at_checked(1), comments.is_empty()) {
        (Some((bracket @ ("[" | "{"), rest)), false) => {
            let within: String = comments.iter().map(|comment| format!(" {comment}{pad}")).collect();
            format!("{bracket}{within}{rest}")
        }
        _ => new,
    };
    Some((value.span.clone(), with_comments))
}

/// Returns the ways to add a key, the most usual one first: after the last key, or before the first.
fn ways_to_add(text: &str, root: &YamlNode, key: &str, new: &Value) -> Vec<String> {
    let (Some((first, _)), true) = (root.pairs().first(), matches!(root.kind, YamlNodeKind::Mapping(_)))
    else {
        return Vec::new();
    };
    let insert = |at: usize, what: String| apply_splices(text, vec![(at..at, what)]);
    if root.is_flow(text) {
        let Some(value) = flow_style(new) else { return Vec::new() };
        let quote = if text[first.span.start..].starts_with('"') { "\"" } else { "" };
        let last =
            root.pairs().last().map_or(root.span.start, |(key, value)| key.span.end.max(value.span.end));
        let pair = format!("{quote}{key}{quote}: {value}");
        return vec![insert(last, format!(", {pair}")), insert(root.span.start + 1, format!("{pair}, "))];
    }
    let pad = format!("{}{}", newline(text), indentation(text, root.span.start));
    let pair = Mapping::from_iter([(Value::from(key), new.clone())]);
    let Some(pair) = block_style(&Value::Mapping(pair), &pad) else { return Vec::new() };
    let end = root.span.end;
    let line_end = text[end..].find(['\n', '\r']).map_or(text.len(), |at| end + at);
    let column = &pad[newline(text).len()..];
    vec![
        insert(line_end, format!("{pad}{pair}")),
        insert(end, format!("{column}{pair}{}", newline(text))),
        insert(root.span.start, format!("{pair}{pad}")),
    ]
}

/// Returns as many spaces as there are columns before a position.
fn indentation(text: &str, at: usize) -> String {
    let line = text[..at].rfind(['\n', '\r']).map_or(0, |before| before + 1);
    " ".repeat(text[line..at].trim_start_matches('\u{feff}').chars().count())
}

/// Returns the line end that the text uses.
fn newline(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        None if text.contains('\r') => "\r",
        _ => "\n",
    }
}

/// Returns a value on one line that is valid in any context: as JSON, which is also YAML.
fn flow_style(value: &Value) -> Option<String> {
    let mut out = Vec::new();
    crate::escape::json(&mut out, value).ok()?;
    String::from_utf8(out).ok()
}

/// Returns a value on lines of its own; `pad` begins each line but the first.
fn block_style(value: &Value, pad: &str) -> Option<String> {
    let text = serde_yaml::to_string(value).ok()?;
    Some(text.trim_end().lines().collect::<Vec<_>>().join(pad))
}

/// Returns the comments between the scalars of a node, without the comments before the node.
fn comments_within(text: &str, node: &YamlNode) -> Vec<String> {
    let mut leaves = Vec::new();
    node.leaves(&mut leaves);
    comments(text, node.span.clone(), &leaves)
}

/// Returns the comments of a range: text outside of scalars that begins with `#` after whitespace or at the
/// start of a line.
fn comments(text: &str, range: Range<usize>, leaves: &[Range<usize>]) -> Vec<String> {
    let mut found = Vec::new();
    let mut from = range.start;
    let end = range.end..range.end;
    let ends = leaves.iter().cloned().chain(std::iter::once(end));
    for leaf in ends {
        let gap = text.get(from..leaf.start.max(from)).unwrap_or_default();
        let mut at = 0;
        while let Some(mark) = gap[at..].find('#').map(|mark| at + mark) {
            let before = text[..from + mark].chars().next_back();
            let end = gap[mark..].find(['\n', '\r']).map_or(gap.len(), |end| mark + end);
            if before.is_none_or(|c| c.is_whitespace() || c == '\u{feff}') {
                found.push(gap[mark..end].trim_end().to_owned());
                at = end;
            } else {
                at = mark + 1;
            }
        }
        from = leaf.end.max(from);
    }
    found
}
/// Returns all comments of a text in sorted order, or `None` if the text is not YAML.
fn all_comments(text: &str) -> Option<Vec<String>> {
    let mut leaves = Vec::new();
    YamlNode::root(text)?.leaves(&mut leaves);
    let mut all = comments(text, 0..text.len(), &leaves);
    all.sort();
    Some(all)
}

/// Returns whether two texts have the same comments, and the same values except that of one key.
fn differs_only_in(one: &str, other: &str, key: &str) -> bool {
    let rest = |text: &str| -> Option<Mapping> {
        let mut all: Mapping = serde_yaml::from_str(text.trim_start_matches('\u{feff}')).ok()?;
        all.shift_remove(key);
        Some(all)
    };
    let (Some(before), Some(after)) = (rest(one), rest(other)) else { return false };
    before == after && before.keys().eq(after.keys()) && all_comments(one) == all_comments(other)
}

//! A tree of the nodes of a YAML text, with their places in the text.

use std::ops::Range;

use saphyr_parser::{Event, Parser, Span};

/// A value or a key, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YamlNode {
    /// The node's range of bytes in the text, without anchor and tag. The range is empty if the value is left
    /// out.
    pub span: Range<usize>,
    /// Line from 1.
    pub line: usize,
    /// Column from 1, in characters.
    pub column: usize,
    /// The node's kind, with its content.
    pub kind: YamlNodeKind,
}

/// The kind of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum YamlNodeKind {
    /// A scalar, with its value.
    Scalar(String),
    /// An alias of another node.
    Alias,
    /// A list.
    Sequence(Vec<YamlNode>),
    /// A mapping, with its pairs of keys and values.
    Mapping(Vec<(YamlNode, YamlNode)>),
}

impl YamlNode {
    /// Returns the root of a text's first document, or `None` if there is no document or the text is not
    /// YAML. The text must have passed [`parse`](super::parse), which limits its depth.
    #[must_use]
    pub fn root(text: &str) -> Option<YamlNode> {
        let mark = text.len() - text.trim_start_matches('\u{feff}').len();
        let offsets: Vec<usize> =
            text[mark..].char_indices().map(|(at, _)| at + mark).chain([text.len()]).collect();
        let mut open: Vec<(YamlNode, Vec<YamlNode>)> = Vec::new();
        for event in Parser::new_from_str(&text[mark..]) {
            let (event, span) = event.ok()?;
            let place = without_properties(text, byte_range(&offsets, span)?);
            let leaf = |kind| YamlNode {
                span: place.clone(),
                line: span.start.line(),
                column: span.start.col() + 1,
                kind,
            };
            let done = match event {
                Event::SequenceStart(..) => {
                    open.push((leaf(YamlNodeKind::Sequence(Vec::new())), Vec::new()));
                    continue;
                }
                Event::MappingStart(..) => {
                    open.push((leaf(YamlNodeKind::Mapping(Vec::new())), Vec::new()));
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    let (node, children) = open.pop()?;
                    // In flow style the node ends at the closing bracket; in block style its end has no place
                    // of its own.
                    node.close(text, children, place.start + 1)
                }
                Event::Scalar(value, ..) => leaf(YamlNodeKind::Scalar(value.into_owned())),
                Event::Alias(_) => leaf(YamlNodeKind::Alias),
                _ => continue,
            };
            match open.last_mut() {
                Some((_, children)) => children.push(done),
                None => return Some(done),
            }
        }
        None
    }

    /// Completes a list or mapping with its children. In block style it ends where its last child ends.
    fn close(mut self, text: &str, children: Vec<YamlNode>, end: usize) -> YamlNode {
        if let (YamlNodeKind::Sequence(_), Some(first)) = (&self.kind, children.first()) {
            self.span.start = list_start(text, self.span.start, first.span.start);
        }
        let last = children.iter().map(|child| child.span.end).max();
        self.span.end = if self.is_flow(text) { end } else { last.unwrap_or(self.span.end) };
        self.span.end = self.span.end.max(self.span.start);
        self.kind = match self.kind {
            YamlNodeKind::Mapping(_) => {
                let mut pairs = Vec::new();
                let mut children = children.into_iter();
                while let (Some(key), Some(value)) = (children.next(), children.next()) {
                    pairs.push((key, value));
                }
                YamlNodeKind::Mapping(pairs)
            }
            _ => YamlNodeKind::Sequence(children),
        };
        self
    }

    /// Returns whether the node is a list or mapping in flow style (in brackets).
    #[must_use]
    pub fn is_flow(&self, text: &str) -> bool {
        text[self.span.start..].starts_with(['[', '{'])
    }

    /// Returns the pairs of a mapping; empty for another kind of node.
    #[must_use]
    pub fn pairs(&self) -> &[(YamlNode, YamlNode)] {
        if let YamlNodeKind::Mapping(pairs) = &self.kind { pairs } else { &[] }
    }

    /// Returns the items of a list; empty for another kind of node.
    #[must_use]
    pub fn items(&self) -> &[YamlNode] {
        if let YamlNodeKind::Sequence(items) = &self.kind { items } else { &[] }
    }

    /// Returns the nodes of a key and its value in a mapping.
    #[must_use]
    pub fn pair(&self, key: &str) -> Option<(&YamlNode, &YamlNode)> {
        let found = self.pairs().iter().find(|(one, _)| one.kind == YamlNodeKind::Scalar(key.to_owned()));
        found.map(|(key, value)| (key, value))
    }

    /// Appends the ranges of all scalars and aliases, in the order of the text.
    pub(super) fn leaves(&self, into: &mut Vec<Range<usize>>) {
        match &self.kind {
            YamlNodeKind::Scalar(_) | YamlNodeKind::Alias => into.push(self.span.clone()),
            YamlNodeKind::Sequence(items) => items.iter().for_each(|item| item.leaves(into)),
            YamlNodeKind::Mapping(pairs) => pairs.iter().for_each(|(key, value)| {
                key.leaves(into);
                value.leaves(into);
            }),
        }
    }
}

/// Returns the start of a list. The parser knows it, except for a list in block style that is not indented
/// deeper than its key: for that it gives the place of the first item, after the dash.
fn list_start(text: &str, start: usize, first_item: usize) -> usize {
    let rest = &text[start..];
    let is_bracket = rest.starts_with('[');
    let is_dash = rest.starts_with('-') && rest[1..].chars().next().is_none_or(char::is_whitespace);
    let is_behind_dash = start == first_item || !is_bracket && !is_dash;
    if is_behind_dash { text[..start].rfind('-').unwrap_or(start) } else { start }
}

/// Returns a range without the anchor and the tag at its beginning.
fn without_properties(text: &str, place: Range<usize>) -> Range<usize> {
    let mut start = place.start;
    let mut rest = &text[start..];
    let mut is_property = rest.starts_with(['&', '!']);
    while is_property || rest.starts_with('#') {
        // A comment may stand between an anchor and the content below it.
        let end = match rest.starts_with('#') {
            true => rest.find(['\n', '\r']),
            false => rest.find(char::is_whitespace),
        };
        rest = rest.get(end.unwrap_or(rest.len())..).unwrap_or_default().trim_start();
        start = text.len() - rest.len();
        is_property = rest.starts_with(['&', '!']);
    }
    start.min(place.end.max(place.start))..place.end.max(place.start)
}

/// Returns the range of bytes of a span, which counts characters.
fn byte_range(offsets: &[usize], span: Span) -> Option<Range<usize>> {
    let (start, end) = (*offsets.get(span.start.index())?, *offsets.get(span.end.index())?);
    Some(start..end.max(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_where_they_stand() {
        let text =
            "\u{feff}# ä\r\n\"a\": &x {b: [1, 'zwei']}\r\nc:\r\n  - é # x\r\n  - |\r\n    lit\r\nd:\r\n";
        let root = YamlNode::root(text).unwrap();
        let at = |node: &YamlNode| text[node.span.clone()].to_owned();
        let (key, value) = root.pair("a").unwrap();
        assert_eq!(
            (at(key), at(value), key.line, key.column),
            ("\"a\"".to_owned(), "{b: [1, 'zwei']}".to_owned(), 2, 1)
        );
        let list = root.pair("c").unwrap().1;
        assert_eq!(
            (at(&list.items()[0]), list.items()[0].line, list.items()[0].column),
            ("é".to_owned(), 4, 5)
        );
        assert!(root.pair("d").unwrap().1.span.is_empty());
        for list in ["- a\n- b", "- [a]\n- b", "- &x a\n- b", "- - a\n- b", "- -1\n- b"] {
            for pad in ["", "  "] {
                let list = list.replace('\n', &format!("\n{pad}"));
                let text = format!("k:\n{pad}{list}\nl: 1\n");
                assert_eq!(text[YamlNode::root(&text).unwrap().pair("k").unwrap().1.span.clone()], list);
            }
        }
        assert!(YamlNode::root("a: [").is_none() && YamlNode::root("# nothing\n").is_none());
    }
}

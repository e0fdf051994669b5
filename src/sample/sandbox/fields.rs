//! Reads fields of a report leniently: a field of a wrong type is a problem that is named, and the others are
//! read.

use serde_json::Value;

/// Maximum number of characters of a text that are kept.
const TEXT_MAX: usize = 200;
/// Maximum number of problems that are kept of one report.
const PROBLEMS_MAX: usize = 20;

/// The wanted values of a report, and the problems that were met in them.
pub(super) struct ReportFields<'a> {
    root: &'a Value,
    pub(super) problems: Vec<String>,
}

impl<'a> ReportFields<'a> {
    pub(super) fn new(root: &'a Value) -> ReportFields<'a> {
        ReportFields { root, problems: Vec::new() }
    }

    /// Returns the value at a path such as `info.machine.name`; `None` if it is missing or null.
    pub(super) fn at(&self, path: &str) -> Option<&'a Value> {
        below(self.root, path)
    }

    /// Returns whether there is a value at a path.
    pub(super) fn has(&self, path: &str) -> bool {
        self.at(path).is_some()
    }

    /// Returns a text, shortened; `None` if it is missing or blank. A number is read as the text that it is
    /// written as. Of a list of texts, the first is returned.
    pub(super) fn text(&mut self, path: &str) -> Option<String> {
        let value = self.at(path)?;
        match value {
            Value::Array(list) if list.first().is_some_and(Value::is_string) => text_of(&list[0]),
            Value::String(_) | Value::Number(_) => text_of(value),
            other => self.wrong(path, other, "a text"),
        }
    }

    /// Returns a hash of `digits` hexadecimal digits in lower case.
    pub(super) fn hash(&mut self, path: &str, digits: usize) -> Option<String> {
        let written = self.text(path)?;
        let hash = written.to_ascii_lowercase();
        if is_hex(&hash, digits) {
            return Some(hash);
        }
        self.problem(format!("`{path}` has not {digits} hexadecimal digits: `{written}`"));
        None
    }

    /// Returns a number of seconds or bytes, without decimals. Negative numbers, which sandboxes write for an
    /// unknown duration, are `None`.
    pub(super) fn whole_number(&mut self, path: &str) -> Option<u64> {
        let value = self.at(path)?;
        match value {
            Value::Number(number) => number.as_u64().or_else(|| number.as_f64().and_then(truncated)),
            // A flag in the same place is another field.
            Value::Bool(_) => None,
            Value::String(text) if text.parse::<u64>().is_ok() => text.parse().ok(),
            other => self.wrong(path, other, "a number"),
        }
    }

    /// Returns the items of a list, or the values of an object; a single object is not a list. A list that is
    /// missing is empty.
    pub(super) fn list(&mut self, path: &str) -> Vec<&'a Value> {
        match self.at(path) {
            None => Vec::new(),
            Some(Value::Array(items)) => items.iter().collect(),
            Some(other) => {
                self.wrong::<()>(path, other, "a list");
                Vec::new()
            }
        }
    }

    /// Returns the texts in a list of texts.
    pub(super) fn texts(&mut self, path: &str) -> Vec<String> {
        self.list(path).into_iter().filter_map(text_of).collect()
    }

    /// Adds a problem.
    pub(super) fn problem(&mut self, problem: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }

    fn wrong<T>(&mut self, path: &str, value: &Value, wanted: &str) -> Option<T> {
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        self.problem(format!("`{path}` is {kind} instead of {wanted}"));
        None
    }
}

/// Returns the value at a path below another value; `None` if it is missing or null.
pub(super) fn below<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let found = path.split('.').try_fold(value, |value, key| value.get(key))?;
    (!found.is_null()).then_some(found)
}

/// Returns a text or number as a text, shortened; `None` if it is blank or of another type.
pub(super) fn text_of(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().chars().take(TEXT_MAX).collect(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

/// Returns whether a text consists of `digits` hexadecimal digits.
pub(super) fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|digit| digit.is_ascii_hexdigit())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie within")]
fn truncated(number: f64) -> Option<u64> {
    (0.0..1e12).contains(&number).then_some(number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_wrong_type_is_named_and_the_rest_is_read() {
        let value =
            json!({"a": {"b": ["x"], "c": {"d": 1}, "e": "  y ", "f": -1, "g": true, "h": 2.9, "i": ""}});
        let mut fields = ReportFields::new(&value);
        assert_eq!(fields.text("a.b"), Some("x".to_owned()));
        assert_eq!(fields.text("a.c"), None);
        assert_eq!(fields.text("a.e"), Some("y".to_owned()));
        assert_eq!((fields.text("a.i"), fields.text("a.none"), fields.text("z.z")), (None, None, None));
        assert_eq!(
            (fields.whole_number("a.f"), fields.whole_number("a.g"), fields.whole_number("a.h")),
            (None, None, Some(2))
        );
        assert_eq!(fields.whole_number("a.b"), None);
        assert!(fields.list("a.e").is_empty());
        assert_eq!(
            fields.problems,
            [
                "`a.c` is an object instead of a text",
                "`a.b` is a list instead of a number",
                "`a.e` is a text instead of a list"
            ]
        );
    }

    #[test]
    fn hashes_have_their_number_of_digits() {
        let value = json!({"a": "A2EAF57C47A118E91A5EDF694685EEE7", "b": "a2ea", "c": "../../x"});
        let mut fields = ReportFields::new(&value);
        assert_eq!(fields.hash("a", 32).as_deref(), Some("a2eaf57c47a118e91a5edf694685eee7"));
        assert_eq!((fields.hash("a", 64), fields.hash("b", 32), fields.hash("c", 32)), (None, None, None));
        assert_eq!(fields.problems.len(), 3);
    }
}

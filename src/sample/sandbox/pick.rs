//! Takes the wanted values out of a JSON text of any size, while it is read.

use std::cell::Cell;
use std::fmt;
use std::io::Read;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::bounded::BoundedJson;

/// Maximum number of bytes that the kept values of a text take, as estimated by [`VALUE_BYTES`] and
/// [`OBJECT_BYTES`].
const BYTES_MAX: usize = 32 << 20;
/// Memory of a value in a list or object, without the bytes of its text and name.
const VALUE_BYTES: usize = 100;
/// Memory of an object: a node of a B-tree, which has room for eleven entries.
const OBJECT_BYTES: usize = 800;
/// Maximum number of bytes of a text that are kept.
const TEXT_MAX: usize = 1_000;
/// Maximum number of items that are kept of a list. Only lists of network flows are longer.
const ITEMS_MAX: usize = 5_000;

/// The wanted values of a text, as a tree of their paths.
#[derive(Debug, Default)]
pub(super) struct WantedPaths {
    named: Vec<(&'static str, WantedPaths)>,
    /// What is wanted of any other key, and of the items of a list.
    any: Option<Box<WantedPaths>>,
}

impl WantedPaths {
    /// Returns the tree for paths such as `info.machine.name`. The step `*` stands for any key or item.
    pub(super) fn of(paths: impl IntoIterator<Item = &'static str>) -> WantedPaths {
        let mut root = WantedPaths::default();
        for path in paths {
            let mut node = &mut root;
            for step in path.split('.') {
                node = node.child_mut(step);
            }
        }
        root
    }

    fn child_mut(&mut self, step: &'static str) -> &mut WantedPaths {
        if step == "*" {
            return self.any.get_or_insert_default();
        }
        let at = self.named.iter().position(|(name, _)| *name == step).unwrap_or_else(|| {
            self.named.push((step, WantedPaths::default()));
            self.named.len() - 1
        });
        &mut self.named[at].1
    }

    fn child(&self, key: &str) -> Option<&WantedPaths> {
        let named = self.named.iter().find(|(name, _)| *name == key).map(|(_, wanted)| wanted);
        named.or(self.any.as_deref())
    }
}

/// The values that were taken out of a text.
#[derive(Debug)]
pub(super) struct PickedValues {
    /// The wanted values at their paths. A list or object that is not wanted further is empty.
    pub(super) value: Value,
    /// Why the text could not be read to its end; the values before that place were taken.
    pub(super) broken: Option<String>,
    /// Whether values were left out because there were too many of them.
    pub(super) is_cut: bool,
}

/// Takes the wanted values out of a JSON text. Everything else is skipped without being held in memory.
pub(super) fn pick(source: impl Read, wanted: &WantedPaths) -> PickedValues {
    let mut value = Value::Null;
    let left = Cell::new(BYTES_MAX);
    let source = std::io::BufReader::with_capacity(64 * 1024, BoundedJson::new(source));
    let mut parser = serde_json::Deserializer::from_reader(source);
    let filled = PickVisitor { into: &mut value, wanted, left: &left }.deserialize(&mut parser);
    let broken = filled.and_then(|()| parser.end()).err().map(|error| error.to_string());
    PickedValues { value, broken, is_cut: left.get() == 0 }
}

/// Fills a place with the wanted part of a value. What was read before an error stays in the place.
struct PickVisitor<'a> {
    into: &'a mut Value,
    wanted: &'a WantedPaths,
    /// Number of bytes that may still be kept.
    left: &'a Cell<usize>,
}

/// Returns whether `bytes` more bytes may be kept, and subtracts them from those that are left. Once they
/// do not suffice, nothing more is kept.
fn may_keep(left: &Cell<usize>, bytes: usize) -> bool {
    let rest = left.get().checked_sub(bytes);
    left.set(rest.unwrap_or(0));
    rest.is_some()
}

impl<'de> DeserializeSeed<'de> for PickVisitor<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for PickVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        *self.into = value.into();
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        *self.into = value.into();
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        *self.into = value.into();
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        *self.into = value.into();
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        let mut end = value.len().min(TEXT_MAX);
        while !value.is_char_boundary(end) {
            end -= 1;
        }
        let text = &value[..end];
        if may_keep(self.left, text.len()) {
            *self.into = text.into();
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        *self.into = Value::Null;
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        *self.into = Value::Array(Vec::new());
        loop {
            match (&self.wanted.any, &mut *self.into) {
                (Some(wanted), Value::Array(list))
                    if list.len() < ITEMS_MAX && may_keep(self.left, VALUE_BYTES) =>
                {
                    list.push(Value::Null);
                    let Some(into) = list.last_mut() else { return Ok(()) };
                    if items.next_element_seed(PickVisitor { into, wanted, left: self.left })?.is_none() {
                        list.pop();
                        return Ok(());
                    }
                }
                _ => {
                    if items.next_element::<IgnoredAny>()?.is_none() {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        *self.into = Value::Object(Map::new());
        let may_have_entries = may_keep(self.left, OBJECT_BYTES);
        while let Some(key) = entries.next_key::<String>()? {
            match self.wanted.child(&key) {
                Some(wanted) if may_have_entries && may_keep(self.left, VALUE_BYTES + key.len()) => {
                    let Value::Object(map) = &mut *self.into else { return Ok(()) };
                    let into = map.entry(key).or_insert(Value::Null);
                    entries.next_value_seed(PickVisitor { into, wanted, left: self.left })?;
                }
                _ => {
                    entries.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn picked(text: &str, paths: &[&'static str]) -> PickedValues {
        pick(text.as_bytes(), &WantedPaths::of(paths.iter().copied()))
    }

    #[test]
    fn only_wanted_values_are_kept() {
        let text =
            r#"{"a": {"b": 1, "c": [{"d": "x", "e": 2}, 5]}, "f": {"g": null}, "h": [1, 2], "i": -1.5}"#;
        let found = picked(text, &["a.c.*.d", "f", "h", "i", "a.b"]);
        assert_eq!(found.value, json!({"a": {"b": 1, "c": [{"d": "x"}, 5]}, "f": {}, "h": [], "i": -1.5}));
        assert_eq!((found.broken, found.is_cut), (None, false));
    }

    #[test]
    fn what_was_read_before_damage_is_kept() {
        let found = picked(r#"{"a": {"b": "x", "c": tru"#, &["a.b", "a.c"]);
        assert_eq!(found.value, json!({"a": {"b": "x", "c": null}}));
        assert!(found.broken.is_some());
        let found = picked(r#"{"a": {"b": "x"}} more"#, &["a.b"]);
        assert_eq!(found.value["a"]["b"], "x");
        assert!(found.broken.is_some());
    }

    #[test]
    fn hostile_texts_cost_little() {
        let deep = picked(&format!("{{\"a\": {}", "[".repeat(1_000_000)), &["a.*.*", "b"]);
        assert!(deep.broken.unwrap().contains("levels deep"));
        let long = picked(&format!("{{\"a\": \"{}\"}}", "x".repeat(5_000_000)), &["a"]);
        assert!(long.value["a"].as_str().unwrap().len() <= TEXT_MAX);
        let many = picked(&format!("{{\"a\": [{}0]}}", "0,".repeat(300_000)), &["a.*"]);
        assert_eq!((many.broken, many.is_cut), (None, false));
        assert_eq!(many.value["a"].as_array().unwrap().len(), ITEMS_MAX);
        let keys: Vec<String> = (0..BYTES_MAX / VALUE_BYTES).map(|key| format!("\"{key}\": 0")).collect();
        let many = picked(&format!("{{{}}}", keys.join(",")), &["*"]);
        assert_eq!((many.broken, many.is_cut), (None, true));
    }
}

//! A list that is empty in most windows.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A list that takes one pointer inline, and none on the heap until an element is added. Clearing it keeps
/// its memory.
#[derive(Clone, Debug)]
#[expect(clippy::box_collection, reason = "a list itself takes three pointers, in every window")]
pub struct Thin<T>(Option<Box<Vec<T>>>);

impl<T> Thin<T> {
    /// Returns the elements.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        self.0.as_ref().map_or(&[], |list| list.as_slice())
    }

    /// Returns the list for changes, and allocates it first if necessary.
    #[inline]
    pub(super) fn list(&mut self) -> &mut Vec<T> {
        self.0.get_or_insert_default()
    }

    #[inline]
    pub(super) fn clear(&mut self) {
        if let Some(list) = &mut self.0 {
            list.clear();
        }
    }
}

impl<T> Default for Thin<T> {
    fn default() -> Thin<T> {
        Thin(None)
    }
}

impl<T: PartialEq> PartialEq for Thin<T> {
    fn eq(&self, other: &Thin<T>) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl<T: Eq> Eq for Thin<T> {}

impl<T> FromIterator<T> for Thin<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Thin<T> {
        let mut items = items.into_iter().peekable();
        Thin(items.peek().is_some().then(|| Box::new(items.collect())))
    }
}

impl<T: Serialize> Serialize for Thin<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_slice().serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Thin<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::deserialize(deserializer)?.into_iter().collect())
    }
}

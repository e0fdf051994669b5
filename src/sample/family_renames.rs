//! Names that a user gave to malware families in place of those that sandboxes, vendors or inga use.

use serde::{Deserialize, Serialize};

/// One renamed family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FamilyRename {
    /// The name that sandboxes, vendors or inga use.
    pub from: String,
    /// The user's name.
    pub to: String,
    /// When the family was renamed, in UTC.
    pub at: String,
    /// The account of the user, if it is known.
    pub by: Option<String>,
}

/// The renamed families of a history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FamilyRenames {
    list: Vec<FamilyRename>,
}

impl FamilyRenames {
    /// Adds a renamed family. A family that was renamed to `from` earlier is renamed to the new name as well. A
    /// family that gets back its first name is no longer renamed.
    pub fn add(&mut self, rename: FamilyRename) {
        for earlier in &mut self.list {
            if earlier.to.eq_ignore_ascii_case(&rename.from) {
                *earlier = FamilyRename { from: earlier.from.clone(), ..rename.clone() };
            }
        }
        self.list.retain(|earlier| !earlier.from.eq_ignore_ascii_case(&rename.from));
        self.list.push(rename);
        self.list.retain(|one| !one.from.eq_ignore_ascii_case(&one.to));
    }

    /// Adds all renamed families of another history.
    pub fn add_all(&mut self, others: FamilyRenames) {
        others.list.into_iter().for_each(|rename| self.add(rename));
    }

    /// Returns how the family with this name was renamed.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<&FamilyRename> {
        self.list.iter().find(|rename| rename.from.eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_followed_to_its_last_replacement() {
        let mut renames = FamilyRenames::default();
        let mut add = |from: &str, to: &str| {
            let at = "2020-01-01T00:00:00Z".to_owned();
            renames.add(FamilyRename { from: from.to_owned(), to: to.to_owned(), at, by: None });
            let name = |name: &str| renames.of(name).map_or(name.to_owned(), |rename| rename.to.clone());
            [name("Mirai"), name("Okiru")]
        };
        assert_eq!(add("Mirai", "First"), ["First", "Okiru"]);
        assert_eq!(add("first", "Second"), ["Second", "Okiru"]);
        assert_eq!(add("Okiru", "Second"), ["Second", "Second"]);
        // Both families have one name now, and are renamed together.
        assert_eq!(add("Second", "Mirai"), ["Mirai", "Mirai"]);
    }
}

//! Malware families by the names that vendors give a sample, with the lists in `rules/families`.
//!
//! The method is that of AVclass (Sebastián et al., RAID 2016): names are split into words, words that
//! name no family are dropped, words that name the same family are joined, and the family that most
//! vendors name is taken. Vendors with one engine count once.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Deserialize;

/// `names.yaml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FamilyNamesFile {
    pub(super) references: Vec<String>,
    families: Vec<FamilyNamesEntry>,
}

/// A family with the words that name it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FamilyNamesEntry {
    name: String,
    aliases: Vec<String>,
}

/// `generic.yaml`: lines of words.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GenericWordsFile {
    pub(super) references: Vec<String>,
    words: Vec<String>,
}

/// `engines.yaml`: vendors by engine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VendorEnginesFile {
    pub(super) references: Vec<String>,
    engines: BTreeMap<String, Vec<String>>,
}

/// The compiled lists.
#[derive(Clone, Debug, Default)]
pub struct Families {
    /// Name of the family by word, in lower case.
    by_word: HashMap<String, String>,
    generic: HashSet<String>,
    /// Engine by vendor, in lower case.
    engines: HashMap<String, String>,
}

/// The family that vendors name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FamilyVote {
    /// The family.
    pub family: String,
    /// Number of engines that name it.
    pub votes: usize,
    /// Number of engines that name any family.
    pub voters: usize,
}

/// Minimum number of engines that name a family, if the family is listed, and if it is not. A word that is
/// not listed may be a generic word that the list lacks. Where a report has a single vendor's name, that is enough for a
/// listed family: nobody disagrees.
const VOTES_MIN: [usize; 2] = [2, 3];

impl Families {
    /// Adds `names.yaml`. Returns a message for each word that names two families.
    pub(super) fn add_names(&mut self, file: FamilyNamesFile) -> Vec<String> {
        let mut errors = Vec::new();
        for FamilyNamesEntry { name, aliases } in file.families {
            let own = name.to_lowercase();
            for word in aliases.into_iter().chain([own]) {
                if let Some(other) = self.by_word.insert(word.clone(), name.clone())
                    && other != name
                {
                    errors.push(format!("`{}` names {other} and {name}", word.escape_debug()));
                }
            }
        }
        errors
    }

    pub(super) fn add_generic(&mut self, file: GenericWordsFile) {
        let words = file.words.iter().flat_map(|line| line.split_whitespace());
        self.generic.extend(words.map(str::to_lowercase));
    }

    /// Returns a message for each generic word that is the name of a family.
    pub(super) fn contradictions(&self) -> Vec<String> {
        let both = self.generic.iter().filter_map(|word| self.by_word.get(word).map(|family| (word, family)));
        both.map(|(word, family)| format!("`{}` names {family}, and is generic", word.escape_debug()))
            .collect()
    }

    /// Adds `engines.yaml`. Returns a message for each vendor with two engines.
    pub(super) fn add_engines(&mut self, file: VendorEnginesFile) -> Vec<String> {
        let mut errors = Vec::new();
        for (engine, vendors) in file.engines {
            for vendor in vendors {
                if self.engines.insert(vendor.to_lowercase(), engine.clone()).is_some() {
                    errors.push(format!("`{}` has two engines", vendor.escape_debug()));
                }
            }
        }
        errors
    }

    /// Returns the number of families.
    #[must_use]
    pub fn count(&self) -> usize {
        self.by_word.values().collect::<BTreeSet<_>>().len()
    }

    /// Returns a family's usual name for a name that a sandbox or an analyst wrote; `None` if the name says
    /// nothing, such as `Generic`. A family that is not listed keeps its name.
    #[must_use]
    pub fn canonical_name(&self, written: &str) -> Option<String> {
        let whole: String =
            written.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
        if let Some(family) = self.by_word.get(&whole) {
            return Some(family.clone());
        }
        let words = words(written);
        match words.iter().find_map(|word| self.listed(word)) {
            Some(family) => Some(family.clone()),
            None if words.iter().all(|word| self.is_generic(word)) => None,
            None => Some(written.trim().to_owned()),
        }
    }

    /// Returns the family that most vendors name. `names` has the vendors' names by vendor. `None` if too few
    /// vendors agree.
    #[must_use]
    pub fn vote(&self, names: &BTreeMap<String, String>) -> Option<FamilyVote> {
        let mut by_family: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut voters = BTreeSet::new();
        for (vendor, name) in names {
            let vendor = vendor.to_lowercase();
            let engine = self.engines.get(&vendor).unwrap_or(&vendor);
            for family in self.candidates(name) {
                voters.insert(engine.clone());
                by_family.entry(family).or_default().insert(engine.clone());
            }
        }
        let mut ranked: Vec<(usize, bool, String)> = by_family
            .into_iter()
            .map(|(family, engines)| (engines.len(), self.is_listed(&family), family))
            .collect();
        ranked.sort_by(|a, b| b.cmp(a));
        let (votes, is_listed, family) = ranked.first()?.clone();
        let is_tied = ranked.get(1).is_some_and(|second| (second.0, second.1) == (votes, is_listed));
        let enough = votes >= if is_listed { VOTES_MIN[0].min(names.len()) } else { VOTES_MIN[1] };
        (enough && !is_tied).then_some(FamilyVote { family, votes, voters: voters.len() })
    }

    /// Returns the families that a vendor's name may mean: those listed, or else all words that are not
    /// generic.
    fn candidates(&self, name: &str) -> BTreeSet<String> {
        let words = words(name);
        let listed: BTreeSet<String> = words.iter().filter_map(|word| self.listed(word)).cloned().collect();
        if !listed.is_empty() {
            return listed;
        }
        words.into_iter().filter(|word| self.may_be_a_family(word)).map(|word| word.bare).collect()
    }

    fn listed(&self, word: &NameWord) -> Option<&String> {
        self.by_word.get(&word.whole).or_else(|| self.by_word.get(&word.bare))
    }

    fn is_generic(&self, word: &NameWord) -> bool {
        word.bare.is_empty() || self.generic.contains(&word.whole) || self.generic.contains(&word.bare)
    }

    fn may_be_a_family(&self, word: &NameWord) -> bool {
        /// Shorter words are variants, such as `.ancq`, or platforms.
        const LENGTH_MIN: usize = 5;
        let is_number = word.whole.bytes().all(|byte| byte.is_ascii_hexdigit());
        word.bare.len() >= LENGTH_MIN && !is_number && !self.is_generic(word)
    }

    fn is_listed(&self, family: &str) -> bool {
        self.by_word.contains_key(&family.to_lowercase())
    }
}

/// A word of a name, in lower case.
struct NameWord {
    whole: String,
    /// The word without trailing digits, which number variants.
    bare: String,
}

fn words(name: &str) -> Vec<NameWord> {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words
        .map(|word| {
            let whole = word.to_lowercase();
            let bare = whole.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
            NameWord { whole, bare }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::Rules;

    fn vote(names: &[(&str, &str)]) -> Option<String> {
        let rules = Rules::shipped().unwrap();
        let names = names.iter().map(|(vendor, name)| ((*vendor).to_owned(), (*name).to_owned())).collect();
        rules.families.vote(&names).map(|vote| vote.family)
    }

    #[test]
    fn aliases_are_joined_and_generic_words_dropped() {
        let conficker = [
            ("Symantec", "W32.Downadup.B"),
            ("Kaspersky", "Net-Worm.Win32.Kido.ih"),
            ("Microsoft", "Worm:Win32/Conficker.B"),
            ("TrendMicro", "WORM_DOWNAD.AD"),
            ("Sophos", "Mal/Generic-S"),
        ];
        assert_eq!(vote(&conficker).as_deref(), Some("Conficker"));
        let generic = [
            ("A", "Trojan.Generic.KD.1234"),
            ("B", "Trojan.GenericKD.36897888"),
            ("C", "malicious (high confidence)"),
            ("D", "Win32.Agent.ancq"),
        ];
        assert_eq!(vote(&generic), None);
    }

    #[test]
    fn vendors_with_one_engine_are_one_vote() {
        let one =
            [("BitDefender", "Trojan.Mirai.1"), ("GData", "Trojan.Mirai.1"), ("ALYac", "Trojan.Mirai.1")];
        assert_eq!(vote(&one), None);
        assert_eq!(vote(&one[..1]).as_deref(), Some("Mirai"));
        assert_eq!(vote(&[("Symantec", "W32.Unheardof.A")]), None);
        assert_eq!(vote(&[one[0], ("ESET-NOD32", "a variant of Linux/Mirai.A")]).as_deref(), Some("Mirai"));
    }

    #[test]
    fn vendors_that_disagree_give_no_family() {
        assert_eq!(
            vote(&[("A", "Linux.Mirai"), ("B", "Linux.Mirai"), ("C", "Gafgyt"), ("D", "Bashlite")]),
            None
        );
        let three = [
            ("A", "Worm.Newfamily.A"),
            ("B", "W32/Newfamily"),
            ("C", "Newfamily!gen"),
            ("D", "Other.Xyzzyx"),
        ];
        assert_eq!(vote(&three).as_deref(), Some("newfamily"));
        assert_eq!(vote(&three[..2]), None);
    }

    #[test]
    fn names_of_sandboxes_get_the_usual_form() {
        let families = Rules::shipped().unwrap().families;
        for (written, usual) in [
            ("mirai", Some("Mirai")),
            ("Heodo", Some("Emotet")),
            ("Cobalt Strike", Some("CobaltStrike")),
            ("Win.Trojan.Emotet-1", Some("Emotet")),
            ("Brand New", Some("Brand New")),
            ("Generic", None),
            ("", None),
        ] {
            assert_eq!(families.canonical_name(written).as_deref(), usual, "{written}");
        }
    }
}

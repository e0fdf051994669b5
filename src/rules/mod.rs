//! F2: rules for packets and windows: labels, tools, payloads and infrastructure traffic ("plumbing").
//!
//! Rules are YAML files, one rule per file and one folder per kind. They include the profile of the behavior
//! engine and the list of UDP services that answer requests. `schema` defines what the name of a rule may
//! claim. A set of rules compiles completely or not at all. This module reads no files; `app` does.

mod compile;
mod conficker;
mod error;
mod families;
mod infrastructure;
mod label;
mod mark;
mod mark_index;
mod naming;
mod range;
mod schema;
mod services;
mod shipped;
mod stacks;

use crate::behavior::{Feature, Marks, OpenWindow, Parameters, ProbeSignature, Profile};
use crate::packet::{Packet, Timestamp};

pub use conficker::{conficker_d_ports, conficker_d_week};
pub use error::{RuleError, RuleErrors};
pub use families::{Families, FamilyVote};
pub use label::SightingConditions;
pub use naming::{NamedWindow, Namer};
pub use schema::LabelClass;
pub use stacks::{FeatureOrigin, NetworkStackRule};

use infrastructure::InfrastructureRule;
use label::Label;
use mark::{MarkClass, MarkRule};
use mark_index::MarkIndex;
use services::AnsweringServices;

/// The number of rules of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleCounts {
    /// Label rules.
    pub labels: usize,
    /// Tool rules, which test packet headers.
    pub tools: usize,
    /// Payload rules.
    pub payloads: usize,
    /// Rules for infrastructure traffic in a sandbox.
    pub infrastructure: usize,
    /// UDP services that answer requests from any address.
    pub services: usize,
    /// Malware families whose names are joined.
    pub families: usize,
}

/// A compiled set of rules.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The parameters of the behavior engine.
    pub profile: Profile,
    /// Names of malware families.
    pub families: Families,
    labels: Vec<Label>,
    marks: Vec<MarkRule>,
    mark_index: MarkIndex,
    services: AnsweringServices,
    mark_names: Vec<String>,
    infrastructure: Vec<InfrastructureRule>,
    stacks: Vec<NetworkStackRule>,
}

impl Rules {
    /// Compiles the rules that ship with this build.
    ///
    /// # Errors
    /// Never fails, as a test ensures; the type is that of [`Rules::compile`].
    pub fn shipped() -> Result<Rules, RuleErrors> {
        let files: Vec<(String, String)> =
            shipped::FILES.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        Rules::compile(&files)
    }

    /// Compiles rule files, given as pairs of path (relative to the folder of the rules) and text.
    ///
    /// # Errors
    /// Returns all errors in the files, each with file, place and remedy.
    pub fn compile(files: &[(String, String)]) -> Result<Rules, RuleErrors> {
        compile::compile(files)
    }

    /// Returns the number of rules of each kind.
    #[must_use]
    pub fn rule_counts(&self) -> RuleCounts {
        let payloads = self.marks.iter().filter(|mark| mark.class == MarkClass::Payload).count();
        RuleCounts {
            labels: self.labels.len(),
            tools: self.marks.len() - payloads,
            payloads,
            infrastructure: self.infrastructure.len(),
            services: self.services.count(),
            families: self.families.count(),
        }
    }

    /// Returns the stacks of operating systems that can have built the probes of a signature.
    pub fn stacks_of(&self, signature: &ProbeSignature) -> impl Iterator<Item = &NetworkStackRule> {
        self.stacks.iter().filter(|stack| stack.can_build(signature))
    }

    /// Returns the known features of a signature, each with what made it: the operating system or the software that
    /// sent the probes.
    #[must_use]
    pub fn feature_origins(&self, signature: &ProbeSignature) -> Vec<(Feature, FeatureOrigin)> {
        stacks::origins(&self.stacks, signature)
    }

    /// Returns the ids of the labels of a window or facet with these parameters and marks at this time,
    /// ascending.
    #[must_use]
    pub fn labels(&self, parameters: &Parameters, marks: &[&str], at: Option<Timestamp>) -> Vec<&str> {
        self.labels
            .iter()
            .filter(|label| label.matches(parameters, marks, at))
            .map(|label| label.id.as_str())
            .collect()
    }

    /// Returns whether a window with these parameters can have this label, regardless of its marks and its
    /// time.
    #[must_use]
    pub fn fits_label(&self, label: &str, parameters: &Parameters) -> bool {
        self.labels.iter().any(|known| known.id == label && known.fits(parameters))
    }

    /// Returns the conditions of a label on a history's sightings beyond their parameters: marks and dates.
    /// The bit of a mark is its index in `mark_names`. Returns `None` if no rule defines the label.
    #[must_use]
    pub fn sighting_conditions(&self, label: &str, mark_names: &[String]) -> Option<SightingConditions> {
        self.labels.iter().find(|known| known.id == label).map(|known| known.sighting_conditions(mark_names))
    }

    /// Returns whether more hosts have a mark than chance explains, if each of `hosts` could have it once by
    /// chance. A mark of unknown chance always counts as beyond chance. The bound is the mean number by
    /// chance, plus four standard deviations of a Poisson variable, plus one host. Chance exceeds it at most
    /// 3 times in 2,000.
    #[must_use]
    pub fn is_beyond_chance(&self, mark: &str, marked: u64, hosts: u64) -> bool {
        let known = self.marks.iter().find(|known| known.id == mark);
        known.and_then(|known| known.chance).is_none_or(|chance| beyond_chance(chance, marked, hosts))
    }

    /// Returns whether a rule defines this label.
    #[must_use]
    pub fn has_label(&self, label: &str) -> bool {
        self.labels.iter().any(|known| known.id == label)
    }

    /// Returns whether a label denotes backscatter: answers to packets with spoofed sources.
    #[must_use]
    pub fn is_backscatter(&self, label: &str) -> bool {
        self.labels.iter().any(|known| known.id == label && known.class == LabelClass::Backscatter)
    }

    /// Returns the title of a label or mark, for display; the id itself if it is unknown.
    #[must_use]
    pub fn title<'a>(&'a self, id: &'a str) -> &'a str {
        let label = self.labels.iter().find(|label| label.id == id).map(|label| label.title.as_str());
        let mark = self.marks.iter().find(|mark| mark.id == id).map(|mark| mark.title.as_str());
        label.or(mark).unwrap_or(id)
    }

    /// Returns the ids of the tool and payload rules. The index of a rule is the bit of its mark.
    #[must_use]
    pub fn mark_names(&self) -> &[String] {
        &self.mark_names
    }

    /// Returns the marks of a packet.
    #[must_use]
    pub fn marks(&self, packet: &Packet, payload: &[u8]) -> Marks {
        let candidates = self.mark_index.for_protocol(packet.protocol());
        let mut marks = candidates.header_marks(packet);
        if candidates.answers != 0 && self.services.answers(packet, payload) {
            marks |= candidates.answers;
        }
        let mut left =
            if payload.is_empty() { 0 } else { candidates.payload_candidates(packet.destination_port()) };
        while left != 0 {
            let lowest = left & left.wrapping_neg();
            let mark = self.marks.get(usize::try_from(lowest.trailing_zeros()).unwrap_or(usize::MAX));
            marks |= if mark.is_some_and(|mark| mark.matches_payload(payload)) { lowest } else { 0 };
            left ^= lowest;
        }
        Marks(marks)
    }

    /// Returns the bits of the marks that a window has, numbered as in [`mark_names`](Rules::mark_names). A
    /// window has a mark if enough of its packets have it.
    #[must_use]
    pub fn window_mark_bits(&self, window: &OpenWindow) -> u64 {
        self.mark_bits_at(window, window.start)
    }

    /// Returns the bits of the marks that a window has at a time; `None` if the time is unknown.
    fn mark_bits_at(&self, window: &OpenWindow, time: Option<Timestamp>) -> u64 {
        let holds = |(at, packets): &&(usize, u64)| {
            self.marks.get(*at).is_some_and(|mark| mark.holds(*packets, window.packets, time))
        };
        window.marked.as_slice().iter().filter(holds).fold(0, |bits, (at, _)| bits | 1 << at)
    }

    /// Returns the names of the marks that a window has at a time; `None` if the date is unknown.
    #[must_use]
    pub fn window_marks_at(&self, window: &OpenWindow, time: Option<Timestamp>) -> Vec<&str> {
        let bits = self.mark_bits_at(window, time);
        let held = self.mark_names.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
        held.map(|(_, name)| name.as_str()).collect()
    }

    /// Returns the names of the marks that indicate a public scanning tool.
    #[must_use]
    pub fn tool_marks(&self) -> Vec<String> {
        let tools = self.marks.iter().filter(|mark| mark.class == MarkClass::Tool);
        tools.map(|mark| mark.id.clone()).collect()
    }

    /// Returns whether a mark is shown beside labels: marks of tools, malware and payloads are.
    #[must_use]
    pub fn is_shown(&self, mark: &str) -> bool {
        let is_shown = |known: &&MarkRule| {
            matches!(known.class, MarkClass::Tool | MarkClass::Malware | MarkClass::Payload)
        };
        self.marks.iter().filter(is_shown).any(|known| known.id == mark)
    }

    /// Returns the id of the rule by which a packet of a sandbox's victim is infrastructure traffic; `None`
    /// if it is not.
    #[must_use]
    pub fn infrastructure_rule(&self, packet: &Packet) -> Option<&str> {
        self.infrastructure.iter().find(|rule| rule.matches(packet)).map(|rule| rule.id.as_str())
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of hosts")]
fn beyond_chance(chance: f64, marked: u64, hosts: u64) -> bool {
    let mean = chance * hosts as f64;
    marked as f64 > 1.0 + mean + 4.0 * mean.sqrt()
}

#[cfg(test)]
mod tests;

//! F2: what is told of packets and windows by rule rather than by code: labels, tools, plumbing, payloads.
//!
//! Rules are YAML files, one rule a file, one folder a kind; the profile of the behavior engine and the list of UDP
//! services that answer are among them. `schema` says what a rule may be called.
//! They are compiled all or none: a bad rule never half-loads. Nothing here reads a file: `app` does.

mod candidates;
mod compile;
mod conficker;
mod error;
mod label;
mod mark;
mod naming;
mod plumbing;
mod range;
mod schema;
mod services;
mod shipped;

use crate::behavior::{Marks, OpenWindow, Parameters, Profile};
use crate::event::{Packet, Timestamp};

pub use conficker::{conficker_d_ports, conficker_d_week};
pub use error::{RuleError, RuleErrors};
pub use label::Sighted;
pub use naming::{NamedWindow, Namer};
pub use schema::LabelClass;

use candidates::Candidates;
use label::Label;
use mark::{Mark, MarkClass};
use plumbing::Plumbing;
use services::Services;

/// How many rules there are of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Labels.
    pub labels: usize,
    /// Tools by header.
    pub tools: usize,
    /// Payload signatures.
    pub payloads: usize,
    /// Sandbox plumbing.
    pub plumbing: usize,
    /// UDP services that answer questions from any address.
    pub services: usize,
}

/// A compiled set of rules.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The behavior engine's numbers.
    pub profile: Profile,
    labels: Vec<Label>,
    marks: Vec<Mark>,
    candidates: Candidates,
    services: Services,
    mark_names: Vec<String>,
    plumbing: Vec<Plumbing>,
}

impl Rules {
    /// The rules that ship with this build.
    ///
    /// # Errors
    /// Never, as a test proves; the type is that of [`Rules::compile`].
    pub fn shipped() -> Result<Rules, RuleErrors> {
        let files: Vec<(String, String)> =
            shipped::FILES.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        Rules::compile(&files)
    }

    /// Compiles rule files, given as paths relative to the rules' folder with their texts.
    ///
    /// # Errors
    /// All that is wrong with them, each with file, place and remedy.
    pub fn compile(files: &[(String, String)]) -> Result<Rules, RuleErrors> {
        compile::compile(files)
    }

    /// How many rules there are.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let payloads = self.marks.iter().filter(|mark| mark.class == MarkClass::Payload).count();
        Summary {
            labels: self.labels.len(),
            tools: self.marks.len() - payloads,
            payloads,
            plumbing: self.plumbing.len(),
            services: self.services.count(),
        }
    }

    /// Ids of the labels of a window (or facet) with these parameters and marks at a time, in the order of ids.
    #[must_use]
    pub fn labels(&self, parameters: &Parameters, marks: &[&str], at: Option<Timestamp>) -> Vec<&str> {
        self.labels
            .iter()
            .filter(|label| label.matches(parameters, marks, at))
            .map(|label| label.id.as_str())
            .collect()
    }

    /// Returns whether a window with these parameters has this label if its marks and its time allow it.
    #[must_use]
    pub fn fits_label(&self, label: &str, parameters: &Parameters) -> bool {
        self.labels.iter().any(|known| known.id == label && known.fits(parameters))
    }

    /// Returns the conditions of a label on a history's sightings beside their parameters: marks, whose bits are their
    /// indexes among these names, and dates. Returns `None` for a label that no rule gives.
    #[must_use]
    pub fn sighted(&self, label: &str, mark_names: &[String]) -> Option<Sighted> {
        self.labels.iter().find(|known| known.id == label).map(|known| known.sighted(mark_names))
    }

    /// Returns whether more hosts have a mark than chance explains, where each of `hosts` could have it once by
    /// chance. A mark whose chance is not known always counts as beyond chance. The bound is the mean number by
    /// chance, plus four standard deviations of a Poisson variable, plus one host. Chance exceeds it at most 3 times
    /// in 2,000.
    #[must_use]
    pub fn is_beyond_chance(&self, mark: &str, marked: u64, hosts: u64) -> bool {
        let known = self.marks.iter().find(|known| known.id == mark);
        known.and_then(|known| known.chance).is_none_or(|chance| beyond_chance(chance, marked, hosts))
    }

    /// Whether some rule gives this label.
    #[must_use]
    pub fn has_label(&self, label: &str) -> bool {
        self.labels.iter().any(|known| known.id == label)
    }

    /// Whether a label says that its windows are answers to spoofed packets.
    #[must_use]
    pub fn is_backscatter(&self, label: &str) -> bool {
        self.labels.iter().any(|known| known.id == label && known.class == LabelClass::Backscatter)
    }

    /// The title of a label or mark, for people; the id itself for an unknown one.
    #[must_use]
    pub fn title<'a>(&'a self, id: &'a str) -> &'a str {
        let label = self.labels.iter().find(|label| label.id == id).map(|label| label.title.as_str());
        let mark = self.marks.iter().find(|mark| mark.id == id).map(|mark| mark.title.as_str());
        label.or(mark).unwrap_or(id)
    }

    /// Names of the marking rules; a mark's bit is its rule's place here.
    #[must_use]
    pub fn mark_names(&self) -> &[String] {
        &self.mark_names
    }

    /// The marks of a packet.
    #[must_use]
    pub fn marks(&self, packet: &Packet, payload: &[u8]) -> Marks {
        let candidates = self.candidates.of_protocol(packet.protocol());
        let mut marks = candidates.of_header(packet);
        if candidates.answers != 0 && self.services.answers(packet, payload) {
            marks |= candidates.answers;
        }
        let mut left = if payload.is_empty() { 0 } else { candidates.of_payload(packet.destination_port()) };
        while left != 0 {
            let lowest = left & left.wrapping_neg();
            let mark = self.marks.get(usize::try_from(lowest.trailing_zeros()).unwrap_or(usize::MAX));
            marks |= if mark.is_some_and(|mark| mark.is_in(payload)) { lowest } else { 0 };
            left ^= lowest;
        }
        Marks(marks)
    }

    /// Marks that hold for a window (enough of its packets have them), as bits numbered as
    /// [`mark_names`](Rules::mark_names).
    #[must_use]
    pub fn window_mark_bits(&self, window: &OpenWindow) -> u64 {
        self.mark_bits_at(window, window.start)
    }

    /// Returns the bits of the marks that hold for a window at a time; `None` where the time is not known.
    fn mark_bits_at(&self, window: &OpenWindow, time: Option<Timestamp>) -> u64 {
        let holds = |(at, packets): &&(usize, u64)| {
            self.marks.get(*at).is_some_and(|mark| mark.holds(*packets, window.packets, time))
        };
        window.marked.as_slice().iter().filter(holds).fold(0, |bits, (at, _)| bits | 1 << at)
    }

    /// Names of the marks that hold for a window at a time; `None` where the date is not known.
    #[must_use]
    pub fn window_marks_at(&self, window: &OpenWindow, time: Option<Timestamp>) -> Vec<&str> {
        let bits = self.mark_bits_at(window, time);
        let held = self.mark_names.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
        held.map(|(_, name)| name.as_str()).collect()
    }

    /// Names of the marks that tell a public scanning tool.
    #[must_use]
    pub fn tool_marks(&self) -> Vec<String> {
        let tools = self.marks.iter().filter(|mark| mark.class == MarkClass::Tool);
        tools.map(|mark| mark.id.clone()).collect()
    }

    /// Marks that are worth telling beside labels: tools, malware, payloads.
    #[must_use]
    pub fn is_told(&self, mark: &str) -> bool {
        let told =
            |known: &&Mark| matches!(known.class, MarkClass::Tool | MarkClass::Malware | MarkClass::Payload);
        self.marks.iter().filter(told).any(|known| known.id == mark)
    }

    /// Why a packet of a sandbox's victim is plumbing: the rule's id.
    #[must_use]
    pub fn plumbing(&self, packet: &Packet) -> Option<&str> {
        self.plumbing.iter().find(|rule| rule.matches(packet)).map(|rule| rule.id.as_str())
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of hosts")]
fn beyond_chance(chance: f64, marked: u64, hosts: u64) -> bool {
    let mean = chance * hosts as f64;
    marked as f64 > 1.0 + mean + 4.0 * mean.sqrt()
}

#[cfg(test)]
mod tests;

//! Compilation of rule files. Either all rules compile or none is used.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use crate::behavior::{Marks, Profile};
use crate::yaml;

use super::families::{Families, FamilyNamesFile, GenericWordsFile, VendorEnginesFile};
use super::infrastructure::InfrastructureRule;
use super::label::Label;
use super::mark::MarkRule;
use super::mark_index::MarkIndex;
use super::schema::{
    InfrastructureFile, InfrastructureWhen, LabelClass, LabelFile, PayloadFile, Relation, RuleInfo, Status,
    ToolClass, ToolFile,
};
use super::services::{AnsweringServices, ServicesFile, byte_regex};
use super::stacks::{NetworkStackRule, StacksFile};
use super::{RuleError, RuleErrors, Rules};

const KINDS: [&str; 5] = ["labels", "tools", "payloads", "plumbing", "families"];
/// The file of the behavior profile.
const PROFILE: &str = "behavior.yaml";
/// The file of UDP services that answer requests from any address.
const SERVICES: &str = "answering-services.yaml";
/// The file of the stacks of operating systems. A set of rules may lack it.
const STACKS: &str = "stacks.yaml";

pub(super) fn compile(files: &[(String, String)]) -> Result<Rules, RuleErrors> {
    let mut compiler = Compiler::default();
    for (path, text) in files {
        compiler.file(path, text);
    }
    compiler.finish()
}

#[derive(Default)]
struct Compiler {
    profile: Option<Profile>,
    /// The compiled services; `None` until their file was read.
    services: Option<AnsweringServices>,
    labels: Vec<(String, Label)>,
    marks: Vec<MarkRule>,
    infrastructure: Vec<InfrastructureRule>,
    families: Families,
    stacks: Vec<NetworkStackRule>,
    /// The file that defines each id.
    ids: BTreeMap<String, String>,
    /// Label files with their texts, for the checks that need all marks.
    label_files: Vec<(String, String, LabelFile)>,
    /// Tool rule files that need the list of answering services.
    answer_rules: Vec<String>,
    errors: Vec<RuleError>,
}

impl Compiler {
    fn file(&mut self, path: &str, text: &str) {
        match path {
            PROFILE => return self.profile(text),
            SERVICES => return self.services(text),
            STACKS => return self.stacks(text),
            _ => {}
        }
        match path.split_once('/').map(|(kind, _)| kind) {
            Some("labels") => self.label(path, text),
            Some("tools") => self.tool(path, text),
            Some("payloads") => self.payload(path, text),
            Some("plumbing") => self.infrastructure(path, text),
            Some("families") => self.families(path, text),
            _ => self.error(path, None, format!("no kind of rule; put it into one of {}", KINDS.join(", "))),
        }
    }

    fn error(&mut self, path: &str, place: Option<(usize, usize)>, message: String) {
        self.errors.push(RuleError { file: path.to_owned(), place, message });
    }

    /// Parses a file as `T`. On failure, records the error and returns `None`.
    fn parse<T: DeserializeOwned>(&mut self, path: &str, text: &str) -> Option<T> {
        match yaml::parse(text) {
            Ok(value) => Some(value),
            Err(error) => {
                let place = error.line.zip(error.column);
                self.error(path, place, error.message);
                None
            }
        }
    }

    /// Checks the keys that all rules share. Returns whether the rule is to be applied.
    fn check_common_keys(
        &mut self,
        path: &str,
        text: &str,
        about: &RuleInfo,
        empty: &[&str],
        status: Status,
    ) -> bool {
        for key in empty {
            self.error(path, key_place(text, key), format!("`{key}` is empty; say it in a few words"));
        }
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if about.id.is_empty() || !about.id.chars().all(plain) {
            let message =
                format!("id `{}` must be lower-case letters, digits and dashes", about.id.escape_debug());
            self.error(path, key_place(text, "id"), message);
        }
        if let (Some(from), Some(to)) = (about.valid_from, about.valid_to)
            && from > to
        {
            let message = format!("valid_from {from} lies after valid_to {to}; exchange them");
            self.error(path, key_place(text, "valid_from"), message);
        }
        if let Some(other) = self.ids.insert(about.id.clone(), path.to_owned()) {
            let message = format!("id `{}` is that of {other}, too; choose another", about.id);
            self.error(path, key_place(text, "id"), message);
        }
        status != Status::Deprecated
    }

    fn profile(&mut self, text: &str) {
        if let Some(profile) = self.parse::<Profile>(PROFILE, text) {
            if let Some(fault) = profile.fault() {
                self.error(PROFILE, None, fault);
            }
            self.profile = Some(profile);
        }
    }

    fn services(&mut self, text: &str) {
        let Some(file) = self.parse::<ServicesFile>(SERVICES, text) else { return };
        match file.compile() {
            Ok(services) => self.services = Some(services),
            Err(errors) => {
                // Set, so that the file is not also reported as missing.
                self.services = Some(AnsweringServices::default());
                for (entry, message) in errors {
                    self.error(SERVICES, entry_place(text, entry), message);
                }
            }
        }
    }

    fn stacks(&mut self, text: &str) {
        let Some(file) = self.parse::<StacksFile>(STACKS, text) else { return };
        match file.compile() {
            Ok(stacks) => self.stacks = stacks,
            Err(errors) => {
                errors
                    .into_iter()
                    .for_each(|(entry, message)| self.error(STACKS, entry_place(text, entry), message));
            }
        }
    }

    fn label(&mut self, path: &str, text: &str) {
        let Some(file) = self.parse::<LabelFile>(path, text) else { return };
        if self.check_common_keys(path, text, &file.about(), &file.empty_keys(), file.status) {
            self.labels.push((file.about().id, Label::new(&file)));
            self.label_files.push((path.to_owned(), text.to_owned(), file));
        }
    }

    /// Checks the marks that a label names. All marks must be known.
    fn check_label_marks(&mut self, path: &str, text: &str, file: &LabelFile) {
        let place = key_place(text, "  marks").or(key_place(text, "  without_marks"));
        let find = |compiler: &Compiler, id: &str| compiler.marks.iter().find(|mark| mark.id == id).cloned();
        for id in file.when.marks.iter().chain(&file.when.without_marks) {
            if find(self, id).is_none() {
                let message = format!("no tool or payload rule has the id `{}`", id.escape_debug());
                self.error(path, place, message);
            }
        }
        let required: Vec<MarkRule> = file.when.marks.iter().filter_map(|id| find(self, id)).collect();
        if let Some(mark) = required.iter().find(|mark| !mark.about().overlaps(&file.about())) {
            let message =
                format!("its dates and those of `{}` have no day in common, so nothing has it", mark.id);
            self.error(path, key_place(text, "valid_from").or(key_place(text, "valid_to")), message);
        }
        if file.class == LabelClass::Malware && !required.iter().any(MarkRule::indicates_malware) {
            let message = "class malware needs evidence: require a mark of the class malware in `marks`, or say \
                           what is seen and choose the class scan";
            self.error(path, key_place(text, "class"), message.to_owned());
        }
    }

    fn tool(&mut self, path: &str, text: &str) {
        let Some(file) = self.parse::<ToolFile>(path, text) else { return };
        if !(0.0..=1.0).contains(&file.share) {
            let message = format!("share {} does not lie between 0 and 1", file.share);
            self.error(path, key_place(text, "share"), message);
        }
        if let Some(chance) = file.chance
            && !(chance > 0.0 && chance < 1.0)
        {
            let message = format!("chance {chance} does not lie between 0 and 1");
            self.error(path, key_place(text, "chance"), message);
        }
        if file.chance.is_none() && matches!(file.class, ToolClass::Tool | ToolClass::Malware) {
            let message = "`chance` is missing: a name needs the probability that any other packet has the habit, \
                           like 0.0000153 for one value of 16 bits";
            self.error(path, key_place(text, "class"), message.to_owned());
        }
        if file.when.relation == Relation::UdpFromService {
            self.answer_rules.push(path.to_owned());
        }
        if self.check_common_keys(path, text, &file.about(), &file.empty_keys(), file.status) {
            self.marks.push(MarkRule::header(&file));
        }
    }

    fn payload(&mut self, path: &str, text: &str) {
        let Some(file) = self.parse::<PayloadFile>(path, text) else { return };
        let applied = self.check_common_keys(path, text, &file.about(), &file.empty_keys(), file.status);
        match byte_regex(&file.when.payload) {
            Err(reason) => self.error(path, key_place(text, "  payload"), format!("payload {reason}")),
            Ok(regex) if applied => self.marks.push(MarkRule::payload(&file, regex)),
            Ok(_) => {}
        }
    }

    fn infrastructure(&mut self, path: &str, text: &str) {
        let Some(file) = self.parse::<InfrastructureFile>(path, text) else { return };
        let InfrastructureWhen { protocol, destination_ports, icmp_kinds, group, .. } = &file.when;
        if protocol.is_none() && destination_ports.is_empty() && icmp_kinds.is_empty() && !group {
            let message =
                "`when` asks for nothing, so every packet would be plumbing; name a protocol".to_owned();
            self.error(path, key_place(text, "when"), message);
        }
        if self.check_common_keys(path, text, &file.about(), &file.empty_keys(), file.status) {
            self.infrastructure.push(InfrastructureRule::new(&file));
        }
    }

    /// Reads a list of malware families. Unlike rules, the lists have fixed names.
    fn families(&mut self, path: &str, text: &str) {
        let (references, errors) = match path {
            "families/names.yaml" => {
                let Some(file) = self.parse::<FamilyNamesFile>(path, text) else { return };
                (file.references.len(), self.families.add_names(file))
            }
            "families/generic.yaml" => {
                let Some(file) = self.parse::<GenericWordsFile>(path, text) else { return };
                let references = file.references.len();
                self.families.add_generic(file);
                (references, Vec::new())
            }
            "families/engines.yaml" => {
                let Some(file) = self.parse::<VendorEnginesFile>(path, text) else { return };
                (file.references.len(), self.families.add_engines(file))
            }
            _ => {
                let message = "no list of families; they are names.yaml, generic.yaml and engines.yaml";
                return self.error(path, None, message.to_owned());
            }
        };
        if references == 0 {
            self.error(
                path,
                key_place(text, "references"),
                "`references` is empty; name the sources".to_owned(),
            );
        }
        errors.into_iter().for_each(|message| self.error(path, None, message));
    }

    fn finish(mut self) -> Result<Rules, RuleErrors> {
        let Some(profile) = self.profile.take() else {
            if !self.errors.iter().any(|error| error.file == PROFILE) {
                self.error(PROFILE, None, "missing; copy the one that ships with inga".to_owned());
            }
            return Err(RuleErrors(self.errors));
        };
        for message in self.families.contradictions() {
            self.error("families/generic.yaml", None, message);
        }
        self.marks.sort_by(|a, b| a.id.cmp(&b.id));
        self.labels.sort_by(|a, b| a.0.cmp(&b.0));
        // The most general rule is tested last, so that a packet is attributed to its service.
        self.infrastructure.sort_by(|a, b| a.rank().cmp(&b.rank()));
        for (path, text, file) in std::mem::take(&mut self.label_files) {
            self.check_label_marks(&path, &text, &file);
        }
        if self.services.is_none() {
            for path in std::mem::take(&mut self.answer_rules) {
                let message = format!(
                    "asks for answers of services, and {SERVICES} is missing; copy the one that ships with inga"
                );
                self.error(&path, None, message);
            }
        }
        if self.marks.len() > Marks::MAX {
            let message = format!("{} tool and payload rules; {} are the most", self.marks.len(), Marks::MAX);
            self.error("tools", None, message);
        }
        if !self.errors.is_empty() {
            return Err(RuleErrors(self.errors));
        }
        Ok(Rules {
            profile,
            mark_names: self.marks.iter().map(|mark| mark.id.clone()).collect(),
            labels: self.labels.into_iter().map(|(_, label)| label).collect(),
            mark_index: MarkIndex::from_marks(&self.marks),
            services: self.services.unwrap_or_default(),
            marks: self.marks,
            infrastructure: self.infrastructure,
            families: self.families,
            stacks: self.stacks,
        })
    }
}

/// Returns the line and column, from 1, of a key in a file.
fn key_place(text: &str, key: &str) -> Option<(usize, usize)> {
    let line =
        text.lines().position(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')))?;
    Some((line + 1, 1 + key.len() - key.trim_start().len()))
}

/// Returns the line and column, from 1, of the list entry with a number, from 0. Each line that begins with a
/// dash counts as an entry.
fn entry_place(text: &str, entry: usize) -> Option<(usize, usize)> {
    let dash =
        |line: &str| line.trim_start().starts_with("- ").then(|| 1 + line.len() - line.trim_start().len());
    let mut entries = text.lines().enumerate().filter_map(|(at, line)| Some((at + 1, dash(line)?)));
    entries.nth(entry)
}

//! From files to rules, all or none.

use std::collections::BTreeMap;

use regex::bytes::RegexBuilder;
use serde::de::DeserializeOwned;

use crate::behavior::{Marks, Profile};
use crate::yaml;

use super::candidates::Candidates;
use super::label::Label;
use super::mark::Mark;
use super::plumbing::Plumbing;
use super::schema::{About, LabelFile, PayloadFile, PlumbingFile, PlumbingWhen, Status, ToolFile};
use super::{RuleError, RuleErrors, Rules};

const KINDS: [&str; 4] = ["labels", "tools", "payloads", "plumbing"];
/// The behavior profile's file.
const PROFILE: &str = "behavior.yaml";

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
    labels: Vec<(String, Label)>,
    marks: Vec<Mark>,
    plumbing: Vec<Plumbing>,
    /// The file of each id.
    ids: BTreeMap<String, String>,
    /// Marks that labels ask for, with the label's file and place.
    asked_marks: Vec<(String, RuleError)>,
    errors: Vec<RuleError>,
}

impl Compiler {
    fn file(&mut self, path: &str, text: &str) {
        if path == PROFILE {
            self.profile(text);
            return;
        }
        match path.split_once('/').map(|(kind, _)| kind) {
            Some("labels") => self.label(path, text),
            Some("tools") => self.tool(path, text),
            Some("payloads") => self.payload(path, text),
            Some("plumbing") => self.plumbing(path, text),
            _ => self.error(path, None, format!("no kind of rule; put it into one of {}", KINDS.join(", "))),
        }
    }

    fn error(&mut self, path: &str, place: Option<(usize, usize)>, message: String) {
        self.errors.push(RuleError { file: path.to_owned(), place, message });
    }

    /// Reads a file of a type; what is wrong is noted.
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

    /// Checks what all rules say of themselves; answers whether the rule is to be applied.
    fn about(&mut self, path: &str, text: &str, about: &About, empty: &[&str], status: Status) -> bool {
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

    fn label(&mut self, path: &str, text: &str) {
        let Some(file) = self.parse::<LabelFile>(path, text) else { return };
        if self.about(path, text, &file.about(), &file.empty_keys(), file.status) {
            for mark in file.when.marks.iter().chain(&file.when.without_marks) {
                let message = format!("no tool or payload rule has the id `{}`", mark.escape_debug());
                let place = key_place(text, "  marks").or(key_place(text, "  without_marks"));
                self.asked_marks.push((mark.clone(), RuleError { file: path.to_owned(), place, message }));
            }
            self.labels.push((file.about().id, Label::new(&file)));
        }
    }

    fn tool(&mut self, path: &str, text: &str) {
        let Some(file) = self.parse::<ToolFile>(path, text) else { return };
        if !(0.0..=1.0).contains(&file.share) {
            let message = format!("share {} does not lie between 0 and 1", file.share);
            self.error(path, key_place(text, "share"), message);
        }
        if self.about(path, text, &file.about(), &file.empty_keys(), file.status) {
            self.marks.push(Mark::header(&file));
        }
    }

    fn payload(&mut self, path: &str, text: &str) {
        let Some(file) = self.parse::<PayloadFile>(path, text) else { return };
        let applied = self.about(path, text, &file.about(), &file.empty_keys(), file.status);
        let regex = RegexBuilder::new(&file.when.payload).unicode(false).dot_matches_new_line(true).build();
        match regex {
            Err(error) => {
                // The library draws the pattern over several lines; its last says what is wrong.
                let reason = error.to_string().lines().last().unwrap_or_default().trim().to_owned();
                self.error(path, key_place(text, "  payload"), format!("payload is no byte regex: {reason}"));
            }
            Ok(regex) if regex.is_match(b"") => {
                let message =
                    "payload matches the empty payload, so every packet; ask for some byte".to_owned();
                self.error(path, key_place(text, "  payload"), message);
            }
            Ok(regex) if applied => self.marks.push(Mark::payload(&file, regex)),
            Ok(_) => {}
        }
    }

    fn plumbing(&mut self, path: &str, text: &str) {
        let Some(file) = self.parse::<PlumbingFile>(path, text) else { return };
        let PlumbingWhen { protocol, destination_ports, icmp_kinds, group, .. } = &file.when;
        if protocol.is_none() && destination_ports.is_empty() && icmp_kinds.is_empty() && !group {
            let message =
                "`when` asks for nothing, so every packet would be plumbing; name a protocol".to_owned();
            self.error(path, key_place(text, "when"), message);
        }
        if self.about(path, text, &file.about(), &file.empty_keys(), file.status) {
            self.plumbing.push(Plumbing::new(&file));
        }
    }

    fn finish(mut self) -> Result<Rules, RuleErrors> {
        let Some(profile) = self.profile.take() else {
            if !self.errors.iter().any(|error| error.file == PROFILE) {
                self.error(PROFILE, None, "missing; copy the one that ships with inga".to_owned());
            }
            return Err(RuleErrors(self.errors));
        };
        self.marks.sort_by(|a, b| a.id.cmp(&b.id));
        self.labels.sort_by(|a, b| a.0.cmp(&b.0));
        // The most general rule is asked last, so that a packet is told by its service.
        self.plumbing.sort_by(|a, b| a.rank().cmp(&b.rank()));
        for (mark, error) in std::mem::take(&mut self.asked_marks) {
            if !self.marks.iter().any(|known| known.id == mark) {
                self.errors.push(error);
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
            candidates: Candidates::of(&self.marks),
            marks: self.marks,
            plumbing: self.plumbing,
        })
    }
}

/// Where a key stands in a file: its line and column from 1.
fn key_place(text: &str, key: &str) -> Option<(usize, usize)> {
    let line =
        text.lines().position(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')))?;
    Some((line + 1, 1 + key.len() - key.trim_start().len()))
}

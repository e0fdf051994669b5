//! The samples of a history and their malware families, as text and as JSON.

use std::io::{self, Write};

use serde::Serialize;

use crate::escape::{escape_hidden, json_line};
use crate::sample::{FamilyMember, FamilyScan, MalwareFamily, SampleFamily, StaticNeighbour};

use super::answer::Answer;
use super::text::table;

/// Writes samples as a table.
///
/// # Errors
/// Fails if `out` cannot be written to.
pub fn text(out: &mut dyn Write, samples: &[&FamilyMember]) -> io::Result<()> {
    let heads = ["sample", "title", "windows", "date", "family", "known by"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for member in samples {
        let date = member.date.map_or_else(|| "-".to_owned(), |date| date.to_string());
        rows.push(vec![
            member.id.clone(),
            escape_hidden(&member.title),
            member.windows.to_string(),
            date,
            escape_hidden(&member.family.name),
            escape_hidden(&member.family.basis.to_string()),
        ]);
    }
    table(out, &rows)
}

impl Answer for [MalwareFamily] {
    /// Writes families with their samples: how the family of each is known, and which others are named.
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        self.iter().try_for_each(|family| family_text(out, family))
    }

    /// Writes a line of JSON for each family.
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        for MalwareFamily { name, is_named, members, scans } in self {
            let samples = members.iter().map(member_json).collect();
            json_line(out, &FamilyLineJson { family: name, is_named: *is_named, samples, scans })?;
        }
        Ok(())
    }
}

fn family_text(out: &mut dyn Write, family: &MalwareFamily) -> io::Result<()> {
    writeln!(out, "{}: {} samples", escape_hidden(&family.name), family.members.len())?;
    for member in &family.members {
        let SampleFamily { basis, disagreeing, .. } = &member.family;
        let others = match disagreeing.is_empty() {
            true => String::new(),
            false => format!("; others: {}", escape_hidden(&disagreeing.join(", "))),
        };
        writeln!(out, "  {}  {}{others}", member.id, escape_hidden(&basis.to_string()))?;
    }
    match family.scans.as_slice() {
        [] => writeln!(out, "  no run shows a scan"),
        [one] => writeln!(out, "  one scan: {} runs, {} targets", one.runs, one.targets),
        variants => {
            for (place, variant) in variants.iter().enumerate() {
                let FamilyScan { samples, runs, targets, differences } = variant;
                let samples = samples.join(" ");
                writeln!(out, "  scan, variant {}: {runs} runs, {targets} targets, of {samples}", place + 1)?;
                for difference in differences {
                    writeln!(out, "    differs: {}", escape_hidden(difference))?;
                }
            }
            Ok(())
        }
    }
}

/// A line of JSON for a family.
#[derive(Serialize)]
struct FamilyLineJson<'a> {
    family: &'a str,
    is_named: bool,
    samples: Vec<FamilyMemberJson<'a>>,
    scans: &'a [FamilyScan],
}

#[derive(Serialize)]
struct FamilyMemberJson<'a> {
    sample: &'a str,
    title: &'a str,
    known_by: String,
    disagreeing: &'a [String],
    neighbours: &'a [StaticNeighbour],
}

fn member_json(member: &FamilyMember) -> FamilyMemberJson<'_> {
    FamilyMemberJson {
        sample: &member.id,
        title: &member.title,
        known_by: member.family.basis.to_string(),
        disagreeing: &member.family.disagreeing,
        neighbours: &member.neighbours,
    }
}

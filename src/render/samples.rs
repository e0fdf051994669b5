//! The samples of a history and their malware families, as text.

use std::io::{self, Write};

use crate::escape::escape_hidden;
use crate::sample::{SampleFamily, SampleProfile, SampleReport};

use super::text::table;

/// A sample with its malware family, if something names it.
pub type ListedSample<'a> = (&'a SampleReport, &'a SampleProfile, Option<&'a SampleFamily>);

/// Writes samples as a table.
///
/// # Errors
/// Fails if `out` cannot be written to.
pub fn text(out: &mut dyn Write, samples: &[ListedSample<'_>]) -> io::Result<()> {
    let heads = ["sample", "title", "windows", "date", "family", "known by"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for (report, profile, family) in samples {
        let date = report.reference_date().map_or_else(|| "-".to_owned(), |(span, _)| span.to_string());
        let windows = profile.windows.len().to_string();
        let (family, basis) = match family {
            Some(family) => (escape_hidden(&family.name), escape_hidden(&family.basis.to_string())),
            None => ("-".to_owned(), "-".to_owned()),
        };
        let title = escape_hidden(&report.title());
        rows.push(vec![profile.id.clone(), title, windows, date, family, basis]);
    }
    table(out, &rows)
}

/// Writes a family with its samples: how the family of each is known, and which others are named. `None`
/// stands for the samples whose family is unknown.
///
/// # Errors
/// Fails if `out` cannot be written to.
pub fn family_text(out: &mut dyn Write, name: Option<&str>, samples: &[ListedSample<'_>]) -> io::Result<()> {
    let name = name.map_or_else(|| "family unknown".to_owned(), escape_hidden);
    writeln!(out, "{name}: {} samples", samples.len())?;
    for (_, profile, family) in samples {
        let Some(SampleFamily { basis, disagreeing, .. }) = family else {
            writeln!(out, "  {}  nothing names a family", profile.id)?;
            continue;
        };
        let others = match disagreeing.is_empty() {
            true => String::new(),
            false => format!("; others: {}", escape_hidden(&disagreeing.join(", "))),
        };
        writeln!(out, "  {}  {}{others}", profile.id, escape_hidden(&basis.to_string()))?;
    }
    Ok(())
}

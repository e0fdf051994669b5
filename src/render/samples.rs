//! The samples of a history, as text.

use std::io::{self, Write};

use crate::escape::escape_hidden;
use crate::sample::{SampleProfile, SampleReport};

use super::text::table;

/// Writes samples, given by their reports and profiles, as a table.
///
/// # Errors
/// Fails if `out` cannot be written to.
pub fn text(out: &mut dyn Write, samples: &[(&SampleReport, &SampleProfile)]) -> io::Result<()> {
    let mut rows = vec![["sample", "title", "windows", "date"].map(str::to_owned).to_vec()];
    for (report, profile) in samples {
        let date = report.reference_date().map_or_else(|| "-".to_owned(), |(span, _)| span.to_string());
        let windows = profile.windows.len().to_string();
        rows.push(vec![profile.id.clone(), escape_hidden(&report.title()), windows, date]);
    }
    table(out, &rows)
}

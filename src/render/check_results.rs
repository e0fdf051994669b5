//! The results of `inga check`, as text and as JSON. The JSON field names are stable.

use std::io::{self, Write};

use serde_json::json;

use crate::sample::SampleCheck;

use crate::escape::escape_hidden;

/// Writes one line per sample, with the differences from its expectation below, and a summary line.
///
/// # Errors
/// Fails if `out` cannot be written to.
pub fn text(out: &mut dyn Write, all: &[SampleCheck]) -> io::Result<()> {
    for checked in all {
        let id = match checked.title.is_empty() {
            true => escape_hidden(&checked.id),
            false => escape_hidden(&checked.title),
        };
        match &checked.outcome {
            Err(error) => writeln!(out, "failed   {id}: {}", escape_hidden(error))?,
            Ok(moved) if moved.is_empty() && checked.expected.is_none() => {
                writeln!(out, "nothing expected  {id}")?
            }
            Ok(moved) if moved.is_empty() => writeln!(out, "holds    {id}")?,
            Ok(moved) => {
                writeln!(out, "differs  {id}")?;
                for one in moved {
                    writeln!(
                        out,
                        "           {}: expected {}, seen {}",
                        one.what,
                        escape_hidden(&one.expected),
                        escape_hidden(&one.seen)
                    )?;
                }
            }
        }
    }
    let count = |outcome: fn(&SampleCheck) -> bool| all.iter().filter(|checked| outcome(checked)).count();
    let failed = count(|checked| checked.outcome.is_err());
    let holds = count(|checked| checked.outcome.as_ref().is_ok_and(Vec::is_empty));
    writeln!(
        out,
        "{} samples: {holds} hold, {} differ, {failed} failed",
        all.len(),
        all.len() - holds - failed
    )
}

/// Writes one line of JSON per sample.
///
/// # Errors
/// Fails if `out` cannot be written to.
pub fn json(out: &mut dyn Write, all: &[SampleCheck]) -> io::Result<()> {
    all.iter().try_for_each(|checked| json_line(out, checked))
}

fn json_line(out: &mut dyn Write, checked: &SampleCheck) -> io::Result<()> {
    let (outcome, differences, error) = match &checked.outcome {
        Ok(moved) if moved.is_empty() => ("holds", moved.as_slice(), None),
        Ok(moved) => ("differs", moved.as_slice(), None),
        Err(error) => ("failed", [].as_slice(), Some(error)),
    };
    let line = json!({
        "sample": checked.id,
        "report": checked.path,
        "outcome": outcome,
        "differences": differences,
        "error": error,
    });
    crate::escape::json_line(out, &line)
}

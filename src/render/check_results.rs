//! The results of `inga check`, as text and as JSON. The JSON field names are stable.

use std::io::{self, Write};

use serde_json::json;

use crate::escape::escape_hidden;
use crate::packet::Timestamp;
use crate::sample::SampleCheck;

use super::answer::{Answer, Format};
use super::junit;

/// The results of checks, one per sample.
pub struct CheckAnswer<'a> {
    /// The checked samples.
    pub samples: &'a [SampleCheck],
    /// Time at which the checks began.
    pub began: Timestamp,
}

impl Answer for CheckAnswer<'_> {
    const FORMATS: &'static [Format] = &[Format::Text, Format::Json, Format::Junit];

    /// Writes one line per sample, with the differences from its expectation below, and a summary line.
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        for checked in self.samples {
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
        let count = |outcome: fn(&SampleCheck) -> bool| {
            self.samples.iter().filter(|checked| outcome(checked)).count()
        };
        let failed = count(|checked| checked.outcome.is_err());
        let holds = count(|checked| checked.outcome.as_ref().is_ok_and(Vec::is_empty));
        writeln!(
            out,
            "{} samples: {holds} hold, {} differ, {failed} failed",
            self.samples.len(),
            self.samples.len() - holds - failed
        )
    }

    /// Writes one line of JSON per sample.
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        self.samples.iter().try_for_each(|checked| json_line(out, checked))
    }

    fn junit(&self, out: &mut dyn Write) -> io::Result<()> {
        junit::write(out, self.samples, self.began)
    }
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

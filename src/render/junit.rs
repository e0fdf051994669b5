//! The results of `inga check` as JUnit XML, for CI systems.
//!
//! The root element is one `testsuite`. It has every attribute and element that the two schemas in use
//! require: the strict one of Apache Ant and the one of Jenkins' xUnit plugin. The writers in available
//! libraries satisfy only one of them.

use std::io::{self, Write};

use crate::packet::Timestamp;
use crate::sample::SampleCheck;

use crate::escape::xml;

/// Writes a test suite with one test case per sample. `began` is the time at which the checks began.
///
/// # Errors
/// Fails if `out` cannot be written to.
pub(super) fn write(out: &mut dyn Write, all: &[SampleCheck], began: Timestamp) -> io::Result<()> {
    let count = |outcome: fn(&SampleCheck) -> bool| all.iter().filter(|checked| outcome(checked)).count();
    let errors = count(|checked| checked.outcome.is_err());
    let failures = count(|checked| checked.outcome.as_ref().is_ok_and(|moved| !moved.is_empty()));
    let seconds: f64 = all.iter().map(|checked| checked.seconds).sum();
    let began: String = began.to_string().chars().take(19).collect();
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(
        out,
        "<testsuite name=\"inga check\" timestamp=\"{began}\" hostname=\"localhost\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"0\" time=\"{seconds:.3}\">",
        all.len()
    )?;
    writeln!(out, "  <properties/>")?;
    all.iter().try_for_each(|checked| case(out, checked))?;
    writeln!(out, "  <system-out/>\n  <system-err/>\n</testsuite>")
}

fn case(out: &mut dyn Write, checked: &SampleCheck) -> io::Result<()> {
    let (name, seconds) = (xml(&checked.id), checked.seconds);
    write!(out, "  <testcase classname=\"inga.sample\" name=\"{name}\" time=\"{seconds:.3}\"")?;
    match &checked.outcome {
        Ok(moved) if moved.is_empty() => return writeln!(out, "/>"),
        Ok(moved) => {
            let line = |moved: &crate::sample::Difference| {
                xml(&format!("{}: expected {}, seen {}", moved.what, moved.expected, moved.seen))
            };
            let lines: Vec<String> = moved.iter().map(line).collect();
            let message = format!("{} differ", lines.len());
            write!(
                out,
                ">\n    <failure type=\"difference\" message=\"{message}\">{}</failure>",
                lines.join("\n")
            )?;
        }
        Err(error) => {
            let error = xml(error);
            write!(out, ">\n    <error type=\"unreadable\" message=\"{error}\">{error}</error>")?;
        }
    }
    writeln!(out, "\n  </testcase>")
}

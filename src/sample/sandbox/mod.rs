//! Reports that sandboxes write as JSON: CAPE, Cuckoo 2, Cuckoo 3, Triage and Joe Sandbox. A report is
//! recognized by its content.
//!
//! Reports have hundreds of megabytes, and everything in them may have been chosen by an attacker. A
//! report is therefore read as a stream: values that inga does not need are skipped, texts are cut after
//! 1,000 bytes, and nesting is limited. The values of a report take at most 32 MiB of memory, and usually
//! less than 1 MB. A field of a wrong type is reported, and the other fields are read.

mod bounded;
mod cape;
mod cuckoo3;
mod fields;
mod flows;
mod joe;
mod pick;
mod report;
mod triage;

use std::io::Read;
use std::sync::LazyLock;

use fields::ReportFields;
use pick::{WantedPaths, pick};

pub use report::{ListedContact, ReportPart, Sandbox, SandboxReport};

/// Why a JSON text is not the report of a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SandboxError {
    /// The text is not JSON, or is damaged before anything was read.
    #[error("no JSON: {0}")]
    NoJson(String),
    /// The text is JSON of another kind.
    #[error("JSON, but no report of CAPE, Cuckoo, Triage or Joe Sandbox")]
    OtherSchema,
}

static WANTED: LazyLock<WantedPaths> = LazyLock::new(|| {
    let all = [cape::PATHS, cuckoo3::PATHS, triage::PATHS, joe::PATHS, flows::PATHS];
    WantedPaths::of(all.into_iter().flatten().copied())
});

/// Reads the report of a sandbox.
///
/// # Errors
/// When the text is not JSON, or is not a report of a known sandbox. A report that is damaged further on is
/// read as far as possible, and the damage is one of its problems.
pub fn read_sandbox_report(source: impl Read) -> Result<SandboxReport, SandboxError> {
    let picked = pick(source, &WANTED);
    let mut fields = ReportFields::new(&picked.value);
    let read = [triage::read, joe::read, cuckoo3::read, cape::read];
    let report = read.iter().find_map(|read| read(&mut fields));
    let mut report = match (report, picked.broken.clone()) {
        (Some(report), _) => report,
        (None, Some(why)) => return Err(SandboxError::NoJson(why)),
        (None, None) => return Err(SandboxError::OtherSchema),
    };
    if let Some(why) = picked.broken {
        fields.problems.insert(0, format!("the report is damaged, and was read up to there: {why}"));
    }
    if picked.is_cut {
        fields.problem("the report has more values than are kept; the last ones were left out".to_owned());
    }
    report.problems = fields.problems;
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "x", "[", "{\"a\"", "\u{0}"] {
            assert!(matches!(read_sandbox_report(text.as_bytes()), Err(SandboxError::NoJson(_))), "{text}");
        }
        for text in ["{}", "[]", "1", "{\"info\": 1}", "{\"sample\": {}}", "{\"analysis\": {}}"] {
            assert_eq!(read_sandbox_report(text.as_bytes()), Err(SandboxError::OtherSchema), "{text}");
        }
    }
}

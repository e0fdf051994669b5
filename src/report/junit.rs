//! Checks as JUnit XML, for CI systems.

use std::io::{self, Write};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite, XmlString};

use crate::sample::Checked;

/// Writes a suite with a case a sample.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write(out: &mut dyn Write, all: &[Checked]) -> io::Result<()> {
    let mut suite = TestSuite::new("inga check");
    for checked in all {
        let mut status = match &checked.outcome {
            Ok(differences) if differences.is_empty() => TestCaseStatus::success(),
            Ok(_) => TestCaseStatus::non_success(NonSuccessKind::Failure),
            Err(_) => TestCaseStatus::non_success(NonSuccessKind::Error),
        };
        match &checked.outcome {
            Ok(differences) if !differences.is_empty() => {
                let lines: Vec<String> = differences
                    .iter()
                    .map(|moved| format!("{}: expected {}, seen {}", moved.what, moved.expected, moved.seen))
                    .collect();
                status.set_message(XmlString::new(format!("{} differences", lines.len())));
                status.set_description(XmlString::new(lines.join("\n")));
            }
            Err(error) => {
                status.set_message(XmlString::new(error));
            }
            Ok(_) => {}
        }
        let mut case = TestCase::new(checked.id.as_str(), status);
        case.set_classname("inga.sample");
        suite.add_test_case(case);
    }
    let mut report = Report::new("inga");
    report.add_test_suite(suite);
    report.serialize(out).map_err(io::Error::other)
}

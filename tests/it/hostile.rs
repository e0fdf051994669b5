//! Hostile YAML and names against the program: each is done or refused in order, and nothing of it controls a terminal.

use proptest::prelude::*;
use tempfile::TempDir;

use crate::command::{Called, arg, inga};
use crate::make::hostile;
use crate::make::packets::{Pcap, RAW_IP, tcp};

/// Ends in order, and says nothing that a terminal would obey.
fn is_orderly(called: &Called) -> Result<(), TestCaseError> {
    prop_assert!((0..=2).contains(&called.code), "exit code {}: {}", called.code, called.stderr);
    prop_assert!(!called.stderr.contains("panicked"), "{}", called.stderr);
    let said = [&called.stdout, &called.stderr].iter().any(|text| !text.trim().is_empty());
    prop_assert!(called.code != 2 || said, "refused without a word");
    for text in [&called.stdout, &called.stderr] {
        let obeyed = text.chars().find(|c| c.is_control() && *c != '\n' && *c != '\t');
        prop_assert!(obeyed.is_none(), "{obeyed:?} in {text:?}");
    }
    Ok(())
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn hostile_reports_are_refused_in_order(
        text in prop_oneof![
            hostile::document(),
            hostile::altered(vec![include_str!("../../samples/udp-worm/report.yaml").to_owned()]),
        ],
    ) {
        let folder = TempDir::new().unwrap();
        let report = folder.path().join("report.yaml");
        std::fs::write(&report, text).unwrap();
        is_orderly(&inga(&["check", arg(&report)]))?;
        is_orderly(&inga(&["sample", "add", "--history", arg(&folder.path().join("h")), arg(&report)]))?;
    }

    #[test]
    fn paths_of_a_report_end_in_order(path in hostile::path()) {
        let folder = TempDir::new().unwrap();
        let report = folder.path().join("report.yaml");
        let path = serde_yaml::to_string(&path).unwrap();
        let hash = "a2eaf57c47a118e91a5edf694685eee7";
        std::fs::write(&report, format!("identity: {{md5: {hash}}}\ncaptures:\n- {path}\n")).unwrap();
        is_orderly(&inga(&["check", arg(&report)]))?;
    }
}

/// Names that are no UTF-8 are no arguments of this test's helper: the folder is named, and its files are found.
#[cfg(target_os = "linux")]
#[test]
fn files_of_any_name_are_read_and_named_in_order() {
    let mut runner = proptest::test_runner::TestRunner::new(cases(48));
    let found = runner.run(&hostile::name(), |name| {
        let folder = TempDir::new().unwrap();
        let mut pcap = Pcap::new(RAW_IP);
        pcap.add(1, tcp(([192, 0, 2, 1].into(), 5), ([192, 0, 2, 2].into(), 23), "S", 7, b""));
        // Cut, so that its name is told.
        let bytes = pcap.bytes();
        std::fs::write(folder.path().join(name), [&bytes[..], &bytes[24..50]].concat()).unwrap();
        is_orderly(&inga(&["fingerprint", arg(folder.path())]))?;
        is_orderly(&inga(&["events", arg(folder.path())]))
    });
    assert!(found.is_ok(), "{}", found.unwrap_err());
}

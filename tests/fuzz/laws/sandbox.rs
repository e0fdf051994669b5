//! Reports of sandboxes.

use inga::sample::{DraftReport, SampleReport, read_sandbox_report};

use super::agree;

/// A report's hashes are hashes, its texts are short, and what is written of it is read as it was written.
pub(crate) fn sandbox(data: &[u8]) {
    let read = read_sandbox_report(data);
    agree("read again", &read, &read_sandbox_report(data));
    let Ok(report) = read else { return };
    let identity = &report.identity;
    for (hash, digits) in [(&identity.md5, 32), (&identity.sha1, 40), (&identity.sha256, 64)] {
        let is_hash =
            |hash: &String| hash.len() == digits && hash.bytes().all(|digit| digit.is_ascii_hexdigit());
        assert!(hash.as_ref().is_none_or(is_hash), "{hash:?}");
    }
    assert!(report.detections.len() <= 50 && report.problems.len() <= 30 && report.contacts.len() <= 50);
    if !report.is_identified() {
        return;
    }
    let mut draft = DraftReport::default();
    draft.add(&report);
    draft.runs.push(("run.pcap".to_owned(), report.run.clone()));
    let text = draft.to_yaml();
    let written = SampleReport::parse(&text);
    assert!(written.is_ok(), "{written:?} of {text}");
    let Ok(written) = written else { return };
    agree("identity", &written.identity, &draft.identity);
    agree("features", &written.features, &draft.features);
    agree("detections", &written.detections, &draft.detections);
    agree("names", &written.names, &draft.names);
}

/// Reading alone, whose memory is counted.
pub(crate) fn plain(data: &[u8]) {
    let _read = read_sandbox_report(data);
}

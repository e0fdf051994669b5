//! Reports of Cuckoo 3. An analysis has `analysis.json` with the sample's identity, and a folder for each
//! task with `task.json` (the machine), `report.json` (families, signatures) and `dump.pcap`.

use serde_json::Value;

use crate::sample::{RunConditions, RunTime, StaticFeatures};

use super::fields::{ReportFields, text_of};
use super::report::{ReportPart, Sandbox, SandboxReport};

pub(super) const PATHS: &[&str] = &[
    "id",
    "kind",
    "analysis_id",
    "task_id",
    "created_on",
    "created_on.__isodt__",
    "started_on",
    "started_on.__isodt__",
    "stopped_on",
    "stopped_on.__isodt__",
    "settings.timeout",
    "category",
    "platform",
    "os_version",
    "machine",
    "families.*",
    "target.filename",
    "target.orig_filename",
    "target.size",
    "target.filetype",
    "target.md5",
    "target.sha1",
    "target.sha256",
    "submitted.filename",
    "submitted.size",
    "submitted.filetype",
    "submitted.md5",
    "submitted.sha1",
    "submitted.sha256",
];

/// Reads `analysis.json`, or the `task.json` or `report.json` of a task; `None` for other texts.
pub(super) fn read(fields: &mut ReportFields<'_>) -> Option<SandboxReport> {
    let is_id = |path, count| fields.at(path).and_then(Value::as_str).is_some_and(|id| has_form(id, count));
    if is_id("id", 1) && (fields.has("submitted") || fields.has("settings")) {
        return Some(analysis(fields));
    }
    (is_id("task_id", 2) || is_id("id", 2)).then(|| task(fields))
}

/// Returns whether an identifier has the form `20211015-AB12CD` of an analysis (`parts` is 1), or
/// `20211015-AB12CD_1` of a task (2).
fn has_form(id: &str, parts: usize) -> bool {
    let (analysis, task) = id.split_once('_').map_or((id, None), |(analysis, task)| (analysis, Some(task)));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    let is_analysis = analysis.split_once('-').is_some_and(|(date, rest)| {
        date.len() == 8
            && is_number(date)
            && !rest.is_empty()
            && rest.bytes().all(|c| c.is_ascii_alphanumeric())
    });
    is_analysis && task.is_some() == (parts == 2) && task.is_none_or(is_number)
}

fn analysis(fields: &mut ReportFields<'_>) -> SandboxReport {
    let mut report = SandboxReport::new(Sandbox::Cuckoo3, ReportPart::Analysis);
    // The target is the file that was run, which may have been taken out of the submitted archive.
    let has_hash = ["target.md5", "target.sha1", "target.sha256"].into_iter().any(|path| fields.has(path));
    let place = if has_hash { "target" } else { "submitted" };
    match fields.text("category").as_deref() {
        Some("url") => fields.problem("the analysis is of a URL, not of a file".to_owned()),
        _ => report.read_identity(fields, place),
    }
    report.features = StaticFeatures {
        file_name: fields
            .text(&format!("{place}.orig_filename"))
            .or_else(|| fields.text(&format!("{place}.filename"))),
        file_type: fields.text(&format!("{place}.filetype")),
        size: fields.whole_number(&format!("{place}.size")),
        ..StaticFeatures::default()
    };
    families(fields, &mut report);
    report.run = RunConditions {
        sandbox: Some(Sandbox::Cuckoo3.to_string()),
        started: time(fields, "created_on"),
        ..RunConditions::default()
    };
    report
}

fn task(fields: &mut ReportFields<'_>) -> SandboxReport {
    let mut report = SandboxReport::new(Sandbox::Cuckoo3, ReportPart::Task);
    families(fields, &mut report);
    let system = [fields.text("platform"), fields.text("os_version")];
    let system: Vec<String> = system.into_iter().flatten().collect();
    let machine = fields.at("machine").filter(|machine| machine.is_string()).and_then(text_of);
    report.run = RunConditions {
        sandbox: Some(Sandbox::Cuckoo3.to_string()),
        machine: machine.or_else(|| (!system.is_empty()).then(|| system.join(" "))),
        started: time(fields, "started_on"),
        ended: time(fields, "stopped_on"),
        ..RunConditions::default()
    };
    report
}

fn families(fields: &mut ReportFields<'_>, report: &mut SandboxReport) {
    for family in fields.texts("families") {
        report.add_detection(family, Sandbox::Cuckoo3.to_string());
    }
}

/// Returns a time, which is written as a text, or as `{"__isodt__": "2021-10-15T13:14:15.9"}` in UTC.
fn time(fields: &mut ReportFields<'_>, path: &str) -> Option<RunTime> {
    let value = fields.at(path)?;
    let written = value.get("__isodt__").unwrap_or(value);
    let time = text_of(written).and_then(|text| text.parse::<RunTime>().ok());
    if time.is_none() {
        fields.problem(format!("`{path}` is no date with a time"));
    }
    time.map(RunTime::in_utc)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::read_sandbox_report;
    use super::*;

    #[test]
    fn an_analysis_and_its_task() {
        let analysis = json!({
            "id": "20211015-AB12CD", "kind": "standard", "created_on": {"__isodt__": "2021-10-15T13:14:15.926"},
            "category": "file", "settings": {"timeout": 120},
            "submitted": {"category": "file", "filename": "a.zip", "md5": "0a0882b8da225406cc838991b5f67d11"},
            "target": {"filename": "b.exe", "orig_filename": "b.exe",
                "sha256": "aa2316ff30647295efac2c884b30b6e83a8515c2d2ff1df3c5d6091b404c73a9"}
        });
        let mut report = read_sandbox_report(analysis.to_string().as_bytes()).unwrap();
        assert_eq!((report.sandbox, report.part), (Sandbox::Cuckoo3, ReportPart::Analysis));
        assert_eq!(report.identity.md5, None, "the archive is not the sample");
        assert!(report.identity.sha256.is_some());
        assert_eq!(report.run.started.unwrap().to_string(), "2021-10-15T13:14:15Z");
        for task in [
            json!({"task_id": "20211015-AB12CD_1", "families": ["mirai"], "signatures": []}),
            json!({"id": "20211015-AB12CD_1", "analysis_id": "20211015-AB12CD", "platform": "windows",
                "os_version": "10", "machine": "win10_1", "started_on": "2021-10-15T13:15:00"}),
        ] {
            let task = read_sandbox_report(task.to_string().as_bytes()).unwrap();
            assert_eq!(task.part, ReportPart::Task);
            report.add_task(task);
        }
        assert_eq!(report.detections[0].family, "mirai");
        assert_eq!(report.run.machine.as_deref(), Some("win10_1"));
        assert_eq!(report.run.started.unwrap().to_string(), "2021-10-15T13:15:00Z");
    }

    #[test]
    fn identifiers_have_a_form() {
        for (id, analysis, task) in [
            ("20211015-AB12CD", true, false),
            ("20211015-AB12CD_12", false, true),
            ("2021-AB12CD", false, false),
            ("20211015-AB12CD_", false, false),
            ("20211015-../x_1", false, false),
            ("", false, false),
        ] {
            assert_eq!((has_form(id, 1), has_form(id, 2)), (analysis, task), "{id}");
        }
    }
}

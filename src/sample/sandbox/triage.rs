//! Reports of Triage. An analysis has `overview.json` with the sample's identity, and for each behavioral
//! task a folder with `report_triage.json` and `dump.pcapng`.

use std::net::IpAddr;

use serde_json::Value;

use crate::sample::{RunConditions, RunTime, StaticFeatures};

use super::fields::{ReportFields, below, text_of};
use super::flows::{self, ListedFlow};
use super::report::{ReportPart, Sandbox, SandboxReport};

pub(super) const PATHS: &[&str] = &[
    "sample.id",
    "sample.target",
    "sample.size",
    "sample.md5",
    "sample.sha1",
    "sample.sha256",
    "sample.ssdeep",
    "sample.created",
    "sample.completed",
    "sample.submitted",
    "tasks.*.kind",
    "tasks.*.name",
    "tasks.*.resource",
    "tasks.*.platform",
    "task.target",
    "analysis.family.*",
    "analysis.score",
    "analysis.submitted",
    "analysis.reported",
    "analysis.max_time_network",
    "analysis.resource",
    "analysis.platform",
    "targets.*.family.*",
    "extracted.*.config.family",
    "network.flows.*.src",
    "network.flows.*.dst",
    "network.flows.*.proto",
];

/// Reads `overview.json` or `report_triage.json`; `None` for other texts.
pub(super) fn read(fields: &mut ReportFields<'_>) -> Option<SandboxReport> {
    let is_of_a_sample = fields.has("sample.id") || fields.has("sample.sha256");
    let is_task = fields.has("task") && fields.has("analysis");
    let is_overview = fields.has("tasks") || fields.has("targets");
    if !is_of_a_sample || !(is_task || is_overview) {
        return None;
    }
    let part = if is_overview { ReportPart::Analysis } else { ReportPart::Task };
    let mut report = SandboxReport::new(Sandbox::Triage, part);
    report.read_identity(fields, "sample");
    report.features = StaticFeatures {
        file_name: fields.text("sample.target"),
        size: fields.whole_number("sample.size"),
        ssdeep: fields.text("sample.ssdeep"),
        ..StaticFeatures::default()
    };
    families(fields, &mut report);
    report.run = RunConditions {
        sandbox: Some(Sandbox::Triage.to_string()),
        machine: fields.text("analysis.resource").or_else(|| fields.text("analysis.platform")),
        started: time(fields, &["analysis.submitted", "sample.created", "sample.submitted"]),
        ended: time(fields, &["analysis.reported", "sample.completed"]),
        seconds: fields.whole_number("analysis.max_time_network"),
        ..RunConditions::default()
    };
    if is_overview {
        tasks(fields, &mut report);
    }
    let flows: Vec<ListedFlow> = fields.list("network.flows").into_iter().filter_map(flow).collect();
    flows::add(&mut report, &flows, &[]);
    Some(report)
}

fn families(fields: &mut ReportFields<'_>, report: &mut SandboxReport) {
    for family in fields.texts("analysis.family") {
        report.add_detection(family, "Triage".to_owned());
    }
    for target in fields.list("targets") {
        for family in below(target, "family").and_then(Value::as_array).into_iter().flatten() {
            text_of(family).into_iter().for_each(|family| report.add_detection(family, "Triage".to_owned()));
        }
    }
    for extracted in fields.list("extracted") {
        if let Some(family) = below(extracted, "config.family").and_then(text_of) {
            report.add_detection(family, "Triage (config)".to_owned());
        }
    }
}

/// Reads the tasks, which are a list, or an object in earlier versions.
fn tasks(fields: &mut ReportFields<'_>, report: &mut SandboxReport) {
    let tasks: Vec<(Option<String>, &Value)> = match fields.at("tasks") {
        Some(Value::Array(list)) => list.iter().map(|task| (None, task)).collect(),
        Some(Value::Object(map)) => map.iter().map(|(name, task)| (Some(name.clone()), task)).collect(),
        _ => Vec::new(),
    };
    for (key, task) in tasks {
        let text = |key| below(task, key).and_then(text_of);
        // The key of an object is `<sample>-behavioral1`.
        let name = text("name").or_else(|| key?.rsplit('-').next().map(str::to_owned));
        let Some(name) = name.filter(|_| text("kind").as_deref() != Some("static")) else { continue };
        let machine = text("resource").or_else(|| text("platform"));
        report.tasks.insert(name, RunConditions { machine, ..RunConditions::default() });
    }
}

/// Returns the first of several times that is there, with its time zone.
fn time(fields: &mut ReportFields<'_>, paths: &[&str]) -> Option<RunTime> {
    paths.iter().find_map(|path| fields.text(path)?.parse().ok())
}

/// Returns a flow, whose ends are written as `10.127.0.20:49712` or `[fe80::1]:546`.
fn flow(entry: &Value) -> Option<ListedFlow> {
    let (source, _) = end(below(entry, "src")?.as_str()?)?;
    let (destination, destination_port) = end(below(entry, "dst")?.as_str()?)?;
    let protocol = match below(entry, "proto")?.as_str()? {
        "tcp" => "tcp",
        "udp" => "udp",
        "icmp" => "icmp",
        _ => return None,
    };
    Some(ListedFlow { protocol, source, destination, destination_port })
}

fn end(text: &str) -> Option<(IpAddr, Option<u16>)> {
    if let Ok(address) = text.parse() {
        return Some((address, None));
    }
    let end: std::net::SocketAddr = text.parse().ok()?;
    Some((end.ip(), Some(end.port())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::read_sandbox_report;
    use super::*;

    #[test]
    fn an_overview_and_the_report_of_a_task() {
        let overview = json!({
            "version": "0.2.3",
            "sample": {"id": "200916-abc", "score": 10, "target": "a.elf", "md5": "0a0882b8da225406cc838991b5f67d11",
                "sha256": "aa2316ff30647295efac2c884b30b6e83a8515c2d2ff1df3c5d6091b404c73a9",
                "created": "2020-09-16T08:00:00Z", "completed": "2020-09-16T08:03:00Z"},
            "tasks": [
                {"kind": "static", "name": "static1"},
                {"kind": "behavioral", "name": "behavioral1", "resource": "debian9-mipsbe", "platform": "debian-9_mips"}
            ],
            "analysis": {"score": 10, "family": ["mirai"]},
            "targets": [{"family": ["mirai"]}],
            "extracted": [{"config": {"family": "mirai", "c2": []}}]
        });
        let report = read_sandbox_report(overview.to_string().as_bytes()).unwrap();
        assert_eq!((report.sandbox, report.part), (Sandbox::Triage, ReportPart::Analysis));
        assert_eq!(report.tasks.keys().collect::<Vec<_>>(), ["behavioral1"]);
        assert_eq!(report.tasks["behavioral1"].machine.as_deref(), Some("debian9-mipsbe"));
        assert_eq!(report.detections.len(), 2);
        assert_eq!(report.run.started.unwrap().to_string(), "2020-09-16T08:00:00Z");
        let task = json!({
            "version": "0.2.3", "sample": {"id": "200916-abc"}, "task": {"target": "a.elf"},
            "analysis": {"submitted": "2020-09-16T08:01:00Z", "max_time_network": 150, "resource": "debian9-mipsbe"},
            "network": {"flows": [
                {"src": "10.127.0.20:40000", "dst": "198.51.100.1:23", "proto": "tcp"},
                {"src": "10.127.0.20:40001", "dst": "198.51.100.2:23", "proto": "tcp"},
                {"src": "[fe80::1]:546", "dst": "[ff02::2]:547", "proto": "udp"},
                {"src": 5, "dst": "x", "proto": "tcp"}
            ]}
        });
        let task = read_sandbox_report(task.to_string().as_bytes()).unwrap();
        assert_eq!((task.part, task.run.seconds), (ReportPart::Task, Some(150)));
        assert_eq!(task.victim, Some("10.127.0.20".parse().unwrap()));
        assert_eq!((task.contacts[0].port, task.contacts[0].hosts), (Some(23), 2));
    }

    #[test]
    fn tasks_of_earlier_versions_are_an_object() {
        let overview =
            json!({"sample": {"id": "x"}, "tasks": {"200916-abc-behavioral2": {"kind": "behavioral"}}});
        let report = read_sandbox_report(overview.to_string().as_bytes()).unwrap();
        assert_eq!(report.tasks.keys().collect::<Vec<_>>(), ["behavioral2"]);
        assert!(!report.is_identified());
    }
}

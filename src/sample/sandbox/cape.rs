//! Reports of CAPE and of Cuckoo 1 and 2, which have the same form: `info`, `target`, `signatures`,
//! `network`. CAPE's `lite.json` is the same report without the behavior log.

use serde_json::Value;

use crate::sample::{RunConditions, RunTime, StaticFeatures};

use super::fields::{ReportFields, below, text_of};
use super::flows;
use super::report::{ReportPart, Sandbox, SandboxReport};

pub(super) const PATHS: &[&str] = &[
    "info.version",
    "info.started",
    "info.ended",
    "info.duration",
    "info.package",
    "info.timeout",
    "info.route",
    "info.machine.name",
    "info.machine.label",
    "target.category",
    "target.url",
    // Some versions write a list of names.
    "target.file.name.*",
    "target.file.type",
    "target.file.size",
    "target.file.md5",
    "target.file.sha1",
    "target.file.sha256",
    "target.file.ssdeep",
    "target.file.tlsh",
    "target.file.rh_hash",
    "target.file.pe.imphash",
    "target.file.yara.*.name",
    "target.file.cape_yara.*.name",
    "target.file.clamav.*",
    "target.file.virustotal.results.*.vendor",
    "target.file.virustotal.results.*.sig",
    "target.file.virustotal.scans.*.result",
    "static.pe.imphash",
    "static.pe_imphash",
    "virustotal.results.*.vendor",
    "virustotal.results.*.sig",
    "virustotal.scans.*.result",
    "detections.*.family",
    "detections.*.details.*.*",
    "malfamily",
    "signatures.*.name",
    "signatures.*.families.*",
    "CAPE.configs.*.*",
];

/// Reads a report; `None` if it is of another kind.
pub(super) fn read(fields: &mut ReportFields<'_>) -> Option<SandboxReport> {
    let is_object = |path| fields.at(path).is_some_and(Value::is_object);
    if !is_object("info") || !is_object("target") {
        return None;
    }
    let version = fields.text("info.version");
    let is_cape = fields.has("CAPE") || version.as_ref().is_some_and(|version| version.contains("CAPE"));
    let sandbox = if is_cape { Sandbox::Cape } else { Sandbox::Cuckoo };
    let mut report = SandboxReport::new(sandbox, ReportPart::Whole);
    report.run = conditions(fields, sandbox, version);
    match fields.text("target.category").as_deref() {
        Some("url") => fields.problem("the analysis is of a URL, not of a file".to_owned()),
        _ => report.read_identity(fields, "target.file"),
    }
    report.features = features(fields);
    families(fields, &mut report);
    vendors(fields, &mut report);
    report.capture_sha256 = fields.hash("network.pcap_sha256", 64);
    flows::read(fields, &mut report);
    Some(report)
}

fn conditions(fields: &mut ReportFields<'_>, sandbox: Sandbox, version: Option<String>) -> RunConditions {
    let name = match version {
        // CAPE writes its version as `2.4-CAPE`.
        Some(version) => format!("{sandbox} {}", version.trim_end_matches("-CAPE")),
        None => sandbox.to_string(),
    };
    let machine = match fields.at("info.machine") {
        Some(Value::Object(_)) => {
            fields.text("info.machine.name").or_else(|| fields.text("info.machine.label"))
        }
        _ => fields.text("info.machine"),
    };
    RunConditions {
        sandbox: Some(name),
        machine,
        // CAPE writes `false` for no route.
        route: match fields.at("info.route") {
            Some(Value::Bool(_)) => None,
            _ => fields.text("info.route").filter(|route| route != "false"),
        },
        package: fields.text("info.package"),
        started: time(fields, "info.started"),
        ended: time(fields, "info.ended"),
        seconds: fields.whole_number("info.duration"),
        timed_out: fields.at("info.timeout").and_then(Value::as_bool),
    }
}

/// Returns a time. CAPE writes `2021-03-23 12:38:26` without a time zone, Cuckoo 2 seconds since 1970.
fn time(fields: &mut ReportFields<'_>, path: &str) -> Option<RunTime> {
    let value = fields.at(path)?;
    let time = match value {
        Value::Number(seconds) => seconds.as_f64().and_then(RunTime::of_epoch),
        other => text_of(other).and_then(|text| text.parse().ok()),
    };
    if time.is_none() {
        fields.problem(format!("`{path}` is no date with a time"));
    }
    time
}

fn features(fields: &mut ReportFields<'_>) -> StaticFeatures {
    let imphash = ["target.file.pe.imphash", "static.pe.imphash", "static.pe_imphash"];
    let yara = ["target.file.yara", "target.file.cape_yara"];
    let named = |entry: &Value| below(entry, "name").and_then(text_of);
    StaticFeatures {
        file_name: fields.text("target.file.name"),
        file_type: fields.text("target.file.type"),
        size: fields.whole_number("target.file.size"),
        ssdeep: fields.text("target.file.ssdeep"),
        tlsh: fields.text("target.file.tlsh"),
        imphash: imphash
            .into_iter()
            .find_map(|path| fields.has(path).then(|| fields.hash(path, 32)).flatten()),
        rich_hash: fields.hash("target.file.rh_hash", 32),
        yara: yara.into_iter().flat_map(|path| fields.list(path)).filter_map(named).take(100).collect(),
    }
}

/// Adds the families that the report names.
fn families(fields: &mut ReportFields<'_>, report: &mut SandboxReport) {
    let sandbox = report.sandbox;
    // CAPE 2.4 writes a list, earlier versions a text here or in `malfamily`.
    match fields.at("detections") {
        Some(Value::Array(detections)) => {
            for detection in detections {
                let Some(family) = below(detection, "family").and_then(text_of) else { continue };
                let mut reasons = Vec::new();
                for detail in below(detection, "details").and_then(Value::as_array).into_iter().flatten() {
                    reasons
                        .extend(detail.as_object().into_iter().flatten().map(|(reason, _)| reason.as_str()));
                }
                let reasons = reasons.into_iter().next().map(|reason| format!(" ({reason})"));
                report.add_detection(family, format!("{sandbox}{}", reasons.unwrap_or_default()));
            }
        }
        Some(Value::String(family)) => report.add_detection(family.clone(), sandbox.to_string()),
        Some(_) => fields.problem("`detections` is neither a list nor a text".to_owned()),
        None => {}
    }
    if let Some(family) = fields.text("malfamily") {
        report.add_detection(family, sandbox.to_string());
    }
    for entry in fields.list("target.file.cape_yara") {
        if let Some(family) = below(entry, "name").and_then(text_of) {
            report.add_detection(family, "CAPE (Yara)".to_owned());
        }
    }
    for config in fields.at("CAPE.configs").and_then(Value::as_array).into_iter().flatten() {
        // The keys are the families; those with an underscore are remarks.
        for (family, _) in config.as_object().into_iter().flatten().filter(|(key, _)| !key.starts_with('_')) {
            report.add_detection(family.clone(), "CAPE (Config)".to_owned());
        }
    }
    for signature in fields.list("signatures") {
        let name = below(signature, "name").and_then(text_of).unwrap_or_default();
        for family in below(signature, "families").and_then(Value::as_array).into_iter().flatten() {
            if let Some(family) = text_of(family) {
                report.add_detection(family, format!("{sandbox} (signature {name})"));
            }
        }
    }
}

/// Adds the vendors' names: VirusTotal's answer, in the forms of several versions, and ClamAV's.
fn vendors(fields: &mut ReportFields<'_>, report: &mut SandboxReport) {
    for place in ["target.file.virustotal", "virustotal"] {
        let results = fields.at(&format!("{place}.results")).and_then(Value::as_array);
        for result in results.into_iter().flatten() {
            let text = |key| below(result, key).and_then(text_of);
            if let (Some(vendor), Some(name)) = (text("vendor"), text("sig")) {
                report.add_name(vendor, name);
            }
        }
        let scans = fields.at(&format!("{place}.scans")).and_then(Value::as_object);
        for (vendor, scan) in scans.into_iter().flatten() {
            if let Some(name) = below(scan, "result").and_then(text_of) {
                report.add_name(vendor.chars().take(60).collect(), name);
            }
        }
    }
    if let Some(name) = fields.texts("target.file.clamav").into_iter().next() {
        report.add_name("ClamAV".to_owned(), name);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{ListedContact, SandboxError, read_sandbox_report};
    use super::*;

    fn read_json(value: &Value) -> Result<SandboxReport, SandboxError> {
        read_sandbox_report(value.to_string().as_bytes())
    }

    fn cape() -> Value {
        json!({
            "CAPE": {"payloads": [], "configs": [{"Emotet": {"C2": ["192.0.2.1"]}, "_associated": {}}]},
            "info": {
                "version": "2.4-CAPE", "started": "2023-10-14 14:29:49", "ended": "2023-10-14 14:38:01",
                "duration": 492, "package": "exe", "timeout": true, "route": "tor",
                "machine": {"name": "win7_2", "label": "win7_2"}, "id": 7
            },
            "target": {"category": "file", "file": {
                "name": "a.exe", "type": "PE32 executable (GUI) Intel 80386", "size": 61440, "md5": "0A0882B8DA225406CC838991B5F67D11", "sha1": null,
                "sha256": "aa2316ff30647295efac2c884b30b6e83a8515c2d2ff1df3c5d6091b404c73a9",
                "ssdeep": "3:a:b", "tlsh": "T1AA", "pe": {"imphash": "c8b547bc71aff83bbc3cfaab1f45ae47"},
                "yara": [{"name": "UPX"}], "cape_yara": [{"name": "Emotet"}], "clamav": ["Win.Trojan.Emotet-1"],
                "virustotal": {"results": [{"vendor": "V", "sig": "Trojan.Emotet"}, {"vendor": "W", "sig": null}]}
            }},
            "detections": [{"family": "Emotet", "details": [{"Yara": "aa23"}]}],
            "signatures": [{"name": "ransomware_extensions", "families": ["SunCrypt"]}, {"name": "x", "families": []}],
            "network": {
                "pcap_sha256": "05d26588c840d5c5f9f09b4a97f7b2c08533fde091d1c329f4aaeb8d32b5cd05",
                "tcp": [
                    {"src": "192.0.2.9", "sport": 1025, "dst": "198.51.100.1", "dport": 445},
                    {"src": "behavior", "sport": 0, "dst": "198.51.100.7", "dport": 80}
                ],
                "udp": [
                    {"src": "0.0.0.0", "sport": 68, "dst": "255.255.255.255", "dport": 67},
                    {"src": "192.0.2.9", "sport": 1026, "dst": "192.0.2.1", "dport": 53}
                ],
                "icmp": [{"src": "192.0.2.1", "dst": "192.0.2.9", "type": 3}],
                "dead_hosts": [["198.51.100.2", 445], ["198.51.100.1", 445], ["192.0.2.9", 1025]]
            }
        })
    }

    #[test]
    fn a_report_of_cape() {
        let report = read_json(&cape()).unwrap();
        assert_eq!((report.sandbox, report.part), (Sandbox::Cape, ReportPart::Whole));
        assert_eq!(report.identity.id(), "0a0882b8da225406cc838991b5f67d11");
        assert_eq!(report.features.yara, ["UPX", "Emotet"]);
        assert_eq!(report.features.file_type.as_deref(), Some("PE32 executable (GUI) Intel 80386"));
        assert_eq!(report.features.size, Some(61_440));
        assert_eq!(report.features.imphash.as_deref(), Some("c8b547bc71aff83bbc3cfaab1f45ae47"));
        let detections: Vec<String> =
            report.detections.iter().map(|one| format!("{} by {}", one.family, one.source)).collect();
        assert_eq!(
            detections,
            [
                "Emotet by CAPE (Yara)",
                "Emotet by CAPE (Config)",
                "SunCrypt by CAPE (signature ransomware_extensions)"
            ]
        );
        assert_eq!(report.names.keys().collect::<Vec<_>>(), ["ClamAV", "V"]);
        let run = &report.run;
        assert_eq!(run.sandbox.as_deref(), Some("CAPE 2.4"));
        assert_eq!(run.started.unwrap().to_string(), "2023-10-14T14:29:49");
        assert_eq!((run.seconds, run.timed_out, run.route.as_deref()), (Some(492), Some(true), Some("tor")));
        assert_eq!(report.victim, Some("192.0.2.9".parse().unwrap()));
        let scanned = ListedContact { protocol: "tcp", port: Some(445), hosts: 2 };
        assert_eq!(report.contacts[0], scanned);
        assert_eq!(report.contacts.len(), 2, "{:?}", report.contacts);
        assert_eq!(report.problems, Vec::<String>::new());
    }

    #[test]
    fn forms_of_other_versions() {
        let mut old = cape();
        old["detections"] = json!("Emotet");
        old["malfamily"] = json!("Heodo");
        old["static"] = json!({"pe": {"imphash": "a6b89158b581eb88c91713204935b7fe"}});
        old["target"]["file"]["pe"] = Value::Null;
        old["virustotal"] = json!({"scans": {"X": {"result": "Worm.A"}, "Y": {"result": null}}});
        let report = read_json(&old).unwrap();
        assert_eq!(
            (report.detections[0].family.as_str(), report.detections[1].family.as_str()),
            ("Emotet", "Heodo")
        );
        assert_eq!(report.features.imphash.as_deref(), Some("a6b89158b581eb88c91713204935b7fe"));
        assert_eq!(report.names["X"], "Worm.A");
        let cuckoo = json!({
            "info": {"version": "2.0.7", "started": 1_472_165_098.9, "duration": 66, "machine": "cuckoo1", "route": false},
            "target": {"category": "file", "file": {"md5": "0a0882b8da225406cc838991b5f67d11"}},
            "static": {"pe_imphash": "a6b89158b581eb88c91713204935b7fe"}, "signatures": [], "network": {}
        });
        let report = read_json(&cuckoo).unwrap();
        assert_eq!((report.sandbox, report.run.machine.as_deref()), (Sandbox::Cuckoo, Some("cuckoo1")));
        assert_eq!(report.run.started.unwrap().to_string(), "2016-08-25T22:44:58Z");
        assert_eq!((report.victim, report.run.route), (None, None));
    }

    #[test]
    fn fields_of_wrong_types_are_named_and_the_others_are_read() {
        let mut odd = cape();
        odd["info"]["started"] = json!({"day": 1});
        odd["info"]["package"] = json!([1]);
        odd["target"]["file"]["sha256"] = json!("../../etc/passwd");
        odd["detections"] = json!(7);
        odd["signatures"] = json!("none");
        odd["network"]["tcp"] = json!({"a": 1});
        let report = read_json(&odd).unwrap();
        assert_eq!(report.identity.id(), "0a0882b8da225406cc838991b5f67d11");
        assert_eq!(report.identity.sha256, None);
        for field in
            ["info.started", "info.package", "target.file.sha256", "detections", "signatures", "network.tcp"]
        {
            assert!(
                report.problems.iter().any(|problem| problem.contains(&format!("`{field}`"))),
                "{field}: {:?}",
                report.problems
            );
        }
        let cut = cape().to_string();
        let at = cut.find("\"network\"").unwrap();
        let report = read_sandbox_report(&cut.as_bytes()[..at]);
        assert!(report.is_ok() || !cut[..at].contains("target"), "{report:?}");
    }
}

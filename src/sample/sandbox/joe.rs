//! Reports of Joe Sandbox (`report.json`), in which everything lies below `analysis`.

use jiff::civil::{Date, DateTime, Time};
use serde_json::Value;

use crate::sample::{RunConditions, RunTime, StaticFeatures};

use super::fields::{ReportFields, below, text_of};
use super::flows::{self, ListedFlow};
use super::report::{ReportPart, Sandbox, SandboxReport};

pub(super) const PATHS: &[&str] = &[
    "analysis.generalinfo.version",
    "analysis.generalinfo.startdate",
    "analysis.generalinfo.starttime",
    "analysis.generalinfo.duration",
    "analysis.generalinfo.systemdescr",
    "analysis.generalinfo.cookbookname",
    "analysis.generalinfo.target.sample",
    "analysis.generalinfo.target.url",
    "analysis.fileinfo.filename",
    "analysis.fileinfo.filesize",
    "analysis.fileinfo.md5",
    "analysis.fileinfo.sha1",
    "analysis.fileinfo.sha256",
    "analysis.fileinfo.ssdeep",
    "analysis.fileinfo.pe.imphash",
    "analysis.threatname",
    "analysis.generalinfo.threatname",
    "analysis.signaturedetections.strategy.*.threatname",
    "analysis.behavior.network.tcp.packet.*.srcip",
    "analysis.behavior.network.tcp.packet.*.dstip",
    "analysis.behavior.network.tcp.packet.*.srcport",
    "analysis.behavior.network.tcp.packet.*.dstport",
    "analysis.behavior.network.udp.packet.*.srcip",
    "analysis.behavior.network.udp.packet.*.dstip",
    "analysis.behavior.network.udp.packet.*.srcport",
    "analysis.behavior.network.udp.packet.*.dstport",
];

/// Reads a report; `None` if it is of another kind.
pub(super) fn read(fields: &mut ReportFields<'_>) -> Option<SandboxReport> {
    if !fields.has("analysis.generalinfo") && !fields.has("analysis.fileinfo") {
        return None;
    }
    let mut report = SandboxReport::new(Sandbox::Joe, ReportPart::Whole);
    report.read_identity(fields, "analysis.fileinfo");
    if !report.is_identified() && fields.text("analysis.generalinfo.target.url").is_some() {
        fields.problem("the analysis is of a URL, not of a file".to_owned());
    }
    let name = fields.text("analysis.fileinfo.filename");
    report.features = StaticFeatures {
        file_name: name.or_else(|| fields.text("analysis.generalinfo.target.sample")),
        size: fields.whole_number("analysis.fileinfo.filesize"),
        ssdeep: fields.text("analysis.fileinfo.ssdeep"),
        imphash: fields.hash("analysis.fileinfo.pe.imphash", 32),
        ..StaticFeatures::default()
    };
    for place in ["analysis.threatname", "analysis.generalinfo.threatname"] {
        fields.text(place).into_iter().for_each(|name| threats(&name, &mut report));
    }
    let strategies = fields.at("analysis.signaturedetections.strategy").and_then(Value::as_array);
    for strategy in strategies.into_iter().flatten() {
        below(strategy, "threatname")
            .and_then(text_of)
            .into_iter()
            .for_each(|name| threats(&name, &mut report));
    }
    report.run = conditions(fields);
    let mut found: Vec<ListedFlow> = Vec::new();
    for protocol in ["tcp", "udp"] {
        let packets = fields.at(&format!("analysis.behavior.network.{protocol}.packet"));
        for packet in packets.and_then(Value::as_array).into_iter().flatten() {
            found.extend(flows::flow(packet, protocol, ["srcip", "srcport", "dstip", "dstport"]));
        }
    }
    flows::add(&mut report, &found, &[]);
    Some(report)
}

/// Adds the families of a text such as `Mirai, Gafgyt`.
fn threats(names: &str, report: &mut SandboxReport) {
    for name in names.split(',').map(str::trim) {
        report.add_detection(name.to_owned(), Sandbox::Joe.to_string());
    }
}

fn conditions(fields: &mut ReportFields<'_>) -> RunConditions {
    let version = fields.text("analysis.generalinfo.version").map(|version| format!(" {version}"));
    RunConditions {
        sandbox: Some(format!("{}{}", Sandbox::Joe, version.unwrap_or_default())),
        machine: fields.text("analysis.generalinfo.systemdescr"),
        package: fields.text("analysis.generalinfo.cookbookname"),
        started: started(fields),
        seconds: fields.text("analysis.generalinfo.duration").and_then(|text| duration(&text)),
        ..RunConditions::default()
    }
}

/// Returns the time of the start, which is written as `24/06/2019` and `13:34:16` without a time zone.
fn started(fields: &mut ReportFields<'_>) -> Option<RunTime> {
    let date = fields.text("analysis.generalinfo.startdate")?;
    let time = fields.text("analysis.generalinfo.starttime").unwrap_or_else(|| "00:00:00".to_owned());
    let date: Option<Date> = match date.split('/').collect::<Vec<_>>().as_slice() {
        [day, month, year] => day
            .parse()
            .ok()
            .zip(month.parse().ok())
            .zip(year.parse().ok())
            .and_then(|((day, month), year)| Date::new(year, month, day).ok()),
        _ => date.parse().ok(),
    };
    let parsed = date.zip(time.parse::<Time>().ok()).map(|(date, time)| DateTime::from_parts(date, time));
    if parsed.is_none() {
        fields.problem("`analysis.generalinfo.startdate` is no date like 24/06/2019".to_owned());
    }
    parsed.map(RunTime::without_zone)
}

/// Returns the seconds of a duration like `0h 4m 51s`.
fn duration(text: &str) -> Option<u64> {
    let mut seconds = 0u64;
    for part in text.split_whitespace() {
        let unit = part.chars().last()?;
        let number: u64 = part.strip_suffix(unit)?.parse().ok()?;
        let factor = match unit {
            'd' => 86_400,
            'h' => 3_600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        seconds = seconds.checked_add(number.checked_mul(factor)?)?;
    }
    Some(seconds)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::read_sandbox_report;
    use super::*;

    #[test]
    fn a_report_of_joe_sandbox() {
        let report = json!({"analysis": {
            "generalinfo": {"version": "26.0.0", "startdate": "24/06/2019", "starttime": "13:34:16",
                "duration": "0h 4m 51s", "systemdescr": "Windows 7", "target": {"sample": "a.exe", "url": ""}},
            "fileinfo": {"filename": "a.exe", "md5": "0a0882b8da225406cc838991b5f67d11",
                "pe": {"imphash": "c8b547bc71aff83bbc3cfaab1f45ae47"}},
            "signaturedetections": {"strategy": [{"@name": "empiric", "threatname": "Mirai, Gafgyt"}]},
            "behavior": {"network": {"tcp": {"packet": [
                {"srcip": "192.168.2.5", "dstip": "198.51.100.1", "srcport": "49163", "dstport": "23"},
                {"srcip": "198.51.100.2", "dstip": "192.168.2.5", "srcport": "23", "dstport": "49164"}
            ]}}}
        }});
        let report = read_sandbox_report(report.to_string().as_bytes()).unwrap();
        assert_eq!((report.sandbox, report.part), (Sandbox::Joe, ReportPart::Whole));
        assert_eq!(
            report.detections.iter().map(|one| one.family.as_str()).collect::<Vec<_>>(),
            ["Mirai", "Gafgyt"]
        );
        assert_eq!(report.run.started.unwrap().to_string(), "2019-06-24T13:34:16");
        assert_eq!((report.run.seconds, report.victim), (Some(291), Some("192.168.2.5".parse().unwrap())));
        assert_eq!(report.contacts.len(), 1);
    }

    #[test]
    fn durations_are_written_in_units() {
        let tests = [
            ("1d 2h 3m 4s", Some(93_784)),
            ("5s", Some(5)),
            ("x", None),
            ("5", None),
            ("9999999999999999999d", None),
        ];
        for (text, seconds) in tests {
            assert_eq!(duration(text), seconds, "{text}");
        }
    }
}

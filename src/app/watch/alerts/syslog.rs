//! Alerts as messages of syslog (RFC 5424), whose text is a sentence or a line in the Common Event Format.

use serde::Deserialize;

use crate::escape::escape_hidden;
use crate::incident::{Alert, AlertKind};
use crate::packet::Timestamp;

/// Priority of syslog: facility local0 (16), severity warning (4).
const PRIORITY: u32 = 16 * 8 + 4;
/// More alerts at once are one message.
const MESSAGES_MAX: usize = 5;
/// The kind of the message that stands for many alerts.
const DIGEST: &str = "digest";

/// The form of the text of a message of syslog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyslogFormat {
    /// A sentence.
    #[default]
    Text,
    /// ArcSight's Common Event Format, version 0.
    Cef,
}

/// Returns the syslog messages of alerts that are sent together. `summary` is one sentence about all of these alerts.
pub(super) fn messages(alerts: &[Alert], summary: &str, format: SyslogFormat) -> Vec<String> {
    match alerts.first() {
        Some(first) if alerts.len() > MESSAGES_MAX => {
            let text = match format {
                SyslogFormat::Text => escape_hidden(summary),
                SyslogFormat::Cef => cef(
                    DIGEST,
                    summary,
                    severity(AlertKind::OwnNetwork),
                    &[("cnt", alerts.len().to_string())],
                    first.at,
                ),
            };
            vec![message(first.at, DIGEST, "-", &text)]
        }
        _ => alerts.iter().map(|alert| alert_message(alert, format)).collect(),
    }
}

fn alert_message(alert: &Alert, format: SyslogFormat) -> String {
    let mut data = format!("[inga@32473 key=\"{}\"", parameter(&alert.key));
    let incident = alert.incident.map(|number| number.to_string());
    let host = alert.host.map(|host| host.to_string());
    let fields = [
        ("incident", incident),
        ("sensor", alert.sensor.clone()),
        ("host", host),
        ("network", alert.network.clone()),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            data.push_str(&format!(" {name}=\"{}\"", parameter(&value)));
        }
    }
    data.push(']');
    let text = match format {
        SyslogFormat::Text => escape_hidden(&alert.message),
        SyslogFormat::Cef => alert_cef(alert),
    };
    message(alert.at, alert.kind.word(), &data, &text)
}

/// Returns a message with a text that has no hidden characters.
fn message(at: Timestamp, kind: &str, data: &str, text: &str) -> String {
    let process = std::process::id();
    format!("<{PRIORITY}>1 {} - inga {process} {kind} {data} {text}", at.whole_seconds())
}

/// Escapes a value of structured data.
fn parameter(value: &str) -> String {
    escape_hidden(value).replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]")
}

fn alert_cef(alert: &Alert) -> String {
    let mut fields = vec![("externalId", alert.key.clone())];
    if let Some(host) = alert.host {
        let is_four = host.is_ipv4();
        // `src` is an IPv4 address, and the first of four fields for IPv6 addresses is the source by convention.
        if !is_four {
            fields.push(("c6a2Label", "Source IPv6 Address".to_owned()));
        }
        fields.push((if is_four { "src" } else { "c6a2" }, host.to_string()));
    }
    if let Some(sensor) = &alert.sensor {
        fields.extend([("cs1Label", "sensor".to_owned()), ("cs1", sensor.clone())]);
    }
    if let Some(network) = &alert.network {
        fields.extend([("cs2Label", "network".to_owned()), ("cs2", network.clone())]);
    }
    if let Some(incident) = alert.incident {
        fields.extend([("cn1Label", "incident".to_owned()), ("cn1", incident.to_string())]);
    }
    cef(alert.kind.word(), &alert.message, severity(alert.kind), &fields, alert.at)
}

/// Returns the severity of a kind of alert, 0 to 10.
fn severity(kind: AlertKind) -> u8 {
    match kind {
        AlertKind::OwnNetwork => 8,
        AlertKind::CauseLikely => 7,
        AlertKind::IncidentOpened => 6,
        AlertKind::SensorSilent => 5,
        AlertKind::CaptureLoss => 4,
    }
}

/// Returns a line in the Common Event Format. The kind is both the class of the event and its name.
fn cef(kind: &str, text: &str, severity: u8, fields: &[(&str, String)], at: Timestamp) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut line = format!("CEF:0|inga|inga|{version}|{kind}|{}|{severity}|", header_field(kind));
    line.push_str(&format!("rt={}", at.0.div_euclid(1_000_000)));
    for (name, value) in fields {
        line.push_str(&format!(" {name}={}", extension_value(value)));
    }
    line.push_str(&format!(" msg={}", extension_value(text)));
    line
}

/// Escapes a field of the header.
fn header_field(value: &str) -> String {
    escape_hidden(value).replace('\\', "\\\\").replace('|', "\\|")
}

/// Escapes a value of the extension.
fn extension_value(value: &str) -> String {
    escape_hidden(value).replace('\\', "\\\\").replace('=', "\\=")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert() -> Alert {
        Alert {
            key: "silent/x".to_owned(),
            kind: AlertKind::SensorSilent,
            at: Timestamp(1_236_000_000_000_000_000),
            message: "sensor \u{202e}x=1|2".to_owned(),
            incident: None,
            sensor: Some("a\"]b\n".to_owned()),
            host: None,
            network: None,
        }
    }

    #[test]
    fn a_message_is_as_rfc_5424_says_whatever_names_contain() {
        let process = std::process::id();
        assert_eq!(
            messages(&[alert()], "", SyslogFormat::Text),
            [format!(
                "<132>1 2009-03-02T13:20:00.000000000Z - inga {process} sensor-silent [inga@32473 key=\"silent/x\" \
                 sensor=\"a\\\"\\]b\\\\u{{a}}\"] sensor \\u{{202e}}x=1|2"
            )]
        );
    }

    #[test]
    fn the_common_event_format_has_a_header_of_seven_fields_and_escaped_values() {
        let alert = Alert {
            incident: Some(7),
            host: Some([192, 0, 2, 1].into()),
            network: Some("HQ\\=a".to_owned()),
            ..alert()
        };
        let line = messages(std::slice::from_ref(&alert), "", SyslogFormat::Cef).remove(0);
        let (head, line) =
            line.split_once("] ").map(|(_, rest)| rest.split_at(rest.find("rt=").unwrap())).unwrap();
        let version = env!("CARGO_PKG_VERSION");
        assert!(
            head.ends_with(&format!("CEF:0|inga|inga|{version}|sensor-silent|sensor-silent|5|")),
            "{head}"
        );
        assert_eq!(
            line,
            "rt=1236000000000 externalId=silent/x src=192.0.2.1 cs1Label=sensor cs1=a\"]b\\\\u{a} cs2Label=network \
             cs2=HQ\\\\\\=a cn1Label=incident cn1=7 msg=sensor \\\\u{202e}x\\=1|2"
        );
        let six = vec![alert; 6];
        let digest = messages(&six, "6 alerts", SyslogFormat::Cef);
        assert_eq!(digest.len(), 1);
        assert!(digest[0].ends_with("|digest|digest|8|rt=1236000000000 cnt=6 msg=6 alerts"), "{digest:?}");
    }
}

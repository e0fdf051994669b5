//! Metrics in the text format of Prometheus.

use std::fmt::Write as _;

use crate::incident::{HealthCondition, Incident, IncidentState, SensorHealth};

/// What metrics are made of.
pub struct Metrics<'a> {
    /// The health of each sensor.
    pub healths: &'a [SensorHealth],
    /// All incidents.
    pub incidents: &'a [Incident],
    /// Number of alerts that are still to be sent.
    pub deliveries: u64,
}

impl Metrics<'_> {
    /// Returns the metrics.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        let healths = self.healths;
        let newest = |health: &SensorHealth| health.last_packet.map(|time| seconds(time.0));
        each(&mut out, "inga_packets_total", "counter", "Packets to dark addresses.", healths, |one| {
            Some(one.packets.to_string())
        });
        let help = "Time of the newest packet, in seconds since 1970.";
        each(&mut out, "inga_last_packet_timestamp_seconds", "gauge", help, healths, newest);
        let help = "Seconds from the time of the newest packet until it was stored.";
        each(&mut out, "inga_lag_seconds", "gauge", help, healths, |one| {
            one.lag_seconds.map(|lag| lag.to_string())
        });
        let help = "Share of the packets of the last day that the recorder lost.";
        each(&mut out, "inga_capture_loss_ratio", "gauge", help, healths, |one| {
            one.loss.map(|loss| loss.to_string())
        });
        let help = "Windows of hosts that are still open.";
        each(&mut out, "inga_open_windows", "gauge", help, healths, |one| count(one.open_windows));
        let help = "Segment files in which the rows of the sensor lie.";
        each(&mut out, "inga_segments", "gauge", help, healths, |one| count(one.segments));
        self.conditions(&mut out);
        self.incidents(&mut out);
        head(&mut out, "inga_alerts_waiting", "gauge", "Deliveries of alerts that are still to be sent.");
        let _ = writeln!(out, "inga_alerts_waiting {}", self.deliveries);
        if let Some(at) = healths.iter().map(|health| health.at).max() {
            let help = "When these metrics were determined, in seconds since 1970.";
            head(&mut out, "inga_updated_timestamp_seconds", "gauge", help);
            let _ = writeln!(out, "inga_updated_timestamp_seconds {}", seconds(at.0));
        }
        out
    }

    fn conditions(&self, out: &mut String) {
        let all = [
            HealthCondition::Silent,
            HealthCondition::Late,
            HealthCondition::Lossy,
            HealthCondition::WrongClock,
            HealthCondition::Unreadable,
            HealthCondition::DiskNearlyFull,
        ];
        head(out, "inga_sensor_condition", "gauge", "1 if something is wrong with a sensor's recording.");
        for health in self.healths {
            for condition in all {
                let holds = u8::from(health.conditions.contains(&condition));
                let (sensor, word) = (label(&health.sensor), condition.word());
                let _ = writeln!(
                    out,
                    "inga_sensor_condition{{sensor=\"{sensor}\",condition=\"{word}\"}} {holds}"
                );
            }
        }
    }

    fn incidents(&self, out: &mut String) {
        let states =
            [IncidentState::New, IncidentState::Seen, IncidentState::Explained, IncidentState::Closed];
        head(out, "inga_incidents", "gauge", "Incidents by state, and whether their surges last.");
        for state in states {
            for lasts in [true, false] {
                let is = |one: &&Incident| one.state == state && one.ended.is_none() == lasts;
                let (word, count) = (state.word(), self.incidents.iter().filter(is).count());
                let _ = writeln!(out, "inga_incidents{{state=\"{word}\",lasts=\"{lasts}\"}} {count}");
            }
        }
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// Writes a metric of each sensor that has a value.
fn each(
    out: &mut String,
    name: &str,
    kind: &str,
    help: &str,
    healths: &[SensorHealth],
    value: impl Fn(&SensorHealth) -> Option<String>,
) {
    head(out, name, kind, help);
    for health in healths {
        if let Some(value) = value(health) {
            let _ = writeln!(out, "{name}{{sensor=\"{}\"}} {value}", label(&health.sensor));
        }
    }
}

fn count(value: Option<u64>) -> Option<String> {
    value.map(|value| value.to_string())
}

/// Returns nanoseconds as seconds with three decimals.
fn seconds(nanoseconds: i64) -> String {
    let millis = nanoseconds.div_euclid(1_000_000);
    format!("{}{}.{:03}", if millis < 0 { "-" } else { "" }, millis.abs() / 1000, millis.abs() % 1000)
}

/// Escapes the value of a label.
fn label(value: &str) -> String {
    crate::escape::escape_hidden(value).replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Timestamp;

    #[test]
    fn each_line_is_help_type_or_a_sample_with_one_value() {
        let health = SensorHealth {
            sensor: "a\"b\n".to_owned(),
            at: Timestamp(2_500_000_000),
            last_packet: Some(Timestamp(1_500_000_000)),
            lag_seconds: Some(1.0),
            loss: None,
            packets: 7,
            open_windows: Some(3),
            segments: None,
            conditions: vec![HealthCondition::Late],
            error: None,
        };
        let text = Metrics { healths: &[health], incidents: &[], deliveries: 2 }.text();
        for line in text.lines() {
            let sample = line.split_once("# ").is_some()
                || line
                    .rsplit_once(' ')
                    .is_some_and(|(name, value)| name.starts_with("inga_") && value.parse::<f64>().is_ok());
            assert!(sample, "{line}");
        }
        let has = |line: &str| text.lines().any(|known| known == line);
        assert!(has("inga_packets_total{sensor=\"a\\\"b\\\\u{a}\"} 7"), "{text}");
        assert!(has("inga_sensor_condition{sensor=\"a\\\"b\\\\u{a}\",condition=\"late\"} 1"), "{text}");
        assert!(has("inga_last_packet_timestamp_seconds{sensor=\"a\\\"b\\\\u{a}\"} 1.500"), "{text}");
        assert!(
            has("inga_open_windows{sensor=\"a\\\"b\\\\u{a}\"} 3") && !text.contains("segments{"),
            "{text}"
        );
        assert!(has("inga_alerts_waiting 2") && !text.contains("loss_ratio{"), "{text}");
    }
}

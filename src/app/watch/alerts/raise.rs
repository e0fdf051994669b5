//! Alerts about incidents and sensors.

use crate::app::incidents::UpdatedIncident;
use crate::incident::{Alert, AlertKind, ChangeKind, HealthCondition, Incident, SensorHealth};
use crate::packet::Timestamp;

/// The verdict that is reported at once.
const LIKELY: &str = "likely";

/// Returns the alerts about an incident that was opened or whose cause became likely. One that has ended already, as
/// after a stop of weeks, raises none.
pub(in crate::app::watch) fn incident_alerts(updated: &UpdatedIncident, at: Timestamp) -> Vec<Alert> {
    let incident = &updated.incident;
    if incident.ended.is_some() {
        return Vec::new();
    }
    updated.new_changes().filter_map(|what| incident_alert(incident, what, at)).collect()
}

fn incident_alert(incident: &Incident, what: &ChangeKind, at: Timestamp) -> Option<Alert> {
    let number = incident.number;
    let behavior = match incident.title.service {
        Some((protocol, port)) => crate::history::SurgeBehavior::Service(protocol, port).notation(),
        None => incident.title.behavior.notation(),
    };
    let (kind, key, message) = match what {
        ChangeKind::Opened => {
            let sensors: Vec<&str> = incident.sensors.iter().map(|row| row.sensor.as_str()).collect();
            let since = incident.first().map_or_else(String::new, |day| format!(" since {day}"));
            let hosts = incident.hosts();
            let message = format!(
                "incident {number} opened: {behavior}, {hosts} hosts{since}, at {}",
                sensors.join(", ")
            );
            (AlertKind::IncidentOpened, format!("incident/{number}/opened"), message)
        }
        ChangeKind::Cause { family, probability, verdict } if verdict == LIKELY => {
            let percent = 100.0 * probability;
            let message =
                format!("incident {number}: {behavior}: {family} is the likely cause ({percent:.0} %)");
            (AlertKind::CauseLikely, format!("incident/{number}/likely/{family}"), message)
        }
        _ => return None,
    };
    let (sensor, host, network) = (None, None, None);
    Some(Alert { key, kind, at, message, incident: Some(number), sensor, host, network })
}

/// Returns the alerts about the health of a sensor. Their keys have the time of the newest packet, so that each
/// silence is reported once, and loss once a day.
pub(in crate::app::watch) fn health_alerts(health: &SensorHealth) -> Vec<Alert> {
    let sensor = &health.sensor;
    let last = health.last_packet.map_or_else(|| "never".to_owned(), |time| time.whole_seconds().to_string());
    let alert = |kind: AlertKind, key: String, message: String| Alert {
        key,
        kind,
        at: health.at,
        message,
        incident: None,
        sensor: Some(sensor.clone()),
        host: None,
        network: None,
    };
    let of = |condition: &HealthCondition| match condition {
        HealthCondition::Silent => Some(alert(
            AlertKind::SensorSilent,
            format!("silent/{sensor}/{last}"),
            match health.last_packet {
                Some(_) => format!("sensor {sensor} is silent; its newest packet is of {last}"),
                None => format!("sensor {sensor} is silent; no packet of it was ever recorded"),
            },
        )),
        HealthCondition::Lossy => {
            let percent = 100.0 * health.loss.unwrap_or(0.0);
            let day: String = last.chars().take("2009-03-02".len()).collect();
            Some(alert(
                AlertKind::CaptureLoss,
                format!("loss/{sensor}/{day}"),
                format!("the recorder of sensor {sensor} lost {percent:.1} % of the packets of {day}"),
            ))
        }
        _ => None,
    };
    health.conditions.iter().filter_map(of).collect()
}

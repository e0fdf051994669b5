//! Alerts that are not sent for a while.

use jiff::civil::Date;
use serde::Deserialize;

use crate::incident::{Alert, AlertKind};
use crate::packet::Timestamp;

/// Alerts that are not sent until a day: those for which all of `kind`, `sensor` and `incident` that are given hold.
/// They count as raised, so that they are not sent later either.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertMute {
    /// The first day on which such alerts are sent again (UTC).
    pub until: Date,
    /// The kind of the alerts.
    #[serde(default)]
    pub kind: Option<AlertKind>,
    /// The name of their sensor.
    #[serde(default)]
    pub sensor: Option<String>,
    /// The number of their incident.
    #[serde(default)]
    pub incident: Option<u64>,
}

impl AlertMute {
    /// Checks the meaning of the values. An error has the key that it is about.
    pub(in crate::app::watch) fn check(&self) -> Result<(), (&'static str, String)> {
        if self.kind.is_none() && self.sensor.is_none() && self.incident.is_none() {
            return Err((
                "until",
                "a mute needs a kind, sensor or incident; to send no alerts at all, configure no receivers"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    fn holds(&self, alert: &Alert) -> bool {
        let ends = Timestamp::start_of(self.until);
        ends.is_none_or(|ends| alert.at < ends)
            && self.kind.is_none_or(|kind| kind == alert.kind)
            && self.sensor.as_ref().is_none_or(|sensor| alert.sensor.as_ref() == Some(sensor))
            && self.incident.is_none_or(|incident| alert.incident == Some(incident))
    }
}

/// Returns the alerts that are sent, and those that are muted.
pub(in crate::app::watch) fn split_muted(
    alerts: Vec<Alert>,
    mutes: &[AlertMute],
) -> (Vec<Alert>, Vec<Alert>) {
    alerts.into_iter().partition(|alert| !mutes.iter().any(|mute| mute.holds(alert)))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn what_all_given_values_hold_for_is_muted_until_the_day() {
        let alert = |kind, sensor: &str, incident, day| Alert {
            key: "k".to_owned(),
            kind,
            at: Timestamp::start_of(day).unwrap(),
            message: String::new(),
            incident,
            sensor: Some(sensor.to_owned()),
            host: None,
            network: None,
        };
        let day = date(2026, 3, 1);
        let alerts = vec![
            alert(AlertKind::CaptureLoss, "II", None, day),
            alert(AlertKind::CaptureLoss, "III", None, day),
            alert(AlertKind::SensorSilent, "II", None, day),
            alert(AlertKind::CaptureLoss, "II", None, date(2026, 3, 2)),
            alert(AlertKind::CauseLikely, "II", Some(7), day),
            alert(AlertKind::CauseLikely, "II", Some(8), day),
        ];
        let until = date(2026, 3, 2);
        let loss = AlertMute {
            until,
            kind: Some(AlertKind::CaptureLoss),
            sensor: Some("II".to_owned()),
            incident: None,
        };
        let incident = AlertMute { until, kind: None, sensor: None, incident: Some(7) };
        assert!(loss.check().is_ok() && incident.check().is_ok());
        let (sent, muted) = split_muted(alerts.clone(), &[loss, incident]);
        assert_eq!(muted, [alerts[0].clone(), alerts[4].clone()]);
        assert_eq!(sent.len(), 4);
        assert!(AlertMute { until, kind: None, sensor: None, incident: None }.check().is_err());
    }
}

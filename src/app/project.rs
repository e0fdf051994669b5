//! Use case: projects a sample onto sensors, existing or imagined, to predict what they would observe of it.

use std::path::Path;

use ipnet::IpNet;
use jiff::civil::Date;

use crate::history::{DatedPrefix, Sensor, SensorKind};
use crate::rules::Rules;
use crate::sample::{Projection, Scan};

use super::history::select_sensors;
use super::history_source::HistorySource;
use super::sandbox::load_sample;
use super::{AppError, CaptureOptions, Notices};

/// The sensors that a sample is projected onto.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProjectionTarget {
    /// The sensors of a history with these names; all sensors, if there are no names.
    Sensors(HistorySource, Vec<String>),
    /// An imagined sensor: its dark prefixes, and the live prefixes among them.
    Prefixes(Vec<IpNet>, Vec<IpNet>),
}

/// A sample with its projections.
#[derive(Clone, Debug)]
pub struct ProjectedSample {
    /// The sample's id.
    pub sample: String,
    /// Its title.
    pub title: String,
    /// The sample's scan, as inferred from its run.
    pub scan: Scan,
    /// Each sensor with the projection onto it.
    pub sensors: Vec<(Sensor, Projection)>,
}

/// Projects a sample onto sensors.
///
/// # Errors
/// When the report, its captures or the history cannot be read, there is no such sensor, or the sample does
/// not scan.
pub fn project(
    report: &Path,
    target: &ProjectionTarget,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<ProjectedSample, AppError> {
    let sample = load_sample(report, options, rules, notices)?;
    let scan = Scan::infer(&sample.profile).ok_or_else(|| {
        let path = crate::escape::path(report);
        let why = sample.unread_reason.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
        AppError::Usage(format!(
            "{path}: the sample's run shows no scan{why}, so there is nothing to project"
        ))
    })?;
    let sensors = match target {
        ProjectionTarget::Sensors(source, names) => {
            let store = source.open(options, rules, notices)?;
            let mut recorded = Vec::new();
            for sensor in select_sensors(store.as_ref(), names)? {
                let days: Vec<Date> = store.coverage(&sensor.name)?.observed_days().collect();
                recorded.push((sensor, days));
            }
            recorded
        }
        ProjectionTarget::Prefixes(prefixes, live) => vec![(imagined_sensor(prefixes, live)?, Vec::new())],
    };
    let sensors = sensors.into_iter().map(|(sensor, days)| {
        let projection = Projection::new(&scan, &sensor, days, &rules.profile);
        (sensor, projection)
    });
    let sensors = sensors.collect();
    Ok(ProjectedSample { sample: sample.profile.id.clone(), title: sample.report.title(), scan, sensors })
}

/// Returns a sensor with these prefixes, as a dark part of a network that is live elsewhere.
fn imagined_sensor(prefixes: &[IpNet], live: &[IpNet]) -> Result<Sensor, AppError> {
    let sensor = Sensor {
        name: "imagined".to_owned(),
        kind: SensorKind::Subnet,
        prefixes: prefixes.iter().copied().map(DatedPrefix::from).collect(),
        live: live.iter().copied().map(DatedPrefix::from).collect(),
        time_zone: "UTC".to_owned(),
    };
    sensor.validate()?;
    Ok(sensor)
}

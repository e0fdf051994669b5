//! The pictures of an incident: its series, and the tiles of sandbox and sensor.

use crate::app::behavior_view::BehaviorView;
use crate::app::history_source::Readable;
use crate::app::sandbox::LoadedSample;
use crate::correlate::gaps;
use crate::incident::Incident;
use crate::render::answer::Answer;
use crate::render::hypotheses::gaps_in_words;
use crate::render::hypothesis_pictures::sample_tile;
use crate::render::incidents::incident_title;
use crate::render::plot::DateMark;
use crate::render::spans::{Panels, PlotOptions, SeriesAnswer, SpanSeries, Value};
use crate::render::svg::{Theme, without_style};
use crate::render::tile::TilePicture;

use crate::web::incident_rows::{SampleNames, family_name};
use crate::web::request::PageRequest;

use super::behavior::example_of;

/// Draws hosts per day at each sensor, with the onset and the dates of the samples that may be the cause.
pub(in crate::web) fn picture(
    incident: &Incident,
    view: &BehaviorView,
    kept: &[LoadedSample],
    names: &SampleNames,
) -> Option<String> {
    let title = incident_title(incident);
    let series: Vec<SpanSeries<'_>> = view
        .sensors
        .iter()
        .map(|one| SpanSeries {
            sensor: &one.sensor.name,
            behavior: title.clone(),
            spans: &one.series.spans,
            coverage: &one.series.coverage,
        })
        .collect();
    let mut marks: Vec<DateMark> =
        incident.first().into_iter().map(|day| DateMark { day, label: "onset".to_owned() }).collect();
    for cause in incident.causes.iter().take(3) {
        let sample = cause.samples.first().and_then(|id| kept.iter().find(|one| one.profile.id == *id));
        if let Some((date, what)) = sample.and_then(|sample| sample.report.reference_date()) {
            marks.push(DateMark {
                day: date.first,
                label: format!("{} {what}", family_name(&cause.family, names)),
            });
        }
    }
    let first =
        view.sensors.iter().filter_map(|one| one.series.spans.first()).map(|span| span.first).min()?;
    marks.retain(|mark| mark.day >= first);
    let plot = PlotOptions {
        values: vec![Value::Hosts],
        panels: Some(Panels::Sensor),
        marks,
        ..PlotOptions::default()
    };
    SeriesAnswer { series, plot }.svg(Theme::Auto).ok().map(|picture| without_style(&picture))
}

/// Draws the example window of the sensor, beside that of the most probable sample if there is one.
pub(in crate::web) fn tile(
    request: &PageRequest,
    store: &Readable,
    incident: &Incident,
    view: &BehaviorView,
    kept: &[LoadedSample],
) -> Option<String> {
    let record = view.main_type.as_ref()?;
    let names: Vec<String> = view.seen_at().map(|one| one.sensor.name.clone()).collect();
    let at_sensor = example_of(&request.server, store, record.behavior.id, &names)?;
    let id = incident.causes.iter().find_map(|cause| cause.samples.first());
    let sample = id.and_then(|id| kept.iter().find(|one| one.profile.id == *id));
    let seconds = request.server.rules.profile.window_seconds;
    let micro = sample.and_then(|sample| {
        sample_tile(&sample.report.title(), &sample.profile, Some(record.behavior.id), seconds)
    });
    let picture = match micro {
        Some((micro, parameters)) => {
            TilePicture::Pair(micro, at_sensor, gaps_in_words(&gaps(&parameters, &record.parameters)))
        }
        None => TilePicture::One(at_sensor),
    };
    picture.svg(Theme::Auto).ok().map(|picture| without_style(&picture))
}

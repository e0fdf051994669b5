//! Cohorts as text and JSON. The JSON field names are stable. `flow` draws them.

use std::io::{self, Write};

use jiff::civil::Date;
use serde::Serialize;

use crate::escape::{escape_hidden, without_negative_zero};
use crate::history::{Cohort, SensorCohort};

use super::answer::{Answer, Format};
use super::flow::{ComparedBehaviors, flow_svg};
use super::svg::Theme;
use super::text::table;

/// Cohorts of sensors, with the behaviors that are compared.
pub struct CohortAnswer<'a> {
    /// The behaviors and periods.
    pub compared: ComparedBehaviors<'a>,
    /// One cohort per sensor.
    pub sensors: &'a [SensorCohort],
}

impl Answer for CohortAnswer<'_> {
    const FORMATS: &'static [Format] = &[Format::Text, Format::Json, Format::Svg, Format::Png];

    /// Writes a table for people, one row per sensor.
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let head = [
            "sensor",
            "looked",
            "stayed",
            "gone",
            "otherwise",
            "switched",
            "both",
            "from elsewhere",
            "new",
            "expected",
            "all hosts",
        ];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        for SensorCohort { sensor, observed: (before, after), cohort } in self.sensors {
            let counts = [
                cohort.stayed,
                cohort.gone,
                cohort.otherwise,
                cohort.switched,
                cohort.both,
                cohort.from_elsewhere,
                cohort.new,
            ];
            let mut row = vec![escape_hidden(sensor), format!("{before}+{after} days")];
            row.extend(counts.map(|count| count.to_string()));
            row.extend([
                format!("{:.2}", without_negative_zero(cohort.expected, 2)),
                cohort.population.to_string(),
            ]);
            rows.push(row);
        }
        table(out, &rows)
    }

    /// Writes one line of JSON per sensor, with the hosts that switched.
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let ComparedBehaviors { from, to, around, days } = self.compared;
        for SensorCohort { sensor, observed, cohort } in self.sensors {
            let (observed_before, observed_after) = *observed;
            let line = JsonCohort { sensor, from, to, around, days, observed_before, observed_after, cohort };
            crate::escape::json_line(out, &line)?;
        }
        Ok(())
    }

    fn svg(&self, theme: Theme) -> io::Result<String> {
        Ok(flow_svg(&self.compared, self.sensors, theme))
    }
}

#[derive(Serialize)]
struct JsonCohort<'a> {
    sensor: &'a str,
    from: &'a str,
    to: &'a str,
    around: Date,
    days: u16,
    observed_before: u64,
    observed_after: u64,
    #[serde(flatten)]
    cohort: &'a Cohort,
}

//! What a correlation is given: one sample, one sensor, and what that sensor saw of the sample's behaviors.

use jiff::civil::Date;

use crate::behavior::Profile;
use crate::history::{
    Coverage, DayCount, DayState, DayTotal, Example, HostList, Sensor, TypeRecord, TypeTotal,
};
use crate::sample::{ProjectedBehavior, Projection, SampleProfile, SampleReport, Scan};

use super::{CauseEvidence, DailyHosts, NoEvidence};

/// A sensor's history as a whole.
#[derive(Clone, Debug)]
pub struct SensorHistory {
    /// The sensor.
    pub sensor: Sensor,
    /// The days it looked.
    pub coverage: Coverage,
    /// All it saw, by day.
    pub totals: Vec<DayTotal>,
}

/// A sensor with the sums that every hypothesis needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SensorTotals {
    /// Days that count.
    pub days: u64,
    /// Windows of all hosts on all days.
    pub windows: u64,
    /// Packets of all hosts on all days.
    pub packets: u64,
}

impl SensorHistory {
    /// Its sums.
    #[must_use]
    pub fn sum_totals(&self) -> SensorTotals {
        SensorTotals {
            days: self.coverage.observed_days().count() as u64,
            windows: self.totals.iter().map(|total| total.count.windows).sum(),
            packets: self.totals.iter().map(|total| total.count.packets).sum(),
        }
    }

    /// Unique hosts of every day from the first observed to the last; days without a look have no value.
    #[must_use]
    pub fn daily_hosts(&self, counts: &[DayCount]) -> DailyHosts {
        let Some((first, last)) = self.coverage.span() else { return Vec::new() };
        let seen = |day: Date| counts.iter().find(|count| count.day == day).map_or(0, |count| count.hosts);
        first
            .series(jiff::Span::new().days(1))
            .take_while(|day| *day <= last)
            .map(|day| (day, (self.coverage.state(day) == DayState::Observed).then(|| seen(day))))
            .collect()
    }
}

/// One of a sample's behaviors, as a sensor saw it.
#[derive(Clone, Debug)]
pub struct ObservedBehavior {
    /// The behavior, and how it follows from the sample.
    pub behavior: ProjectedBehavior,
    /// By day.
    pub series: Vec<DayCount>,
    /// By whom.
    pub hosts: HostList,
    /// Label ids of the behavior.
    pub labels: Vec<String>,
    /// Whether a label says that nobody scans here: answers to spoofed packets.
    pub is_backscatter: bool,
    /// The most frequent type that it has at the sensor.
    pub observed_type: Option<TypeRecord>,
    /// The earliest window of that type, to be drawn.
    pub example: Option<Example>,
}

/// A sample that is asked for, as others need to know it.
#[derive(Clone, Debug)]
pub struct KnownSample {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// How it scans, if it does.
    pub scan: Option<Scan>,
}

/// One sample against one sensor.
#[derive(Clone, Debug)]
pub struct CorrelationInput<'a> {
    /// The sample's report.
    pub report: &'a SampleReport,
    /// Its behavior.
    pub sample: &'a SampleProfile,
    /// Its malware family, if somebody names one.
    pub family: Option<&'a str>,
    /// The file's name and the reason, where its run could not be read.
    pub unread: Option<&'a str>,
    /// Its scan; `None` where it does not scan.
    pub scan: Option<&'a Scan>,
    /// Its scan as the sensor would see it; `None` where it does not scan.
    pub projection: Option<&'a Projection>,
    /// All that the sensor might see of it.
    pub projected: &'a [ProjectedBehavior],
    /// The sensor.
    pub history: &'a SensorHistory,
    /// What the sensor's history says for the sample as a cause.
    pub evidence: Result<CauseEvidence, NoEvidence>,
    /// All samples of the question, in the order to which the indices in the evidence refer.
    pub samples: &'a [KnownSample],
    /// Those behaviors that the sensor did see.
    pub observed: Vec<ObservedBehavior>,
    /// Frequent types of the sensor on the sample's protocols and ports, for explaining near misses.
    pub neighbours: Vec<TypeTotal>,
    /// The marks that name scanning tools rather than malware.
    pub tool_marks: &'a [String],
    /// The profile that both sides were reduced by.
    pub behavior: &'a Profile,
}

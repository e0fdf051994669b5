//! F2: the data model of what darknets observed: sensors, coverage, sightings, daily counts, surges.
//!
//! This module is pure. It does not know how a history is stored; `store` does.

mod adjust;
mod batch;
mod cohort;
mod coverage;
mod cut;
mod dark;
mod dark_times;
pub mod derived;
mod examples;
mod filter;
mod gathering;
mod hosts;
mod hour;
mod loss;
mod query;
mod record;
mod recorded_time;
mod sensor;
mod sensor_edit;
mod spans;
pub mod surge;
mod tally;

pub use adjust::adjusted_p_values;
pub use batch::{Batch, BatchWriter, DiscardBatches, hours_of};
pub use cohort::{Cohort, Periods};
pub use coverage::{Coverage, DayState, Outage};
pub use cut::{closed_before, recorded_days};
pub use dark::{DarkPeriod, DarkPeriods, DatedPrefix, days_in_words};
pub use dark_times::DarkTimes;
pub use examples::{Examples, PackedExample, packets_of};
pub use filter::{DailyCount, Facets, Filter, Sighting, Types};
pub use gathering::{Gathered, Gathering};
pub use hosts::Hosts;
pub use hour::Hour;
pub use loss::{Loss, days_of};
pub use query::{
    DayCount, DayTotal, Granularity, Habit, HostList, HostSummary, HourlyCount, Scope, Selection, TypeTotal,
};
pub use record::{
    BeforeNewest, CaptureRecord, Contribution, Day, Example, ExamplePacket, Reopened, Resume, SightingCounts,
    TypeRecord,
};
pub use recorded_time::{OVERLAP_MAX, RecordedTime, TimeSpan};
pub use sensor::{Sensor, SensorFault, SensorKind};
pub use sensor_edit::{PrefixEdit, SensorEdit};
pub use spans::{SpanCount, Spans, Step};
pub use tally::{DaySummary, Tally, TallyPart};

//! F2: the data model of what darknets observed: sensors, coverage, sightings, daily counts.
//!
//! This module is pure. It does not know how a history is stored; `store` does.

mod batch;
mod cohort;
mod contribution;
mod coverage;
mod dark_periods;
mod dark_space_lookup;
mod day_counter;
mod day_removal;
mod examples;
mod file_part;
mod filter;
mod host_behavior;
mod hosts;
mod hour;
mod loss;
mod maintenance;
mod p_values;
mod query;
mod record;
mod recorded_time;
mod sensor;
mod sensor_edit;
mod sighting_collector;
mod span_aggregator;
mod surge_behavior;

pub use batch::{Batch, BatchWriter, DiscardBatches, hours_in_bitmap};
pub use cohort::{Cohort, HostsByPeriod, SensorCohort};
pub use contribution::{Contribution, EngineState, ReopenedWindows, RollbackPoint};
pub use coverage::{Coverage, DayState, Outage};
pub use dark_periods::{DarkPeriod, DarkPeriods, DatedPrefix, days_in_words};
pub use dark_space_lookup::DarkSpaceLookup;
pub use day_counter::{DayCounter, DaySummary, PairPartition};
pub use day_removal::{recorded_days, state_after_captures};
pub use examples::{Examples, PackedExample, decode_packets};
pub use file_part::{JoinedParts, join_parts};
pub use filter::{DailyCount, FacetInclusion, Filter, Sighting, SignatureCount, TypeFilter};
pub use host_behavior::{HostBehavior, longest_gap};
pub use hosts::HostSet;
pub use hour::Hour;
pub use loss::{CaptureLoss, nanoseconds_by_day};
pub use maintenance::{
    CompactionSummary, ContentSize, DroppedDays, JoinSummary, ListedCapture, RenumberedIncident,
    RetentionSummary, Seam, SensorContents, VerificationResult, VerificationSummary,
};
pub use p_values::adjusted_p_values;
pub use query::{
    BehaviorFilter, BehaviorSummary, DayCount, DayTotal, Granularity, HostList, HostSummary, HourlyCount,
    Scope, TypeTotal,
};
pub use record::{
    CaptureRecord, Day, Example, ExamplePacket, FilePart, SightingCounts, TimeSpan, TypeRecord,
};
pub use recorded_time::{OVERLAP_MAX, RecordedTime};
pub use sensor::{Sensor, SensorFault, SensorKind};
pub use sensor_edit::{PrefixEdit, SensorEdit};
pub use sighting_collector::{CollectedSightings, SightingCollector, WindowNames};
pub use span_aggregator::{SpanAggregator, SpanCount, SpanLength};
pub use surge_behavior::SurgeBehavior;

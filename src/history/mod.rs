//! F2: what a darknet has seen, as values: sensors, coverage, sightings, observations.
//!
//! Nothing here knows how a history is kept; that is the store's business.

mod adjust;
mod cohort;
mod coverage;
pub mod derived;
pub(crate) mod digits;
mod examples;
mod gathering;
mod hosts;
mod hour;
mod leb128;
mod looks;
pub mod month;
pub mod packed;
mod packing;
mod query;
mod record;
mod restriction;
mod sensor;
mod spans;
pub mod surge;
mod tally;

pub use adjust::adjusted_p_values;
pub use cohort::{Cohort, Periods};
pub use coverage::{Coverage, DayState, Outage};
pub use examples::{Examples, PackedExample, packets_of};
pub use gathering::{Gathered, Gathering, Run, Spill};
pub use hosts::Hosts;
pub use hour::Hour;
pub use looks::{Look, Looks};
pub use packing::Waiting;
pub use query::{DayCount, DayTotal, Granularity, Habit, HostList, HostSummary, Scope, Selection, TypeTotal};
pub use record::{
    CaptureRecord, Contribution, Day, Example, ExamplePacket, Resume, Sighting, SightingKey, TypeRecord,
};
pub use restriction::{Facets, Met, Observation, Restriction, Types};
pub use sensor::{Sensor, SensorFault, SensorKind};
pub use spans::{SpanCount, Spans, Step};
pub use tally::{DaySummary, Tally, TallyPart};

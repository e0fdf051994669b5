//! F3: the analysis of daily counts: the background of a series and its surges, the surges of all behaviors
//! of a sensor, forecasts of many series, the type count and its jumps, and the test for per-target ports.
//!
//! This module is pure. `app` reads the counts and sightings from a history and passes them here; `render`
//! shows the results.

pub mod behavior_surges;
pub mod forecast;
pub mod per_target_port;
pub mod surge;
pub mod type_counts;

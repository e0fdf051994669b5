//! F4: renders results as text, JSON, pictures and pages. The answer of each command implements
//! [`answer::Answer`]. Functions here write to the given writer or string, or return a string, and open no
//! files. They escape packets, names and paths, which attackers may have chosen.

pub mod answer;
mod axes;
pub mod captures;
pub mod check_results;
pub mod cohort;
mod correlation;
mod dot;
pub mod evaluation;
pub mod explanation;
pub mod fingerprints;
pub mod flow;
pub mod host;
mod html;
pub mod hypotheses;
mod hypotheses_json;
pub mod hypothesis_pictures;
pub mod incidents;
mod junit;
mod legend;
pub mod maintenance;
pub mod metrics;
pub mod packets;
pub mod plot;
pub mod projection;
pub mod rule_counts;
pub mod sample_details;
pub mod sample_import;
mod sample_probes;
pub mod samples;
mod scale;
pub mod sensors;
mod series;
mod signature;
pub mod spans;
pub mod surges;
pub mod svg;
pub mod text;
pub mod tile;
mod time_axis;
pub mod type_counts;

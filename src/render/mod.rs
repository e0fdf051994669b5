//! F4: renders results as text, JSON, pictures and pages. Functions here write to the given writer or string,
//! or return a string, and open no files. They escape packets, names and paths, which attackers may have
//! chosen.

mod axes;
pub mod captures;
pub mod check_results;
pub mod cohort;
pub mod dot;
pub mod evaluation;
pub mod explanation;
pub mod fingerprints;
pub mod flow;
pub mod host;
pub mod html;
pub mod hypotheses;
pub mod hypotheses_json;
pub mod hypothesis_pictures;
pub mod junit;
mod legend;
pub mod maintenance;
pub mod packets;
pub mod projection;
pub mod rule_counts;
pub mod sample_import;
pub mod samples;
mod scale;
pub mod sensors;
pub mod series;
pub mod spans;
pub mod surges;
pub mod svg;
pub mod text;
pub mod tile;
pub mod time_axis;
pub mod type_counts;

//! F4: renders results as text, JSON, pictures and pages. Functions here write to the given writer or string,
//! or return a string, and open no files. They escape packets, names and paths, which attackers may have
//! chosen.

mod axes;
pub mod calendar;
pub mod checked;
pub mod dot;
pub mod evaluation;
pub mod events;
pub mod evidence;
pub mod explanation;
pub mod fingerprints;
pub mod flow;
pub mod host;
pub mod html;
pub mod hypotheses;
pub mod hypotheses_json;
pub mod junit;
mod legend;
pub mod projection;
pub mod rows;
mod scale;
pub mod sensors;
pub mod series;
pub mod spans;
pub mod svg;
pub mod text;
pub mod tile;

//! F3: samples against histories: evidence, hypotheses, verdicts, and the graph that holds them.
//!
//! Everything here works on values that `app` has loaded; no store, no clock, no file.

mod bound;
mod change;
mod evidence;
mod graph;
mod judge;
mod near_miss;
mod question;
mod words;

pub use bound::{Bound, unseen_bound};
pub use change::{Change, ChangePoint, DailyHosts, NoStatistic, Shift, change_at, change_point};
pub use evidence::{Hypothesis, Match, Missing, Onset, Verdict};
pub use graph::{EvidenceGraph, Link, Node, evidence_graph};
pub use judge::judge;
pub use near_miss::{Gap, NearMiss, gaps, near_miss};
pub use question::{Question, Seen, SensorHistory, SensorKnown};
pub use words::counted;

//! F3: samples against histories: evidence, hypotheses, verdicts, and the graph that holds them.
//!
//! Everything here works on values that `app` has loaded; no store, no clock, no file.

mod adjust;
mod bound;
mod change;
mod claim;
mod evidence;
mod explain;
mod graph;
mod judge;
mod ledger;
mod mix;
mod near_miss;
mod onset;
mod question;
mod rhythm;
mod score;
mod separate;
mod strangers;
mod suspect;
mod weigh;
mod words;

pub use bound::{Bound, unseen_bound};
pub use change::{Change, ChangePoint, DailyHosts, NoStatistic, Shift, change_at, change_point};
pub use claim::{Candidate, Claim, NoClaim, PROBABLE, claims};
pub use evidence::{Hypothesis, Match, Missing, Onset, Twin, Verdict};
pub use explain::{Explained, Explanation, NoExplanation, explain};
pub use graph::{EvidenceGraph, Link, Node, communities, evidence_graph, paths};
pub use judge::judge;
pub use ledger::{Ledger, Line};
pub use mix::{Mix, mix};
pub use near_miss::{Gap, NearMiss, gaps, near_miss};
pub use onset::{Null, Rise, rise};
pub use question::{Known, Question, Seen, SensorHistory, SensorKnown};
pub use rhythm::without_weekdays;
pub use score::{AtThreshold, Evaluation, Said, Score, THRESHOLDS, Truth, calibration, logit};
pub use separate::separating;
pub use strangers::{Stranger, strangers};
pub use suspect::{Gatherer, Suspect, Suspects};
pub use weigh::{Cause, Event, Scale, Shares, Weighed, Weighing, shares_on, weigh};
pub use words::counted;

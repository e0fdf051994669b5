//! F3: samples against histories: evidence, hypotheses, verdicts, and the graph that holds them.
//!
//! Everything here works on values that `app` has loaded; no store, no clock, no file.

mod adjust;
mod behavior_series;
mod bound;
mod cause_evidence;
mod change;
mod distinguish;
mod explain;
mod graph;
mod hypothesis;
mod input;
mod judge;
mod mix;
mod near_miss;
mod onset;
mod rhythm;
mod score;
mod suspect;
mod unknown_scanners;
mod weigh;
mod words;

pub use behavior_series::{BehaviorSeries, SeriesTable};
pub use bound::{Bound, unseen_bound};
pub use cause_evidence::{Candidate, CauseEvidence, NoEvidence, PROBABLE, cause_evidence};
pub use change::{ChangePoint, ChangeTest, DailyHosts, NoStatistic, Shift, change_at, change_point};
pub use distinguish::distinguishing_features;
pub use explain::{Explanation, NoExplanation, SampleCause, explain};
pub use graph::{EvidenceGraph, EvidenceLink, EvidenceNode, communities, evidence_graph, paths};
pub use hypothesis::{Hypothesis, Match, Missing, Onset, Twin, Verdict};
pub use input::{CorrelationInput, KnownSample, ObservedBehavior, SensorHistory, SensorTotals};
pub use judge::judge;
pub use mix::{Mix, mix};
pub use near_miss::{Gap, NearMiss, gaps, near_miss};
pub use onset::{NullDistribution, Rise, rise};
pub use rhythm::without_weekdays;
pub use score::{CaseAnswer, CaseTruth, Evaluation, Score, THRESHOLDS, ThresholdScore, calibration, logit};
pub use suspect::{Suspect, SuspectCollector, Suspects};
pub use unknown_scanners::{UnknownScanner, unknown_scanners};
pub use weigh::{Cause, EnabledEvidence, Event, Posterior, Shares, WeighOptions, shares_on, weigh};
pub use words::count_with_noun;

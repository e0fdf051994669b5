//! F3: samples against histories: evidence, hypotheses, verdicts, and the graph that holds them.
//!
//! Everything here works on values that `app` has loaded; no store, no clock, no file.

mod adjust;
mod behavior_series;
mod bound;
mod candidate;
mod cause_evidence;
mod change;
mod decision;
mod distinguish;
mod event;
mod explain;
mod fit;
mod graph;
mod hypothesis;
mod input;
mod judge;
mod lag;
mod mix;
mod near_miss;
mod onset;
mod posterior;
mod probe_fit;
mod probe_traits;
mod score;
mod sensor_fits;
mod shares;
mod signature_counts;
mod suspect;
mod unknown_scanners;
mod words;

pub use behavior_series::{BehaviorSeries, SeriesTable};
pub use bound::{Bound, unseen_bound};
pub use candidate::{Candidate, EnabledEvidence, SensorCandidates};
pub use cause_evidence::{CauseEvidence, NoEvidence, ProbeEvidence, cause_evidence};
pub use change::{ChangePoint, ChangeTest, DailyHosts, NoStatistic, Shift, change_at, change_point};
pub use decision::{FALSE_SHARE, POSSIBLE_MIN, RISE_Q_MAX, likely_from};
pub use distinguish::distinguishing_features;
pub use event::{Event, SeriesCount};
pub use explain::{Explanation, NoExplanation, SampleCause, explain};
pub use fit::Shares;
pub use graph::{EvidenceGraph, EvidenceLink, EvidenceNode, communities, evidence_graph, paths};
pub use hypothesis::{Hypothesis, Match, Missing, Onset, Twin, Verdict};
pub use input::{CorrelationInput, KnownSample, ObservedBehavior, SensorHistory, SensorTotals};
pub use judge::judge;
pub use mix::{Mix, mix};
pub use near_miss::{Gap, NearMiss, gaps, near_miss};
pub use onset::Rise;
pub use probe_traits::{ProbeTraits, TraitAgreement};
pub use score::{
    CaseAnswer, CaseTruth, Evaluation, LARGE_HOST_DAYS, Score, THRESHOLDS, ThresholdScore, calibration,
    logit, share_interval,
};
pub use signature_counts::{SignatureCollector, SignatureCounts};
pub use suspect::{Suspect, SuspectCollector, Suspects};
pub use words::count_with_noun;

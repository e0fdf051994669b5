//! A hypothesis: that a sample explains what a sensor saw, with the evidence for and against.

use std::fmt;

use jiff::civil::Date;

use crate::behavior::{Behavior, Parameters};
use crate::history::{DayCount, Example, Granularity, HostList, TypeRecord};
use crate::packet::Timestamp;
use crate::sample::{BehaviorOrigin, PartialDate};

use super::decision::RISE_Q_MAX;
use super::lag::days_between;
use super::{Bound, CauseEvidence, ChangePoint, ChangeTest, DailyHosts, NearMiss, NoEvidence, Suspects};

/// How far a hypothesis goes. Never "is infected".
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The sample's family is the cause of a rise. The probability from which on this is said keeps the expected
    /// share of wrong ones among all such answers at or below [`super::FALSE_SHARE`].
    Likely,
    /// The family is the cause with at least one chance in four.
    Possible,
    /// These samples of other families explain the rise as well.
    Indistinguishable(Vec<Twin>),
    /// Nothing rose, or something else explains it better.
    CannotTell,
    /// The sensor looked and did not see the behavior.
    NotSeen,
}

impl Verdict {
    /// The verdict without the other samples: a stable word for machines.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Likely => "likely",
            Verdict::Possible => "possible",
            Verdict::Indistinguishable(_) => "indistinguishable",
            Verdict::CannotTell => "cannot tell",
            Verdict::NotSeen => "not seen",
        }
    }
}

/// A sample that cannot be distinguished from another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Twin {
    /// Its id.
    pub id: String,
    /// Its title: a vendor's name and the beginning of the id.
    pub title: String,
}

/// Largest number of twins that are named.
const NAMED_MAX: usize = 5;

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Indistinguishable(others) => {
                let named: Vec<&str> =
                    others.iter().take(NAMED_MAX).map(|twin| twin.title.as_str()).collect();
                write!(f, "indistinguishable from {}", named.join(", "))?;
                match others.len().saturating_sub(NAMED_MAX) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            other => f.write_str(other.word()),
        }
    }
}

/// One behavior of the sample that the sensor saw.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    /// The behavior.
    pub behavior: Behavior,
    /// Its parameters in the sample's run.
    pub parameters: Parameters,
    /// How it follows from the run.
    pub origin: BehaviorOrigin,
    /// Share of the run that has it, 0 to 1.
    pub share: f64,
    /// Its labels.
    pub labels: Vec<String>,
    /// Whether it is an answer to spoofed packets.
    pub is_backscatter: bool,
    /// Windows that the sensor saw of it.
    pub windows: u64,
    /// Packets in them.
    pub packets: u64,
    /// Hosts, exact, some of them in detail.
    pub hosts: HostList,
    /// Share of all the sensor's windows: how little a match surprises, 0 to 1.
    pub rarity: f64,
    /// By day.
    pub series: Vec<DayCount>,
    /// The most frequent type that it has at the sensor.
    pub observed_type: Option<TypeRecord>,
    /// The earliest window of that type at the sensor.
    pub example: Option<Example>,
}

/// When it began, against the sample's date.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Onset {
    /// The first window at the sensor.
    pub first: Timestamp,
    /// The last packet.
    pub last: Timestamp,
    /// Days with a sighting.
    pub days: u64,
    /// Where the series changes its level most, if it does.
    pub change_point: Option<ChangePoint>,
    /// The day of the onset: the change point, or the first sighting where there is none. Two days where the
    /// sensor did not look between them, and the onset may be any of those.
    pub day_range: (Date, Date),
    /// Days from the sample's date to the onset: 0 where they may be the same day, negative when the darknet saw
    /// it before; `None` without a date.
    pub lag: Option<i64>,
}

/// What a sensor lacks of a sample where nothing matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The sample's run could not be read, or has no packets: the file and the reason.
    Run(String),
    /// The sample itself does not scan.
    Scan,
    /// Nothing came on the ports that it scans; these, as `445/TCP:S`.
    Services(Vec<String>),
    /// Something came, but otherwise.
    Behavior,
}

/// Sample × sensor × granularity.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// The sample's id.
    pub sample: String,
    /// Its title.
    pub title: String,
    /// The sensor's name.
    pub sensor: String,
    /// At which granularity the match holds; `None` where nothing was seen.
    pub granularity: Option<Granularity>,
    /// The verdict.
    pub verdict: Verdict,
    /// Place among all hypotheses, from 1.
    pub rank: usize,
    /// Weight of the evidence; orders hypotheses, and is no probability.
    pub score: f64,
    /// The match that the evidence is about.
    pub matched: Option<Match>,
    /// Other behaviors of the sample at the same granularity that the sensor saw, weaker first left out.
    pub other_matches: Vec<Match>,
    /// Change at the sample's date, or why there is none.
    pub change: Result<ChangeTest, String>,
    /// The level's p-value adjusted for all hypotheses (Benjamini-Hochberg).
    pub level_q: Option<f64>,
    /// The volatility's.
    pub volatility_q: Option<f64>,
    /// What the sensor's history says for the sample, whatever the granularity; or why it says nothing.
    pub evidence: Result<CauseEvidence, NoEvidence>,
    /// The p-value of the rise, adjusted for the number of samples (Benjamini-Hochberg). A sample has one rise over all
    /// sensors.
    pub rise_q: Option<f64>,
    /// The sample's malware family, if somebody names one.
    pub family: Option<String>,
    /// The samples of other families that cannot be distinguished from this one.
    pub alike: Vec<Twin>,
    /// The samples of its family that cannot be distinguished from this one.
    pub relatives: Vec<Twin>,
    /// What would tell them from this one, in words.
    pub distinguishing: Vec<String>,
    /// Hosts that the sample may explain; told with the best hypothesis of a sample and sensor, where it may be a cause.
    pub suspects: Option<Suspects>,
    /// When it began.
    pub onset: Option<Onset>,
    /// Share of the hosts whose packets bear a known scanning tool's mark, 0 to 1.
    pub tool_share: f64,
    /// Unique hosts by day over the sensor's whole history.
    pub daily_hosts: DailyHosts,
    /// Where nothing was seen: how many hosts could have been missed, or why that cannot be said.
    pub bound: Option<Result<Bound, String>>,
    /// Where nothing was seen: what is missing.
    pub missing: Option<Missing>,
    /// What came nearest, and why it is no match.
    pub near_misses: Vec<NearMiss>,
    /// Each step of the verdict in words.
    pub reasons: Vec<String>,
    /// The sample's date with what it is the date of.
    pub sample_date: Option<(PartialDate, &'static str)>,
}

impl Hypothesis {
    /// Returns whether the sample's behaviors rose more than chance explains, given how many samples are asked for.
    #[must_use]
    pub fn rise_is_unusual(&self) -> bool {
        self.rise_q.is_some_and(|q| q <= RISE_Q_MAX)
    }

    /// Days from the sample's date to an onset between two days: 0 where they overlap.
    #[must_use]
    pub fn days_off((earliest, latest): (Date, Date), pivot: PartialDate) -> i64 {
        if latest < pivot.first {
            days_between(pivot.first, latest)
        } else if earliest > pivot.last {
            days_between(pivot.last, earliest)
        } else {
            0
        }
    }
}

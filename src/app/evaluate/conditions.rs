//! The conditions of a world: how far it departs from what the model of attribution assumes.

use crate::sample::SplitMix64;

use super::victim::normal;

/// Which kind of worlds answers are measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorldKind {
    /// Worlds in which rates, retries, loss and dates follow the distributions that the model assumes.
    Matched,
    /// Worlds in which they follow others: populations drift, rates spread a hundredfold, recorders lose a
    /// third of the packets, sandbox runs have dead command servers, dates are missing, vague, early or late.
    Mismatched,
}

/// The cause of the outbreak of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutbreakCause {
    /// The cause is a family, and the case has at least one sample of it.
    Sample,
    /// The cause is a family without a sample in the case. It is drawn independently of the samples.
    Unknown,
    /// The cause is a family without a sample in the case. It scans exactly as the family of one of the samples.
    UnknownAlike,
    /// There is no outbreak.
    Nothing,
}

/// The precision of the date that a sample's report states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DateKnowledge {
    /// The report states the day on which the sample was caught.
    Day,
    /// The report states the month.
    Month,
    /// The report states no date.
    None,
}

/// The conditions of a sandbox run.
#[derive(Clone, Copy, Debug)]
pub(super) struct SandboxConditions {
    /// Whether the run asks a dead command server again and again, on a port of its own or on a scanned one.
    pub(super) dead_server: bool,
    /// Share of targets that answer, 0 to 1.
    pub(super) answering: f64,
    /// Duration of the run in seconds.
    pub(super) seconds: f64,
}

/// The conditions of one world.
#[derive(Clone, Debug)]
pub(super) struct Conditions {
    pub(super) cause: OutbreakCause,
    /// Standard deviation of the logarithm of a population's step from one day to the next.
    pub(super) drift: f64,
    /// Share of packets that each recorder loses, 0 to 1.
    pub(super) loss: f64,
    /// Natural logarithm's additional deviation of the rate over hosts; 1.5 spreads rates a hundredfold.
    pub(super) rate_spread: f64,
    /// Hosts on a weekend day, as a part of those on another day.
    pub(super) weekend: f64,
    /// Research scanners that ask every address on each day.
    pub(super) surveys: u64,
    /// Whether one day brings a storm of hosts on one port that asks nothing else.
    pub(super) storm: bool,
    /// Mean hours for which a host goes on scanning on a day; `None` for five minutes.
    pub(super) active_hours: Option<f64>,
    /// Share of hosts that are seen under a second address on the same day, by leases.
    pub(super) leases: f64,
    /// Share of the hosts of a family with raw sockets that run a variant, which builds its probes in another way.
    pub(super) unmarked: f64,
    /// Whether the recorders keep the fields by which probe signatures are made; some logs do not have them.
    pub(super) has_headers: bool,
    /// Number of samples of the family that is the cause.
    pub(super) samples_of_cause: u64,
    pub(super) dates: DateKnowledge,
    /// Days from the onset to the day on which a sample of the cause was caught; negative for before.
    pub(super) lag: f64,
    pub(super) sandbox: SandboxConditions,
}

impl Conditions {
    /// Draws the conditions of a world.
    pub(super) fn draw(kind: WorldKind, random: &mut SplitMix64) -> Conditions {
        match kind {
            WorldKind::Matched => Conditions::matched(random),
            WorldKind::Mismatched => Conditions::mismatched(random),
        }
    }

    /// Names the kind of a case, by which figures are broken down.
    pub(super) fn kind_of_case(&self) -> &'static str {
        match (self.cause, self.dates) {
            (OutbreakCause::Unknown, _) => "unknown scanner",
            (OutbreakCause::UnknownAlike, _) => "unknown scanner like a sample",
            (OutbreakCause::Nothing, _) => "nothing changed",
            (OutbreakCause::Sample, _) if self.samples_of_cause > 1 => "several samples of the cause",
            (OutbreakCause::Sample, _) if self.sandbox.dead_server => "dead server in the run",
            (OutbreakCause::Sample, DateKnowledge::None) => "no date",
            (OutbreakCause::Sample, DateKnowledge::Month) => "month of the date only",
            (OutbreakCause::Sample, DateKnowledge::Day) if self.lag < 0.0 => "sample before the outbreak",
            (OutbreakCause::Sample, DateKnowledge::Day) => "other outbreaks of a sample",
        }
    }

    fn matched(random: &mut SplitMix64) -> Conditions {
        let late = random.below(100) < 85;
        Conditions {
            cause: if random.below(10) >= 3 { OutbreakCause::Sample } else { OutbreakCause::Unknown },
            drift: 0.0,
            loss: random.unit() * 0.04,
            rate_spread: 0.0,
            weekend: 0.75,
            surveys: 0,
            storm: false,
            active_hours: None,
            leases: 0.0,
            unmarked: 0.0,
            has_headers: true,
            samples_of_cause: 1,
            dates: DateKnowledge::Day,
            lag: if late { random.waiting_time(1.0 / 20.0).min(100.0) } else { -random.unit() * 7.0 },
            sandbox: SandboxConditions {
                dead_server: false,
                answering: if random.below(4) == 0 { 0.2 } else { 0.0 },
                seconds: 60.0 + random.unit() * 120.0,
            },
        }
    }

    /// Draws conditions that the model does not assume. Sources of the ranges: hosts of one botnet differ in
    /// their rates by orders of magnitude, and its targets turn over within weeks (Antonakakis and others,
    /// Understanding the Mirai Botnet, USENIX Security 2017); research scanners send about half of a
    /// telescope's packets (Richter and Berger, Scanning the Scanners, IMC 2019); leases show one host under
    /// several addresses (Moura and others, How Dynamic is the ISP's Address Space?, IFIP Networking 2015);
    /// recorders that are not tuned lose packets under load (Braun and others, Comparing and Improving Current
    /// Packet Capturing Solutions, IMC 2010). That half of a family's bots may
    /// build their probes in another way than its sample, and that one recorder in five keeps no headers, are guesses.
    /// No publication gives the distribution of the days from an onset to a sample; the one here is wider than the
    /// model's on both sides.
    fn mismatched(random: &mut SplitMix64) -> Conditions {
        let cause = match random.below(100) {
            0..50 => OutbreakCause::Sample,
            50..70 => OutbreakCause::Unknown,
            70..78 => OutbreakCause::UnknownAlike,
            _ => OutbreakCause::Nothing,
        };
        let lag = match random.below(10) {
            0 => 60.0 + random.unit() * 60.0,
            1..3 => -random.unit() * 20.0,
            _ => random.waiting_time(1.0 / 15.0).min(60.0),
        };
        let dates = match random.below(10) {
            0..2 => DateKnowledge::None,
            2..4 => DateKnowledge::Month,
            _ => DateKnowledge::Day,
        };
        Conditions {
            cause,
            drift: *random.choose(&[0.0, 0.03, 0.08]).unwrap_or(&0.0),
            loss: *random.choose(&[0.0, 0.02, 0.1, 0.3]).unwrap_or(&0.0),
            rate_spread: *random.choose(&[0.0, 0.7, 1.5]).unwrap_or(&0.0),
            weekend: 0.4 + 0.7 * random.unit(),
            surveys: random.below(4),
            storm: random.below(4) == 0,
            active_hours: (random.below(3) > 0).then(|| (0.2 + 0.8 * random.unit()) * 6.0),
            leases: if random.below(3) == 0 { 0.3 } else { 0.0 },
            unmarked: *random.choose(&[0.0, 0.0, 0.5]).unwrap_or(&0.0),
            has_headers: random.below(5) > 0,
            samples_of_cause: 1 + random.below(3) * random.below(2),
            dates,
            lag,
            sandbox: SandboxConditions {
                dead_server: random.below(3) == 0,
                answering: *random.choose(&[0.0, 0.0, 0.2, 1.0]).unwrap_or(&0.0),
                seconds: 60.0 + random.unit().powi(2) * 540.0,
            },
        }
    }
}

/// The size of a population relative to its first day, by day: a random walk of its logarithm.
pub(super) fn drifting_levels(drift: f64, days: i64, random: &mut SplitMix64) -> Vec<f64> {
    let mut level = 0.0f64;
    let step = |_| {
        level += drift * normal(random);
        level.clamp(-3.0, 3.0).exp()
    };
    (0..days).map(step).collect()
}

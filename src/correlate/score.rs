//! How good answers are where the truth is known: accuracy, abstentions, false attributions, calibration.

use std::collections::BTreeMap;

/// Probabilities are told apart by tenths.
const BINS: usize = 10;
/// Probabilities from which on an answer could be given.
pub const THRESHOLDS: [f64; 10] = [0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.98, 0.99];

/// Minimum number of expected host-days at all sensors, within four weeks from the onset, of an outbreak that counts as
/// large: enough for the shares of a few behaviors.
pub const LARGE_HOST_DAYS: f64 = 50.0;

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Ways of answering with their scores, inga's first, then baselines, then ablations.
    pub methods: Vec<(&'static str, Score)>,
    /// Days from the onset to the first right answer, of outbreaks answered rightly in the end; ascending.
    pub days_to_answer: Vec<usize>,
    /// Slope and intercept that would make inga's probabilities hold.
    pub calibration: (f64, f64),
}

/// What one way of answering said in one case.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CaseAnswer {
    /// Families from the most to the least probable, with the probabilities, where there are any.
    pub ranked: Vec<(String, f64)>,
    /// Whether it answers with the first of them, or abstains.
    pub answers: bool,
    /// Whether it would answer if probabilities sufficed from a threshold on, whichever.
    pub would_answer: bool,
}

/// The truth of one case.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseTruth {
    /// The family that is the cause; `None` where there is no sample of the cause, or no outbreak.
    pub cause: Option<String>,
    /// The kind of the case, by which figures are broken down.
    pub kind: &'static str,
    /// Bits of the sensor's prefix.
    pub bits: u8,
    /// Hosts of the outbreak a day at its height.
    pub hosts_a_day: f64,
    /// Host-days of the outbreak that are expected at all sensors within four weeks.
    pub host_days: f64,
}

/// What would be answered from one threshold on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThresholdScore {
    /// Cases in which a sample is the cause.
    pub answered: usize,
    /// Of these, rightly.
    pub right: usize,
    /// Cases in which none is.
    pub false_attributions: usize,
}

/// How good a way of answering is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Score {
    /// Cases in which a sample is the cause.
    pub known: usize,
    /// Of these, answered.
    pub answered: usize,
    /// Of those, rightly.
    pub right: usize,
    /// Cases with a [large](LARGE_HOST_DAYS) outbreak of a sample.
    pub large: usize,
    /// Of these, answered.
    pub large_answered: usize,
    /// Cases with a cause that is among the first three, answered or not.
    pub top_three: usize,
    /// Cases in which no sample is the cause.
    pub unknown: usize,
    /// Of these, answered: all wrongly.
    pub false_attributions: usize,
    /// By tenth of the first sample's probability: cases, the sum of probabilities, how often it was the cause.
    pub reliability: Vec<(usize, f64, usize)>,
    /// By each of [`THRESHOLDS`].
    pub at_thresholds: [ThresholdScore; THRESHOLDS.len()],
    /// By kind of the case: cases, those answered, and those answered rightly.
    pub by_kind: BTreeMap<&'static str, (usize, usize, usize)>,
    /// By bits of the sensor's prefix: outbreaks by the order of their hosts a day (of two), and those answered rightly.
    pub found: BTreeMap<u8, BTreeMap<i32, (usize, usize)>>,
}

impl Score {
    /// Adds a case.
    #[expect(clippy::cast_possible_truncation, reason = "a tenth, and an order of hosts a day")]
    pub fn add(&mut self, truth: &CaseTruth, said: &CaseAnswer) {
        self.reliability.resize(BINS, (0, 0.0, 0));
        let first = said.ranked.first();
        let right = truth.cause.is_some() && first.map(|(id, _)| id) == truth.cause.as_ref();
        let answered = said.answers && first.is_some();
        let of_kind = self.by_kind.entry(truth.kind).or_default();
        *of_kind =
            (of_kind.0 + 1, of_kind.1 + usize::from(answered), of_kind.2 + usize::from(answered && right));
        match &truth.cause {
            Some(cause) => {
                self.known += 1;
                self.answered += usize::from(answered);
                self.right += usize::from(answered && right);
                let large = truth.host_days >= LARGE_HOST_DAYS;
                self.large += usize::from(large);
                self.large_answered += usize::from(large && answered);
                self.top_three += usize::from(said.ranked.iter().take(3).any(|(id, _)| id == cause));
                let order = truth.hosts_a_day.log2().floor() as i32;
                let found = self.found.entry(truth.bits).or_default().entry(order).or_default();
                *found = (found.0 + 1, found.1 + usize::from(answered && right));
            }
            None => {
                self.unknown += 1;
                self.false_attributions += usize::from(answered);
            }
        }
        if let Some((_, probability)) = first {
            for (threshold, at) in THRESHOLDS.iter().zip(&mut self.at_thresholds) {
                let answered = usize::from(said.would_answer && probability >= threshold);
                if truth.cause.is_none() {
                    at.false_attributions += answered;
                    continue;
                }
                at.answered += answered;
                at.right += if right { answered } else { 0 };
            }
            let bin = ((probability * BINS as f64) as usize).min(BINS - 1);
            let (count, sum, hits) = &mut self.reliability[bin];
            (*count, *sum, *hits) = (*count + 1, *sum + probability, *hits + usize::from(right));
        }
    }

    /// Share of answered cases that are right.
    #[must_use]
    pub fn precision(&self) -> f64 {
        share(self.right, self.answered)
    }

    /// Share of cases with a cause that are answered.
    #[must_use]
    pub fn coverage(&self) -> f64 {
        share(self.answered, self.known)
    }

    /// Share of large outbreaks that are answered.
    #[must_use]
    pub fn coverage_of_large(&self) -> f64 {
        share(self.large_answered, self.large)
    }

    /// Share of cases with a cause whose cause is among the first three.
    #[must_use]
    pub fn recall_of_three(&self) -> f64 {
        share(self.top_three, self.known)
    }

    /// Share of cases without a cause that are answered all the same.
    #[must_use]
    pub fn false_share(&self) -> f64 {
        share(self.false_attributions, self.unknown)
    }

    /// By each of [`THRESHOLDS`]: the shares that would be answered, rightly of these, and where no sample is the cause.
    pub fn by_threshold(&self) -> impl Iterator<Item = (f64, [f64; 3])> + '_ {
        THRESHOLDS.into_iter().zip(&self.at_thresholds).map(|(threshold, at)| {
            let shares = [
                share(at.answered, self.known),
                share(at.right, at.answered),
                share(at.false_attributions, self.unknown),
            ];
            (threshold, shares)
        })
    }

    /// Expected calibration error: how far stated probabilities are from how often they hold, on average over cases.
    #[must_use]
    pub fn calibration_error(&self) -> f64 {
        let all: usize = self.reliability.iter().map(|(count, _, _)| count).sum();
        let off = |(_, sum, hits): &(usize, f64, usize)| (sum - *hits as f64).abs();
        self.reliability.iter().map(off).sum::<f64>() / all.max(1) as f64
    }

    /// By bits of the sensor's prefix: the fewest hosts a day (a power of two) of which, and from which on, at least
    /// half of the outbreaks are found, where there are any.
    #[must_use]
    pub fn smallest_found(&self) -> Vec<(u8, Option<f64>)> {
        let smallest = |orders: &BTreeMap<i32, (usize, usize)>| {
            let half = |(all, found): (usize, usize)| all > 0 && found * 2 >= all;
            let from = |order: i32| {
                orders.range(order..).fold((0, 0), |sum, (_, one)| (sum.0 + one.0, sum.1 + one.1))
            };
            let smallest = orders.iter().find(|(order, one)| half(**one) && half(from(**order)));
            smallest.map(|(order, _)| f64::from(*order).exp2())
        };
        self.found.iter().map(|(bits, orders)| (*bits, smallest(orders))).collect()
    }
}

fn share(part: usize, of: usize) -> f64 {
    if of == 0 { f64::NAN } else { part as f64 / of as f64 }
}

/// Returns the 95 % confidence interval of a share, 0 to 1, of which `part` cases were observed among `of` cases (E. B.
/// Wilson, Probable Inference, 1927). Without cases, the interval is 0 to 1.
#[must_use]
pub fn share_interval(part: usize, of: usize) -> (f64, f64) {
    /// The 97.5th percentile of the normal distribution.
    const DEVIATIONS: f64 = 1.96;
    if of == 0 {
        return (0.0, 1.0);
    }
    let (share, count) = (part as f64 / of as f64, of as f64);
    let square = DEVIATIONS * DEVIATIONS / count;
    let middle = (share + square / 2.0) / (1.0 + square);
    let half = DEVIATIONS * (share * (1.0 - share) / count + square / (4.0 * count)).sqrt() / (1.0 + square);
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

/// The slope and intercept that make probabilities hold: logistic regression of what was on the logit of what was said
/// (Platt 1999), by Newton's method.
#[must_use]
pub fn calibration(said: &[(f64, bool)]) -> (f64, f64) {
    let (mut slope, mut intercept) = (1.0, 0.0);
    for _ in 0..50 {
        // The gradient, and the matrix of second derivatives with a little on its diagonal.
        let (mut g0, mut g1, mut h00, mut h01, mut h11) = (0.0, 0.0, 1e-6, 0.0, 1e-6);
        for (probability, held) in said {
            let x = logit(*probability);
            let fitted = 1.0 / (1.0 + (-(slope * x + intercept)).exp());
            let (off, weight) = (f64::from(u8::from(*held)) - fitted, fitted * (1.0 - fitted));
            (g0, g1) = (g0 + off, g1 + off * x);
            (h00, h01, h11) = (h00 + weight, h01 + weight * x, h11 + weight * x * x);
        }
        let determinant = h00 * h11 - h01 * h01;
        intercept += (h11 * g0 - h01 * g1) / determinant;
        slope += (h00 * g1 - h01 * g0) / determinant;
    }
    (slope, intercept)
}

/// Logarithm of the odds, kept finite.
#[must_use]
pub fn logit(probability: f64) -> f64 {
    let kept = probability.clamp(1e-6, 1.0 - 1e-6);
    (kept / (1.0 - kept)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_answers_abstentions_and_false_attributions_are_told_apart() {
        let truth = |cause: Option<&str>| CaseTruth {
            cause: cause.map(str::to_owned),
            kind: "any",
            bits: 24,
            hosts_a_day: 5.0,
            host_days: 60.0,
        };
        let said = |answers, ranked: &[(&str, f64)]| CaseAnswer {
            answers,
            would_answer: true,
            ranked: ranked.iter().map(|(id, probability)| ((*id).to_owned(), *probability)).collect(),
        };
        let mut score = Score::default();
        score.add(&truth(Some("a")), &said(true, &[("a", 0.9), ("b", 0.1)]));
        score.add(&truth(Some("a")), &said(true, &[("b", 0.9), ("a", 0.1)]));
        score.add(&truth(Some("a")), &said(false, &[]));
        score.add(&truth(None), &said(true, &[("a", 0.9)]));
        score.add(&truth(None), &said(false, &[("a", 0.3)]));
        assert_eq!((score.precision(), score.coverage()), (0.5, 2.0 / 3.0));
        assert_eq!((score.recall_of_three(), score.false_share()), (2.0 / 3.0, 0.5));
        assert_eq!((score.large, score.coverage_of_large()), (3, 2.0 / 3.0));
        assert!((score.calibration_error() - (1.7 + 0.3) / 4.0).abs() < 1e-9, "{score:?}");
        assert_eq!(score.smallest_found(), [(24, None)]);
        let at = |answered, right, false_attributions| ThresholdScore { answered, right, false_attributions };
        assert_eq!([score.at_thresholds[0], score.at_thresholds[5]], [at(2, 1, 1); 2]);
        assert_eq!(score.at_thresholds[6], at(0, 0, 0));
    }

    #[test]
    fn intervals_of_shares_are_wilsons() {
        let rounded = |(low, high): (f64, f64)| ((low * 1e4).round() / 1e4, (high * 1e4).round() / 1e4);
        // From the definition: 0 of 10, and 50 of 100.
        assert_eq!(rounded(share_interval(0, 10)), (0.0, 0.2775));
        assert_eq!(rounded(share_interval(50, 100)), (0.4038, 0.5962));
        assert_eq!(share_interval(0, 0), (0.0, 1.0));
    }

    #[test]
    fn calibration_undoes_overconfidence() {
        // What is said with 90 % holds seven times in ten, with 10 % three times.
        let said: Vec<(f64, bool)> =
            (0..100).flat_map(|at| [(0.9, at % 10 < 7), (0.1, at % 10 < 3)]).collect();
        let (slope, intercept) = calibration(&said);
        let now = 1.0 / (1.0 + (-(slope * logit(0.9) + intercept)).exp());
        assert!((now - 0.7).abs() < 0.01 && intercept.abs() < 0.05, "{slope} {intercept}");
    }
}

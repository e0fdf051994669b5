//! From probabilities to verdicts.
//!
//! Answers that are called likely are wrong from time to time. The probability from which on they are called so is
//! chosen so that the expected share of wrong ones among all that are asked together stays below a stated rate.

/// Maximum expected share of wrong answers among those that are called likely.
pub const FALSE_SHARE: f64 = 0.05;
/// Minimum probability of each answer that is called likely, however sure the others are.
const LIKELY_MIN: f64 = 0.8;
/// Minimum probability of an answer that is called possible: one in four.
pub const POSSIBLE_MIN: f64 = 0.25;
/// Maximum adjusted p-value of a rise for any answer.
pub const RISE_Q_MAX: f64 = 0.05;

/// What the evidence for a match amounts to.
pub(super) struct Findings {
    /// Whether the level or the volatility changed at the sample's date.
    pub(super) changed: bool,
    /// Whether the rise is unusual.
    pub(super) rose: bool,
    /// Whether most hosts bear the mark of a scanning tool.
    pub(super) tool: bool,
}

/// Returns the minimum probability of an answer that is called likely, given the probabilities of all answers. An answer
/// with a probability of at least 1 - [`FALSE_SHARE`] is likely whatever the others are.
#[must_use]
pub fn likely_from(probabilities: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = probabilities.filter(|one| *one >= LIKELY_MIN).collect();
    all.sort_by(|a, b| b.total_cmp(a));
    let (mut from, mut wrong) = (1.0 - FALSE_SHARE, 0.0);
    for (count, probability) in (1..).zip(all) {
        wrong += 1.0 - probability;
        if wrong <= FALSE_SHARE * f64::from(count) {
            from = probability.min(from);
        }
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sure_answers_make_room_for_a_less_sure_one_but_not_for_a_weak_one() {
        assert!((likely_from([0.94].into_iter()) - 0.95).abs() < 1e-9);
        assert!((likely_from([0.96, 0.3].into_iter()) - 0.95).abs() < 1e-9);
        assert!((likely_from([0.99, 0.92].into_iter()) - 0.92).abs() < 1e-9);
        assert!((likely_from([0.999, 0.999, 0.999, 0.7].into_iter()) - 0.95).abs() < 1e-9);
    }
}

//! Adjustment of p-values for multiple tests.

/// Adjusts p-values for the number of tests by the method of Benjamini and Hochberg (1995), and returns them
/// in the order of `p`. `tests` may exceed the number of p-values: the tests that are missing count as p = 1.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "numbers of tests")]
pub fn adjusted_p_values(p: &[f64], tests: u64) -> Vec<f64> {
    let tests = tests.max(p.len() as u64) as f64;
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut adjusted = vec![1.0; p.len()];
    let mut smallest = 1.0f64;
    for (place, at) in order.iter().enumerate().rev() {
        smallest = smallest.min(p[*at] * tests / (place + 1) as f64);
        adjusted[*at] = smallest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adjusted_p_values_follow_benjamini_and_hochberg() {
        let q = adjusted_p_values(&[0.01, 0.04, 0.03, 0.5], 4);
        for (got, want) in q.iter().zip([0.04, 0.16 / 3.0, 0.16 / 3.0, 0.5]) {
            assert!((got - want).abs() < 1e-12, "{got} {want}");
        }
        assert_eq!(adjusted_p_values(&[0.01], 50), [0.5]);
    }
}

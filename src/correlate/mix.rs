//! Counts explained as a mix: what was expected anyway, so much of each sample, and a rest.
//!
//! Counts of hosts are Poisson's, so the amounts are those of the greatest likelihood, found by expectation
//! maximization: never negative, and the likelihood grows with each step. Least squares would weigh a pandemic's chance
//! fluctuations a hundred times as heavily as a small outbreak's whole. A sample stays in the mix only when the mix is
//! clearly less likely without it.

use super::{Event, SeriesCount, Shares};

const STEPS: usize = 300;
/// Twice this is a likelihood ratio that two causes in a hundred exceed by chance.
const GAIN_MIN: f64 = 2.7;

/// So much of everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mix {
    /// Host-days that were expected anyway, of those that came.
    pub expected: f64,
    /// Host-days of each sample, in the order given; 0 for those that explain nothing more than the others.
    pub amounts: Vec<f64>,
    /// Lines with host-days left that nothing explains, most first.
    pub rest: Vec<(usize, f64)>,
    /// All that came.
    pub observed: f64,
}

/// Explains an event by samples, each by one distribution over the event's lines.
#[must_use]
pub fn mix(event: &Event, samples: &[&Shares]) -> Mix {
    let lines = event.counts.len();
    let dense: Vec<Vec<f64>> = samples.iter().map(|shares| dense(shares, lines)).collect();
    let mut used: Vec<usize> = (0..samples.len()).collect();
    let mut amounts;
    loop {
        let of: Vec<&Vec<f64>> = used.iter().map(|one| &dense[*one]).collect();
        amounts = amounts_of(event, &of);
        let whole = likelihood(event, &of, &amounts);
        let without = |left_out: usize| {
            let of: Vec<&Vec<f64>> =
                (0..of.len()).filter(|one| *one != left_out).map(|one| of[one]).collect();
            whole - likelihood(event, &of, &amounts_of(event, &of))
        };
        let gains = (0..used.len()).map(|one| (one, without(one)));
        match gains.min_by(|a, b| a.1.total_cmp(&b.1)) {
            Some((least, gain)) if gain < GAIN_MIN => drop(used.remove(least)),
            _ => break,
        }
    }
    let mut mix = Mix { amounts: vec![0.0; samples.len()], ..Mix::default() };
    for (one, amount) in used.iter().zip(&amounts) {
        mix.amounts[*one] = *amount;
    }
    for (line, SeriesCount { came, expected }) in event.counts.iter().enumerate() {
        let expected = &expected.mean;
        let explained: f64 = used.iter().zip(&amounts).map(|(one, amount)| dense[*one][line] * amount).sum();
        mix.observed += came;
        mix.expected += expected.min(*came);
        let left = came - expected - explained;
        // What chance leaves over is no rest.
        if left > 3.0 * (expected + explained).sqrt().max(0.5) {
            mix.rest.push((line, left));
        }
    }
    mix.rest.sort_by(|a, b| b.1.total_cmp(&a.1));
    mix
}

fn dense(shares: &Shares, lines: usize) -> Vec<f64> {
    let mut all = vec![0.0; lines];
    shares.series.iter().filter(|(line, _)| *line < lines).for_each(|(line, share)| all[*line] += share);
    all
}

/// What chance may bring where nothing was expected.
fn floor(event: &Event) -> f64 {
    0.5 / event.counts.len().max(1) as f64
}

fn means<'a>(
    event: &'a Event,
    samples: &'a [&Vec<f64>],
    amounts: &'a [f64],
) -> impl Iterator<Item = f64> + 'a {
    let floor = floor(event);
    event.counts.iter().enumerate().map(move |(line, count)| {
        count.expected.mean
            + floor
            + samples.iter().zip(amounts).map(|(one, amount)| one[line] * amount).sum::<f64>()
    })
}

fn amounts_of(event: &Event, samples: &[&Vec<f64>]) -> Vec<f64> {
    let mut amounts = vec![
        event.excess(&vec![true; event.counts.len()]).max(1.0)
            / samples.len().max(1) as f64;
        samples.len()
    ];
    for _ in 0..STEPS {
        let means: Vec<f64> = means(event, samples, &amounts).collect();
        for (one, amount) in samples.iter().zip(&mut amounts) {
            let drawn: f64 = event
                .counts
                .iter()
                .zip(&means)
                .zip(*one)
                .map(|((count, mean), share)| count.came * share / mean)
                .sum();
            // The whole of a sample's windows counts, also those that would show where nothing was seen.
            *amount *= drawn;
        }
    }
    amounts
}

fn likelihood(event: &Event, samples: &[&Vec<f64>], amounts: &[f64]) -> f64 {
    let logs: f64 =
        means(event, samples, amounts).zip(&event.counts).map(|(mean, count)| count.came * mean.ln()).sum();
    logs - amounts.iter().sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::forecast::Forecast;

    fn shares(lines: &[(usize, f64)]) -> Shares {
        Shares { weight: 1.0, series: lines.to_vec(), known_hosts: 20.0 }
    }

    fn event(counts: &[(f64, f64)]) -> Event {
        let count = |(mean, came): &(f64, f64)| SeriesCount {
            came: *came,
            expected: Forecast { mean: *mean, variance: *mean, drift: 0.0 },
        };
        Event { days: (28, 28), counts: counts.iter().map(count).collect() }
    }

    #[test]
    fn a_surge_is_taken_apart_into_samples_and_a_rest() {
        // A pandemic of 5,000; 40 of one sample, 20 of another on a shared line, 15 of nobody's.
        let event = event(&[(5000.0, 5030.0), (1.0, 31.0), (0.0, 30.0), (0.0, 1.0), (0.0, 15.0)]);
        let [one, other, no] = [shares(&[(1, 0.75), (2, 0.25)]), shares(&[(2, 1.0)]), shares(&[(3, 1.0)])];
        let mix = mix(&event, &[&one, &other, &no]);
        assert!((mix.amounts[0] - 40.0).abs() < 3.0 && (mix.amounts[1] - 20.0).abs() < 4.0, "{mix:?}");
        assert_eq!((mix.amounts[2], mix.rest.len(), mix.rest[0].0), (0.0, 1, 4), "{mix:?}");
        assert!((mix.rest[0].1 - 15.0).abs() < 0.1);
        let of_one = super::mix(&event, &[&one, &one]);
        assert_eq!(of_one.amounts.iter().filter(|amount| **amount == 0.0).count(), 1, "twins are one");
    }

    #[test]
    fn nothing_new_needs_no_sample() {
        let event = event(&[(100.0, 104.0), (9.0, 8.0)]);
        let mix = mix(&event, &[&shares(&[(0, 1.0)])]);
        assert_eq!((mix.amounts, mix.rest), (vec![0.0], vec![]));
    }
}

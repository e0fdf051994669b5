//! The rhythm of the week, taken out of a series: offices sleep on Sundays, and that is no event.

use jiff::civil::Date;

/// Weeks of a series from which on its weekdays say something.
const WEEKS_MIN: f64 = 4.0;

/// A series' values divided by how much more or less its weekday has than the mean; as they are where it has fewer than
/// four weeks or the weekdays differ no more than by chance. Sums stay as they were, nearly.
#[must_use]
pub fn without_weekdays(days: &[Date], values: &[f64]) -> Vec<f64> {
    let mut sums = [(0.0f64, 0.0f64); 7];
    for (day, value) in days.iter().zip(values) {
        let sum = &mut sums[weekday(*day)];
        *sum = (sum.0 + 1.0, sum.1 + value);
    }
    let all: f64 = values.iter().sum();
    let mean = all / values.len().max(1) as f64;
    if (values.len() as f64) < WEEKS_MIN * 7.0 || mean <= 0.0 {
        return values.to_vec();
    }
    let variance =
        values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (values.len() - 1).max(1) as f64;
    // Each weekday's mean, drawn towards the mean of all by as much as chance would scatter it.
    let factor = |(count, sum): (f64, f64)| {
        if count == 0.0 {
            return 1.0;
        }
        let chance = variance / count;
        let off = sum / count - mean;
        let kept = (1.0 - 2.0 * chance / (off * off).max(f64::MIN_POSITIVE)).max(0.0);
        (1.0 + kept * off / mean).max(0.1)
    };
    let factors = sums.map(factor);
    days.iter().zip(values).map(|(day, value)| value / factors[weekday(*day)]).collect()
}

fn weekday(day: Date) -> usize {
    usize::try_from(day.weekday().to_monday_zero_offset()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn sundays_are_evened_out_and_steps_stay() {
        let days: Vec<Date> = date(2009, 1, 1).series(jiff::Span::new().days(1)).take(140).collect();
        let raw: Vec<f64> = days
            .iter()
            .enumerate()
            .map(|(at, day)| {
                let level = if at < 70 { 10.0 } else { 20.0 };
                if weekday(*day) == 6 { level * 0.3 } else { level }
            })
            .collect();
        let even = without_weekdays(&days, &raw);
        let spread = |part: &[f64]| {
            part.iter().copied().fold(0.0, f64::max) - part.iter().copied().fold(f64::INFINITY, f64::min)
        };
        assert!(spread(&even[..70]) < 0.4 * spread(&raw[..70]), "{:?}", &even[..14]);
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        assert!(mean(&even[70..]) > 1.8 * mean(&even[..70]));
        assert_eq!(without_weekdays(&days[..20], &raw[..20]), &raw[..20]);
    }
}

//! Small series within tables. Their colors are those of the stylesheet.

use std::fmt::Write;

const HEIGHT: f64 = 24.0;
const BAR: f64 = 3.0;
const STEP: f64 = 4.0;

/// Draws daily values as bars; `None` is a day without a value, which is shaded. `words` describes the series for
/// readers of a screen.
#[expect(clippy::cast_precision_loss, reason = "values to be drawn")]
pub(super) fn sparkline(values: &[Option<u64>], words: &str) -> String {
    let most = values.iter().flatten().max().copied().unwrap_or(0).max(1) as f64;
    let width = STEP * values.len().max(1) as f64;
    let words = crate::escape::xml(words);
    let mut out = format!(
        "<svg class=\"spark\" role=\"img\" aria-label=\"{words}\" viewBox=\"0 0 {width:.0} {HEIGHT:.0}\" \
         preserveAspectRatio=\"none\"><title>{words}</title>"
    );
    let mut bar = |class: &str, place: usize, width: f64, height: f64| {
        let (x, y) = (STEP * place as f64, HEIGHT - height);
        let _ = write!(
            out,
            "<rect class=\"{class}\" x=\"{x:.0}\" y=\"{y:.1}\" width=\"{width:.0}\" height=\"{height:.1}\"/>"
        );
    };
    for (place, value) in values.iter().enumerate() {
        match value {
            None => bar("gap-fill", place, STEP, HEIGHT),
            // A day with few hosts is not a day with none.
            Some(value) if *value > 0 => {
                bar("bar-fill", place, BAR, (*value as f64 / most * HEIGHT).max(1.0))
            }
            Some(_) => {}
        }
    }
    out + "</svg>"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_without_a_value_are_shaded_and_words_are_escaped() {
        let drawn = sparkline(&[Some(4), None, Some(0), Some(1)], "<b>");
        assert_eq!((drawn.matches("bar-fill").count(), drawn.matches("gap-fill").count()), (2, 1));
        assert!(drawn.contains("&lt;b&gt;") && !drawn.contains("<b>"));
    }
}
